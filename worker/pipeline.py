"""Carry each event through every detector that wants it, once, forward.

Pictures that were decoded together are shown to one detector after the other, all of them to each, and so are blocks of
sound: the second time its code is at hand. What was found is told in the order in which it would have been otherwise.

Lives as long as the watch of one input; knows no network and no libav. A detector that raises is set aside and
said aloud, the others go on. A defect that another, open one explains is marked as its consequence.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

import numpy.fft  # numpy loads these two when they are first used, which would be amid a watch
import numpy.ma  # noqa: F401

from contracts.findings import DefectEdge, Edge, Finding, Peak, Severity
from contracts.report import Coverage
from detectors.catalogue import Seat
from detectors.detector import Detector, Scope
from detectors.events import Break, Event, Source, Tick
from detectors.frame import MEDIA, Block, Frame, PictureView, SoundView, slot_of
from worker.causes import Before, Causes

FAULT_DEFECT = "detector_fault"
# Reading the thread's CPU clock costs more than a small detector: of what is shown, one in so many is timed. Which
# ones has no period: bursts of pictures and of sound come by turns, and detectors look at rates of their own.
TIMED_EVERY = 7
GOLDEN = (5**0.5 - 1) / 2

_HANDLER = {
    "Frame": "picture", "Block": "sound", "Tick": "tick", "Break": "broke", "Damage": "damage",
    "Format": "format", "Recall": "recall", "Fetch": "fetch", "Source": "source",
}  # fmt: skip


@dataclass(slots=True)
class _Chair:
    """One detector instance on one track (or on the input, track None)."""

    seat: Seat
    detector: Detector[Any]
    track: str | None
    allowed: frozenset[Any]
    cpu_ns: int = 0
    not_yet_ns: int = 0  # watched before it was ready to judge
    learns: bool = False  # it may say that it is not ready
    slot: int = -1  # of a detector that wants fewer pictures: the last time slot it was shown
    fault: str | None = None
    fault_at_ns: int = 0  # how much of the track had been watched by then


@dataclass(slots=True)
class _TrackLedger:
    """How much of one track was seen."""

    watched_ns: int = 0
    end_ns: int | None = None
    blind_ns: int = 0


@dataclass(slots=True)
class _Blindness:
    since_ns: int
    last_ns: int


class Pipeline:
    """The detectors of one watch."""

    def __init__(
        self, seats: Sequence[Seat], open_before: Sequence[DefectEdge] = (), before: Sequence[Before] = ()
    ) -> None:
        """`open_before`: what the watch before this one left open; its detectors adopt it. `before`: what it told."""
        self._seats = list(seats)
        self._open_before = list(open_before)
        self._chairs: list[_Chair] = []
        self._shown = 0
        self._together: list[Frame | Block] = []  # of one track, to be shown at once
        self._lengths: list[tuple[int, int]] = []  # ns that each of them added to its track, and to the input
        self._clock_ns = _clock_cost_ns()
        self._routes: dict[
            tuple[str, str | None], list[tuple[_Chair, Callable[[Any], Iterable[Finding]] | None]]
        ] = {}
        self._previous: dict[str, Any] = {}
        self._tracks: dict[str, _TrackLedger] = {}
        self._watched_ns = 0
        self._input_blind_ns = 0
        self._blind: dict[str | None, _Blindness] = {}
        self._causes = Causes(
            {seat.detector.id: seat.detector.suppressed_by for seat in self._seats},
            before,
            prompt=[seat.detector.id for seat in self._seats if seat.detector.prompt],
        )
        self.running: str | None = None  # the detector that is at work right now
        self.runs = 0  # how often any detector was at work
        self.rate_factor = 1.0  # below 1: detectors that want fewer pictures are shown fewer still
        for seat in self._seats:
            if seat.detector.scope is Scope.INPUT:
                self._sit(seat, None)

    def push(self, event: Event) -> list[Finding]:
        """Show one event to whoever wants it; what they found, with causes marked.

        A picture or block behind which `more` follows waits for that, to be shown together with it.
        """
        track = event.track
        if track is not None and track not in self._tracks:
            self._welcome(track)
        if isinstance(event, MEDIA):
            waiting = self._together
            findings = self.catch_up() if waiting and waiting[0].track != track else []
            self._count_watched(event)
            self._together.append(event)
            if not event.more:
                findings += self.catch_up()
            return findings
        findings = self.catch_up()
        if isinstance(event, Source):
            self._count_blind(event)
        elif isinstance(event, Break) and track is not None and event.kind == "gap":
            self._tracks[track].end_ns = event.at_ns + event.delta_ns
        since_ns = self._begin()
        for chair, handler in self._route(_HANDLER[type(event).__name__], track):
            if chair.fault is not None or handler is None:
                continue
            found: list[Finding] = []
            error = self._run(chair, handler, event, found)
            self._judge(found, findings)
            if error is not None:
                findings += self._quarantine(chair, event.at_ns, error)
            since_ns = self._lap(chair, since_ns)
        if isinstance(event, Tick):
            findings.extend(self._causes.passed(event.at_ns))
        return findings

    def catch_up(self) -> list[Finding]:
        """Show what waits to be shown together; what was found."""
        if not self._together:
            return []
        together, self._together = self._together, []
        lengths, self._lengths = self._lengths, []
        track, previous = together[0].track, self._previous
        for event in together:
            if event.joins:
                event.previous = previous.get(track)
            previous[track] = event
        kind = "picture" if isinstance(together[0], Frame) else "sound"
        slots: dict[float, list[int]] = {}
        found: list[list[Finding]] = [[] for _ in together]
        broken: list[tuple[_Chair, int, Exception]] = []
        since_ns = self._begin()
        for chair, handler in self._route(kind, track):
            if chair.fault is not None:
                continue
            rate = chair.seat.detector.rate_hz if kind == "picture" else None
            if rate is not None and rate not in slots:
                slots[rate] = [slot_of(int(event.at_ns * self.rate_factor), rate) for event in together]
            broke = self._show(chair, handler, together, lengths, slots.get(rate or 0.0), found)
            if broke is not None:
                chair.fault = _words(broke[1])
                broken.append((chair, *broke))
            since_ns = self._lap(chair, since_ns)
        findings: list[Finding] = []
        for n, event in enumerate(together):
            event.previous = None  # one frame of history, never a chain
            self._judge(found[n], findings)
            for chair, when, error in broken:
                if when == n:
                    findings += self._quarantine(chair, event.at_ns, error)
        return findings

    def _show(
        self,
        chair: _Chair,
        handler: Callable[[Any], Iterable[Finding]] | None,
        together: Sequence[Frame | Block],
        lengths: Sequence[tuple[int, int]],
        slots: Sequence[int] | None,
        found: Sequence[list[Finding]],
    ) -> tuple[int, Exception] | None:
        """Show all of them to one detector; (at which, what it raised) where it did, which is contained here, and said.

        `slots`: of each, where the detector wants fewer. `found`: what is found in each is added there.
        """
        view: Any = PictureView if isinstance(together[0], Frame) else SoundView
        detector, allowed, learns, n = chair.detector, chair.allowed, chair.learns, 0
        ready: bool | None = None  # asked before it is shown, so that what it learns from is not judged
        try:
            self.running = chair.seat.detector.id
            for n, event in enumerate(together):
                if learns:
                    ready = detector.ready if ready is None else ready
                    if not ready:
                        chair.not_yet_ns += lengths[n][chair.track is None]
                if slots is not None:
                    if slots[n] == chair.slot:
                        continue
                    chair.slot = slots[n]
                if handler is not None:
                    self.runs += 1
                    found[n].extend(handler(view(event, allowed)))
                    ready = None
        except Exception as error:
            return n, error
        finally:
            self.running = None
        return None

    def _begin(self) -> int:
        """The thread's CPU clock where what is shown now is timed, else 0."""
        self._shown += 1
        timed = self._shown * GOLDEN % 1.0 < 1 / TIMED_EVERY
        return time.thread_time_ns() if timed else 0

    def _lap(self, chair: _Chair, since_ns: int) -> int:
        if not since_ns:
            return 0
        now_ns = time.thread_time_ns()
        chair.cpu_ns += max(0, now_ns - since_ns - self._clock_ns) * TIMED_EVERY
        return now_ns

    def _judge(self, found: list[Finding], out: list[Finding]) -> None:
        for finding in found:
            if isinstance(finding, DefectEdge):
                out.extend(self._causes.judge(finding))
            else:
                out.append(finding)

    def finish(self, at_ns: int) -> list[Finding]:
        """The watch ends: the detectors' last words. What is open stays open."""
        findings = self.catch_up()
        for chair in self._chairs:
            if chair.fault is None:
                found: list[Finding] = []
                error = self._run(chair, chair.detector.finish, at_ns, found)
                self._judge(found, findings)
                if error is not None:
                    findings += self._quarantine(chair, at_ns, error)
        return findings

    @property
    def watched_ns(self) -> int:
        """How much media was really analysed: that of the track of which most was seen."""
        return self._watched_ns

    @property
    def blind_ns(self) -> int:
        """Wall time in which nothing of the input could be seen."""
        return self._input_blind_ns

    @property
    def open_defects(self) -> list[DefectEdge]:
        """The opening edges of what is open now."""
        return list(self._causes.open.values())

    def watched_of(self, track: str | None) -> int:
        """How much of one track was analysed; of the input, None, that of the track of which most was."""
        if track is None:
            return self.watched_ns
        ledger = self._tracks.get(track)
        return ledger.watched_ns if ledger else 0

    def coverage(self) -> list[Coverage]:
        """What each detector saw of each track, and what it cost."""
        rows = []
        for chair in self._chairs:
            ledger = self._tracks.get(chair.track) if chair.track else None
            watched = ledger.watched_ns if ledger else self.watched_ns
            blind = self._input_blind_ns + (ledger.blind_ns if ledger else 0)
            if chair.fault is not None:
                blind += watched - chair.fault_at_ns
                watched = chair.fault_at_ns
            rows.append(
                Coverage(
                    detector=chair.seat.detector.id,
                    track=chair.track,
                    watched_s=round(watched / 1e9, 3),
                    blind_s=round(blind / 1e9, 3),
                    not_yet_s=round(chair.not_yet_ns / 1e9, 3),
                    cpu_ms_per_s=round(chair.cpu_ns * 1e3 / watched, 4) if watched else 0.0,
                    fault=chair.fault,
                )
            )
        return rows

    def _welcome(self, track: str) -> None:
        self._tracks[track] = _TrackLedger()
        own = Scope.VIDEO if track.startswith("video") else Scope.AUDIO
        for seat in self._seats:
            if seat.detector.scope in (own, Scope.TRACK):
                self._sit(seat, track)
        order = {id(seat): n for n, seat in enumerate(self._seats)}
        self._chairs.sort(key=lambda c: order[id(c.seat)])
        self._routes.clear()

    def _sit(self, seat: Seat, track: str | None) -> None:
        chair = _Chair(seat, seat.detector(seat.params, track), track, frozenset(seat.detector.needs))
        self._chairs.append(chair)
        for edge in self._open_before:
            if edge.detector == chair.seat.detector.id and track in (None, edge.track):
                chair.detector.adopt(edge)
        chair.learns = seat.detector.ready is not Detector.ready

    def _route(
        self, handler: str, track: str | None
    ) -> list[tuple[_Chair, Callable[[Any], Iterable[Finding]] | None]]:
        """Who wants it, and with which handler; None of those that are only asked whether they have learned."""
        route = self._routes.get((handler, track))
        if route is None:
            asked = handler in ("picture", "sound")
            route = []
            for chair in self._chairs:
                wants = handler in type(chair.detector).kinds
                if (wants or (asked and chair.learns)) and (
                    track is None or chair.track is None or chair.track == track
                ):
                    route.append((chair, getattr(chair.detector, handler) if wants else None))
            self._routes[handler, track] = route
        return route

    def _run(
        self, chair: _Chair, handler: Callable[[Any], Iterable[Finding]], argument: Any, out: list[Finding]
    ) -> Exception | None:
        """Let it look; what it raised, which is contained here, and said."""
        try:
            self.runs += 1
            self.running = chair.seat.detector.id
            out.extend(handler(argument))
            self.running = None
        except Exception as error:
            self.running = None
            return error
        return None

    def _quarantine(self, chair: _Chair, at_ns: int, error: Exception) -> list[Finding]:
        name = chair.seat.detector.id
        _log().error("detector_quarantined", detector=name, track=chair.track, at_ns=at_ns, exc_info=error)
        chair.fault = _words(error)
        chair.fault_at_ns = self._tracks[chair.track].watched_ns if chair.track else self.watched_ns
        out: list[Finding] = []
        for edge in self.open_defects:
            if edge.detector == name and chair.track in (None, edge.track):
                out += self._causes.judge(
                    replace(
                        edge, edge=Edge.CLOSED, at_ns=at_ns, certain_at_ns=at_ns, detail="its detector broke"
                    )
                )
        fault = DefectEdge(
            Edge.OPENED, FAULT_DEFECT, name, chair.track, at_ns, at_ns, Severity.ERROR,
            Peak("faults", 1.0, "count"), 1.0, channel=name, detail=chair.fault,
        )  # fmt: skip
        return [*out, *self._causes.judge(fault)]

    def _count_watched(self, event: Frame | Block) -> None:
        ledger, before_ns = self._tracks[event.track], self._watched_ns
        begin = event.at_ns if not event.joins or ledger.end_ns is None else ledger.end_ns
        length_ns = max(0, event.end_ns - begin)
        ledger.watched_ns += length_ns
        ledger.end_ns = max(event.end_ns, ledger.end_ns or 0)
        self._watched_ns = max(before_ns, ledger.watched_ns)
        self._lengths.append((length_ns, self._watched_ns - before_ns))

    def _count_blind(self, event: Source) -> None:
        if event.blind is not None:
            state = self._blind.setdefault(event.track, _Blindness(event.at_ns, event.at_ns))
            self._add_blind(event.track, event.at_ns - state.last_ns)
            state.last_ns = max(state.last_ns, event.at_ns)
        elif event.track in self._blind:
            state = self._blind.pop(event.track)
            self._add_blind(event.track, event.at_ns - state.last_ns)

    def _add_blind(self, track: str | None, length_ns: int) -> None:
        if track is None:
            self._input_blind_ns += max(0, length_ns)
        else:
            self._tracks[track].blind_ns += max(0, length_ns)


def _words(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:200]


def _log() -> Any:
    """The log, loaded when there is something to say: it takes longer than looking at a second of media."""
    import structlog

    if not structlog.is_configured():
        # Documents go to standard output; locals are planes, and may be secrets.
        renderer = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), exception_formatter=structlog.dev.plain_traceback
        )
        stamper = structlog.processors.TimeStamper(fmt="iso", utc=True)
        structlog.configure(
            processors=[structlog.processors.add_log_level, stamper, renderer],
            logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        )
    return structlog.get_logger()


def _clock_cost_ns() -> int:
    """What it costs to read the thread's CPU clock."""
    times = [time.thread_time_ns() for _ in range(9)]
    return min(after - before for before, after in pairwise(times))
