"""How movement came to an end: at once, as in a freeze, or as programmes come to rest on a still.

Movement carries the same light from place to place: from one picture to the next many samples change, and the
counts of their levels hardly do. A cut, a dissolve or a fade to a still brings other light: the counts of levels
change as much as the samples. A dissolve also takes each sample straight from one value to the other, while
movement takes it up and down.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detectors.picture_features import Small

REMEMBERED_NS = 900_000_000  # before the picture stood still; a coder may refine it for most of that
LOOK_BACK_NS = 600_000_000  # of movement is judged
SETTLE_NS = 150_000_000  # after it stood still a picture is as good as final
LEAST_NS = 250_000_000  # less tells nothing
NEAR_NS = 160_000_000  # before the end: far enough for movement to show, near enough to be the same scene
ARRIVED = 0.25  # of the largest distance: what is nearer to the end is a coder refining it
CUT_STEP = 2.5  # times the next longest step
MOVED_CODES = 4  # a sample that differs by more has moved, 8-bit code values


class Past(NamedTuple):
    """The middle of a picture that was shown, and how far its samples are from those of the one before."""

    at_ns: int
    middle: Small
    step: float  # mean absolute difference, 8-bit code values


class Ending(NamedTuple):
    """How movement ended."""

    since_ns: int  # the first picture that shows what then stands still
    moved_share: float  # of the middle: samples that moved in the last moments
    new_light: float  # change of the counts of levels as a share of the samples' change, in the last moments
    last_light: float  # the same in the very last one
    straightness: float  # distance to the end as a share of the way that led there
    jump: float  # the last step beside the largest other one that is no cut
    creeps: bool  # it has not ended: the picture goes on changing, by little each time


def ending(past: Sequence[Past], end: Small, stood_ns: int, settle_ns: int = SETTLE_NS) -> Ending | None:
    """How `past`, oldest first, came to rest at `stood_ns` on what has become `end`; None where that is unknown.

    What changes from `settle_ns` after that on is no coder that refines it.
    """
    shown = [p for p in past if stood_ns - REMEMBERED_NS <= p.at_ns <= stood_ns]
    later = [p for p in past if stood_ns + settle_ns <= p.at_ns]
    if not shown or any(p.middle.shape != end.shape for p in (*shown, *later)):
        return None
    distances = [_distance(p.middle, end) for p in shown]
    start = next(n for n, p in enumerate(shown) if p.at_ns >= stood_ns - LOOK_BACK_NS)
    if len(shown) - start < 4 or stood_ns - shown[start].at_ns < LEAST_NS:
        return None
    last, near = _end_of_movement(shown, distances, start)
    steps = [p.step for p in shown]
    arrival = steps[last + 1] if last + 1 < len(steps) else 0.0
    others = _longest(steps[start + 1 : last + 1] + steps[last + 2 :])
    moved = cv2.absdiff(shown[near].middle, end) > MOVED_CODES
    # Where little happened lately, that may be a coder which refines a still that came before.
    whole_last, whole_near = _end_of_movement(shown, distances, 0)
    light = {n: _new_light(shown[n].middle, end, distances[n]) for n in {last, near, whole_last, whole_near}}
    return Ending(
        since_ns=shown[_first_shown(steps, last + 1)].at_ns,
        moved_share=float(np.count_nonzero(moved)) / end.size,
        new_light=max(light.values()),
        last_light=light[whole_last],
        straightness=distances[whole_near] / max(sum(steps[whole_near + 1 : whole_last + 2]), 1e-6),
        jump=arrival / max(others, 1e-6),
        creeps=any(_distance(p.middle, end) > ARRIVED * max(distances[start:]) for p in later),
    )


def _longest(steps: Sequence[float]) -> float:
    """The longest step of movement: a single one that is far longer is a cut."""
    *_, second, first = [0.0, 0.0, *sorted(steps)]
    return second if second and first > CUT_STEP * second else first


def _distance(one: Small, other: Small) -> float:
    return cv2.norm(one, other, cv2.NORM_L1) / one.size


def _end_of_movement(shown: Sequence[Past], distances: Sequence[float], start: int) -> tuple[int, int]:
    """Of the pictures from `start` on, the last that is still far from the end, and one shortly before it."""
    far = ARRIVED * max(distances[start:])
    last = max((n for n, d in enumerate(distances) if n >= start and d > far), default=start)
    near = max((n for n in range(last) if shown[last].at_ns - shown[n].at_ns >= NEAR_NS), default=0)
    return last, max(near, start)


def _first_shown(steps: Sequence[float], first: int) -> int:
    """The index of the first picture after which there is no ordinary step; slow movement is near its end early."""
    usual = float(np.mean(steps[:first]))
    while first + 1 < len(steps) and steps[first + 1] > usual / 2:
        first += 1
    return min(first, len(steps) - 1)


def _new_light(before: Small, end: Small, distance: float) -> float:
    """How far levels must be moved to turn the one's counts into the other's, by their samples' `distance`."""
    gap = np.cumsum(_counts(before) - _counts(end))
    return float(np.abs(gap).sum()) / end.size / max(distance, 1e-6)


def _counts(picture: Small) -> npt.NDArray[np.float64]:
    return cv2.calcHist([picture], [0], None, [256], [0, 256]).ravel().astype(np.float64)
