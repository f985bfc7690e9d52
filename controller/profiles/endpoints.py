"""/v1/profiles, /v1/groups, /v1/detectors."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Path, Query, Response

from controller.context import FleetDep, require_key
from controller.problems import ProblemBody
from controller.profiles import service
from controller.profiles.schemas import (
    CatalogueOut,
    GroupsIn,
    GroupsOut,
    ProfileIn,
    ProfileList,
    ProfileOut,
    ProfileRow,
)
from controller.versions import etag, expected

_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (401, 404, 412, 422)}
router = APIRouter(prefix="/v1", tags=["profiles"], dependencies=[Depends(require_key)], responses=_PROBLEMS)

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$", max_length=64)]
IfMatch = Annotated[str | None, Header(alias="If-Match", description="the ETag that the change is based on")]


@router.get("/profiles", summary="List profiles")
async def list_profiles(fleet: FleetDep) -> ProfileList:
    """Each with its latest version."""
    versions = {service.DEFAULT: 0, **await fleet.configuration.profile_versions()}
    return ProfileList(profiles=[ProfileRow(name=n, version=v) for n, v in sorted(versions.items())])


@router.get("/profiles/{name}", summary="Read a profile")
async def read_profile(
    name: Name, fleet: FleetDep, response: Response, version: Annotated[int | None, Query(ge=1)] = None
) -> ProfileOut:
    """The latest version, or a former one."""
    profile = await service.get(fleet, name, version)
    response.headers["ETag"] = etag(profile.version)
    return profile


@router.put("/profiles/{name}", summary="Save a profile")
async def save_profile(
    name: Name, body: ProfileIn, fleet: FleetDep, response: Response, if_match: IfMatch = None
) -> ProfileOut:
    """Checked against the catalogue, kept as a new version; streams that use it are watched with it at once."""
    based_on = None if if_match is None else expected(if_match, (await service.get(fleet, name)).version)
    profile, first = await service.save(fleet, body.profile(name), based_on)
    response.status_code = 201 if first else 200
    response.headers["ETag"] = etag(profile.version)
    return profile


@router.delete("/profiles/{name}", status_code=204, summary="Delete a profile")
async def delete_profile(name: Name, fleet: FleetDep) -> None:
    """Refused while a stream uses it."""
    await service.delete(fleet, name)


@router.get("/groups", summary="Read the detector groups")
async def read_groups(fleet: FleetDep, response: Response) -> GroupsOut:
    """Each group shares one decode of a stream; workers serve one group each."""
    groups = await service.groups(fleet)
    response.headers["ETag"] = etag(groups.revision)
    return groups


@router.put("/groups", summary="Cut the detectors into groups")
async def write_groups(
    body: GroupsIn, fleet: FleetDep, response: Response, if_match: IfMatch = None
) -> GroupsOut:
    """Every stream is assigned anew. A detector runs in one group at most."""
    based_on = None if if_match is None else expected(if_match, (await service.groups(fleet)).revision)
    groups = await service.set_groups(fleet, body.groups, based_on)
    response.headers["ETag"] = etag(groups.revision)
    return groups


@router.get("/detectors", summary="Read the catalogue")
async def read_catalogue(fleet: FleetDep) -> CatalogueOut:
    """Every detector, what it measures, and its parameters."""
    return CatalogueOut(detectors=list(fleet.catalogue.detectors.values()))
