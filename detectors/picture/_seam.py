"""Whether the upper and the lower part of each picture come from different moments: a part of `tearing`."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from contracts.findings import Finding, Severity
from detectors.detector import Detector
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold

COLUMNS, WIDTH = 2, 256  # of the full raster, spread evenly across; so many samples wide each
BORDER = 0.04  # of the height, at the top and at the bottom, where no seam is looked for
AROUND, BESIDE = 2, 8  # lines above and below it that are of it; and that are beside it
LEAST_GAIN = 1.0  # 8-bit code values by which it fits better to the picture before,
LEAST_SHARE = 0.3  # a share of the step that there is,
BEYOND = 1.8  # and so many times as much as elsewhere: what moves up or down does so everywhere
TEXTURE = 3.0  # standard deviation of the lines on both sides: borders of bars and captions have none
LEAST_LINES = 200  # of the raster
# Mean change from picture to picture, 8-bit code values: with less, a seam is not seen; more is another picture.
MOVES, MOST_MOVES = 1.2, 40.0
LOOK_NS, AGAIN_NS = 400_000_000, 80_000_000  # between looks; and for a while after one that found a seam
STIRRED_NS = 1_200_000_000
FOUND, FOUND_SHARE = 5, 0.4  # looks, and of those since the first of them, that must have found the same
WITHIN_NS, KEPT = 4_000_000_000, 64
LEAST_NS = 300_000_000  # from the first to the last: an edge that moves lies elsewhere by then
APART_NS = 1_200_000_000  # between those that follow each other, of which the first is its beginning
STILL_GAIN = 0.4  # more than beside it: it is still there
OVER_LOOKS, OVER_NS = 5, 1_800_000_000  # in which it is like the lines beside it, after which it has ended;
UNSURE = 0.3  # of a look that shows neither

Gains = npt.NDArray[np.float32]  # (2, lines - 1)


class Seams(NamedTuple):
    """How much better each line fits to the next one of the picture before (0), or of this one to that (1).

    `gains` are means along the lines, 8-bit code values; `clearest` is where one stands out, (which of the two, place).
    """

    gains: Gains
    clearest: tuple[int, int] | None


def _columns(frame: Frame) -> Any:
    luma = frame.luma
    lefts = np.maximum(0, np.arange(1, COLUMNS + 1) * frame.width // (COLUMNS + 1) - WIDTH // 2)
    picked = np.concatenate([luma[:, x : x + WIDTH] for x in lefts.tolist()], axis=1)
    return picked if frame.depth == 8 else (picked >> (frame.depth - 8)).astype(np.uint8)


def _steps(upper: Any, lower: Any) -> npt.NDArray[np.float32]:
    """From each line of one picture to the next line of another, mean along the line."""
    sums = cv2.reduce(cv2.absdiff(upper[:-1], lower[1:]), 1, cv2.REDUCE_SUM, dtype=cv2.CV_32F)
    return np.asarray(sums.ravel() / upper.shape[1], np.float32)


def _seams(frame: Frame) -> Seams | None:
    before = frame.previous
    if (
        before is None
        or frame.interlaced
        or frame.height < LEAST_LINES
        or before.luma.shape != frame.luma.shape
    ):
        return None
    now, past = _columns(frame), _columns(before)
    own = _steps(now, now)
    gains = np.stack([own - _steps(now, past), own - _steps(past, now)])
    border = max(2 * AROUND, round(BORDER * len(own)))
    inner = gains[:, border:-border]
    which, place = divmod(int(inner.argmax()), inner.shape[1])
    gain = float(inner[which, place])
    found: tuple[int, int] | None = None
    if gain >= max(LEAST_GAIN, LEAST_SHARE * float(own[border + place])):
        elsewhere = inner.copy()
        elsewhere[:, max(0, place - AROUND) : place + AROUND + 1] = -np.inf
        place += border
        if gain >= BEYOND * float(elsewhere.max()) and now[place : place + 2].std(axis=1).min() >= TEXTURE:
            found = which, place
    return Seams(gains, found)


SEAMS: Feature[Frame, Seams | None] = Feature("seams", _seams)
"""Where a picture fits better to the one before than to itself; None without a picture before."""


class _Look(NamedTuple):
    at_ns: int
    found: tuple[int, int] | None


class Standing:
    """Tells a seam that stays at one height: all pictures are put together from two moments there."""

    def __init__(self, detector: Detector[Any]) -> None:
        self._hold = Hold(
            detector,
            value="seam_gain",
            unit="code values",
            threshold=LEAST_GAIN,
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._looks: deque[_Look] = deque(maxlen=KEPT)
        self._next_ns = 0
        self._stirred_ns = -STIRRED_NS  # when any was last found
        self._there: tuple[int, int] = (0, 0)  # which and where, while it is open
        self._last_ns = 0  # when it was last seen
        self._gone = 0.0  # looks since that show that it is not there

    @property
    def is_open(self) -> bool:
        """Whether it is there."""
        return self._hold.is_open

    def picture(self, view: PictureView, moved: float) -> Iterator[Finding]:
        """Is there a seam where there was one? `moved`: mean change since the picture before, 8-bit code values."""
        now = view.at_ns
        if not MOVES <= moved <= MOST_MOVES or 0 < self._next_ns - now <= LOOK_NS:
            return
        seams = view[SEAMS]
        if seams is not None and seams.clearest is not None:
            self._stirred_ns = now
        again = now - self._stirred_ns < STIRRED_NS and not self._hold.is_open
        self._next_ns = now + (AGAIN_NS if again else LOOK_NS)
        if seams is None:
            return
        if self._hold.is_open:
            yield from self._goes_on(view, seams)
            return
        self._looks.append(_Look(now, seams.clearest))
        first = None if seams.clearest is None else self._standing_since(now, seams.clearest)
        if first is not None and seams.clearest is not None:
            self._there, self._last_ns, self._gone = seams.clearest, view.end_ns, 0.0
            which, place = seams.clearest
            ahead = "upper" if which else "lower"
            yield from self._hold.update(
                first, True, float(seams.gains[which, place]), end_ns=view.end_ns,
                detail=f"another moment is shown from line {place + 1} on; the {ahead} part is ahead",
            )  # fmt: skip

    def _standing_since(self, now: int, found: tuple[int, int]) -> int | None:
        """Since when the same seam has been found in enough of the looks."""
        looks = [look for look in self._looks if look.at_ns > now - WITHIN_NS]
        same = [look.at_ns for look in looks if look.found == found]
        since = sum(look.at_ns >= same[0] for look in looks)
        if len(same) < FOUND or now - same[0] < LEAST_NS or len(same) < FOUND_SHARE * since:
            return None
        late = same[-1]
        for at_ns in reversed(same):  # one long before may be chance
            if late - at_ns > APART_NS:
                break
            late = at_ns
        return late

    def _goes_on(self, view: PictureView, seams: Seams) -> Iterator[Finding]:
        """Whether this place still fits better to another moment than the lines beside it do."""
        which, place = self._there
        lines = seams.gains[which]
        above = lines[max(0, place - BESIDE) : max(0, place - AROUND)]
        below = lines[place + AROUND + 1 : place + BESIDE + 1]
        beside = max(float(above.max(initial=-np.inf)), float(below.max(initial=-np.inf)))
        here = float(lines[place]) if place < len(lines) else -np.inf  # of another raster
        if here >= beside + STILL_GAIN:
            self._last_ns, self._gone = view.end_ns, 0.0
            yield from self._hold.update(view.at_ns, True, here, end_ns=view.end_ns)
        else:
            self._gone += UNSURE if here > beside else 1.0
        if self._gone >= OVER_LOOKS and view.at_ns - self._last_ns >= OVER_NS:
            yield from self._hold.update(self._last_ns, False, 0.0, end_ns=view.end_ns)
            self._looks.clear()

    def finish(self, at_ns: int, unseen_ns: int) -> Iterator[Finding]:
        """What has not been seen for so long has ended, though too little has moved since to be sure."""
        if self._hold.is_open and at_ns - self._last_ns >= unseen_ns:
            yield from self._hold.update(self._last_ns, False, 0.0, end_ns=at_ns)

    def forget(self, at_ns: int) -> Iterator[Finding]:
        """Another clock."""
        self._looks.clear()
        self._next_ns = 0
        self._stirred_ns = -STIRRED_NS
        yield from self._hold.reset(at_ns)
