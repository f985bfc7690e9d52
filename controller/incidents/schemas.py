"""What was found, as the API shows it."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from contracts.findings import Severity
from contracts.fleet import OpenDefect
from controller.wire import Moment


class DefectOut(BaseModel):
    """A defect on one track of one rendition of a stream."""

    id: str
    stream: str
    assignment: str = Field(description="stream/rendition/group")
    state: Literal["open", "unconfirmed", "closed"] = Field(
        description="unconfirmed: whoever saw it ended, and nobody has looked since"
    )
    closed_because: Literal["ended", "stopped_watching"] | None
    defect: str = Field(examples=["black"])
    detector: str
    family: str
    mode: Literal["check", "report"]
    track: str | None
    channel: str | None
    severity: Severity
    started_at: Moment
    ended_at: Moment | None
    peak_name: str
    peak_value: float
    peak_unit: str
    threshold: float
    confidence: float
    suppressed_by: str | None
    detail: str | None

    @classmethod
    def of(cls, defect: OpenDefect) -> DefectOut:
        """The defect as it is shown."""
        body = defect.body
        fields = body.model_dump(
            include={
                "defect", "detector", "family", "mode", "track", "channel", "severity", "peak_name", "peak_value",
                "peak_unit", "threshold", "confidence", "suppressed_by", "detail",
            }
        )  # fmt: skip
        return cls(
            id=defect.id,
            stream=defect.stream,
            assignment=defect.assignment,
            state=defect.state,
            closed_because=defect.closed_because,
            started_at=defect.first.started_at,
            ended_at=body.at if defect.state == "closed" else None,
            **fields,
        )


class DefectList(BaseModel):
    """What is open, and what was closed lately, newest first."""

    open: list[DefectOut]
    closed: list[DefectOut]


class SeriesOut(BaseModel):
    """One series of down-sampled measurements: `at` and the figures of each slot side by side."""

    name: str
    track: str | None
    channel: str | None
    assignment: str
    at: list[Moment]
    low: list[float]
    high: list[float]
    mean: list[float]
    count: list[int]


class MeasurementsOut(BaseModel):
    """Every series of a stream between two moments."""

    stream: str
    step_s: int
    series: list[SeriesOut]


class CoverageOut(BaseModel):
    """How long one detector watched a stream, in media seconds since it was onboarded."""

    detector: str
    watched_s: float
    degraded_s: float = Field(description="part of watched_s: seen, but not by every frame")
    blind_s: float
    share: float | None = Field(description="watched of watched and blind, 0..1")


class CoverageList(BaseModel):
    """Coverage of a stream by detector."""

    stream: str
    coverage: list[CoverageOut]
