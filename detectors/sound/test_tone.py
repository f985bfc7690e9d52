"""Test tone: line-up tone or a beep instead of programme.

Measures  tone_hz      Hz: the frequency of the strongest line, in each second that holds a steady tone.
          tone_purity  ratio, once a second: power of that line against all, of the loudest channel; 0 where the level
          is not steady enough to look.
Defect    test_tone    error: the level of the loudest channel stays within `max_ripple_db` from one 10 ms to the next,
          `min_purity` of its power lies in one line, and neither moves from one tenth of a second to the next (level by
          0.5 dB, frequency by 0.2 %), for `min_seconds` at a line-up frequency, else for `other_seconds`. Dated to the
          tenth of a second.
Blind to  tone under programme; two tones at once (colour bars' stereo idents, DTMF); sweeps; tones below 60 Hz and
          below `min_dbfs`. A synthesiser's pure note held for `other_seconds` is a tone.
Source    EBU QC 0014B; line-up at 1 kHz (EBU R49, SMPTE RP 155), 400, 440, 800, 900 and 997 Hz. Organs and flutes
          have harmonics or waver.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import Samples, SoundView
from detectors.hold import Hold
from detectors.sound_features import LEVELS, SAMPLES

SECOND = 1_000_000_000
LINE_UP_HZ = (400.0, 440.0, 800.0, 900.0, 997.0, 1000.0, 1020.0)
LINE_UP_NEAR = 0.003
LOWEST_HZ = 60.0
SAME_LEVEL = 10 ** (0.5 / 10)
SAME_HZ = 0.002
LINE = 3  # bins on either side of a line that are its own, after Hann's window


class TestToneParams(Params):
    """How pure and steady a tone is."""

    __test__ = False  # no test case, whatever its name begins with

    min_purity: float = Field(default=0.97, ge=0.5, le=1, description="ratio of the line's power to all")
    max_ripple_db: float = Field(default=1.0, ge=0.1, le=6, description="dB within 100 ms, in steps of 10 ms")
    min_dbfs: float = Field(default=-50.0, ge=-90, le=0, description="dBFS, root mean square")
    min_seconds: float = Field(default=1.0, ge=0.3, le=60, description="seconds at a line-up frequency")
    other_seconds: float = Field(default=3.0, ge=0.3, le=600, description="seconds at any other frequency")


@lru_cache(maxsize=8)
def _window(length: int) -> Samples:
    return np.hanning(length).astype(np.float32)


def line(x: Samples, rate_hz: int) -> tuple[float, float]:
    """(Hz, share of the power) of the strongest line of `x`, one channel's samples."""
    power = np.abs(np.fft.rfft(x * _window(len(x)))) ** 2
    lowest = max(LINE, int(LOWEST_HZ * len(x) / rate_hz))
    top = lowest + int(power[lowest:].argmax())
    total = float(power.sum())
    if total <= 0.0 or top + LINE >= len(power):
        return 0.0, 0.0
    near = power[top - LINE : top + LINE + 1]
    # The quotient of neighbours gives the fraction of a bin; exact for Hann's window and a single line.
    left, middle, right = (float(v) ** 0.5 for v in power[top - 1 : top + 2])
    side, sign = (right, 1.0) if right > left else (left, -1.0)
    ratio = side / middle if middle > 0.0 else 0.0
    fraction = sign * (2 * ratio - 1) / (ratio + 1)
    return (top + fraction) * rate_hz / len(x), float(near.sum()) / total


class TestTone(Detector[TestToneParams]):
    """The loudest channel of one track."""

    __test__ = False

    id = "test_tone"
    scope = Scope.AUDIO
    needs = (LEVELS, SAMPLES)
    suppressed_by = ("sound_missing",)
    Params = TestToneParams

    def __init__(self, params: TestToneParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="tone_purity",
            unit="ratio",
            threshold=params.min_purity,
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._floor = 10 ** (params.min_dbfs / 10)
        self._ripple = 10 ** (params.max_ripple_db / 10)
        self._since_ns: int | None = None
        self._hz = self._power = self._purest = 0.0
        self._end_ns = self._blocks = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        if not view.follows:
            yield from self._over(self._end_ns)
        self._end_ns = view.end_ns
        powers: list[list[float]] = view[
            LEVELS
        ].mean_square.tolist()  # so few are looked at sooner one by one
        totals = [sum(own) for own in powers]
        row = totals.index(max(totals))
        level, hz, purity = totals[row] / len(powers[row]), 0.0, 0.0
        steady = level > self._floor and max(powers[row]) < self._ripple * min(powers[row])
        if steady:
            hz, purity = line(view[SAMPLES][row], view.rate_hz)
        self._blocks += 1
        if self._blocks % 10 == 0:
            yield Measurement("tone_purity", purity, "ratio", view.end_ns, self.track)
            if purity >= self.params.min_purity:
                yield Measurement("tone_hz", hz, "Hz", view.end_ns, self.track)
        if not steady or purity < self.params.min_purity:
            yield from self._over(view.at_ns)
            return
        if self._since_ns is not None and not self._same(level, hz):
            yield from self._over(view.at_ns)
        if self._since_ns is None:
            self._since_ns, self._purest = view.at_ns, 0.0
        self._hz, self._power = hz, level
        self._purest = max(self._purest, purity)
        line_up = any(abs(hz - known) <= LINE_UP_NEAR * known for known in LINE_UP_HZ)
        needed = self.params.min_seconds if line_up else self.params.other_seconds
        if self._hold.is_open or view.end_ns - self._since_ns >= needed * SECOND:
            detail = f"{hz:.0f} Hz at {10 * np.log10(2 * level):.1f} dBFS (peak)"
            yield from self._hold.update(
                self._since_ns, True, self._purest, end_ns=view.end_ns, detail=detail
            )

    def _same(self, level: float, hz: float) -> bool:
        return (
            self._power / SAME_LEVEL < level < self._power * SAME_LEVEL and abs(hz - self._hz) <= SAME_HZ * hz
        )

    def _over(self, at_ns: int) -> Iterator[Finding]:
        yield from self._hold.reset(at_ns)
        self._since_ns = None


DETECTOR = TestTone
