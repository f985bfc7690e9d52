"""Blockiness: the blocks of a coder that was starved of bits are visible everywhere.

Measures  `grid_ratio`, ratio: how much more luma steps across the borders of a grid of 8 samples than elsewhere,
          median over the parts of the picture that are not flat, once a second. 1 is no grid at all.
Defect    `blockiness`, warning: within a shot, the ratio rises at once to `min_ratio` or more and to `min_rise`
          times what it was, for `min_seconds`; or, at a cut too, to `certain_ratio` in a stream that had none.
          Dated at the first such picture, closed when it is down again, which in a
          shot that shows less of it is 1.2 times what was usual before. The median spares graphics and mosaics that
          lie on the grid here and there.
Blind to  Blocks of a picture that was scaled or shifted after it was coded (their grid is another), blocks of a whole
          programme or that come slowly, blocks smoothed by a loop filter, mild ones that come
          within a second after a cut, or right before one.
Source    Wu and Yuen, "A generalized block-edge impairment metric", 1997: steps on the grid against steps off it.
"""

from pydantic import Field

from detectors.detector import Params
from detectors.grid import GRID_RATIO
from detectors.rising import RisingDetector
from detectors.shots import PATCHES, Rise

LASTS = 1.2  # times the usual ratio: it goes on, be it less to be seen in another shot


class BlockinessParams(Params):
    """What counts as blocks."""

    min_ratio: float = Field(default=1.45, ge=1, le=8, description="ratio of steps on the grid to all steps")
    min_rise: float = Field(default=1.45, ge=1, le=8, description="times the ratio before")
    certain_ratio: float = Field(default=2.4, ge=1, le=8, description="ratio that no shot brings with it")
    min_seconds: float = Field(default=2.0, ge=0, le=3600, description="seconds of media time")


class Blockiness(RisingDetector[BlockinessParams]):
    """See the module's docstring."""

    id = "blockiness"
    needs = (GRID_RATIO, PATCHES)
    measures = GRID_RATIO
    unit = "ratio"
    Params = BlockinessParams

    def __init__(self, params: BlockinessParams, track: str | None) -> None:
        rise = Rise(
            floor=params.min_ratio,
            factor=params.min_rise,
            plus=0.0,
            back=0.45,
            certain=params.certain_ratio,
            lasts=LASTS,
        )
        super().__init__(params, track, rise=rise, threshold=params.min_ratio, min_seconds=params.min_seconds)


DETECTOR = Blockiness
