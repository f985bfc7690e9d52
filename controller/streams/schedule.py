"""Off-air hours: when a stream is not expected to be there, in the operator's own time zone.

A window is an interval between two moments, not a look at the clock on the wall. Where a change to summer time
skips its edge, the edge moves on by what was skipped; where a change back has its edge twice, a window begins
at the first and ends at the last.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from contracts.fleet import OffAir

_DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_AHEAD_DAYS = 9


def is_off_air(windows: Sequence[OffAir], at: datetime) -> bool:
    """Whether `at` lies in one of the windows."""
    return any(begin <= at < end for begin, end in _intervals(windows, at))


def next_change(windows: Sequence[OffAir], at: datetime) -> datetime | None:
    """The first edge of a window after `at`, UTC; None when there are no windows."""
    return min((edge for pair in _intervals(windows, at) for edge in pair if edge > at), default=None)


def unknown_zones(windows: Sequence[OffAir]) -> list[str]:
    """The time zones that are not of the IANA database."""
    return sorted({window.zone for window in windows} - _zones())


def _intervals(windows: Sequence[OffAir], at: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The windows around `at`, in UTC: from two days before to a good week ahead. No days means every day."""
    for window in windows:
        zone = ZoneInfo(window.zone)
        start, end = time.fromisoformat(window.start), time.fromisoformat(window.end)
        today = at.astimezone(zone).date()
        for offset in range(-2, _AHEAD_DAYS):
            day = today + timedelta(days=offset)
            if window.days and _DAYS[day.weekday()] not in window.days:
                continue
            until = day if end > start else day + timedelta(days=1)
            interval = _utc(day, start, zone, last=False), _utc(until, end, zone, last=True)
            if interval[0] < interval[1]:
                yield interval


def _utc(day: date, wall: time, zone: ZoneInfo, *, last: bool) -> datetime:
    local = datetime.combine(day, wall)
    moment = local.replace(tzinfo=zone, fold=int(last)).astimezone(UTC)
    if moment.astimezone(zone).replace(tzinfo=None) != local:  # the clock never showed it
        moment = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return moment


@cache
def _zones() -> frozenset[str]:
    return frozenset(available_timezones())
