"""Solid colour: one flat colour other than black fills the raster, as a switcher or decoder shows without signal.

Measures  `luma_deviation`, 8-bit code values: standard deviation of the thinned luma, once a second.
Defect    `solid_color`, error: luma and both chroma planes are flat and the picture is lighter than black or
          coloured, for `min_seconds`; dated at the first flat picture.
Blind to  A flat colour with a logo or caption on it; flat colour shorter than `min_seconds` (flashes, fades
          through white). Black is the `black` detector's.
Source    Practice of broadcast monitoring: "no signal" blue, green or grey fields; EBU QC lists it with black.
"""

from collections.abc import Iterator

from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import PictureView
from detectors.hold import Hold
from detectors.picture_features import CHROMA_SPREAD, LUMA_SPREAD

NEUTRAL = 128.0


class SolidColorParams(Params):
    """What counts as one flat colour."""

    max_deviation: float = Field(
        default=1.5, ge=0, le=64, description="standard deviation, 8-bit code values"
    )
    min_luma: float = Field(
        default=38.0, ge=0, le=255, description="mean luma from which it is not black, 8-bit code"
    )
    min_chroma: float = Field(
        default=12.0,
        ge=0,
        le=128,
        description="distance of mean chroma from neutral that makes dark a colour, codes",
    )
    min_seconds: float = Field(default=1.0, ge=0, le=3600, description="seconds of media time")


class SolidColor(Detector[SolidColorParams]):
    """See the module's docstring."""

    id = "solid_color"
    scope = Scope.VIDEO
    needs = (LUMA_SPREAD, CHROMA_SPREAD)
    suppressed_by = ("picture_missing",)
    Params = SolidColorParams

    def __init__(self, params: SolidColorParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="luma_deviation",
            unit="code values",
            threshold=params.max_deviation,
            open_ns=round(params.min_seconds * 1e9),
            severity=Severity.ERROR,
            worst="min",
        )
        self._second = -1

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Look at the spread of luma, and of chroma where luma is flat."""
        luma = view[LUMA_SPREAD]
        flat = luma.deviation <= self.params.max_deviation
        if flat:
            chroma = view[CHROMA_SPREAD]
            offset = 0.0
            if chroma is not None:
                flat = max(c.deviation for c in chroma) <= self.params.max_deviation
                offset = max(abs(c.mean - NEUTRAL) for c in chroma)
            flat = flat and (luma.mean >= self.params.min_luma or offset >= self.params.min_chroma)
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("luma_deviation", luma.deviation, "code values", view.at_ns, self.track)
        yield from self._hold.update(view.at_ns, flat, luma.deviation, end_ns=view.end_ns)


DETECTOR = SolidColor
