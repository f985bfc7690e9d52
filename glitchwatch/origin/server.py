"""Serves channels over HTTP on the loopback address, and breaks their delivery where the schedule says."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from contracts.clock import Clock, SystemClock
from glitchwatch.origin.channel import Channel, ChannelSpec
from glitchwatch.origin.faults import Fault, Layer, Schedule, Truth
from glitchwatch.origin.playlist import Segment
from glitchwatch.origin.studio import Studio

Tell = Callable[[str, str, int, str], None]

_TYPES = {
    "m3u8": "application/vnd.apple.mpegurl",
    "m4s": "video/mp4",
    "mp4": "video/mp4",
    "ts": "video/mp2t",
}
_SLOW = 1.6  # a slow segment takes this many times its own length
_STEP_S = 0.05
_IDLE_S = 30.0  # a kept connection without a request ends


class Origin:
    """Live channels over HTTP until `close`; use it as a context manager.

    `channels` are specs with their schedules. `port` 0 takes a free one. Each channel makes its media in a
    thread of its own. `tell(what, channel, number, window)` hears of each segment "published" (in all
    windows), "served" to its end, and "refused", as the fault on it wants.
    """

    def __init__(
        self,
        channels: Sequence[tuple[ChannelSpec, Schedule]],
        *,
        port: int = 0,
        clock: Clock | None = None,
        tell: Tell = lambda what, channel, number, window: None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._stop = threading.Event()
        studio = Studio()
        self.channels = {
            spec.name: Channel(spec, plan, self._clock, _publisher(tell, spec.name), studio)
            for spec, plan in channels
        }
        self._delivery = {name: _Delivery(channel, tell) for name, channel in self.channels.items()}
        self._server = _Server(("127.0.0.1", port), self)
        self.port = int(self._server.server_address[1])
        self._threads = [
            threading.Thread(target=channel.run, args=(self._stop,), name=f"channel-{name}", daemon=True)
            for name, channel in self.channels.items()
        ]
        self._threads.append(
            threading.Thread(
                target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, name="origin", daemon=True
            )
        )
        for thread in self._threads:
            thread.start()
        for channel, thread in zip(self.channels.values(), self._threads, strict=False):
            while channel.made < channel.spec.preroll and thread.is_alive():
                self._stop.wait(0.01)
            if channel.made < channel.spec.preroll:
                self.close()
                raise RuntimeError(f"Channel {channel.spec.name!r} ended before it began.")

    def __enter__(self) -> Origin:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def url(self, name: str) -> str:
        """Address of a channel's master playlist."""
        return f"http://127.0.0.1:{self.port}/{name}/master.m3u8"

    def truth(self, name: str) -> list[Truth]:
        """The faults whose media has been made so far, oldest first."""
        return self.channels[name].truths()

    def first_segment(self, name: str) -> int | None:
        """Number of the first segment anybody was given of a channel."""
        return self._delivery[name].first

    def close(self) -> None:
        """Stop making, answer nobody any more, and join every thread."""
        if self._stop.is_set():
            return
        self._stop.set()
        self._server.shutdown()
        self._server.hang_up()
        self._server.server_close()
        for thread in self._threads:
            thread.join(timeout=10)

    def answer(self, handler: _Handler) -> None:
        """Answer one request."""
        name, _, rest = handler.path.lstrip("/").partition("?")[0].partition("/")
        delivery = self._delivery.get(name)
        if delivery is None:
            handler.reply(404, b"no such channel\n", "text/plain")
        else:
            delivery.answer(handler, rest, self._stop)


def _publisher(tell: Tell, channel: str) -> Callable[[int], None]:
    return lambda number: tell("published", channel, number, "")


class _Delivery:
    """What one channel answers, faults in delivery included."""

    def __init__(self, channel: Channel, tell: Tell) -> None:
        self._channel, self._tell = channel, tell
        self._frozen: tuple[Fault, dict[str, str]] | None = None
        self._lock = threading.Lock()
        self.first: int | None = None

    def answer(self, handler: _Handler, path: str, stop: threading.Event) -> None:
        faults = {f.kind.name: f for f in self._channel.transport_faults(Layer.ORIGIN)}
        if "origin_away" in faults:
            handler.reply(503, b"away\n", "text/plain")
            return
        if "origin_resets" in faults:
            handler.reset()
            return
        texts = self._playlists(faults.get("playlist_stall"))
        stem, _, suffix = path.rpartition(".")
        if path == "master.m3u8":
            handler.reply(200, self._channel.master.encode(), _TYPES["m3u8"])
        elif suffix == "m3u8" and stem in texts:
            handler.reply(200, texts[stem].encode(), _TYPES["m3u8"])
        else:
            self._media(handler, path, suffix, stop)

    def _playlists(self, stall: Fault | None) -> dict[str, str]:
        with self._lock:
            if stall is None:
                self._frozen = None
            elif self._frozen is None or self._frozen[0] is not stall:
                self._frozen = (stall, {n: w.text for n, w in self._channel.windows.items()})
            if self._frozen is not None:
                return self._frozen[1]
        return {n: w.text for n, w in self._channel.windows.items()}

    def _media(self, handler: _Handler, path: str, suffix: str, stop: threading.Event) -> None:
        for name, window in self._channel.windows.items():
            if (init := window.init(path)) is not None:
                handler.reply(200, init, _TYPES["mp4"])
                return
            if (segment := window.find(path)) is not None:
                self.first = segment.sequence if self.first is None else self.first
                fault = self._channel.segment_fault(segment) if name == "picture" else None
                self._segment(handler, name, segment, suffix, fault, stop)
                return
        handler.reply(404, b"gone\n", "text/plain")

    def _segment(
        self,
        handler: _Handler,
        window: str,
        segment: Segment,
        suffix: str,
        fault: Fault | None,
        stop: threading.Event,
    ) -> None:
        if fault is not None and fault.kind.name == "segment_lost":
            handler.reply(404, b"lost\n", "text/plain")
            self._tell("refused", self._channel.spec.name, segment.sequence, window)
            return
        slow_s = 0.0
        if fault is not None and fault.kind.name == "segment_slow":
            slow_s = _SLOW * segment.duration_s / self._channel.spec.speed
        if handler.reply(200, segment.data, _TYPES[suffix], slow_s=slow_s, stop=stop):
            self._tell("served", self._channel.spec.name, segment.sequence, window)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    timeout = _IDLE_S
    sent = False  # whether the last response went out whole
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.server.origin.answer(self)

    def do_HEAD(self) -> None:
        self.server.origin.answer(self)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class names it
        """Nothing is printed."""

    def reply(
        self,
        status: int,
        body: bytes,
        content_type: str,
        *,
        slow_s: float = 0.0,
        stop: threading.Event | None = None,
    ) -> bool:
        """Send a response, `slow_s` spreads its body over that long; whether all of it was sent."""
        self.sent = False
        with _client_may_leave(self):
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Access-Control-Allow-Origin", "*")
            self.send_header(
                "Cache-Control", "max-age=60" if content_type.startswith("video") else "no-cache"
            )
            self.end_headers()
            if self.command == "HEAD":
                return False
            if slow_s <= 0 or stop is None:
                self.wfile.write(body)
                return True
            steps = max(1, int(slow_s / _STEP_S))
            size = -(-len(body) // steps)
            for offset in range(0, len(body), size):
                self.wfile.write(body[offset : offset + size])
                if stop.wait(_STEP_S):
                    self.close_connection = True
                    return False
            self.sent = True
        return self.sent

    def reset(self) -> None:
        """End the connection without an answer (a TCP reset)."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True


@contextmanager
def _client_may_leave(handler: _Handler) -> Iterator[None]:
    """A client that hangs up in the middle ends its connection and nothing else."""
    try:
        yield
    except OSError:
        handler.close_connection = True


class _Server(ThreadingHTTPServer):
    daemon_threads = False  # so that closing joins them
    block_on_close = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], origin: Origin) -> None:
        self.origin = origin
        self._open: set[socket.socket] = set()
        self._lock = threading.Lock()
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        with self._lock:
            self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        with self._lock:
            self._open.discard(request)
        linger = request.getsockopt(socket.SOL_SOCKET, socket.SO_LINGER, 8)
        if struct.unpack("ii", linger)[0]:
            self.close_request(request)  # closing at once is what sends the reset
        else:
            super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A connection that breaks while it is read ends; the server goes on."""

    def hang_up(self) -> None:
        """End every connection, so that whoever waits on one returns."""
        with self._lock:
            connections = list(self._open)
        for connection in connections:
            with _ignore_gone():
                connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _ignore_gone() -> Iterator[None]:
    try:
        yield
    except OSError:
        return  # it had ended already
