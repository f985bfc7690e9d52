"""The one interface a detector implements."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from enum import StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from contracts.errors import ConfigError
from contracts.findings import DefectEdge, Finding
from detectors.events import Break, Damage, Fetch, Format, Recall, Source, Tick
from detectors.frame import Feature, PictureView, SoundView


class Params(BaseModel):
    """A detector's parameters: each field has a default, a range, and a description that says its unit."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Scope(StrEnum):
    """For what one instance of a detector is made."""

    VIDEO = "video"  # each video track
    AUDIO = "audio"  # each audio track
    TRACK = "track"  # each track of either kind
    INPUT = "input"  # the input as a whole


P = TypeVar("P", bound=Params)

HANDLERS = ("picture", "sound", "tick", "broke", "damage", "format", "recall", "fetch", "source")


class Detector(Generic[P]):
    """Turns what it is shown into findings about one kind of trouble.

    A subclass overrides the handlers of the kinds of event it wants (`kinds` follows from that) and is shown
    events of its own track and those without a track. It opens no file and reads no clock.

    `suppressed_by` names defects that explain this one: when it begins while one of them is open (half a second
    around included), on the same track or where either is of the input as a whole, ours stays on record as its
    consequence and does not count, until it has outlived it by ten seconds, or by two if it is `prompt`.
    """

    id: ClassVar[str]
    scope: ClassVar[Scope]
    needs: ClassVar[tuple[Feature[Any, Any], ...]] = ()
    rate_hz: ClassVar[float | None] = None  # pictures a second it wants at most; None is every one
    suppressed_by: ClassVar[tuple[str, ...]] = ()
    prompt: ClassVar[bool] = False  # it ends when its trouble does: it outlives what explains it by little
    single: ClassVar[bool] = False  # of the input one defect at a time, on the track that shows it first
    trial: ClassVar[bool] = False  # not yet shown to be accurate enough: runs only where a profile names it
    Params: ClassVar[type[Params]]
    kinds: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, params: P, track: str | None) -> None:
        self.params = params
        self.track = track

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.kinds = frozenset(h for h in HANDLERS if getattr(cls, h) is not getattr(Detector, h))
        for feature in cls.needs:
            if feature.rate_hz is not None and (cls.rate_hz is None or cls.rate_hz > feature.rate_hz):
                raise ConfigError(
                    f"Detector {cls.__name__} wants {feature.name!r} more often than its {feature.rate_hz} a second."
                )

    def adopt(self, edge: DefectEdge) -> None:
        """A defect that this detector found in another process is open; told before anything is shown.

        Wanted where a defect that is there from the first picture on would be judged otherwise than one whose
        beginning was seen. `edge` says when it began, which may be among what is shown.
        """
        return

    @property
    def ready(self) -> bool:
        """Whether it can judge what comes next. One that learns a baseline first is not, until it has learned.

        Media shown to a detector that is not ready counts as watched and as *not yet* judged.
        """
        return True

    @classmethod
    def family(cls) -> str:
        """The folder it lives in: picture, sound, sync or transport."""
        return cls.__module__.rpartition(".")[0].rpartition(".")[2]

    @classmethod
    def manual(cls) -> str:
        """Its manual page: the docstring of its module."""
        return inspect.cleandoc(inspect.getmodule(cls).__doc__ or "")

    def picture(self, view: PictureView) -> Iterable[Finding]:
        """A picture of its track."""
        return ()

    def sound(self, view: SoundView) -> Iterable[Finding]:
        """100 ms of its track's sound."""
        return ()

    def tick(self, tick: Tick) -> Iterable[Finding]:
        """Media time has passed, whatever arrived."""
        return ()

    def broke(self, event: Break) -> Iterable[Finding]:
        """Time jumped or skipped. What was learned from neighbours in time is void."""
        return ()

    def damage(self, event: Damage) -> Iterable[Finding]:
        """The decoder reported damage."""
        return ()

    def format(self, event: Format) -> Iterable[Finding]:
        """The track's coding is known, or changed."""
        return ()

    def recall(self, event: Recall) -> Iterable[Finding]:
        """What another process knew of the track. Some of the media before `at_ns` may be shown once more."""
        return ()

    def fetch(self, event: Fetch) -> Iterable[Finding]:
        """A playlist, segment or key was fetched, or was not."""
        return ()

    def source(self, event: Source) -> Iterable[Finding]:
        """The source became visible or invisible."""
        return ()

    def finish(self, at_ns: int) -> Iterable[Finding]:
        """The watch ends at `at_ns`: say final measurements. The host closes what is open."""
        return ()
