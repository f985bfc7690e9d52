"""Segment missing: a playlist names a media segment, and it cannot be had.

Measures  `segments_lost`, count: segments given up within one defect (its peak).
Defect    `segment_missing`, error: a segment was asked for as often as its place in the playlist allowed, and was
          refused, empty or cut off; dated at the media it should have held.
Blind to  Segments that arrive whole and hold the wrong media; sources that are not segmented; segments that left the
          playlist while we ourselves were too slow or handed the stream over: those were there for viewers.
Source    RFC 8216 section 6.3 (a client loads the segments that the playlist names).
"""

from collections.abc import Iterator
from dataclasses import replace

from contracts.findings import Finding, Severity
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.events import Fetch, Tick

QUIET_NS = 500_000_000


class SegmentMissingParams(Params):
    """No parameters: a segment is there or it is not."""


class SegmentMissing(Detector[SegmentMissingParams]):
    """See the module's docstring."""

    id = "segment_missing"
    scope = Scope.INPUT
    single = True
    suppressed_by = ("source_unreachable", "source_stalled")
    Params = SegmentMissingParams

    def __init__(self, params: SegmentMissingParams, track: str | None) -> None:
        super().__init__(params, track)
        self._episode = Episode(self, value="segments_lost", unit="count", threshold=1.0, quiet_ns=QUIET_NS)

    def fetch(self, event: Fetch) -> Iterator[Finding]:
        """A segment that will not be asked for again."""
        if not event.given_up or not event.duration_ns or event.cause == "fell_behind":
            return
        lost = self._episode.peak + 1.0
        for edge in self._episode.moment(
            event.at_ns,
            event.at_ns + event.duration_ns,
            lost,
            Severity.ERROR,
            track=event.track,
            detail=f"{event.url}: {event.cause or 'unknown'}",
            certain_ns=event.at_ns,
        ):
            # Pictures behind it may be shown long before the clock has passed its end.
            yield replace(edge, until_ns=self._episode.end_ns)

    def tick(self, tick: Tick) -> Iterator[Finding]:
        """Close what has been quiet."""
        yield from self._episode.passed(tick.at_ns)


DETECTOR = SegmentMissing
