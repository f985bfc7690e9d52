"""True peak: the waveform between the samples exceeds what the chain can carry.

Measures  true_peak      dBTP: the highest of any channel in each second; at the end true_peak_max, the highest of all.
Defect    true_peak      above `alarm_dbtp`: severity warning. Above `max_dbtp` only: severity info, a property of the
          deliverable. An episode lasts as long as peaks follow one another within `bridge_seconds` (10 s for info),
          dated at its first and last peak, to a millisecond. When peaks pass `alarm_dbtp` in the course of an info
          episode, that one ends and another begins.
Blind to  what a later decoder adds: lossy coding raises peaks by 1 dB or more. In each second the value may be the
          sample peak where that is proven to change neither a verdict nor the maximum.
Source    ITU-R BS.1770-5, annex 2 (fourfold oversampling, 48 taps); EBU R128 allows -1 dBTP, ATSC A/85 -2. Mastered
          music on the web passes 0 dBTP in one second of eight and reaches +1.1 on footage, so that an alarm at the
          limit for deliverables would never be silent: a profile for contribution sets `alarm_dbtp` to -1.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound_features import TRUE_PEAK, TRUE_PEAK_RUN, decibels

SECOND = 1_000_000_000
LEAST_BRIDGE_NS = 100_000_000  # a tone passes the limit with every period
INFO_BRIDGE_SECONDS = 10.0  # what is only a property of the material need not be told often


class TruePeakParams(Params):
    """The limit of the deliverable, and where it disturbs."""

    max_dbtp: float = Field(default=-1.0, ge=-3, le=6, description="dBTP allowed; above, severity info")
    alarm_dbtp: float = Field(default=1.5, ge=-3, le=12, description="dBTP above which it is a warning")
    bridge_seconds: float = Field(
        default=3.0, ge=0, le=60, description="seconds between peaks of one episode, at most"
    )


class TruePeak(Detector[TruePeakParams]):
    """All channels of one track."""

    id = "true_peak"
    scope = Scope.AUDIO
    needs = (TRUE_PEAK,)
    suppressed_by = ("clipping",)
    Params = TruePeakParams

    def __init__(self, params: TruePeakParams, track: str | None) -> None:
        super().__init__(params, track)

        def hold(limit: float, bridge_seconds: float, severity: Severity) -> Hold:
            return Hold(
                self,
                value="true_peak",
                unit="dBTP",
                threshold=limit,
                open_ns=0,
                close_ns=max(LEAST_BRIDGE_NS, round(bridge_seconds * SECOND)),
                severity=severity,
            )

        self._over = hold(params.max_dbtp, max(INFO_BRIDGE_SECONDS, params.bridge_seconds), Severity.INFO)
        self._alarm = hold(params.alarm_dbtp, params.bridge_seconds, Severity.WARNING)
        self._highest = self._second = 0.0
        self._blocks = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        peak = float(view[TRUE_PEAK].peak.max())
        value = decibels(peak * peak)
        if value > self.params.alarm_dbtp:
            yield from self._over.reset(self._span(view, self.params.alarm_dbtp)[0])
        yield from self._update(self._alarm, view, value)
        if not self._alarm.is_open:
            yield from self._update(self._over, view, value)
        self._highest = max(self._highest, peak)
        self._second = max(self._second, peak)
        self._blocks += 1
        if self._blocks % 10 == 0:
            yield Measurement("true_peak", decibels(self._second**2), "dBTP", view.end_ns, self.track)
            self._second = 0.0

    def _update(self, hold: Hold, view: SoundView, value: float) -> Iterator[Finding]:
        if value <= hold.threshold:
            yield from hold.update(view.at_ns, False, value, end_ns=view.end_ns)
            return
        begin, end = self._span(view, hold.threshold)
        yield from hold.update(begin, True, value, end_ns=end)
        yield from hold.update(end, False, value, end_ns=view.end_ns)

    def _span(self, view: SoundView, limit_dbtp: float) -> tuple[int, int]:
        """(begin, end) in media ns of what passes the limit in a block that does."""
        runs = view[TRUE_PEAK].runs
        if runs is None or not (runs > 10 ** (limit_dbtp / 20)).any():  # by no more than a rounding
            return view.at_ns, view.end_ns
        over = np.flatnonzero(runs > 10 ** (limit_dbtp / 20))
        run_ns = TRUE_PEAK_RUN * SECOND
        begin = view.at_ns + int(over[0]) * run_ns // view.rate_hz
        return begin, min(view.end_ns, view.at_ns + (int(over[-1]) + 1) * run_ns // view.rate_hz)

    def finish(self, at_ns: int) -> Iterator[Finding]:
        if self._blocks:
            yield Measurement(
                "true_peak_max", decibels(self._highest**2), "dBTP", at_ns, self.track, final=True
            )


DETECTOR = TruePeak
