"""Blind stays blind over a hand-over, until media comes that nobody had seen."""

from __future__ import annotations

import json

import numpy as np

from contracts.clock import ManualClock
from detectors.events import Source
from detectors.frame import Block
from worker.blindness import Blindness

NS = 1_000_000_000
AWAY = Source(20 * NS, "source_unreachable", "12 s without media")


def sound(at_s: float, track: str = "audio:0") -> Block:
    return Block(track, round(at_s * NS), NS // 10, np.zeros((1, 4800), np.float32), 48_000, ("L",))


def handed_over(clock: ManualClock, *sources: Source, position_s: float = 20) -> Blindness:
    before = Blindness(clock)
    for source in sources:
        assert before.see(source) == [source]
    return Blindness(clock, json.loads(json.dumps(before.state())), round(position_s * NS))


def test_it_is_told_until_media_comes() -> None:
    one = Blindness(ManualClock())
    one.see(AWAY)
    assert one.rows == [[None, "source_unreachable", "12 s without media"]]
    block = sound(30)
    assert one.see(block) == [Source(30 * NS, None), block]
    assert one.rows == []
    assert one.see(block) == [block]


def test_of_a_single_track_its_own_reading_says_when_it_is_over() -> None:
    one = Blindness(ManualClock())
    one.see(Source(20 * NS, "source_stalled", "sound", "audio:0"))
    block = sound(30)
    assert one.see(block) == [block]
    one.see(Source(30 * NS, None, track="audio:0"))
    assert one.rows == []


def test_the_next_watch_is_blind_from_the_start_and_as_old_as_the_blindness() -> None:
    clock = ManualClock()
    one = handed_over(clock, AWAY)
    assert one.left() == [AWAY]
    assert one.rows == [[None, "source_unreachable", "12 s without media"]]
    clock.advance(15)  # its own reading has waited ten of them
    [again] = one.see(Source(30 * NS, "source_unreachable", "10 s without media"))
    assert again.at_ns == 35 * NS
    clock.advance(5)
    block = sound(22)
    assert one.see(block) == [Source(40 * NS, None), block]
    assert one.rows == []


def test_media_that_the_watch_before_had_seen_does_not_end_it() -> None:
    one = handed_over(ManualClock(), AWAY)
    block = sound(19.9)
    assert one.see(block) == [block]
    assert len(one.rows) == 1
    assert [type(e) for e in one.see(sound(20))] == [Source, Block]


def test_a_track_that_was_blind_sees_with_its_own_media() -> None:
    one = handed_over(ManualClock(), Source(20 * NS, "source_stalled", "sound", "audio:0"))
    other = sound(25, "audio:1")
    assert one.see(other) == [other]
    block = sound(25)
    assert one.see(block) == [Source(25 * NS, None, track="audio:0"), block]


def test_a_third_watch_knows_it_too() -> None:
    clock = ManualClock()
    second = handed_over(clock, AWAY)
    clock.advance(3)
    third = Blindness(clock, second.state(), 20 * NS)
    assert third.left()[0].at_ns == 23 * NS
