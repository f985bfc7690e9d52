"""Find the detectors by folder. One that does not import stops the program: crash at start, never after."""

import importlib
import pkgutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import ValidationError

from contracts.errors import ConfigError
from contracts.profile import Mode, Profile
from detectors.detector import Detector, Params

AnyDetector = type[Detector[Any]]


@dataclass(frozen=True, slots=True)
class Seat:
    """A detector as a profile wants it: its class, its checked parameters, check or report."""

    detector: AnyDetector
    params: Params
    mode: Mode


def load(package: str = "detectors") -> dict[str, AnyDetector]:
    """Every detector below `package` by id: each module of each family folder holds one, named as the file."""
    return dict(_loaded(package))


@cache
def _loaded(package: str) -> dict[str, AnyDetector]:
    found: dict[str, AnyDetector] = {}
    root = importlib.import_module(package)
    for family in pkgutil.iter_modules(root.__path__, root.__name__ + "."):
        if not family.ispkg:
            continue
        for info in pkgutil.iter_modules(importlib.import_module(family.name).__path__, family.name + "."):
            if info.name.rpartition(".")[2].startswith("_"):
                continue  # shared by the detectors of one family
            detector: AnyDetector = importlib.import_module(info.name).DETECTOR
            if detector.id != info.name.rpartition(".")[2]:
                raise ConfigError(f"{info.name} holds detector {detector.id!r}; file name and id must agree.")
            if detector.id in found:
                raise ConfigError(f"Two detectors are called {detector.id!r}.")
            found[detector.id] = detector
    return causes_first(found)


def causes_first(found: dict[str, AnyDetector]) -> dict[str, AnyDetector]:
    """The same, with whatever suppresses a detector before it, so that causes open first."""
    ordered: dict[str, AnyDetector] = {}

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in path:
            raise ConfigError(f"Detectors suppress each other in a ring: {' -> '.join((*path, name))}.")
        if name in ordered or name not in found:
            return
        for cause in found[name].suppressed_by:
            visit(cause, (*path, name))
        ordered[name] = found[name]

    for name in sorted(found):
        visit(name, ())
    return ordered


def bind(catalogue: dict[str, AnyDetector], profile: Profile, only: Iterable[str] = ()) -> list[Seat]:
    """The seats that `profile` asks for, or those named in `only`; unknown names and wrong values are told apart.

    A detector on trial is asked for by its name alone.
    """
    only = list(only)
    for name in [*profile.detectors, *only]:
        if name not in catalogue:
            known = ", ".join(sorted(catalogue))
            raise ConfigError(f"There is no detector {name!r}.", f"Known: {known}.")
    seats = []
    for name, detector in catalogue.items():
        choice = profile.detectors.get(name)
        mode = choice.mode if choice else Mode.OFF if detector.trial else Mode.CHECK
        if only and name not in only:
            continue
        if mode is Mode.OFF and name not in only:
            continue
        try:
            params = detector.Params.model_validate(choice.params if choice else {})
        except ValidationError as error:
            first = error.errors()[0]
            where = ".".join(str(part) for part in first["loc"])
            fields = ", ".join(sorted(detector.Params.model_fields)) or "none"
            raise ConfigError(
                f"Profile {profile.name!r}: detector {name!r}, parameter {where!r}: {first['msg']}.",
                f"Its parameters: {fields}.",
            ) from error
        seats.append(Seat(detector, params, Mode.CHECK if mode is Mode.OFF else mode))
    return seats
