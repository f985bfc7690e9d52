"""The pipeline: who is shown what, what happens to a detector that breaks, and which defect explains which."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import pytest

from contracts.errors import UndeclaredFeature
from contracts.findings import DefectEdge, Edge, Finding, Measurement, Peak, Severity
from contracts.profile import Mode
from detectors.catalogue import Seat
from detectors.detector import Detector, Params, Scope
from detectors.events import Break, Damage, Event, Fetch, Format, Source, Tick
from detectors.frame import Block, Feature, Frame, PictureView, SoundView
from worker.pipeline import FAULT_DEFECT, TIMED_EVERY, Pipeline

SECOND = 1_000_000_000
STEP = SECOND // 25
MEAN: Feature[Frame, float] = Feature("mean", lambda f: float(f.luma.mean()))
SECRET: Feature[Frame, float] = Feature("secret", lambda f: 0.0)


class NoParams(Params):
    """None."""


class Spy(Detector[NoParams]):
    """Notes what it is shown."""

    id = "spy"
    scope = Scope.TRACK
    needs = (MEAN,)
    Params = NoParams
    all: ClassVar[list[Spy]] = []

    def __init__(self, params: NoParams, track: str | None) -> None:
        super().__init__(params, track)
        self.shown: list[Any] = []
        Spy.all.append(self)

    def picture(self, view: PictureView) -> Iterable[Finding]:
        self.shown.append(("picture", view.at_ns, view.follows))
        return ()

    def sound(self, view: SoundView) -> Iterable[Finding]:
        self.shown.append(("sound", view.at_ns, view.follows))
        return ()

    def tick(self, tick: Tick) -> Iterable[Finding]:
        self.shown.append(("tick", tick.at_ns))
        return ()


@pytest.fixture(autouse=True)
def _no_spies() -> Iterator[None]:
    Spy.all.clear()
    yield
    Spy.all.clear()


def seat(detector: type[Detector[Any]], mode: Mode = Mode.CHECK) -> Seat:
    return Seat(detector, detector.Params(), mode)


def frame(index: int, track: str = "video:0", code: int = 90, **kwargs: Any) -> Frame:
    return Frame(track, index * STEP, STEP, np.full((8, 8), code, np.uint8), **kwargs)


def block(index: int, track: str = "audio:0", **kwargs: Any) -> Block:
    return Block(
        track,
        index * SECOND // 10,
        SECOND // 10,
        np.zeros((2, 4800), np.float32),
        48_000,
        ("L", "R"),
        **kwargs,
    )


def opened(defect: str, at_ns: int, track: str | None, edge: Edge = Edge.OPENED) -> DefectEdge:
    return DefectEdge(edge, defect, defect, track, at_ns, at_ns, Severity.ERROR, Peak("p", 1.0, "ratio"), 1.0)


def saying(
    name: str, at: dict[int, list[tuple[Edge, int]]], causes: tuple[str, ...] = (), where: Scope = Scope.VIDEO
) -> Seat:
    """A detector that says edges at ticks: tick's second -> [(edge, dated at this second)]."""

    class Says(Detector[NoParams]):
        """Says what it was told."""

        id = name
        scope = where
        suppressed_by = causes
        Params = NoParams

        def tick(self, tick: Tick) -> Iterable[Finding]:
            for edge, when in at.get(tick.at_ns // SECOND, []):
                yield opened(name, when * SECOND, self.track, edge)

    return seat(Says)


def run(seats: list[Seat], events: Iterable[Event]) -> list[DefectEdge]:
    pipeline = Pipeline(seats)
    found = [f for e in events for f in pipeline.push(e)]
    return [f for f in found if isinstance(f, DefectEdge)]


def ticks(last: int) -> list[Event]:
    return [frame(0), *(Tick(i * SECOND) for i in range(1, last + 1))]


# --- who is shown what ------------------------------------------------------------------------------------


def test_each_track_has_its_own_instance_and_is_shown_its_own() -> None:
    pipeline = Pipeline([seat(Spy)])
    for event in (frame(0), frame(0, "video:1"), block(0), Tick(SECOND), frame(1)):
        pipeline.push(event)
    shown = {spy.track: [s[0] for s in spy.shown] for spy in Spy.all}
    assert shown == {
        "video:0": ["picture", "tick", "picture"],
        "video:1": ["picture", "tick"],
        "audio:0": ["sound", "tick"],
    }


def test_one_previous_frame_is_lent_and_taken_back() -> None:
    first, second, third = frame(0), frame(1), frame(2)
    pipeline = Pipeline([seat(Spy)])
    for event in (first, second, third):
        pipeline.push(event)
    assert [s[2] for s in Spy.all[0].shown] == [False, True, True]
    assert first.previous is second.previous is third.previous is None


def test_what_does_not_join_has_no_past() -> None:
    pipeline = Pipeline([seat(Spy)])
    for event in (frame(0), frame(1), frame(50, joins=False), frame(51)):
        pipeline.push(event)
    assert [s[2] for s in Spy.all[0].shown] == [False, True, False, True]


def test_a_slower_detector_is_shown_one_picture_a_slot() -> None:
    class Slow(Spy):
        """Five a second."""

        id = "slow"
        rate_hz = 5.0

    pipeline = Pipeline([seat(Slow)])
    for index in range(50):
        pipeline.push(frame(index))
    times = [s[1] / SECOND for s in Spy.all[0].shown]
    assert times == pytest.approx([0.0, 0.2, 0.4, 0.6, 0.8, 1.0, 1.2, 1.4, 1.6, 1.8])


def test_slower_detectors_are_shown_some_of_the_same_pictures() -> None:
    shown: dict[float, set[int]] = {}

    def at(rate: float) -> type[Spy]:
        class Slow(Spy):
            """So many a second."""

            id = f"slow_{round(rate)}"
            rate_hz = rate

            def picture(self, view: PictureView) -> Iterable[Finding]:
                shown.setdefault(rate, set()).add(view.at_ns)
                return ()

        return Slow

    pipeline = Pipeline([seat(at(rate)) for rate in (5.0, 2.0, 1.0)])
    for index in range(17, 517):  # joined in the middle of a second
        pipeline.push(frame(index))
    assert shown[1.0] < shown[5.0]
    assert shown[2.0] < shown[5.0]
    assert [len(shown[rate]) for rate in (5.0, 2.0, 1.0)] == pytest.approx([101, 41, 21], abs=1)


def test_a_feature_is_computed_once_a_frame_for_all() -> None:
    computed: list[int] = []

    def mean(f: Frame) -> float:
        computed.append(f.at_ns)
        return float(f.luma.mean())

    feature: Feature[Frame, float] = Feature("counted", mean)

    class Asks(Detector[NoParams]):
        """Asks twice."""

        id = "asks"
        scope = Scope.VIDEO
        needs = (feature,)
        Params = NoParams

        def picture(self, view: PictureView) -> Iterable[Finding]:
            assert view[feature] == view[feature] == 90.0
            return ()

    class Too(Asks):
        """The same again."""

        id = "too"

    pipeline = Pipeline([seat(Asks), seat(Too)])
    pipeline.push(frame(0))
    pipeline.push(frame(1))
    assert computed == [0, STEP]
    assert [c.fault for c in pipeline.coverage()] == [None, None]


# --- what is looked at together ---------------------------------------------------------------------------


def notes(name: str, order: list[tuple[str, int, bool]]) -> Seat:
    """A detector that notes what it is shown, and says so."""

    class Notes(Detector[NoParams]):
        """Measures the time."""

        id = name
        scope = Scope.VIDEO
        Params = NoParams

        def picture(self, view: PictureView) -> Iterable[Finding]:
            order.append((self.id, view.at_ns // STEP, view.follows))
            yield Measurement(self.id, 1.0, "x", view.at_ns, self.track)

    return seat(Notes)


def test_pictures_that_came_together_are_shown_to_one_detector_after_the_other() -> None:
    order: list[tuple[str, int, bool]] = []
    pipeline = Pipeline([notes("first", order), notes("second", order)])
    frames = [frame(0, more=True), frame(1, more=True), frame(2)]
    found = [pipeline.push(event) for event in frames]
    assert found[:2] == [[], []]
    assert order == [
        *(("first", n, n > 0) for n in range(3)),
        *(("second", n, n > 0) for n in range(3)),
    ]
    said = [(m.name, m.at_ns // STEP) for m in found[2] if isinstance(m, Measurement)]
    assert said == [(name, n) for n in range(3) for name in ("first", "second")]
    assert [f.previous for f in frames] == [None] * 3


@pytest.mark.parametrize("other", [Tick(SECOND), block(0), frame(0, "video:1", more=True)])
def test_whatever_else_comes_first_shows_what_waits(other: Event) -> None:
    order: list[tuple[str, int, bool]] = []
    pipeline = Pipeline([notes("first", order)])
    pipeline.push(frame(4, more=True))
    assert not order
    pipeline.push(other)
    assert order[0] == ("first", 4, False)


def test_the_end_shows_what_waits() -> None:
    order: list[tuple[str, int, bool]] = []
    pipeline = Pipeline([notes("first", order)])
    pipeline.push(frame(4, more=True))
    assert [m.at_ns for m in pipeline.finish(SECOND) if isinstance(m, Measurement)] == [4 * STEP]


def test_one_that_breaks_amid_pictures_that_came_together_is_shown_no_more_of_them() -> None:
    order: list[tuple[str, int, bool]] = []
    pipeline = Pipeline([seat(Breaks), notes("other", order)])
    found = [f for n in range(5) for f in pipeline.push(frame(n, more=n < 4))]
    edges = [(f.defect, f.edge, f.at_ns // STEP) for f in found if isinstance(f, DefectEdge)]
    assert edges == [
        ("breaks", Edge.OPENED, 0),
        ("breaks", Edge.CLOSED, 2),
        (FAULT_DEFECT, Edge.OPENED, 2),
    ]
    assert len(order) == 5


def test_each_picture_counts_as_judged_by_who_had_learned_before_it() -> None:
    class Learns(Spy):
        """Needs two pictures."""

        id = "learns"

        @property
        def ready(self) -> bool:
            return len(self.shown) >= 2

    pipeline = Pipeline([seat(Learns)])
    for n in range(5):
        pipeline.push(frame(n, more=n < 4))
    assert pipeline.coverage()[0].not_yet_s == pytest.approx(2 * STEP / SECOND)


# --- a detector that breaks -------------------------------------------------------------------------------


class Breaks(Detector[NoParams]):
    """Opens a defect, then raises at its third picture."""

    id = "breaks"
    scope = Scope.VIDEO
    Params = NoParams

    def __init__(self, params: NoParams, track: str | None) -> None:
        super().__init__(params, track)
        self.seen = 0

    def picture(self, view: PictureView) -> Iterable[Finding]:
        self.seen += 1
        if self.seen == 1:
            yield opened(self.id, view.at_ns, self.track)
        if self.seen == 3:
            raise ValueError("three is too many")


def test_a_broken_detector_is_set_aside_said_and_the_others_go_on() -> None:
    pipeline = Pipeline([seat(Breaks), seat(Spy)])
    found = [f for i in range(6) for f in pipeline.push(frame(i)) if isinstance(f, DefectEdge)]
    assert [(f.edge.value, f.defect, f.at_ns) for f in found] == [
        ("opened", "breaks", 0),
        ("closed", "breaks", 2 * STEP),
        ("opened", FAULT_DEFECT, 2 * STEP),
    ]
    assert found[2].channel == "breaks"
    assert "three is too many" in str(found[2].detail)
    assert len(Spy.all[0].shown) == 6
    rows = {c.detector: c for c in pipeline.coverage()}
    assert rows["breaks"].fault == "ValueError: three is too many"
    assert rows["breaks"].watched_s < rows["spy"].watched_s == pytest.approx(0.24)
    assert [e.defect for e in pipeline.open_defects] == [FAULT_DEFECT]


def test_only_the_track_on_which_it_broke_is_lost() -> None:
    pipeline = Pipeline([seat(Breaks)])
    for index in range(3):
        pipeline.push(frame(index))
    assert [f.edge for f in pipeline.push(frame(3, "video:1")) if isinstance(f, DefectEdge)] == [Edge.OPENED]


def test_a_broken_detector_of_the_input_closes_what_it_opened_on_a_track() -> None:
    class OnTrack(Breaks):
        """One for the whole input, that names tracks."""

        id = "on_track"
        scope = Scope.INPUT

        def damage(self, event: Damage) -> Iterable[Finding]:
            if event.units == 1:
                yield opened(self.id, event.at_ns, event.track)
            else:
                raise ValueError("no more")

    hurt = Damage(0, "video:0", 1, "x")
    found = run([seat(OnTrack)], [hurt, replace(hurt, at_ns=5, units=2)])
    assert [(f.edge.value, f.defect) for f in found] == [
        ("opened", "on_track"),
        ("closed", "on_track"),
        ("opened", FAULT_DEFECT),
    ]


def test_reading_an_undeclared_feature_is_a_fault() -> None:
    class Curious(Detector[NoParams]):
        """Reads what it did not declare."""

        id = "curious"
        scope = Scope.VIDEO
        Params = NoParams

        def picture(self, view: PictureView) -> Iterable[Finding]:
            _ = view[SECRET]
            return ()

    found = run([seat(Curious)], [frame(0)])
    assert [f.defect for f in found] == [FAULT_DEFECT]
    assert UndeclaredFeature.__name__ in str(found[0].detail)


def test_a_fault_in_the_last_words_is_contained_too() -> None:
    class Last(Spy):
        """Breaks at the end."""

        id = "last"

        def finish(self, at_ns: int) -> Iterable[Finding]:
            raise KeyError("end")

    pipeline = Pipeline([seat(Last)])
    pipeline.push(frame(0))
    (fault,) = pipeline.finish(STEP)
    assert isinstance(fault, DefectEdge)
    assert fault.defect == FAULT_DEFECT


# --- causes -----------------------------------------------------------------------------------------------

OPEN, CLOSE = Edge.OPENED, Edge.CLOSED


def test_a_consequence_that_opens_after_its_cause_is_marked() -> None:
    cause = saying("cause", {2: [(OPEN, 2)]})
    effect = saying("effect", {4: [(OPEN, 3)], 6: [(CLOSE, 5)]}, ("cause",))
    found = run([cause, effect], ticks(7))
    assert [(f.defect, f.edge, f.suppressed_by) for f in found] == [
        ("cause", OPEN, None),
        ("effect", OPEN, "cause"),
        ("effect", CLOSE, "cause"),
    ]


def test_a_consequence_that_opens_before_its_cause_is_marked_when_that_is_known() -> None:
    effect = saying("effect", {3: [(OPEN, 2)], 8: [(CLOSE, 7)]}, ("cause",))
    cause = saying("cause", {5: [(OPEN, 2)]})
    found = run([cause, effect], ticks(9))
    assert [(f.defect, f.edge, f.suppressed_by) for f in found] == [
        ("effect", OPEN, None),
        ("cause", OPEN, None),
        ("effect", Edge.UPDATED, "cause"),
        ("effect", CLOSE, "cause"),
    ]


def test_what_began_long_before_is_not_explained() -> None:
    effect = saying("effect", {3: [(OPEN, 1)]}, ("cause",))
    cause = saying("cause", {5: [(OPEN, 4)]})
    assert {f.suppressed_by for f in run([cause, effect], ticks(6))} == {None}


def test_a_cause_that_has_closed_explains_what_began_in_it_and_nothing_later() -> None:
    cause = saying("cause", {2: [(OPEN, 2)], 5: [(CLOSE, 5)]})
    inside = saying("inside", {6: [(OPEN, 4)]}, ("cause",))
    after = saying("after", {8: [(OPEN, 6)]}, ("cause",))
    found = {f.defect: f.suppressed_by for f in run([cause, inside, after], ticks(9))}
    assert found == {"cause": None, "inside": "cause", "after": None}


def test_a_cause_on_another_track_explains_nothing_and_one_of_the_input_all() -> None:
    class OnAudio(Detector[NoParams]):
        """A cause on sound."""

        id = "cause"
        scope = Scope.AUDIO
        Params = NoParams

        def tick(self, tick: Tick) -> Iterable[Finding]:
            if tick.at_ns == SECOND:
                yield opened("cause", SECOND, self.track)

    effect = saying("effect", {3: [(OPEN, 2)]}, ("cause",))
    events: list[Event] = [block(0), *ticks(4)]
    assert {f.defect: f.suppressed_by for f in run([seat(OnAudio), effect], events)}["effect"] is None
    everywhere = saying("cause", {1: [(OPEN, 1)]}, where=Scope.INPUT)
    assert {f.defect: f.suppressed_by for f in run([everywhere, effect], events)}["effect"] == "cause"


def test_what_begins_just_after_its_cause_is_explained_and_what_outlives_it_counts_again() -> None:
    cause = saying("cause", {2: [(OPEN, 2)], 5: [(CLOSE, 5)]})
    effect = Seat(_Late, NoParams(), Mode.CHECK)
    found = [f for f in run([cause, effect], ticks(20)) if f.defect == "late"]
    assert [(f.edge, f.at_ns, f.suppressed_by) for f in found] == [
        (Edge.OPENED, 5 * SECOND + SECOND // 3, "cause"),
        (Edge.UPDATED, 5 * SECOND + SECOND // 3, None),
        (Edge.CLOSED, 19 * SECOND, None),
    ]
    assert found[1].certain_at_ns == found[0].certain_at_ns


class _Late(Detector[NoParams]):
    """Opens a third of a second after the cause has closed, and stays open."""

    id = "late"
    scope = Scope.VIDEO
    suppressed_by = ("cause",)
    Params = NoParams

    def tick(self, tick: Tick) -> Iterable[Finding]:
        if tick.at_ns == 6 * SECOND:
            yield opened("late", 5 * SECOND + SECOND // 3, self.track)
        if tick.at_ns == 19 * SECOND:
            yield opened("late", 19 * SECOND, self.track, CLOSE)


def test_a_short_consequence_is_marked_when_its_cause_is_found_after_it_has_closed() -> None:
    cause = saying("cause", {6: [(OPEN, 2)]})
    effect = saying("effect", {3: [(OPEN, 2), (CLOSE, 3)], 4: [(OPEN, 4), (CLOSE, 4)]}, ("cause",))
    before = saying("before", {1: [(OPEN, 1), (CLOSE, 1)]}, ("cause",))
    found = [
        (f.defect, f.edge, f.at_ns // SECOND)
        for f in run([cause, effect, before], ticks(7))
        if f.suppressed_by
    ]
    assert found == [("effect", Edge.UPDATED, 2), ("effect", Edge.UPDATED, 4)]


def test_a_consequence_passes_to_another_cause_that_is_still_open() -> None:
    one = saying("one", {2: [(OPEN, 2)], 4: [(CLOSE, 4)]})
    two = saying("two", {2: [(OPEN, 2)]})
    effect = saying("effect", {3: [(OPEN, 3)], 30: [(CLOSE, 30)]}, ("one", "two"))
    marks = [f.suppressed_by for f in run([one, two, effect], ticks(31)) if f.defect == "effect"]
    assert marks == ["one", "two"]


def test_a_consequence_of_the_whole_input_is_explained_by_a_cause_on_any_track() -> None:
    cause = saying("cause", {1: [(OPEN, 1)]})
    effect = saying("effect", {2: [(OPEN, 2)]}, ("cause",), where=Scope.INPUT)
    assert {f.defect: f.suppressed_by for f in run([cause, effect], ticks(3))}["effect"] == "cause"


# --- what was seen ----------------------------------------------------------------------------------------


def test_watched_is_media_and_not_the_gaps_in_it() -> None:
    pipeline = Pipeline([seat(Spy)])
    for index in range(25):
        pipeline.push(frame(index))
    pipeline.push(Break(SECOND, "video:0", "gap", 3 * SECOND))
    for index in range(100, 125):
        pipeline.push(frame(index))
    assert pipeline.watched_ns == 2 * SECOND


def test_blind_is_told_by_the_source() -> None:
    pipeline = Pipeline([seat(Spy)])
    pipeline.push(frame(0))
    for at in (1, 2, 3):
        pipeline.push(Source(at * SECOND, "source_stalled", "12 s"))
    assert pipeline.blind_ns == 2 * SECOND
    pipeline.push(Source(5 * SECOND, None))
    pipeline.push(Source(6 * SECOND, None))
    assert pipeline.blind_ns == 4 * SECOND
    (row,) = pipeline.coverage()
    assert row.blind_s == 4.0


def test_coverage_has_a_row_for_each_instance_and_its_cost() -> None:
    class Busy(Spy):
        """Costs something."""

        id = "busy"

        def picture(self, view: PictureView) -> Iterable[Finding]:
            np.sort(np.random.default_rng(0).random(50_000))
            yield Measurement("m", 1.0, "ratio", view.at_ns, self.track)

    pipeline = Pipeline([seat(Busy), seat(Spy)])
    for index in range(3 * TIMED_EVERY):
        pipeline.push(frame(index))
    pipeline.push(block(0))
    rows = {(c.detector, c.track): c for c in pipeline.coverage()}
    assert set(rows) == {(d, t) for d in ("busy", "spy") for t in ("video:0", "audio:0")}
    assert rows["busy", "video:0"].cpu_ms_per_s > rows["spy", "video:0"].cpu_ms_per_s > 0
    assert rows["spy", "audio:0"].watched_s == pytest.approx(0.1)


def test_pictures_and_sound_that_come_by_turns_are_timed_alike() -> None:
    class Busy(Spy):
        """Costs something."""

        id = "busy"

        def picture(self, view: PictureView) -> Iterable[Finding]:
            np.sort(np.random.default_rng(0).random(5_000))
            return ()

        def sound(self, view: SoundView) -> Iterable[Finding]:
            np.sort(np.random.default_rng(0).random(5_000))
            return ()

    pipeline = Pipeline([seat(Busy)])
    for index in range(30 * TIMED_EVERY):
        if index % TIMED_EVERY == TIMED_EVERY - 1:
            pipeline.push(block(index // TIMED_EVERY))
        else:
            pipeline.push(frame(index))
    assert all(c.cpu_ms_per_s > 0 for c in pipeline.coverage())


class Learner(Detector[NoParams]):
    """Knows its stream after five pictures; a jump of the clock makes it forget. Breaks when it is told to."""

    id = "learner"
    scope = Scope.VIDEO
    rate_hz = 5.0
    Params = NoParams
    breaks = False

    def __init__(self, params: NoParams, track: str | None) -> None:
        super().__init__(params, track)
        self.seen = 0

    @property
    def ready(self) -> bool:
        if self.breaks and self.seen >= 3:
            raise ValueError("bug")
        return self.seen >= 5

    def picture(self, view: PictureView) -> Iterable[Finding]:
        self.seen += 1
        return ()

    def broke(self, event: Break) -> Iterable[Finding]:
        self.seen = 0
        return ()


def test_what_is_shown_before_a_detector_is_ready_is_not_yet_judged() -> None:
    pipeline = Pipeline([seat(Learner), seat(Spy)])
    for index in range(100):  # it asks for every fifth picture: the fifth is number 20
        pipeline.push(frame(index))
    rows = {c.detector: c for c in pipeline.coverage()}
    assert (rows["learner"].watched_s, rows["learner"].not_yet_s) == (4.0, 0.84)
    assert rows["spy"].not_yet_s == 0.0


def test_a_detector_that_forgets_at_a_break_is_not_ready_again() -> None:
    pipeline = Pipeline([seat(Learner)])
    for index in range(50):
        pipeline.push(frame(index))
    pipeline.push(Break(2 * SECOND, "video:0", "jump", SECOND))
    for index in range(50, 60):
        pipeline.push(frame(index))
    (row,) = pipeline.coverage()
    assert row.not_yet_s == pytest.approx(0.84 + 0.4)


def test_a_detector_of_the_input_is_not_ready_in_the_time_of_the_longest_track() -> None:
    class Never(Learner):
        """Of the whole input, and never sure."""

        id = "never"
        scope = Scope.INPUT
        ready = property(lambda self: False)

    pipeline = Pipeline([seat(Never)])
    for index in range(50):
        pipeline.push(frame(index))
    for index in range(10):
        pipeline.push(block(index))
    (row,) = pipeline.coverage()
    assert (row.watched_s, row.not_yet_s) == (2.0, 2.0)


def test_a_fault_in_saying_whether_it_is_ready_is_contained_too() -> None:
    class Breaks(Learner):
        """Breaks when asked."""

        id = "breaks"
        breaks = True

    pipeline = Pipeline([seat(Breaks), seat(Spy)])
    found = [f for index in range(20) for f in pipeline.push(frame(index))]
    assert [f.defect for f in found if isinstance(f, DefectEdge)] == [FAULT_DEFECT]
    rows = {c.detector: c for c in pipeline.coverage()}
    assert rows["breaks"].fault == "ValueError: bug"
    assert rows["spy"].watched_s == 0.8


def test_events_of_every_kind_are_carried() -> None:
    pipeline = Pipeline([seat(Spy)])
    kinds: list[Event] = [
        Format(0, "video:0", "video", "h264"),
        Fetch(0, None, "segment", "u", 1, 200, 5, 0.1),
        Damage(0, "audio:0", 1, "x"),
        Break(0, None, "signalled"),
        Source(0, None),
        Tick(0),
    ]
    assert [pipeline.push(e) for e in kinds] == [[]] * len(kinds)
