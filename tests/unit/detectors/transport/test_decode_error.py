"""Decode error: what the decoder reports, gathered into defects."""

from contracts.findings import Severity
from detectors.events import Damage
from detectors.transport.decode_error import DETECTOR, DecodeError, DecodeErrorParams
from tests.injection import Fault
from tests.unit.detectors.transport.moments import SECOND, bounds, edges_of, ticked

FAULT = Fault("decode_error", (1.0, 6.0), damage=0.02)


def decode_error(**params: float) -> DecodeError:
    return DETECTOR(DecodeErrorParams.model_validate(params), "video:0")


def damaged(*at_s: float, units: int = 1) -> list[Damage]:
    return [Damage(round(at * SECOND), "video:0", units, "invalid data") for at in at_s]


def test_golden_damage_from_first_to_last_unit() -> None:
    found = edges_of(decode_error(), ticked(*damaged(2.0, 2.4, 3.0, 3.2)))
    assert bounds(found) == [("opened", 2.0), ("closed", 3.2)]
    assert found[0].severity is Severity.WARNING
    assert found[-1].severity is Severity.ERROR
    assert found[-1].peak.value == 4.0
    assert found[-1].certain_at_ns >= 4.2 * SECOND
    assert found[-1].detail == "invalid data"


def test_one_damaged_unit_is_a_warning() -> None:
    assert [f.severity for f in edges_of(decode_error(), ticked(*damaged(2.0)))] == [Severity.WARNING] * 2


def test_three_at_once_are_an_error() -> None:
    assert edges_of(decode_error(), ticked(*damaged(2.0, units=3)))[0].severity is Severity.ERROR


def test_damage_far_apart_is_counted_apart() -> None:
    found = edges_of(decode_error(), ticked(*damaged(1.0, 4.0, 7.0)))
    assert bounds(found) == [(e, at) for at in (1.0, 4.0, 7.0) for e in ("opened", "closed")]
    assert {f.severity for f in found} == {Severity.WARNING}


def test_a_storm_is_told_a_few_times_not_each_time() -> None:
    found = edges_of(decode_error(), ticked(*damaged(*(1 + i / 100 for i in range(500)))))
    assert bounds(found) == [("opened", 1.0), ("closed", 5.99)]
    assert len(found) <= 13
    assert found[-1].peak.value >= 256


def test_a_clean_stream_is_silent() -> None:
    assert edges_of(decode_error(), ticked()) == []
