"""A report on a terminal: what came in, what is wrong with it, how much was seen, and what that means."""

from collections.abc import Iterator

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from contracts.findings import Severity
from contracts.report import Defect, Report
from glitchwatch.render import words

MAX_ROWS = 200  # defects shown; the documents hold all of them
MAX_MEASUREMENTS = 24
WIDE = 110  # columns from which everything has a column of its own

SEVERITY_STYLE = {
    Severity.CRITICAL: "bold white on red",
    Severity.ERROR: "bold red",
    Severity.WARNING: "yellow",
    Severity.INFO: "cyan",
}
VERDICT_STYLE = {"ok": "bold green", "fail": "bold red", "blind": "bold yellow"}


def print_report(report: Report, console: Console) -> None:
    """Show `report` on `console`, in as many columns as it has."""
    console.print(Group(*_parts(report, console.width)))


def _parts(report: Report, width: int) -> Iterator[RenderableType]:
    yield _header(report)
    if report.defects:
        yield Text()
        yield _defects(report, width)
        if len(report.defects) > MAX_ROWS:
            rest = len(report.defects) - MAX_ROWS
            yield Text(
                f"  and {rest} more, less severe or later: --json, --csv and --html hold all", style="dim"
            )
    if report.measurements:
        yield Text()
        yield _measurements(report, width)
    yield Text()
    yield from _coverage(report)
    said = words.verdict(report)
    yield Text(said.text, style=VERDICT_STYLE[said.level])


def _header(report: Report) -> RenderableType:
    source = report.input
    title = Text(words.line(source.url), style="bold", overflow="fold")
    facts = [words.line(source.container)] if source.container else []
    if source.duration_s is not None:
        facts.append(words.clock(source.duration_s))
    if source.started_at is not None:
        facts.append(f"from {source.started_at:%Y-%m-%d %H:%M:%S} UTC")
    if report.profile.name != "default":
        facts.append(f"profile {words.line(report.profile.name)}")
    grid = Table.grid(padding=(0, 2))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(style="dim", overflow="fold")
    for track in source.tracks:
        grid.add_row(Text(words.line(track.id)), Text(words.track_line(track)))
    parts: list[RenderableType] = [title]
    if facts:
        parts.append(Text("  " + ", ".join(facts), style="dim"))
    if source.tracks:
        parts.append(Padding(grid, (0, 0, 0, 2)))
    return Group(*parts)


def _defects(report: Report, width: int) -> Table:
    shown = report.defects
    if len(shown) > MAX_ROWS:
        worst = sorted(shown, key=lambda d: (d.suppressed_by is not None, -d.severity.rank, d.start_s))
        kept = {id(d) for d in worst[:MAX_ROWS]}
        shown = [d for d in shown if id(d) in kept]
    wide = width >= WIDE
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    table.add_column("severity", no_wrap=True)
    if wide:
        table.add_column("defect", overflow="fold")
        table.add_column("where", overflow="fold", max_width=18)
        table.add_column("from – to", no_wrap=True)
        table.add_column("length", justify="right", no_wrap=True)
        table.add_column("peak", overflow="fold")
        table.add_column("limit", justify="right", overflow="fold")
    else:
        table.add_column("defect", overflow="fold", min_width=18)
        table.add_column("from – to", no_wrap=True, width=25)
        table.add_column("peak", overflow="fold", min_width=12)
    for defect in shown:
        table.add_row(*(_wide_row(defect) if wide else _narrow_row(defect)), style=_row_style(defect))
    return table


def _row_style(defect: Defect) -> str:
    return "dim" if defect.suppressed_by else ""


def _severity(defect: Defect) -> Text:
    style = SEVERITY_STYLE[defect.severity]
    return Text(defect.severity.value, style="dim" if defect.suppressed_by else style)


def _cause(defect: Defect) -> str:
    if defect.suppressed_by:
        return f"\n← {words.line(defect.suppressed_by)}"
    return "\nrecorded only" if defect.mode == "report" else ""


def _detail(defect: Defect) -> str:
    return f"\n{_short(words.line(defect.detail))}" if defect.detail else ""


def _two(first: str, second: str) -> Text:
    return Text.assemble(first, (second, "dim"))


def _short(text: str, most: int = 120) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def _span(defect: Defect) -> str:
    end = "still open" if defect.open else words.clock(defect.end_s)
    return f"{words.clock(defect.start_s)} – {end}"


def _length(defect: Defect) -> str:
    return words.length(defect.end_s - defect.start_s)


def _limit(defect: Defect) -> str:
    return words.quantity(defect.threshold, defect.peak.unit)


def _wide_row(defect: Defect) -> tuple[Text, ...]:
    return (
        _severity(defect),
        _two(words.line(defect.defect), _cause(defect) + _detail(defect)),
        Text(words.where(defect.track, defect.channel)),
        Text(_span(defect)),
        Text(_length(defect)),
        Text(words.peak(defect)),
        Text(_limit(defect)),
    )


def _narrow_row(defect: Defect) -> tuple[Text, ...]:
    return (
        _severity(defect),
        _two(words.line(defect.defect), f"\n{words.where(defect.track, defect.channel)}{_cause(defect)}"),
        _two(_span(defect), f"\n{_length(defect)}"),
        _two(words.peak(defect), f"\nlimit {_limit(defect)}{_detail(defect)}"),
    )


def _measurements(report: Report, width: int) -> Table:
    tracks = {m.track for m in report.measurements}
    grid = Table.grid(padding=(0, 2))
    columns = 3 if width >= WIDE else 2
    for _ in range(columns):
        grid.add_column(overflow="fold", style="dim")
        grid.add_column(justify="right", no_wrap=True)
    cells: list[Text] = []
    for measured in report.measurements[:MAX_MEASUREMENTS]:
        place = words.where(measured.track, measured.channel) if len(tracks) > 1 or measured.channel else ""
        cells.append(Text(f"{words.line(measured.name)} {place}".rstrip()))
        cells.append(Text(words.quantity(measured.value, measured.unit)))
    more = len(report.measurements) - MAX_MEASUREMENTS
    if more > 0:
        cells += [Text(f"and {more} more in --json"), Text()]
    for start in range(0, len(cells), columns * 2):
        grid.add_row(*cells[start : start + columns * 2])
    return grid


def _coverage(report: Report) -> Iterator[Text]:
    run = report.execution
    text = Text(words.seen(report), style="yellow" if run.blind_s > 0 or run.watched_s <= 0 else "dim")
    detectors = len({c.detector for c in report.coverage})
    aside = [words.plural(detectors, "detector")]
    if run.wall_s > 0 and run.watched_s > 0:
        aside.append(f"{words.number(round(run.watched_s / run.wall_s, 1))}× real time")
    text.append(f" · {' · '.join(aside)}", style="dim")
    yield text
    states: dict[tuple[str, str], list[str]] = {}
    for row in report.coverage:
        relied = not row.fault and words.judged(row)
        if relied and row.not_yet_s <= 0:
            continue
        state = f"not yet for {words.length(row.not_yet_s)}" if relied else words.coverage_state(row)
        style = "dim" if relied else "yellow"
        states.setdefault((style, state), []).append(f"{words.line(row.detector)} ({words.where(row.track)})")
    for (style, state), places in states.items():
        yield Text(f"  {_short(state, 200)}: {', '.join(places)}", style=style)
