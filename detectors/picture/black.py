"""Black picture: nearly all of the raster sits at video black for too long.

Measures  `dark_coverage`, ratio: share of luma samples at or below `max_level` above black.
          `centre_dark_coverage`, the same for the middle 70 % of width and height.
Defect    `black`, critical: both coverages are reached and the dark part of the centre is flat, for `min_seconds`;
          dated at the first dark picture. A logo or ticker near the border does not hide it. Dark blue or green
          is `solid_color`.
Blind to  Black that lasts shorter than `min_seconds`, and black behind a large or central caption. Night scenes,
          title cards and credits have light or structure in the centre, which is what spares them.
Source    EBU QC 0272B; ITU-R BT.709 (black is 8-bit code 16, white 235); 2 s and 98 % are usual practice.
"""

import math
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture_features import CHROMA_SPREAD, LUMA_HISTOGRAM, LUMA_SPREAD

NEUTRAL = 128.0
LEVELS = np.arange(256, dtype=np.float32)


class BlackParams(Params):
    """What counts as black."""

    max_level: float = Field(
        default=0.10, ge=0, le=1, description="ratio of the range from black to white, 0..1"
    )
    min_coverage: float = Field(default=0.98, ge=0, le=1, description="ratio of the whole raster, 0..1")
    min_centre_coverage: float = Field(
        default=0.999, ge=0, le=1, description="ratio of the middle 70 %, 0..1"
    )
    max_deviation: float = Field(
        default=3.0, ge=0, le=128, description="standard deviation of the centre, 8-bit code values"
    )
    max_chroma: float = Field(
        default=12.0,
        ge=0,
        le=128,
        description="distance of mean chroma from neutral at which dark is a colour, 8-bit code values",
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Black(Detector[BlackParams]):
    """See the module's docstring."""

    id = "black"
    scope = Scope.VIDEO
    needs = (LUMA_HISTOGRAM, LUMA_SPREAD, CHROMA_SPREAD)
    suppressed_by = ("picture_missing",)
    Params = BlackParams

    def __init__(self, params: BlackParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="dark_coverage",
            unit="ratio",
            threshold=params.min_coverage,
            open_ns=round(params.min_seconds * 1e9),
            severity=Severity.CRITICAL,
        )
        self._second = -1
        # With `min_coverage` of the samples at the highest dark code and the others at 255.
        dark = 16 + 239 * params.max_level
        self._brightest_mean = params.min_coverage * dark + (1 - params.min_coverage) * 255

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Count dark samples."""
        second = view.at_ns // 1_000_000_000
        if second == self._second and view[LUMA_SPREAD].mean > self._brightest_mean:
            yield from self._hold.update(
                view.at_ns, False, 0.0
            )  # too bright for any histogram to be dark enough
            return
        histogram = view[LUMA_HISTOGRAM]
        most = int(self.params.max_level * histogram.range)
        whole = float(histogram.whole[: most + 1].sum() / histogram.whole.sum())
        centre = float(histogram.centre[: most + 1].sum() / histogram.centre.sum())
        black = whole >= self.params.min_coverage and centre >= self.params.min_centre_coverage
        if black:
            black = _deviation(histogram.centre) <= self.params.max_deviation and not self._coloured(view)
        if second != self._second:
            self._second = second
            yield Measurement("dark_coverage", whole, "ratio", view.at_ns, self.track)
            yield Measurement("centre_dark_coverage", centre, "ratio", view.at_ns, self.track)
        yield from self._hold.update(view.at_ns, black, whole, end_ns=view.end_ns)

    def _coloured(self, view: PictureView) -> bool:
        chroma = view[CHROMA_SPREAD]
        return chroma is not None and max(abs(c.mean - NEUTRAL) for c in chroma) >= self.params.max_chroma


def _deviation(counts: npt.NDArray[np.float32]) -> float:
    mean = float(np.average(LEVELS, weights=counts))
    return math.sqrt(np.average((LEVELS - mean) ** 2, weights=counts))


DETECTOR = Black
