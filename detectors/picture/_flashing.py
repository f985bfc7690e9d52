"""Whether parts of a raster brighten and darken together so often that it is harmful: see `flash`."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from detectors import native
from detectors.picture_features import Small

Blocks = npt.NDArray[np.float32]  # (BLOCK_ROWS, BLOCK_COLUMNS)

BLOCK_ROWS, BLOCK_COLUMNS = 18, 32
COHERENT = 0.6  # a block changes its light when of its samples that do, so many more go one way
TOGETHER_NS = 90_000_000  # changes within this time are one
STIRS = 0.04  # of the samples change: below this share, nothing flashes
LEAST_WEIGHT = 0.1  # of a block must change
ROUNDED = 0.002  # shares of blocks are rounded to 8 bits
AGAIN = 0.2  # of its blocks change back: then it is another change
SECOND_NS = 1_000_000_000
WINDOW_NS = 995_000_000  # less than a second, by less than a picture
APART_NS = 400_000_000  # after such a gap flashing begins: the change before it was the programme's own
MOST_CHANGES = 128  # remembered


def reach(plane: Any, least: int) -> Any:
    """255 where the plane is at least that, else 0."""
    return cv2.threshold(plane, least - 1, 255, cv2.THRESH_BINARY)[1]


class _Turns:
    """Where each sample turned: by `step` up from its lowest since the last turn, or down from its highest.

    Where samples are marked at times, a turn counts once its sample has been marked on either side of it.
    """

    def __init__(self, plane: Small, step: int) -> None:
        self._high: Any = plane.copy()
        self._low: Any = plane.copy()
        self._may_rise: Any = np.full_like(plane, 255)
        self._may_fall: Any = np.full_like(plane, 255)
        self._step = step
        self._turned: Any = (np.zeros_like(plane), np.zeros_like(plane))  # risen, fallen, lately
        self._marked: Any = np.zeros_like(plane)  # since the last turn, the picture of that turn included
        self._owed: Any = (np.zeros_like(plane), np.zeros_like(plane))  # risen, fallen, and not counted yet

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self._high.shape)

    def add(self, plane: Small, marks: Small | None = None) -> tuple[Small, Small] | None:
        """(risen, fallen): 255 where a turn counts with this picture, until the next; None when hardly any does.

        `marks` is 255 where a sample is marked; without it, all are.
        """
        if native.kernels is not None:
            risen, fallen = self._turned
            turned = native.kernels.turns(
                plane, self._step, self._high, self._low, self._may_rise, self._may_fall, risen, fallen
            )
        else:
            risen, fallen, turned = self._turn(plane)
        if marks is not None:
            risen, fallen = self._counted(risen, fallen, marks)
            turned = cv2.countNonZero(risen), cv2.countNonZero(fallen)
        if sum(turned) < STIRS * plane.size:
            return None
        return risen, fallen

    def _turn(self, plane: Small) -> tuple[Any, Any, tuple[int, int]]:
        risen = reach(cv2.subtract(plane, self._low), self._step)
        fallen = reach(cv2.subtract(self._high, plane), self._step)
        turned = cv2.countNonZero(risen), cv2.countNonZero(fallen)
        if turned[0]:
            self._may_rise = cv2.subtract(self._may_rise, risen)
            self._may_fall = cv2.bitwise_or(self._may_fall, risen)
        if turned[1]:
            self._may_fall = cv2.subtract(self._may_fall, fallen)
            self._may_rise = cv2.bitwise_or(self._may_rise, fallen)
        # A sample that may not fall has no highest value, one that may not rise no lowest.
        self._high = cv2.bitwise_and(cv2.max(self._high, plane), self._may_fall)
        self._low = cv2.bitwise_or(cv2.min(self._low, plane), cv2.bitwise_not(self._may_rise))
        return risen, fallen, turned

    def _counted(self, risen: Any, fallen: Any, marks: Any) -> tuple[Any, Any]:
        marked = cv2.bitwise_or(self._marked, marks)
        owed = (
            cv2.bitwise_or(cv2.subtract(self._owed[0], fallen), risen),
            cv2.bitwise_or(cv2.subtract(self._owed[1], risen), fallen),
        )
        counted = tuple(cv2.bitwise_and(turns, marked) for turns in owed)
        self._owed = tuple(cv2.subtract(a, b) for a, b in zip(owed, counted, strict=True))
        forgotten = cv2.subtract(cv2.bitwise_or(risen, fallen), marks)
        self._marked = cv2.subtract(marked, forgotten)
        return counted[0], counted[1]


@dataclass(slots=True)
class _Change:
    """Blocks that changed together: the share of each that did, positive where it brightened."""

    at_ns: int
    blocks: Blocks


class Sequence:
    """Changes of one quantity, light or red, and whether they are a harmful sequence."""

    def __init__(self, max_area: float, max_flashes: int) -> None:
        """`max_area`: ratio of the raster that may flash. `max_flashes`: how many a second are allowed."""
        self._max_area, self._max_flashes = max_area, max_flashes
        self._turns: _Turns | None = None
        self._pending = np.zeros((BLOCK_ROWS, BLOCK_COLUMNS), np.float32)  # signed share that has turned
        self._touched = np.full((BLOCK_ROWS, BLOCK_COLUMNS), -SECOND_NS, np.int64)
        self._sign = np.zeros((BLOCK_ROWS, BLOCK_COLUMNS), np.float32)  # direction of the last change
        self._changes: deque[_Change] = deque(maxlen=MOST_CHANGES)
        self.area = 0.0  # of the latest change

    def clear(self) -> None:
        """The past is void."""
        self._turns = None
        self._changes.clear()
        self._pending[:], self._sign[:] = 0, 0

    def add(
        self, at_ns: int, plane: Small, step: int, marks: Small | None = None
    ) -> tuple[int, float] | None:
        """(beginning, flashes a second) of a harmful sequence that goes on in this picture, else None.

        With `marks`, 255 where it matters, only changes to or from there count.
        """
        self.area = 0.0
        if self._turns is None or self._turns.shape != plane.shape:
            self.clear()
            self._turns = _Turns(plane, step)
            return None
        turned = self._turns.add(plane, marks)
        if turned is None:
            return None
        self._gather(at_ns, *turned)
        new = (np.abs(self._pending) >= LEAST_WEIGHT) & (np.sign(self._pending) != self._sign)
        if not new.any():
            return None
        self._sign[new] = np.sign(self._pending[new])
        change = self._note(at_ns, np.where(new, self._pending, 0))
        self.area = float(np.abs(change.blocks).mean())
        return self._judge(change) if self.area > self._max_area + ROUNDED else None

    def _gather(self, at_ns: int, risen: Small, fallen: Small) -> None:
        size = (BLOCK_COLUMNS, BLOCK_ROWS)
        up, down = (
            cv2.resize(m, size, interpolation=cv2.INTER_AREA).astype(np.float32) for m in (risen, fallen)
        )
        net = (up - down) / 255
        net[np.abs(net) < COHERENT * (up + down) / 255] = 0
        over = (net * self._pending < 0) | (at_ns - self._touched > TOGETHER_NS)
        self._pending[over] = 0
        self._pending += net
        self._touched[net != 0] = at_ns

    def _note(self, at_ns: int, blocks: Blocks) -> _Change:
        """The change that these blocks belong to: the last one, as long as it lasts, or a new one."""
        while self._changes and at_ns - self._changes[0].at_ns >= WINDOW_NS:
            self._changes.popleft()
        if self._changes and at_ns - self._changes[-1].at_ns <= TOGETHER_NS:
            last = self._changes[-1]
            if np.count_nonzero(last.blocks * blocks < 0) <= AGAIN * np.count_nonzero(blocks):
                last.blocks = np.where(blocks != 0, blocks, last.blocks)
                return last
        self._changes.append(_Change(at_ns, blocks))
        return self._changes[-1]

    def _judge(self, last: _Change) -> tuple[int, float] | None:
        """Follow the same blocks back through changes to and fro, each block through all but one of them."""
        sign, weight = np.sign(last.blocks), np.abs(last.blocks)
        absent = np.where(weight > 0, 0, 2)
        length, first, begin = 1, last.at_ns, last.at_ns
        for earlier in islice(reversed(self._changes), 1, None):
            opposite = earlier.blocks * sign < 0
            missing = absent + ~opposite
            share = np.where(missing <= 1, np.where(opposite, np.abs(earlier.blocks), weight), 0)
            if float(share[opposite].sum()) / share.size <= self._max_area + ROUNDED:
                continue
            sign, absent = -sign, missing
            if begin == first and first - earlier.at_ns <= APART_NS:
                begin = earlier.at_ns
            length, first = length + 1, earlier.at_ns
        if length <= 2 * self._max_flashes:  # opposing changes that are more than so many pairs
            return None
        return begin, (length - 1) / 2 / ((last.at_ns - first) / SECOND_NS)
