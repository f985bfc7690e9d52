"""Banding: what should be a smooth gradient is a staircase of flat bands with false contours between them.

Measures  `level_comb`, ratio, once a second: how far the levels of luma in smooth areas form a comb, that is, levels at
          even distances (of 7 to 33 8-bit code values) are common and those between them are rare: 0 where they are
          not, 2 where there is nothing between them. Pictures have 0.1 to 0.5, few-coloured drawings up to 0.8.
Defect    `banding`, warning: within a shot, the comb of one distance rises at once by `min_rise` to `min_comb`, or one
          of `certain_comb` stays across a cut; for `min_seconds`. It goes on over cuts as long as a comb of about that
          distance is there. Dated at the first such picture. Above a distance of 18 code values a comb must be 1.15
          times as strong. A picture whose light changes meanwhile, or that has just come to rest, is one that fades in.
Blind to  Bands less than seven code values apart, as 8 bits have them by nature; bands of uneven height, as a coder or
          noise reduction leaves them at times, and fewer than four of them; dither and noise over the bands; colour
          that is banded where luma is not. What comes with a cut, or was there from the beginning, is told after the
          next cut, and only where it is `certain_comb`: drawings of a few colours have combs too, each shot its own.
Source    Tandon et al., "CAMBI: contrast-aware multiscale banding index", 2021: steps between flat surroundings of a
          visible contrast. That a quantiser's levels are at even distances is our criterion.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from detectors import native
from detectors.detector import Params
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.picture_features import LUMA_SMALL, Small, counts_of
from detectors.rising import SampledDetector
from detectors.shots import PATCHES, Scene
from detectors.unhurried import NEARLY

Combs = npt.NDArray[np.float32]  # (periods,) how far levels of each distance form a comb

LEVELS = 256
PERIODS = tuple(7.0 * 1.07**n for n in range(24))  # 8-bit code values
MORE = np.where(
    np.array(PERIODS) > 18.0, 1.15, 1.0
)  # times what is asked for: few levels are a comb by chance
GROUPS = (0, 5, 10, 15, 20, 24)  # of periods that are compared with one even course of the levels
WINDOW = 4.0  # periods that are looked at together: levels need not be even from black to white
SQUARE = np.ones((3, 3), np.uint8)
SMOOTH = 4  # 8-bit code values within 3 x 3 thinned samples: more is texture or an edge
FEW, MUCH = 0.0004, 0.008  # of the raster, at one level: below, it is no evidence; above, it weighs no more
LEAST = 0.12 / LEVELS  # of the raster, a level: less in smooth areas makes no comb
MOST = 3.0  # times an even course, that a level counts for
COURSE = 0.8  # standard deviation that the levels are blurred by, code values: a coder's own error
BLUR = np.asarray(cv2.getGaussianKernel(5, COURSE, cv2.CV_32F), np.float32).ravel()
PAST, LEAST_PAST = 12, 3  # samples that are kept; and that must be known of a shot
ROSE_FROM, ROSE_TO = 0.35, 0.45  # of a rise, on two samples next to each other: a coder hesitates
BEGINS = 0.5  # of `min_rise`, from one look to the next: the picture between is looked at, too
NEAR = 2  # periods up and down at which it is the same comb
GONE, LEVEL_STEP = 0.5, 0.2  # of what it has been: down; and with which that follows
STILL_COMB = 0.75  # of `min_comb`: below, it is none
SURE = 3  # samples after a cut
UNSURE, CALM_AFTER = 4, 3  # samples after it rose, and before,
STIRRED, CALM = 2.0, 0.3  # in which levels move by so much, and then by so much less: a dissolve has ended
DIPS = 2  # samples below that do not end it
SAME_LIGHT = 8.0  # 8-bit code values that levels may move by, on average, when it rises and just after
KEPT_CONTRAST = 0.8  # of the contrast between parts is left, else it is a fade


class _Windows(NamedTuple):
    """Windows along the levels, those of each period one after the other."""

    centres: npt.NDArray[np.int32]  # (windows,)
    group: npt.NDArray[np.int32]  # (windows,) with which even course they are compared
    slices: tuple[slice, ...]  # of each group
    first: npt.NDArray[np.int32]  # of each period, its first window, and how many there are
    least: npt.NDArray[np.float32]  # of each period, added to its weights
    spans: npt.NDArray[np.int32]  # of each group, about one period
    begins: npt.NDArray[np.int32]  # (windows,) the first level that a wave weighs
    places: npt.NDArray[np.int32]  # (windows + 1,) where among `cosine` and `sine` it begins
    cosine: npt.NDArray[np.float32]  # what each wave weighs, one after the other
    sine: npt.NDArray[np.float32]


@lru_cache(maxsize=1)
def _windows() -> _Windows:
    waves: list[npt.NDArray[Any]] = []
    centres: list[npt.NDArray[Any]] = []
    sizes: list[int] = []  # of each period, how many windows
    for period in PERIODS:
        at = np.arange(0.0, LEVELS, period)
        turns = (np.arange(LEVELS) - at[:, None]) / period
        weight = np.where(np.abs(turns) < WINDOW / 2, 1 + np.cos(2 * np.pi / WINDOW * turns), 0.0)
        waves.append(2 / (WINDOW * period) * weight * np.exp(2j * np.pi * turns))
        centres.append(at)
        sizes.append(len(at))
    both = np.concatenate(waves)
    groups = np.repeat(np.searchsorted(GROUPS, np.arange(len(PERIODS)), "right") - 1, sizes)
    bounds = np.searchsorted(groups, np.arange(len(GROUPS)))
    weighed = [np.flatnonzero(wave) for wave in both]
    own = np.concatenate([wave[some[0] : some[-1] + 1] for wave, some in zip(both, weighed, strict=True)])
    return _Windows(
        np.concatenate(centres).astype(np.int32),
        groups.astype(np.int32),
        tuple(slice(int(a), int(b)) for a, b in pairwise(bounds)),
        np.cumsum([0, *sizes], dtype=np.int32),
        np.asarray(LEAST * np.array(sizes), np.float32),
        np.array(
            [2 * int((PERIODS[a] * PERIODS[b - 1]) ** 0.5 / 2) + 1 for a, b in pairwise(GROUPS)], np.int32
        ),
        np.array([some[0] for some in weighed], np.int32),
        np.cumsum([0, *(some[-1] + 1 - some[0] for some in weighed)], dtype=np.int32),
        np.ascontiguousarray(own.real, np.float32),
        np.ascontiguousarray(own.imag, np.float32),
    )


@lru_cache(maxsize=1)
def _waves() -> npt.NDArray[np.float32]:
    """(2, windows, LEVELS) cosine and sine."""
    windows = _windows()
    waves = np.zeros((2, len(windows.centres), LEVELS), np.float32)
    for n, (begin, (first, last)) in enumerate(zip(windows.begins, pairwise(windows.places), strict=True)):
        waves[:, n, begin : begin + last - first] = windows.cosine[first:last], windows.sine[first:last]
    return waves


def combs_of(counts: npt.NDArray[np.float32]) -> Combs:
    """How far levels form a comb of each of `PERIODS`, 0 to 2. `counts`: (256,) of each level, shares of the raster."""
    windows = _windows()
    if native.kernels is not None:
        combs = np.empty(len(PERIODS), np.float32)
        native.kernels.combs(
            counts, BLUR, windows.spans, FEW, MOST, MUCH, windows.least, windows.first, windows.centres, windows.group,
            windows.begins, windows.places, windows.cosine, windows.sine, combs,
        )  # fmt: skip
        return combs
    row = counts.reshape(1, -1)
    here = cv2.sepFilter2D(row, -1, BLUR, np.ones(1, np.float32)).ravel()
    # What they were if they were spread evenly over a period, twice.
    spans = windows.spans.tolist()
    course = np.concatenate([cv2.blur(cv2.blur(row, (span, 1)), (span, 1)) for span in spans])
    excess = np.minimum(here / (course + np.float32(FEW)) - 1, np.float32(MOST))
    parts = [_waves()[:, part] @ one for part, one in zip(windows.slices, excess, strict=True)]
    cosine, sine = np.concatenate(parts, axis=1)
    weight = np.minimum(course[windows.group, windows.centres], np.float32(MUCH))
    first = windows.first[:-1]
    found = np.add.reduceat(np.sqrt(cosine * cosine + sine * sine) * weight, first)
    return np.asarray(found / (np.add.reduceat(weight, first) + windows.least), np.float32)


class Levels(NamedTuple):
    """What a picture's levels of luma are like."""

    combs: Combs  # in smooth areas, of the thinned luma
    below: npt.NDArray[np.float32]  # (256,) share of all samples at each level or below it

    def moved_from(self, other: Levels) -> float:
        """By how many 8-bit code values the levels of two pictures differ, on average."""
        return float(np.abs(self.below - other.below).sum())

    def moved_besides(self, other: Levels, period: float) -> float:
        """The same, without what steps of such a height move by themselves, whichever way they were rounded.

        Between two steps, as many samples are above and below as there were before.
        """
        differ = np.abs(self.below - other.below)
        between = np.arange(0.0, LEVELS - period, period) + np.arange(0.0, period)[:, None]
        return float(differ[between.astype(np.intp)].mean(axis=1).min()) * LEVELS


def _levels(frame: Frame) -> Levels:
    small = frame[LUMA_SMALL]
    counts = _smooth_counts(small)
    some = small[::4]  # tells as well
    below = np.cumsum(counts_of(some)) / np.float32(some.size)
    return Levels(combs_of(counts / np.float32(small.size)), np.asarray(below, np.float32))


def _smooth_counts(small: Small) -> npt.NDArray[np.float32]:
    """(256,) how many samples have each level, of those in smooth areas."""
    if native.kernels is not None:
        counts = np.empty(LEVELS, np.float32)
        native.kernels.smooth_levels(small, SMOOTH, counts)
        return counts
    varies = cv2.subtract(cv2.dilate(small, SQUARE), cv2.erode(small, SQUARE))
    smooth = cv2.threshold(varies, SMOOTH, 255, cv2.THRESH_BINARY_INV)[1]
    return np.asarray(cv2.calcHist([small], [0], smooth, [LEVELS], [0, LEVELS]).ravel(), np.float32)


LEVELS_OF: Feature[Frame, Levels] = Feature("banding_levels", _levels, rate_hz=SAMPLED_HZ)
"""The levels of luma of a picture."""

LEVEL_COMB: Feature[Frame, float | None] = Feature(
    "level_comb", lambda frame: float(frame[LEVELS_OF].combs.max()), rate_hz=SAMPLED_HZ
)
"""The strongest comb of them, whatever its distance."""


@dataclass(slots=True)
class _Comb:
    """The comb that is there."""

    place: int  # of its distance among `PERIODS`
    level: float
    dips: int = 0
    unsure: int = UNSURE  # samples that may yet show that the picture turns, or turned, into another one


@dataclass(slots=True)
class _Certain:
    """A comb that did not rise within a shot, but is strong enough to be told once it has stayed across a cut."""

    since_ns: int
    place: int
    cuts: int = 0
    samples: int = 0  # since the last cut


class BandingParams(Params):
    """What counts as banding."""

    min_comb: float = Field(
        default=0.45, gt=0, le=2, description="ratio; 2 is a comb without anything between"
    )
    min_rise: float = Field(default=0.32, gt=0, le=2, description="ratio, more than before within the shot")
    certain_comb: float = Field(default=0.9, gt=0, le=2, description="ratio that few drawings have")
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Banding(SampledDetector[BandingParams]):
    """See the module's docstring."""

    id = "banding"
    needs = (LEVEL_COMB, LEVELS_OF, PATCHES)
    suppressed_by = (*SampledDetector.suppressed_by, "blockiness")
    measures = LEVEL_COMB
    reads = LEVELS_OF
    unit = "ratio"
    Params = BandingParams

    def __init__(self, params: BandingParams, track: str | None) -> None:
        super().__init__(params, track, threshold=params.min_comb, min_seconds=params.min_seconds)
        self._scene = Scene()
        self._past: deque[tuple[int, Levels]] = deque(maxlen=PAST)  # the latest samples, oldest first
        self._there: _Comb | None = None
        self._certain: _Certain | None = None
        self._stirred = 0.0  # how far levels moved from sample to sample just before it rose

    @property
    def ready(self) -> bool:
        """Whether there is a past to compare with."""
        return self._there is not None or self._scene.known

    @property
    def is_calm(self) -> bool:
        """Whether there is no comb."""
        return super().is_calm and self._there is None and self._certain is None

    def value_of(self, reading: Levels) -> float:
        """The strongest comb."""
        return float(reading.combs.max())

    def is_near(self, reading: Levels) -> bool:
        """Whether there is a comb, or nearly, or one begins."""
        if (reading.combs >= NEARLY * self.params.min_comb * MORE).any():
            return True
        rose = reading.combs - self._past[-1][1].combs if self._past else reading.combs
        return float(rose.max()) >= BEGINS * self.params.min_rise

    def let_pass(self, view: PictureView, following: PictureView) -> None:
        """It has no comb, and its levels lie half way between those before and after it."""
        later = following[LEVELS_OF]
        before = self._past[-1][1] if self._past else later
        self.since(view, Levels(later.combs, (before.below + later.below) * np.float32(0.5)))

    def since(self, view: PictureView, reading: Levels) -> int | None:
        """Since when levels form a comb that they did not form before."""
        self._scene.add(view.at_ns, view[PATCHES], 0.0)
        self._past.append((view.at_ns, reading))
        if self._there is not None:
            return self._goes_on(self._there, view.at_ns, reading)
        found = self._risen(reading) or self._stays(view.at_ns, reading.combs)
        if found is None:
            return None
        since, place = found
        self._certain = None
        self._there = _Comb(place, float(reading.combs[place]))
        return since

    def _risen(self, now: Levels) -> tuple[int, int] | None:
        """(since when, place among `PERIODS`) of the comb that rose most in this shot, if far and at once."""
        strong = now.combs >= self.params.min_comb * MORE
        past = self._scene.earlier() if strong.any() else []
        if len(past) < LEAST_PAST or any(
            self._scene.contrast < KEPT_CONTRAST * one.patches.contrast for one in past
        ):
            return None
        before = np.array([other.combs for at_ns, other in self._past if past[0].at_ns <= at_ns][:-1])
        usual = before.min(axis=0)
        place = int(np.where(strong, (now.combs - usual) / MORE, 0).argmax())
        rise = float(now.combs[place] - usual[place])
        if rise < self.params.min_rise * MORE[place]:
            return None
        later_ns, later = self._past[-1]
        for back, (at_ns, other) in enumerate(reversed(self._past)):
            if other.combs[place] <= usual[place] + ROSE_FROM * rise:
                at_once = later.combs[place] >= usual[place] + ROSE_TO * rise
                if not at_once or now.moved_besides(other, PERIODS[place]) > SAME_LIGHT:
                    return None
                self._stirred = max(self._moves(back + CALM_AFTER, back), default=0.0)
                return later_ns, place
            later_ns, later = at_ns, other
        return None

    def _stays(self, at_ns: int, combs: Combs) -> tuple[int, int] | None:
        """The same of one that is strong in any picture, and was there before the last cut too."""
        place = int(combs.argmax())
        if combs[place] < self.params.certain_comb:
            self._certain = None
            return None
        if self._certain is None or abs(place - self._certain.place) > 1:
            self._certain = _Certain(at_ns, place)
        if not self._scene.known:
            self._certain.cuts += at_ns > self._certain.since_ns
            self._certain.samples = 0
        self._certain.samples += 1
        if not self._certain.cuts or self._certain.samples < SURE:
            return None
        self._stirred = 0.0
        return self._certain.since_ns, place

    def _turns(self, there: _Comb) -> bool:
        """Whether it rose at the beginning of a dissolve, or at the end of one to something that hardly moves."""
        moves = self._moves(1 + UNSURE - there.unsure, 0)
        there.unsure -= 1
        if not self._scene.known or (there.unsure < UNSURE - 2 and moves[-1] > SAME_LIGHT):
            there.unsure = 0  # a cut: what was before says nothing
            return False
        calmed = not there.unsure and max(moves[-2:]) < CALM * self._stirred and self._stirred >= STIRRED
        return calmed or moves[-1] > SAME_LIGHT

    def _moves(self, first: int, last: int) -> list[float]:
        """By how much the levels moved from sample to sample, from `first` samples ago to `last` samples ago."""
        past = [levels for _, levels in list(self._past)[-1 - first : len(self._past) - last]]
        return [now.moved_from(before) for before, now in pairwise(past)]

    def _goes_on(self, there: _Comb, at_ns: int, now: Levels) -> int | None:
        if there.unsure and self._turns(there):
            self._there = None
            return None
        combs = now.combs
        here = float(combs[max(0, there.place - NEAR) : there.place + NEAR + 1].max())
        if here >= max(GONE * there.level, STILL_COMB * self.params.min_comb):
            there.level += LEVEL_STEP * (here - there.level)
            there.dips = 0
            return at_ns
        there.dips += 1
        if there.dips > DIPS:
            self._there = None
        return None

    def forget(self) -> None:
        """Nothing to compare with."""
        self._scene.forget()
        self._past.clear()
        self._certain = None


DETECTOR = Banding
