"""True peak: the waveform between the samples exceeds what the chain can carry.

Measures  true_peak      dBTP: the highest of any channel in each second; at the end true_peak_max, the highest of all.
Defect    true_peak      above `alarm_dbtp`: severity warning. Above `max_dbtp` only: severity info, a property of the
          deliverable, told after 2 s. An episode lasts as long as peaks follow one another within `bridge_seconds`
          (10 s for info), dated at its first and last peak, to a millisecond. A warning begins with the peaks above
          `max_dbtp` of the 2 s before it: coding lowers one peak more than the next. Where there were some before
          that, the info episode ends and another begins.
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
WAIT_NS = 2 * SECOND  # in which lesser peaks may turn out to be the beginning of an alarm
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
        self._lesser: list[tuple[int, int, float]] = []  # begin, end, dBTP: not told yet
        self._highest = self._second = 0.0
        self._blocks = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        peak = float(view[TRUE_PEAK].peak.max())
        value = decibels(peak * peak)
        yield from self._judge(view, value)
        self._highest = max(self._highest, peak)
        self._second = max(self._second, peak)
        self._blocks += 1
        if self._blocks % 10 == 0:
            yield Measurement("true_peak", decibels(self._second**2), "dBTP", view.end_ns, self.track)
            self._second = 0.0

    def _judge(self, view: SoundView, value: float) -> Iterator[Finding]:
        over, alarm = self._over, self._alarm
        if value > alarm.threshold:
            begin, end = self._span(view, alarm.threshold)
            yield from over.reset(begin)
            for since, until, peak in self._lesser:
                yield from alarm.update(since, True, peak, end_ns=end)
                yield from alarm.update(until, False, peak)
            self._lesser.clear()
            yield from alarm.update(begin, True, value, end_ns=end)
            yield from alarm.update(end, False, value, end_ns=view.end_ns)
            return
        yield from alarm.update(view.at_ns, False, value, end_ns=view.end_ns)
        if alarm.is_open:
            return
        if value > over.threshold:
            self._lesser.append((*self._span(view, over.threshold), value))
        if self._lesser and (over.is_open or view.end_ns - self._lesser[0][0] >= WAIT_NS):
            yield from self._tell(view.end_ns)
        yield from over.update(view.end_ns, False, value)

    def _tell(self, certain_ns: int) -> Iterator[Finding]:
        """What was no beginning of an alarm is a property."""
        for since, until, peak in self._lesser:
            yield from self._over.update(since, True, peak, end_ns=certain_ns)
            yield from self._over.update(until, False, peak)
        self._lesser.clear()

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
        yield from self._tell(at_ns)
        if self._blocks:
            yield Measurement(
                "true_peak_max", decibels(self._highest**2), "dBTP", at_ns, self.track, final=True
            )


DETECTOR = TruePeak
