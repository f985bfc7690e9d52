"""What `make score` prints."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.cases import Clean, Watched, false_alarms, loud
from benchmarks.matching import quantile
from benchmarks.tally import Row, by_detector, by_severity, confusion
from contracts.report import Defect
from tests.injection import Level


def show(
    console: Console,
    rows: Mapping[str, Row],
    watched: Sequence[Watched],
    clean: Sequence[Clean],
    without: Mapping[str, str],
) -> None:
    """The tables, what was missed, and the false alarms one by one."""
    if rows:
        console.print(_scores(rows, clean))
    for reason in sorted(set(without.values())):
        console.print(f"{reason}: {', '.join(n for n in without if without[n] == reason)}", highlight=False)
    _confusion(console, watched)
    for one in watched:
        if one.matched.missed and one.case.level > Level.JUST:
            _miss(console, one)
    if clean:
        _clean(console, clean)


def _scores(rows: Mapping[str, Row], clean: Sequence[Clean]) -> Table:
    table = Table(title="Faults injected, plain and gross", title_justify="left")
    table.add_column("detector", no_wrap=True)
    for name in ("faults", "found", "missed", "false", "precision", "recall", "F1", "just seen"):
        table.add_column(name, justify="right")
    for name in ("onset error", "p95", "certain after"):
        table.add_column(name + " s", justify="right")
    if clean:
        table.add_column("false alarms/h", justify="right")
    for name, row in sorted(rows.items()):
        cells = [str(row.faults), str(row.found), str(row.missed), str(row.false)]
        cells += [_number(v) for v in (row.precision, row.recall, row.f1)]
        cells.append(f"{row.just_found}/{row.just_faults}" if row.just_faults else "–")
        cells += [_number(quantile(row.onset_s, share), 3) for share in (0.5, 0.95)]
        cells.append(_number(quantile(row.delay_s, 0.5)))
        if clean:
            rate = by_detector(clean, name)
            cells.append(f"{rate.per_hour:.2f} ≤ {rate.at_most:.2f}")
        poor = row.f1 is not None and row.f1 < 0.8
        table.add_row(name, *cells, style="yellow" if poor else None)
    return table


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _confusion(console: Console, watched: Sequence[Watched]) -> None:
    raised = {name: others for name, others in confusion(watched).items() if others}
    if not raised:
        return
    table = Table(title="What else a fault's clips raised (clips)", title_justify="left")
    table.add_column("fault")
    table.add_column("raised as well")
    for name, others in sorted(raised.items()):
        table.add_row(name, ", ".join(f"{other} {count}" for other, count in others.most_common()))
    console.print(table)


def _miss(console: Console, one: Watched) -> None:
    truth = one.truth
    near = [d for d in one.matched.others if d.defect == truth.defect]
    said = "; reported " + ", ".join(f"{d.start_s:.2f}–{d.end_s:.2f}" for d in near) if near else ""
    line = f"missed {one.case.name} {truth.start_s:.2f}–{truth.end_s:.2f} s{said} · {one.detail} · {one.clip or ''}"
    console.print(line, style="yellow", highlight=False, markup=False)


def _clean(console: Console, clean: Sequence[Clean]) -> None:
    hours = sum(stretch.judged_s[""] for stretch in clean) / 3600
    material = frozenset().union(*(stretch.material for stretch in clean))
    table = Table(
        title=f"Clean programme: {hours:.2f} h judged, from {len(material)} sources", title_justify="left"
    )
    for name in ("severity", "false alarms", "an hour", "95 % upper bound"):
        table.add_column(name, justify="left" if name == "severity" else "right")
    for severity, rate in by_severity(clean).items():
        table.add_row(severity.value, str(rate.alarms), f"{rate.per_hour:.2f}", f"{rate.at_most:.2f}")
    console.print(table)
    for alarm in false_alarms(clean):
        if loud(alarm):
            defect = alarm.defect
            frame = defect.evidence[0].path if defect.evidence else "no picture"
            line = (
                f"false {defect.severity.value} {_words(defect)} in stretch {alarm.stretch}"
                f" · {', '.join(alarm.sources)} · {frame}"
            )
            console.print(line, style="red", highlight=False, markup=False)


def _words(defect: Defect) -> str:
    peak = f"{defect.peak.name} {defect.peak.value:.4g}"
    when = f"{defect.start_s:.2f}–{defect.end_s:.2f} s"
    return f"{defect.defect} {when} on {defect.track} ({peak}, limit {defect.threshold:.4g})"


def details(watched: Sequence[Watched], clean: Sequence[Clean]) -> dict[str, Any]:
    """Everything that the tables sum up, as plain JSON values."""
    return {
        "faults": [
            {
                "case": one.case.name,
                "truth": [one.truth.defect, one.truth.track, one.truth.start_s, one.truth.end_s],
                "found": [_plain(d) for _, d in one.matched.hits],
                "others": [_plain(d) for d in one.matched.others],
                "made_of": one.detail,
                "clip": one.clip,
            }
            for one in watched
        ],
        "clean": [
            {**_plain(alarm.defect), "sources": alarm.sources, "stretch": alarm.stretch, "known": alarm.known}
            for stretch in clean
            for alarm in stretch.alarms
        ],
    }


def _plain(defect: Defect) -> dict[str, Any]:
    return defect.model_dump(
        mode="json",
        include={
            "defect",
            "track",
            "start_s",
            "end_s",
            "certain_s",
            "severity",
            "peak",
            "detail",
            "evidence",
        },
    )
