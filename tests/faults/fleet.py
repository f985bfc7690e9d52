"""A small fleet on this machine: a real store, a real origin, real workers, and the means to break each of them."""

from __future__ import annotations

import asyncio
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from contracts.clock import SystemClock
from contracts.fleet import FleetEvent, Groups, StreamSource, StreamSpec
from contracts.profile import Profile
from glitchwatch import embedded
from glitchwatch.embedded import EmbeddedStore
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.server import Origin
from store import keys
from store.assignments import Assignments, Wanted
from store.connect import check, open_async, open_sync
from store.findings import Tail
from store.streams import Streams
from store.workers import Coverage

ROOT = Path(__file__).parents[2]
T = TypeVar("T")
SLACK = float(
    os.environ.get("GLITCHWATCH_SLACK", "1")
)  # times the stated bars: for machines that do other things too


def measured(what: str, seconds: float) -> None:
    """Note a time beside its test; `make test-faults` shows them."""
    sys.stdout.write(f"measured: {what}: {seconds:.2f} s\n")


def fault(name: str, start_s: float, end_s: float) -> Fault:
    """One fault at media seconds of its channel; the preroll ends at 8."""
    return Fault(KINDS[name], start_s, end_s)


def channel(name: str, *faults: Fault) -> tuple[ChannelSpec, Schedule]:
    """A small channel with segments of 2 s."""
    return ChannelSpec(name, seed=len(name), width=320, height=180, muxed=True), Schedule(faults)


def until(condition: Callable[[], T], within_s: float, what: str) -> tuple[T, float]:
    """Wait for `condition`; its value and how long it took."""
    began = time.monotonic()
    while True:
        value = condition()
        took = time.monotonic() - began
        if value:
            return value, took
        assert took < within_s, f"{what}: not within {within_s} s"
        time.sleep(0.02)


class Worker:
    """One `python -m worker.main`."""

    def __init__(self, redis_url: str, folder: Path, name: str, **settings: str) -> None:
        clean = {k: v for k, v in os.environ.items() if not k.startswith("WORKER_")}
        given = {f"WORKER_{k.upper()}": v for k, v in settings.items()}
        self.name, self.log = name, folder / f"{name}.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "worker.main"], cwd=ROOT, stderr=log, stdout=log, start_new_session=True,
                env={**clean, "REDIS_URL": redis_url, "WORKER_NAME": name, "WORKER_ALLOW_PRIVATE": "1", **given},
            )  # fmt: skip

    def words(self, event: str) -> list[dict[str, Any]]:
        """Its log lines of one kind."""
        lines = [line for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [d for d in map(json.loads, lines) if d.get("event") == event]

    @property
    def watch_pids(self) -> dict[str, int]:
        """The running process of each assignment."""
        found = {w["assignment"]: int(w["pid"]) for w in self.words("watch_started")}
        return {name: pid for name, pid in found.items() if alive(pid)}

    def health(self) -> dict[str, Any]:
        """What /healthz says."""
        port = self.words("worker_started")[-1]["health_port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return dict(json.load(answer))

    def metrics(self) -> str:
        port = self.words("worker_started")[-1]["health_port"]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            return bytes(answer.read()).decode()

    def kill(self) -> None:
        """As a crash would end it."""
        self.process.kill()
        self.process.wait(10)

    def stop(self) -> int:
        """As a deployment would end it."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(10)


def alive(pid: int) -> bool:
    """Whether the process exists and is no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


class Fleet:
    """The store, the origin's channels as streams, and workers."""

    def __init__(self, folder: Path, channels: Sequence[tuple[ChannelSpec, Schedule]]) -> None:
        self.folder = folder
        self.store: EmbeddedStore = embedded.start(folder / "store")
        self.client = open_sync(self.store.url, timeout_s=3.0)
        check(self.client)
        self._channels = channels
        self._origin: Origin | None = None
        self.names = [spec.name for spec, _ in channels]
        self.streams: dict[str, str] = {}
        self.workers: list[Worker] = []
        self._everything: list[FleetEvent] = []

    @property
    def origin(self) -> Origin:
        """The channels begin when somebody first asks for them: have the workers there before."""
        if self._origin is None:
            for worker in self.workers:
                until(lambda worker=worker: worker.words("worker_started"), 60, f"{worker.name} at work")  # type: ignore[misc]
            self._origin = Origin(self._channels)
        return self._origin

    def onboard(
        self,
        *,
        read_timeout_s: float = 10.0,
        profile: Profile | None = None,
        url: Callable[[str], str] | None = None,
    ) -> None:
        """Every channel becomes a stream with its assignment; `url` says where it is read, else at the origin."""
        where = url or self.origin.url
        if profile is not None:
            self.client.hset(
                f"{keys.PROFILE}{profile.name}", mapping={"latest": 1, "1": profile.model_dump_json()}
            )
            self.client.sadd(keys.PROFILES, profile.name)
        name = profile.name if profile else "default"

        async def work() -> None:
            client = open_async(self.store.url)
            streams = Streams(client, SystemClock())
            for channel_name in self.names:
                source = StreamSource(
                    url=where(channel_name),
                    read_timeout_s=read_timeout_s,
                    open_timeout_s=read_timeout_s,
                )
                made = await streams.create(StreamSpec(name=channel_name, source=source, profile=name))
                self.streams[channel_name] = made.id
            wanted = Wanted(Groups(), 0, {name: 1}, lambda stream: True)
            await Assignments(client).reconcile(streams, wanted)
            await client.aclose()

        asyncio.run(work())

    def worker(self, *, url: str | None = None, **settings: str) -> Worker:
        """Start one more."""
        made = Worker(url or self.store.url, self.folder, f"w{len(self.workers)}", **settings)
        self.workers.append(made)
        return made

    def holders(self) -> dict[str, tuple[int, str]]:
        """assignment -> (epoch, worker) of what is held."""
        found = {}
        for name, lease in raw(self.client.hgetall(keys.LEASE)).items():
            epoch, _, holder = lease.decode().partition(":")
            if holder:
                found[name.decode()] = (int(epoch), holder)
        return found

    def held_by(self, worker: Worker) -> int:
        return sum(1 for _, holder in self.holders().values() if holder == worker.name)

    def checkpoint_ns(self) -> dict[str, int]:
        """How far each assignment has been watched, as the store knows."""
        found = raw(self.client.hgetall(keys.CHECKPOINT))
        return {name.decode(): int(json.loads(text).get("last_at_ns") or 0) for name, text in found.items()}

    def decoding(self, worker: Worker, count: int) -> bool:
        """Whether `worker` brings pictures of `count` streams."""
        if not worker.words("worker_started"):
            return False
        return sum(1 for w in worker.health()["each"] if w["frames"] > 0 and w["frame_age_s"] < 5) >= count

    def events(self) -> list[FleetEvent]:
        """Everything on the findings stream so far."""

        async def work() -> list[FleetEvent]:
            client = open_async(self.store.url)
            found = await Tail(client).after("0-0", count=5000)
            await client.aclose()
            return found

        return asyncio.run(work())

    def said(self, stream: str, defect: str) -> list[str]:
        """What was said of a stream's defect, in order."""
        return [
            e.what for e in self.events()
            if e.stream == self.streams[stream] and getattr(e.body, "defect", "") == defect
        ]  # fmt: skip

    def edges(self, stream: str, what: str) -> list[tuple[str, float, float]]:
        """(defect, start, at) in media seconds."""
        return [
            (e.body.defect, e.body.start_ns / 1e9, e.body.at_ns / 1e9) for e in self.events()
            if e.stream == self.streams[stream] and e.what == what and e.body.kind == "edge"
        ]  # fmt: skip

    def coverage(self, stream: str) -> dict[str, tuple[float, float, float]]:
        """detector -> (watched, degraded, blind) in seconds."""

        async def work() -> dict[str, tuple[float, float, float]]:
            client = open_async(self.store.url)
            found = await Coverage(client).of([self.streams[stream]])
            await client.aclose()
            rows = found.get(self.streams[stream], [])
            return {r.detector: (r.watched_s, r.degraded_s, r.blind_s) for r in rows}

        return asyncio.run(work())

    def restart_store(self) -> None:
        self.store = embedded.start(self.folder / "store")

    def close(self) -> None:
        for worker in self.workers:
            if worker.process.poll() is None:
                worker.process.send_signal(signal.SIGCONT)
                worker.kill()
        if self._origin is not None:
            self._origin.close()
        self.client.close()
        if self.store.alive:
            self.store.process.send_signal(signal.SIGCONT)
            self.store.stop()


@contextmanager
def fleet(folder: Path, *channels: tuple[ChannelSpec, Schedule]) -> Iterator[Fleet]:
    """A fleet that ends with the block; its logs are printed when the block fails."""
    made = Fleet(folder, channels)
    try:
        yield made
    except BaseException:
        for log in sorted(folder.glob("*.log")):
            sys.stderr.write(f"--- {log.name}\n{log.read_text('utf-8')[-6000:]}\n")
        raise
    finally:
        made.close()


def raw(answer: Any) -> dict[bytes, bytes]:
    """A hash as a client without decoding gives it."""
    return dict(answer)


class Cut:
    """A wire to the store that can be cut: a TCP port that leads to its socket."""

    def __init__(self, url: str) -> None:
        found = re.fullmatch(r"unix://(.*)", url)
        assert found is not None
        self._path = found[1]
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"redis://127.0.0.1:{self._listener.getsockname()[1]}/0"
        self.whole = True
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        """While it is cut, bytes wait on the way, as behind a wall that drops packets."""
        pairs: dict[socket.socket, socket.socket] = {}
        while not self._ended.is_set():
            watched = [self._listener, *pairs] if self.whole else []
            ready, _, _ = select.select(watched, [], [], 0.05)
            for one in ready:
                if one is self._listener:
                    near, _ = self._listener.accept()
                    far = socket.socket(socket.AF_UNIX)
                    far.connect(self._path)
                    pairs[near], pairs[far] = far, near
                elif one in pairs:
                    data = b""
                    try:
                        data = one.recv(1 << 16)
                        if data:
                            pairs[one].sendall(data)
                    except OSError:
                        data = b""
                    if not data:
                        other = pairs.pop(one)
                        pairs.pop(other, None)
                        one.close()
                        other.close()
        for one in pairs:
            one.close()
        self._listener.close()

    def close(self) -> None:
        self._ended.set()
        self._thread.join(5)
