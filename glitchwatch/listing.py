"""The catalogue for a person or a program."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from detectors.catalogue import load
from glitchwatch.catalogue_docs import catalogue_json
from glitchwatch.render.files import write_text


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
        table.add_row(name, detector.family(), summary, params or "-")
    console.print(table)
