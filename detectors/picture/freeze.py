"""Freeze: the same picture again and again while time goes on.

Measures  `picture_change`, 8-bit code values: mean absolute difference to the picture before, highest of each second.
          `frozen_share`, ratio: share of the raster's 9 x 16 tiles that stand still (the defect's peak).
Defect    `freeze`, error: what moved in the middle of the picture stopped at once, and nothing there has changed
          for `min_seconds`; dated at the first repeated picture. Movement that goes on along the border (ticker,
          clock, logo) does not hide it. Warning instead, after `still_seconds`, when the picture came to rest as
          programmes do: by a cut, a dissolve or a fade to a still, or without movement before.
Blind to  A freeze that begins within a second after a cut or the first picture, or in a picture whose middle hardly
          moved: it counts as a still until `still_seconds`. A freeze under noise that was added after it. A picture
          that an editor froze on purpose, after movement, looks the same and is told. No new pictures at all is
          `picture_missing`.
Source    FFmpeg's freezedetect and EBU QC practice for 2 s; the telling of stills from freezes by how movement
          ends (`detectors/picture/_ending.py`) is our own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture._ending import REMEMBERED_NS, SETTLE_NS, Ending, Past, ending
from detectors.picture_features import (
    LUMA_CHANGE,
    LUMA_SMALL,
    TILE_COLUMNS,
    TILE_ROWS,
    Small,
    difference,
)

Mask = npt.NDArray[np.bool_]  # (TILE_ROWS, TILE_COLUMNS)

# Tickers, clocks and logos are in the two rows of tiles above, the three below, and three columns on either side.
ABOVE, BELOW, ASIDE = 2, 3, 3
ROWS, COLUMNS = (ABOVE, TILE_ROWS - BELOW), (ASIDE, TILE_COLUMNS - ASIDE)
MIDDLE = (slice(*ROWS), slice(*COLUMNS))

JUDGED_NS = 500_000_000  # a coder refines a frozen picture for a while; then we look how it came to be
LATEST_NS = 2 * JUDGED_NS  # once more, where it looked as if it went on
KNOWN_NS = 1_000_000_000  # a coder refines the first pictures of a stream, too
PAST_STEP_NS = 30_000_000  # of pictures that come faster, some are remembered
RIPPLE_NS = 250_000_000  # a coder's refresh may ripple a frozen picture for so long
RIPPLE_MEAN, RIPPLE_TILE = 5.0, 24.0  # and by so much, 8-bit code values
RIPPLES = 3  # so many one after another,
RIPPLES_WITHIN_NS = 1_000_000_000  # within so long, are somebody who keeps still, not a coder
PAUSE_NS = 300_000_000  # movement that paused for so long,
PAUSES = 3  # so often,
PAUSES_WITHIN_NS = 3_000_000_000  # within so long, goes by fits and starts: a page being scrolled
SAME_LIGHT, LITTLE_LIGHT, STRAIGHT, CUT = 0.38, 0.45, 0.82, 1.8  # see `_stopped_at_once`
EVERYWHERE, ALL_STRAIGHT = 0.8, 0.73
STRAIGHTEST, LEAST_LIGHT, WIDE_LIGHT = 0.95, 0.34, 0.25
SOME_LIGHT, LIT_CUT = 0.25, 1.4
PAN_STEP, PAN_CUT = 0.55, 1.4
WINDING, WINDING_LIGHT, WINDING_STEP = 0.72, 0.46, 0.3
WIDELY, SLOWED, SLOWS = 0.4, 0.4, 0.65


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
        default=0.02,
        ge=0,
        le=1,
        description="ratio of the middle's samples that must have moved until they stopped, 0..1",
    )
    min_seconds: float = Field(default=2.0, ge=0.2, le=3600, description="seconds of media time")
    still_seconds: float = Field(
        default=60.0, ge=0.2, le=86_400, description="seconds after which even a still counts, as a warning"
    )


@dataclass(slots=True)
class _Rest:
    """A picture that has come to rest."""

    stood_ns: int
    picture: Small
    watched: Mask  # the tiles that must stay still
    hold: Hold | None = None  # of a freeze or of a still; None until that is known
    since_ns: int = 0  # the first picture that shows it, once that is known
    settles_ns: int = JUDGED_NS  # after it stood; when it is looked at
    rippled_ns: int = -1  # since when it has not been quite the same, or -1
    ripples: deque[int] = field(default_factory=lambda: deque(maxlen=RIPPLES))  # when it began to be so


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
        self._past: deque[Past] = deque()
        self._began_ns = 0  # the first picture that is known
        self._pauses: deque[int] = deque(maxlen=PAUSES)  # when movement went on after a pause
        self._rest: _Rest | None = None
        self._still: Small | None = None  # what came to rest last as programmes do,
        self._still_ns = 0  # and until when it was there
        self._second, self._most = -1, 0.0
        self._adopted: DefectEdge | None = None

    def adopt(self, edge: DefectEdge) -> None:
        """What stands still from the first picture on is that freeze, or that still."""
        self._adopted = edge

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
            self._past.clear()
            self._began_ns = view.at_ns
            self._remember(view.at_ns, small, 0.0)
            return
        self._most = max(self._most, change.mean)
        if view.at_ns // 1_000_000_000 != self._second:
            yield self._measurement(view.at_ns)
        rest, middle = self._rest, change.within(ROWS, COLUMNS)
        self._remember(view.at_ns, small, middle)
        if rest is None and middle > self.params.max_change:
            return  # most pictures: not all of the middle can be still
        still = change.tiles <= self.params.max_change
        if rest is None:
            if still[MIDDLE].all() and float(still.mean()) >= self.params.min_frozen_share:
                self._rest = _Rest(view.at_ns, small, still)
            return
        if not self._still_there(rest, view.at_ns, small, still):
            yield from self._move(rest.rippled_ns)
            return
        if rest.hold is None and rest.rippled_ns < 0 and view.end_ns - rest.stood_ns >= rest.settles_ns:
            self._judge(rest, small)
        if rest.hold is not None:
            yield from rest.hold.update(rest.since_ns, True, float(still.mean()), end_ns=view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            yield from self._move(event.at_ns)
            self._past.clear()

    def _judge(self, rest: _Rest, small: Small) -> None:
        """Now that it has settled: how did it come to be, and since when has it been there?"""
        refined_ns = rest.settles_ns - JUDGED_NS
        end = ending(list(self._past), _middle(small), rest.stood_ns, max(refined_ns, SETTLE_NS))
        if (
            end is not None and end.creeps
        ):  # or a coder refined it, beside whose step little had moved: look again
            rest.settles_ns += JUDGED_NS
            if rest.settles_ns > LATEST_NS:
                self._rest = None
            return
        adopted, self._adopted = self._adopted, None
        if end is None and adopted is not None:
            frozen, rest.since_ns = adopted.severity is Severity.ERROR, min(rest.stood_ns, adopted.at_ns)
        else:
            known = rest.stood_ns - self._began_ns >= KNOWN_NS
            frozen = known and end is not None and self._stopped_at_once(end)
            frozen = frozen and not self._is_still_the_still(rest)
            rest.since_ns = rest.stood_ns if end is None else end.since_ns
        rest.hold = self._hold if frozen else self._still_hold
        rest.picture = small

    def _is_still_the_still(self, rest: _Rest) -> bool:
        """Whether a still that was there a moment ago has come back: a coder refines it, or a page is scrolled."""
        if self._goes_by_starts(rest.stood_ns):
            return True
        if self._still is None or rest.stood_ns - self._still_ns > REMEMBERED_NS:
            return False
        drift = difference(rest.picture, self._still)
        return drift is not None and float(drift.tiles[MIDDLE].mean()) <= RIPPLE_MEAN

    def _stopped_at_once(self, end: Ending) -> bool:
        """Whether movement ended as nothing in a programme does.

        Of 31 freezes in footage 27 had at most 0.36 of new light, of 68 stills after cuts, dissolves and fades all but
        one at least 0.42; that one came by a cut. A fast pan brings new light, but little at its end, and not as
        straight (0.78; 0.70 where all of the middle moves) as dissolves do whose last steps bring as little (1.0 at
        least; 0.75). It ends with a step like those before (0.59), which what slows down does not (0.42); a cut out of
        such movement to a still is a longer one (1.6 and 2.0 times the longest before). Where the last step brings
        some light, less of a step is a cut (1.7 times, with 0.35), where it brings little, a longer one (2.3 times);
        of 60 freezes within a shot none has more than 1.1. Where much moves, what ends with a small step has slowed
        down (0.36; of those freezes 0.45 at least), and straight (0.79); three freezes that wound their way to the end
        (0.47 to 0.70) had steps of 0.31 to 0.5. What goes quite straight and brings some light is a dissolve (0.36);
        of 20 freezes in footage one went straight (0.32), in a picture of which little moved. Where much does, straight
        movement that brings less light yet was the end of a dissolve (0.32, all but a seventh of the middle moving).
        """
        cut = CUT if end.new_light < SOME_LIGHT else LIT_CUT
        if end.moved_share < self.params.min_moving_share or end.jump > cut:
            return False
        if end.moved_share >= WIDELY and end.jump < SLOWED and end.straightness >= SLOWS:
            return False
        straight = STRAIGHT if end.moved_share < EVERYWHERE else ALL_STRAIGHT
        panned = end.last_light < LITTLE_LIGHT and end.straightness < straight and end.jump >= PAN_STEP
        wound = end.last_light < WINDING_LIGHT and end.straightness < WINDING and end.jump >= WINDING_STEP
        straight_light = LEAST_LIGHT if end.moved_share < WIDELY else WIDE_LIGHT
        same_light = end.new_light < (SAME_LIGHT if end.straightness < STRAIGHTEST else straight_light)
        return same_light or ((panned or wound) and end.jump < PAN_CUT)

    def _goes_by_starts(self, at_ns: int) -> bool:
        return sum(at_ns - paused <= PAUSES_WITHIN_NS for paused in self._pauses) >= PAUSES

    def _still_there(self, rest: _Rest, at_ns: int, small: Small, still: Mask) -> bool:
        """Whether the frozen picture is still shown; a coder's refresh may ripple it for a moment."""
        if rest.hold is None and still[MIDDLE].all():
            rest.watched &= still  # what moves now is a ticker
        if still[rest.watched].all():
            rest.rippled_ns = -1
            return True
        drift = difference(small, rest.picture)
        if rest.rippled_ns < 0:
            rest.rippled_ns = at_ns
            if at_ns - rest.stood_ns > REMEMBERED_NS:  # before that, a coder may still refine it
                rest.ripples.append(at_ns)
        if rest.hold is self._hold and self._wavers(rest):
            rest.hold = self._still_hold
            return False
        if drift is None or drift.tiles[rest.watched].max() > RIPPLE_TILE:
            return False
        if float(drift.tiles[rest.watched].mean()) > RIPPLE_MEAN:
            return False
        return at_ns - rest.rippled_ns < RIPPLE_NS

    def _wavers(self, rest: _Rest) -> bool:
        """Whether this is somebody who keeps still before something that cannot move."""
        ripples = rest.ripples
        return len(ripples) == RIPPLES and ripples[-1] - ripples[0] <= RIPPLES_WITHIN_NS

    def _move(self, at_ns: int) -> Iterator[DefectEdge]:
        if self._rest is not None and at_ns - self._rest.stood_ns >= PAUSE_NS:
            self._pauses.append(at_ns)
        if self._rest is not None and self._rest.hold is self._still_hold:
            self._still, self._still_ns = self._rest.picture, at_ns
        self._rest = None
        yield from self._hold.update(at_ns, False, 0.0)
        yield from self._still_hold.update(at_ns, False, 0.0)

    def _remember(self, at_ns: int, small: Small, step: float) -> None:
        past = self._past
        if past and at_ns - past[-1].at_ns < PAST_STEP_NS:
            return
        past.append(Past(at_ns, _middle(small), step))
        while at_ns - past[0].at_ns > REMEMBERED_NS + LATEST_NS:
            past.popleft()

    def _measurement(self, at_ns: int) -> Measurement:
        self._second = at_ns // 1_000_000_000
        most, self._most = self._most, 0.0
        return Measurement("picture_change", most, "code values", at_ns, self.track)


def _middle(small: Small) -> Small:
    """The samples of the tiles in the middle, in memory of their own."""
    return small[_middle_of(*small.shape)].copy()


@lru_cache(maxsize=8)
def _middle_of(tall: int, wide: int) -> tuple[slice, slice]:
    """The lines and columns of these tiles."""
    return (
        slice(ABOVE * tall // TILE_ROWS, (TILE_ROWS - BELOW) * tall // TILE_ROWS),
        slice(ASIDE * wide // TILE_COLUMNS, (TILE_COLUMNS - ASIDE) * wide // TILE_COLUMNS),
    )


DETECTOR = Freeze
