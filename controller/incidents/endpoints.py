"""/v1/streams/{id}/defects, /measurements, /coverage; /v1/defects over all streams."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from controller.context import FleetDep, require_key
from controller.incidents import service
from controller.incidents.schemas import CoverageList, DefectList, MeasurementsOut
from controller.problems import ProblemBody

_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (401, 404, 422)}
router = APIRouter(prefix="/v1", tags=["findings"], dependencies=[Depends(require_key)], responses=_PROBLEMS)


@router.get("/defects", summary="What is open anywhere")
async def all_defects(fleet: FleetDep) -> DefectList:
    """Every open defect of every stream."""
    return await service.all_open(fleet)


@router.get("/streams/{stream_id}/defects", summary="Defects of a stream")
async def defects(
    stream_id: str,
    fleet: FleetDep,
    limit: Annotated[int, Query(ge=0, le=100, description="of the closed")] = 50,
) -> DefectList:
    """What is open, and what was closed in the last days, newest first."""
    return await service.of_stream(fleet, stream_id, limit)


@router.get("/streams/{stream_id}/measurements", summary="Measurements of a stream over time")
async def measurements(
    stream_id: str,
    fleet: FleetDep,
    start: Annotated[AwareDatetime | None, Query(description="default: an hour before `end`")] = None,
    end: Annotated[AwareDatetime | None, Query(description="default: now")] = None,
    step: Annotated[int, Query(description="seconds a slot: 60 (two hours back) or 600 (a day back)")] = 60,
    name: Annotated[str | None, Query(max_length=64, description="only this measurement")] = None,
) -> MeasurementsOut:
    """Lowest, highest and mean value of each slot."""
    until = end or fleet.clock.now()
    return await service.measurements(
        fleet, stream_id, start or until - timedelta(hours=1), until, step, name
    )


@router.get("/streams/{stream_id}/coverage", summary="How much of a stream was watched")
async def coverage(stream_id: str, fleet: FleetDep) -> CoverageList:
    """Media seconds watched, degraded and blind, by detector."""
    return await service.coverage(fleet, stream_id)
