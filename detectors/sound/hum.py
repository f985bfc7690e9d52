"""Hum: the mains and their harmonics in the sound, as an earth loop brings them.

Measures  hum_level  dBFS, once a second when 6 s of sound are known: of the lines found, together.
Defect    hum        warning: three or more of the first eight harmonics of 50 or 60 Hz (within 0.2 %) stand
          `min_prominence_db` above what lies beside them in a window of 6 s, with one strength and one phase through
          all of it, and make `min_dbfs` together; for `min_seconds`. It is over when the lines are gone
          for 2 s. Either edge is where the sound begins or ceases to follow the lines found, to about 0.2 s.
Blind to  a line or two (a fundamental without harmonics); hum shorter than the window; hum under loud bass; layouts
          whose channels cancel the hum in their mean. Machines that run in step with the mains do hum, and so does a
          synthesiser that holds a chord on their frequencies.
Source    EBU QC 0088B; EN 50160 keeps the mains within 1 %, and within 0.1 Hz nearly always. Notes of equal
          temperament at A = 440 Hz lie 1.9 % or more from all these lines.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import Samples, SoundView
from detectors.hold import Hold
from detectors.sound_features import LOW_RATE, decibels

Real = npt.NDArray[np.float64]

SECOND = 1_000_000_000
MAINS_HZ = (50.0, 60.0)
HARMONICS = 8
NEAR = 0.002  # of a harmonic's frequency
BESIDE_HZ = 8.0
LEAST_LINES = 3
WINDOW_S, KEPT_S, GONE_S = 6, 10, 2
STEPS = 10  # a second, in which the lines are followed
STEADY = 1.7  # a line in a third of the window, against the whole of it


class HumParams(Params):
    """How strong, and for how long."""

    min_dbfs: float = Field(default=-45.0, ge=-100, le=0, description="dBFS of all lines together")
    min_prominence_db: float = Field(
        default=15.0, ge=3, le=60, description="dB above the spectrum within 8 Hz"
    )
    min_seconds: float = Field(
        default=6.0, ge=5, le=10, description="seconds of media time, the window included"
    )


@dataclass(frozen=True, eq=False, slots=True)
class Lines:
    """Harmonics of the mains that stand out of a spectrum."""

    power: float  # mean square, full scale 1.0
    hz: float  # of the fundamental
    numbers: tuple[int, ...]  # which harmonics


@lru_cache(maxsize=4)
def _window(length: int) -> Samples:
    return np.hanning(length).astype(np.float32)


def lines(x: Samples, rate_hz: float, prominence: float) -> Lines:
    """The mains' harmonics in `x`, of 50 or of 60 Hz, whichever stand out more; `prominence` is a ratio of powers."""
    bin_hz = rate_hz / len(x)
    spectrum = _power(x * _window(len(x)), round((HARMONICS * max(MAINS_HZ) + BESIDE_HZ) / bin_hz) + 2)
    found = [_harmonics(spectrum, bin_hz, len(x), mains, prominence) for mains in MAINS_HZ]
    return max(found, key=lambda one: (len(one.numbers) >= LEAST_LINES, one.power))


def _power(x: Samples, count: int) -> Real:
    """The power spectrum: its first `count` lines, or as many as there are."""
    if cv2.getOptimalDFTSize(len(x)) != len(x):
        return np.asarray(np.abs(np.fft.rfft(x)[:count]).astype(np.float64) ** 2, np.float64)
    packed = cv2.dft(x.reshape(1, -1)).ravel()  # twice as quick, for such lengths
    pairs = packed[1 : 2 * min(count, (len(x) + 1) // 2) - 1].astype(np.float64).reshape(-1, 2)
    power = np.empty(len(pairs) + 1)
    power[0] = float(packed[0]) ** 2
    np.add.reduce(pairs * pairs, axis=1, out=power[1:])
    return power


def _harmonics(spectrum: Real, bin_hz: float, length: int, mains_hz: float, prominence: float) -> Lines:
    power, numbers, weighted, weights = 0.0, [], 0.0, 0.0
    beside = round(BESIDE_HZ / bin_hz)
    for number in range(1, HARMONICS + 1):
        hz = mains_hz * number
        reach = max(1, round(NEAR * hz / bin_hz))
        middle = round(hz / bin_hz)
        if middle + beside >= len(spectrum):
            break
        top = middle - reach + int(spectrum[middle - reach : middle + reach + 1].argmax())
        around = spectrum[middle - beside : middle + beside + 1]
        peak, left, right = (float(spectrum[top + k]) for k in (0, -1, 1))
        # The flank of something else, or not the strongest for miles around.
        if peak <= 0.0 or peak < left or peak < right or peak < 0.999 * float(around.max()):
            continue
        if peak < prominence * float(np.median(around)):
            continue
        # Hann's window spreads a line of power A^2 / 2 so that three bins hold 3/32 of (A * length)^2.
        own = (left + peak + right) * 16.0 / (3.0 * length * length)
        ratio = (max(left, right) / peak) ** 0.5
        exact = (top + (1 if right > left else -1) * (2 * ratio - 1) / (ratio + 1)) * bin_hz
        power += own
        weighted += own * number * exact
        weights += own * number * number
        numbers.append(number)
    return Lines(power, weighted / weights if numbers else 0.0, tuple(numbers))


def followed(x: Samples, rate_hz: float, found: Lines, fitted: slice) -> Real:
    """How far `x` follows the lines, in steps of 100 ms: (lines + 1, steps), 1 where it does as in the steps `fitted`.

    Each line's own strength and phase, and last all of them, each weighted by how little else there is near it.
    """
    size = round(rate_hz / STEPS)
    count = len(x) // size
    pieces = x[len(x) - count * size :].reshape(count, size)
    hz = found.hz * np.array(found.numbers)[None, :]
    turn = np.exp(-2j * np.pi * hz * np.arange(size)[:, None] / rate_hz) / size
    begin = np.exp(-2j * np.pi * hz * (np.arange(count) * size)[:, None] / rate_hz)
    z = (pieces @ turn.real + 1j * (pieces @ turn.imag)) * begin
    line = z[fitted].mean(axis=0)
    own = (line.conj() * z).real / np.abs(line) ** 2
    trust = 1.0 / np.maximum(1e-6, np.median((own[fitted] - 1.0) ** 2, axis=0))
    together = np.clip(own, -3.0, 5.0) @ trust / trust.sum()
    return np.concatenate([own, together[:, None]], axis=1).T


class Hum(Detector[HumParams]):
    """The mean of all channels of one track."""

    id = "hum"
    scope = Scope.AUDIO
    needs = (LOW_RATE,)
    suppressed_by = ("sound_missing", "silence", "test_tone")
    Params = HumParams

    def __init__(self, params: HumParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="hum_level",
            unit="dBFS",
            threshold=params.min_dbfs,
            open_ns=0,
            close_ns=GONE_S * SECOND,
            severity=Severity.WARNING,
        )
        self._prominence = 10 ** (params.min_prominence_db / 10)
        self._floor = 10 ** (params.min_dbfs / 10)
        self._restart()

    def _restart(self) -> None:
        self._x: Samples = np.zeros(0, np.float32)
        self._parts: list[Samples] = []  # what came since, not joined on yet
        self._known = 0  # samples of both
        self._lines: Lines | None = None  # what is open
        self._end_ns = self._closed_ns = self._fresh = 0
        self._rate_hz = 1.0

    @property
    def ready(self) -> bool:
        """Whether a whole window of sound is known."""
        return self._known >= WINDOW_S * self._rate_hz

    def sound(self, view: SoundView) -> Iterator[Finding]:
        low = view[LOW_RATE]
        if not view.follows or low.rate_hz != self._rate_hz:
            yield from self._hold.reset(self._end_ns)
            self._restart()
        self._end_ns, self._rate_hz = view.end_ns, low.rate_hz
        self._parts.append(low.samples)
        self._known += len(low.samples)
        self._fresh += len(low.samples)
        if self._fresh < round(low.rate_hz) or not self.ready:
            return
        self._fresh = 0
        kept = round(KEPT_S * low.rate_hz) + len(low.samples)
        self._x = np.concatenate([self._x, *self._parts])[-kept:]
        self._known = len(self._x)
        self._parts.clear()
        found = lines(self._x[-round(WINDOW_S * low.rate_hz) :], low.rate_hz, self._prominence)
        yield Measurement("hum_level", decibels(found.power), "dBFS", view.end_ns, self.track)
        yield from self._goes_on(found) if self._lines else self._begins(found)

    def _begins(self, found: Lines) -> Iterator[Finding]:
        if len(found.numbers) < LEAST_LINES or found.power < self._floor:
            return
        share = followed(self._x, self._rate_hz, found, slice(-WINDOW_S * STEPS, None))
        thirds = share[:-1, -WINDOW_S * STEPS :].reshape(len(found.numbers), 3, -1).mean(axis=2)
        if int(((thirds > 1 / STEADY) & (thirds < STEADY)).all(axis=1).sum()) < LEAST_LINES:
            return
        # Before it began the sum sinks by a half a step, and from then on it rises by as much.
        sums = np.r_[0.0, np.cumsum(np.clip(share[-1], -1.0, 2.0) - 0.5)]
        begin_ns = max(self._closed_ns, self._at(len(share[-1]) - int(sums.argmin())))
        if self._end_ns - begin_ns >= self.params.min_seconds * SECOND:
            self._lines = found
            detail = f"{len(found.numbers)} harmonics of {found.hz:.2f} Hz"
            yield from self._hold.update(
                begin_ns, True, decibels(found.power), end_ns=self._end_ns, detail=detail
            )

    def _goes_on(self, found: Lines) -> Iterator[Finding]:
        assert self._lines is not None
        # What was found last is fitted to the seconds in which it was there, and followed to now.
        share = followed(self._x, self._rate_hz, self._lines, slice(0, -3 * STEPS))[-1]
        sums = np.cumsum(np.clip(share, -1.0, 2.0) - 0.5)
        gone = len(sums) - 1 - int(sums.argmax())  # steps
        yield from self._hold.update(self._at(gone), gone < STEPS, decibels(found.power), end_ns=self._end_ns)
        if not self._hold.is_open:
            self._lines, self._closed_ns = None, self._at(gone)
        elif (
            gone < STEPS
            and abs(found.hz - self._lines.hz) < NEAR * found.hz
            and len(found.numbers) >= LEAST_LINES
        ):
            self._lines = found

    def _at(self, steps: int) -> int:
        """Media time so many steps ago."""
        return self._end_ns - steps * SECOND // STEPS


DETECTOR = Hum
