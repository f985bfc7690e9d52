"""What the detectors share that tell a fault by what changes at once within a shot: a value that rises or falls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, TypeVar

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView, slot_of
from detectors.hold import Hold
from detectors.shots import PATCHES, Rise

P = TypeVar("P", bound=Params)

CLOSE_NS = 600_000_000
NEARLY = 0.9  # of what counts: the picture before it is looked at, too


class SampledDetector(Detector[P], ABC):
    """Measures `measures` once a second, and opens a warning when the picture has changed within a shot and stays so.

    A subclass names the feature and its unit, adds `PATCHES` to its needs, and says in `since` what has changed.
    Where that needs more than the value, it names what it `reads` and how to get the `value_of` that.

    As long as nothing is up, every second picture waits for the next one: only where that one `may_matter` is the one
    that waited looked at, too. Else it is taken to be alike, which saves half of what looking costs.
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
    reads: ClassVar[Feature[Frame, Any] | None] = None
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
        self._waits: PictureView | None = None

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Compare with the same scene a moment ago."""
        waited, self._waits = self._waits, None
        odd = slot_of(view.at_ns, SAMPLED_HZ) % 2  # the same for all, so that features are shared
        if odd and waited is None and self._hold.since_ns is None and self.is_calm:
            self._waits = view
            return
        reading = view[self.reads or self.measures]
        if waited is not None:
            matters = reading is not None and self.may_matter(reading)
            yield from self._look(waited, waited[self.reads or self.measures] if matters else reading)
        second = view.at_ns // 1_000_000_000
        if second != self._second and reading is not None:
            self._second = second
            yield Measurement(
                self.measures.name, self.value_of(reading), self.unit, view.at_ns, self.track
            )
        yield from self._look(view, reading)

    def _look(self, view: PictureView, reading: Any) -> Iterator[Finding]:
        if reading is None:
            return
        value = self.value_of(reading)
        since = self.since(view, reading)
        at_ns = view.at_ns if since is None else since
        yield from self._hold.update(at_ns, since is not None, value, end_ns=view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._waits = None
            self.forget()
        yield from ()

    def value_of(self, reading: Any) -> float:
        """The value that is measured."""
        return float(reading)

    @property
    @abstractmethod
    def is_calm(self) -> bool:
        """Whether nothing is up that every picture has to be looked at for."""

    @abstractmethod
    def may_matter(self, reading: Any) -> bool:
        """Whether it may be so in this picture, or nearly."""

    @abstractmethod
    def since(self, view: PictureView, reading: Any) -> int | None:
        """Since when it has been so, or None."""

    @abstractmethod
    def forget(self) -> None:
        """What was seen so far is of another clock."""


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

    @property
    def is_calm(self) -> bool:
        """Whether it has not risen."""
        return not self._rise.is_up

    def may_matter(self, reading: Any) -> bool:
        """Whether it is near the floor of what rises, or above it."""
        return bool(reading >= NEARLY * self._rise.floor)

    def since(self, view: PictureView, reading: Any) -> int | None:
        """Since when the value is up, or None."""
        return self._rise.update(view.at_ns, view[PATCHES], reading)

    def forget(self) -> None:
        """Nothing to compare with."""
        self._rise.forget()
