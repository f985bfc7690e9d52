"""Black: found to the picture, and not where it is merely dark."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.frame import Frame
from detectors.picture.black import DETECTOR, Black, BlackParams
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
    ticker,
    titled,
    written,
)
from tests.run import edges, findings, measured


def _blacked(picture: Picture, moment: Moment) -> Picture:
    height, width = picture[0].shape
    if moment.level is Level.JUST:  # lifted, with light noise
        return grain(flat(26, size=(width, height)), moment.rng, 1.5)
    return flat(BLACK, size=(width, height))


FAULT = Fault("black", (3.0, 10.0), picture=_blacked)


def black(**params: float) -> Black:
    return DETECTOR(BlackParams(**params), TRACK)


@pytest.mark.parametrize("level", list(Level))
def test_golden_dated_to_the_picture(level: Level) -> None:
    stream = broken(_blacked, panning(10), 77, 152, level)
    found = [f for f in findings(black(), stream) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 77 * SECOND // FPS),
        ("closed", 152 * SECOND // FPS),
    ]
    assert found[0].certain_at_ns - found[0].at_ns == 2 * SECOND
    assert found[0].severity is Severity.CRITICAL
    assert found[0].track == TRACK
    assert found[0].peak.value >= 0.98


def test_a_picture_short_of_two_seconds_is_silent() -> None:
    assert edges(black(), broken(_blacked, panning(10), 75, 124)) == []
    assert edges(black(), broken(_blacked, panning(10), 75, 125)) == [("opened", 3.0), ("closed", 5.0)]


def test_one_lit_picture_parts_two_blacks() -> None:
    stream = frames([*panning(1), *[flat(BLACK)] * 75, pan(0), *[flat(BLACK)] * 75, *panning(1)])
    assert edges(black(), stream) == [("opened", 1.0), ("closed", 4.0), ("opened", 4.04), ("closed", 7.04)]


def test_a_short_fade_through_black_is_programme() -> None:
    down = [mixed(p, flat(BLACK), i / 25) for i, p in enumerate(panning(1))]
    up = [mixed(p, flat(BLACK), 1 - i / 25) for i, p in enumerate(panning(1, seed=8))]
    assert edges(black(), frames([*panning(2), *down, *[flat(BLACK)] * 25, *up, *panning(2, seed=8)])) == []


def test_a_fade_to_black_that_stays_black_is_dated_within_its_last_tenth() -> None:
    down = [mixed(p, flat(BLACK), i / 50) for i, p in enumerate(panning(2))]
    (opened, at), *_ = edges(black(), frames([*panning(2), *down, *[flat(BLACK)] * 75]))
    assert opened == "opened"
    assert 3.6 <= at <= 4.0


def test_credits_on_black_are_programme() -> None:
    def rolled(index: int) -> Picture:
        card = flat(BLACK)
        for line in range(-10, 12):
            y = 60 * line + 300 - 3 * index
            if 0 < y < HEIGHT + 30:
                card = written(card, f"CAMERA {line + 20}", (140, y), scale=0.9)
        return card

    assert edges(black(), frames(rolled(i) for i in range(200))) == []


def test_one_small_line_of_white_text_in_the_centre_spares_it() -> None:
    card = written(flat(BLACK), "Tomorrow", (190, 140), scale=0.7)
    assert edges(black(), frames([card] * 150)) == []


def test_a_night_scene_has_structure() -> None:
    def night(index: int) -> Picture:
        luma, blue, red = pan(index)
        return (BLACK + (luma.astype(np.int16) - 20) // 9).astype(np.uint8), blue, red

    assert int(night(0)[0].max()) <= BLACK + 24
    assert edges(black(), frames(night(i) for i in range(150))) == []


def test_a_dark_room_with_one_lamp_is_programme() -> None:
    room = flat(20)
    room[0][120:128, 220:232] = 150
    assert edges(black(), frames(grain(room, np.random.default_rng(i), 1.0) for i in range(100))) == []


def test_a_logo_does_not_hide_black() -> None:
    stream = frames([*panning(1), *[logo(flat(BLACK))] * 75, *panning(1)])
    assert edges(black(), stream) == [("opened", 1.0), ("closed", 4.0)]


def test_a_clock_near_the_border_does_not_hide_black() -> None:
    def clock(index: int) -> Picture:
        return written(flat(BLACK), f"{index // 25:02d}", (WIDTH - 45, HEIGHT - 12), scale=0.6)

    assert edges(black(), frames(clock(i) for i in range(100)))[0] == ("opened", 0.0)


def test_a_whole_band_of_text_is_more_than_a_logo() -> None:
    assert edges(black(), frames(ticker(flat(BLACK), i, lines=40) for i in range(100))) == []


@pytest.mark.parametrize("code", [BLACK, BLACK + 20, 1])
def test_black_is_black_below_and_a_little_above(code: int) -> None:
    assert edges(black(), frames([flat(code)] * 60))[0] == ("opened", 0.0)


@pytest.mark.parametrize("picture", [flat(BLACK + 24), flat(WHITE), titled()])
def test_grey_white_and_title_cards_are_not_black(picture: Picture) -> None:
    assert edges(black(), frames([picture] * 60)) == []


@pytest.mark.parametrize(
    ("depth", "full_range", "code"), [(10, False, 64), (10, True, 0), (8, True, 0), (12, False, 256)]
)
def test_depth_and_range_are_the_streams(depth: int, full_range: bool, code: int) -> None:
    dtype = np.uint8 if depth == 8 else np.uint16

    def stream(code: int) -> list[Frame]:
        plane = np.full((HEIGHT, WIDTH), code, dtype)
        return [
            Frame(TRACK, i * SECOND // FPS, SECOND // FPS, plane, None, depth, full_range) for i in range(60)
        ]

    lit = code + (40 << (depth - 8))
    assert edges(black(), stream(code)) == [("opened", 0.0)]
    assert edges(black(), stream(lit)) == []


@pytest.mark.parametrize("size", [(16, 16), (17, 9), (2, 2), (1921, 1081)])
def test_any_raster(size: tuple[int, int]) -> None:
    assert edges(black(), frames([flat(BLACK, size=size)] * 51)) == [("opened", 0.0)]


def test_it_measures_once_a_second() -> None:
    stream = frames([*panning(2), *[flat(BLACK)] * 75])
    values = measured(black(), stream, "dark_coverage")
    assert len(values) == 5
    assert max(values[:2]) < 0.6
    assert values[2:] == [1.0, 1.0, 1.0]


def test_the_length_is_the_users() -> None:
    stream = broken(_blacked, panning(4), 25, 35)
    assert edges(black(min_seconds=0.4), stream) == [("opened", 1.0), ("closed", 1.4)]
