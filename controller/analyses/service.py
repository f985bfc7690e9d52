"""Finite work: refused early where policy refuses the address, else handed to whoever runs such jobs."""

from __future__ import annotations

from pydantic import ValidationError

from contracts.errors import SourceForbidden
from contracts.jobs import (
    ANALYSE,
    ANALYSIS_QUEUE,
    PROBE,
    PROBE_QUEUE,
    AnalysisRequest,
    ProbeRequest,
    ProbeResult,
)
from contracts.report import Report
from contracts.urls import redact
from controller.analyses.jobs import Work
from controller.analyses.schemas import AnalysisIn, AnalysisOut, ProbeIn, ProbeOut
from controller.catalogue import Wrong
from controller.context import Fleet
from controller.problems import Problem, invalid, not_found
from store.errors import NotThere

_PROBE_KEPT_S = 3600
_NOT_READ = "What the job returned cannot be read; its runner may be of another version."


async def probe(fleet: Fleet, body: ProbeIn) -> ProbeOut:
    """Ask for a look at a source. Raises Problem."""
    _allowed(fleet, body.url)
    limit = fleet.settings.probe_timeout_s
    request = ProbeRequest(source=body.source(), allow_private=fleet.policy.allow_private, timeout_s=limit)
    about = {"url": redact(body.url)}
    job = await fleet.jobs.ask(
        PROBE_QUEUE, PROBE, request.model_dump_json(), about, timeout_s=limit + 10, kept_s=_PROBE_KEPT_S
    )
    return await get_probe(fleet, job)


async def get_probe(fleet: Fleet, job: str) -> ProbeOut:
    """A probe as it stands. Raises Problem 404."""
    work = await _work(fleet, PROBE_QUEUE, job, "probe")
    result, error = None, work.error
    if work.result is not None:
        try:
            result = ProbeResult.model_validate_json(work.result)
        except ValidationError:
            error = _NOT_READ
    return ProbeOut(
        id=work.id,
        state=work.state,
        url=str(work.about.get("url", "")),
        created_at=work.created_at,
        ended_at=work.ended_at,
        result=result,
        error=error,
    )


async def analyse(fleet: Fleet, body: AnalysisIn) -> AnalysisOut:
    """Ask for an analysis. Raises Problem."""
    _allowed(fleet, body.url)
    try:
        _, profile = await fleet.configuration.profile(body.profile)
    except NotThere:
        raise invalid(
            f"There is no profile {body.profile!r}.", [Wrong("/profile", "Save it first.")]
        ) from None
    request = AnalysisRequest(
        source=body.source(), profile=profile, allow_private=fleet.policy.allow_private, for_s=body.for_s
    )
    about = {"url": redact(body.url), "profile": body.profile}
    job = await fleet.jobs.ask(
        ANALYSIS_QUEUE, ANALYSE, request.model_dump_json(), about, timeout_s=fleet.settings.job_timeout_s
    )
    return await get_analysis(fleet, job)


async def get_analysis(fleet: Fleet, job: str) -> AnalysisOut:
    """An analysis as it stands. Raises Problem 404."""
    return _analysis(await _work(fleet, ANALYSIS_QUEUE, job, "analysis"))


async def list_analyses(fleet: Fleet, limit: int) -> list[AnalysisOut]:
    """The newest analyses."""
    return [_analysis(work) for work in await fleet.jobs.newest(ANALYSIS_QUEUE, limit)]


async def cancel_analysis(fleet: Fleet, job: str) -> None:
    """An analysis ends without a report. Raises Problem 404."""
    if not await fleet.jobs.cancel(ANALYSIS_QUEUE, job):
        raise not_found("analysis", job)


async def _work(fleet: Fleet, queue: str, job: str, what: str) -> Work:
    work = await fleet.jobs.get(queue, job)
    if work is None:
        raise not_found(what, job)
    return work


def _analysis(work: Work) -> AnalysisOut:
    report, error = None, work.error
    if work.result is not None:
        try:
            report = Report.model_validate_json(work.result)
        except ValidationError:
            error = _NOT_READ
    return AnalysisOut(
        id=work.id,
        state=work.state,
        url=str(work.about.get("url", "")),
        profile=str(work.about.get("profile", "")),
        progress=work.progress,
        created_at=work.created_at,
        started_at=work.started_at,
        ended_at=work.ended_at,
        report=report,
        error=error,
    )


def _allowed(fleet: Fleet, url: str) -> None:
    try:
        fleet.policy.check_url(url)
    except SourceForbidden as error:
        raise Problem(
            422, "address-refused", error.explain(), errors=[Wrong("/url", error.explain())]
        ) from error
