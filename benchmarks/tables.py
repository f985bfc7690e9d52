"""What `make score` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.bars import LEAST_F1
from benchmarks.cases import Clean, Watched, false_alarms, loud
from benchmarks.matching import quantile
from benchmarks.runs import Results
from benchmarks.tally import Rate, Row, by_detector, by_severity, clean_beside, raised, rows_beside
from contracts.report import Defect
from tests.injection import Level


def show(
    console: Console,
    rows: Mapping[str, Row],
    results: Results,
    without: Mapping[str, str],
) -> None:
    """The tables, what was missed, and the false alarms one by one."""
    watched, clean = results.watched, results.clean
    if rows:
        console.print(_scores("Faults injected, plain and gross", rows, clean))
    if theirs := rows_beside(watched):
        console.print(_scores("The same clips through FFmpeg's filters", theirs, clean, by=clean_beside))
    for reason in sorted(set(without.values())):
        console.print(f"{reason}: {', '.join(n for n in without if without[n] == reason)}", highlight=False)
    _matrix(console, watched)
    for one in watched:
        if one.matched.missed and one.case.level > Level.JUST:
            _miss(console, one)
    if clean:
        _clean(console, clean)
    for one_file in results.footage:
        said = ", ".join(one_file.raised) or "nothing"
        mark = {True: "told", False: "NOT TOLD", None: "as found"}[one_file.told]
        console.print(
            f"{one_file.kind} {mark}: {one_file.name} ({one_file.words[:70]}), {one_file.status}: {said[:300]}",
            highlight=False, markup=False,
        )  # fmt: skip


def _scores(
    title: str,
    rows: Mapping[str, Row],
    clean: Sequence[Clean],
    *,
    by: Callable[[Sequence[Clean], str], Rate | None] = by_detector,
) -> Table:
    table = Table(title=title, title_justify="left")
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
            rate = by(clean, name)
            cells.append(f"{rate.per_hour:.2f} ≤ {rate.at_most:.2f}" if rate else "–")
        poor = row.f1 is not None and row.f1 < LEAST_F1
        table.add_row(name, *cells, style="yellow" if poor else None)
    return table


def _number(value: float | None, digits: int = 2) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _matrix(console: Console, watched: Sequence[Watched]) -> None:
    matrix = raised(watched)
    if not matrix:
        return
    clips = Counter(one.truth.defect for one in watched)
    table = Table(title="Which fault raised which defect, at all levels (clips)", title_justify="left")
    for column in ("fault", "clips", "itself", "others"):
        table.add_column(column)
    for fault, said in sorted(matrix.items()):
        others = ", ".join(f"{name} {count}" for name, count in said.most_common() if name != fault)
        table.add_row(fault, str(clips[fault]), str(said[fault]), others)
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


def details(results: Results) -> dict[str, Any]:
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
            for one in results.watched
        ],
        "clean": [
            {**_plain(alarm.defect), "sources": alarm.sources, "stretch": alarm.stretch, "known": alarm.known}
            for stretch in results.clean
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
