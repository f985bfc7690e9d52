"""Values computed from a block of sound at most once. Add one here when a second detector needs it, not before.

A feature with a state (a filter's memory, a running maximum) reads it from `block.previous`, so it stays a pure
recipe: where the sound does not join on, it starts afresh.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from detectors import native
from detectors.frame import Block, Feature, Samples

Real = npt.NDArray[np.float64]

LEAST_DBFS = -120.0  # what digital silence is called
STEP_NS = 10_000_000  # the nominal length of a step, the grid on which edges are found

LFE = frozenset({"LFE", "LFE1", "LFE2", "LFEL", "LFER"})
SIDE = frozenset({"Ls", "Rs", "SL", "SR", "Lss", "Rss"})
BACK = frozenset({"Lb", "Rb", "BL", "BR", "Lrs", "Rrs", "Lsr", "Rsr"})
PAIRS = (("L", "R"), ("FL", "FR"), ("DL", "DR"))
FRONT = frozenset({"L", "R", "FL", "FR", "DL", "DR"})


def decibels(power: float) -> float:
    """A mean square (full scale 1.0) in dBFS, not below `LEAST_DBFS`."""
    return max(LEAST_DBFS, 10.0 * math.log10(power)) if power > 0.0 else LEAST_DBFS


def _finite(block: Block) -> Samples:
    x = block.samples
    # One number that is not one would stay in a recursive filter for ever.
    return x if np.isfinite(x.sum()) else np.nan_to_num(x, nan=0.0, posinf=1.0, neginf=-1.0)


SAMPLES = Feature("samples", _finite)  # (channels, samples) float32, full scale 1.0, finite


@dataclass(frozen=True, eq=False, slots=True)
class Levels:
    """Levels in steps of 10 ms (the block divided evenly): both (channels, steps), full scale 1.0."""

    peak: npt.NDArray[np.float32]  # largest absolute sample
    mean_square: npt.NDArray[np.float32]


@lru_cache(maxsize=16)
def _starts(samples: int, rate_hz: int) -> npt.NDArray[np.intp]:
    steps = max(1, round(samples * 100 / rate_hz))
    return np.arange(steps, dtype=np.intp) * samples // steps


def _mean_squares(x: npt.NDArray[np.floating], starts: npt.NDArray[np.intp]) -> npt.NDArray[np.floating]:
    if x.shape[1] % len(starts) == 0:
        pieces = x.reshape(x.shape[0], len(starts), -1)
        even: npt.NDArray[np.floating] = np.einsum("csn,csn->cs", pieces, pieces) / x.dtype.type(
            pieces.shape[2]
        )
        return even
    lengths = np.diff(starts, append=x.shape[1])
    sums: npt.NDArray[np.floating] = np.add.reduceat(x * x, starts, axis=1)
    return sums / lengths.astype(x.dtype)


def _levels(block: Block) -> Levels:
    x = block[SAMPLES]
    starts = _starts(x.shape[1], block.rate_hz)
    if native.kernels is not None and x.shape[1] % len(starts) == 0 and native.fits(x):
        peak, mean_square = np.empty((2, x.shape[0], len(starts)), np.float32)
        native.kernels.steps_of(x, peak, mean_square)
        return Levels(peak, mean_square)
    if x.shape[1] % len(starts) == 0:
        pieces = x.reshape(x.shape[0], len(starts), -1)
        peak = np.maximum(pieces.max(axis=2), -pieces.min(axis=2))
    else:
        peak = np.maximum.reduceat(np.abs(x), starts, axis=1)
    return Levels(peak, np.asarray(_mean_squares(x, starts), np.float32))


LEVELS = Feature("levels", _levels)


def fine_size(samples: int, rate_hz: int) -> int:
    """Samples of a step of about 1 ms: the nearest that divides a block, since pieces of one length are much faster."""
    size = max(1, round(rate_hz / 1000))
    near = (size, size + 1, size - 1, size + 2, size - 2, size + 3, size - 3)
    return next((n for n in near if n > 0 and samples % n == 0), size)


class Fine(NamedTuple):
    """Sound in steps of about 1 ms, (channels, steps) float32."""

    power: Samples  # mean squares
    bends: Samples  # largest second difference of the samples


def _fine(block: Block) -> Fine:
    x, before = block[SAMPLES], _joined(block)
    channels, samples = x.shape
    last = x[:, :0] if before is None else before[SAMPLES][:, -2:]
    if last.shape[1] < 2:
        last = np.repeat(x[:, :1], 2, axis=1)
    size = fine_size(samples, block.rate_hz)
    even = samples % size == 0
    if native.kernels is not None and even and native.fits(x):
        power, bends = np.empty((2, channels, samples // size), np.float32)
        native.kernels.fine(x, last, power, bends)
        return Fine(power, bends)
    joined = np.concatenate([last, x], axis=1)
    slope = joined[:, 1:] - joined[:, :-1]
    bend = np.abs(slope[:, 1:] - slope[:, :-1])
    if even:
        pieces = x.reshape(channels, -1, size)
        power = np.einsum("csn,csn->cs", pieces, pieces) / np.float32(size)
        return Fine(np.asarray(power, np.float32), bend.reshape(channels, -1, size).max(axis=2))
    starts = np.arange(max(1, samples // size), dtype=np.intp) * size
    return Fine(np.asarray(_mean_squares(x, starts), np.float32), np.maximum.reduceat(bend, starts, axis=1))


FINE: Feature[Block, Fine] = Feature("fine", _fine)


@lru_cache(maxsize=16)
def _evenly(count: int) -> Samples:
    """The weights of a mean."""
    return np.full(count, 1.0 / count, np.float32)


def _means(block: Block) -> npt.NDArray[np.float32]:
    x = block[SAMPLES]
    return np.asarray(x @ _evenly(x.shape[1]), np.float32)


MEANS = Feature("means", _means)  # (channels,) float32, the mean of the block's samples


@dataclass(frozen=True, slots=True)
class Pair:
    """Left and right of a block: mean squares, mean product, and mean square of the difference."""

    left: float
    right: float
    both: float
    difference: float


def _pair(block: Block) -> Pair | None:
    names = block.channels
    rows = next(((names.index(a), names.index(b)) for a, b in PAIRS if a in names and b in names), None)
    if rows is None:
        return None
    left, right = block[SAMPLES][rows[0]], block[SAMPLES][rows[1]]
    each = 1.0 / len(left)
    if native.kernels is not None and native.fits(left):
        return Pair(*(total * each for total in native.kernels.pair(left, right)))
    difference = left - right
    return Pair(
        float(left @ left) * each,
        float(right @ right) * each,
        float(left @ right) * each,
        float(difference @ difference) * each,
    )


PAIR: Feature[Block, Pair | None] = Feature("pair", _pair)  # None where there is no left and right


@lru_cache(maxsize=16)
def loudness_weights(channels: tuple[str, ...]) -> Real:
    """The weight of each channel by name: 0 for LFE, 1.41 for surrounds, 1 otherwise (ITU-R BS.1770-5).

    Back channels are the surrounds of a 5.1 layout, but lie outside the weighted sector (60 to 120 degrees) where
    there are side channels too.
    """
    surrounds = SIDE if SIDE & set(channels) else BACK
    return np.array([0.0 if c in LFE else 1.41 if c in surrounds else 1.0 for c in channels])


@dataclass(frozen=True, eq=False, slots=True)
class KWeighted:
    """K-weighted energy: the channels' weighted sum of mean squares in each step of 10 ms, and the filter's memory."""

    energy: Real  # (steps,)
    state: Real  # (channels, 4)


@dataclass(frozen=True, eq=False, slots=True)
class _Filter:
    """Two biquads in a row as one state-space system of order 4: s' = A s + B x, y = C s + D x."""

    a: Real  # (4, 4)
    b: Real  # (4,)
    c: Real  # (4,)
    d: float


@lru_cache(maxsize=8)
def _biquads(rate_hz: int) -> Real:
    """The K-weighting of BS.1770 for any sampling rate, by the bilinear transform of its analogue prototype.

    (10,) b0, b1, b2, a1, a2 of the shelf, and of the high pass behind it.
    """

    def warped(frequency_hz: float) -> float:
        return float(np.tan(np.pi * min(frequency_hz / rate_hz, 0.49)))

    k, q, gain = warped(1681.974450955533), 0.7071752369554196, 10 ** (3.999843853973347 / 20)
    bend = gain**0.4996667741545416
    a0 = 1 + k / q + k * k
    shelf_b = np.array([gain + bend * k / q + k * k, 2 * (k * k - gain), gain - bend * k / q + k * k]) / a0
    shelf_a = np.array([2 * (k * k - 1), 1 - k / q + k * k]) / a0
    k, q = warped(38.13547087602444), 0.5003270373238773
    a0 = 1 + k / q + k * k
    pass_b, pass_a = np.array([1.0, -2.0, 1.0]), np.array([2 * (k * k - 1), 1 - k / q + k * k]) / a0
    return np.concatenate([shelf_b, shelf_a, pass_b, pass_a])


@lru_cache(maxsize=8)
def _k_filter(rate_hz: int) -> _Filter:
    """The same as one system."""
    shelf_b, shelf_a, pass_b, pass_a = np.split(_biquads(rate_hz), (3, 5, 8))
    # Transposed direct form II of each, the first feeding the second.
    a = np.zeros((4, 4))
    a[:2, :2] = [[-shelf_a[0], 1], [-shelf_a[1], 0]]
    a[2:, 2:] = [[-pass_a[0], 1], [-pass_a[1], 0]]
    into_second = pass_b[1:] - pass_a * pass_b[0]
    a[2:, 0] = into_second
    into_first = shelf_b[1:] - shelf_a * shelf_b[0]
    b = np.concatenate([into_first, into_second * shelf_b[0]])
    return _Filter(a, b, np.array([pass_b[0], 0.0, 1.0, 0.0]), float(pass_b[0] * shelf_b[0]))


@lru_cache(maxsize=32)
def _responses(rate_hz: int, length: int) -> tuple[Samples, Samples, Samples, Real]:
    """Over `length` samples: input to output, state to output, input to last state, and state to last state."""
    f = _k_filter(rate_hz)
    powers = [np.eye(4)]
    for _ in range(length):
        powers.append(powers[-1] @ f.a)
    impulse = np.array([f.d, *(f.c @ p @ f.b for p in powers[: length - 1])])
    lag = np.arange(length)[:, None] - np.arange(length)[None, :]
    forced = np.where(lag >= 0, impulse[np.maximum(lag, 0)], 0.0)
    free = np.array([f.c @ p for p in powers[:length]])
    drive = np.array([powers[length - 1 - n] @ f.b for n in range(length)])
    return (
        np.ascontiguousarray(forced.T, np.float32),
        np.ascontiguousarray(free.T, np.float32),
        drive.astype(np.float32),
        powers[length],
    )


@lru_cache(maxsize=16)
def _carries(rate_hz: int, length: int, pieces: int) -> Real:
    """From the first state and each piece's own contribution to the state before every piece and after the last."""
    step = _responses(rate_hz, length)[3]
    powers = [np.eye(4)]
    for _ in range(pieces):
        powers.append(powers[-1] @ step)
    matrix = np.zeros((4 * (pieces + 1), 4 * (pieces + 1)))
    for row in range(pieces + 1):
        for column in range(row + 1):
            matrix[4 * row : 4 * row + 4, 4 * column : 4 * column + 4] = powers[row - column]
    return np.ascontiguousarray(matrix.T)


@lru_cache(maxsize=8)
def _piece(rate_hz: int) -> int:
    """How many samples are filtered by one matrix product: a divisor of a block of 100 ms, where there is one.

    Longer pieces make this product dear, shorter ones the product that leads from state to state. Where sixteen
    divides them, the product is twice as quick.
    """
    sizes = (96, 80, 112, 128, 64, *range(128, 96, -1))
    return next((n for n in sizes if (rate_hz // 10) % n == 0), 96)


def k_weight(x: Samples, rate_hz: int, state: Real) -> tuple[Samples, Real]:
    """`x` (channels, samples) through the K-weighting, and the filter's new `state` (channels, 4).

    The recursion is exact: pieces of about 100 samples are independent once the state before each is known, and those
    follow from one another by a small matrix product. The state is carried in double precision.
    """
    channels, samples = x.shape
    parts: list[Samples] = []
    done = 0
    piece = _piece(rate_hz)
    for length in (piece, samples % piece):
        pieces = (samples - done) // length if length else 0
        if not pieces:
            continue
        forced, free, drive, _ = _responses(rate_hz, length)
        part = x[:, done : done + pieces * length].reshape(channels * pieces, length)
        own = (part @ drive).reshape(channels, 4 * pieces)
        states = np.concatenate([state, own], axis=1) @ _carries(rate_hz, length, pieces)
        y = part @ forced
        y += states[:, : 4 * pieces].astype(np.float32).reshape(channels * pieces, 4) @ free
        parts.append(y.reshape(channels, pieces * length))
        state = states[:, 4 * pieces :]
        done += pieces * length
    if len(parts) == 1:
        return parts[0], state
    return np.concatenate([np.zeros((channels, 0), np.float32), *parts], axis=1), state


def _joined(block: Block) -> Block | None:
    """The block before, when its memory fits this one."""
    before = block.previous
    if before is None or before.channels != block.channels or before.rate_hz != block.rate_hz:
        return None
    return before


@dataclass(frozen=True, eq=False, slots=True)
class LowRate:
    """The mean of all channels below about 1 kHz, near 4,000 samples a second, and the filter's memory."""

    samples: Samples  # (samples,)
    rate_hz: float
    tail: Samples  # (samples,) of the full rate, that the next block's first outputs need


LOW_RATE_HZ = 4000
_PARTS = 4  # times the decimation: the filter's length


@lru_cache(maxsize=8)
def _low_pass(factor: int, rate_hz: int) -> Samples:
    taps = _PARTS * factor
    at = np.arange(taps) - (taps - 1) / 2
    response = np.sinc(2 * 1200.0 / rate_hz * at) * np.hanning(taps + 2)[1:-1]
    return np.asarray(response / response.sum(), np.float32)


def _mixed(block: Block) -> Samples:
    x = block[SAMPLES]
    return _evenly(x.shape[0]) @ x


MIXED: Feature[Block, Samples] = Feature("mixed", _mixed)  # (samples,) float32, the mean of all channels


def _low_rate(block: Block) -> LowRate:
    factor = max(1, block.rate_hz // LOW_RATE_HZ)
    before = _joined(block)
    tail = np.zeros((_PARTS - 1) * factor, np.float32) if before is None else before[LOW_RATE].tail
    padded = np.concatenate([tail, block[MIXED]])
    count = max(0, len(padded) // factor - _PARTS + 1)
    low, taps = np.zeros(count, np.float32), _low_pass(factor, block.rate_hz)
    if native.kernels is not None:
        native.kernels.low_rate(padded, taps, factor, low)
    else:
        pieces = padded[: (count + _PARTS - 1) * factor].reshape(-1, factor) @ taps.reshape(_PARTS, factor).T
        for part in range(_PARTS):
            low += pieces[part : part + count, part]
    return LowRate(low, block.rate_hz / factor, padded[count * factor :])


LOW_RATE: Feature[Block, LowRate] = Feature("low_rate", _low_rate)


def _k_weighted(block: Block) -> KWeighted:
    x = block[SAMPLES]
    before = _joined(block)
    state = np.zeros((x.shape[0], 4)) if before is None else before[K_WEIGHTED].state
    starts = _starts(x.shape[1], block.rate_hz)
    if native.kernels is not None and x.shape[1] % len(starts) == 0 and native.fits(x):
        state, each = state.copy(), np.empty((x.shape[0], len(starts)))
        native.kernels.k_weight(x, _biquads(block.rate_hz), state, each)
    else:
        y, state = k_weight(x, block.rate_hz, state)
        each = np.asarray(_mean_squares(y, starts), np.float64)
    state[np.abs(state) < 1e-15] = 0.0  # denormal numbers are slow, and what is below -300 dBFS is nothing
    return KWeighted(loudness_weights(block.channels) @ each, state)


K_WEIGHTED: Feature[Block, KWeighted] = Feature("k_weighted", _k_weighted)

# ITU-R BS.1770-5, annex 2: the four phases of the interpolating filter (the last two mirror the first two).
_PHASES = (
    (0.0017089843750, 0.0109863281250, -0.0196533203125, 0.0332031250000, -0.0594482421875, 0.1373291015625,
     0.9721679687500, -0.1022949218750, 0.0476074218750, -0.0266113281250, 0.0148925781250, -0.0083007812500),
    (-0.0291748046875, 0.0292968750000, -0.0517578125000, 0.0891113281250, -0.1665039062500, 0.4650878906250,
     0.7797851562500, -0.2003173828125, 0.1015625000000, -0.0582275390625, 0.0330810546875, -0.0189208984375),
)  # fmt: skip
_FILTER = np.array([*_PHASES, _PHASES[1][::-1], _PHASES[0][::-1]], np.float32)  # (4, 12)
_REVERSED = np.ascontiguousarray(_FILTER[:, ::-1])
_TAPS = _FILTER.shape[1]
_GAIN = float(np.abs(_FILTER).sum(axis=1).max())  # no interpolated value exceeds the samples by more
TRUE_PEAK_RUN = 32  # samples interpolated by one row of a matrix product
LOWEST_TRUE_PEAK = float(10 ** (-3 / 20))  # values above are always exact


def _interpolator() -> npt.NDArray[np.float32]:
    matrix = np.zeros((TRUE_PEAK_RUN + _TAPS - 1, TRUE_PEAK_RUN, 4), np.float32)
    for n in range(TRUE_PEAK_RUN):
        matrix[n : n + _TAPS, n, :] = _FILTER[:, ::-1].T
    return matrix.reshape(TRUE_PEAK_RUN + _TAPS - 1, TRUE_PEAK_RUN * 4)


_INTERPOLATOR = _interpolator()


@dataclass(frozen=True, eq=False, slots=True)
class TruePeak:
    """True peak of each channel (full scale 1.0), of the block and since the sound began.

    `peak` is exact where it is above -3 dBTP or a new maximum; elsewhere it may be the sample peak, since the
    interpolation was skipped where the filter's largest gain (6.1 dB) proves that it changes neither.
    `runs` is the highest of any channel in each run of `TRUE_PEAK_RUN` samples, exact above -3 dBTP and 0 where it was
    not looked at; None where no run was.
    """

    peak: Real
    highest: Real
    runs: Samples | None = None


def _true_peak(block: Block) -> TruePeak:
    x = block[SAMPLES]
    before = _joined(block)
    channels, samples = x.shape
    peak = block[LEVELS].peak.max(axis=1).astype(np.float64)
    highest = np.zeros(channels) if before is None else before[TRUE_PEAK].highest
    floor = np.minimum(np.maximum(highest, peak), LOWEST_TRUE_PEAK)
    tail = np.zeros((channels, _TAPS - 1), np.float32)
    if before is not None:
        last = before[SAMPLES][:, -(_TAPS - 1) :]
        tail[:, _TAPS - 1 - last.shape[1] :] = last
    if native.kernels is not None and native.fits(x):
        runs: Samples | None = np.empty(-(-samples // TRUE_PEAK_RUN), np.float32)
        if not native.kernels.true_peak(x, tail, _REVERSED, _GAIN, TRUE_PEAK_RUN, floor, peak, runs):
            runs = None
    else:
        runs = _interpolate(x, tail, floor, peak)
    return TruePeak(peak, np.maximum(highest, peak), runs)


def _interpolate(x: Samples, tail: Samples, floor: Real, peak: Real) -> Samples | None:
    """The highest of each run that may exceed `floor` (channels,); None where none may. Raises `peak` where it does."""
    channels, samples = x.shape
    if not (np.maximum(peak, np.abs(tail).max(axis=1)) * _GAIN > floor).any():
        return None
    runs = -(-samples // TRUE_PEAK_RUN)
    highest_of = np.zeros(runs, np.float32)
    padded = np.zeros((channels, (runs + 1) * TRUE_PEAK_RUN), np.float32)
    padded[:, : _TAPS - 1] = tail
    padded[:, _TAPS - 1 : _TAPS - 1 + samples] = x
    windows = np.lib.stride_tricks.sliding_window_view(padded, TRUE_PEAK_RUN + _TAPS - 1, axis=1)[
        :, ::TRUE_PEAK_RUN
    ]
    halves = padded.reshape(channels, 2 * (runs + 1), TRUE_PEAK_RUN // 2)
    each = np.maximum(halves.max(axis=2), -halves.min(axis=2))
    bound = np.maximum(np.maximum(each[:, :-2:2], each[:, 1:-2:2]), each[:, 2::2]) * _GAIN
    for channel in range(channels):
        chosen = np.flatnonzero(bound[channel] > floor[channel])
        if len(chosen):
            finer = windows[channel, chosen] @ _INTERPOLATOR
            # The zeros after the last sample would invent an overshoot of the sound's end.
            if samples % TRUE_PEAK_RUN and chosen[-1] == runs - 1:
                finer[-1, 4 * (samples % TRUE_PEAK_RUN) :] = 0.0
            of_runs = np.maximum(finer.max(axis=1), -finer.min(axis=1))
            highest_of[chosen] = np.maximum(highest_of[chosen], of_runs)
            peak[channel] = max(peak[channel], float(of_runs.max()))
    return highest_of


TRUE_PEAK: Feature[Block, TruePeak] = Feature("true_peak", _true_peak)
