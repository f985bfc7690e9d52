"""Blockiness: a coder starved of bits is told; graphics on the grid, mosaics in the scene and soft pictures are not."""

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.events import Break
from detectors.picture.blockiness import DETECTOR, Blockiness, BlockinessParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, SECOND, TRACK, flat, frames, mixed, panning
from tests.run import edges, findings

QUALITY = {Level.JUST: (14, 20), Level.PLAIN: (6, 9), Level.GROSS: (2, 4)}  # of JPEG: 8 x 8 DCT, as in MPEG-2


def _starved(picture: Picture, moment: Moment) -> Picture:
    """Coded in blocks of 8 x 8 with too few bits by the contribution link, before our own coder."""
    if "quality" not in moment.memory:
        low, high = QUALITY[moment.level]
        moment.memory["quality"] = int(moment.rng.integers(low, high + 1))
    out = []
    for plane in picture:
        done, data = cv2.imencode(".jpg", plane, [cv2.IMWRITE_JPEG_QUALITY, moment.memory["quality"]])
        assert done
        out.append(np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8))
    return out[0], out[1], out[2]


FAULT = Fault("blockiness", (4.0, 10.0), picture=_starved, after_cut_s=1.0)


def blockiness(**params: float) -> Blockiness:
    return DETECTOR(BlockinessParams(**params), TRACK)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
def test_golden_dated_to_the_picture(level: Level, seed: int) -> None:
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
    shown = [_starved(p, moment) if 75 <= i < 150 else p for i, p in enumerate(panning(9))]
    found = [f for f in findings(blockiness(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 75 * SECOND // FPS),
        ("closed", 150 * SECOND // FPS),
    ]
    assert found[0].severity is Severity.WARNING
    assert found[0].certain_at_ns - found[0].at_ns <= 2.2 * SECOND


def test_shorter_than_two_seconds_is_silent() -> None:
    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    shown = [_starved(p, moment) if 75 <= i < 120 else p for i, p in enumerate(panning(7))]
    assert edges(blockiness(), frames(shown)) == []


def test_it_goes_on_over_a_cut() -> None:
    moment = Moment(Level.PLAIN, np.random.default_rng(1), float(FPS), 48_000)
    programme = [*panning(5), *panning(6, seed=8)]
    shown = [_starved(p, moment) if 75 <= i < 200 else p for i, p in enumerate(programme)]
    assert edges(blockiness(), frames(shown)) == [("opened", 3.0), ("closed", 8.0)]


def test_fades_and_dissolves_are_programme() -> None:
    one, two = panning(8), panning(8, seed=8)
    blend = [
        mixed(a, b, min(1.0, max(0.0, (i - 75) / 25))) for i, (a, b) in enumerate(zip(one, two, strict=True))
    ]
    down = [mixed(p, flat(16), min(1.0, i / 40)) for i, p in enumerate(panning(4, seed=8, first=200))]
    up = [mixed(p, flat(16), max(0.0, 1 - i / 40)) for i, p in enumerate(panning(4))]
    assert edges(blockiness(), frames([*blend, *down, *up])) == []


def test_not_ready_before_it_has_a_past() -> None:
    detector = blockiness()
    assert not detector.ready
    findings(detector, frames(panning(1)))
    assert detector.ready


def test_another_clock_voids_the_past() -> None:
    moment = Moment(Level.PLAIN, np.random.default_rng(1), float(FPS), 48_000)
    shown = frames([*panning(3), *(_starved(p, moment) for p in panning(4, first=75))])
    assert edges(blockiness(), [*shown[:75], Break(3 * SECOND, TRACK, "signalled"), *shown[75:]]) == []


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (2, 2), (321, 181)])
def test_any_raster(size: tuple[int, int]) -> None:
    assert edges(blockiness(), frames([flat(90, size=size)] * 60)) == []


def test_graphics_on_the_grid_are_programme() -> None:
    pictures = panning(7)
    for luma, _, _ in pictures[75:]:
        luma[200:248, :] = 40
        luma[208:240, 16::32] = 200
        luma[208:240, 24::32] = 200
    assert edges(blockiness(), frames(pictures)) == []


def test_a_mosaic_over_a_face_is_programme() -> None:
    pictures = panning(7)
    for luma, _, _ in pictures[75:]:
        face = cv2.resize(luma[64:192, 160:320], (20, 16), interpolation=cv2.INTER_AREA)
        luma[64:192, 160:320] = cv2.resize(face, (160, 128), interpolation=cv2.INTER_NEAREST)
    assert edges(blockiness(), frames(pictures)) == []


def test_a_coarse_shot_after_a_cut_is_programme() -> None:
    moment = Moment(Level.JUST, np.random.default_rng(1), float(FPS), 48_000, memory={"quality": 45})
    coarse = [_starved(p, moment) for p in panning(4, seed=8)]
    assert edges(blockiness(), frames([*panning(4), *coarse, *panning(3)])) == []
