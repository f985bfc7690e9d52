"""Mono: one channel twice, and stereo that is only narrow."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.mono import DETECTOR, Mono, MonoParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import SECOND, amplitude, blocks, join, music, noise, nothing, speech


def _one_twice(samples: Sound, moment: Moment) -> Sound:
    """The left channel on both sides, or the mean of the two; a converter's noise where it is only just mono."""
    one = samples[:1] if moment.rng.random() < 0.5 else samples.mean(axis=0, keepdims=True)
    both = np.repeat(one, samples.shape[0], axis=0)
    if moment.level is Level.JUST:
        both = both + moment.rng.normal(size=both.shape) * amplitude(-93)
    return np.asarray(both, np.float32)


FAULT = Fault("mono", (8.0, 16.0), sound=_one_twice, layouts=("stereo", "5.1"))


def mono(**params: float) -> Mono:
    return DETECTOR(MonoParams(**params), "audio:0")


def test_golden_one_channel_twice() -> None:
    left = music(8.0, channels=1)
    sound = join(music(4.0), np.repeat(left, 2, axis=0), music(4.0, seed=2))
    found = [f for f in findings(mono(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns / SECOND) for f in found] == [("opened", 4.0), ("closed", 12.0)]
    assert found[0].severity is Severity.INFO
    assert found[0].peak.value == -120.0


def test_narrow_stereo_is_stereo() -> None:
    middle = np.repeat(music(12, channels=1), 2, axis=0)
    assert edges(mono(), blocks(middle + noise(12, -70))) == []
    assert edges(mono(), blocks(speech(20))) == []
    assert edges(mono(), blocks(middle * np.array([[1.0], [0.99]], np.float32))) == []


def test_pauses_neither_count_nor_end_it() -> None:
    one = np.repeat(speech(4, channels=1), 2, axis=0)
    assert edges(mono(), blocks(join(one, nothing(6)))) == []
    assert edges(mono(), blocks(join(one, nothing(6), one))) == [("opened", 0.0)]


def test_a_mono_track_is_no_stereo() -> None:
    assert edges(mono(), blocks(speech(10, channels=1), channels=("M",))) == []


def test_rounding_to_16_bits_is_no_difference() -> None:
    one = np.repeat(music(10, channels=1), 2, axis=0)
    rounded = np.round(one * 32768 + np.array([[0.2], [-0.2]], np.float32)) / 32768
    assert edges(mono(), blocks(np.asarray(rounded, np.float32)))[0] == ("opened", 0.0)


@pytest.mark.parametrize(("side_dbfs", "expected"), [(-40.0, -17.0), (-200.0, -120.0)])
def test_the_difference_is_measured(side_dbfs: float, expected: float) -> None:
    middle = np.repeat(noise(2, -26, channels=1), 2, axis=0)
    side = noise(2, side_dbfs, channels=1, seed=3)
    both = middle + np.concatenate([side, -side]) * np.float32(0.5**0.5)
    assert measured(mono(), blocks(np.asarray(both, np.float32)), "stereo_difference") == pytest.approx(
        [expected] * 2, abs=3.5
    )


def test_noise_of_a_coder_between_equal_sound_is_bridged_and_stereo_is_not() -> None:
    one = np.repeat(noise(20, -26, channels=1), 2, axis=0)
    coded = one.copy()
    coded[0] += noise(20, -70, channels=1, seed=5)[0]
    step = 4800
    for n in range(0, 200, 25):  # equal for half a second in every two and a half, as a coder may leave it
        coded[0, (n + 20) * step : (n + 25) * step] = one[0, (n + 20) * step : (n + 25) * step]
    coded[0, 22 * step : 23 * step] += noise(0.1, -52, channels=1, seed=6)[
        0
    ]  # one tenth of a second at -26 dB
    wide = music(3.0)
    found = edges(mono(), blocks(join(wide, coded, wide)))
    assert found == [("opened", 3.0), ("closed", 23.0)]
    never_equal = one.copy()
    never_equal[0] += noise(20, -70, channels=1, seed=5)[0]
    assert edges(mono(), blocks(never_equal)) == []
