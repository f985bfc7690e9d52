"""Black bars: the active picture shrank within its raster to a letterbox, pillarbox or window box.

Measures  `active_area`, ratio: share of the raster within the bars, once a second where it can be told.
Defect    `black_bars`, warning: bars at both sides, or above and below, wider than those that the stream had, by
          `min_bar` of that side at least, for `min_seconds`; dated at the first such picture. Logos and subtitles
          within the bars do not hide them. Bars that stay for `adopt_seconds` are the stream's own shape from then
          on, and so is at once a picture that grew.
Blind to  Bars from the very beginning (a film in its own shape), a bar on one side only, bars that are not black. Where
          the picture is dark along the bars (night, titles, credits, fades) nothing is concluded until it is lit.
Source    EBU QC active picture area; ITU-R BT.1868, AFD of SMPTE ST 2016-1 for the usual shapes.
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break, Format
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import LUMA_SMALL, black_code

Profile = npt.NDArray[np.float32]  # one value a line, or a column

LIT_CODES = 12  # above black, a sample is lit
FLAT_CODES = 4.0  # above black at most, and differing by so much, are the lines of a bar
WORDS = 0.45  # of a line within a bar may be lit: subtitles, a logo
CLEAN, CLEAN_SHARE = 0.01, 0.2  # a line with less lit is clean; so many of a bar's lines are
LIT_EDGE = 0.35  # of the line next to a bar is lit, of a picture that fills it
EDGE_LINES = 3  # thinned lines that a soft edge takes
SLOW = 0.12  # of the lines before those may be lit
UNEVEN = 0.035  # of the side: how much two bars may differ
LEARN_NS = 1_000_000_000
GROWN_NS = 1_000_000_000


class Shape(NamedTuple):
    """Bars as shares: `above` (and below) of the height, `beside` (left and right) of the width."""

    above: float
    beside: float

    @property
    def area(self) -> float:
        """Share of the raster within them."""
        return (1 - 2 * self.above) * (1 - 2 * self.beside)


def _edge(lit: Profile, mean: Profile, black: int, wide: float) -> float | None:
    """How far the bar at the beginning of a profile reaches, share of it; None where that cannot be told."""
    picture = np.flatnonzero(lit > WORDS * wide)
    if not len(picture):
        return None
    end = int(picture[0])
    if end == 0:
        return 0.0
    clean = lit[:end] <= CLEAN
    if clean.mean() < CLEAN_SHARE:
        return 0.0 if not clean[0] else None
    outer = clean.copy()
    outer[max(1, end - EDGE_LINES) :] = False
    levels = mean[:end][outer if outer.any() else clean]
    if levels.max() > black + FLAT_CODES + 2 or levels.max() - levels.min() > FLAT_CODES:
        return None
    begins = end - EDGE_LINES
    if begins > 0 and (lit[max(0, end - 2 * EDGE_LINES) : begins] > SLOW).all():
        return None  # it comes up slowly: a dark part of the picture
    if float(lit[end : end + EDGE_LINES].max()) < LIT_EDGE * wide:
        return None
    return end / len(lit)


def _pair(lit: Profile, mean: Profile, black: int, wide: float) -> float | None:
    ends = _edge(lit, mean, black, wide), _edge(lit[::-1], mean[::-1], black, wide)
    if 0.0 in ends:
        return 0.0  # one side is lit: whatever the other, these are no two bars
    if ends[0] is None or ends[1] is None:
        return None
    return min(ends[0], ends[1]) if abs(ends[0] - ends[1]) <= UNEVEN else None


def _shape(frame: Frame) -> Shape | None:
    small, black = frame[LUMA_SMALL], black_code(frame.full_range)
    lit = np.asarray(cv2.threshold(small, black + LIT_CODES, 1.0, cv2.THRESH_BINARY)[1], np.uint8)

    def along(plane: npt.NDArray[np.uint8], axis: int) -> Profile:
        return np.asarray(cv2.reduce(plane, axis, cv2.REDUCE_AVG, dtype=cv2.CV_32F), np.float32).ravel()

    lines, columns = along(lit, 1), along(lit, 0)
    line_means, column_means = along(small, 1), along(small, 0)
    wide = max(float(np.percentile(lines, 90)), 0.3)
    tall = max(float(np.percentile(columns, 90)), 0.3)
    beside = _pair(columns, column_means, black, tall)
    above = _pair(lines, line_means, black, wide)
    return None if beside is None or above is None else Shape(above, beside)


SHAPE: Feature[Frame, Shape | None] = Feature("active_shape", _shape)
"""The bars of a picture; None where it is too dark to tell."""


class BlackBarsParams(Params):
    """What counts as another shape."""

    min_bar: float = Field(
        default=0.02, ge=0, le=0.5, description="ratio of the height or width that each bar takes more, 0..1"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")
    adopt_seconds: float = Field(
        default=300.0, ge=1, le=86_400, description="seconds after which bars are the stream's own shape"
    )


class BlackBars(Detector[BlackBarsParams]):
    """See the module's docstring."""

    id = "black_bars"
    trial = True
    scope = Scope.VIDEO
    rate_hz = SAMPLED_HZ
    needs = (SHAPE,)
    suppressed_by = ("black", "solid_color", "color_bars", "picture_missing")
    Params = BlackBarsParams

    def __init__(self, params: BlackBarsParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="active_area",
            unit="ratio",
            threshold=1.0,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=400_000_000,
            severity=Severity.WARNING,
            worst="min",
        )
        self._own: Shape | None = None
        self._other: tuple[int, Shape] | None = None  # since when another shape has been seen, and which
        self._second = -1

    @property
    def ready(self) -> bool:
        """Whether the stream's own shape is known."""
        return self._own is not None

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Compare the bars with the stream's own."""
        shape = view[SHAPE]
        if shape is None:
            return
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("active_area", shape.area, "ratio", view.at_ns, self.track)
        if self._own is None:
            self._learn(view.end_ns, view.at_ns, shape, LEARN_NS)
            return
        more = max(shape.above - self._own.above, shape.beside - self._own.beside)
        shrunk = more >= self.params.min_bar
        if not shrunk and self._differs(shape, self._own):
            self._learn(view.end_ns, view.at_ns, shape, GROWN_NS)
        elif shrunk:
            self._learn(view.end_ns, view.at_ns, shape, round(self.params.adopt_seconds * 1e9))
            shrunk = self._own is not shape
        else:
            self._other = None
        yield from self._hold.update(view.at_ns, shrunk, shape.area, end_ns=view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Pictures were lost; the stream's shape is the same."""
        self._other = None
        yield from ()

    def format(self, event: Format) -> Iterator[Finding]:
        """Another raster may hold another shape."""
        if event.kind == "video":
            yield from self._hold.reset(event.at_ns)
            self._own = self._other = None

    def _differs(self, one: Shape, other: Shape) -> bool:
        return max(abs(a - b) for a, b in zip(one, other, strict=True)) >= self.params.min_bar

    def _learn(self, end_ns: int, at_ns: int, shape: Shape, needed_ns: int) -> None:
        if self._other is None or self._differs(shape, self._other[1]):
            self._other = at_ns, shape
        if end_ns - self._other[0] >= needed_ns:
            self._own, self._other = shape, None


DETECTOR = BlackBars
