"""Audio repeat: a stuck buffer, and the sounds that are like themselves by nature."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.audio_repeat import DETECTOR, AudioRepeat, AudioRepeatParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, blocks, join, music, noise, nothing, speech, tone


def stuck(samples: Sound, fragment_s: float) -> Sound:
    """Its first fragment again and again."""
    fragment = samples[:, : round(fragment_s * RATE_HZ)]
    times = -(-samples.shape[1] // fragment.shape[1])
    return np.ascontiguousarray(np.tile(fragment, (1, times))[:, : samples.shape[1]])


def _stuck(samples: Sound, moment: Moment) -> Sound:
    """A player's buffer of a common size, which begins where there is sound; only just: with a little noise on top."""
    rng = moment.rng
    lowest, highest = {Level.JUST: (0.5, 0.9), Level.PLAIN: (0.1, 0.6), Level.GROSS: (0.04, 0.3)}[
        moment.level
    ]
    length = lowest * (highest / lowest) ** rng.uniform()
    out = stuck(samples, length)
    if moment.level is Level.JUST:
        noise_rms = 0.1 * float(np.sqrt(np.mean(out**2)))
        return np.asarray(out + rng.normal(size=out.shape) * noise_rms, np.float32)
    return out


FAULT = Fault("audio_repeat", (4.0, 10.0), sound=_stuck, layouts=("mono", "stereo", "5.1"))


def repeat(**params: float) -> AudioRepeat:
    return DETECTOR(AudioRepeatParams(**params), "audio:0")


@pytest.mark.parametrize("fragment_s", [0.0427, 0.2, 0.75])
def test_golden_a_stuck_buffer(fragment_s: float) -> None:
    sound = join(speech(5.0), stuck(music(5.0), fragment_s), speech(4.0, seed=1))
    found = [f for f in findings(repeat(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([5.0, 10.0], abs=0.05)
    assert found[0].severity is Severity.ERROR
    assert found[0].detail == f"{1000 * fragment_s:.0f} ms again and again"


@pytest.mark.parametrize("make", [speech, music, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(repeat(), blocks(make(20))) == []


def test_a_held_note_or_chord_is_no_repeat() -> None:
    for notes in ((440,), (55,), (131, 165, 196), (27.5,), (41.2, 82.4, 103.8)):
        chord = sum((tone(8, -30, hz=hz * k) / k for hz in notes for k in range(1, 6)), nothing(8))
        assert edges(repeat(), blocks(np.asarray(chord, np.float32))) == []


def test_digital_silence_is_no_repeat() -> None:
    assert edges(repeat(), blocks(join(speech(3), nothing(8)))) == []
    assert measured(repeat(), blocks(nothing(4)), "repeat_correlation") == [0.0] * 4


def test_a_beat_that_is_played_is_no_repeat() -> None:
    rng = np.random.default_rng(1)
    sound = 0.01 * noise(12, -20)
    for k in range(24):
        blow = rng.normal(size=9600) * np.exp(-np.arange(9600) / 1500) * 0.2
        sound[:, k * 24000 : k * 24000 + 9600] += blow.astype(np.float32)
    assert edges(repeat(), blocks(sound)) == []


def test_a_word_said_three_times_is_no_repeat() -> None:
    word = speech(0.4)
    assert edges(repeat(), blocks(join(music(4), word, word, word, music(4, seed=1)))) == []


@pytest.mark.parametrize("fragment_s", [0.1376, 0.07017, 0.1954])
def test_a_fragment_of_half_a_sample_more_is_found_as_well(fragment_s: float) -> None:
    """At 4,000 samples a second it is more like itself two or three times later."""
    sound = join(music(4.0), stuck(music(6.0, seed=3), fragment_s), music(4.0, seed=4))
    found = [f for f in findings(repeat(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.0, 10.0], abs=0.1)
    assert f"{1000 * fragment_s:.0f} ms" in (found[0].detail or "")
