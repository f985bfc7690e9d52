"""Wall time is a thing you are handed, so that no test sleeps."""

import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Where a component reads time and waits."""

    def now(self) -> datetime:
        """The wall clock, UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; returns early never, late perhaps."""
        ...


class SystemClock:
    """The machine's own clock: the one place that reads it."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        time.sleep(seconds)


class ManualClock:
    """For tests: time moves when told; `sleep` moves it too."""

    def __init__(self, start: datetime | None = None) -> None:
        self._start = (start or datetime(2026, 1, 1, tzinfo=UTC)).timestamp()
        self._elapsed = 0.0

    def advance(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._elapsed += seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self._start + self._elapsed, UTC)

    def monotonic(self) -> float:
        return self._elapsed

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)
