"""What a terminal shows while the work goes on; a pipe is shown nothing.

Neither starts a thread: the line is drawn when there is news, a few times a second at most.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Protocol

from rich.console import Console
from rich.live import Live
from rich.text import Text

from contracts.clock import Clock
from contracts.findings import Severity
from glitchwatch.render import words
from glitchwatch.render.table import SEVERITY_STYLE

REFRESH_S = 0.1
MAX_NAMED = 6  # open defects named in the status line


class Advance(Protocol):
    """Told the media seconds done so far, and how many there are once that is known."""

    def __call__(self, media_s: float, duration_s: float | None = None, /) -> None: ...


@contextmanager
def checking(name: str, duration_s: float | None, console: Console, clock: Clock) -> Iterator[Advance]:
    """A bar over `duration_s` media seconds on a terminal (a moving one when unknown); nothing in a pipe."""
    if not console.is_terminal:
        yield _silent
        return
    from glitchwatch.render.bar import bar  # loads a good deal that a pipe has no use for

    with bar(name, duration_s, console, clock) as advance:
        yield advance


def _silent(media_s: float, duration_s: float | None = None, /) -> None:
    """A pipe wants no bar."""


class WatchStatus:
    """The live line of `watch`: watched, blind, and which defects are open. Nothing in a pipe."""

    def __init__(self, console: Console, clock: Clock) -> None:
        self._console, self._clock = console, clock
        self._live = (
            Live(console=console, auto_refresh=False, transient=True) if console.is_terminal else None
        )
        self._due = -math.inf
        self._news: object = None

    def __enter__(self) -> WatchStatus:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()

    def update(
        self,
        watched_s: float,
        blind_s: float,
        open_defects: Sequence[tuple[str, Severity]] = (),
        blind: str | None = None,
    ) -> None:
        """Draw the line: at once when a defect or blindness came or went, else when it is due.

        `blind` is the reason why nothing can be seen now, or None.
        """
        if self._live is None:
            return
        news = (tuple(open_defects), blind)
        if news == self._news and self._clock.monotonic() < self._due:
            return
        self._news, self._due = news, self._clock.monotonic() + REFRESH_S
        self._live.update(status_line(watched_s, blind_s, open_defects, blind), refresh=True)


def status_line(
    watched_s: float, blind_s: float, open_defects: Sequence[tuple[str, Severity]], blind: str | None
) -> Text:
    """`● watching 0:01:02 · blind 0:00:00 · open: freeze`, on one line."""
    text = Text(no_wrap=True, overflow="ellipsis")
    if blind is not None:
        text.append("○ BLIND ", style="bold yellow")
    elif open_defects:
        worst = max((severity for _, severity in open_defects), key=lambda severity: severity.rank)
        text.append("● ", style=SEVERITY_STYLE[worst] if worst.rank < Severity.CRITICAL.rank else "bold red")
    else:
        text.append("● ", style="green")
    text.append(f"watched {words.clock(watched_s)[:-4]}")
    text.append(" · ", style="dim")
    text.append(f"blind {words.clock(blind_s)[:-4]}", style="yellow" if blind_s > 0 else "dim")
    text.append(" · ", style="dim")
    ranked = sorted(open_defects, key=lambda named: -named[1].rank)
    for index, (name, severity) in enumerate(ranked[:MAX_NAMED]):
        text.append(", " if index else "open: ")
        text.append(words.line(name), style=SEVERITY_STYLE[severity])
    if len(ranked) > MAX_NAMED:
        text.append(f" and {len(ranked) - MAX_NAMED} more")
    if not ranked and blind is None:
        text.append("no defect open", style="dim")
    if blind is not None:
        text.append(f"{' · ' if ranked else ''}{words.line(blind)}", style="yellow")
    return text
