"""What every way of reading an input offers to the watch that consumes it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from contracts.report import Track
from detectors.events import Event


@dataclass(slots=True)
class About:
    """What is known of an input so far; filled in while it is read."""

    container: str | None = None
    started_at: datetime | None = None  # wall clock of media time 0, where the source tells it
    zero_at: datetime | None = None  # the same by the newest media: another where time was lost on the way
    duration_s: float | None = None  # as declared by the container
    tracks: dict[str, Track] = field(default_factory=dict)
    incomplete: str | None = None  # why the end was not reached, though reading ended


class Reading(Protocol):
    """One input being read. `events` may yield None when nothing arrived for a while."""

    about: About

    def events(self) -> Iterator[Event | None]:
        """Everything that happens, in the order of delivery; raises IngestError when it cannot go on."""
        ...

    def checkpoint(self) -> dict[str, Any]:
        """Where another process can go on, as plain data."""
        ...

    def close(self) -> None:
        """Let go of everything; call it in the thread that reads."""
        ...
