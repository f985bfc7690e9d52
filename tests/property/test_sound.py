"""What must hold for any sound: the meter's symmetries, exactness, and verdicts that do not depend on the cuts."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.findings import DefectEdge, Edge, Measurement
from detectors.detector import Detector
from detectors.frame import Block
from detectors.sound.audio_repeat import AudioRepeat, AudioRepeatParams
from detectors.sound.channel_silence import ChannelSilence, ChannelSilenceParams
from detectors.sound.clipping import Clipping, ClippingParams
from detectors.sound.dc_offset import DcOffset, DcOffsetParams
from detectors.sound.loudness import Loudness, LoudnessParams
from detectors.sound.phase_reversal import PhaseReversal, PhaseReversalParams
from detectors.sound.silence import Silence, SilenceParams
from detectors.sound.true_peak import TruePeak, TruePeakParams
from detectors.sound_features import _FILTER, K_WEIGHTED, TRUE_PEAK, k_weight, loudness_weights
from tests.injection import Sound
from tests.run import edges, findings
from tests.sounds import SECOND, TRACK, blocks, join, music, noise, nothing, speech

FEW = settings(max_examples=8, deadline=None)
SEEDS = st.integers(0, 1000)


def integrated(sound: Sound, channels: tuple[str, ...] = ("L", "R"), first: int | None = None) -> float:
    found = findings(Loudness(LoudnessParams(), TRACK), blocks(sound, channels=channels, first=first))
    (value,) = [f.value for f in found if isinstance(f, Measurement) and f.name == "loudness_integrated"]
    return value


@FEW
@given(seed=SEEDS, gain_db=st.floats(-20, 10))
def test_a_gain_shifts_loudness_by_itself(seed: int, gain_db: float) -> None:
    sound = music(5, -25, seed=seed)
    assert integrated(sound * np.float32(10 ** (gain_db / 20))) == pytest.approx(
        integrated(sound) + gain_db, abs=0.06
    )


@FEW
@given(seed=SEEDS, order=st.permutations(range(6)))
def test_the_order_of_channels_does_not_matter(seed: int, order: list[int]) -> None:
    names = ("L", "R", "C", "LFE", "Ls", "Rs")
    sound = music(4, -25, channels=6, seed=seed) * np.linspace(0.3, 1, 6, dtype=np.float32)[:, None]
    assert integrated(sound[order], tuple(names[i] for i in order)) == pytest.approx(
        integrated(sound, names), abs=0.01
    )


def test_the_weights_of_layouts() -> None:
    assert loudness_weights(("L", "R", "C", "LFE", "Ls", "Rs")).tolist() == [1, 1, 1, 0, 1.41, 1.41]
    assert loudness_weights(("L", "R", "C", "LFE", "Lb", "Rb")).tolist() == [1, 1, 1, 0, 1.41, 1.41]
    assert loudness_weights(("L", "R", "C", "LFE", "Lb", "Rb", "Ls", "Rs")).tolist() == [
        1,
        1,
        1,
        0,
        1,
        1,
        1.41,
        1.41,
    ]
    assert loudness_weights(("M",)).tolist() == [1]


@FEW
@given(
    seed=SEEDS,
    cuts=st.lists(st.integers(1, 4799), min_size=1, max_size=6),
    rate=st.sampled_from([8000, 44100, 48000]),
)
def test_the_filter_does_not_notice_how_its_input_is_cut(seed: int, cuts: list[int], rate: int) -> None:
    x = noise(0.1, -10, rate_hz=48_000, seed=seed)
    whole, end = k_weight(x, rate, np.zeros((2, 4)))
    state, parts = np.zeros((2, 4)), []
    bounds = sorted({0, 4800, *cuts})
    for first, last in pairwise(bounds):
        y, state = k_weight(x[:, first:last], rate, state)
        parts.append(y)
    # Single precision: its error lies below -100 dBFS.
    np.testing.assert_allclose(np.concatenate(parts, axis=1), whole, atol=1e-5)
    np.testing.assert_allclose(state, end, atol=1e-5)


@FEW
@given(seed=SEEDS, gain_db=st.floats(-40, 3))
def test_skipping_never_changes_the_maximum(seed: int, gain_db: float) -> None:
    sound = music(1.5, -12, seed=seed) * np.float32(10 ** (gain_db / 20))
    previous: Block | None = None
    for block in blocks(sound):
        block.previous = previous
        assert block[TRUE_PEAK].peak.shape == (2,)
        previous, block.previous = block, None
    assert previous is not None
    taps = np.zeros((2, sound.shape[1] * 4))
    taps[:, ::4] = sound
    kernel = _FILTER.T.reshape(-1)  # the published table, applied the slow way
    slow = np.array([np.abs(np.convolve(row, kernel)[: sound.shape[1] * 4]).max() for row in taps])
    expected = np.maximum(slow, np.abs(sound).max(axis=1))
    np.testing.assert_allclose(previous[TRUE_PEAK].highest, expected, rtol=1e-5)


def test_a_number_that_is_not_one_does_not_stay() -> None:
    sound = noise(1.0, -20)
    sound[0, 10_000], sound[1, 20_000] = np.nan, np.inf
    previous: Block | None = None
    for block in blocks(sound):
        block.previous = previous
        assert np.isfinite(block[K_WEIGHTED].energy).all()
        previous, block.previous = block, None


BROKEN: dict[str, tuple[type[Detector], object, Sound]] = {  # type: ignore[type-arg]
    "silence": (Silence, SilenceParams(), join(speech(4), nothing(5), speech(4))),
    "channel_silence": (
        ChannelSilence,
        ChannelSilenceParams(),
        join(speech(4), speech(6, seed=1) * np.array([[1], [0]], np.float32), speech(4)),
    ),
    "clipping": (
        Clipping,
        ClippingParams(),
        join(speech(4), np.clip(speech(5, seed=1) * 12, -0.8, 0.8), speech(4)),
    ),
    "loudness": (Loudness, LoudnessParams(), join(speech(6), music(6, -8), speech(5))),
    "true_peak": (TruePeak, TruePeakParams(), join(speech(4), noise(5, -9), speech(5))),
    "audio_repeat": (
        AudioRepeat,
        AudioRepeatParams(),
        join(speech(4), np.tile(music(0.2), (1, 25)), speech(4, seed=1)),
    ),
    "dc_offset": (DcOffset, DcOffsetParams(), join(speech(4), speech(5) + np.float32(0.05), speech(4))),
    "phase_reversal": (
        PhaseReversal,
        PhaseReversalParams(),
        join(speech(4), speech(6, seed=1) * np.array([[1], [-1]], np.float32), speech(4)),
    ),
}


@pytest.mark.parametrize("name", sorted(BROKEN))
@pytest.mark.parametrize("first", [1, 480, 1777, 3210])
def test_where_blocks_are_cut_hardly_moves_a_verdict(name: str, first: int) -> None:
    make, params, sound = BROKEN[name]
    usual = edges(make(params, TRACK), blocks(sound))
    moved = edges(make(params, TRACK), blocks(sound, first=first))
    assert usual
    assert [e for e, _ in moved] == [e for e, _ in usual]
    assert [at for _, at in moved] == pytest.approx([at for _, at in usual], abs=0.2)


LONG: dict[str, Sound] = {
    "silence": join(speech(4), nothing(22), speech(4)),
    "channel_silence": join(speech(4), speech(30, seed=1) * np.array([[1], [0]], np.float32), speech(4)),
    "clipping": join(speech(4), np.clip(speech(22, seed=1) * 12, -0.8, 0.8), speech(4)),
    "true_peak": join(speech(4), noise(22, -9), speech(4)),
}


@pytest.mark.parametrize("name", sorted(LONG))
@pytest.mark.parametrize("split_s", [8.3, 15.0])
def test_the_next_lease_sees_what_goes_on(name: str, split_s: float) -> None:
    make, params, _ = BROKEN[name]
    stream = blocks(LONG[name])
    split = round(10 * split_s)
    stream[split].joins = False
    found = [f for f in findings(make(params, TRACK), stream[split:]) if isinstance(f, DefectEdge)]
    assert found[0].edge is Edge.OPENED
    assert found[0].at_ns == pytest.approx(split * SECOND // 10, abs=0.6 * SECOND)
