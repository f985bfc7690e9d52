"""Off-air hours across changes of the clock: 2026-03-29 and 2026-10-25 in Europe, 2026-03-08 in New York."""

from datetime import UTC, datetime, timedelta

import pytest

from contracts.fleet import OffAir
from controller.streams.schedule import is_off_air, next_change, unknown_zones


def window(start: str, end: str, *days: str, zone: str = "Europe/Berlin") -> tuple[OffAir, ...]:
    return (OffAir.model_validate({"zone": zone, "days": days, "start": start, "end": end}),)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def minutes_off(windows: tuple[OffAir, ...], day: str, hours: int = 20) -> int:
    begin = at(day) - timedelta(hours=3)
    return sum(is_off_air(windows, begin + timedelta(minutes=n)) for n in range(hours * 60))


def test_an_ordinary_night() -> None:
    night = window("23:30", "05:00", "mon")
    assert not is_off_air(night, at("2026-06-01T21:29"))  # 23:29 in Berlin, a Monday
    assert is_off_air(night, at("2026-06-01T21:30"))
    assert is_off_air(night, at("2026-06-02T02:59"))
    assert not is_off_air(night, at("2026-06-02T03:00"))
    assert not is_off_air(night, at("2026-06-02T22:00"))  # Tuesday


def test_a_window_keeps_its_local_hour_when_summer_time_begins() -> None:
    noon = window("12:00", "13:00")
    assert is_off_air(noon, at("2026-03-28T11:30"))  # UTC+1
    assert is_off_air(noon, at("2026-03-29T10:30"))  # UTC+2
    assert not is_off_air(noon, at("2026-03-29T11:30"))


def test_an_hour_that_does_not_exist_moves_on() -> None:
    skipped = window("02:15", "02:45")
    assert is_off_air(skipped, at("2026-03-29T01:20"))  # 03:20 in Berlin, as 02:20 never was
    assert minutes_off(skipped, "2026-03-29T01:00") == 30


def test_an_hour_that_occurs_twice_is_covered_from_its_first_to_its_last() -> None:
    double = window("02:15", "02:45")
    assert is_off_air(double, at("2026-10-25T00:15"))  # the first 02:15
    assert is_off_air(double, at("2026-10-25T01:44"))  # the second 02:44
    assert not is_off_air(double, at("2026-10-25T01:45"))
    assert not is_off_air(double, at("2026-10-25T00:14"))


@pytest.mark.parametrize(("day", "hours"), [("2026-03-28", 5), ("2026-03-29", 4), ("2026-10-25", 6)])
def test_a_night_is_as_long_as_the_clock_makes_it(day: str, hours: int) -> None:
    assert minutes_off(window("01:00", "06:00"), f"{day}T01:00") == hours * 60


def test_other_zones_change_on_other_days() -> None:
    windows = window("09:00", "10:00", zone="America/New_York")
    assert is_off_air(windows, at("2026-03-07T14:30"))
    assert is_off_air(windows, at("2026-03-08T13:30"))


def test_all_day_is_a_day_and_starts_where_it_ends() -> None:
    assert minutes_off(window("00:00", "00:00", "sun"), "2026-06-07T01:00", 40) == 24 * 60


def test_the_next_edge_is_told() -> None:
    assert next_change(window("23:30", "05:00", "mon"), at("2026-06-01T12:00")) == at("2026-06-01T21:30")
    assert next_change(window("23:30", "05:00", "mon"), at("2026-06-01T22:00")) == at("2026-06-02T03:00")
    assert next_change((), at("2026-06-01T22:00")) is None


def test_zones_are_those_of_the_database() -> None:
    assert unknown_zones(window("01:00", "02:00")) == []
    assert unknown_zones(window("01:00", "02:00", zone="Mars/Olympus")) == ["Mars/Olympus"]
