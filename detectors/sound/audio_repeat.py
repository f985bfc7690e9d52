"""Audio repeat: the same fragment of sound again and again, as a buffer that nobody fills any more is played.

Measures  repeat_correlation  ratio, twice a second: how alike the last second and the second before it, shifted by up
          to `max_fragment_ms`, are at the shift where they are most alike; below 1.2 kHz, 0 where nothing is heard.
Defect    audio_repeat        error: that is at least `min_correlation` for a fragment of `min_fragment_ms` or more, no
          shorter shift comes near it (or it were a held note), all overtones of the fragment's rate are there (or it
          were a chord), and the fragment is heard `min_times`, for `min_seconds` in all. Dated to where the fragment is
          heard first, to about 20 ms.
Blind to  fragments below `min_fragment_ms`: a buzz, which a synthesiser's note also is; fragments that are one held
          note or chord, and sound that a receiver fades while it repeats. A drum machine that plays one pattern without
          a change, exact to the sample, for longer than `min_times` of it is a repeat.
Source    Practice: buffers of players and of capture cards hold 20 ms to 1 s. Coded at 96 kb/s, a stuck buffer stays
          above 0.95; speech and music reach 0.8 at any one shift but for held notes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.frame import Samples, SoundView
from detectors.hold import Hold
from detectors.sound_features import LOW_RATE

Real = npt.NDArray[np.float64]

SECOND = 1_000_000_000
WINDOW_S = 1.0  # that is compared
STEP_S = 0.01  # in which edges are found
EVERY_S = 0.5
DIPPED = 0.3  # a shift counts as another one once the likeness has fallen so far
DISTINCT = 0.93  # of a shift: what lies above is the same peak
NEARLY = 0.03  # so much less alike, and the shorter of two shifts is the fragment
LEAST_LESS, TIMES_LESS = 0.05, 3.0  # of a difference that any shorter shift must leave, and so many times it
PERIODS = 4  # of the fragment, in whose spectrum every fourth line is its own
HIGHEST_HZ, LEAST_COMB = (
    1000.0,
    10.0,
)  # up to where, and by how many times those stand above what lies between
MOST_TIMES = 5  # the fragment, in the shift at which sound is most like itself
DIFFERENT = 0.35  # of the power: what differs by more from the fragment is something else


class AudioRepeatParams(Params):
    """How alike, how long a fragment, and how often."""

    min_correlation: float = Field(default=0.9, ge=0.5, le=1, description="ratio; 1 is the same")
    min_fragment_ms: float = Field(default=40.0, ge=5, le=1000, description="ms of the shortest fragment")
    max_fragment_ms: float = Field(default=1000.0, ge=10, le=1000, description="ms of the longest fragment")
    min_times: int = Field(
        default=4, ge=4, le=100, description="times that the fragment is heard, the first included"
    )
    min_seconds: float = Field(default=1.5, ge=1, le=60, description="seconds of media time")
    min_dbfs: float = Field(default=-55.0, ge=-90, le=0, description="dBFS below 1.2 kHz, over a second")


@dataclass(frozen=True, slots=True)
class Likeness:
    """The shift at which sound is most like itself."""

    correlation: float
    shift: int  # samples
    fragment: int  # samples; the shortest shift that is nearly as good
    distinct: bool  # no shorter one comes near


def likeness(x: Samples, window: int, shortest: int, longest: int, least: float = -1.0) -> Likeness:
    """How `x`'s last `window` samples are like those up to `longest` samples before them.

    Where that is less than `least`, nothing more is asked of it.
    """
    past = x[-(window + longest) :]
    size = 1 << (len(past) - 1).bit_length()
    whole, last = np.zeros((2, 1, size), np.float32)
    whole[0, : len(past)], last[0, : len(past) - longest] = past, past[longest:]
    spectra = cv2.mulSpectrums(cv2.dft(whole), cv2.dft(last), 0, conjB=True)
    product = cv2.idft(spectra, flags=cv2.DFT_SCALE | cv2.DFT_REAL_OUTPUT)[0, : longest + 1]
    alike = _by_shift(past, np.asarray(product, np.float32), window)
    best = shortest + int(alike[shortest:-1].argmax())
    peak = float(_heights(alike, np.array([best]))[0])
    if peak < least:
        return Likeness(peak, best, best, distinct=False)
    good = (
        np.flatnonzero(
            (alike[1:-1] >= peak - 2 * NEARLY) & (alike[1:-1] >= alike[:-2]) & (alike[1:-1] >= alike[2:])
        )
        + 1
    )
    good = good[good >= shortest]
    heights = _heights(alike, good)
    near = np.flatnonzero(heights >= peak - NEARLY)
    least, fragment = (float(heights[near[0]]), int(good[near[0]])) if len(near) else (peak, best)
    dipped = np.flatnonzero(alike[:fragment] < DIPPED)
    first = int(dipped[0]) if len(dipped) else fragment
    other = float(alike[first : int(DISTINCT * fragment)].max(initial=-1.0)) if len(dipped) else 1.0
    return Likeness(peak, best, fragment, 1.0 - other > max(LEAST_LESS, TIMES_LESS * (1.0 - least)))


def _by_shift(past: Samples, product: Samples, window: int) -> Real:
    """The correlation of the last `window` samples and those before them, by shift.

    `product`: of each place at which the earlier ones may begin, in order.
    """
    if native.kernels is not None:
        alike = np.empty(len(product))
        native.kernels.likeness(past, product, window, alike)
        return alike
    sums = np.r_[0.0, np.cumsum(np.square(past), dtype=np.float64)]
    energy = np.maximum(sums[window:] - sums[:-window], 1e-12)
    return np.asarray((product / np.sqrt(energy * energy[-1]))[::-1], np.float64)


def comb(x: Samples, period: float, rate_hz: float) -> float:
    """By how many times the overtones of a `period` (samples) stand above what lies between them: the median of all.

    A fragment that is cut anywhere has all overtones; a chord has some, and between them there is the same as at them.
    """
    own = x[-round(PERIODS * period) :]
    power = np.abs(np.fft.rfft(own * np.hanning(len(own)))) ** 2
    lines = PERIODS * np.arange(2, int(HIGHEST_HZ / rate_hz * period))
    least = 1e-12 * float(power.max(initial=0.0)) + 1e-30
    at = np.maximum(np.maximum(power[lines - 1], power[lines + 1]), power[lines])
    return float(np.median(at / (power[lines + PERIODS // 2] + least))) if len(lines) else 0.0


def _heights(alike: Real, shifts: npt.NDArray[np.intp]) -> Real:
    """The heights of the parabolas through peaks and their neighbours: the true shift lies between two samples."""
    left, middle, right = alike[shifts - 1], alike[shifts], alike[shifts + 1]
    bend = left - 2 * middle + right
    round_top = bend < 0
    higher = middle - (right - left) ** 2 / (8 * np.where(round_top, bend, -1.0))
    return np.where(round_top, np.minimum(1.0, higher), middle)


class AudioRepeat(Detector[AudioRepeatParams]):
    """The mean of all channels of one track."""

    id = "audio_repeat"
    scope = Scope.AUDIO
    needs = (LOW_RATE,)
    suppressed_by = ("sound_missing", "silence", "test_tone")
    Params = AudioRepeatParams

    def __init__(self, params: AudioRepeatParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="repeat_correlation",
            unit="ratio",
            threshold=params.min_correlation,
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._floor = 10 ** (params.min_dbfs / 10)
        self._restart()

    def _restart(self) -> None:
        self._x: Samples = np.zeros(0, np.float32)
        self._parts: list[Samples] = []  # what came since, not joined on yet
        self._end_ns = self._fresh = 0
        self._rate_hz = 1.0
        self._found: Likeness | None = None  # while it is open

    def sound(self, view: SoundView) -> Iterator[Finding]:
        low = view[LOW_RATE]
        if not view.follows or low.rate_hz != self._rate_hz:
            yield from self._hold.reset(self._end_ns)
            self._restart()
        self._end_ns, self._rate_hz = view.end_ns, low.rate_hz
        longest = self.params.max_fragment_ms / 1000
        self._parts.append(low.samples)
        self._fresh += len(low.samples)
        due = self._fresh >= EVERY_S * low.rate_hz
        if due or self._found is not None:
            kept = round((longest * (self.params.min_times + 1) + WINDOW_S) * low.rate_hz)
            self._x = np.concatenate([self._x, *self._parts])[-kept:]
            self._parts.clear()
        if self._found is not None:
            yield from self._goes_on(self._found, len(low.samples))
        if not due or len(self._x) < (WINDOW_S + longest) * low.rate_hz + 1:
            return
        self._fresh = 0
        window = round(WINDOW_S * low.rate_hz)
        heard = float(np.square(self._x[-window:]).mean()) > self._floor
        found = self._look(window) if heard else None
        value = max(0.0, found.correlation) if found else 0.0
        yield Measurement("repeat_correlation", value, "ratio", view.end_ns, self.track)
        if self._found is None and found and found.distinct and value >= self.params.min_correlation:
            yield from self._begins(found)

    def _look(self, window: int) -> Likeness:
        shortest, longest = (
            round(ms / 1000 * self._rate_hz)
            for ms in (self.params.min_fragment_ms, self.params.max_fragment_ms)
        )
        return likeness(self._x, window, shortest, longest + 1, self.params.min_correlation)

    def _begins(self, found: Likeness) -> Iterator[Finding]:
        differs = self._differs(found.shift, len(self._x) - found.shift)
        other = np.flatnonzero(differs > DIFFERENT)
        same = len(differs) - 1 - int(other[-1]) if len(other) else len(differs)
        began = found.shift + round(same * STEP_S * self._rate_hz)  # samples ago
        seconds = began / self._rate_hz
        if seconds < self.params.min_seconds:
            return
        period = self._period(found)
        if period is None or began < self.params.min_times * period:
            return
        self._found = found
        detail = f"{1000 * period / self._rate_hz:.0f} ms again and again"
        at_ns = self._end_ns - round(seconds * SECOND)
        yield from self._hold.update(at_ns, True, found.correlation, end_ns=self._end_ns, detail=detail)

    def _period(self, found: Likeness) -> float | None:
        """The fragment's length in samples; None where it is a chord, or a note that is held.

        A fragment of half a sample more than a whole number is most like itself two times later, and so on.
        """
        whole = found.shift / round(found.shift / found.fragment)
        shortest = self.params.min_fragment_ms / 1000 * self._rate_hz
        for times in range(1, MOST_TIMES + 1):
            if whole / times >= shortest and comb(self._x, whole / times, self._rate_hz) >= LEAST_COMB:
                return whole / times
        return None

    def _goes_on(self, found: Likeness, fresh: int) -> Iterator[Finding]:
        other = np.flatnonzero(self._differs(found.shift, fresh) > DIFFERENT)
        if len(other):
            ago = fresh / self._rate_hz - int(other[0]) * STEP_S
            yield from self._hold.update(self._end_ns - round(ago * SECOND), False, 0.0, end_ns=self._end_ns)
            self._found = None

    def _differs(self, shift: int, last: int) -> Real:
        """How much of the power differs from what was `shift` samples before, in steps, over the `last` samples."""
        size = max(1, round(STEP_S * self._rate_hz))
        count = last // size
        now = self._x[len(self._x) - count * size :].reshape(count, size)
        then = self._x[len(self._x) - count * size - shift : len(self._x) - shift].reshape(count, size)
        power = np.square(now).sum(axis=1) + np.square(then).sum(axis=1)
        least = size * self._floor / 10
        return np.asarray(np.square(now - then).sum(axis=1) / np.maximum(power, least), np.float64)


DETECTOR = AudioRepeat
