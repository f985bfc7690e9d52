"""Chroma loss: colour that goes is told; black-and-white, night, snow and fades are not."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from contracts.findings import DefectEdge, Severity
from detectors.frame import Frame
from detectors.picture.chroma_loss import DETECTOR, ChromaLoss, ChromaLossParams
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    BLACK,
    FPS,
    NEUTRAL,
    SECOND,
    TRACK,
    broken,
    flat,
    frames,
    mixed,
    pan,
    panning,
    written,
)
from tests.run import edges, findings


def _lost(picture: Picture, moment: Moment) -> Picture:
    luma, blue, red = picture
    if "way" not in moment.memory:
        ways = {Level.JUST: ("faint",), Level.PLAIN: ("none", "blue", "red"), Level.GROSS: ("none", "green")}
        moment.memory["way"] = str(moment.rng.choice(ways[moment.level]))
        moment.memory["code"] = int(moment.rng.choice((0, 16)))
    way = moment.memory["way"]
    if way == "faint":
        return luma, _towards(blue, 0.12), _towards(red, 0.12)
    if way == "green":  # both planes lost: a decoder shows what its memory was cleared to
        code = moment.memory["code"]
        return luma, np.full_like(blue, code), np.full_like(red, code)
    grey = np.full_like(blue, 128)
    return luma, blue if way == "red" else grey, red if way == "blue" else grey


def _towards(plane: npt.NDArray[np.uint8], gain: float) -> npt.NDArray[np.uint8]:
    return np.asarray(np.rint(128 + gain * (plane.astype(np.float32) - 128)), np.uint8)


FAULT = Fault("chroma_loss", (3.0, 10.0), picture=_lost, after_cut_s=1.0)


def chroma_loss(**params: float) -> ChromaLoss:
    return DETECTOR(ChromaLossParams(**params), TRACK)


def grey(picture: Picture) -> Picture:
    return picture[0], np.full_like(picture[1], 128), np.full_like(picture[2], 128)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
def test_golden_dated_to_the_picture(level: Level, seed: int) -> None:
    pictures = panning(9)
    moment = Moment(level, np.random.default_rng(seed), float(FPS), 48_000)
    shown = [_lost(p, moment) if 75 <= i < 150 else p for i, p in enumerate(pictures)]
    found = [f for f in findings(chroma_loss(), frames(shown)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.at_ns) for f in found] == [
        ("opened", 75 * SECOND // FPS),
        ("closed", 150 * SECOND // FPS),
    ]
    assert found[0].severity is Severity.ERROR
    assert found[0].certain_at_ns - found[0].at_ns <= 2.2 * SECOND


@pytest.mark.parametrize("contrast", [1.0, 1.25])
def test_a_short_dissolve_to_what_has_no_colour_is_not_told(contrast: float) -> None:
    """Its light changes one look before its colour has gone; a coder that hesitates leaves it as it is."""

    def dimmed(picture: Picture, colour: float) -> Picture:
        luma, blue, red = picture
        middle = float(luma.mean())
        other = np.clip(middle + contrast * (luma - middle), 0, 255).astype(np.uint8)
        return other, _towards(blue, colour), _towards(red, colour)

    shown = [pan(n, step=2) for n in range(8 * FPS)]
    shown[75:80] = [dimmed(p, 0.8) for p in shown[75:80]]
    shown[80:] = [dimmed(p, 0.04) for p in shown[80:]]
    assert bool(edges(chroma_loss(), frames(shown))) == (contrast == 1.0)


def test_it_goes_on_over_cuts_until_colour_is_back() -> None:
    first, second = panning(5), panning(6, seed=8)
    shown = [*first[:75], *(grey(p) for p in first[75:]), *(grey(p) for p in second[:75]), *second[75:]]
    assert edges(chroma_loss(), frames(shown)) == [("opened", 3.0), ("closed", 8.0)]


def test_green_from_the_beginning() -> None:
    green = [(p[0], np.zeros_like(p[1]), np.zeros_like(p[2])) for p in panning(4)]
    assert edges(chroma_loss(), frames(green)) == [("opened", 0.0)]


def test_lost_where_there_was_little_colour_it_is_dated_back() -> None:
    """Of a pale picture it cannot be told at first; that no other has any life in that plane shows it."""
    pale = [(y, u, _towards(v, 0.1)) for y, u, v in panning(4)]
    lost = [(y, u, np.full_like(v, NEUTRAL)) for y, u, v in (*pale[75:], *panning(4, seed=8))]
    assert edges(chroma_loss(), frames([*pale[:75], *lost])) == [("opened", 3.0)]


def test_a_black_and_white_film_is_programme() -> None:
    assert edges(chroma_loss(), frames(grey(p) for p in panning(6))) == []


def test_a_black_and_white_insert_by_a_cut_is_programme() -> None:
    inserted = [grey(p) for p in panning(4, seed=8)]
    assert edges(chroma_loss(), frames([*panning(4), *inserted, *panning(4)])) == []


def test_a_black_and_white_insert_by_a_dissolve_is_programme() -> None:
    inserted = [grey(p) for p in panning(4, seed=8)]
    blend = [mixed(a, b, i / 20) for i, (a, b) in enumerate(zip(panning(1), inserted, strict=False))][:20]
    assert edges(chroma_loss(), frames([*panning(4), *blend, *inserted[20:], *panning(4)])) == []


def test_credits_without_colour_after_fast_movement_are_programme() -> None:
    """In fast movement no cut is sure; that other pictures came is told by their light."""
    fast = [pan(i, step=24) for i in range(100)]
    rolled = [written(flat(17), "WRITTEN AND FILMED", (60, 260 - i % 200), luma=215) for i in range(100)]
    assert edges(chroma_loss(), frames([*fast, *rolled, *fast])) == []


def test_credits_after_a_dark_scene_are_programme() -> None:
    """By their light alone, pictures that are dark are all alike."""
    rolled = [written(flat(17), "WRITTEN AND FILMED", (60, 260 - i % 200), luma=90) for i in range(100)]
    lit = np.random.default_rng(3).normal(24.0, 12.0, (9, 16)).clip(16, 80).astype(np.float32)
    luma = cv2.resize(lit, rolled[0][0].shape[::-1], interpolation=cv2.INTER_NEAREST).astype(np.uint8)

    def dark(step: int) -> list[Picture]:
        return [(np.roll(luma, step * i, axis=1), p[1], p[2]) for i, p in enumerate(panning(8))]

    assert edges(chroma_loss(), frames([*dark(3)[:100], *rolled])) == []
    assert edges(chroma_loss(), frames([*dark(2)[:100], *map(grey, dark(2)[100:])])) == [("opened", 4.0)]


def test_a_plane_that_titles_do_not_have_is_not_lost_in_them() -> None:
    titles = [written(flat(17), "WRITTEN AND FILMED", (60, 200), luma=215) for _ in range(50)]
    lost = [(y, np.full_like(u, NEUTRAL), v) for y, u, v in panning(4)]
    assert edges(chroma_loss(), frames([*titles, *lost])) == [("opened", 2.0)]


def test_colour_that_fades_slowly_is_programme() -> None:
    fading = [mixed(p, grey(p), min(1.0, i / 75)) for i, p in enumerate(panning(6, first=50))]
    assert edges(chroma_loss(), frames([*panning(2), *fading])) == []


@pytest.mark.parametrize("code", [BLACK, 235])
def test_a_fade_to_black_or_white_is_programme(code: int) -> None:
    down = [mixed(p, flat(code), i / 25) for i, p in enumerate(panning(1, first=50))]
    stay = [mixed(pan(75), flat(code), 0.97)] * 75
    assert edges(chroma_loss(), frames([*panning(2), *down, *stay, *panning(3)])) == []


@pytest.mark.parametrize(("gain", "told"), [(1.0, True), (1.18, False)])
def test_what_is_laid_out_alike_but_has_another_contrast_is_another_picture(
    gain: float, *, told: bool
) -> None:
    """A title in the middle of the dark after a sign in the middle of the dark."""
    sign = np.random.default_rng(5).normal(60.0, 30.0, (9, 16)).clip(16, 180)
    luma = cv2.resize(sign.astype(np.float32), (320, 180), interpolation=cv2.INTER_NEAREST)
    colour = np.tile(np.linspace(90, 160, 160), (90, 1)).astype(np.uint8)
    grey = np.full((90, 160), 128, np.uint8)
    before = (luma.astype(np.uint8), colour, colour[:, ::-1].copy())
    after = ((16 + (luma - 16) * gain).astype(np.uint8), grey, grey)
    assert bool(edges(chroma_loss(), frames([*[before] * 100, *[after] * 100]))) is told


def test_night_and_snow_are_programme() -> None:
    def pale(index: int, level: int, gain: float) -> Picture:
        luma, blue, red = pan(index)
        shade = (level + gain * (luma.astype(np.float32) - 118)).astype(np.uint8)
        return shade, _towards(blue, 0.05), _towards(red, 0.05)

    for level, gain in ((24, 0.05), (215, 0.2)):
        scene = [pale(i, level, gain) for i in range(100)]
        assert edges(chroma_loss(), frames([*panning(3), *scene, *panning(3)])) == []


def test_shorter_than_its_time_is_silent() -> None:
    assert edges(chroma_loss(), broken(_lost, panning(5), 75, 100)) == []


def test_monochrome_streams_are_not_judged() -> None:
    stream = [Frame(TRACK, i * SECOND // FPS, SECOND // FPS, pan(i)[0]) for i in range(50)]
    assert findings(chroma_loss(), stream) == []


def test_not_ready_before_it_has_a_past() -> None:
    detector = chroma_loss()
    assert not detector.ready
    findings(detector, frames(panning(1)))
    assert detector.ready


@pytest.mark.parametrize(("before", "told"), [(2.8, False), (4.5, True)])
def test_a_picture_of_next_to_no_colour_loses_none(before: float, *, told: bool) -> None:
    """Standard deviations of chroma before and after, as a dissolve between pale pictures has them."""
    shown = []
    for index, (luma, blue, red) in enumerate(panning(9, seed=3)):
        deviation = before if not 75 <= index < 175 else 0.6
        pale = [_towards(plane, deviation / float(plane.std())) for plane in (blue, red)]
        shown.append((luma, pale[0], pale[1]))
    assert bool(edges(chroma_loss(), frames(shown))) is told
