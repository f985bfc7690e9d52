"""Measurements over time, summed up by slots: two hours by the minute, a day by ten minutes."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.findings import Measurement
from contracts.fleet import Point, SeriesBody
from store import keys
from store.connect import AsyncClient, execute_many
from store.outlet import PACKED, SLOTS

MOST_SERIES = 64  # of one assignment in one slot

STEPS = tuple(sorted(SLOTS))


@dataclass(frozen=True, slots=True)
class Sample:
    """One slot of one series; `at` is its beginning, UTC."""

    at: datetime
    point: Point


def series_name(name: str, track: str | None, channel: str | None) -> str:
    """`name|track|channel`."""
    return f"{name}|{track or ''}|{channel or ''}"


class Downsampler:
    """Sums measurements up into slots of each step; one for each watch.

    Holds at most MOST_SERIES series; measurements of further ones are counted in `dropped`.
    """

    def __init__(self, steps: Iterable[int] = STEPS) -> None:
        self._slots: dict[int, tuple[int, dict[str, list[float]]]] = {step: (0, {}) for step in steps}
        self._ready: list[SeriesBody] = []
        self.dropped = 0

    def add(self, measurement: Measurement, at: datetime) -> None:
        """One measurement at its wall time `at`; a slot is ready once a later one begins."""
        name = series_name(measurement.name, measurement.track, measurement.channel)
        value = measurement.value
        if not math.isfinite(value):
            self.dropped += 1
            return
        seconds = int(at.timestamp())
        for step in self._slots:
            self._turn(step, seconds // step)
            _, sums = self._slots[step]
            entry = sums.get(name)
            if entry is None:
                if len(sums) >= MOST_SERIES:
                    self.dropped += 1
                    continue
                sums[name] = [value, value, value, 1.0]
            else:
                entry[0] = min(entry[0], value)
                entry[1] = max(entry[1], value)
                entry[2] += value
                entry[3] += 1.0

    def take(self, now: datetime | None = None) -> list[SeriesBody]:
        """The slots that are over by `now` (without it: whatever there is), oldest first; they are handed out once."""
        for step, (slot, _) in list(self._slots.items()):
            current = slot + 1 if now is None else int(now.timestamp()) // step
            self._turn(step, current)
        ready, self._ready = self._ready, []
        return ready

    def _turn(self, step: int, slot: int) -> None:
        begun, sums = self._slots[step]
        if slot <= begun:
            return
        if sums:
            points = {
                name: Point(low, high, total / count, int(count))
                for name, (low, high, total, count) in sums.items()
            }
            self._ready.append(SeriesBody(step_s=step, slot=begun, points=points))
        self._slots[step] = (slot, {})


class Series:
    """Measurements read back. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def read(
        self, assignments: Iterable[str], begin: datetime, end: datetime, *, step_s: int = 60
    ) -> dict[str, dict[str, list[Sample]]]:
        """Assignment -> `name|track|channel` -> samples from `begin` to `end`; a step of 60 or 600 s.

        Slots that two leases shared are put together.
        """
        if step_s not in SLOTS:
            raise ValueError(f"No series has steps of {step_s} s; known: {sorted(SLOTS)}")
        wanted = list(assignments)
        low, high = int(begin.timestamp()) // step_s * step_s * 1000, int(end.timestamp() * 1000)
        answers = await execute_many(
            self._client, [("XRANGE", f"{keys.SERIES}{step_s}:{identity}", low, high) for identity in wanted]
        )
        return {identity: _series(rows) for identity, rows in zip(wanted, answers, strict=True)}


def _series(rows: list[tuple[bytes, dict[bytes, bytes]]]) -> dict[str, list[Sample]]:
    out: dict[str, list[Sample]] = {}
    for identity, fields in rows:
        at = datetime.fromtimestamp(int(identity.partition(b"-")[0]) / 1000, UTC)
        for name, packed in fields.items():
            low, high, mean, count = PACKED.unpack(packed)
            point = Point(low, high, mean, int(count))
            samples = out.setdefault(name.decode(), [])
            if samples and samples[-1].at == at:
                samples[-1] = Sample(at, _together(samples[-1].point, point))
            else:
                samples.append(Sample(at, point))
    return out


def _together(a: Point, b: Point) -> Point:
    count = a.count + b.count
    return Point(min(a.low, b.low), max(a.high, b.high), (a.mean * a.count + b.mean * b.count) / count, count)
