"""An HLS input: our client fetches, the segments are decoded here, and both speak on one timeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from contracts.clock import Clock
from contracts.errors import ConfigError
from contracts.urls import is_url, redact
from detectors.events import Event, Fetch, Source
from worker.ingest.hls.client import HlsClient
from worker.ingest.hls.items import Checkpoint, Segment
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.ingest.segments import SegmentDecoder
from worker.ingest.timeline import Timeline

GIVE_UP_FACTOR = 1.5  # a recording that stays away for so many read time-outs will not come
LOCAL_PATIENCE_S = 0.5  # a file is there or it is not


class PlaylistReading:
    """Reads an HLS playlist: a recording to its end, a live one until it is closed."""

    def __init__(
        self,
        url: str,
        options: IngestOptions,
        clock: Clock,
        *,
        live: bool,
        allow: Callable[[str], None] | None = None,
        allow_address: Callable[[str], None] | None = None,
        resume: dict[str, Any] | None = None,
        lead_ns: int = 0,
    ) -> None:
        """`live`: outages are waited out for ever. `resume`: the checkpoint of an earlier reading.

        Media of `lead_ns` before that checkpoint comes once more, as far as it is still there and of the same clock.

        `allow` and `allow_address` are asked at every hop and before each connection, and raise SourceForbidden.
        """
        self.about = About(container="hls")
        self._url, self._live, self._clock = url, live, clock
        self._timeline = Timeline()
        if not is_url(url):
            options = replace(options, read_timeout_s=LOCAL_PATIENCE_S, retries=0)
        checkpoint = None
        self._same_since_ns = 0  # since when source time leads to the timeline as it does
        self._offset_ns: int | None = None
        self._until: dict[str, Any] | None = None  # the checkpoint that has yet to be reached
        if resume:
            checkpoint = Checkpoint.from_dict(resume["renditions"])
            offset = resume.get("offset_ns")
            position_ns = int(resume["position_ns"])
            self._same_since_ns = int(resume.get("same_since_ns", position_ns))
            self._offset_ns, self._until = offset, resume["renditions"]
            lead_ns = min(lead_ns, max(0, position_ns - self._same_since_ns))
            self._timeline.resume(position_ns, None if offset is None else int(offset), lead_ns)
        self._lag_s = 0.0
        self._decoder = SegmentDecoder(self._timeline, self.about)
        # What the reading before knew of the tracks, until the playlists are known.
        self._recalled: dict[str, Any] = (resume or {}).get("places") or {}
        self._client = HlsClient(
            url,
            options,
            clock=clock,
            allow=allow,
            allow_address=allow_address,
            position_ns=lambda: self._timeline.reached_ns,
            resume=checkpoint,
            give_up_s=None if live else GIVE_UP_FACTOR * options.read_timeout_s,
            lead_ns=lead_ns if resume else 0,
            quiet_s=float(resume.get("quiet_s", 0.0)) if resume else 0.0,
        )
        self._late_ns: dict[str, int] = {}  # how far a blind rendition was behind the input's farthest
        self._behind = {k: v for k, v in resume.items() if k != "quiet_s"} if resume else self._here()

    def checkpoint(self) -> dict[str, Any]:
        """Where another process goes on: behind the last segment that was decoded to its end.

        One that was begun comes again, at the same media time.
        """
        return self._behind

    @property
    def lag_s(self) -> float:
        """How long after its last byte arrived the latest segment was done with: our own delay, not the source's."""
        return self._lag_s

    def skip_non_reference(self, skip: bool) -> None:
        """Leave out pictures that no other picture needs, from the next segment on."""
        self._decoder.skip_non_reference = skip

    def _here(self) -> dict[str, Any]:
        return {
            "renditions": self._client.checkpoint().to_dict(),
            "position_ns": self._timeline.reached_ns,
            "ends_ns": self._decoder.ends_ns,
            "places": self._recalled or self._decoder.places(),
            "offset_ns": self._timeline.offset_ns,
            "same_since_ns": self._same_since_ns,
        }

    def _moved_on(self) -> None:
        """A segment is done with: the checkpoint moves behind it, never back into what was read before."""
        offset = self._timeline.offset_ns
        if self._offset_ns is not None and offset != self._offset_ns:
            self._same_since_ns = self._timeline.reached_ns
        self._offset_ns = offset
        here = self._here()
        if self._until is not None:
            reached = here["renditions"]
            if any(name in reached and reached[name][2] < mark[2] for name, mark in self._until.items()):
                return
            self._until = None
        self._behind = here

    def close(self) -> None:
        """End the client's threads."""
        self._client.close()

    def events(self) -> Iterator[Event | None]:
        """Everything that happens; a live playlist where a recording was asked for is a ConfigError."""
        with self._client as client:
            for item in client:
                if item is None:
                    yield None
                    continue
                if self._recalled and client.renditions:
                    yield from self._recall({rendition.name for rendition in client.renditions})
                if isinstance(item, Segment):
                    if not self._live and client.live:
                        raise ConfigError(
                            f"{redact(self._url)} is live and has no end.",
                            "Use `glitchwatch watch URL --for 60s`.",
                        )
                    yield from self._decoder.decode(item)
                    self._lag_s = self._clock.monotonic() - item.fetched_s
                    self._moved_on()
                elif isinstance(item, Fetch):
                    yield from self._fetched(item)
                    if item.given_up:
                        self._moved_on()
                else:
                    yield self._seen(item)
        yield from self._decoder.flush()

    def _recall(self, renditions: set[str]) -> Iterator[Event]:
        """Go on with the tracks of the reading before, unless the source is made up in another way now."""
        recalled, self._recalled = self._recalled, {}
        marks = self._client.checkpoint().marks
        if set(recalled) == renditions <= marks.keys():
            yield from self._decoder.resume(marks, recalled)

    def _fetched(self, event: Fetch) -> Iterator[Event]:
        rendition = event.track
        track = self._track_of(rendition)
        if event.given_up and event.duration_ns > 0:
            yield replace(event, track=track, at_ns=self._decoder.lost(rendition, event))
            return
        yield replace(event, track=track)

    def _seen(self, event: Source) -> Source:
        """A rendition that is blind alone is so from where its own media ends, not the input's."""
        rendition = event.track
        if rendition is None:
            return event
        if rendition not in self._late_ns:
            self._late_ns[rendition] = event.at_ns - (self._decoder.end_ns(rendition) or event.at_ns)
        late = self._late_ns[rendition] if event.blind else self._late_ns.pop(rendition)
        return replace(event, track=self._track_of(rendition), at_ns=event.at_ns - late)

    def _track_of(self, rendition: str | None) -> str | None:
        """The track a rendition's faults are told on: its first; None when it is the input as a whole."""
        if rendition is None:
            return None
        return next(iter(self._decoder.tracks(rendition)), None)
