"""When to load a live playlist again: as seldom as RFC 8216 asks for, and as soon after a new segment as can be known.

A segment is published when its media has ended and an encoder is done with it, which takes about as long each time.
Every load of the playlist narrows down how long: what it lists was out by then, what it does not list was not.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from worker.ingest.hls.playlist import NS, MediaPlaylist

SHORTEST_S = 0.05
REMEMBERED = 150  # loads
MARGIN = 0.04  # of the target duration: by so much publication may be later than it was
WORTH = 0.15  # of the target duration: sooner by less than this is not worth a load put off
RARELY = 3  # loads between two that are put off
OUTLIERS = 20  # one late publication in so many is no rule
EVEN = 0.1  # of the target duration: segments of other lengths keep no step with loads
PROBE = 0.25  # of the target duration, between loads until publication is known about as well
CLOSE = 0.1  # of the target duration, between loads around the moment when a segment is due
PROBES = 12  # loads that come sooner than the standard asks for, of all


@dataclass(slots=True)
class Cadence:
    """Of one playlist. Source: RFC 8216, 6.3.4: a changed playlist is loaded again after its target duration at the
    earliest, an unchanged one after half of it.

    A dozen loads, mostly the first, come sooner, so that a watch which has just begun is not a segment late: a quarter
    of the target duration apart until the first new segment, then around the moment when the next is due. Once these
    are spent, loads a target duration apart meet every segment equally late. So where that is worth it, one load is
    put off until just after the segment after next is expected; from then on, segments are met as they come.
    """

    _most: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _least: deque[float] = field(default_factory=lambda: deque(maxlen=REMEMBERED))
    _loads: int = 0
    _probes: int = 0
    _sequence: int | None = None
    _end_s: float = 0.0  # media time, on a scale of our own, at the end of the newest segment

    def next_s(self, at_s: float, playlist: MediaPlaylist, *, changed: bool) -> float:
        """When to load again, in seconds of the clock of `at_s`, when the last load began."""
        target_s = playlist.target_s
        half_s = at_s + max(SHORTEST_S, target_s / 2)
        if not playlist.entries:
            return half_s
        length_s = playlist.entries[-1].duration_ns / NS
        self._follow(playlist)
        self._loads += 1
        # The newest segment was out, and the one after it was not.
        self._most.append(at_s - self._end_s)
        self._least.append(at_s - self._end_s - length_s)
        soonest_s = at_s + max(SHORTEST_S, target_s) if changed else half_s
        if abs(length_s - target_s) > EVEN * target_s:
            return soonest_s
        due_s = self._end_s + length_s + self._takes_s() + MARGIN * target_s
        width_s = min(self._most) - max(self._least)
        if self._probes < PROBES and (changed or width_s > 0):  # else it is late, or none comes
            probe_s = self._probe_s(at_s, due_s, width_s, target_s)
            if probe_s < soonest_s:
                self._probes += 1
                return probe_s
        if not changed:
            return half_s
        if soonest_s <= due_s:
            return min(due_s, at_s + 1.5 * target_s)
        if soonest_s - due_s < WORTH * target_s or self._loads < RARELY:
            return soonest_s
        self._loads = 0
        return max(soonest_s, due_s + length_s)

    def _probe_s(self, at_s: float, due_s: float, width_s: float, target_s: float) -> float:
        """When to load if it may be sooner: in the middle of the moments at which the next may come."""
        if width_s > PROBE * target_s:
            return at_s + max(SHORTEST_S, PROBE * target_s)
        if width_s > CLOSE * target_s:
            due_s -= MARGIN * target_s
        return max(due_s, at_s + max(SHORTEST_S, CLOSE * target_s))

    def _follow(self, playlist: MediaPlaylist) -> None:
        newest = playlist.entries[-1].sequence
        before, self._sequence = self._sequence, newest
        if before is None or newest < before or newest - before > len(playlist.entries):
            self._most.clear()
            self._least.clear()
            return
        self._end_s += sum(e.duration_ns for e in playlist.entries if e.sequence > before) / NS

    def _takes_s(self) -> float:
        """How long publication takes: the middle of what is possible; when it wavers, what is mostly enough."""
        most, least = min(self._most), max(self._least)
        if least < most:
            return (least + most) / 2
        mostly = sorted(self._least)[-1 - len(self._least) // OUTLIERS]
        return max(most, mostly) + (least - most) / 4
