"""Decode for a moment, then look at what came of it for a moment.

A decoder walks through megabytes and leaves nothing of ours in the processor's caches: looked at one by one, each
picture costs two to three times what it costs right after another one, and sound likewise. So packets are decoded until
some 200 ms of pictures wait, or as many as memory allows, and then these are handed out in the order in which they
came; sound, which is small, waits for longer where nobody waits for it. What is handed out says whether more follows at
once, so that it can be looked at together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from detectors.events import Event, Tick
from detectors.frame import Block, Frame
from worker.ingest.decode import Decoded, TrackDecoder
from worker.ingest.timeline import Timeline

BURST_NS = 200_000_000  # of media
BURST_BYTES = 15_000_000  # of pictures: five at 1920 x 1080 and 8 bit
SMALL_BYTES = 700_000  # a picture up to 720 x 576 at 8 bit: of such streams one machine watches dozens,
SMALL_BURST_BYTES = 1_700_000  # so that fewer wait: five at 640 x 360
MOST_PACKETS = 256  # of one kind: damaged ones give nothing that counts as media
SOUND_NS = 1_000_000_000  # of sound that is not live: a file, or a segment, which is whole


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

    def __init__(self, timeline: Timeline, *, live: bool = False) -> None:
        """`live`: packets come as they are made, so none may wait for long."""
        self._timeline = timeline
        self._patience_ns = BURST_NS if live else SOUND_NS
        self._queues = {"video": _Queue(BURST_NS), "audio": _Queue(self._patience_ns)}

    def take(self, decoder: TrackDecoder, packet: Any) -> Iterator[Event]:
        """Decode `packet`; the events of all of its kind that waits, when that is enough.

        And of the other kind before, when that has waited for so long that it may have ended.
        """
        decoded = decoder.decode(packet)
        for kind, other in self._queues.items():
            if kind != decoder.kind and other.waiting:
                other.age_ns += decoded.length_ns
                if other.age_ns >= self._patience_ns:
                    yield from self._empty(other)
        queue = self._queues[decoder.kind]
        queue.waiting.append((decoder, decoded))
        length = queue.lengths.get(decoder.track, 0) + decoded.length_ns
        queue.lengths[decoder.track] = length
        queue.bytes += decoded.picture_bytes
        small = 0 < decoded.picture_bytes <= SMALL_BYTES * len(decoded.frames)
        most_bytes = SMALL_BURST_BYTES if small else BURST_BYTES
        much = length >= queue.most_ns or queue.bytes >= most_bytes or len(queue.waiting) >= MOST_PACKETS
        if much or decoded.error is not None:
            yield from self._empty(queue)

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
            if isinstance(held, Frame | Block):
                held.more = True
            if held is not None:
                yield held
            held = event
        if held is not None:
            yield held

    def _in_order(self, queue: _Queue) -> Iterator[Event]:
        ticks: list[Tick] = []
        while queue.waiting:
            decoder, decoded = queue.waiting.popleft()
            for event in decoder.hand_out(decoded):
                if ticks and not isinstance(event, Frame | Block):
                    yield from ticks
                    ticks.clear()
                yield event
            ticks += self._timeline.ticks()
        yield from ticks
