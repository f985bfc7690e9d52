"""Connections that can be given up at any moment: each wait is cut into short ones that look at the watch's end
and at the request's deadline. A deadline over the whole request is what catches a trickle, in headers too.
"""

from __future__ import annotations

import contextlib
import os
import select
import socket
import ssl
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpcore
import httpx

from contracts.clock import Clock

SLICE_S = 0.1  # how long close() may have to wait for a connection
KEEP_ALIVE_S = 30.0


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


class GuardedStream(httpcore.NetworkStream):
    """One connection, plain or TLS."""

    def __init__(self, sock: socket.socket, guard: Guard) -> None:
        self._sock, self._guard = sock, guard
        sock.settimeout(SLICE_S)

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        for _ in self._guard.turns(timeout):
            with contextlib.suppress(TimeoutError, ssl.SSLWantReadError):
                data = self._sock.recv(max_bytes)
                self._guard.received += len(data)
                return data
        raise AssertionError("turns() ends with an error only")

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        left = memoryview(buffer)
        turns = self._guard.turns(timeout)
        while left:
            next(turns)
            with contextlib.suppress(TimeoutError, ssl.SSLWantWriteError):
                left = left[self._sock.send(left) :]

    def close(self) -> None:
        self._sock.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        sock = self._sock
        try:
            self._sock = sock = ssl_context.wrap_socket(
                sock, server_hostname=server_hostname, do_handshake_on_connect=False
            )
            for _ in self._guard.turns(timeout):
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
        return self

    def get_extra_info(self, info: str) -> Any:
        if info == "ssl_object":
            return self._sock if isinstance(self._sock, ssl.SSLSocket) else None
        if info == "is_readable":
            return self._sock.fileno() < 0 or bool(_poll(self._sock, select.POLLIN, 0))
        return self._sock if info == "socket" else None


class GuardedBackend(httpcore.NetworkBackend):
    """Opens connections under a guard. Looking a name up cannot be interrupted; the system bounds it."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NetFault("dns", f"the name {host} is not known ({error})") from error
        each = None if timeout is None else timeout / max(1, len(found))
        fault = NetFault("dns", f"the name {host} has no address")
        for family, kind, protocol, _, address in found:
            if self._guard.allow_address is not None:
                self._guard.allow_address(str(address[0]))
            sock = socket.socket(family, kind, protocol)
            try:
                self._connect(sock, address, each)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return GuardedStream(sock, self._guard)
            except NetFault as error:
                sock.close()
                fault = error
            except BaseException:
                sock.close()
                raise
        raise fault

    def _connect(self, sock: socket.socket, address: Any, timeout: float | None) -> None:
        sock.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            self._begin(sock, address)
        for _ in self._guard.turns(timeout):
            if _poll(sock, select.POLLOUT, SLICE_S):
                code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if code:
                    _refuse(OSError(code, os.strerror(code)))
                return

    def _begin(self, sock: socket.socket, address: Any) -> None:
        try:
            sock.connect(address)
        except BlockingIOError:
            raise
        except OSError as error:
            _refuse(error)


class GuardedTransport(httpx.BaseTransport):
    """HTTP/1.1 for httpx over guarded connections; httpcore's errors and ours pass through unchanged."""

    def __init__(self, guard: Guard) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=tls(),
            max_connections=8,
            max_keepalive_connections=4,
            keepalive_expiry=KEEP_ALIVE_S,
            network_backend=GuardedBackend(guard),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        assert isinstance(request.stream, httpx.SyncByteStream)
        answer = self._pool.handle_request(
            httpcore.Request(
                method=request.method,
                url=httpcore.URL(
                    scheme=request.url.raw_scheme,
                    host=request.url.raw_host,
                    port=request.url.port,
                    target=request.url.raw_path,
                ),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(
            answer.status, headers=answer.headers, stream=_Body(answer.stream), extensions=answer.extensions
        )

    def close(self) -> None:
        self._pool.close()


@cache
def tls() -> ssl.SSLContext:
    """One for the process: reading the authorities' certificates takes a while."""
    return httpx.create_ssl_context()


class _Body(httpx.SyncByteStream):
    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        yield from self._stream

    def close(self) -> None:
        self._stream.close()


def _poll(sock: socket.socket, what: int, seconds: float) -> list[tuple[int, int]]:
    poll = select.poll()
    poll.register(sock, what)
    return poll.poll(seconds * 1000)


def _refuse(error: OSError) -> None:
    cause = "refused" if isinstance(error, ConnectionError) else "unroutable"
    raise NetFault(cause, f"no connection ({error.strerror or error})") from error
