"""Decode for a moment, then look at what came of it for a moment.

A decoder walks through megabytes and leaves nothing of ours in the processor's caches: looked at one by one, each
picture costs two to three times what it costs right after another one. So packets are decoded until some 200 ms of
media wait, or as many pictures as memory allows, and then all of it is handed out in the order in which it came.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from detectors.events import Event
from worker.ingest.decode import Decoded, TrackDecoder
from worker.ingest.timeline import Timeline

BURST_NS = 200_000_000  # of media
BURST_BYTES = 12_000_000  # of pictures: four at 1920 x 1080 and 8 bit


class Burst:
    """What was decoded and not handed out yet, of all tracks of one container."""

    def __init__(self, timeline: Timeline) -> None:
        self._timeline = timeline
        self._waiting: deque[tuple[TrackDecoder, Decoded]] = deque()
        self._bytes = 0
        self._lengths: dict[str, int] = {}  # ns of media that wait, by track

    def take(self, decoder: TrackDecoder, packet: Any) -> Iterator[Event]:
        """Decode `packet`; the events of all that waits, when that is enough."""
        decoded = decoder.decode(packet)
        self._waiting.append((decoder, decoded))
        length = self._lengths.get(decoder.track, 0) + decoded.length_ns
        self._lengths[decoder.track] = length
        self._bytes += decoded.picture_bytes
        if length >= BURST_NS or self._bytes >= BURST_BYTES:
            yield from self.hand_out()

    def hand_out(self) -> Iterator[Event]:
        """The events of all that waits."""
        self._lengths.clear()
        self._bytes = 0
        while self._waiting:
            decoder, decoded = self._waiting.popleft()
            yield from decoder.hand_out(decoded)
            yield from self._timeline.ticks()
