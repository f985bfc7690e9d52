"""The kernels in C and what stands beside them in numpy and OpenCV agree, whatever they are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import native
from detectors.detail import DETAIL
from detectors.frame import Block, Feature, Frame
from detectors.grid import GRID_RATIO
from detectors.picture import _flashing, tearing
from detectors.picture.banding import LEVELS_OF
from detectors.picture.combing import COMBED
from detectors.picture.flash import LIGHT
from detectors.picture_features import (
    CHROMA_SMALL,
    LUMA_CHANGE,
    LUMA_HALF,
    LUMA_HISTOGRAM,
    LUMA_SMALL,
    LUMA_SPREAD,
    LUMA_STRIPS,
)
from detectors.shots import PATCHES
from detectors.sound.audio_repeat import _by_shift
from detectors.sound.clipping import _shares, exact_runs
from detectors.sound_features import FINE, K_WEIGHTED, LEVELS, LOW_RATE, PAIR, TRUE_PEAK

if native.kernels is None:
    pytest.skip("the package was built without a compiler", allow_module_level=True)

RATES = st.sampled_from([8000, 22050, 32000, 44100, 48000, 96000])


def both(compute: Callable[[], Any]) -> tuple[Any, Any]:
    """What the kernels say, and what is said without them."""
    kernels = native.kernels
    with_them = compute()
    native.kernels = None
    try:
        return with_them, compute()
    finally:
        native.kernels = kernels


def picture(rng: np.random.Generator, height: int, width: int, depth: int) -> npt.NDArray[Any]:
    """Bands, an even slope and grain of some strength, as a view of memory with gaps between its lines."""
    down, across = np.mgrid[0:height, 0:width]
    drawn = 128 + 60 * np.sin(down / rng.uniform(3, 60)) + across * rng.uniform(-0.1, 0.1)
    drawn = (
        drawn - drawn % rng.integers(1, 12) + rng.normal(0, rng.choice([0.0, 1.0, 4.0, 40.0]), drawn.shape)
    )
    drawn[rng.random(drawn.shape) < 0.02] += rng.choice([0.0, 90.0])
    codes = np.clip(drawn, 0, 255) * (1 << (depth - 8)) + rng.integers(0, 1 << (depth - 8), drawn.shape)
    room = np.zeros((height, width + int(rng.integers(0, 40))), np.uint8 if depth == 8 else np.uint16)
    room[:, :width] = codes
    return room[:, :width]


def pair(seed: int, height: int, width: int, depth: int) -> Callable[[], Frame]:
    """A picture and the one before it, made anew each time."""
    rng = np.random.default_rng(seed)
    before, now = picture(rng, height, width, depth), picture(rng, height, width, depth)
    if rng.random() < 0.7:  # something of it moves
        now = before.copy()
        now[height // 4 :] = np.roll(now[height // 4 :], int(rng.integers(0, 9)), axis=1)
    chroma = [picture(rng, (height + 1) // 2, (width + 1) // 2, depth) for _ in range(2)]
    full = bool(rng.random() < 0.5)

    def made() -> Frame:
        earlier = Frame("video:0", 0, 1, before, None, depth, full)
        return Frame("video:0", 1, 1, now, (chroma[0], chroma[1]), depth, full, previous=earlier)

    return made


def same(one: Any, other: Any, exactly: bool = True) -> None:
    """Both are the same: numbers, arrays, and tuples of them."""
    if isinstance(one, tuple):
        assert len(one) == len(other)
        for a, b in zip(one, other, strict=True):
            same(a, b, exactly)
    elif one is None or other is None:
        assert one is other
    elif exactly and np.asarray(one).dtype.kind in "biu":
        np.testing.assert_array_equal(one, other)
    else:
        np.testing.assert_allclose(one, other, rtol=2e-4, atol=2e-4)


WHOLE = (
    LUMA_SMALL,
    CHROMA_SMALL,
    LUMA_SPREAD,
    LUMA_HISTOGRAM,
    LUMA_HALF,
    LUMA_STRIPS,
    LIGHT,
    DETAIL,
    COMBED,
)


def _of(made: Callable[[], Frame], feature: Feature[Frame, Any]) -> Any:
    return made()[feature]


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(1, 420), st.integers(1, 700)),
    depth=st.sampled_from([8, 8, 10, 12, 16]),
)
def test_pictures(seed: int, size: tuple[int, int], depth: int) -> None:
    made = pair(seed, *size, depth)
    for feature in WHOLE:
        same(*both(partial(_of, made, feature)))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), size=st.tuples(st.integers(9, 420), st.integers(16, 900)))
def test_changes_levels_and_patches(seed: int, size: tuple[int, int]) -> None:
    made = pair(seed, *size, 8)
    now, plain = both(lambda: made()[LUMA_CHANGE])
    kernels, native.kernels = native.kernels, None
    try:
        tiles, within = plain.tiles, plain.within((2, 6), (3, 13))
    finally:
        native.kernels = kernels
    same(
        (now.mean, now.lines, now.tiles, now.within((2, 6), (3, 13))),
        (plain.mean, plain.lines, tiles, within),
    )
    levels, plain_levels = both(lambda: made()[LEVELS_OF])
    np.testing.assert_allclose(levels.below, plain_levels.below, atol=1e-6)
    np.testing.assert_allclose(levels.combs, plain_levels.combs, atol=2e-3)
    means, plain_means = both(lambda: made()[PATCHES].means)
    assert np.abs(means - plain_means).max() <= 1  # half way between two codes, either may be said
    if min(size) >= 200:
        assert np.mean(means != plain_means) < 0.05


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    size=st.tuples(st.integers(90, 420), st.integers(240, 900)),
    depth=st.sampled_from([8, 10, 12, 16]),
)
def test_the_grid(seed: int, size: tuple[int, int], depth: int) -> None:
    ratio, plain = both(lambda: pair(seed, *size, depth)()[GRID_RATIO])
    same(ratio, plain)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), steps=st.integers(1, 3), marked=st.booleans())
def test_turns(seed: int, steps: int, marked: bool) -> None:
    rng = np.random.default_rng(seed)
    shown = (20 * rng.integers(0, 6, (12, 24, 32))).astype(np.uint8)
    step = 20 * steps
    marks = [np.where(rng.random((24, 32)) < 0.7, 255, 0).astype(np.uint8) if marked else None for _ in shown]

    def follow() -> list[tuple[Any, ...] | None]:
        turns = _flashing._Turns(shown[0], step)
        found = (turns.add(plane, mark) for plane, mark in zip(shown[1:], marks[1:], strict=True))
        return [one and tuple(mask.copy() for mask in one) for one in found]

    for one, other in zip(*both(follow), strict=True):
        same(one, other)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), lines=st.integers(1, 200))
def test_lines_that_rest(seed: int, lines: int) -> None:
    rng = np.random.default_rng(seed)
    past = rng.exponential(2, (tearing.PAST, lines)).astype(np.float32)
    now = (past.mean(axis=0) * rng.choice([0.05, 1.0], lines)).astype(np.float32)
    same(*both(lambda: tearing._quick_look(past, now)))


def blocks(seed: int, rate_hz: int, channels: int) -> Iterator[Block]:
    """A second of sound with clicks, holes, a ceiling and a short last block; each with the one before it."""
    rng = np.random.default_rng(seed)
    size, before = rate_hz // 10, None
    for n in range(10):
        count = size if n < 9 else int(rng.integers(1, size))
        x = rng.normal(0, 10 ** rng.uniform(-4, 0), (channels, count))
        if rng.random() < 0.5:
            x = np.clip(x, -0.5, 0.5)
        x[:, rng.random(count) < 0.001] += 0.5
        block = Block(
            "audio:0", n * 10**8, count * 10**9 // rate_hz, np.asarray(x, np.float32), rate_hz,
            tuple("LRCDEFGH"[:channels]), previous=before,
        )  # fmt: skip
        yield block
        before = block


SOUND: tuple[tuple[Feature[Block, Any], Callable[[Any], Any]], ...] = (
    (LEVELS, lambda levels: (levels.peak, levels.mean_square)),
    (FINE, tuple),
    (K_WEIGHTED, lambda weighted: weighted.energy),
    (PAIR, lambda pair: None if pair is None else (pair.left, pair.right, pair.both, pair.difference)),
    (LOW_RATE, lambda low: (low.samples, low.tail)),
    (TRUE_PEAK, lambda peak: peak.highest),
)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), rate_hz=RATES, channels=st.integers(1, 8))
def test_sound(seed: int, rate_hz: int, channels: int) -> None:
    for feature, values in SOUND:
        with_them, without = both(partial(_of_each, feature, values, seed, rate_hz, channels))
        for one, other in zip(with_them, without, strict=True):
            same(one, other)
    x = np.concatenate([block.samples for block in blocks(seed, rate_hz, 1)], axis=1)[0]
    same(*both(lambda: exact_runs(x)))
    sizes = np.abs(x[::3])
    same(*both(lambda: _shares(sizes, 0.1, 0.3, 40.0)))
    products, window = x[: len(x) // 2], len(x) - len(x) // 2 + 1
    same(*both(lambda: _by_shift(x, products, window)))


def _of_each(feature: Feature[Block, Any], values: Callable[[Any], Any], *sound: int) -> list[Any]:
    return [values(block[feature]) for block in blocks(*sound)]


def test_what_does_not_fit_is_refused() -> None:
    kernels = native.kernels
    plane, floats = np.zeros((90, 160), np.uint8), np.zeros((9, 16), np.float32)
    top, left = np.array([85], np.int32), np.array([0], np.int32)
    wrong: list[Callable[[], Any]] = [
        lambda: kernels.thin(plane, 2, 3, 0, np.zeros((31, 80), np.uint8)),  # a line too many
        lambda: kernels.thin(plane, 2, 3, 0, np.zeros((30, 81), np.uint8)),
        lambda: kernels.thin(plane[:, ::2], 1, 1, 0, np.zeros((1, 1), np.uint8)),  # samples not side by side
        lambda: kernels.thin(floats, 1, 1, 0, np.zeros((1, 1), np.uint8)),
        lambda: kernels.change(plane, plane[:80], np.zeros(90, np.float32), floats),
        lambda: kernels.change(plane, plane, np.zeros(80, np.float32), floats),
        lambda: kernels.change(plane, plane, np.zeros(90, np.float32), floats[:8]),
        lambda: kernels.halve(plane, np.zeros((46, 80), np.uint8)),
        lambda: kernels.levels(plane, np.zeros(255, np.float32)),
        lambda: kernels.light(plane, plane[0, :16], np.zeros((45, 80), np.uint8)),
        lambda: kernels.spread(np.zeros((0, 5), np.uint8)),
        lambda: kernels.turns(plane, 3, plane, plane, plane, plane, plane, plane[:, :-1]),
        lambda: kernels.fine(floats, np.zeros((9, 1), np.float32), floats, floats),
        lambda: kernels.low_rate(floats[0], np.zeros(8, np.float32), 4, np.zeros(4, np.float32)),
        lambda: kernels.detail(plane[:8], 0, floats),
        lambda: kernels.comb(
            plane, plane, top, left, 160, 0, 14, 14, 1, np.zeros((1, 4), np.float32)
        ),
    ]  # fmt: skip
    for call in wrong:
        with pytest.raises((TypeError, ValueError)):
            call()
    read_only = np.zeros(256, np.float32)
    read_only.flags.writeable = False
    with pytest.raises((BufferError, ValueError)):
        kernels.levels(plane, read_only)
