"""Programme put together from sources as an editor would: shots, cuts, dissolves, fades, and sound beneath them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Literal, cast

import cv2
import numpy as np

from benchmarks import made
from benchmarks.media import RATE_HZ, Coding, read_pictures, read_sound, scaled, write
from benchmarks.sources import MADE, Source
from tests.injection import Picture, Sound

Size = tuple[int, int]  # width, height of luma

MASTER_SIZE: Size = (640, 360)
MASTER_S = 20.0  # of each source at most
MASTER = Coding(preset="ultrafast", crf=14, gop=25)
RATES = (Fraction(24), Fraction(25), Fraction(30_000, 1001), Fraction(30))
SIZES: tuple[Size, ...] = ((640, 360), (512, 288), (416, 234))
STILLS = 0.06  # of the shots: a photograph in a programme
LEAST_LIGHT = 45.0  # 8-bit code values, mean luma of a still: one out of a fade would be black
PADDING = 10 ** (-70 / 20)  # what lies below, before the first and after the last sound of a file, is none
CUT_SOUND_S = 0.012  # sound is never cut harder than this

Transition = Literal["cut", "dissolve", "black", "white"]


@dataclass(frozen=True, slots=True)
class Span:
    """From when on (media seconds) a source is seen or heard."""

    start_s: float
    source: Source


@dataclass(slots=True)
class Log:
    """What a programme consists of, filled in as it is made."""

    pictures: list[Span] = field(default_factory=list)
    sounds: list[Span] = field(default_factory=list)

    def at(self, track: str | None, start_s: float, end_s: float) -> list[Source]:
        """The sources seen or heard in an interval, edges included; of both kinds when the track is not told."""
        kind = (track or "").partition(":")[0]
        lists = {"video": [self.pictures], "audio": [self.sounds]}.get(kind, [self.pictures, self.sounds])
        found: list[Source] = []
        for spans in lists:
            for index, span in enumerate(spans):
                ends = spans[index + 1].start_s if index + 1 < len(spans) else float("inf")
                if span.start_s <= end_s + 0.5 and ends >= start_s - 0.5:
                    found.append(span.source)
        return found


def pictures(
    rng: np.random.Generator,
    sources: Sequence[Source],
    count: int,
    size: Size,
    fps: Fraction,
    cache: Path,
    log: Log,
    *,
    only_cuts: bool = False,
) -> Iterator[Picture]:
    """`count` pictures: shots of 2 to 9 s; every source has its turn before one comes again.

    The pictures of a source are shown one by one at `fps`, whatever their own rate (25 or so are played
    at 24 or 30), so that none is repeated or left out. A source that ends is followed by the next.
    """
    turns = _turns(rng, sources)
    held: list[Picture] = []  # the end of a shot that will be blended with the next
    done = 0
    while done < count:
        source = next(turns)
        wanted = max(8, int(rng.uniform(2.0, 9.0) * fps))
        still = source.path is not None and not only_cuts and rng.random() < STILLS
        shot = list(islice(_shot(rng, source, size, fps, cache, still=still), wanted))
        if len(shot) < 8:
            continue
        if still:
            source = replace(source, name=source.name + " (still)")
        log.pictures.append(Span(float(done / fps), source))
        if held:
            mixed = [
                _mix(a, b, (i + 1) / (len(held) + 1))
                for i, (a, b) in enumerate(zip(held, shot, strict=False))
            ]
            shot = mixed + shot[len(held) :]
            held = []
        change = _draw_transition(rng, only_cuts)
        if change == "dissolve":
            length = min(len(shot) // 3, int(rng.uniform(0.4, 1.2) * fps))
            held = shot[len(shot) - length :]
            shot = shot[: len(shot) - length]
        elif change != "cut":
            shot = _faded(rng, shot, fps, 16 if change == "black" else 235)
        yield from shot[: count - done]
        done += len(shot)


def _turns(rng: np.random.Generator, sources: Sequence[Source]) -> Iterator[Source]:
    while True:
        for index in rng.permutation(len(sources)):
            yield sources[int(index)]


def _draw_transition(rng: np.random.Generator, only_cuts: bool) -> Transition:
    if only_cuts:
        return "cut"
    return cast(Transition, str(rng.choice(("cut", "dissolve", "black", "white"), p=(0.7, 0.15, 0.12, 0.03))))


def _faded(rng: np.random.Generator, shot: list[Picture], fps: Fraction, level: int) -> list[Picture]:
    """The shot fades to black (or white) and stays there for less than a second."""
    ramp = min(len(shot) // 2, int(rng.uniform(0.4, 1.5) * fps))
    end: Picture = (
        np.full_like(shot[0][0], level),
        np.full_like(shot[0][1], 128),
        np.full_like(shot[0][2], 128),
    )
    out = shot[: len(shot) - ramp]
    out += [_mix(p, end, (i + 1) / ramp) for i, p in enumerate(shot[len(shot) - ramp :])]
    return out + [end] * int(rng.uniform(0.0, 0.8) * fps)


def _mix(one: Picture, two: Picture, share: float) -> Picture:
    planes = [
        np.asarray(cv2.addWeighted(a, 1 - share, b, share, 0), np.uint8)
        for a, b in zip(one, two, strict=True)
    ]
    return (planes[0], planes[1], planes[2])


def _shot(
    rng: np.random.Generator, source: Source, size: Size, fps: Fraction, cache: Path, *, still: bool
) -> Iterator[Picture]:
    if source.path is None:
        yield from made.pictures(source.name.removeprefix(MADE), rng, size, float(fps))
        return
    file = master(source, cache)
    start = rng.uniform(0.0, max(0.0, min(source.seconds, MASTER_S) - 4.0))
    small: Picture | None = None
    for picture in read_pictures(file, MASTER_SIZE, start_s=start):
        small = scaled(picture, size)
        if still and float(small[0].mean()) < LEAST_LIGHT:
            continue
        while still:
            yield small
        yield small
    while still and small is not None:
        yield small


def some_picture(rng: np.random.Generator, source: Source, cache: Path) -> Picture:
    """One picture of a source, in the size of masters."""
    return next(_shot(rng, source, MASTER_SIZE, Fraction(25), cache, still=True))


def master(source: Source, cache: Path) -> Path:
    """The source in the size of all, coded finely, one picture after the other; made when first asked for."""
    assert source.path is not None
    path = (
        cache
        / f"{source.name.replace('/', '_')}-{source.path.stat().st_size}-{MASTER_SIZE[1]}-{MASTER_S:g}.mp4"
    )
    if not path.exists():
        partial = path.with_name(f"{path.name}.{os.getpid()}")
        step = 2 if source.fps >= 48 else 1
        rate = Fraction(source.fps / step).limit_denominator(1001)
        every = islice(read_pictures(source.path, MASTER_SIZE, most_s=MASTER_S), 0, None, step)
        write(partial, every, None, rate, MASTER)
        partial.replace(path)
    return path


def sound(
    rng: np.random.Generator, sources: Sequence[Source], samples: int, log: Log, *, even: bool = False
) -> Sound:
    """(2, samples) of programme: pieces of 3 to 14 s at the levels of programme, joined without clicks.

    `even` keeps all pieces near one loudness.
    """
    out = np.zeros((2, samples), np.float32)
    edge = int(CUT_SOUND_S * RATE_HZ)
    ramp = np.linspace(0, 1, edge, dtype=np.float32)
    turns = _turns(rng, sources)
    done = 0
    while done < samples:
        source = next(turns)
        whole = _levelled(source, int(rng.integers(4)))
        wanted = int(rng.uniform(3.0, 14.0) * RATE_HZ)
        if whole.shape[1] < 4 * edge:
            continue
        start = int(rng.integers(max(1, whole.shape[1] - wanted)))
        piece = whole[:, start : start + wanted].copy()
        piece *= _gain(rng, even)
        piece[:, :edge] *= ramp
        piece[:, -edge:] *= ramp[::-1]
        log.sounds.append(Span(done / RATE_HZ, source))
        part = min(piece.shape[1], samples - done)
        out[:, done : done + part] += piece[:, :part]
        done += max(edge, piece.shape[1] - edge)
    return out


def _gain(rng: np.random.Generator, even: bool) -> np.float32:
    return np.float32(10 ** ((rng.uniform(-1.0, 1.0) if even else rng.uniform(-4.0, 2.0)) / 20))


@lru_cache(maxsize=32)
def _levelled(source: Source, seed: int) -> Sound:
    """A source at about -23 dBFS (RMS of what is not pause), peaks below -3 dBFS; quiet ones stay quieter."""
    if source.path is None:
        return made.sound(source.name.removeprefix(MADE), seed)
    samples = _unpadded(read_sound(source.path))
    if samples.shape[1] < RATE_HZ // 2:
        return samples[:, :0]
    blocks = samples[:, : samples.shape[1] // 4800 * 4800].reshape(2, -1, 4800)
    power = np.sort((blocks**2).mean(axis=(0, 2)))[::-1]
    level = 10 * np.log10(max(1e-12, float(power[: max(1, len(power) // 2)].mean())))
    peak = 20 * np.log10(max(1e-6, float(np.abs(samples).max())))
    gain = min(-23.0 - level, -5.0 - peak, 30.0)
    return np.asarray(samples * np.float32(10 ** (gain / 20)), np.float32)


def _unpadded(samples: Sound) -> Sound:
    """Without the digital silence that coders put before and after a file's sound: played out, it would be a hole."""
    heard = np.flatnonzero(np.abs(samples).max(axis=0, initial=0.0) > PADDING)
    return samples[:, heard[0] : heard[-1] + 1] if len(heard) else samples[:, :0]
