"""Matching reports with truth, and the exact bounds of counts."""

from typing import Any

import pytest

from benchmarks.matching import Truth, match, poisson_at_most, poisson_upper, quantile
from contracts.findings import Severity
from tests.unit.benchmarks.findings import defect

TRUTH = Truth("black", "video:0", 10.0, 14.0)


@pytest.mark.parametrize(
    ("start_s", "end_s", "hit"),
    [
        (10.0, 14.0, True),
        (12.0, 14.0, True),
        (12.1, 14.0, False),
        (10.0, 18.0, True),
        (10.0, 18.1, False),
        (14, 18, False),
    ],
)
def test_half_of_the_union_must_be_shared(start_s: float, end_s: float, hit: bool) -> None:
    assert bool(match([TRUTH], [defect("black", start_s, end_s)]).hits) is hit


@pytest.mark.parametrize(("start_s", "error_s"), [(7.8, 0.2), (8.0, 0.0), (9.1, 0.0), (10.3, 0.3)])
def test_onset_may_lie_anywhere_between_the_injected_and_the_seen_beginning(
    start_s: float, error_s: float
) -> None:
    truth = Truth("combing", "video:0", 10.0, 14.0, injected_s=8.0)
    assert truth.onset_error_s(defect("combing", start_s, 14.0)) == pytest.approx(error_s)
    assert TRUTH.onset_error_s(defect("black", 9.1, 14.0)) == pytest.approx(0.9)


@pytest.mark.parametrize(
    ("off_s", "hit"), [(0.0, True), (-0.5, True), (0.5, True), (0.51, False), (-0.51, False)]
)
def test_a_moment_is_met_within_half_a_second(off_s: float, hit: bool) -> None:
    truth = Truth("timestamp_drift", None, 5.0, 5.0, instant=True)
    assert bool(match([truth], [defect("timestamp_drift", 5.0 + off_s, 60.0)]).hits) is hit


@pytest.mark.parametrize(
    "changed", [{"track": "video:1"}, {"suppressed_by": "picture_missing"}, {"severity": Severity.INFO}]
)
def test_another_track_a_consequence_and_a_property_are_no_hits(changed: dict[str, Any]) -> None:
    assert match([TRUTH], [defect("black", 10.0, 14.0, **changed)]).hits == []


def test_no_track_is_any_track() -> None:
    assert match([TRUTH], [defect("black", 10.0, 14.0, track=None)]).hits
    assert match([Truth("black", None, 10.0, 14.0)], [defect("black", 10.0, 14.0, track="video:3")]).hits


def test_another_defect_is_an_other() -> None:
    matched = match([TRUTH], [defect("freeze", 10.0, 14.0)])
    assert (matched.hits, matched.missed, [d.defect for d in matched.others]) == ([], [TRUTH], ["freeze"])


def test_one_report_serves_one_truth_and_the_better_one_wins() -> None:
    near, exact = defect("black", 10.0, 13.0), defect("black", 10.0, 14.0)
    matched = match([TRUTH], [near, exact])
    assert matched.hits == [(TRUTH, exact)]
    assert matched.others == [near]
    second = Truth("black", "video:0", 11.0, 14.5)
    assert match([TRUTH, second], [exact]).missed == [second]


def test_suppressed_reports_and_properties_are_no_false_alarms() -> None:
    quiet = [defect("freeze", 0, 5, suppressed_by="black"), defect("true_peak", 0, 5, severity=Severity.INFO)]
    assert match([TRUTH], quiet).others == []


def test_a_property_by_nature_counts_at_info() -> None:
    truth = Truth("mono", "audio:0", 5.0, 9.0)
    assert match([truth], [defect("mono", 5.0, 9.0, track="audio:0", severity=Severity.INFO)]).hits


@pytest.mark.parametrize(
    ("events", "bound"), [(0, 2.9957), (1, 4.7439), (2, 6.2958), (5, 10.5130), (20, 29.0620)]
)
def test_the_upper_bound_is_that_of_the_tables(events: int, bound: float) -> None:
    assert poisson_upper(events) == pytest.approx(bound, abs=2e-4)
    assert poisson_at_most(events, bound) == pytest.approx(0.05, abs=1e-4)


def test_large_counts_have_bounds_too() -> None:
    assert 1_000 < poisson_upper(1_000) < 1_060


def test_quantiles_interpolate() -> None:
    assert quantile([], 0.5) is None
    assert quantile([3.0], 0.95) == 3.0
    assert quantile([4.0, 1.0, 2.0, 3.0], 0.5) == pytest.approx(2.5)
    assert quantile([0.0, 10.0], 0.95) == pytest.approx(9.5)
