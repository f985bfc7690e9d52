"""`make score-ffmpeg`: faults that we did not write. FFmpeg's own filters break programme; which of them are found?

Our injectors (`tests/injection.py`) and detectors come from the same hands, and so may share a mistake. These come
from others: each recipe is a filter as somebody would type it, with figures drawn afresh. Programme is made as for
`make score`, coded, run through the filter from one moment to another, coded again, and watched with the defaults.
"""

from __future__ import annotations

import json
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import click
import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import ffmpeg
from benchmarks.cases import seats, watch
from benchmarks.clips import Case, make_clip
from benchmarks.matching import Matched, match, quantile
from benchmarks.score import OUT
from detectors.catalogue import load
from tests.injection import Fault, Level, Moment, Picture

SCORES = Path("docs/scores_ffmpeg.json")
TIMEOUT_S = 600
Rng = np.random.Generator


@dataclass(frozen=True, slots=True)
class Recipe:
    """How FFmpeg makes one defect: `graph` is the filter graph from [in] to [out], given a draw and when it is on."""

    kind: str  # "video" or "audio"
    graph: Callable[[Rng, float, float], str]
    lengths_s: tuple[float, float] = (4.0, 7.0)


def while_on(start_s: float, end_s: float) -> str:
    """A filter's option that turns it on for a while."""
    return f"enable='between(t,{start_s:.3f},{end_s:.3f})'"


def timed(draw: Callable[[Rng], str]) -> Callable[[Rng, float, float], str]:
    """Of a filter that can be turned on and off."""
    return lambda rng, a, b: f"[in]{draw(rng)}:{while_on(a, b)}[out]"


def over(draw: Callable[[Rng], str]) -> Callable[[Rng, float, float], str]:
    """Of filters that cannot: what they make of the picture is laid over it."""

    def graph(rng: Rng, a: float, b: float) -> str:
        return f"[in]split[q][p];[p]{draw(rng)}[z];[q][z]overlay=format=yuv420:{while_on(a, b)}[out]"

    return graph


def instead(draw: Callable[[Rng], str]) -> Callable[[Rng, float, float], str]:
    """The same for sound: what they make of it is heard in its place."""

    def graph(rng: Rng, a: float, b: float) -> str:
        on, off = while_on(a, b), f"enable='not(between(t,{a:.3f},{b:.3f}))'"
        return (
            f"[in]asplit[q][p];[p]{draw(rng)}[z];[q]volume=0:{on}[q0];[z]volume=0:{off}[z0];"
            "[q0][z0]amix=normalize=0:duration=first[out]"
        )

    return graph


def added(draw: Callable[[Rng], str]) -> Callable[[Rng, float, float], str]:
    """Of an expression in t that is added to every channel."""
    return lambda rng, a, b: f"[in]aeval='val(ch)+{draw(rng)}':c=same:{while_on(a, b)}[out]"


def _between(rng: Rng, low: float, high: float) -> str:
    return f"{rng.uniform(low, high):.3f}"


def _among(rng: Rng, *choices: Any) -> str:
    return str(choices[int(rng.integers(len(choices)))])


def _freeze(rng: Rng, a: float, b: float) -> str:
    one = f"trim=start={a:.3f}:end={a + 0.2:.3f},select='eq(n,0)'"
    held = f"{one},tpad=stop_mode=clone:stop_duration=30,setpts=PTS-STARTPTS"
    return f"[in]split[q][p];[p]{held}[z];[q][z]overlay=format=yuv420:shortest=1:{while_on(a, b)}[out]"


def _bars(rng: Rng, a: float, b: float) -> str:
    source = f"{_among(rng, 'smptebars', 'smptehdbars', 'pal75bars')}=s=640x360,format=yuv420p"
    return (
        f"{source}[z0];[z0][in]scale2ref[z][q];[q][z]overlay=format=yuv420:shortest=1:{while_on(a, b)}[out]"
    )


def _seam(rng: Rng, a: float, b: float) -> str:
    upper = f"tpad=start=1:start_mode=clone,crop=iw:ih*{_between(rng, 0.3, 0.6)}:0:0"
    torn = f"[p]{upper}[z];[q][z]overlay=format=yuv420[y]"
    return f"[in]split=3[q][p][o];{torn};[o][y]overlay=format=yuv420:{while_on(a, b)}[out]"


def _black_bars(rng: Rng, a: float, b: float) -> str:
    share = rng.uniform(0.1, 0.16)
    first, second = ("x=0:w=iw*{0:.3f}", "x=iw-iw*{0:.3f}:w=iw*{0:.3f}")
    if rng.random() < 0.5:
        first, second = ("y=0:h=ih*{0:.3f}", "y=ih-ih*{0:.3f}:h=ih*{0:.3f}")
    boxes = (f"drawbox={box.format(share)}:t=fill:color=black:{while_on(a, b)}" for box in (first, second))
    return f"[in]{','.join(boxes)}[out]"


def _blocks(rng: Rng) -> str:
    size = _among(rng, 4, 8)
    return f"scale=iw/{size}:ih/{size}:flags=area,scale=iw*{size}:ih*{size}:flags=neighbor"


def _blur(rng: Rng) -> str:
    return (
        f"gblur=sigma={_between(rng, 2.5, 5)}" if rng.random() < 0.6 else f"boxblur={_among(rng, 3, 4, 5)}:2"
    )


def _flicker(rng: Rng) -> str:
    swing = f"sin(2*PI*t*{_among(rng, 4, 6, 8)})'"
    if rng.random() < 0.5:
        return f"eq=brightness='{_between(rng, 0.015, 0.04)}*{swing}:eval=frame"
    return f"eq=gamma='1+{_between(rng, 0.04, 0.09)}*{swing}:eval=frame"


def _repeat(rng: Rng, a: float, b: float) -> str:
    length = rng.uniform(0.08, 0.4)
    stuck = (
        f"atrim={a - length:.3f}:{a:.3f},aloop=loop=-1:size={int(length * 48_000)},asetpts=N/SR/TB,atrim=0:60"
    )
    return instead(lambda _: stuck)(rng, a, b)


def _overdriven(rng: Rng, a: float, b: float) -> str:
    return f"[in]volume={_between(rng, 16, 24)}dB:{while_on(a, b)},aformat=sample_fmts=s16[out]"  # which cuts


def _holes(rng: Rng, a: float, b: float) -> str:
    hole = f"lt(mod(t,{_between(rng, 0.4, 0.9)}),{_between(rng, 0.03, 0.12)})"
    return f"[in]volume=0:enable='between(t,{a:.3f},{b:.3f})*{hole}'[out]"


def _hum(rng: Rng) -> str:
    height, hz = _between(rng, 0.03, 0.08), _among(rng, 50, 60)
    return f"{height}*(sin(2*PI*{hz}*t)+0.5*sin(4*PI*{hz}*t)+0.3*sin(6*PI*{hz}*t))"


RECIPES: dict[str, Recipe] = {
    "black": Recipe("video", timed(lambda _: "drawbox=t=fill:color=black")),
    "solid_color": Recipe(
        "video", timed(lambda r: f"drawbox=t=fill:color={_among(r, 'blue', 'green', '0x303030')}")
    ),
    "freeze": Recipe("video", _freeze),
    "color_bars": Recipe("video", _bars),
    "stutter": Recipe("video", timed(lambda r: f"shuffleframes='{' '.join(['0'] * int(r.integers(3, 7)))}'")),
    "blockiness": Recipe("video", over(_blocks)),
    "blur": Recipe("video", timed(_blur)),
    "picture_noise": Recipe("video", timed(lambda r: f"noise=alls={r.integers(20, 50)}:allf=t")),
    "banding": Recipe(
        "video", timed(lambda r: "lutyuv=y='floor(val/{0})*{0}'".format(_among(r, 12, 16, 24)))
    ),
    "tearing": Recipe("video", _seam),
    "combing": Recipe("video", over(lambda _: "separatefields,select='gte(n,1)',weave=first_field=bottom")),
    "flash": Recipe(
        "video",
        timed(
            lambda r: "eq=brightness='0.6*gt(mod(t,{0}),{0}/2)-0.3':eval=frame".format(
                _among(r, 0.16, 0.2, 0.24)
            )
        ),
    ),
    "flicker": Recipe("video", timed(_flicker)),
    "black_bars": Recipe("video", _black_bars),
    "chroma_loss": Recipe("video", timed(lambda _: "hue=s=0")),
    "silence": Recipe("audio", timed(lambda _: "volume=0")),
    "channel_silence": Recipe("audio", instead(lambda _: "pan=stereo|c0=c0|c1=0*c1"), (5.0, 8.0)),
    "clipping": Recipe("audio", _overdriven),
    "click": Recipe(
        "audio", added(lambda r: f"{_between(r, 0.3, 0.8)}*lt(mod(t,{_between(r, 0.25, 0.6)}),1.5/48000)")
    ),
    "audio_dropout": Recipe("audio", _holes),
    "hum": Recipe("audio", added(_hum), (7.0, 10.0)),
    "audio_noise": Recipe("audio", added(lambda r: f"{_between(r, 0.03, 0.1)}*(2*random(ch)-1)"), (6.0, 9.0)),
    "phase_reversal": Recipe("audio", instead(lambda _: "pan=stereo|c0=c0|c1=-1*c0"), (5.0, 8.0)),
    "mono": Recipe("audio", instead(lambda _: "pan=stereo|c0=c0|c1=c0"), (7.0, 10.0)),
    "test_tone": Recipe(
        "audio", instead(lambda r: f"aeval='{_between(r, 0.1, 0.5)}*sin(2*PI*1000*t)':c=same")
    ),
    "dc_offset": Recipe("audio", timed(lambda r: f"dcshift={_among(r, -1, 1)}*{_between(r, 0.05, 0.2)}")),
    "audio_repeat": Recipe("audio", _repeat),
}


@dataclass(frozen=True, slots=True)
class Broken:
    """One fault, what was found of it, and what else was told in its clip."""

    defect: str
    number: int
    graph: str
    about: str
    matched: Matched


def break_one(
    defect: str, number: int, of: int, seed: int, binary: str, scratch: Path, masters: Path
) -> Broken:
    """Make programme, let FFmpeg break it, watch it: fault `number` of so many. Raises RuntimeError if it cannot."""
    recipe = RECIPES[defect]
    fault = Fault(defect, recipe.lengths_s, picture=_as_it_is, after_cut_s=1.0)
    if defect in ("combing", "tearing"):
        fault = replace(fault, defect="blur")  # of the others, scoring draws again until they show
    case = Case(defect, "ffmpeg", Level.PLAIN, number, seed, number, of)
    path, truth, about, _ = make_clip(case, fault, scratch, masters)
    track = "video:0" if recipe.kind == "video" else "audio:0"
    truth = replace(truth, defect=defect, track=track, injected_s=None)
    rng = np.random.default_rng((seed, number, *defect.encode()))
    graph = recipe.graph(rng, truth.start_s, truth.end_s)
    out = path.with_name(f"{path.stem}-broken.mp4")
    name, other = ("0:v", "0:a") if recipe.kind == "video" else ("0:a", "0:v")
    into = "format=yuv420p" if recipe.kind == "video" else "aformat=channel_layouts=stereo:sample_fmts=fltp"
    graph = f"[{name}]{into}[in];{graph}"
    codec = ("libx265", "-x265-params", "log-level=none") if rng.random() < 0.2 else ("libx264",)
    command = [
        binary, "-v", "error", "-nostdin", "-y", "-i", str(path), "-filter_complex", graph, "-map", "[out]", "-map",
        other, "-c:v", *codec, "-crf", str(rng.integers(20, 29)), "-preset", "veryfast", "-g", "60", "-ac", "2",
        "-c:a", "aac", "-b:a", "128k", str(out),
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if done.returncode:
        raise RuntimeError(f"FFmpeg did not make {defect} with {graph}: {done.stderr[-400:]}")
    report = watch(out, seats((defect,)))[1]
    path.unlink()
    out.unlink()
    return Broken(defect, number, graph, about, match([truth], report.defects))


def _as_it_is(picture: Picture, moment: Moment) -> Picture:
    return picture


def summary(broken: Sequence[Broken]) -> dict[str, dict[str, Any]]:
    """By defect: how many there were, how many were found, how late the beginning is told, what else was told."""
    rows: dict[str, dict[str, Any]] = {}
    for defect in dict.fromkeys(one.defect for one in broken):
        mine = [one for one in broken if one.defect == defect]
        errors = [truth.onset_error_s(found) for one in mine for truth, found in one.matched.hits]
        others = [d.defect for one in mine for d in one.matched.others]
        rows[defect] = {
            "faults": len(mine),
            "found": len(errors),
            "onset_error_p95_s": quantile(errors, 0.95),
            "beside it": ", ".join(f"{name} {others.count(name)}" for name in sorted(set(others))),
        }
    return rows


@click.command()
@click.option(
    "--seed", type=click.IntRange(0), help="Draw the same again; without it, a fresh one is drawn and told."
)
@click.option("--only", default="", help="Defects, comma-separated.")
@click.option("--faults", type=click.IntRange(1), default=8, show_default=True, help="Of each defect.")
@click.option("--jobs", type=click.IntRange(1), default=2, show_default=True, help="Processes.")
@click.option(
    "--out", type=click.Path(path_type=Path), default=OUT, show_default=True, help="For masters and figures."
)
@click.option("--write", is_flag=True, help=f"Write {SCORES} as well, unless some defects are left out.")
def main(seed: int | None, only: str, faults: int, jobs: int, out: Path, write: bool) -> None:
    """Break programme with FFmpeg's filters and say what is found. There is no bar: it is to be learned from."""
    console = Console(width=None if Console().is_terminal else 160)
    wanted = [name.strip() for name in only.split(",") if name.strip()] or list(RECIPES)
    unknown = sorted(set(wanted) - set(RECIPES))
    if unknown:
        raise click.UsageError(f"There is no recipe for {unknown[0]!r}. Known: {', '.join(RECIPES)}.")
    tool = ffmpeg.find()
    if tool is None:
        raise click.UsageError("FFmpeg is not at hand: install it, or the package imageio-ffmpeg.")
    seed = secrets.randbelow(1 << 31) if seed is None else seed
    console.print(f"Seed {seed} (repeat with --seed {seed}). FFmpeg {tool.version}.")
    (out / "masters").mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(prefix="glitchwatch-ffmpeg-") as scratch,
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool,
    ):
        tasks = [
            pool.submit(break_one, defect, number, faults, seed, tool.path, Path(scratch), out / "masters")
            for defect in wanted
            for number in range(faults)
        ]
        broken = [task.result() for task in tasks]
    rows = summary(broken)
    show(console, broken, rows)
    document = {"seed": seed, "FFmpeg": tool.version, "detectors": len(load()), "faults": rows}
    targets = [out / "by_ffmpeg.json", *([SCORES] if write and not only else [])]
    for target in targets:
        target.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    console.print(f"Wrote {', '.join(map(str, targets))}.")


def show(console: Console, broken: Sequence[Broken], rows: dict[str, dict[str, Any]]) -> None:
    """The table, and every fault that was not found."""
    table = Table(title="Faults that FFmpeg's filters made", title_justify="left")
    for name in ("defect", "faults", "found", "onset error p95 s", "told beside it"):
        table.add_column(name, justify="left" if name in ("defect", "told beside it") else "right")
    for defect, row in rows.items():
        error = row["onset_error_p95_s"]
        table.add_row(
            defect,
            str(row["faults"]),
            str(row["found"]),
            "–" if error is None else f"{error:.2f}",
            row["beside it"],
        )
    console.print(table)
    for one in broken:
        for truth in one.matched.missed:
            console.print(
                f"missed {one.defect} {truth.start_s:.2f}–{truth.end_s:.2f} s: {one.graph} in {one.about}",
                highlight=False, markup=False,
            )  # fmt: skip
    found, faults = sum(row["found"] for row in rows.values()), sum(row["faults"] for row in rows.values())
    console.print(f"{found} of {faults} found.")


if __name__ == "__main__":
    sys.exit(main())
