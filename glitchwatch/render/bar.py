"""The bar of `check` on a terminal: apart, because a pipe that is shown none need not load it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
from rich.text import Text

from contracts.clock import Clock
from glitchwatch.render import words
from glitchwatch.render.progress import REFRESH_S, Advance


class _Media(ProgressColumn):
    """`0:00:08 / 0:00:12`."""

    def render(self, task: Task) -> Text:
        done = words.clock(task.completed)[:-4]
        return Text(f"{done} / {words.clock(task.total)[:-4]}" if task.total else done, style="cyan")


class _Speed(ProgressColumn):
    """`14.2× real time`."""

    def render(self, task: Task) -> Text:
        wall = task.elapsed or 0.0
        if wall < 0.5 or task.completed <= 0:
            return Text("")
        return Text(f"{words.number(round(task.completed / wall, 1))}× real time", style="dim")


@contextmanager
def bar(name: str, duration_s: float | None, console: Console, clock: Clock) -> Iterator[Advance]:
    """A bar over `duration_s` media seconds; a moving one when that is unknown."""
    shown = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        _Media(),
        _Speed(),
        console=console,
        auto_refresh=False,
        transient=True,
        expand=True,
        get_time=clock.monotonic,
    )
    with shown:
        task = shown.add_task(_tail(words.line(name), max(10, console.width // 3)), total=_known(duration_s))
        shown.refresh()
        due = clock.monotonic() + REFRESH_S

        def advance(media_s: float, duration_s: float | None = None, /) -> None:
            nonlocal due
            total = _known(duration_s) or shown.tasks[0].total
            shown.update(task, completed=media_s if total is None else min(media_s, total), total=total)
            if clock.monotonic() >= due:
                shown.refresh()
                due = clock.monotonic() + REFRESH_S

        yield advance


def _known(duration_s: float | None) -> float | None:
    return duration_s if duration_s and math.isfinite(duration_s) and duration_s > 0 else None


def _tail(text: str, most: int) -> str:
    return text if len(text) <= most else "…" + text[-(most - 1) :]
