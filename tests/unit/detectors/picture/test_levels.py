"""Levels: seconds of too hot or too deep are told; highlights, overshoot and full range are not."""

import numpy as np
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.frame import Frame
from detectors.picture.levels import DETECTOR, Levels, LevelsParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import FPS, HEIGHT, SECOND, TRACK, WIDTH, broken, flat, frames, panning, titled
from tests.run import edges, findings, measured

HOT = {Level.JUST: 3.0, Level.PLAIN: 7.0, Level.GROSS: 20.0}  # percent of the samples driven out of range


def _driven(picture: Picture, moment: Moment) -> Picture:
    """Gain or lift set too far, as by an automatic one that rides on the picture."""
    luma, blue, red = picture
    if "up" not in moment.memory:
        moment.memory["up"] = moment.rng.random() < 0.6
    share = HOT[moment.level]
    values = luma.astype(np.float32)
    if moment.memory["up"]:
        top = max(40.0, float(np.percentile(luma, 100 - share)))
        values = 16 + (values - 16) * (252 - 16) / (top - 16)
    else:
        foot = min(200.0, float(np.percentile(luma, share)))
        values = 235 - (235 - values) * (235 - 1) / (235 - foot)
    return np.clip(np.rint(values), 0, 255).astype(np.uint8), blue, red


FAULT = Fault("levels", (4.0, 10.0), picture=_driven)


def levels(**params: float) -> Levels:
    return DETECTOR(LevelsParams(**params), TRACK)


@pytest.mark.parametrize("level", list(Level))
def test_golden_dated_to_the_picture(level: Level) -> None:
    found = [
        f
        for f in findings(levels(), broken(_driven, panning(9), 75, 170, level))
        if isinstance(f, DefectEdge)
    ]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 75 * SECOND // FPS),
        ("closed", 170 * SECOND // FPS),
    ]
    assert found[0].certain_at_ns - found[0].at_ns == 3 * SECOND + SECOND // FPS
    assert found[0].severity is Severity.WARNING
    assert found[0].threshold == 0.01
    assert found[1].peak.value >= HOT[level] / 200


def test_shorter_than_three_seconds_is_silent() -> None:
    assert edges(levels(), broken(_driven, panning(8), 77, 150)) == []


@pytest.mark.parametrize(("code", "opens"), [(4, True), (5, False), (246, False), (247, True)])
def test_the_limits_are_those_of_r_103(code: int, opens: bool) -> None:
    assert bool(edges(levels(), frames([flat(code)] * 80))) is opens


@pytest.mark.parametrize(("blue", "red"), [(2, 128), (128, 251), (251, 2)])
def test_chroma_has_limits_too(blue: int, red: int) -> None:
    assert edges(levels(), frames([flat(120, blue, red)] * 80)) == [("opened", 0.0)]


def test_highlights_on_less_than_a_hundredth_of_the_picture_are_programme() -> None:
    pictures = panning(5)
    for luma, _, _ in pictures:
        luma[20:45, 100:140] = 254  # 1,000 of 112,000 samples
    assert edges(levels(), frames(pictures)) == []


def test_blanking_at_the_rim_is_not_looked_at() -> None:
    pictures = panning(5)
    for luma, _, _ in pictures:
        luma[:, -12:] = 0  # 2.5 % of the width: a camera's blanking below black
        luma[:4] = 0
    assert edges(levels(), frames(pictures)) == []


def test_overshoot_at_edges_is_forgiven() -> None:
    pictures = [titled(luma=235) for _ in range(100)]
    for luma, _, _ in pictures:
        luma[10::20, :] = 252  # the ringing of a filter: a line, and its counterpart beneath
        luma[11::20, :] = 218
    assert edges(levels(), frames(pictures)) == []


def test_a_flash_is_programme() -> None:
    white = [flat(255)] * 12
    assert edges(levels(), frames([*panning(2), *white, *panning(2), *white, *panning(2)])) == []


def test_full_range_has_no_limits() -> None:
    plane = np.full((HEIGHT, WIDTH), 0, np.uint8)
    stream = [
        Frame(TRACK, i * SECOND // FPS, SECOND // FPS, plane, None, 8, full_range=True) for i in range(100)
    ]
    assert findings(levels(), stream) == []


@pytest.mark.parametrize(("code", "opens"), [(4 * 246, False), (4 * 247, True), (4 * 4, True)])
def test_ten_bits(code: int, opens: bool) -> None:
    plane = np.full((HEIGHT, WIDTH), code, np.uint16)
    stream = [Frame(TRACK, i * SECOND // FPS, SECOND // FPS, plane, None, 10) for i in range(100)]
    assert bool(edges(levels(), stream)) is opens


def test_the_share_is_measured() -> None:
    picture = flat(120)
    picture[0][: HEIGHT // 2 - 1] = 255
    assert measured(levels(), frames([picture] * 30), "out_of_range")[1] == pytest.approx(0.496, abs=0.01)
