"""Levels: more of the picture than is allowed lies outside the legal range, for seconds.

Measures  `out_of_range`, ratio: share of luma (averaged over 2 x 2 samples) outside 5 to 246, or of Cb or Cr where more
          of those are; highest of each second (the defect's peak).
Defect    `levels`, warning: the share is above `max_share` for `min_seconds`; dated at the first such picture.
          Averaging and the margin of R 103 forgive the overshoot of filters and coders at edges; blanking at the
          rim of the picture (outside the action-safe area) is not looked at.
Blind to  Excursions of R'G'B' that neither luma nor chroma shows; sparks and short flashes; what a contribution link
          clipped on its way. Streams of full range have no such limits and are not judged, but one that is full
          range and does not say so is told, rightly.
Source    EBU R 103 v3.0: 8-bit 5 to 246, 1 % of the picture; EBU R 95: action-safe area.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Params
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import CHROMA_SMALL, LUMA_STRIPS, Small
from detectors.unhurried import NEARLY, UnhurriedDetector

LOWEST, HIGHEST = 5, 246  # EBU R 103, 8-bit code values
RIM = 0.035  # of the height and the width at each side: EBU R 95, outside the action-safe area


def _outside(plane: Small) -> float:
    top, left = round(RIM * plane.shape[0]), round(RIM * plane.shape[1])
    seen = plane[top : plane.shape[0] - top, left : plane.shape[1] - left]
    inside = cv2.countNonZero(np.asarray(cv2.inRange(seen, LOWEST, HIGHEST)))
    return 1.0 - inside / seen.size


def _out_of_range(frame: Frame) -> float | None:
    if frame.full_range:
        return None
    return max(_outside(plane) for plane in (frame[LUMA_STRIPS], *(frame[CHROMA_SMALL] or ())))


OUT_OF_RANGE = Feature("out_of_range", _out_of_range, rate_hz=SAMPLED_HZ)
"""The largest share of samples outside the legal range of any plane; None where there are no limits."""


class LevelsParams(Params):
    """What counts as too much outside the legal range."""

    max_share: float = Field(default=0.01, ge=0, le=1, description="ratio of the samples of one plane, 0..1")
    min_seconds: float = Field(default=3.0, ge=0, le=3600, description="seconds of media time")


class Levels(UnhurriedDetector[LevelsParams]):
    """See the module's docstring."""

    id = "levels"
    needs = (OUT_OF_RANGE,)
    suppressed_by = ("black", "solid_color", "color_bars", "chroma_loss", "picture_missing")
    Params = LevelsParams

    def __init__(self, params: LevelsParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="out_of_range",
            unit="ratio",
            threshold=params.max_share,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=1_000_000_000,
            severity=Severity.WARNING,
        )
        self._second, self._most = -1, 0.0

    @property
    def is_calm(self) -> bool:
        """Whether there is no more outside than allowed."""
        return self._hold.since_ns is None

    def may_matter(self, view: PictureView) -> bool:
        """Whether some of it lies outside."""
        return (view[OUT_OF_RANGE] or 0.0) > NEARLY * self.params.max_share

    def look(self, view: PictureView) -> Iterator[Finding]:
        """Count what lies outside."""
        share = view[OUT_OF_RANGE]
        if share is None:
            yield from self._hold.reset(view.at_ns)
            return
        self._most = max(self._most, share)
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("out_of_range", self._most, "ratio", view.at_ns, self.track)
            self._most = 0.0
        yield from self._hold.update(view.at_ns, share > self.params.max_share, share, end_ns=view.end_ns)


DETECTOR = Levels
