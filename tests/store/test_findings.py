from __future__ import annotations

import asyncio
from datetime import timedelta
from functools import partial
from typing import Any

from contracts.clock import SystemClock
from contracts.findings import Edge
from contracts.fleet import CoverageBody, FleetEvent, Grant, OpenDefect, Point, SeriesBody, SourceBody
from store import keys
from store.assignments import Assignments
from store.connect import CONSUMERS
from store.defects import Defects
from store.findings import Inbox, Tail
from store.leases import Leases, Released
from store.outlet import Outlet, Verdict
from store.series import Series
from store.streams import Streams
from store.workers import Coverage
from tests.store.conftest import Run
from tests.store.fleet import T0, body, envelope, expire, onboarded, spec, wanted

ACCEPTED, DUPLICATE, FENCED, FULL = Verdict.ACCEPTED, Verdict.DUPLICATE, Verdict.FENCED, Verdict.FULL


def claimed(client: Any, worker: str = "a") -> Grant:
    [grant] = Leases(client).claim(worker, "all", 1)
    return grant


async def closed_of(stream: str, c: Any) -> list[OpenDefect]:
    return await Defects(c).closed(stream)


def words(run: Run[Any]) -> list[str]:
    return [event.what for event in run(lambda c: Tail(c).after("0-0"))]


def test_a_defect_opens_changes_and_closes_once(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    name, stream, outlet = lease.assignment.id, lease.assignment.stream, Outlet(client)
    opened = envelope(name, lease.epoch, 1, body(Edge.OPENED))
    updated = envelope(name, lease.epoch, 2, body(Edge.UPDATED, at_s=11))
    closed = envelope(name, lease.epoch, 3, body(Edge.CLOSED, at_s=12))
    assert outlet.accept("a", [opened, updated]) == [ACCEPTED, ACCEPTED]
    [defect] = run(lambda c: Defects(c).open())[stream]
    assert (defect.id, defect.state, defect.first, defect.body) == (
        opened.id,
        "open",
        opened.body,
        updated.body,
    )
    assert outlet.accept("a", [opened, updated, closed]) == [DUPLICATE, DUPLICATE, ACCEPTED]
    assert outlet.accept("a", [closed]) == [DUPLICATE]
    assert run(lambda c: Defects(c).open()) == {}
    assert run(lambda c: Defects(c).streams()) == set()
    [past] = run(lambda c: Defects(c).closed(stream))
    assert (past.id, past.state, past.closed_because, past.body) == (
        opened.id,
        "closed",
        "ended",
        closed.body,
    )
    events = run(lambda c: Tail(c).after("0-0"))
    assert [(e.what, e.finding_id, e.defect_id) for e in events] == [
        ("opened", opened.id, opened.id),
        ("updated", updated.id, opened.id),
        ("closed", closed.id, opened.id),
    ]
    assert events[0].body == opened.body  # not a digit of its numbers is lost


def test_what_an_older_epoch_says_is_refused(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    outlet = Outlet(client)
    old = claimed(client).lease
    name = old.assignment.id
    expire(client, name)
    new = claimed(client, "b").lease
    assert outlet.accept("a", [envelope(name, old.epoch, 1, body(Edge.OPENED))]) == [FENCED]
    assert outlet.accept("a", [envelope(name, new.epoch, 1, body(Edge.OPENED))]) == [FENCED]
    assert outlet.accept("b", [envelope(name, new.epoch, 1, body(Edge.OPENED))]) == [ACCEPTED]
    assert outlet.accept("b", [envelope("s/highest/all", new.epoch, 1, body(Edge.OPENED))]) == [FENCED]
    assert words(run) == ["opened"]


def test_the_next_lease_confirms_or_closes_what_the_last_left_open(
    url: str, client: Any, run: Run[Any]
) -> None:
    onboarded(url, 1)
    outlet, leases = Outlet(client), Leases(client)
    first = claimed(client).lease
    name, stream = first.assignment.id, first.assignment.stream
    outlet.accept(
        "a",
        [
            envelope(name, first.epoch, n, body(Edge.OPENED, defect=d))
            for n, d in enumerate(["black", "freeze"])
        ],
    )
    leases.release("a", [Released(name, first.epoch)])
    assert {d.state for d in run(lambda c: Defects(c).open())[stream]} == {"unconfirmed"}
    grant = claimed(client, "b")
    assert [d.body.defect for d in sorted(grant.unconfirmed, key=lambda d: d.id)] == ["black", "freeze"]
    again = body(Edge.OPENED, start_s=0, at_s=0)
    shut = body(Edge.CLOSED, defect="freeze", at_s=3)
    outlet.accept(
        "b", [envelope(name, grant.lease.epoch, 0, again), envelope(name, grant.lease.epoch, 1, shut)]
    )
    [defect] = run(lambda c: Defects(c).open())[stream]
    assert (defect.state, defect.epoch, defect.first.start_ns) == ("open", grant.lease.epoch, int(10e9))
    assert words(run) == ["opened", "opened", "unconfirmed", "unconfirmed", "confirmed", "closed"]


def test_a_lease_that_runs_out_leaves_its_defects_unconfirmed_too(
    url: str, client: Any, run: Run[Any]
) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    Outlet(client).accept("a", [envelope(lease.assignment.id, lease.epoch, 1, body(Edge.OPENED))])
    expire(client, lease.assignment.id)
    assert [d.state for d in claimed(client, "b").unconfirmed] == ["unconfirmed"]
    expire(client, lease.assignment.id)
    assert len(claimed(client, "c").unconfirmed) == 1
    assert words(run) == ["opened", "unconfirmed"]  # said once


def test_a_stream_that_nobody_watches_any_more_has_nothing_open(url: str, client: Any, run: Run[Any]) -> None:
    one, two = onboarded(url, 2)
    outlet = Outlet(client)
    for grant in Leases(client).claim("a", "all", 2):
        outlet.accept("a", [envelope(grant.lease.assignment.id, grant.lease.epoch, 1, body(Edge.OPENED))])

    async def stop(c: Any) -> None:
        streams = Streams(c, SystemClock())
        await Assignments(c).derive([await streams.change(one.id, spec(0, enabled=False))], wanted())
        await streams.delete(two.id)

    run(stop)
    assert run(lambda c: Defects(c).open()) == {}
    for stream in (one, two):
        [past] = run(partial(closed_of, stream.id))
        assert past.closed_because == "stopped_watching"
    events = run(lambda c: Tail(c).after("0-0"))
    assert [(e.what, e.because) for e in events][2:] == [("closed", "stopped_watching")] * 2


def test_a_lone_closing_edge_is_a_whole_defect(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    shut = body(Edge.CLOSED, start_s=4, at_s=9)
    assert Outlet(client).accept("a", [envelope(lease.assignment.id, lease.epoch, 1, shut)]) == [ACCEPTED]
    [past] = run(lambda c: Defects(c).closed(lease.assignment.stream))
    assert past.body.start_ns == int(4e9)
    assert words(run) == ["closed"]


def test_closed_defects_are_kept_up_to_a_hundred(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    said = [envelope(lease.assignment.id, lease.epoch, n, body(Edge.CLOSED, at_s=n)) for n in range(130)]
    Outlet(client).accept("a", said)
    past = run(lambda c: Defects(c).closed(lease.assignment.stream, limit=1000))
    assert [d.body.at_ns for d in past] == [int(n * 1e9) for n in range(129, 29, -1)]
    assert 0 < client.ttl(f"{keys.CLOSED}{lease.assignment.stream}") <= 7 * 24 * 3600


def test_when_nobody_consumes_edges_are_refused_in_order_and_never_dropped(
    url: str, client: Any, run: Run[Any]
) -> None:
    onboarded(url, 2)
    full = Outlet(client, most=2)
    a, b = Leases(client).claim("a", "all", 2)
    said = [envelope(a.lease.assignment.id, a.lease.epoch, n, body(Edge.UPDATED, at_s=n)) for n in range(3)]
    row = envelope(a.lease.assignment.id, a.lease.epoch, 3, CoverageBody(added={"black": (1000, 0, 0)}))
    other = envelope(b.lease.assignment.id, b.lease.epoch, 0, CoverageBody(added={"black": (1000, 0, 0)}))
    assert full.accept("a", [*said, row, other]) == [ACCEPTED, ACCEPTED, FULL, FULL, ACCEPTED]

    async def consume(c: Any) -> None:
        inbox = Inbox(c, "one")
        await inbox.ack(await inbox.read(block_ms=0))
        await inbox.tidy(keep=0)

    run(consume)
    assert full.accept("a", [said[2], row]) == [ACCEPTED, ACCEPTED]


def test_each_finding_goes_to_one_controller_and_comes_back_when_that_one_died(
    url: str, client: Any, run: Run[Any]
) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    said = [envelope(lease.assignment.id, lease.epoch, n, body(Edge.UPDATED, at_s=n)) for n in range(10)]
    Outlet(client).accept("a", said)

    async def scenario(c: Any) -> None:
        dead, alive = Inbox(c, "dead"), Inbox(c, "alive")
        assert await alive.backlog() == (10, 0)
        taken = await dead.read(count=4, block_ms=0)
        rest = await alive.read(block_ms=0)
        assert [e.finding_id for e in taken + rest] == [e.id for e in said]
        await alive.ack(rest)
        assert await alive.backlog() == (0, 4)
        assert await alive.tidy(keep=0) == 0  # the dead one's are not handled
        assert await dead.mine() == taken
        assert await alive.recover(idle_ms=60_000) == []
        assert await alive.recover(idle_ms=0) == taken
        await alive.ack(taken)
        assert await alive.backlog() == (0, 0)
        assert await alive.read(block_ms=1) == []

    run(scenario)


def test_handled_findings_are_trimmed_and_unhandled_are_not(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    Outlet(client).accept(
        "a", [envelope(lease.assignment.id, lease.epoch, n, body(Edge.UPDATED)) for n in range(50)]
    )

    async def scenario(c: Any) -> None:
        inbox = Inbox(c, "one")
        assert await inbox.tidy(keep=5) <= 1
        first = await inbox.read(count=30, block_ms=0)
        await inbox.ack(first[1:])
        assert await inbox.tidy(keep=5) == 0  # the first is not handled yet
        await inbox.ack(first[:1])
        await inbox.tidy(keep=5)
        left = await Tail(c).after("0-0")
        assert left[-1].event_id == await Tail(c).newest()
        assert len(left) == 21  # the last one handled, and 20 that nobody has
        assert len(await inbox.read(block_ms=0)) == 20
        await inbox.ack(await inbox.mine())
        await inbox.tidy(keep=5)
        assert len(await Tail(c).after("0-0")) == 5

    run(scenario)


def test_a_consumer_goes_on_when_the_store_was_emptied(url: str, client: Any, run: Run[Any]) -> None:
    async def scenario(c: Any) -> None:
        inbox = Inbox(c, "one")
        await c.flushdb()
        assert await inbox.read(block_ms=0) == []
        await c.flushdb()
        assert await inbox.recover() == []
        assert await inbox.tidy() == 0
        assert await inbox.backlog() == (0, 0)

    run(scenario)
    assert client.xinfo_groups(keys.FINDINGS)[0]["name"] == CONSUMERS.encode()


def test_listeners_wait_and_resume(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    outlet, name = Outlet(client), lease.assignment.id

    async def scenario(c: Any) -> None:
        tail = Tail(c)
        assert (await tail.oldest(), await tail.newest()) == ("0-0", "0-0")
        waiting = asyncio.create_task(tail.wait("0-0", block_ms=2000))
        await asyncio.sleep(0)
        blind = SourceBody(blind="source_stalled", cause="timeout", reason="no bytes", at=T0)
        await asyncio.to_thread(outlet.accept, "a", [envelope(name, lease.epoch, 1, blind)])
        [event] = await waiting
        assert isinstance(event, FleetEvent)
        assert (event.what, event.body, event.defect_id) == ("blind", blind, None)
        sees = SourceBody(at=T0)
        await asyncio.to_thread(outlet.accept, "a", [envelope(name, lease.epoch, 2, sees)])
        assert [e.what for e in await tail.after(event.event_id)] == ["healthy"]
        assert await tail.oldest() == event.event_id

    run(scenario)


def test_coverage_adds_up_and_a_repeated_report_adds_nothing(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    outlet = Outlet(client)
    first = envelope(
        lease.assignment.id,
        lease.epoch,
        1,
        CoverageBody(added={"black": (9000, 1000, 500), "freeze": (1, 0, 0)}),
    )
    outlet.accept("a", [first])
    outlet.accept(
        "a",
        [first, envelope(lease.assignment.id, lease.epoch, 2, CoverageBody(added={"black": (1000, 0, 0)}))],
    )
    rows = run(lambda c: Coverage(c).of([lease.assignment.stream, "nobody"]))
    assert rows["nobody"] == []
    assert [(r.detector, r.watched_s, r.degraded_s, r.blind_s) for r in rows[lease.assignment.stream]] == [
        ("black", 10.0, 1.0, 0.5),
        ("freeze", 0.001, 0.0, 0.0),
    ]


def test_coverage_is_kept_for_so_many_detectors_only(url: str, client: Any, run: Run[Any]) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    for part in range(2):
        added = {f"d{part}-{n}": (1, 0, 0) for n in range(200)}
        Outlet(client).accept(
            "a", [envelope(lease.assignment.id, lease.epoch, part, CoverageBody(added=added))]
        )
    assert client.hlen(f"{keys.COVERAGE}{lease.assignment.stream}") == 256


def test_series_are_kept_for_so_many_slots_and_late_or_early_ones_are_let_go(
    url: str, client: Any, run: Run[Any]
) -> None:
    onboarded(url, 1)
    lease = claimed(client).lease
    name, outlet = lease.assignment.id, Outlet(client)
    now = client.time()[0] // 60

    def offer(sequence: int, slot: int, value: float) -> None:
        row = SeriesBody(
            step_s=60, slot=slot, points={"luma|video:0|": Point(value, value + 2, value + 1, 10)}
        )
        assert outlet.accept("a", [envelope(name, lease.epoch, sequence, row)]) == [ACCEPTED]

    for n in range(150):
        offer(n, now - 149 + n, n)
    offer(200, now - 300, -1)  # late
    offer(201, now + 3000, -1)  # from a clock far ahead
    offer(202, now, 151)  # another lease's share of the same slot
    begin, end = SystemClock().now() - timedelta(days=2), SystemClock().now() + timedelta(days=5)
    found = run(lambda c: Series(c).read([name, "s/none/all"], begin, end))
    assert found["s/none/all"] == {}
    samples = found[name]["luma|video:0|"]
    assert len(samples) == 119  # of 120 entries two are of one slot
    assert samples[-1].point == Point(149.0, 153.0, 151.0, 20)
    assert samples[-2].point == Point(148.0, 150.0, 149.0, 10)
    assert client.xlen(f"{keys.SERIES}60:{name}") == 120
    assert 0 < client.ttl(f"{keys.SERIES}60:{name}") <= 90_000
