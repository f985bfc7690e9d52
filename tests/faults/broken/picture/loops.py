"""Breaks from the second second on."""

from collections.abc import Iterable

from contracts.findings import Finding
from detectors.detector import Detector, Params, Scope
from detectors.frame import PictureView


class Nothing(Params):
    """No parameters."""


class Breaks(Detector[Nothing]):
    id = "loops"
    scope = Scope.VIDEO
    Params = Nothing

    def picture(self, view: PictureView) -> Iterable[Finding]:
        if view.at_ns < 2_000_000_000:
            return ()
        while True:
            pass


DETECTOR = Breaks
