"""Picture noise: snow and grain that come are told; a grainy film, rain, confetti and water are not."""

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.events import Break
from detectors.picture.picture_noise import DETECTOR, PictureNoise, PictureNoiseParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, HEIGHT, SECOND, TRACK, WIDTH, flat, frames, grain, mixed, pan, panning
from tests.run import edges, findings

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


def slowly(seconds: float, seed: int = 7) -> list[Picture]:
    """A camera that pans slowly: fast movement is not judged."""
    return [pan(i, seed=seed, step=1) for i in range(round(seconds * FPS))]


def picture_noise(**params: float) -> PictureNoise:
    return DETECTOR(PictureNoiseParams(**params), TRACK)


@pytest.mark.parametrize(
    ("level", "seed"), [(Level.GROSS, 0), (Level.GROSS, 1), (Level.GROSS, 2), (Level.PLAIN, 1)]
)
def test_golden_dated_to_the_picture(level: Level, seed: int) -> None:
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
    shown = [_noisy(p, moment) if 75 <= i < 150 else p for i, p in enumerate(slowly(9))]
    found = [f for f in findings(picture_noise(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 75 * SECOND // FPS),
        ("closed", 150 * SECOND // FPS),
    ]
    assert found[0].severity is Severity.WARNING
    assert found[0].certain_at_ns - found[0].at_ns <= 2.2 * SECOND


def test_shorter_than_two_seconds_is_silent() -> None:
    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    shown = [_noisy(p, moment) if 75 <= i < 120 else p for i, p in enumerate(slowly(7))]
    assert edges(picture_noise(), frames(shown)) == []


def test_it_goes_on_over_a_cut() -> None:
    moment = Moment(Level.PLAIN, np.random.default_rng(1), float(FPS), 48_000)
    programme = [*slowly(5), *slowly(6, seed=8)]
    shown = [_noisy(p, moment) if 75 <= i < 200 else p for i, p in enumerate(programme)]
    assert edges(picture_noise(), frames(shown)) == [("opened", 3.0), ("closed", 8.0)]


def test_fades_and_dissolves_are_programme() -> None:
    one, two = panning(8), panning(8, seed=8)
    blend = [
        mixed(a, b, min(1.0, max(0.0, (i - 75) / 25))) for i, (a, b) in enumerate(zip(one, two, strict=True))
    ]
    down = [mixed(p, flat(16), min(1.0, i / 40)) for i, p in enumerate(panning(4, seed=8, first=200))]
    up = [mixed(p, flat(16), max(0.0, 1 - i / 40)) for i, p in enumerate(panning(4))]
    assert edges(picture_noise(), frames([*blend, *down, *up])) == []


def test_not_ready_before_it_has_a_past() -> None:
    detector = picture_noise()
    assert not detector.ready
    findings(detector, frames(panning(1)))
    assert detector.ready


def test_another_clock_voids_the_past() -> None:
    moment = Moment(Level.PLAIN, np.random.default_rng(1), float(FPS), 48_000)
    shown = frames([*panning(3), *(_noisy(p, moment) for p in panning(4, first=75))])
    assert edges(picture_noise(), [*shown[:75], Break(3 * SECOND, TRACK, "signalled"), *shown[75:]]) == []


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (2, 2), (321, 181)])
def test_any_raster(size: tuple[int, int]) -> None:
    assert edges(picture_noise(), frames([flat(90, size=size)] * 60)) == []


def test_a_grainy_film_is_programme() -> None:
    rng = np.random.default_rng(3)
    assert edges(picture_noise(), frames(grain(p, rng, 12.0) for p in panning(6))) == []


def test_a_grainy_shot_after_a_cut_is_programme() -> None:
    rng = np.random.default_rng(3)
    grainy = [grain(p, rng, 8.0) for p in panning(4, seed=8)]
    assert edges(picture_noise(), frames([*panning(5), *grainy, *panning(3)])) == []


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
