"""Every single result, kept as it comes: a run that was stopped goes on where it was, and runs of parts make one table.

A run is one file of JSON lines below `build/score/runs`, named by its seed and a digest of the code that was scored.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import TypeAdapter

from benchmarks.cases import Clean, Watched
from benchmarks.footage import Footage
from benchmarks.sources import ROOT

Result = Watched | Clean | Footage
SCORED = ("contracts", "detectors", "worker", "benchmarks", "tests/injection.py", "tests/unit/detectors")


@dataclass(frozen=True, slots=True)
class _Line:
    key: str
    watched: Watched | None = None
    clean: Clean | None = None
    footage: Footage | None = None


_LINES = TypeAdapter(_Line)


@dataclass(slots=True)
class Results:
    """What is known, in the order in which tables show it."""

    watched: list[Watched] = field(default_factory=list)
    clean: list[Clean] = field(default_factory=list)
    footage: list[Footage] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def add(self, results: Iterable[Result]) -> None:
        """Sort them in."""
        for one in results:
            if isinstance(one, Watched):
                self.watched.append(one)
            elif isinstance(one, Clean):
                self.clean.append(one)
            else:
                self.footage.append(one)
        self.watched.sort(key=lambda w: (w.case.detector, w.case.level, w.case.number))
        self.clean.sort(key=lambda c: c.number)
        self.footage.sort(key=lambda f: (f.kind, f.name))


class Run:
    """The results of one seed and one state of the code."""

    def __init__(self, folder: Path, seed: int, digest: str) -> None:
        self.path = folder / f"{seed}-{digest}.jsonl"
        self.seed = seed
        self.done: dict[str, Result] = {}
        if self.path.is_file():
            lines = self.path.read_bytes().splitlines(keepends=True)
            for line in lines:
                if line.endswith(b"\n"):  # else it was cut off in writing
                    kept = _LINES.validate_json(line)
                    result = kept.watched or kept.clean or kept.footage
                    assert result is not None
                    self.done[kept.key] = result

    def add(self, key: str, result: Result) -> None:
        """Keep one result."""
        self.done[key] = result
        line = _Line(
            key,
            result if isinstance(result, Watched) else None,
            result if isinstance(result, Clean) else None,
            result if isinstance(result, Footage) else None,
        )
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("ab") as file:
            file.write(_LINES.dump_json(line) + b"\n")


def digest() -> str:
    """A fingerprint of what is scored and of what scores it."""
    total = hashlib.sha256()
    for name in SCORED:
        place = ROOT / name
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            total.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return total.hexdigest()[:8]


def merged(folder: Path) -> Results:
    """All runs in one: of each detector, and of footage as found, the newest run that has it; clean programme of all.

    Clean programme of an older state of the code is left out where the newest state has any.
    """
    paths = sorted(folder.glob("*-*.jsonl"), key=lambda path: path.stat().st_mtime, reverse=True)
    out = Results()
    taken: set[str] = set()
    clean_code: str | None = None
    for path in paths:
        seed, _, code = path.stem.partition("-")
        run = Run(folder, int(seed), code)
        mine: list[Result] = []
        for result in run.done.values():
            if isinstance(result, Clean):
                clean_code = clean_code or code
                if code == clean_code:
                    mine.append(result)
            elif _part(result) not in taken:
                mine.append(result)
        taken |= {_part(result) for result in mine}
        out.add(mine)
        if mine:
            out.seeds.append(run.seed)
    return out


def _part(result: Result) -> str:
    if isinstance(result, Watched):
        return f"detector {result.case.detector}"
    return "clean" if isinstance(result, Clean) else "footage"
