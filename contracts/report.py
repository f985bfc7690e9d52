"""The document `glitchwatch.report/1`: what other programs read, so fields are added and never renamed."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict, SerializerFunctionWrapHandler, model_serializer

from contracts.findings import Severity

SCHEMA: Literal["glitchwatch.report/1"] = "glitchwatch.report/1"

Status = Literal["complete", "partial", "failed"]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Tool(_Part):
    """Which program wrote the document."""

    name: str = "glitchwatch"
    version: str


class Track(_Part):
    """One elementary stream; a field that does not apply to its kind is absent."""

    id: str
    kind: Literal["video", "audio"]
    codec: str
    width: int | None = None
    height: int | None = None
    fps: float | None = None
    sample_rate_hz: int | None = None
    channels: int | None = None
    layout: str | None = None
    language: str | None = None
    bit_depth: int | None = None

    @model_serializer(mode="wrap")
    def _only_what_applies(self, handler: SerializerFunctionWrapHandler) -> dict[str, object]:
        return {name: value for name, value in handler(self).items() if value is not None}


class Input(_Part):
    """What was analysed; `url` is redacted, `started_at` is the wall clock of the first sample."""

    url: str
    started_at: datetime | None = None
    container: str | None = None
    duration_s: float | None = None
    tracks: list[Track] = []


class ProfileRef(_Part):
    """The configuration used, and its fingerprint."""

    name: str
    digest: str


class Execution(_Part):
    """Whether the analysis *ran*, apart from what it found."""

    status: Status
    reason: str | None = None
    watched_s: float = 0.0
    blind_s: float = 0.0
    wall_s: float = 0.0
    cpu_s: float = 0.0


class PeakValue(_Part):
    """The worst value reached."""

    name: str
    value: float
    unit: str


class Evidence(_Part):
    """Something to look at: a frame saved as `path`."""

    kind: Literal["frame", "waveform"]
    path: str
    at_s: float


class Defect(_Part):
    """An interval on one track in which a condition held. Times are media seconds."""

    defect: str
    detector: str
    family: str
    track: str | None
    start_s: float
    end_s: float
    open: bool
    severity: Severity
    confidence: float
    peak: PeakValue
    threshold: float
    suppressed_by: str | None = None
    evidence: list[Evidence] = []
    channel: str | None = None
    certain_s: float | None = None
    mode: Literal["check", "report"] = "check"
    detail: str | None = None

    @property
    def counts(self) -> bool:
        """Whether it makes the exit status 1: a check, not suppressed, at `error` or above."""
        return (
            self.mode == "check" and self.suppressed_by is None and self.severity.rank >= Severity.ERROR.rank
        )


class MeasurementValue(_Part):
    """A number that sums up the whole input."""

    name: str
    value: float
    unit: str
    track: str | None = None
    channel: str | None = None


class Coverage(_Part):
    """What one detector really saw of one track, and what it cost.

    `not_yet_s` is the part of `watched_s` in which it had not learned enough to judge.
    """

    detector: str
    track: str | None
    watched_s: float
    blind_s: float
    cpu_ms_per_s: float
    not_yet_s: float = 0.0
    fault: str | None = None


class Report(_Part):
    """One input's verdict."""

    schema_: Literal["glitchwatch.report/1"] = SCHEMA
    tool: Tool
    input: Input
    profile: ProfileRef
    execution: Execution
    defects: list[Defect] = []
    measurements: list[MeasurementValue] = []
    coverage: list[Coverage] = []

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=lambda name: "schema" if name == "schema_" else name,
        populate_by_name=True,
    )

    def to_json(self, *, indent: int | None = None) -> str:
        """The document as JSON; a field of a track that does not apply is left out."""
        return self.model_dump_json(by_alias=True, indent=indent)

    @property
    def exit_status(self) -> int:
        """3 when the input was not analysed to its end, 1 with a defect that counts, else 0."""
        if self.execution.status != "complete":
            return 3
        return 1 if any(d.counts for d in self.defects) else 0
