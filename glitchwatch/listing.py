"""The catalogue for a person or a program."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from rich.console import Console
from rich.table import Table

from contracts.errors import ConfigError
from detectors.catalogue import AnyDetector, load
from glitchwatch.catalogue_docs import catalogue_json
from glitchwatch.render.files import write_text


def find(name: str, found: Mapping[str, AnyDetector]) -> AnyDetector:
    """The detector of that name. Raises ConfigError with the nearest names there are."""
    if name in found:
        return found[name]
    near = difflib.get_close_matches(name, found, n=3, cutoff=0.5)
    advice = f"Did you mean {' or '.join(near)}?" if near else "`glitchwatch detectors` lists them all."
    raise ConfigError(f"There is no detector {name!r}.", advice)


def list_detectors(console: Console, json_path: str | None) -> None:
    """Print every detector with its parameters, or write the catalogue as JSON."""
    found = load()
    if json_path is not None:
        write_text(json_path, catalogue_json(found))
        return
    table = Table(show_lines=False, header_style="bold")
    for heading in ("detector", "family", "defect", "parameters"):
        table.add_column(heading, overflow="fold")
    for name, detector in sorted(found.items(), key=lambda item: (item[1].family(), item[0])):
        summary = detector.manual().splitlines()[0].partition(": ")[2] or detector.manual().splitlines()[0]
        params = ", ".join(
            f"{key}={value}" for key, value in detector.Params().model_dump(mode="json").items()
        )
        if detector.trial:
            summary += " (on trial: runs only where a profile or --only names it)"
        table.add_row(name, detector.family(), summary, params or "-")
    console.print(table)


def show_manual(console: Console, name: str) -> None:
    """Print one detector's manual page and parameters. Raises ConfigError for a name that there is not."""
    detector = find(name, load())
    console.print(detector.manual(), markup=False, highlight=False)
    for key, field in detector.Params.model_fields.items():
        console.print(f"\n{key} = {field.default}: {field.description}", markup=False, highlight=False)
