"""Picture noise: snow, grain or analogue noise over the whole picture.

Measures  `noise_floor`, 8-bit code values: mean distance of samples (averaged over 2 x 2) from their neighbourhood in
          the quietest parts of the picture, once a second.
Defect    `picture_noise`, warning: within a shot, the floor rises at once to `min_floor` or more and to `min_rise`
          times what it was, for `min_seconds`; or, at a cut too, to `certain_floor` in a stream that was clean.
          Dated at the first such picture, closed when the floor is down again. What has texture only here and
          there (rain, confetti, water) leaves quiet parts.
Blind to  Noise of a whole programme or shot (film grain, high gain), noise that grows slowly, noise that a coder at low
          bit rate takes away, weak noise that begins within a second of a cut or in fast movement, rasters of
          less than 200 lines.
Source    Noise estimation in the most homogeneous blocks, as in Amer and Dubois 2005; comparison within the shot is
          our own.
"""

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detail import DETAIL
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import SAMPLED_HZ, Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.shots import PATCHES, Rise

QUIET_RANK = 15  # percentile of the parts


def _noise_floor(frame: Frame) -> float | None:
    detail = frame[DETAIL]
    return None if detail is None else float(np.percentile(detail.fine, QUIET_RANK))


NOISE_FLOOR: Feature[Frame, float | None] = Feature("noise_floor", _noise_floor, rate_hz=SAMPLED_HZ)
"""Fine detail of the quietest parts; None for rasters too small for it."""


class PictureNoiseParams(Params):
    """What counts as noise."""

    min_floor: float = Field(default=0.8, ge=0, le=64, description="noise floor, 8-bit code values")
    min_rise: float = Field(default=2.0, ge=1, le=100, description="times the noise floor before")
    certain_floor: float = Field(
        default=7.0, ge=0, le=64, description="noise floor that no shot brings with it, 8-bit code values"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class PictureNoise(Detector[PictureNoiseParams]):
    """See the module's docstring."""

    id = "picture_noise"
    trial = True
    scope = Scope.VIDEO
    rate_hz = SAMPLED_HZ
    needs = (NOISE_FLOOR, PATCHES)
    suppressed_by = ("black", "solid_color", "color_bars", "picture_missing")
    Params = PictureNoiseParams

    def __init__(self, params: PictureNoiseParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="noise_floor",
            unit="code values",
            threshold=params.min_floor,
            open_ns=round(params.min_seconds * 1e9),
            close_ns=600_000_000,
            severity=Severity.WARNING,
        )
        self._rise = Rise(
            floor=params.min_floor,
            factor=params.min_rise,
            plus=0.5,
            back=0.5,
            certain=params.certain_floor,
            moving=False,
        )
        self._second = -1

    @property
    def ready(self) -> bool:
        """Whether there is a past to compare with."""
        return self._rise.known

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Compare with the same scene a moment ago."""
        value = view[NOISE_FLOOR]
        if value is None:
            return
        second = view.at_ns // 1_000_000_000
        if second != self._second:
            self._second = second
            yield Measurement("noise_floor", value, "code values", view.at_ns, self.track)
        since = self._rise.update(view.at_ns, view[PATCHES], value)
        at_ns = view.at_ns if since is None else since
        yield from self._hold.update(at_ns, since is not None, value, end_ns=view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: pictures before and after say nothing about each other."""
        if event.kind in ("jump", "signalled"):
            self._rise.forget()
        yield from ()


DETECTOR = PictureNoise
