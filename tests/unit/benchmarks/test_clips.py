"""Clips: where in a programme a fault may begin."""

from fractions import Fraction

import pytest

from benchmarks.clips import _away_from

FPS = Fraction(25)


@pytest.mark.parametrize(
    ("cuts", "begins_s"),
    [
        ([], 8.0),
        ([6.9, 8.6], 8.0),  # far enough
        ([7.2], 8.2),
        ([8.0], 9.0),  # with the fault
        ([8.04], 9.04),  # one picture after it
        ([7.2, 8.4], 9.4),  # moved away from one cut to the next
    ],
)
def test_a_fault_begins_within_a_shot(cuts: list[float], begins_s: float) -> None:
    first, past = _away_from(cuts, 1.0, 200, 300, FPS)
    assert first / FPS == pytest.approx(begins_s, abs=0.041)
    assert past - first == 100
    assert all(not -0.5 < float(first / FPS) - cut < 0.999 for cut in cuts)
