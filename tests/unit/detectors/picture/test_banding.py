"""Banding: gradients that became staircases are told; flat drawings, graphics, soft and noisy pictures are not."""

from functools import cache

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Severity
from detectors.picture.banding import DETECTOR, Banding
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    FPS,
    SECOND,
    TRACK,
    WIDTH,
    Gray,
    copied,
    flat,
    frames,
    grain,
    mixed,
    pan,
    panning,
    ticker,
    written,
)
from tests.run import edges, findings, measured

# 8-bit code values of luma
STEPS = {Level.JUST: (5.0, 8.0), Level.PLAIN: (10.0, 16.0), Level.GROSS: (20.0, 30.0)}
SMOOTH = 9, 12  # samples of 640 a line, and the 8-bit code values that luma varies by at most within them
WIDE = 21, 16  # the same where a viewer sees one gradient
NO_STEP, A_STEP = 2, 6  # code values over two samples: before, and with a false contour
SEEN = 0.012  # of the raster are false contours in large smooth areas: anybody sees them


def _coarse(plane: Gray, step: float, offset: float, curve: float = 1.0) -> Gray:
    """With one level for each `step`, as of a converter that has too few bits and does not dither.

    With a `curve` other than 1 the levels were evenly spaced before it (a gamma), and no longer are.
    """
    before = 255 * (np.arange(256) / 255) ** curve
    levels = (np.floor((before - offset) / step) + 0.5) * step + offset
    after = 255 * np.clip(levels / 255, 0, 1) ** (1 / curve)
    return np.asarray(cv2.LUT(plane, np.clip(np.rint(after), 1, 254).astype(np.uint8)), np.uint8)


def _smooth(luma: Gray, within: tuple[int, int]) -> Gray:
    """255 where luma varies by so little within so many samples."""
    samples, most = within
    window = np.ones((samples, samples), np.uint8)
    soft = cv2.blur(luma, (3, 3))
    spread = cv2.subtract(cv2.dilate(soft, window), cv2.erode(soft, window))
    return np.asarray(cv2.inRange(spread, 0, most), np.uint8)


def _banded(picture: Picture, moment: Moment) -> Picture:
    """All of it converted to too few levels, or its smooth areas alone, of which a coder has left bands."""
    memory, rng = moment.memory, moment.rng
    if "step" not in memory:
        memory["step"] = rng.uniform(*STEPS[moment.level])
        memory["offsets"] = rng.uniform(0, 16, 3)
        memory["coder"] = rng.random() < 0.5
        memory["curve"] = rng.uniform(0.8, 1.25) if rng.random() < 0.5 else 1.0
    luma, *colours = picture
    step, curve, offsets = memory["step"], memory["curve"], memory["offsets"]
    coarse = [
        _coarse(luma, step, offsets[0], curve),
        *(
            _coarse(colour, max(2.0, step / 2), offset)
            for colour, offset in zip(colours, offsets[1:], strict=True)
        ),
    ]
    if not memory["coder"]:
        return coarse[0], coarse[1], coarse[2]
    bands = _coarse(np.asarray(cv2.blur(luma, (7, 7)), np.uint8), step, offsets[0], curve)
    smooth = _smooth(luma, SMOOTH)
    shown = [np.where(smooth > 0, bands, luma)]
    for plane, colour in zip(coarse[1:], colours, strict=True):
        small = cv2.resize(smooth, colour.shape[::-1], interpolation=cv2.INTER_NEAREST)
        shown.append(np.where(small > 0, plane, colour))
    return shown[0], shown[1], shown[2]


def _shows(before: Picture, after: Picture) -> bool:
    """Whether there are steps now where there was a smooth gradient: not in drawings, titles and thickets."""
    smooth = _smooth(before[0], WIDE) > 0
    share = 0.0
    for axis in (0, 1):
        had, has = (
            cv2.absdiff(plane[2:], plane[:-2]) if axis == 0 else cv2.absdiff(plane[:, 2:], plane[:, :-2])
            for plane in (before[0], after[0])
        )
        inner = smooth[1:-1] if axis == 0 else smooth[:, 1:-1]
        share += float(((had <= NO_STEP) & (has >= A_STEP) & inner).mean())
    return share >= SEEN


FAULT = Fault("banding", (4.0, 10.0), picture=_banded, after_cut_s=1.0, shows=_shows)


def banding() -> Banding:
    return DETECTOR(DETECTOR.Params(), TRACK)


@cache
def sky(index: int, *, seed: int = 7) -> Picture:
    """Picture `index` of a camera that pans slowly over hills below a clear evening sky, with a little noise."""
    luma, blue, red = pan(index, seed=seed, step=2)
    rows, columns = np.mgrid[0:170, 0:WIDTH].astype(np.float32)
    light = 200 - 0.45 * rows - 0.06 * columns + 8 * np.sin((columns + 2 * index) / 150 + seed)
    noise = np.random.default_rng((seed, index)).normal(scale=0.8, size=light.shape)
    luma[:170] = np.clip(np.rint(light + noise), 16, 235)
    blue[:85], red[:85] = 140, 120
    return luma, blue, red


def skies(seconds: float, *, first: int = 0, seed: int = 7) -> list[Picture]:
    """So many seconds of it."""
    return [sky(first + i, seed=seed) for i in range(round(seconds * FPS))]


def faulty(pictures: list[Picture], first: int, last: int, level: Level, seed: int = 1) -> list[Picture]:
    """`pictures` with the fault in [first, last)."""
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
    return [_banded(copied(p), moment) if first <= i < last else p for i, p in enumerate(pictures)]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", Level)
def test_golden_dated_to_the_picture(level: Level, seed: int) -> None:
    found = [
        f
        for f in findings(banding(), frames(faulty(skies(9), 75, 150, level, seed)))
        if isinstance(f, DefectEdge)
    ]
    assert [(f.edge, f.at_ns) for f in found] == [(Edge.OPENED, 3 * SECOND), (Edge.CLOSED, 6 * SECOND)]
    assert found[0].severity is Severity.WARNING
    assert found[0].certain_at_ns - found[0].at_ns <= 2.2 * SECOND


def test_gradients_of_eight_bits_are_programme() -> None:
    """Steps of one code value, without noise: that is what eight bits are."""
    clean = [(np.asarray(cv2.blur(p[0], (9, 9)), np.uint8), p[1], p[2]) for p in skies(6)]
    assert edges(banding(), frames(clean)) == []
    assert max(measured(banding(), frames(clean), "level_comb")) < 0.45


def test_shorter_than_two_seconds_is_silent() -> None:
    assert edges(banding(), frames(faulty(skies(7), 75, 120, Level.GROSS))) == []


def test_it_goes_on_over_a_cut_and_is_told_where_it_begins_with_one_and_stays_over_the_next() -> None:
    shots = [*skies(5), *skies(4, seed=8), *skies(4, seed=9)]
    assert edges(banding(), frames(faulty(shots, 75, 200, Level.PLAIN))) == [("opened", 3.0), ("closed", 8.0)]
    assert edges(banding(), frames(faulty(shots, 125, 275, Level.PLAIN))) == [
        ("opened", 5.0),
        ("closed", 11.0),
    ]
    assert edges(banding(), frames(faulty(shots, 125, 220, Level.PLAIN))) == []


@pytest.mark.parametrize("step", [16, 24])
@pytest.mark.parametrize("rounding", [0, 1])
def test_levels_that_are_cut_off_make_the_picture_darker_or_lighter(step: int, rounding: int) -> None:
    """As where the lower bits are lost: all of it moves, by half a step on average."""
    lower = (np.arange(256) + rounding * (step - 1)) // step * step
    table = np.clip(lower, 16, 235).astype(np.uint8)
    shown = [
        (np.asarray(cv2.LUT(p[0], table), np.uint8), p[1], p[2]) if 75 <= i < 150 else p
        for i, p in enumerate(skies(9))
    ]
    assert edges(banding(), frames(shown)) == [("opened", 3.0), ("closed", 6.0)]


def smeared(picture: Picture, deviation: float) -> Picture:
    """As a coder smears fine steps."""
    return np.asarray(cv2.GaussianBlur(picture[0], (0, 0), deviation), np.uint8), picture[1], picture[2]


def partly(banded: Picture, clean: Picture, share: float) -> Picture:
    """The left of a picture alone is banded."""
    luma = clean[0].copy()
    luma[:, : int(WIDTH * share)] = banded[0][:, : int(WIDTH * share)]
    return luma, clean[1], clean[2]


def test_it_goes_on_in_a_shot_that_shows_less_of_it() -> None:
    clean = [*skies(6), *skies(5, seed=8)]
    shown = faulty(clean, 75, 200, Level.PLAIN)
    shown = [partly(p, clean[i], 0.5) if 75 <= i < 150 else p for i, p in enumerate(shown)]
    shown = [smeared(p, 3.2) if 150 <= i < 200 else p for i, p in enumerate(shown)]
    assert edges(banding(), frames(shown)) == [("opened", 3.0), ("closed", 8.0)]


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
def test_bands_that_a_coder_smears_are_told_where_they_come_within_a_shot(level: Level) -> None:
    shown = []
    for index, picture in enumerate(faulty(skies(8), 75, 150, level, seed=2)):
        shown.append(smeared(picture, 1.6) if 75 <= index < 150 else picture)
    assert edges(banding(), frames(shown)) == [("opened", 3.0), ("closed", 6.0)]


def test_a_noisy_picture_of_many_levels_is_programme() -> None:
    rng = np.random.default_rng(3)
    shown = [(_coarse(grain(p, rng, 3.0)[0], 4.0, 0.0), p[1], p[2]) for p in skies(5)]
    assert edges(banding(), frames(shown)) == []


def test_fades_and_dissolves_are_programme() -> None:
    one, two = skies(8), panning(8, seed=8)
    blend = [
        mixed(a, b, min(1.0, max(0.0, (i - 75) / 25))) for i, (a, b) in enumerate(zip(one, two, strict=True))
    ]
    down = [mixed(p, flat(16), min(1.0, i / 40)) for i, p in enumerate(skies(4, seed=8))]
    up = [mixed(p, flat(16), max(0.0, 1 - i / 40)) for i, p in enumerate(skies(4))]
    assert edges(banding(), frames([*blend, *down, *up])) == []


def drawn(index: int) -> Picture:
    """Flat colours with hard edges, a ball that moves among them: drawn animation."""
    picture = flat(120)
    for number, luma in enumerate((132, 144, 156, 108, 96)):
        picture[0][60:200, 20 + 90 * number : 80 + 90 * number] = luma
    picture[0][200:] = 84
    cv2.circle(picture[0], (40 + 4 * index % 400, 120), 30, 180, -1, cv2.LINE_AA)
    return picture


def test_drawings_that_follow_on_pictures_are_programme() -> None:
    shown = [*skies(5), *[drawn(i // 2 * 2) for i in range(100)], *skies(3)]
    assert edges(banding(), frames(shown)) == []


@pytest.mark.parametrize("pictures", [10, 15, 20, 25])
@pytest.mark.parametrize("at", range(4))
def test_a_dissolve_to_a_drawing_is_programme(pictures: int, at: int) -> None:
    """Its last pictures are nearly the drawing, whose levels form a comb, and then nothing moves."""
    shown = []
    for index, picture in enumerate(skies(9)):
        share = min(1.0, max(0.0, (index - 75 - at) / pictures))
        shown.append(mixed(picture, drawn(0), share))
    assert edges(banding(), frames(shown)) == []


def test_titles_and_tickers_over_pictures_are_programme() -> None:
    shown = []
    for index, picture in enumerate(skies(8)):
        over = copied(picture)
        if index >= 75:
            over[0][200:250, 30:450] = 60
            over[0][200:204, 30:450] = 90
            over = written(over, "WEATHER  12  14  16  18", (50, 235), luma=100)
        shown.append(ticker(over, index))
    assert edges(banding(), frames(shown)) == []


def test_not_ready_before_it_has_a_past() -> None:
    detector = banding()
    assert not detector.ready
    findings(detector, frames(skies(1)))
    assert detector.ready


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (2, 2), (321, 181)])
def test_any_raster(size: tuple[int, int]) -> None:
    assert edges(banding(), frames([flat(90, size=size)] * 60)) == []
