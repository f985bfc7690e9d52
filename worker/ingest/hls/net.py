"""HTTP over connections that can be given up at any moment: each wait is cut into short ones that look at the watch's
end and at the request's deadline. A deadline over the whole request is what catches a trickle, in headers too.

The standard library's client parses: each watch keeps some megabytes less with it than with the usual packages.
"""

from __future__ import annotations

import base64
import contextlib
import os
import select
import socket
import ssl
import threading
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from http.client import HTTPConnection, HTTPResponse, IncompleteRead
from http.cookiejar import CookieJar
from typing import Any
from urllib.parse import quote, unquote, urlsplit
from urllib.request import Request

import certifi

from contracts.clock import Clock

SLICE_S = 0.1  # how long close() may have to wait for a connection
KEEP_ALIVE_S = 30.0
KEPT = 4  # connections that wait for another request
PORTS = {"http": 80, "https": 443}
REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = "%/:=&?~+!$,;'@()*[]|^"  # in a path or query as it was given; the rest is escaped


class Stopped(Exception):
    """The watch ends; whoever waits must let go. Not a fault of the source."""


class NetFault(Exception):
    """A connection failed: `cause` is one word, the message is for people."""

    def __init__(self, cause: str, message: str) -> None:
        super().__init__(message)
        self.cause = cause


@dataclass(slots=True)
class Guard:
    """What each wait of one request looks at. `deadline_s` is monotonic; `received` counts bytes."""

    clock: Clock
    stop: threading.Event
    deadline_s: float = float("inf")
    allow_address: Callable[[str], None] | None = None
    received: int = field(default=0)

    def begin(self, seconds: float) -> None:
        """A request starts, and may take this long in all."""
        self.deadline_s = self.clock.monotonic() + seconds
        self.received = 0

    def check(self) -> None:
        """Raises Stopped at the watch's end and NetFault past the deadline."""
        if self.stop.is_set():
            raise Stopped
        if self.clock.monotonic() >= self.deadline_s:
            if self.received:
                raise NetFault("trickle", f"only {self.received} bytes came before the deadline")
            raise NetFault("timeout", "no answer before the deadline")

    def turns(self, timeout: float | None) -> Iterator[None]:
        """Yields before each short wait; raises NetFault `timeout` once `timeout` seconds are over."""
        until = float("inf") if timeout is None else self.clock.monotonic() + timeout
        while True:
            self.check()
            yield
            if self.clock.monotonic() >= until:
                raise NetFault("timeout", f"no byte for {timeout:g} s")


class _Waits:
    """What plain and TLS sockets share: waits that a guard may end, at most `wait_s` for a byte."""

    guard: Guard
    wait_s: float

    def recv_into(self, buffer: Any, nbytes: int | None = None, flags: int = 0) -> int:
        for _ in self.guard.turns(self.wait_s):
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                count = int(super().recv_into(buffer, nbytes or len(buffer), flags))  # type: ignore[misc]
                self.guard.received += count
                return count
        raise AssertionError("turns() ends with an error only")

    def sendall(self, data: Any, flags: int = 0) -> None:
        left = memoryview(data)
        turns = self.guard.turns(self.wait_s)
        while left:
            next(turns)
            with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError):
                left = left[super().send(left, flags) :]  # type: ignore[misc]


class _Plain(_Waits, socket.socket):
    pass


class _Tls(_Waits, ssl.SSLSocket):
    pass


class _Connection(HTTPConnection):
    """One connection under a guard. Looking a name up cannot be interrupted; the system bounds it."""

    def __init__(
        self, scheme: str, host: str, port: int, guard: Guard, connect_s: float, wait_s: float
    ) -> None:
        super().__init__(host, port)
        self.default_port = PORTS[scheme]  # left out of the Host header
        self._secure = scheme == "https"
        self._guard, self._connect_s, self._wait_s = guard, connect_s, wait_s
        self.idle_since_s = 0.0

    @property
    def gone(self) -> bool:
        """Whether the other side has ended it, or said something unasked."""
        return self.sock is None or bool(_poll(self.sock, select.POLLIN, 0))

    def connect(self) -> None:
        """Raises NetFault, Stopped, and whatever `allow_address` does."""
        sock = self._reach()
        self.sock = self._start_tls(sock) if self._secure else sock

    def _reach(self) -> _Plain:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NetFault("dns", f"the name {self.host} is not known ({error})") from error
        fault = NetFault("dns", f"the name {self.host} has no address")
        for family, kind, protocol, _, address in found:
            if self._guard.allow_address is not None:
                self._guard.allow_address(str(address[0]))
            sock = _Plain(family, kind, protocol)
            sock.guard, sock.wait_s = self._guard, self._wait_s
            try:
                self._open(sock, address, self._connect_s / len(found))
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.settimeout(SLICE_S)
                return sock
            except NetFault as error:
                sock.close()
                fault = error
            except BaseException:
                sock.close()
                raise
        raise fault

    def _open(self, sock: socket.socket, address: Any, timeout: float) -> None:
        sock.setblocking(False)
        try:
            sock.connect(address)
        except BlockingIOError:
            pass  # it is on its way
        except OSError as error:
            _refuse(error)
        for _ in self._guard.turns(timeout):
            if _poll(sock, select.POLLOUT, SLICE_S):
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    _refuse(OSError(code, os.strerror(code)))
                return

    def _start_tls(self, plain: _Plain) -> _Tls:
        sock: Any = plain
        try:
            context = tls()
            context.sslsocket_class = _Tls
            sock = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
            sock.guard, sock.wait_s = self._guard, self._wait_s
            for _ in self._guard.turns(self._connect_s):
                with contextlib.suppress(TimeoutError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                    sock.do_handshake()
                    break
        except ssl.SSLError as error:
            sock.close()
            words = getattr(error, "verify_message", "") or error.reason or str(error)
            raise NetFault("tls", f"the TLS handshake failed: {words}") from error
        except OSError as error:
            sock.close()
            raise NetFault("tls", f"the connection ended in the TLS handshake ({error})") from error
        except BaseException:
            sock.close()
            raise
        assert isinstance(sock, _Tls)
        return sock


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said, its body not read yet."""

    raw: HTTPResponse

    @property
    def status(self) -> int:
        """The status code."""
        return self.raw.status

    @property
    def location(self) -> str | None:
        """Where it redirects to, as it said it; None where it does not."""
        said = self.raw.headers["location"] if self.status in REDIRECTS else None
        return (
            None if said is None else _escaped(said.encode("latin-1", "replace").decode("utf-8", "replace"))
        )

    def pieces(self, size: int) -> Iterator[bytes]:
        """The body without its content coding, in pieces of at most `size` bytes.

        Raises IncompleteRead where it ends too early, and NetFault where its coding is unknown or damaged.
        """
        coding = self.raw.headers.get("content-encoding", "identity").strip().lower()
        if coding in ("", "identity"):
            yield from self._read(size)
            return
        if coding not in ("gzip", "x-gzip", "deflate"):
            raise NetFault("wrong_content", f"its content coding is {coding[:40]!r}, which was not asked for")
        unpack = zlib.decompressobj(wbits=47)  # the header says which
        try:
            for piece in self._read(size):
                yield unpack.decompress(piece, size)
                while unpack.unconsumed_tail:
                    yield unpack.decompress(unpack.unconsumed_tail, size)
        except zlib.error as error:
            raise NetFault("wrong_content", f"its content coding is damaged ({error})") from error

    def _read(self, size: int) -> Iterator[bytes]:
        while piece := self.raw.read(size):
            yield piece
        if self.raw.length:
            raise IncompleteRead(b"", self.raw.length)


class Client:
    """Makes requests one after another over connections that it keeps; belongs to one thread."""

    def __init__(
        self, guard: Guard, *, connect_s: float, wait_s: float, cookies: CookieJar | None = None
    ) -> None:
        """`connect_s` bounds reaching a server, `wait_s` each wait for a byte; the guard bounds all of a request."""
        self._guard, self._connect_s, self._wait_s = guard, connect_s, wait_s
        self._cookies = CookieJar() if cookies is None else cookies
        self._idle: OrderedDict[tuple[str, str, int], _Connection] = OrderedDict()

    @contextlib.contextmanager
    def get(self, url: str, headers: Mapping[str, str]) -> Iterator[Answer]:
        """Ask for `url` and follow no redirect.

        Raises NetFault, Stopped, OSError and HTTPException of http.client, and ValueError where an address or a
        header cannot be sent.
        """
        parts = urlsplit(_escaped(url))
        scheme, host = parts.scheme.lower(), (parts.hostname or "").encode("idna").decode("ascii")
        if scheme not in PORTS or not host:
            raise ValueError("it names no server")
        place = (scheme, host, parts.port or PORTS[scheme])
        asked = {"Accept": "*/*", **headers}
        if parts.username is not None and "Authorization" not in asked:
            pair = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            asked["Authorization"] = f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
        about = Request(  # noqa: S310 - opened by nobody: the jar wants to be asked so
            f"{scheme}://{f'[{host}]' if ':' in host else host}:{place[2]}{parts.path or '/'}"
        )
        self._cookies.add_cookie_header(about)
        asked.update(about.unredirected_hdrs)
        connection = self._connection(place)
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            connection.request("GET", target, headers=asked)
            raw = connection.getresponse()
            self._cookies.extract_cookies(raw, about)
            yield Answer(raw)
            if raw.isclosed() and not raw.will_close:
                self._keep(place, connection)
        finally:
            if self._idle.get(place) is not connection:
                connection.close()

    def close(self) -> None:
        """Let go of all connections."""
        while self._idle:
            self._idle.popitem()[1].close()

    def _connection(self, place: tuple[str, str, int]) -> _Connection:
        kept = self._idle.pop(place, None)
        if kept is not None:
            if not kept.gone and self._guard.clock.monotonic() - kept.idle_since_s < KEEP_ALIVE_S:
                return kept
            kept.close()
        return _Connection(*place, self._guard, self._connect_s, self._wait_s)

    def _keep(self, place: tuple[str, str, int], connection: _Connection) -> None:
        connection.idle_since_s = self._guard.clock.monotonic()
        self._idle[place] = connection
        while len(self._idle) > KEPT:
            self._idle.popitem(last=False)[1].close()


@cache
def tls() -> ssl.SSLContext:
    """One for the process: reading the authorities' certificates takes a while.

    SSL_CERT_FILE and SSL_CERT_DIR name others.
    """
    file, folder = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    cafile = file or (None if folder else certifi.where())
    return ssl.create_default_context(cafile=cafile, capath=folder or None)


def _escaped(url: str) -> str:
    """`url` with what may not stand in a request escaped; what is escaped already stays."""
    parts = urlsplit(url.strip())
    return parts._replace(
        path=quote(parts.path, _SAFE), query=quote(parts.query, _SAFE), fragment=""
    ).geturl()


def _poll(sock: socket.socket, what: int, seconds: float) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(sock, what)
    return poll.poll(seconds * 1000)


def _refuse(error: OSError) -> None:
    cause = "refused" if isinstance(error, ConnectionError) else "unroutable"
    raise NetFault(cause, f"no connection ({error.strerror or error})") from error
