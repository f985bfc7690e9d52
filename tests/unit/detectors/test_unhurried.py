"""While nothing is up, every second picture waits, and is looked at only where the next one may matter."""

from collections.abc import Iterator

import numpy as np

from contracts.findings import Finding
from detectors.detector import Params
from detectors.events import Break, Format
from detectors.frame import SAMPLED_HZ, Frame, PictureView
from detectors.picture_features import LUMA_CHANGE, LUMA_SPREAD
from detectors.unhurried import UnhurriedDetector
from tests.patterns import TRACK

STEP_NS = round(1e9 / SAMPLED_HZ)
DULL, WHITE = 100, 235


class NoParams(Params):
    """None."""


class Whites(UnhurriedDetector[NoParams]):
    """Notes the pictures that it looks at, and those that it lets pass; white ones matter."""

    id = "whites"
    needs = (LUMA_SPREAD, LUMA_CHANGE)
    compares = True
    Params = NoParams

    def __init__(self) -> None:
        super().__init__(NoParams(), TRACK)
        self.looked: list[int] = []
        self.passed: list[int] = []
        self.changes: list[bool] = []
        self.calm = True

    @property
    def is_calm(self) -> bool:
        return self.calm

    def may_matter(self, view: PictureView) -> bool:
        return view[LUMA_SPREAD].mean > 200

    def look(self, view: PictureView) -> Iterator[Finding]:
        self.looked.append(view.at_ns // STEP_NS)
        self.changes.append(view.follows and view[LUMA_CHANGE] is not None)
        yield from ()

    def let_pass(self, view: PictureView, following: PictureView) -> None:
        assert following.at_ns > view.at_ns
        self.passed.append(view.at_ns // STEP_NS)


def show(detector: Whites, codes: list[int], first: int = 0) -> None:
    before: Frame | None = None
    for n, code in enumerate(codes, first):
        frame = Frame(TRACK, n * STEP_NS, STEP_NS, np.full((18, 32), code, np.uint8), previous=before)
        list(detector.picture(PictureView(frame, frozenset(detector.needs))))
        frame.previous, before = None, frame


def test_every_second_picture_is_let_pass() -> None:
    detector = Whites()
    show(detector, [DULL] * 7)
    assert detector.looked == [0, 2, 4, 6]
    assert detector.passed == [1, 3, 5]


def test_which_ones_are_looked_at_does_not_depend_on_the_hour() -> None:
    detector = Whites()
    show(detector, [DULL] * 4, first=9)
    assert detector.looked == [9, 11]


def test_the_one_before_a_picture_that_matters_is_looked_at_first() -> None:
    detector = Whites()
    show(detector, [DULL, DULL, WHITE, DULL])
    assert detector.looked == [0, 1, 2]
    assert detector.changes == [False, True, True]  # what it differs from is kept, too


def test_all_are_looked_at_while_something_is_up() -> None:
    detector = Whites()
    detector.calm = False
    show(detector, [DULL] * 4)
    assert detector.looked == [0, 1, 2, 3]


def test_what_waits_is_dropped_where_the_clock_or_the_raster_is_another() -> None:
    for event in (Break(0, TRACK, "jump", 10**9), Format(0, TRACK, "video", "h264")):
        detector = Whites()
        show(detector, [DULL, WHITE])
        list(detector.broke(event) if isinstance(event, Break) else detector.format(event))
        show(detector, [WHITE], first=2)
        assert detector.looked == [0, 2]
