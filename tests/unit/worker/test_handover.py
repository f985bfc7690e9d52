"""What a watch that takes over says, and what it does not say again."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Measurement, Peak, Severity
from contracts.fleet import EdgeBody, OpenDefect
from contracts.profile import Mode
from detectors.catalogue import Seat, load
from detectors.frame import Frame
from worker.frames import Unpacker, finding, pack, plain
from worker.handover import Handover, hold_ns
from worker.inherited import with_closed
from worker.pipeline import Pipeline

S = 1_000_000_000
BLACK = load()["black"]
SEAT = Seat(BLACK, BLACK.Params.model_validate({"min_seconds": 0.5}), Mode.CHECK)


def edge(
    kind: str,
    at_s: float,
    certain_s: float | None = None,
    defect: str = "black",
    track: str | None = "video:0",
) -> DefectEdge:
    certain = at_s if certain_s is None else certain_s
    return DefectEdge(
        Edge(kind), defect, defect, track, int(at_s * S), int(certain * S), Severity.CRITICAL,
        Peak("mean", 16.0, "code"), 20.0,
    )  # fmt: skip


def picture(at_s: float, length_s: float = 1.0) -> Frame:
    return Frame("video:0", int(at_s * S), int(length_s * S), np.full((36, 64), 120, np.uint8))


def words(findings: list[Any]) -> list[tuple[str, float]]:
    return [(f.edge.value, f.at_ns / S) for f in findings if isinstance(f, DefectEdge)]


def after(*edges: DefectEdge, position_s: float) -> dict[str, Any]:
    """The state that a watch leaves which said these, as it comes out of the store."""
    before = Handover([SEAT])
    before.take(edges)
    return dict(Unpacker().feed(pack(before.state(int(position_s * S))))[0])


def test_an_open_defect_that_is_found_again_is_confirmed_with_its_beginning() -> None:
    taking = Handover([SEAT], after(edge("opened", 8, 8.5), position_s=10))
    taking.see(picture(10))
    assert words(taking.take([edge("opened", 10, 10.5)])) == [("updated", 8.0)]
    closed = taking.take([edge("closed", 14)])
    assert words(closed) == [("closed", 14.0)]
    assert taking.began_ns(closed[0]) == 8 * S  # type: ignore[arg-type]


def test_an_open_defect_that_began_behind_the_place_to_go_on_waits_until_it_is_reached() -> None:
    pipeline = Pipeline([SEAT])
    taking = Handover([SEAT], after(edge("opened", 14, 14.5), position_s=10))
    for second in range(10, 14):
        taking.see(picture(second))
        pipeline.push(picture(second))
        assert taking.settle(pipeline) == []
    assert words(taking.take([edge("opened", 14, 14.5)])) == [("updated", 14.0)]


def test_an_open_defect_that_is_gone_closes_where_the_new_watch_began_after_its_hold_time() -> None:
    pipeline = Pipeline([SEAT])
    taking = Handover([SEAT], after(edge("opened", 8, 8.5), position_s=10))
    said: list[tuple[str, float]] = []
    for second in range(10, 14):
        taking.see(picture(second))
        pipeline.push(picture(second))
        said += words(taking.settle(pipeline))
    assert said == [("closed", 10.0)]
    assert taking.open_defects == []


def test_a_new_defect_after_a_good_while_is_another_one() -> None:
    taking = Handover([SEAT], after(edge("opened", 8, 8.5), position_s=10))
    taking.see(picture(10))
    assert words(taking.take([edge("opened", 30, 30.5)])) == [("closed", 10.0), ("opened", 30.0)]


def test_what_was_told_to_its_end_is_not_told_again() -> None:
    taking = Handover([SEAT], after(edge("opened", 10.2, 10.7), edge("closed", 11.5), position_s=10))
    assert taking.take([edge("opened", 10.2, 10.7), edge("closed", 11.5)]) == []
    assert words(taking.take([edge("opened", 12, 12.5)])) == [("opened", 12.0)]


def test_a_moment_that_was_told_is_known_again_where_it_is_dated_a_little_later() -> None:
    state = after(edge("opened", 8), edge("closed", 8), position_s=8)
    assert words(Handover([SEAT], state).take([edge("opened", 8.04, 8.04), edge("closed", 8.04, 8.04)])) == []
    again = Handover([SEAT], state).take([edge("opened", 8.25), edge("closed", 8.25)])
    assert words(again) == [("opened", 8.25), ("closed", 8.25)]


@pytest.mark.parametrize("order", [1, -1])
def test_of_what_several_tracks_showed_the_latest_is_known_again(order: int) -> None:
    drift = load()["timestamp_drift"]
    rows = [
        ["timestamp_drift", "audio:0", None, 20 * S, 21 * S, 19 * S],
        ["timestamp_drift", "video:0", None, 5 * S, 5 * S, 5 * S],
    ]
    taking = Handover([Seat(drift, drift.Params(), Mode.CHECK)], {"ended": rows[::order]}, 18 * S)
    assert taking.take([edge("opened", 19, 20, "timestamp_drift")]) == []


def test_measurements_are_not_repeated() -> None:
    first = Handover([SEAT])
    points = [Measurement("mean", 1.0, "code", at * S, "video:0") for at in range(5)]
    assert first.take(points) == points
    second = Handover([SEAT], first.state(2 * S))
    assert second.take(points[3:]) == []
    later = Measurement("mean", 1.0, "code", 5 * S, "video:0")
    assert second.take([later]) == [later]


def test_a_detector_that_no_longer_runs_closes_what_it_left() -> None:
    taking = Handover([SEAT], {"open": [plain(edge("opened", 3, defect="freeze"))]})
    assert words(taking.settle(Pipeline([SEAT]))) == [("closed", 3.0)]


def test_every_detector_has_a_hold_time_within_reason() -> None:
    for detector in load().values():
        assert S <= hold_ns(Seat(detector, detector.Params(), Mode.CHECK)) <= 60 * S


def test_findings_travel_unchanged() -> None:
    for item in (edge("opened", 1.5), Measurement("loudness", -23.1, "LUFS", 7, None, "L", final=True)):
        [message] = Unpacker().feed(pack(plain(item)))
        assert finding(message) == item


def test_messages_in_pieces_come_out_whole() -> None:
    data = pack({"a": 1}) + pack({"b": "ü" * 1000})
    unpacker = Unpacker()
    found = [m for at in range(0, len(data), 7) for m in unpacker.feed(data[at : at + 7])]
    assert found == [{"a": 1}, {"b": "ü" * 1000}]


ZERO = datetime(2026, 3, 1, 12, tzinfo=UTC)


def closed_in_the_store(at_s: float, zero: datetime = ZERO, **other: Any) -> OpenDefect:
    body = EdgeBody.of(
        edge("closed", at_s, **other), family="picture", mode="check", start_ns=0, started_at=zero,
        at=zero + timedelta(seconds=at_s),
    )  # fmt: skip
    return OpenDefect("x", "s", "s/highest/all", 7, "closed", body, body, "ended")


@pytest.mark.parametrize(
    ("closed", "said"),
    [
        ([closed_in_the_store(18)], []),
        ([], [("opened", 14.0), ("closed", 18.0)]),
        # On another timeline its media time says nothing: twice is better than never.
        ([closed_in_the_store(18, ZERO + timedelta(minutes=5))], [("opened", 14.0), ("closed", 18.0)]),
    ],
)
def test_what_was_closed_after_the_place_was_kept_is_not_said_again(
    closed: list[OpenDefect], said: list[tuple[str, float]]
) -> None:
    kept = {"zero_at": ZERO.isoformat(), "said": after(edge("opened", 2), edge("closed", 4), position_s=10)}
    taking = Handover([SEAT], with_closed(kept, closed)["said"])
    taking.see(picture(10))
    found = taking.take([edge("opened", 14, 14.5), edge("closed", 18)])
    assert words(found) == said
    assert words(taking.take([edge("opened", 30)])) == [("opened", 30.0)]


def test_the_later_of_two_ends_counts() -> None:
    kept = {"zero_at": ZERO.isoformat(), "said": after(edge("opened", 10), edge("closed", 18), position_s=10)}
    place = with_closed(kept, [closed_in_the_store(14), closed_in_the_store(12)])
    assert [row[3] / S for row in place["said"]["ended"]] == [18.0]


def test_what_saw_again_after_the_place_was_kept_is_not_blind_any_more() -> None:
    row = [None, "source_forbidden", "12 s without media", 20 * S, ZERO.isoformat()]
    kept = {"zero_at": ZERO.isoformat(), "blind": [row], "reading": {"position_ns": 8 * S, "quiet_s": 12.0}}
    back = closed_in_the_store(21, defect="source_unreachable", track=None)
    other = closed_in_the_store(21, defect="source_stalled", track=None)
    assert with_closed(kept, [back])["blind"] == []
    assert with_closed(kept, [back])["reading"] == {"position_ns": 8 * S}
    for still in (
        with_closed(kept, [closed_in_the_store(21)]),
        with_closed(kept, [closed_in_the_store(19, defect="source_unreachable", track=None)]),  # before it
        with_closed(kept, [back], [other]),  # for another reason
    ):
        assert (still["blind"], still["reading"]["quiet_s"]) == ([row], 12.0)


def test_of_media_that_comes_once_more_nothing_is_said() -> None:
    taking = Handover([SEAT], after(position_s=20), 20 * S)
    taking.see(picture(11))
    assert taking.take([edge("opened", 12, 12.5), edge("closed", 14)]) == []
    assert taking.take([edge("opened", 18, 19)]) == []
    assert taking.take([edge("updated", 18, 19.5), edge("closed", 20.2)]) == []
    assert words(taking.take([edge("opened", 21, 22)])) == [("opened", 21.0)]


def test_less_than_what_was_told_is_not_its_end() -> None:
    """A peak that is a property only, in the media before: the warning that was open goes on."""
    left = after(edge("opened", 8, 8.5), position_s=12)
    left["open"] = [plain(edge("opened", 8, 8.5))]
    taking = Handover([SEAT], left, 12 * S)
    taking.see(picture(9))
    milder = replace(edge("opened", 9, 9.1), severity=Severity.INFO)
    assert taking.take([milder]) == []
    assert taking.take([replace(milder, edge=Edge.CLOSED, at_ns=round(9.2 * S))]) == []
    assert words(taking.take([edge("opened", 9.2, 9.3)])) == [("updated", 8.0)]
    assert words(taking.take([edge("closed", 14)])) == [("closed", 14.0)]


def test_what_was_found_in_old_media_alone_is_said_once_it_has_lasted_into_new_media() -> None:
    taking = Handover([SEAT], after(position_s=20), 20 * S)
    taking.see(picture(11))
    assert taking.take([edge("opened", 18, 19)]) == []
    assert words(taking.take([edge("closed", 22)])) == [("opened", 18.0), ("closed", 22.0)]

    pipeline = Pipeline([SEAT])
    taking = Handover([SEAT], after(position_s=20), 20 * S)
    said: list[tuple[str, float]] = []
    for second in range(11, 24):
        taking.see(picture(second))
        pipeline.push(picture(second))
        if second == 18:
            assert taking.take([edge("opened", 18, 19)]) == []
        said += words(taking.settle(pipeline))
        assert bool(said) == (second >= 21)
    assert said == [("opened", 18.0)]
    assert words(taking.take([edge("closed", 25)])) == [("closed", 25.0)]


def test_what_was_told_to_its_end_and_goes_on_is_said_from_there() -> None:
    taking = Handover([SEAT], after(edge("opened", 15, 15.5), edge("closed", 18), position_s=20), 20 * S)
    taking.see(picture(11))
    assert taking.take([edge("opened", 15, 15.5)]) == []
    assert words(taking.take([edge("closed", 25)])) == [("opened", 20.0), ("closed", 25.0)]


@pytest.mark.parametrize(("at_s", "said"), [(19.9, 0), (19.96, 1), (20.0, 1)])
def test_what_begins_with_the_first_new_picture_is_new_though_sound_had_got_farther(
    at_s: float, said: int
) -> None:
    taking = Handover([SEAT], after(position_s=20), 20 * S, {"video:0": int(19.96 * S)})
    taking.see(picture(11))
    assert len(taking.take([edge("opened", at_s), edge("closed", at_s)])) == 2 * said


def test_what_begins_before_the_place_and_is_certain_only_beyond_it_is_said() -> None:
    taking = Handover([SEAT], after(position_s=20), 20 * S)
    taking.see(picture(11))
    assert words(taking.take([edge("opened", 19.8, 20.3), edge("closed", 23)])) == [
        ("opened", 19.8),
        ("closed", 23.0),
    ]


def test_an_earlier_defect_that_comes_once_more_does_not_close_the_one_that_is_open() -> None:
    state = after(edge("opened", 12, 12.5), edge("closed", 14), edge("opened", 18, 18.5), position_s=20)
    taking = Handover([SEAT], state, 20 * S)
    taking.see(picture(11))
    again = [edge("opened", 12, 12.5), edge("closed", 14), edge("opened", 18, 18.5)]
    assert words(taking.take(again)) == [("updated", 18.0)]
    assert words(taking.take([edge("closed", 24)])) == [("closed", 24.0)]


def test_an_open_defect_is_not_gone_before_good_media_beyond_the_place_has_lasted() -> None:
    pipeline = Pipeline([SEAT])
    taking = Handover([SEAT], after(edge("opened", 8, 8.5), position_s=20), 20 * S)
    said: list[tuple[str, float]] = []
    for second in range(11, 24):
        taking.see(picture(second))
        pipeline.push(picture(second))
        said += words(taking.settle(pipeline))
        assert not said or second >= 21
    assert said == [("closed", 20.0)]


def test_a_detector_is_told_what_the_watch_before_left_open_on_its_track() -> None:
    freeze = load()["freeze"]
    seat = Seat(freeze, freeze.Params(), Mode.CHECK)
    opened = edge("opened", 1, 3, defect="freeze")
    pictures = [picture(71 + n / 10, 0.1) for n in range(40)]
    alone, taking = Pipeline([seat]), Pipeline([seat], [opened])
    assert [w for shown in pictures for w in words(alone.push(shown))] == []
    found = [f for shown in pictures for f in taking.push(shown) if isinstance(f, DefectEdge)]
    assert words(found) == [("opened", 1.0)]
    handover = Handover([seat], after(opened, position_s=80))
    handover.see(pictures[0])
    assert words(handover.take(found)) == [("updated", 1.0)]
