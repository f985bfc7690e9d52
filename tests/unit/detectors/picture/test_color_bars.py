"""Colour bars of every make are found; what is merely colourful or striped is not."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.frame import Frame
from detectors.picture.color_bars import DETECTOR, ColorBars, ColorBarsParams
from detectors.picture_features import KR_KB
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, HEIGHT, SECOND, TRACK, WIDTH, broken, flat, frames, grain, panning, written
from tests.run import edges, findings

Rgb = tuple[float, float, float]

WHITE, YELLOW, CYAN, GREEN = (1.0, 1.0, 1.0), (1.0, 1.0, 0.0), (0.0, 1.0, 1.0), (0.0, 1.0, 0.0)
MAGENTA, RED, BLUE, DARK = (1.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, 0.0, 0.0)
COLOURS = (WHITE, YELLOW, CYAN, GREEN, MAGENTA, RED, BLUE)


def at_level(colours: Sequence[Rgb], level: float) -> list[Rgb]:
    return [(level * r, level * g, level * b) for r, g, b in colours]


def columns(bars: Sequence[tuple[Rgb, float]], size: tuple[int, int], matrix: str = "bt601") -> Picture:
    """One row of columns, each a colour and its share of the width, over the whole height."""
    width, height = size
    edges_at = np.rint(np.cumsum([0.0, *(share for _, share in bars)]) * width).astype(int)
    rgb = np.zeros((width, 3))
    for (colour, _), first, last in zip(bars, edges_at, edges_at[1:], strict=False):
        rgb[first:last] = colour
    kr, kb = {str(k): v for k, v in KR_KB.items()}[matrix]
    luma = rgb @ (kr, 1 - kr - kb, kb)
    blue, red = (rgb[:, 2] - luma) / (2 * (1 - kb)), (rgb[:, 0] - luma) / (2 * (1 - kr))

    def plane(line: npt.NDArray[np.float64], lines: int) -> npt.NDArray[np.uint8]:
        return np.tile(np.rint(line).astype(np.uint8), (lines, 1))

    half = (height + 1) // 2
    return (
        plane(16 + 219 * luma, height),
        plane(128 + 224 * blue[::2], half),
        plane(128 + 224 * red[::2], half),
    )


def stacked(parts: Sequence[tuple[Picture, float]]) -> Picture:
    """Parts of full height, one below the other by their shares of the height."""
    cuts = np.cumsum([0.0, *(share for _, share in parts)])
    planes = []
    for index in range(3):
        tall = parts[0][0][index].shape[0]
        at = np.rint(cuts * tall).astype(int)
        pieces = [p[index][: b - a] for (p, _), a, b in zip(parts, at, at[1:], strict=False)]
        planes.append(np.concatenate(pieces))
    return planes[0], planes[1], planes[2]


def ebu(size: tuple[int, int] = (WIDTH, HEIGHT), level: float = 0.75, matrix: str = "bt601") -> Picture:
    """EBU bars, 100/0/75/0 or 100/0/100/0: white is full in both."""
    colours = [WHITE, *at_level(COLOURS[1:], level), DARK]
    return columns([(c, 1 / 8) for c in colours], size, matrix)


def smpte(size: tuple[int, int] = (WIDTH, HEIGHT), matrix: str = "bt601") -> Picture:
    """SMPTE ECR 1: bars, castellations, and a foot with white, I, Q and black."""
    top = columns([(c, 1 / 7) for c in at_level(COLOURS, 0.75)], size, matrix)
    middle = at_level((BLUE, DARK, MAGENTA, DARK, CYAN, DARK, WHITE), 0.75)
    foot = [((0.0, 0.13, 0.3), 0.18), (WHITE, 0.18), ((0.2, 0.0, 0.42), 0.18), (DARK, 0.46)]
    low = columns([(c, 1 / 7) for c in middle], size, matrix), columns(foot, size, matrix)
    return stacked([(top, 0.67), (low[0], 0.08), (low[1], 0.25)])


def rp219(size: tuple[int, int] = (WIDTH, HEIGHT), matrix: str = "bt709") -> Picture:
    """SMPTE RP 219: 75 % bars between grey sides, ramps and black below."""
    grey, bar = (0.4, 0.4, 0.4), 0.75 / 7
    top = [(grey, 1 / 8), *((c, bar) for c in at_level(COLOURS, 0.75)), (grey, 1 / 8)]
    ramp = [((x / 10, x / 10, x / 10), 0.1) for x in range(10)]
    return stacked([(columns(top, size, matrix), 7 / 12), (columns(ramp, size, matrix), 5 / 12)])


def _barred(picture: Picture, moment: Moment) -> Picture:
    if "bars" not in moment.memory:
        size = (picture[0].shape[1], picture[0].shape[0])
        matrix = str(moment.rng.choice(("bt601", "bt709")))
        makes = (ebu(size, 0.75, matrix), ebu(size, 1.0, matrix), smpte(size, matrix), rp219(size, matrix))
        moment.memory["bars"] = makes[int(moment.rng.integers(4))]
    bars: Picture = moment.memory["bars"]
    if moment.level is Level.GROSS:
        return bars
    width, height = picture[0].shape[1], picture[0].shape[0]
    text = f"STUDIO 4  00:{int(moment.index / moment.fps):02d}"
    out = written(bars, text, (width // 6, height // 2), scale=width / 400, luma=235)
    if moment.level is Level.JUST:  # down a noisy line, with its colour a little low
        luma, blue, red = grain(out, moment.rng, 6.0)
        weak = [(128 + 0.85 * (p.astype(np.float32) - 128)).astype(np.uint8) for p in (blue, red)]
        return luma, weak[0], weak[1]
    return out


FAULT = Fault("color_bars", (3.0, 10.0), picture=_barred)


def color_bars(**params: float) -> ColorBars:
    return DETECTOR(ColorBarsParams(**params), TRACK)


@pytest.mark.parametrize("level", list(Level))
def test_golden_dated_to_the_first_picture_looked_at(level: Level) -> None:
    found = [
        f
        for f in findings(color_bars(), broken(_barred, panning(7), 77, 122, level))
        if isinstance(f, DefectEdge)
    ]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 80 * SECOND // FPS),  # of five a second
        ("closed", 125 * SECOND // FPS),
    ]
    assert SECOND <= found[0].certain_at_ns - found[0].at_ns <= SECOND + SECOND // 5
    assert found[0].severity is Severity.ERROR


@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize("make", [ebu, smpte, rp219])
@pytest.mark.parametrize("size", [(1920, 1080), (720, 576), (321, 181)])
def test_every_make_in_every_raster_and_either_matrix(
    make: object, matrix: str, size: tuple[int, int]
) -> None:
    assert callable(make)
    assert edges(color_bars(), frames([make(size, matrix=matrix)] * 26)) == [("opened", 0.0)]


def test_ten_bits_and_full_range() -> None:
    luma, blue, red = (np.asarray(p.astype(np.uint16) << 2, np.uint16) for p in ebu())
    deep = [
        Frame(TRACK, i * SECOND // FPS, SECOND // FPS, luma, (blue, red), 10, matrix="bt601")
        for i in range(26)
    ]
    assert edges(color_bars(), deep) == [("opened", 0.0)]


def test_bars_in_a_pillar_box_with_a_counter() -> None:
    picture = flat(16)
    inner = smpte((360, HEIGHT))
    for plane, bars, left in zip(picture, inner, (60, 30, 30), strict=True):
        plane[:, left : left + bars.shape[1]] = bars
    stream = frames(written(picture, f"00:00:{i // 25:02d}", (160, 120), luma=235) for i in range(50))
    assert edges(color_bars(), stream) == [("opened", 0.0)]


def test_a_test_card_that_stands_still_needs_few_rows_of_bars() -> None:
    card, bars = flat(120), columns([(c, 1 / 6) for c in at_level(COLOURS[1:], 0.75)], (240, 40))
    for plane, part, (x, y) in zip(card, bars, ((120, 80), (60, 40), (60, 40)), strict=True):
        plane[y : y + part.shape[0], x : x + part.shape[1]] = part
    assert edges(color_bars(), frames([card] * 50)) == [("opened", 0.0)]
    rng = np.random.default_rng(3)  # a camera that looks at one
    assert edges(color_bars(), frames(grain(card, rng, 3.0) for _ in range(50))) == []


def test_shorter_than_a_second_is_silent() -> None:
    assert edges(color_bars(), broken(_barred, panning(4), 50, 74)) == []


@pytest.mark.parametrize("level", [0.2, 0.5])
def test_pale_stripes_are_not_bars(level: float) -> None:
    pale = [tuple(1 - level * (1 - x) for x in colour) for colour in COLOURS]
    card = columns([((r, g, b), 1 / 7) for r, g, b in pale], (WIDTH, HEIGHT))
    assert edges(color_bars(), frames([card] * 50)) == []


@pytest.mark.parametrize(
    "bars",
    [
        [(RED, 1 / 3), (WHITE, 1 / 3), (BLUE, 1 / 3)],  # a flag
        [(c, 1 / 8) for c in (RED, GREEN, BLUE, YELLOW) * 2],  # stripes of four colours
        [(c, s) for c, s in zip(COLOURS[1:], (0.3, 0.1, 0.2, 0.1, 0.2, 0.1), strict=True)],  # uneven
        [((x / 8, x / 8, x / 8), 1 / 8) for x in range(8)],  # a staircase of grey
    ],
)
def test_flags_stripes_and_greys_are_programme(bars: list[tuple[Rgb, float]]) -> None:
    assert edges(color_bars(), frames([columns(bars, (WIDTH, HEIGHT))] * 50)) == []


def test_bars_on_a_monitor_in_the_shot_are_programme() -> None:
    pictures = panning(3)
    inner = ebu((160, 90))
    for picture in pictures:
        for plane, bars, (x, y) in zip(picture, inner, ((100, 60), (50, 30), (50, 30)), strict=True):
            plane[y : y + bars.shape[0], x : x + bars.shape[1]] = bars
    assert edges(color_bars(), frames(pictures)) == []


def test_monochrome_has_no_bars() -> None:
    luma = ebu()[0]
    assert (
        edges(color_bars(), [Frame(TRACK, i * SECOND // FPS, SECOND // FPS, luma) for i in range(50)]) == []
    )
