"""How much fine detail each part of a picture has, at two scales: what blur takes away and noise adds."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detectors.frame import SAMPLED_HZ, Feature, Frame
from detectors.picture_features import LUMA_HALF, TILE_COLUMNS, TILE_ROWS

Parts = npt.NDArray[np.float32]  # (TILE_ROWS * TILE_COLUMNS,) mean absolute detail, 8-bit code values

LEAST_SIDE = 100  # samples of the halved raster; smaller ones have no parts to speak of


class Detail(NamedTuple):
    """Mean distance of samples from their 3 x 3 neighbourhood in each of 9 x 16 parts."""

    fine: Parts  # of luma averaged over 2 x 2 samples
    coarse: Parts  # over 4 x 4 samples


def _parts(plane: npt.NDArray[np.uint8]) -> Parts:
    detail = cv2.absdiff(plane, cv2.blur(plane, (3, 3)))
    height, width = detail.shape
    rows, columns = (
        np.arange(TILE_ROWS + 1) * height // TILE_ROWS,
        np.arange(TILE_COLUMNS + 1) * width // TILE_COLUMNS,
    )
    corners = cv2.integral(detail)[rows][:, columns].astype(np.float32)
    sums = np.diff(np.diff(corners, axis=0), axis=1)
    return np.asarray(sums / np.outer(np.diff(rows), np.diff(columns)), np.float32).ravel()


def _detail(frame: Frame) -> Detail | None:
    half = frame[LUMA_HALF]
    height, width = half.shape
    if min(height, width) < LEAST_SIDE:
        return None
    quarter = cv2.resize(half, (width // 2, height // 2), interpolation=cv2.INTER_AREA)
    return Detail(_parts(half), _parts(np.asarray(quarter, np.uint8)))


DETAIL: Feature[Frame, Detail | None] = Feature("detail", _detail, rate_hz=SAMPLED_HZ)
"""Fine and coarse detail of 9 x 16 parts; None for rasters too small for it."""
