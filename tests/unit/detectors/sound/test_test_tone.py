"""Test tone: line-up and other steady tones, and the notes of music."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.test_tone import DETECTOR, TestTone, TestToneParams, line
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, nothing, speech, tone


def _line_up(samples: Sound, moment: Moment) -> Sound:
    """Tone in place of the programme, now and then at an odd frequency or on one side, with a trace of noise."""
    rng = moment.rng
    hz = (
        1000.0
        if rng.random() < 0.6
        else float(rng.choice((400.0, 440.0, 800.0, 997.0, rng.uniform(200, 6000))))
    )
    level = {
        Level.JUST: -36.0,
        Level.PLAIN: float(rng.choice((-18, -20, -23))),
        Level.GROSS: float(rng.uniform(-12, -1)),
    }
    at = np.arange(samples.shape[1]) / RATE_HZ
    wave = amplitude(level[moment.level]) * np.sin(2 * np.pi * hz * at + rng.uniform(0, 6.28))
    leak = amplitude(-55.0 if moment.level is Level.JUST else -70.0)
    out = wave[None, :] + leak * rng.normal(size=samples.shape)
    if rng.random() < 0.15:
        out[int(rng.integers(samples.shape[0]))] *= amplitude(-80.0)
    return np.asarray(out, np.float32)


FAULT = Fault("test_tone", (3.5, 10.0), sound=_line_up)


def test_tone(**params: float) -> TestTone:
    return DETECTOR(TestToneParams(**params), "audio:0")


test_tone.__test__ = False  # type: ignore[attr-defined]  # a maker of detectors, named after what it makes


@pytest.mark.parametrize(("hz", "dbfs"), [(1000.0, -18.0), (997.0, -1.0), (440.0, -40.0)])
def test_golden_line_up_between_programme(hz: float, dbfs: float) -> None:
    sound = join(speech(4.0), tone(3.0, dbfs, hz=hz), speech(4.0, seed=2))
    found = [f for f in findings(test_tone(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.0, 7.0], abs=0.11)
    assert found[0].severity is Severity.ERROR
    assert f"{hz:.0f} Hz at {dbfs:.1f} dBFS" in (found[0].detail or "")


def test_other_frequencies_take_longer() -> None:
    assert edges(test_tone(), blocks(join(nothing(1), tone(2.5, hz=611), nothing(1)))) == []
    assert edges(test_tone(), blocks(join(nothing(1), tone(4.0, hz=611), nothing(1))))[0] == ("opened", 1.0)


def test_short_beeps_are_no_defect() -> None:
    assert edges(test_tone(), blocks(join(*[join(tone(0.5), nothing(0.5))] * 8))) == []


@pytest.mark.parametrize("make", [speech, music, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(test_tone(), blocks(make(20))) == []


def test_held_notes_are_music() -> None:
    at = np.arange(8 * RATE_HZ) / RATE_HZ
    vibrato = np.sin(2 * np.pi * 880 * at + 4.0 * np.sin(2 * np.pi * 5.5 * at))
    tremolo = np.sin(2 * np.pi * 523 * at) * (1 + 0.2 * np.sin(2 * np.pi * 4 * at))
    organ = sum(np.sin(2 * np.pi * 220 * k * at) / k for k in (1, 2, 3, 4))
    decaying = np.sin(2 * np.pi * 660 * at) * np.exp(-at)
    siren = np.sin(2 * np.pi * 800 * at + 300 * np.sin(2 * np.pi * 0.4 * at))
    for wave in (vibrato, tremolo, np.asarray(organ), decaying, siren):
        assert edges(test_tone(), blocks(np.tile(0.2 * wave, (2, 1)).astype(np.float32))) == []


@pytest.mark.parametrize("hz", [100.0, 997.3, 1000.0, 7777.7])
def test_the_frequency_is_found_between_the_bins(hz: float) -> None:
    found, purity = line(tone(0.1, hz=hz)[0], RATE_HZ)
    assert found == pytest.approx(hz, rel=0.001)
    assert purity > 0.99


def test_purity_is_measured_once_a_second() -> None:
    assert measured(test_tone(), blocks(join(tone(1), nothing(1))), "tone_purity") == pytest.approx(
        [1.0, 0.0], abs=0.01
    )
