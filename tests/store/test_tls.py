"""The store over TLS and with a password: a real server behind a wall that ends TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.errors import ConfigError
from glitchwatch import embedded
from store.connect import check, execute, open_sync
from store.errors import StoreUnavailable
from tests.certificates import self_signed


class Wall:
    """Ends TLS on a port of its own and passes bytes on to the store's."""

    def __init__(self, files: tuple[Path, Path], port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*files)
        self._to = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):  # closed: the test is over
            while True:
                plain, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(plain,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with (
            contextlib.closing(plain),
            contextlib.suppress(OSError),  # who does not trust us hangs up
            self._context.wrap_socket(plain, server_side=True) as near,
            socket.create_connection(("127.0.0.1", self._to)) as far,
        ):
            back = threading.Thread(target=_pass, args=(far, near), daemon=True)
            back.start()
            _pass(near, far)
            back.join(5)

    def close(self) -> None:
        self._listener.close()


def _pass(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(1 << 16):
            other.sendall(data)
    for end in (one, other):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[str, int, Path]]:
    """(password, port, certificate)."""
    store = embedded.start(tmp_path / "store", port=0)
    password, _, address = store.url.removeprefix("redis://:").partition("@")
    files = self_signed(tmp_path)
    wall = Wall(files, int(address.partition(":")[2].partition("/")[0]))
    yield password, wall.port, files[0]
    wall.close()
    store.stop()


def test_a_store_behind_tls_is_used_when_its_certificate_is_trusted(secured: tuple[str, int, Path]) -> None:
    password, port, ca = secured
    url = f"rediss://:{password}@localhost:{port}/0"
    with open_sync(url, timeout_s=5, ca=ca) as client:
        check(client, url)
        assert execute(client, "PING") in (True, b"PONG")


def test_a_certificate_that_nobody_vouches_for_is_not_trusted(secured: tuple[str, int, Path]) -> None:
    password, port, _ = secured
    with (
        open_sync(f"rediss://:{password}@localhost:{port}/0", timeout_s=5) as client,
        pytest.raises(StoreUnavailable, match="certificate"),
    ):
        execute(client, "PING")


def test_a_wrong_password_is_said_without_repeating_it(secured: tuple[str, int, Path]) -> None:
    _, port, ca = secured
    url = f"rediss://:hush-hush@localhost:{port}/0"
    with open_sync(url, timeout_s=5, ca=ca) as client, pytest.raises(ConfigError) as refused:
        check(client, url)
    assert "hush-hush" not in refused.value.explain()
