"""Tearing: the upper and the lower part of the picture come from different pictures.

Measures  `tears`, times a second: pictures in which a band of lines stood still at a sharp edge and then went on.
Defect    `tearing`, error: within two seconds, `min_tears` or more pictures in which lines that move before and after
          repeat those of the picture before, while the lines beyond a sharp edge go on moving; the edge is not at one
          height all the time, nor creeps; where little moves, such a picture counts half. Dated from the first of
          them to the last of those that follow each other closely; pictures near them in which all that moves stood
          still belong to it: those tore outside of what moves.
Blind to  A tear that stays at one height, or creeps by less than an eighth of the picture's height from picture to
          picture, as it leaves no band that repeats; one that wanders downwards leaves one only when it begins again
          at the top; tears where little moves, or less than half of the picture, and in the first six pictures after
          a cut. Where an inset, a ticker or a split
          screen has a rate of its own, the edge stays at its border: that is programme.
Source    Practice: what a display or a capture card shows that reads a picture while it is being replaced.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from itertools import pairwise
from statistics import median
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture_features import LUMA_CHANGE, LUMA_SMALL, Lines

SECOND_NS = 1_000_000_000
PAST = 5  # pictures that tell how much usually moves in a line
LIVELY = 0.8  # 8-bit code values, mean change of a line: less, and nobody sees a tear in it
STILL, LEAST_STILL = 0.2, 0.25  # of the usual change, 8-bit code values: the line repeats
LEAST_USUAL, ALL_STILL = (
    2.0,
    0.15,
)  # mean change of the band's lines, 8-bit code values, and share of it that is left
MOVING = 0.5  # of the usual change: the line goes on
WENT_ON = 0.5  # of the usual change, in the next picture: the band had not come to rest
NEAR, AGREE = 6, 0.8  # lively lines on either side of the edge, and the share of them that must agree
BLOCK, EDGE = (
    16,
    5,
)  # within a coding block, of so many lines, or so many thinned ones, standing still turns to moving
CUT, LEAST_CUT = 2.5, 8.0  # times the usual change of all of it, 8-bit code values: another shot
EMPTY = 2.0  # 8-bit code values that the samples of a line differ by, standard deviation: less shows nothing
CREEPS = 0.12  # of the height, from one picture to the next
SPREAD = 0.05  # of the height, over which the edges of a second lie
LEAST_LIVELY = 0.45  # of the lines are: less is a thing that passes, and has parts without texture
MOVES = 0.5  # of the lines may be lively: a tear anywhere would be seen
REPEATS, LEAST_REPEATED = 0.4, 1.2  # of the lively lines, and their usual change: they stood still together
WINDOW_NS = 2 * SECOND_NS
PLAIN = 3.0  # a tear is plain from such a usual change of its band on,
CLEAR, BROAD = 0.6, 0.12  # where so many of the lively lines stood still or went on, and so many are it;
FAINT = 0.5  # else it counts for so much
LEAST_NS = 200_000_000  # from the first to the last: a pan that comes to rest line by line is over sooner
APART_NS, REPEATED_NS = 1_300_000_000, 600_000_000  # between tears, or before one, at the beginning
QUIET_NS = 2_500_000_000  # of such movement without a tear, after which it has ended,
FOR_NS = (
    5 * SECOND_NS
)  # after a tear, what stands still as a whole is another: later, it may be the programme's own
OVER_NS = 8 * SECOND_NS  # or of anything


class TearingParams(Params):
    """How many torn pictures are too many."""

    min_tears: int = Field(default=3, ge=2, le=50, description="torn pictures within two seconds")


class _Tear(NamedTuple):
    at_ns: int
    end_ns: int
    edge: float  # height, 0 at the top to 1
    band: npt.NDArray[np.intp]  # lines that stood still
    usual: float  # mean change of theirs
    plain: bool = False  # much moves, and nearly all of it either stood still or went on
    whole: bool = False  # all that moves stood still: no edge was seen


class Tearing(Detector[TearingParams]):
    """See the module's docstring."""

    id = "tearing"
    scope = Scope.VIDEO
    needs = (LUMA_CHANGE, LUMA_SMALL)
    suppressed_by = ("freeze", "black", "solid_color", "picture_missing")
    Params = TearingParams

    def __init__(self, params: TearingParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="tears",
            unit="times a second",
            threshold=float(params.min_tears),
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._past = np.zeros((PAST, 0), np.float32)  # lines' changes of the pictures before, in any order
        self._seen = 0
        self._maybe: _Tear | None = None  # until the next picture shows whether the band goes on
        self._tears: deque[_Tear] = deque(maxlen=256)
        self._repeats: deque[_Tear] = deque(maxlen=64)
        self._last_ns = 0  # the end of the last that had another one near
        self._moved_ns = 0  # of movement, almost everywhere, since then
        self._second = -1

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Did a band stand still in the picture before, and go on in this one?"""
        now, change = view.at_ns, view[LUMA_CHANGE]
        if change is None:
            self._seen, self._maybe = 0, None
        else:
            changes = change.lines
            if self._past.shape[1] != len(changes):
                self._past = np.zeros((PAST, len(changes)), np.float32)
                self._seen, self._maybe = 0, None
            maybe, self._maybe = self._maybe, None
            went_on = maybe is None or float(changes[maybe.band].mean()) >= WENT_ON * maybe.usual
            if maybe is not None and went_on:
                if maybe.whole:
                    self._repeated(maybe)
                else:
                    self._tears.append(maybe)
                    yield from self._judge(now)
            if self._is_cut(change.mean):
                self._seen = 0  # how much moved in the shot before says nothing
            else:
                if self._seen >= PAST and went_on:  # else the picture comes to rest, line after line
                    self._maybe = self._tear(view, changes)
                self._past[self._seen % PAST] = changes
                self._seen += 1
        if self._hold.is_open and (self._moved_ns >= QUIET_NS or now - self._last_ns >= OVER_NS):
            yield from self._hold.update(self._last_ns, False, 0.0, end_ns=view.end_ns)
        second = now // SECOND_NS
        if second != self._second:
            self._second = second
            count = sum(tear.at_ns > now - SECOND_NS for tear in self._tears)
            yield Measurement("tears", count, "times a second", now, self.track)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock."""
        if event.kind in ("jump", "signalled"):
            yield from self._hold.reset(event.at_ns)
            self._tears.clear()
            self._repeats.clear()
            self._seen, self._maybe = 0, None

    def finish(self, at_ns: int) -> Iterator[Finding]:
        """What has not torn for a while has ended, though too little has moved since to be sure."""
        if self._hold.is_open and at_ns - self._last_ns >= SECOND_NS:
            yield from self._hold.update(self._last_ns, False, 0.0, end_ns=at_ns)

    def _is_cut(self, changed: float) -> bool:
        """Whether so much has changed that this may be another shot."""
        if changed < LEAST_CUT or self._seen < PAST:
            return False
        return bool(changed >= CUT * median(self._past.mean(axis=1).tolist()))

    def _tear(self, view: PictureView, changes: Lines) -> _Tear | None:
        """The band of lines that repeats the picture before while its surroundings move, if there is one."""
        may_rest, moves = _quick_look(self._past, changes)
        if self._hold.is_open and moves >= MOVES * len(changes):
            self._moved_ns += view.end_ns - view.at_ns
        if may_rest < NEAR:
            return None
        usual = np.sort(self._past, axis=0)[PAST // 2]
        lively = np.flatnonzero(usual >= LIVELY)
        if len(lively) < 2 * NEAR:
            return None
        share = changes[lively] / usual[lively]
        still = (share <= STILL) | (changes[lively] <= LEAST_STILL)
        if np.count_nonzero(still) < NEAR:
            return None
        band = lively[still]
        mean = float(usual[band].mean())
        if float(changes[band].mean()) > ALL_STILL * mean:
            return None
        edge = None
        if mean >= LEAST_USUAL and len(lively) >= LEAST_LIVELY * len(changes):
            near = max(EDGE, 1 + round(BLOCK * len(changes) / view.size[1]))
            edge = self._sharp_edge(lively, still, share >= MOVING, near)
        if edge is not None and self._shows_something(view, band):
            clear = np.count_nonzero(still) + np.count_nonzero(share >= MOVING) >= CLEAR * len(lively)
            plain = mean >= PLAIN and bool(clear) and len(band) >= BROAD * len(lively)
            return _Tear(view.at_ns, view.end_ns, edge / len(changes), band, mean, plain=plain)
        if mean >= LEAST_REPEATED and len(band) >= REPEATS * len(lively):
            return _Tear(view.at_ns, view.end_ns, 0.0, band, mean, whole=True)
        return None

    @staticmethod
    def _shows_something(view: PictureView, band: npt.NDArray[np.intp]) -> bool:
        """Whether what stands still is a picture, and not the dark that something left behind as it passed."""
        return float(np.median(view[LUMA_SMALL][band].std(axis=1))) >= EMPTY

    def _sharp_edge(
        self,
        lively: npt.NDArray[np.intp],
        still: npt.NDArray[np.bool_],
        moving: npt.NDArray[np.bool_],
        near: int,
    ) -> int | None:
        """The line at which standing still turns within `near` lines into moving, or the other way round."""
        if np.count_nonzero(moving) < NEAR:
            return None
        for place in np.flatnonzero(still[1:] != still[:-1]) + 1:
            for above, below in ((still, moving), (moving, still)):
                edge = self._edge(lively, above, below, int(place), near)
                if edge is not None:
                    return edge
        return None

    def _repeated(self, repeat: _Tear) -> None:
        """All that moves stood still: where it tore before, it tore outside of that."""
        self._repeats.append(repeat)
        if self._hold.is_open and repeat.at_ns - self._tears[-1].at_ns <= FOR_NS:
            self._last_ns, self._moved_ns = repeat.end_ns, 0

    @staticmethod
    def _edge(
        lively: npt.NDArray[np.intp],
        above: npt.NDArray[np.bool_],
        below: npt.NDArray[np.bool_],
        place: int,
        near: int,
    ) -> int | None:
        """The line at which what is so above turns within `near` lines into what is so below."""
        last = np.flatnonzero(above[: place + near])
        first = np.flatnonzero(below[max(0, place - near) :]) + max(0, place - near)
        if not len(last) or not len(first):
            return None
        upper, lower = int(last[-1]), int(first[0])
        if (
            upper > lower
            or lively[lower] - lively[upper] > near
            or upper + 1 < NEAR
            or lower + NEAR > len(lively)
        ):
            return None
        agree = above[upper + 1 - NEAR : upper + 1].mean(), below[lower : lower + NEAR].mean()
        return int(lively[lower]) if min(agree) >= AGREE else None

    def _judge(self, now: int) -> Iterator[Finding]:
        recent = [tear for tear in self._tears if tear.at_ns > now - WINDOW_NS]
        if not recent:
            return  # hardly any pictures a second
        if not self._hold.is_open:
            recent = _jumping(recent)
        edges = [tear.edge for tear in recent]
        count = float(sum(tear.at_ns > now - SECOND_NS for tear in recent))
        if len(recent) > 1:
            self._last_ns, self._moved_ns = recent[-1].end_ns, 0
        if self._hold.is_open:
            yield from self._hold.update(recent[-1].at_ns, True, count, end_ns=now)
        elif (
            sum(1.0 if tear.plain else FAINT for tear in recent) > self.params.min_tears - 1
            and max(edges) - min(edges) >= SPREAD
            and recent[-1].at_ns - recent[0].at_ns >= LEAST_NS
        ):
            yield from self._hold.update(self._beginning(), True, count, end_ns=now)

    def _beginning(self) -> int:
        """The first of the tears that follow each other closely."""
        begin = self._tears[-1].at_ns
        for tear in sorted((*self._tears, *self._repeats), reverse=True, key=lambda t: t.at_ns):
            if begin - tear.at_ns > APART_NS:
                break
            if not tear.whole or begin - tear.at_ns <= REPEATED_NS:
                begin = tear.at_ns
        return begin


def _quick_look(past: Lines, changes: Lines) -> tuple[int, int]:
    """How many lines may stand still that usually move, and how many usually move much.

    The median of PAST values is at most their sum divided by how many are not below it: cheaper to say.
    """
    if native.kernels is not None:
        rest, moves = native.kernels.rests(past, changes, PAST // 2 + 1, LIVELY, STILL, LEAST_STILL)
        return rest, moves
    most = np.add.reduce(past, axis=0) / np.float32(PAST // 2 + 1)
    may_rest = (most >= LIVELY) & (changes <= np.maximum(LEAST_STILL, STILL * most))
    return int(np.count_nonzero(may_rest)), int(np.count_nonzero(most >= 2 * LIVELY))


def _jumping(tears: list[_Tear]) -> list[_Tear]:
    """Those whose edge did not just creep on as it did from picture to picture before: that is a wipe."""
    kept, before = tears[:1], 0.0
    for one, other in pairwise(tears):
        step = other.edge - one.edge
        follows = other.at_ns - one.at_ns < 1.5 * (one.end_ns - one.at_ns)
        creeping = step if follows and abs(step) < CREEPS else 0.0
        if creeping * before <= 0:
            kept.append(other)
        before = creeping
    return kept


DETECTOR = Tearing
