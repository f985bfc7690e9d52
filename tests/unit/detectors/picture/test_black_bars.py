"""Black bars: a picture that shrank is told; films, night and titles are not."""

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.events import Format
from detectors.picture.black_bars import DETECTOR, BlackBars, BlackBarsParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, SECOND, TRACK, flat, frames, logo, mixed, pan, panning, titled, written
from tests.run import edges, findings, measured

# the active picture's share of the raster: (width, height)
SHAPES = {
    Level.JUST: ((1.0, 0.92), (0.93, 1.0)),  # thin, as of a scaler one step off
    Level.PLAIN: ((1.0, 0.74), (1.0, 0.80), (0.75, 1.0), (0.875, 1.0)),  # 2.39 : 1, 2.2 : 1, 4 : 3, 14 : 9
    Level.GROSS: ((0.75, 0.75), (0.60, 0.60), (1.0, 0.60), (0.5625, 1.0)),  # window boxes, wide and narrow
}


def _boxed(picture: Picture, moment: Moment) -> Picture:
    if "shape" not in moment.memory:
        shapes = SHAPES[moment.level]
        moment.memory["shape"] = shapes[int(moment.rng.integers(len(shapes)))]
        moment.memory["squeezed"] = moment.rng.random() < 0.6
        moment.memory["words"] = moment.level is not Level.GROSS and moment.rng.random() < 0.4
    across, down = moment.memory["shape"]
    height, width = picture[0].shape
    wide = width if across == 1 else round(width * across / 4) * 4
    tall = height if down == 1 else round(height * down / 4) * 4
    left, top = (width - wide) // 4 * 2, (height - tall) // 4 * 2
    out = []
    for plane, half, empty in zip(picture, (1, 2, 2), (16, 128, 128), strict=True):
        boxed = np.full_like(plane, empty)
        x, y, w, h = left // half, top // half, wide // half, tall // half
        inner = plane[y : y + h, x : x + w]
        if moment.memory["squeezed"]:
            inner = np.asarray(cv2.resize(plane, (w, h), interpolation=cv2.INTER_AREA), np.uint8)
        boxed[y : y + h, x : x + w] = inner
        out.append(boxed)
    if moment.memory["words"] and top >= 20:
        at = (width // 5, height - top // 4)
        return written((out[0], out[1], out[2]), "- She said it would rain", at, scale=top / 60)
    return out[0], out[1], out[2]


FAULT = Fault("black_bars", (4.0, 10.0), picture=_boxed, after_cut_s=1.0)


def black_bars(**params: float) -> BlackBars:
    return DETECTOR(BlackBarsParams(**params), TRACK)


def boxed(pictures: list[Picture], across: float, down: float) -> list[Picture]:
    memory = {"shape": (across, down), "squeezed": True, "words": False}
    moment = Moment(Level.PLAIN, np.random.default_rng(1), float(FPS), 48_000, memory=memory)
    return [_boxed(p, moment) for p in pictures]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", list(Level))
def test_golden_dated_to_the_picture(level: Level, seed: int) -> None:
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
    shown = [_boxed(p, moment) if 75 <= i < 150 else p for i, p in enumerate(panning(9))]
    found = [f for f in findings(black_bars(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 75 * SECOND // FPS),
        ("closed", 150 * SECOND // FPS),
    ]
    assert found[0].severity is Severity.WARNING
    across, down = moment.memory["shape"]
    assert found[1].peak.value == pytest.approx(across * down, abs=0.05)


def darker(picture: Picture, share: float) -> Picture:
    luma = 16 + (picture[0].astype(np.float32) - 16) * share
    return luma.astype(np.uint8), picture[1], picture[2]


def test_bars_that_were_seen_to_come_go_on_in_the_dark() -> None:
    night = [darker(p, 0.12) for p in boxed(panning(3, first=100), 0.75, 1.0)]
    shown = [*panning(3), *boxed(panning(1, first=75), 0.75, 1.0), *night, *panning(3, first=175)]
    assert edges(black_bars(), frames(shown)) == [("opened", 3.0), ("closed", 7.0)]
    lit = [darker(p, 0.12) for p in panning(3, first=100)]  # all of it: the bars are gone
    shown = [*panning(3), *boxed(panning(1, first=75), 0.75, 1.0), *lit, *panning(3, first=175)]
    assert edges(black_bars(), frames(shown)) == []


def test_bars_in_a_pan_that_darkens_one_side_are_a_fault() -> None:
    shade = np.linspace(1.0, 0.0, 170, dtype=np.float32)[None]
    shown = []
    for index, (luma, blue, red) in enumerate(panning(9)):
        dark = luma.astype(np.float32)
        dark[:, -170:] = 16 + (dark[:, -170:] - 16) * (
            1 - min(1.0, max(0, index - 55) / 30) * (1 - shade) * 0.9
        )
        shown.append((dark.astype(np.uint8), blue, red))
    shown = [boxed([p], 0.75, 1.0)[0] if 75 <= i < 150 else p for i, p in enumerate(shown)]
    found = [f for f in findings(black_bars(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity) for f in found] == [
        ("opened", Severity.WARNING),
        ("closed", Severity.WARNING),
    ]


def test_a_film_in_its_own_shape_is_a_measurement() -> None:
    film = boxed(panning(8), 1.0, 0.74)
    assert edges(black_bars(), frames(film)) == []
    assert measured(black_bars(), frames(film), "active_area")[-1] == pytest.approx(0.74, abs=0.02)


def archive(seconds: float) -> list[Picture]:
    return boxed(panning(seconds, seed=8), 0.75, 1.0)


def dissolving(one: list[Picture], two: list[Picture]) -> list[Picture]:
    count = min(len(one), len(two))
    return [mixed(a, b, (i + 1) / count) for i, (a, b) in enumerate(zip(one, two, strict=False))]


@pytest.mark.parametrize(
    "comes",
    [
        [],
        dissolving(panning(0.4, first=75), archive(0.4)),
        dissolving(panning(1.5, first=75), archive(1.5)),
        [boxed([pan(75 + i)], 1.0 - 0.25 * i / 20, 1.0)[0] for i in range(20)],
        [flat(16)] * 20,
    ],
    ids=["cut", "short dissolve", "dissolve", "zoom", "black"],
)
def test_pictures_with_bars_of_their_own_are_a_property(comes: list[Picture]) -> None:
    shown = [*panning(3), *comes, *archive(6), *panning(3, first=300)]
    found = [f for f in findings(black_bars(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity) for f in found] == [
        ("opened", Severity.INFO),
        ("closed", Severity.INFO),
    ]


def test_bars_that_come_with_other_pictures_and_stay_over_what_follows_are_no_new_finding() -> None:
    shown = [*panning(3), *archive(4), *boxed(panning(4, seed=9), 0.75, 1.0)]
    found = [f for f in findings(black_bars(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns, f.severity) for f in found] == [("opened", 3 * SECOND, Severity.INFO)]


def test_bars_within_a_film_of_its_own_shape() -> None:
    shown = [*boxed(panning(3), 1.0, 0.74), *boxed(panning(4), 0.7, 0.74), *boxed(panning(2), 1.0, 0.74)]
    assert edges(black_bars(), frames(shown)) == [("opened", 3.0), ("closed", 7.0)]


def test_bars_that_stay_become_the_streams_own() -> None:
    shown = [*panning(3), *boxed(panning(8), 1.0, 0.74), *panning(3), *boxed(panning(4), 1.0, 0.74)]
    said = edges(black_bars(adopt_seconds=5.0), frames(shown))
    assert said == [("opened", 3.0), ("closed", 8.0), ("opened", 14.0)]


def test_a_logo_within_the_bar_does_not_hide_it() -> None:
    shown = [logo(p) for p in (*panning(3), *boxed(panning(4), 1.0, 0.74))]
    assert edges(black_bars(), frames(shown)) == [("opened", 3.0)]


def test_a_rim_blacker_than_the_bars_does_not_hide_them() -> None:
    """Of a picture that is itself blacker than black at its sides, the rim lies within the bars."""
    rimmed = panning(8)
    for luma, _, _ in rimmed:
        luma[:, :12] = luma[:, -12:] = 2
    shown = [*rimmed[:75], *boxed(rimmed[75:], 0.75, 0.75)]
    assert edges(black_bars(), frames(shown)) == [("opened", 3.0)]


def test_a_soft_edge_does_not_hide_it() -> None:
    soft = [(cv2.GaussianBlur(p[0], (0, 0), 2.0), p[1], p[2]) for p in boxed(panning(4), 1.0, 0.74)]
    shown = [*panning(3), *((np.asarray(y, np.uint8), u, v) for y, u, v in soft)]
    assert edges(black_bars(), frames(shown)) == [("opened", 3.0)]


def night(index: int) -> Picture:
    """A dark scene with a lit street across its middle."""
    luma, blue, red = pan(index)
    dark = (16 + (luma.astype(np.int16) - 20) // 40).astype(np.uint8)
    light = np.exp(-4 * np.linspace(-1, 1, luma.shape[0]) ** 2)[:, None]
    return np.maximum(dark, 16 + (luma - 16.0) * light * light).astype(np.uint8), blue, red


@pytest.mark.parametrize(
    "scene",
    [
        [night(i) for i in range(100)],
        [titled()] * 100,
        [written(flat(16), "A FILM BY NOBODY", (90, 140)) for _ in range(100)],
        [mixed(pan(i), flat(16), min(1.0, i / 50)) for i in range(100)],
        [flat(16)] * 100,
    ],
    ids=["night", "titles on grey", "titles on black", "fade to black", "black"],
)
def test_dark_programme_is_no_bar(scene: list[Picture]) -> None:
    assert edges(black_bars(), frames([*panning(3), *scene, *panning(3)])) == []


def test_a_dark_edge_on_one_side_is_no_bar() -> None:
    pictures = panning(4)
    for luma, _, _ in pictures:
        luma[:, :80] = 16
    assert edges(black_bars(), frames([*panning(3), *pictures])) == []


def test_shorter_than_two_seconds_is_silent() -> None:
    assert edges(black_bars(), frames([*panning(3), *boxed(panning(1.9), 0.75, 1.0), *panning(3)])) == []


def test_another_raster_may_have_another_shape() -> None:
    small, large = frames(panning(3)), frames(boxed(panning(4), 1.0, 0.74), start_s=3.0)
    told = Format(3 * SECOND, TRACK, "video", "h264", width=480, height=270, fps=25.0)
    assert edges(black_bars(), [*small, told, *large]) == []


def test_not_ready_before_a_lit_second() -> None:
    detector = black_bars()
    findings(detector, frames([flat(16)] * 50))
    assert not detector.ready
    findings(detector, frames(panning(2)))
    assert detector.ready
