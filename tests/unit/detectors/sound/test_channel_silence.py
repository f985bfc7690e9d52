"""Channel silence: one channel dead while another plays."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Peak, Severity
from detectors.sound.channel_silence import DETECTOR, ChannelSilence, ChannelSilenceParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import SECOND, amplitude, blocks, join, music, nothing, speech, tone

HEARD_DBFS = -50.0  # what is lost below that, nobody misses
SURROUND = ("L", "R", "C", "LFE", "Ls", "Rs")


def _dead(samples: Sound, moment: Moment) -> Sound:
    out = samples.copy()
    row = int(moment.rng.integers(0, min(2, samples.shape[0])))
    floor = {Level.JUST: -72.0, Level.PLAIN: -85.0, Level.GROSS: -200.0}[moment.level]
    lost = np.flatnonzero(np.abs(samples[row]) > amplitude(HEARD_DBFS))
    if len(lost):
        moment.broke = int(lost[0]), int(lost[-1]) + 1
    out[row] = moment.rng.normal(size=samples.shape[1]) * amplitude(floor)
    return out


FAULT = Fault("channel_silence", (5.0, 12.0), sound=_dead)


def dead(**params: float) -> ChannelSilence:
    return DETECTOR(ChannelSilenceParams(**params), "audio:0")


def without(sound: Sound, row: int) -> Sound:
    out = sound.copy()
    out[row] = 0
    return out


@pytest.mark.parametrize(("row", "name"), [(0, "L"), (1, "R")])
def test_golden_one_channel_dies_and_returns(row: int, name: str) -> None:
    sound = join(speech(4.05), without(speech(5.0, seed=1), row), speech(3.0, seed=2))
    found = [f for f in findings(dead(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.channel) for f in found] == [("opened", name), ("closed", name)]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([4.05, 9.05], abs=0.05)
    assert found[0].severity is Severity.ERROR


def test_silence_of_all_channels_is_not_ours() -> None:
    assert edges(dead(), blocks(join(speech(4), nothing(20), speech(4)))) == []


def test_a_hard_panned_passage_is_programme() -> None:
    left, right = without(music(2.5), 1), without(music(2.5, seed=1), 0)
    assert edges(dead(), blocks(join(*[left, right] * 5))) == []


def test_a_channel_never_heard_takes_longer() -> None:
    assert edges(dead(), blocks(without(speech(7.5), 1))) == []
    assert edges(dead(), blocks(without(speech(20.0), 1)))[0][0] == "opened"


def test_a_mono_track_has_no_other_channel() -> None:
    assert edges(dead(), blocks(nothing(10, channels=1), channels=("M",))) == []


def test_pauses_of_the_other_channel_do_not_count() -> None:
    lonely = join(*[join(without(tone(0.5), 1), nothing(1.5))] * 5)
    assert edges(dead(), blocks(join(tone(2), lonely))) == []


def test_low_frequency_effects_and_unheard_surrounds_may_be_quiet() -> None:
    sound = np.zeros((6, 40 * 48_000), np.float32)
    sound[:3] = music(40, channels=3)
    assert edges(dead(), blocks(sound, channels=SURROUND)) == []


def test_a_centre_that_was_heard_is_missed_in_the_end() -> None:
    first, second = music(5, channels=6), without(music(25, channels=6, seed=1), 2)
    found = findings(dead(), blocks(join(first, second), channels=SURROUND))
    assert {f.channel for f in found if isinstance(f, DefectEdge)} == {"C"}


def test_it_ends_where_the_others_rest() -> None:
    sound = join(tone(3), without(tone(5), 1), nothing(8))
    assert edges(dead(), blocks(sound)) == [("opened", 3.0), ("closed", 8.0)]


def test_a_change_of_layout_begins_again() -> None:
    stream = [*blocks(join(tone(2), without(tone(5), 1)))]
    stream += blocks(tone(3, channels=1), channels=("M",), at_ns=7 * SECOND)
    assert edges(dead(), stream) == [("opened", 2.0), ("closed", 7.0)]


def test_a_channel_heard_before_media_was_lost_is_known_behind_it() -> None:
    behind = join(speech(0.1, seed=1), without(speech(5.0, seed=2), 1), speech(3.0, seed=3))
    stream = [*blocks(speech(3.0)), *blocks(behind, at_ns=19 * SECOND)]
    found = [f for f in findings(dead(), stream) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.channel) for f in found] == [("opened", "R"), ("closed", "R")]
    assert [f.at_ns / SECOND for f in found] == pytest.approx([19.1, 24.1], abs=0.05)
    assert found[0].certain_at_ns / SECOND < 24.0
    longer = [*blocks(speech(3.0)), *blocks(without(speech(5.0, seed=2), 1), at_ns=40 * SECOND)]
    assert edges(dead(), longer) == []


def test_each_channel_is_measured_once_a_second() -> None:
    assert len(measured(dead(), blocks(tone(3)), "channel_level")) == 6


def test_one_that_was_open_before_the_first_sample_goes_on() -> None:
    detector = dead()
    peak = Peak("channel_level", -120.0, "dBFS")
    detector.adopt(
        DefectEdge(
            Edge.OPENED, "channel_silence", "channel_silence", "audio:0", -9 * SECOND, -6 * SECOND, Severity.ERROR,
            peak, -60.0, channel="R",
        )
    )  # fmt: skip
    sound = join(without(speech(5.0), 1), speech(3.0, seed=2))
    found = [f for f in findings(detector, blocks(sound)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.channel) for f in found] == [("opened", "R"), ("closed", "R")]
    assert found[1].at_ns / SECOND == pytest.approx(5.0, abs=0.05)
