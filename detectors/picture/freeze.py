"""Freeze: the same picture again and again while time goes on.

Measures  `picture_change`, 8-bit code values: mean absolute difference to the picture before, highest of each second.
          `frozen_share`, ratio: share of the raster's 9 x 16 tiles that stand still (the defect's peak).
Defect    `freeze`, error: whatever moved before stopped at once and has stood still for `min_seconds`; dated at
          the first repeated picture. Movement that goes on along the border (ticker, clock, logo) does not hide
          it. Warning instead, after `still_seconds`, when the picture came to rest in a way that programmes do:
          by a cut or a fade to a still, or without movement before.
Blind to  A freeze that begins within half a second after a cut, or in a picture in which nothing moved: it counts
          as a still until `still_seconds`. No new pictures at all is `picture_missing`.
Source    FFmpeg's freezedetect and EBU QC practice for 2 s and 0.001 of the range; the telling of stills from
          freezes by how movement ends is our own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture_features import (
    LUMA_CHANGE,
    LUMA_SMALL,
    TILE_COLUMNS,
    TILE_ROWS,
    Change,
    Small,
    difference,
)

Mask = npt.NDArray[np.bool_]  # (TILE_ROWS, TILE_COLUMNS)

ACTIVITY_NS = 120_000_000  # time constant of a tile's activity: what moved until the very end
RIPPLE_NS = 250_000_000  # a coder's refresh may ripple a frozen picture for so long
RIPPLE_MEAN, RIPPLE_TILE = 5.0, 24.0  # and by so much, 8-bit code values
HISTORY_NS = 700_000_000  # pictures remembered, to see how movement ended
HISTORY_STEP_NS = 60_000_000
LOOK_BACK_NS = 400_000_000
LEAST_PAST = 5  # pictures; slower streams than about 8 a second show stills only
SETTLE_NS = 400_000_000  # a coder may refine a frozen picture for so long before it stands still
SETTLE_MEAN, SETTLE_TILE = 0.8, 2.5  # changing it by so much, 8-bit code values
CUT_CODES = 2.5  # a change this large, and CUT_FACTOR times the usual one, is a cut
CUT_FACTOR = 4.0
CUT_ALONE = 1.5  # and this many times any other change: movement comes in several
MOVES_CODES = 1.5  # twice so much since the cut is movement, not a coder settling
PAUSE_NS = 300_000_000  # movement that paused for so long,
PAUSES = 3  # so often,
PAUSES_WITHIN_NS = 3_000_000_000  # within so long, goes by fits and starts: a page being scrolled
CUT_NS = 300_000_000  # this soon after a cut, movement may be the coder settling
FADE_CODES = 0.4  # a fade's beginning differs from its end by so much, on average,
FADE_PICTURES = 3  # in so many remembered pictures at least,
FADE_SETTLED = 0.2  # those that differ by no more than this share of it left out,
FADE_MIDDLE = 0.70  # in its middle by so much of that at most,
FADE_LATE = 0.45  # late by so much at most;
STRAIGHT_CODES, STRAIGHT = 12.0, 0.05  # where it is large, and straight to so much of it,
FADE_MIDDLE_STRAIGHT = 0.85  # its fine detail may come nearer more slowly
MOVED_SHARE = 0.5  # of the time constant, for a tile to count as moving


def _border() -> Mask:
    """Where tickers, clocks and logos are: two rows above, three below, three columns left and right."""
    mask = np.ones((TILE_ROWS, TILE_COLUMNS), np.bool_)
    mask[2:-3, 3:-3] = False
    return mask


BORDER = _border()


class FreezeParams(Params):
    """What counts as the same picture, and for how long."""

    max_change: float = Field(
        default=0.6, ge=0, le=16, description="mean absolute difference of a still tile, 8-bit code values"
    )
    min_frozen_share: float = Field(
        default=0.6,
        ge=0,
        le=1,
        description="ratio of tiles that must stand still, the whole middle among them, 0..1",
    )
    min_moving_share: float = Field(
        default=0.08, ge=0, le=1, description="ratio of tiles that must have moved until they stopped, 0..1"
    )
    min_seconds: float = Field(default=2.0, ge=0.2, le=3600, description="seconds of media time")
    still_seconds: float = Field(
        default=60.0, ge=0.2, le=86_400, description="seconds after which even a still counts, as a warning"
    )


@dataclass(slots=True)
class _Past:
    at_ns: int
    picture: Small
    change: float


@dataclass(slots=True)
class _Rest:
    """A picture that has come to rest."""

    since_ns: int
    picture: Small
    watched: Mask  # the tiles that must stay still
    still: bool  # it came to rest as programmes do
    rippled_ns: int = -1  # since when it has not been quite the same, or -1


class Freeze(Detector[FreezeParams]):
    """See the module's docstring."""

    id = "freeze"
    scope = Scope.VIDEO
    needs = (LUMA_CHANGE, LUMA_SMALL)
    suppressed_by = ("black", "solid_color", "picture_missing")
    Params = FreezeParams

    def __init__(self, params: FreezeParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = self._make_hold(params.min_seconds, Severity.ERROR)
        self._still_hold = self._make_hold(params.still_seconds, Severity.WARNING)
        self._activity = np.zeros((TILE_ROWS, TILE_COLUMNS), np.float32)
        self._past: deque[_Past] = deque()
        self._pauses: deque[int] = deque(maxlen=PAUSES)  # when movement went on after a pause
        self._rest: _Rest | None = None
        self._settling_ns = -1  # since when changes have been as small as a coder's refinement, or -1
        self._second, self._most = -1, 0.0

    def _make_hold(self, length_s: float, severity: Severity) -> Hold:
        return Hold(
            self,
            value="frozen_share",
            unit="ratio",
            threshold=self.params.min_frozen_share,
            open_ns=round(length_s * 1e9),
            severity=severity,
        )

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Compare with the picture before, and with the one that came to rest."""
        small, change = view[LUMA_SMALL], view[LUMA_CHANGE]
        if change is None:
            yield from self._move(view.at_ns)
            self._forget()
            self._past.append(_Past(view.at_ns, small, 0.0))
            return
        yield from self._measure(view.at_ns, change.mean)
        still = change.tiles <= self.params.max_change
        if self._rest is None:
            self._rest = self._come_to_rest(view, small, still)
        elif not self._still_there(self._rest, view, small, still):
            yield from self._move(self._rest.rippled_ns)
        if self._rest is not None:
            yield from self._update(view, self._rest, float(still.mean()))
        self._remember(view, small, change, still)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            yield from self._move(event.at_ns)
            self._forget()

    def _come_to_rest(self, view: PictureView, small: Small, still: Mask) -> _Rest | None:
        stopped = (self._activity > MOVED_SHARE) & still
        if float(stopped.mean()) < self.params.min_moving_share:
            if still.all():
                return _Rest(view.at_ns, small, np.ones_like(still), still=True)
            return None
        if float(still.mean()) < self.params.min_frozen_share or (~still & ~BORDER).any():
            return None
        since = self._settling_since(view.at_ns, small, still)
        return _Rest(since, small, still, still=self._ended_as_programmes_do(view, small))

    def _settling_since(self, at_ns: int, small: Small, still: Mask) -> int:
        """Where the frozen picture began: a coder may refine it for some pictures before it stands still."""
        since = at_ns
        for past in reversed(self._past):
            if at_ns - past.at_ns > SETTLE_NS:
                break
            changed = difference(small, past.picture)
            if changed is None:
                break
            tiles = changed.tiles[still]
            if float(tiles.mean()) > SETTLE_MEAN or tiles.max() > SETTLE_TILE:
                break
            since = past.at_ns
        return since

    def _ended_as_programmes_do(self, view: PictureView, small: Small) -> bool:
        """Whether the picture came to rest by a cut or a fade (or we have not seen how)."""
        if len(self._past) < LEAST_PAST or view.at_ns - self._past[0].at_ns < LOOK_BACK_NS:
            return True
        if self._cut_lately(view.at_ns) or self._goes_by_starts(view.at_ns):
            return True
        shot = [past.picture for past in self._this_shot()]
        if len(shot) < 3 or shot[0].shape != small.shape:
            return True
        return _fades(shot, small)

    def _goes_by_starts(self, at_ns: int) -> bool:
        return sum(at_ns - paused <= PAUSES_WITHIN_NS for paused in self._pauses) >= PAUSES

    def _this_shot(self) -> list[_Past]:
        """What is remembered since the last cut."""
        past = list(self._past)
        limit = max(CUT_CODES, CUT_FACTOR * float(np.median([p.change for p in past])))
        cut = max((n for n, p in enumerate(past) if p.change > limit), default=-1)
        return past[cut + 1 :] if cut >= 0 else past

    def _cut_lately(self, at_ns: int) -> bool:
        """Whether one change of the last moments stands out from those before and after it."""
        changes = [p.change for p in self._past]
        first = next((n for n, p in enumerate(self._past) if at_ns - p.at_ns <= CUT_NS), len(changes) - 1)
        spike = max(range(first, len(changes)), key=changes.__getitem__)
        after = changes[spike + 1 :]
        others = max(changes[:spike] + after, default=0.0)
        if changes[spike] <= max(CUT_CODES, CUT_ALONE * others):
            return False  # one change among others like it
        if not after:  # the picture stands still right after it
            return True
        if changes[spike] <= CUT_FACTOR * float(np.median(changes)):
            return False
        moves = sum(change > MOVES_CODES for change in after) >= 2
        return not moves and float(np.median(after)) < 0.4 * changes[spike]

    def _still_there(self, rest: _Rest, view: PictureView, small: Small, still: Mask) -> bool:
        """Whether the frozen picture is still shown; a coder's refresh may ripple it for a moment."""
        if still[rest.watched].all():
            if rest.rippled_ns >= 0:
                rest.rippled_ns, rest.picture = -1, small
            return True
        drift = difference(small, rest.picture)
        if rest.rippled_ns < 0:
            rest.rippled_ns = view.at_ns
        if drift is None or drift.tiles[rest.watched].max() > RIPPLE_TILE:
            return False
        if float(drift.tiles[rest.watched].mean()) > RIPPLE_MEAN:
            return False
        return view.at_ns - rest.rippled_ns < RIPPLE_NS

    def _update(self, view: PictureView, rest: _Rest, share: float) -> Iterator[DefectEdge]:
        hold = self._still_hold if rest.still else self._hold
        yield from hold.update(rest.since_ns, True, share, end_ns=view.end_ns)

    def _move(self, at_ns: int) -> Iterator[DefectEdge]:
        if self._rest is not None and at_ns - self._rest.since_ns >= PAUSE_NS:
            self._pauses.append(at_ns)
        self._rest = None
        yield from self._hold.update(at_ns, False, 0.0)
        yield from self._still_hold.update(at_ns, False, 0.0)

    def _remember(self, view: PictureView, small: Small, change: Change, still: Mask) -> None:
        if self._rest is not None:
            return
        if not self._settles(view.at_ns, change):
            step = 1.0 - math.exp((view.at_ns - view.end_ns) / ACTIVITY_NS)
            cv2.accumulateWeighted((~still).astype(np.float32), self._activity, step)
        past, inner = self._past, float(change.tiles[~BORDER].mean())  # a ticker that appears is no cut
        if past and view.at_ns - past[-1].at_ns < HISTORY_STEP_NS:
            past[-1].change = max(past[-1].change, inner)
            return
        past.append(_Past(view.at_ns, small, inner))
        while len(past) > 1 and view.at_ns - past[1].at_ns >= HISTORY_NS:
            past.popleft()

    def _settles(self, at_ns: int, change: Change) -> bool:
        """Whether this may be a coder refining a frozen picture, for a while: then what moved before is kept."""
        inner = change.tiles[~BORDER]
        if float(inner.mean()) > SETTLE_MEAN or inner.max() > SETTLE_TILE:
            self._settling_ns = -1
            return False
        if self._settling_ns < 0:
            self._settling_ns = at_ns
        return at_ns - self._settling_ns < SETTLE_NS

    def _forget(self) -> None:
        self._past.clear()
        self._activity[:] = 0

    def _measure(self, at_ns: int, mean: float) -> Iterator[Measurement]:
        self._most = max(self._most, mean)
        second = at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("picture_change", self._most, "code values", at_ns, self.track)
            self._most = 0.0


def _fades(shot: Sequence[Small], end: Small) -> bool:
    """Whether `shot`, oldest first, comes to `end` as a fade does: evenly, in its fine detail too.

    Movement by as little as a sample differs from its end in fine detail as much as movement by many.
    """
    distances = [cv2.norm(picture, end, cv2.NORM_L1) / end.size for picture in shot]
    far = max(distances)
    begin = max(n for n, d in enumerate(distances) if d >= 0.85 * far)  # a short one is all in the look back
    # What is that near to the end may be a coder settling.
    past = max((n for n, d in enumerate(distances) if d > FADE_SETTLED * far), default=begin) + 1
    middle = (begin + past) // 2
    if far < FADE_CODES or past - begin < FADE_PICTURES:
        return False
    if distances[middle] > FADE_MIDDLE * far or distances[past - 1] > FADE_LATE * far:
        return False
    straight = far > STRAIGHT_CODES and _is_straight(distances[begin:past], STRAIGHT * far)
    fine = _detail(end)
    first, half = (cv2.norm(_detail(picture), fine, cv2.NORM_L1) for picture in (shot[begin], shot[middle]))
    return half <= (FADE_MIDDLE_STRAIGHT if straight else FADE_MIDDLE) * first


def _is_straight(way: Sequence[float], tolerance: float) -> bool:
    """Whether distances shrink along a straight line, as those of a dissolve do and those of movement do not."""
    line = np.linspace(way[0], way[-1], len(way))
    return bool(np.abs(np.asarray(way) - line).max() <= tolerance)


def _detail(picture: Small) -> npt.NDArray[np.int16]:
    """Differences of neighbours along the lines, in 8-bit code values."""
    return np.asarray(cv2.subtract(picture[:, 1:], picture[:, :-1], dtype=cv2.CV_16S), np.int16)


DETECTOR = Freeze
