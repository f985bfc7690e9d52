"""Run a watch for a person or a script at the command line: progress and table, or documents."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from contracts.clock import SystemClock
from contracts.errors import ConfigError
from contracts.findings import DefectEdge, Finding, Measurement
from contracts.report import Report
from contracts.urls import redact
from detectors.events import Source
from glitchwatch import __version__, profiles
from glitchwatch.render import Extras
from glitchwatch.render.files import write_text
from glitchwatch.render.progress import WatchStatus, checking
from glitchwatch.render.table import print_report
from glitchwatch.render.words import clock as clock_words
from worker.ingest.options import IngestOptions
from worker.sinks.record import Kept, describe
from worker.warm import give_back, share_one_heap
from worker.watch import Listener, Progress, Watch

PRECEDENCE = (2, 3, 1, 0)  # of several exit statuses the first that occurs
TIDY_S = 10.0  # how often free memory goes back while a live input is watched


@dataclass(frozen=True, slots=True)
class Outputs:
    """Where the verdict goes besides the terminal; `-` is standard output."""

    json: str | None = None
    junit: str | None = None
    csv: str | None = None
    html: str | None = None
    ebu_qc: str | None = None
    evidence: str | None = None
    measurements: str | None = None

    @property
    def takes_stdout(self) -> bool:
        """Whether a document is written to standard output, so that nothing else may be."""
        return "-" in (self.json, self.junit, self.csv, self.html, self.ebu_qc)


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    ingest: IngestOptions
    outputs: Outputs
    profile: Path | None = None
    only: tuple[str, ...] = ()
    memory: bool = False


@dataclass(slots=True)
class _Done:
    """Finished inputs and what their rendering may show."""

    reports: list[Report] = field(default_factory=list)
    extras: list[Extras] = field(default_factory=list)


def check_inputs(inputs: Sequence[str], request: Request) -> int:
    """Analyse every input in turn; the exit status that wins."""
    _can_write(request.outputs)
    profile = profiles.read(request.profile)
    seats = profiles.seats(profile, request.only)
    console = Console(stderr=request.outputs.takes_stdout)
    clock = SystemClock()
    done = _Done()
    with _measurement_file(request) as measured:
        for url in inputs:
            named = Path(url).name if "://" not in url else redact(url)
            with checking(named, None, console, clock) as advance:
                watch = Watch(
                    url,
                    seats,
                    version=__version__,
                    profile=profile.name,
                    options=request.ingest,
                    clock=clock,
                    listener=_passed_on(redact(url), measured, advance),
                )
                with _interrupts(watch):
                    report = watch.run()
            _finish(watch, report, request, done)
            if not request.outputs.takes_stdout:
                print_report(report, console)
            elif request.outputs.json == "-":
                write_text("-", done.reports[-1].to_json() + "\n")
            if watch.stopped:
                break
    _write(request.outputs, done, json_done=request.outputs.json == "-")
    found = {report.exit_status for report in done.reports}
    return next((status for status in PRECEDENCE if status in found), 0)


def _passed_on(
    source: str, measured: Callable[[Finding, str], None], advance: Callable[[float, float | None], None]
) -> Listener:
    return Listener(
        finding=lambda finding: measured(finding, source),
        progress=lambda progress: advance(progress.media_s, progress.duration_s),
    )


def watch_url(url: str, request: Request, *, for_s: float | None) -> int:
    """Watch one live input; edges are told as they come."""
    _can_write(request.outputs)
    profile = profiles.read(request.profile)
    seats = profiles.seats(profile, request.only)
    families = {seat.detector.id: seat.detector.family() for seat in seats}
    modes = {seat.detector.id: seat.mode.value for seat in seats}
    lines = request.outputs.json == "-"
    console = Console(stderr=request.outputs.takes_stdout)
    clock = SystemClock()
    done = _Done()
    growth = _Growth(clock.monotonic) if request.memory else None
    share_one_heap()  # before there are threads
    tidied_s = clock.monotonic()
    with _measurement_file(request) as measured, WatchStatus(console, clock) as status:

        def on_finding(finding: Finding) -> None:
            measured(finding, redact(url))
            if lines:
                _print_line(_line(finding, watch, families, modes))
            elif isinstance(finding, DefectEdge):
                console.print(_sentence(finding), highlight=False)

        def on_source(event: Source) -> None:
            if lines:
                _print_line(_source_line(event))
            elif event.blind is None or event.reason != seen.get(event.track):
                seen[event.track] = event.reason
                word = "blind" if event.blind else "healthy"
                console.print(
                    f"{clock_words(event.at_ns / 1e9)}  {word:9s} {escape(event.reason)}", highlight=False
                )
                if event.blind is None:
                    seen.clear()

        def on_progress(progress: Progress) -> None:
            reason = progress.blind.reason if progress.blind else None
            named = [
                (edge.defect, edge.severity) for edge in watch.open_defects if edge.suppressed_by is None
            ]
            status.update(progress.watched_s, progress.blind_s, named, reason)
            nonlocal tidied_s
            if clock.monotonic() - tidied_s >= TIDY_S:
                tidied_s = clock.monotonic()
                give_back()
            if growth is not None:
                growth.look()

        seen: dict[str | None, str] = {}
        watch = Watch(
            url,
            seats,
            version=__version__,
            profile=profile.name,
            options=request.ingest,
            clock=clock,
            live=True,
            listener=Listener(on_finding, on_source, on_progress),
        )
        with _interrupts(watch):
            report = watch.run(for_s=for_s)
    _finish(watch, report, request, done)
    if lines:
        _print_line({"type": "report", **json.loads(done.reports[0].to_json())})
    elif not request.outputs.takes_stdout:
        print_report(report, console)
    if growth is not None:
        _aside(growth.words())
    _write(request.outputs, done, json_done=lines)
    return report.exit_status


def _aside(text: str) -> None:
    sys.stderr.write(text + "\n")


def _finish(watch: Watch, report: Report, request: Request, done: _Done) -> None:
    if request.outputs.evidence is not None:
        report = watch.evidence.save(request.outputs.evidence, report)
    series: dict[str, list[tuple[float, float]]] = {}
    for (name, track, channel), curve in watch.recorder.curves.items():
        series[" ".join(part for part in (name, track, channel) if part)] = curve.points
    done.reports.append(report)
    done.extras.append(
        Extras(series=series, thumbnails=watch.evidence.thumbnails(report), written_at=SystemClock().now())
    )


def _can_write(outputs: Outputs) -> None:
    """Refuse a path that cannot be written before the analysis, not after it."""
    for path in (outputs.json, outputs.junit, outputs.csv, outputs.html, outputs.ebu_qc):
        if path is not None and path != "-" and not Path(path).resolve().parent.is_dir():
            raise ConfigError(f"Cannot write {path}: its folder does not exist.", "Make it, or name another.")


def _write(outputs: Outputs, done: _Done, *, json_done: bool) -> None:
    if outputs.json is not None and not json_done:
        write_text(outputs.json, "".join(report.to_json() + "\n" for report in done.reports))
    renderers = (
        (outputs.junit, "junit"),
        (outputs.csv, "csv_"),
        (outputs.html, "html"),
        (outputs.ebu_qc, "ebu_qc"),
    )
    for path, name in renderers:
        if path is not None:  # only then is it loaded
            renderer = import_module(f"glitchwatch.render.{name}")
            write_text(path, renderer.render(done.reports, done.extras))


@contextlib.contextmanager
def _measurement_file(request: Request) -> Iterator[Callable[[Finding, str], None]]:
    if request.outputs.measurements is None:
        yield lambda finding, source: None
        return
    from glitchwatch.render.measurements import MeasurementFile, row

    with MeasurementFile(request.outputs.measurements) as file:

        def keep(finding: Finding, source: str) -> None:
            if isinstance(finding, Measurement):
                file.write(row(finding, source))

        yield keep


@contextlib.contextmanager
def _interrupts(watch: Watch) -> Iterator[None]:
    """Ctrl-C and SIGTERM end with the verdict so far; a second one ends at once."""

    def on_signal(number: int, frame: Any) -> None:
        if watch.stopped:
            raise KeyboardInterrupt
        watch.stop("Stopped by the user before the end.")

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _line(finding: Finding, watch: Watch, families: dict[str, str], modes: dict[str, str]) -> dict[str, Any]:
    if isinstance(finding, Measurement):
        return {
            "type": "measurement",
            "at_s": round(finding.at_ns / 1e9, 3),
            "name": finding.name,
            "value": round(finding.value, 5),
            "unit": finding.unit,
            "track": finding.track,
            "channel": finding.channel,
        }
    start_ns = finding.at_ns
    kept = watch.recorder.started(finding.key)
    if kept is not None:
        start_ns = kept.start_ns
    end_ns = finding.at_ns if finding.edge == "closed" else None
    family = families.get(finding.detector, "monitoring")
    entry = Kept(finding, start_ns, end_ns, finding.certain_at_ns, finding.suppressed_by)
    defect = describe(entry, finding.certain_at_ns, family, modes.get(finding.detector, "check"))
    wall = watch.started_at
    return {
        "type": finding.edge.value,
        **defect.model_dump(mode="json"),
        "start_at": None if wall is None else (wall + timedelta(microseconds=start_ns // 1000)).isoformat(),
    }


def _source_line(event: Source) -> dict[str, Any]:
    return {
        "type": "blind" if event.blind else "healthy",
        "at_s": round(event.at_ns / 1e9, 3),
        "cause": event.blind,
        "reason": event.reason or None,
        "track": event.track,
    }


def _print_line(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, ensure_ascii=False) + "\n")
    sys.stdout.flush()


def _sentence(edge: DefectEdge) -> str:
    where = " ".join(part for part in (edge.track, edge.channel) if part) or "input"
    cause = f" (because of {edge.suppressed_by})" if edge.suppressed_by else ""
    value = f"{edge.peak.name} {edge.peak.value:.4g} {edge.peak.unit}"
    detail = f" · {edge.detail}" if edge.detail else ""
    head = f"{clock_words(edge.at_ns / 1e9)}  {edge.edge.value:9s} {edge.severity.value:8s}"
    return escape(f"{head} {edge.defect} on {where}{cause} · {value}{detail}")


class _Growth:
    """Resident memory of this process: after its beginnings, and now."""

    SETTLED_S = 120.0

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._began = monotonic()
        self._first: int | None = None

    def look(self) -> None:
        """Note the size once the process has settled."""
        if self._first is None and self._monotonic() - self._began >= self.SETTLED_S:
            self._first = resident_kb()

    def words(self) -> str:
        """How it grew."""
        now = resident_kb()
        first = self._first if self._first is not None else now
        return f"Memory: {first / 1024:.1f} MB after {self.SETTLED_S:.0f} s, {now / 1024:.1f} MB at the end."


def resident_kb() -> int:
    """Resident set of this process in kB; 0 where the system does not say."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1])
    return 0
