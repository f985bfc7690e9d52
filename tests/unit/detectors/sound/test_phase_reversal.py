"""Phase reversal: one channel turned over, and stereo that is only wide."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.phase_reversal import DETECTOR, PhaseReversal, PhaseReversalParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import SECOND, blocks, join, music, noise, nothing, speech


def _crossed(samples: Sound, moment: Moment) -> Sound:
    """The channels of a nearly mono programme, one of them reversed, at levels that differ a little."""
    middle = samples.mean(axis=0)
    width = {Level.JUST: 0.5, Level.PLAIN: 0.25, Level.GROSS: 0.08}[moment.level] * moment.rng.uniform(
        0.5, 1.0
    )
    side = (samples[0] - samples[1]) / 2
    own = width * float(np.sqrt((middle**2).mean() / max(1e-12, float((side**2).mean()))))
    out = np.stack([middle + own * side, middle - own * side]) if own < 10 else np.stack([middle, middle])
    row = int(moment.rng.integers(2))
    out[row] *= -(10 ** (moment.rng.uniform(-3, 0) / 20))
    return np.asarray(out, np.float32)


FAULT = Fault("phase_reversal", (4.0, 12.0), sound=_crossed, layouts=("stereo", "5.1"))


def reversal(**params: float) -> PhaseReversal:
    return DETECTOR(PhaseReversalParams(**params), "audio:0")


def crossed(sound: Sound) -> Sound:
    return np.asarray(sound * np.array([[1.0], [-1.0]]), np.float32)


def test_golden_a_crossed_cable() -> None:
    sound = join(speech(4.0), crossed(speech(6.0, seed=1)), speech(4.0, seed=2))
    found = [f for f in findings(reversal(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.0, 10.0], abs=0.45)
    assert found[0].severity is Severity.WARNING
    assert found[0].peak.value < -0.9


@pytest.mark.parametrize("make", [speech, music, noise])
def test_silent_on_programme(make: object) -> None:
    assert callable(make)
    assert edges(reversal(), blocks(make(20))) == []


def test_wide_stereo_is_no_reversal() -> None:
    left, right = music(12, channels=1), music(12, channels=1, seed=1)
    assert edges(reversal(), blocks(join(np.concatenate([left, right])))) == []
    effect = noise(12, channels=1)
    opposed = np.concatenate([left + 0.7 * effect, left - 0.7 * effect])
    assert edges(reversal(), blocks(opposed)) == []


def test_a_short_effect_is_programme() -> None:
    assert edges(reversal(), blocks(join(music(4), crossed(music(1.0)), music(4)))) == []


def test_mono_tracks_and_silence_say_nothing() -> None:
    assert edges(reversal(), blocks(speech(6, channels=1), channels=("M",))) == []
    assert edges(reversal(), blocks(crossed(speech(6, -70.0)))) == []
    assert measured(reversal(), blocks(nothing(2)), "phase_correlation") == [1.0, 1.0]


def test_pauses_do_not_divide_it() -> None:
    said = edges(reversal(), blocks(crossed(join(speech(4), nothing(1.2), speech(4)))))
    assert [edge for edge, _ in said] == ["opened"]


def test_left_and_right_of_a_surround_layout() -> None:
    sound = np.concatenate([crossed(speech(6)), music(6, channels=4)])
    assert edges(reversal(), blocks(sound, channels=("L", "R", "C", "LFE", "Ls", "Rs")))[0][0] == "opened"
