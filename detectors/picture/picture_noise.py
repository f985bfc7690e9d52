"""Picture noise: snow, grain or analogue noise over the whole picture.

Measures  `noise_floor`, 8-bit code values: mean distance of samples (averaged over 2 x 2) from their neighbourhood in
          the quietest parts of the picture, once a second.
Defect    `picture_noise`, warning: within a shot, the floor rises at once to `min_floor` or more and to `min_rise`
          times what it was, for `min_seconds`; or, at a cut too, to `certain_floor` in a stream that was clean.
          Dated at the first such picture, closed when the floor is down again. What has texture only here and
          there (rain, confetti, water) leaves quiet parts.
Blind to  Noise of a whole programme or shot (film grain, high gain), noise that grows slowly, noise that a coder at low
          bit rate takes away or turns into blocks, weak noise that begins within a second of a cut or in fast movement
          (all in all one in six of those plainly visible), rasters of less than 200 lines.
Source    Noise estimation in the most homogeneous blocks, as in Amer and Dubois 2005; comparison within the shot is
          our own.
"""

from pydantic import Field

from detectors.detail import DETAIL, ranked
from detectors.detector import Params
from detectors.frame import SAMPLED_HZ, Feature, Frame
from detectors.grid import GRID_RATIO
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Rise

RACING = 2.5  # times the noise floor before, in fast movement
BLOCKS = 1.35  # steps on the grid against all steps: a coder has taken noise away and left blocks
QUIET_RANK = 0.15  # of the parts are quieter


def _noise_floor(frame: Frame) -> float | None:
    detail, blocks = frame[DETAIL], frame[GRID_RATIO]
    if detail is None or (blocks is not None and blocks >= BLOCKS):
        return None
    return ranked(detail.fine, QUIET_RANK)


NOISE_FLOOR: Feature[Frame, float | None] = Feature("noise_floor", _noise_floor, rate_hz=SAMPLED_HZ)
"""Fine detail of the quietest parts; None for rasters too small for it, and where blocks show instead."""


class PictureNoiseParams(Params):
    """What counts as noise."""

    min_floor: float = Field(default=0.8, ge=0, le=64, description="noise floor, 8-bit code values")
    min_rise: float = Field(default=2.0, ge=1, le=100, description="times the noise floor before")
    certain_floor: float = Field(
        default=7.0, ge=0, le=64, description="noise floor that no shot brings with it, 8-bit code values"
    )
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class PictureNoise(RisingDetector[PictureNoiseParams]):
    """See the module's docstring."""

    id = "picture_noise"
    trial = True
    needs = (NOISE_FLOOR, PATCHES)
    measures = NOISE_FLOOR
    unit = "code values"
    Params = PictureNoiseParams

    def __init__(self, params: PictureNoiseParams, track: str | None) -> None:
        rise = Rise(
            floor=params.min_floor,
            factor=params.min_rise,
            plus=0.5,
            back=0.5,
            certain=params.certain_floor,
            moving=False,
            racing=RACING,
        )
        super().__init__(params, track, rise=rise, threshold=params.min_floor, min_seconds=params.min_seconds)


DETECTOR = PictureNoise
