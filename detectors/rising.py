"""What the detectors share that tell a fault by what changes at once within a shot: a value that rises or falls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, Literal, TypeVar

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.shots import PATCHES, Rise

P = TypeVar("P", bound=Params)

CLOSE_NS = 600_000_000


class SampledDetector(Detector[P], ABC):
    """Measures `measures` once a second, and opens a warning when the picture has changed within a shot and stays so.

    A subclass names the feature and its unit, adds `PATCHES` to its needs, and says in `since` what has changed.
    """

    scope = Scope.VIDEO
    rate_hz = SAMPLED_HZ
    suppressed_by: ClassVar[tuple[str, ...]] = (
        "black",
        "solid_color",
        "color_bars",
        "picture_missing",
        "black_bars",
    )
    measures: ClassVar[Feature[Frame, float | None]]
    unit: ClassVar[str]
    worst: ClassVar[Literal["max", "min"]] = "max"

    def __init__(self, params: P, track: str | None, *, threshold: float, min_seconds: float) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value=self.measures.name,
            unit=self.unit,
            threshold=threshold,
            open_ns=round(min_seconds * 1e9),
            close_ns=CLOSE_NS,
            severity=Severity.WARNING,
            worst=self.worst,
        )
        self._second = -1

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Compare with the same scene a moment ago."""
        value = view[self.measures]
        if value is None:
            return
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement(self.measures.name, value, self.unit, view.at_ns, self.track)
        since = self.since(view, value)
        at_ns = view.at_ns if since is None else since
        yield from self._hold.update(at_ns, since is not None, value, end_ns=view.end_ns)

    @abstractmethod
    def since(self, view: PictureView, value: float) -> int | None:
        """Since when it has been so, or None."""


class RisingDetector(SampledDetector[P]):
    """One whose value rises as its `Rise` says. Where what rises is not the value itself, it overrides `since`."""

    def __init__(
        self, params: P, track: str | None, *, rise: Rise, threshold: float, min_seconds: float
    ) -> None:
        super().__init__(params, track, threshold=threshold, min_seconds=min_seconds)
        self._rise = rise

    @property
    def ready(self) -> bool:
        """Whether there is a past to compare with."""
        return self._rise.known

    def since(self, view: PictureView, value: float) -> int | None:
        """Since when the value is up, or None."""
        return self._rise.update(view.at_ns, view[PATCHES], value)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._rise.forget()
        yield from ()
