"""Flicker: the brightness of the whole picture pumps in a rhythm that the content does not have.

Measures  `flicker_depth`, percent: amplitude of the rhythmic part of the picture's brightness, highest of each second.
Defect    `flicker`, warning: for `min_seconds` all parts of the picture brighten and darken together, in proportion,
          at 2 to 15 Hz, by `min_depth_percent` or more. Dated from the first swing to the last.
Blind to  Pumping slower than 2 Hz (automatic exposure, key pictures); flicker of a part of the picture, such as a
          lamp or a screen in it; light without a rhythm (fire, lightning); very dark pictures. What reaches the
          limits of photosensitive epilepsy is `flash`.
Source    IEEE 1789 and ITU-R BT.1702 on where modulation of light is seen; the depth is practice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import LUMA_SMALL, TILE_COLUMNS, TILE_ROWS, Tiles, black_code

SECOND_NS = 1_000_000_000
WINDOW_NS = 1_300_000_000
LOOK_EVERY = 3  # pictures
LEAST_PICTURES = 16
LEAST_HZ, MOST_HZ = 2.0, 15.0
DARK = 12.0  # 8-bit code values above black: tiles below tell nothing of a gain
LEAST_TILES = 30
RHYTHM = 0.8  # of the power above LEAST_HZ lies within one line of the spectrum and its neighbours
SLOW = 3.0  # times that power may lie below LEAST_HZ
EVEN, ALIKE = 0.3, 0.75  # energies of the window's halves; correlation with the next period
TOGETHER = 0.8  # of a swing: half the tiles differ from it by less
SWINGS = 0.35  # of the usual swing from one picture to the next: below, it has ended
PAUSE_NS = 350_000_000
# Natural logarithms of gains: tiles that differ by so much show another picture, and no flicker is so deep.
CUT, DEEPEST = 0.12, 0.25


def _tile_levels(frame: Frame) -> Tiles:
    small = frame[LUMA_SMALL]
    height, width = small.shape
    corners = cv2.integral(small)
    rows = np.arange(TILE_ROWS + 1) * height // TILE_ROWS
    columns = np.arange(TILE_COLUMNS + 1) * width // TILE_COLUMNS
    cells = np.diff(np.diff(corners[rows][:, columns], axis=0), axis=1)
    return np.asarray(
        cells / np.outer(np.diff(rows), np.diff(columns)) - black_code(frame.full_range), np.float32
    )


TILE_LEVELS: Feature[Frame, Tiles] = Feature("flicker_tile_levels", _tile_levels)


class FlickerParams(Params):
    """How deep and how long."""

    min_depth_percent: float = Field(
        default=0.8, ge=0.1, le=50, description="percent of the signal above black, amplitude of the rhythm"
    )
    min_seconds: float = Field(default=1.0, ge=0.5, le=3600, description="seconds of media time")


class _Swing(NamedTuple):
    at_ns: int
    gain: float  # natural logarithm, from the picture before
    apart: float  # how far half the tiles are from it


class Flicker(Detector[FlickerParams]):
    """See the module's docstring."""

    id = "flicker"
    trial = True
    scope = Scope.VIDEO
    needs = (TILE_LEVELS, LUMA_SMALL)
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
        self._before: Tiles | None = None
        self._swings: deque[_Swing] = deque(maxlen=400)
        self._usual = 0.0  # swing while it flickers
        self._last_ns = 0  # the last such swing
        self._looks, self._second, self._depth = 0, -1, 0.0

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """By what gain did all tiles change together?"""
        levels, before, now = view[TILE_LEVELS], self._before, view.at_ns
        self._before = levels
        if not view.follows or before is None:
            yield from self._stop(now)
            self._swings.clear()
            return
        lit = (levels > DARK) & (before > DARK)
        if np.count_nonzero(lit) < LEAST_TILES:
            self._swings.clear()
        else:
            yield from self._swing(view, np.log(levels[lit] / before[lit]))
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
            self._swings.clear()

    def _swing(self, view: PictureView, gains: npt.NDArray[np.float32]) -> Iterator[DefectEdge]:
        gain = float(np.median(gains))
        apart = float(np.median(np.abs(gains - gain)))
        now = view.at_ns
        if apart > CUT or abs(gain) > DEEPEST:
            gain = 0.0  # a cut, not a swing
            self._swings.clear()
        self._swings.append(_Swing(now, gain, apart))
        while now - self._swings[0].at_ns > WINDOW_NS:
            self._swings.popleft()
        if self._usual and abs(gain) >= SWINGS * self._usual:
            self._last_ns = now
        self._looks += 1
        if self._looks % LOOK_EVERY or len(self._swings) < LEAST_PICTURES:
            return
        depth = self._rhythm()
        self._depth = max(self._depth, depth)
        if depth >= self.params.min_depth_percent and (not self._usual or now - self._last_ns < PAUSE_NS):
            if self._hold.since_ns is None:
                self._usual = float(np.median([abs(s.gain) for s in list(self._swings)[-LEAST_PICTURES:]]))
                self._last_ns = now
                yield from self._hold.update(self._since(), True, depth, end_ns=view.end_ns)
            else:
                yield from self._hold.update(now, True, depth, end_ns=view.end_ns)
        elif self._usual and now - self._last_ns >= PAUSE_NS:
            yield from self._stop(view.end_ns)

    def _rhythm(self) -> float:
        """Amplitude of the rhythm in the window, percent; 0 where there is none."""
        swings = self._swings
        span_s = (swings[-1].at_ns - swings[0].at_ns) / 1e9
        if span_s < 0.5:
            return 0.0
        gains = np.asarray([s.gain for s in swings])
        usual = float(np.abs(gains).mean())
        if usual < 1e-4 or float(np.mean([s.apart for s in swings])) > TOGETHER * usual:
            return 0.0
        level = np.cumsum(gains)
        level -= np.polyval(np.polyfit(np.arange(len(level)), level, 2), np.arange(len(level)))
        power = np.abs(np.fft.rfft(level * np.hanning(len(level)))) ** 2
        hz = np.arange(len(power)) * (len(level) - 1) / span_s / len(level)
        quick = (hz >= LEAST_HZ) & (hz <= MOST_HZ)
        total = float(power[hz >= LEAST_HZ].sum())
        if not quick.any() or total <= 0 or float(power[hz < LEAST_HZ].sum()) > SLOW * total:
            return 0.0
        top = int(np.flatnonzero(quick)[np.argmax(power[quick])])
        line = float(power[max(0, top - 1) : top + 2].sum())
        if line < RHYTHM * total:
            return 0.0
        if not _repeats(level, hz[top] * span_s / (len(level) - 1), int((hz < LEAST_HZ).sum())):
            return 0.0
        weight = 3 / 8 * len(level)  # the sum of the squares of a Hann window
        mean_square = 2 * line / len(level) / weight
        if top == len(power) - 1:
            mean_square /= 2  # the last line stands for itself alone
        return 100 * float(np.sqrt(2 * mean_square))

    def _since(self) -> int:
        """The first swing of the rhythm in the window."""
        for index, swing in enumerate(self._swings):
            later = [abs(s.gain) for _, s in zip(range(4), list(self._swings)[index:], strict=False)]
            if abs(swing.gain) >= SWINGS * self._usual and float(np.mean(later)) >= 0.6 * self._usual:
                return swing.at_ns
        return self._swings[0].at_ns

    def _stop(self, certain_ns: int) -> Iterator[DefectEdge]:
        yield from self._hold.update(self._last_ns, False, 0.0, end_ns=certain_ns)
        if self._usual:
            self._swings.clear()
        self._usual = 0.0


def _repeats(level: npt.NDArray[np.float64], per_picture: float, slow: int) -> bool:
    """Whether what is quicker than the first `slow` lines of the spectrum looks the same a period later, all along."""
    lines = np.fft.rfft(level)
    lines[: max(1, slow - 1)] = 0
    quick = np.fft.irfft(lines, len(level))
    half = len(quick) // 2
    energies = float((quick[:half] ** 2).sum()), float((quick[half:] ** 2).sum())
    if min(energies) < EVEN * max(energies):
        return False
    lag = max(2, round(1 / per_picture))
    return any(_alike(quick, at) >= ALIKE for at in (lag - 1, lag, lag + 1) if 2 <= at < len(quick) - 4)


def _alike(level: npt.NDArray[np.float64], lag: int) -> float:
    one, other = level[:-lag], level[lag:]
    return float((one * other).sum() / np.sqrt((one**2).sum() * (other**2).sum()))


DETECTOR = Flicker
