"""`python -m worker.main`: one worker of the fleet. Exit status 0 told to end, 2 configured wrongly, 70 broken.

The warm server is forked before anything else is loaded: it must not inherit a thread or a connection.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import structlog

from contracts.clock import Clock, SystemClock
from contracts.errors import ConfigError, SinkError
from worker.settings import WorkerSettings, read
from worker.warm import WarmServer

EXIT_CONFIG, EXIT_BROKEN = 2, 70
CONNECT_S = 60.0  # a store that is not there yet is waited for


def main() -> int:
    """Read the settings, fork the warm server, work until told to end."""
    try:
        settings = read()
    except ConfigError as error:
        sys.stderr.write(f"error: {error.explain()}\n")
        return EXIT_CONFIG
    log_as(settings.log)
    warm = WarmServer()
    try:
        return _work(settings, warm, SystemClock())
    except ConfigError as error:
        sys.stderr.write(f"error: {error.explain()}\n")
        warm.close()
        return EXIT_CONFIG


def log_as(form: str) -> None:
    """Log lines on standard error: JSON, or text for people."""
    renderer: Any = structlog.processors.JSONRenderer() if form == "json" else structlog.dev.ConsoleRenderer()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def _work(settings: WorkerSettings, warm: WarmServer, clock: Clock) -> int:
    from store.connect import check, execute, open_sync
    from store.leases import Leases
    from store.outlet import Outlet
    from store.workers import room_elsewhere
    from worker.headroom import Headroom, limits
    from worker.health import HealthServer
    from worker.lease import Keeper
    from worker.sinks.store import StoreSink
    from worker.supervisor import Supervisor, host_name

    log = structlog.get_logger()
    ended: list[int] = []
    signal.signal(signal.SIGTERM, lambda number, frame: ended.append(number))
    signal.signal(signal.SIGINT, lambda number, frame: ended.append(number))
    client = open_sync(settings.redis_url, ca=settings.redis_ca)
    began_s = clock.monotonic()
    while True:
        try:
            execute(client, "PING")
            break
        except SinkError as error:
            if clock.monotonic() - began_s > CONNECT_S:
                words = f"The store did not answer for {CONNECT_S:.0f} s: {error}."
                raise ConfigError(words, "See REDIS_URL.") from error
            log.warning("store_not_there", error=str(error)[:200])
            clock.sleep(0.5)
        if ended:
            warm.close()
            return 0
    check(client)
    # Each thread has a connection of its own: none waits for another.
    ttl_ms = int(settings.lease_ttl_s * 1000)
    keeper = Keeper(
        Leases(client, ttl_ms=ttl_ms), StoredConfiguration(client), clock,
        ttl_s=settings.lease_ttl_s, grace_s=settings.grace_s,
    )  # fmt: skip
    sink = StoreSink(Outlet(open_sync(settings.redis_url, ca=settings.redis_ca)), settings.name, clock)
    bounds = limits(settings.cpu_quota, settings.memory_bytes)
    headroom = Headroom(bounds, settings.cpu_share, settings.most_watches)
    supervisor = Supervisor(
        settings, warm, keeper, sink, headroom, clock, version=_version(), host=host_name()
    )
    keeper.notify = supervisor.wake
    asks = open_sync(settings.redis_url, ca=settings.redis_ca)
    supervisor.room_elsewhere = lambda: room_elsewhere(asks, settings.name, settings.group)
    signal.signal(signal.SIGTERM, lambda number, frame: supervisor.end("SIGTERM"))
    signal.signal(signal.SIGINT, lambda number, frame: supervisor.end("SIGINT"))
    if ended:
        supervisor.end("told to end at the start")
    server = None
    if not settings.health_off:
        server = HealthServer(
            settings.health_host, settings.health_port, lambda: supervisor.snapshot, clock.monotonic,
            lambda: keeper.beats_s,
        )  # fmt: skip
    log.info(
        "worker_started", worker=settings.name, group=settings.group, cores=bounds.cores, bytes=bounds.bytes,
        health_port=server.port if server else None, pid=os.getpid(),
    )  # fmt: skip
    status = supervisor.run()
    if server is not None:
        server.close()
    return status


class StoredConfiguration:
    """Profiles and groups as the store has them now; what is not there is None."""

    def __init__(self, client: Any) -> None:
        self._client = client

    def profile(self, name: str) -> Any:
        """The latest version of a profile."""
        from store.configuration import read_profile
        from store.errors import NotThere

        try:
            return read_profile(self._client, name)[1]
        except NotThere:
            return None

    def group(self, name: str) -> Any:
        """The detector group of that name."""
        from store.configuration import read_groups

        groups = read_groups(self._client)[1].groups
        return next((group for group in groups if group.name == name), None)


def _version() -> str:
    try:
        return version("glitchwatch")
    except PackageNotFoundError:
        return "unknown"


if __name__ == "__main__":
    sys.exit(main())
