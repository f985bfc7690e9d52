from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from contracts.clock import SystemClock
from contracts.findings import Edge
from contracts.fleet import CHECKPOINT_BYTES, Checkpoint, WatchStatus
from store import keys
from store.assignments import Assignments
from store.connect import open_sync
from store.errors import StoreUnavailable, TooLarge
from store.leases import Held, Leases, Released
from store.outlet import Outlet, Verdict
from store.scripts import text
from store.streams import Streams
from store.workers import room_elsewhere
from tests.store.conftest import Run
from tests.store.fleet import T0, body, envelope, expire, groups, info, onboarded, others_renew, spec, wanted


def test_a_free_assignment_is_claimed_once_with_its_stream(url: str, client: Any) -> None:
    stream, *_ = onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 10)
    assert grant.lease.assignment.id == f"{stream.id}/highest/all"
    assert grant.stream == stream
    assert grant.checkpoint is None
    assert grant.unconfirmed == ()
    assert leases.claim("b", "all", 10) == []


def test_a_claim_takes_no_more_than_asked_and_the_longest_waiting_first(url: str, client: Any) -> None:
    onboarded(url, 5)
    ids = [member.decode() for member in client.zrange(f"{keys.DUE}all", 0, -1)]
    for place, identity in enumerate(reversed(ids)):
        client.zadd(f"{keys.DUE}all", {identity: 1000 + place})
    claimed = Leases(client).claim("a", "all", 2)
    assert [grant.lease.assignment.id for grant in claimed] == list(reversed(ids))[:2]
    assert Leases(client).claim("a", "all", 0) == []


def test_groups_are_claimed_apart(url: str, client: Any) -> None:
    onboarded(url, 3, groups(2))
    assert {g.lease.assignment.group for g in Leases(client).claim("a", "g1", 10)} == {"g1"}
    assert len(Leases(client).claim("b", "g0", 10)) == 3


def test_a_lease_that_ran_out_goes_to_another_and_its_holder_learns_it(url: str, client: Any) -> None:
    onboarded(url, 2)
    leases = Leases(client)
    first = leases.claim("a", "all", 2)
    gone = first[0].lease
    expire(client, gone.assignment.id)
    [second] = leases.claim("b", "all", 10)
    assert second.lease.assignment == gone.assignment
    assert second.lease.epoch > gone.epoch
    held = [Held(g.lease.assignment.id, g.lease.epoch, g.lease.assignment.revision) for g in first]
    assert leases.renew(info("a"), held).lost == (gone.assignment.id,)


def test_a_lease_that_ran_out_and_nobody_took_is_kept_by_renewing(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    expire(client, grant.lease.assignment.id)
    kept = leases.renew(info("a"), [Held(grant.lease.assignment.id, grant.lease.epoch, "1.0.0")])
    assert (kept.lost, kept.changed, kept.removed) == ((), (), ())
    assert leases.claim("b", "all", 1) == []


def test_a_renewal_reaches_exactly_one_ttl_ahead(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases = Leases(client, ttl_ms=3000)
    [grant] = leases.claim("a", "all", 1)
    renewal = leases.renew(info("a"), [Held(grant.lease.assignment.id, grant.lease.epoch, "1.0.0")])
    assert client.zscore(f"{keys.DUE}all", grant.lease.assignment.id) == renewal.store_ms + 3000


def test_what_is_given_back_is_free_at_once_and_its_late_findings_are_refused(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases, outlet = Leases(client), Outlet(client)
    [grant] = leases.claim("a", "all", 1)
    name, epoch = grant.lease.assignment.id, grant.lease.epoch
    checkpoint = Checkpoint(media_sequence=7, last_pts=2**33 - 1, baselines={"luma": 0.25})
    assert leases.release("a", [Released(name, epoch, checkpoint)]) == (name,)
    assert outlet.accept("a", [envelope(name, epoch, 1, body(Edge.OPENED))]) == [Verdict.FENCED]
    assert leases.renew(info("a"), [Held(name, epoch, "1.0.0")]).lost == (name,)
    assert leases.release("a", [Released(name, epoch)]) == ()
    [again] = leases.claim("b", "all", 1)
    assert again.checkpoint == checkpoint
    assert again.lease.epoch > epoch


def test_a_new_holder_is_told_what_was_closed_after_the_checkpoint(url: str, client: Any) -> None:
    onboarded(url, 2)
    leases, outlet = Leases(client), Outlet(client)
    one, other = leases.claim("a", "all", 2)
    for grant, defect in ((one, "black"), (other, "freeze"), (one, "silence")):
        name, epoch = grant.lease.assignment.id, grant.lease.epoch
        edges = [body(Edge.OPENED, defect=defect), body(Edge.CLOSED, defect=defect, at_s=12)]
        first = 1 if defect != "silence" else 3
        outlet.accept("a", [envelope(name, epoch, first + n, said) for n, said in enumerate(edges)])
    leases.release("a", [Released(one.lease.assignment.id, one.lease.epoch, Checkpoint(media_sequence=7))])
    leases.release("a", [Released(other.lease.assignment.id, other.lease.epoch)])
    again = {g.lease.assignment.id: g for g in leases.claim("b", "all", 2)}
    told = again[one.lease.assignment.id].closed
    assert [(d.body.defect, d.closed_because) for d in told] == [("silence", "ended"), ("black", "ended")]
    assert again[other.lease.assignment.id].closed == ()  # without a checkpoint its media times mean nothing


def test_a_delayed_release_keeps_everyone_off(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    leases.release("a", [Released(grant.lease.assignment.id, grant.lease.epoch, delay_s=30)])
    assert leases.claim("b", "all", 1) == []


def test_only_the_holders_checkpoint_and_status_are_kept(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    name = grant.lease.assignment.id
    said = WatchStatus(state="watching", since=T0, lag_s=0.5)
    leases.renew(info("a"), [Held(name, grant.lease.epoch, "1.0.0", Checkpoint(media_sequence=1), said)])
    leases.renew(info("a"), [Held(name, grant.lease.epoch, "1.0.0")])
    leases.renew(info("ghost"), [Held(name, grant.lease.epoch, "1.0.0", Checkpoint(media_sequence=9))])
    leases.renew(info("a"), [Held(name, grant.lease.epoch - 1, "1.0.0", Checkpoint(media_sequence=8))])
    expire(client, name)
    [second] = leases.claim("b", "all", 1)
    assert second.checkpoint == Checkpoint(media_sequence=1)
    assert run(lambda c: Assignments(c).statuses([name])) == {name: said}


def test_a_checkpoint_that_is_too_large_is_refused(client: Any) -> None:
    large = Checkpoint(baselines={"x": "y" * CHECKPOINT_BYTES})
    with pytest.raises(TooLarge):
        Leases(client).renew(info("a"), [Held("s/r/g", 1, "1", large)])


def test_a_change_and_a_removal_reach_the_holder(url: str, client: Any, run: Run[Any]) -> None:
    one, two = onboarded(url, 2)
    leases = Leases(client)
    held = [
        Held(g.lease.assignment.id, g.lease.epoch, g.lease.assignment.revision)
        for g in leases.claim("a", "all", 2)
    ]

    async def change(c: Any) -> None:
        streams = Streams(c, SystemClock())
        changed = await streams.change(one.id, spec(0, profile="sport"))
        gone = await streams.change(two.id, spec(1, enabled=False))
        await Assignments(c).derive([changed, gone], wanted())

    run(change)
    renewal = leases.renew(info("a"), held)
    assert renewal.changed == (f"{one.id}/highest/all",)
    assert renewal.removed == (f"{two.id}/highest/all",)
    assert renewal.lost == ()


def test_after_the_store_was_away_holders_come_first(url: str, client: Any) -> None:
    onboarded(url, 2)
    leases = Leases(client, ttl_ms=3000)
    [grant] = leases.claim("a", "all", 1)
    name = grant.lease.assignment.id
    leases.renew(info("a"), [Held(name, grant.lease.epoch, "1.0.0")])
    client.zadd(f"{keys.DUE}all", {name: 1})
    client.set(keys.BEAT, 1)  # nobody could renew for long
    assert [g.lease.assignment.id for g in leases.claim("b", "all", 5)] != [name]
    assert leases.claim("b", "all", 5) == []
    assert leases.renew(info("a"), [Held(name, grant.lease.epoch, "1.0.0")]).lost == ()
    client.zadd(f"{keys.DUE}all", {name: 1})
    others_renew(client)  # and the grace is over
    assert [g.lease.assignment.id for g in leases.claim("b", "all", 5)] == [name]


def test_a_lease_far_in_the_future_is_claimable_as_the_clock_was_set_back(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    others_renew(client)
    client.zadd(f"{keys.DUE}all", {grant.lease.assignment.id: grant.lease.expiry_ms + 3_600_000})
    [second] = leases.claim("b", "all", 1)
    assert second.lease.epoch > grant.lease.epoch


def test_an_epoch_exceeds_the_last_even_if_that_lies_in_the_future(url: str, client: Any) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    future = grant.lease.epoch + 10_000_000
    client.hset(keys.LEASE, grant.lease.assignment.id, f"{future}:a")
    expire(client, grant.lease.assignment.id)
    assert leases.claim("b", "all", 1)[0].lease.epoch == future + 1


def test_each_call_is_one_round_trip_whatever_it_carries(
    url: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    onboarded(url, 60)
    leases, outlet = Leases(client), Outlet(client)
    for script in ("claim", "renew", "release", "accept"):
        client.script_load(text(script))
    sent: list[str] = []
    original = client.execute_command

    def counted(*command: Any, **options: Any) -> Any:
        sent.append(str(command[0]))
        return original(*command, **options)

    monkeypatch.setattr(client, "execute_command", counted)
    grants = leases.claim("a", "all", 60)
    held = [
        Held(g.lease.assignment.id, g.lease.epoch, "1.0.0", Checkpoint(media_sequence=n))
        for n, g in enumerate(grants)
    ]
    leases.renew(info("a"), held)
    outlet.accept("a", [envelope(h.assignment, h.epoch, 1, body(Edge.OPENED)) for h in held])
    leases.release("a", [Released(h.assignment, h.epoch) for h in held])
    assert sent == ["EVALSHA"] * 4


def test_a_store_that_does_not_answer_is_said_so_in_time() -> None:
    with pytest.raises(StoreUnavailable):
        Leases(open_sync("redis://127.0.0.1:1/0")).renew(info("a"), [])


def test_history_names_who_had_it(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    leases = Leases(client)
    [grant] = leases.claim("a", "all", 1)
    name = grant.lease.assignment.id
    expire(client, name)
    [second] = leases.claim("b", "all", 1)
    leases.release("b", [Released(name, second.lease.epoch)])
    turns = run(lambda c: Assignments(c).history(name))
    assert [(t.word, t.worker) for t in turns] == [
        ("released", "b"),
        ("claimed", "b"),
        ("expired", "a"),
        ("claimed", "a"),
    ]
    for _ in range(20):
        [again] = leases.claim("c", "all", 1)
        leases.release("c", [Released(name, again.lease.epoch)])
    assert len(run(lambda c: Assignments(c).history(name))) == 10
    assert timedelta(0) <= timedelta(milliseconds=turns[0].at_ms - turns[-1].at_ms) < timedelta(minutes=1)


def test_a_worker_learns_whether_another_of_its_group_has_room(client: Any) -> None:
    leases = Leases(client)
    leases.renew(info("a", headroom=3), [])
    leases.renew(info("b", headroom=0), [])
    leases.renew(info("c", "sound", headroom=3), [])
    leases.renew(info("d", headroom=3, draining=True), [])
    assert room_elsewhere(client, "b", "all")
    assert not room_elsewhere(client, "a", "all")  # it is nobody but itself
    client.zadd(keys.WORKERS, {"a": 0})  # it was not heard of for long
    assert not room_elsewhere(client, "b", "all")
