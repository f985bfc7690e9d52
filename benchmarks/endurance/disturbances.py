"""What is done to a fleet while it watches: a rolling restart, or one breakage after another from a seed."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from benchmarks.endurance.rig import Machine, Rig
from glitchwatch.origin.faults import Truth
from glitchwatch.trial.book import TAKES_OVER_S

WINDOW_S = 24.0  # of media that the playlists hold: a shorter outage loses none of it
SURELY_BLIND_S = (
    18.0  # of an outage that must be told: past the read time-out, three segments and a hung request
)
PATIENCE_S = 8.0  # bytes that wait so long on the way find nobody: whoever asked has given up
_REPLACING = frozenset(
    {
        "worker killed",
        "worker paused",
        "supervisor paused",
        "watch killed",
        "worker cut off from the store",
        "store killed",
        "store paused",
    }
)
_AWAY = frozenset({"source_unreachable", "source_stalled", "playlist_stale"})
_CAUSED = frozenset(
    {"segment_slow", "segment_missing", "freeze", "picture_missing", "sound_missing", "timestamp_drift"}
)


class Disturber(Protocol):
    """Acts when its time has come; `look` is called several times a second from the main thread."""

    def look(self) -> list[str]:
        """Do what is due; what to tell people."""
        ...

    def rest(self) -> None:
        """Put everything back, and do nothing more."""
        ...


class Nothing:
    """Leaves the fleet alone."""

    def look(self) -> list[str]:
        return []

    def rest(self) -> None:
        """There is nothing to put back."""


class Rolling:
    """Restarts all workers one after the other, again and again.

    As an ECS service on EC2 does with minimumHealthyPercent 100 and maximumPercent 200: the new one is started
    first, and once it runs an old one gets SIGTERM.
    """

    every_s = 15.0

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._due_s = rig.clock.monotonic() + 15.0
        self._new: Machine | None = None
        self._old: Machine | None = None
        self.replaced = 0

    def look(self) -> list[str]:
        rig = self._rig
        if rig.clock.monotonic() < self._due_s:
            return []
        if self._new is None:
            self._new = rig.worker()
            return []
        if self._old is None:
            if not rig.started(self._new):
                return []
            self._old = rig.workers.pop(0)
            rig.workers.append(self._new)
            assert self._old.process is not None
            self._old.process.send_signal(signal.SIGTERM)
            return []
        if self._old.alive:
            return []
        said = [f"{self._old.name} gave way to {self._new.name}"]
        rig.forget(self._old)
        self._new = self._old = None
        self.replaced += 1
        self._due_s = rig.clock.monotonic() + self.every_s
        return said

    def rest(self) -> None:
        self._due_s = float("inf")


@dataclass(frozen=True, slots=True)
class _Outage:
    """When media was away, monotonic seconds."""

    begin_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class _Broken:
    """Something that is broken until then."""

    name: str
    until_s: float
    mend: Callable[[], None]


class Chaos:
    """Kills, pauses and cuts off one part after another; what, when and for how long follows from a seed."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig, self._rng = rig, random.Random(seed)
        self._due_s = rig.clock.monotonic() + 15.0
        self._broken: list[_Broken] = []
        self.counts: dict[str, int] = {}
        self._kinds: dict[str, Callable[[], _Broken | None]] = {
            "worker killed": self._worker_killed,
            "worker paused": self._worker_paused,
            "supervisor paused": self._supervisor_paused,
            "watch killed": self._watch_killed,
            "worker cut off from the store": self._worker_cut_off,
            "store killed": self._store_killed,
            "store paused": self._store_paused,
            "controller killed": self._controller_killed,
            "controller paused": self._controller_paused,
            "origin killed": self._edge_killed,
            "origin cut off": self._edge_paused,
            "origin paused": self._origin_paused,
        }
        self._deck: list[str] = []
        self._outages: list[_Outage] = []  # in the order of each book's
        self._replaced_s: list[float] = []  # when another watch was made to take over

    def look(self) -> list[str]:
        now_s = self._rig.clock.monotonic()
        said = []
        for broken in [b for b in self._broken if b.until_s <= now_s]:
            broken.mend()
            self._broken.remove(broken)
        if now_s >= self._due_s:
            self._due_s = now_s + self._rng.uniform(7.0, 18.0)
            if not self._deck:
                self._deck = sorted(self._kinds)
                self._rng.shuffle(self._deck)
            name = self._deck.pop()
            if name in _REPLACING:
                self._replaced_s.append(now_s)
                self._excuse()
                for book in self._rig.trial.books.values():
                    book.replaced(self._rig.clock.now())
            if (done := self._kinds[name]()) is not None:
                self._broken.append(done)
                self.counts[name] = self.counts.get(name, 0) + 1
                said.append(f"{done.name} for {done.until_s - now_s:.1f} s")
        return said

    def rest(self) -> None:
        self._due_s = float("inf")
        for broken in self._broken:
            broken.mend()
        self._broken.clear()

    def _until(self, low_s: float, high_s: float) -> float:
        return self._rig.clock.monotonic() + self._rng.uniform(low_s, high_s)

    def _free(self, *names: str) -> bool:
        """Whether none of these parts is broken already."""
        return not any(name in broken.name for broken in self._broken for name in names)

    def _worker(self) -> Machine | None:
        free = [w for w in self._rig.workers if w.alive and self._free(w.name)]
        return self._rng.choice(free) if free else None

    def _paused(
        self, name: str, machine: Machine, low_s: float, high_s: float, *, group: bool = False
    ) -> _Broken:
        until_s = self._until(low_s, high_s)
        assert machine.process is not None
        self._rig.pause(machine.process, until_s - self._rig.clock.monotonic(), group=group)
        return _Broken(name, until_s, lambda: None)

    def _worker_killed(self) -> _Broken | None:
        worker = self._worker()
        if worker is None:
            return None
        worker.kill()
        return _Broken(f"{worker.name} killed", self._until(2, 12), worker.start)

    def _worker_paused(self) -> _Broken | None:
        worker = self._worker()
        return self._paused(f"{worker.name} paused", worker, 1, 10, group=True) if worker else None

    def _supervisor_paused(self) -> _Broken | None:
        worker = self._worker()
        return self._paused(f"the supervisor of {worker.name} paused", worker, 1, 10) if worker else None

    def _watch_killed(self) -> _Broken | None:
        worker = self._worker()
        watches = _watches(worker) if worker else []
        if not watches:
            return None
        os.kill(self._rng.choice(watches), signal.SIGKILL)
        return _Broken("a watch killed", self._until(0, 0), lambda: None)

    def _worker_cut_off(self) -> _Broken | None:
        worker = self._worker()
        if worker is None:
            return None
        return self._paused(f"{worker.name} cut off from the store", self._rig.wire(worker), 1, 12)

    def _store_killed(self) -> _Broken | None:
        if not self._free("store killed", "store paused"):
            return None
        self._rig.store.kill()
        return _Broken("the store killed", self._until(0.2, 10), self._rig.restart_store)

    def _store_paused(self) -> _Broken | None:
        if not self._free("store killed", "store paused"):
            return None
        until_s = self._until(1, 10)
        self._rig.pause(self._rig.store.process, until_s - self._rig.clock.monotonic())
        return _Broken("the store paused", until_s, lambda: None)

    def _controller_killed(self) -> _Broken | None:
        if not self._free("controller"):
            return None
        self._rig.controller.kill()
        return _Broken("the controller killed", self._until(0.5, 8), self._rig.controller.start)

    def _controller_paused(self) -> _Broken | None:
        if not self._free("controller"):
            return None
        return self._paused("the controller paused", self._rig.controller, 1, 8)

    def _edge_killed(self) -> _Broken | None:
        if not self._free("origin"):
            return None
        until_s = self._outage()
        self._rig.edge.kill()
        self._cut()
        return _Broken("the origin killed", until_s, self._rig.edge.start)

    def _edge_paused(self) -> _Broken | None:
        if not self._free("origin"):
            return None
        until_s = self._outage()
        assert self._rig.edge.process is not None
        seconds = until_s - self._rig.clock.monotonic()
        self._rig.pause(self._rig.edge.process, seconds)
        if seconds >= PATIENCE_S:
            self._cut()
        return _Broken("the origin cut off", until_s, lambda: None)

    def _origin_paused(self) -> _Broken | None:
        """It stops making media, too, and hurries afterwards."""
        if not self._free("origin"):
            return None
        until_s = self._until(2, 8)
        seconds = until_s - self._rig.clock.monotonic()
        self._note(seconds)
        self._rig.pause(self._rig.source.process, seconds)
        return _Broken("the origin paused", until_s, lambda: None)

    def _cut(self) -> None:
        for book in self._rig.trial.books.values():
            book.cut(self._rig.clock.now())

    def _outage(self) -> float:
        """Mostly shorter than the playlists' window; some must be told as blindness, some lose media."""
        low_s, high_s = self._rng.choice(((1, 8), (1, 8), (SURELY_BLIND_S, WINDOW_S - 4), (WINDOW_S + 6, 40)))
        until_s = self._until(low_s, high_s)
        self._note(until_s - self._rig.clock.monotonic())
        return until_s

    def _note(self, seconds: float) -> None:
        """What the outage explains, and whether it must be told."""
        now = self._rig.clock.now()
        away = Truth(
            name=f"origin away for {seconds:.0f} s",
            expects=_AWAY,
            also=_CAUSED,
            start=now - timedelta(seconds=4),  # media is that far behind
            end=now + timedelta(seconds=seconds),
            tolerance_s=12.0,
            optional=seconds < SURELY_BLIND_S,
        )
        begin_s = self._rig.clock.monotonic()
        self._outages.append(_Outage(begin_s, begin_s + seconds))
        for book in self._rig.trial.books.values():
            # A watch that is behind, having taken over, loses media that is older.
            book.outages.append(replace(away, start=min(away.start, book.next_unserved())))
            book.away(now, away.end)
        self._excuse()

    def _excuse(self) -> None:
        """An outage need not be told unless one watch had the time to tell it: each that took over begins anew."""
        now_s = self._rig.clock.monotonic()
        for number, outage in enumerate(self._outages):
            if outage.end_s > now_s and not self._must_be_told(outage):
                for book in self._rig.trial.books.values():
                    book.outages[number] = replace(book.outages[number], optional=True)

    def _must_be_told(self, outage: _Outage) -> bool:
        since_s, needed_s = outage.begin_s, SURELY_BLIND_S
        for at_s in self._replaced_s:
            if outage.begin_s - TAKES_OVER_S < at_s < outage.end_s:
                if at_s - since_s >= needed_s:
                    return True
                since_s, needed_s = at_s, TAKES_OVER_S + SURELY_BLIND_S
        return outage.end_s - since_s >= needed_s


def _watches(worker: Machine) -> list[int]:
    """The processes that decode: children of the worker's warm server."""
    assert worker.process is not None
    return [g for c in _children(worker.process.pid) for g in _children(c)]


def _children(pid: int) -> list[int]:
    try:
        return [
            int(child)
            for task in Path(f"/proc/{pid}/task").iterdir()
            for child in (task / "children").read_text("ascii").split()
        ]
    except OSError:
        return []
