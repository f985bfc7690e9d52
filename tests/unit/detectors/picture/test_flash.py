"""Flash: sequences at the standard's limits, just over and just under; what flashes without harm."""

from collections.abc import Iterable

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge
from detectors.frame import Frame, Transfer
from detectors.picture.flash import DETECTOR, Flash, _scale
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    HEIGHT,
    SECOND,
    TRACK,
    WIDTH,
    broken,
    copied,
    flat,
    frame,
    frames,
    logo,
    mixed,
    pan,
    panning,
    ticker,
    titled,
)
from tests.run import edges, findings, measured


def _strobe(picture: Picture, moment: Moment) -> Picture:
    """A part of the picture, or all of it, goes bright and dark: a broken light, an effect, a switcher gone wild."""
    memory, rng = moment.memory, moment.rng
    if "hz" not in memory:
        low, high = ((3.7, 4.2), (4.5, 8.0), (5.0, 12.0))[moment.level]
        memory["hz"] = rng.uniform(low, high)
        memory["share"] = rng.uniform(*((0.3, 0.4), (0.45, 0.9), (0.9, 1.0))[moment.level])
        memory["corner"] = rng.random(2)
        memory["bright"] = rng.uniform(*((0.35, 0.45), (0.5, 0.8), (0.8, 1.0))[moment.level])
    if int(2 * memory["hz"] * moment.index / moment.fps) % 2:
        return picture
    side = memory["share"] ** 0.5
    for plane, light in zip(picture, (225, 128, 128), strict=True):
        height, width = plane.shape
        top, left = (int((1 - side) * m * n) for m, n in zip(memory["corner"], (height, width), strict=True))
        part = plane[top : top + int(side * height) + 1, left : left + int(side * width) + 1]
        # Into the light it goes, or where there is light already, into the dark.
        goal = light if light == 128 or part.mean() < 120 else 20
        part[:] = cv2.addWeighted(part, 1 - memory["bright"], np.full_like(part, goal), memory["bright"], 0)
    return picture


FAULT = Fault("flash", (2.0, 6.0), picture=_strobe)


def flash() -> Flash:
    return DETECTOR(DETECTOR.Params(), TRACK)


def spans(stream: Iterable[Frame]) -> list[tuple[str, float]]:
    return edges(flash(), stream)


def code(cdm2: float) -> int:
    """The 8-bit luma of so much light on a display of 200 cd/m² (ITU-R BT.1886, black at 0)."""
    return int(16.5 + 219 * (cdm2 / 200) ** (1 / 2.4))


def flashing(
    hz: float, dark_cdm2: float, bright_cdm2: float, area: float = 1.0, *, fps: float = 25, seconds: float = 4
) -> list[Picture]:
    """Light and dark in turn from the second second on, over that share of a grey picture."""
    out = []
    for index in range(round(seconds * fps)):
        shown = flat(code(dark_cdm2))
        phase = index / fps - 1
        if 0 <= phase < seconds - 2 and int(2 * hz * phase + 1e-6) % 2 == 0:
            shown[0][: round(area * HEIGHT)] = code(bright_cdm2)
        out.append(shown)
    return out


def test_golden_dated_from_the_first_change_to_the_last() -> None:
    # 5 flashes a second at 50 pictures a second: light from 1.0 s, for 0.1 s, ten times.
    found = [
        f
        for f in findings(flash(), frames(flashing(5, 10, 100, fps=50), fps=50))
        if isinstance(f, DefectEdge)
    ]
    assert [(f.edge, f.at_ns / SECOND) for f in found if f.edge is not Edge.UPDATED] == [
        (Edge.OPENED, 1.0),
        (Edge.CLOSED, 2.9),
    ]
    # The seventh opposing change is the first that is more than three flashes.
    assert found[0].certain_at_ns == pytest.approx(1.62 * SECOND, abs=1)
    assert found[-1].peak.value == pytest.approx(5.0)


@pytest.mark.parametrize(
    ("hz", "dark", "bright", "area", "harmful"),
    [
        (4.0, 10, 100, 1.0, True),
        (3.0, 10, 100, 1.0, False),
        (12.5, 10, 100, 1.0, True),
        (5.0, 10, 100, 0.26, True),
        (5.0, 10, 100, 0.24, False),
        (5.0, 10, 100, 0.25, False),  # more than a quarter, not a quarter
        (5.0, 10, 31, 1.0, True),
        (5.0, 10, 29, 1.0, False),
        (5.0, 100, 121, 1.0, True),
        (5.0, 100, 119, 1.0, False),
        (5.0, 159, 200, 1.0, True),
        (5.0, 161, 200, 1.0, False),
    ],
)
def test_golden_the_standards_limits_tell_apart(
    hz: float, dark: float, bright: float, area: float, harmful: bool
) -> None:
    assert bool(spans(frames(flashing(hz, dark, bright, area)))) is harmful


@pytest.mark.parametrize("fps", [24, 25, 29.97, 30, 50, 59.94])
def test_three_flashes_a_second_pass_and_four_do_not_at_any_rate(fps: float) -> None:
    assert spans(frames(flashing(3, 5, 150, fps=fps, seconds=6), fps=fps)) == []
    assert [e for e, _ in spans(frames(flashing(4, 5, 150, fps=fps, seconds=6), fps=fps))] == [
        "opened",
        "closed",
    ]


@pytest.mark.parametrize(
    ("fps", "apart", "harmful"), [(25, 9, False), (25, 8, True), (30, 10, False), (30, 9, True)]
)
def test_leading_edges_nine_pictures_apart_pass_and_ten_at_thirty_a_second(
    fps: float, apart: int, harmful: bool
) -> None:
    """As BT.1702 and Ofcom put it for 50 and 60 Hz: such flashes are acceptable whatever their brightness."""
    shown = [flat(code(150 if index % apart < apart // 2 else 5)) for index in range(round(5 * fps))]
    assert bool(spans(frames(shown, fps=fps))) is harmful


@pytest.mark.parametrize(("ratio", "harmful"), [(1.16, True), (1.08, False)])
def test_in_hdr_contrast_counts_above_160(ratio: float, harmful: bool) -> None:
    """PQ codes of 300 cd/m² and that times more than, or less than, what a Michelson contrast of 1/17 is (1.125)."""

    def pq(cdm2: float) -> int:
        power = (cdm2 / 10_000) ** 0.1593017578125
        return int(16.5 + 219 * ((0.8359375 + 18.8515625 * power) / (1 + 18.6875 * power)) ** 78.84375)

    step = SECOND // 25
    stream = []
    for index in range(75):
        shown = frame(flat(pq(300 * ratio) if index // 2 % 2 else pq(300)), index * step, step)
        shown.transfer = "pq"
        stream.append(shown)
    assert bool(spans(stream)) is harmful


@pytest.mark.parametrize(
    ("transfer", "level", "cdm2"),
    [("sdr", 1.0, 160), ("sdr", 0.5, 37.9), ("pq", 0.5081, 100), ("hlg", 0.75, 203)],
)
def test_the_scale_of_light_is_the_standards(transfer: Transfer, level: float, cdm2: float) -> None:
    counts = _scale(True, transfer)[round(255 * level)]
    if transfer == "sdr":
        assert counts == (215 if level == 1.0 else pytest.approx(cdm2 * 24 / 20, abs=1))
    elif cdm2 < 160:
        assert counts == pytest.approx(cdm2 * 10 / 20, abs=1)
    else:
        assert counts == pytest.approx(80 + 10 * np.log(cdm2 / 160) / np.log(1.125), abs=1)


def test_two_halves_that_flash_against_each_other_are_one_flashing_picture() -> None:
    stream = []
    for index in range(100):
        shown = flat(60)
        half = slice(0, WIDTH // 2) if index // 3 % 2 else slice(WIDTH // 2, WIDTH)
        shown[0][:, half] = 200
        stream.append(shown)
    assert [e for e, _ in spans(frames(stream))] == ["opened"]


def shade(red: float, green: float, blue: float) -> Picture:
    """One colour all over, from linear light (ITU-R BT.709, gamma of BT.1886)."""
    r, g, b = (part ** (1 / 2.4) for part in (red, green, blue))
    y = 0.2126 * r + 0.7152 * g + 0.0722 * b
    return flat(round(16 + 219 * y), round(128 + 224 * (b - y) / 1.8556), round(128 + 224 * (r - y) / 1.5748))


def by_turns(
    one: Picture, other: Picture, hz: float = 4.0, area: float = 1.0, fps: float = 25
) -> list[Picture]:
    """`one` for a second, then `other` and `one` in turn over that share of it for three, and `one`."""
    out = []
    for index in range(round(5 * fps)):
        phase = index / fps - 1
        shown = copied(one)
        if 0 <= phase < 3 and int(2 * hz * phase + 1e-6) % 2 == 0:
            for plane, change in zip(shown, other, strict=True):
                rows = round(area * len(plane))
                plane[:rows] = change[:rows]
        out.append(shown)
    return out


def test_saturated_red_counts_even_where_light_hardly_changes() -> None:
    red, grey = flat(65, 102, 240), flat(66)  # about the same luminance
    said = spans(frames([*[grey] * 25, *([red] * 3 + [grey] * 3) * 8, *[grey] * 25]))
    assert [e for e, _ in said] == ["opened", "closed"]
    # Chroma is looked at now and then until there is red, so the first flashes of it may be overlooked.
    assert [at for _, at in said] == [pytest.approx(1.0, abs=0.5), pytest.approx(2.8, abs=0.01)]


@pytest.mark.parametrize(
    ("one", "other", "harmful"),
    [
        # R / (R + G + B) is 0.83 or 0.77.
        ((0.05, 0.05, 0.05), (0.25, 0.03, 0.02), True),
        ((0.05, 0.05, 0.05), (0.25, 0.04, 0.035), False),
        # (R - G - B) x 320 changes by 25 or by 16, from black.
        ((0.0, 0.0, 0.0), (0.084, 0.003, 0.003), True),
        ((0.0, 0.0, 0.0), (0.056, 0.003, 0.003), False),
        # Both are saturated, the change is 38 or 13.
        ((0.98, 0.0, 0.0), (0.86, 0.0, 0.0), True),
        ((0.98, 0.0, 0.0), (0.94, 0.0, 0.0), False),
        # Saturated or not by a hair: R / (R + G + B) is 0.82 or 0.78, and the change is 11.
        ((0.40, 0.045, 0.045), (0.40, 0.06, 0.055), False),
    ],
)
def test_golden_the_limits_of_saturated_red_tell_apart(
    one: tuple[float, float, float], other: tuple[float, float, float], harmful: bool
) -> None:
    assert bool(spans(frames(by_turns(shade(*one), shade(*other))))) is harmful


@pytest.mark.parametrize(
    ("hz", "area", "harmful"), [(4, 1.0, True), (3, 1.0, False), (4, 0.27, True), (4, 0.24, False)]
)
def test_red_flashes_have_the_same_limits_of_rate_and_area(hz: float, area: float, harmful: bool) -> None:
    stream = by_turns(shade(0.05, 0.05, 0.05), shade(0.235, 0.0, 0.0), hz, area)
    assert bool(spans(frames(stream))) is harmful


def test_red_that_swells_counts_once_it_is_saturated() -> None:
    """On its way from grey it has changed by the step before it is saturated."""
    shown = []
    for index in range(100):
        share = 0.5 - 0.5 * np.cos(2 * np.pi * 4 * index / 25)
        shown.append(shade(0.1 + 0.2 * share, 0.1 * (1 - share) + 0.01, 0.1 * (1 - share) + 0.01))
    assert [e for e, _ in spans(frames(shown))] == ["opened"]


def test_light_that_swells_and_fades_counts_like_light_that_jumps() -> None:
    swell = [flat(round(60 + 50 * np.sin(2 * np.pi * 4.5 * i / 25))) for i in range(75)]
    assert [e for e, _ in spans(frames(swell))] == ["opened"]


def test_a_camera_flash_or_two_and_lightning_are_programme() -> None:
    shown = panning(6)
    for bright in (50, 52, 100, 103, 106):
        shown[bright] = mixed(shown[bright], flat(235), 0.8)
    assert spans(frames(shown)) == []


def test_cuts_even_many_of_them_are_programme() -> None:
    shots = [pan(i, seed=i // 8) for i in range(150)]  # three a second
    assert spans(frames(shots)) == []


def test_a_strobing_logo_is_too_small() -> None:
    shown = [logo(p) if i // 2 % 2 else p for i, p in enumerate(panning(4))]
    for index, picture in enumerate(shown):
        if index // 2 % 2:
            picture[0][:120, :120] = 230
    assert spans(frames(shown)) == []


@pytest.mark.parametrize("step", [4, 16, 60])
def test_a_camera_that_pans_is_programme(step: int) -> None:
    assert spans(frames(ticker(pan(i, step=step), i) for i in range(200))) == []


def test_a_fine_pattern_that_alternates_is_excepted() -> None:
    board = (np.indices((HEIGHT, WIDTH)).sum(axis=0) // 4 % 2).astype(bool)
    shown = []
    for index in range(75):
        picture = copied(flat(40))
        picture[0][board if index % 2 else ~board] = 220
        shown.append(picture)
    assert spans(frames(shown)) == []


def test_titles_that_fade_in_and_out_are_programme() -> None:
    shares = [abs(np.sin(2 * np.pi * i / 50)) for i in range(200)]
    assert spans(frames(mixed(flat(30), titled(), s) for s in shares)) == []


def test_it_says_how_much_flashes_and_how_often() -> None:
    stream = frames(flashing(5, 10, 100, 0.5, fps=50), fps=50)
    assert max(measured(flash(), stream, "flash_area")) == pytest.approx(0.5, abs=0.02)
    assert max(measured(flash(), stream, "flash_rate")) == pytest.approx(5.0)


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
def test_its_fault_is_found_where_it_is(level: Level) -> None:
    said = spans(broken(_strobe, panning(9), 75, 150, level))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.0, 6.0], abs=0.35)


def test_a_lone_change_long_before_is_not_part_of_it_and_a_short_lull_does_not_split_it() -> None:
    # 50 pictures a second: dark from 0.5 s on, 10 flashes a second from 1.0 s, none from 2.0 to 3.0 s.
    fps, shown = 50, []
    for index in range(6 * fps):
        at = index / fps
        flashes = 1 <= at < 2 or 3 <= at < 4
        bright = at < 0.5 or (flashes and int(20 * at + 1e-6) % 2 == 0)
        shown.append(flat(code(100 if bright else 10)))
    assert spans(frames(shown, fps=fps)) == [("opened", 1.0), ("closed", 3.96)]
