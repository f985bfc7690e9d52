"""Holding leases: claim, renew all in one call a second, give back; through outages of the store for a grace.

Runs in a thread of its own, so that starting a hundred watches does not delay a renewal. What happens to a lease is
told to the supervisor through a queue; the supervisor tells what there is room for.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import structlog

from contracts.clock import Clock
from contracts.errors import GlitchwatchError, SinkError
from contracts.fleet import Checkpoint, DetectorGroup, Grant, WatchStatus, WorkerInfo
from contracts.profile import Profile
from store.leases import Held, Released, Renewal

log = structlog.get_logger()

BEAT_S = 1.0
CLAIM_S = 0.5  # what another worker gave back is watched again within a second
BATCH = 25  # leases claimed in one call
KEEP_S = 3.0  # how often a checkpoint or status that only moved on is stored
Why = Literal["lost", "removed", "changed", "grace"]


class LeaseStore(Protocol):
    """The store's side of leases; each call raises SinkError when the store does not answer in time."""

    def claim(self, worker: str, group: str, most: int) -> list[Grant]: ...
    def renew(self, info: WorkerInfo, held: Sequence[Held]) -> Renewal: ...
    def release(self, worker: str, released: Sequence[Released]) -> tuple[str, ...]: ...
    def goodbye(self, worker: str) -> None: ...


class Configuration(Protocol):
    """Where profiles and groups are read."""

    def profile(self, name: str) -> Profile | None: ...
    def group(self, name: str) -> DetectorGroup | None: ...


@dataclass(frozen=True, slots=True)
class Granted:
    """A lease is ours, and this is what it is to be watched with; `refused` says why it cannot be."""

    grant: Grant
    profile: Profile | None
    group: DetectorGroup
    refused: str = ""


@dataclass(frozen=True, slots=True)
class Gone:
    """A lease is not ours any more, or must be given back."""

    assignment: str
    epoch: int
    why: Why


@dataclass(slots=True)
class _Mine:
    epoch: int
    revision: str
    checkpoint: Checkpoint | None = None
    status: WatchStatus | None = None
    kept_s: float = 0.0
    urgent: bool = False


class Keeper:
    """All leases of one worker."""

    def __init__(
        self, store: LeaseStore, configuration: Configuration, clock: Clock, *, ttl_s: float, grace_s: float
    ) -> None:  # fmt: skip
        self._store, self._configuration, self._clock = store, configuration, clock
        self.notify: Callable[[], None] = lambda: None  # called when something was put into `events`
        self._ttl_s, self._grace_s = ttl_s, grace_s
        self._mine: dict[str, _Mine] = {}
        self._lock = threading.Lock()
        self._hurry = threading.Event()
        self._ended = threading.Event()
        self._answered_s = clock.monotonic()
        self._claims_from_s = clock.monotonic()
        self.events: queue.SimpleQueue[Granted | Gone] = queue.SimpleQueue()
        self.round_trips = 0
        self.beats_s = clock.monotonic()  # when the thread was last alive

    @property
    def held(self) -> dict[str, int]:
        """The epoch of each lease held."""
        with self._lock:
            return {name: mine.epoch for name, mine in self._mine.items()}

    @property
    def away_s(self) -> float:
        """How long the store has not answered."""
        return self._clock.monotonic() - self._answered_s

    def keep(
        self, assignment: str, checkpoint: Checkpoint | None, status: WatchStatus, *, urgent: bool = False
    ) -> None:
        """What is to be stored with the next renewal; `urgent`: at once."""
        with self._lock:
            mine = self._mine.get(assignment)
            if mine is None:
                return
            if mine.status is None or mine.status.state != status.state:
                mine.urgent = True
            mine.checkpoint, mine.status = checkpoint or mine.checkpoint, status
            mine.urgent = mine.urgent or urgent
        if urgent:
            self._hurry.set()

    def run(self, info: Callable[[], WorkerInfo], wanted: Callable[[], int]) -> None:
        """Beat until `end`. `info` describes the worker, `wanted` is how many more leases there is room for."""
        while not self._ended.is_set():
            began_s = self._clock.monotonic()
            self.beat(info(), wanted())
            if self._pause(began_s + CLAIM_S) and not self._ended.is_set():
                self.ask(info(), wanted())
                self._pause(began_s + BEAT_S)

    def _pause(self, until_s: float) -> bool:
        """Wait; False when something urgent is to be stored."""
        hurried = self._hurry.wait(max(0.0, until_s - self._clock.monotonic()))
        self._hurry.clear()
        return not hurried

    def end(self) -> None:
        """Make `run` return."""
        self._ended.set()
        self._hurry.set()

    def beat(self, info: WorkerInfo, wanted: int) -> None:
        """One round: renew everything, then claim what there is room for."""
        now_s = self.beats_s = self._clock.monotonic()
        try:
            self._renew(info, now_s)
        except SinkError as error:
            away_s = self._clock.monotonic() - self._answered_s
            log.warning("store_away", seconds=round(away_s, 1), error=str(error)[:200])
            if away_s > self._grace_s:
                self._drop([*self.held], "grace")
            return
        self.ask(info, wanted)

    def ask(self, info: WorkerInfo, wanted: int) -> None:
        """Claim what there is room for, unless the store was away a moment ago."""
        if wanted <= 0 or self._ended.is_set():
            return
        now_s = self._clock.monotonic()
        if now_s < self._claims_from_s or now_s - self._answered_s > 2 * BEAT_S:
            return
        try:
            self._claim(info, min(wanted, BATCH))
        except SinkError as error:
            log.warning("claim_failed", error=str(error)[:200])

    def _renew(self, info: WorkerInfo, now_s: float) -> None:
        with self._lock:
            held = [self._due(name, mine, now_s) for name, mine in self._mine.items()]
        self.round_trips += 1
        renewal = self._store.renew(info, held)
        if now_s - self._answered_s > self._ttl_s:
            # Everyone's leases ran out meanwhile: let their holders come back before anything is claimed.
            self._claims_from_s = now_s + self._ttl_s
            log.info("store_back", seconds=round(now_s - self._answered_s, 1))
        self._answered_s = now_s
        with self._lock:
            for item in held:
                mine = self._mine.get(item.assignment)
                if mine is not None and item.status is not None:
                    mine.kept_s = now_s
        self._drop(renewal.lost, "lost")
        self._drop(renewal.removed, "removed")
        self._drop(renewal.changed, "changed")

    def _due(self, name: str, mine: _Mine, now_s: float) -> Held:
        if not mine.urgent and now_s - mine.kept_s < KEEP_S:
            return Held(name, mine.epoch, mine.revision)
        mine.urgent = False
        return Held(name, mine.epoch, mine.revision, mine.checkpoint, mine.status)

    def _claim(self, info: WorkerInfo, most: int) -> None:
        self.round_trips += 1
        grants = self._store.claim(info.worker, info.group, most)
        if not grants:
            return
        with self._lock:
            for grant in grants:
                lease = grant.lease
                self._mine[lease.assignment.id] = _Mine(lease.epoch, lease.assignment.revision)
        profiles: dict[str, Profile | None] = {}
        try:
            group = self._configuration.group(info.group)
            for name in {grant.stream.spec.profile for grant in grants}:
                profiles[name] = self._configuration.profile(name)
        except SinkError:
            self._give_back(info.worker, grants)
            raise
        for grant in grants:
            name = grant.stream.spec.profile
            refused = ""
            if profiles[name] is None and name != "default":
                refused = f"There is no profile {name!r}."
            if group is None:
                refused = f"There is no detector group {info.group!r}."
            granted = Granted(grant, profiles[name], group or DetectorGroup(name=info.group), refused)
            self.events.put(granted)
        self.notify()

    def _give_back(self, worker: str, grants: Sequence[Grant]) -> None:
        """Claimed, and then not startable: others shall have them at the TTL at the latest."""
        with self._lock:
            for grant in grants:
                self._mine.pop(grant.lease.assignment.id, None)
        self._store.release(worker, [Released(g.lease.assignment.id, g.lease.epoch) for g in grants])

    def _drop(self, names: Sequence[str], why: Why) -> None:
        if not names:
            return
        with self._lock:
            gone = [(name, mine) for name in names if (mine := self._mine.pop(name, None)) is not None]
        for name, mine in gone:
            self.events.put(Gone(name, mine.epoch, why))
        if gone:
            self.notify()

    def fenced(self, assignment: str, epoch: int) -> None:
        """A finding was refused: the lease is another's."""
        if self.held.get(assignment) == epoch:
            self._drop([assignment], "lost")

    def release(self, worker: str, released: Sequence[Released]) -> None:
        """Give leases back at once; when the store is away they run out by themselves."""
        with self._lock:
            for item in released:
                mine = self._mine.get(item.assignment)
                if mine is not None and mine.epoch == item.epoch:
                    del self._mine[item.assignment]
        if not released:
            return
        try:
            self._store.release(worker, released)
        except SinkError as error:
            log.warning("release_failed", leases=len(released), error=str(error)[:200])

    def goodbye(self, worker: str) -> None:
        """The worker ends."""
        try:
            self._store.goodbye(worker)
        except GlitchwatchError as error:
            log.warning("goodbye_failed", error=str(error)[:200])
