"""Decode for a moment, then look at what came of it for a moment.

A decoder walks through megabytes and leaves nothing of ours in the processor's caches: looked at one by one, each
picture costs two to three times what it costs right after another one, and sound likewise. So packets are decoded until
so much waits as there is `Room` for, and then it is handed out in the order in which it came. What is handed out says
whether more follows at once, so that it can be looked at together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detectors.events import Event
from detectors.frame import MEDIA
from worker.ingest.decode import Decoded, TrackDecoder
from worker.ingest.timeline import Timeline

SMALL_BYTES = 700_000  # a small picture, up to 720 x 576 at 8 bit
MOST_PACKETS = 256  # of one kind: damaged ones give nothing that counts as media


@dataclass(frozen=True, slots=True)
class Room:
    """How much may wait."""

    pictures_ns: int  # of media
    sound_ns: int
    bytes: int  # of pictures
    small_bytes: int  # of small ones: of such streams one machine watches dozens


# Packets come as they are made, and none may wait for long. Five pictures: at 1920 x 1080 and 8 bit, and at 640 x 360.
LIVE = Room(200_000_000, 200_000_000, 15_000_000, 1_700_000)
# Segments, which are whole: sound is small.
SEGMENTS = Room(200_000_000, 1_000_000_000, 15_000_000, 1_700_000)
# A file: nobody waits for it, and no dozens of others are read beside it.
WHOLE = Room(2_000_000_000, 2_000_000_000, 25_000_000, 25_000_000)


@dataclass(slots=True)
class _Queue:
    """What was decoded and not handed out yet, of all tracks of one kind."""

    most_ns: int
    waiting: deque[tuple[TrackDecoder, Decoded]] = field(default_factory=deque)
    bytes: int = 0
    lengths: dict[str, int] = field(default_factory=dict)  # ns of media that wait, by track
    age_ns: int = 0  # how much of the other kind was decoded while it waited


class Burst:
    """What was decoded and not handed out yet, of all tracks of one container."""

    def __init__(self, timeline: Timeline, room: Room = SEGMENTS) -> None:
        self._timeline, self._room = timeline, room
        self._patience_ns = max(room.pictures_ns, room.sound_ns)
        self._queues = {"video": _Queue(room.pictures_ns), "audio": _Queue(room.sound_ns)}

    def take(self, decoder: TrackDecoder, packet: Any) -> Iterator[Event]:
        """Decode `packet`; the events of all of its kind that waits, when that is enough.

        And of the other kind before, when that has waited for so long that it may have ended.
        """
        decoded = decoder.decode(packet)
        for kind, other in self._queues.items():
            if kind != decoder.kind and other.waiting:
                other.age_ns += decoded.length_ns
                if other.age_ns >= self._patience_ns:
                    yield from self._release(kind)
        queue = self._queues[decoder.kind]
        queue.waiting.append((decoder, decoded))
        length = queue.lengths.get(decoder.track, 0) + decoded.length_ns
        queue.lengths[decoder.track] = length
        queue.bytes += decoded.picture_bytes
        small = 0 < decoded.picture_bytes <= SMALL_BYTES * len(decoded.frames)
        most_bytes = self._room.small_bytes if small else self._room.bytes
        much = length >= queue.most_ns or queue.bytes >= most_bytes or len(queue.waiting) >= MOST_PACKETS
        if much or decoded.error is not None:
            yield from self._release(decoder.kind)

    def _release(self, kind: str) -> Iterator[Event]:
        """What waits of one kind. Pictures that wait for as long as sound come before what is heard with them."""
        if kind == "audio" and self._room.pictures_ns >= self._room.sound_ns:
            yield from self._empty(self._queues["video"])
        yield from self._empty(self._queues[kind])

    def hand_out(self) -> Iterator[Event]:
        """The events of all that waits."""
        for queue in self._queues.values():
            yield from self._empty(queue)

    def _empty(self, queue: _Queue) -> Iterator[Event]:
        """All that waits; ticks are put off until the pictures or blocks that follow each other are handed out.

        One event late, so that a picture or block tells whether another event follows at once.
        """
        queue.lengths.clear()
        queue.bytes = queue.age_ns = 0
        held: Event | None = None
        for event in self._in_order(queue):
            if isinstance(held, MEDIA):
                held.more = True
            if held is not None:
                yield held
            held = event
        if held is not None:
            yield held

    def _in_order(self, queue: _Queue) -> Iterator[Event]:
        while queue.waiting:
            decoder, decoded = queue.waiting.popleft()
            for event in decoder.hand_out(decoded):
                if not isinstance(event, MEDIA):
                    yield from self._timeline.ticks()
                yield event
        yield from self._timeline.ticks()
