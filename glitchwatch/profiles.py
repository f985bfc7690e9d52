"""Read a profile file and bind it to the catalogue; what is wrong is named before anything starts."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path

from pydantic import ValidationError

from contracts.errors import ConfigError
from contracts.profile import Profile
from detectors.catalogue import Seat, bind, load


def read(path: Path | None) -> Profile:
    """The profile in the TOML file at `path`; the default one without a file. Raises ConfigError."""
    if path is None:
        return Profile()
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"Profile {path} cannot be read: {error.strerror}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"Profile {path} is not TOML: {error}.") from error
    try:
        return Profile.model_validate({"name": path.stem, **data})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ConfigError(
            f"Profile {path}, {where or 'top level'}: {first['msg']}.",
            'It holds `name = "..."` and tables `[detectors.NAME]`.',
        ) from error


def seats(profile: Profile, only: Sequence[str]) -> list[Seat]:
    """The detectors that run, each with its checked parameters."""
    return bind(load(), profile, only)
