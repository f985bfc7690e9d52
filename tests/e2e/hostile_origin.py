"""An HTTP origin on the loopback that misbehaves on request: each path has a script of what its next answers do."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

PLAYLIST = "application/vnd.apple.mpegurl"
Body = bytes | Callable[[], bytes]
Action = Callable[["_Handler", bytes, str], None]


def ok(handler: _Handler, body: bytes, kind: str) -> None:
    """The whole answer, or the range that was asked for."""
    handler.whole(200, body, kind)


def status(code: int) -> Action:
    return lambda handler, body, kind: handler.whole(code, b"no", "text/plain")


def html(handler: _Handler, body: bytes, kind: str) -> None:
    """A page where media should be, with status 200."""
    handler.whole(200, b"<!DOCTYPE html><html><body>Sorry!</body></html>", "text/html")


def redirect(to: str) -> Action:
    def act(handler: _Handler, body: bytes, kind: str) -> None:
        handler.send_response(302)
        handler.send_header("Location", to)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return act


def drop(handler: _Handler, body: bytes, kind: str) -> None:
    """End the connection without an answer."""
    handler.close_connection = True


def truncate(at: int) -> Action:
    """Promise the whole, send `at` bytes, end the connection."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        handler.head(200, len(body), kind)
        handler.wfile.write(body[:at])
        handler.close_connection = True

    return act


def stall(at: int) -> Action:
    """Send `at` bytes of the body, then nothing more, the connection stays open."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        handler.head(200, len(body), kind)
        handler.wfile.write(body[:at])
        handler.wfile.flush()
        handler.origin.closing.wait(30)
        handler.close_connection = True

    return act


def trickle(interval_s: float, *, head: bool = False) -> Action:
    """One byte at a time; with `head` the header is what trickles."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        if not head:
            handler.head(200, len(body), kind)
        handler.close_connection = True
        for byte in b"HTTP/1.1 200 OK\r\nX-Slow: " + b"x" * 4096 if head else body:
            handler.wfile.write(bytes([byte]))
            handler.wfile.flush()
            if handler.origin.closing.wait(interval_s):
                return

    return act


def slow(seconds: float) -> Action:
    """The right answer, late."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        handler.origin.closing.wait(seconds)
        handler.whole(200, body, kind)

    return act


def cookie(value: str) -> Action:
    """The right answer, with a cookie for the whole site."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        handler.head(200, len(body), kind, {"Set-Cookie": f"{value}; Path=/"})
        handler.wfile.write(body)

    return act


def token(value: Callable[[], str], code: int = 403) -> Action:
    """Answers those who come with `?token=` and the present value."""

    def act(handler: _Handler, body: bytes, kind: str) -> None:
        if f"token={value()}" in urlsplit(handler.path).query.split("&"):
            handler.whole(200, body, kind)
        else:
            handler.whole(code, b"no", "text/plain")

    return act


@dataclass
class Resource:
    body: Body
    kind: str
    script: deque[Action] = field(default_factory=deque)
    always: Action = ok


@dataclass(frozen=True)
class Request:
    path: str
    query: str
    headers: dict[str, str]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    origin: HostileOrigin

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        action, body, kind = self.origin.answer(Request(parts.path, parts.query, headers))
        action(self, body, kind)

    def head(self, code: int, length: int, kind: str, extra: dict[str, str] | None = None) -> None:
        self.send_response(code)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        if self.close_connection:  # as the client asked; it relies on being told
            self.send_header("Connection", "close")
        for name, value in (extra or {}).items():
            self.send_header(name, value)
        self.end_headers()

    def whole(self, code: int, body: bytes, kind: str) -> None:
        wanted = self.headers.get("Range", "")
        if code == 200 and wanted.startswith("bytes=") and self.origin.ranges:
            first, _, last = wanted[6:].partition("-")
            end = int(last) if last else len(body) - 1
            part = body[int(first) : end + 1]
            self.head(206, len(part), kind, {"Content-Range": f"bytes {first}-{end}/{len(body)}"})
            self.wfile.write(part)
            return
        self.head(code, len(body), kind)
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Keep the test's output clean."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    allow_reuse_address = True
    block_on_close = False

    def __init__(self, port: int, handler: type[_Handler]) -> None:
        self.connections: weakref.WeakSet[socket.socket] = weakref.WeakSet()
        super().__init__(("127.0.0.1", port), handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def cut(self) -> None:
        """End all running connections."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Whoever hangs up on us is part of the game."""


class HostileOrigin:
    """Use as a context manager. Paths that were never `put` answer 404."""

    def __init__(self, tls: tuple[Path, Path] | None = None) -> None:
        """`tls`: the files of a certificate and of its key."""
        self._tls = tls
        self.closing = threading.Event()
        self.requests: list[Request] = []
        self.ranges = True
        self._lock = threading.Lock()
        self._resources: dict[str, Resource] = {}
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None
        self.port = 0
        self.appear()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self.vanish()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def put(self, path: str, body: Body, kind: str = "video/mp2t", *, always: Action = ok) -> None:
        """Serve `body` (or what it returns when called) at `path`."""
        if path.endswith(".m3u8"):
            kind = PLAYLIST
        with self._lock:
            self._resources[path] = Resource(body, kind, always=always)

    def remove(self, path: str) -> None:
        with self._lock:
            self._resources.pop(path, None)

    def script(self, path: str, *actions: Action) -> None:
        """The next answers of `path`, one each; afterwards it behaves again."""
        with self._lock:
            self._resources[path].script.extend(actions)

    def always(self, path: str, action: Action) -> None:
        """From now on."""
        with self._lock:
            self._resources[path].always = action

    def answer(self, request: Request) -> tuple[Action, bytes, str]:
        with self._lock:
            self.requests.append(request)
            resource = self._resources.get(request.path)
            if resource is None:
                return status(404), b"", "text/plain"
            action = resource.script.popleft() if resource.script else resource.always
            body = resource.body
        return action, body() if callable(body) else body, resource.kind

    def asked(self, path: str) -> int:
        """How often `path` was asked for."""
        with self._lock:
            return sum(r.path == path for r in self.requests)

    def vanish(self) -> None:
        """The port is closed: connections are refused."""
        if self._server is not None and self._thread is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server.cut()
            self._thread.join(5)
            self._server = None

    def appear(self) -> None:
        """Listen, on the same port as before."""
        handler = type("Handler", (_Handler,), {"origin": self})
        self._server = _Server(self.port, handler)
        if self._tls is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*self._tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()


class LiveChannel:
    """A live playlist that grows with the wall clock, one segment each `target_s`. Segments are dummy bytes.

    A segment's bytes name it, so that a test can tell what it got.
    """

    def __init__(
        self,
        origin: HostileOrigin,
        *,
        path: str = "/live.m3u8",
        name: str = "seg",
        target_s: float = 0.2,
        window: int = 6,
        first: int = 100,
        query: Callable[[], str] = lambda: "",
    ) -> None:
        self.origin, self.path, self.name = origin, path, name
        self.target_s, self.window, self.first, self.query = target_s, window, first, query
        self.began_s = time.monotonic()
        self.frozen: int | None = None
        self.header: list[str] = []
        self.ended = False
        self.every_segment: Action = ok
        self._made: set[int] = set()
        origin.put(path, self.playlist)

    @property
    def newest(self) -> int:
        """The sequence number of the newest segment."""
        if self.frozen is not None:
            return self.frozen
        return self.first + self.window - 1 + int((time.monotonic() - self.began_s) / self.target_s)

    def freeze(self) -> None:
        """The playlist stops growing."""
        self.frozen = self.newest

    def thaw(self) -> None:
        """It goes on where it stopped."""
        assert self.frozen is not None
        self.first = self.frozen - self.window + 1
        self.began_s, self.frozen = time.monotonic(), None

    def restart(self, first: int, name: str) -> None:
        """The origin begins anew with other numbers and names."""
        self.first, self.name, self.began_s, self.frozen = first, name, time.monotonic(), None
        self._made.clear()

    def segment(self, sequence: int) -> str:
        return f"{self.path.rpartition('.')[0]}-{self.name}{sequence}.ts"

    def playlist(self) -> bytes:
        newest = self.newest
        sequences = range(max(self.first, newest - self.window + 1), newest + 1)
        lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{self.target_s}", f"#EXT-X-MEDIA-SEQUENCE:{sequences[0]}"]
        lines += self.header
        for sequence in sequences:
            path = self.segment(sequence)
            if sequence not in self._made:
                self._made.add(sequence)
                self.origin.put(path, f"{self.name}{sequence}".encode(), always=self.every_segment)
            query = self.query()
            lines += [f"#EXTINF:{self.target_s},", path + (f"?{query}" if query else "")]
        return "\n".join([*lines, *(["#EXT-X-ENDLIST"] if self.ended else []), ""]).encode()


def vod(
    origin: HostileOrigin, count: int, *, path: str = "/vod.m3u8", duration_s: float = 1.0, prefix: str = "s"
) -> list[str]:
    """A playlist on demand with `count` dummy segments; returns their paths."""
    paths = [f"/{prefix}{i}.ts" for i in range(count)]
    lines = ["#EXTM3U", f"#EXT-X-TARGETDURATION:{duration_s}", "#EXT-X-PLAYLIST-TYPE:VOD"]
    for i, name in enumerate(paths):
        origin.put(name, f"{prefix}{i}".encode())
        lines += [f"#EXTINF:{duration_s},", name]
    origin.put(path, "\n".join([*lines, "#EXT-X-ENDLIST", ""]).encode())
    return paths
