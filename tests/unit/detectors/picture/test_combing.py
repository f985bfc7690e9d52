"""Combing: woven fields show at what moves; stripes and stills do not count."""

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Severity
from detectors.frame import Frame
from detectors.picture.combing import DETECTOR, Combing
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    FPS,
    HEIGHT,
    SECOND,
    TRACK,
    broken,
    copied,
    frames,
    grain,
    pan,
    panning,
    ticker,
    titled,
)
from tests.run import edges, findings, measured


def _woven(picture: Picture, moment: Moment) -> Picture:
    """Every other line is of a picture before, as when fields are woven that do not belong together."""
    held: list[Picture] = moment.memory.setdefault("held", [])
    held.append(copied(picture))
    late = (1, 1, 2)[moment.level]
    if len(held) <= late:
        return picture
    other = held[-1 - late]
    del held[: -late - 1]
    first = moment.memory.setdefault("field", int(moment.rng.integers(2)))
    share = 0.5 if moment.level is Level.JUST else 1.0
    for plane, source in zip(picture, other, strict=True):
        mixed = plane[first::2] * (1 - share) + source[first::2] * share
        plane[first::2] = np.rint(mixed).astype(np.uint8)
    return picture


FAULT = Fault("combing", (3.0, 8.0), picture=_woven)


def combing() -> Combing:
    return DETECTOR(DETECTOR.Params(), TRACK)


def spans(stream: Iterable[Frame]) -> list[tuple[str, float]]:
    return edges(combing(), stream)


def test_golden_dated_from_the_first_combed_look_to_the_last() -> None:
    stream = broken(_woven, panning(12), 100, 200, Level.PLAIN)
    found = [
        f for f in findings(combing(), stream) if isinstance(f, DefectEdge) and f.edge is not Edge.UPDATED
    ]
    assert [f.edge for f in found] == [Edge.OPENED, Edge.CLOSED]
    # Five pictures a second are looked at; the first of the fault has no field before it.
    assert [f.at_ns / SECOND for f in found] == [4.2, 8.0]
    assert {f.severity for f in found} == {Severity.WARNING}


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
@pytest.mark.parametrize("seed", [5, 9])
def test_its_fault_is_found_where_it_is(level: Level, seed: int) -> None:
    said = spans(broken(_woven, panning(12, seed=seed), 100, 200, level))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 8.0], abs=0.3)


@pytest.mark.parametrize(("tall", "defects"), [(40, 1), (HEIGHT, 2)])
def test_it_goes_on_over_a_scene_in_which_little_moves(tall: int, defects: int) -> None:
    """Where much moves without a comb it has ended."""
    combed = list(broken(_woven, panning(11), 50, 275))
    for index in range(125, 200):
        luma, still = pan(index, seed=9)[0], pan(0, seed=8)[0]
        luma[tall:] = still[tall:]
        combed[index].luma = luma
    said = [edge for edge, _ in spans(combed)]
    assert said.count("opened") == defects


@pytest.mark.parametrize("finely", [False, True])
def test_it_begins_where_less_of_the_picture_shows_it(*, finely: bool) -> None:
    """But not where thin lines stood out before, too."""
    stream = broken(_woven, panning(10), 100, 250)
    for index, frame in enumerate(stream):
        if 100 <= index < 150:  # above only
            frame.luma[HEIGHT * 7 // 16 :] = pan(index)[0][HEIGHT * 7 // 16 :]
        if finely:
            frame.luma[HEIGHT // 2 :: 6, index % 2 :: 2] = 235
    begins = min(at for edge, at in spans(stream) if edge == "opened")
    assert begins == pytest.approx(6.0 if finely else 4.0, abs=0.3)


def test_ten_bits_comb_as_eight() -> None:
    stream = broken(_woven, panning(8), 75, 150)
    for frame in stream:
        frame.luma, frame.depth = np.left_shift(frame.luma, 2, dtype=np.uint16), 10
    assert [e for e, _ in spans(stream)] == ["opened", "closed"]


def telecined(film: list[Picture]) -> list[Picture]:
    """Film brought to 60 fields a second: of five pictures that come of four, two are woven of two moments."""
    out = []
    for a, b, c, d in zip(*(film[k::4] for k in range(4)), strict=False):
        out += [copied(a), copied(b), copied(b), copied(c), copied(d)]
        for mixed, other in ((out[-3], c), (out[-2], d)):
            for plane, source in zip(mixed, other, strict=True):
                plane[1::2] = source[1::2]
    return out


def test_film_woven_by_pulldown_is_found() -> None:
    film = panning(8)
    said = spans(frames([*film[:100], *telecined(film[100:])], fps=30))
    assert [e for e, _ in said] == ["opened"]
    assert said[0][1] == pytest.approx(100 / 30, abs=0.4)


def test_a_stream_that_says_it_is_interlaced_is_not_judged() -> None:
    stream = broken(_woven, panning(8), 50, 150)
    for frame in stream:
        frame.interlaced = True
    assert spans(stream) == []


def interlaced(
    seconds: float, *, top_first: bool, said: bool | None, step: int = 4, bits: int = 8
) -> list[Frame]:
    """Fields of a pan, of which the stream says `said`; the pictures are 25 a second."""
    fields = [pan(i, step=step) for i in range(round(2 * seconds * FPS))]
    woven = []
    for first, second in zip(fields[::2], fields[1::2], strict=True):
        upper, lower = (first, second) if top_first else (second, first)
        picture = copied(upper)
        for plane, source in zip(picture, lower, strict=True):
            plane[1::2] = source[1::2]
        woven.append(picture)
    stream = list(frames(woven))
    for frame in stream:
        frame.interlaced, frame.top_first = True, said
        if bits > 8:
            frame.luma, frame.depth = np.left_shift(frame.luma, bits - 8, dtype=np.uint16), bits
    return stream


@pytest.mark.parametrize("bits", [8, 10])
@pytest.mark.parametrize("top_first", [False, True])
def test_fields_in_another_order_than_the_stream_says_are_told(*, top_first: bool, bits: int) -> None:
    stream = interlaced(6, top_first=top_first, said=not top_first, bits=bits)
    opened = next(f for f in findings(combing(), stream) if isinstance(f, DefectEdge))
    assert opened.detail is not None
    assert opened.detail.endswith(f"movement says {'top' if top_first else 'bottom'} first")
    assert opened.at_ns / SECOND == pytest.approx(0.0, abs=0.25)
    assert opened.certain_at_ns / SECOND < 2.0
    assert spans(interlaced(6, top_first=top_first, said=top_first, bits=bits)) == []
    assert spans(interlaced(6, top_first=top_first, said=None, bits=bits)) == []


def test_an_order_that_is_put_right_ends_there() -> None:
    wrong, right = (interlaced(5, top_first=True, said=said) for said in (False, True))
    said = spans([*wrong, *(replace(f, at_ns=f.at_ns + 5 * SECOND) for f in right)])
    assert [e for e, _ in said] == ["opened", "closed"]
    assert said[1][1] == pytest.approx(5.0, abs=0.5)


@pytest.mark.parametrize("said", [False, True])
@pytest.mark.parametrize("step", [0, 3, 40])
def test_whole_pictures_that_are_said_to_be_fields_are_in_either_order(*, said: bool, step: int) -> None:
    stream = frames(pan(i, step=step) for i in range(150))
    for frame in (shown := list(stream)):
        frame.interlaced, frame.top_first = True, said
    assert spans(shown) == []


@pytest.mark.parametrize("step", [1, 2])
@pytest.mark.parametrize("ruled", [False, True])
def test_thin_lines_that_roll_are_programme(*, step: int, ruled: bool) -> None:
    """Credits whose strokes are one line thick, and ruled paper."""
    sheet = np.full((900, 480), 30, np.uint8)
    if ruled:
        sheet[::3] = 200
    else:
        for row in range(20, 900, 18):
            cv2.putText(sheet, "WRITTEN FILMED AND CUT BY", (20, row), cv2.FONT_HERSHEY_PLAIN, 1.0, 200, 1)
    shown = [(sheet[step * i : step * i + HEIGHT].copy(), *pan(0)[1:]) for i in range(200)]
    assert spans(frames(shown)) == []


def test_noise_does_not_comb() -> None:
    rng = np.random.default_rng(3)
    assert spans(frames(grain(pan(i), rng, 12.0) for i in range(120))) == []


def test_noise_smeared_along_the_lines_does_not_comb() -> None:
    rng = np.random.default_rng(3)
    noise = [np.asarray(cv2.blur(rng.normal(size=(HEIGHT, 480)), (3, 1))) * 3**0.5 for _ in range(20)]
    shown = [pan(i) for i in range(120)]
    noisy = [
        (np.clip(np.rint(y + 13 * noise[i % 20]), 1, 254).astype(np.uint8), u, v)
        for i, (y, u, v) in enumerate(shown)
    ]
    assert spans(frames(noisy)) == []


def test_it_ends_with_the_last_comb_also_where_nothing_moves_then() -> None:
    edge, at = spans([*broken(_woven, panning(6), 75, 150), *frames([pan(0)] * 75, start_s=6.0)])[-1]
    assert edge == "closed"
    assert at == pytest.approx(6.0, abs=0.3)


def test_what_stands_still_in_between_parts_nothing() -> None:
    moves = panning(10)
    said = spans(broken(_woven, [*moves[:100], *[moves[100]] * 125, *moves[100:]], 85, 300))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([3.4, 12.0], abs=0.3)


def striped(picture: Picture, bright: int = 60) -> Picture:
    """A venetian blind over the left half."""
    picture[0][::2, :240] = bright
    picture[0][1::2, :240] = 170
    return picture


def test_stripes_that_stand_still_are_programme() -> None:
    assert spans(frames(striped(pan(i)) for i in range(150))) == []
    rng = np.random.default_rng(3)
    assert spans(frames(grain(striped(pan(0)), rng, 2.0) for _ in range(150))) == []


def test_stripes_that_move_on_somebody_who_walks_are_programme() -> None:
    shown = []
    for index in range(150):
        picture = pan(index)
        stripes = (np.arange(HEIGHT)[80:140] + index) % 2
        picture[0][80:140, 200:260] = np.where(stripes, 60, 170)[:, None]
        shown.append(picture)
    assert spans(frames(shown)) == []


@pytest.mark.parametrize("step", [2, 6, 30])
def test_clean_movement_is_programme(step: int) -> None:
    assert spans(frames(ticker(pan(i, step=step), i) for i in range(200))) == []


def test_titles_and_cuts_are_programme() -> None:
    assert spans(frames(titled(f"NUMBER {i // 4}") for i in range(150))) == []
    assert spans(frames(pan(i, seed=i // 9) for i in range(150))) == []


def test_what_is_woven_and_stands_still_shows_nothing() -> None:
    assert spans(broken(_woven, [pan(0)] * 200, 50, 150)) == []


def test_a_picture_too_small_for_bands_is_let_be() -> None:
    tiny = [(p[0][:64], p[1][:32], p[2][:32]) for p in panning(3)]
    assert spans(frames(tiny)) == []


def test_it_says_how_much() -> None:
    assert max(measured(combing(), broken(_woven, panning(6), 50, 100), "combed_share")) > 0.2
    assert max(measured(combing(), frames(panning(4)), "combed_share")) < 0.05
