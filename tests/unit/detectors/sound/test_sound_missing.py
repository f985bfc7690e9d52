"""Sound missing: media time passes and no sample comes."""

import pytest

from contracts.findings import DefectEdge, Severity
from detectors.absence import AbsenceParams
from detectors.events import Event, Tick
from detectors.sound.sound_missing import DETECTOR, SoundMissing
from tests.injection import Fault, Moment, Sound
from tests.run import edges, findings
from tests.sounds import RATE_HZ, SECOND, blocks, nothing, speech


def _left_out(samples: Sound, moment: Moment) -> Sound | None:
    return None


FAULT = Fault("sound_missing", (3.0, 10.0), sound=_left_out)


def missing(**params: float) -> SoundMissing:
    return DETECTOR(AbsenceParams(**params), "audio:0")


def stream(*parts: tuple[Sound, float], until_s: float) -> list[Event]:
    """Sounds with the place of each in seconds, and ticks up to `until_s`."""
    events: list[Event] = [Tick(i * SECOND // 10) for i in range(1, round(10 * until_s) + 1)]
    for samples, at_s in parts:
        events += blocks(samples, at_ns=round(at_s * SECOND))
    return sorted(events, key=lambda e: e.at_ns)


def test_golden_from_the_last_sample_to_the_next() -> None:
    events = stream((speech(2.03), 0.0), (speech(2.0, seed=1), 5.5), until_s=7.5)
    found = [f for f in findings(missing(), events) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([2.03, 5.5], abs=1 / RATE_HZ)
    assert found[0].severity is Severity.CRITICAL
    assert found[0].certain_at_ns / SECOND == pytest.approx(4.03, abs=0.11)


def test_just_short_of_two_seconds() -> None:
    assert edges(missing(), stream((speech(2), 0.0), (speech(2), 3.95), until_s=5.9)) == []


def test_samples_that_are_zero_are_samples() -> None:
    assert edges(missing(), stream((nothing(8), 0.0), until_s=8)) == []


def test_a_track_that_never_comes_back_stays_open() -> None:
    assert edges(missing(), stream((speech(1), 0.0), until_s=6)) == [("opened", 1.0)]


def test_nothing_is_said_of_a_track_that_never_began() -> None:
    assert edges(missing(), stream(until_s=10)) == []


def test_the_length_is_the_users() -> None:
    events = stream((speech(2), 0.0), (speech(1), 2.6), until_s=3.6)
    assert edges(missing(min_seconds=0.5), events) == [("opened", 2.0), ("closed", 2.6)]
