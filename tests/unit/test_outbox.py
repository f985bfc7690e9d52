"""The outbox: bounded, in order, and no edge is ever lost."""

import pytest

from contracts.errors import SinkError
from contracts.findings import DefectEdge, Edge, Finding, Measurement, Peak, Severity
from worker.outbox import Outbox


def measurement(number: int) -> Measurement:
    return Measurement("m", float(number), "ratio", number)


def edge(number: int) -> DefectEdge:
    peak = Peak("p", 1.0, "ratio")
    return DefectEdge(Edge.OPENED, f"d{number}", "d", None, number, number, Severity.ERROR, peak, 1.0)


class Sink:
    def __init__(self, fails_at: int | None = None) -> None:
        self.got: list[Finding] = []
        self.fails_at = fails_at

    def put(self, finding: Finding) -> None:
        if self.fails_at is not None and len(self.got) == self.fails_at:
            raise SinkError("away")
        self.got.append(finding)


def test_in_order() -> None:
    sink = Sink()
    outbox = Outbox(sink)
    findings: list[Finding] = [measurement(1), edge(2), measurement(3)]
    outbox.put(findings)
    assert len(outbox) == 3
    outbox.drain()
    assert sink.got == findings
    assert len(outbox) == 0


def test_when_full_the_oldest_measurements_go_and_edges_stay() -> None:
    sink = Sink()
    outbox = Outbox(sink, capacity=10)
    for number in range(100):
        outbox.put([edge(number) if number % 10 == 0 else measurement(number)])
    outbox.drain()
    assert [f.at_ns for f in sink.got if isinstance(f, DefectEdge)] == list(range(0, 100, 10))
    assert [f.at_ns for f in sink.got if isinstance(f, Measurement)] == list(range(89, 90)) + list(
        range(91, 100)
    )
    assert outbox.dropped == 80


def test_a_thousand_edges_are_kept_whatever_the_capacity() -> None:
    sink = Sink()
    outbox = Outbox(sink, capacity=1)
    outbox.put(edge(n) for n in range(1000))
    outbox.put(measurement(n) for n in range(1000))
    assert len(outbox) == 1001
    outbox.drain()
    assert [f.at_ns for f in sink.got[:1000]] == list(range(1000))
    assert outbox.dropped == 999


def test_what_a_failing_sink_did_not_take_is_offered_again_and_once() -> None:
    sink = Sink(fails_at=2)
    outbox = Outbox(sink)
    outbox.put([measurement(1), edge(2), edge(3), measurement(4)])
    with pytest.raises(SinkError):
        outbox.drain()
    assert len(outbox) == 2
    sink.fails_at = None
    outbox.drain()
    assert [f.at_ns for f in sink.got] == [1, 2, 3, 4]


def test_room_is_free_again_after_draining() -> None:
    outbox = Outbox(Sink(), capacity=5)
    for _ in range(10):
        outbox.put(measurement(n) for n in range(5))
        outbox.drain()
    assert outbox.dropped == 0
