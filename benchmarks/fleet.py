"""`make bench-fleet`: a fleet at scale on this machine. Exit status 1 when a bar is missed.

A real store and a real controller, which derives all assignments; workers are processes that hold leases with the
worker's own code and decode nothing (benchmarks/holders.py). Then a share of them is killed at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console
from rich.table import Table

from benchmarks.holders import hold, prepare
from glitchwatch import embedded, processes
from store import keys
from store.assignments import Assignments
from store.connect import SyncClient, open_async, open_sync
from worker.frames import Message, Unpacker, pack, receive
from worker.headroom import cpu_s, rss_bytes
from worker.warm import Started, WarmServer

ASSIGNED_S, MOVED_S, ROUND_TRIPS = 10.0, 5.0, 0.2  # the bars
GROUPS = ("picture", "sound", "sync", "transport")
ROWS = 1000  # of one call
LONGEST_S = 60.0


@dataclass(frozen=True, slots=True)
class Size:
    """How large a fleet. Every worker serves one group; they hold a little more than is there, so that some may go."""

    streams: int = 5000
    workers: int = 120
    leases: int = 200
    killed: float = 0.1
    steady_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What was seen; shares are of one core."""

    assignments: int
    onboarded_s: float
    assigned_s: float
    killed: int
    leases_killed: int
    moved_s: float
    twice: int
    round_trips: float  # of everybody, a stream and second
    store_cpu: float
    controller_cpu: float
    workers_cpu: float
    store_mb: float
    store_in_mb_s: float
    controller_mb: float

    @property
    def missed(self) -> list[str]:
        """The bars that were not met, in words."""
        said = []
        if self.assigned_s > ASSIGNED_S:
            said.append(f"all assigned after {self.assigned_s:.1f} s; at most {ASSIGNED_S:.0f}")
        if self.moved_s > MOVED_S:
            said.append(f"all moved after {self.moved_s:.1f} s; at most {MOVED_S:.0f}")
        if self.round_trips > ROUND_TRIPS:
            said.append(f"{self.round_trips:.2f} round trips a stream and second; at most {ROUND_TRIPS}")
        if self.twice:
            said.append(f"{self.twice} leases were held twice")
        return said


class Workers:
    """All worker processes, forked and waiting at first."""

    def __init__(self, warm: WarmServer, size: Size) -> None:
        self._warm = warm
        self._size = size
        self._connections = dict(warm.start() for _ in range(size.workers))
        self.pids: dict[int, int] = {}
        while len(self.pids) < size.workers:
            answer = warm.read()
            assert isinstance(answer, Started), f"a worker ended at its start: {answer}"
            self.pids[answer.number] = answer.pid

    def begin(self, url: str) -> None:
        """Let all of them work."""
        for number, connection in self._connections.items():
            group = GROUPS[number % len(GROUPS)]
            config = {"url": url, "name": self.name(number), "group": group, "most": self._size.leases}
            connection.sendall(pack(config))

    @staticmethod
    def name(number: int) -> str:
        """What the store calls a worker."""
        return f"worker-{number:03}"

    def some(self, share: float) -> list[int]:
        """The same share of each group's workers, at least one."""
        found = []
        for place in range(len(GROUPS)):
            group = [number for number in sorted(self.pids) if number % len(GROUPS) == place]
            found += random.Random(place).sample(group, max(1, round(len(group) * share)))
        return found

    def kill(self, numbers: Sequence[int]) -> None:
        """End some as a power cut would."""
        for number in numbers:
            os.kill(self.pids.pop(number), signal.SIGKILL)
        for number in numbers:
            self._connections.pop(number).close()

    def reports(self) -> list[Message]:
        """What each says of itself."""
        for connection in self._connections.values():
            connection.sendall(pack({"report": True}))
        return [answer for c in self._connections.values() if (answer := receive(c, Unpacker())) is not None]

    def close(self) -> None:
        """End all of them."""
        for connection in self._connections.values():
            connection.close()
        self._warm.close()


def run(size: Size, warm: WarmServer) -> Measured:
    """The whole of it; `warm` forks the workers and is closed at the end."""
    with ExitStack() as stack:
        workers = Workers(warm, size)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="glitchwatch-fleet-")))
        store = embedded.start(folder / "store")
        stack.callback(store.stop)
        stack.callback(workers.close)  # before the store
        client = stack.enter_context(open_sync(store.url, timeout_s=10.0))
        controller, http = stack.enter_context(_controller(store.url, folder / "controller.log"))
        onboarded_s = _onboard(http, size.streams)
        wanted = size.streams * len(GROUPS)

        began = time.monotonic()
        workers.begin(store.url)
        _until(lambda: _assigned(store.url) == wanted, "every assignment to be held")
        assigned_s = time.monotonic() - began

        time.sleep(min(3.0, size.steady_s))  # what follows is measured in a steady state
        usage = _Usage(client, store.process.pid, controller.pid, [*workers.pids.values()])
        time.sleep(size.steady_s)
        used = usage.since()

        victims = workers.some(size.killed)
        names = {workers.name(number) for number in victims}
        theirs = [name for name, holder in _holders(client).items() if holder in names]
        began = time.monotonic()
        workers.kill(victims)
        _until(lambda: _moved(client, theirs, names), "what the dead held to be held by others")
        moved_s = time.monotonic() - began

        time.sleep(2.0)  # whoever holds what is not his has learnt it by his next beat
        holders = _holders(client)
        said = [(name, report["name"]) for report in workers.reports() for name in report["held"]]
        twice = sum(holders.get(name) != worker for name, worker in said)
        return Measured(
            wanted, onboarded_s, assigned_s, len(victims), len(theirs), moved_s, twice,
            used["round_trips"] / size.streams, used["store_cpu"], used["controller_cpu"], used["workers_cpu"],
            used["store_mb"], used["store_in_mb_s"], rss_bytes(controller.pid) / 2**20,
        )  # fmt: skip


@contextmanager
def _controller(url: str, log: Path) -> Iterator[tuple[Any, httpx.Client]]:
    """A controller process and a client of it."""
    key = "a-key-for-this-run"
    environ = {
        "REDIS_URL": url, "CONTROLLER_PORT": "0", "CONTROLLER_API_KEY": key, "CONTROLLER_GROUPS": "families",
        "CONTROLLER_ORIGIN_STARTS_PER_S": "10000",
    }  # fmt: skip
    with log.open("w") as file:
        process = processes.spawn("controller.main", [], stderr=file.fileno(), environ=environ)
    try:
        assert process.stdout is not None
        line = next((line for line in process.stdout if line.startswith("Listening on ")), None)
        if line is None:
            raise RuntimeError(f"The controller did not start: {log.read_text()}")
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.Client(base_url=line.split()[2], headers=headers, timeout=60) as http:
            yield process, http
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _onboard(http: httpx.Client, count: int) -> float:
    """Onboard streams through the API; how long it took, assignments included."""
    began = time.monotonic()
    for first in range(0, count, ROWS):
        rows = [
            {
                "external_id": f"channel-{n}",
                "url": f"https://origin-{n % 50}.example/{n}/master.m3u8",
                "labels": {"tier": "1"},
            }
            for n in range(first, min(first + ROWS, count))
        ]
        answer = http.post("/v1/streams/bulk", json=rows).raise_for_status().json()
        assert answer["failed"] == 0, answer["rows"][:3]
    return time.monotonic() - began


class _Usage:
    """What the store, the controller and the workers use from now on."""

    def __init__(self, client: SyncClient, store: int, controller: int, workers: Sequence[int]) -> None:
        self._client, self._store, self._controller, self._workers = client, store, controller, workers
        self._before = self._now()

    def _now(self) -> dict[str, float]:
        info: Any = self._client.info()
        return {
            "at": time.monotonic(),
            "round_trips": float(info["total_reads_processed"]),
            "store_in_mb_s": float(info["total_net_input_bytes"]) / 2**20,
            "store_cpu": cpu_s(self._store),
            "controller_cpu": cpu_s(self._controller),
            "workers_cpu": sum(map(cpu_s, self._workers)),
            "store_mb": float(info["used_memory"]) / 2**20,
        }

    def since(self) -> dict[str, float]:
        """A second's share of everything; memory as it is."""
        now = self._now()
        seconds = now["at"] - self._before["at"]
        rates = {name: (now[name] - before) / seconds for name, before in self._before.items()}
        return {**rates, "store_mb": now["store_mb"]}


def _assigned(url: str) -> int:
    """How many assignments somebody holds now."""

    async def ask() -> int:
        async with open_async(url) as client:
            loads = await Assignments(client).load(GROUPS)
            return sum(load.assignments - load.unassigned for load in loads.values())

    return asyncio.run(ask())


def _holders(client: SyncClient) -> dict[str, str]:
    leases: Any = client.hgetall(keys.LEASE)
    return {name.decode(): lease.decode().partition(":")[2] for name, lease in leases.items()}


def _moved(client: SyncClient, names: Sequence[str], dead: set[str]) -> bool:
    """Whether none of these leases is a dead worker's any more."""
    found: Any = client.hmget(keys.LEASE, list(names)) if names else []
    return all((lease or b"").decode().partition(":")[2] not in dead for lease in found)


def _until(condition: Callable[[], bool], what: str) -> None:
    began = time.monotonic()
    while not condition():
        if time.monotonic() - began > LONGEST_S:
            raise RuntimeError(f"Waited {LONGEST_S:.0f} s for {what}.")
        time.sleep(0.05)


def show(console: Console, size: Size, seen: Measured) -> None:
    """The figures and their bars."""
    table = Table(
        title=f"{size.streams:,} streams × {len(GROUPS)} groups on {size.workers} workers of {size.leases} leases",
        title_justify="left",
    )
    table.add_column("")
    table.add_column("seen", justify="right")
    table.add_column("at most", justify="right")
    rows = [
        ("streams onboarded through the API, assignments derived", f"{seen.onboarded_s:.1f} s", ""),
        (f"all {seen.assignments:,} assignments held", f"{seen.assigned_s:.1f} s", f"{ASSIGNED_S:.0f} s"),
        (
            f"{seen.killed} workers killed, their {seen.leases_killed:,} leases held by others",
            f"{seen.moved_s:.1f} s",
            f"{MOVED_S:.0f} s",
        ),
        ("leases that two workers believed to hold", str(seen.twice), "0"),
        ("round trips to the store, a stream and second", f"{seen.round_trips:.3f}", f"{ROUND_TRIPS}"),
        ("store: CPU, of a core", f"{seen.store_cpu:.1%}", ""),
        ("store: memory", f"{seen.store_mb:.0f} MB", ""),
        ("store: bytes in", f"{seen.store_in_mb_s:.2f} MB/s", ""),
        ("controller: CPU, of a core", f"{seen.controller_cpu:.1%}", ""),
        ("controller: memory", f"{seen.controller_mb:.0f} MB", ""),
        ("all workers: CPU, of a core", f"{seen.workers_cpu:.1%}", ""),
    ]
    for row in rows:
        table.add_row(*row)
    console.print(table)
    for words in seen.missed:
        console.print(f"missed: {words}", style="red")


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-fleet", description=__doc__)
    for name, kind, about in (
        ("streams", int, "streams to onboard"),
        ("workers", int, "worker processes"),
        ("leases", int, "leases of a worker, at most"),
        ("killed", float, "share of the workers to kill"),
        ("steady_s", float, "seconds to measure"),
    ):
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=kind, default=getattr(Size(), name), help=about
        )
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON object")
    given = vars(parser.parse_args())
    as_json = given.pop("json")
    size = Size(**given)
    warm = WarmServer(hold, prepare)  # before any thread and any connection
    seen = run(size, warm)
    if as_json:
        print(json.dumps(asdict(seen)))
    else:
        show(Console(), size, seen)
    return 1 if seen.missed else 0


if __name__ == "__main__":
    sys.exit(main())
