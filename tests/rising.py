"""Asked of every detector whose fault is a value that rises within a shot: see `detectors/rising.py`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.catalogue import AnyDetector
from detectors.detector import Detector
from detectors.events import Break
from tests.injection import Level, Moment, Picture
from tests.patterns import FPS, SECOND, TRACK, flat, frames, mixed, pan, panning
from tests.run import edges, findings

Injector = Callable[[Picture, Moment], Picture]


def slowly(seconds: float, *, seed: int = 7, first: int = 0) -> list[Picture]:
    """A camera that pans slowly, for faults that are not judged in fast movement."""
    return [pan(first + i, seed=seed, step=1) for i in range(round(seconds * FPS))]


class WithinAShot:
    """The suite; a test file derives a class of it whose name begins with `Test`."""

    detector: ClassVar[AnyDetector]
    injector: ClassVar[Injector]
    programme: ClassVar[Callable[..., list[Picture]]] = panning

    def fresh(self) -> Detector[Any]:
        """One with default parameters."""
        return self.detector(self.detector.Params(), TRACK)

    def broken(
        self, pictures: list[Picture], first: int, last: int, level: Level, seed: int = 1
    ) -> list[Picture]:
        """`pictures` with the fault in [first, last)."""
        moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
        inject = type(self).injector
        return [inject(p, moment) if first <= i < last else p for i, p in enumerate(pictures)]

    def dated_to_the_picture(self, level: Level, seed: int) -> None:
        """The golden case: three seconds of the fault in nine of programme."""
        shown = self.broken(type(self).programme(9), 75, 150, level, seed)
        found = [f for f in findings(self.fresh(), frames(shown)) if isinstance(f, DefectEdge)]
        assert [(f.edge.value, f.at_ns) for f in found] == [
            ("opened", 75 * SECOND // FPS),
            ("closed", 150 * SECOND // FPS),
        ]
        assert found[0].severity is Severity.WARNING
        assert found[0].certain_at_ns - found[0].at_ns <= 2.2 * SECOND

    def test_shorter_than_two_seconds_is_silent(self) -> None:
        shown = self.broken(type(self).programme(7), 75, 120, Level.GROSS)
        assert edges(self.fresh(), frames(shown)) == []

    def test_it_goes_on_over_a_cut(self) -> None:
        programme = [*type(self).programme(5), *type(self).programme(6, seed=8)]
        shown = self.broken(programme, 75, 200, Level.PLAIN)
        assert edges(self.fresh(), frames(shown)) == [("opened", 3.0), ("closed", 8.0)]

    def test_fades_and_dissolves_are_programme(self) -> None:
        show = type(self).programme
        one, two = show(8), show(8, seed=8)
        blend = [
            mixed(a, b, min(1.0, max(0.0, (i - 75) / 25)))
            for i, (a, b) in enumerate(zip(one, two, strict=True))
        ]
        down = [mixed(p, flat(16), min(1.0, i / 40)) for i, p in enumerate(show(4, seed=8, first=200))]
        up = [mixed(p, flat(16), max(0.0, 1 - i / 40)) for i, p in enumerate(show(4))]
        assert edges(self.fresh(), frames([*blend, *down, *up])) == []

    def test_not_ready_before_it_has_a_past(self) -> None:
        detector = self.fresh()
        assert not detector.ready
        findings(detector, frames(panning(1)))
        assert detector.ready

    def test_another_clock_voids_the_past(self) -> None:
        shown = frames(self.broken(panning(7), 75, 175, Level.PLAIN))
        broke = Break(3 * SECOND, TRACK, "signalled")
        assert edges(self.fresh(), [*shown[:75], broke, *shown[75:]]) == []

    @pytest.mark.parametrize("size", [(16, 16), (17, 9), (2, 2), (321, 181)])
    def test_any_raster(self, size: tuple[int, int]) -> None:
        assert edges(self.fresh(), frames([flat(90, size=size)] * 60)) == []
