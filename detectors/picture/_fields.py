"""Which field of an interlaced picture comes first, by its movement: a part of `combing`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from statistics import median
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from contracts.findings import Finding, Severity
from detectors.detector import Detector
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold

BANDS, LINES, WIDTH = 16, 10, 640  # of the full raster, spread evenly down and across; so wide at most
ACROSS = 5  # bands below each other lie apart: no divisor of BANDS
MOVED = 14  # 8-bit code values by which a sample has changed since the same field of the picture before
TELLING = 0.006  # share of the samples that move: with less, nothing is known
LEAST_RATIO = 1.15  # of the two distances: in movement faster than texture is coarse, they are hardly unlike
BIAS = 1.0  # 8-bit code values: what noise differs by
LOOKS = 8  # telling ones, of which none may say otherwise


def bands(frame: Frame) -> Any:
    """(BANDS, LINES, WIDTH or less) 8-bit code values of whole lines' parts, each from a line of the top field on.

    None of a raster too small for them.
    """
    if frame.height < BANDS * LINES:
        return None
    tops, lefts, wide = corners(frame.height, frame.width)
    parts = [frame.luma[y : y + LINES, x : x + wide] for y, x in zip(tops, lefts, strict=True)]
    picked: Any = np.concatenate(parts).reshape(BANDS, LINES, -1)
    return picked if frame.depth == 8 else (picked >> (frame.depth - 8)).astype(np.uint8)


@lru_cache(maxsize=8)
def corners(height: int, width: int) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], int]:
    """The first line and column of each band, and how wide they are."""
    wide, band = min(WIDTH, width), np.arange(BANDS)
    tops = band * (height - LINES) // (BANDS - 1) // 2 * 2
    lefts = band * ACROSS % BANDS * (width - wide) // (BANDS - 1)
    return tops.astype(np.int32), lefts.astype(np.int32), wide


class Order(NamedTuple):
    """What the stream says of its fields, and how much movement contradicts it."""

    top_first: bool
    against: float  # times that the one said to be first is farther from the last field before than the other one is


def _order(frame: Frame) -> Order | None:
    before = frame.previous
    if frame.top_first is None or before is None or before.top_first != frame.top_first:
        return None
    if before.luma.shape != frame.luma.shape or (picked := bands(frame)) is None:
        return None
    now, past = picked.astype(np.int16), bands(before).astype(np.int16)
    top, lower = now[:, 2:-1:2], now[:, 1:-2:2]
    moves_top = np.abs(top - past[:, 2:-1:2]) >= MOVED
    moves_lower = np.abs(lower - past[:, 1:-2:2]) >= MOVED
    if min(moves_top.mean(), moves_lower.mean()) < TELLING:
        return None
    # Each line lies half way between two lines of the other field.
    far_top = float(np.abs(2 * top - past[:, 1:-2:2] - past[:, 3::2])[moves_top].mean()) + BIAS
    far_lower = float(np.abs(2 * lower - past[:, :-2:2] - past[:, 2::2])[moves_lower].mean()) + BIAS
    return Order(frame.top_first, far_top / far_lower if frame.top_first else far_lower / far_top)


ORDER: Feature[Frame, Order | None] = Feature("field_order", _order, rate_hz=5.0)
"""None where the stream is not interlaced, or hardly anything moves."""


class Reversed:
    """Tells a stream whose movement goes back and forth when its fields are shown in the order that it states.

    The field that is shown first is one moment away from the last field before, and the other one three. In what says
    that it is interlaced and is not, both are alike.
    """

    def __init__(self, detector: Detector[Any]) -> None:
        self._hold = Hold(
            detector,
            value="field_order_ratio",
            unit="ratio",
            threshold=LEAST_RATIO,
            open_ns=0,
            severity=Severity.WARNING,
        )
        self._looks: deque[tuple[int, float]] = deque(maxlen=LOOKS)

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Does movement contradict what the stream says?"""
        order = view[ORDER]
        if order is None:
            return
        self._looks.append((view.at_ns, order.against))
        ratios = [ratio for _, ratio in self._looks]
        ratio = median(ratios)
        if self._hold.is_open:
            over = ratio <= 1  # dated where it began to be so
            at_ns = next(at for at, one in self._looks if one <= 1) if over else view.at_ns
            yield from self._hold.update(at_ns, not over, ratio, end_ns=view.end_ns)
        elif len(ratios) == LOOKS and ratio >= LEAST_RATIO and min(ratios) > 1:
            said, seen = ("top", "bottom") if order.top_first else ("bottom", "top")
            yield from self._hold.update(
                self._looks[0][0], True, ratio, end_ns=view.end_ns,
                detail=f"fields in the wrong order: the stream says {said} first, movement says {seen} first",
            )  # fmt: skip

    def forget(self, at_ns: int) -> Iterator[Finding]:
        """Another clock, or another stream."""
        self._looks.clear()
        yield from self._hold.reset(at_ns)
