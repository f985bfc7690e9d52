"""`make score`: how well each detector finds its own fault, and how often it cries wolf in clean programme.

Truth is what was injected. A fault is found when one report of the same defect on the same track overlaps it by half
of their union (an instant: begins within half a second of it). Faults that are only just visible count apart.
"""

from __future__ import annotations

import json
import secrets
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.progress import Progress

from benchmarks import bars, ffmpeg, footage, sources, tables, tally
from benchmarks.cases import Work, run_case, run_clean
from benchmarks.clips import Case, fault_of
from benchmarks.runs import Results, Run, digest, merged
from contracts.errors import ConfigError
from detectors.catalogue import AnyDetector, load

OUT = Path("build/score")
SCORES = Path("docs/scores.json")
STRETCH_S = 150.0  # one stretch of clean programme
LIVE_ONLY = frozenset(
    {"source_unreachable", "source_stalled", "source_undecodable", "segment_missing", "format_change"}
)

Task = tuple[Callable[..., Any], tuple[Any, ...]]


@click.command()
@click.option(
    "--seed", type=click.IntRange(0), help="Draw the same again; without it, a fresh one is drawn and told."
)
@click.option("--only", default="", help="Detectors, comma-separated; the rest is left out unless asked for.")
@click.option(
    "--minutes", type=click.FloatRange(0), default=None, help="Clean programme to judge.  [default: 20]"
)
@click.option(
    "--faults",
    type=click.IntRange(0),
    default=6,
    show_default=True,
    help="Faults of each detector, plain and gross; half as many just visible.",
)
@click.option(
    "--found/--no-found", default=None, help="Watch footage as it was found.  [default: without --only]"
)
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=OUT, show_default=True, help="For clips and figures."
)
@click.option(
    "--merge",
    is_flag=True,
    help=f"Show and write all runs kept in `out`, not this one alone; {SCORES} keeps what these lack.",
)
@click.option("--write", is_flag=True, help=f"Write {SCORES} as well.")
def main(
    seed: int | None,
    only: str,
    minutes: float | None,
    faults: int,
    found: bool | None,
    jobs: int,
    out: Path,
    merge: bool,
    write: bool,
) -> None:
    """Score the detectors. Missed clips, frames of false alarms and all figures go to `out`.

    Exit status: 0 all bars are met, 1 some are not. A run that was stopped is continued with the same --seed.
    """
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
    found = not only if found is None else found
    material = about_material()
    theirs = ffmpeg.find()
    console.print(f"Seed {seed} (repeat or go on with --seed {seed}). Programme: {material}.")
    console.print(
        "FFmpeg is not at hand: nothing is compared with it."
        if theirs is None
        else f"FFmpeg {theirs.version}."
    )
    cases, without = draw_cases({n: detectors[n] for n in names}, seed, faults)
    run = Run(out / "runs", seed, digest())
    if not run.done:
        for old in (out / "missed", out / "alarms"):
            shutil.rmtree(old, ignore_errors=True)
    with _scratch() as scratch:
        work = Work(
            scratch, out / "masters", out, theirs.path if theirs else None, tuple(names) if only else ()
        )
        work.masters.mkdir(parents=True, exist_ok=True)
        run_all(tasks(cases, seed, minutes, work, found=found), run, jobs, console)
    if merge:
        results = merged(out / "runs")
    else:
        results = Results(seeds=[seed])
        results.add(run.done.values())
    rows = tally.rows(results.watched)
    tables.show(console, rows, results, without)
    document = tally.document(results, rows, sorted(detectors), material, theirs.version if theirs else None)
    if merge and write and SCORES.is_file():
        document = tally.completed(document, json.loads(SCORES.read_text("utf-8")))
    targets = [out / "scores.json", SCORES] if write and (merge or not only) else [out / "scores.json"]
    for target in targets:
        target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    (out / "details.json").write_text(json.dumps(tables.details(results), indent=1) + "\n", "utf-8")
    console.print(f"Wrote {', '.join(map(str, targets))}; every clip and alarm is in {out / 'details.json'}.")
    if write and only and not merge:
        console.print(f"{SCORES} is left as it was: it holds all detectors. Add --merge to complete it.")
    short = bars.unmet(rows, results.clean)
    for sentence in short:
        console.print(f"not met: {sentence}", style="red", highlight=False)
    scored = f"the {len(rows)} detectors scored" + (" and by clean programme" if results.clean else "")
    console.print("Not all bars are met." if short else f"All bars are met by {scored}.")
    sys.exit(1 if short else 0)


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
    detectors: Mapping[str, AnyDetector], seed: int, per_level: int
) -> tuple[list[Case], dict[str, str]]:
    """(the cases, detectors without a fault and why). Faults that are just visible are half as many."""
    cases, without = [], {}
    for name, detector in detectors.items():
        family = detector.family()
        fault = None if name in LIVE_ONLY else fault_of(name, family)
        if fault is None:
            without[name] = "scored end to end by tests" if name in LIVE_ONLY else "no FAULT in its test"
            continue
        drawn = [(lv, n) for lv in fault.levels for n in range(per_level if lv else (per_level + 1) // 2)]
        cases += [Case(name, family, lv, n, seed, i, len(drawn)) for i, (lv, n) in enumerate(drawn)]
    return cases, without


def tasks(cases: list[Case], seed: int, minutes: float, work: Work, *, found: bool) -> dict[str, Task]:
    """All that is to be done, by name; what takes longest comes first."""
    stretches = max(1, round(minutes * 60 / STRETCH_S)) if minutes else 0
    length_s = minutes * 60 / max(1, stretches)
    out: dict[str, Task] = {}
    for number in range(stretches):
        out[f"clean {number} of {length_s:g} s"] = run_clean, (number, seed, length_s, work)
    for row in footage.chosen() if found else []:
        out[f"footage {row['file']}"] = footage.run_footage, (row, work)
    for case in cases:
        out[f"{case.name} of {case.of}"] = run_case, (case, work)
    return out


def run_all(wanted: Mapping[str, Task], run: Run, jobs: int, console: Console) -> None:
    """What `run` does not hold yet, over `jobs` processes. What goes wrong in one of them goes wrong here."""
    missing = {key: task for key, task in wanted.items() if key not in run.done}
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
        Progress(console=console, transient=True, disable=not console.is_terminal) as progress,
    ):
        futures = {pool.submit(call, *given): key for key, (call, given) in missing.items()}
        bar = progress.add_task("scoring", total=len(futures))
        try:
            for future in as_completed(futures):
                run.add(futures[future], future.result())
                progress.advance(bar)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


@contextmanager
def _scratch() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="glitchwatch-score-") as name:
        yield Path(name)


if __name__ == "__main__":
    main()
