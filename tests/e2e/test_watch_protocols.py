"""Addresses that libav opens by itself, watched and checked: tcp, udp, http."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import av
import pytest

from contracts.clock import SystemClock
from contracts.report import Report
from tests.e2e import hostile_origin as hostile
from tests.e2e.hostile_origin import HostileOrigin
from tests.e2e.live import QUICK, Live, names, seats, told, transport_stream
from tests.media import Audio, Video, sound, write
from tests.patterns import panning
from worker.watch import Watch

SECONDS, BLACK = 24.0, (5.0, 13.0)
PACE = 3.0  # media seconds a second
AHEAD_S = 4.0  # how much more than has been watched a broadcast sends; a busy machine must not miss any
STEP_S = 0.02
PACKETS = 7 * 188  # a datagram of MPEG-TS


def stream() -> bytes:
    return transport_stream(SECONDS, BLACK)


class Broadcast:
    """A programme as MPEG-TS on a TCP port, the same moment for everyone who connects; it can go away and return.

    `silent` accepts and never sends.
    """

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._data = stream()
        self._position_s, self._told_s = 0.0, 0.0
        self._reached: Callable[[], float] = lambda: SECONDS
        self._position = threading.Lock()
        self._stop = threading.Event()
        self._gone = threading.Event()
        self._threads: list[threading.Thread] = []
        self.connections = 0
        self.port = 0
        self.appear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self.vanish()
        for thread in self._threads:
            thread.join(5)

    @property
    def url(self) -> str:
        return f"tcp://127.0.0.1:{self.port}"

    def appear(self) -> None:
        """Listen, on the same port as before."""
        self._gone = threading.Event()
        listener = socket.create_server(("127.0.0.1", self.port))
        listener.settimeout(0.05)
        self.port = listener.getsockname()[1]
        self._run(self._accept, listener, self._gone)

    def vanish(self) -> None:
        """End all connections and refuse new ones."""
        self._gone.set()

    def follow(self, watch: Live) -> None:
        """Keep no more than `AHEAD_S` ahead of what that watch has analysed."""
        self._reached = lambda: watch.reached_s

    def position_s(self) -> float:
        """How far the programme has come, in media seconds; it stands still until somebody has connected."""
        with self._position:
            now_s = time.monotonic()
            if self._told_s:
                grown_s = self._position_s + (now_s - self._told_s) * PACE
                self._position_s = max(self._position_s, min(grown_s, self._reached() + AHEAD_S))
            self._told_s = now_s
            return self._position_s

    def _run(self, work: Any, *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self, listener: socket.socket, gone: threading.Event) -> None:
        with listener:
            while not gone.is_set():
                with contextlib.suppress(TimeoutError):
                    self._run(self._send, listener.accept()[0], gone)

    def _send(self, connection: socket.socket, gone: threading.Event) -> None:
        self.connections += 1
        with connection, contextlib.suppress(OSError):
            if self._silent:
                gone.wait()
                return
            for part in paced(self._data, self.position_s, gone):
                connection.sendall(part)


def paced(data: bytes, position_s: Callable[[], float], stop: threading.Event) -> Iterator[bytes]:
    """What is due of `data`, a whole number of packets, from the present moment to the end."""
    rate = len(data) / SECONDS

    def due() -> int:
        return min(len(data), int(position_s() * rate)) // PACKETS * PACKETS

    sent = due()
    while sent < len(data) - PACKETS and not stop.wait(STEP_S):
        now = due()
        if now > sent:
            yield data[sent:now]
        sent = now


@pytest.fixture
def server() -> Iterator[HostileOrigin]:
    with HostileOrigin() as made:
        yield made


def black_once(report: Report) -> None:
    (black,) = told(report)
    assert (black.defect, black.track) == ("black", "video:0")
    assert black.end_s - black.start_s == pytest.approx(BLACK[1] - BLACK[0], abs=0.1)


def test_a_transport_stream_over_tcp() -> None:
    with Broadcast() as broadcast, Live(broadcast.url) as watch:
        broadcast.follow(watch)
        watch.until(lambda: watch.closed("black"), "the end of black")
        watch.until_watched(1)
        report = watch.end()
    black_once(report)
    assert report.input.container == "mpegts"
    assert [t.id for t in report.input.tracks] == ["video:0", "audio:0"]
    assert report.execution.status == "complete"
    assert report.execution.blind_s == 0


def test_a_transport_stream_over_udp() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stop = threading.Event()

    def send() -> None:
        began_s = time.monotonic()
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out, contextlib.suppress(OSError):
            for part in paced(stream(), lambda: (time.monotonic() - began_s) * PACE, stop):
                for at in range(0, len(part), PACKETS):
                    out.sendto(part[at : at + PACKETS], ("127.0.0.1", port))

    sender = threading.Thread(target=send, daemon=True)
    with Live(f"udp://127.0.0.1:{port}") as watch:
        sender.start()
        watch.until(lambda: watch.closed("black"), "the end of black")
        stop.set()
        watch.until(lambda: watch.blind, "blindness")
        report = watch.end(within_s=5)
    sender.join(5)
    (black,) = told(report, "black")
    assert black.end_s - black.start_s == pytest.approx(BLACK[1] - BLACK[0], abs=0.1)
    gone = [d for d in told(report) if d.defect.startswith("source_")]
    assert gone[-1].open
    assert names(report)[1:] == [d.defect for d in gone]


def test_a_tcp_server_that_goes_away_and_comes_back() -> None:
    with Broadcast() as broadcast, Live(broadcast.url) as watch:
        broadcast.follow(watch)
        watch.until(lambda: watch.opened("black"), "black")
        went_s = time.monotonic()
        broadcast.vanish()
        watch.until(lambda: watch.blind and watch.blind.blind == "source_unreachable", "refusal")
        broadcast.appear()
        back_s = time.monotonic()
        watch.until(lambda: watch.blind is None, "sight")
        sees_s = time.monotonic()
        watch.until(lambda: watch.closed("black"), "the end of black")
        watch.until_watched(1)
        report = watch.end()
    blind = [d for d in told(report) if d.defect.startswith("source_")]
    assert names(report) == sorted(["black", *(d.defect for d in blind)])
    assert not any(d.open for d in blind)
    assert blind[-1].defect == "source_unreachable"
    assert broadcast.connections == 2
    early_s = 1.0  # what was sent before it went may be analysed after
    assert back_s - went_s - early_s <= report.execution.blind_s <= sees_s - went_s + early_s
    assert report.execution.status == "complete"


def test_a_server_that_accepts_and_never_sends_is_told_within_the_time_out() -> None:
    with Broadcast(silent=True) as broadcast, Live(broadcast.url) as watch:
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert watch.blind.blind in ("source_unreachable", "source_stalled")
        assert watch.blind.at_ns < 5 * QUICK.open_timeout_s * 1e9
        watch.until(lambda: broadcast.connections >= 2, "another try")
        report = watch.end(within_s=5)
    assert names(report) == [watch.sources[0].blind]
    assert report.execution.status == "failed"


def test_a_connection_that_is_refused_at_first() -> None:
    with Broadcast() as broadcast:
        broadcast.vanish()
        time.sleep(0.2)  # until the port is closed
        with Live(broadcast.url) as watch:
            watch.until(lambda: watch.blind, "blindness")
            assert watch.blind is not None
            assert (watch.blind.blind, watch.reached_s) == ("source_unreachable", 0.0)
            assert "refused" in watch.blind.reason
            broadcast.appear()
            watch.until(lambda: watch.closed("source_unreachable"), "sight")
            watch.until_watched(2)
            report = watch.end()
    assert "source_unreachable" in names(report)
    assert set(names(report)) <= {"source_unreachable", "black"}


def test_stop_is_heard_while_a_connection_is_waited_for() -> None:
    with Broadcast(silent=True) as broadcast:
        patient = replace(QUICK, backoff_first_s=60.0, backoff_most_s=60.0)
        with Live(broadcast.url, patient) as watch:
            watch.until(lambda: watch.blind, "blindness")
            assert watch.end(within_s=5.0).execution.reason == "interrupted"  # in the middle of a long pause


def checked(url: str) -> Report:
    """What `check` says of it."""
    return Watch(url, seats(), version="test", options=QUICK, clock=SystemClock()).run()


@pytest.fixture(scope="module")
def mp4(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("mp4") / "a.mp4"
    write(path, video=Video(panning(3.0)), audio=Audio(sound(3.0)))
    return path.read_bytes()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_transport_stream_over_http_is_checked(server: HostileOrigin, ranges: bool) -> None:
    server.ranges = ranges
    server.put("/a.ts", stream())
    report = checked(server.url("/a.ts"))
    black_once(report)
    assert told(report)[0].start_s == pytest.approx(BLACK[0], abs=0.05)
    assert report.execution.watched_s == pytest.approx(SECONDS, abs=0.2)


def test_an_mp4_over_http_is_checked(server: HostileOrigin, mp4: bytes) -> None:
    server.put("/a.mp4", mp4, "video/mp4")
    report = checked(server.url("/a.mp4"))
    assert report.execution.status == "complete"
    assert report.execution.watched_s == pytest.approx(3.0, abs=0.1)
    assert names(report) == []


def test_an_mp4_over_http_is_watched_to_its_end(server: HostileOrigin, mp4: bytes) -> None:
    server.put("/a.mp4", mp4, "video/mp4")
    with Live(server.url("/a.mp4")) as watch:
        report = watch.finished()
    assert report.execution.status == "complete"
    assert report.execution.watched_s == pytest.approx(3.0, abs=0.1)
    assert names(report) == []


def test_an_http_stream_that_trickles_to_a_stop_is_blindness(server: HostileOrigin) -> None:
    data = stream()
    server.put("/live.ts", data, always=hostile.stall(len(data) // 6))
    with Live(server.url("/live.ts")) as watch:
        watch.until(lambda: watch.opened("source_stalled"), "blindness")
        report = watch.end(within_s=5)
    assert "no byte within the read time-out" in (told(report, "source_stalled")[0].detail or "")
    assert report.execution.watched_s > 2


@pytest.mark.parametrize("gone", ["picture", "sound"])
def test_a_hole_in_one_track_of_a_file_is_one_defect(tmp_path: Path, gone: str) -> None:
    path = tmp_path / "hole.ts"
    pictures = panning(10.0)
    hole = (3.0, 6.5)
    if gone == "picture":
        at = [i for i in range(len(pictures)) if not hole[0] * 25 <= i < hole[1] * 25]
        video = Video([pictures[i] for i in at], at=[i * 40 for i in at])
        write(path, video=video, audio=Audio(sound(10.0)))
    else:
        write(path, video=Video(pictures), audio=Audio(sound(10.0)))
        without_sound(path, hole)
    report = checked(str(path))
    (missing,) = told(report)
    assert missing.defect == f"{gone}_missing"
    assert missing.start_s == pytest.approx(hole[0], abs=0.15)
    assert missing.end_s == pytest.approx(hole[1], abs=0.15)
    assert not missing.open


def without_sound(path: Path, hole: tuple[float, float]) -> None:
    """Take the sound's packets of that time out of a file."""
    with av.open(str(path)) as source:
        packets = [p for p in source.demux() if p.size]
        kept = []
        for packet in packets:
            assert packet.pts is not None
            at_s = float((packet.pts - (packet.stream.start_time or 0)) * packet.time_base)
            if packet.stream.type == "video" or not hole[0] <= at_s < hole[1]:
                kept.append(packet)
        target_path = path.with_suffix(".cut.ts")
        with av.open(str(target_path), "w", format="mpegts") as target:
            copies = {s.index: target.add_stream_from_template(s) for s in source.streams}
            for packet in kept:
                packet.stream = copies[packet.stream.index]
                target.mux(packet)
    target_path.replace(path)
