"""Solid colour: "no signal" fields, and not plain things that programmes show."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.frame import Frame
from detectors.picture.solid_color import DETECTOR, SolidColor, SolidColorParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    BLACK,
    FPS,
    HEIGHT,
    SECOND,
    TRACK,
    WHITE,
    WIDTH,
    broken,
    flat,
    frames,
    grain,
    logo,
    mixed,
    pan,
    panning,
)
from tests.run import edges, findings

BLUE, GREEN, GREY, PURE_GREEN = (41, 240, 110), (145, 54, 34), (126, 128, 128), (16, 0, 0)
COLORS = (BLUE, GREEN, GREY, PURE_GREEN)


def _filled(picture: Picture, moment: Moment) -> Picture:
    luma, blue, red = moment.memory.setdefault("color", COLORS[int(moment.rng.integers(len(COLORS)))])
    height, width = picture[0].shape
    field = flat(luma, blue, red, (width, height))
    return grain(field, moment.rng, 0.8) if moment.level is Level.JUST else field


FAULT = Fault("solid_color", (2.0, 8.0), picture=_filled)


def solid(**params: float) -> SolidColor:
    return DETECTOR(SolidColorParams(**params), TRACK)


@pytest.mark.parametrize("level", list(Level))
def test_golden_dated_to_the_picture(level: Level) -> None:
    stream = broken(_filled, panning(6), 33, 84, level)
    found = [f for f in findings(solid(), stream) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 33 * SECOND // FPS),
        ("closed", 84 * SECOND // FPS),
    ]
    assert found[0].severity is Severity.ERROR
    assert found[0].peak.value <= 1.5


@pytest.mark.parametrize("color", [*COLORS, (WHITE, 128, 128), (60, 128, 128), (81, 90, 240)])
def test_any_colour_but_black(color: tuple[int, int, int]) -> None:
    assert edges(solid(), frames([flat(*color)] * 50)) == [("opened", 0.0)]


@pytest.mark.parametrize("code", [BLACK, 20, 36])
def test_black_is_another_detectors(code: int) -> None:
    assert edges(solid(), frames([flat(code)] * 50)) == []


def test_shorter_than_a_second_is_a_flash() -> None:
    assert edges(solid(), broken(_filled, panning(4), 25, 49)) == []
    assert edges(solid(), broken(_filled, panning(4), 25, 50)) == [("opened", 1.0), ("closed", 2.0)]


def test_a_fade_through_white_is_programme() -> None:
    out = [mixed(p, flat(WHITE), i / 20) for i, p in enumerate(panning(0.8))]
    back = [mixed(p, flat(WHITE), 1 - i / 20) for i, p in enumerate(panning(0.8, seed=8))]
    assert edges(solid(), frames([*panning(1), *out, *[flat(WHITE)] * 8, *back, *panning(1, seed=8)])) == []


def test_a_logo_on_a_field_is_somebody_s_work() -> None:
    assert edges(solid(), frames([logo(flat(*BLUE))] * 75)) == []


def test_a_clear_sky_is_not_flat() -> None:
    gradient = np.linspace(170, 195, HEIGHT).astype(np.uint8)[:, None].repeat(WIDTH, axis=1)
    sky = (gradient, flat(0, 150)[1], flat(0, 128, 115)[2])
    assert edges(solid(), frames([sky] * 75)) == []


def test_fog_has_grain() -> None:
    rng = np.random.default_rng(3)
    assert edges(solid(), frames(grain(flat(150), rng, 3.0) for _ in range(75))) == []


def test_flat_luma_with_colour_in_it_is_a_picture() -> None:
    _, blue, red = pan(0)
    assert edges(solid(), frames([(flat(120)[0], blue, red)] * 75)) == []


def test_one_colour_after_another_is_one_defect() -> None:
    stream = frames([*panning(1), *[flat(*BLUE)] * 30, *[flat(*GREEN)] * 30, *panning(1)])
    assert edges(solid(), stream) == [("opened", 1.0), ("closed", 3.4)]


def test_monochrome_streams_have_greys() -> None:
    gray = np.full((HEIGHT, WIDTH), 126, np.uint8)
    stream = [Frame(TRACK, i * SECOND // FPS, SECOND // FPS, gray) for i in range(50)]
    assert edges(solid(), stream) == [("opened", 0.0)]


def test_ten_bits() -> None:
    luma = np.full((HEIGHT, WIDTH), 41 << 2, np.uint16)
    blue, red = np.full((HEIGHT, WIDTH), 240 << 2, np.uint16), np.full((HEIGHT, WIDTH), 110 << 2, np.uint16)
    stream = [Frame(TRACK, i * SECOND // FPS, SECOND // FPS, luma, (blue, red), 10) for i in range(50)]
    assert edges(solid(), stream) == [("opened", 0.0)]
