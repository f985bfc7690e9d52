"""Blur: detail that goes everywhere at once is told; soft shots, shallow focus, fades and fog are not."""

import cv2
import numpy as np
import pytest

from detectors.picture.blur import DETECTOR, Blur, BlurParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, TRACK, frames, mixed, pan
from tests.rising import WithinAShot, slowly
from tests.run import edges

SIGMA = {Level.JUST: 1.2, Level.PLAIN: 2.4, Level.GROSS: 5.0}  # samples of 640 a line
SEEN_CODES, SEEN = 8, 0.01  # 8-bit code values by which so many of the samples change
SHRUNK = {Level.JUST: 2.5, Level.PLAIN: 4.0, Level.GROSS: 7.0}  # times, each way


def _blurred(picture: Picture, moment: Moment) -> Picture:
    """Out of focus, or a small picture enlarged."""
    if "upscaled" not in moment.memory:
        moment.memory["upscaled"] = moment.rng.random() < 0.5
    width = picture[0].shape[1]
    out = []
    for plane, half in zip(picture, (1, 2, 2), strict=True):
        tall, wide = plane.shape
        if moment.memory["upscaled"]:
            factor = SHRUNK[moment.level] / (1 if half == 1 else 1.5)
            small = cv2.resize(
                plane, (round(wide / factor), round(tall / factor)), interpolation=cv2.INTER_AREA
            )
            soft = cv2.resize(small, (wide, tall), interpolation=cv2.INTER_CUBIC)
        else:
            soft = cv2.GaussianBlur(plane, (0, 0), SIGMA[moment.level] * width / 640 / half)
        out.append(np.asarray(soft, np.uint8))
    return out[0], out[1], out[2]


def _shows(before: Picture, after: Picture) -> bool:
    """Whether anybody sees it: a picture without fine detail has none to lose."""
    return float((cv2.absdiff(before[0], after[0]) >= SEEN_CODES).mean()) >= SEEN


FAULT = Fault("blur", (4.0, 10.0), picture=_blurred, after_cut_s=1.0, shows=_shows)


def blur(**params: float) -> Blur:
    return DETECTOR(BlurParams(**params), TRACK)


class TestWithinAShot(WithinAShot):
    detector = DETECTOR
    injector = _blurred
    programme = slowly

    @pytest.mark.parametrize("seed", range(3))
    @pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
    def test_golden_dated_to_the_picture(self, level: Level, seed: int) -> None:
        self.dated_to_the_picture(level, seed)


def test_it_goes_on_in_a_shot_that_it_softens_less() -> None:
    gross = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    faint = [(np.asarray(128 + 0.7 * (y - 128.0), np.uint8), u, v) for y, u, v in slowly(6, seed=8)]
    less = [(np.asarray(cv2.GaussianBlur(y, (0, 0), 1.3), np.uint8), u, v) for y, u, v in faint[:75]]
    shown = [*slowly(3), *(_blurred(p, gross) for p in slowly(3, first=75)), *less, *faint[75:]]
    assert edges(blur(), frames(shown)) == [("opened", 3.0), ("closed", 9.0)]


def test_a_soft_shot_after_a_cut_is_programme() -> None:
    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    soft = [_blurred(p, moment) for p in slowly(5, seed=8)]
    assert edges(blur(), frames([*slowly(4), *soft, *slowly(3)])) == []


@pytest.mark.parametrize("pictures", [8, 12, 15])
def test_a_dissolve_from_a_still_to_a_soft_shot_is_programme(pictures: int) -> None:
    still = pan(0, seed=7)
    light = (np.asarray(110 + 0.5 * still[0], np.uint8), still[1], still[2])
    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    soft = [_blurred(mixed(p, light, 0.6), moment) for p in slowly(8, seed=7)]
    for at in range(4):
        shares = [min(1.0, max(0.0, (i - 75 - at) / pictures)) for i in range(200)]
        shown = [mixed(still, b, share) for b, share in zip(soft, shares, strict=True)]
        assert edges(blur(), frames(shown)) == []


def test_a_shot_that_is_soft_for_a_picture_before_a_cut_to_another_soft_one_is_programme() -> None:
    """A camera that turns away fast: its last picture that is looked at is smeared."""
    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    shown = [*slowly(4), *(_blurred(p, moment) for p in [*slowly(0.2, first=100), *slowly(5, seed=8)])]
    assert edges(blur(), frames([*shown, *slowly(3, seed=9)])) == []


@pytest.mark.parametrize("pictures", [20, 25])
def test_a_longer_dissolve_from_a_still_to_a_soft_still_is_programme(pictures: int) -> None:
    """All moves up to where sharpness went, and then nothing does."""
    still = pan(0, seed=7)
    luma, blue, red = mixed(still, pan(40, seed=8), 0.5)
    other = np.asarray(np.clip(0.8 * luma + 30.0, 0, 255), np.uint8), blue, red
    soft = _blurred(other, Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000))
    shown = [mixed(still, soft, min(1.0, max(0.0, (i - 75) / pictures))) for i in range(200)]
    assert edges(blur(), frames(shown)) == []


def test_shallow_depth_of_field_is_programme() -> None:
    def shallow(picture: Picture, moment: Moment) -> Picture:
        soft = _blurred(picture, moment)
        soft[0][60:210, 140:340] = picture[0][60:210, 140:340]  # the face in the middle is sharp
        return soft

    moment = Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    shown = [shallow(p, moment) if i >= 75 else p for i, p in enumerate(slowly(7))]
    assert edges(blur(), frames(shown)) == []


def test_focus_that_is_pulled_slowly_is_programme() -> None:
    def pulled(picture: Picture, sigma: float) -> Picture:
        if sigma <= 0:
            return picture
        return np.asarray(cv2.GaussianBlur(picture[0], (0, 0), sigma), np.uint8), picture[1], picture[2]

    shown = [pulled(p, min(4.0, (i - 75) / 12)) for i, p in enumerate(slowly(8))]
    assert edges(blur(), frames(shown)) == []


def test_a_misty_scene_that_was_as_soft_before_is_programme() -> None:
    """What there is of detail fades while contrast grows."""
    soft = [(np.asarray(cv2.GaussianBlur(y, (0, 0), 3.0), np.uint8), u, v) for y, u, v in slowly(7)]
    far = np.linspace(0, 120, soft[0][0].shape[1], dtype=np.float32)[None]
    shown = [
        (np.clip(0.3 * y.astype(np.float32) + far, 16, 235).astype(np.uint8), u, v) if i >= 75 else (y, u, v)
        for i, (y, u, v) in enumerate(soft)
    ]
    assert edges(blur(), frames(shown)) == []


def test_detail_that_was_fine_and_is_lost_by_half_is_told() -> None:
    """In a small raster, the same blur leaves more of it."""
    rng = np.random.default_rng(3)
    crisp = [
        (np.clip(y + rng.integers(-40, 40, y.shape) * (y > 90), 16, 235).astype(np.uint8), u, v)
        for y, u, v in [slowly(1)[0]] * 225
    ]
    soft = [(np.asarray(cv2.GaussianBlur(y, (0, 0), 1.6), np.uint8), u, v) for y, u, v in crisp]
    shown = [soft[i] if 75 <= i < 150 else crisp[i] for i in range(225)]
    assert edges(blur(), frames(shown)) == [("opened", 3.0), ("closed", 6.0)]


@pytest.mark.parametrize("lines", [1, 3, 8])
def test_a_title_that_goes_from_a_soft_picture_is_programme(lines: int) -> None:
    shown = [(np.asarray(cv2.GaussianBlur(y, (0, 0), 2.0), np.uint8), u, v) for y, u, v in slowly(8)]
    for luma, _, _ in shown[:100]:
        for line in range(lines):
            place = (30, 60 + 24 * line)
            cv2.putText(luma, "THE NAMES OF MANY PEOPLE", place, cv2.FONT_HERSHEY_SIMPLEX, 0.8, 230, 2)
    assert edges(blur(), frames(shown)) == []
