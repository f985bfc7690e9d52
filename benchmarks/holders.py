"""A worker that decodes nothing: it holds leases with the worker's own code and tells what a watch would tell.

Forked from the warm server, as watches are, so that a hundred of them fit on a small machine. Each renews, claims,
keeps checkpoints and statuses, and sends coverage as often as a worker with as many watches.
"""

from __future__ import annotations

import queue
import select
import socket
import threading
from datetime import UTC, datetime
from typing import Any

from contracts.clock import Clock, SystemClock
from contracts.fleet import Checkpoint, CoverageBody, WatchStatus, WorkerInfo
from store.connect import open_sync
from store.leases import Leases, Released
from store.outlet import Outlet
from worker.frames import Message, Unpacker, pack, receive
from worker.lease import Gone, Keeper
from worker.main import StoredConfiguration
from worker.sinks.store import StoreSink

TTL_S, GRACE_S = 3.0, 60.0
PARTS = 4  # a second's words are said in so many parts: watches do not beat together
DETECTORS = 6  # of a group, whose coverage is told
FETCHES = tuple(f"segment https://origin.example/a/segment_{n}.ts: 200 0.18 s" for n in range(5))

ADDED = CoverageBody(added={f"detector_{n}": (1000, 0, 0) for n in range(DETECTORS)})


class Holder:
    """One worker."""

    def __init__(self, config: Message, clock: Clock) -> None:
        url, self._name, self._group = str(config["url"]), str(config["name"]), str(config["group"])
        self._most = int(config["most"])
        self._clock, self._began_at = clock, clock.now()
        client = open_sync(url)
        self._keeper = Keeper(
            Leases(client), StoredConfiguration(client), clock, ttl_s=TTL_S, grace_s=GRACE_S
        )
        self._sink = StoreSink(Outlet(open_sync(url)), self._name, clock)
        self._sink.on_fenced = self._keeper.fenced
        self._held: dict[str, int] = {}
        self._lost = 0

    def run(self, connection: socket.socket) -> int:
        """Until the other side of `connection` goes; what it asks is answered."""
        threading.Thread(target=self._keeper.run, args=(self._info, self._wanted), daemon=True).start()
        threading.Thread(target=self._sink.run, daemon=True).start()
        number = 0
        while True:
            ready, _, _ = select.select([connection], [], [], 1 / PARTS)
            self._take_events()
            if not ready:
                number += 1
                self._speak(number)
            elif not connection.recv(1 << 16):
                return 0
            else:
                connection.sendall(pack(self._report()))

    def _take_events(self) -> None:
        while True:
            try:
                event = self._keeper.events.get_nowait()
            except queue.Empty:
                return
            if not isinstance(event, Gone):
                lease = event.grant.lease
                self._held[lease.assignment.id] = lease.epoch
                continue
            self._held.pop(event.assignment, None)
            if event.why == "changed":
                self._keeper.release(self._name, [Released(event.assignment, event.epoch)])
            else:
                self._lost += 1
                self._sink.forget(event.assignment, event.epoch)

    def _speak(self, number: int) -> None:
        """What the processes of a quarter of the watches would have said in this quarter of a second."""
        now = self._clock.now()
        status = WatchStatus(state="watching", since=self._began_at, lag_s=1.5, fetches=FETCHES)
        place = {"reading": {"renditions": {"0": [number, number * 90_000]}}, "said": {}, "zero_at": str(now)}
        checkpoint = Checkpoint(media_sequence=number, last_at_ns=number, baselines={"watch": place})
        for assignment, epoch in list(self._held.items())[number % PARTS :: PARTS]:
            self._keeper.keep(assignment, checkpoint, status)
            self._sink.put(assignment, epoch, ADDED)

    def _wanted(self) -> int:
        return self._most - len(self._keeper.held)

    def _info(self) -> WorkerInfo:
        held = len(self._keeper.held)
        return WorkerInfo(
            worker=self._name, group=self._group, version="bench", host="bench", started_at=self._began_at,
            capacity=self._most, held=held, headroom=self._most - held,
        )  # fmt: skip

    def _report(self) -> dict[str, Any]:
        return {
            "name": self._name, "held": self._keeper.held, "lost": self._lost, "refused": self._sink.refused,
            "accepted": self._sink.accepted, "waiting": len(self._sink),
        }  # fmt: skip


def hold(connection: socket.socket) -> int:
    """The process's life: it waits for its configuration, then holds leases until it is left alone."""
    config = receive(connection, Unpacker())
    return 0 if config is None else Holder(config, SystemClock()).run(connection)


def prepare() -> None:
    """Have everything loaded before the first fork."""
    WatchStatus(state="starting", since=datetime.fromtimestamp(0, UTC)).model_dump_json()
