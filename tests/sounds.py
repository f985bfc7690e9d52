"""Known sounds, and how they are cut into blocks as ingest would cut them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from detectors.frame import Block
from tests.injection import Sound

RATE_HZ = 48_000
TRACK = "audio:0"
SECOND = 1_000_000_000
STEREO = ("L", "R")


def amplitude(dbfs: float) -> float:
    """The sample value of a level."""
    return float(10 ** (dbfs / 20))


def tone(
    seconds: float,
    dbfs: float = -23.0,
    *,
    hz: float = 1000.0,
    rate_hz: int = RATE_HZ,
    channels: int = 2,
    phase_degrees: float = 0.0,
) -> Sound:
    """A sine whose peak is at `dbfs`, the same on all channels."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    wave = amplitude(dbfs) * np.sin(2 * np.pi * hz * at + np.deg2rad(phase_degrees))
    return np.tile(wave.astype(np.float32), (channels, 1))


def nothing(seconds: float, *, rate_hz: int = RATE_HZ, channels: int = 2) -> Sound:
    """Digital silence."""
    return np.zeros((channels, round(seconds * rate_hz)), np.float32)


def noise(
    seconds: float, dbfs: float = -30.0, *, rate_hz: int = RATE_HZ, channels: int = 2, seed: int = 0
) -> Sound:
    """White noise of that root mean square, independent on each channel."""
    rng = np.random.default_rng(seed)
    wave = rng.normal(size=(channels, round(seconds * rate_hz))) * amplitude(dbfs)
    return np.asarray(wave, np.float32)


def speech(
    seconds: float, dbfs: float = -26.0, *, rate_hz: int = RATE_HZ, channels: int = 2, seed: int = 0
) -> Sound:
    """Voiced syllables of changing pitch and strength over room tone, with pauses of 0.2 to 0.8 s."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    envelope = np.zeros(count)
    place = 0
    while place < count:
        for _ in range(int(rng.integers(3, 9))):
            length = round(rng.uniform(0.12, 0.3) * rate_hz)
            part = envelope[place : place + length]
            part[:] = rng.uniform(0.3, 1.0) * np.hanning(length)[: len(part)] ** 0.7
            place += round(length * 0.9)
        place += round(rng.uniform(0.2, 0.8) * rate_hz)
    at = np.arange(count) / rate_hz
    pitch = 130 * 2 ** (0.25 * np.sin(2 * np.pi * 0.31 * at) + 0.1 * np.sin(2 * np.pi * 2.3 * at))
    angle = 2 * np.pi * np.cumsum(pitch) / rate_hz
    voice = envelope * sum((np.sin(k * angle + 1.7 * k * k) / k for k in range(1, 25)), np.zeros(count))
    hiss = (
        np.diff(rng.normal(size=count + 1))
        * envelope
        * (rng.random(count // 4000 + 1) < 0.2).repeat(4000)[:count]
    )
    mixed = voice + 0.15 * hiss
    mixed *= amplitude(dbfs) / np.sqrt(np.mean(mixed**2))
    room = rng.normal(size=(channels, count)) * amplitude(-62.0)
    return np.asarray(mixed * np.linspace(1.0, 0.8, channels)[:, None] + room, np.float32)


def music(
    seconds: float, dbfs: float = -20.0, *, rate_hz: int = RATE_HZ, channels: int = 2, seed: int = 0
) -> Sound:
    """Chords of decaying harmonics, a bass and a beat, different left and right."""
    rng = np.random.default_rng(seed)
    count = round(seconds * rate_hz)
    out = np.zeros((channels, count))
    beat = round(0.25 * rate_hz)
    at = np.arange(4 * beat) / rate_hz
    for number, place in enumerate(range(0, count, beat)):
        length = min(4 * beat, count - place)
        root = 110.0 * 2 ** (rng.integers(0, 12) / 12)
        note = np.zeros(len(at))
        for ratio in (1.0, 1.26, 1.5):
            for k in range(1, 7):
                note += (
                    np.sin(2 * np.pi * k * root * ratio * at + rng.uniform(0, 6)) / k * np.exp(-at * (1 + k))
                )
        if number % 2 == 0:
            note += 2.0 * np.sin(2 * np.pi * 55.0 * at) * np.exp(-4 * at)
            note += rng.normal(size=len(at)) * np.exp(-60 * at)
        out[:, place : place + length] += rng.uniform(0.6, 1.0, (channels, 1)) * note[:length]
    return np.asarray(out * amplitude(dbfs) / np.sqrt(np.mean(out**2)), np.float32)


def join(*parts: Sound) -> Sound:
    """One after another."""
    return np.concatenate(parts, axis=1)


def blocks(
    samples: Sound,
    *,
    rate_hz: int = RATE_HZ,
    channels: Sequence[str] = STEREO,
    at_ns: int = 0,
    first: int | None = None,
) -> list[Block]:
    """`samples` in blocks of 100 ms; `first` is how many samples the first block has, to shift the cuts."""
    size = rate_hz // 10
    cuts = [0, *range(size if first is None else first, samples.shape[1], size), samples.shape[1]]
    return [
        Block(
            TRACK,
            at_ns + begin * SECOND // rate_hz,
            (end - begin) * SECOND // rate_hz,
            np.ascontiguousarray(samples[:, begin:end]),
            rate_hz,
            tuple(channels),
        )
        for begin, end in pairwise(cuts)
        if end > begin
    ]
