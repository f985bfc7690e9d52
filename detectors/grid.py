"""How much the blocks of a coder show."""

from __future__ import annotations

from typing import cast

import cv2
import numpy as np

from detectors import native
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
    every = max(EVERY, frame.height // LINES)
    group = (frame.width - GRID) // (GRID * GROUPS) * GRID
    band = -(-frame.height // every) // BANDS
    if group < GRID or band < 1:
        return None
    if native.kernels is not None:
        ratio: float | None = native.kernels.grid(
            frame.luma, every, frame.depth - 8, STRONG, BANDS, band, GROUPS, group, FLAT, EVEN, LEAST_PARTS
        )
        return ratio
    lines = eight_bit(cast(Plane, np.ascontiguousarray(frame.luma[::every])), frame.depth)
    width = group * GROUPS
    steps = cv2.absdiff(lines[:, 1 : width + 1], lines[:, :width])
    steps = cv2.threshold(steps, STRONG, 0, cv2.THRESH_TRUNC)[1]
    bands = (steps[n * band : (n + 1) * band] for n in range(BANDS))
    # Ten times as quick as means.
    sums = np.concatenate([cv2.reduce(one, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32F) for one in bands])
    parts = sums.reshape(BANDS, GROUPS, group).astype(np.float64)
    whole, columns = parts.sum(axis=2), parts[:, :, GRID - 1 :: GRID]
    told = whole > FLAT * (band * group)
    if np.count_nonzero(told) < LEAST_PARTS:
        return None
    everywhere = EVEN * np.sort(columns, axis=2)[:, :, columns.shape[2] // 2] * group
    on_grid = np.minimum(GRID * columns.sum(axis=2), everywhere)
    ratios = np.sort(on_grid[told] / whole[told])
    return float(ratios[len(ratios) // 2])


GRID_RATIO: Feature[Frame, float | None] = Feature("grid_ratio", _grid_ratio, rate_hz=SAMPLED_HZ)
"""Steps on the grid against all steps; None where the picture is flat, or too small."""
