"""/v1/assignments, /v1/workers, /v1/streams/{id}/assignments, /v1/streams/{id}/explain."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query

from controller.assignments.explain import explain, shown
from controller.assignments.schemas import AssignmentList, AssignmentOut, Explanation, WorkerList, WorkerOut
from controller.context import Fleet, FleetDep, require_key
from controller.problems import ProblemBody
from controller.streams import service

_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (401, 404, 422)}
router = APIRouter(prefix="/v1", tags=["fleet"], dependencies=[Depends(require_key)], responses=_PROBLEMS)


@router.get("/assignments", summary="Who watches what")
async def assignments(
    fleet: FleetDep,
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=500, description="streams a page")] = 100,
) -> AssignmentList:
    """The assignments of a page of streams."""
    page = await fleet.streams.page(after=after, limit=limit)
    return AssignmentList(assignments=await _of(fleet, [s.id for s in page.streams]), next=page.next)


@router.get("/streams/{stream_id}/assignments", summary="Who watches a stream")
async def of_stream(stream_id: str, fleet: FleetDep) -> AssignmentList:
    """Rendition by rendition, group by group."""
    await service.get(fleet, stream_id)
    return AssignmentList(assignments=await _of(fleet, [stream_id]), next=None)


@router.get("/streams/{stream_id}/explain", summary="Why a stream is as it is")
async def explained(stream_id: str, fleet: FleetDep) -> Explanation:
    """Why blind, unassigned, degraded or quiet: last fetches, lease history, the decoder's last words."""
    return await explain(fleet, stream_id)


@router.get("/workers", summary="List workers")
async def workers(fleet: FleetDep) -> WorkerList:
    """Those heard of within ten minutes."""
    fields = set(WorkerOut.model_fields)
    return WorkerList(
        workers=[
            WorkerOut(
                **seen.info.model_dump(include=fields), alive=seen.alive, heard_s_ago=round(seen.age_s, 3)
            )
            for seen in await fleet.workers.list()
        ]
    )


async def _of(fleet: Fleet, streams: list[str]) -> list[AssignmentOut]:
    states = [state for part in (await fleet.assignments.of_streams(streams)).values() for state in part]
    statuses = await fleet.assignments.statuses([state.assignment.id for state in states])
    return [shown(state, statuses.get(state.assignment.id)) for state in states]
