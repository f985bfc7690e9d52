"""Loudness: jumps, drops, targets, and the meter's values in the report."""

from typing import Any

import numpy as np
import pytest

from contracts.findings import DefectEdge, Measurement, Severity
from detectors.events import Break
from detectors.sound.loudness import DETECTOR, Loudness, LoudnessParams
from detectors.sound_features import k_weight
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, TRACK, amplitude, blocks, join, music, noise, nothing, speech, tone


def limited(samples: Sound, rate_hz: int = RATE_HZ, ceiling: float = 0.9) -> Sound:
    """Kept within full scale by gain that moves before the peaks do, as an advertisement is: no top is cut."""
    size = rate_hz // 400
    cuts = np.arange(0, samples.shape[1], size)
    peaks = np.maximum.reduceat(np.abs(samples).max(axis=0), cuts)
    held = np.lib.stride_tricks.sliding_window_view(np.pad(peaks, 4, mode="edge"), 9).max(axis=1)
    wanted = np.minimum(1.0, ceiling / np.maximum(held, 1e-6))
    smooth = np.lib.stride_tricks.sliding_window_view(np.pad(wanted, 2, mode="edge"), 5).mean(axis=1)
    return np.asarray(samples * np.interp(np.arange(samples.shape[1]), cuts + size / 2, smooth), np.float32)


def heard_lufs(samples: Sound, rate_hz: int) -> float:
    """The loudness of a whole stretch of stereo."""
    state, energy = np.zeros((samples.shape[0], 4)), 0.0
    for begin in range(0, samples.shape[1], rate_hz // 10):
        weighted, state = k_weight(samples[:, begin : begin + rate_hz // 10], rate_hz, state)
        energy += float((weighted**2).sum())
    return float(10 * np.log10(max(1e-12, energy / samples.shape[1]))) - 0.691


def _other_level(samples: Sound, moment: Moment) -> Sound:
    """The level after a wrong junction: an advertisement's, or far too low where the programme is loud itself."""
    more, least, less = {
        Level.JUST: (9.0, -14.0, 15.0),
        Level.PLAIN: (14.0, -8.0, 28.0),
        Level.GROSS: (18.0, -6.5, 32.0),
    }[moment.level]
    now = heard_lufs(samples, moment.rate_hz)
    if now > -17.0:
        return np.asarray(samples * amplitude(-less), np.float32)
    out = samples
    for gain in np.arange(max(more, least - now), 60.0, 3.0):  # until it is as dense as that
        out = limited(samples * np.float32(amplitude(gain)), moment.rate_hz)
        if heard_lufs(out, moment.rate_hz) >= least:
            break
    return out


FAULT = Fault("loudness", (6.0, 12.0), sound=_other_level)


def loudness(**params: Any) -> Loudness:
    return DETECTOR(LoudnessParams(**params), "audio:0")


def test_golden_a_jump_at_a_junction() -> None:
    sound = join(speech(8.35, -26), music(6.0, -10, seed=3), speech(6.0, -26, seed=4))
    found = [f for f in findings(loudness(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([8.35, 14.35], abs=0.1)
    assert found[0].severity is Severity.WARNING
    assert found[0].peak.name == "loudness_jump"
    assert found[0].peak.value > 10
    assert str(found[0].detail).startswith("jump from")


def test_golden_a_drop_that_is_not_silence() -> None:
    sound = join(music(8.0, -20), music(8.0, -46, seed=1), music(6.0, -20, seed=2))
    found = [f for f in findings(loudness(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([8.0, 16.0], abs=0.15)
    assert str(found[0].detail).startswith("drop from")


@pytest.mark.parametrize("level", [-6.0, -14.0, -23.0, -35.0, -48.0])
def test_the_level_itself_is_no_defect(level: float) -> None:
    assert edges(loudness(), blocks(speech(15, level))) == []


def test_quiet_dialogue_after_loud_music_is_programme() -> None:
    assert edges(loudness(), blocks(join(music(10, -14), speech(15, -32), music(6, -16, seed=1)))) == []


def test_a_crescendo_is_programme() -> None:
    sound = music(20, -10) * np.geomspace(0.02, 1.0, 20 * RATE_HZ, dtype=np.float32)
    assert edges(loudness(), blocks(sound)) == []


@pytest.mark.parametrize("seconds", [2.5, 4.5, 9.0])
def test_a_fade_is_programme(seconds: float) -> None:
    for depth in (1e-2, 6e-3):
        out = np.geomspace(1.0, depth, round(seconds * RATE_HZ), dtype=np.float32)
        faded = music(seconds, -18, seed=1) * out
        rest = music(8.0, -18, seed=2) * np.float32(depth)
        assert edges(loudness(), blocks(join(music(8, -18), faded, rest, music(6, -18, seed=3)))) == []


def test_silence_is_not_a_drop() -> None:
    assert edges(loudness(), blocks(join(music(8), nothing(6), music(6)))) == []


def test_a_short_bang_is_programme() -> None:
    assert edges(loudness(), blocks(join(speech(8), noise(1.0, -6), speech(8, seed=1)))) == []


def test_a_new_level_is_the_streams_own_after_a_while() -> None:
    sound = join(noise(8, -32), noise(20, -9, seed=1))
    found = edges(loudness(settle_seconds=10), blocks(sound))
    assert [e for e, _ in found] == ["opened", "closed"]
    assert found[1][1] == pytest.approx(21.0, abs=0.6)


def test_a_target_is_checked_only_where_it_is_set() -> None:
    sound = blocks(tone(40, -16))
    assert edges(loudness(), sound) == []
    assert edges(loudness(target_lufs=-16.0), blocks(tone(40, -16))) == []
    found = [
        f for f in findings(loudness(target_lufs=-23.0), blocks(tone(40, -16))) if isinstance(f, DefectEdge)
    ]
    assert [f.edge.value for f in found] == ["opened"]
    assert found[0].peak.value == pytest.approx(7.0, abs=0.1)
    assert found[0].detail == "integrated -16.0 LUFS, target -23.0"


def test_a_gap_voids_the_past() -> None:
    before, after = blocks(speech(8, -30)), blocks(music(8, -9), at_ns=20 * SECOND)
    after[0].joins = False
    gap = Break(20 * SECOND, TRACK, "gap", 12 * SECOND)
    assert edges(loudness(), [*before, gap, *after]) == []


def test_the_report_gets_four_numbers() -> None:
    finals = [
        f for f in findings(loudness(), blocks(tone(20, -23))) if isinstance(f, Measurement) and f.final
    ]
    assert [(f.name, f.unit) for f in finals] == [
        ("loudness_integrated", "LUFS"),
        ("loudness_range", "LU"),
        ("loudness_short_term_max", "LUFS"),
        ("loudness_momentary_max", "LUFS"),
    ]
    assert [f.value for f in finals] == pytest.approx([-23, 0, -23, -23], abs=0.1)


def test_digital_silence_has_no_loudness() -> None:
    assert [
        f for f in findings(loudness(), blocks(nothing(5))) if isinstance(f, Measurement) and f.final
    ] == []


def test_it_measures_once_a_second() -> None:
    assert len(measured(loudness(), blocks(speech(10)), "loudness_momentary")) == 10
    assert len(measured(loudness(), blocks(speech(10)), "loudness_short_term")) == 8
