"""The arithmetic of the cost benchmark, and that its children run."""

import sys
from fractions import Fraction
from pathlib import Path

import pytest

from benchmarks import speed
from benchmarks.children import FLOOR, Usage, run
from benchmarks.ffmpeg import Ffmpeg
from benchmarks.media import Coding, write
from tests.sounds import tone
from tests.unit.benchmarks.test_media import ramp


def series(label: str, start_s: float, *costs: float) -> speed.Series:
    made = speed.Series(label, lambda f: [f])
    made.starts = {0: Usage(start_s, 10.0)}
    made.runs = {pair: Usage(cost, 20.0 + pair) for pair, cost in enumerate(costs)}
    return made


def test_costs_leave_the_start_out() -> None:
    one = series("check", 1.0, 3.0, 5.0)
    assert one.costs(10.2) == pytest.approx([0.2, 0.4])


def test_ratios_are_formed_pair_by_pair() -> None:
    figures = speed.figures(
        speed.RASTERS[0],
        10.2,
        {
            "decode": series("decode", 0.0, 1.0, 2.0, 4.0),
            "check": series("check", 1.0, 2.2, 3.4, 5.8),
            "check, like for like": series("check, like for like", 1.0, 2.0, 3.0, 5.0),
            "ffmpeg": series("ffmpeg", 0.0, 12.0),
        },
    )
    assert figures["ratios"]["check / decode"] == {
        "min": 1.2,
        "q1": 1.2,
        "median": 1.2,
        "q3": 1.2,
        "max": 1.2,
        "runs": 3,
    }
    assert figures["ratios"]["ffmpeg / check"]["median"] == pytest.approx(10.0)
    assert figures["ratios"]["ffmpeg / check"]["runs"] == 1
    assert figures["most_memory_mb"]["check"] == 22.0


def test_the_limit_is_about_1080p() -> None:
    def result(raster: str, q1: float) -> dict[str, object]:
        return {"raster": raster, "ratios": {"check / decode": {"q1": q1, "median": 2 * q1}}}

    assert speed.over([result("1080p30", 1.13), result("360p30", 1.0)], 1.12)
    assert not speed.over([result("1080p30", 1.12), result("360p30", 9.0)], 1.12)
    with pytest.raises(ValueError, match="not measured"):
        speed.over([result("360p30", 1.0)], 1.12)


def test_ffmpeg_is_asked_only_for_what_it_has() -> None:
    tool = Ffmpeg("ffmpeg", "1", lacks=["cropdetect", "astats"])
    words = " ".join(tool.plain(Path("a.mp4")))
    assert "blackdetect,freezedetect,blockdetect,blurdetect,signalstats,idet " in words
    assert "silencedetect,ebur128=peak=true " in words
    assert "-threads 1 -filter_threads 1" in words
    assert "astats" not in words


def test_the_tuned_command_keeps_black_and_freeze_on_every_picture() -> None:
    tool = Ffmpeg("ffmpeg", "1")
    graph = tool.tuned(Path("a.mp4"), half=True)[
        tool.tuned(Path("a.mp4"), half=True).index("-filter_complex") + 1
    ]
    every, some = graph.split(";")[1:]
    assert every == "[a]blackdetect,freezedetect[all]"
    assert some.startswith("[b]fps=5,scale=iw/2:ih/2")
    assert "scale" not in " ".join(tool.tuned(Path("a.mp4"), half=False))


def test_a_child_tells_its_own_use() -> None:
    used = run([sys.executable, "-c", "x = bytearray(60 << 20); x[::4096] = bytes(len(x[::4096]))"])
    assert used.cpu_s > 0
    assert 60 < used.most_mb < 150
    assert run([sys.executable, "-c", "pass"]).most_mb < 60  # not what this process holds


def test_a_failing_child_is_said() -> None:
    with pytest.raises(RuntimeError, match="Exit status 3"):
        run([sys.executable, "-c", "raise SystemExit(3)"])
    assert run([sys.executable, "-c", "raise SystemExit(1)"], good=frozenset({0, 1})).cpu_s > 0


def test_the_floor_decodes(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", ramp(25), tone(1.0), Fraction(25), Coding())
    assert run([*FLOOR, tmp_path / "a.mp4"]).cpu_s > 0
    with pytest.raises(RuntimeError, match="Exit status 1"):
        run([*FLOOR, tmp_path / "none.mp4"])
