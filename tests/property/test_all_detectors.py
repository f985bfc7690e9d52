"""What must hold for every detector in the catalogue: verdicts follow the media, not the hour, the watch that looks,
the order of the channels or, where it must not matter, the light."""

from __future__ import annotations

import copy
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.findings import DefectEdge, Edge, Finding
from contracts.profile import Mode
from detectors.catalogue import Seat, load
from detectors.events import Event
from detectors.frame import Block, Frame
from tests.unit.detectors.programme import SECOND, Broken, events, intervals, rough
from tests.unit.detectors.test_all_detectors import fault_of
from worker.child import LEAD_NS
from worker.frames import Unpacker, pack
from worker.handover import Handover
from worker.pipeline import Pipeline

ALL = load()
SOUND = sorted(name for name, detector in ALL.items() if detector.family() == "sound" and fault_of(name))
OTHERS = sorted(set(ALL) - set(SOUND))
LIT = (
    "freeze",
    "stutter",
    "tearing",
    "combing",
)  # these compare pictures: how bright they are must not matter
FEW = settings(max_examples=2, deadline=None, derandomize=True)
START_S, TAIL_S, LONGEST_S = 9.0, 5.0, 14.0
ROUGH_S = 11.0  # of the rough stream: damage, black, silence, no picture, no sound
SURROUND = ("L", "R", "C", "LFE", "Ls", "Rs")

Told = tuple[str, str, str | None, float]  # defect, edge, channel, media seconds


def seats(names: Iterable[str]) -> list[Seat]:
    return [Seat(ALL[name], ALL[name].Params(), Mode.CHECK) for name in names]


@cache
def sounding(name: str) -> tuple[Event, ...]:
    """The sound of a programme with the detector's own fault in it."""
    fault = fault_of(name)
    assert fault is not None
    end_s = START_S + min(fault.lengths_s[1], LONGEST_S)
    return tuple(e for e in events(end_s + TAIL_S, Broken(fault, START_S, end_s)) if not isinstance(e, Frame))


@cache
def troubled() -> tuple[Event, ...]:
    return tuple(e for e in rough() if e.at_ns < ROUGH_S * SECOND)


def end_of(stream: Iterable[Event]) -> int:
    return max(e.end_ns if isinstance(e, Frame | Block) else e.at_ns for e in stream)


def moved(event: Event, by_ns: int = 0) -> Event:
    """The event at another media time, with nothing computed from it yet."""
    if not isinstance(event, Frame | Block):
        return replace(event, at_ns=event.at_ns + by_ns)
    other = copy.copy(event)
    other.at_ns += by_ns
    other.memo = {}
    return other


def said(names: Iterable[str], stream: Iterable[Event]) -> list[Finding]:
    pipeline = Pipeline(seats(names))
    stream = [moved(e) for e in stream]
    out = [finding for event in stream for finding in pipeline.push(event)]
    out += pipeline.finish(end_of(stream))
    assert [c.fault for c in pipeline.coverage() if c.fault] == []
    return out


def edges_of(found: Iterable[Finding]) -> list[Told]:
    edges = (f for f in found if isinstance(f, DefectEdge) and f.edge is not Edge.UPDATED)
    return [(e.defect, e.edge.value, e.channel, e.at_ns / SECOND) for e in edges]


def earlier(finding: Finding, by_ns: int) -> Finding:
    if isinstance(finding, DefectEdge):
        return replace(
            finding,
            at_ns=finding.at_ns - by_ns,
            certain_at_ns=finding.certain_at_ns - by_ns,
            until_ns=None if finding.until_ns is None else finding.until_ns - by_ns,
        )
    return replace(finding, at_ns=finding.at_ns - by_ns)


def the_hour_does_not_matter(names: list[str], stream: tuple[Event, ...], seconds: int) -> None:
    late = said(names, (moved(e, seconds * SECOND) for e in stream))
    assert [earlier(f, seconds * SECOND) for f in late] == said(names, stream)


@pytest.mark.parametrize("name", SOUND)
@FEW
@given(seconds=st.integers(1, 10**6))
def test_of_sound_the_same_is_said_at_any_hour(name: str, seconds: int) -> None:
    the_hour_does_not_matter([name], sounding(name), seconds)


@FEW
@given(seconds=st.integers(1, 10**6))
def test_of_all_else_the_same_is_said_at_any_hour(seconds: int) -> None:
    the_hour_does_not_matter(OTHERS, troubled(), seconds)


def told(names: list[str], stream: tuple[Event, ...], split_ns: int) -> list[DefectEdge]:
    """What two watches tell, of which the second takes over at `split_ns`, as the worker's child lets them."""
    before, first = Handover(seats(names)), Pipeline(seats(names))
    out: list[Finding] = []
    for event in (moved(e) for e in stream if e.at_ns < split_ns):
        before.see(event)
        out += before.take(first.push(event))
    state = dict(Unpacker().feed(pack(before.state(split_ns)))[0])
    after = Handover(seats(names), state, split_ns)
    second = Pipeline(seats(names), after.open_defects, after.before)
    for event in (moved(e) for e in stream if e.at_ns >= split_ns - LEAD_NS):
        after.see(event)
        out += after.take(second.push(event))
        out += after.settle(second, event.at_ns)
    out += after.take(second.finish(end_of(stream)))
    return [f for f in out if isinstance(f, DefectEdge)]


def tells_each_defect_once(names: list[str], stream: tuple[Event, ...], split_ns: int) -> None:
    last_ns = end_of(stream)
    edges = told(names, stream, split_ns)
    by_key: dict[object, list[str]] = defaultdict(list)
    for edge in edges:
        if edge.edge is not Edge.UPDATED:
            by_key[edge.key].append(edge.edge.value)
    for key, words in by_key.items():
        assert words == [("opened", "closed")[i % 2] for i in range(len(words))], key
    whole = [f for f in said(names, stream) if isinstance(f, DefectEdge)]
    for name in {e.defect for e in whole} | {e.defect for e in edges}:
        mine = [e for e in edges if e.defect == name]
        theirs = [e for e in whole if e.defect == name]
        a, b = sorted(intervals(mine, last_ns)), sorted(intervals(theirs, last_ns))
        assert len(a) == len(b), (name, a, b)
        assert np.allclose(a, b, atol=1.0), (name, a, b)


@pytest.mark.parametrize("name", SOUND)
@FEW
@given(split=st.floats(0.05, 0.95))
def test_two_watches_of_sound_tell_each_defect_once(name: str, split: float) -> None:
    stream = sounding(name)
    tells_each_defect_once([name], stream, round(split * end_of(stream)))


@FEW
@given(split=st.floats(0.05, 0.95))
def test_two_watches_of_all_else_tell_each_defect_once(split: float) -> None:
    tells_each_defect_once(OTHERS, troubled(), round(split * end_of(troubled())))


def surround(event: Event, order: tuple[int, ...]) -> Event:
    """The pair of a block as 5.1, each channel with its name, in another order."""
    if not isinstance(event, Block):
        return event
    left, right = event.samples
    rows = np.stack([left, right, 0.6 * (left + right), 0 * left, 0.4 * left, 0.4 * right])
    return Block(
        event.track, event.at_ns, event.duration_ns, np.ascontiguousarray(rows[list(order)], np.float32),
        event.rate_hz, tuple(SURROUND[i] for i in order),
    )  # fmt: skip


@pytest.mark.parametrize("name", SOUND)
@FEW
@given(order=st.permutations(range(6)).map(tuple))
def test_verdicts_follow_the_channels(name: str, order: tuple[int, ...]) -> None:
    plain = edges_of(said([name], (surround(e, (0, 1, 2, 3, 4, 5)) for e in sounding(name))))
    other = edges_of(said([name], (surround(e, order) for e in sounding(name))))
    assert sorted(e[:3] for e in other) == sorted(e[:3] for e in plain)
    assert sorted(e[3] for e in other) == pytest.approx(sorted(e[3] for e in plain), abs=0.05)


def lit(event: Event, lift: int) -> Event:
    if not isinstance(event, Frame):
        return event
    other = moved(event)
    assert isinstance(other, Frame)
    other.luma = np.asarray(event.luma + np.uint8(lift), np.uint8)
    return other


@pytest.mark.parametrize("name", LIT)
def test_brightness_does_not_matter_to_what_compares_pictures(name: str) -> None:
    fault = fault_of(name)
    assert fault is not None
    stream = [e for e in events(10.0, Broken(fault, 4.0, 8.0)) if not isinstance(e, Block)]
    plain = edges_of(said([name], stream))
    assert plain, "or the next line would ask nothing"
    bright = edges_of(said([name], (lit(e, 5) for e in stream)))
    assert [e[:3] for e in bright] == [e[:3] for e in plain]
    assert [e[3] for e in bright] == pytest.approx([e[3] for e in plain], abs=0.25)
