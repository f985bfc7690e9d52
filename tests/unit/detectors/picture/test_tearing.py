"""Tearing: a band repeats for one picture at an edge that wanders; insets with a rate of their own are programme."""

from collections.abc import Iterable

import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Severity
from contracts.profile import Mode
from detectors.catalogue import Seat
from detectors.frame import Frame
from detectors.picture.stutter import Stutter
from detectors.picture.tearing import DETECTOR, Tearing
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, HEIGHT, SECOND, TRACK, broken, copied, frames, grain, pan, panning, ticker
from tests.run import edges, findings, measured
from worker.pipeline import Pipeline


def _torn(picture: Picture, moment: Moment) -> Picture:
    """Below a line, the picture is still the one before: the line jumps, or wanders as two clocks beat."""
    memory, rng = moment.memory, moment.rng
    if "jumps" not in memory:
        memory["jumps"] = rng.random() < 0.5
        memory["speed"] = rng.uniform(0.08, 0.2)
        memory["line"] = rng.uniform(0.2, 0.8)
    before = memory.get("before")
    memory["before"] = copied(picture)
    step = rng.uniform(0.0, 1.0) if memory["jumps"] else memory["speed"]
    memory["line"] = (memory["line"] + step) % 1.0
    if before is None or rng.random() > (0.35, 0.7, 1.0)[moment.level]:
        return picture
    line = int((0.1 + 0.8 * memory["line"]) * picture[1].shape[0])
    for plane, old, times in zip(picture, before, (2, 1, 1), strict=True):
        plane[times * line :] = old[times * line :]
    return picture


FAULT = Fault("tearing", (3.0, 8.0), picture=_torn)


def tearing() -> Tearing:
    return DETECTOR(DETECTOR.Params(), TRACK)


def spans(stream: Iterable[Frame]) -> list[tuple[str, float]]:
    return edges(tearing(), stream)


def test_it_lasts_over_a_shot_in_which_nothing_moves() -> None:
    def torn(seed: int) -> list[Picture]:
        memory = Moment(Level.GROSS, np.random.default_rng(3), float(FPS), 48_000)
        return [_torn(p, memory) for p in panning(4, seed=seed)]

    said = spans(frames([*panning(4), *torn(7), *[pan(0, seed=9)] * 75, *torn(8), *panning(3)]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx(
        [4.1, 15.0], abs=0.2
    )  # a cut has to be gone for five pictures


@pytest.mark.parametrize("dark", [True, False])
def test_the_dark_that_is_left_behind_is_no_repeated_picture(dark: bool) -> None:
    shown = panning(8)
    for at, line in ((100, 60), (106, 150), (112, 90), (118, 180), (124, 120)):
        for plane, before, times in zip(shown[at], shown[at - 1], (2, 1, 1), strict=True):
            plane[: times * line // 2] = before[: times * line // 2]
        if dark:  # nothing is to be seen there, before and now
            shown[at - 1][0][:line], shown[at][0][:line] = 16, 16
    assert [e for e, _ in spans(frames(shown))] == ([] if dark else ["opened", "closed"])


def test_what_is_at_rest_after_a_cut_did_not_stand_still() -> None:
    """Above a line it begins to move a picture later; that much moved in the shot before says nothing."""
    shown = panning(4)
    for shot, line in enumerate((60, 150, 90, 180, 120, 70)):
        pictures = panning(0.32, seed=8 + shot % 2, first=60 * shot)
        for plane, before, times in zip(pictures[1], pictures[0], (2, 1, 1), strict=True):
            plane[: times * line // 2] = before[: times * line // 2]
        shown += pictures
    assert spans(frames([*shown, *panning(2)])) == []


TORN = (100, 104, 107, 112, 118, 121, 127, 133)  # and where


def test_golden_from_the_first_torn_picture_to_the_last() -> None:
    shown = panning(8)
    for place, index in enumerate(TORN):
        line = 60 + 20 * (place * 3 % 8)
        shown[index][0][line:] = pan(index - 1)[0][line:]
    found = [f for f in findings(tearing(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge, f.at_ns * FPS // SECOND) for f in found if f.edge is not Edge.UPDATED] == [
        (Edge.OPENED, 100),
        (Edge.CLOSED, 134),
    ]
    assert {f.severity for f in found} == {Severity.ERROR}
    assert found[0].certain_at_ns * FPS == 108 * SECOND  # the picture after the third


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
@pytest.mark.parametrize("seed", [5, 6, 7, 8])
def test_its_fault_is_found_where_it_is(level: Level, seed: int) -> None:
    said = spans(broken(_torn, panning(12, seed=seed), 100, 200, level))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 8.0], abs=0.5)


def test_what_passes_through_a_still_picture_is_programme() -> None:
    """A car comes down an empty road: its roof has no texture, and seems to stand still."""
    road, car = pan(0), pan(40, seed=3)[0]
    car[40:60] = car[90:110] = 120
    shown = []
    for index in range(150):
        picture = copied(road)
        top = 4 * (index % 50)
        part = picture[0][top : top + 90, 100:300]
        part[:] = car[: len(part), 100:300]
        shown.append(picture)
    assert spans(frames(shown, fps=12)) == []


def test_a_coder_smears_the_edge_over_a_block() -> None:
    shown = panning(8)
    for place, index in enumerate(TORN):
        line, before = 60 + 20 * (place * 3 % 8), pan(index - 1)[0]
        now = shown[index][0]
        mixed = (now[line - 16 : line].astype(np.uint16) + 2 * before[line - 16 : line]) // 3
        now[line:], now[line - 16 : line] = before[line:], mixed
    assert [e for e, _ in spans(frames(shown))] == ["opened", "closed"]


def test_a_part_with_a_rate_of_its_own_is_programme() -> None:
    """A film on twos above a ticker; a split screen of two rates; a letterbox."""
    assert spans(frames(ticker(pan(i // 2 * 2), i, lines=80) for i in range(200))) == []
    split = []
    for index in range(200):
        picture = pan(index)
        picture[0][HEIGHT // 2 :] = pan(index * 4 // 5, seed=9)[0][HEIGHT // 2 :]
        split.append(picture)
    assert spans(frames(split)) == []


def test_holds_cuts_and_stops_of_the_whole_picture_are_not_torn() -> None:
    assert spans(frames(pan(i - 1 if i % 7 == 3 else i) for i in range(200))) == []
    assert spans(frames(pan(i, seed=i // 9) for i in range(200))) == []
    assert spans(frames(pan(min(i, 60) if i < 120 else i - 60) for i in range(200))) == []


def test_noise_and_movement_by_fits_are_programme() -> None:
    rng = np.random.default_rng(4)
    assert spans(frames(grain(pan(0), rng, 4.0) for _ in range(150))) == []
    shown = []
    for index in range(200):  # somebody in the lower half who now and then stands still for a moment
        picture = pan(index)
        picture[0][150:] = pan(index if index % 11 else index - 1, seed=3)[0][150:]
        shown.append(picture)
    assert spans(frames(shown)) == []


def test_it_says_how_often() -> None:
    assert max(measured(tearing(), broken(_torn, panning(8), 50, 150, Level.GROSS), "tears")) >= 4
    assert max(measured(tearing(), frames(panning(4)), "tears")) == 0


def test_two_torn_pictures_are_none_and_three_far_apart_neither() -> None:
    def torn(places: dict[int, int]) -> list[Picture]:
        shown = panning(12)
        for index, line in places.items():
            shown[index][0][line:] = pan(index - 1)[0][line:]
        return shown

    assert spans(frames(torn({100: 60, 110: 160}))) == []
    assert spans(frames(torn({100: 60, 130: 160, 160: 100}))) == []
    assert [e for e, _ in spans(frames(torn({100: 60, 115: 160, 130: 100})))] == ["opened", "closed"]


def test_it_goes_on_where_only_a_strip_of_the_picture_moves() -> None:
    """The edge is above or below that strip in most pictures: all of it stands still, or none."""
    moment = Moment(Level.GROSS, np.random.default_rng(3), float(FPS), 48_000)
    still = pan(0, seed=9)

    def strip(index: int) -> Picture:
        picture = copied(still)
        picture[0][100:150] = pan(index, seed=9)[0][100:150]
        return picture

    torn = [_torn(p, moment) for p in [*panning(2), *(strip(i) for i in range(60))]]
    said = spans(frames([*panning(4), *torn, *(strip(i) for i in range(60, 400))]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 8.4], abs=0.3)


def test_an_edge_that_creeps_down_the_picture_once_is_a_wipe() -> None:
    shown = panning(8)
    for index in range(100, 108):
        line = (index - 99) * HEIGHT // 10
        shown[index][0][:line] = pan(index - 1)[0][:line]
    assert spans(frames(shown)) == []


def torn_at(shown: list[Picture], lines: dict[int, int]) -> list[Picture]:
    """With everything below that line of so many pictures still the one before."""
    whole = [copied(picture) for picture in shown]
    for index, line in lines.items():
        shown[index][0][line:] = whole[index - 1][0][line:]
    return shown


def test_three_torn_pictures_within_a_blink_are_none() -> None:
    assert spans(frames(torn_at(panning(8), {100: 60, 102: 160, 104: 100}))) == []


def test_faint_tears_count_half() -> None:
    """A pan in mist, in which lines change by 2 to 3 code values."""
    mist = [(np.asarray(120 + 0.3 * (y - 120.0), np.uint8), u, v) for y, u, v in panning(8)]
    lines = {100 + 6 * n: (60, 160, 100)[n % 3] for n in range(6)}
    few = dict(list(lines.items())[:3])
    assert spans(frames(torn_at([copied(p) for p in mist], few))) == []
    assert [e for e, _ in spans(frames(torn_at(mist, lines)))] == ["opened", "closed"]


def test_the_stutter_that_it_brings_is_its_consequence() -> None:
    """Where only a strip moves, all that moves stands still now and then."""
    moment = Moment(Level.PLAIN, np.random.default_rng(3), float(FPS), 48_000)
    still = pan(0, seed=9)
    shown = []
    for index in range(300):
        picture = copied(still)
        picture[0][60:200] = pan(index, seed=9)[0][60:200]
        shown.append(_torn(picture, moment) if 150 <= index < 250 else picture)
    pipeline = Pipeline([Seat(d, d.Params(), Mode.CHECK) for d in (Tearing, Stutter)])
    said = [f for event in frames(shown) for f in pipeline.push(event) if isinstance(f, DefectEdge)]
    causes = {f.defect: f.suppressed_by for f in said}
    assert causes == {"tearing": None, "stutter": "tearing"}


def test_a_picture_that_comes_to_rest_line_by_line_and_goes_on_is_programme() -> None:
    shown = panning(8)
    for first, steps in ((100, (40, 110, 180, 250)), (114, (30, 90, 150, 210)), (128, (40, 120, 170, 230))):
        for n, line in enumerate(steps):
            picture, before = shown[first + n][0], shown[first + n - 1][0]
            picture[:line] = before[:line]
    assert spans(frames(shown)) == []
