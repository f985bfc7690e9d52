"""Phase reversal: left and right cancel one another in mono, as a crossed cable makes them.

Measures  phase_correlation  -1 to 1, once a second: of left and right, weighted by level; 1 where nothing is heard.
Defect    phase_reversal     warning: over 0.4 s, left and right correlate at `max_correlation` or below, both above
          `min_dbfs` and within 12 dB of one another; for `min_seconds` of sound in all, pauses bridged. Dated to
          100 ms at the first such block.
Blind to  pairs other than left and right; a reversed channel of material that is decorrelated anyway (wide ambience,
          applause), which no meter shows either; a difference in time rather than in polarity.
Source    EBU QC 0012B (correlation); the times are practice: wide synthesisers and hiss of opposed phase reach -0.8
          for two seconds, and now and then for five.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound_features import PAIR

SECOND = 1_000_000_000
WINDOW_BLOCKS = 4
ALIKE = 10 ** (12 / 10)  # powers of left and right


class PhaseReversalParams(Params):
    """How opposed, how loud, and for how long."""

    max_correlation: float = Field(default=-0.5, ge=-1, le=0, description="ratio; -1 is one channel reversed")
    min_dbfs: float = Field(default=-50.0, ge=-90, le=0, description="dBFS of either channel")
    min_seconds: float = Field(
        default=3.0, ge=0.4, le=60, description="seconds of sound, added up over pauses"
    )
    bridge_seconds: float = Field(
        default=1.5, ge=0, le=30, description="seconds of pause or doubt within one defect"
    )


@dataclass(frozen=True, slots=True)
class _Sums:
    """Of one block: media ns, and mean products."""

    at_ns: int
    left: float
    right: float
    both: float


class PhaseReversal(Detector[PhaseReversalParams]):
    """Left and right of one track."""

    id = "phase_reversal"
    scope = Scope.AUDIO
    needs = (PAIR,)
    suppressed_by = ("sound_missing", "silence", "channel_silence", "test_tone")
    Params = PhaseReversalParams

    def __init__(self, params: PhaseReversalParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="phase_correlation",
            unit="ratio",
            threshold=params.max_correlation,
            open_ns=0,
            close_ns=round(params.bridge_seconds * SECOND),
            severity=Severity.WARNING,
            worst="min",
        )
        self._floor = 10 ** (params.min_dbfs / 10)
        self._recent: deque[_Sums] = deque(maxlen=WINDOW_BLOCKS)
        self._since_ns: int | None = None  # when it began, not yet for long enough
        self._opposed_ns = self._last_ns = self._end_ns = 0
        self._lowest = 1.0
        self._second = np.zeros(3)
        self._blocks = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        pair = view[PAIR]
        if not view.follows or pair is None:
            yield from self._restart()
        self._end_ns = view.end_ns
        if pair is None:
            return
        self._recent.append(_Sums(view.at_ns, pair.left, pair.right, pair.both))
        self._second += (pair.left, pair.right, pair.both)
        self._blocks += 1
        if self._blocks % 10 == 0:
            left, right, both = (float(v) for v in self._second)
            heard = min(left, right) > 10 * self._floor
            value = float(both / np.sqrt(left * right)) if heard else 1.0
            yield Measurement("phase_correlation", value, "ratio", view.end_ns, self.track)
            self._second[:] = 0.0
        left = sum(s.left for s in self._recent) / len(self._recent)
        right = sum(s.right for s in self._recent) / len(self._recent)
        if min(left, right) < self._floor or len(self._recent) < WINDOW_BLOCKS:
            yield from self._nothing(view.end_ns)
            return
        correlation = sum(s.both for s in self._recent) / len(self._recent) / float(np.sqrt(left * right))
        if correlation > self.params.max_correlation or not left / ALIKE < right < left * ALIKE:
            yield from self._otherwise(view.end_ns, correlation)
            return
        own = pair.both <= self.params.max_correlation * float(np.sqrt(pair.left * pair.right))
        if own:
            self._last_ns = view.end_ns
            self._opposed_ns += view.end_ns - view.at_ns
        if self._since_ns is None:
            limit = self.params.max_correlation
            opposed = [s for s in self._recent if s.both <= limit * float(np.sqrt(s.left * s.right))]
            self._since_ns = opposed[0].at_ns if opposed else view.at_ns
            self._opposed_ns = sum(min(SECOND // 10, view.end_ns - s.at_ns) for s in opposed)
            self._last_ns = view.end_ns
        self._lowest = min(self._lowest, correlation)
        if self._opposed_ns >= self.params.min_seconds * SECOND:
            yield from self._hold.update(self._since_ns, True, self._lowest, end_ns=view.end_ns)

    def _nothing(self, at_ns: int) -> Iterator[Finding]:
        """A pause says nothing either way, until it is long."""
        if self._since_ns is not None and at_ns - self._last_ns > 2 * self.params.bridge_seconds * SECOND:
            yield from self._forget(at_ns)

    def _otherwise(self, at_ns: int, correlation: float) -> Iterator[Finding]:
        if self._since_ns is not None and at_ns - self._last_ns > self.params.bridge_seconds * SECOND:
            yield from self._forget(at_ns)

    def _forget(self, at_ns: int) -> Iterator[Finding]:
        if self._hold.is_open:
            yield from self._hold.update(self._last_ns, False, 1.0, end_ns=max(at_ns, self._last_ns))
            yield from self._hold.reset(at_ns)
        self._since_ns, self._opposed_ns, self._lowest = None, 0, 1.0

    def _restart(self) -> Iterator[Finding]:
        yield from self._forget(self._end_ns)
        self._recent.clear()

    def finish(self, at_ns: int) -> Iterator[Finding]:
        if self._hold.is_open and at_ns - self._last_ns > SECOND // 2:
            yield from self._forget(at_ns)


DETECTOR = PhaseReversal
