"""The processes of a run: channels, store, controller, workers, and the wires between them."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from subprocess import TimeoutExpired
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx

from benchmarks.endurance import pause, relay
from contracts.clock import Clock
from contracts.errors import ConfigError
from glitchwatch import embedded, processes
from glitchwatch.origin.lineup import PREROLL, SEGMENT_S
from glitchwatch.trial.api import Api
from glitchwatch.trial.source import Source
from glitchwatch.trial.trial import Trial

if TYPE_CHECKING:
    from subprocess import Popen

STARTS_S = 60.0
TAIL_S = 8.0  # media without faults at the end


def free_port() -> int:
    """A port of the loopback address that nobody uses now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


@dataclass(slots=True)
class Machine:
    """One process that can be killed, paused and started again."""

    name: str
    module: str
    arguments: tuple[str, ...]
    environ: dict[str, str]
    log: Path
    process: Popen[str] | None = None

    def start(self) -> None:
        """Call it from the main thread."""
        with self.log.open("ab") as log:
            self.process = processes.spawn(
                self.module, self.arguments, stdout=log.fileno(), stderr=log.fileno(), environ=self.environ
            )

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """As a crash would end it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def stop(self, patience_s: float = 10.0) -> None:
        """As a deployment would end it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(patience_s)
            except TimeoutExpired:
                self.kill()


class Rig:
    """Everything that runs; `close` ends it. Make it in the main thread."""

    def __init__(
        self, folder: Path, seed: int, seconds: float, plan: str, workers: int, channels: int, clock: Clock
    ) -> None:
        self.folder, self.clock = folder, clock
        self.lasts_s = PREROLL * SEGMENT_S + seconds // SEGMENT_S * SEGMENT_S
        self._clean = {
            k: v for k, v in os.environ.items() if not k.startswith(("WORKER_", "CONTROLLER_", "REDIS_"))
        }
        self.machines: list[Machine] = []
        self._pauses: list[Popen[str]] = []
        self._workers = 0
        self.api: Api | None = None
        self.store = embedded.start(folder / "store", clock=clock)
        try:
            with (folder / "origin.log").open("wb") as log:
                arguments = ["--seed", str(seed), "--plan", plan, "--channels", str(channels)]
                arguments += ["--lasts", str(self.lasts_s)]
                self.source = Source([*arguments, "--last", str(self.lasts_s - TAIL_S)], stderr=log.fileno())
            port, key = free_port(), secrets.token_hex(16)
            self.controller = self._machine(
                "controller", "controller.main", (),
                {
                    "REDIS_URL": self.store.url, "CONTROLLER_PORT": str(port), "CONTROLLER_API_KEY": key,
                    "CONTROLLER_ALLOW_PRIVATE": "true",
                },
            )  # fmt: skip
            first = next(iter(self.source.channels.values()))
            self.edge = self._relay("edge", str(urlsplit(first.url).port))
            self.workers = [self.worker() for _ in range(workers)]
            self.api = Api(f"http://127.0.0.1:{port}", key, clock)
            self.trial = Trial(self.source, self.api, clock)
            self._onboard()
        except BaseException:
            self.close()
            raise

    def _machine(
        self, name: str, module: str, arguments: tuple[str, ...], environ: dict[str, str]
    ) -> Machine:
        log = self.folder / f"{name.replace(' ', '-')}.log"
        made = Machine(name, module, arguments, {**self._clean, **environ}, log)
        self.machines.append(made)
        made.start()
        return made

    def _relay(self, name: str, target: str) -> Machine:
        return self._machine(name, relay.__name__, (str(free_port()), target), {})

    def worker(self) -> Machine:
        """One more worker, with a wire of its own to the store."""
        self._workers += 1
        name = f"worker {self._workers}"
        wire = self._relay(f"wire of {name}", f"unix:{self.store.url.removeprefix('unix://')}")
        environ = {
            "REDIS_URL": f"redis://127.0.0.1:{wire.arguments[0]}/0", "WORKER_NAME": name.replace(" ", "-"),
            "WORKER_ALLOW_PRIVATE": "true", "WORKER_HEALTH_OFF": "true",
        }  # fmt: skip
        return self._machine(name, "worker.main", (), environ)

    def wire(self, worker: Machine) -> Machine:
        """The wire of a worker to the store."""
        return next(m for m in self.machines if m.name == f"wire of {worker.name}")

    def forget(self, worker: Machine) -> None:
        """A worker that is not needed any more, and its wire."""
        wire = self.wire(worker)
        wire.stop()
        self.machines = [m for m in self.machines if m not in (worker, wire)]

    def started(self, worker: Machine) -> bool:
        """Whether it has said that it works."""
        return '"worker_started"' in worker.log.read_text("utf-8", "replace")

    def pause(self, process: Popen[str], seconds: float, *, group: bool = False) -> None:
        """Stop a process, or all of its session, for some seconds."""
        self._pauses = [p for p in self._pauses if p.poll() is None]
        arguments = [str(process.pid), str(seconds), *(["group"] if group else [])]
        self._pauses.append(processes.spawn(pause.__name__, arguments, stdout=2))

    def restart_store(self) -> None:
        """After a kill: from its append-only file."""
        self.store = embedded.start(self.folder / "store", clock=self.clock)

    def _onboard(self) -> None:
        assert self.api is not None
        until_s = self.clock.monotonic() + STARTS_S
        addresses = {
            name: channel.url.replace(f":{urlsplit(channel.url).port}/", f":{self.edge.arguments[0]}/")
            for name, channel in self.source.channels.items()
        }
        self.api.follow(STARTS_S)
        while True:
            try:
                self.trial.onboard(addresses)
                return
            except httpx.HTTPError as error:
                if self.clock.monotonic() > until_s:
                    raise ConfigError("The controller did not come up.", str(self.controller.log)) from error
                self.clock.sleep(0.2)

    def close(self) -> None:
        """End everything, the paused included."""
        for paused in self._pauses:
            processes.stop(paused)
        if self.api is not None:
            self.api.close()
        running = [m for m in self.machines if m.alive]
        for machine in running:
            assert machine.process is not None
            machine.process.send_signal(signal.SIGTERM)
        for machine in running:
            machine.stop()
        if hasattr(self, "source"):
            self.source.close()
        if self.store.alive:
            self.store.stop()
