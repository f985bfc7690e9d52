"""Freeze: movement that stops at once; stills that programmes show are not one."""

from collections.abc import Iterable

import numpy as np
import pytest

from contracts.findings import DefectEdge, Edge, Peak, Severity
from detectors.events import Break
from detectors.frame import Frame
from detectors.picture._ending import Ending
from detectors.picture.freeze import DETECTOR, Freeze
from tests.injection import Fault, Level, Moment, Picture
from tests.patterns import (
    BLACK,
    FPS,
    SECOND,
    TRACK,
    WIDTH,
    broken,
    copied,
    flat,
    frame,
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
from tests.run import findings


def _held(picture: Picture, moment: Moment) -> Picture:
    """The first picture of the fault again and again; under light grain or a moving ticker when plain."""
    held: Picture = moment.memory.setdefault("held", copied(picture))
    if moment.level is not Level.PLAIN:
        return copied(held)
    if moment.memory.setdefault("ticker", bool(moment.rng.integers(2))):
        return ticker(held, moment.index)
    return grain(held, moment.rng, 0.4)


def _held_shortly(picture: Picture, moment: Moment) -> Picture:
    """`_held`, but when it is just visible every third second moves."""
    if moment.level is Level.JUST and moment.index % round(3.2 * moment.fps) >= 2.4 * moment.fps:
        moment.memory.pop("held", None)
        return picture
    return _held(picture, moment)


FAULT = Fault("freeze", (3.0, 12.0), picture=_held_shortly, after_cut_s=1.0)


def freeze() -> Freeze:
    return DETECTOR(DETECTOR.Params(), TRACK)


def judged(stream: Iterable[Frame | Break]) -> list[DefectEdge]:
    """Opened and closed edges at `warning` and above."""
    found = [f for f in findings(freeze(), stream) if isinstance(f, DefectEdge)]
    return [f for f in found if f.edge is not Edge.UPDATED and f.severity.rank >= Severity.WARNING.rank]


def spans(stream: Iterable[Frame | Break]) -> list[tuple[str, float]]:
    return [(f.edge.value, f.at_ns / SECOND) for f in judged(stream)]


def test_golden_dated_to_the_first_repeated_picture() -> None:
    found = judged(broken(_held, panning(10), 77, 177))
    assert [f.edge.value for f in found] == ["opened", "closed"]
    # Picture 77 is shown in its turn; 78 is the first that repeats it.
    assert [f.at_ns / SECOND for f in found] == pytest.approx([78 / FPS, 177 / FPS], abs=1.01 / FPS)
    assert {f.severity for f in found} == {Severity.ERROR}
    assert found[0].certain_at_ns - found[0].at_ns <= 3 * SECOND


@pytest.mark.parametrize("seed", range(4))
def test_under_grain_or_a_moving_ticker_it_is_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    moment = Moment(Level.PLAIN, rng, float(FPS), 48_000)
    shown = panning(4)
    for _ in range(150):
        shown.append(_held(pan(100), moment))
        moment.index += 1
    said = spans(frames([*shown, *panning(2, first=140)]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 10.0], abs=0.1)


def test_a_running_ticker_over_programme_hides_no_freeze() -> None:
    moving = [ticker(p, i) for i, p in enumerate(panning(4))]
    stuck = [ticker(pan(100), 100 + i) for i in range(125)]
    said = spans(frames([*moving, *stuck, *(ticker(pan(101 + i), 225 + i) for i in range(50))]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 9.0], abs=0.1)


def test_a_periodic_ripple_of_the_coder_is_one_defect() -> None:
    held = pan(100)
    rng = np.random.default_rng(2)
    refreshed = [grain(held, rng, 2.0) for _ in range(6)]  # each key picture is coded a little differently
    stuck = [refreshed[i // 25] for i in range(150)]
    said = spans(frames([*panning(4), *stuck, *panning(2, first=101)]))
    assert [e for e, _ in said] == ["opened", "closed"]
    assert [at for _, at in said] == pytest.approx([4.0, 10.0], abs=0.1)


def test_too_short_to_matter() -> None:
    assert spans(broken(_held, panning(8), 100, 145)) == []


def test_two_freezes_are_two_defects() -> None:
    once = broken(_held, panning(14), 75, 150)
    again = broken(_held, panning(14), 225, 300)
    both = [*once[:200], *again[200:]]
    assert [e for e, _ in spans(both)] == ["opened", "closed", "opened", "closed"]


def test_it_stays_open_when_the_stream_ends_frozen() -> None:
    assert [e for e, _ in spans(broken(_held, panning(10), 100, 250))] == ["opened"]


def test_a_title_card_after_a_cut_is_programme() -> None:
    assert spans(frames([*panning(4), *[titled()] * 250, *panning(4, seed=8)])) == []


@pytest.mark.parametrize(("seed", "step", "still"), [(5, 16, 5), (7, 24, 7), (8, 24, 11)])
def test_a_still_cut_to_out_of_fast_movement_is_programme_and_a_freeze_in_it_is_not(
    seed: int, step: int, still: int
) -> None:
    fast = [pan(i, step=step, seed=seed) for i in range(100)]
    cut = [*fast, *[pan(400, step=3, seed=still)] * 125, *panning(1, seed=2)]
    assert spans(frames(cut)) == []
    assert [edge for edge, _ in spans(frames([*fast, *[fast[-1]] * 125, *panning(1, seed=2)]))] == [
        "opened",
        "closed",
    ]


def test_a_freeze_that_a_coder_refines_late_is_told() -> None:
    """Little moved, so that the step of the next key picture looks as if it went on."""
    room, shown = pan(0), []
    refined = np.where(np.arange(WIDTH) // 48 % 2, 2, -2)
    for index in range(200):
        luma = room[0].astype(np.int16)
        luma[110:130, 160:240] = np.roll(luma[110:130, 160:240], 3 * min(index, 100), axis=1)
        luma += refined * (index >= 110)
        shown.append((luma.clip(0, 255).astype(np.uint8), room[1], room[2]))
    (opened,) = judged(frames(shown))
    assert opened.severity is Severity.ERROR
    assert opened.at_ns / SECOND == pytest.approx(100 / FPS, abs=1.01 / FPS)


def test_two_cuts_in_a_row_to_a_still_are_programme() -> None:
    shown = [*panning(4), *[pan(i, seed=8, step=4) for i in range(12)], *[pan(0, seed=9)] * 120]
    assert spans(frames(shown)) == []


def test_a_title_card_after_a_dissolve_is_programme() -> None:
    dissolve = [mixed(p, titled(), (i + 1) / 26) for i, p in enumerate(panning(1, first=100))]
    back = [mixed(titled(), p, (i + 1) / 26) for i, p in enumerate(panning(1, seed=8))]
    assert spans(frames([*panning(4), *dissolve, *[titled()] * 250, *back, *panning(3, seed=8)])) == []


def test_a_fade_to_black_is_programme() -> None:
    fade = [mixed(p, flat(BLACK), (i + 1) / 50) for i, p in enumerate(panning(2, first=100))]
    assert spans(frames([*panning(4), *fade, *[flat(BLACK)] * 125])) == []


def test_a_still_from_the_beginning_is_programme() -> None:
    assert spans(frames([*[titled()] * 500])) == []


def test_a_still_that_a_coder_refines_at_the_beginning_of_a_stream_is_programme() -> None:
    moved = [pan(0)] * 4 + [pan(i, step=1) for i in range(8)]
    assert spans(frames([*moved, *[pan(8, step=1)] * 120])) == []
    later = [pan(i, step=1) for i in range(40)]
    assert [e for e, _ in spans(frames([*later, *[pan(40, step=1)] * 120, *panning(1)]))] == [
        "opened",
        "closed",
    ]


def test_slides_that_cut_from_one_to_the_next_are_programme() -> None:
    slides = [titled(f"SLIDE {n} OF TEN", 150 + 10 * n) for n in range(5)]
    assert spans(frames(s for slide in slides for s in [slide] * 100)) == []


def test_slow_slides_with_few_pictures_a_second_are_programme() -> None:
    stream = [frame(titled(f"SLIDE {i}", 120 + 15 * i), i * 5 * SECOND, 5 * SECOND) for i in range(8)]
    assert spans(stream) == []


def test_a_still_photograph_under_a_slow_zoom_moves() -> None:
    assert spans(frames(pan(i, step=1) for i in range(250))) == []


def test_a_near_static_noisy_camera_is_programme() -> None:
    rng = np.random.default_rng(4)
    assert spans(frames(grain(pan(0), rng, 2.0) for _ in range(250))) == []


def test_somebody_who_stops_to_think_before_a_still_background() -> None:
    """Movement in one small place that ends and begins again: a talking head, a screen being typed on."""

    def shown(index: int) -> Picture:
        letters = min(index, 60) // 6 if index < 160 else 10 + (index - 160) // 6
        return written(titled(), "abcdefghijklmnopqrstuvwxyz"[:letters], (60, 240))

    said = judged(frames(shown(i) for i in range(300)))
    assert [f for f in said if f.severity.rank >= Severity.ERROR.rank] == []


def test_somebody_who_keeps_still_is_no_freeze() -> None:
    """Movement that stops, and then wavers by little every other moment before a background that cannot move."""

    def shown(index: int) -> Picture:
        sways = 4 * (index // 5 % 2) if index % 5 < 2 else 0
        return written(pan(100), "O", (230, 130 + sways), luma=150)

    said = judged(frames([*panning(4), *(shown(i) for i in range(150)), *panning(2, first=101)]))
    assert [f for f in said if f.severity.rank >= Severity.ERROR.rank] == []


def test_only_a_logo_stands_still() -> None:
    assert spans(frames(logo(p) for p in panning(8))) == []


def test_animation_on_threes_is_programme() -> None:
    assert spans(frames(pan(3 * (i // 3)) for i in range(250))) == []


def test_a_new_clock_does_not_join_what_lies_on_either_side() -> None:
    first, second = frames([*panning(4), *[pan(100)] * 40]), frames([pan(100)] * 40, start_s=5.6)
    assert spans([*first, Break(round(5.6 * SECOND), TRACK, "signalled"), *second]) == []


def test_a_change_of_raster_is_no_freeze() -> None:
    small = [flat(90, size=(160, 90)) for _ in range(30)]
    assert spans(frames([*panning(3), *small, *panning(3)])) == []


@pytest.mark.parametrize("severity", [Severity.ERROR, Severity.WARNING])
def test_one_that_was_open_before_the_first_picture_goes_on_and_ends_with_the_first_movement(
    severity: Severity,
) -> None:
    moving = panning(4)
    stream = frames([moving[0]] * (4 * FPS) + moving[1:])
    detector = freeze()
    detector.adopt(
        DefectEdge(
            Edge.OPENED, "freeze", "freeze", TRACK, -70 * SECOND, -68 * SECOND, severity,
            Peak("frozen_share", 1.0, "ratio"), 0.6,
        )
    )  # fmt: skip
    found = [f for f in findings(detector, stream) if isinstance(f, DefectEdge)]
    assert [(f.edge, f.severity) for f in found] == [(Edge.OPENED, severity), (Edge.CLOSED, severity)]
    assert found[1].at_ns / SECOND == pytest.approx(4.0, abs=1.01 / FPS)
    assert judged(stream) == []


@pytest.mark.parametrize(
    ("ending", "frozen"),
    [
        (Ending(0, 0.53, 0.18, 0.10, 0.41, 1.02, False), True),  # the most of them
        (Ending(0, 0.09, 0.17, 0.11, 0.53, 0.20, False), True),  # little moved, and that by fits
        (Ending(0, 0.67, 0.42, 0.28, 0.57, 0.59, False), True),  # a pan that brings new light
        (Ending(0, 0.67, 0.41, 0.26, 0.78, 0.60, False), True),  # another, nearly straight
        (Ending(0, 0.62, 0.21, 0.21, 0.98, 0.45, False), True),  # a last step that is half of the others
        (Ending(0, 0.79, 0.23, 0.16, 0.47, 0.38, False), True),  # the same, after movement to and fro
        (Ending(0, 0.33, 0.45, 0.34, 0.66, 0.31, False), True),  # to and fro, with new light
        (Ending(0, 0.82, 0.50, 0.45, 0.70, 0.50, False), True),  # another
        (Ending(0, 0.15, 0.44, 0.43, 0.86, 0.94, False), False),  # a dissolve
        (Ending(0, 0.89, 0.39, 0.20, 0.75, 0.78, False), False),  # another, out of quick movement
        (Ending(0, 0.85, 0.32, 0.32, 1.53, 1.01, False), False),  # another, of all of the picture
        (Ending(0, 0.10, 0.32, 0.20, 1.10, 0.60, False), True),  # as straight, where little moved
        (Ending(0, 0.87, 0.42, 0.23, 0.68, 0.89, False), True),  # a pan in which all moves
        (Ending(0, 0.80, 0.54, 0.54, 0.31, 1.18, False), False),  # a cut to a still out of a fast pan
        (Ending(0, 0.68, 0.21, 0.14, 0.79, 0.36, False), False),  # movement that slowed down
        (Ending(0, 0.80, 0.38, 0.35, 0.42, 1.73, False), False),  # a cut out of fast movement
        (Ending(0, 0.86, 0.20, 0.20, 0.55, 2.29, False), False),  # another, to a picture of the same light
        (Ending(0, 0.97, 0.50, 0.50, 0.69, 8.12, False), False),  # a cut
    ],
)
def test_endings_as_footage_has_them(ending: Ending, *, frozen: bool) -> None:
    assert freeze()._stopped_at_once(ending) is frozen
