"""Stutter: holds without a rhythm while something moves; cadences and stops that programmes have are none."""

from collections.abc import Iterable

import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Severity
from detectors.events import Break
from detectors.frame import Frame
from detectors.picture.stutter import DETECTOR, Stutter
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    FPS,
    SECOND,
    TRACK,
    broken,
    copied,
    flat,
    frame,
    frames,
    grain,
    mixed,
    pan,
    panning,
    titled,
    written,
)
from tests.run import edges, findings, measured


def _jerk(picture: Picture, moment: Moment) -> Picture | None:
    """Now and then a picture is held while the programme goes on: repeated, or its successors are missing."""
    memory, rng = moment.memory, moment.rng
    if "missing" not in memory:
        memory["missing"] = rng.random() < 0.4
        memory["rate"] = rng.uniform(*((1.5, 2.5), (3.0, 4.5), (4.5, 7.0))[moment.level])
        memory["next"] = 1
    if moment.index >= memory["next"] + memory.get("length", 0):
        memory["next"] = moment.index + max(2, round(moment.fps / memory["rate"] * rng.uniform(0.4, 1.6)))
        memory["length"] = int(rng.integers(1, (1, 2, 3)[moment.level] + 1))
    if moment.index >= memory["next"] and "shown" in memory:
        return None if memory["missing"] else copied(memory["shown"])
    memory["shown"] = copied(picture)
    return picture


FAULT = Fault("stutter", (3.0, 8.0), picture=_jerk)


def stutter() -> Stutter:
    return DETECTOR(DETECTOR.Params(), TRACK)


def spans(stream: Iterable[Frame | Break]) -> list[tuple[str, float]]:
    return edges(stutter(), stream)


JERKS = (
    100,
    107,
    111,
    122,
    126,
    133,
    145,
    149,
)  # a picture repeated here, and the next one in its place after it


@pytest.mark.parametrize("missing", [False, True])
def test_golden_from_the_first_hold_to_the_last(*, missing: bool) -> None:
    step = SECOND // FPS
    shown: list[Frame] = []
    for index in range(250):
        if index in JERKS and missing:
            continue
        shown.append(frame(pan(index - 1 if index in JERKS else index), index * step, step))
    found = [f for f in findings(stutter(), shown) if isinstance(f, DefectEdge)]
    assert [(f.edge, f.at_ns) for f in found if f.edge is not Edge.UPDATED] == [
        (Edge.OPENED, 100 * step),
        (Edge.CLOSED, 150 * step),
    ]
    assert {f.severity for f in found} == {Severity.ERROR}
    assert found[0].certain_at_ns == 123 * step  # the fourth hold within two seconds


@pytest.mark.parametrize("level", [Level.PLAIN, Level.GROSS])
@pytest.mark.parametrize("seed", [5, 6, 7])
def test_its_fault_is_found_where_it_is(level: Level, seed: int) -> None:
    said = spans(broken(_jerk, panning(12, seed=seed), 100, 200, level))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 8.0], abs=0.6)


def refined(before: Picture, after: Picture, share: float = 0.3) -> Picture:
    """A picture that is repeated and that a coder brings a little nearer to the next one."""
    return mixed(before, after, share)


def test_it_begins_with_holds_that_a_coder_blurred() -> None:
    """The first holds look like slow movement; that all stands still and goes on at once is seen even so."""
    shown = [pan(i - 1 if i in JERKS else i, step=2) for i in range(200)]
    for first in (82, 89):
        shown[first] = refined(pan(first - 1, step=2), pan(first, step=2))
        shown[first + 1] = shown[first]
    edge, at = spans(frames(shown))[0]
    assert edge == "opened"
    assert at == pytest.approx(83 / FPS, abs=1 / FPS)


def test_it_lasts_over_a_shot_in_which_nothing_moves() -> None:
    jerky = [pan(i - 1 if i in JERKS else i) for i in range(155)]
    again = [pan(i - 1 if i + 95 in JERKS else i, seed=8) for i in range(150)]
    said = spans(frames([*jerky, *[flat(90)] * 90, *again]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert said[1][1] == pytest.approx((155 + 90 + 55) / FPS, abs=1.0)


@pytest.mark.parametrize(("after", "told"), [(4, False), (30, True)])
def test_what_begins_to_move_by_fits_and_starts_is_none(after: int, *, told: bool) -> None:
    """As a dissolve between two dark stills, of which coding leaves some steps out."""
    jerks = {150 + after + k for k in (0, 5, 11, 15)}
    shown = [pan(i) for i in range(120)] + [pan(119)] * 30
    shown += [pan(i - 31 if i in jerks else i - 30) for i in range(150, 260)]
    assert bool(spans(frames(shown))) is told


def test_a_few_holds_are_no_stutter() -> None:
    assert spans(frames(pan(i - 1 if i in JERKS[:3] else i) for i in range(250))) == []


@pytest.mark.parametrize(
    ("source", "shown"),
    [(24, 30), (24, 60), (25, 50), (25, 30), (24, 25), (12, 25), (8, 24), (30, 50), (15, 30)],
)
def test_pulldown_and_animation_on_twos_have_a_rhythm(source: int, shown: int) -> None:
    assert spans(frames((pan(i * source // shown) for i in range(8 * shown)), fps=shown)) == []


def test_pulldown_that_begins_after_a_cut_is_programme() -> None:
    film = [pan(i * 24 // 30, seed=8) for i in range(180)]
    assert spans(frames([*panning(6, fps=30), *film, *panning(6, fps=30)], fps=30)) == []


def test_animation_on_twos_that_is_cut_to_after_single_holds_is_programme() -> None:
    live = [pan(i - 1 if i in (130, 158) else i) for i in range(180)]
    twos = [pan(i // 2, seed=8) for i in range(180)]
    assert spans(frames([*live, *twos], fps=30)) == []


def slowed(every: int, *, first: int = 120, last: int = 220, step: int = 1) -> list[Picture]:
    """A pan of which one picture in `every` is shown between `first` and `last`, and goes on by `step` of them."""
    held = [pan(first + step * ((i - first) // every), step=3) for i in range(first, last)]
    return [*(pan(i, step=3) for i in range(first)), *held, *(pan(i, step=3) for i in range(last, last + 80))]


@pytest.mark.parametrize("every", [3, 4, 6])
@pytest.mark.parametrize("missing", [False, True])
def test_movement_that_slows_to_a_few_pictures_a_second_within_a_shot_is_found(
    every: int, *, missing: bool
) -> None:
    """As where a coder no longer keeps up: the holds are even, but the shot was smooth before."""
    step = SECOND // FPS
    shown = slowed(every, step=every)
    stream = [
        frame(picture, i * step, step)
        for i, picture in enumerate(shown)
        if not (missing and 120 <= i < 220 and (i - 120) % every)
    ]
    said = spans(stream)
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([120 / FPS, 220 / FPS], abs=0.25)


def test_slower_rhythms_that_programmes_have_are_none() -> None:
    """Half as many pictures; drawings held on threes after a pan; and a shot that is slow from its cut on."""
    assert spans(frames(slowed(2, step=2))) == []
    assert spans(frames(slowed(3))) == []
    slow = [pan(4 * (i // 4), seed=8) for i in range(100)]
    assert spans(frames([*panning(5), *slow, *panning(4)])) == []


@pytest.mark.parametrize("early", [5, 7, 9, 11])
def test_animation_on_twos_of_which_a_coder_shows_a_drawing_early_is_programme(early: int) -> None:
    live = [pan(i - 1 if i in (141, 158, 167) else i) for i in range(180)]
    twos = [pan((i + (i == early)) // 2, seed=8) for i in range(120)]
    assert spans(frames([*live, *twos], fps=30)) == []


def test_a_stutter_within_pulldown_is_found() -> None:
    film = [pan(i * 24 // 30) for i in range(360)]
    for index in (150, 151, 163, 164, 170, 171, 188, 189, 190, 197, 198, 211, 212):
        film[index] = film[index - 1]
    assert [e for e, _ in spans(frames(film, fps=30))] == ["opened", "closed"]


def test_screens_that_stop_and_go_are_programme() -> None:
    """A page scrolled by fits and starts, each slowing down; a text being typed."""
    place, shown = 0.0, []
    speed = 0.0
    for index in range(400):
        speed = 8.0 if index % 23 == 0 or index % 37 == 0 else speed * 0.7
        place += speed
        shown.append(pan(int(place), step=2))
    assert spans(frames(shown)) == []
    typed = [
        written(titled(), "abcdefghijklmnopqrstuvwxyz"[: i * i // 37 % 26], (60, 240)) for i in range(300)
    ]
    assert spans(frames(typed)) == []


def test_somebody_in_a_still_room_under_noise_is_programme() -> None:
    rng = np.random.default_rng(4)
    assert spans(frames(grain(pan(0), rng, 1.0) for _ in range(250))) == []


def test_a_stream_of_variable_rate_from_its_beginning_is_programme() -> None:
    """A telephone in the dark: each picture lasts as long as it must, and movement goes by the clock."""
    rng = np.random.default_rng(9)
    at, stream = 0, []
    while at < 12 * SECOND:
        length = int(rng.choice((33, 33, 33, 50, 66)) * 1e6)
        stream.append(frame(pan(round(at / 4e7)), at, length))
        at += length
    assert spans(stream) == []


def test_cuts_are_programme() -> None:
    assert spans(frames(pan(i, seed=i // 11) for i in range(250))) == []


def test_a_new_clock_ends_it() -> None:
    shown = frames(pan(i - 1 if i in JERKS else i) for i in range(140))
    cut = Break(shown[-1].end_ns, TRACK, "signalled")
    said = spans([*shown, cut, *frames(panning(4), start_s=5.6)])
    assert said == [("opened", 4.0), ("closed", pytest.approx(134 / FPS))]


def test_not_ready_until_the_cadence_is_known() -> None:
    detector = stutter()
    assert not detector.ready
    findings(detector, frames(panning(1)))
    assert not detector.ready
    findings(detector, frames([flat(90)] * 100))
    assert not detector.ready, "a still teaches nothing"
    findings(detector, frames(panning(5)))
    assert detector.ready


def test_it_counts_the_holds() -> None:
    stream = frames(pan(i - 1 if i in JERKS else i) for i in range(200))
    assert max(measured(stutter(), stream, "held_pictures")) == 4
