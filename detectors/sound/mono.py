"""Mono: a stereo track whose channels are one and the same.

Measures  stereo_difference  dB, once a second: the power of left minus right against both; -120 is none.
Defect    mono               info: in each second with sound above `min_dbfs`, the difference is at or below `max_db`
          or less than a step of 16 bits (root mean square below 1/32768), for `min_seconds` of sound in all. It ends
          with the first tenth of a second that differs clearly. Up to 3 s that differ by less than -30 dB (0.1 s by
          less than -24 dB) are bridged and count, before the first equal sound as well: coders of low bit rate put
          noise of their own into either channel, but not into each frame.
Blind to  mono that passed an analogue line or lossy coding of each channel by itself: noise makes the channels differ.
          Coders that send one signal for two equal channels (AAC, MP3, AC-3 do) keep them equal. Pairs other than left
          and right.
Source    EBU QC 0124B: correlation +1, no difference. Much is recorded in mono: a property, not a fault.
"""

from __future__ import annotations

from collections.abc import Iterator

from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound_features import PAIR, decibels

SECOND = 1_000_000_000
STEP = 1.0 / 32768.0  # of 16 bits
# How much it may differ, and for how long, within one defect.
NEARLY, NEARLY_NS = 10 ** (-30 / 10), 3 * SECOND
BLIP = 10 ** (-24 / 10)  # in 0.1 s right after equal sound: an attack that the coder could not afford


class MonoParams(Params):
    """How equal, and for how long."""

    max_db: float = Field(
        default=-60.0, ge=-120, le=-20, description="dB of the difference, against both channels"
    )
    min_dbfs: float = Field(default=-50.0, ge=-90, le=0, description="dBFS, root mean square over 100 ms")
    min_seconds: float = Field(default=5.0, ge=0.5, le=3600, description="seconds of sound")


class Mono(Detector[MonoParams]):
    """Left and right of one track."""

    id = "mono"
    scope = Scope.AUDIO
    needs = (PAIR,)
    suppressed_by = ("sound_missing", "silence", "test_tone")
    Params = MonoParams

    def __init__(self, params: MonoParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="stereo_difference",
            unit="dB",
            threshold=params.max_db,
            open_ns=0,
            severity=Severity.INFO,
            worst="min",
        )
        self._floor = 10 ** (params.min_dbfs / 10)
        self._share = 10 ** (params.max_db / 10)
        self._since_ns: int | None = None
        self._near_ns: int | None = None  # since when nothing has differed clearly
        self._near_heard_ns = 0  # of it with sound
        self._equal_ns = self._end_ns = self._until_ns = 0
        self._difference = self._both = 0.0
        self._blocks = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        pair = view[PAIR]
        if not view.follows or pair is None:
            yield from self._restart(self._end_ns)
            self._near_ns = None
        self._end_ns = view.end_ns
        if pair is None:
            return
        power = pair.left + pair.right
        self._difference += pair.difference
        self._both += power
        self._blocks += 1
        if self._blocks % 10 == 0:
            yield Measurement("stereo_difference", self._ratio_db(), "dB", view.end_ns, self.track)
            self._difference = self._both = 0.0
        if pair.difference > max(STEP * STEP, self._share * power):
            blip = pair.difference <= BLIP * power and view.at_ns - self._until_ns < SECOND // 20
            if pair.difference > NEARLY * power and not blip:
                yield from self._restart(view.at_ns)
                self._near_ns = None
                return
            if self._near_ns is None:
                self._near_ns, self._near_heard_ns = view.at_ns, 0
            if power / 2 > self._floor:
                self._near_heard_ns += view.end_ns - view.at_ns
            if view.end_ns - self._until_ns > NEARLY_NS:
                yield from self._restart(min(view.at_ns, self._until_ns))
            elif self._since_ns is not None and power / 2 > self._floor:
                self._equal_ns += view.end_ns - view.at_ns
            return
        self._until_ns = view.end_ns
        if power / 2 > self._floor:
            if self._since_ns is None:
                self._since_ns, self._equal_ns = view.at_ns, 0
                if self._near_ns is not None and view.at_ns - self._near_ns <= NEARLY_NS:
                    self._since_ns, self._equal_ns = self._near_ns, self._near_heard_ns
            self._equal_ns += view.end_ns - view.at_ns
            if self._equal_ns >= self.params.min_seconds * SECOND:
                value = decibels(pair.difference / power)
                yield from self._hold.update(self._since_ns, True, value, end_ns=view.end_ns)

    def _ratio_db(self) -> float:
        return decibels(self._difference / self._both) if self._both > 0.0 else 0.0

    def _restart(self, at_ns: int) -> Iterator[Finding]:
        yield from self._hold.reset(at_ns)
        self._since_ns, self._equal_ns = None, 0


DETECTOR = Mono
