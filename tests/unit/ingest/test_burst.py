"""Packets are decoded in bursts; nobody downstream can tell."""

from collections.abc import Iterator
from typing import Any, cast

from detectors.events import Event, Tick
from worker.ingest.burst import BURST_BYTES, BURST_NS, Burst
from worker.ingest.decode import Decoded, TrackDecoder
from worker.ingest.timeline import Timeline


class Decoder:
    """Stands in for libav: each packet is one frame, named by a number."""

    def __init__(self, track: str, length_ns: int, picture_bytes: int) -> None:
        self.track = track
        self._length_ns, self._picture_bytes = length_ns, picture_bytes

    def decode(self, packet: Any) -> Decoded:
        return Decoded(packet, [packet], length_ns=self._length_ns, picture_bytes=self._picture_bytes)

    def hand_out(self, decoded: Decoded) -> Iterator[Event]:
        yield Tick(decoded.packet)


def decoded_in_a_row(length_ns: int, picture_bytes: int) -> tuple[list[int], list[int]]:
    """(what came out, how many waited at most each time something came out) of 12 packets of two tracks."""
    decoders = [
        cast(TrackDecoder, Decoder(track, length_ns, picture_bytes)) for track in ("video:0", "audio:0")
    ]
    burst = Burst(Timeline())
    out: list[int] = []
    waited: list[int] = []
    for number in range(12):
        came = [event.at_ns for event in burst.take(decoders[number % 2], number)]
        if came:
            waited.append(len(came))
        out += came
    out += [event.at_ns for event in burst.hand_out()]
    return out, waited


def test_what_waits_comes_out_in_order_and_once() -> None:
    for length_ns, picture_bytes in ((BURST_NS // 3, 1), (1, BURST_BYTES // 4), (BURST_NS, 1), (1, 1)):
        assert decoded_in_a_row(length_ns, picture_bytes)[0] == list(range(12))


def test_a_burst_is_bounded_by_media_time_of_a_track_and_by_memory() -> None:
    assert decoded_in_a_row(BURST_NS // 2, 1)[1] == [3, 3, 3, 3]  # the track that came first is full first
    assert decoded_in_a_row(1, BURST_BYTES // 4)[1] == [4, 4, 4]
    assert decoded_in_a_row(BURST_NS, 1)[1] == [1] * 12
