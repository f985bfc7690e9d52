"""The HTTP client, against a server that says exactly what it is told."""

from __future__ import annotations

import gzip
import socket
import threading
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPException, IncompleteRead
from http.cookiejar import CookieJar

import pytest

from contracts.clock import SystemClock
from worker.ingest.hls.net import Answer, Client, Guard, NetFault, Stopped

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole"


class Server:
    """Answers the n-th request it is sent, over whatever connection, with the n-th of `answers`; None ends that one."""

    def __init__(self, answers: Sequence[bytes | None]) -> None:
        self._answers = list(answers)
        self.asked: list[str] = []
        self.connections = 0
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            text = b""
            while data := connection.recv(65536):
                text += data
                while b"\r\n\r\n" in text:
                    head, _, text = text.partition(b"\r\n\r\n")
                    self.asked.append(head.decode("latin-1"))
                    answer = self._answers.pop(0)
                    if answer is None:
                        return
                    connection.sendall(answer)
                    if b"Content-Length" not in answer and b"chunked" not in answer:
                        return

    def close(self) -> None:
        self._socket.close()


@contextmanager
def served(*answers: bytes | None) -> Iterator[Server]:
    server = Server(answers)
    try:
        yield server
    finally:
        server.close()


@contextmanager
def client(within_s: float = 5.0, cookies: CookieJar | None = None) -> Iterator[Client]:
    guard = Guard(SystemClock(), threading.Event())
    guard.begin(within_s)
    made = Client(guard, connect_s=2.0, wait_s=2.0, cookies=cookies)
    try:
        yield made
    finally:
        made.close()


def body(answer: Answer) -> bytes:
    return b"".join(answer.pieces(65536))


def asked(server: Server, url: str = "/", headers: dict[str, str] | None = None) -> bytes:
    with client() as made, made.get(f"http://127.0.0.1:{server.port}{url}", headers or {}) as answer:
        return body(answer)


def test_a_connection_serves_several_requests() -> None:
    with served(OK, OK, OK) as server, client() as made:
        for _ in range(3):
            with made.get(f"http://127.0.0.1:{server.port}/a?b=c", {"X-Mine": "1"}) as answer:
                assert (answer.status, body(answer)) == (200, b"whole")
        assert server.connections == 1
        lines = server.asked[0].split("\r\n")
        assert lines[0] == "GET /a?b=c HTTP/1.1"
        assert f"Host: 127.0.0.1:{server.port}" in lines
        assert "X-Mine: 1" in lines


def test_a_connection_that_the_server_has_ended_is_not_used_again() -> None:
    closing = b"HTTP/1.1 200 OK\r\n\r\nuntil it ends"
    with served(closing, OK) as server, client() as made:
        for expected in (b"until it ends", b"whole"):
            with made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
                assert body(answer) == expected
        assert server.connections == 2


def test_what_was_not_read_to_its_end_is_not_kept() -> None:
    with served(OK, OK) as server, client() as made:
        for _ in range(2):
            with made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
                assert answer.status == 200
        assert server.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\nConnection: close\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n32\r\nshort",
    ],
)
def test_a_body_that_ends_too_early_is_an_error(answer: bytes) -> None:
    server = socket.create_server(("127.0.0.1", 0))

    def once() -> None:
        connection, _ = server.accept()
        with connection:
            connection.recv(65536)
            connection.sendall(answer)

    thread = threading.Thread(target=once)
    thread.start()
    with (
        server,
        client() as made,
        made.get(f"http://127.0.0.1:{server.getsockname()[1]}/", {}) as got,
        pytest.raises(IncompleteRead),
    ):
        body(got)
    thread.join()


@pytest.mark.parametrize(
    "answer", [None, b"what?\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"]
)
def test_no_answer_and_an_answer_that_is_not_http_are_errors_of_the_connection(answer: bytes | None) -> None:
    with served(answer) as server, pytest.raises((OSError, HTTPException)):
        asked(server)


def coded(coding: str, data: bytes) -> bytes:
    return (
        f"HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {len(data)}\r\n\r\n".encode()
        + data
    )


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_codings_are_undone(coding: str, pack: object) -> None:
    assert callable(pack)
    with served(coded(coding, pack(b"#EXTM3U " * 1000))) as server:
        assert asked(server) == b"#EXTM3U " * 1000


def test_a_coded_body_comes_in_small_pieces_however_large_it_grows() -> None:
    with served(coded("gzip", gzip.compress(bytes(30_000_000)))) as server, client() as made:
        with made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
            sizes = [len(piece) for piece in answer.pieces(65536)]
        assert max(sizes) <= 65536
        assert sum(sizes) == 30_000_000


@pytest.mark.parametrize("answer", [coded("br", b"x"), coded("gzip", b"not so")])
def test_a_coding_that_is_unknown_or_damaged_is_wrong_content(answer: bytes) -> None:
    with served(answer) as server, pytest.raises(NetFault) as caught:
        asked(server)
    assert caught.value.cause == "wrong_content"


def test_cookies_are_kept_for_the_next_request() -> None:
    with served(OK.replace(b"\r\n\r\n", b"\r\nSet-Cookie: a=b; Path=/\r\n\r\n"), OK) as server:
        jar = CookieJar()
        for _ in range(2):
            with client(cookies=jar) as made, made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
                body(answer)
        assert "Cookie: a=b" not in server.asked[0]
        assert "Cookie: a=b" in server.asked[1]


def test_addresses_are_escaped_and_credentials_in_them_sent() -> None:
    with served(OK) as server, client() as made:
        url = f"http://us%40er:pass@127.0.0.1:{server.port}/ein tür/%20?q=a b"
        with made.get(url, {}) as answer:
            body(answer)
        assert server.asked[0].startswith("GET /ein%20t%C3%BCr/%20?q=a%20b HTTP/1.1\r\n")
        assert "Authorization: Basic dXNAZXI6cGFzcw==" in server.asked[0]


def test_a_redirect_is_told_and_not_followed() -> None:
    there = "HTTP/1.1 302 Found\r\nLocation: /t\u00fcr x\r\nContent-Length: 0\r\n\r\n".encode()
    with served(there, OK) as server, client() as made:
        with made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
            assert answer.location == "/t%C3%BCr%20x"
        with made.get(f"http://127.0.0.1:{server.port}/", {}) as answer:
            assert answer.location is None


@pytest.mark.parametrize("url", ["http://", "ftp://127.0.0.1/", "http://127.0.0.1:99999/", "http://a..b/"])
def test_an_address_that_cannot_be_used_is_a_value_error(url: str) -> None:
    with client() as made, pytest.raises(ValueError, match=r"."), made.get(url, {}):
        pass


def test_the_end_of_the_watch_ends_a_wait() -> None:
    stop = threading.Event()
    guard = Guard(SystemClock(), stop)
    guard.begin(20.0)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        made = Client(guard, connect_s=10.0, wait_s=10.0)
        threading.Timer(0.2, stop.set).start()
        with pytest.raises(Stopped), made.get(f"http://127.0.0.1:{silent.getsockname()[1]}/", {}):
            pass
        made.close()
