"""`glitchwatch up`: a whole fleet on one machine. The same processes as elsewhere; only the addresses differ."""

from __future__ import annotations

import asyncio
import os
import queue
import signal
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from contracts.clock import Clock, SystemClock
from contracts.errors import ConfigError
from contracts.jobs import ANALYSIS_QUEUE, PROBE_QUEUE
from glitchwatch import embedded, processes
from store.apikeys import ApiKeys
from store.connect import check, open_async, open_sync, server_url

if TYPE_CHECKING:
    from subprocess import Popen  # noqa: TID251  # for a type only

STARTS_S = 30.0
ENDS_S = 15.0
_LOOK_S = 0.2
_SETTLED_S = 30.0
_LONGEST_BACKOFF_S = 30.0
_LARGEST_LOG = 10 * 1024 * 1024
_KEY, _LISTENS = "API key", "Listening on "


@dataclass(slots=True)
class Part:
    """One process of the fleet, started again when it ends by itself."""

    name: str
    module: str
    environ: Mapping[str, str]
    log: Path
    arguments: tuple[str, ...] = ()
    process: Popen[str] | None = None
    started_s: float = 0.0
    failed: int = 0
    again_s: float = 0.0
    lines: queue.Queue[str] = field(default_factory=lambda: queue.Queue(maxsize=100))

    def start(self, clock: Clock) -> None:
        """Call it from the main thread: the process ends with the thread that started it."""
        mode = "w" if self.log.is_file() and self.log.stat().st_size > _LARGEST_LOG else "a"
        with self.log.open(mode) as log:
            self.process = processes.spawn(
                self.module, self.arguments, stderr=log.fileno(), environ=self.environ
            )
        self.started_s = clock.monotonic()
        threading.Thread(target=_drain, args=(self.process, self.lines), daemon=True).start()

    def look(self, clock: Clock) -> str | None:
        """Start it again when it has ended, later each time; what to tell people."""
        if self.process is None:
            if clock.monotonic() >= self.again_s:
                self.start(clock)
            return None
        status = self.process.poll()
        if status is None:
            return None
        lived = clock.monotonic() - self.started_s
        self.failed = 1 if lived > _SETTLED_S else self.failed + 1
        delay = 0.0 if self.failed == 1 else min(_LONGEST_BACKOFF_S, 0.5 * 2.0 ** min(self.failed, 6))
        self.process, self.again_s = None, clock.monotonic() + delay
        return f"{self.name} ended with status {status} and is started again; see {self.log}"

    def last_words(self) -> str:
        """The end of its log."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.is_file() else []
        return lines[-1][:500] if lines else "it said nothing"


def _drain(process: Popen[str], lines: queue.Queue[str]) -> None:
    assert process.stdout is not None
    for line in process.stdout:
        try:
            lines.put_nowait(line.rstrip("\n"))
        except queue.Full:
            continue


def run_up(
    workers: int,
    folder: Path | None,
    port: int,
    console: Console,
    *,
    new_key: bool = False,
    clock: Clock | None = None,
    environ: Mapping[str, str] | None = None,
) -> int:
    """Run until Ctrl-C or SIGTERM; the exit status. Raises ConfigError when something cannot start."""
    clock = clock or SystemClock()
    environ = os.environ if environ is None else environ
    folder = (folder or embedded.data_folder(environ)).expanduser()
    ended = threading.Event()
    before = {
        number: signal.signal(number, lambda *_: ended.set()) for number in (signal.SIGINT, signal.SIGTERM)
    }
    store, parts = None, []
    try:
        url = server_url(environ)
        if url is None:
            store = embedded.start(folder, environ=environ, clock=clock)
            url = store.url
        logs = folder / "logs"
        logs.mkdir(parents=True, exist_ok=True, mode=0o700)
        _check(url)
        if new_key:
            _say(console, f"API key (shown once): {asyncio.run(_new_key(url, clock))}")
        shared = {**environ, "REDIS_URL": url}
        api = {
            "CONTROLLER_HOST": "127.0.0.1",
            "CONTROLLER_PORT": str(port),
            "CONTROLLER_ALLOW_PRIVATE": "true",
        }
        controller = Part("the controller", "controller.main", {**shared, **api}, logs / "controller.log")
        parts.append(controller)
        controller.start(clock)
        base = _listening(controller, console, clock, ended)
        if base is None:
            return 0
        controller.environ = {**controller.environ, "CONTROLLER_PORT": base.rpartition(":")[2]}
        work = {**shared, "WORKER_GROUP": "all", "WORKER_ALLOW_PRIVATE": "true"}
        parts += [
            Part(f"worker {n}", "worker.main", work, logs / f"worker-{n}.log") for n in range(1, workers + 1)
        ]
        parts += [
            Part(f"the runner of {name}", "worker.jobs", work, logs / f"{name}.log", (name,))
            for name in (PROBE_QUEUE, ANALYSIS_QUEUE)
        ]
        for part in parts[1:]:
            part.start(clock)
        _say(console, f"API            {base}/v1  (documentation: {base}/docs)")
        _say(console, f"data and logs  {folder}")
        _say(console, f"{workers} worker{'' if workers == 1 else 's'}; Ctrl-C ends everything")
        while not ended.wait(_LOOK_S):
            if store is not None and not store.alive:
                _say(console, "the store ended and is started again", "yellow")
                store.stop()
                store = embedded.start(folder, environ=environ, clock=clock)
                if store.url != url:
                    raise ConfigError(
                        "The store came back at another address.", "Start `glitchwatch up` again."
                    )
            for part in parts:
                if said := part.look(clock):
                    _say(console, said, "yellow")
        _say(console, "ending")
        return 0
    finally:
        _end(parts, clock)
        if store is not None:
            store.stop()
        for number, handler in before.items():
            signal.signal(number, handler)


def _check(url: str) -> None:
    client = open_sync(url, timeout_s=3.0)
    try:
        check(client, url)
    finally:
        client.close()


async def _new_key(url: str, clock: Clock) -> str:
    client = open_async(url)
    try:
        return (await ApiKeys(client, clock).create("up"))[1]
    finally:
        await client.aclose()


def _listening(controller: Part, console: Console, clock: Clock, ended: threading.Event) -> str | None:
    """The API's address, once it listens; its key is printed as it comes. None when we are told to end meanwhile."""
    until = clock.monotonic() + STARTS_S
    while not ended.is_set():
        try:
            line = controller.lines.get(timeout=_LOOK_S)
        except queue.Empty:
            gone = controller.process is None or controller.process.poll() is not None
            if gone or clock.monotonic() >= until:
                raise ConfigError(
                    f"The controller did not start: {controller.last_words()}.",
                    f"Its log is {controller.log}.",
                ) from None
            continue
        if line.startswith(_KEY):
            _say(console, line)
        elif line.startswith(_LISTENS):
            return line.removeprefix(_LISTENS).split(" ", 1)[0]
    return None


def _end(parts: list[Part], clock: Clock) -> None:
    """Tell all of them at once, wait for all of them, then be firm."""
    running = [part.process for part in parts if part.process is not None]
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    until = clock.monotonic() + ENDS_S
    while any(process.poll() is None for process in running) and clock.monotonic() < until:
        clock.sleep(0.05)
    for process in running:
        if process.poll() is None:
            process.kill()
        process.wait()


def _say(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, soft_wrap=True, markup=False)
