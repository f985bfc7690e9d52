"""Banding: what should be a smooth gradient is a staircase of flat bands with false contours between them.

Measures  `level_comb`, ratio, once a second: how far the levels of luma in smooth areas form a comb, that is, levels at
          even distances (of 7 to 33 8-bit code values) are common and those between them are rare: 0 where they are
          not, 2 where there is nothing between them. Pictures have 0.1 to 0.5, few-coloured drawings up to 0.8.
Defect    `banding`, warning: within a shot, the comb of one distance rises at once by `min_rise`, to `min_comb` or more,
          or it is `certain_comb` after a cut too; for `min_seconds`. It goes on over cuts as long as a comb of about
          that distance is there. Dated at the first such picture. A fade is none.
Blind to  Bands less than seven code values apart, as 8 bits have them by nature; bands of uneven height, as a coder or
          noise reduction leaves them at times, and fewer than four of them; dither and noise over the bands; colour
          that is banded where luma is not. What comes with a cut, or was there from the beginning, is told only where
          it is `certain_comb`.
Source    Tandon et al., "CAMBI: contrast-aware multiscale banding index", 2021: steps between flat surroundings of a
          visible contrast. That a quantiser's levels are at even distances is our criterion.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding
from detectors.detector import Params
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.picture_features import LUMA_SMALL
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Rise

Combs = npt.NDArray[np.float32]  # (periods,) how far levels of each distance form a comb

LEVELS = 256
PERIODS = tuple(7.0 * 1.07**n for n in range(24))  # 8-bit code values
GROUPS = (0, 5, 10, 15, 20, 24)  # of periods that are compared with one even course of the levels
WINDOW = 4.0  # periods that are looked at together: levels need not be even from black to white
SMOOTH = 4  # 8-bit code values within 3 x 3 thinned samples: more is texture or an edge
FEW, MUCH = 0.0004, 0.008  # of the raster, at one level: below, it is no evidence; above, it weighs no more
LEAST = 0.12 / LEVELS  # of the raster, a level: less in smooth areas makes no comb
MOST = 3.0  # times an even course, that a level counts for
COURSE = 0.8  # standard deviation that the levels are blurred by, code values: a coder's own error
USUAL = 7  # samples that tell what was usual
NEAR = 2  # periods up and down at which it is the same comb
GONE = 0.5  # of what it has been: down
STILL_COMB = 0.75  # of `min_comb`: below, it is none
DIPS = 2  # samples below that do not end it
KEPT_CONTRAST = 0.8  # of the contrast between parts is left, else it is a fade


class _Group(NamedTuple):
    """Windows of some periods along the levels."""

    waves: npt.NDArray[np.float32]  # (2, windows, LEVELS) cosine and sine
    centres: npt.NDArray[np.intp]  # (windows,)
    first: npt.NDArray[np.intp]  # of each period, its first window
    width: int  # of an even course, levels


@lru_cache(maxsize=1)
def _groups() -> tuple[_Group, ...]:
    groups = []
    for begin, end in zip(GROUPS[:-1], GROUPS[1:], strict=True):
        waves, centres, first = [], [], []
        for period in PERIODS[begin:end]:
            first.append(len(waves))
            for centre in np.arange(0.0, LEVELS, period):
                distance = np.arange(LEVELS) - centre
                inside = np.abs(distance) < WINDOW / 2 * period
                weight = np.where(inside, 1 + np.cos(2 * np.pi * distance / (WINDOW * period)), 0.0)
                waves.append(2 / (WINDOW * period) * weight * np.exp(2j * np.pi * distance / period))
                centres.append(int(centre))
        both = np.array(waves)
        width = 2 * int((PERIODS[begin] * PERIODS[end - 1]) ** 0.5 / 2) + 1
        stacked = np.ascontiguousarray([both.real, both.imag], np.float32)
        groups.append(_Group(stacked, np.array(centres), np.array(first), width))
    return tuple(groups)


def combs_of(counts: npt.NDArray[np.float32]) -> Combs:
    """How far levels form a comb of each of `PERIODS`, 0 to 2. `counts`: (256,) of each level, shares of the raster."""
    row = counts.reshape(1, -1)
    here = cv2.GaussianBlur(row, (5, 1), COURSE).ravel()
    out = []
    for waves, centres, first, width in _groups():
        course = cv2.blur(cv2.blur(row, (width, 1)), (width, 1)).ravel()
        excess = np.clip(here / (course + FEW) - 1, -1, MOST)
        cosine, sine = waves @ excess
        weight = np.minimum(course, MUCH)[centres]
        size = np.diff(first, append=len(centres))
        out.append(
            np.add.reduceat(np.hypot(cosine, sine) * weight, first)
            / (np.add.reduceat(weight, first) + LEAST * size)
        )
    return np.asarray(np.concatenate(out), np.float32)


def _combs(frame: Frame) -> Combs:
    small = frame[LUMA_SMALL]
    window = np.ones((3, 3), np.uint8)
    varies = cv2.subtract(cv2.dilate(small, window), cv2.erode(small, window))
    smooth = cv2.threshold(varies, SMOOTH, 255, cv2.THRESH_BINARY_INV)[1]
    counts = cv2.calcHist([small], [0], smooth, [LEVELS], [0, LEVELS]).ravel()
    return combs_of(np.asarray(counts / np.float32(small.size), np.float32))


COMBS: Feature[Frame, Combs] = Feature("combs", _combs, rate_hz=SAMPLED_HZ)
"""How far the levels of smooth areas of the thinned luma form a comb, for each of `PERIODS`."""

LEVEL_COMB: Feature[Frame, float | None] = Feature(
    "level_comb", lambda frame: float(frame[COMBS].max()), rate_hz=SAMPLED_HZ
)
"""The strongest of `COMBS`."""


class BandingParams(Params):
    """What counts as banding."""

    min_comb: float = Field(default=0.45, gt=0, le=2, description="ratio; 2 is a comb without anything between")
    min_rise: float = Field(default=0.2, gt=0, le=2, description="ratio, more than before within the shot")
    certain_comb: float = Field(default=0.9, gt=0, le=2, description="ratio that no programme has")
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Banding(RisingDetector[BandingParams]):
    """See the module's docstring."""

    id = "banding"
    trial = True
    needs = (LEVEL_COMB, COMBS, PATCHES)
    suppressed_by = (*RisingDetector.suppressed_by, "blockiness")
    measures = LEVEL_COMB
    unit = "ratio"
    Params = BandingParams

    def __init__(self, params: BandingParams, track: str | None) -> None:
        rise = Rise(floor=params.min_rise, factor=1.0, plus=params.min_rise, back=0.0, kept=KEPT_CONTRAST)
        super().__init__(
            params, track, rise=rise, threshold=params.min_comb, min_seconds=params.min_seconds
        )
        self._usual: deque[Combs] = deque(maxlen=USUAL)
        self._period = 0  # of the comb that is there: its place among `PERIODS`
        self._level: float | None = None  # of it
        self._dips = 0

    def since(self, view: PictureView, value: float) -> int | None:
        """Since when levels form a comb that they did not form before."""
        combs = view[COMBS]
        if self._level is not None:
            return self._goes_on(view, combs)
        usual = np.median(np.array(self._usual), axis=0) if self._usual else combs
        rises = combs - usual
        at = int(rises.argmax())
        risen = self._rise.update(
            view.at_ns, view[PATCHES], float(rises[at]), high=float(combs[at]) >= self.params.min_comb
        )
        if risen is None and value >= self.params.certain_comb:
            risen, at = view.at_ns, int(combs.argmax())
        if risen is None:
            self._usual.append(combs)
            return None
        self._period, self._level, self._dips = at, float(combs[at]), 0
        return risen

    def _goes_on(self, view: PictureView, combs: Combs) -> int | None:
        assert self._level is not None
        near = combs[max(0, self._period - NEAR) : self._period + NEAR + 1]
        here = float(near.max())
        self._rise.update(view.at_ns, view[PATCHES], 1.0)
        if here >= max(GONE * self._level, STILL_COMB * self.params.min_comb):
            self._level += 0.2 * (here - self._level)
            self._dips = 0
            return view.at_ns
        self._dips += 1
        if self._dips > DIPS:
            self._forget()
        return None

    def _forget(self) -> None:
        self._level = None
        self._usual.clear()
        self._rise.withdraw()

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._forget()
        yield from super().broke(event)


DETECTOR = Banding
