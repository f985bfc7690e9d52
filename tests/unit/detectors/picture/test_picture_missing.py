"""Picture missing: media time passes and no picture comes; slow slides are no absence."""

import pytest

from contracts.findings import DefectEdge, Severity
from detectors.absence import AbsenceParams
from detectors.events import Break, Fetch, Recall, Tick
from detectors.picture.picture_missing import DETECTOR, PictureMissing
from tests.injection import Fault, Moment, Picture
from tests.patterns import SECOND, TRACK, broken, flat, frame, frames, panning, ticked
from tests.run import edges, findings


def _left_out(picture: Picture, moment: Moment) -> Picture | None:
    return None


FAULT = Fault("picture_missing", (3.0, 10.0), picture=_left_out)


def missing(**params: float) -> PictureMissing:
    return DETECTOR(AbsenceParams(**params), TRACK)


def test_golden_from_the_end_of_the_last_picture_to_the_next_one() -> None:
    stream = ticked(broken(_left_out, panning(8), 60, 140), 8)
    found = [f for f in findings(missing(), stream) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns / SECOND) for f in found] == [("opened", 2.4), ("closed", 5.6)]
    assert found[0].severity is Severity.CRITICAL
    assert found[0].certain_at_ns / SECOND == pytest.approx(4.4, abs=0.11)
    assert found[1].peak.value == pytest.approx(3.2, abs=0.11)


def test_a_track_that_never_comes_back_stays_open() -> None:
    assert edges(missing(), ticked(frames(panning(1)), 6)) == [("opened", 1.0)]


def test_pictures_that_were_only_late_leave_no_hole() -> None:
    """After an outage sound may come first; as long as pictures lag behind it, they are there all the same."""
    pictures = frames(panning(12))
    early, late = pictures[:50], pictures[50:]
    ahead = [
        event for i, picture in enumerate(late) for event in (picture, Tick(5 * SECOND + i * SECOND // 25))
    ]
    found = [f for f in findings(missing(), [*early, Tick(5 * SECOND), *ahead]) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns / SECOND) for f in found] == [("opened", 2.0), ("closed", 2.0)]
    assert found[1].certain_at_ns / SECOND == pytest.approx(3.0, abs=0.05)


def test_just_short_of_two_seconds() -> None:
    assert edges(missing(), ticked(broken(_left_out, panning(6), 50, 98), 6)) == []


def test_nothing_is_said_of_a_track_that_never_began() -> None:
    assert edges(missing(), [Tick(i * SECOND) for i in range(1, 30)]) == []


def test_without_ticks_the_next_picture_tells() -> None:
    assert edges(missing(), broken(_left_out, panning(8), 50, 150)) == [("opened", 2.0), ("closed", 6.0)]
    assert edges(missing(), broken(_left_out, panning(8), 50, 90)) == []


def test_slides_that_change_every_five_seconds_are_no_absence() -> None:
    slides = [frame(flat(60 + 20 * i), 5 * i * SECOND, SECOND // 25) for i in range(6)]
    assert [e for e in edges(missing(), ticked(slides, 27)) if e[1] > 10.0] == []


def test_a_picture_that_comes_and_goes_is_missed_each_time() -> None:
    shown = [p for i, p in enumerate(frames(panning(15))) if i % 75 < 12]
    assert [e for e, _ in edges(missing(), ticked(shown, 15))] == ["opened", "closed"] * 4 + ["opened"]


def test_slides_that_stop_are_missed_in_the_end() -> None:
    slides = [frame(flat(60), i * SECOND, SECOND) for i in range(8)]
    assert edges(missing(), ticked(slides, 30)) == [("opened", 8.0)]


def test_a_new_clock_leaves_no_long_step_behind() -> None:
    before, after = frames(panning(1)), frames(panning(1), start_s=40.0)
    jumped = [*ticked(before, 1), Break(40 * SECOND, TRACK, "jump", 39 * SECOND), *after]
    stream = [*jumped, *(Tick(41 * SECOND + i * SECOND // 10) for i in range(1, 40))]
    assert ("opened", 41.0) in edges(missing(), stream)


@pytest.mark.parametrize(("cause", "told"), [("fell_behind", 0), ("http_404", 2)])
def test_what_we_ourselves_were_too_slow_for_was_not_missing(cause: str, told: int) -> None:
    lost = Fetch(2 * SECOND, None, "segment", "u", 1, 200, 0, 0.1, cause, 4 * SECOND, given_up=True)
    before, after = frames(panning(2)), frames(panning(2), start_s=6.0)
    assert len(edges(missing(), [*before, lost, *after])) == told


@pytest.mark.parametrize(
    ("step_s", "until_s", "begins"), [(0, 103, [100.0]), (5, 112, []), (5, 116, [100.0])]
)
def test_a_track_that_another_process_knew_is_missed_from_its_end_and_slides_may_be_slow(
    step_s: int, until_s: int, begins: list[float]
) -> None:
    watching = missing()
    assert list(watching.recall(Recall(100 * SECOND, TRACK, step_s * SECOND))) == []
    found = [f for at in range(101, until_s + 1) for f in watching.tick(Tick(at * SECOND))]
    assert [f.at_ns / SECOND for f in found if isinstance(f, DefectEdge)] == begins


def test_media_that_comes_once_more_is_no_hole_before_the_end_that_another_process_saw() -> None:
    watching = missing()
    list(watching.recall(Recall(3 * SECOND, TRACK, SECOND // 25)))
    assert edges(watching, ticked(frames(panning(6)), 6)) == []
