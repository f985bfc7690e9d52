"""Silence: nothing on any channel for too long.

Measures  sound_peak  dBFS: the highest sample of any channel in each second.
Defect    silence     every sample of every channel at or below `max_dbfs`, dated to 10 ms at the last sound: for
          `min_seconds` where the sound was cut off (peaks above -45 dBFS in the 0.2 s before, 20 dB less in the 0.2 s
          after, and those below -72 dBFS or 6 dB below the pauses of the last 15 s), for `pause_seconds` where it died
          away, or where the watch began in silence: pauses of speech, fades and leaders are programme. A lapse of up
          to 20 ms (a click) does not restart it; once open, `return_seconds` of sound end it.
Blind to  a dead line that hums or hisses above `max_dbfs`; a missing track (no sound arrives at all); for a while, a
          fault that begins in a pause that was as silent as itself.
Source    EBU QC 0078B (level below a threshold for a time); -60 dBFS and 2 s are practice for a fault, vendors'
          defaults lie between -40 and -70. `pause_seconds` comes from footage: recorded speech pauses for 6 s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from statistics import median

from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound._runs import runs
from detectors.sound_features import LEVELS, STEP_NS, decibels

SECOND = 1_000_000_000
CLICK_NS = 2 * STEP_NS
HOLE_NS = 500_000_000  # of missing media, across which it is still the same silence
SIDE_STEPS = 20  # compared on either side of the onset
CUT_DB, CUT_FROM_DBFS = 20.0, -45.0
# What is not quieter than the pauses of the last 15 s, and no dead line, is the room that is heard in a pause.
ROOM_NS, ROOM_DB, ROOM_DBFS, ROOMS = 15 * SECOND, 6.0, -72.0, 256


class SilenceParams(Params):
    """How quiet, and for how long."""

    max_dbfs: float = Field(default=-60.0, ge=-100, le=-20, description="dBFS, of the highest sample")
    min_seconds: float = Field(default=2.0, ge=0.1, le=600, description="seconds after a cut")
    pause_seconds: float = Field(
        default=8.0, ge=0.1, le=3600, description="seconds where the sound died away, or none was heard yet"
    )
    return_seconds: float = Field(
        default=0.2, ge=0, le=10, description="seconds of sound that end it; shorter ones are clicks"
    )


class Silence(Detector[SilenceParams]):
    """All channels of one track."""

    id = "silence"
    scope = Scope.AUDIO
    needs = (LEVELS,)
    Params = SilenceParams

    def __init__(self, params: SilenceParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="sound_peak",
            unit="dBFS",
            threshold=params.max_dbfs,
            open_ns=0,
            close_ns=round(params.return_seconds * SECOND),
            severity=Severity.CRITICAL,
            worst="min",
        )
        self._ceiling = 10 ** (params.max_dbfs / 20)
        self._end_ns: int | None = None
        self._since_ns: int | None = None  # when the present quiet began
        self._sound_ns = 0  # how long the present sound has lasted
        self._before: deque[float] = deque(maxlen=SIDE_STEPS)  # peaks of the last steps of sound
        self._after: list[float] = []  # peaks of the first steps of quiet
        self._rooms: deque[tuple[int, float]] = deque(maxlen=ROOMS)  # pauses: their ends, and levels in dBFS
        self._second = 0.0
        self._blocks = 0
        self._adopted = False

    def adopt(self, edge: DefectEdge) -> None:
        """Quiet from the first sample on is that silence."""
        self._adopted = True

    def sound(self, view: SoundView) -> Iterator[Finding]:
        if self._end_ns is not None and abs(view.at_ns - self._end_ns) > HOLE_NS:
            yield from self._hold.reset(self._end_ns)
            self._since_ns = None
            self._before.clear()
            self._rooms.clear()
        self._end_ns = view.end_ns
        peaks: list[float] = [max(step) for step in zip(*view[LEVELS].peak.tolist(), strict=True)]
        for start, end, first, last, quiet in runs(
            [peak <= self._ceiling for peak in peaks], view.at_ns, view.end_ns
        ):
            part = peaks[first:last]
            if quiet:
                yield from self._quiet(start, end, part)
            else:
                yield from self._sounding(start, end, part)
        self._second = max(self._second, *peaks)
        self._blocks += 1
        if self._blocks % 10 == 0:
            yield Measurement("sound_peak", decibels(self._second**2), "dBFS", view.end_ns, self.track)
            self._second = 0.0

    def _quiet(self, start: int, end: int, peaks: list[float]) -> Iterator[Finding]:
        self._sound_ns = 0
        if self._since_ns is None:
            self._since_ns, self._after = start, []
        if len(self._after) < SIDE_STEPS:
            self._after += peaks[: SIDE_STEPS - len(self._after)]
        needed = self.params.min_seconds if self._was_cut() else self.params.pause_seconds
        if self._hold.is_open or end - self._since_ns >= needed * SECOND:
            yield from self._hold.update(self._since_ns, True, decibels(max(peaks) ** 2), end_ns=end)

    def _sounding(self, start: int, end: int, peaks: list[float]) -> Iterator[Finding]:
        self._sound_ns += end - start
        if self._hold.is_open:
            yield from self._hold.update(start, False, 0.0, end_ns=end)
        if self._sound_ns > CLICK_NS:
            self._adopted = False
        if self._sound_ns > CLICK_NS and not self._hold.is_open:
            # A short word, too, ends a pause: only a defect that is open bridges more than a click.
            if self._since_ns is not None:
                self._rooms.append((start, _median_db(self._after)))
            self._since_ns = None
            self._before.extend(peaks[-SIDE_STEPS:])

    def _was_cut(self) -> bool:
        """Whether this quiet came at once after something to be heard; a pause's room tone, gated, is not."""
        if not self._before:
            return self._adopted
        before, after = _median_db(self._before), _median_db(self._after)
        return before >= CUT_FROM_DBFS and before - after >= CUT_DB and not self._is_room(after)

    def _is_room(self, after: float) -> bool:
        """Whether it is what was heard between words."""
        assert self._since_ns is not None
        lately = [level for ended_ns, level in self._rooms if self._since_ns - ended_ns <= ROOM_NS]
        return after >= ROOM_DBFS and bool(lately) and after >= min(lately) - ROOM_DB


def _median_db(peaks: Iterable[float]) -> float:
    return median(decibels(peak**2) for peak in peaks)


DETECTOR = Silence
