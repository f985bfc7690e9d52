"""Blockiness: a coder starved of bits is told; graphics on the grid, mosaics in the scene and soft pictures are not."""

import cv2
import numpy as np
import pytest

from detectors.picture.blockiness import DETECTOR, Blockiness, BlockinessParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, TRACK, frames, mixed, panning
from tests.rising import WithinAShot
from tests.run import edges

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


class TestWithinAShot(WithinAShot):
    detector = DETECTOR
    injector = _starved

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
    def test_golden_dated_to_the_picture(self, level: Level, seed: int) -> None:
        self.dated_to_the_picture(level, seed)


def test_graphics_on_the_grid_are_programme() -> None:
    pictures = panning(7)
    for luma, _, _ in pictures[75:]:
        luma[200:248, :] = 40
        luma[208:240, 16::32] = 200
        luma[208:240, 24::32] = 200
    assert edges(blockiness(), frames(pictures)) == []


def test_a_drawing_in_flat_colours_whose_edges_lie_on_the_grid_is_programme() -> None:
    pictures = panning(8)
    for index, (luma, _, _) in enumerate(pictures[100:]):
        luma[:] = 100
        for column in range(0, luma.shape[1], 48):
            luma[:, column : column + 24] = 70 + 10 * (column // 48 % 5)
        luma[40:80, 8 * index : 8 * index + 24] = 30
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


def test_it_goes_on_in_a_shot_that_shows_less_of_it() -> None:
    """Graded by how far the blocks were blended back into the shot, as grain and detail hide them."""

    def blocky(seed: int, share: float) -> list[Picture]:
        moment = Moment(Level.GROSS, np.random.default_rng(2), float(FPS), 48_000)
        return [mixed(p, _starved(p, moment), share) for p in panning(4, seed=seed)]

    stream = [*panning(6), *blocky(7, 1.0), *blocky(8, 0.1), *panning(5, seed=9)]
    said = edges(blockiness(), frames(stream))
    assert [edge for edge, _ in said if edge != "updated"] == ["opened", "closed"]
    assert [at for edge, at in said if edge != "updated"] == pytest.approx([6.0, 14.0], abs=0.3)
