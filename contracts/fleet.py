"""The fleet's words: what should be watched, who watches it, and what was found, as they cross a process."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, model_validator

from contracts.findings import DefectEdge, Edge, Severity

SEPARATOR = "/"  # between the parts of an assignment's id; no part contains it
ALL_GROUP = "all"

Word = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
"""A name that may stand in keys, addresses and labels."""

Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f=]*$", max_length=128)]

_DIGITS = "0123456789abcdefghijklmnopqrstuv"  # as int(text, 32) reads them
_UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


# --- desired state --------------------------------------------------------------------------------------------


class RenditionPolicy(_Part):
    """Which renditions of a stream are watched.

    `highest` and `lowest` are resolved by the watch when it opens the source. `each` means every one of the
    stream's `renditions` (as a probe found them), `named` those that are in `names`; at most `at_most` of them.
    """

    choose: Literal["highest", "lowest", "each", "named"] = "highest"
    names: tuple[Word, ...] = Field(default=(), max_length=32)
    at_most: int = Field(default=8, ge=1, le=32)


class OffAir(_Part):
    """A recurring time off air, by the wall clock of an IANA zone; with `end` before `start` it passes midnight."""

    zone: str = Field(min_length=1, max_length=64)
    days: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = Field(
        default=(), max_length=7
    )
    start: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")
    end: str = Field(pattern=r"^([01]\d|2[0-3]):[0-5]\d$")


class StreamSource(_Part):
    """Where a stream comes from. `headers` hold secrets and are never shown; `header_refs` name them elsewhere."""

    url: str = Field(min_length=1, max_length=4096, repr=False)
    headers: dict[str, str] = Field(default_factory=dict, max_length=16, repr=False)
    header_refs: dict[str, str] = Field(default_factory=dict, max_length=16)
    carry_query: bool = False
    open_timeout_s: float = Field(default=10.0, gt=0, le=120)
    read_timeout_s: float = Field(default=10.0, gt=0, le=120)


class StreamSpec(_Part):
    """What an operator says about a stream; the store adds an id and a revision."""

    name: str = Field(min_length=1, max_length=200)
    source: StreamSource
    external_id: str | None = Field(default=None, min_length=1, max_length=200)
    enabled: bool = True
    profile: Word = "default"
    renditions: tuple[Word, ...] = Field(default=(), max_length=32)
    policy: RenditionPolicy = RenditionPolicy()
    labels: dict[Word, Label] = Field(default_factory=dict, max_length=16)
    off_air: tuple[OffAir, ...] = Field(default=(), max_length=32)
    starts_at: AwareDatetime | None = None  # not watched before: bulk onboarding spares an origin


@dataclass(frozen=True, slots=True)
class Stream:
    """One stream of the desired state; `revision` grows by one with each change and serves as its ETag.

    Ids sort in the order of creation: `new_stream_id` puts the time in front.
    """

    id: str
    revision: int
    spec: StreamSpec

    @property
    def created_at(self) -> datetime:
        """When it was onboarded, as its id says."""
        milliseconds = int(self.id[1:10], 32)
        return datetime.fromtimestamp(milliseconds / 1000, UTC)


def new_stream_id(at: datetime, place: int | None = None) -> str:
    """An id that nobody else makes, sorted by `at`: `s`, the time in ms in 9 digits to the base 32, 8 drawn ones.

    With `place` (below 4,096), ids of the same time sort by it.
    """
    drawn = secrets.randbits(40) if place is None else (place & 0xFFF) << 28 | secrets.randbits(28)
    number = int(at.timestamp() * 1000) << 40 | drawn
    digits = "".join(_DIGITS[number >> shift & 31] for shift in range(80, -5, -5))
    return "s" + digits


class DetectorGroup(_Part):
    """A named set of detectors that share one decode: families, or single detectors, by name; empty means all."""

    name: Word
    families: tuple[Word, ...] = Field(default=(), max_length=64)
    detectors: tuple[Word, ...] = Field(default=(), max_length=256)


class Groups(_Part):
    """The groups the fleet is cut into; the default is one group with every detector."""

    groups: tuple[DetectorGroup, ...] = Field(
        default=(DetectorGroup(name=ALL_GROUP),), min_length=1, max_length=16
    )

    @model_validator(mode="after")
    def _names_differ(self) -> Groups:
        names = [group.name for group in self.groups]
        if len(set(names)) != len(names):
            raise ValueError("two groups have the same name")
        return self


# --- who watches it -------------------------------------------------------------------------------------------


def assignment_id(stream: str, rendition: str, group: str) -> str:
    """`stream/rendition/group`."""
    return SEPARATOR.join((stream, rendition, group))


def rendition_word(name: str) -> str:
    """`name` as it may stand in an assignment's id."""
    return _UNSAFE.sub("_", name).strip("_.-")[:64] or "_"


@dataclass(frozen=True, slots=True)
class Assignment:
    """The decision that this rendition and this group should be watched.

    `revision` changes whenever what the watch was started with changes (the stream, its profile, the groups).
    """

    stream: str
    rendition: str
    group: str
    revision: str

    @property
    def id(self) -> str:
        return assignment_id(self.stream, self.rendition, self.group)


class Checkpoint(_Part):
    """What the next holder needs to go on without gap or repeat; at most CHECKPOINT_BYTES as JSON."""

    media_sequence: int | None = None
    last_pts: int | None = None
    last_at_ns: int | None = None  # media ns on the watch's own timeline
    wall_at_last: AwareDatetime | None = None
    baselines: dict[str, Any] = Field(default_factory=dict)


CHECKPOINT_BYTES = 8192
STATUS_BYTES = 4096


class WatchStatus(_Part):
    """How one watch does, for people who ask why; the latest one is kept. At most STATUS_BYTES as JSON."""

    state: Literal["starting", "watching", "degraded", "blind", "backing_off"]
    since: AwareDatetime
    cause: str | None = Field(default=None, max_length=64)
    reason: str | None = Field(default=None, max_length=500)
    lag_s: float | None = None
    steps: tuple[str, ...] = ()  # degradation steps in force
    fetches: tuple[str, ...] = ()  # the last few, redacted
    decoder: tuple[str, ...] = ()  # its last words
    tracks: tuple[str, ...] = ()
    restarts: int = 0


@dataclass(frozen=True, slots=True)
class Lease:
    """A worker's right to run an assignment now. `epoch` was never given before and never will be again.

    `expiry_ms` is by the store's clock. A holder that did not renew counts TTL from before its own last
    successful call, by its own monotonic clock.
    """

    assignment: Assignment
    worker: str
    epoch: int
    expiry_ms: int


@dataclass(frozen=True, slots=True)
class Grant:
    """A lease as `claim` gives it: with the stream, what the holder before left, and what it left open.

    `closed` are defects that were closed lately, newest first: the checkpoint may be older than they are.
    """

    lease: Lease
    stream: Stream
    checkpoint: Checkpoint | None
    unconfirmed: tuple[OpenDefect, ...]
    closed: tuple[OpenDefect, ...] = ()


class WorkerInfo(_Part):
    """One worker as it describes itself with each renewal."""

    worker: str = Field(min_length=1, max_length=120)
    group: Word
    version: str = Field(max_length=64)
    host: str = Field(max_length=120)
    started_at: AwareDatetime
    capacity: int = Field(ge=0, le=100_000)  # leases it would take at most
    held: int = Field(default=0, ge=0)
    headroom: int = Field(default=0, ge=0)  # how many more it could take now, as measured
    cpu: float | None = None  # share of its quota, 0..1
    memory: float | None = None  # share of its limit, 0..1
    lag_s: float | None = None  # the worst of its watches
    draining: bool = False


# --- what was found -------------------------------------------------------------------------------------------


class EdgeBody(_Part):
    """A defect's edge with the whole defect in it, so that a lone `closed` still tells where it began.

    `*_ns` are media ns of the watch; `started_at` and `at` are the wall clock of the same instants, UTC.
    """

    kind: Literal["edge"] = "edge"
    edge: Edge
    defect: str = Field(max_length=64)
    detector: str = Field(max_length=64)
    family: str = Field(max_length=64)
    mode: Literal["check", "report"] = "check"
    track: str | None = Field(default=None, max_length=64)
    channel: str | None = Field(default=None, max_length=64)
    start_ns: int
    at_ns: int
    certain_at_ns: int
    started_at: AwareDatetime
    at: AwareDatetime
    severity: Severity
    peak_name: str = Field(max_length=64)
    peak_value: float
    peak_unit: str = Field(max_length=32)
    threshold: float
    confidence: float = 1.0
    suppressed_by: str | None = None
    detail: str | None = Field(default=None, max_length=500)
    evidence: tuple[str, ...] = Field(default=(), max_length=8)

    @classmethod
    def of(
        cls, edge: DefectEdge, *, family: str, mode: Literal["check", "report"], start_ns: int,
        started_at: datetime, at: datetime,
    ) -> EdgeBody:  # fmt: skip
        """What `edge` says, with the beginning of its defect and the wall clock of both."""
        return cls(
            edge=edge.edge, defect=edge.defect, detector=edge.detector, family=family, mode=mode,
            track=edge.track, channel=edge.channel, start_ns=start_ns, at_ns=edge.at_ns,
            certain_at_ns=edge.certain_at_ns, started_at=started_at, at=at, severity=edge.severity,
            peak_name=edge.peak.name, peak_value=edge.peak.value, peak_unit=edge.peak.unit,
            threshold=edge.threshold, confidence=edge.confidence, suppressed_by=edge.suppressed_by,
            detail=None if edge.detail is None else edge.detail[:500],
        )  # fmt: skip


class SourceBody(_Part):
    """Whether a watch can see: sent when that changes."""

    kind: Literal["source"] = "source"
    blind: str | None = Field(
        default=None, max_length=64
    )  # a code of detectors.events.BlindCode, or None: it sees
    cause: str | None = Field(default=None, max_length=64)
    reason: str = Field(default="", max_length=500)
    track: str | None = Field(default=None, max_length=64)
    at: AwareDatetime


@dataclass(frozen=True, slots=True)
class Point:
    """The measurements of one series in one slot, summed up."""

    low: float
    high: float
    mean: float
    count: int


class SeriesBody(_Part):
    """One slot of down-sampled measurements: `points` by `name|track|channel`."""

    kind: Literal["series"] = "series"
    step_s: int
    slot: int  # Unix time of its beginning, divided by step_s
    points: dict[str, Point] = Field(max_length=128)


class CoverageBody(_Part):
    """What was added to the coverage since the last one: detector -> (watched, degraded, blind) in media ms.

    `degraded` is part of `watched`: seen, but not by every frame.
    """

    kind: Literal["coverage"] = "coverage"
    added: dict[str, tuple[int, int, int]] = Field(max_length=256)


Body = Annotated[EdgeBody | SourceBody | SeriesBody | CoverageBody, Field(discriminator="kind")]


class FindingEnvelope(_Part):
    """A finding on its way: its id is (assignment, epoch, sequence), so handling it twice changes nothing.

    `sequence` grows within an epoch; findings of one assignment are offered in that order.
    """

    assignment: str
    epoch: int
    sequence: int
    body: Body

    @property
    def id(self) -> str:
        """`assignment@epoch.sequence`."""
        return f"{self.assignment}@{self.epoch}.{self.sequence}"


@dataclass(frozen=True, slots=True)
class OpenDefect:
    """A defect as the store keeps it. `id` is the id of the finding that opened it.

    `unconfirmed`: the lease that saw it ended, and no later one has confirmed or closed it yet.
    `closed_because` is None while open; then `ended` (the picture came back) or `stopped_watching`.
    """

    id: str
    stream: str
    assignment: str
    epoch: int
    state: Literal["open", "unconfirmed", "closed"]
    first: EdgeBody  # the edge that opened it
    body: EdgeBody  # its latest edge
    closed_because: Literal["ended", "stopped_watching"] | None = None


@dataclass(frozen=True, slots=True)
class CoverageRow:
    """How long one detector watched one stream, in media seconds, since the stream was onboarded."""

    stream: str
    detector: str
    watched_s: float
    degraded_s: float
    blind_s: float


@dataclass(frozen=True, slots=True)
class FleetEvent:
    """An accepted edge or change of sight, as it stands on the findings stream.

    `what` is what it means after the store looked at the defect's state: an `opened` of a defect that was
    unconfirmed is `confirmed`, one that was open is `updated`; `unconfirmed` is said by the store when a lease ended.
    """

    event_id: str  # position on the stream: `ms-n`
    finding_id: str
    stream: str
    assignment: str
    what: Literal["opened", "updated", "confirmed", "unconfirmed", "closed", "blind", "healthy"]
    defect_id: str | None
    body: EdgeBody | SourceBody
    because: str | None = field(default=None)
