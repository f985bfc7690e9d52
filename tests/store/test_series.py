from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.findings import Measurement
from store.series import MOST_SERIES, Downsampler, series_name
from tests.store.fleet import T0

VALUES = st.lists(st.tuples(st.integers(0, 3000), st.floats(-100, 100)), max_size=60)


def measured(value: float, name: str = "luma") -> Measurement:
    return Measurement(name, value, "ratio", 0, "video:0")


@given(VALUES)
def test_every_value_is_in_exactly_one_slot_of_each_step(values: list[tuple[int, float]]) -> None:
    sampler = Downsampler()
    rows = []
    for second, value in sorted(values):
        sampler.add(measured(value), T0 + timedelta(seconds=second))
        rows += sampler.take(T0 + timedelta(seconds=second))
    rows += sampler.take()
    for step in (60, 600):
        points = [
            (row.slot, row.points[series_name("luma", "video:0", None)]) for row in rows if row.step_s == step
        ]
        assert [slot for slot, _ in points] == sorted(
            {(int(T0.timestamp()) + second) // step for second, _ in values}
        )
        assert sum(point.count for _, point in points) == len(values)
        total = sum(point.mean * point.count for _, point in points)
        assert total == pytest.approx(sum(value for _, value in values), abs=1e-6)
        if values:
            assert min(point.low for _, point in points) == min(value for _, value in values)
            assert max(point.high for _, point in points) == max(value for _, value in values)


def test_a_slot_is_not_ready_before_it_is_over() -> None:
    sampler = Downsampler()
    sampler.add(measured(1.0), T0)
    assert sampler.take(T0 + timedelta(seconds=59)) == []
    assert [row.step_s for row in sampler.take(T0 + timedelta(seconds=60))] == [60]
    assert sampler.take(T0 + timedelta(seconds=61)) == []


def test_too_many_series_and_values_that_are_no_numbers_are_dropped_and_counted() -> None:
    sampler = Downsampler([60])
    for n in range(MOST_SERIES + 5):
        sampler.add(measured(1.0, f"m{n}"), T0)
    sampler.add(measured(float("nan")), T0)
    sampler.add(measured(float("-inf")), T0)
    assert sampler.dropped == 7
    [row] = sampler.take()
    assert len(row.points) == MOST_SERIES
