"""`python -m controller.main`: settings from the environment, the store checked, then requests until told to end."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import sys

import structlog
import uvicorn

from contracts.clock import SystemClock
from contracts.errors import ConfigError, GlitchwatchError
from controller.app import create_app, first_key, fleet_with
from controller.settings import Settings, read
from store.connect import check_async, open_async, open_sync

EXIT_USAGE = 2
_JOBS_TIMEOUT_S = 3.0
_BACKLOG = 512
_MOST_CONNECTIONS = 2000

log = structlog.get_logger()


async def serve(settings: Settings, version: str) -> None:
    """Serve until a signal ends it. Raises ConfigError when the store or the address will not do."""
    url, clock = settings.redis_url.get_secret_value(), SystemClock()
    client = open_async(url, ca=settings.redis_ca)
    jobs = open_sync(url, timeout_s=_JOBS_TIMEOUT_S, ca=settings.redis_ca)
    try:
        await check_async(client, url)
        fleet = fleet_with(settings, client, jobs, clock)
        key = await first_key(fleet)
        listening = _listen(settings)
        host, port = listening.getsockname()[:2]
        if key is not None:
            _say(f"API key (shown once, kept as its hash only): {key}")
        _say(f"Listening on http://{f'[{host}]' if ':' in host else host}:{port} (documentation at /docs)")
        server = uvicorn.Server(
            uvicorn.Config(
                create_app(fleet, version=version),
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=30,
                timeout_graceful_shutdown=settings.shutdown_s,
                limit_concurrency=_MOST_CONNECTIONS,
                backlog=_BACKLOG,
                h11_max_incomplete_event_size=64 * 1024,
                ws="none",
            )
        )
        await server.serve(sockets=[listening])
    finally:
        await client.aclose()
        jobs.close()


def _listen(settings: Settings) -> socket.socket:
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_BACKLOG)  # who comes before we are ready waits, and is not refused
    except OSError as error:
        raise ConfigError(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}.",
            "Set CONTROLLER_HOST and CONTROLLER_PORT.",
        ) from error
    return listening


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("glitchwatch")
    except PackageNotFoundError:
        return "0"


def main() -> int:
    """The exit status: 0 told to end, 2 wrong configuration."""
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # the server raises it once more when it has ended
    try:
        asyncio.run(serve(read(), _version()))
    except GlitchwatchError as error:
        sys.stderr.write(f"controller: {error.explain()}\n")
        return EXIT_USAGE
    except KeyboardInterrupt:
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
