"""Flicker: all of the picture pumps in a rhythm; light that the content has does not."""

from collections.abc import Callable, Iterable

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.findings import DefectEdge, Edge, Severity
from detectors import picture_features
from detectors.frame import Frame
from detectors.picture import flicker as module
from detectors.picture.flicker import DETECTOR, Flicker
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    FPS,
    HEIGHT,
    SECOND,
    TRACK,
    broken,
    flat,
    frames,
    grain,
    mixed,
    pan,
    panning,
    ticker,
    titled,
)
from tests.run import edges, findings, measured

MIDDLE = 110.0  # code values above black


def gained(picture: Picture, gain: float) -> Picture:
    """`picture` with its luma above black so many times as high."""
    luma = 16 + (picture[0].astype(np.float32) - 16) * gain
    return np.clip(np.rint(luma), 0, 255).astype(np.uint8), picture[1], picture[2]


def lifted(picture: Picture, share: float) -> Picture:
    """`picture` with its luma higher by a share of middle grey, as by a pedestal that is wrong."""
    luma = picture[0].astype(np.float32) + share * MIDDLE
    return np.clip(np.rint(luma), 0, 255).astype(np.uint8), picture[1], picture[2]


def bent(picture: Picture, share: float) -> Picture:
    """`picture` with another gamma, which changes middle grey by a share, what is dark by more and light by less."""
    part = np.clip((picture[0].astype(np.float32) - 16) / 219, 0, 1) ** (1 - share / np.log(2))
    return np.clip(np.rint(16 + 219 * part), 0, 255).astype(np.uint8), picture[1], picture[2]


def by_gain(picture: Picture, share: float) -> Picture:
    """`picture` brighter by a share everywhere."""
    return gained(picture, 1 + share)


WAYS = (by_gain, by_gain, lifted, bent)


def _pump(picture: Picture, moment: Moment) -> Picture:
    """A lamp beating with the shutter, or a gain, a pedestal or a gamma that hunts: a sine, or by turns."""
    memory, rng = moment.memory, moment.rng
    if "depth" not in memory:
        memory["depth"] = rng.uniform(*((0.006, 0.009), (0.016, 0.022), (0.025, 0.032))[moment.level])
        memory["hz"] = rng.uniform(2.6, min(11.0, 0.4 * moment.fps))
        memory["by_turns"] = rng.random() < 0.25
        memory["way"] = WAYS[int(rng.integers(len(WAYS)))]
    swing = np.sin(2 * np.pi * memory["hz"] * moment.index / moment.fps)
    if memory["by_turns"]:
        swing = 1 if moment.index % 2 else -1
    changed: Picture = memory["way"](picture, memory["depth"] * float(swing))
    return changed


FAULT = Fault("flicker", (3.0, 8.0), picture=_pump)


def flicker() -> Flicker:
    return DETECTOR(DETECTOR.Params(), TRACK)


def spans(stream: Iterable[Frame]) -> list[tuple[str, float]]:
    return edges(flicker(), stream)


def pumping(shown: list[Picture], hz: float, depth: float, first: int, past: int) -> list[Frame]:
    for index in range(first, past):
        shown[index] = gained(
            shown[index], 1 + depth * float(np.sin(2 * np.pi * hz * (index - first + 0.25) / FPS))
        )
    return frames(shown)


def test_golden_dated_from_the_first_swing_to_the_last() -> None:
    stream = pumping([pan(i, step=2) for i in range(250)], 6.0, 0.03, 75, 175)
    found = [
        f for f in findings(flicker(), stream) if isinstance(f, DefectEdge) and f.edge is not Edge.UPDATED
    ]
    assert [f.edge for f in found] == [Edge.OPENED, Edge.CLOSED]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([3.0, 7.0], abs=2.5 / FPS)
    assert {f.severity for f in found} == {Severity.WARNING}
    assert found[-1].peak.value == pytest.approx(3.0, abs=0.4)  # percent, as made


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
def test_its_fault_is_found_where_it_is(level: Level) -> None:
    said = spans(broken(_pump, [pan(i, step=2) for i in range(250)], 75, 175, level))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.0, 7.0], abs=0.4)


@pytest.mark.parametrize("way", WAYS[1:])
@pytest.mark.parametrize(("depth", "hz"), [(0.02, 4.0), (0.12, 8.0), (0.2, 6.0)])
def test_whatever_pumps_and_however_deep_it_is_no_row_of_cuts(
    way: Callable[[Picture, float], Picture], depth: float, hz: float
) -> None:
    shown = [pan(i, step=2) for i in range(250)]
    for index in range(75, 175):
        shown[index] = way(shown[index], depth * float(np.sin(2 * np.pi * hz * (index - 75) / FPS)))
    said = spans(frames(shown))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.0, 7.0], abs=0.3)


def test_cuts_do_not_hide_it() -> None:
    shots = [pan(i, seed=i // 19, step=2) for i in range(250)]
    said = spans(pumping(shots, 4.0, 0.03, 75, 175))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.0, 7.0], abs=0.3)


def test_it_goes_on_in_a_lighter_shot_which_swings_less_by_the_same_pedestal() -> None:
    dark = [gained(pan(i, step=2), 0.35) for i in range(125)]
    light = [lifted(pan(i, seed=8, step=2), 0.6) for i in range(125, 250)]
    shown = [*dark, *light]
    for index in range(75, 200):
        shown[index] = lifted(shown[index], 0.04 * float(np.sin(2 * np.pi * 6.0 * (index - 75) / FPS)))
    said = spans(frames(shown))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.0, 8.0], abs=0.3)


@pytest.mark.parametrize("before", [60, 63, 66, 69])
def test_a_fade_that_begins_soon_after_a_cut_is_no_swing(before: int) -> None:
    """As measured where a title faded: its growing letters make it lighter by little first."""
    rises = [3, 1, 6, 5, 2, 3, 7, 3, 4, 1, 7, 4, 3, 0, 7, 4, 3]
    fades = [-27, -22, -24, -29, -29, -25, -31, -31, -33, -35, -32, -37, -41, -37, -43]
    still = pan(0, seed=8)
    lights = 0.55 * np.exp(np.cumsum(np.array([*rises, *fades]) / 1000))
    faded = [gained(still, float(light)) for light in lights]
    shown = [*(pan(i, step=2) for i in range(before)), *[flat(16)] * 2, *faded]
    assert spans(frames(shown, fps=30)) == []


def test_light_and_dark_by_turns_is_a_rhythm_however_rough() -> None:
    """As a coder leaves it that spends little on pictures in between."""
    rng = np.random.default_rng(8)
    shown = [pan(i, step=2) for i in range(200)]
    for index in range(75, 150):
        depth = float(rng.uniform(0.01, 0.04))
        shown[index] = gained(shown[index], 1 + (depth if index % 2 else -depth))
    assert [e for e, _ in spans(frames(shown))] == ["opened", "closed"]


@pytest.mark.parametrize(("hz", "rest", "past"), [(4.0, 0.15, 152), (6.0, 0.12, 153), (7.0, 0.15, 146)])
def test_what_goes_on_much_weaker_ends_it_and_is_no_other_beginning(
    hz: float, rest: float, past: int
) -> None:
    shown = pumping([pan(i % 3) for i in range(220)], hz, 0.04, 75, past)
    weaker = pumping([pan(i % 3) for i in range(220)], hz, 0.04 * rest, 75, 220)
    said = spans([*shown[:past], *weaker[past:]])
    assert [what for what, _ in said] == ["opened", "closed"]
    assert said[1][1] == pytest.approx(past / FPS, abs=0.3)


def test_a_slow_change_after_it_does_not_prolong_it() -> None:
    shown = [gained(pan(i, step=2), 1 - 0.004 * max(0, min(i, 225) - 150)) for i in range(250)]
    said = spans(pumping(shown, 4.0, 0.02, 75, 150))
    assert [at for _, at in said] == pytest.approx([3.0, 6.0], abs=0.4)


@pytest.mark.parametrize(("hz", "depth"), [(1.2, 0.03), (6.0, 0.003)])
def test_slow_or_shallow_pumping_is_let_be(hz: float, depth: float) -> None:
    assert spans(pumping([pan(0) for _ in range(250)], hz, depth, 75, 175)) == []


def test_a_lamp_that_flickers_in_a_part_of_the_picture_is_programme() -> None:
    shown = [pan(0) for _ in range(200)]
    for index, picture in enumerate(shown):
        picture[0][:, :160] = gained(picture, 1 + 0.1 * float(np.sin(index)))[0][:, :160]
    assert spans(frames(shown)) == []


def test_firelight_has_no_rhythm() -> None:
    rng = np.random.default_rng(3)
    light = np.convolve(rng.normal(size=400), np.ones(3) / 3, "same") * 0.04
    assert spans(frames(gained(pan(0), 1 + float(v)) for v in light)) == []


def test_fades_cuts_and_camera_flashes_are_programme() -> None:
    fades = [mixed(flat(20), pan(i), abs(float(np.sin(np.pi * i / 50)))) for i in range(200)]
    assert spans(frames(fades)) == []
    assert spans(frames(pan(i, seed=i // 10) for i in range(150))) == []
    shown = panning(6)
    for bright in (50, 57, 100, 103):
        shown[bright] = mixed(shown[bright], flat(235), 0.5)
    assert spans(frames(shown)) == []


@pytest.mark.parametrize(("paper", "ink"), [(17, 215), (225, 30)])
def test_credits_and_pages_that_roll_are_programme(paper: int, ink: int) -> None:
    """Of a thinned picture, strokes of a line or two seem to come and go as they roll."""
    roll = np.full((9 * 360, 640), paper, np.uint8)
    for row in range(15, 9 * 360, 24):
        cv2.putText(roll, "WRITTEN FILMED AND CUT BY US " * 2, (20, row), cv2.FONT_HERSHEY_PLAIN, 1.5, ink, 1)
    for step in (1, 2):
        shown = [(roll[step * i : step * i + 360].copy(), *flat(17, size=(640, 360))[1:]) for i in range(200)]
        assert spans(frames(shown)) == []


def test_a_fade_that_is_coded_in_uneven_steps_is_programme() -> None:
    rng = np.random.default_rng(5)
    light = np.cumsum([0.0, *(0.03 * (1 + 0.9 * (-1) ** i) * rng.uniform(0.8, 1.2) for i in range(60))])
    shown = [gained(pan(0), float(min(1.0, 0.2 * np.exp(v)))) for v in light]
    assert spans(frames([*[gained(pan(0), 0.2)] * 25, *shown, *[pan(0)] * 50])) == []


@pytest.mark.parametrize("step", [2, 6, 24])
def test_a_camera_that_pans_is_programme(step: int) -> None:
    assert spans(frames(ticker(pan(i, step=step), i) for i in range(200))) == []


def test_water_grain_and_things_that_tick_are_programme() -> None:
    rows = np.arange(HEIGHT)[:, None]
    water = []
    for index in range(150):
        picture = pan(0)
        picture[0][:] = np.clip(picture[0] + 12 * np.sin(rows / 9 + index * 1.3), 16, 235).astype(np.uint8)
        water.append(picture)
    assert spans(frames(water)) == []
    rng = np.random.default_rng(2)
    assert spans(frames(grain(pan(0), rng, 3.0) for _ in range(150))) == []
    assert spans(frames(titled(f"SECOND {i // 3}") for i in range(150))) == []


def test_parts_are_not_looked_at_where_the_light_of_the_whole_is_steady(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    looked: list[int] = []
    of_parts = picture_features.tile_means

    def counted(sums: npt.NDArray[np.int32]) -> npt.NDArray[np.float32]:
        looked.append(1)
        return of_parts(sums)

    monkeypatch.setattr(module, "tile_means", counted)
    steady = panning(1)[:1] * (8 * FPS)
    assert spans(frames(steady)) == []
    assert not looked
    assert [kind for kind, _ in spans(pumping(steady, 5.0, 0.02, 4 * FPS, 7 * FPS))] == ["opened", "closed"]
    assert looked


def test_it_says_how_deep() -> None:
    stream = pumping([pan(0) for _ in range(150)], 5.0, 0.02, 25, 125)
    assert max(measured(flicker(), stream, "flicker_depth")) == pytest.approx(2.0, abs=0.3)
