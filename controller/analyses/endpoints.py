"""/v1/probes, /v1/analyses: asked for now, read back later."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from controller.analyses import service
from controller.analyses.schemas import AnalysisIn, AnalysisList, AnalysisOut, ProbeIn, ProbeOut
from controller.context import FleetDep, require_key
from controller.idempotency import IdempotencyKey, Reply, once
from controller.problems import ProblemBody

_PROBLEMS: dict[int | str, dict[str, Any]] = {code: {"model": ProblemBody} for code in (401, 404, 422, 503)}
router = APIRouter(prefix="/v1", tags=["analyses"], dependencies=[Depends(require_key)], responses=_PROBLEMS)

JobId = Annotated[str, Path(pattern=r"^[0-9a-f]{24}$")]


@router.post(
    "/probes", status_code=202, response_model=ProbeOut, summary="Look at a source before onboarding it"
)
async def probe(body: ProbeIn, fleet: FleetDep, request: Request, key: IdempotencyKey = None) -> Response:
    """Read the probe until its state is `done`: tracks, codecs, renditions, the first picture."""

    async def make() -> Reply:
        asked = await service.probe(fleet, body)
        return Reply(202, asked, {"Location": f"/v1/probes/{asked.id}"})

    return await once(fleet, request, key, make)


@router.get("/probes/{job}", summary="Read a probe")
async def read_probe(job: JobId, fleet: FleetDep) -> ProbeOut:
    """A probe is kept for an hour."""
    return await service.get_probe(fleet, job)


@router.post("/analyses", status_code=202, response_model=AnalysisOut, summary="Analyse a source to its end")
async def analyse(
    body: AnalysisIn, fleet: FleetDep, request: Request, key: IdempotencyKey = None
) -> Response:
    """Read the analysis for its progress and, in the end, its report."""

    async def make() -> Reply:
        asked = await service.analyse(fleet, body)
        return Reply(202, asked, {"Location": f"/v1/analyses/{asked.id}"})

    return await once(fleet, request, key, make)


@router.get("/analyses", summary="List analyses")
async def list_analyses(fleet: FleetDep, limit: Annotated[int, Query(ge=1, le=200)] = 50) -> AnalysisList:
    """The newest first, without their reports."""
    return AnalysisList(analyses=await service.list_analyses(fleet, limit))


@router.get("/analyses/{job}", summary="Read an analysis")
async def read_analysis(job: JobId, fleet: FleetDep) -> AnalysisOut:
    """Progress while it runs; the document glitchwatch.report/1 once it is done. Kept for a week."""
    return await service.get_analysis(fleet, job)


@router.delete("/analyses/{job}", status_code=204, summary="Cancel an analysis")
async def cancel(job: JobId, fleet: FleetDep) -> None:
    """It is taken out of the queue, or stopped where it runs."""
    await service.cancel_analysis(fleet, job)
