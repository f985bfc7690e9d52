"""Picture noise: snow, grain or analogue noise over the whole picture.

Measures  `noise_floor`, 8-bit code values: mean distance of samples (averaged over 2 x 2) from their neighbourhood in
          the quietest parts of the picture, once a second.
Defect    `picture_noise`, warning: within a shot, the floor rises at once to `min_floor` or more and to `min_rise`
          times what it was, for `min_seconds`; or, at a cut too, to `certain_floor` in a stream that was clean. And
          what is seen there is not in the picture before, wherever the camera went since: texture that comes into
          view moves, noise is new each time. Dated at the first such picture, closed when the floor is down again or
          what is seen recurs. What has texture only here and there (rain, confetti, water) leaves quiet parts.
Blind to  Noise of a whole programme or shot (film grain, high gain), noise that grows slowly, noise that a coder at low
          bit rate takes away, turns into blocks or repeats; weak noise that begins with a cut or within a fifth of a
          second of one, or over texture that moves; rasters of less than 200 lines.
Source    Noise estimation in the most homogeneous blocks, as in Amer and Dubois 2005; comparison within the shot, and
          with the picture before by template matching (normalised cross-correlation), are our own.
"""

from statistics import median
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from detectors.detail import DETAIL, ranked
from detectors.detector import Params
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView, Plane
from detectors.grid import GRID_RATIO
from detectors.picture_features import TILE_COLUMNS, TILE_ROWS, eight_bit
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Rise

BLOCKS, NOTHING_BUT_BLOCKS = 1.35, 1.6  # steps on the grid against all steps: a coder has taken noise away
QUIET_RANK = 0.15  # of the parts are quieter
QUIET, LOOKED_AT = slice(4, 40), 16  # parts among which it is told, and how many of them
TALL, WIDE = 16, 48  # of the halved raster, in each of them
DOWN, ASIDE = 6, 20  # so far the picture may have moved, samples of 320 a line
RANDOM, RECURRENT = 0.4, 0.55  # correlation with the picture before, at its best: noise; texture that moves


def _recurs(frame: Frame) -> float | None:
    detail, before = frame[DETAIL], frame.previous
    if detail is None or before is None or before.luma.shape != frame.luma.shape:
        return None
    height, width = frame.luma.shape
    scale = max(1, round(width / 640))
    down, aside = scale * DOWN, scale * ASIDE
    found: list[float] = []
    for part in np.argsort(detail.fine)[QUIET]:
        row, column = divmod(int(part), TILE_COLUMNS)
        y = (2 * row + 1) * height // (2 * TILE_ROWS) - TALL
        x = (2 * column + 1) * width // (2 * TILE_COLUMNS) - WIDE
        left, right = max(0, x - 2 * aside), min(width, x + 2 * (WIDE + aside))
        top, bottom = max(0, y - 2 * down), min(height, y + 2 * (TALL + down))
        if x < 0 or y < 0 or x + 2 * WIDE > width or y + 2 * TALL > height:
            continue
        now = _fine(frame, slice(y, y + 2 * TALL), slice(x, x + 2 * WIDE))
        past = _fine(before, slice(top, bottom), slice(left, right))
        found.append(float(cv2.matchTemplate(past, now, cv2.TM_CCOEFF_NORMED).max()))
        if len(found) == LOOKED_AT:
            break
    return median(found) if found else None


def _fine(frame: Frame, lines: slice, samples: slice) -> npt.NDArray[np.float32]:
    """Fine detail of a part of the halved raster, code values."""
    part = frame.luma[lines, samples]
    half = cv2.resize(part, (part.shape[1] // 2, part.shape[0] // 2), interpolation=cv2.INTER_AREA)
    values = eight_bit(cast(Plane, half), frame.depth).astype(np.float32)
    return np.asarray(values - cv2.blur(values, (3, 3)), np.float32)


RECURS: Feature[Frame, float | None] = Feature("recurs", _recurs, rate_hz=SAMPLED_HZ)
"""How well fine detail of quiet parts is found again in the picture before, moved or not: correlation, the median."""


def _noise_floor(frame: Frame) -> float | None:
    detail, blocks = frame[DETAIL], frame[GRID_RATIO]
    if detail is None:
        return None
    floor = ranked(detail.fine, QUIET_RANK)
    if blocks is None or blocks < BLOCKS:
        return floor
    recurs = None if blocks >= NOTHING_BUT_BLOCKS else frame[RECURS]
    return None if recurs is None or recurs > RANDOM else floor


NOISE_FLOOR: Feature[Frame, float | None] = Feature("noise_floor", _noise_floor, rate_hz=SAMPLED_HZ)
"""Fine detail of the quietest parts; None for rasters too small for it, and where blocks show instead."""


class PictureNoiseParams(Params):
    """What counts as noise."""

    min_floor: float = Field(default=0.8, ge=0, le=64, description="noise floor, 8-bit code values")
    min_rise: float = Field(default=2.0, ge=1, le=100, description="times the noise floor before")
    certain_floor: float = Field(
        default=7.0, ge=0, le=64, description="noise floor that no shot brings with it, 8-bit code values"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class PictureNoise(RisingDetector[PictureNoiseParams]):
    """See the module's docstring."""

    id = "picture_noise"
    needs = (NOISE_FLOOR, RECURS, PATCHES)
    compares = True
    measures = NOISE_FLOOR
    unit = "code values"
    Params = PictureNoiseParams

    def __init__(self, params: PictureNoiseParams, track: str | None) -> None:
        rise = Rise(
            floor=params.min_floor,
            factor=params.min_rise,
            plus=0.5,
            back=0.5,
            certain=params.certain_floor,
        )
        super().__init__(params, track, rise=rise, threshold=params.min_floor, min_seconds=params.min_seconds)
        self._recurs = 0.0  # in the picture looked at before, while it is noisier

    def since(self, view: PictureView, reading: float) -> int | None:
        """Since when it has been noisier: by what the picture before does not have, moved or not."""
        if self._rise.is_up:
            recurs = view[RECURS] or 0.0
            if min(recurs, self._recurs) >= RECURRENT:
                self._rise.withdraw()
            self._recurs = recurs
        else:
            self._recurs = 0.0
        return self._rise.update(
            view.at_ns, view[PATCHES], reading, new=lambda: (view[RECURS] or 1.0) <= RANDOM
        )


DETECTOR = PictureNoise
