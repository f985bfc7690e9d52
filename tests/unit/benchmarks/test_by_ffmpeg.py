"""Faults of FFmpeg's filters: every recipe names a defect that is known, and is one that FFmpeg takes."""

import subprocess
from pathlib import Path

import numpy as np
import pytest

from benchmarks import by_ffmpeg, ffmpeg
from benchmarks.by_ffmpeg import RECIPES, Broken, break_one, summary
from benchmarks.matching import Truth, match
from contracts.findings import Severity
from detectors.catalogue import load
from glitchwatch import scores_page
from tests.unit.benchmarks.findings import defect

TOOL = ffmpeg.find()
needs_ffmpeg = pytest.mark.skipif(TOOL is None, reason="no FFmpeg at hand")


def test_every_recipe_makes_a_defect_that_a_detector_tells() -> None:
    assert set(RECIPES) <= set(load())


@needs_ffmpeg
@pytest.mark.parametrize("name", RECIPES)
def test_ffmpeg_takes_the_graph(name: str) -> None:
    assert TOOL is not None
    recipe = RECIPES[name]
    source = (
        "testsrc2=s=320x240:d=1.5" if recipe.kind == "video" else "sine=d=1.5,aformat=channel_layouts=stereo"
    )
    graph = f"{source}[in];{recipe.graph(np.random.default_rng(3), 0.5, 1.0)}"
    command = [
        TOOL.path,
        "-v",
        "error",
        "-filter_complex",
        graph,
        "-map",
        "[out]",
        "-t",
        "1.5",
        "-f",
        "null",
        "-",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@needs_ffmpeg
def test_a_fault_is_made_watched_and_matched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert TOOL is not None
    monkeypatch.setenv("GLITCHWATCH_CORPUS", "nowhere")
    one = break_one("black", 0, 1, 7, TOOL.path, tmp_path, tmp_path)
    assert len(one.matched.hits) == 1
    assert list(tmp_path.glob("*.mp4")) == []
    monkeypatch.setitem(RECIPES, "black", by_ffmpeg.Recipe("video", lambda *_: "[in]nonsense[out]"))
    with pytest.raises(RuntimeError, match="FFmpeg did not make black"):
        break_one("black", 0, 1, 7, TOOL.path, tmp_path, tmp_path)


def test_the_summary_counts_what_is_missed_and_what_stands_beside_it() -> None:
    truth = Truth("black", "video:0", 2.0, 6.0)
    beside = defect("freeze", 3.0, 5.0, severity=Severity.ERROR)
    hit = Broken("black", 0, "g", "a", match([truth], [defect("black", 2.2, 6.0), beside]))
    miss = Broken("black", 1, "g", "a", match([truth], []))
    rows = summary([hit, miss])
    assert rows == {
        "black": {"faults": 2, "found": 1, "onset_error_p95_s": pytest.approx(0.2), "beside it": "freeze 1"}
    }
    page = scores_page.page({"detectors": {}}, {"seed": 7, "faults": rows})
    assert "| black | 2 | 1 | 0.2 | freeze 1 |" in page
    assert "seed: 7" in page
