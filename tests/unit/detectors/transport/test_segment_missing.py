"""Segment missing: named by the playlist, and not to be had."""

from contracts.findings import Severity
from detectors.events import Fetch
from detectors.transport.segment_missing import DETECTOR, SegmentMissing
from tests.unit.detectors.transport.moments import SECOND, bounds, edges_of, segment, ticked

NOT_INJECTABLE = "only an origin can refuse a segment; tests/unit/origin and the demo do"


def missing() -> SegmentMissing:
    return DETECTOR(DETECTOR.Params(), None)


def test_golden_dated_at_the_media_it_should_have_held() -> None:
    lost = segment(3, cause="http_404", given_up=True)
    found = edges_of(missing(), ticked(segment(2), lost, segment(4)))
    assert bounds(found) == [("opened", 6.0), ("closed", 8.0)]
    assert found[0].severity is Severity.ERROR
    assert found[0].detail == "http://127.0.0.1/3.ts: http_404"
    assert found[0].track is None


def test_what_we_ourselves_were_too_slow_for_is_none() -> None:
    late = segment(3, cause="fell_behind", given_up=True)
    assert edges_of(missing(), ticked(segment(2), late, segment(4))) == []


def test_several_in_a_row_are_one_defect() -> None:
    lost = [segment(n, cause="http_404", given_up=True) for n in (1, 2, 3)]
    found = edges_of(missing(), ticked(*lost, until_s=12))
    assert bounds(found) == [("opened", 2.0), ("closed", 8.0)]
    assert found[-1].peak.value == 3.0
    # While it is open it explains what begins in the media that was lost so far.
    assert [edge.until_ns for edge in found[:-1]] == [4 * SECOND, 6 * SECOND, 8 * SECOND]


def test_two_apart_are_two() -> None:
    lost = [segment(n, cause="truncated", given_up=True) for n in (1, 3)]
    assert bounds(edges_of(missing(), ticked(*lost, until_s=12))) == [
        ("opened", 2.0),
        ("closed", 4.0),
        ("opened", 6.0),
        ("closed", 8.0),
    ]


def test_a_failure_that_is_tried_again_is_not_a_loss() -> None:
    assert edges_of(missing(), ticked(segment(2, cause="http_503"), segment(2))) == []


def test_a_playlist_that_cannot_be_had_is_not_a_segment() -> None:
    refused = Fetch(2 * SECOND, None, "playlist", "u", None, 404, 0, 0.1, "http_404", given_up=True)
    assert edges_of(missing(), ticked(refused)) == []
