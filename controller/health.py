"""/healthz: this process answers. /readyz: so does its store. /metrics: figures for Prometheus."""

from __future__ import annotations

from collections import Counter

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from contracts.errors import SinkError
from controller.context import Fleet, FleetDep, require_key
from controller.numbers import Snapshot
from controller.problems import Problem, ProblemBody

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """All is well."""

    status: str = "ok"


@router.get("/healthz", summary="Is the process there")
async def healthz() -> Health:
    """No key is needed."""
    return Health()


@router.get("/readyz", summary="Can it serve", responses={503: {"model": ProblemBody}})
async def readyz(fleet: FleetDep) -> Health:
    """503 while the store does not answer. No key is needed."""
    try:
        await fleet.streams.count()
    except SinkError as error:
        raise Problem(503, "not-ready", "The store does not answer.", headers={"Retry-After": "2"}) from error
    return Health()


@router.get(
    "/metrics", summary="Figures for Prometheus", response_class=Response, dependencies=[Depends(require_key)]
)
async def metrics(fleet: FleetDep) -> Response:
    """Prometheus' text format; its scraper sends the API key as a bearer token."""
    return Response(fleet.numbers.text(await snapshot(fleet)), media_type=CONTENT_TYPE_LATEST)


async def snapshot(fleet: Fleet) -> Snapshot:
    """The fleet's figures now, in a handful of calls."""
    _, groups = await fleet.configuration.groups()
    names = [group.name for group in groups.groups]
    loads = await fleet.assignments.load(names)
    alive = Counter(seen.info.group for seen in await fleet.workers.list() if seen.alive)
    return Snapshot(
        streams=await fleet.streams.count(),
        assignments=sum(load.assignments for load in loads.values()),
        unassigned={name: loads[name].unassigned for name in names},
        workers={name: alive[name] for name in {*names, *alive}},
        open_defects=len(await fleet.defects.streams()),
        backlog=sum(await fleet.inbox.backlog()),
    )
