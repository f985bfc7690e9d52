"""What operations decides about a controller: read once from the environment, wrong or misspelt is exit status 2."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from contracts.errors import ConfigError

PREFIX = "CONTROLLER_"


class Settings(BaseSettings):
    """Settings of one controller; each is the environment variable CONTROLLER_<NAME>."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_parse_none_str="none"
    )

    redis_url: SecretStr = Field(
        description="address of the store: redis://, rediss:// (TLS) or unix://, password included; REDIS_URL does, too"
    )
    redis_ca: Path | None = Field(None, description="certificates to trust for the store, PEM")
    host: str = Field("127.0.0.1", description="address to listen on")
    port: int = Field(8080, ge=0, le=65_535, description="port to listen on; 0 takes a free one")
    allow_private: bool = Field(
        False, description="whether streams may be on loopback, private or multicast addresses"
    )
    api_key: SecretStr | None = Field(
        None,
        description="a key that is accepted beside those in the store; none: one is made at the first start",
    )
    reconcile_s: float = Field(
        10.0, ge=0.1, le=600, description="seconds between two looks at what should be watched"
    )
    origin_starts_per_s: float = Field(
        20.0, gt=0, le=10_000, description="streams a second that bulk onboarding starts on one origin host"
    )
    job_timeout_s: int = Field(
        3600, ge=10, le=86_400, description="seconds that an analysis of a file may take"
    )
    probe_timeout_s: int = Field(30, ge=1, le=300, description="seconds that a probe may take")
    groups: str = Field(
        "all", description="detector groups to set up at the first start: `all` or `families`"
    )
    shutdown_s: int = Field(5, ge=1, le=60, description="seconds that open requests get at the end")


def read(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of the environment. Raises ConfigError that names the variable, and never its value."""
    environment = os.environ if environment is None else environment
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    unknown = sorted(n for n in environment if n.upper().startswith(PREFIX) and n.upper() not in known)
    if unknown:
        raise ConfigError(f"Unknown setting: {', '.join(unknown)}.", f"Known: {', '.join(sorted(known))}.")
    given: dict[str, str] = {"redis_url": environment["REDIS_URL"]} if environment.get("REDIS_URL") else {}
    given |= {
        name.upper().removeprefix(PREFIX).lower(): value
        for name, value in environment.items()
        if name.upper().startswith(PREFIX)
    }
    try:
        return Settings(_env_prefix="\0", **given)  # type: ignore[arg-type]  # read above, checked by pydantic
    except ValidationError as error:
        wrong = "; ".join(f"{PREFIX}{str(e['loc'][0]).upper()}: {e['msg']}" for e in error.errors())
        raise ConfigError(f"Setting not usable: {wrong}.") from error
