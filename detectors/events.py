"""What happens to a stream besides pictures and sound: absence and damage must be observable too."""

from dataclasses import dataclass
from typing import Literal, get_args

from detectors.frame import Block, Frame


@dataclass(frozen=True, slots=True)
class Tick:
    """Everything that is presented before `at_ns` (media ns) has been delivered, or never will be."""

    at_ns: int
    track: None = None


@dataclass(frozen=True, slots=True)
class Break:
    """A track's clock did something else than go on. Ingest has repaired the timeline already.

    `delta_ns` is found minus expected, before the repair: positive is a jump ahead. Kinds: `jump`
    (the clock was re-anchored, `at_ns` goes on without it), `gap` (`at_ns` skips media that never came),
    `overlap` (media came twice and was dropped), `wrap` (the 33-bit counter ran over; harmless),
    `signalled` (the source announced a discontinuity; harmless by itself).
    """

    at_ns: int
    track: str | None
    kind: Literal["jump", "gap", "overlap", "wrap", "signalled"]
    delta_ns: int = 0


@dataclass(frozen=True, slots=True)
class Damage:
    """The demuxer or decoder reported damage at `at_ns`; `units` counts packets or pictures."""

    at_ns: int
    track: str | None
    units: int
    detail: str


@dataclass(frozen=True, slots=True)
class Format:
    """A track's coding as decoded, sent at its beginning and when it changes."""

    at_ns: int
    track: str
    kind: Literal["video", "audio"]
    codec: str
    width: int = 0
    height: int = 0
    fps: float = 0.0
    rate_hz: int = 0
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recall:
    """A track that an earlier process has read up to `at_ns`, sent before anything else of it.

    `step_ns` is the longest ordinary step between its samples, 0 when unknown; `format` how it was coded last.
    """

    at_ns: int
    track: str
    step_ns: int
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Fetch:
    """One network request by ingest, after its retries. `url` is redacted.

    `at_ns` is the media time the resource stands for. `cause` is None when it succeeded, else one word
    (`http_404`, `timeout`, `dns`, `refused`, `tls`, `truncated`, `invalid` ...). `duration_ns` is how much
    media a segment holds (0 for others).
    """

    at_ns: int
    track: str | None
    what: Literal["playlist", "segment", "init", "key"]
    url: str
    sequence: int | None
    status: int | None
    size: int
    seconds: float
    cause: str | None = None
    duration_ns: int = 0
    given_up: bool = False  # it will not be asked for again: its media is lost


BlindCode = Literal["source_unreachable", "source_stalled", "source_undecodable", "source_forbidden"]
BLIND_CODES: frozenset[str] = frozenset(get_args(BlindCode))


@dataclass(frozen=True, slots=True)
class Source:
    """Whether we can see: sent when that changes, and about once a second while we cannot.

    `blind` is None when media flows. `at_ns` is the media time at which the picture stopped plus the
    wall time since, so that blindness has a length although no media arrives. `track` is None when all
    tracks are concerned.
    """

    at_ns: int
    blind: BlindCode | None
    reason: str = ""
    track: str | None = None


Event = Frame | Block | Tick | Break | Damage | Format | Recall | Fetch | Source
