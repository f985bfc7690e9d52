"""Finite work in RQ: asked for by name, run by a worker, read back by id. RQ waits on threads, never on the loop."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rq import Queue
from rq.exceptions import InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus
from rq.registry import StartedJobRegistry
from rq.serializers import JSONSerializer

from contracts.jobs import ANALYSIS_QUEUE, ERROR, PROBE_QUEUE, JobState, Progress
from controller.problems import Problem
from store.connect import SyncClient, translated

KEPT_S = 7 * 86_400
_MOST_QUEUED = 1000
_KIND = "kind"
_STATES: dict[JobStatus, JobState] = {
    JobStatus.CREATED: "queued",
    JobStatus.QUEUED: "queued",
    JobStatus.DEFERRED: "queued",
    JobStatus.SCHEDULED: "queued",
    JobStatus.STARTED: "running",
    JobStatus.FINISHED: "done",
    JobStatus.FAILED: "failed",
    JobStatus.STOPPED: "cancelled",
    JobStatus.CANCELED: "cancelled",
}


@dataclass(frozen=True, slots=True)
class Work:
    """One job as it stands. `result` is what it returned, JSON text; `about` is what may be shown of it."""

    id: str
    state: JobState
    about: dict[str, Any]
    progress: Progress
    created_at: datetime | None
    started_at: datetime | None
    ended_at: datetime | None
    result: str | None
    error: str | None


class Jobs:
    """Asks for finite work and reads what came of it."""

    def __init__(self, client: SyncClient) -> None:
        self._client = client

    async def ask(
        self,
        queue: str,
        function: str,
        request: str,
        about: dict[str, Any],
        *,
        timeout_s: int,
        kept_s: int = KEPT_S,
    ) -> str:
        """Enqueue `function(request)`; its id. Raises Problem 503 when too much waits already."""
        return await asyncio.to_thread(self._ask, queue, function, request, about, timeout_s, kept_s)

    def _ask(
        self, queue: str, function: str, request: str, about: dict[str, Any], timeout_s: int, kept_s: int
    ) -> str:
        with translated():
            line = self._queue(queue)
            if line.count >= _MOST_QUEUED:
                raise Problem(503, "busy", f"{_MOST_QUEUED} wait already.", headers={"Retry-After": "60"})
            job = line.enqueue_call(
                function,
                args=(request,),
                timeout=timeout_s,
                result_ttl=kept_s,
                failure_ttl=kept_s,
                ttl=86_400,
                description=queue,  # RQ's own would hold the request, and the log with it
                job_id=secrets.token_hex(12),
                meta={_KIND: queue, "about": about},
            )
            return job.id

    async def get(self, queue: str, job_id: str) -> Work | None:
        """A job as it stands; None when there is none of that id in that queue."""
        return await asyncio.to_thread(self._get, queue, job_id)

    def _get(self, queue: str, job_id: str) -> Work | None:
        with translated():
            job = self._fetch(queue, job_id)
            return None if job is None else self._work(job, whole=True)

    async def newest(self, queue: str, limit: int) -> list[Work]:
        """The newest jobs of a queue without their results, newest first."""
        return await asyncio.to_thread(self._newest, queue, limit)

    def _newest(self, queue: str, limit: int) -> list[Work]:
        with translated():
            line = self._queue(queue)
            ids = list(line.get_job_ids(0, limit))
            for registry in (
                line.started_job_registry,
                line.finished_job_registry,
                line.failed_job_registry,
                line.canceled_job_registry,
            ):
                ids += registry.get_job_ids(0, limit - 1, desc=True)
            jobs = Job.fetch_many(ids[: 5 * limit], connection=self._client, serializer=JSONSerializer)
            works = [self._work(job, whole=False) for job in jobs if job is not None]
            oldest = datetime.min.replace(tzinfo=UTC)
            return sorted(works, key=lambda work: work.created_at or oldest, reverse=True)[:limit]

    async def cancel(self, queue: str, job_id: str) -> bool:
        """Take a job out of its queue, or stop it where it runs; False when there is none."""
        return await asyncio.to_thread(self._cancel, queue, job_id)

    def _cancel(self, queue: str, job_id: str) -> bool:
        from rq.command import send_stop_job_command

        with translated():
            job = self._fetch(queue, job_id)
            if job is None:
                return False
            try:
                if job.get_status() is JobStatus.STARTED:
                    send_stop_job_command(self._client, job_id, serializer=JSONSerializer)
                elif job.get_status() in {JobStatus.QUEUED, JobStatus.DEFERRED, JobStatus.SCHEDULED}:
                    job.cancel()
            except InvalidJobOperation:
                return True  # it ended meanwhile
            return True

    async def clean(self) -> None:
        """Jobs of runners that died: RQ's runners look after them only when idle, so we do."""
        await asyncio.to_thread(self._clean)

    def _clean(self) -> None:
        with translated():
            for name in (PROBE_QUEUE, ANALYSIS_QUEUE):
                StartedJobRegistry(name, connection=self._client, serializer=JSONSerializer).cleanup()

    def _queue(self, name: str) -> Queue:
        return Queue(name, connection=self._client, serializer=JSONSerializer)

    def _fetch(self, queue: str, job_id: str) -> Job | None:
        try:
            job = Job.fetch(job_id, connection=self._client, serializer=JSONSerializer)
        except NoSuchJobError:
            return None
        return job if job.meta.get(_KIND) == queue else None

    def _work(self, job: Job, *, whole: bool) -> Work:
        state = _STATES.get(job.get_status(refresh=False) or JobStatus.QUEUED, "queued")
        result = job.return_value() if whole and state == "done" else None
        return Work(
            id=job.id,
            state=state,
            about=dict(job.meta.get("about", {})),
            progress=Progress.of(job.meta),
            created_at=_aware(job.created_at),
            started_at=_aware(job.started_at),
            ended_at=_aware(job.ended_at),
            result=result if isinstance(result, str) else None,
            error=_error(job) if state == "failed" else None,
        )


def _error(job: Job) -> str:
    said = job.meta.get(ERROR)
    return said if isinstance(said, str) else "The job failed; the log of its runner says why."


def _aware(moment: datetime | None) -> datetime | None:
    return moment if moment is None or moment.tzinfo is not None else moment.replace(tzinfo=UTC)
