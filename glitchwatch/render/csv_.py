"""CSV: one row for each defect, under a header that columns are added to and never taken from.

Several reports follow each other under one header; the column `input` tells them apart. A report without defects
gives no row: whether it was analysed at all is in the JSON document, not here. Text that a spreadsheet would take
for a formula gets an apostrophe in front.
"""

import csv
import io
from collections.abc import Sequence

from contracts.report import Defect, Report
from glitchwatch.render import AnyExtras
from glitchwatch.render.words import clean

HEADER = (
    "input", "started_at", "defect", "detector", "family", "track", "channel", "start_s", "end_s", "length_s",
    "open", "severity", "confidence", "peak_name", "peak_value", "peak_unit", "threshold", "suppressed_by",
    "mode", "counts", "certain_s", "detail", "evidence", "execution_status",
)  # fmt: skip


def render(reports: Sequence[Report], extras: AnyExtras = None) -> str:
    """The reports' defects as CSV (RFC 4180); `extras` are not shown."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(HEADER)
    for report in reports:
        for defect in report.defects:
            writer.writerow(_row(report, defect))
    return out.getvalue()


def text(value: str | None) -> str:
    """A cell of text that no spreadsheet computes."""
    safe = clean(value or "")
    return f"'{safe}" if safe.startswith(("=", "+", "-", "@", "\t")) else safe


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _row(report: Report, defect: Defect) -> tuple[str, ...]:
    started = report.input.started_at
    return (
        text(report.input.url),
        started.isoformat() if started else "",
        text(defect.defect),
        text(defect.detector),
        text(defect.family),
        text(defect.track),
        text(defect.channel),
        _seconds(defect.start_s),
        _seconds(defect.end_s),
        _seconds(defect.end_s - defect.start_s),
        str(defect.open).lower(),
        defect.severity.value,
        repr(defect.confidence),
        text(defect.peak.name),
        repr(defect.peak.value),
        text(defect.peak.unit),
        repr(defect.threshold),
        text(defect.suppressed_by),
        defect.mode,
        str(defect.counts).lower(),
        _seconds(defect.certain_s),
        text(defect.detail),
        text(" ".join(item.path for item in defect.evidence)),
        report.execution.status,
    )
