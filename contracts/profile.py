"""A profile: which detectors run, as *check* or *report*, and with which parameters."""

import hashlib
import json
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Mode(StrEnum):
    """What a detector's defects are for (EBU QC's sense)."""

    CHECK = "check"  # alerts, and counts for the exit status
    REPORT = "report"  # only recorded
    OFF = "off"


class DetectorChoice(BaseModel):
    """One detector's place in a profile; every other key is one of its parameters."""

    model_config = ConfigDict(frozen=True, extra="allow")

    mode: Mode = Mode.CHECK

    @property
    def params(self) -> dict[str, Any]:
        """The parameters given, by name; checked against the detector's own `Params`."""
        return dict(self.__pydantic_extra__ or {})


class Profile(BaseModel):
    """Which detectors run and how; one that is not named runs with its defaults, unless it is on trial."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(default="default", min_length=1, max_length=80)
    detectors: dict[str, DetectorChoice] = Field(default_factory=dict)


def digest(resolved: dict[str, Any]) -> str:
    """`sha256:...` over the whole resolved configuration, so two runs can be compared."""
    canonical = json.dumps(resolved, sort_keys=True, separators=(",", ":"))
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()
