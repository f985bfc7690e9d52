"""One input from open to verdict: ingest -> pipeline -> outbox -> sink."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import cv2

from contracts.clock import Clock
from contracts.errors import IngestError
from contracts.findings import DefectEdge, Finding
from contracts.profile import digest
from contracts.report import Execution, Input, ProfileRef, Report, Status, Tool
from contracts.urls import redact
from detectors.catalogue import Seat
from detectors.events import Event, Fetch, Source
from detectors.frame import MEDIA, Frame
from worker.evidence import Evidence
from worker.ingest.opening import AnyReading
from worker.ingest.options import IngestOptions
from worker.outbox import Outbox
from worker.pipeline import Pipeline
from worker.sinks.record import Recorder

cv2.setNumThreads(1)  # one core a watch: OpenCV's own threads cost more than they give

NS = 1_000_000_000


@dataclass(slots=True)
class Progress:
    """Where a watch stands, for whoever shows it."""

    media_s: float = 0.0
    watched_s: float = 0.0
    blind_s: float = 0.0
    blind: Source | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Listener:
    """What a watch tells while it runs. `edge` and `finding` come in media order, `progress` a few times a second."""

    finding: Callable[[Finding], None] = lambda finding: None
    source: Callable[[Source], None] = lambda source: None
    progress: Callable[[Progress], None] = lambda progress: None


class Watch:
    """Runs all `seats` over one input and keeps what they find."""

    def __init__(
        self,
        url: str,
        seats: Sequence[Seat],
        *,
        version: str,
        profile: str = "default",
        options: IngestOptions | None = None,
        clock: Clock,
        live: bool = False,
        listener: Listener | None = None,
        allow: Callable[[str], None] | None = None,
        allow_address: Callable[[str], None] | None = None,
    ) -> None:
        """`live`: reconnect for ever, and end without complaint when told to; else the input has an end.

        `allow` and `allow_address` are asked about each address where a playlist is read.
        """
        self._url, self._seats, self._clock, self._live = url, list(seats), clock, live
        self._profile = ProfileRef(name=profile, digest=digest(resolved(self._seats)))
        self._tool = Tool(version=version)
        self._listener = listener or Listener()
        self._reading = AnyReading(
            url, options or IngestOptions(), clock, live=live, allow=allow, allow_address=allow_address
        )
        self._pipeline = Pipeline(self._seats)
        self.recorder = Recorder()
        self._outbox = Outbox(self.recorder)
        self.evidence = Evidence()
        self._pictures: dict[str, list[Frame]] = {}  # of each track the latest that are looked at together
        self._end_ns = 0
        self._blind: Source | None = None
        self._lost: Fetch | None = None
        self._started_live: datetime | None = None
        self._told_s = 0.0
        self._stopped: str | None = None
        self.progress = Progress()

    def stop(self, reason: str) -> None:
        """End at the next event; the verdict so far stands. Safe to call from a signal handler."""
        self._stopped = reason

    @property
    def stopped(self) -> bool:
        """Whether `stop` was called."""
        return self._stopped is not None

    @property
    def started_at(self) -> datetime | None:
        """Wall clock of media time 0: as the source says, or when a live watch saw its first sample."""
        return self._reading.about.started_at or (self._started_live if self._live else None)

    def run(self, *, for_s: float | None = None) -> Report:
        """Watch until the input ends, `stop` is called, or `for_s` seconds of wall time are over."""
        began = self._clock.monotonic()
        cpu = _cpu_s()
        status: Status = "complete"
        reason: str | None = None
        events = self._reading.events()
        try:
            for event in events:
                if event is not None:
                    self._take(event)
                self._show()
                if self._stopped is not None:
                    break
                if for_s is not None and self._clock.monotonic() - began >= for_s:
                    break
            reason = self._stopped or self._reading.about.incomplete
            if self._reading.about.incomplete or (self._stopped is not None and not self._live):
                status = "partial"
        except IngestError as error:
            reason = error.explain()
            status = "partial" if self._pipeline.watched_ns else "failed"
            if not self._pipeline.blind_ns and self._blind is None:
                self._take(Source(self._end_ns, _code(error), reason))
        finally:
            _close(events)
            self._reading.close()
        self._give(self._pipeline.finish(self._end_ns))
        if status == "complete" and not self._pipeline.watched_ns:
            status, reason = "failed", reason or self._why_nothing()
        return self._report(status, reason, self._clock.monotonic() - began, _cpu_s() - cpu)

    def _take(self, event: Event) -> None:
        if isinstance(event, MEDIA):
            self._end_ns = max(self._end_ns, event.end_ns)
            if self._started_live is None:
                self._started_live = self._clock.now()
            if isinstance(event, Frame):
                self._pictures.setdefault(event.track, []).append(event)
        elif isinstance(event, Source):
            self._note_source(event)
        elif isinstance(event, Fetch) and event.given_up:
            self._lost = event
        self._give(self._pipeline.push(event))
        if not (isinstance(event, Frame) and event.more):
            for latest in self._pictures.values():
                del latest[:-1]

    def _why_nothing(self) -> str:
        if self._blind is not None:
            return self._blind.reason
        if self._lost is not None:
            return f"None of its media could be had; the last try, {self._lost.url}: {self._lost.cause}."
        return "Not one picture or sample arrived in all the time."

    def _note_source(self, event: Source) -> None:
        if event.track is None:
            self._blind = event if event.blind else None
        self._listener.source(event)

    def _give(self, findings: list[Finding]) -> None:
        for finding in findings:
            if isinstance(finding, DefectEdge):
                self.evidence.on_edge(finding, self._picture_of(finding.track, finding.certain_at_ns))
            self._listener.finding(finding)
        self._outbox.put(findings)
        self._outbox.drain()

    def _picture_of(self, track: str | None, certain_ns: int) -> Frame | None:
        """The picture with which that became certain, or else the latest."""
        latest = self._pictures.get(track or "") or next(iter(self._pictures.values()), [])
        return next(
            (picture for picture in latest if picture.end_ns >= certain_ns), latest[-1] if latest else None
        )

    def _show(self) -> None:
        now = time.monotonic()
        if now - self._told_s < 0.1:
            return
        self._told_s = now
        self.progress = Progress(
            media_s=self._end_ns / NS,
            watched_s=self._pipeline.watched_ns / NS,
            blind_s=self._pipeline.blind_ns / NS,
            blind=self._blind,
            duration_s=self._reading.about.duration_s,
        )
        self._listener.progress(self.progress)

    @property
    def open_defects(self) -> list[DefectEdge]:
        """What is open now."""
        return self._pipeline.open_defects

    def _report(self, status: Status, reason: str | None, wall_s: float, cpu_s: float) -> Report:
        about = self._reading.about
        families = {seat.detector.id: seat.detector.family() for seat in self._seats}
        modes = {seat.detector.id: seat.mode.value for seat in self._seats}
        duration = self._end_ns / NS if self._pipeline.watched_ns else about.duration_s
        return Report(
            tool=self._tool,
            input=Input(
                url=redact(self._url),
                started_at=self.started_at,
                container=about.container,
                duration_s=None if duration is None else round(duration, 3),
                tracks=[about.tracks[name] for name in sorted(about.tracks, key=_track_order)],
            ),
            profile=self._profile,
            execution=Execution(
                status=status,
                reason=reason,
                watched_s=round(self._pipeline.watched_ns / NS, 3),
                blind_s=round(self._pipeline.blind_ns / NS, 3),
                wall_s=round(wall_s, 3),
                cpu_s=round(cpu_s, 3),
            ),
            defects=self.recorder.report_defects(
                self._end_ns, lambda d: families.get(d, "monitoring"), lambda d: modes.get(d, "check")
            ),
            measurements=self.recorder.report_measurements(),
            coverage=self._pipeline.coverage(),
        )


def resolved(seats: Sequence[Seat]) -> dict[str, Any]:
    """The whole configuration in plain data: every detector with every parameter."""
    return {s.detector.id: {"mode": s.mode.value, **s.params.model_dump(mode="json")} for s in seats}


def _track_order(track: str) -> tuple[bool, int]:
    kind, _, number = track.partition(":")
    return (kind != "video", int(number))


def _code(error: IngestError) -> Any:
    return error.code


def _close(events: Iterator[Any]) -> None:
    close = getattr(events, "close", None)
    if close is not None:
        close()


def _cpu_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime
