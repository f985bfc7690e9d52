"""Decoded pictures and sound, and the values computed from them at most once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Literal, TypeVar

import numpy as np
import numpy.typing as npt

from contracts.errors import UndeclaredFeature

T = TypeVar("T")
S = TypeVar("S", bound="Sample")

Plane = npt.NDArray[np.uint8] | npt.NDArray[np.uint16]  # (height, width) code values, may be strided
Matrix = Literal["bt601", "bt709", "bt2020"]
Transfer = Literal["sdr", "pq", "hlg"]
Samples = npt.NDArray[np.float32]  # (channels, samples), full scale = 1.0

SAMPLED_HZ = (
    5.0  # pictures a second that are looked at closely; detectors that want fewer see some of the same
)


def slot_of(at_ns: int, rate_hz: float) -> int:
    """The time slot of a detector that wants `rate_hz` pictures a second: it is shown the first picture of each.

    Slots longer than those of `SAMPLED_HZ` are made of whole ones, so that features are shared.
    """
    if rate_hz < SAMPLED_HZ:
        return int(at_ns * SAMPLED_HZ // 1_000_000_000 * rate_hz // SAMPLED_HZ)
    return int(at_ns * rate_hz // 1_000_000_000)


@dataclass(frozen=True, eq=False, slots=True)
class Feature(Generic[S, T]):
    """A named value computed from a frame or block; the key and the recipe in one object.

    `rate_hz` is how often it may be computed at most; None means with every frame or block. A detector
    that needs it must not ask for frames more often (checked when the detector class is made).
    """

    name: str
    compute: Callable[[S], T]
    rate_hz: float | None = None


@dataclass(eq=False, slots=True)
class Sample:
    """What pictures and sound blocks share: a place on one track's timeline, and a memo."""

    track: str
    at_ns: int  # media time of its beginning
    duration_ns: int
    joins: bool = field(default=True, kw_only=True)  # it goes on directly from the one before it
    more: bool = field(default=False, kw_only=True)  # another one follows at once, to be looked at with it
    memo: dict[Any, Any] = field(default_factory=dict, kw_only=True, repr=False)  # features, once computed

    @property
    def end_ns(self) -> int:
        """Media time at which the next one is due."""
        return self.at_ns + self.duration_ns


@dataclass(eq=False, slots=True)
class Frame(Sample):
    """One decoded picture.

    `luma` is (height, width); `chroma` two planes (Cb, Cr), smaller where subsampled, or None for
    monochrome. Code values have `depth` bits: uint8 for 8, uint16 with the value in the low bits above.
    `full_range` is True when black is code 0. `matrix` is how luma and chroma come from R'G'B' (ITU-R BT.601,
    BT.709, BT.2020); `transfer` how code values become light: a camera's gamma ("sdr"), or PQ or HLG of ITU-R BT.2100.
    `previous` is lent for the length of one push.
    """

    luma: Plane
    chroma: tuple[Plane, Plane] | None = None
    depth: int = 8
    full_range: bool = False
    corrupt: bool = False  # the decoder says so; often it does not know
    matrix: Matrix = field(default="bt709", kw_only=True)
    transfer: Transfer = field(default="sdr", kw_only=True)
    interlaced: bool = field(default=False, kw_only=True)  # the stream says so: its fields are of two moments
    top_first: bool | None = field(default=None, kw_only=True)  # of an interlaced one, where the stream says
    previous: Frame | None = field(default=None, kw_only=True, repr=False)

    def __getitem__(self, feature: Feature[Frame, T]) -> T:
        memo: dict[Any, T] = self.memo
        try:
            return memo[feature]
        except KeyError:
            memo[feature] = value = feature.compute(self)
            return value

    @property
    def height(self) -> int:
        """Lines."""
        return int(self.luma.shape[0])

    @property
    def width(self) -> int:
        """Samples a line."""
        return int(self.luma.shape[1])


@dataclass(eq=False, slots=True)
class Block(Sample):
    """100 ms of sound (the last block of a run may be shorter).

    `samples` is (channels, samples) float32 with full scale 1.0; `channels` names each row ("L", "R", "C"...).
    `previous` is lent for the length of one push and is None where the sound does not join on.
    """

    samples: Samples
    rate_hz: int
    channels: tuple[str, ...]
    previous: Block | None = field(default=None, kw_only=True, repr=False)

    def __getitem__(self, feature: Feature[Block, T]) -> T:
        memo: dict[Any, T] = self.memo
        try:
            return memo[feature]
        except KeyError:
            memo[feature] = value = feature.compute(self)
            return value


MEDIA: Final = (Frame, Block)  # for isinstance, which is asked of everything that happens


class PictureView:
    """What one detector may see of a picture: its time, its size, and the features it declared."""

    __slots__ = ("_allowed", "_frame")

    def __init__(self, frame: Frame, allowed: frozenset[Feature[Any, Any]]) -> None:
        self._frame, self._allowed = frame, allowed

    @property
    def track(self) -> str:
        """The track it belongs to."""
        return self._frame.track

    @property
    def at_ns(self) -> int:
        """Media time at which it is presented."""
        return self._frame.at_ns

    @property
    def end_ns(self) -> int:
        """Media time at which the next picture is due."""
        return self._frame.end_ns

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) in samples."""
        return (self._frame.width, self._frame.height)

    @property
    def follows(self) -> bool:
        """Whether there is a previous picture that this one joins on to."""
        return self._frame.previous is not None

    def __getitem__(self, feature: Feature[Frame, T]) -> T:
        if feature not in self._allowed:
            raise UndeclaredFeature(f"feature {feature.name!r} is not in the detector's `needs`")
        known: T | None = self._frame.memo.get(feature)  # mostly another detector has asked before
        return self._frame[feature] if known is None else known

    def kept(self) -> PictureView:
        """The same, to be looked at later: it keeps the picture before, which is lent for the length of one push."""
        return _KeptView(self._frame, self._allowed)


class _KeptView(PictureView):
    """One that lends its picture the one before it whenever it is asked for a feature."""

    __slots__ = ("_previous",)

    def __init__(self, frame: Frame, allowed: frozenset[Feature[Any, Any]]) -> None:
        super().__init__(frame, allowed)
        self._previous = frame.previous

    @property
    def follows(self) -> bool:
        return self._previous is not None

    def __getitem__(self, feature: Feature[Frame, T]) -> T:
        lent, self._frame.previous = self._frame.previous, self._previous
        try:
            return super().__getitem__(feature)
        finally:
            self._frame.previous = lent


class SoundView:
    """What one detector may see of a block of sound: its time, its layout, and the features it declared."""

    __slots__ = ("_allowed", "_block")

    def __init__(self, block: Block, allowed: frozenset[Feature[Any, Any]]) -> None:
        self._block, self._allowed = block, allowed

    @property
    def track(self) -> str:
        """The track it belongs to."""
        return self._block.track

    @property
    def at_ns(self) -> int:
        """Media time of its first sample."""
        return self._block.at_ns

    @property
    def end_ns(self) -> int:
        """Media time just after its last sample."""
        return self._block.end_ns

    @property
    def rate_hz(self) -> int:
        """Samples a second."""
        return self._block.rate_hz

    @property
    def channels(self) -> tuple[str, ...]:
        """The name of each channel, in order."""
        return self._block.channels

    @property
    def follows(self) -> bool:
        """Whether there is a previous block that this one joins on to."""
        return self._block.previous is not None

    def __getitem__(self, feature: Feature[Block, T]) -> T:
        if feature not in self._allowed:
            raise UndeclaredFeature(f"feature {feature.name!r} is not in the detector's `needs`")
        known: T | None = self._block.memo.get(feature)
        return self._block[feature] if known is None else known
