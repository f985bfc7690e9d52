"""What one watch cannot see, and what the watch before it could not: that stays blind until media comes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from contracts.clock import Clock
from detectors.events import Event, Source
from detectors.frame import Block, Frame
from worker.again import SAME_NS

LONGEST_REASON = 400  # characters


@dataclass(frozen=True, slots=True)
class _Left:
    """A blindness of the watch before, as it was told last."""

    source: Source
    told_at: datetime


class Blindness:
    """Of the input (no track) and of single tracks."""

    def __init__(self, clock: Clock, rows: Sequence[Sequence[Any]] = (), position_ns: int = 0) -> None:
        """`rows`: what `state()` gave in the watch before, which had shown everything before `position_ns`."""
        self._clock, self._position_ns = clock, position_ns
        self._now: dict[str | None, Source] = {}
        self._left: dict[str | None, _Left] = {}
        for track, code, reason, at_ns, told_at in rows:
            left = _Left(Source(int(at_ns), code, reason, track), datetime.fromisoformat(told_at))
            self._left[track], self._now[track] = left, left.source

    @property
    def rows(self) -> list[list[Any]]:
        """(track, code, reason) of each."""
        return [[track, s.blind, s.reason[:LONGEST_REASON]] for track, s in self._now.items()]

    def state(self) -> list[list[Any]]:
        """What the next watch needs, as plain data."""
        now = self._clock.now().isoformat()
        return [
            [track, s.blind, s.reason[:LONGEST_REASON], self._at_ns(track, s.at_ns), now]
            for track, s in self._now.items()
        ]

    def left(self) -> list[Source]:
        """What was blind when this watch began."""
        return [left.source for left in self._left.values()]

    def see(self, event: Event) -> list[Event]:
        """What to show for `event`: media after blindness ends it, also for whoever did not know that it was blind."""
        if isinstance(event, Source):
            event = replace(event, at_ns=self._at_ns(event.track, event.at_ns))
            if event.blind is None:
                self._now.pop(event.track, None)
                self._left.pop(event.track, None)
            else:
                self._now[event.track] = event
            return [event]
        if not isinstance(event, Frame | Block):
            return [event]
        over: list[Event] = []
        for track in (None, event.track):
            was = self._now.get(track)
            if was is None or not self._ended_by(track, event):
                continue
            at_ns = max(event.at_ns, self._at_ns(track, was.at_ns))
            del self._now[track]
            self._left.pop(track, None)
            over.append(Source(at_ns, None, track=track))
        return [*over, event]

    def _ended_by(self, track: str | None, event: Frame | Block) -> bool:
        """Media that the watch before had seen may lie there still where nothing new comes."""
        if track in self._left:
            return event.end_ns > self._position_ns + SAME_NS
        return track is None

    def _at_ns(self, track: str | None, at_ns: int) -> int:
        """The reading of this watch began to count when it began; blindness is as old as it is."""
        left = self._left.get(track)
        if left is None:
            return at_ns
        gone_s = max(0.0, (self._clock.now() - left.told_at).total_seconds())
        return max(at_ns, left.source.at_ns + round(gone_s * 1e9))
