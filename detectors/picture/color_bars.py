"""Colour bars: SMPTE or EBU bars, or a test card with such bars in it, where programme should be.

Measures  `bars_share`, ratio: share of the raster's rows across which the bars run, once a second (the defect's peak).
Defect    `color_bars`, error: the six saturated colours of the primaries, each a column of one width, in any order,
          side by side over at least `min_width` of the width and `min_rows` of the rows (fewer, `CARD_ROWS`, where
          nothing moves: a test card), for `min_seconds`; dated at the first such of five pictures a second. Ident
          text, logos, counters and a window of their own do not hide them.
Blind to  Test cards without colour bars (grey scales, grids, ramps), bars shorter than `min_seconds`, bars in an
          inset or on a monitor within a shot.
Source    SMPTE RP 219-1 (HD bars) and ECR 1 (SD bars), EBU Tech 3325 and ITU-R BT.471 (100/0/75/0 and 100/0/100/0).
"""

from collections.abc import Iterator
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Params
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import (
    CHROMA_SMALL,
    CHROMA_SPREAD,
    KR_KB,
    LUMA_SMALL,
    Small,
    black_code,
    white_code,
)
from detectors.unhurried import UnhurriedDetector

ROWS, COLUMNS = 24, 160
TOLERANCE = 0.18  # of the range; tells also bars in the other matrix, and after coding
GREY = 0.55  # a white lower than this is another bar: the 40 % grey beside those of RP 219
LEAST_DEVIATION = (
    10.0  # of either chroma plane; EBU 75 has about 45, a test card with few bars 15; 8-bit code values
)
CHROMATIC = frozenset(range(1, 7))  # bits of red, green, blue: neither black (0) nor white (7)
GAP = 0.03  # of the width, between two bars after coding
EVEN = 0.3  # widths differ by so much at most
AGREE = 0.03  # rows agree to so much of the width
STILL_CODES = 0.6
CARD_ROWS = 0.06

Classes = npt.NDArray[
    np.int8
]  # (ROWS, COLUMNS): bits of red (1), green (2), blue (4); 8 is grey, -1 none of these


class Bars(NamedTuple):
    """Bars found across a picture."""

    rows: float  # share of the raster's rows
    width: float  # share of its width


NO_BARS = Bars(0.0, 0.0)


def _classes(frame: Frame, chroma: tuple[Small, Small]) -> Classes | None:
    """Which primary colour each cell shows; None where some of them are nowhere."""
    black, white = black_code(frame.full_range), white_code(frame.full_range)
    planes = [
        cv2.resize(plane, (COLUMNS, ROWS), interpolation=cv2.INTER_AREA).astype(np.float32)
        for plane in (frame[LUMA_SMALL], *chroma)
    ]
    luma = (planes[0] - black) / (white - black)
    blue_difference, red_difference = ((p - 128.0) / (255 if frame.full_range else 224) for p in planes[1:])
    kr, kb = KR_KB[frame.matrix]
    red = luma + 2 * (1 - kr) * red_difference
    blue = luma + 2 * (1 - kb) * blue_difference
    green = (luma - kr * red - kb * blue) / (1 - kr - kb)
    high = np.maximum(np.maximum(red, green), blue)
    rgb = np.stack([red, green, blue])
    bits = rgb > 0.5 * high
    out = (bits[0] + 2 * bits[1] + 4 * bits[2]).astype(np.int8)
    if not CHROMATIC.issubset(np.unique(out).tolist()):
        return None
    off = np.abs(rgb - np.where(bits, high, 0.0)).max(axis=0)
    out[(out == 7) & (high < GREY)] = 8
    out[off > TOLERANCE] = -1
    out[high < TOLERANCE] = 0
    return np.asarray(out, np.int8)


def _chain(row: Classes) -> tuple[int, int] | None:
    """The first and last column (excluded) of the bars in a row, None where there are none."""
    if not CHROMATIC.issubset(row.tolist()):
        return None
    edges = np.flatnonzero(np.diff(row)) + 1
    starts, ends = [0, *edges.tolist()], [*edges.tolist(), len(row)]
    bars = [(s, e, int(row[s])) for s, e in zip(starts, ends, strict=True) if row[s] >= 0 and e - s >= 3]
    for first in range(len(bars) - 5):
        chain = bars[first : first + 6]
        if {colour for _, _, colour in chain} != CHROMATIC:
            continue
        widths = [chain[i + 1][0] - chain[i][0] for i in range(5)]
        if max(widths) > (1 + EVEN) * min(widths) + 1:
            continue
        if all(chain[i + 1][0] - chain[i][1] <= GAP * COLUMNS for i in range(5)):
            return chain[0][0], chain[-1][1]
    return None


def _bars(frame: Frame) -> Bars:
    chroma, spread = frame[CHROMA_SMALL], frame[CHROMA_SPREAD]
    if chroma is None or spread is None or min(s.deviation for s in spread) < LEAST_DEVIATION:
        return NO_BARS
    classes = _classes(frame, chroma)
    found = [] if classes is None else [c for row in classes if (c := _chain(row)) is not None]
    if not found:
        return NO_BARS
    ends = np.array(found)
    left, right = np.median(ends, axis=0)
    agree = (np.abs(ends - (left, right)) <= AGREE * COLUMNS).all(axis=1)
    return Bars(float(agree.sum()) / ROWS, float(right - left) / COLUMNS)


BARS: Feature[Frame, Bars] = Feature("color_bars", _bars)


class ColorBarsParams(Params):
    """What counts as bars."""

    min_rows: float = Field(default=0.25, ge=0, le=1, description="ratio of rows with bars across them, 0..1")
    min_width: float = Field(default=0.4, ge=0, le=1, description="ratio of the width the bars take, 0..1")
    min_seconds: float = Field(default=1.0, ge=0, le=3600, description="seconds of media time")


class ColorBars(UnhurriedDetector[ColorBarsParams]):
    """See the module's docstring."""

    id = "color_bars"
    needs = (BARS, LUMA_SMALL)
    suppressed_by = ("picture_missing",)
    Params = ColorBarsParams

    def __init__(self, params: ColorBarsParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="bars_share",
            unit="ratio",
            threshold=params.min_rows,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=300_000_000,
            severity=Severity.ERROR,
        )
        self._last: Small | None = None  # the picture before, where it had bars
        self._second = -1

    @property
    def is_calm(self) -> bool:
        """Whether there are none."""
        return self._hold.since_ns is None

    def may_matter(self, view: PictureView) -> bool:
        """Whether there are some."""
        return view[BARS].rows > 0

    def look(self, view: PictureView) -> Iterator[Finding]:
        """Look for bars."""
        bars = view[BARS]
        share = bars.rows if bars.width >= self.params.min_width else 0.0
        holds = share >= self.params.min_rows
        if not holds and share >= CARD_ROWS:
            holds = self._stands_still(view[LUMA_SMALL])
        self._last = view[LUMA_SMALL] if share else None
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("bars_share", share, "ratio", view.at_ns, self.track)
        yield from self._hold.update(view.at_ns, holds, share, end_ns=view.end_ns)

    def _stands_still(self, now: Small) -> bool:
        last = self._last
        if last is None or last.shape != now.shape:
            return True  # perhaps: the next picture will tell
        return cv2.norm(now, last, cv2.NORM_L1) / now.size <= STILL_CODES


DETECTOR = ColorBars
