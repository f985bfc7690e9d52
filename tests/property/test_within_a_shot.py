"""What tells faults of the picture within a shot: the verdict keeps to the fault, whatever the hour and the light."""

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.catalogue import AnyDetector
from detectors.picture.black_bars import DETECTOR as BLACK_BARS
from detectors.picture.blockiness import DETECTOR as BLOCKINESS
from detectors.picture.blur import DETECTOR as BLUR
from detectors.picture.chroma_loss import DETECTOR as CHROMA_LOSS
from detectors.picture.levels import DETECTOR as LEVELS
from detectors.picture.picture_noise import DETECTOR as NOISE
from tests.injection import Level, Moment, Picture
from tests.patterns import FPS, TRACK, frames
from tests.rising import slowly
from tests.run import edges
from tests.unit.detectors.picture import (
    test_black_bars,
    test_blockiness,
    test_blur,
    test_chroma_loss,
    test_levels,
    test_picture_noise,
)


@dataclass(frozen=True)
class Case:
    """A detector and what it is to find."""

    detector: AnyDetector
    fault: Callable[[Picture, Moment], Picture | None] | None


CASES = {
    "black_bars": Case(BLACK_BARS, test_black_bars.FAULT.picture),
    "blockiness": Case(BLOCKINESS, test_blockiness.FAULT.picture),
    "blur": Case(BLUR, test_blur.FAULT.picture),
    "chroma_loss": Case(CHROMA_LOSS, test_chroma_loss.FAULT.picture),
    "levels": Case(LEVELS, test_levels.FAULT.picture),
    "picture_noise": Case(NOISE, test_picture_noise.FAULT.picture),
}
FIRST, LAST = 60, 160  # pictures of the fault, in 7.6 s


def lit(picture: Picture, lift: int) -> Picture:
    """The same scene in another light."""
    luma = np.clip(picture[0].astype(np.int16) + lift, 16, 235).astype(np.uint8)
    return luma, picture[1], picture[2]


@pytest.mark.parametrize("name", sorted(CASES))
@settings(max_examples=3, deadline=None)
@given(hour=st.integers(0, 100_000), lift=st.integers(-12, 12), flipped=st.booleans())
def test_the_verdict_keeps_to_the_fault(name: str, hour: int, lift: int, flipped: bool) -> None:
    case, moment = CASES[name], Moment(Level.GROSS, np.random.default_rng(1), float(FPS), 48_000)
    shown = []
    for index, picture in enumerate(slowly(7.6)):
        scene = lit(picture, lift)
        if flipped:
            scene = (
                np.asarray(cv2.flip(scene[0], 1), np.uint8),
                np.asarray(cv2.flip(scene[1], 1), np.uint8),
                np.asarray(cv2.flip(scene[2], 1), np.uint8),
            )
        if FIRST <= index < LAST:
            assert case.fault is not None
            broken = case.fault(scene, moment)
            assert broken is not None
            scene = broken
        shown.append(scene)
    found = edges(case.detector(case.detector.Params(), TRACK), frames(shown, start_s=hour))
    assert found == [("opened", hour + FIRST / FPS), ("closed", hour + LAST / FPS)]
