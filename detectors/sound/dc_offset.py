"""DC offset: the waveform does not rest on zero.

Measures  dc_offset  dBFS, once a second: the mean of the samples of the worst channel, as a share of full scale.
Defect    dc_offset  warning: in each second that offset is at or above `max_dbfs`, of one sign and steady (the tenths
          within a factor of two of their mean), for `min_seconds`; dated to 100 ms. Silence with an offset counts.
Blind to  an offset that a coder's high-pass has removed, which is most coders for speech.
Source    Practice. -40 dBFS is the usual limit of quality control; recorded music often carries a steady offset of -40
          to -35 dBFS from a sampled instrument, which nobody hears, so the default is 2 % of full scale. Speech and
          brass are asymmetric and yet have no mean: on footage it stays below -50 dBFS over a second.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound_features import MEANS, decibels

SECOND = 1_000_000_000
BLOCKS = 10  # judged together
LEAST_SHARE = 0.5  # of the mean, which each block must have


class DcOffsetParams(Params):
    """How far from zero, and for how long."""

    max_dbfs: float = Field(
        default=-34.0, ge=-90, le=0, description="dBFS of the mean; at or above, it is a defect"
    )
    min_seconds: float = Field(default=2.0, ge=1, le=600, description="seconds of media time")


class DcOffset(Detector[DcOffsetParams]):
    """All channels of one track; the worst one counts."""

    id = "dc_offset"
    scope = Scope.AUDIO
    needs = (MEANS,)
    suppressed_by = ("sound_missing",)
    Params = DcOffsetParams

    def __init__(self, params: DcOffsetParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="dc_offset",
            unit="dBFS",
            threshold=params.max_dbfs,
            open_ns=round(params.min_seconds * SECOND),
            close_ns=SECOND // 2,
            severity=Severity.WARNING,
        )
        self._limit = 10 ** (params.max_dbfs / 20)
        self._window: list[np.ndarray[tuple[int], np.dtype[np.float32]]] = []
        self._begins_ns: list[int] = []
        self._end_ns = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        means = view[MEANS]
        if not view.follows or (self._window and len(self._window[-1]) != len(means)):
            self._window.clear()
            self._begins_ns.clear()
            yield from self._hold.reset(self._end_ns)
        self._end_ns = view.end_ns
        self._window.append(means)
        self._begins_ns.append(view.at_ns)
        if len(self._window) < BLOCKS:
            return
        tenths = np.stack(self._window)
        mean = tenths.mean(axis=0)
        worst = int(np.abs(mean).argmax())
        size = float(abs(mean[worst]))
        shares = tenths[:, worst] * np.sign(mean[worst])
        yield Measurement(
            "dc_offset", decibels(size * size), "dBFS", view.end_ns, self.track, view.channels[worst]
        )
        near = shares >= max(self._limit * LEAST_SHARE, size * LEAST_SHARE)
        steady = (
            size >= self._limit
            and int(near.sum()) >= BLOCKS - 2
            and float(shares.max()) <= size / LEAST_SHARE
        )
        # Where it begins or ends within the second, the blocks that have it tell when.
        has = shares >= self._limit
        value, detail = decibels(size * size), f"channel {view.channels[worst]}"
        if steady or (self._hold.since_ns is None and bool(has[-3:].all())):
            first = int(np.flatnonzero(~has)[-1]) + 1 if not has.all() and self._hold.since_ns is None else 0
            first = min(first, BLOCKS - 1)
            yield from self._hold.update(
                self._begins_ns[first], True, value, end_ns=view.end_ns, detail=detail
            )
        else:
            gone = int(np.flatnonzero(~has)[0]) if not has.all() else BLOCKS - 1
            yield from self._hold.update(self._begins_ns[gone], False, value, end_ns=view.end_ns)
        self._window.clear()
        self._begins_ns.clear()


DETECTOR = DcOffset
