"""DC offset: the waveform shifted as a whole, against waveforms that are only lopsided."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.dc_offset import DETECTOR, DcOffset, DcOffsetParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, nothing, speech, tone


def _shifted(samples: Sound, moment: Moment) -> Sound:
    """A converter's offset, on all channels or one, of either sign; it settles within milliseconds."""
    rng = moment.rng
    lowest, highest = {Level.JUST: (-36, -32), Level.PLAIN: (-30, -26), Level.GROSS: (-25, -14)}[moment.level]
    offset = amplitude(float(rng.uniform(lowest, highest))) * rng.choice((-1, 1), (samples.shape[0], 1))
    if rng.random() < 0.3:
        offset[int(rng.integers(samples.shape[0]))] = 0.0
    rise = 1.0 - np.exp(-np.arange(samples.shape[1]) / (RATE_HZ * rng.uniform(0.0005, 0.02)))
    return np.asarray(samples + offset * rise, np.float32)


FAULT = Fault("dc_offset", (4.0, 10.0), sound=_shifted, layouts=("stereo", "5.1"))


def dc_offset(**params: float) -> DcOffset:
    return DETECTOR(DcOffsetParams(**params), "audio:0")


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_golden_an_offset_comes_and_goes(sign: float) -> None:
    sound = join(speech(4.2), speech(5.0, seed=1) + np.float32(sign * amplitude(-30)), speech(4.0, seed=2))
    found = [f for f in findings(dc_offset(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.2, 9.2], abs=0.11)
    assert found[0].severity is Severity.WARNING
    assert found[0].peak.value == pytest.approx(-30.0, abs=2.0)


def test_one_channel_is_enough_and_is_named() -> None:
    sound = music(8)
    sound[1] += np.float32(amplitude(-28))
    found = [f for f in findings(dc_offset(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.detail for f in found if f.edge.value == "opened"] == ["channel R"]


def test_silence_with_an_offset_counts() -> None:
    assert edges(dc_offset(), blocks(nothing(5) + np.float32(0.05)))[0] == ("opened", 0.0)


@pytest.mark.parametrize("make", [speech, music, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(dc_offset(), blocks(make(20))) == []


def test_lopsided_waveforms_and_deep_notes_have_no_offset() -> None:
    pulses = np.maximum(tone(8, -6, hz=130), 0) ** 4
    pulses -= pulses.mean(axis=1, keepdims=True)
    for sound in (pulses, tone(8, -3, hz=12), tone(8, -1, hz=1.3)):
        assert edges(dc_offset(), blocks(sound)) == []


def test_too_short_to_matter() -> None:
    assert edges(dc_offset(), blocks(join(speech(4), speech(1.0) + np.float32(0.05), speech(4)))) == []


def test_it_is_measured_once_a_second() -> None:
    assert measured(dc_offset(), blocks(nothing(3) + np.float32(0.1)), "dc_offset") == pytest.approx(
        [-20] * 3, abs=0.01
    )
