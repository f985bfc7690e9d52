"""A reading that goes on where another stopped puts media where that one would have."""

from __future__ import annotations

import pytest

from worker.ingest.timeline import MPEG_WRAP_NS, NS, Timeline

FRAME = NS // 25


def read(timeline: Timeline, raw_ns: int, count: int) -> list[int]:
    clock = timeline.clock("video:0", 200_000_000)
    return [timeline.place(clock, raw_ns + n * FRAME, FRAME).at_ns for n in range(count)]


@pytest.mark.parametrize("skipped_s", [0, 7, -4])
def test_media_keeps_its_time_also_when_some_was_missed_or_comes_twice(skipped_s: int) -> None:
    first = Timeline(wraps=True)
    begun = 3600 * NS
    at = read(first, begun, 100)
    second = Timeline(wraps=True)
    second.resume(first.reached_ns, first.offset_ns)
    next_raw = begun + 100 * FRAME + skipped_s * NS
    assert read(second, next_raw, 1) == [at[-1] + FRAME + skipped_s * NS]


def test_a_counter_that_ran_over_between_the_readings_is_unwrapped() -> None:
    first = Timeline(wraps=True)
    at = read(first, MPEG_WRAP_NS - 100 * FRAME, 100)
    second = Timeline(wraps=True)
    second.resume(first.reached_ns, first.offset_ns)
    [went_on] = read(second, 0, 1)
    assert abs(went_on - at[-1] - FRAME) < 2


def test_another_clock_is_fitted_to_where_the_timeline_stood() -> None:
    first = Timeline()
    read(first, 3600 * NS, 100)
    second = Timeline()
    second.resume(first.reached_ns, first.offset_ns)
    assert read(second, 10 * NS, 1) == [first.reached_ns]
