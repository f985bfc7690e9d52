"""Probes and analyses as the API takes and shows them."""

from __future__ import annotations

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from contracts.fleet import Word
from contracts.jobs import JobState, ProbeResult, Progress
from contracts.report import Report
from controller.streams.schemas import SourceIn


class ProbeIn(SourceIn):
    """What to look at before onboarding it."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://origin.example/news/master.m3u8"}}
    )


class ProbeOut(BaseModel):
    """A probe as it stands; `result` once it is done."""

    id: str
    state: JobState
    url: str
    created_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    result: ProbeResult | None = Field(
        description="tracks, codecs, renditions, the first picture as base64 JPEG"
    )
    error: str | None


class AnalysisIn(SourceIn):
    """A source to be analysed from its beginning to its end."""

    model_config = ConfigDict(
        json_schema_extra={"example": {"url": "https://archive.example/film.mp4", "profile": "default"}}
    )
    profile: Word = "default"
    for_s: float | None = Field(
        None, gt=0, le=86_400, description="end after this many seconds of a live source"
    )


class AnalysisOut(BaseModel):
    """An analysis as it stands; `report` (glitchwatch.report/1) once it is done."""

    id: str
    state: JobState
    url: str
    profile: str
    progress: Progress
    created_at: AwareDatetime | None
    started_at: AwareDatetime | None
    ended_at: AwareDatetime | None
    report: Report | None
    error: str | None


class AnalysisList(BaseModel):
    """The newest analyses, without their reports."""

    analyses: list[AnalysisOut]
