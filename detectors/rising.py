"""What the detectors share that tell a fault by what changes at once within a shot: a value that rises or falls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any, ClassVar, Literal, TypeVar

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Params
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.shots import PATCHES, Rise
from detectors.unhurried import NEARLY, UnhurriedDetector

P = TypeVar("P", bound=Params)

CLOSE_NS = 600_000_000


class SampledDetector(UnhurriedDetector[P], ABC):
    """Measures `measures` once a second, and opens a warning when the picture has changed within a shot and stays so.

    A subclass names the feature and its unit, adds `PATCHES` to its needs, and says in `since` what has changed.
    Where that needs more than the value, it names what it `reads`, and how the `value_of` that is got.
    """

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

    @property
    def is_calm(self) -> bool:
        """Whether it is as it was."""
        return self._hold.since_ns is None

    def may_matter(self, view: PictureView) -> bool:
        """Whether what is read is near what counts."""
        reading = self._read(view)
        return reading is not None and self.is_near(reading)

    def look(self, view: PictureView) -> Iterator[Finding]:
        """Compare with the same scene a moment ago."""
        reading = self._read(view)
        if reading is None:
            return
        value = self.value_of(reading)
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement(self.measures.name, value, self.unit, view.at_ns, self.track)
        since = self.since(view, reading)
        at_ns = view.at_ns if since is None else since
        yield from self._hold.update(at_ns, since is not None, value, end_ns=view.end_ns)

    def let_pass(self, view: PictureView, following: PictureView) -> None:
        """What is not near what counts is taken to be like the next one."""
        reading = self._read(following)
        if reading is not None:
            self.since(view, reading)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self.forget()
        yield from super().broke(event)

    def _read(self, view: PictureView) -> Any:
        return view[self.reads or self.measures]

    def value_of(self, reading: Any) -> float:
        """The value that is measured."""
        return float(reading)

    @abstractmethod
    def is_near(self, reading: Any) -> bool:
        """Whether it may count, or nearly."""

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
        return super().is_calm and not self._rise.is_up

    def is_near(self, reading: Any) -> bool:
        """Whether it is near the floor of what rises, or above it."""
        return bool(reading >= NEARLY * self._rise.floor)

    def since(self, view: PictureView, reading: Any) -> int | None:
        """Since when the value is up, or None."""
        return self._rise.update(view.at_ns, view[PATCHES], reading)

    def forget(self) -> None:
        """Nothing to compare with."""
        self._rise.forget()
