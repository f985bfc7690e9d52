"""What a trial prints: each fault beside what was found of it, and the table at the end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rich.console import Console
from rich.table import Table

from glitchwatch.trial.trial import Edge, Injected, Row, percentile


class Printer:
    """Prints events as they come; `began` is second 0 of the clock in front of each line."""

    def __init__(self, console: Console, began: datetime) -> None:
        self._console, self._began = console, began
        self._found: set[str] = set()  # defects whose end is worth a line

    def say(self, text: str, style: str | None = None) -> None:
        """One line, as it is."""
        self._console.print(text, style=style, markup=False, highlight=False, soft_wrap=True)

    def line(self, at: datetime, name: str, text: str, style: str | None = None) -> None:
        """One line with the time and a channel in front."""
        second = max(0.0, (at - self._began).total_seconds())
        self.say(f"{int(second) // 60:02d}:{second % 60:04.1f}  {name:<6} {text}", style)

    def event(self, event: Injected | Edge, at: datetime) -> None:
        """An injected fault, or what the API said of a defect."""
        if isinstance(event, Injected):
            fault = event.fault.fault
            length = f"{fault.end_s - fault.start_s:.1f} s" if fault.end_s > fault.start_s else ""
            note = "" if fault.kind.expects else " (announced: no defect)"
            self.line(at, event.channel.name, f"injected  {fault.kind.name:<18}{length}{note}", "cyan")
            return
        name = event.book.channel.name
        if event.opened is None:
            defect = str(event.data.get("defect_id"))
            if event.what == "closed" and defect in self._found:
                self._found.discard(defect)
                self.line(at, name, f"closed    {event.data['defect']}", "dim")
            return
        data = event.opened.data
        pair, delay, explained = event.book.told_of(event.opened)
        value = f"{data['track'] or 'input'}, {data['peak_name']} {data['peak_value']:.4g} {data['peak_unit']}".strip()
        if pair is not None:
            self._found.add(str(data["defect_id"]))
            late = f", known {delay.after_certain_s:.1f} s after publication" if delay else ""
            words, style = (
                f"FOUND     {data['defect']:<18}dated {pair.onset_error_s:+.2f} s{late}; {value}",
                "green",
            )
        elif explained or data["severity"] == "info" or data["suppressed_by"]:
            words, style = f"also      {data['defect']:<18}comes with the fault; {value}", "dim"
        else:
            words, style = f"FOUND     {data['defect']:<18}NOT INJECTED; {value}", "bold red"
        self.line(event.opened.opened_at, name, words, style)

    def table(self, rows: Sequence[Row]) -> None:
        """One row a stream, then everything that went wrong by name."""
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("channel")
        for head in (
            "faults",
            "found",
            "missed",
            "invented",
            "doubled",
            "cut short",
            "watched",
            "unwatched",
            "not served",
        ):
            table.add_column(head, justify="right")
        for row in rows:
            verdict = row.verdict
            faults = len(verdict.found) + len(verdict.missed)
            counts = (len(verdict.found), len(verdict.missed), len(verdict.invented) - len(row.doubled))
            table.add_row(
                row.name,
                str(faults),
                *(str(count) for count in counts),
                str(len(row.doubled)),
                str(len(row.cut_short)),
                f"{row.watched_s:.0f} s" if row.published_s else "?",
                f"{row.unwatched_s:.1f} s" if row.published_s else "?",
                f"{row.unserved_s:.0f} s",
                style=None if row.clean else "red",
            )
        self._console.print(table)
        for row in rows:
            self._wrong(row)

    def _wrong(self, row: Row) -> None:
        for truth in row.verdict.missed:
            length = (truth.end - truth.start).total_seconds()
            self.say(f"{row.name}: missed {truth.name} at {_clock(truth.start)}, {length:.1f} s", "red")
        for report in row.verdict.invented:
            word = "doubled" if report in row.doubled else "invented"
            end = _clock(report.end) if report.end else "open"
            where = report.track or "input"
            self.say(f"{row.name}: {word} {report.defect} at {_clock(report.start)} to {end}, {where}", "red")
        for pair in row.cut_short:
            assert pair.reported.end is not None
            early = (pair.truth.end - pair.reported.end).total_seconds()
            self.say(
                f"{row.name}: {pair.reported.defect} was closed {early:.1f} s before {pair.truth.name} ended",
                "red",
            )
        if row.verdict.unjudged:
            names = ", ".join(truth.name for truth in row.verdict.unjudged)
            self.say(f"{row.name}: could not be seen, as nobody was given all of it: {names}", "dim")

    def delays(self, rows: Sequence[Row]) -> None:
        """The percentiles of how late faults were known."""
        delays = [delay for row in rows for delay in row.delays]
        if not delays:
            return
        certain = [d.after_certain_s for d in delays]
        onset = [d.after_onset_s for d in delays]
        fetched = [d.fetched_s for d in delays if d.fetched_s is not None]
        self.say("seconds from publication to the API     p50    p95    p99    worst")
        for words, values in (
            ("the segment that makes it certain", certain),
            ("  of it until that was fetched", fetched or [0.0]),
            ("the segment it begins in", onset),
        ):
            figures = "  ".join(f"{percentile(values, share):5.2f}" for share in (0.5, 0.95, 0.99, 1.0))
            self.say(f"  {words:<36} {figures}")


def _clock(at: datetime) -> str:
    return f"{at:%H:%M:%S.%f}"[:-5]
