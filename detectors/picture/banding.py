"""Banding: what should be a smooth gradient is a staircase of flat bands with false contours between them.

Measures  `equal_steps`, ratio: how many times more contours have the commonest height than have heights a little above
          or below it, once a second. Contours are looked for on gentle slopes: luma that goes up or down by 6 to 41
          8-bit code values over a thirtieth of the width without turning back, most of it in one step. The edges of
          things have all heights: about 1, seldom above 2. Steps of a coarse quantiser are alike: 4 and more.
Defect    `banding`, warning: contours of one height are `min_excess` times as many as others, at several levels of
          luma, with slopes that cover `min_share` of the raster, for `min_seconds`. Within a shot, it is enough that
          the product of the two rises at once to four times what it was, and is a fifth of that. What has been so for
          ten seconds is usual: it must be half as much again. Coarse dither counts too; straight edges, as graphics
          have them, do not. Dated at the first such picture, closed when contours are as usual again.
Blind to  Bands less than six code values apart, as 8 bits have them by nature; bands of unequal height, as a coder or
          noise reduction leaves them at times; pictures with hardly a gentle slope; what lies near black; colour that
          is banded where luma is not; bands that lie exactly along lines or columns; bands smeared by a coder. Blocks
          of a starved coder have equal steps too: they are told as `blockiness`. What comes with a cut, or right beside
          one, may be told late or not at all.
Source    Tandon et al., "CAMBI: contrast-aware multiscale banding index", 2021: steps between flat surroundings, within
          a range of contrasts, not near black. That a quantiser's steps are alike is our criterion.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding
from detectors.detector import Params
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.picture_features import LUMA_SMALL, black_code
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Rise

SPAN = 13  # thinned samples that a slope is followed over
STEP = 2  # thinned samples that a contour takes, the coder's smear included
GENTLE = 3, 47  # 8-bit code values from one end of a slope to the other: steeper ones are edges
BACKWARDS = 2  # code values that it may lie beyond its ends
STEEP = 0.6  # of the way in one step: a contour
NEAR_BLACK = 8  # 8-bit code values above black
HEIGHTS = range(6, 42)  # of a contour, 8-bit code values
BESIDE = range(3, 7)  # code values away, heights are other ones
FEW = 0.0008  # of the raster, added to contours of other heights: ratios of small numbers are no evidence
LEVEL_BINS = 64  # of luma, four code values each
LEVELS = 2.0  # effective number of them that are several
RUNS = 14, 24  # every second thinned line or sample: contours that go straight down, or across, so far
STRAIGHT = 0.25  # of them go straight: graphics
SEVERAL = 1.5  # excess from which it is looked whether they do
WEAK = 0.2  # of excess times share, where that rises within a shot
NEARLY, STILL = 0.4, 0.32  # of the excess, where it does; and afterwards
TEXTURE = 10.0  # effective number of levels that only fine texture has, when it comes into sight
WIDELY = 1.4  # times the share, at one level of luma
RISEN = 4.0  # times what excess times share was before
KEPT_CONTRAST = 0.8  # of the contrast between parts is left, else it is a fade
KEEPS, FALLEN = 0.6, 0.1  # of the least excess times share, and of what it has been meanwhile: it goes on
LEVEL_STEP = 0.2  # with which that follows
DIPS = 2  # pictures below that do not end it
BACK, ABOUT = (
    15,
    0.5,
)  # pictures that are looked back over for the first that was banded by so much of excess times share
USUAL, MORE = 50, 1.5  # pictures that tell what is usual; times that is more


class Steps(NamedTuple):
    """The commonest height of contours in a picture."""

    excess: float  # contours of this height, times those of heights a little above or below it
    share: float  # of the raster takes part in a slope with such a contour; 0 where they are straight edges
    levels: float  # effective number of levels of luma, four code values each, at which they are


NONE = Steps(0.0, 0.0, 0.0)


class _Contours(NamedTuple):
    """Contours that one meets going down the columns of a plane."""

    mask: Any  # 255 where a slope with a contour begins
    way: Any  # from the lower end of that slope to the upper, code values
    counts: npt.NDArray[np.float32]  # (LEVEL_BINS, heights)


def _contours(plane: Any, darkest: int) -> _Contours:
    length = plane.shape[0] - SPAN + 1
    window, within = np.ones((SPAN, 1), np.uint8), np.ones((SPAN - STEP, 1), np.uint8)
    lowest = cv2.erode(plane, window, anchor=(0, 0))[:length]
    highest = cv2.dilate(plane, window, anchor=(0, 0))[:length]
    way = cv2.absdiff(plane[:length], plane[SPAN - 1 :])
    steepest = cv2.dilate(cv2.absdiff(plane[:-STEP], plane[STEP:]), within, anchor=(0, 0))[:length]
    mask: Any = cv2.compare(steepest, cv2.convertScaleAbs(way, alpha=STEEP), cv2.CMP_GE)
    for values, least, most in (
        (way, *GENTLE),
        (cv2.subtract(cv2.subtract(highest, lowest), way), 0, BACKWARDS),
        (lowest, darkest, 255),
    ):
        mask = cv2.bitwise_and(mask, cv2.inRange(values, least, most))
    heights = GENTLE[1] + 1
    counts = cv2.calcHist([lowest, way], [0, 1], mask, [LEVEL_BINS, heights], [0, 256, 0, heights])
    return _Contours(mask, way, np.asarray(counts, np.float32))


def _straight(contours: Sequence[_Contours], height: int) -> float:
    """The share of contours of that height that lie along columns or lines, as edges of graphics do."""
    straight = total = 0
    for one, run in zip(contours, RUNS, strict=True):
        mask = cv2.bitwise_and(one.mask, cv2.inRange(one.way, height - 1, height + 1))
        mask[1:] = cv2.subtract(mask[1:], mask[:-1].copy())  # where each contour is met
        along = np.ones((1, run), np.uint8)
        total += cv2.countNonZero(mask)
        straight += cv2.countNonZero(cv2.dilate(cv2.erode(mask, along), along))
    return straight / max(1, total)


def _steps(frame: Frame) -> Steps:
    small = frame[LUMA_SMALL]
    if min(small.shape) < 2 * SPAN:
        return NONE
    darkest = black_code(frame.full_range) + NEAR_BLACK
    contours = [
        _contours(plane, darkest)
        for plane in (cv2.transpose(small[::2]), np.ascontiguousarray(small[:, ::2]))
    ]
    places = sum(one.mask.size for one in contours)
    counts = (contours[0].counts + contours[1].counts) / places
    below = np.concatenate(([0.0], np.cumsum(counts.sum(axis=0))))  # share of lower heights
    height = np.array(HEIGHTS)
    near, far = BESIDE[0], BESIDE[-1]
    least = np.maximum(GENTLE[0], height - far)
    lower = (below[height - near + 1] - below[least]) / (height - near + 1 - least)
    higher = (below[height + far + 1] - below[height + near]) / len(BESIDE)
    alike = below[height + 2] - below[height - 1]
    excess = alike / (1.5 * (lower + higher) + FEW)
    best = int(np.argmax(excess))
    at_levels = counts[:, height[best] - 1 : height[best] + 2].sum(axis=1)
    squares = float((at_levels**2).sum())
    if squares == 0:
        return NONE
    share, levels = float(alike[best]), float(at_levels.sum()) ** 2 / squares
    if excess[best] >= SEVERAL and _straight(contours, int(height[best])) > STRAIGHT:
        share = 0.0
    return Steps(float(excess[best]), share, levels)


STEPS: Feature[Frame, Steps] = Feature("steps", _steps, rate_hz=SAMPLED_HZ)
"""The commonest height of contours on gentle slopes of the thinned luma."""

EQUAL_STEPS: Feature[Frame, float | None] = Feature(
    "equal_steps", lambda frame: frame[STEPS].excess, rate_hz=SAMPLED_HZ
)
"""How many times more contours have the commonest height than others."""


class BandingParams(Params):
    """What counts as banding."""

    min_excess: float = Field(default=3.8, ge=1, le=100, description="times the contours of other heights")
    min_share: float = Field(
        default=0.015,
        gt=0,
        le=1,
        description="ratio of the raster in slopes with contours of one height, 0..1",
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Banding(RisingDetector[BandingParams]):
    """See the module's docstring."""

    id = "banding"
    trial = True
    needs = (EQUAL_STEPS, STEPS, PATCHES)
    suppressed_by = (*RisingDetector.suppressed_by, "blockiness")
    measures = EQUAL_STEPS
    unit = "ratio"
    Params = BandingParams

    def __init__(self, params: BandingParams, track: str | None) -> None:
        rise = Rise(floor=0.0, factor=RISEN, plus=0.0, back=0.0, kept=KEPT_CONTRAST)
        super().__init__(
            params, track, rise=rise, threshold=params.min_excess, min_seconds=params.min_seconds
        )
        self._usual: deque[float] = deque(maxlen=USUAL)
        self._level: float | None = None  # of excess times share, while it is up
        self._dips = 0
        self._seen: deque[tuple[int, float, float]] = deque(maxlen=BACK)  # when, excess, excess times share

    def since(self, view: PictureView, value: float) -> int | None:
        """Since when contours have been alike."""
        steps = view[STEPS]
        product = value * steps.share
        alike = self._alike(steps, product)
        risen = self._rise.update(view.at_ns, view[PATCHES], product, high=self._level is not None or alike)
        if self._level is not None:
            if self._goes_on(value, product):
                self._level += LEVEL_STEP * (product - self._level)
                self._dips = 0
                return view.at_ns
            self._dips += 1
            if self._dips > DIPS:
                self._forget()
            return None
        if risen is None and not self._is_plain(steps):
            self._usual.append(value)
            self._seen.append((view.at_ns, value, product))
            return None
        self._level, self._dips = product, 0
        since = self._first(view.at_ns, product) if risen is None else risen
        self._seen.clear()
        return since

    def _first(self, at_ns: int, product: float) -> int:
        """The first of the pictures just before that were about as banded, though not plainly so."""
        for before_ns, value, other in reversed(self._seen):
            if value < STILL * self.params.min_excess or other < ABOUT * product:
                break
            at_ns = before_ns
        return at_ns

    def _is_plain(self, steps: Steps) -> bool:
        """Whether it is banded, whatever was before."""
        usual = float(np.median(self._usual)) if self._usual else 0.0
        return (
            steps.excess >= max(self.params.min_excess, MORE * usual)
            and steps.share >= self.params.min_share
            and steps.levels >= LEVELS
        )

    def _alike(self, steps: Steps, product: float) -> bool:
        """Whether it may be, if it came within a shot."""
        return (
            product >= WEAK * self._plain_product
            and steps.excess >= NEARLY * self.params.min_excess
            and (steps.levels >= LEVELS or steps.share >= WIDELY * self.params.min_share)
            and steps.levels <= TEXTURE
        )

    def _goes_on(self, value: float, product: float) -> bool:
        assert self._level is not None
        least = max(KEEPS * WEAK * self._plain_product, FALLEN * self._level)
        return value >= STILL * self.params.min_excess and product >= least

    @property
    def _plain_product(self) -> float:
        return self.params.min_excess * self.params.min_share

    def _forget(self) -> None:
        self._level = None
        self._seen.clear()
        self._rise.withdraw()

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._forget()
        yield from super().broke(event)


DETECTOR = Banding
