"""Audio noise: hiss that comes and goes, and the sounds that are like it."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.audio_noise import DETECTOR, AudioNoise, AudioNoiseParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, nothing, speech

LEVELS_DBFS = {Level.JUST: (-62.0, -55.0), Level.PLAIN: (-52.0, -45.0), Level.GROSS: (-45.0, -36.0)}

LEAST_S = 8  # of hiss


def hiss(
    samples: int, dbfs: float, rng: np.random.Generator, *, tilt: float = 0.0, both: bool = False
) -> Sound:
    """White noise, or one that leans to low (`tilt` above 0) or high frequencies; of one source, or two."""
    wave = rng.normal(size=(2, samples + 1))
    if both:
        wave[1] = wave[0]
    leaning = wave[:, 1:] + tilt * wave[:, :-1]
    return np.asarray(leaning * amplitude(dbfs) / np.sqrt(1 + tilt * tilt), np.float32)


def _own(samples: Sound) -> float:
    """How loud hiss would be that is as strong as what the sound seldom falls below, dBFS."""
    slope = np.diff(samples[:, : samples.shape[1] // 960 * 960].mean(axis=0), append=0.0).reshape(-1, 960)
    return float(10 * np.log10(np.quantile(np.square(slope).mean(axis=1), 0.1) / 2 + 1e-12))


def _heard_from(samples: Sound, dbfs: float) -> int:
    """Where hiss may first begin so that its coming is heard: the sound has little of its own a second around."""
    places = np.arange(RATE_HZ, samples.shape[1] - LEAST_S * RATE_HZ, RATE_HZ // 4)
    own = np.array([_own(samples[:, at - RATE_HZ : at + RATE_HZ]) for at in places])
    heard = np.flatnonzero(own <= dbfs - 12.0)
    return int(places[heard[0] if len(heard) else own.argmin()])


def _hisses(samples: Sound, moment: Moment) -> Sound:
    """Hiss that is heard: 15 dB above what the sound itself has of it in its quieter moments, where that is more."""
    rng = moment.rng
    level = max(float(rng.uniform(*LEVELS_DBFS[moment.level])), min(-34.0, _own(samples) + 15.0))
    tilt, both = float(rng.uniform(-0.5, 0.5)), bool(rng.random() < 0.5)
    begin = _heard_from(samples, level)
    moment.broke = begin, samples.shape[1]
    out = samples.copy()
    out[:, begin:] += hiss(samples.shape[1] - begin, level, rng, tilt=tilt, both=both)
    return out


FAULT = Fault("audio_noise", (12.0, 24.0), sound=_hisses, layouts=("mono", "stereo", "5.1"))


def audio_noise(**params: float) -> AudioNoise:
    return DETECTOR(AudioNoiseParams(**params), "audio:0")


def hissed(sound: Sound, start_s: float, end_s: float, dbfs: float) -> Sound:
    out = sound.copy()
    first, last = round(start_s * RATE_HZ), round(end_s * RATE_HZ)
    out[:, first:last] += hiss(last - first, dbfs, np.random.default_rng(1))
    return out


def test_golden_hiss_under_speech() -> None:
    sound = hissed(speech(26.0), 9.0, 20.0, -40.0)
    found = [f for f in findings(audio_noise(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([9.0, 20.0], abs=0.2)
    assert found[0].severity is Severity.WARNING
    assert "6 to 11 kHz" in (found[0].detail or "")


def test_the_floor_is_that_of_the_noise_in_its_band() -> None:
    """White noise of -40 dBFS has 5 of its 24 kHz in the band; two channels that differ lose 3 dB in their mean."""
    values = measured(audio_noise(), blocks(noise(12, -40.0)), "noise_floor")
    assert values[-1] == pytest.approx(-40.0 + 10 * np.log10(5 / 24) - 3.0, abs=1.0)


@pytest.mark.parametrize("make", [speech, music, noise, nothing])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(audio_noise(), blocks(make(30))) == []


def test_noise_that_was_there_from_the_beginning_is_none() -> None:
    assert edges(audio_noise(), blocks(hissed(speech(20), 0.0, 20.0, -40.0))) == []


def test_a_burst_and_hiss_that_nobody_hears_are_none() -> None:
    assert edges(audio_noise(), blocks(hissed(speech(24), 10.0, 12.0, -40.0))) == []
    assert edges(audio_noise(), blocks(hissed(speech(24), 10.0, 20.0, -62.0))) == []


def test_hiss_that_shows_only_above_a_crowd_is_told_from_there() -> None:
    """It rises by 7 dB up to 11 kHz, and by 12 dB above."""
    crowd = noise(26, -34.0)
    for _ in range(3):
        crowd[:, 1:] = 0.5 * crowd[:, 1:] + 0.5 * crowd[:, :-1]
    found = [
        f
        for f in findings(audio_noise(), blocks(hissed(crowd, 9.0, 20.0, -32.5)))
        if isinstance(f, DefectEdge)
    ]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([9.0, 20.0], abs=0.2)
    assert "11 to 15 kHz" in (found[0].detail or "")


def test_hiss_that_a_coder_presses_down_under_music_goes_on() -> None:
    sound = hissed(speech(30.0), 9.0, 24.0, -40.0)
    pressed = sound + hiss(sound.shape[1], -100.0, np.random.default_rng(2))
    part = slice(14 * RATE_HZ, 18 * RATE_HZ)
    pressed[:, part] *= amplitude(-5.0)
    said = [at for edge, at in edges(audio_noise(), blocks(pressed)) if edge != "updated"]
    assert said == pytest.approx([9.0, 24.0], abs=0.2)


def test_rain_that_leans_to_low_frequencies_is_none() -> None:
    rain = noise(12, -30.0)
    for _ in range(8):
        rain[:, 1:] = 0.5 * rain[:, 1:] + 0.5 * rain[:, :-1]
    assert edges(audio_noise(), blocks(join(speech(12), rain, speech(6)))) == []


def test_it_is_ready_when_there_is_a_floor_and_one_before() -> None:
    detector = audio_noise()
    assert not detector.ready
    findings(detector, blocks(noise(8)))
    assert detector.ready


def test_treble_of_the_programme_just_before_is_not_the_noise() -> None:
    """A rustle, louder than the hiss and never as steady, up to where the hiss begins."""
    rng = np.random.default_rng(8)
    swell = np.repeat(10 ** (rng.uniform(5, 18, 50) / 20), RATE_HZ // 10).astype(np.float32)
    before = join(speech(9.0), noise(5.0, -42.0, seed=4) * swell)
    sound = hissed(join(before, speech(14.0, seed=2)), 14.0, 28.0, -40.0)
    edge, at_s = edges(audio_noise(), blocks(sound))[0]
    assert edge == "opened"
    assert at_s == pytest.approx(14.0, abs=0.4)
