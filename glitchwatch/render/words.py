"""The words all renderings share: times, numbers, places, and the verdict."""

import math
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from contracts.findings import Severity
from contracts.report import Coverage, Defect, Report, Track

# What XML 1.0 forbids, what moves a terminal's cursor, and what reorders text on screen.
_UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]"
)

Level = Literal["ok", "fail", "blind"]


def clean(text: str) -> str:
    """`text` with every character that XML forbids or a terminal obeys replaced by U+FFFD."""
    return _UNSAFE.sub("\ufffd", text)


def line(text: str) -> str:
    """`clean` text on one line."""
    return " ".join(clean(text).split())


def clock(seconds: float) -> str:
    """Media seconds as h:mm:ss.mmm; a negative time keeps its sign."""
    if not math.isfinite(seconds):
        return "–"
    ms = round(abs(seconds) * 1000)
    sign = "-" if seconds < 0 and ms else ""
    return f"{sign}{ms // 3_600_000}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}.{ms % 1000:03d}"


def length(seconds: float) -> str:
    """A duration in the unit that reads best."""
    if not math.isfinite(seconds):
        return "–"
    if abs(seconds) < 1:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s" if abs(seconds) < 120 else clock(seconds)[:-4]


def number(value: float) -> str:
    """A value with as many digits as it deserves."""
    if math.isnan(value):
        return "n/a"
    if math.isinf(value):
        return "∞" if value > 0 else "−∞"
    size = abs(value)
    if value == int(value) and size < 1e6:
        text = str(int(value))
    elif size >= 100:
        text = f"{value:.0f}" if size < 1e6 else f"{value:.3g}"
    elif size >= 10:
        text = f"{value:.1f}"
    elif size >= 1:
        text = f"{value:.2f}".rstrip("0").rstrip(".")
    else:
        text = f"{value:.3g}" if size < 0.01 else f"{value:.3f}".rstrip("0").rstrip(".")
    return text.replace("-", "−", 1) if text.startswith("-") else text


def quantity(value: float, unit: str) -> str:
    """A value with its unit; a ratio has none to show."""
    unit = line(unit)
    return number(value) if unit in ("", "ratio", "1") else f"{number(value)} {unit}"


def peak(defect: Defect) -> str:
    """`dark_coverage 0.999`: the worst value reached."""
    return f"{line(defect.peak.name)} {quantity(defect.peak.value, defect.peak.unit)}"


def where(track: str | None, channel: str | None = None) -> str:
    """The track and channel; `input` when the input as a whole is meant."""
    place = "input" if track is None else line(track)
    return f"{place} {line(channel)}" if channel else place


def plural(count: int, noun: str) -> str:
    """`1 defect`, `2 defects`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def track_line(track: Track) -> str:
    """One track in one line: codec, size and rate, or sampling rate and layout."""
    parts = [line(track.codec)]
    if track.width and track.height:
        parts.append(f"{track.width}×{track.height}")
    if track.fps:
        parts.append(f"{track.fps:.3f}".rstrip("0").rstrip(".") + " fps")
    if track.bit_depth and track.bit_depth != 8 and track.kind == "video":
        parts.append(f"{track.bit_depth} bit")
    if track.sample_rate_hz:
        parts.append(f"{number(track.sample_rate_hz / 1000)} kHz")
    if track.layout or track.channels:
        parts.append(line(track.layout) if track.layout else plural(track.channels or 0, "channel"))
    if track.language and track.language != "und":
        parts.append(line(track.language))
    return ", ".join(parts)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a report comes to: `blind` means that nobody may call it healthy."""

    level: Level
    text: str


def verdict(report: Report) -> Verdict:
    """The one line that says what the report means; agrees with its exit status."""
    run = report.execution
    bad = [d for d in report.defects if d.counts]
    found = f"{plural(len(bad), 'defect')} at error or above"
    if run.status != "complete":
        reason = line(run.reason or "no reason was given")
        so_far = f" ({found} until then)" if bad else ""
        return Verdict("blind", f"NOT ANALYSED TO THE END: {reason}{so_far}")
    blind = f"; blind for {length(run.blind_s)}" if run.blind_s > 0 else ""
    if bad:
        return Verdict("fail", f"FAIL: {found}{blind}")
    if not any(judged(c) for c in report.coverage):
        return Verdict("blind", "NOT JUDGED: no detector could see anything of this input")
    aside = _aside(report)
    nothing = f"nothing at error or above{f' ({aside})' if aside else ''}{blind}"
    if blind or any(c.fault for c in report.coverage):
        return Verdict("blind", f"OK WHERE SEEN: {nothing}")
    return Verdict("ok", f"OK: {nothing}")


def _aside(report: Report) -> str:
    warnings = sum(d.severity is Severity.WARNING and d.suppressed_by is None for d in report.defects)
    held = sum(
        d.severity.rank >= Severity.ERROR.rank and not d.counts and d.suppressed_by is None
        for d in report.defects
    )
    parts = [plural(warnings, "warning")] if warnings else []
    if held:
        parts.append(f"{held} recorded only")
    faults = len({c.detector for c in report.coverage if c.fault})
    if faults:
        parts.append(f"{plural(faults, 'detector')} quarantined")
    return ", ".join(parts)


def judged(coverage: Coverage) -> bool:
    """Whether the detector saw enough of the track to have an opinion on any of it."""
    return coverage.watched_s - coverage.not_yet_s > 0


def coverage_state(coverage: Coverage) -> str:
    """`ran`, or why it cannot be relied on."""
    if coverage.fault:
        return f"quarantined: {line(coverage.fault)}"
    if not judged(coverage):
        return "blind" if coverage.watched_s <= 0 else "not yet"
    if coverage.blind_s > 0:
        return f"ran, blind for {length(coverage.blind_s)}"
    return "ran" if coverage.not_yet_s <= 0 else f"ran, not yet for {length(coverage.not_yet_s)}"


def seen(report: Report) -> str:
    """`watched 12.0 s, blind 0.0 s`."""
    run = report.execution
    return f"watched {_plain(run.watched_s)}, blind {_plain(run.blind_s)}"


def _plain(seconds: float) -> str:
    return f"{seconds:.1f} s" if abs(seconds) < 120 else length(seconds)


def counts(defects: Iterable[Defect]) -> dict[Severity, int]:
    """How many defects of each severity, worst first; suppressed ones are left out."""
    found = Counter(d.severity for d in defects if d.suppressed_by is None)
    return {severity: found[severity] for severity in Severity}
