"""True peak: what lies between the samples."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Measurement, Severity
from detectors.sound.true_peak import DETECTOR, TruePeak, TruePeakParams
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import amplitude, blocks, join, music, speech, tone


def _too_hot(samples: Sound, moment: Moment) -> Sound:
    """Attacks that a slow compressor lets through: eleven a second pass full scale, round and for some 2 ms each.

    Samples above full scale pass from one floating-point stage to the next, lossy coding among them.
    """
    top = amplitude({Level.JUST: 2.2, Level.PLAIN: 5.0, Level.GROSS: 7.0}[moment.level])
    rate, gain = moment.rate_hz, np.ones(samples.shape[1])
    size, reach = round(0.09 * rate), round(0.004 * rate)
    peaks = np.abs(samples).max(axis=0)
    for begin in range(0, samples.shape[1], size):
        at = begin + int(peaks[begin : begin + size].argmax())
        lift = top / max(1e-4, float(peaks[at])) - 1.0  # pauses too: the fault is there from its beginning
        around = np.arange(max(0, at - reach), min(len(gain), at + reach))
        gain[around] += max(0.0, lift) * np.exp(-0.5 * ((around - at) / (0.0008 * rate)) ** 2)
    return np.asarray(samples * gain, np.float32)


FAULT = Fault("true_peak", (4.0, 10.0), sound=_too_hot)


def true_peak(**params: float) -> TruePeak:
    return DETECTOR(TruePeakParams(**params), "audio:0")


def test_golden_between_the_samples() -> None:
    # A quarter of the sampling rate, at 45 degrees: no sample comes nearer than 3 dB to the peak.
    hot = tone(2.0, 2.5, hz=12_000, phase_degrees=45)
    assert np.abs(hot).max() < 1.0
    found = findings(true_peak(), blocks(join(speech(3), hot, speech(6))))
    edge = [f for f in found if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity) for f in edge] == [
        ("opened", Severity.WARNING),
        ("closed", Severity.WARNING),
    ]
    assert [f.at_ns / 1e9 for f in edge] == pytest.approx([3.0, 5.0], abs=0.001)
    (highest,) = [f for f in found if isinstance(f, Measurement) and f.final]
    assert (highest.name, highest.unit) == ("true_peak_max", "dBTP")
    assert highest.value == pytest.approx(2.5, abs=0.7)


@pytest.mark.parametrize("place_s", [3.0123, 3.0999, 3.1, 3.25])
def test_dated_at_the_first_value_over_the_limit(place_s: float) -> None:
    """A short burst anywhere in a block: its own beginning and end, not the block's."""
    sound, burst = speech(8), tone(0.02, 4.0)
    first = round(place_s * 48_000)
    sound[:, first : first + burst.shape[1]] = burst
    (opened, begin), (closed, end) = edges(true_peak(), blocks(sound))
    assert (opened, closed) == ("opened", "closed")
    assert (begin, end) == pytest.approx((place_s, place_s + 0.02), abs=0.001)


def test_above_the_limit_for_deliverables_is_a_property() -> None:
    found = findings(true_peak(), blocks(join(speech(2), tone(1, -0.5), speech(2))))
    assert [f.severity for f in found if isinstance(f, DefectEdge)] == [Severity.INFO]


def test_below_the_limit_nothing_is_said() -> None:
    assert edges(true_peak(), blocks(join(music(3), tone(3, -1.1)))) == []


def test_a_profile_may_ask_for_an_alarm_at_the_limit() -> None:
    found = findings(true_peak(alarm_dbtp=-1.0), blocks(join(speech(2), tone(1, -0.5))))
    assert Severity.WARNING in [f.severity for f in found if isinstance(f, DefectEdge)]


def test_peaks_that_follow_one_another_are_one_episode() -> None:
    again = join(tone(0.1, 3.0), speech(2.0))
    assert [e for e, _ in edges(true_peak(), blocks(join(*[again] * 3, speech(4))))] == ["opened", "closed"]


def test_an_alarm_ends_the_episode_of_lesser_peaks() -> None:
    sound = join(tone(3, -0.5), tone(1, 3.0), speech(4))
    found = [f for f in findings(true_peak(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity.value) for f in found] == [
        ("opened", "info"),
        ("closed", "info"),
        ("opened", "warning"),
        ("closed", "warning"),
    ]


@pytest.mark.parametrize("dbfs", [-40.0, -6.0, -0.2])
def test_the_maximum_is_exact_at_any_level(dbfs: float) -> None:
    sound = tone(2, dbfs, hz=11_900, phase_degrees=30)
    (highest,) = measured(true_peak(), blocks(sound), "true_peak_max")
    assert highest == pytest.approx(dbfs, abs=0.3)


def test_an_alarm_begins_with_the_lesser_peaks_right_before_it() -> None:
    sound = join(speech(3), tone(0.02, 0.5), speech(0.4), tone(0.02, 3.0), speech(6))
    found = [f for f in findings(true_peak(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity.value) for f in found] == [("opened", "warning"), ("closed", "warning")]
    assert [f.at_ns / 1e9 for f in found] == pytest.approx([3.0, 3.44], abs=0.002)
    assert found[0].certain_at_ns / 1e9 == pytest.approx(3.44, abs=0.002)


def test_a_single_lesser_peak_is_told_when_it_was_no_beginning() -> None:
    found = findings(true_peak(), blocks(join(speech(3), tone(0.02, 0.5), speech(13))))
    edge = [f for f in found if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.severity.value) for f in edge] == [("opened", "info"), ("closed", "info")]
    assert [f.at_ns / 1e9 for f in edge] == pytest.approx([3.0, 3.02], abs=0.002)
    assert edge[0].certain_at_ns / 1e9 == pytest.approx(5.0, abs=0.11)
