"""`glitchwatch detectors NAME --plot INPUT`: what one detector measured, its thresholds, what it called a defect.

This is how a threshold is chosen: on your own footage, good and bad.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from contracts.clock import SystemClock
from contracts.errors import ConfigError
from contracts.profile import Profile
from contracts.report import Report
from detectors.catalogue import AnyDetector, bind, load
from detectors.detector import Detector
from detectors.hold import Hold
from glitchwatch import __version__
from glitchwatch.listing import find
from glitchwatch.render import plots, words
from glitchwatch.render.files import write_bytes, write_text
from worker.watch import Watch

FORMATS = (".html", ".png")
FAILED, DEFECTS = 3, 1


def plot(name: str, source: str, out: str | None, console: Console) -> int:
    """Watch `source` with one detector alone and draw it; the exit status is that of `check`. Raises ConfigError."""
    found = load()
    detector = find(name, found)
    path = Path(out or f"{name}.html")
    if path.suffix.lower() not in FORMATS:
        raise ConfigError(f"Cannot draw into {path}.", "Let its name end in .html or .png.")
    if not path.resolve().parent.is_dir():
        raise ConfigError(f"Cannot write {path}: its folder does not exist.", "Make it, or name another.")
    watch = Watch(source, bind(found, Profile(), [name]), version=__version__, clock=SystemClock())
    report = watch.run()
    if report.execution.status == "failed":
        console.print(
            f"{report.input.url}: {report.execution.reason}", style="red", highlight=False, markup=False
        )
        return FAILED
    drawn = charts(watch, report, levels(detector, report))
    if not drawn:
        kind = {"video": "picture", "audio": "sound"}.get(detector.scope.value)
        lacks = kind is not None and not any(t.kind == detector.scope.value for t in report.input.tracks)
        raise ConfigError(
            f"Detector {name!r} measured nothing over time in {report.input.url}.",
            f"The input has no {kind}."
            if lacks
            else f"`glitchwatch check --only {name}` tells what it found.",
        )
    title = f"{name} – {words.line(report.input.url)}"
    if path.suffix.lower() == ".png":
        write_bytes(path, plots.png(title, drawn, report))
    else:
        write_text(path, plots.page(title, drawn, report))
    said = words.plural(len(report.defects), "defect")
    console.print(f"{path}: {', '.join(c.name for c in drawn)}; {said}.", highlight=False, markup=False)
    return report.exit_status


def levels(detector: AnyDetector, report: Report) -> dict[str, float]:
    """Thresholds by measurement: those that the detector holds its values against, and those that it told."""
    out = {d.peak.name: d.threshold for d in report.defects}
    track = {"video": "video:0", "track": "video:0", "audio": "audio:0"}.get(detector.scope.value)
    instance: Detector[Any] = detector(detector.Params(), track)
    for value in vars(instance).values():
        if isinstance(value, Hold):
            out.setdefault(value.value, value.threshold)
    return out


def charts(watch: Watch, report: Report, thresholds: Mapping[str, float]) -> list[plots.Chart]:
    """One chart for each measurement; a curve for each track and channel."""
    by_name: dict[str, dict[str, Sequence[tuple[float, float]]]] = {}
    for (name, track, channel), curve in watch.recorder.curves.items():
        by_name.setdefault(name, {})[words.where(track, channel)] = curve.points
    defects = [d for d in report.defects if d.suppressed_by is None]
    return [
        plots.Chart(name, curves, thresholds.get(name), defects)
        for name, curves in sorted(by_name.items(), key=lambda item: (item[0] not in thresholds, item[0]))
    ]
