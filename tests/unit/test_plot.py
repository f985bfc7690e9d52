"""`glitchwatch detectors NAME --plot INPUT`: the curve, its threshold, the defects; and what is refused."""

import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from rich.console import Console

from contracts.errors import ConfigError
from detectors.catalogue import load
from glitchwatch.listing import find, show_manual
from glitchwatch.plot import levels, plot
from tests.media import Video, write
from tests.patterns import BLACK, flat, panning
from tests.unit.render.reports import report

QUIET = Console(quiet=True)


@pytest.fixture(scope="module")
def dark(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """8 s, black from 2 s to 6 s, without sound."""
    path = tmp_path_factory.mktemp("plot") / "dark.mp4"
    moving = panning(4.0)
    write(path, video=Video([*moving[:50], *([flat(BLACK)] * 100), *moving[50:]]))
    return path


def test_a_page_shows_the_curve_its_threshold_and_the_defect(dark: Path, tmp_path: Path) -> None:
    out = tmp_path / "black.html"
    assert plot("black", str(dark), str(out), QUIET) == 1
    text = out.read_text("utf-8")
    assert "dark_coverage (threshold 0.98)" in text
    (shade,) = re.findall(r'<rect class="bar shade critical"[^>]* x="([\d.]+)"[^>]* width="([\d.]+)"', text)[
        :1
    ]
    assert float(shade[1]) == pytest.approx(4 / 8 * (1000 - 190 - 30), rel=0.02)
    assert 'class="curve k0" d="M' in text
    assert "http" not in re.sub(r"http-equiv|http://www.w3.org", "", text), "it fetches nothing"


def test_a_picture_shows_the_same(dark: Path, tmp_path: Path) -> None:
    out = tmp_path / "black.png"
    assert plot("black", str(dark), str(out), QUIET) == 1
    image = cv2.imread(str(out))
    assert image is not None
    assert image.shape[1] == 1000
    shaded = (image == np.array([200, 190, 235])).all(axis=2).any(axis=0)
    assert shaded.sum() == pytest.approx(450, rel=0.05)  # 4 s of 8 s, 900 pixels


def test_thresholds_are_known_without_a_defect() -> None:
    assert levels(load()["black"], report()) == {"dark_coverage": 0.98}


@pytest.mark.parametrize(
    ("name", "out", "words"),
    [
        ("blakc", "a.html", "There is no detector 'blakc'. Did you mean black"),
        ("xyzzy", "a.html", "`glitchwatch detectors` lists them all"),
        ("black", "a.pdf", "Cannot draw into a.pdf"),
        ("black", "no/such/folder/a.png", "its folder does not exist"),
        ("silence", "a.html", "measured nothing over time in {dark}. The input has no sound"),
        ("format_change", "a.html", "`glitchwatch check --only format_change` tells"),
    ],
)
def test_what_cannot_be_drawn_is_said(
    dark: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, out: str, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        plot(name, str(dark), out, QUIET)
    assert words.format(dark=dark) in caught.value.explain()
    assert list(tmp_path.iterdir()) == []


def test_an_input_that_cannot_be_read_is_status_3(tmp_path: Path) -> None:
    assert plot("black", str(tmp_path / "none.mp4"), str(tmp_path / "a.html"), QUIET) == 3
    assert list(tmp_path.iterdir()) == []


def test_a_manual_page_in_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    show_manual(Console(), "black")
    said = capsys.readouterr().out
    assert said.startswith(load()["black"].manual()[:20])
    assert "min_seconds = 2.0" in said
    assert find("black", load()) is load()["black"]
