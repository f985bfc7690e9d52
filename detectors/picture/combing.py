"""Combing: two fields of different moments woven into one picture, as a comb at every moving edge.

Measures  `combed_share`, ratio: of the samples that move, the share that stands out from the lines above and below,
          less the share that stands out from its left and right, as texture and noise do: that of the middlemost
          band, highest of each second.
Defect    `combing`, warning: `min_share` or more of what moves is combed, in most of the pictures looked at for
          `min_seconds`. Dated from the first such picture to the last; five pictures a second are looked at, on
          sixteen bands of lines of the full raster.
Blind to  Combing where nothing moves, which nobody sees; combs that were scaled after weaving. Fine stripes that stand
          still do not move; those that do move comb too, but what else moves does not. A stream that is interlaced
          on purpose combs as well when its fields are shown woven, as players of streams do: it is reported. Where
          receivers deinterlace, set it to *report*. Swapped fields without weaving are not seen.
Source    The comb measure is that of deinterlacers: a line that differs from both neighbours, which are alike
          (e.g. Baylon, "On the detection of temporal field order in interlaced video data", ICIP 2007).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import cv2
import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold

SECOND_NS = 1_000_000_000
BANDS, LINES = 16, 10  # of the full raster, spread evenly
SHARP = 14  # 8-bit code values by which a line differs from both of its neighbours: a comb's tooth
MOVED = 14  # 8-bit code values by which a sample has changed since the picture before
LEAST_MOVING = 0.004  # share of the samples: with less movement there is nothing to see
WINDOW = 5  # pictures looked at, 1 s


def _bands(frame: Frame) -> Any:
    """(BANDS, LINES, width) 8-bit code values of lines that follow each other."""
    starts = (
        (np.arange(BANDS) * (frame.height - LINES) // (BANDS - 1)) if frame.height >= BANDS * LINES else ()
    )
    picked: Any = np.stack([frame.luma[start : start + LINES] for start in starts]) if len(starts) else None
    if picked is None:
        return None
    return picked if frame.depth == 8 else (picked >> (frame.depth - 8)).astype(np.uint8)


def _combed(frame: Frame) -> tuple[float, float]:
    """(share of samples that move, share of those that lie on a comb)."""
    before = frame.previous
    if before is None or before.luma.shape != frame.luma.shape:
        return 0.0, 0.0
    now, past = _bands(frame), _bands(before)
    if now is None:
        return 0.0, 0.0
    width = now.shape[2]

    def flat(part: Any) -> Any:
        return np.ascontiguousarray(part).reshape(BANDS * (LINES - 2), -1)

    above, line, below = flat(now[:, :-2]), flat(now[:, 1:-1]), flat(now[:, 2:])
    moving = cv2.threshold(cv2.absdiff(line, flat(past[:, 1:-1])), MOVED - 1, 255, cv2.THRESH_BINARY)[1]
    moves = cv2.countNonZero(moving)
    if moves < LEAST_MOVING * line.size:
        return moves / line.size, 0.0
    teeth = cv2.bitwise_and(_stands_out(line, above, below), moving)[:, 1:-1]
    grain = cv2.bitwise_and(
        _stands_out(*(flat(line[:, k : width - 2 + k]) for k in (1, 0, 2))), flat(moving[:, 1:-1])
    )
    combed, grainy, moved = (
        np.count_nonzero(m.reshape(BANDS, -1), axis=1) for m in (teeth, grain, moving[:, 1:-1])
    )
    lively = moved >= LEAST_MOVING * moving.size / BANDS
    share = np.maximum(combed[lively] - grainy[lively], 0) / moved[lively]
    return moves / line.size, float(np.median(share)) if share.size else 0.0


def _stands_out(line: Any, one: Any, other: Any) -> Any:
    """255 where samples are SHARP brighter than both neighbours, or darker than both, else 0."""
    bright = cv2.subtract(line, cv2.max(one, other))
    dark = cv2.subtract(cv2.min(one, other), line)
    return cv2.threshold(cv2.max(bright, dark), SHARP - 1, 255, cv2.THRESH_BINARY)[1]


COMBED: Feature[Frame, tuple[float, float]] = Feature("combed", _combed, rate_hz=5.0)


class CombingParams(Params):
    """How much of what moves is combed, and for how long."""

    min_share: float = Field(default=0.1, ge=0.01, le=1, description="ratio of the samples that move, 0..1")
    min_seconds: float = Field(default=1.0, ge=0.2, le=3600, description="seconds of media time")


class Combing(Detector[CombingParams]):
    """See the module's docstring."""

    id = "combing"
    trial = True
    scope = Scope.VIDEO
    rate_hz = 5.0
    needs = (COMBED,)
    suppressed_by = ("black", "solid_color", "picture_missing")
    Params = CombingParams

    def __init__(self, params: CombingParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="combed_share",
            unit="ratio",
            threshold=params.min_share,
            open_ns=0,
            severity=Severity.WARNING,
        )
        self._looks: deque[tuple[int, int, bool]] = deque(
            maxlen=WINDOW
        )  # (at, end, combed) of those that move
        self._second, self._most = -1, 0.0

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Where it moves, is it combed?"""
        now = view.at_ns
        moving, combed = view[COMBED]
        self._most = max(self._most, combed)
        if moving >= LEAST_MOVING:
            self._looks.append((now, view.end_ns, combed >= self.params.min_share))
            yield from self._judge(view, combed)
        second = now // SECOND_NS
        if second != self._second:
            self._second = second
            yield Measurement("combed_share", self._most, "ratio", now, self.track)
            self._most = 0.0

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock."""
        if event.kind in ("jump", "signalled"):
            yield from self._hold.reset(event.at_ns)
            self._looks.clear()

    def _judge(self, view: PictureView, combed: float) -> Iterator[Finding]:
        seen = [look for look in self._looks if look[2]]
        if len(seen) >= WINDOW - 1 and view.end_ns - seen[0][0] >= 0.8 * self.params.min_seconds * 1e9:
            begin = view.at_ns if self._hold.is_open else seen[0][0]
            yield from self._hold.update(begin, True, combed, end_ns=view.end_ns)
        elif self._hold.is_open and len(seen) <= WINDOW // 2:
            last = seen[-1][0] if seen else -1
            end = next(at for at, _, _ in self._looks if at > last)
            yield from self._hold.update(end, False, combed, end_ns=view.end_ns)


DETECTOR = Combing
