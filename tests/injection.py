"""What a detector's test file says about making its fault, so that scoring can find it there.

Each `tests/unit/detectors/FAMILY/test_ID.py` holds `FAULT = Fault(...)`. Scoring draws a place, a length and a
level with a fresh seed, and calls the injector for each picture or for the stretch of sound concerned, before
the result is coded as an ordinary stream.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Plane = npt.NDArray[np.uint8]
Picture = tuple[Plane, Plane, Plane]  # Y, Cb, Cr, 4:2:0 limited range
Sound = npt.NDArray[np.float32]  # (channels, samples), full scale 1.0


class Level(IntEnum):
    """How bad the injected fault is."""

    JUST = 0  # just visible or audible: reported, no bar to pass
    PLAIN = 1
    GROSS = 2


@dataclass(slots=True)
class Moment:
    """Where an injector is: the draw is the same for every picture of one fault."""

    level: Level
    rng: np.random.Generator
    fps: float
    rate_hz: int
    index: int = 0  # pictures since the fault began
    count: int = 0  # pictures in all
    memory: dict[str, Any] = field(default_factory=dict)  # lives as long as one fault
    broke: tuple[int, int] | None = None  # samples of the stretch: set where only these of it were broken


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break a stream.

    `picture` returns the changed picture, or None to leave it out of the stream. `sound` gets the whole stretch and
    returns one of the same shape, or None to leave it out. `clock_s` shifts all later timestamps of the
    named kind by so many seconds (drawn from the range). `damage` corrupts that share of the coded bytes of
    packets in the stretch. `after_cut_s` keeps the fault's beginning so far from a cut before it, and half a second
    from one after it, where the detector's manual page says that it is blind there. `layouts` are those that a fault
    of sound, injected into stereo, survives being mixed into; faults of pictures come with any. `shows` tells of a
    picture before and after whether anybody would see that fault in it: footage in which the plain one does not show
    is not used.
    """

    defect: str
    lengths_s: tuple[float, float]
    picture: Callable[[Picture, Moment], Picture | None] | None = None
    sound: Callable[[Sound, Moment], Sound | None] | None = None
    clock_s: tuple[float, float] | None = None
    damage: float | None = None
    levels: tuple[Level, ...] = (Level.JUST, Level.PLAIN, Level.GROSS)
    instant: bool = False  # the truth is a moment, not an interval
    after_cut_s: float = 0.0
    layouts: tuple[Literal["mono", "stereo", "5.1"], ...] = ("stereo",)
    shows: Callable[[Picture, Picture], bool] | None = None
