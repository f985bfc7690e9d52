"""Clipping: flat tops, exact or smeared by a lossy codec, and sounds that only look like them."""

import io
from typing import Any

import av
import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.sound.clipping import DETECTOR, Clipping, ClippingParams, exact_runs
from tests.injection import Fault, Level, Moment, Sound
from tests.run import edges, findings, measured
from tests.sounds import RATE_HZ, blocks, join, music, noise, nothing, speech, tone


def clipped(samples: Sound, drive_db: float, ceiling: float) -> Sound:
    """Driven so many dB beyond what all but a thousandth of the samples need, then cut."""
    high = max(1e-6, float(np.quantile(np.abs(samples), 0.999)))
    driven = samples * (10 ** (drive_db / 20) * ceiling / high)
    return np.asarray(np.clip(driven, -ceiling, ceiling), np.float32)


def _overdriven(samples: Sound, moment: Moment) -> Sound:
    # Against the upper two fifths of all 50 ms, so that the overload is heard throughout and not on a single word.
    drive = {Level.JUST: 0.0, Level.PLAIN: 8.0, Level.GROSS: 14.0}[moment.level]
    size = max(1, moment.rate_hz // 20)
    peaks = np.maximum.reduceat(np.abs(samples).max(axis=0), np.arange(0, samples.shape[1], size))
    ceiling = float(moment.rng.uniform(0.5, 1.0))
    gain = 10 ** (drive / 20) * ceiling / max(1e-6, float(np.quantile(peaks, 0.6)))
    over = np.flatnonzero((np.abs(samples) * gain > ceiling).any(axis=0))
    if len(over):
        moment.broke = int(over[0]), int(over[-1]) + 1
    return np.asarray(np.clip(samples * gain, -ceiling, ceiling), np.float32)


FAULT = Fault("clipping", (3.0, 8.0), sound=_overdriven)


def clipping(**params: Any) -> Clipping:
    return DETECTOR(ClippingParams(**params), "audio:0")


def coded(samples: Sound, bit_rate: int = 128_000) -> Sound:
    """`samples` (stereo, 48 kHz) through AAC and back, aligned."""
    file = io.BytesIO()
    with av.open(file, "w", format="mp4") as out:
        stream = out.add_stream("aac", rate=RATE_HZ)
        stream.bit_rate, stream.layout = bit_rate, "stereo"
        for begin in range(0, samples.shape[1], 1024):
            part = np.ascontiguousarray(samples[:, begin : begin + 1024])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate, frame.pts = RATE_HZ, begin
            out.mux(stream.encode(frame))
        out.mux(stream.encode(None))
    file.seek(0)
    with av.open(file, "r") as source:
        parts = [frame.to_ndarray() for frame in source.decode(audio=0)]
    return np.concatenate(parts, axis=1)[:, : samples.shape[1]].astype(np.float32)


PROGRAMME = {
    "speech": speech(10),
    "music": music(10),
    "noise": noise(10, -20),
    "tone": tone(10, 0.0),
    "low tone": tone(10, -3, hz=60),
    "silence": nothing(10),
}


@pytest.mark.parametrize("ceiling", [1.0, 0.3])
def test_golden_exact_flat_tops(ceiling: float) -> None:
    # Above the threshold of the runs and below what the programme reaches anyway.
    sound = join(speech(3.0) * 0.3, clipped(speech(4.0, seed=1), 6.0, ceiling), speech(4.0, seed=2) * 0.3)
    found = [f for f in findings(clipping(), blocks(sound)) if isinstance(f, DefectEdge)]
    assert [f.edge.value for f in found] == ["opened", "closed"]
    assert [f.at_ns / 1e9 for f in found] == pytest.approx([3.0, 7.0], abs=0.5)
    assert found[0].severity is Severity.ERROR
    assert found[0].detail is not None
    assert f"{20 * np.log10(ceiling):.1f} dBFS" in found[0].detail


@pytest.mark.parametrize("make", [speech, music])
@pytest.mark.parametrize("drive_db", [12.0, 18.0])
def test_golden_flat_tops_after_lossy_coding(make: Any, drive_db: float) -> None:
    sound = coded(join(make(3.0) * 0.3, clipped(make(5.0, seed=1), drive_db, 0.7), make(4.0, seed=2) * 0.3))
    found = edges(clipping(), blocks(sound))
    assert [e for e, _ in found] == ["opened", "closed"]
    assert [at for _, at in found] == pytest.approx([3.0, 8.0], abs=0.5)


@pytest.mark.parametrize("name", sorted(PROGRAMME))
@pytest.mark.parametrize("lossy", [False, True])
def test_silent_on_programme(name: str, lossy: bool) -> None:
    sound = coded(PROGRAMME[name]) if lossy else PROGRAMME[name]
    assert edges(clipping(), blocks(sound)) == []


@pytest.mark.parametrize("bits", [6, 8])
def test_coarse_quantisation_is_no_clipping(bits: int) -> None:
    steps = 2 ** (bits - 1)
    for sound in (music(6), speech(6), tone(6, -1, hz=97)):
        assert edges(clipping(), blocks(np.round(sound * steps).astype(np.float32) / steps)) == []


@pytest.mark.parametrize("hz", [110, 440, 1000])
@pytest.mark.parametrize("lossy", [False, True])
def test_square_waves_are_meant(hz: int, lossy: bool) -> None:
    wave = (0.7 * np.sign(tone(6, hz=hz, phase_degrees=7))).astype(np.float32)
    assert edges(clipping(), blocks(coded(wave) if lossy else wave)) == []


@pytest.mark.parametrize("lossy", [False, True])
def test_a_limiter_leaves_round_tops(lossy: bool) -> None:
    sound = music(10, -8.0)
    window = 480
    peak = np.abs(sound).max(axis=0)
    held = np.maximum.reduce([np.roll(peak, k) for k in range(-window, window, 24)])
    smooth = np.convolve(np.maximum(held, 0.6), np.hanning(window) / np.hanning(window).sum(), "same")
    limited = (sound * (0.9 / smooth)).astype(np.float32)
    assert edges(clipping(), blocks(coded(limited) if lossy else limited)) == []


def test_a_single_overload_is_no_defect() -> None:
    sound = speech(8)
    sound[:, 200_000:201_000] = np.clip(sound[:, 200_000:201_000] * 30, -0.8, 0.8)
    assert edges(clipping(), blocks(sound)) == []


@pytest.mark.parametrize("polarity", [1.0, -1.0])
@pytest.mark.parametrize("place_s", [2.9, 3.88])
@pytest.mark.parametrize("lasts_s", [0.6, 1.0])
def test_an_offset_that_settles_is_no_ceiling(polarity: float, place_s: float, lasts_s: float) -> None:
    """A camera's microphone begins with an offset that dies away: all samples are on one side of zero."""
    sound = speech(7) * np.float32(0.2)
    first = round(place_s * RATE_HZ)
    t = np.arange(sound.shape[1] - first) / RATE_HZ
    settling = polarity * 0.25 / (1 + np.exp((t - lasts_s) / 0.05))
    sound[:, first:] = noise(7, -30)[:, first:] * np.exp(-t) + settling
    assert edges(clipping(), blocks(sound)) == []


def test_flat_tops_upon_an_offset_are_told() -> None:
    sound = clipped(speech(6), 15.0, 0.4)
    assert [e for e, _ in edges(clipping(), blocks(np.asarray(sound + 0.1, np.float32)))][:1] == ["opened"]


def test_runs_are_counted_on_either_polarity() -> None:
    wave = clipped(tone(1.0, hz=200), 6.0, 0.5)[0]
    assert exact_runs(wave)[0] == pytest.approx(200, abs=2)
    assert exact_runs(np.maximum(wave, -0.5) - 0.2)[1] == pytest.approx(0.7)
    assert exact_runs(tone(1.0, hz=200)[0])[0] == 0


def test_its_measurements_tell_flat_from_round() -> None:
    round_tops, flat = blocks(speech(4)), blocks(clipped(speech(4), 15.0, 0.8))
    for name in ("flat_top_pile", "flat_top_squareness", "flat_top_runs"):
        assert max(measured(clipping(), round_tops, name)) < max(measured(clipping(), flat, name))
