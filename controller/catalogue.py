"""The detectors as data: read from the generated catalogue, so that no detector is loaded here."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator  # type: ignore[import-untyped]

from contracts.errors import ConfigError
from contracts.profile import Profile

_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Wrong:
    """One thing that is wrong in a profile: `pointer` is a JSON pointer (RFC 6901) into it."""

    pointer: str
    detail: str


class Catalogue:
    """Every detector with its family and the JSON schema of its parameters."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.detectors: dict[str, dict[str, Any]] = {entry["id"]: entry for entry in document["detectors"]}
        self._validators = {
            name: Draft202012Validator(entry["params"]) for name, entry in self.detectors.items()
        }

    @property
    def families(self) -> dict[str, list[str]]:
        """The detectors of each family, by name."""
        found: dict[str, list[str]] = {}
        for name, entry in sorted(self.detectors.items()):
            found.setdefault(entry["family"], []).append(name)
        return found

    def family(self, detector: str) -> str:
        """The family of a detector; empty for one that is not of the catalogue."""
        return str(self.detectors.get(detector, {}).get("family", ""))

    def wrongs(self, profile: Profile) -> list[Wrong]:
        """Everything wrong in a profile: unknown detectors, unknown parameters, values out of range."""
        wrong: list[Wrong] = []
        for name, choice in profile.detectors.items():
            validator = self._validators.get(name)
            where = f"/detectors/{_escape(name)}"
            if validator is None:
                wrong.append(
                    Wrong(where, f"There is no such detector. Known: {', '.join(sorted(self.detectors))}.")
                )
                continue
            for error in validator.iter_errors(choice.params):
                path = "".join(f"/{_escape(str(part))}" for part in error.absolute_path)
                wrong.append(Wrong(where + path, _words(error.message)))
        return wrong

    def unknown(self, detectors: list[str]) -> list[str]:
        """Those of `detectors` that are not of the catalogue."""
        return [name for name in detectors if name not in self.detectors][:_MOST_NAMED]


def _words(message: str) -> str:
    return message[:300] if message.endswith(".") else f"{message[:300]}."


def _escape(part: str) -> str:
    return part.replace("~", "~0").replace("/", "~1")


@cache
def installed() -> Catalogue:
    """The catalogue that came with this installation. Raises ConfigError when it is not there."""
    spec = find_spec("detectors")  # finds, and does not load
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        path = Path(folder) / "catalogue.json"
        if path.is_file():
            return Catalogue(json.loads(path.read_text("utf-8")))
    raise ConfigError("detectors/catalogue.json is not installed.", "Run `make docs`, or install anew.")
