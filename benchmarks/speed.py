"""`make bench`: what a check costs beside decoding alone, and beside FFmpeg's filters.

Everything runs as a child, alternating, on the same file; CPU time of user and system. What a program needs to start
is measured on a very short clip and taken off. Ratios are formed pair by pair, so that a machine that slows down
for a while slows both sides.
"""

from __future__ import annotations

import json
import platform
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import ffmpeg, made, sources
from benchmarks.children import CHECK, FLOOR, Usage, output, run
from benchmarks.matching import quantile
from benchmarks.media import RATE_HZ, Coding, read_pictures, write
from benchmarks.programme import Log, sound
from contracts.report import Report
from detectors import native
from tests.injection import Picture

OUT = Path("build/bench")
RESULT = Path("build/bench.json")
FPS = Fraction(30)
SHORT_S = 0.2
SHOT_S = 4.0
SEED = 20  # content is fixed; only its coding time is saved by keeping it
VERDICT = frozenset({0, 1})  # defects in the content are no failure
_FLOORS = ("ffmpeg, decode only", "ffmpeg, like for like")
LIKE_OURS = "black,freeze,silence,loudness,true_peak"


@dataclass(frozen=True, slots=True)
class Raster:
    """What one stream is like."""

    name: str
    size: tuple[int, int]
    bit_rate: int


RASTERS = (
    Raster("1080p30", (1920, 1080), 5_000_000),
    Raster("720p30", (1280, 720), 2_500_000),
    Raster("360p30", (640, 360), 800_000),
)


@dataclass(slots=True)
class Series:
    """One program on one file, run again and again."""

    label: str
    command: Callable[[Path], Sequence[str | Path]]
    starts: dict[int, Usage] = field(default_factory=dict)  # the short clip
    runs: dict[int, Usage] = field(default_factory=dict)  # by pair

    @property
    def start_s(self) -> float:
        """CPU time for the short clip."""
        return median(usage.cpu_s for usage in self.starts.values())

    def cost(self, pair: int, media_s: float) -> float:
        """CPU seconds a media second, start-up taken off."""
        return (self.runs[pair].cpu_s - self.start_s) / (media_s - SHORT_S)

    def costs(self, media_s: float) -> list[float]:
        """Of all runs."""
        return [self.cost(pair, media_s) for pair in self.runs]


@click.command()
@click.option(
    "--pairs",
    type=click.IntRange(1),
    default=11,
    show_default=True,
    help="Runs of each; FFmpeg's dear ones are fewer.",
)
@click.option(
    "--quick", is_flag=True, help="A few seconds of media and three pairs: does it work, not what it costs."
)
@click.option(
    "--limit",
    type=float,
    help="Exit 1 when a check at 1080p costs more than this times decoding in three pairs of four.",
)
@click.option(
    "--seconds",
    "media_s",
    type=click.FloatRange(2, 600),
    default=15.0,
    show_default=True,
    help="Length of the content.",
)
@click.option("--short", is_flag=True, help="Decoding and checking only: neither FFmpeg nor like for like.")
@click.option("--only", default="", help="Check with these detectors, by comma, instead of all defaults.")
@click.option("--rasters", default=",".join(r.name for r in RASTERS), show_default=True, help="Which.")
def main(
    pairs: int, quick: bool, limit: float | None, media_s: float, short: bool, only: str, rasters: str
) -> None:
    """Measure, print, and write build/bench.json."""
    console = Console(width=None if Console().is_terminal else 150)
    chosen = [r for r in RASTERS if r.name in rasters.split(",")]
    if not chosen:
        raise click.UsageError(f"No raster of {rasters!r} is known: {', '.join(r.name for r in RASTERS)}.")
    if quick:
        pairs, media_s = min(pairs, 3), 5.0
    dear = 1 if quick else max(3, pairs // 4)
    tool = None if short else ffmpeg.find()
    console.print(about(tool), highlight=False)
    results = [measure(r, media_s, pairs, dear, tool, console, short=short, only=only) for r in chosen]
    if limit is not None and over(results, limit):
        console.print("Over the limit: measured once more, since a machine may be busy.")
        results = [measure(r, media_s, pairs, dear, tool, console, short=short, only=only) for r in chosen]
    document = {"about": about(tool), "quick": quick, "media_s": media_s, "rasters": results}
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(document, indent=1) + "\n", "utf-8")
    console.print(f"Wrote {RESULT}.")
    if limit is not None and over(results, limit):
        console.print(f"A check at {RASTERS[0].name} costs more than {limit} times decoding.", style="red")
        sys.exit(1)


def over(results: Sequence[dict[str, Any]], limit: float) -> bool:
    """Whether the check at 1080p is dearer than allowed in three pairs of four.

    Noise alone makes a median cross a limit. Raises ValueError when it was not measured.
    """
    for result in results:
        if result["raster"] == RASTERS[0].name:
            return bool(result["ratios"]["check / decode"]["q1"] > limit)
    raise ValueError(f"The limit is about {RASTERS[0].name}, which was not measured.")


def about(tool: ffmpeg.Ffmpeg | None) -> str:
    """On what, and against what."""
    words = f"{platform.machine()}, Python {platform.python_version()}"
    if native.kernels is None:
        words += ", without the kernels in C"
    if tool is None:
        return words + ". Measured without FFmpeg."
    lacks = f", which lacks {', '.join(tool.lacks)}" if tool.lacks else ""
    return f"{words}; FFmpeg {tool.version}{lacks}."


def measure(
    raster: Raster,
    media_s: float,
    pairs: int,
    dear: int,
    tool: ffmpeg.Ffmpeg | None,
    console: Console,
    *,
    short: bool = False,
    only: str = "",
) -> dict[str, Any]:
    """All series on one raster; the figures as plain values, printed as well."""
    check = [*CHECK, *(["--only", only] if only else [])]
    file, start = content(raster, media_s), content(raster, SHORT_S)
    often = [
        Series("decode", lambda f: [*FLOOR, f]),
        Series("check", lambda f: [*check, f]),
    ]
    if not short:
        often.append(Series("check, like for like", lambda f: [*CHECK, f, "--only", LIKE_OURS]))
    seldom: list[Series] = []
    if tool is not None:
        often.append(Series("ffmpeg, like for like", tool.like))
        seldom = [
            Series("ffmpeg, decode only", tool.decode),
            Series("ffmpeg", tool.plain),
            Series("ffmpeg, tuned", lambda f: tool.tuned(f, half=False)),
            Series("ffmpeg, tuned, half raster", lambda f: tool.tuned(f, half=True)),
        ]
    for pair in range(pairs):
        for series in (*often, *(seldom if pair < dear else ())):
            series.starts[pair] = run(series.command(start), good=VERDICT)
            series.runs[pair] = run(series.command(file), good=VERDICT)
    result = figures(raster, media_s, {s.label: s for s in (*often, *seldom)})
    result["detectors_cpu_ms_per_s"] = per_detector(file, check)
    _show(console, result)
    return result


def figures(raster: Raster, media_s: float, by_label: dict[str, Series]) -> dict[str, Any]:
    """Costs, and ratios pair by pair."""
    wanted = [("check", "decode"), ("check, like for like", "decode")]
    wanted += [(name, "check") for name in by_label if name.startswith("ffmpeg") and name not in _FLOORS]
    wanted += [("ffmpeg, decode only", "decode"), ("ffmpeg, like for like", "check, like for like")]
    ratios = {}
    for upper, lower in wanted:
        if upper in by_label:
            one, two = by_label[upper], by_label[lower]
            shared = sorted(set(one.runs) & set(two.runs))
            ratios[f"{upper} / {lower}"] = spread(
                [one.cost(p, media_s) / two.cost(p, media_s) for p in shared]
            )
    return {
        "raster": raster.name,
        "cpu_s_per_media_s": {name: spread(s.costs(media_s)) for name, s in by_label.items()},
        "start_up_cpu_s": {name: round(s.start_s, 3) for name, s in by_label.items()},
        "most_memory_mb": {
            name: round(max(u.most_mb for u in s.runs.values()), 1) for name, s in by_label.items()
        },
        "ratios": ratios,
    }


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, quartiles, extremes and how many."""
    shares = {"min": 0.0, "q1": 0.25, "median": 0.5, "q3": 0.75, "max": 1.0}
    return {**{name: round(quantile(values, s) or 0.0, 5) for name, s in shares.items()}, "runs": len(values)}


def per_detector(file: Path, check: Sequence[str] = CHECK) -> dict[str, float]:
    """CPU ms a media second inside each detector, features that it was first to ask for included, dearest first."""
    report = Report.model_validate_json(output([*check, str(file), "--json", "-"], good=VERDICT))
    total: dict[str, float] = {}
    for row in report.coverage:
        total[row.detector] = round(total.get(row.detector, 0.0) + row.cpu_ms_per_s, 4)
    return dict(sorted(total.items(), key=lambda item: -item[1]))


def content(raster: Raster, seconds: float) -> Path:
    """The stream to be measured, made when it is not there: footage of the corpus, or made pictures without one."""
    folder = sources.corpus()
    kind = "footage" if folder else "made"
    path = OUT / f"{raster.name}-{kind}-{seconds:g}s.mp4"
    if not path.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        made_of = islice(_pictures(raster.size, folder), round(seconds * FPS))
        coding = Coding(preset="medium", crf=None, bit_rate=raster.bit_rate, gop=60, b_pictures=2)
        rng = np.random.default_rng(SEED)
        heard = [s for s in sources.sounds(folder) if s.active]
        track = sound(rng, heard, round(seconds * RATE_HZ), Log(), even=True)
        partial = path.with_suffix(".partial")
        write(partial, made_of, track, FPS, coding)
        partial.replace(path)
    return path


def _pictures(size: tuple[int, int], folder: Path | None) -> Iterator[Picture]:
    clips = [
        s for s in sources.pictures(folder) if s.path and s.kind == "natural" and s.moving and s.width >= 960
    ]
    while clips:
        for clip in sorted(clips, key=lambda s: s.name):
            assert clip.path is not None
            yield from read_pictures(clip.path, size, most_s=SHOT_S)
    yield from made.pictures("landscape", np.random.default_rng(SEED), size, float(FPS))


def _show(console: Console, result: dict[str, Any]) -> None:
    table = Table(title=f"{result['raster']}: CPU ms for a second of media", title_justify="left")
    table.add_column("program")
    for name in ("median", "quartiles", "extremes", "runs", "start-up s", "memory MB"):
        table.add_column(name, justify="right")
    for name, cost in result["cpu_s_per_media_s"].items():
        cells = _cells(cost, 1000, 1)
        table.add_row(
            name, *cells, f"{result['start_up_cpu_s'][name]:.2f}", f"{result['most_memory_mb'][name]:.0f}"
        )
    console.print(table)
    ratios = Table(title=f"{result['raster']}: ratios, pair by pair", title_justify="left")
    ratios.add_column("of what to what")
    for name in ("median", "quartiles", "extremes", "pairs"):
        ratios.add_column(name, justify="right")
    for name, ratio in result["ratios"].items():
        ratios.add_row(name, *_cells(ratio, 1, 3))
    console.print(ratios)
    shares = ", ".join(
        f"{name} {ms:.2f}" for name, ms in result["detectors_cpu_ms_per_s"].items() if ms >= 0.01
    )
    console.print(f"CPU ms for a second of media inside each detector: {shares}", highlight=False)


def _cells(values: dict[str, float], factor: float, digits: int) -> list[str]:
    def number(name: str) -> str:
        return f"{values[name] * factor:.{digits}f}"

    return [
        number("median"),
        f"{number('q1')}–{number('q3')}",
        f"{number('min')}–{number('max')}",
        str(int(values["runs"])),
    ]


if __name__ == "__main__":
    main()
