"""Packets are decoded in bursts; nobody downstream can tell."""

from collections.abc import Iterator
from typing import Any, cast

import numpy as np

from detectors.events import Event, Tick
from detectors.frame import Frame
from worker.ingest.burst import LIVE, MOST_PACKETS, SEGMENTS, SMALL_BYTES, WHOLE, Burst, Room
from worker.ingest.decode import Decoded, TrackDecoder
from worker.ingest.timeline import Timeline

BURST_NS, SOUND_NS = SEGMENTS.pictures_ns, SEGMENTS.sound_ns
STEP_NS = BURST_NS // 5


class Decoder:
    """Stands in for libav: each packet is one frame, named by a number."""

    def __init__(self, kind: str, length_ns: int, picture_bytes: int) -> None:
        self.kind, self.track = kind, f"{kind}:0"
        self._length_ns, self._picture_bytes = length_ns, picture_bytes

    def decode(self, packet: Any) -> Decoded:
        return Decoded(packet, [packet], length_ns=self._length_ns, picture_bytes=self._picture_bytes)

    def hand_out(self, decoded: Decoded) -> Iterator[Event]:
        yield Tick(decoded.packet)


def decoded_in_a_row(
    length_ns: int, picture_bytes: int = 1, room: Room = SEGMENTS
) -> tuple[list[int], list[list[int]]]:
    """(what came out, what came together) of 12 packets, the odd ones of sound."""
    decoders = [
        cast(TrackDecoder, Decoder(kind, length_ns, picture_bytes * (kind == "video")))
        for kind in ("video", "audio")
    ]
    burst = Burst(Timeline(), room)
    together = [[event.at_ns for event in burst.take(decoders[number % 2], number)] for number in range(12)]
    together.append([event.at_ns for event in burst.hand_out()])
    return [number for part in together for number in part], [part for part in together if part]


def test_what_waits_comes_out_in_order_and_once() -> None:
    for length_ns, picture_bytes in (
        (BURST_NS // 3, 1),
        (1, SEGMENTS.bytes // 4),
        (1, 1),
    ):
        for room in (LIVE, SEGMENTS, WHOLE):
            out = decoded_in_a_row(length_ns, picture_bytes, room)[0]
            assert [n for n in out if n % 2 == 0] == [0, 2, 4, 6, 8, 10]
            assert [n for n in out if n % 2] == [1, 3, 5, 7, 9, 11]


def test_a_burst_is_bounded_by_media_time_of_a_track_and_by_memory() -> None:
    assert decoded_in_a_row(BURST_NS // 2)[1] == [[0, 2], [4, 6], [8, 10], [1, 3, 5, 7, 9, 11]]
    assert decoded_in_a_row(1, SEGMENTS.bytes // 3)[1][:2] == [[0, 2, 4], [6, 8, 10]]
    assert decoded_in_a_row(SOUND_NS // 2)[1][:3] == [[0], [2], [1, 3]]


def test_sound_that_comes_as_it_is_made_waits_no_longer_than_pictures() -> None:
    assert decoded_in_a_row(BURST_NS // 2, room=LIVE)[1][:4] == [[0, 2], [1, 3], [4, 6], [5, 7]]


def test_fewer_small_pictures_wait() -> None:
    assert decoded_in_a_row(1, SEGMENTS.small_bytes // 3 + 1)[1][:2] == [[0, 2, 4], [6, 8, 10]]
    assert len(decoded_in_a_row(1, SMALL_BYTES + 1)[1]) == 1


def test_of_a_file_as_many_wait_as_memory_allows() -> None:
    assert decoded_in_a_row(1, SMALL_BYTES, room=WHOLE)[1] == [[*range(0, 12, 2), *range(1, 12, 2)]]
    assert decoded_in_a_row(1, WHOLE.bytes // 3 + 1, room=WHOLE)[1][:2] == [[0, 2, 4], [6, 8, 10]]
    assert decoded_in_a_row(WHOLE.pictures_ns // 2, room=WHOLE)[1][:2] == [[0, 2], [1, 3]]


def test_of_a_file_pictures_are_handed_out_before_the_sound_of_their_time() -> None:
    sound = cast(TrackDecoder, Decoder("audio", WHOLE.sound_ns // 2, 0))
    pictures = cast(TrackDecoder, Decoder("video", WHOLE.pictures_ns // 2, 1))
    for room, together in ((WHOLE, [[], [], [1, 0, 2]]), (SEGMENTS, [[0], [1], [2]])):
        burst = Burst(Timeline(), room)
        taken = [burst.take(decoder, number) for number, decoder in enumerate((sound, pictures, sound))]
        assert [[event.at_ns for event in part] for part in taken] == together


def test_what_has_ended_does_not_wait_for_more_of_its_kind() -> None:
    burst = Burst(Timeline())
    sound = cast(TrackDecoder, Decoder("audio", SOUND_NS // 4, 0))
    pictures = cast(TrackDecoder, Decoder("video", SOUND_NS // 4, 1))
    out = [event.at_ns for event in burst.take(sound, 100)]
    for number in range(4):
        out += [event.at_ns for event in burst.take(pictures, number)]
    assert out == [0, 1, 2, 100, 3]


def test_what_gives_no_media_does_not_wait_for_ever() -> None:
    burst = Burst(Timeline(), LIVE)
    nothing = cast(TrackDecoder, Decoder("video", 0, 0))
    waited = [len(list(burst.take(nothing, number))) for number in range(2 * MOST_PACKETS)]
    assert [n for n in waited if n] == [MOST_PACKETS, MOST_PACKETS]


def test_damage_is_told_at_once() -> None:
    class Damaged(Decoder):
        def decode(self, packet: Any) -> Decoded:
            return Decoded(packet, error=ValueError("damaged"))

    burst = Burst(Timeline())
    assert len(list(burst.take(cast(TrackDecoder, Damaged("video", 0, 0)), 7))) == 1


def test_what_comes_out_together_says_so_and_ticks_wait_for_it() -> None:
    class Pictures(Decoder):
        def hand_out(self, decoded: Decoded) -> Iterator[Event]:
            yield Frame(self.track, decoded.packet * STEP_NS, STEP_NS, np.zeros((2, 2), np.uint8))

    timeline = Timeline()
    clock = timeline.clock("video:0", BURST_NS)
    clock.end_ns = 12 * STEP_NS
    burst = Burst(timeline)
    pictures = cast(TrackDecoder, Pictures("video", STEP_NS, 1))
    together = [list(burst.take(pictures, number)) for number in range(5)]
    assert [len(part) for part in together] == [0, 0, 0, 0, 6]
    *shown, tick = together[-1]
    assert [event.more for event in shown if isinstance(event, Frame)] == [True] * 5
    assert isinstance(tick, Tick)
    assert tick.at_ns == 12 * STEP_NS
    alone = [event for number in range(5, 10) for event in burst.take(pictures, number)]
    assert [event.more for event in alone if isinstance(event, Frame)] == [True] * 4 + [False]
