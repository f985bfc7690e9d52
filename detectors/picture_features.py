"""Values computed from a picture at most once. Add one here when a second detector needs it, not before.

Bit depth and sampling are normalised here, once: all code values below are 8-bit.
"""

from __future__ import annotations

import sys
from functools import lru_cache
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
import numpy.typing as npt

from detectors import native
from detectors.frame import SAMPLED_HZ, Feature, Frame, Matrix, Plane

Small = npt.NDArray[np.uint8]  # (about 135 lines, about 400 samples of a 16:9 picture), 8-bit code values
Tiles = npt.NDArray[np.float32]  # (TILE_ROWS, TILE_COLUMNS)
Lines = npt.NDArray[np.float32]  # (lines of the thinned raster,)

_WORDS = {2: np.uint16, 4: np.uint32} if sys.byteorder == "little" else {}  # by bytes
SMALL_WIDTH = 400  # samples a line are thinned to about this many
TILE_ROWS, TILE_COLUMNS = 9, 16
STRIP = 20  # lines of the halved raster


def thin(plane: Plane, depth: int, step: int) -> Small:
    """Every `step`-th sample of every 1.6 `step`-th line as 8-bit code values, unfiltered.

    Lines cost more than samples: each one is a walk through memory that the decoder has left long ago, and walking
    along whole ones is half as dear as picking samples on the way.
    """
    every = max(1, round(1.6 * step))
    if native.kernels is not None and native.fits(plane):
        out = np.empty((-(-plane.shape[0] // every), -(-plane.shape[1] // step)), np.uint8)
        native.kernels.thin(plane, step, every, depth - 8, out)
        return out
    lines: Any = np.ascontiguousarray(plane[::every])
    # Where the samples of a step make one machine word, its lowest byte is the first of them, and quickly had.
    word = _WORDS.get(step * lines.itemsize) if lines.shape[1] % step == 0 else None
    picked = lines[:, ::step] if word is None else lines.view(word)
    if depth > 8:
        picked = picked >> (depth - 8)
    return np.asarray(picked.astype(np.uint8, order="C"), np.uint8)


def every_second(small: Small) -> Small:
    """Every second sample of every second line."""
    lines = small[::2]
    if 2 not in _WORDS or lines.shape[1] % 2:
        return np.ascontiguousarray(lines[:, ::2])
    return np.asarray(lines.view(_WORDS[2]).astype(np.uint8))  # the lower byte is the first of two


def eight_bit(plane: Plane, depth: int) -> npt.NDArray[np.uint8]:
    """The whole raster as 8-bit code values, rounded; `plane` itself where it is so already."""
    if depth == 8:
        return plane.view(np.uint8)
    return np.asarray(cv2.convertScaleAbs(plane, alpha=1.0 / (1 << (depth - 8))), np.uint8)


def halved(plane: npt.NDArray[Any], out: npt.NDArray[Any] | None = None) -> npt.NDArray[Any]:
    """Averaged over 2 x 2 samples; into `out`, where that is given. What is left over of an odd size is cut off."""
    height, width = plane.shape
    if out is None:
        out = np.empty((max(1, height // 2), max(1, width // 2)), plane.dtype)
    if (
        native.kernels is not None
        and plane.dtype == np.uint8
        and min(height, width) > 1
        and native.fits(plane)
    ):
        native.kernels.halve(plane, out)
    else:
        even = plane[: max(1, height & ~1), : max(1, width & ~1)]
        cv2.resize(even, out.shape[::-1], dst=out, interpolation=cv2.INTER_AREA)
    return out


def _luma_half(frame: Frame) -> npt.NDArray[np.uint8]:
    return eight_bit(cast(Plane, halved(frame.luma)), frame.depth)


LUMA_HALF: Feature[Frame, npt.NDArray[np.uint8]] = Feature("luma_half", _luma_half, rate_hz=SAMPLED_HZ)
"""Luma averaged over 2 x 2 samples, (height // 2, width // 2) 8-bit code values."""


def _luma_strips(frame: Frame) -> npt.NDArray[np.uint8]:
    if frame.height // 2 <= TILE_ROWS * STRIP or frame.width < 2:
        return frame[LUMA_HALF]
    middles = (2 * np.arange(TILE_ROWS) + 1) * (frame.height // 2) // (2 * TILE_ROWS)
    width = frame.width // 2
    out = np.empty((TILE_ROWS * STRIP, width), frame.luma.dtype)
    for n, first in enumerate((2 * (middles - STRIP // 2)).tolist()):
        halved(frame.luma[first : first + 2 * STRIP, : 2 * width], out[n * STRIP : (n + 1) * STRIP])
    return eight_bit(out, frame.depth)


LUMA_STRIPS: Feature[Frame, npt.NDArray[np.uint8]] = Feature("luma_strips", _luma_strips, rate_hz=SAMPLED_HZ)
"""The middle `STRIP` lines of each row of tiles of `LUMA_HALF`, one below the other; all of it where it has no more."""


def _luma_small(frame: Frame) -> Small:
    return thin(frame.luma, frame.depth, max(1, round(frame.width / SMALL_WIDTH)))


LUMA_SMALL: Feature[Frame, Small] = Feature("luma_small", _luma_small)
"""Luma thinned to about 400 samples a line."""


def _chroma_small(frame: Frame) -> tuple[Small, Small] | None:
    if frame.chroma is None:
        return None
    step = max(1, round(frame.chroma[0].shape[1] / SMALL_WIDTH * 2))
    return thin(frame.chroma[0], frame.depth, step), thin(frame.chroma[1], frame.depth, step)


CHROMA_SMALL: Feature[Frame, tuple[Small, Small] | None] = Feature("chroma_small", _chroma_small)
"""Cb and Cr thinned to about 200 samples a line; None where the stream is monochrome."""


class Spread(NamedTuple):
    """Mean and standard deviation in 8-bit code values."""

    mean: float
    deviation: float


def spread(plane: Small) -> Spread:
    """Mean and standard deviation of a plane."""
    if native.kernels is not None:
        return Spread(*native.kernels.spread(plane))
    mean, deviation = cv2.meanStdDev(plane)
    return Spread(float(mean[0, 0]), float(deviation[0, 0]))


LUMA_SPREAD: Feature[Frame, Spread] = Feature("luma_spread", lambda f: spread(f[LUMA_SMALL]))
"""Mean and standard deviation of the thinned luma."""


def _chroma_spread(frame: Frame) -> tuple[Spread, Spread] | None:
    planes = frame[CHROMA_SMALL]
    return None if planes is None else (spread(planes[0]), spread(planes[1]))


CHROMA_SPREAD: Feature[Frame, tuple[Spread, Spread] | None] = Feature("chroma_spread", _chroma_spread)
"""Mean and standard deviation of thinned Cb and Cr."""


KR_KB: dict[Matrix, tuple[float, float]] = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
"""The weights of red and blue in luma: ITU-R BT.601, BT.709 and BT.2020."""


def black_code(full_range: bool) -> int:
    """The 8-bit code of black."""
    return 0 if full_range else 16


def white_code(full_range: bool) -> int:
    """The 8-bit code of white."""
    return 255 if full_range else 235


class Histogram(NamedTuple):
    """How many samples have each level: `whole` picture and its `centre` (the middle 70 % each way).

    (256,) counts of levels above black in 8-bit codes; what lies below black counts as level 0. `range` is
    the distance from black to white.
    """

    whole: npt.NDArray[np.float32]
    centre: npt.NDArray[np.float32]
    range: int


def _histogram(frame: Frame) -> Histogram:
    small = frame[LUMA_SMALL]
    black = black_code(frame.full_range)
    height, width = small.shape
    top, left = height * 3 // 20, width * 3 // 20
    whole = counts_of(small)
    inner = counts_of(small[top : height - top or None, left : width - left or None])
    return Histogram(
        _from_black(whole, black), _from_black(inner, black), white_code(frame.full_range) - black
    )


def counts_of(plane: Small) -> npt.NDArray[np.float32]:
    """(256,) how many samples have each level."""
    if native.kernels is not None:
        counts = np.empty(256, np.float32)
        native.kernels.levels(plane, counts)
        return counts
    return cv2.calcHist([plane], [0], None, [256], [0, 256]).ravel().astype(np.float32, copy=False)


def _from_black(counts: npt.NDArray[np.float32], black: int) -> npt.NDArray[np.float32]:
    if not black:
        return counts
    shifted = np.zeros_like(counts)
    shifted[: 256 - black] = counts[black:]
    shifted[0] += counts[:black].sum()
    return shifted


LUMA_HISTOGRAM: Feature[Frame, Histogram] = Feature("luma_histogram", _histogram)
"""Level counts of the whole picture and of its centre."""


@lru_cache(maxsize=8)
def _tile_corners(height: int, width: int) -> tuple[npt.NDArray[np.intp], Tiles]:
    """Where in an integral of such a plane the corners of tiles are, and the tiles' sizes in samples."""
    rows = np.arange(TILE_ROWS + 1) * height // TILE_ROWS
    columns = np.arange(TILE_COLUMNS + 1) * width // TILE_COLUMNS
    sizes = np.outer(np.diff(rows), np.diff(columns)).astype(np.float32)
    return rows[:, None] * (width + 1) + columns, np.maximum(sizes, 1)


def integral(plane: Small) -> npt.NDArray[np.int32]:
    """(height + 1, width + 1) sums of all that is above and to the left of a sample."""
    return cast("npt.NDArray[np.int32]", cv2.integral(plane))


def tile_means(sums: npt.NDArray[np.int32]) -> Tiles:
    """The mean of each of 9 x 16 tiles of a plane, from its integral."""
    places, sizes = _tile_corners(sums.shape[0] - 1, sums.shape[1] - 1)
    corners = sums.ravel()[places]
    upper = corners[1:] - corners[:-1]
    return np.divide(upper[:, 1:] - upper[:, :-1], sizes, dtype=np.float32)


class Change:
    """How much a picture differs from the one before, in 8-bit code values: mean absolute differences."""

    __slots__ = ("_differs", "_size", "_sums", "_tiles", "lines", "mean")

    def __init__(self, now: Small, before: Small) -> None:
        """Both of one size."""
        self._size = height, width = now.shape
        self._tiles: Tiles | None = None
        if native.kernels is not None:
            self.lines: Lines = np.empty(height, np.float32)  # of each line
            self._sums: Tiles = np.empty((TILE_ROWS, TILE_COLUMNS), np.float32)
            total = native.kernels.change(now, before, self.lines, self._sums)
        else:
            self._differs = cast(Small, cv2.absdiff(now, before))
            # Ten times as quick as the mean.
            of_lines = cv2.reduce(self._differs, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel()
            self.lines = np.asarray(of_lines / width, np.float32)
            total = cv2.norm(self._differs, cv2.NORM_L1)
        self.mean = total / (height * width)  # of the whole picture

    def within(self, rows: tuple[int, int], columns: tuple[int, int]) -> float:
        """Of the tiles from one row and column to before another."""
        lines, samples, size = _samples_within(*self._size, rows, columns)
        if native.kernels is not None:
            total = float(np.add.reduce(self._sums[slice(*rows), slice(*columns)], axis=None))
        else:
            total = cv2.norm(self._differs[lines, samples], cv2.NORM_L1)
        return total / size

    @property
    def tiles(self) -> Tiles:
        """Of each of 9 x 16 tiles."""
        if self._tiles is None:
            if native.kernels is not None:
                self._tiles = self._sums / _tile_corners(*self._size)[1]
            else:
                self._tiles = tile_means(integral(self._differs))
        return self._tiles


@lru_cache(maxsize=8)
def _samples_within(
    height: int, width: int, rows: tuple[int, int], columns: tuple[int, int]
) -> tuple[slice, slice, int]:
    """The lines and the samples of some tiles of such a plane, and how many samples that are."""
    top, bottom = (row * height // TILE_ROWS for row in rows)
    left, right = (column * width // TILE_COLUMNS for column in columns)
    return slice(top, bottom), slice(left, right), max(1, (bottom - top) * (right - left))


def difference(now: Small, before: Small) -> Change | None:
    """The change from `before` to `now`; None when their sizes differ."""
    return Change(now, before) if now.shape == before.shape else None


def _change(frame: Frame) -> Change | None:
    if frame.previous is None:
        return None
    return difference(frame[LUMA_SMALL], frame.previous[LUMA_SMALL])


LUMA_CHANGE: Feature[Frame, Change | None] = Feature("luma_change", _change)
"""Change of the thinned luma since the previous picture; None when there is no past or the size changed."""
