"""Whatever workers do, whatever second the store loses: one holder, epochs that grow, ghosts refused."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from contracts.findings import Edge
from store import keys
from store.connect import check, execute, open_sync
from store.leases import Held, Leases, Released
from store.outlet import Outlet, Verdict
from tests.store.fleet import body, envelope, expire, info, onboarded, others_renew

WORKERS = ("a", "b", "c")
LOSABLE = (keys.LEASE, f"{keys.DUE}all", keys.ACCEPTED)
Token = tuple[str, int]  # worker, epoch


class LeaseMachine(RuleBasedStateMachine):
    url = ""

    @initialize()
    def begin(self) -> None:
        self.client: Any = open_sync(self.url, timeout_s=5.0)
        self.client.flushdb()
        check(self.client)
        onboarded(self.url, 5)
        self.leases, self.outlet = Leases(self.client), Outlet(self.client)
        self.names = [member.decode() for member in execute(self.client, "ZRANGE", f"{keys.DUE}all", 0, -1)]
        self.holder: dict[str, Token] = {}  # what the store must think
        self.expired: set[str] = set()
        self.believed: dict[str, dict[str, int]] = {worker: {} for worker in WORKERS}
        self.granted: dict[str, list[Token]] = {name: [] for name in self.names}
        self.sequence = 0
        self.saved: tuple[dict[str, Any], dict[str, Token], set[str]] | None = None

    @rule(worker=st.sampled_from(WORKERS), most=st.integers(0, 6))
    def claim(self, worker: str, most: int) -> None:
        others_renew(self.client)
        free = {name for name in self.names if name not in self.holder or name in self.expired}
        grants = self.leases.claim(worker, "all", most)
        assert len(grants) == min(most, len(free))
        for grant in grants:
            name, epoch = grant.lease.assignment.id, grant.lease.epoch
            assert name in free
            assert all(epoch > before for _, before in self.granted[name])
            self.granted[name].append((worker, epoch))
            self.holder[name] = (worker, epoch)
            self.expired.discard(name)
            self.believed[worker][name] = epoch

    @rule(worker=st.sampled_from(WORKERS))
    def renew(self, worker: str) -> None:
        mine = self.believed[worker]
        answer = self.leases.renew(info(worker), [Held(name, epoch, "1.0.0") for name, epoch in mine.items()])
        assert set(answer.lost) == {
            name for name, epoch in mine.items() if self.holder.get(name) != (worker, epoch)
        }
        assert not answer.changed
        assert not answer.removed
        for name in answer.lost:
            del mine[name]
        self.expired -= set(mine)

    @rule(worker=st.sampled_from(WORKERS), data=st.data())
    def release(self, worker: str, data: st.DataObject) -> None:
        mine = self.believed[worker]
        chosen = data.draw(st.sets(st.sampled_from(sorted(mine)))) if mine else set()
        ours = {name for name in chosen if self.holder.get(name) == (worker, mine[name])}
        assert set(self.leases.release(worker, [Released(n, mine[n]) for n in chosen])) == ours
        for name in chosen:
            del mine[name]
        for name in ours:
            del self.holder[name]
            self.expired.discard(name)

    @precondition(lambda self: self.holder)
    @rule(data=st.data())
    def run_out(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.holder)))
        expire(self.client, name)
        self.expired.add(name)

    @rule(worker=st.sampled_from(WORKERS))
    def report(self, worker: str) -> None:
        mine = self.believed[worker]
        self.sequence += 1
        said = [envelope(name, epoch, self.sequence, body(Edge.OPENED)) for name, epoch in mine.items()]
        for finding, verdict in zip(said, self.outlet.accept(worker, said), strict=True):
            current = self.holder.get(finding.assignment) == (worker, finding.epoch)
            assert verdict is (Verdict.ACCEPTED if current else Verdict.FENCED)
        if said:
            again = self.outlet.accept(worker, said)
            assert Verdict.ACCEPTED not in again

    @rule()
    def write_down(self) -> None:
        dumps = {key: self.client.dump(key) for key in LOSABLE}
        self.saved = (dumps, dict(self.holder), set(self.expired))

    @precondition(lambda self: self.saved is not None)
    @rule()
    def lose_what_came_after(self) -> None:
        assert self.saved is not None
        dumps, holder, expired = self.saved
        for key, dump in dumps.items():
            self.client.delete(key)
            if dump is not None:
                self.client.restore(key, 0, dump)
        self.holder, self.expired = dict(holder), set(expired)
        before = self.client.time()
        while (
            self.client.time()[0] * 1000 + self.client.time()[1] // 1000
            <= before[0] * 1000 + before[1] // 1000
        ):
            pass  # a restart takes at least a millisecond

    @invariant()
    def no_epoch_is_given_twice(self) -> None:
        for tokens in getattr(self, "granted", {}).values():
            epochs = [epoch for _, epoch in tokens]
            assert len(set(epochs)) == len(epochs)

    def teardown(self) -> None:
        if hasattr(self, "client"):
            self.client.close()


def test_leases_hold_whatever_happens(url: str) -> None:
    machine = type("Machine", (LeaseMachine,), {"url": url})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=40, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
