"""What the HLS client hands over: segments in joined media order, and where a later client goes on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from contracts.errors import ConfigError

Kind = Literal["main", "audio"]


@dataclass(frozen=True, slots=True)
class Segment:
    """One media segment, whole and decrypted, ready for a demuxer.

    `rendition` names the playlist it comes from and stays the same for the client's life and over a
    checkpoint. `kind` is `main` for a variant (picture, or picture and sound) and `audio` for a separate
    audio rendition. `discontinuity` is True when its timestamps belong to another clock than those of the
    segment before it in this rendition. `init` is the initialization section (EXT-X-MAP), given with every
    segment that needs one; `init_changed` is True when a demuxer must be told of it. `at_ns` is the
    client's estimate of media time from playlist durations, 0 at the first segment of the main rendition;
    `duration_ns` is the EXTINF. `requested_s` and `fetched_s` are monotonic seconds of the client's clock
    before the first request and after the last byte. `encrypted_method` is what was undone (`AES-128`).
    Source: RFC 8216, 3 and 4.3.2.
    """

    rendition: str
    kind: Kind
    sequence: int
    data: bytes = field(repr=False)
    duration_ns: int
    at_ns: int
    url: str  # redacted
    discontinuity: bool = False
    init: bytes | None = field(default=None, repr=False)
    init_changed: bool = False
    language: str | None = None
    program_date_time: datetime | None = None
    requested_s: float = 0.0
    fetched_s: float = 0.0
    encrypted_method: str | None = None

    @property
    def end_ns(self) -> int:
        """Estimated media time just after it."""
        return self.at_ns + self.duration_ns


@dataclass(frozen=True, slots=True)
class Mark:
    """How far one rendition was handed over: the last media sequence, and the estimated media time after it."""

    sequence: int
    discontinuity_sequence: int
    end_ns: int


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Where another client goes on without gap or repeat: one mark for each rendition."""

    marks: Mapping[str, Mark] = field(default_factory=dict)

    def to_dict(self) -> dict[str, list[int]]:
        """The marks as plain numbers, fit for JSON."""
        return {
            name: [mark.sequence, mark.discontinuity_sequence, mark.end_ns]
            for name, mark in self.marks.items()
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> Checkpoint:
        """What `to_dict` made; ConfigError when it is anything else."""
        try:
            return cls({str(name): Mark(*map(int, numbers)) for name, numbers in plain.items()})
        except (TypeError, ValueError, AttributeError) as error:
            raise ConfigError(f"An HLS checkpoint is three integers for each rendition: {error}.") from error


@dataclass(frozen=True, slots=True)
class Rendition:
    """One media playlist that is followed, as the multivariant playlist describes it.

    `name` is stable over reloads and token changes. `url` holds secrets and is never shown.
    """

    name: str
    kind: Kind
    url: str = field(repr=False)
    bandwidth: int = 0  # bits a second, peak
    width: int = 0
    height: int = 0
    frame_rate: float = 0.0
    codecs: str = ""
    language: str | None = None
