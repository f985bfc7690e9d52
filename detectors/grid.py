"""How much the blocks of a coder show."""

from __future__ import annotations

from functools import lru_cache
from typing import cast

import cv2
import numpy as np
import numpy.typing as npt

from detectors.frame import SAMPLED_HZ, Feature, Frame, Plane
from detectors.picture_features import eight_bit

GRID = 8  # samples; blocks of 16 have it too
BANDS, GROUPS = 6, 8  # parts of the picture, down and across
EVERY, LINES = 4, 90  # of so many lines one is looked at, or of more where that leaves more lines than these
STRONG = 40  # a step larger than this is the picture's own: 8-bit code values
FLAT = 0.4  # mean step of a part in which nothing can be told, 8-bit code values
LEAST_PARTS = 12  # of the 48 must be told
EVEN = 2.0  # times the median of the columns on the grid: what their mean is beyond is a line drawn there, no block


def _grid_ratio(frame: Frame) -> float | None:
    picked = frame.luma[:: max(EVERY, frame.height // LINES)]
    lines = eight_bit(cast(Plane, np.ascontiguousarray(picked)), frame.depth)
    group = (lines.shape[1] - GRID) // (GRID * GROUPS) * GRID
    band = lines.shape[0] // BANDS
    if group < GRID or band < 1:
        return None
    width = group * GROUPS
    steps = cv2.absdiff(lines[:, 1 : width + 1], lines[:, :width])
    steps = cv2.threshold(steps, STRONG, 0, cv2.THRESH_TRUNC)[1]
    sums = [  # ten times as quick as means
        cv2.reduce(steps[n * band : (n + 1) * band], 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
        for n in range(BANDS)
    ]
    means = np.concatenate(sums) * np.float32(1 / band)
    whole, on_grid = np.split(means @ _groups(group), 2, axis=1)
    told = whole > FLAT
    if np.count_nonzero(told) < LEAST_PARTS:
        return None
    columns = np.sort(means[:, GRID - 1 :: GRID].reshape(BANDS, GROUPS, -1), axis=2)
    everywhere = EVEN * columns[:, :, columns.shape[2] // 2]
    ratios = np.sort(np.minimum(on_grid, everywhere)[told] / whole[told])
    return float(ratios[len(ratios) // 2])


@lru_cache(maxsize=8)
def _groups(group: int) -> npt.NDArray[np.float32]:
    """From steps along a line to their means in each group of so many, and to the means of those on the grid."""
    one = np.full((group, 1), 1.0 / group)
    on_grid = np.zeros((group, 1))
    on_grid[GRID - 1 :: GRID] = GRID / group
    each = np.eye(GROUPS)
    return np.concatenate([np.kron(each, one), np.kron(each, on_grid)], axis=1).astype(np.float32)


GRID_RATIO: Feature[Frame, float | None] = Feature("grid_ratio", _grid_ratio, rate_hz=SAMPLED_HZ)
"""Steps on the grid against all steps; None where the picture is flat, or too small."""
