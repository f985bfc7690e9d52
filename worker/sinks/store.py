"""Findings on their way to the store: numbered, held while it is away, offered again until it has judged them.

Of each lease, edges are never dropped: above a bound those of one defect are drawn together into its first beginning
and its last state. Measurements are: the oldest go first, and are counted. Coverage adds up until it can leave.
"""

from __future__ import annotations

import random
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Protocol

import structlog

from contracts.clock import Clock
from contracts.errors import SinkError
from contracts.findings import Edge
from contracts.fleet import Body, CoverageBody, EdgeBody, FindingEnvelope, SeriesBody, SourceBody
from store.outlet import Verdict

log = structlog.get_logger()

MOST_EDGES = 500  # of one lease, before they are drawn together
MOST_SERIES = 120  # slots of measurements of one lease
MOST_A_CALL = 400
PUMP_S = 0.25
RETRY_S = 0.5
# Coverage adds up for so long, so that it costs a call now and then and not one after another.
COVERAGE_S = 10.0
RECENT_S = 5.0  # what was accepted so lately is offered again after a failure

Key = tuple[str, str | None, str | None]
Lease = tuple[str, int]  # assignment, epoch


class FindingStore(Protocol):
    """Where findings are accepted; raises SinkError when the store does not answer in time."""

    def accept(self, worker: str, envelopes: Sequence[FindingEnvelope]) -> Sequence[Verdict]: ...


@dataclass(slots=True)
class _Waiting:
    """What one lease still has to say, in the order of its numbers."""

    last: int = 0  # the highest number given
    done: int = 0  # judged up to here
    items: deque[tuple[int, Body]] = field(default_factory=deque)
    added: dict[str, tuple[int, int, int]] = field(default_factory=dict)  # coverage that has no number yet
    recent: deque[tuple[float, int, Body]] = field(default_factory=deque)  # accepted a moment ago
    told: int = -1  # the period in which coverage left last
    finished: bool = False

    def number(self) -> int:
        self.last += 1
        return self.last

    def count(self, kind: type[SeriesBody] | type[CoverageBody]) -> int:
        return sum(isinstance(body, kind) for _, body in self.items)


class StoreSink:
    """The findings of all leases of a worker; safe to use from several threads."""

    def __init__(self, store: FindingStore, worker: str, clock: Clock) -> None:
        self._store, self._worker, self._clock = store, worker, clock
        self._waiting: dict[Lease, _Waiting] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._ended = threading.Event()
        self._hurry = False  # coverage, too, is to leave now
        self._phase = (
            random.random()
        )  # so that workers that share a clock do not tell theirs at the same moment
        self._again = False  # a call failed: the store may have lost what it accepted just before
        self.dropped = 0  # measurements let go of
        self.drawn_together = 0  # edges that became part of another
        self.refused = 0  # findings of leases that were not ours any more
        self.accepted = 0
        self.duplicates = 0
        self.on_fenced: Callable[[str, int], None] = lambda assignment, epoch: None

    def put(self, assignment: str, epoch: int, body: Body) -> int:
        """Take one finding; the number it has within its lease, or will leave with at the latest."""
        with self._lock:
            waiting = self._waiting.setdefault((assignment, epoch), _Waiting())
            if isinstance(body, CoverageBody):
                for name, more in body.added.items():
                    before = waiting.added.get(name, (0, 0, 0))
                    waiting.added[name] = (before[0] + more[0], before[1] + more[1], before[2] + more[2])
                return waiting.last
            waiting.items.append((waiting.number(), body))
            if isinstance(body, SeriesBody):
                self._thin(waiting)
            else:
                if len(waiting.items) > MOST_EDGES + MOST_SERIES:
                    size = len(waiting.items)
                    waiting.items = draw_together(waiting.items)
                    self.drawn_together += size - len(waiting.items)
                self._wake.set()
            return waiting.last

    def done(self, assignment: str, epoch: int) -> int:
        """The number up to which everything of the lease has been judged."""
        with self._lock:
            waiting = self._waiting.get((assignment, epoch))
            return waiting.done if waiting else 0

    def forget(self, assignment: str, epoch: int) -> None:
        """The lease is over and what it still had to say is void."""
        with self._lock:
            waiting = self._waiting.pop((assignment, epoch), None)
            if waiting is not None:
                self.refused += len(waiting.items)

    def finished(self, assignment: str, epoch: int) -> None:
        """Nothing more will come of the lease: it is forgotten once nothing waits."""
        with self._lock:
            waiting = self._waiting.get((assignment, epoch))
            if waiting is not None:
                waiting.finished = True

    def __len__(self) -> int:
        with self._lock:
            return sum(len(w.items) + bool(w.added) for w in self._waiting.values())

    def waiting(self, assignment: str, epoch: int) -> int:
        """How much one lease still has to say."""
        with self._lock:
            waiting = self._waiting.get((assignment, epoch))
            return len(waiting.items) + bool(waiting.added) if waiting else 0

    def run(self) -> None:
        """Offer what waits until `end`."""
        while not self._ended.is_set():
            pause = PUMP_S
            try:
                while self.pump():
                    continue
            except SinkError as error:
                pause = RETRY_S
                log.warning("findings_held", waiting=len(self), error=str(error)[:200])
            self._wake.wait(pause)
            self._wake.clear()

    def wake(self) -> None:
        """Offer everything soon."""
        self._hurry = True
        self._wake.set()

    def end(self) -> None:
        """Make `run` return."""
        self._ended.set()
        self._wake.set()

    def flush(self, within_s: float) -> bool:
        """Offer everything now, from the calling thread; whether nothing is left."""
        until_s = self._clock.monotonic() + within_s
        while len(self) and self._clock.monotonic() < until_s:
            try:
                self._hurry = True
                if not self.pump():
                    break
            except SinkError:
                self._clock.sleep(min(0.1, within_s))
        return not len(self)

    def pump(self) -> bool:
        """One call with what waits; whether there may be more. Raises SinkError, and then everything stays."""
        batch = self._batch()
        if not batch:
            return False
        try:
            verdicts = self._store.accept(self._worker, batch)
        except SinkError:
            self._again = True
            raise
        fenced: set[Lease] = set()
        full: set[str] = set()
        with self._lock:
            for envelope, verdict in zip(batch, verdicts, strict=True):
                lease = (envelope.assignment, envelope.epoch)
                if verdict is Verdict.FENCED:
                    fenced.add(lease)
                    self.refused += 1
                elif verdict is Verdict.FULL:
                    full.add(envelope.assignment)
                elif envelope.assignment not in full:
                    self.accepted += verdict is Verdict.ACCEPTED
                    self.duplicates += verdict is Verdict.DUPLICATE
                    self._judged(lease, envelope.sequence, envelope.body)
            for lease in fenced:
                self._waiting.pop(lease, None)
        for assignment, epoch in fenced:
            self.on_fenced(assignment, epoch)
        return not full and len(batch) >= MOST_A_CALL

    def _batch(self) -> list[FindingEnvelope]:
        batch: list[FindingEnvelope] = []
        hurry, self._hurry = self._hurry, False
        period = int(self._clock.monotonic() / COVERAGE_S + self._phase)
        with self._lock:
            if self._again:
                self._again = False
                for waiting in self._waiting.values():
                    waiting.items.extendleft((number, body) for _, number, body in reversed(waiting.recent))
                    waiting.recent.clear()
            over = [lease for lease, w in self._waiting.items() if w.finished and not (w.items or w.added)]
            for lease in over:
                del self._waiting[lease]
            for (assignment, epoch), waiting in self._waiting.items():
                due = hurry or waiting.finished or waiting.told != period
                if waiting.added and due and not waiting.count(CoverageBody):
                    waiting.told = period
                    waiting.items.append((waiting.number(), CoverageBody(added=waiting.added)))
                    waiting.added = {}
                for number, body in islice(waiting.items, MOST_A_CALL - len(batch)):
                    batch.append(
                        FindingEnvelope(assignment=assignment, epoch=epoch, sequence=number, body=body)
                    )
                if len(batch) >= MOST_A_CALL:
                    break
        return batch

    def _judged(self, lease: Lease, number: int, body: Body) -> None:
        waiting = self._waiting.get(lease)
        if waiting is None:
            return
        now_s = self._clock.monotonic()
        waiting.done = max(waiting.done, number)
        while waiting.items and waiting.items[0][0] <= number:
            waiting.items.popleft()
        if not isinstance(
            body, CoverageBody
        ):  # most of what is said: a store that was too slow shall not get it twice
            waiting.recent.append((now_s, number, body))
        while waiting.recent and now_s - waiting.recent[0][0] > RECENT_S:
            waiting.recent.popleft()

    def _thin(self, waiting: _Waiting) -> None:
        if waiting.count(SeriesBody) <= MOST_SERIES:
            return
        oldest = next(item for item in waiting.items if isinstance(item[1], SeriesBody))
        assert isinstance(oldest[1], SeriesBody)
        self.dropped += sum(point.count for point in oldest[1].points.values())
        waiting.items.remove(oldest)


def draw_together(items: Sequence[tuple[int, Body]]) -> deque[tuple[int, Body]]:
    """Of each defect its first beginning and its last state, of each track's sight the last change; the rest stays."""
    kept: dict[tuple[object, ...], tuple[int, Body]] = {}
    for number, body in items:
        if isinstance(body, SourceBody):
            kept["source", body.track] = (number, body)
        elif isinstance(body, EdgeBody):
            key: Key = (body.defect, body.track, body.channel)
            if body.edge is Edge.OPENED:
                kept.setdefault(("first", key), (number, body))
            kept["last", key] = (number, body)
        else:
            kept["other", number] = (number, body)
    return deque(sorted(dict(kept.values()).items(), key=lambda item: item[0]))
