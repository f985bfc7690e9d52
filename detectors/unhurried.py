"""What the detectors share that look at every second picture of theirs as long as nothing is up."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import ClassVar, TypeVar

from contracts.findings import Finding
from detectors.detector import Detector, Params, Scope
from detectors.events import Break, Format
from detectors.frame import SAMPLED_HZ, PictureView, slot_of

P = TypeVar("P", bound=Params)

NEARLY = 0.9  # of what counts: the picture that waited is looked at, too


class UnhurriedDetector(Detector[P], ABC):
    """Looks at a few pictures a second, and while it is calm at every second one of them.

    The picture between waits for the next one. Where that one may matter, the one that waited is looked at first, so
    that a fault is dated as well as if it had been looked at at once; else it is let pass.

    A subclass overrides `look` instead of `picture`, and says whether it `compares` a picture with the one before it.
    """

    scope = Scope.VIDEO
    rate_hz = SAMPLED_HZ
    compares: ClassVar[bool] = False  # each with the picture before it, which is then kept while it waits

    def __init__(self, params: P, track: str | None) -> None:
        super().__init__(params, track)
        self._waits: PictureView | None = None
        self._first: int | None = None  # slot of the first picture: all detectors wait for the same ones

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Let it wait, or look at it, and before at the one that waited where it may matter."""
        waited, self._waits = self._waits, None
        slot = slot_of(view.at_ns, SAMPLED_HZ)
        if self._first is None:
            self._first = slot
        if (slot - self._first) % 2 and waited is None and self.is_calm:
            self._waits = view.kept() if self.compares else view
            return
        if waited is not None:
            if self.may_matter(view):
                yield from self.look(waited)
            else:
                self.let_pass(waited, view)
        yield from self.look(view)

    def broke(self, event: Break) -> Iterator[Finding]:
        """What waits is of another clock than what comes."""
        if event.kind in ("jump", "signalled"):
            self._waits = None
        yield from ()

    def format(self, event: Format) -> Iterator[Finding]:
        """What waits is of another raster."""
        self._waits = None
        yield from ()

    @property
    @abstractmethod
    def is_calm(self) -> bool:
        """Whether nothing is up that each picture has to be looked at for."""

    @abstractmethod
    def may_matter(self, view: PictureView) -> bool:
        """Whether this picture shows the fault, or nearly."""

    @abstractmethod
    def look(self, view: PictureView) -> Iterator[Finding]:
        """Look at a picture."""

    def let_pass(self, view: PictureView, following: PictureView) -> None:
        """A picture that is not looked at; `following` is the next one, which shows nothing."""
        return
