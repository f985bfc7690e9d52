"""Clients of the store: where it is, how long to wait for it, and whether it will do."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import redis.asyncio
from redis import Redis
from redis.asyncio.retry import Retry as AsyncRetry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AuthenticationError,
    AuthorizationError,
    BusyLoadingError,
    ClusterDownError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as NotConnected,
)
from redis.exceptions import (
    TimeoutError as TimedOut,
)
from redis.retry import Retry

from contracts.errors import ConfigError
from contracts.urls import redact
from store import keys
from store.errors import StoreUnavailable

SyncClient = Redis
AsyncClient = redis.asyncio.Redis

SYNC_TIMEOUT_S = 0.4  # well below a lease's TTL, so that a hung store costs one beat
ASYNC_TIMEOUT_S = 5.0
LONGEST_BLOCK_MS = 2000  # of a blocking read; below ASYNC_TIMEOUT_S
OLDEST_SERVER = 7
SCHEMES = ("redis", "rediss", "unix")
CONSUMERS = "controller"  # the consumer group on the findings stream

_MAKE_GROUP = ("XGROUP", "CREATE", keys.FINDINGS, CONSUMERS, "0", "MKSTREAM")

_AWAY = (
    NotConnected, TimedOut, BusyLoadingError, ReadOnlyError, ClusterDownError, TryAgainError, OutOfMemoryError,
    asyncio.TimeoutError, OSError,
)  # fmt: skip


def server_url(environ: Mapping[str, str]) -> str | None:
    """`REDIS_URL`, checked; None when it is not set. Raises ConfigError."""
    url = environ.get("REDIS_URL", "").strip()
    return checked_url(url) if url else None


def checked_url(url: str) -> str:
    """`url` when a client can be made from it; ConfigError says what is wrong without showing its password."""
    hint = "Write redis://[:PASSWORD@]HOST:PORT/0, rediss:// for TLS, or unix:///PATH."
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ConfigError(f"REDIS_URL cannot be read: {error}.", hint) from error
    if parts.scheme not in SCHEMES:
        raise ConfigError(
            f"REDIS_URL begins with {parts.scheme or 'nothing'!r}, which is no scheme of a store.", hint
        )
    if parts.scheme == "unix" and not parts.path:
        raise ConfigError("REDIS_URL names no socket.", hint)
    if parts.scheme != "unix" and not parts.hostname:
        raise ConfigError("REDIS_URL names no host.", hint)
    if port == 0:
        raise ConfigError("REDIS_URL names port 0.", hint)
    return url


def _options(url: str, timeout_s: float, ca: Path | None) -> dict[str, Any]:
    options: dict[str, Any] = {
        "socket_timeout": timeout_s,
        "socket_connect_timeout": timeout_s,
        "health_check_interval": 0,
        "protocol": 2,
        "decode_responses": False,
    }
    if url.startswith("rediss:"):
        options["ssl_cert_reqs"] = "required"
        options["ssl_check_hostname"] = True
        if ca is not None:
            if not ca.is_file():
                raise ConfigError(
                    f"The store's CA file {ca} does not exist.", "Name a PEM file, or none for the system's."
                )
            options["ssl_ca_certs"] = str(ca)
    elif ca is not None:
        raise ConfigError(
            "A CA file for the store is given, but its address does not ask for TLS.", "Write rediss://."
        )
    return options


def open_sync(url: str, *, timeout_s: float = SYNC_TIMEOUT_S, ca: Path | None = None) -> SyncClient:
    """A client for workers. It asks once: who holds leases must know at once that nobody answered."""
    options = _options(checked_url(url), timeout_s, ca)
    return Redis.from_url(url, retry=Retry(NoBackoff(), 0), **options)


def open_async(url: str, *, timeout_s: float = ASYNC_TIMEOUT_S, ca: Path | None = None) -> AsyncClient:
    """A client for the controller. Its blocking reads wait no longer than LONGEST_BLOCK_MS."""
    options = _options(checked_url(url), timeout_s, ca)
    return redis.asyncio.Redis.from_url(url, retry=AsyncRetry(NoBackoff(), 0), **options)


@contextmanager
def translated() -> Iterator[None]:
    """Whatever means "not now" becomes StoreUnavailable; wrong credentials become ConfigError."""
    try:
        yield
    except (AuthenticationError, AuthorizationError) as error:
        raise ConfigError(f"The store refuses our credentials: {error}.", "See REDIS_URL.") from error
    except _AWAY as error:
        raise StoreUnavailable(f"The store does not answer: {str(error) or type(error).__name__}.") from error


def execute(client: SyncClient, *command: Any) -> Any:
    """One command, one round trip. Raises StoreUnavailable."""
    with translated():
        return client.execute_command(*command)  # type: ignore[no-untyped-call]


async def execute_async(client: AsyncClient, *command: Any) -> Any:
    """One command, one round trip. Raises StoreUnavailable."""
    with translated():
        return await cast(Awaitable[Any], client.execute_command(*command))  # type: ignore[no-untyped-call]


async def execute_many(client: AsyncClient, commands: list[tuple[Any, ...]]) -> list[Any]:
    """Several commands in one round trip, not atomic. Raises StoreUnavailable."""
    if not commands:
        return []
    with translated():
        async with client.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return await pipe.execute()


def check(client: SyncClient, url: str = "") -> None:
    """Crash at start, never after: version, mode, eviction, schema. Raises ConfigError."""
    with _said(where := _where(url)):
        _judge(execute(client, "INFO"), where)
        execute(client, "SET", keys.SCHEMA_KEY, keys.SCHEMA, "NX")
        _judge_schema(execute(client, "GET", keys.SCHEMA_KEY), where)
        try:
            execute(client, *_MAKE_GROUP)
        except ResponseError as error:
            _is_there(error)


async def check_async(client: AsyncClient, url: str = "") -> None:
    """The same for the controller's client. Raises ConfigError."""
    with _said(where := _where(url)):
        _judge(await execute_async(client, "INFO"), where)
        await execute_async(client, "SET", keys.SCHEMA_KEY, keys.SCHEMA, "NX")
        _judge_schema(await execute_async(client, "GET", keys.SCHEMA_KEY), where)
        await make_group(client)


async def make_group(client: AsyncClient) -> None:
    """The consumer group on the findings stream, from its beginning, if there is none."""
    try:
        await execute_async(client, *_MAKE_GROUP)
    except ResponseError as error:
        _is_there(error)


def _is_there(error: ResponseError) -> None:
    if not str(error).startswith("BUSYGROUP"):
        raise error


@contextmanager
def _said(where: str) -> Iterator[None]:
    try:
        yield
    except StoreUnavailable as error:
        raise ConfigError(
            f"{where} cannot be reached: {error.__cause__}.", "Is it running, and is REDIS_URL right?"
        ) from error
    except RedisError as error:
        raise ConfigError(
            f"{where} answers, but not as a store would: {error}.", "Is REDIS_URL right?"
        ) from error


def _where(url: str) -> str:
    return f"The store at {redact(url)}" if url else "The store"


def _judge(info: Mapping[str, Any], where: str) -> None:
    version = str(
        info.get("redis_version", "0")
    )  # Valkey answers with the Redis version that it is compatible with
    if int(version.split(".", 1)[0] or 0) < OLDEST_SERVER:
        raise ConfigError(
            f"{where} is version {version}.", f"Redis {OLDEST_SERVER} or newer, or Valkey, is needed."
        )
    if int(info.get("cluster_enabled", 0)):
        raise ConfigError(
            f"{where} runs in cluster mode.",
            "Use a primary with replicas: scripts touch several keys at once.",
        )
    policy = str(info.get("maxmemory_policy", "noeviction"))
    if int(info.get("maxmemory", 0)) and policy.startswith("allkeys"):
        raise ConfigError(
            f"{where} may throw leases away when its memory is full (maxmemory-policy {policy}).",
            "Set maxmemory-policy to noeviction.",
        )
    if str(info.get("role", "master")) != "master":
        raise ConfigError(f"{where} is a replica and takes no writes.", "Name the primary's address.")


def _judge_schema(found: bytes | None, where: str) -> None:
    if found is None or not found.isdigit() or int(found) != keys.SCHEMA:
        shown = found.decode(errors="replace") if found is not None else "none"
        raise ConfigError(
            f"{where} holds data of schema {shown}; this version works with schema {keys.SCHEMA}.",
            "Run the version that wrote it, or name an empty store.",
        )
