"""Blur: the picture goes out of focus, or a small one is enlarged: its finest detail is gone everywhere.

Measures  `sharpness`, ratio: fine detail against coarse detail, in the sharper ones of the parts that
          have most of it, once a second. About 0.5 to 1 in programme, below 0.45 in blurred pictures.
Defect    `blur`, warning: within a shot, sharpness falls at once to `max_sharpness` or less (or to two thirds of what
          it was, and not far above), and fine detail against the contrast of the whole to a `min_rise`th of what it
          was or less, for `min_seconds`; dated at the first such picture, closed when sharpness is back. A quarter of
          the detailed parts that is sharp, as with shallow depth of field, is enough to be sharp; where there was
          little sharpness before, there is none to be lost; what goes altogether, as a title over a soft picture,
          takes its brightness with it; and what moved until sharpness fell, and then rests, was a dissolve.
Blind to  Shots soft from their first picture, focus that is lost slowly, blur of less than about two samples of 640 a
          line, streams that are soft from the beginning, what begins with a cut or within a fifth of a second of one,
          or mildly in fast movement. Fog and night have too little detail to be judged, and where contrast goes too,
          it is a fade. A camera that loses its focus at once, and for seconds, looks like the fault.
Source    Ratio of detail at two scales after Crete et al., "The blur effect", 2007; comparison within the shot is ours.
"""

from collections import deque
from itertools import pairwise
from statistics import median  # of so few values, quicker than an array's
from typing import NamedTuple

import numpy as np
from pydantic import Field

from detectors.detail import DETAIL, ranked
from detectors.detector import Params
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Patches, Rise, movement
from detectors.unhurried import NEARLY

PARTS = 36  # with most coarse detail: a quarter of the picture
SHARP_RANK = 0.8  # of them are less sharp
LEAST_DETAIL = 0.5  # mean coarse detail of those parts, 8-bit code values
BIAS = 0.3  # detail that a coder leaves or takes
FINE_BIAS = 0.15
LEAST_CONTRAST = 9.0  # between parts, 8-bit code values
STILL_SOFT, STILL_LESS = (
    1.06,
    0.92,
)  # times what counts as blurred, and what was usual: up to there it stays so
BEFORE = 5  # values, the middlemost of which was usual
FELL_FAR, FELL_FROM = 0.72, 1.22  # of the usual sharpness: blurred also up to so many times `max_sharpness`
FELL = 0.8  # of the usual sharpness is left, or less: else it was as soft
KEPT_CONTRAST = 0.8  # of the contrast between parts is left, else it is a fade
LEAST_SEEN = 2  # pictures of the shot before
RACING = 2.0  # times softer, in fast movement
LEAVES = 0.95  # of the parts keep their brightness,
LIGHTER, LIGHTER_TIMES = 6.0, 2.5  # up to so many code values, and so many times what changed least
MOVES = 4  # of the samples before, a short dissolve included: in a long one, sharpness does not go at once
SURE = 4  # values since it fell, in which it may show that it was a dissolve:
MOVED, RESTS = 2.0, 0.3  # 8-bit code values of movement before, and how much of it is left at most
SETTLED = 1.35  # times softer again: focus that is being lost


class Focus(NamedTuple):
    """How sharp a picture is, and how soft: contrast between its parts against their finest detail."""

    sharpness: float
    softness: float


def _focus(frame: Frame) -> Focus | None:
    detail = frame[DETAIL]
    if detail is None:
        return None
    most = np.argpartition(detail.coarse, -PARTS)[-PARTS:]
    coarse, contrast = detail.coarse[most], frame[PATCHES].contrast
    if float(coarse.mean()) < LEAST_DETAIL or contrast < LEAST_CONTRAST:
        return None
    sharpness = ranked(detail.fine[most] / (coarse + BIAS), SHARP_RANK)
    fine = float(np.partition(detail.fine, -PARTS)[-PARTS:].mean())
    return Focus(sharpness, contrast / (fine + FINE_BIAS))


FOCUS: Feature[Frame, Focus | None] = Feature("focus", _focus, rate_hz=SAMPLED_HZ)
"""Sharpness and softness where there is most detail; None where there is too little."""

SHARPNESS: Feature[Frame, float | None] = Feature(
    "sharpness",
    lambda frame: None if (focus := frame[FOCUS]) is None else focus.sharpness,
    rate_hz=SAMPLED_HZ,
)
"""Fine against coarse detail where there is most; None where there is too little."""


class BlurParams(Params):
    """What counts as blurred."""

    max_sharpness: float = Field(default=0.47, gt=0, le=2, description="ratio of fine to coarse detail")
    min_rise: float = Field(default=1.5, ge=1, le=100, description="times softer than a moment before")
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Blur(RisingDetector[BlurParams]):
    """See the module's docstring."""

    id = "blur"
    needs = (SHARPNESS, FOCUS, PATCHES)
    measures = SHARPNESS
    reads = FOCUS
    unit = "ratio"
    worst = "min"
    Params = BlurParams

    def __init__(self, params: BlurParams, track: str | None) -> None:
        rise = Rise(
            floor=0.0,
            factor=params.min_rise,
            plus=0.0,
            back=0.6,
            moving=False,
            racing=RACING,
            kept=KEPT_CONTRAST,
            least=LEAST_SEEN,
            settled=SETTLED,
            follows=0.0,
            anew=True,
        )
        super().__init__(
            params, track, rise=rise, threshold=params.max_sharpness, min_seconds=params.min_seconds
        )
        self._before: deque[float] = deque(maxlen=BEFORE)
        self._most = params.max_sharpness  # by which it is blurred
        self._seen: deque[tuple[int, Patches]] = deque(maxlen=2 * BEFORE)
        self._up = 0  # values since it fell

    def value_of(self, reading: Focus) -> float:
        """How sharp it is."""
        return reading.sharpness

    def is_near(self, reading: Focus) -> bool:
        """Whether it is nearly soft enough."""
        return NEARLY * reading.sharpness <= self._soft()

    def since(self, view: PictureView, reading: Focus) -> int | None:
        """Since when it has been softer."""
        value, patches, was_up = reading.sharpness, view[PATCHES], self._rise.is_up
        if was_up:
            high = value <= STILL_SOFT * self._most
        else:
            self._most = self._soft()
            high = value <= self._most
            self._before.append(value)
        since = self._rise.update(view.at_ns, patches, reading.softness, high=high)
        self._seen.append((view.at_ns, patches))
        self._up = 0 if since is None else self._up + 1
        if since is not None and (self._came_to_rest() if was_up else self._something_went(since)):
            self._rise.withdraw()
            return None
        return since

    def _soft(self) -> float:
        """The sharpness by which it is blurred, after what was seen before."""
        usual, most = median(self._before) if len(self._before) == BEFORE else 1.0, self.params.max_sharpness
        return min(max(most, FELL_FAR * usual), FELL_FROM * most, FELL * usual)

    def _came_to_rest(self) -> bool:
        """Whether movement went on to where it fell, and is gone: what moved was a dissolve."""
        if self._up != SURE:
            return False
        moves = [movement(a, b) for (_, a), (_, b) in pairwise(self._seen)]
        before, after = max(moves[-SURE - 2 : -SURE], default=0.0), max(moves[-2:])
        return before >= MOVED and after < RESTS * before

    def _something_went(self, since: int) -> bool:
        """Whether parts became lighter or darker then, as where a title goes: blur leaves their brightness."""
        after = next(n for n, (at_ns, _) in enumerate(self._seen) if at_ns >= since)
        shown = [patches for _, patches in list(self._seen)[max(0, after - MOVES) : after + 1]]
        if len(shown) < 3:
            return False
        *usual, leap = (float(np.quantile(np.abs(b.means - a.means), LEAVES)) for a, b in pairwise(shown))
        return leap > LIGHTER + LIGHTER_TIMES * min(usual)


DETECTOR = Blur
