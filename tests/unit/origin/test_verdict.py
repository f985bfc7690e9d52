"""One fault, one report: what counts as found, missed, invented or a consequence."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from glitchwatch.origin.faults import KINDS, Fault, Truth
from glitchwatch.origin.verdict import Reported, match

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def truth(kind: str, start_s: float, end_s: float) -> Truth:
    return Truth.of(Fault(KINDS[kind], start_s, end_s), EPOCH)


def said(defect: str, start_s: float, end_s: float | None, **more: str) -> Reported:
    end = None if end_s is None else EPOCH + timedelta(seconds=end_s)
    return Reported(defect, EPOCH + timedelta(seconds=start_s), end, **more)


def test_a_report_at_the_right_time_finds_its_fault() -> None:
    verdict = match([truth("black", 10, 14)], [said("black", 10.04, 14)])
    assert verdict.clean
    assert verdict.onset_errors_s == [pytest.approx(0.04)]
    assert verdict.summary().startswith("found 1 of 1, missed 0, false alarms 0, onset error median 0.04 s")


def test_the_wrong_defect_or_the_wrong_time_misses_and_invents() -> None:
    for report in (said("silence", 10, 14), said("black", 20, 24)):
        verdict = match([truth("black", 10, 14)], [report])
        assert [t.name for t in verdict.missed] == ["black"]
        assert verdict.invented == [report]
        assert not verdict.clean


def test_one_report_does_not_find_two_faults() -> None:
    verdict = match([truth("black", 10, 14), truth("black", 14.5, 18)], [said("black", 10, 18)])
    assert (len(verdict.found), len(verdict.missed)) == (1, 1)


def test_one_fault_told_as_two_is_an_invention() -> None:
    verdict = match([truth("black", 10, 14)], [said("black", 10, 12), said("black", 12.2, 14)])
    assert len(verdict.found) == 1
    assert [r.start for r in verdict.invented] == [EPOCH + timedelta(seconds=12.2)]


def test_pairing_gives_up_a_nearer_report_where_that_finds_more() -> None:
    # The second report is nearest to both faults, and the first fits the first fault alone.
    faults = [truth("segment_lost", 10, 12), truth("segment_lost", 14, 16)]
    reports = [said("segment_missing", 7.5, 8), said("segment_missing", 11.5, 13.5)]
    verdict = match(faults, reports)
    assert len(verdict.found) == 2
    assert verdict.clean


def test_the_same_defect_on_the_other_track_is_the_same_fault() -> None:
    reports = [
        said("timestamp_drift", 10, 10.1, track="video:0"),
        said("timestamp_drift", 10, 10.1, track="audio:0"),
    ]
    verdict = match([truth("clock_jump", 10, 10)], reports)
    assert verdict.clean
    assert len(verdict.consequences) == 1


def test_consequences_are_not_inventions() -> None:
    reports = [
        said("clipping", 10, 14),
        said("true_peak", 10, 14),
        said("stutter", 30, 31, suppressed_by="freeze"),
        said("mono", 50, 60, severity="info"),
    ]
    verdict = match([truth("clipping", 10, 14)], reports)
    assert verdict.clean
    assert {r.defect for r in verdict.consequences} == {"true_peak", "stutter"}


def test_a_consequence_far_from_its_fault_is_an_invention() -> None:
    assert not match([truth("clipping", 10, 14)], [said("clipping", 10, 14), said("true_peak", 20, 24)]).clean


def test_a_harmless_event_must_not_be_reported() -> None:
    event = truth("signalled_jump", 10, 10)
    assert match([event], []).clean
    assert len(match([event], [said("timestamp_drift", 10, 10.1)]).invented) == 1


def test_an_open_defect_overlaps_everything_after_it_began() -> None:
    assert match([truth("origin_away", 10, 18)], [said("source_unreachable", 15, None)]).clean


def test_what_was_not_watched_is_not_judged() -> None:
    watched = (EPOCH + timedelta(seconds=12), EPOCH + timedelta(seconds=40))
    faults = [truth("black", 10, 14), truth("freeze", 38, 42), truth("silence", 20, 24)]
    verdict = match(faults, [said("black", 12, 14), said("silence", 20, 24)], watched=watched)
    assert verdict.clean
    assert [t.name for t in verdict.unjudged] == ["black", "freeze"]
    assert len(verdict.found) == 1


def test_an_optional_fault_may_be_found_and_need_not() -> None:
    slow = truth("segment_slow", 10, 12)
    assert match([slow], []).clean
    assert len(match([slow], [said("segment_slow", 11, 12)]).found) == 1


def test_a_report_is_read_as_it_is_written() -> None:
    entry = {
        "defect": "black",
        "start_s": 4.0,
        "end_s": 8.5,
        "open": False,
        "track": "video:0",
        "severity": "critical",
    }
    report = Reported.of(entry, EPOCH)
    assert report.start == EPOCH + timedelta(seconds=4)
    assert report.end == EPOCH + timedelta(seconds=8.5)
    assert Reported.of(entry | {"open": True}, EPOCH).end is None


def test_a_report_goes_to_the_fault_that_needs_one() -> None:
    optional = replace(truth("black", 8, 10), optional=True)
    verdict = match([optional, truth("black", 10, 14)], [said("black", 9.9, 14)])
    assert [p.truth.start for p in verdict.found] == [EPOCH + timedelta(seconds=10)]
    assert verdict.clean
