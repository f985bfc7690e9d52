"""Profiles, groups and the catalogue as the API shows them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from contracts.fleet import DetectorGroup, Word
from contracts.profile import DetectorChoice, Profile


class ProfileIn(BaseModel):
    """What a profile asks of the detectors; one that is not named runs with its defaults."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "detectors": {
                    "black": {"mode": "check", "min_seconds": 4.0},
                    "loudness": {"mode": "report"},
                    "clipping": {"mode": "off"},
                }
            }
        },
    )
    detectors: dict[Word, DetectorChoice] = Field(default_factory=dict, max_length=256)

    def profile(self, name: str) -> Profile:
        """The same with its name."""
        return Profile(name=name, detectors=self.detectors)


class ProfileOut(BaseModel):
    """One version of a profile."""

    name: str
    version: int = Field(description="grows with each change; the ETag")
    digest: str = Field(description="fingerprint of the contents")
    detectors: dict[str, DetectorChoice]

    @classmethod
    def of(cls, version: int, profile: Profile, digest: str) -> ProfileOut:
        """The profile as it is shown."""
        return cls(name=profile.name, version=version, digest=digest, detectors=profile.detectors)


class ProfileRow(BaseModel):
    """A profile in the list."""

    name: str
    version: int


class ProfileList(BaseModel):
    """Every profile."""

    profiles: list[ProfileRow]


class GroupsIn(BaseModel):
    """How detectors are cut into groups; each stream is watched once a group."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "groups": [
                    {"name": "picture", "families": ["picture"]},
                    {"name": "rest", "families": ["sound", "sync", "transport"]},
                ]
            }
        },
    )
    groups: list[DetectorGroup] = Field(min_length=1, max_length=16)


class GroupOut(BaseModel):
    """A group with the detectors that it comes to."""

    name: str
    families: tuple[str, ...]
    detectors: tuple[str, ...]
    runs: list[str] = Field(description="the detectors of this group, by name")
    unassigned: int = Field(description="assignments that no worker holds")


class GroupsOut(BaseModel):
    """Every group."""

    revision: int = Field(description="grows with each change; the ETag")
    groups: list[GroupOut]


class CatalogueOut(BaseModel):
    """The detectors of this installation, with the JSON schema of their parameters."""

    detectors: list[dict[str, Any]]
