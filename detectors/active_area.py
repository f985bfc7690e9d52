"""Where within its raster a picture is, and whether bars came over it or with it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detectors.frame import Feature, Frame
from detectors.picture_features import LUMA_SMALL, Small, black_code

Profile = npt.NDArray[np.float32]  # one value a line, or a column

LIT_CODES = 12  # above black, a sample is lit
FLAT_CODES = 4.0  # above black at most, and differing by so much, are the lines of a bar
WORDS = 0.45  # of a line within a bar may be lit: subtitles, a logo
CLEAN, CLEAN_SHARE = 0.01, 0.2  # a line with less lit is clean; so many of a bar's lines are
LIT_EDGE = 0.35  # of the line next to a bar is lit, of a picture that fills it
FULL = 0.45  # of the area between bars is lit at least: words on black are no picture
EDGE_LINES = 3  # thinned lines that a soft edge takes
SLOW = 0.12  # of the lines before those may be lit
UNEVEN = 0.035  # of the side: how much two bars may differ
GRID, CORE = (
    (40, 24),
    (24, 16),
)  # areas that pictures are compared in: all of it, and what is looked for in it
ALIKE, MOVED, LEAST_ALIKE = 0.85, 0.1, 0.7  # correlation of one shot's pictures; so much less, in movement
LEAST_LIT = 0.05  # of a dark picture within its bars
FILLED = 0.35  # of the area of either bar was lit before it
SUDDEN = 0.7  # of its light was left until then, else it was a dissolve


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
    levels = np.maximum(mean[:end][outer if outer.any() else clean], black)  # a rim of its own may be blacker
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


def _profiles(plane: npt.NDArray[np.uint8]) -> tuple[Profile, Profile]:
    """The mean of each line, and of each column."""
    height, width = plane.shape
    lines, columns = (cv2.reduce(plane, along, cv2.REDUCE_SUM, dtype=cv2.CV_32F).ravel() for along in (1, 0))
    return np.asarray(lines / np.float32(width)), np.asarray(columns / np.float32(height))


def _high(profile: Profile) -> float:
    """What a tenth of it exceeds."""
    return float(np.sort(profile)[round(0.9 * (len(profile) - 1))])


def _is_lit(line: npt.NDArray[np.uint8], black: int) -> bool:
    """Whether a line at the edge of the raster is no bar's."""
    return bool(np.count_nonzero(line > black + LIT_CODES) > WORDS * line.size)


def _shape(frame: Frame) -> Shape | None:
    small, black = frame[LUMA_SMALL], black_code(frame.full_range)
    across = _is_lit(small[0], black) or _is_lit(small[-1], black)
    if across and (_is_lit(small[:, 0], black) or _is_lit(small[:, -1], black)):
        return Shape(0.0, 0.0)  # most pictures
    lit = np.asarray(cv2.threshold(small, black + LIT_CODES, 1.0, cv2.THRESH_BINARY)[1], np.uint8)
    (lines, columns), (line_means, column_means) = _profiles(lit), _profiles(small)
    wide, tall = max(_high(lines), 0.3), max(_high(columns), 0.3)
    beside = _pair(columns, column_means, black, tall)
    above = _pair(lines, line_means, black, wide)
    if beside is None or above is None:
        return None
    shape = Shape(above, beside)
    return None if shape.area < 1 and float(lines.mean()) < FULL * shape.area else shape


class Seen(NamedTuple):
    """A picture within its bars."""

    shape: Shape
    luma: Small
    black: int  # its code


def _seen(frame: Frame) -> Seen | None:
    shape = _shape(frame)
    return None if shape is None else frame[WHOLE]._replace(shape=shape)


WHOLE: Feature[Frame, Seen] = Feature(
    "whole_area", lambda frame: Seen(Shape(0.0, 0.0), frame[LUMA_SMALL], black_code(frame.full_range))
)
"""A picture as if it had no bars."""

SEEN: Feature[Frame, Seen | None] = Feature("active_area", _seen)
"""A picture and its bars; None where it is too dark to tell."""


def _within(luma: Small, above: float, beside: float) -> Small:
    """What lies between bars, in areas of a grid."""
    height, width = luma.shape
    top, left = round(height * above), round(width * beside)
    inner = luma[top : height - top, left : width - left]
    return np.asarray(cv2.resize(inner, GRID, interpolation=cv2.INTER_AREA), np.uint8)


def _likeness(before: Seen, now: Seen) -> float:
    """Best correlation of what is seen now with what was: squeezed or cut off between the bars, moved a little."""
    left, top = (GRID[0] - CORE[0]) // 2, (GRID[1] - CORE[1]) // 2
    core = _within(now.luma, *now.shape)[top : top + CORE[1], left : left + CORE[0]]
    best = 0.0
    for above in {before.shape.above, max(before.shape.above, now.shape.above)}:
        for beside in {before.shape.beside, max(before.shape.beside, now.shape.beside)}:
            was = _within(before.luma, above, beside)
            if core.std() > 2 and was.std() > 2:
                found = cv2.matchTemplate(was, core, cv2.TM_CCOEFF_NORMED)
                best = max(best, float(np.nan_to_num(found, posinf=0.0, neginf=0.0).max()))
    return best


def _bars(seen: Seen, shape: Shape, own: Shape) -> list[Small]:
    """The parts of a picture in which `shape` has bars and the stream's own shape has none."""
    height, width = seen.luma.shape
    top, left = round(height * shape.above), round(width * shape.beside)
    had_top, had_left = round(height * own.above), round(width * own.beside)
    columns, rows = slice(had_left, width - had_left), slice(had_top, height - had_top)
    parts = [
        seen.luma[had_top:top, columns],
        seen.luma[height - top : height - had_top, columns],
        seen.luma[rows, had_left:left],
        seen.luma[rows, width - left : width - had_left],
    ]
    return [part for part in parts if part.size]


def came_at_once(past: Sequence[Seen], now: Seen, own: Shape) -> bool:
    """Whether what `past` shows, oldest first, is at once between bars: the shot goes on, and they were lit until then.

    `own` is the shape of all the past.
    """
    before, earlier = past[-1], past[0]
    if before.luma.shape != now.luma.shape or earlier.luma.shape != now.luma.shape:
        return False
    steady = min(_likeness(one, before) for one in past[:-1]) if len(past) > 1 else 1.0
    if _likeness(before, now) < min(ALIKE, max(LEAST_ALIKE, steady - MOVED)):
        return False
    # A picture has a rim of its own at times: where there is hardly a bar more, nothing need have been lit.
    came = Shape(*(new if new - old >= UNEVEN else old for new, old in zip(now.shape, own, strict=True)))
    bars = _bars(before, came, own)
    if any(float((bar > now.black + LIT_CODES).mean()) < FILLED for bar in bars):
        return False
    # Of all bars together: where the camera moves, it is darker now on one side and now on the other.
    return _light(bars, now.black) >= SUDDEN * _light(_bars(earlier, came, own), now.black)


def _light(parts: Sequence[Small], black: int) -> float:
    return sum(max(0.0, float(part.mean()) - black) for part in parts)


def still_barred(seen: Seen, own: Shape) -> bool:
    """Whether a picture too dark to tell its shape has nothing where `seen.shape` has bars, and something within."""
    height, width = seen.luma.shape
    top, left = round(height * seen.shape.above), round(width * seen.shape.beside)
    within = seen.luma[top : height - top, left : width - left] > seen.black + LIT_CODES
    bars = _bars(seen, seen.shape, own)
    dark = all(float((bar > seen.black + LIT_CODES).mean()) <= CLEAN for bar in bars)
    return dark and float(within.mean()) >= LEAST_LIT
