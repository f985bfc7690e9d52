"""Silence: found when cut, and not where programme pauses."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.silence import DETECTOR, Silence, SilenceParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, SECOND, amplitude, blocks, join, music, noise, nothing, speech, tone


def _muted(samples: Sound, moment: Moment) -> Sound:
    floor = {Level.JUST: -74.0, Level.PLAIN: -85.0, Level.GROSS: -200.0}[moment.level]
    return np.asarray(moment.rng.normal(size=samples.shape) * amplitude(floor), np.float32)


FAULT = Fault("silence", (4.0, 12.0), sound=_muted)


def silence(**params: float) -> Silence:
    return DETECTOR(SilenceParams(**params), "audio:0")


def test_golden_a_cut_of_three_seconds() -> None:
    sound = join(speech(4.03), nothing(3.0), speech(3.0, seed=1))
    found = [f for f in findings(silence(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.03, 7.03], abs=0.03)
    assert found[0].severity is Severity.CRITICAL
    assert found[0].certain_at_ns - found[0].at_ns == pytest.approx(2.0 * SECOND, abs=0.11 * SECOND)
    assert found[0].peak.value <= -60.0


def test_the_onset_is_found_inside_a_block() -> None:
    for offset in (0.02, 0.05, 0.09):
        (opened, at), *_ = edges(silence(), blocks(join(tone(2 + offset), nothing(3))))
        assert opened == "opened"
        assert at == pytest.approx(2 + offset, abs=0.01)


def test_too_short_to_matter() -> None:
    assert edges(silence(), blocks(join(speech(3), nothing(1.9), speech(3)))) == []


def test_beeps_with_digital_silence_between_are_no_silence() -> None:
    second = join(tone(0.06, -10), nothing(0.94))
    assert edges(silence(), blocks(join(*[second] * 10))) == []


def test_a_pause_that_dies_away_is_programme() -> None:
    fade = music(2.0) * np.geomspace(1.0, 1e-4, 2 * RATE_HZ, dtype=np.float32)
    assert edges(silence(), blocks(join(music(3), fade, nothing(5), music(3, seed=2)))) == []
    said = edges(silence(), blocks(join(music(3), fade, nothing(9), music(3, seed=2))))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert 4.0 < said[0][1] <= 5.0


def test_room_tone_is_not_silence() -> None:
    assert edges(silence(), blocks(join(speech(3), noise(10, -66.0), speech(3)))) == []


def test_silence_from_the_beginning_is_found_late_and_dated_early() -> None:
    found = [f for f in findings(silence(), blocks(nothing(9.0))) if isinstance(f, DefectEdge)]
    assert [(f.at_ns, f.certain_at_ns) for f in found] == [(0, 8 * SECOND)]


def test_one_channel_that_plays_is_enough() -> None:
    sound = speech(6)
    sound[1] = 0
    assert edges(silence(), blocks(sound)) == []


@pytest.mark.parametrize("click_at_s", [0.5, 1.5, 2.5])
def test_a_click_does_not_restart_it(click_at_s: float) -> None:
    gap = nothing(4)
    begin = round(click_at_s * RATE_HZ)
    gap[:, begin : begin + 200] = 0.4
    assert edges(silence(), blocks(join(tone(2), gap, tone(2)))) == [("opened", 2.0), ("closed", 6.0)]


def test_a_hole_in_time_ends_it_where_the_sound_ended() -> None:
    late = blocks(nothing(1.0), at_ns=60 * SECOND)
    late[0].joins = False
    stream = [*blocks(join(tone(2), nothing(3))), *late]
    assert edges(silence(), stream) == [("opened", 2.0), ("closed", 5.0)]


def test_the_level_is_measured_once_a_second() -> None:
    levels = measured(silence(), blocks(join(tone(2, -20), nothing(1))), "sound_peak")
    assert levels == pytest.approx([-20, -20, -120], abs=0.01)


@pytest.mark.parametrize(("floor_dbfs", "told"), [(-72.0, False), (-82.0, True), (-200.0, True)])
def test_a_pause_as_quiet_as_those_before_it_is_a_room(floor_dbfs: float, *, told: bool) -> None:
    """Quiet words, gated: the room between them lies just below what counts as silence."""
    word, room = noise(0.6, -42.0), noise(0.3, -72.0)
    spoken = join(*(part for _ in range(6) for part in (word, room)), word)
    assert bool(edges(silence(), blocks(join(spoken, noise(3.0, floor_dbfs, seed=1), word)))) is told
