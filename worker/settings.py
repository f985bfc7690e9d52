"""What a worker can be told through its environment; read once, before anything starts."""

from __future__ import annotations

import os
import secrets
import socket
from pathlib import Path

from pydantic import AliasChoices, Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import ConfigError

PREFIX = "WORKER_"


def _name() -> str:
    return f"{socket.gethostname()[:80]}-{os.getpid()}-{secrets.token_hex(3)}"


class WorkerSettings(BaseSettings):
    """One worker's settings: `WORKER_<NAME>`, and for the store `REDIS_URL`."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    redis_url: str = Field(
        validation_alias=AliasChoices("REDIS_URL", "WORKER_REDIS_URL"),
        repr=False,
        description="address of the store",
    )
    redis_ca: Path | None = Field(default=None, description="certificates to trust for the store, PEM")
    group: str = Field(
        default="all", min_length=1, max_length=64, description="the detector group it works for"
    )
    name: str = Field(default_factory=_name, min_length=1, max_length=120, description="unique among workers")
    most_watches: int = Field(default=200, ge=1, le=10_000, description="leases it takes at most")
    lease_ttl_s: float = Field(default=3.0, ge=1, le=60, description="seconds until others may take over")
    grace_s: float = Field(
        default=60.0, ge=0, le=3600, description="seconds of watching on without the store"
    )
    cpu_quota: float | None = Field(default=None, gt=0, description="cores; measured when not given")
    cpu_share: float = Field(default=0.85, gt=0, le=1, description="of the quota that watches may use")
    memory_bytes: int | None = Field(default=None, gt=0, description="limit of all; measured when not given")
    watch_memory_bytes: int = Field(
        default=512 * 1024 * 1024,
        ge=64 * 1024 * 1024,
        description="by which one watch may grow before it is recycled",
    )
    lag_s: float = Field(default=6.0, gt=0, description="seconds behind at which less is done")
    nice: int = Field(default=5, ge=0, le=19, description="priority of the watches' processes")
    health_host: str = Field(default="127.0.0.1", description="address of /healthz and /metrics")
    health_port: int = Field(default=0, ge=0, le=65535, description="0 takes a free port and logs it")
    health_off: bool = Field(default=False, description="no HTTP at all")
    allow_private: bool = Field(default=False, description="whether sources may be on private addresses")
    secrets_dir: Path | None = Field(default=None, description="folder of files that `header_refs` name")
    catalogue: str = Field(default="detectors", description="package the detectors are found in")
    log: str = Field(default="json", pattern="^(json|text)$", description="form of the log lines")


def read() -> WorkerSettings:
    """The settings in the environment; ConfigError names an unknown variable or a wrong value."""
    for name in sorted(os.environ):
        if name.startswith(PREFIX) and name.removeprefix(PREFIX).lower() not in WorkerSettings.model_fields:
            known = ", ".join(f"{PREFIX}{field.upper()}" for field in sorted(WorkerSettings.model_fields))
            raise ConfigError(f"{name} is no setting of a worker.", f"Known: REDIS_URL, {known}.")
    try:
        return WorkerSettings()
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field = str(first["loc"][0]) if first["loc"] else "?"
        name = "REDIS_URL" if field.lower().endswith("redis_url") else f"{PREFIX}{field.upper()}"
        raise ConfigError(f"{name}: {first['msg']}.") from error
