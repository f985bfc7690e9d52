"""Which defect explains which, where the cause is blindness or was told by another process."""

from __future__ import annotations

from dataclasses import replace

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


@pytest.mark.parametrize(("lasts_s", "cause"), [(1.0, "segment_missing"), (7.4, None)])
def test_what_ends_with_its_trouble_and_goes_on_long_after_its_cause_is_a_fault_of_its_own(
    lasts_s: float, cause: str | None
) -> None:
    causes = Causes(CAUSES, prompt=["picture_missing"])
    causes.judge(edge("opened", "segment_missing", 31, "video:0"))
    causes.judge(edge("closed", "segment_missing", 45, "video:0"))
    late = replace(
        edge("opened", "picture_missing", 45.3, "video:0"), certain_at_ns=int((45.3 + lasts_s) * S)
    )
    [said] = causes.judge(late)  # opened and closed at once: no time passes between
    assert said.suppressed_by == cause


def test_a_consequence_that_is_still_open_counts_soon_if_it_would_have_ended_with_its_cause() -> None:
    causes = Causes(CAUSES, prompt=["picture_missing"])
    causes.judge(edge("opened", "segment_missing", 31, "video:0"))
    [said] = causes.judge(edge("opened", "picture_missing", 31, "video:0"))
    causes.judge(edge("closed", "segment_missing", 45, "video:0"))
    assert said.suppressed_by == "segment_missing"
    assert list(causes.passed(46 * S)) == []
    assert [e.suppressed_by for e in causes.passed(47 * S)] == [None]


@pytest.mark.parametrize(("left_open", "cause"), [(True, "segment_missing"), (False, None)])
def test_what_was_left_open_may_have_lasted_for_longer(left_open: bool, cause: str | None) -> None:
    causes = Causes(
        CAUSES, [Before("segment_missing", None, 20 * S, 20 * S, open=left_open)], prompt=["picture_missing"]
    )
    late = replace(edge("opened", "picture_missing", 20, "video:0"), certain_at_ns=round(22.1 * S))
    [said] = causes.judge(late)
    assert said.suppressed_by == cause


def test_what_begins_behind_the_end_of_a_loss_that_is_still_open_is_none_of_its_consequences() -> None:
    causes = Causes(CAUSES)
    causes.judge(replace(edge("opened", "segment_missing", 568, "video:0"), until_ns=576 * S))
    causes.judge(replace(edge("updated", "segment_missing", 568, "video:0"), until_ns=580 * S))
    [within] = causes.judge(edge("opened", "picture_missing", 578, "video:0"))
    assert within.suppressed_by == "segment_missing"
    causes.judge(edge("closed", "picture_missing", 580, "video:0"))
    [behind] = causes.judge(edge("opened", "picture_missing", 592, "video:0"))
    assert behind.suppressed_by is None
