"""`make score`: how well each detector finds its own fault, and how often it cries wolf in clean programme.

Truth is what was injected. A fault is found when one report of the same defect on the same track overlaps it by half
of their union (an instant: begins within half a second of it). Faults that are only just visible count apart.
"""

from __future__ import annotations

import json
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks import sources, tables, tally
from benchmarks.cases import LIVE_ONLY, Case, Clean, Watched, fault_of, run_case, run_clean
from contracts.errors import ConfigError
from detectors.catalogue import AnyDetector, load

OUT = Path("build/score")
SCORES = Path("docs/scores.json")
STRETCH_S = 150.0  # one stretch of clean programme


@click.command()
@click.option(
    "--seed", type=click.IntRange(0), help="Draw the same again; without it, a fresh one is drawn and told."
)
@click.option(
    "--only",
    default="",
    help="Detectors, comma-separated; then clean programme is left out unless asked for.",
)
@click.option(
    "--minutes", type=click.FloatRange(0), default=None, help="Clean programme to judge.  [default: 20]"
)
@click.option(
    "--faults", type=click.IntRange(0), default=3, show_default=True, help="Faults of each kind and level."
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=OUT, show_default=True, help="For clips and figures."
)
@click.option("--write", is_flag=True, help=f"Write {SCORES} as well.")
def main(
    seed: int | None, only: str, minutes: float | None, faults: int, jobs: int, out: Path, write: bool
) -> None:
    """Score the detectors. Missed clips, frames of false alarms and all figures go to `out`."""
    console = Console(width=None if Console().is_terminal else 160)
    detectors = load()
    names = [name.strip() for name in only.split(",") if name.strip()] or list(detectors)
    unknown = sorted(set(names) - set(detectors))
    if unknown:
        raise click.UsageError(
            str(ConfigError(f"There is no detector {unknown[0]!r}.", f"Known: {', '.join(detectors)}."))
        )
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    minutes = (0.0 if only else 20.0) if minutes is None else minutes
    material = about_material()
    console.print(f"Seed {seed} (repeat with --seed {seed}). Programme: {material}.")
    cases, without = draw_cases({n: detectors[n] for n in names}, seed, faults)
    for old in (out / "missed", out / "alarms"):
        shutil.rmtree(old, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    watched, clean = run_all(cases, seed, minutes, jobs, out, console)
    rows = tally.rows(watched)
    tables.show(console, rows, watched, clean, without)
    document = tally.document(seed, faults, rows, clean, names, material)
    targets = [out / "scores.json", SCORES] if write and not only else [out / "scores.json"]
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(json.dumps(document, indent=2, ensure_ascii=False) + "\n", "utf-8")
    (out / "details.json").write_text(json.dumps(tables.details(watched, clean), indent=1) + "\n", "utf-8")
    console.print(
        f"Wrote {', '.join(str(t) for t in targets)}; every clip and alarm is in {out / 'details.json'}."
    )
    if write and only:
        console.print(f"{SCORES} is left as it was: it holds all detectors, or none.")


def about_material() -> str:
    """Which footage the programme is made of, in a few words."""
    folder = sources.corpus()
    if folder is None:
        return "made pictures and sound only, no footage"
    pictures = [s for s in sources.pictures(folder) if s.path]
    heard = [s for s in sources.sounds(folder) if s.path]
    made = len(sources.MADE_PICTURES), len(sources.MADE_SOUNDS)
    return f"{len(pictures)} clips and {len(heard)} sounds of footage, {made[0]} and {made[1]} made kinds"


def draw_cases(
    detectors: dict[str, AnyDetector], seed: int, per_level: int
) -> tuple[list[Case], dict[str, str]]:
    """(the cases, detectors without a fault and why)."""
    cases, without = [], {}
    for name, detector in detectors.items():
        family = detector.family()
        fault = None if name in LIVE_ONLY else fault_of(name, family)
        if fault is None:
            without[name] = "scored end to end by tests" if name in LIVE_ONLY else "no FAULT in its test"
            continue
        cases += [Case(name, family, level, n, seed) for level in fault.levels for n in range(per_level)]
    return cases, without


def run_all(
    cases: Sequence[Case], seed: int, minutes: float, jobs: int, out: Path, console: Console
) -> tuple[list[Watched], list[Clean]]:
    """Everything, spread over `jobs` processes. What goes wrong in one of them goes wrong here."""
    stretches = max(1, round(minutes * 60 / STRETCH_S)) if minutes else 0
    watched: list[Watched] = []
    clean: list[Clean] = []
    with _scratch() as folder, ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        futures: dict[Future[Any], list[Any]] = {}
        for number in range(stretches):
            length_s = minutes * 60 / stretches
            futures[pool.submit(run_clean, number, seed, length_s, folder, out / "alarms")] = clean
        for case in cases:
            futures[pool.submit(run_case, case, folder, out / "missed")] = watched
        with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
            task = progress.add_task("scoring", total=len(futures))
            try:
                for future in as_completed(futures):
                    futures[future].append(future.result())
                    progress.advance(task)
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise
    watched.sort(key=lambda w: (w.case.detector, w.case.level, w.case.number))
    clean.sort(key=lambda c: c.number)
    return watched, clean


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="glitchwatch-score-") as name:
        yield Path(name)


if __name__ == "__main__":
    main()
