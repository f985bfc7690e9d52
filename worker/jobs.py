"""Finite work, run as RQ jobs: a look at a source, an analysis of a source to its end.

`python -m worker.jobs QUEUE` runs one queue. A job is called by its dotted name with JSON text and returns JSON
text, so neither side imports the other. RQ forks a process for each job.
"""

from __future__ import annotations

import base64
import logging
import socket
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any
from urllib.parse import urlsplit

from rq import Queue, Worker
from rq.job import Job, get_current_job
from rq.serializers import JSONSerializer

from contracts.addresses import AddressPolicy
from contracts.clock import SystemClock
from contracts.errors import ConfigError, GlitchwatchError, IngestError, SourceUnreachable
from contracts.fleet import StreamSource
from contracts.jobs import (
    ANALYSIS_QUEUE,
    ERROR,
    PROBE_QUEUE,
    PROGRESS,
    AnalysisRequest,
    ProbeRequest,
    ProbeResult,
)
from contracts.report import Report
from contracts.urls import redact
from worker.ingest.options import IngestOptions
from worker.settings import read

EXIT_USAGE = 2
_TTL_S = 60  # a runner that died is noticed after this
_TELL_S = 1.0  # between two words about progress
_FIRST_PICTURE_PX = 640


def probe(request: str) -> str:
    """Open a source, look at it until its tracks are known and a picture came; a ProbeResult, also when it fails."""
    from detectors.frame import Frame
    from worker.evidence import thumbnail
    from worker.ingest.opening import AnyReading

    asked, clock = ProbeRequest.model_validate_json(request), SystemClock()
    policy = AddressPolicy(allow_private=asked.allow_private)
    began, picture, reason, cause, live = clock.monotonic(), None, None, None, False

    def opened() -> AnyReading:
        return AnyReading(
            asked.source.url,
            _options(asked.source),
            clock,
            live=live,
            allow=policy.check_url,
            allow_address=policy.check_address,
        )

    def look(reading: AnyReading) -> None:
        nonlocal picture
        events = reading.events()
        try:
            for event in events:
                if isinstance(event, Frame) and picture is None:
                    picture = base64.b64encode(thumbnail(event, width=_FIRST_PICTURE_PX)).decode()
                kinds = {track.kind for track in reading.about.tracks.values()}
                late = clock.monotonic() - began
                if (
                    (picture and "audio" in kinds)
                    or late > asked.timeout_s
                    or (picture and late > asked.timeout_s / 4)
                ):
                    return
        finally:
            _close(events)
            reading.close()

    reading = opened()
    try:
        check(policy, asked.source.url)
        try:
            look(reading)
        except ConfigError:  # it is live, and wants to be read as it comes
            live = True
            reading = opened()
            look(reading)
    except IngestError as error:
        reason, cause = error.explain(), error.cause if error.cause != "unknown" else error.code
    about = reading.about
    if reason is None and not about.tracks:
        reason, cause = "No track was found in time.", "timeout"
    return ProbeResult(
        ok=bool(about.tracks),
        reason=reason,
        cause=cause,
        url=redact(asked.source.url),
        container=about.container,
        live=live if about.tracks else None,
        tracks=tuple(about.tracks.values()),
        first_frame_jpeg=picture,
        took_s=round(clock.monotonic() - began, 3),
    ).model_dump_json()


def analyse(request: str) -> str:
    """Watch a source from its beginning to its end; the document glitchwatch.report/1, also when it fails."""
    from detectors.catalogue import bind, load
    from worker.watch import Listener, Progress, Watch

    asked, clock = AnalysisRequest.model_validate_json(request), SystemClock()
    policy = AddressPolicy(allow_private=asked.allow_private)
    job = get_current_job()
    told = float("-inf")

    def progress(now: Progress) -> None:
        nonlocal told
        if job is not None and clock.monotonic() - told >= _TELL_S:
            told = clock.monotonic()
            _tell(job, now.media_s, now.duration_s)

    def watched(*, live: bool) -> Report:
        watch = Watch(
            asked.source.url,
            seats,
            version=_version(),
            profile=asked.profile.name,
            options=_options(asked.source),
            clock=clock,
            live=live,
            listener=Listener(progress=progress),
            allow=policy.check_url,
            allow_address=policy.check_address,
        )
        report = watch.run(for_s=asked.for_s)
        if job is not None:
            _tell(job, watch.progress.media_s, watch.progress.duration_s)
        return report

    try:
        check(policy, asked.source.url)
        seats = bind(load(), asked.profile)
        try:
            return watched(live=False).to_json()
        except ConfigError:  # it is live, and wants to be read as it comes
            if asked.for_s is None:
                raise
            return watched(live=True).to_json()
    except GlitchwatchError as error:
        if job is not None:
            job.meta[ERROR] = error.explain()[:500]
            job.save_meta()  # type: ignore[no-untyped-call]
        raise


def check(policy: AddressPolicy, url: str) -> None:
    """Raises SourceForbidden when policy refuses the address or any that its name stands for."""
    policy.check_url(url)
    parts = urlsplit(url)
    if not parts.hostname:
        return
    try:
        found = socket.getaddrinfo(parts.hostname, parts.port or 0, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise SourceUnreachable(
            "The name of the host is not known.", "Is it spelt right?", cause="dns"
        ) from error
    for entry in found:
        policy.check_address(str(entry[4][0]))


def _options(source: StreamSource) -> IngestOptions:
    return IngestOptions(
        open_timeout_s=source.open_timeout_s,
        read_timeout_s=source.read_timeout_s,
        headers=dict(source.headers),
        carry_query=source.carry_query,
    )


def _tell(job: Job, media_s: float, duration_s: float | None) -> None:
    job.meta[PROGRESS] = {"media_s": media_s, "duration_s": duration_s}
    job.save_meta()  # type: ignore[no-untyped-call]


def _close(events: Any) -> None:
    close: Callable[[], None] | None = getattr(events, "close", None)
    if close is not None:
        close()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("glitchwatch")
    except PackageNotFoundError:
        return "0"


class Runner(Worker):
    """Told to end, it ends at once, and the job that it runs with it: such a job is asked for again."""

    def request_stop(self, signum: int, frame: FrameType | None) -> None:
        if self.horse_pid:
            self.kill_horse()
            self.wait_for_horse()
        raise SystemExit(0)


def main() -> int:
    """The exit status: 0 told to end, 2 wrong usage."""
    from store.connect import check as check_store
    from store.connect import open_sync

    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    names = sys.argv[1:]
    try:
        if len(names) != 1 or names[0] not in {PROBE_QUEUE, ANALYSIS_QUEUE}:
            raise ConfigError("Name one queue.", f"One of: {PROBE_QUEUE}, {ANALYSIS_QUEUE}.")
        settings = read()
        client = open_sync(settings.redis_url, timeout_s=_TTL_S + 10.0, ca=settings.redis_ca)
        check_store(client, settings.redis_url)
        runner = Runner(
            [Queue(names[0], connection=client, serializer=JSONSerializer)],
            connection=client,
            serializer=JSONSerializer,
            worker_ttl=_TTL_S,
            job_monitoring_interval=5,
            maintenance_interval=60,
            log_job_description=False,
        )
        runner.work(logging_level="WARNING")
    except GlitchwatchError as error:
        sys.stderr.write(f"worker.jobs: {error.explain()}\n")
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
