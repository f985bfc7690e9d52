"""Findings on their way: numbered, held, offered again, never dropped but measurements."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Literal

import pytest

from contracts.clock import ManualClock
from contracts.errors import SinkError
from contracts.findings import Edge, Severity
from contracts.fleet import Body, CoverageBody, EdgeBody, FindingEnvelope, Point, SeriesBody
from store.outlet import Verdict
from worker.sinks import store as sinks
from worker.sinks.store import StoreSink, draw_together

AT = datetime(2026, 1, 1, tzinfo=UTC)


def edge(word: Literal["opened", "updated", "closed"], at: int, defect: str = "black") -> EdgeBody:
    return EdgeBody(
        edge=Edge(word), defect=defect, detector=defect, family="picture", start_ns=0, at_ns=at, certain_at_ns=at,
        started_at=AT, at=AT, severity=Severity.ERROR, peak_name="x", peak_value=1.0, peak_unit="1", threshold=1.0,
    )  # fmt: skip


def slot(number: int) -> SeriesBody:
    return SeriesBody(step_s=60, slot=number, points={"x||": Point(0.0, 1.0, 0.5, 3)})


class Store:
    """Accepts as the real one does: by the highest number of each epoch; `away` fails, maybe after having done it."""

    def __init__(self) -> None:
        self.got: list[FindingEnvelope] = []
        self.last: dict[tuple[str, int], int] = {}
        self.away = self.reply_lost = False
        self.verdicts: dict[str, Verdict] = {}

    def accept(self, worker: str, envelopes: Sequence[FindingEnvelope]) -> list[Verdict]:
        if self.away:
            raise SinkError("away")
        out = []
        for item in envelopes:
            lease = (item.assignment, item.epoch)
            if item.assignment in self.verdicts:
                out.append(self.verdicts[item.assignment])
            elif item.sequence <= self.last.get(lease, 0):
                out.append(Verdict.DUPLICATE)
            else:
                self.last[lease] = item.sequence
                self.got.append(item)
                out.append(Verdict.ACCEPTED)
        if self.reply_lost:
            raise SinkError("the reply was lost")
        return out


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def sink(store: Store, clock: ManualClock) -> StoreSink:
    return StoreSink(store, "w", clock)


def bodies(store: Store) -> list[Body]:
    return [item.body for item in store.got]


def test_findings_arrive_once_and_in_order_though_a_reply_was_lost(store: Store, sink: StoreSink) -> None:
    sent = [edge("opened", 1), edge("updated", 2), edge("closed", 3)]
    sink.put("a", 7, sent[0])
    store.reply_lost = True
    with pytest.raises(SinkError):
        sink.pump()
    store.reply_lost = False
    for body in sent[1:]:
        sink.put("a", 7, body)
    sink.pump()
    assert bodies(store) == sent
    assert len(sink) == 0
    assert sink.done("a", 7) == 3


def test_a_store_that_forgot_its_last_second_is_told_again(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, edge("opened", 1))
    sink.pump()
    sink.put("a", 7, edge("closed", 2))
    sink.pump()
    store.away = True
    sink.put("a", 7, edge("opened", 3))
    with pytest.raises(SinkError):
        sink.pump()
    store.away = False
    store.got.pop()
    store.last["a", 7] = 1  # it came back as it was before the second finding
    sink.pump()
    assert [item.sequence for item in store.got] == [1, 2, 3]


def test_what_was_accepted_long_ago_is_not_offered_again(
    store: Store, sink: StoreSink, clock: ManualClock
) -> None:
    sink.put("a", 7, edge("opened", 1))
    sink.pump()
    clock.advance(6)
    sink.put("a", 7, edge("closed", 2))
    sink.pump()
    store.away = True
    sink.put("a", 7, edge("opened", 3))
    with pytest.raises(SinkError):
        sink.pump()
    store.away = False
    store.last.clear()
    store.got.clear()
    sink.pump()
    assert [item.sequence for item in store.got] == [2, 3]


def test_a_refused_lease_is_dropped_whole_and_told(store: Store, sink: StoreSink) -> None:
    fenced: list[tuple[str, int]] = []
    sink.on_fenced = lambda assignment, epoch: fenced.append((assignment, epoch))
    sink.put("a", 7, edge("opened", 1))
    sink.put("b", 7, edge("opened", 1))
    store.verdicts["a"] = Verdict.FENCED
    sink.pump()
    assert fenced == [("a", 7)]
    assert [item.assignment for item in store.got] == ["b"]
    assert len(sink) == 0


def test_a_full_store_keeps_everything_in_order(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, edge("opened", 1))
    sink.put("a", 7, edge("closed", 2))
    store.verdicts["a"] = Verdict.FULL
    assert not sink.pump()
    assert len(sink) == 2
    store.verdicts.clear()
    sink.pump()
    assert [item.sequence for item in store.got] == [1, 2]


def test_coverage_adds_up_while_it_waits(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, CoverageBody(added={"black": (10, 0, 1)}))
    sink.put("a", 7, CoverageBody(added={"black": (5, 2, 0), "freeze": (1, 0, 0)}))
    sink.pump()
    assert bodies(store) == [CoverageBody(added={"black": (15, 2, 1), "freeze": (1, 0, 0)})]


def test_coverage_that_may_have_been_counted_is_offered_unchanged(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, CoverageBody(added={"black": (10, 0, 0)}))
    store.reply_lost = True
    with pytest.raises(SinkError):
        sink.pump()
    store.reply_lost = False
    sink.put("a", 7, CoverageBody(added={"black": (3, 0, 0)}))
    sink.pump()
    sink.wake()
    sink.pump()
    assert [b.added["black"][0] for b in bodies(store) if isinstance(b, CoverageBody)] == [10, 3]


def test_coverage_adds_up_and_leaves_now_and_then_or_when_its_lease_ends(
    store: Store, sink: StoreSink, clock: ManualClock
) -> None:
    def told() -> list[int]:
        sink.pump()
        return [b.added["black"][0] for b in bodies(store) if isinstance(b, CoverageBody)]

    sink.put("a", 7, CoverageBody(added={"black": (1, 0, 0)}))
    assert told() == [1]
    for _ in range(3):
        sink.put("a", 7, CoverageBody(added={"black": (1, 0, 0)}))
    assert told() == [1]
    clock.advance(sinks.COVERAGE_S)
    assert told() == [1, 3]
    sink.put("a", 7, CoverageBody(added={"black": (5, 0, 0)}))
    sink.finished("a", 7)
    assert told() == [1, 3, 5]


def test_measurements_give_way_and_are_counted_edges_do_not(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, edge("opened", 1))
    for number in range(sinks.MOST_SERIES + 5):
        sink.put("a", 7, slot(number))
    assert sink.dropped == 5 * 3
    while sink.pump():
        continue
    assert isinstance(bodies(store)[0], EdgeBody)
    assert sum(isinstance(body, SeriesBody) for body in bodies(store)) == sinks.MOST_SERIES


def test_far_too_many_edges_are_drawn_together_by_defect(store: Store, sink: StoreSink) -> None:
    for at in range(2 * sinks.MOST_EDGES):
        sink.put("a", 7, edge("opened" if at % 2 == 0 else "closed", at))
    assert len(sink) <= sinks.MOST_EDGES + sinks.MOST_SERIES
    while sink.pump():
        continue
    kept = [body for body in bodies(store) if isinstance(body, EdgeBody)]
    assert (kept[0].edge, kept[0].at_ns) == (Edge.OPENED, 0)
    assert (kept[-1].edge, kept[-1].at_ns) == (Edge.CLOSED, 2 * sinks.MOST_EDGES - 1)


def test_drawing_together_keeps_the_first_beginning_and_the_last_state_of_each() -> None:
    items: list[tuple[int, Body]] = [
        (1, edge("opened", 1)), (2, edge("opened", 2, "freeze")), (3, edge("closed", 3)), (4, edge("opened", 4)),
    ]  # fmt: skip
    assert [number for number, _ in draw_together(items)] == [1, 2, 4]


def test_a_lease_that_ended_is_forgotten_once_its_findings_have_left(store: Store, sink: StoreSink) -> None:
    sink.put("a", 7, edge("closed", 1))
    sink.finished("a", 7)
    sink.pump()
    sink.pump()
    assert len(store.got) == 1
    assert sink.done("a", 7) == 0
