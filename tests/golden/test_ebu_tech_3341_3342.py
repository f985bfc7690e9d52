"""The loudness meter and the true peak against the signals of EBU Tech 3341 and Tech 3342.

All that can be synthesised from their descriptions. Left out: cases 7 and 8 of Tech 3341 and 5 and 6 of Tech 3342,
which are authentic programme. Cases 20 to 23 are synthesised here after their description (a burst at four times the
sampling rate, band-limited and decimated at each of the four offsets), their exact samples not being published as text.
"""

import numpy as np
import pytest

from contracts.findings import Measurement
from detectors.sound.loudness import Loudness, LoudnessParams
from detectors.sound.true_peak import TruePeak, TruePeakParams
from tests.injection import Sound
from tests.run import findings, measured
from tests.sounds import blocks, join, nothing, tone

RATES = (44_100, 48_000, 96_000)


def finals(sound: Sound, rate_hz: int = 48_000, channels: tuple[str, ...] = ("L", "R")) -> dict[str, float]:
    """The report's numbers, by name without `loudness_`."""
    stream = blocks(sound, rate_hz=rate_hz, channels=channels)
    found = findings(Loudness(LoudnessParams(), "audio:0"), stream)
    return {
        f.name.removeprefix("loudness_"): f.value for f in found if isinstance(f, Measurement) and f.final
    }


def steps(*levels: tuple[float, float], rate_hz: int = 48_000) -> Sound:
    """1 kHz tones of (dBFS, seconds), one after another."""
    return join(*[tone(seconds, dbfs, rate_hz=rate_hz) for dbfs, seconds in levels])


INTEGRATED = {
    1: ([(-23.0, 20.0)], -23.0),
    2: ([(-33.0, 20.0)], -33.0),
    3: ([(-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0)], -23.0),
    4: ([(-72.0, 10.0), (-36.0, 10.0), (-23.0, 60.0), (-36.0, 10.0), (-72.0, 10.0)], -23.0),
    5: ([(-26.0, 20.0), (-20.0, 20.1), (-26.0, 20.0)], -23.0),
}


@pytest.mark.parametrize(
    ("case", "rate_hz"), [(case, rate) for case in INTEGRATED for rate in RATES if case <= 2 or rate < 96_000]
)
def test_3341_integrated(case: int, rate_hz: int) -> None:
    levels, expected = INTEGRATED[case]
    values = finals(steps(*levels, rate_hz=rate_hz), rate_hz)
    assert values["integrated"] == pytest.approx(expected, abs=0.1)
    if case <= 2:
        assert values["momentary_max"] == pytest.approx(expected, abs=0.1)
        assert values["short_term_max"] == pytest.approx(expected, abs=0.1)


@pytest.mark.parametrize("rate_hz", RATES)
def test_3341_case_6_surround(rate_hz: int) -> None:
    levels = (-28.0, -28.0, -24.0, -30.0, -30.0)
    sound = np.concatenate([tone(20, level, rate_hz=rate_hz, channels=1) for level in levels])
    names = ("L", "R", "C", "Ls", "Rs")
    assert finals(sound, rate_hz, names)["integrated"] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize(
    ("case", "first", "second", "repeats", "name", "settled"),
    [
        (9, (-20.0, 1.34), (-30.0, 1.66), 5, "short_term", 3),
        (12, (-20.0, 0.18), (-30.0, 0.22), 25, "momentary", 1),
    ],
)
def test_3341_constant_while_the_signal_repeats(
    case: int, first: tuple[float, float], second: tuple[float, float], repeats: int, name: str, settled: int
) -> None:
    sound = steps(*[first, second] * repeats)
    values = measured(Loudness(LoudnessParams(), "audio:0"), blocks(sound), f"loudness_{name}")
    assert len(values) >= 8, case
    assert values == pytest.approx([-23.0] * len(values), abs=0.1)
    assert finals(sound)[f"{name}_max"] == pytest.approx(-23.0, abs=0.1)


@pytest.mark.parametrize("index", range(20))
@pytest.mark.parametrize(
    ("case", "delay_s", "length_s", "name"),
    [(10, 0.15, 3.0, "short_term_max"), (13, 0.02, 0.4, "momentary_max")],
)
def test_3341_maximum_wherever_the_tone_begins(
    case: int, delay_s: float, length_s: float, name: str, index: int
) -> None:
    sound = join(nothing(index * delay_s), tone(length_s, -23.0), nothing(1.0))
    assert finals(sound)[name] == pytest.approx(-23.0, abs=0.1), case


@pytest.mark.parametrize(
    ("case", "delay_s", "length_s", "name"),
    [(11, 0.15, 3.0, "short_term_max"), (14, 0.02, 0.4, "momentary_max")],
)
def test_3341_maximum_of_a_rising_staircase(case: int, delay_s: float, length_s: float, name: str) -> None:
    parts: list[Sound] = []
    for index in range(20):
        rest = (20 * delay_s if case == 11 else length_s) - index * delay_s
        parts += [nothing(index * delay_s), tone(length_s, -38.0 + index), nothing(max(rest, 0.0))]
        if index in (0, 7, 13, 19):
            assert finals(join(*parts))[name] == pytest.approx(-38.0 + index, abs=0.1)


def true_peak(sound: Sound, rate_hz: int = 48_000) -> float:
    """dBTP of the whole."""
    stream = blocks(sound, rate_hz=rate_hz)
    (value,) = measured(TruePeak(TruePeakParams(), "audio:0"), stream, "true_peak_max")
    return value


def faded(sound: Sound, rate_hz: int) -> Sound:
    """With 20 ms of fade at both ends, so that the onset itself does not ring."""
    ramp = np.minimum(1.0, np.arange(sound.shape[1]) / (0.02 * rate_hz))
    return np.asarray(sound * np.minimum(ramp, ramp[::-1]), np.float32)


@pytest.mark.parametrize("rate_hz", RATES)
@pytest.mark.parametrize(
    ("case", "divisor", "phase", "dbfs", "expected"),
    [
        (15, 4, 0.0, -6.02, -6.0),
        (16, 4, 45.0, -6.02, -6.0),
        (17, 6, 60.0, -6.02, -6.0),
        (18, 8, 67.5, -6.02, -6.0),
        (19, 4, 45.0, 2.98, 3.0),
    ],
)
def test_3341_true_peak_of_sines(
    case: int, divisor: int, phase: float, dbfs: float, expected: float, rate_hz: int
) -> None:
    sound = tone(1.0, dbfs, hz=rate_hz / divisor, rate_hz=rate_hz, phase_degrees=phase)
    value = true_peak(faded(sound, rate_hz), rate_hz)
    assert expected - 0.4 <= value <= expected + 0.2, case


@pytest.mark.parametrize("offset", range(4))
def test_3341_true_peak_between_samples_20_to_23(offset: int) -> None:
    count, fine = 4096, 4 * 48_000
    at = np.arange(4 * count) / fine
    wave = 0.5 * np.sin(2 * np.pi * 8000.0 * at)
    middle = np.exp(-(((at - at[-1] / 2) * 4000) ** 2))
    wave = wave * (1 - middle) + middle * np.cos(2 * np.pi * 8000.0 * (at - at[2 * count]))
    spectrum = np.fft.rfft(wave)
    spectrum[np.fft.rfftfreq(len(wave), 1 / fine) > 20_000] = 0.0
    band_limited = np.fft.irfft(spectrum, len(wave))
    expected = 20 * np.log10(np.abs(band_limited[1000:-1000]).max())
    sound = np.tile(band_limited[offset::4].astype(np.float32), (2, 1))
    value = true_peak(faded(sound, 48_000))
    assert expected == pytest.approx(0.0, abs=0.05)
    assert expected - 0.4 <= value <= expected + 0.2


RANGE = {
    1: ([(-20.0, 20.0), (-30.0, 20.0)], 10.0),
    2: ([(-20.0, 20.0), (-15.0, 20.0)], 5.0),
    3: ([(-40.0, 20.0), (-20.0, 20.0)], 20.0),
    4: ([(-50.0, 20.0), (-35.0, 20.0), (-20.0, 20.0), (-35.0, 20.0), (-50.0, 20.0)], 15.0),
}


@pytest.mark.parametrize(
    ("case", "rate_hz"), [(case, rate) for case in RANGE for rate in RATES if case <= 1 or rate < 96_000]
)
def test_3342_loudness_range(case: int, rate_hz: int) -> None:
    levels, expected = RANGE[case]
    assert finals(steps(*levels, rate_hz=rate_hz), rate_hz)["range"] == pytest.approx(expected, abs=1.0)
