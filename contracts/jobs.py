"""Finite work: what the controller asks of a job runner by name, and what comes back."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from contracts.fleet import StreamSource
from contracts.profile import Profile
from contracts.report import Track

PROBE = "worker.jobs.probe"  # called with a ProbeRequest as JSON text; returns a ProbeResult as JSON text
ANALYSE = (
    "worker.jobs.analyse"  # called with an AnalysisRequest as JSON text; returns a report/1 as JSON text
)

PROBE_QUEUE = "glitchwatch-probes"  # people wait for these, so nothing long stands before them
ANALYSIS_QUEUE = "glitchwatch-analyses"

# What a job tells while it runs: keys of its RQ metadata.
PROGRESS = "progress"  # {"media_s": float, "duration_s": float | None}
ERROR = "error"  # why it failed, redacted, for people


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ProbeRequest(_Part):
    """Open a source, say what is in it, show its first picture."""

    source: StreamSource
    allow_private: bool = False
    timeout_s: float = Field(default=20.0, gt=0, le=300)


class RenditionFound(_Part):
    """One variant that a source offers."""

    name: str
    bandwidth_bps: int | None = None
    width: int | None = None
    height: int | None = None
    codecs: str | None = None


class ProbeResult(_Part):
    """What a probe saw. `first_frame_jpeg` is base64; `reason` says why nothing was seen."""

    ok: bool
    reason: str | None = None
    cause: str | None = None
    url: str = ""  # redacted
    container: str | None = None
    live: bool | None = None
    tracks: tuple[Track, ...] = ()
    renditions: tuple[RenditionFound, ...] = ()
    first_frame_jpeg: str | None = None
    took_s: float = 0.0


class AnalysisRequest(_Part):
    """Analyse a source from its beginning to its end with a profile; `for_s` ends it earlier."""

    source: StreamSource
    profile: Profile = Profile()
    allow_private: bool = False
    for_s: float | None = Field(default=None, gt=0, le=86_400)


class Progress(_Part):
    """How far an analysis has come, in media seconds."""

    media_s: float = 0.0
    duration_s: float | None = None

    @classmethod
    def of(cls, meta: dict[str, Any]) -> Progress:
        """What a job's metadata says; nothing yet when it says nothing."""
        found = meta.get(PROGRESS)
        return cls.model_validate(found) if isinstance(found, dict) else cls()


JobState = Literal["queued", "running", "done", "failed", "cancelled"]
