"""Hum: lines at the mains' harmonics, and the low notes that are none."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.hum import DETECTOR, Hum, HumParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, speech, tone


def hum_of(seconds: float, mains_hz: float, dbfs: float, rng: np.random.Generator) -> Sound:
    """An earth loop: the first harmonics with falling, uneven strength; one channel, both the same."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    wave = np.zeros(len(at))
    for harmonic in range(1, 9):
        strength = rng.uniform(0.3, 1.0) / harmonic**0.7
        wave += strength * np.sin(2 * np.pi * mains_hz * harmonic * at + rng.uniform(0, 6.28))
    wave *= amplitude(dbfs) / np.sqrt(np.mean(wave**2))
    return np.tile(wave.astype(np.float32), (2, 1))


def _loop(samples: Sound, moment: Moment) -> Sound:
    mains = float(moment.rng.choice((50.0, 60.0))) * (1 + moment.rng.uniform(-0.001, 0.001))
    level = {Level.JUST: -48.0, Level.PLAIN: -38.0, Level.GROSS: -30.0}[moment.level]
    seconds = samples.shape[1] / RATE_HZ
    hum = hum_of(seconds + 0.1, mains, level + float(moment.rng.uniform(-2, 2)), moment.rng)[
        :, : samples.shape[1]
    ]
    ramp = np.minimum(1.0, np.arange(samples.shape[1]) / 480)
    return np.asarray(samples + hum * ramp, np.float32)


FAULT = Fault("hum", (15.0, 25.0), sound=_loop, layouts=("mono", "stereo", "5.1"))


def hum(**params: float) -> Hum:
    return DETECTOR(HumParams(**params), "audio:0")


@pytest.mark.parametrize("mains_hz", [50.0, 60.0, 49.95])
def test_golden_an_earth_loop_under_speech(mains_hz: float) -> None:
    sound = speech(34.0)
    loop = hum_of(18.0, mains_hz, -40.0, np.random.default_rng(1))
    sound[:, 8 * RATE_HZ : 26 * RATE_HZ] += loop
    found = [f for f in findings(hum(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([8.0, 26.0], abs=0.3)
    assert found[0].severity is Severity.WARNING
    assert f"{mains_hz:.0f}"[:1] in (found[0].detail or "")


@pytest.mark.parametrize("make", [speech, music, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(hum(), blocks(make(30))) == []


@pytest.mark.parametrize("hz", [48.9994, 61.7354, 97.9989, 51.0, 65.0])
def test_a_bass_note_is_no_hum(hz: float) -> None:
    note = sum(
        (tone(15, -30 - 3 * k, hz=k * hz) for k in range(1, 7)), np.zeros((2, 15 * RATE_HZ), np.float32)
    )
    assert edges(hum(), blocks(note + noise(15, -60))) == []


def test_a_lone_line_is_no_hum() -> None:
    assert edges(hum(), blocks(tone(15, -30, hz=50) + noise(15, -60))) == []


def test_too_short_or_too_weak_to_matter() -> None:
    rng = np.random.default_rng(2)
    assert edges(hum(), blocks(join(noise(8, -60), hum_of(4, 50, -30, rng), noise(8, -60)))) == []
    assert edges(hum(), blocks(hum_of(15, 50, -62, rng) + noise(15, -80))) == []


def test_it_is_ready_when_the_window_is_full() -> None:
    detector = hum()
    assert not detector.ready
    findings(detector, blocks(noise(7)))
    assert detector.ready


def test_the_level_is_that_of_the_lines() -> None:
    sound = hum_of(10, 50.0, -40.0, np.random.default_rng(3)) + noise(10, -75)
    assert measured(hum(), blocks(sound), "hum_level")[-1] == pytest.approx(-40.0, abs=1.5)
