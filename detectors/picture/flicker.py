"""Flicker: the brightness of the whole picture pumps in a rhythm that the content does not have.

Measures  `flicker_depth`, percent: amplitude of the rhythmic part of the picture's brightness, highest of each second.
Defect    `flicker`, warning: for `min_seconds` the picture brightens and darkens at 2 to 15 Hz by
          `min_depth_percent` or more, and most of its parts do so in step, by 0.4 to 2 times as much as all of it: by
          gain, pedestal or gamma. Dated from the first swing to the last; cuts in between do not hide it.
Blind to  Pumping slower than 2 Hz (automatic exposure, key pictures); flicker of a part of the picture, such as a
          lamp or a screen in it; light without a rhythm (fire, lightning); mostly dark pictures; shallow pumping in
          movement that changes the light of the whole picture more. What reaches the limits of photosensitive
          epilepsy is `flash`.
Source    Practice: lamps that beat with the shutter of a camera, gains that hunt. The limits are our own.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from statistics import median
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import LUMA_SMALL, LUMA_SPREAD, Small, Tiles, black_code, integral, tile_means
from detectors.shots import Patches, correlation

SECOND_NS = 1_000_000_000
WINDOW_NS = 1_300_000_000
KEPT_NS = 8 * SECOND_NS  # a rhythm may be recognized so long after it began
LOOK_NS = 240_000_000
LEAST_PICTURES = 16
LEAST_HZ, MOST_HZ = 2.0, 15.0
RATES_HZ = np.arange(LEAST_HZ, MOST_HZ + 0.1, 0.25)
LEAST_MEAN = 9  # pictures over which the rhythm's amplitude is taken, about
BEGUN, LEAST_OF_ALL = 0.35, 0.5  # of the rhythm's power now, and of that of all changes there
DARK = 12.0  # 8-bit code values above black: tiles below tell nothing of a gain
LEAST_TILES = 30
LEAST_LIT = 0.5  # of the samples: words that roll on black, thinned, seem to swing
ONE_WAY = 0.7  # of all that gains do: more is a fade, however roughly it is coded
STIRS = 0.001  # mean change of the gain from picture to picture: less is no flicker
RHYTHM = 0.8  # of the power above LEAST_HZ lies within one line of the spectrum and its neighbours
TURNS = 0.5  # of the turns to and fro that a rhythm has
SLOW = 3.0  # times that power may lie below LEAST_HZ
EVEN = 0.3  # least ratio of the energies of the window's halves
SINE = 0.75  # of the energy above LEAST_HZ is one sine
IN_STEP, LEAST_PART, MOST_PART = 0.7, 0.4, 2.0  # of the tiles swing in step by so much of the whole's swing
ANEW = 0.5  # of the usual swing, until the rhythm is seen in another shot, too
SWINGS = 0.35  # of the usual swing from one picture to the next: below, it has ended
PAUSE_NS = 350_000_000
DRIFT_NS = 500_000_000
BY_TURNS = 0.95  # of the pictures swing back what the one before swung: light and dark by turns
# Natural logarithms of gains: tiles that differ by so much show another picture, and no flicker is so deep.
CUT, DEEPEST = 0.12, 0.25
PATTERN = 0.97  # unless their patterns are so much alike: correlation
# Of the light of the whole picture: a larger step is a cut, perhaps, unless there are more of them; and it may be a
# rhythm from such shares of the least depth and of the power above LEAST_HZ on, or of less power where it is that deep.
LEAP, FEW_LEAPS = 0.05, 2
MAY_BE_DEPTH, MAY_BE_RHYTHM, SOME_RHYTHM = 0.4, 0.5, 0.25

Counts = npt.NDArray[np.float32]  # (240 or 256,) samples of each level from black up, 8-bit code values
Series = npt.NDArray[np.float64]


class Lines(NamedTuple):
    """Every second line of the thinned luma, in memory of its own, and the code of black."""

    luma: Small
    black: int


LINES: Feature[Frame, Lines] = Feature(
    "flicker_lines", lambda f: Lines(f[LUMA_SMALL][::2].copy(), black_code(f.full_range))
)


class FlickerParams(Params):
    """How deep and how long."""

    min_depth_percent: float = Field(
        default=0.8, ge=0.1, le=50, description="percent of the signal above black, amplitude of the rhythm"
    )
    min_seconds: float = Field(default=1.0, ge=0.5, le=3600, description="seconds of media time")


class _Shown(NamedTuple):
    """A picture."""

    at_ns: int
    lines: Lines

    def levels(self) -> Tiles:
        """The tiles' mean luma above black, 8-bit code values, by every second line."""
        return tile_means(integral(self.lines.luma)) - np.float32(self.lines.black)


@dataclass(slots=True)
class _Swing:
    """How a picture differs in brightness from the one before it."""

    at_ns: int
    gain: float  # natural logarithm
    tiles: Tiles  # the same of each part; all 0 at a cut, where it is not known
    cut: bool
    lines: Lines | None  # of this picture, as long as it may be asked for
    _counts: Counts | None = None

    @property
    def counts(self) -> Counts:
        """How many samples of the picture have each level from black up."""
        if self._counts is None:
            assert self.lines is not None
            luma, black = self.lines
            counts = cv2.calcHist([luma], [0], None, [256], [0, 256]).ravel()
            self._counts = np.asarray(counts[black:], np.float32)
        return self._counts


class Flicker(Detector[FlickerParams]):
    """See the module's docstring."""

    id = "flicker"
    scope = Scope.VIDEO
    needs = (LINES, LUMA_SPREAD)
    suppressed_by = ("flash", "picture_missing", "black")
    Params = FlickerParams

    def __init__(self, params: FlickerParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="flicker_depth",
            unit="percent",
            threshold=params.min_depth_percent,
            open_ns=round(params.min_seconds * 1e9),
            severity=Severity.WARNING,
        )
        self._before: _Shown | None = None  # the last picture that was compared
        self._waiting: list[_Shown] = []  # those since; they are compared with one another at once
        self._light: deque[float] = deque()  # logarithm of the mean above black, over the window,
        self._times: deque[int] = deque()  # and when
        self._swings: deque[_Swing] = deque(maxlen=600)
        self._lined: deque[_Swing] = deque()  # those of the window, which have their lines
        self._usual = 0.0  # swing while it flickers
        self._anew = False  # there was a cut since: it is not known of this shot
        self._last_ns = 0  # the last such swing
        self._look_ns, self._second, self._depth = 0, -1, 0.0

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """By what gain did all tiles change together?"""
        lines, now = view[LINES], view.at_ns
        shown = _Shown(now, lines)
        if not view.follows or self._before is None:
            yield from self._stop(now)
            self._forget()
            self._before = shown
            return
        self._waiting.append(shown)
        self._light.append(math.log(max(1.0, view[LUMA_SPREAD].mean - lines.black)))
        self._times.append(now)
        while now - self._times[0] > WINDOW_NS:
            self._light.popleft()
            self._times.popleft()
        if self._usual or now - self._look_ns >= LOOK_NS:
            if self._hold.since_ns is None and not self._may_swing():
                self._let_pass(now)
            else:
                yield from self._swing(view)
        if self._hold.is_open and now - self._last_ns >= PAUSE_NS:
            yield from self._stop(view.end_ns)
        second = now // SECOND_NS
        if second != self._second:
            self._second = second
            yield Measurement("flicker_depth", self._depth, "percent", now, self.track)
            self._depth = 0.0

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock."""
        if event.kind in ("jump", "signalled"):
            yield from self._stop(event.at_ns)
            self._forget()

    def _forget(self) -> None:
        self._swings.clear()
        self._lined.clear()
        self._light.clear()
        self._times.clear()
        if self._waiting:
            self._before = self._waiting[-1]
        self._waiting.clear()

    def _may_swing(self) -> bool:
        """Whether the light of the whole picture swings as if there were a rhythm: a quick look, which most fail."""
        if len(self._light) < LEAST_PICTURES:
            return False
        light = np.array(self._light)
        steps = light[1:] - light[:-1]
        leaps = np.abs(steps) > LEAP
        some = np.count_nonzero(leaps)
        if some > FEW_LEAPS:
            return True
        if some:
            steps[leaps] = 0.0
        first = max(1, round(LEAST_HZ * (self._times[-1] - self._times[0]) / SECOND_NS) - 1)
        waves = _quick_waves(len(steps), first) @ steps.cumsum()
        power = np.add.reduce(waves * waves, axis=0)
        top = int(power.argmax())
        line, total = (float(np.add.reduce(part)) for part in (power[max(0, top - 1) : top + 2], power))
        depth = 327 * math.sqrt(line) / len(steps)  # percent, the amplitude of such a sine
        deep = depth >= self.params.min_depth_percent
        return (
            line >= (SOME_RHYTHM if deep else MAY_BE_RHYTHM) * total
            and depth >= MAY_BE_DEPTH * self.params.min_depth_percent
        )

    def _let_pass(self, now: int) -> None:
        """Nothing swings: only the last pictures are kept, should they turn out to be the beginning."""
        self._look_ns = now
        passed = sum(now - shown.at_ns > WINDOW_NS for shown in self._waiting)
        if passed:
            self._before = self._waiting[passed - 1]
            del self._waiting[:passed]
            self._swings.clear()
            self._lined.clear()

    def _compare(self) -> float | None:
        """Each picture that waits with the one before it: the gain of the last; None where that is too dark."""
        waiting, self._waiting = self._waiting, []
        assert self._before is not None
        levels = np.stack([shown.levels() for shown in (self._before, *waiting)])
        logs = np.log(np.maximum(levels, DARK))
        self._before = waiting[-1]
        differences, lit = logs[1:] - logs[:-1], logs[1:] > DARKEST
        counts = np.count_nonzero(lit, axis=(1, 2))
        gains = _middles(differences, lit, counts)
        apart = _middles(np.abs(differences - gains[:, None, None]), lit, counts)
        gain: float | None = None
        for n, (shown, count) in enumerate(zip(waiting, counts.tolist(), strict=True)):
            if count < LEAST_TILES:
                gain = None
                dark = _Swing(shown.at_ns, 0.0, np.zeros_like(differences[n]), cut=True, lines=None)
                self._swings.append(dark)
                for swing in self._lined:
                    swing.lines = None
                self._lined.clear()
                continue
            gain = float(gains[n])
            cut = abs(gain) > DEEPEST or float(apart[n]) > CUT
            cut = cut and correlation(Patches(logs[n]), Patches(logs[n + 1])) < PATTERN
            tiles = np.zeros_like(differences[n]) if cut else differences[n]
            if cut and self._usual and not self._anew:  # a lighter shot swings less by the same pedestal
                self._usual, self._anew = ANEW * self._usual, True
            swing = _Swing(shown.at_ns, 0.0 if cut else gain, tiles, cut=cut, lines=shown.lines)
            self._swings.append(swing)
            self._lined.append(swing)
        return gain

    def _swing(self, view: PictureView) -> Iterator[DefectEdge]:
        now = view.at_ns
        gain = self._compare()
        if gain is None:
            return
        while now - self._lined[0].at_ns > WINDOW_NS:
            self._lined.popleft().lines = None
        while now - self._swings[0].at_ns > KEPT_NS:
            self._swings.popleft()
        if self._usual and abs(gain - self._drift(now)) >= SWINGS * self._usual:
            self._last_ns = now
        if now - self._look_ns < LOOK_NS:
            return
        self._look_ns = now
        window = list(self._lined)
        depth = _rhythm(window)
        if depth and not (_lit(window) >= LEAST_LIT and _is_light(window)):
            depth = 0.0
        self._depth = max(self._depth, depth)
        if depth >= self.params.min_depth_percent and (not self._usual or now - self._last_ns < PAUSE_NS):
            if self._hold.since_ns is None:
                self._usual, self._anew = self._swing_of(window), False
                self._last_ns = now
                yield from self._hold.update(self._since(), True, depth, end_ns=view.end_ns)
            else:
                if self._anew:
                    self._usual, self._anew = self._swing_of(window), False
                yield from self._hold.update(now, True, depth, end_ns=view.end_ns)
        elif self._usual and now - self._last_ns >= PAUSE_NS:
            yield from self._stop(view.end_ns)

    @staticmethod
    def _swing_of(window: Sequence[_Swing]) -> float:
        """What is usual of the latest pictures of a shot."""
        return median(abs(s.gain) for s in [s for s in window if not s.cut][-LEAST_PICTURES:])

    def _drift(self, now: int) -> float:
        """What the gain does besides swinging: its mean over about a swing."""
        lately = [
            s.gain for s in islice(reversed(self._swings), 64) if now - s.at_ns <= DRIFT_NS and not s.cut
        ]
        return sum(lately) / len(lately) if lately else 0.0

    def _since(self) -> int:
        """Where the rhythm that is there now began: from then on it mostly has a third of its power at least.

        A mean over whole swings has half the amplitude where the rhythm begins, and nothing of a steady change.
        """
        swings = list(self._swings)
        at_s = np.asarray([s.at_ns - swings[-1].at_ns for s in swings]) / 1e9
        gains = np.asarray([s.gain for s in swings])
        late = at_s >= -WINDOW_NS / 1e9
        turns = np.exp(-2j * np.pi * np.outer(RATES_HZ, at_s))
        best = int(np.argmax(np.abs(turns[:, late] @ (gains[late] - gains[late].mean()))))
        period = 1 / (RATES_HZ[best] * max(float(np.median(np.diff(at_s))), 1e-3))  # in pictures
        size = min(max(2, round(period * max(1, round(LEAST_MEAN / period)))), len(swings))
        power = np.abs(_mean(turns[best] * gains, size)) ** 2
        usual = float(np.median(power[late]))
        rhythmic = 2 * power >= LEAST_OF_ALL * _mean((gains - _mean(gains, size)) ** 2, size)
        sums = np.cumsum((np.minimum(np.where(rhythmic, power, 0.0), 2 * usual) - BEGUN * usual)[::-1])
        return swings[len(swings) - 1 - int(sums.argmax())].at_ns

    def _stop(self, certain_ns: int) -> Iterator[DefectEdge]:
        yield from self._hold.update(self._last_ns, False, 0.0, end_ns=certain_ns)
        if self._usual:
            self._swings.clear()
            self._lined.clear()  # what has ended is not looked at for another beginning
        self._usual = 0.0


def _mean(values: npt.NDArray[Any], size: int) -> npt.NDArray[Any]:
    """Around each value, over `size` of them."""
    return np.convolve(values, np.full(size, 1 / size), "same")


def _bright_log(levels: Counts) -> float:
    """Natural logarithm of the mean level of the brighter half of the samples, above black."""
    counts = levels[::-1]
    half = 0.5 * float(counts.sum())
    taken = np.clip(half - (np.cumsum(counts) - counts), 0, counts)
    return float(np.log(max(DARK, float(taken @ np.arange(len(counts) - 1, -1, -1)) / half)))


def _is_light(swings: Sequence[_Swing]) -> bool:
    """Whether what is bright swings too: where pages with writing roll by, only how much is bright does."""
    known = np.asarray([not s.cut for s in swings[1:]])
    gains = np.asarray([s.gain for s in swings[1:]])[known]
    bright = np.diff([_bright_log(s.counts) for s in swings])[known]
    return float(bright @ gains) >= LEAST_PART * float(gains @ gains)


def _lit(swings: Sequence[_Swing]) -> float:
    """The share of samples that are not dark, in the darkest of the pictures."""
    return min(float(s.counts[round(DARK) :].sum() / s.counts.sum()) for s in swings)


def _middles(values: Tiles, known: npt.NDArray[np.bool_], counts: npt.NDArray[np.intp]) -> Tiles:
    """The median of each picture's known tiles, the upper one of two: of `values` (pictures, rows, columns)."""
    flat, last = values.reshape(len(values), -1), values[0].size // 2
    if counts.min() == values[0].size:
        return np.asarray(np.partition(flat, last, axis=1)[:, last], np.float32)
    ranked = np.sort(np.where(known, values, np.float32(np.inf)).reshape(len(values), -1), axis=1)
    return np.asarray(
        ranked[np.arange(len(values)), np.minimum(counts // 2, ranked.shape[1] - 1)], np.float32
    )


DARKEST = float(np.log(DARK)) + 1e-3


def _rhythm(swings: Sequence[_Swing]) -> float:
    """Amplitude of the rhythm in all of the picture, percent; 0 where there is none."""
    span_s = (swings[-1].at_ns - swings[0].at_ns) / 1e9
    count = len(swings)
    if count < LEAST_PICTURES or span_s < 0.5:
        return 0.0
    every = [s.gain for s in swings]
    total = sum(map(abs, every))
    if total < STIRS * count or abs(sum(every)) > ONE_WAY * total:
        return 0.0
    gains = np.asarray(every)
    if float(np.mean(gains[1:] * gains[:-1] < 0)) >= BY_TURNS:
        return 50 * float(np.abs(gains).mean()) if _in_step(swings, gains) else 0.0
    level = _without_drift(np.cumsum(gains), [i for i, s in enumerate(swings) if s.cut])
    power = np.abs(np.fft.rfft(level * _hann(count))) ** 2
    per_s = (count - 1) / span_s
    hz = np.arange(len(power)) * per_s / count
    quick = (hz >= LEAST_HZ) & (hz <= MOST_HZ)
    total = float(power[hz >= LEAST_HZ].sum())
    if not quick.any() or total <= 0 or float(power[hz < LEAST_HZ].sum()) > SLOW * total:
        return 0.0
    top = int(np.flatnonzero(quick)[np.argmax(power[quick])])
    if float(power[max(0, top - 1) : top + 2].sum()) < RHYTHM * total:
        return 0.0
    turns = np.count_nonzero(np.diff(gains > gains.mean()))
    if turns < TURNS * 2 * hz[top] * span_s:  # where a fade begins, all of it is a bend
        return 0.0
    lines = np.fft.rfft(level)
    lines[: max(1, int((hz < LEAST_HZ).sum()) - 1)] = 0
    pulse = np.fft.irfft(lines, count)
    halves = [float((half**2).sum()) for half in np.array_split(pulse, 2)]
    if min(halves) < EVEN * max(halves):
        return 0.0
    wave, share = _sine(pulse, top / count)
    if share < SINE or not _in_step(swings, np.diff(wave, prepend=wave[0])):
        return 0.0
    return 100 * float(np.sqrt(2 * np.mean(wave**2)))


def _without_drift(level: Series, cuts: Sequence[int]) -> Series:
    """`level` less a slow change, and less a step of unknown height at each cut."""
    count = len(level)
    steps = [(np.arange(count) >= cut).astype(np.float64) for cut in cuts if 0 < cut < count - 1]
    if steps:
        return level - _fitted(level, np.stack([*_slow(count), *steps], axis=1))
    basis = _slow_basis(count)
    return np.asarray(level - basis @ (level @ basis), np.float64)


def _slow(count: int) -> tuple[Series, Series, Series]:
    place = np.linspace(-1.0, 1.0, count)
    return np.ones_like(place), place, place**2


@lru_cache(maxsize=64)
def _hann(count: int) -> Series:
    return np.hanning(count)


@lru_cache(maxsize=64)
def _slow_basis(count: int) -> Series:
    """The same as orthonormal columns."""
    return np.asarray(np.linalg.qr(np.stack(_slow(count), axis=1))[0], np.float64)


@lru_cache(maxsize=64)
def _quick_waves(count: int, first: int) -> Series:
    """(2, lines, count) from so many values to the real and the imaginary part of their spectrum from line `first` on.

    Without their drift, and in Hann's window: all in one product.
    """
    basis = _slow_basis(count)
    steady = np.eye(count) - basis @ basis.T
    spectrum = np.fft.rfft(_hann(count)[:, None] * steady, axis=0)[first:]
    return np.stack([spectrum.real, spectrum.imag])


def _fitted(level: Series, basis: Series) -> Series:
    return np.asarray(basis @ np.linalg.lstsq(basis, level, rcond=None)[0], np.float64)


def _sine(pulse: Series, near: float) -> tuple[Series, float]:
    """(the sine that is most like the pulse, the share of its energy); `near` is its rate, cycles a picture."""
    place = np.arange(len(pulse))
    best, least = np.zeros_like(pulse), float((pulse**2).sum())
    energy = least
    for offset in (-0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75):
        turn = 2 * np.pi * min(near + offset / len(pulse), 0.5) * place
        wave = _fitted(pulse, np.stack([np.cos(turn), np.sin(turn)], axis=1))
        left = float(((pulse - wave) ** 2).sum())
        if left < least:
            best, least = wave, left
    return best, 1 - least / energy


def _in_step(swings: Sequence[_Swing], swing: Series) -> bool:
    """Whether most parts of the picture swing like the whole."""
    tiles = np.stack([s.tiles.ravel() for s in swings])
    known = np.asarray([not s.cut for s in swings])
    lively = tiles.any(axis=0)
    if np.count_nonzero(lively) < LEAST_TILES:
        return False
    part = (swing[known] @ tiles[known][:, lively]) / float((swing[known] ** 2).sum())
    return float(np.mean((part >= LEAST_PART) & (part <= MOST_PART))) >= IN_STEP


DETECTOR = Flicker
