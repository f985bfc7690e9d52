"""Which defect explains which, where the cause is blindness or was told by another process."""

from __future__ import annotations

import pytest

from contracts.findings import DefectEdge, Edge, Peak, Severity
from worker.causes import Before, Causes

S = 1_000_000_000
CAUSES = {"picture_missing": ("source_unreachable", "segment_missing")}


def edge(kind: str, defect: str, at_s: float, track: str | None = None) -> DefectEdge:
    at = int(at_s * S)
    return DefectEdge(Edge(kind), defect, defect, track, at, at, Severity.CRITICAL, Peak("x", 1.0, "s"), 1.0)


@pytest.mark.parametrize(("at_s", "cause"), [(100.2, "source_unreachable"), (104.0, None)])
def test_blindness_that_is_over_explains_what_began_with_it_and_not_what_came_late(
    at_s: float, cause: str | None
) -> None:
    causes = Causes(CAUSES)
    causes.judge(edge("opened", "source_unreachable", 100))
    causes.judge(edge("closed", "source_unreachable", 120))
    [said] = causes.judge(edge("opened", "picture_missing", at_s, "video:0"))
    assert said.suppressed_by == cause


def test_blindness_that_lasts_explains_what_lacks_meanwhile() -> None:
    causes = Causes(CAUSES)
    causes.judge(edge("opened", "source_unreachable", 100, "video:0"))
    [said] = causes.judge(edge("opened", "picture_missing", 104, "video:0"))
    assert said.suppressed_by == "source_unreachable"


@pytest.mark.parametrize(("at_s", "cause"), [(20.0, "segment_missing"), (23.0, None)])
def test_what_the_watch_before_told_is_a_cause_as_far_as_it_lasted(at_s: float, cause: str | None) -> None:
    causes = Causes(CAUSES, [Before("segment_missing", None, 20 * S, 22 * S)])
    [said] = causes.judge(edge("opened", "picture_missing", at_s, "video:0"))
    assert said.suppressed_by == cause
