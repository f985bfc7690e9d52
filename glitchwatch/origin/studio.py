"""Programmes that several channels send: what one has made, the others need not make again."""

from __future__ import annotations

import threading
from collections import OrderedDict

from glitchwatch.origin.picture import MovingPicture, Picture
from glitchwatch.origin.sound import ProgrammeSound, Sound

PICTURES_KEPT = 128  # of each programme: two segments and a little
STRETCHES_KEPT = 4


class SharedPicture:
    """A MovingPicture for several threads."""

    def __init__(self, programme: MovingPicture) -> None:
        self.programme = programme
        self.fps = programme.fps
        self._lock = threading.Lock()
        self._kept: OrderedDict[int, Picture] = OrderedDict()

    def __call__(self, index: int) -> Picture:
        """Picture `index` as three fresh planes."""
        with self._lock:
            if index not in self._kept:
                self._kept[index] = self.programme(index)
                while len(self._kept) > PICTURES_KEPT:
                    self._kept.popitem(last=False)
            y, cb, cr = self._kept[index]
        return y.copy(), cb.copy(), cr.copy()

    scaled = staticmethod(MovingPicture.scaled)


class SharedSound:
    """A ProgrammeSound for several threads, which ask for the same stretches."""

    def __init__(self, programme: ProgrammeSound) -> None:
        self._programme = programme
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[int, int], Sound] = OrderedDict()

    def __call__(self, start: int, count: int) -> Sound:
        """Samples `start` to `start + count` as a fresh (2, count) array."""
        with self._lock:
            if (start, count) not in self._kept:
                self._kept[start, count] = self._programme(start, count)
                while len(self._kept) > STRETCHES_KEPT:
                    self._kept.popitem(last=False)
            return self._kept[start, count].copy()


class Studio:
    """Makes each programme once; ask for all of them from one thread."""

    def __init__(self) -> None:
        self._pictures: dict[tuple[int, int, int, int], SharedPicture] = {}
        self._sounds: dict[tuple[int, int], SharedSound] = {}

    def picture(self, seed: int, width: int, height: int, fps: int) -> SharedPicture:
        """The moving picture of that seed and raster."""
        key = (seed, width, height, fps)
        if key not in self._pictures:
            self._pictures[key] = SharedPicture(MovingPicture(seed, width=width, height=height, fps=fps))
        return self._pictures[key]

    def sound(self, seed: int, rate_hz: int) -> SharedSound:
        """The sound of that seed and rate."""
        if (seed, rate_hz) not in self._sounds:
            self._sounds[seed, rate_hz] = SharedSound(ProgrammeSound(seed, rate_hz=rate_hz))
        return self._sounds[seed, rate_hz]
