"""XML in the words of EBU QC: what was checked, whether the check *ran*, and apart from that whether it *passed*.

Structure and names follow the EBU QC data model and its XML schema, namespace `tag:qc.ebu.ch,2026-01`, which carries
on EBU Tech 3363. Documents are made to its pattern and **not validated against EBU's schema; conformity is not
claimed**: a detector is only near to the catalogue's item whose number it bears, so `EBUQCVersion` is `0.0`
throughout, and a detector without a number bears `glitchwatch-NAME`. What the schema has no place for stands in
`ExtensionProperties` under our own namespace.

One `ItemResult` for each detector on each track. `ExecutionStatus` is `complete` or `error`; `CheckResult` is missing
where nothing was judged or the analysis did not end well; our own `Verdict` spells it out: `passed`, `failed`,
`notRun`, `inconclusive` (nothing found, part of it not seen) or `recorded` (used as report, not as check).

Each defect is an `Output`: `Start` and `End` are media seconds from the first presented sample, `Severity` is 0 (info)
to 3 (critical). One input gives a `Report`; several give our own `Reports` around one `Report` each.
"""

import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.clock import SystemClock
from contracts.report import Coverage, Defect, Report
from glitchwatch.render import AnyExtras, extras_of, words
from glitchwatch.render.markup import Element, add, node, xml

NAMESPACE = "tag:qc.ebu.ch,2026-01"
OURS = "urn:glitchwatch:ebu-qc:1"
VERSION = "0.0"  # which version of a catalogue item is met is not claimed

ITEMS = {  # the catalogue's numbers: EBU QC, https://qc.ebu.io
    "black": "0272B",
    "silence": "0078B",
    "clipping": "0005B",
    "click": "0057B",
    "audio_dropout": "0008B",
    "hum": "0088B",
    "audio_noise": "0086B",
    "phase_reversal": "0012B",
    "mono": "0124B",
    "test_tone": "0014B",
}


def render(reports: Sequence[Report], extras: AnyExtras = None) -> str:
    """The reports as EBU QC-style XML; of `extras`, `written_at` is used."""
    group = _urn("group", *(r.input.url for r in reports)) if len(reports) != 1 else None
    roots = [_report(report, _written(extras, index), group) for index, report in enumerate(reports)]
    if len(roots) == 1:
        root = roots[0]
        root.set("xmlns", NAMESPACE)
        root.set("xmlns:gw", OURS)
        return xml(root)
    root = node("gw:Reports")
    root.set("xmlns", NAMESPACE)
    root.set("xmlns:gw", OURS)
    root.extend(roots)
    return xml(root)


def _written(extras: AnyExtras, index: int) -> datetime:
    return (extras_of(extras, index).written_at or SystemClock().now()).astimezone(UTC)


def _urn(*parts: str) -> str:
    name = "\n".join((OURS, *(words.clean(part) for part in parts)))
    return uuid.uuid5(uuid.NAMESPACE_URL, name).urn


@dataclass(frozen=True, slots=True)
class _Item:
    """One detector on one track; `coverage` is None when it only left defects."""

    detector: str
    track: str | None
    coverage: Coverage | None
    defects: tuple[Defect, ...]

    @property
    def number(self) -> str:
        """The catalogue's number, or one of our own in the same alphabet."""
        own = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.detector)
        return ITEMS.get(self.detector, f"glitchwatch-{own}")

    def instance(self, report: Report) -> str:
        """An id that is the same whenever the same detector meets the same track under the same profile."""
        return _urn("item", report.profile.digest, self.detector, self.track or "")


def _items(report: Report) -> list[_Item]:
    """Coverage and defects joined by detector and track, in the report's order."""
    coverage = {(row.detector, row.track): row for row in report.coverage}
    defects: dict[tuple[str, str | None], list[Defect]] = {}
    for defect in report.defects:
        defects.setdefault((defect.detector, defect.track), []).append(defect)
    return [
        _Item(key[0], key[1], coverage.get(key), tuple(defects.get(key, ())))
        for key in dict.fromkeys((*coverage, *defects))
    ]


def _report(report: Report, written: datetime, group: str | None) -> Element:
    run, level = report.execution, words.verdict(report).level
    items = _items(report)
    stamp = written.strftime("%Y-%m-%dT%H:%M:%SZ")
    root = node("Report")
    add(root, "ReportId", _urn("report", report.input.url, report.profile.digest, stamp))
    add(root, "ExecutionStatus", "complete" if run.status == "complete" else "error")
    if run.status != "complete":
        add(root, "ErrorDescription", run.reason or run.status)
    if level != "blind":
        add(root, "CheckResult", "true" if level == "ok" else "false")
    _content(root, report)
    add(root, "LastModifiedDateTime", stamp)
    if group:
        add(root, "ReportGroupId", group)
    add(root, "OverallAnalysisDuration", f"PT{_decimal(run.wall_s)}S")
    tool = add(root, "ToolInformation")
    add(tool, "ToolID", "urn:glitchwatch")
    add(tool, "ToolName", report.tool.name)
    add(tool, "Version", report.tool.version)
    _profile(root, report, items)
    results = add(root, "ItemResults")
    for item in items:
        _result(results, report, item)
    more = add(root, "ExtensionProperties")
    add(more, "gw:Status", run.status)
    add(more, "gw:Verdict", words.verdict(report).text)
    add(more, "gw:WatchedSeconds", _decimal(run.watched_s))
    add(more, "gw:BlindSeconds", _decimal(run.blind_s))
    _input(more, report)
    _measurements(more, report)
    return root


def _content(parent: Element, report: Report) -> None:
    add(add(add(parent, "ContentId"), "ContentIdentifier"), "ID", report.input.url)


def _profile(root: Element, report: Report, items: Sequence[_Item]) -> None:
    profile = add(root, "Profile")
    add(profile, "ID", _urn("profile", report.profile.digest))
    add(profile, "Name", report.profile.name)
    _content(profile, report)
    add(profile, "CheckResultRule", "AND")
    add(profile, "Scopes")
    entries = add(profile, "Items")
    for item in items:
        entry = add(entries, "Item")
        add(entry, "EBUQCID", item.number)
        add(entry, "EBUQCName", item.detector)
        add(entry, "EBUQCVersion", VERSION)
        add(entry, "InstanceId", item.instance(report))
        add(entry, "UsedAs", "report" if _recorded(item) else "check")
        if item.track is not None:
            add(entry, "Track", item.track)
        add(entry, "Scopes")
        inputs = add(entry, "Inputs")
        for name, value in _thresholds(item):
            given = add(inputs, "Input")
            add(
                given, "Name", "threshold-" + "".join(c if c.isascii() and c.isalnum() else "-" for c in name)
            )
            add(given, "Value", value)
    add(profile, "ItemDefinitions")
    add(add(profile, "ExtensionProperties"), "gw:Digest", report.profile.digest)


def _thresholds(item: _Item) -> list[tuple[str, str]]:
    """The thresholds that the report knows: those of the defects found."""
    return list({d.peak.name: (d.peak.name, f"{d.threshold!r} {d.peak.unit}") for d in item.defects}.values())


def _recorded(item: _Item) -> bool:
    return bool(item.defects) and all(d.mode == "report" for d in item.defects)


def item_verdict(report: Report, item: _Item) -> str:
    """`failed`, `recorded`, `notRun`, `inconclusive` or `passed`: what came of it, apart from whether it ran."""
    if any(d.counts for d in item.defects):
        return "failed"
    row = item.coverage
    if row is None or not words.judged(row):
        return "recorded" if item.defects else "notRun"
    if row.fault or row.blind_s > 0 or report.execution.status != "complete":
        return "inconclusive"
    return "recorded" if _recorded(item) else "passed"


def _result(results: Element, report: Report, item: _Item) -> None:
    outcome, row = item_verdict(report, item), item.coverage
    ran = row is not None and not row.fault and words.judged(row)
    result = add(results, "ItemResult")
    add(result, "EBUQCID", item.number)
    add(result, "EBUQCName", item.detector)
    add(result, "EBUQCVersion", VERSION)
    add(result, "InstanceId", item.instance(report))
    add(result, "AnalysisMethodUsed", "measure")
    add(result, "ExecutionStatus", "complete" if ran else "error")
    if row is not None and not ran:
        add(result, "ErrorDescription", words.coverage_state(row))
    if outcome in ("passed", "failed"):
        add(result, "CheckResult", "true" if outcome == "passed" else "false")
    if item.defects:
        add(result, "MaxSeverity", str(max(d.severity.rank for d in item.defects)))
    add(result, "DetectionMethod", "automatic")
    outputs = add(result, "Outputs")
    for defect in item.defects:
        _occurrence(outputs, defect)
    more = add(result, "ExtensionProperties")
    add(more, "gw:Verdict", outcome)
    if item.track is not None:
        add(more, "gw:Track", item.track)
    if row is not None:
        add(more, "gw:WatchedSeconds", _decimal(row.watched_s))
        add(more, "gw:BlindSeconds", _decimal(row.blind_s))
        add(more, "gw:NotYetSeconds", _decimal(row.not_yet_s))


def _occurrence(outputs: Element, defect: Defect) -> None:
    output = add(outputs, "Output")
    add(output, "Name", "".join(c if c.isascii() and c.isalnum() else "-" for c in defect.defect) or "defect")
    locator = add(output, "Locator")
    add(locator, "Start", _decimal(defect.start_s))
    if not defect.open:
        add(locator, "End", _decimal(defect.end_s))
    if defect.track is not None:
        add(output, "Track", defect.track)
    add(output, "Value", repr(defect.peak.value))
    if defect.detail:
        add(add(output, "Annotation"), "Text", defect.detail)
    if math.isfinite(defect.confidence):
        add(output, "Confidence", _decimal(min(max(defect.confidence, 0.0), 1.0)))
    add(output, "Severity", str(defect.severity.rank))
    more = add(output, "ExtensionProperties")
    add(more, "gw:Peak", name=defect.peak.name, value=repr(defect.peak.value), unit=defect.peak.unit)
    add(more, "gw:Threshold", repr(defect.threshold))
    add(more, "gw:SeverityName", defect.severity.value)
    add(more, "gw:Counts", str(defect.counts).lower())
    add(more, "gw:Open", str(defect.open).lower())
    if defect.channel:
        add(more, "gw:Channel", defect.channel)
    if defect.suppressed_by:
        add(more, "gw:SuppressedBy", defect.suppressed_by)


def _input(more: Element, report: Report) -> None:
    source = report.input
    described = add(
        more,
        "gw:Input",
        container=source.container,
        durationSeconds=None if source.duration_s is None else _decimal(source.duration_s),
        startedAt=source.started_at.isoformat() if source.started_at else None,
    )
    for track in source.tracks:
        add(described, "gw:Track", words.track_line(track), id=track.id, kind=track.kind)


def _measurements(more: Element, report: Report) -> None:
    listed = add(more, "gw:Measurements")
    for m in report.measurements:
        add(
            listed, "gw:Measurement",
            name=m.name, value=repr(m.value), unit=m.unit, track=m.track, channel=m.channel,
        )  # fmt: skip


def _decimal(value: float) -> str:
    return f"{value:.3f}" if math.isfinite(value) else "0.000"
