"""Picture noise: snow and grain that come are told; a grainy film, rain, confetti and water are not."""

import cv2
import numpy as np
import pytest

from detectors.picture.picture_noise import DETECTOR, PictureNoise, PictureNoiseParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import HEIGHT, TRACK, WIDTH, flat, frames, grain, pan, panning
from tests.rising import WithinAShot, slowly
from tests.run import edges

DEVIATION = {Level.JUST: 6.0, Level.PLAIN: 13.0, Level.GROSS: 26.0}  # 8-bit code values
SPECKS = {Level.JUST: 0.004, Level.PLAIN: 0.02, Level.GROSS: 0.08}  # share of the samples


def _noisy(picture: Picture, moment: Moment) -> Picture:
    """A noisy sensor or amplifier, analogue noise smeared along the lines, or snow."""
    luma, blue, red = picture
    if "way" not in moment.memory:
        moment.memory["way"] = str(moment.rng.choice(("white", "analogue", "snow")))
    way, rng = moment.memory["way"], moment.rng
    values = luma.astype(np.float32)
    if way == "snow":
        hits = (rng.random(luma.shape) < SPECKS[moment.level] / 3).astype(np.uint8)
        specks = cv2.dilate(hits, np.ones((1, 3), np.uint8)) > 0  # one lasts longer than a sample
        values = np.where(specks, rng.uniform(16, 255, luma.shape), values)
    else:
        noise = rng.normal(size=luma.shape).astype(np.float32)
        if way == "analogue":
            noise = cv2.blur(noise, (3, 1)) * np.float32(3**0.5)
        values = values + DEVIATION[moment.level] * noise
    return np.clip(np.rint(values), 1, 254).astype(np.uint8), blue, red


FAULT = Fault("picture_noise", (4.0, 10.0), picture=_noisy, after_cut_s=1.0)


def picture_noise(**params: float) -> PictureNoise:
    return DETECTOR(PictureNoiseParams(**params), TRACK)


class TestWithinAShot(WithinAShot):
    detector = DETECTOR
    injector = _noisy
    programme = slowly

    @pytest.mark.parametrize(
        ("level", "seed"), [(Level.GROSS, 0), (Level.GROSS, 1), (Level.GROSS, 2), (Level.PLAIN, 1)]
    )
    def test_golden_dated_to_the_picture(self, level: Level, seed: int) -> None:
        self.dated_to_the_picture(level, seed)


def test_a_grainy_film_is_programme() -> None:
    rng = np.random.default_rng(3)
    assert edges(picture_noise(), frames(grain(p, rng, 12.0) for p in panning(6))) == []


def test_a_grainy_shot_after_a_cut_is_programme() -> None:
    rng = np.random.default_rng(3)
    grainy = [grain(p, rng, 8.0) for p in panning(4, seed=8)]
    assert edges(picture_noise(), frames([*panning(5), *grainy, *panning(3)])) == []


def test_noise_is_told_in_fast_movement_that_goes_on() -> None:
    rng = np.random.default_rng(3)
    fast = [pan(i, step=24) for i in range(175)]
    shown = [grain(p, rng, 20.0) if 75 <= i < 150 else p for i, p in enumerate(fast)]
    assert edges(picture_noise(), frames(shown)) == [("opened", 3.0), ("closed", 6.0)]


def test_noise_is_told_where_the_camera_turns_ever_faster() -> None:
    """No two pictures looked at show the same part of the scene, nor do they move alike."""
    rng = np.random.default_rng(3)
    shown = [pan(i * i // 6, step=1) for i in range(175)]
    noisy = [grain(p, rng, 13.0) if 75 <= i < 150 else p for i, p in enumerate(shown)]
    assert edges(picture_noise(), frames(noisy)) == [("opened", 3.0), ("closed", 6.0)]


def test_texture_that_comes_at_once_and_moves_on_is_programme() -> None:
    """A curtain is pulled away: leaves behind it."""
    rng = np.random.default_rng(3)
    wide = cv2.GaussianBlur(rng.normal(110, 90, (HEIGHT, 4 * WIDTH)), (0, 0), 1.0)
    leafy = np.clip(wide, 16, 235).astype(np.uint8)
    leaves = [(leafy[:, 3 * i : 3 * i + WIDTH].copy(), *flat(90)[1:]) for i in range(175)]
    shown = [(np.asarray(cv2.blur(p[0], (31, 31)), np.uint8), *p[1:]) for p in leaves[:75]] + leaves[75:]
    assert edges(picture_noise(), frames(shown)) == []


def test_what_blocks_took_away_and_is_back_is_no_noise() -> None:
    """A coder that is starved for a while leaves blocks instead of fine texture."""
    rng = np.random.default_rng(3)
    shown = [grain(pan(i, step=24), rng, 18.0) for i in range(225)]
    for index in range(75, 150):
        data = cv2.imencode(".jpg", shown[index][0], [cv2.IMWRITE_JPEG_QUALITY, 2])[1]
        shown[index] = (
            np.asarray(cv2.imdecode(data, cv2.IMREAD_GRAYSCALE), np.uint8),
            *shown[index][1:],
        )
    assert edges(picture_noise(), frames(shown)) == []


def test_a_fast_pan_from_the_sky_to_a_facade_is_programme() -> None:
    rng = np.random.default_rng(3)
    wide = np.full((HEIGHT, 8 * WIDTH), 200.0)
    wide[:, : 3 * WIDTH] += 25 * np.sin(np.arange(3 * WIDTH) / 40)
    wide[:, 3 * WIDTH :] += cv2.resize(rng.normal(size=(90, 5 * WIDTH // 8)), (5 * WIDTH, HEIGHT)) * 40 - 60
    wide[:, 3 * WIDTH :] += 12 * rng.normal(size=(HEIGHT, 5 * WIDTH))
    luma = np.clip(wide, 16, 235).astype(np.uint8)
    shown = [(luma[:, 18 * i : 18 * i + WIDTH].copy(), *flat(90)[1:]) for i in range(175)]
    assert edges(picture_noise(), frames(shown)) == []


def test_detail_that_comes_back_when_a_fast_camera_stops_is_programme() -> None:
    """While it races, the shutter smears everything."""
    raced = [
        (np.asarray(cv2.blur(pan(i, step=40)[0], (41, 1)), np.uint8), *pan(i, step=40)[1:]) for i in range(75)
    ]
    still = grain(pan(75, step=40), np.random.default_rng(3), 12.0)
    assert edges(picture_noise(), frames([*raced, *[still] * 75])) == []


def test_a_large_raster_is_judged_like_a_small_one() -> None:
    rng = np.random.default_rng(3)
    large = [
        (
            np.asarray(cv2.resize(y, (1920, 1080)), np.uint8),
            np.asarray(cv2.resize(u, (960, 540)), np.uint8),
            np.asarray(cv2.resize(v, (960, 540)), np.uint8),
        )
        for y, u, v in (pan(i, step=1) for i in range(0, 175, 5))
    ]
    shown = [grain(p, rng, 13.0) if 15 <= i < 30 else p for i, p in enumerate(large)]
    assert edges(picture_noise(), frames(shown, fps=5)) == [("opened", 3.0), ("closed", 6.0)]


def test_confetti_leaves_quiet_parts() -> None:
    rng = np.random.default_rng(3)
    pictures = panning(8)
    for luma, _, _ in pictures[75:]:
        for x, y in rng.integers((0, 0), (WIDTH - 4, HEIGHT // 2), (400, 2)):
            luma[y : y + 3, x : x + 4] = rng.integers(20, 235)
    calm = [
        (np.where(np.arange(HEIGHT)[:, None] < 200, y, 90).astype(np.uint8), u, v) for y, u, v in pictures
    ]
    assert edges(picture_noise(), frames(calm)) == []


def test_snow_that_comes_with_a_cut_is_told() -> None:
    rng = np.random.default_rng(3)
    lost = [grain(flat(110), rng, 60.0) for _ in range(75)]
    assert edges(picture_noise(), frames([*panning(5), *lost, *panning(3)])) == [
        ("opened", 5.0),
        ("closed", 8.0),
    ]
