"""Whether a picture goes on from the ones before it, as far as a few samples a second can tell.

Faults begin within a shot; programme changes its nature at a cut. So a detector that compares a picture with the
stream's own recent past asks first whether both show the same scene.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from statistics import median  # of so few values, quicker than an array's
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from detectors import native
from detectors.frame import Feature, Frame
from detectors.picture_features import LUMA_SMALL, TILE_COLUMNS, TILE_ROWS

Means = npt.NDArray[np.float32]  # (TILE_ROWS, TILE_COLUMNS) mean luma, 8-bit code values

LOOK_BACK_NS = 900_000_000  # a fault comes within so long, the coder's hesitation included
ALIKE_CODES = 4.0  # mean difference of patches below which two pictures show one scene whatever their pattern
ALIKE = 0.9  # correlation of patches from which they do
LEAP = 1.8  # times the movement before, and unlike: a cut
CALM_CODES = 5.0  # movement from one sample to the next up to which a scene must stay alike all the time
AS_BEFORE = (0.6, 1.25)  # times the movement before: it goes on so
RACED = 25.0  # 8-bit code values, from one sample to the next: more is another shot, or might as well be
PATTERN, LEAST_KNOWN = 0.8, 3  # times the correlation of patches before, where so many are known: it goes on
FOLLOWED = 0.5  # correlation below which movement is too fast for a pattern to be followed
EVEN = 1.4  # times the least contrast between patches at most: it shows the same things
STILL_THERE, GONE = 0.6, 0.34  # of a value, on two samples next to each other: a dissolve takes longer
FALLS = 0.92  # of a value, on two samples next to each other, at most
ROSE_FROM, ROSE_TO = 0.35, 0.6  # of a rise, on two samples next to each other
NEAR_FLOOR = 0.93  # of the floor: down
USUAL, FAR = 20, 0.7  # so many samples, none above so much of it: a stream far from what is certain
LEVEL_STEP = 0.2  # with which the level follows
LASTED = (
    2  # values after the first, before a cut: else it was the end of a shot, moved in a hurry or fanciful
)
SETTLING = 4  # values within which it has risen for good


class Patches:
    """Mean luma of the parts of a picture; what several detectors ask of it is worked out once."""

    __slots__ = ("_contrast", "_energy", "level", "means")

    def __init__(self, means: Means) -> None:
        """`means`: (TILE_ROWS, TILE_COLUMNS) float32."""
        self.means = means
        self.level: Means = means - np.float32(cv2.mean(means)[0])  # without what all of it has
        self._contrast = self._energy = -1.0

    @property
    def contrast(self) -> float:
        """Between the parts: standard deviation, 8-bit code values."""
        if self._contrast < 0:
            self._contrast = float(self.means.std())
        return self._contrast

    @property
    def energy(self) -> float:
        """Of `level`: the sum of its squares."""
        if self._energy < 0:
            level = self.level.ravel()
            self._energy = float(level @ level)
        return self._energy


def _patches(frame: Frame) -> Patches:
    small = frame[LUMA_SMALL]
    if native.kernels is not None:
        out = np.empty((TILE_ROWS, TILE_COLUMNS), np.float32)
        native.kernels.patches(small, out)
        return Patches(out)
    height, width = small.shape
    if height % TILE_ROWS == 0 and width % TILE_COLUMNS == 0:
        means = cv2.resize(small, (TILE_COLUMNS, TILE_ROWS), interpolation=cv2.INTER_AREA)
    else:  # the same, where OpenCV is slow
        means = np.rint(
            _shares(height, TILE_ROWS) @ small.astype(np.float32) @ _shares(width, TILE_COLUMNS).T
        )
    return Patches(np.asarray(means, np.float32))


@lru_cache(maxsize=16)
def _shares(samples: int, parts: int) -> npt.NDArray[np.float32]:
    """(parts, samples) what each of so many equal parts takes of each sample, as a share of the part."""
    edges = np.arange(parts + 1) * samples / parts
    place = np.arange(samples)
    covered = np.minimum(edges[1:, None], place + 1) - np.maximum(edges[:-1, None], place)
    return np.asarray(np.maximum(covered, 0) * parts / samples, np.float32)


PATCHES: Feature[Frame, Patches] = Feature("patches", _patches)
"""Mean luma of 9 x 16 tiles: neither noise nor blur nor coding changes it."""


class Past(NamedTuple):
    """What was seen a little earlier in the same scene."""

    at_ns: int
    patches: Patches
    moved: float | None  # from the sample before it; None of a scene's first
    value: float


def difference(one: Patches, other: Patches) -> float:
    """Mean absolute difference, 8-bit code values."""
    return cv2.norm(one.means, other.means, cv2.NORM_L1) / one.means.size


def movement(one: Patches, other: Patches) -> float:
    """The same, without what the picture as a whole became brighter: snow and gains do not move."""
    return cv2.norm(one.level, other.level, cv2.NORM_L1) / one.level.size


def correlation(one: Patches, other: Patches) -> float:
    """How alike the pattern of two pictures is, -1 to 1, whatever their light; 0 where one of them has none."""
    scale = math.sqrt(one.energy * other.energy)
    return float(one.level.ravel() @ other.level.ravel()) / scale if scale > 0 else 0.0


def alike(one: Patches, other: Patches) -> bool:
    """Whether two pictures show one scene, moved a little or in another light."""
    return difference(one, other) <= ALIKE_CODES or correlation(one, other) >= ALIKE


class Scene:
    """The last moments of a measured value, as long as they belong to one scene."""

    def __init__(self) -> None:
        self._past: deque[Past] = deque(maxlen=12)

    def add(self, at_ns: int, patches: Patches, value: float) -> None:
        """The next sample. A cut before it makes what was seen earlier void."""
        moved = movement(self._past[-1].patches, patches) if self._past else None
        if moved is not None and not self._goes_on(patches, moved):
            self._past.clear()
            moved = None
        self._past.append(Past(at_ns, patches, moved, value))

    def add_like(self, other: Scene, value: float) -> None:
        """The sample that `other`, which has seen the same pictures, was given last, with a value of its own."""
        last = other._past[-1]
        if last.moved is None:
            self._past.clear()
        self._past.append(last._replace(value=value))

    def _goes_on(self, patches: Patches, moved: float) -> bool:
        if alike(self._past[-1].patches, patches):
            return True
        before = self._movement()[-3:]
        return not before or moved <= LEAP * max(before)

    def _movement(self) -> list[float]:
        return [p.moved for p in self._past if p.moved is not None]

    def pairs(self, *, moving: bool = True) -> Iterator[tuple[Past, Past]]:
        """(a moment before, the latest sample), nearest first: the pairs that may be compared.

        Without `moving`, not across movement so fast that another part of the scene is seen.
        """
        if not self.known:
            return
        latest = self._past[-1]
        calm = self._is_calm()
        for past in list(self._past)[-2::-1]:
            if latest.at_ns - past.at_ns > LOOK_BACK_NS:
                return
            if (moving and not calm) or alike(past.patches, latest.patches):
                yield past, latest

    def steps(self) -> Iterator[tuple[Past, Past]]:
        """Each sample with the one before it, oldest first."""
        return pairwise(self._past)

    def earlier(self) -> list[Past]:
        """What was seen a moment before the latest sample, however it moved since."""
        if not self.known:
            return []
        latest = self._past[-1]
        return [p for p in list(self._past)[:-1] if latest.at_ns - p.at_ns <= LOOK_BACK_NS]

    def on_the_move(self) -> list[Past]:
        """What was seen before the latest sample, in movement too fast to compare pictures that goes on as it was."""
        moves = self._movement()
        if len(moves) < 5 or self._is_calm():
            return []
        low, high = AS_BEFORE[0] * min(moves[-5:-2]), AS_BEFORE[1] * max(moves[-5:-2])
        if min(moves[-2:]) < low or max(moves[-2:]) > high:
            return []
        past = self.earlier()
        contrasts = [p.patches.contrast for p in (*past, self._past[-1])]
        return past if max(contrasts) <= EVEN * min(contrasts) else []

    def _is_calm(self) -> bool:
        return median(self._movement()) <= CALM_CODES

    def fell(self) -> int | None:
        """Since when the value lies far below what it was, where it fell there at once; None where it sank."""
        since, before = self._past[-1], max(past.value for past in self._past)
        for past in reversed(self._past):
            if past.value >= STILL_THERE * before:
                return since.at_ns if since.value <= GONE * before else None
            since = past
        return None

    def falling(self, at_ns: int) -> Iterator[int]:
        """The samples over which the value fell to what it is at `at_ns`: from that one back to where it began."""
        past = list(self._past)
        for before, now in zip(past[-2::-1], past[:0:-1], strict=True):
            if now.at_ns <= at_ns:
                if now.value >= FALLS * before.value:
                    return
                yield now.at_ns

    def leapt(self, before: float, now: float) -> int | None:
        """Since when the value has been up from `before` to about `now`, where it rose there at once."""
        since = self._past[-1]
        for past in reversed(self._past):
            if past.value <= before + ROSE_FROM * (now - before):
                return since.at_ns if since.value >= before + ROSE_TO * (now - before) else None
            since = past
        return None

    def steady_at(self, at_ns: int, most: float) -> bool:
        """Whether mean luma changed by no more than `most` to the sample at `at_ns`, and all else as movement does.

        Dark pictures are alike by their light alone, so their pattern has to go on too, as far as it did before.
        """
        patterns: list[float] = []
        for before, now in pairwise(self._past):
            pattern = correlation(before.patches, now.patches)
            if now.at_ns == at_ns:
                usual = median(patterns) if len(patterns) >= LEAST_KNOWN else 1.0
                if usual >= FOLLOWED and pattern < PATTERN * usual:
                    return False
                lighter = abs(float(now.patches.means.mean() - before.patches.means.mean()))
                contrasts = before.patches.contrast, now.patches.contrast
                raced = movement(before.patches, now.patches) > RACED
                return lighter <= most and not raced and max(contrasts) <= EVEN * min(contrasts)
            patterns.append(pattern)
        return False

    @property
    def contrast(self) -> float:
        """Between the patches of the latest sample: standard deviation, 8-bit code values."""
        return self._past[-1].patches.contrast

    def forget(self) -> None:
        """What comes next has another clock, or cannot be compared."""
        self._past.clear()

    @property
    def known(self) -> bool:
        """Whether there is anything to compare with."""
        return len(self._past) > 1


class Rise:
    """A value that rises at once within a scene and stays up, over cuts too, until it comes down.

    It has risen when it is at least `floor` and `factor` times what it was in this scene, plus `plus`; it is down
    again below `back` of what it has been meanwhile, or well below `floor`. At `certain` it is up even after a cut,
    in a stream that has been far from it. Without `moving`, fast movement is no moment to compare, unless it goes on
    as before and the value is up `racing` times, plus three times `plus`; nor is a picture
    of which less than `kept` of the contrast is left, or that has so much more: it fades. So many pictures as `least`
    must have been seen before. What grows `settled` times again within the next second
    did not rise at once: a lens that is turned. The level that `back` refers to follows upwards by a share `follows`;
    with `anew` another shot sets it, where the value is up from what was usual, by the root of `factor` now. What
    `lasts` goes on in shots that show less of it, until it is no more than so many times what was usual, plus `plus`.
    """

    def __init__(
        self,
        *,
        floor: float,
        factor: float,
        plus: float,
        back: float,
        certain: float = math.inf,
        moving: bool = True,
        racing: float = math.inf,
        kept: float = 0.0,
        least: int = 1,
        settled: float = math.inf,
        follows: float = LEVEL_STEP,
        anew: bool = False,
        lasts: float | None = None,
    ) -> None:
        self.floor, self._factor, self._plus, self._back = floor, factor, plus, back
        self._certain, self._moving, self._kept, self._least = certain, moving, kept, least
        self._settled, self._follows, self._racing, self._anew = settled, follows, racing, anew
        self._lasts = lasts
        self._usual: deque[float] = deque(maxlen=USUAL)
        self._scene = Scene()
        self._level: float | None = None  # while it is up
        self._rose: list[float] = []  # the first values since it is

    @property
    def known(self) -> bool:
        """Whether there is a past to compare with."""
        return self._level is not None or self._scene.known

    @property
    def is_up(self) -> bool:
        """Whether it rose, and is not down again."""
        return self._level is not None

    def forget(self) -> None:
        """What comes next has another clock."""
        self._scene.forget()

    def withdraw(self) -> None:
        """It did not rise after all."""
        self._level = None

    def update(
        self,
        at_ns: int,
        patches: Patches,
        value: float,
        *,
        high: bool = True,
        new: Callable[[], bool] | None = None,
    ) -> int | None:
        """The next sample: since when the value is up, or None. It must be `high` in other terms too.

        Where `new` can tell that what is seen was not in the scene before, it is asked instead of the movement.
        """
        self._scene.add(at_ns, patches, value)
        if self._level is not None:
            if self._anew and high and not self._scene.known and self._usual:
                usual = math.sqrt(self._factor) * median(self._usual) + self._plus
                lasted = len(self._rose) >= LASTED
                self._level = value if lasted and value >= max(usual, self.floor) else None
                self._rose = [value] * SETTLING
                return None if self._level is None else at_ns
            near = NEAR_FLOOR * self.floor
            if self._lasts is not None and self._usual:
                near = min(near, self._lasts * median(self._usual) + self._plus)
                if high and not self._scene.known and value >= near:
                    self._level = value
                    return at_ns
            down = not high or value < max(self._back * self._level, near)
            if down or self._still_rises(value):
                self._level = None
                return None
            self._level += (self._follows if value > self._level else LEVEL_STEP) * (value - self._level)
            return at_ns
        if value < self.floor or not high:
            self._usual.append(value)
            return None
        past = self._scene.earlier()
        since = self._risen(value) if new is None else self._leapt(past, self._factor, value)
        if since is None and value >= self._certain and self._is_clean():
            since = at_ns
        if since is not None and new is not None and not new():
            since = None
        if since is None:
            self._usual.append(value)
        else:
            self._level, self._rose = value, []
        return since

    def _still_rises(self, value: float) -> bool:
        """Whether it goes on rising: from the second value on, for the first may be a coder's."""
        if len(self._rose) >= SETTLING:
            return False
        if not self._scene.known:  # another shot, as bad
            self._rose = [value] * SETTLING
            return False
        self._rose.append(value)
        if value <= self._settled * self._rose[0]:
            return False
        self._scene.forget()
        return True

    def _is_clean(self) -> bool:
        return len(self._usual) == USUAL and max(self._usual) <= FAR * self._certain

    def _risen(self, value: float) -> int | None:
        since = self._leapt([past for past, _ in self._scene.pairs(moving=self._moving)], self._factor, value)
        if since is None and self._racing < math.inf:
            raced = self._scene.on_the_move()
            since = self._leapt(raced, self._racing, value - 2 * self._plus)
            if since is not None:
                most = max(past.value for past in raced if past.at_ns < since)
                return since if value >= self._factor * most + self._plus else None
        return since

    def _leapt(self, past: Sequence[Past], factor: float, value: float) -> int | None:
        """Since when it is up `factor` times from what was usual in the past, where it rose at once."""
        contrast = self._scene.contrast
        if not past or any(contrast < self._kept * one.patches.contrast for one in past):
            return None
        if self._kept and any(self._kept * contrast > one.patches.contrast for one in past):
            return None
        before = sorted(one.value for one in past)[(len(past) - 1) // 2]
        since = self._scene.leapt(before, value) if value >= factor * before + self._plus else None
        if since is None or sum(one.at_ns < since for one in self._scene.earlier()) < self._least:
            return None
        return since
