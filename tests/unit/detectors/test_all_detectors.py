"""One suite over every detector: silent on clean programme, deterministic, edges that alternate, nothing lost when
a watch passes from one lease to the next."""

import importlib
import importlib.util
from collections import defaultdict
from typing import Any

import pytest

from contracts.findings import DefectEdge, Edge, Finding, Severity
from contracts.profile import Mode
from detectors.catalogue import AnyDetector, Seat, load
from detectors.events import Event
from detectors.frame import Block, Frame
from tests.injection import Fault
from tests.unit.detectors.programme import SECOND, Broken, events, intervals, rough
from worker.pipeline import Pipeline

ALL = load()
EACH = pytest.mark.parametrize("name", sorted(ALL))
LEAD_IN_S, TAIL_S = 6.0, 4.0
LONGEST_FAULT_S = 12.0

# Detectors whose fault cannot be seen in the synthetic programme, each with the reason.
NOT_SEEN_HERE: dict[str, str] = {
    "banding": "the programme has no smooth gradients; its own tests show skies",
    "blur": "the programme pans fast, and blur is not judged in fast movement; its own tests pan slowly",
    "picture_noise": "the programme pans fast, and noise is not judged in fast movement; its own tests pan slowly",
}


def fault_of(name: str) -> Fault | None:
    """The fault that the detector's own test file injects, where that can be put into pictures or sound."""
    module = f"tests.unit.detectors.{ALL[name].family()}.test_{name}"
    if importlib.util.find_spec(module) is None:
        return None  # tests/unit/test_catalogue.py says so
    fault = getattr(importlib.import_module(module), "FAULT", None)
    return fault if isinstance(fault, Fault) and (fault.picture or fault.sound) else None


def said(detector: AnyDetector, stream: list[Event]) -> list[Finding]:
    """What the host hears from fresh instances with default parameters, over all tracks."""
    pipeline = Pipeline([Seat(detector, detector.Params(), Mode.CHECK)])
    out = [finding for event in stream for finding in pipeline.push(event)]
    out += pipeline.finish(end_of(stream))
    assert [c.fault for c in pipeline.coverage() if c.fault] == []
    return out


def end_of(stream: list[Event]) -> int:
    """Media time at which the stream ends, ns."""
    return max(e.end_ns if isinstance(e, Frame | Block) else e.at_ns for e in stream)


def edges_of(found: list[Finding]) -> list[DefectEdge]:
    return [f for f in found if isinstance(f, DefectEdge)]


def broken_by(fault: Fault) -> tuple[Broken, list[Event]]:
    """A programme with the fault in it, long enough to be seen from either side of its middle."""
    length = min(max(2 * fault.lengths_s[1], 4.0), LONGEST_FAULT_S)
    broken = Broken(fault, LEAD_IN_S, LEAD_IN_S + length)
    return broken, events(LEAD_IN_S + length + TAIL_S, broken)


def covered(spans: list[tuple[float, float]], start: float, end: float) -> float:
    """The share of [start, end] that the union of `spans` covers."""
    total, reached = 0.0, start
    for span in sorted(spans):
        first, last = max(span[0], reached), min(span[1], end)
        if last > first:
            total, reached = total + last - first, last
    return total / (end - start)


@pytest.fixture(scope="module")
def clean() -> list[Event]:
    return events(20.0)


def troubled(name: str) -> list[Event]:
    """A stream in which the detector has something to say: its own fault, or else the rough one."""
    fault = fault_of(name)
    return broken_by(fault)[1] if fault else rough()


def test_there_are_detectors() -> None:
    assert ALL, "the catalogue is empty, so every test over it would pass"


@EACH
def test_silent_on_a_clean_programme(name: str, clean: list[Event]) -> None:
    loud = [e for e in edges_of(said(ALL[name], clean)) if e.severity.rank >= Severity.WARNING.rank]
    assert loud == []


@EACH
def test_deterministic(name: str) -> None:
    assert said(ALL[name], troubled(name)) == said(ALL[name], troubled(name))


@EACH
def test_speaks_up_in_trouble(name: str) -> None:
    if name in NOT_SEEN_HERE:
        pytest.skip(NOT_SEEN_HERE[name])
    assert edges_of(said(ALL[name], troubled(name))), "the other tests would ask nothing of it"


@EACH
def test_edges_alternate_and_never_go_back_in_time(name: str) -> None:
    by_key: dict[Any, list[DefectEdge]] = defaultdict(list)
    for edge in edges_of(said(ALL[name], troubled(name))):
        assert edge.detector == name
        assert edge.at_ns <= edge.certain_at_ns
        by_key[edge.key].append(edge)
    for edges in by_key.values():
        assert edges[0].edge is Edge.OPENED
        bounds = [e for e in edges if e.edge is not Edge.UPDATED]
        assert [e.edge for e in bounds] == [(Edge.OPENED, Edge.CLOSED)[i % 2] for i in range(len(bounds))]
        assert [e.at_ns for e in bounds] == sorted(e.at_ns for e in bounds)


@EACH
def test_a_run_split_in_two_leases_loses_no_defect(name: str) -> None:
    fault = fault_of(name)
    if fault is None or name in NOT_SEEN_HERE:
        pytest.skip(NOT_SEEN_HERE.get(name, "its fault is not one of pictures or sound"))
    broken, stream = broken_by(fault)
    split = round((broken.start_s + broken.end_s) / 2 * SECOND)
    last = end_of(stream)
    first_half = [e for e in stream if e.at_ns < split]
    second_half = [e for e in stream if e.at_ns >= split]

    whole = intervals(edges_of(said(ALL[name], stream)), last)
    halves = intervals(edges_of(said(ALL[name], first_half)), split)
    halves += intervals(edges_of(said(ALL[name], second_half)), last)

    seen = covered(whole, broken.start_s, broken.end_s)
    assert seen > 0, f"{name} does not see its own fault at its grossest"
    # A detector that knows the stream's own past cannot see the second half alone: half of it may be missing.
    assert covered(halves, broken.start_s, broken.end_s) >= 0.45 * seen
