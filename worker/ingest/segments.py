"""Segments in memory into frames: each is demuxed by itself, the decoders live on across segments.

So every frame is known to come from one segment, nothing blocks inside libav, and no decoder starts cold at a
segment's border (a cold AAC decoder would make a click there).
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import av

from detectors.events import Break, Damage, Event, Fetch, Source
from detectors.frame import Block, Frame
from worker.ingest.burst import Burst
from worker.ingest.decode import DAMAGED, TrackDecoder, TrackPlace, language_of, tracks_of
from worker.ingest.hls.items import Mark, Segment
from worker.ingest.reading import About
from worker.ingest.timeline import JUMP_AHEAD_NS, NS, Timeline

SKEW_NS = 2_000_000_000
UNDECODABLE_AFTER = 2  # segments in a row without a picture or sample
DATED_NS = 150_000_000  # a segment that is shorter than declared by more lacks something
REDATED = timedelta(seconds=0.5)  # by less, dates of segments differ because of rounding
LATE_NS = 500_000_000  # playlists round durations
LOST_SHARE = 4  # of what was lost, by the durations of other segments, a fourth more or less is believed
_OPTIONS = {
    "correct_ts_overflow": "0",
    "fpsprobesize": "0",
    "analyzeduration": "500000",
    "probesize": "500000",
}


@dataclass(slots=True)
class _Rendition:
    """One playlist's decoders, by (kind, number) of the stream within its segments."""

    decoders: dict[tuple[str, int], TrackDecoder] = field(default_factory=dict)
    epoch: int = 0
    delivered_ns: int = 0
    lost_ns: int = 0  # of that, since the last segment that came
    empty: int = 0  # segments in a row that gave nothing
    blind: bool = False
    sequence: int | None = None
    left: _Left | None = None  # by the reading before, until the first segment comes


@dataclass(frozen=True, slots=True)
class _Left:
    """How far the reading before got in a playlist: by the client's estimate, and by what was decoded."""

    mark: Mark
    delivered_ns: int


class SegmentDecoder:
    """All renditions of one input on one timeline."""

    def __init__(self, timeline: Timeline, about: About) -> None:
        self._timeline, self._about = timeline, about
        self._renditions: dict[str, _Rendition] = {}
        self._counts = {"video": 0, "audio": 0}
        self._zero_said: datetime | None = None  # by the segment before
        self._dated = False  # the wall clock of media time 0 is known, where it is told at all
        self.skip_non_reference = False

    def resume(self, marks: Mapping[str, Mark], places: Mapping[str, Any]) -> Iterator[Event]:
        """Recall what the reading before, which got to `marks`, knew of its tracks: `places` as `places()` made it."""
        for name, place in places.items():
            state = self._renditions[name] = _Rendition(left=_Left(marks[name], int(place["delivered_ns"])))
            for kind, number, plain in place["tracks"]:
                left = TrackPlace.of(plain)
                decoder = TrackDecoder(left.track, kind, self._timeline, joined_live=True)
                self._counts[kind] = max(self._counts[kind], 1 + int(left.track.partition(":")[2]))
                state.decoders[kind, int(number)] = decoder
                yield decoder.recall(left)

    def places(self) -> dict[str, Any]:
        """Where each rendition stands and what is known of its tracks, as plain data."""
        return {
            name: {
                "delivered_ns": state.left.delivered_ns if state.left else state.delivered_ns,
                "tracks": [[kind, n, d.place.plain()] for (kind, n), d in state.decoders.items() if d.known],
            }
            for name, state in self._renditions.items()
        }

    def _go_on(self, state: _Rendition, item: Segment | Fetch) -> None:
        """The first of a rendition that was read before: what lies behind that place, or before it once more."""
        left, state.left = state.left, None
        if left is None:
            return
        state.delivered_ns = max(0, left.delivered_ns + item.at_ns - left.mark.end_ns)
        if item.at_ns + item.duration_ns // 2 < left.mark.end_ns:
            return
        state.sequence = left.mark.sequence
        if isinstance(item, Fetch) and item.cause == "fell_behind":
            return  # the clock may have changed while nobody watched
        for decoder in state.decoders.values():
            decoder.take_over()

    def tracks(self, rendition: str) -> list[str]:
        """The tracks found so far in `rendition`."""
        known = self._renditions.get(rendition)
        return [d.track for d in known.decoders.values()] if known else []

    @property
    def ends_ns(self) -> dict[str, int]:
        """Media time up to which each track has been decoded."""
        return {
            d.track: d.place.end_ns for state in self._renditions.values() for d in state.decoders.values()
        }

    def end_ns(self, rendition: str) -> int | None:
        """Media time up to which `rendition` has been decoded; None before its first sample."""
        known = self._renditions.get(rendition)
        return max((d.end_ns for d in known.decoders.values()), default=None) if known else None

    def decode(self, segment: Segment) -> Iterator[Event]:
        """Everything in one segment."""
        state = self._renditions.setdefault(segment.rendition, _Rendition())
        self._go_on(state, segment)
        # Renditions come segment by segment: one that is a segment behind is not absent.
        self._timeline.skew_ns = max(self._timeline.skew_ns, 2 * segment.duration_ns + SKEW_NS)
        follows = state.sequence is not None and segment.sequence == state.sequence + 1
        if segment.discontinuity and state.sequence is not None:
            yield from self._discontinuity(state, 0 if follows else state.delivered_ns)
        before = (
            max(state.delivered_ns, *(d.end_ns for d in state.decoders.values()), 0) if state.decoders else 0
        )
        late = JUMP_AHEAD_NS  # nothing is known of what came between
        if follows or state.lost_ns:
            late = min(late, LATE_NS + state.lost_ns // LOST_SHARE)
        for decoder in state.decoders.values():
            self._timeline.limit(decoder.track, before + segment.duration_ns + late)
        first: int | None = None
        got, last = 0, 0
        for event in self._demux(segment, state):
            if isinstance(event, Frame | Block):
                got += 1
                if first is None and self._about.started_at is None:
                    self._date(segment, event.at_ns)  # before anything is found in it
                first = event.at_ns if first is None else min(first, event.at_ns)
                last = max(last, event.end_ns)
            yield event
        state.sequence, state.lost_ns = segment.sequence, 0
        begin = before if first is None else first
        state.delivered_ns = max(begin + segment.duration_ns, before)
        for decoder in state.decoders.values():
            self._timeline.delivered(decoder.track, state.delivered_ns)
        self._describe()
        # One that lacks its beginning would date everything too early.
        whole = first is not None and last - first >= segment.duration_ns - DATED_NS
        if first is not None and (whole or not self._dated):
            self._date(segment, first)
            self._dated = self._dated or (whole and segment.program_date_time is not None)
        yield from self._judge(segment, state, got)
        yield from self._timeline.ticks()

    def lost(self, rendition: str | None, event: Fetch) -> int:
        """A segment that will never come: its media time counts as delivered. Returns where it should have begun."""
        if rendition is None:
            states = list(self._renditions.values())
        else:
            states = [self._renditions[rendition]] if rendition in self._renditions else []
        at = event.at_ns
        for state in states:
            self._go_on(state, event)
            at = max(state.delivered_ns, *(d.end_ns for d in state.decoders.values()), 0)
            state.delivered_ns = at + event.duration_ns
            state.lost_ns += event.duration_ns
            for decoder in state.decoders.values():
                self._timeline.delivered(decoder.track, state.delivered_ns)
        return at

    def flush(self) -> Iterator[Event]:
        """What the decoders still hold."""
        for state in self._renditions.values():
            for decoder in state.decoders.values():
                yield from decoder.flush()
        yield from self._timeline.tick_to(self._timeline.reached_ns)

    def _discontinuity(self, state: _Rendition, lost_until_ns: int) -> Iterator[Event]:
        for decoder in state.decoders.values():
            yield from decoder.flush()
        state.epoch += 1
        tracks = [d.track for d in state.decoders.values()]
        self._timeline.discontinuity(tracks, state.epoch, lost_until_ns)
        for decoder in state.decoders.values():
            yield Break(decoder.end_ns, decoder.track, "signalled")

    def _demux(self, segment: Segment, state: _Rendition) -> Iterator[Event]:
        data = io.BytesIO((segment.init or b"") + segment.data)
        try:
            container = av.open(data, options=_OPTIONS)
        except DAMAGED as error:
            yield from self._unreadable(segment, state, error)
            return
        try:
            yield from self._packets(container, segment, state)
        finally:
            container.close()

    def _packets(self, container: Any, segment: Segment, state: _Rendition) -> Iterator[Event]:
        if "mpegts" in container.format.name:
            self._timeline.wraps = True
        self._about.container = "hls," + container.format.name
        by_index: dict[int, TrackDecoder] = {}
        streams = []
        for name, kind, stream in tracks_of(container):
            number = int(name.partition(":")[2])
            decoder = state.decoders.get((kind, number))
            if decoder is None:
                decoder = TrackDecoder(f"{kind}:{self._counts[kind]}", kind, self._timeline, joined_live=True)
                decoder.language = segment.language or language_of(stream)
                self._counts[kind] += 1
                state.decoders[kind, number] = decoder
            yield from decoder.attach(stream, fresh=segment.discontinuity)
            decoder.skip_non_reference(self.skip_non_reference)
            by_index[stream.index] = decoder
            streams.append(stream)
        if not streams:
            return
        starts = [
            s.start_time * s.time_base * NS for s in streams if s.start_time is not None and s.time_base
        ]
        if starts:
            self._timeline.start(int(min(starts)))
        packets, burst = 0, Burst(self._timeline)
        try:
            for packet in container.demux(streams):
                decoder = by_index.get(packet.stream_index)
                if decoder is not None and packet.size:
                    packets += 1
                    yield from burst.take(decoder, packet)
            yield from burst.hand_out()
        except DAMAGED as error:
            yield from burst.hand_out()
            yield from self._unreadable(segment, state, error)
            return
        if not packets and segment.data and not _is_mp4(segment.data):
            yield from self._unreadable(segment, state, ValueError("it is not media"))

    def _unreadable(self, segment: Segment, state: _Rendition, error: BaseException) -> Iterator[Event]:
        words = f"segment {segment.sequence} cannot be read: {getattr(error, 'strerror', None) or error}"
        for decoder in state.decoders.values():
            yield Damage(decoder.end_ns, decoder.track, 1, words[:200])

    def _judge(self, segment: Segment, state: _Rendition, got: int) -> Iterator[Event]:
        """Several segments with nothing in them are blindness, not damage."""
        absent = got == 0 and len(segment.data) > 0 and not state.decoders
        state.empty = state.empty + 1 if absent else 0
        if state.empty >= UNDECODABLE_AFTER:
            state.blind = True
            reason = (
                f"{state.empty} segments of {segment.rendition} arrived, the last {segment.url}, and not one picture "
                "or sample came out of them."
            )
            yield Source(self._timeline.reached_ns, "source_undecodable", reason)
        elif got and state.blind:
            state.blind = False
            yield Source(self._timeline.reached_ns, None)

    def _describe(self) -> None:
        for state in self._renditions.values():
            for decoder in state.decoders.values():
                if decoder.described is not None:
                    self._about.tracks[decoder.track] = decoder.described

    def _date(self, segment: Segment, first_ns: int) -> None:
        """Tie media time to the wall clock, where the playlist tells it.

        By the first segment that is whole, and anew when two such in a row tell another time.
        """
        if segment.program_date_time is None:
            return
        zero = segment.program_date_time - timedelta(microseconds=first_ns // 1000)
        known, said = self._about.zero_at, self._zero_said
        if not self._dated:
            self._about.started_at = self._about.zero_at = zero
        elif known is None or (_apart(zero, known) and said is not None and not _apart(zero, said)):
            self._about.zero_at = zero
        self._zero_said = zero


def _apart(a: datetime, b: datetime) -> bool:
    return abs(a - b) > REDATED


def _is_mp4(data: bytes) -> bool:
    """Whether it begins as a media segment does (ISO/IEC 14496-12); one without samples is still one."""
    return data[4:8] in (b"styp", b"moof", b"sidx", b"emsg", b"prft", b"ftyp", b"mdat", b"free", b"uuid")
