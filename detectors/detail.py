"""How much fine detail each part of a picture has, at two scales: what blur takes away and noise adds."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detectors import native
from detectors.frame import SAMPLED_HZ, Feature, Frame
from detectors.picture_features import LUMA_STRIPS, TILE_COLUMNS, TILE_ROWS, halved

Parts = npt.NDArray[np.float32]  # (TILE_ROWS * TILE_COLUMNS,) mean absolute detail, 8-bit code values
Index = npt.NDArray[np.intp]

LEAST_SIDE = 100  # samples of the halved raster; smaller ones have no parts to speak of


class Detail(NamedTuple):
    """Mean distance of samples from their 3 x 3 neighbourhood in each of 9 x 16 parts."""

    fine: Parts  # of luma averaged over 2 x 2 samples
    coarse: Parts  # over 4 x 4 samples


@lru_cache(maxsize=16)
def _edges(height: int, width: int, seam: int) -> tuple[Index, Index, Parts]:
    """Where in a flat integral the corners of parts lie, (upper and lower) x columns; and the parts' sizes."""
    rows = np.arange(TILE_ROWS + 1) * height // TILE_ROWS
    columns = np.arange(TILE_COLUMNS + 1) * width // TILE_COLUMNS
    upper, lower = rows[:-1] + seam, rows[1:] - seam
    sizes = np.outer(lower - upper, np.diff(columns)).astype(np.float32)
    return upper[:, None] * (width + 1) + columns, lower[:, None] * (width + 1) + columns, sizes


def _parts(plane: npt.NDArray[np.uint8], seam: int = 0) -> Parts:
    """Means of each part, without the `seam` lines at its upper and lower edge."""
    if native.kernels is not None:
        parts = np.empty((TILE_ROWS, TILE_COLUMNS), np.float32)
        native.kernels.detail(plane, seam, parts)
        return parts.ravel()
    sums = cv2.integral(cv2.absdiff(plane, cv2.blur(plane, (3, 3)))).ravel()
    upper, lower, sizes = _edges(*plane.shape, seam)
    corners = sums.take(lower) - sums.take(upper)
    return np.asarray((corners[:, 1:] - corners[:, :-1]) / sizes, np.float32).ravel()


def _detail(frame: Frame) -> Detail | None:
    if min(frame.height, frame.width) // 2 < LEAST_SIDE:
        return None
    half = frame[LUMA_STRIPS]
    seam = int(half.shape[0] < frame.height // 2)
    if half.shape[0] % 2 or half.shape[1] % 2:  # all of it, at any size
        size = (half.shape[1] // 2, half.shape[0] // 2)
        quarter = np.asarray(cv2.resize(half, size, interpolation=cv2.INTER_AREA), np.uint8)
    else:
        quarter = halved(half)
    return Detail(_parts(half, seam), _parts(quarter, seam))


DETAIL: Feature[Frame, Detail | None] = Feature("detail", _detail, rate_hz=SAMPLED_HZ)
"""Fine and coarse detail of 9 x 16 parts; None for rasters too small for it."""


def ranked(values: Parts, rank: float) -> float:
    """The value that a share `rank` of the others is below."""
    return float(np.sort(values)[round(rank * (len(values) - 1))])
