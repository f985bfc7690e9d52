"""Flash: the picture, or red in it, flashes in a way that can set off a photosensitive seizure.

Measures  `flash_area`, ratio: largest share of the raster that changed its brightness together, in each second.
          `flash_rate`, flashes a second: pairs of opposing changes over more than `max_area` (the defect's peak).
Defect    `flash`, error: the same parts of the raster, more than `max_area` of it together, brighten and darken by
          `min_step_cdm2` or more from a darker state below 160 cd/m² more than `max_flashes` times in less than a
          second; or go to and from saturated red so often. Dated from the first of the changes that follow each
          other within 0.4 s to the last; a lull of up to 1.7 s does not split it.
Blind to  Bars and other spatial patterns; flashing that is fine compared with a 32nd of the picture's width, which
          WCAG excepts (there, a tenth of a degree); single flashes, lightning and cuts, up to `max_flashes` a second,
          even where they go on for more than the five seconds that BT.1702 advises against; saturated red that only
          changes its hue. Light is that of a display of 200 cd/m² with the gamma of ITU-R BT.1886, or for HLG of
          1000 cd/m²; HDR counts up to there.
Source    ITU-R BT.1702-3, as Ofcom's guidance note on flashing images: 20 cd/m² from below 160 cd/m² (in HDR above
          it a Michelson contrast of 1/17), more than a quarter of the screen, more than 3 a second; saturated red
          whatever its luminance. What saturated red is they do not say; WCAG 2.0 and 2.1 do (2.3.1, after Harding and
          Binnie, 2002): R/(R+G+B) of 0.8 or more before or after, linear light, and a change of (R-G-B) x 320 by more
          than 20. WCAG 2.2 takes a distance in CIE 1976 u'v' instead, which is not measured here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView, Transfer
from detectors.hold import Hold
from detectors.picture._flashing import APART_NS, SECOND_NS, Sequence, reach
from detectors.picture_features import (
    CHROMA_SMALL,
    KR_KB,
    LUMA_CHANGE,
    LUMA_SMALL,
    Small,
    black_code,
    every_second,
    white_code,
)

SDR_WHITE, HLG_WHITE, MOST_CDM2 = 200.0, 1000.0, 1000.0  # cd/m²
BRIGHT_CDM2 = 160.0  # ITU-R BT.1702-3: in SDR, a darker state from here on does no harm
MICHELSON = 1 / 17  # and in HDR it needs this contrast
SDR_STEP, HDR_STEP = 24, 10  # counts of our scale of light that one harmful step takes
RED_SCALE, RED_SHARE = 255.0, 0.8  # WCAG 2.3.1: (R - G - B) x 320 is a number of 8 bits here,
RED_STEP = 16  # and more than 20 of it is so much

PAUSE_NS = 1_700_000_000  # without harm, flashing has ended: to be sure of it anew takes most of a second
# 8-bit code values, a mean difference: a picture that differs less is looked at together with the next. The smallest
# harmful change, 10 codes (160 to 180 cd/m²) on a quarter of the raster, is 2.5.
UNMOVED = 0.7
RED_LOOK_NS = (
    110_000_000,
    190_000_000,
)  # without red, chroma is looked at in turn so often: no flash fits both
# 8-bit codes: the least Cr of harmful saturated red, and how far above grey it is for each code of luma above black,
# in any of the matrices. From that share of the raster on, each picture is looked at.
RED_CODE, RED_FOR_LUMA, RED_AREA = 147, 0.365, 0.1
RED_KEEP_NS = 2_000_000_000


class FlashParams(Params):
    """What counts as a harmful sequence of flashes."""

    min_step_cdm2: float = Field(default=20.0, ge=5, le=100, description="cd/m², a change of luminance")
    max_area: float = Field(
        default=0.25, ge=0.01, le=1, description="ratio of the raster that may flash, 0..1"
    )
    max_flashes: int = Field(default=3, ge=1, le=20, description="flashes a second that are allowed")


@lru_cache(maxsize=8)
def _scale(full_range: bool, transfer: Transfer) -> Small:
    """8-bit luma to counts of light: as many for a harmful step everywhere, so that steps can be compared.

    In SDR nothing that begins above BRIGHT_CDM2 reaches a step. In HDR steps are of luminance up to there, and
    of contrast above.
    """
    black = black_code(full_range)
    level = np.clip((np.arange(256) - black) / (white_code(full_range) - black), 0, 1)
    if transfer == "sdr":
        counts = SDR_WHITE * level**2.4 / 20.0 * SDR_STEP
        most = BRIGHT_CDM2 / 20.0 * SDR_STEP + SDR_STEP - 1
        return np.asarray(np.minimum(np.rint(counts), most), np.uint8)
    light = np.minimum(_pq(level) if transfer == "pq" else _hlg(level), MOST_CDM2)
    contrast = math.log((1 + MICHELSON) / (1 - MICHELSON))
    above = BRIGHT_CDM2 / 20.0 + np.log(np.maximum(light, BRIGHT_CDM2) / BRIGHT_CDM2) / contrast
    return np.asarray(np.rint(np.where(light < BRIGHT_CDM2, light / 20.0, above) * HDR_STEP), np.uint8)


def _pq(level: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """cd/m² of a PQ signal (ITU-R BT.2100)."""
    m1, m2, c1, c2, c3 = 0.1593017578125, 78.84375, 0.8359375, 18.8515625, 18.6875
    root = level ** (1 / m2)
    return np.asarray(10_000.0 * (np.maximum(root - c1, 0) / (c2 - c3 * root)) ** (1 / m1))


def _hlg(level: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """cd/m² of a grey HLG signal on a display of 1000 cd/m² (ITU-R BT.2100, system gamma 1.2)."""
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    scene = np.where(level <= 0.5, level**2 / 3, (np.exp((level - c) / a) + b) / 12)
    return np.asarray(HLG_WHITE * scene**1.2)


def _light(frame: Frame) -> tuple[Small, int]:
    """Counts of light on every second sample of every second line, and how many are a step of 20 cd/m²."""
    small, scale = frame[LUMA_SMALL], _scale(frame.full_range, frame.transfer)
    if native.kernels is not None:
        counts = np.empty(((small.shape[0] + 1) // 2, (small.shape[1] + 1) // 2), np.uint8)
        native.kernels.light(small, scale, counts)
    else:
        counts = np.asarray(cv2.LUT(every_second(small), scale), np.uint8)
    return counts, SDR_STEP if frame.transfer == "sdr" else HDR_STEP


LIGHT: Feature[Frame, tuple[Small, int]] = Feature("flash_light", _light)


def _may_be_red(frame: Frame) -> bool:
    """Whether there may be a tenth of saturated red: a quick look, which skin does not pass."""
    chroma = frame[CHROMA_SMALL]
    if chroma is None:
        return False
    least = RED_AREA * chroma[1].size
    reddish = reach(chroma[1], RED_CODE)
    if cv2.countNonZero(reddish) < least:
        return False
    luma = cv2.resize(frame[LUMA_SMALL], chroma[1].shape[::-1], interpolation=cv2.INTER_NEAREST)
    grey = 128 - RED_FOR_LUMA * black_code(frame.full_range)
    needed = cv2.convertScaleAbs(luma, alpha=RED_FOR_LUMA, beta=grey)
    return bool(
        cv2.countNonZero(cv2.bitwise_and(reddish, cv2.compare(chroma[1], needed, cv2.CMP_GE))) >= least
    )


MAY_BE_RED: Feature[Frame, bool] = Feature("flash_may_be_red", _may_be_red)


class Red(NamedTuple):
    """How red samples are: (R - G - B) x 255 in linear light, 0 where negative; and 255 where red is saturated."""

    value: Small
    saturated: Small


def _red(frame: Frame) -> Red | None:
    chroma = frame[CHROMA_SMALL]
    if chroma is None:
        return None
    height, width = chroma[0].shape
    small = frame[LUMA_SMALL]
    rows = np.minimum(np.arange(height) * small.shape[0] // height, small.shape[0] - 1)
    columns = np.minimum(np.arange(width) * small.shape[1] // width, small.shape[1] - 1)
    black = black_code(frame.full_range)
    span, swing = (255.0, 255.0) if frame.full_range else (219.0, 224.0)
    y = (small[rows][:, columns].astype(np.float32) - black) / span
    cb, cr = ((plane.astype(np.float32) - 128) / swing for plane in chroma)
    kr, kb = KR_KB[frame.matrix]
    red, blue = y + 2 * (1 - kr) * cr, y + 2 * (1 - kb) * cb
    green = (y - kr * red - kb * blue) / (1 - kr - kb)
    r, g, b = (np.clip(p, 0, 1) ** np.float32(2.4) for p in (red, green, blue))
    value = np.clip((r - g - b) * RED_SCALE, 0, 255)
    saturated = (r >= RED_SHARE * (r + g + b)) & (value > 0)
    return Red(np.asarray(np.rint(value), np.uint8), np.asarray(saturated, np.uint8) * np.uint8(255))


RED: Feature[Frame, Red | None] = Feature("flash_red", _red)
"""Red at the size of thinned chroma; None where the stream is monochrome."""


class Flash(Detector[FlashParams]):
    """See the module's docstring."""

    id = "flash"
    scope = Scope.VIDEO
    needs = (LUMA_CHANGE, LIGHT, MAY_BE_RED, RED)
    Params = FlashParams

    def __init__(self, params: FlashParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="flash_rate",
            unit="flashes a second",
            threshold=float(params.max_flashes),
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._light, self._red = (Sequence(params.max_area, params.max_flashes) for _ in range(2))
        self._moved = 0.0
        self._last_ns = -SECOND_NS  # the last picture of a harmful sequence
        self._red_until_ns = self._red_look_ns = self._red_looks = 0
        self._second, self._area, self._rate = -1, 0.0, 0.0

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Follow each sample's turns, and count those that many make together."""
        change = view[LUMA_CHANGE]
        if change is None:
            self._clear()
        harm = self._look(view, 0.0 if change is None else change.mean)
        if harm is not None:
            since, rate = harm
            self._rate = max(self._rate, rate)
            begin = since if not self._hold.is_open else view.at_ns
            yield from self._hold.update(begin, True, rate, end_ns=view.end_ns)
            self._last_ns = view.at_ns
        elif self._hold.is_open and view.at_ns - self._last_ns >= PAUSE_NS:
            yield from self._stop(view.end_ns)
        second = view.at_ns // SECOND_NS
        if second != self._second:
            self._second = second
            yield Measurement("flash_area", self._area, "ratio", view.at_ns, self.track)
            yield Measurement("flash_rate", self._rate, "flashes a second", view.at_ns, self.track)
            self._area = self._rate = 0.0

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock: the sequence ends."""
        if event.kind in ("jump", "signalled"):
            yield from self._stop(event.at_ns)
            self._clear()

    def finish(self, at_ns: int) -> Iterator[Finding]:
        """What has been harmless for longer than flashes lie apart has ended, though it is not sure yet."""
        if self._hold.is_open and at_ns - self._last_ns >= APART_NS:
            yield from self._stop(at_ns)

    def _look(self, view: PictureView, moved: float) -> tuple[int, float] | None:
        harm = self._look_at_red(view)
        self._moved += moved
        if view.follows and self._moved < UNMOVED:
            return harm
        self._moved = 0.0
        light, step = view[LIGHT]
        step = max(1, round(step * self.params.min_step_cdm2 / 20.0))
        bright = self._light.add(view.at_ns, light, step)
        self._area = max(self._area, self._light.area)
        return bright or harm

    def _look_at_red(self, view: PictureView) -> tuple[int, float] | None:
        now = view.at_ns
        if now >= self._red_until_ns and now < self._red_look_ns:
            return None
        self._red_looks += 1
        self._red_look_ns = now + RED_LOOK_NS[self._red_looks % 2]
        if view[MAY_BE_RED]:
            red = view[RED]
            if red is not None and cv2.countNonZero(red.saturated) >= RED_AREA * red.saturated.size:
                self._red_until_ns = now + RED_KEEP_NS
        red = view[RED] if now < self._red_until_ns else None
        if red is None:
            self._red.clear()
            return None
        harm = self._red.add(now, red.value, RED_STEP, red.saturated)
        self._area = max(self._area, self._red.area)
        return harm

    def _clear(self) -> None:
        self._light.clear()
        self._red.clear()
        self._moved = 0.0

    def _stop(self, certain_ns: int) -> Iterator[DefectEdge]:
        yield from self._hold.update(self._last_ns, False, 0.0, end_ns=certain_ns)


DETECTOR = Flash
