"""Click: impulses and jumps of the waveform, as bit errors, bad contacts and slipping clocks leave them.

Measures  click_height  dB, at each click: the largest second difference of the samples in a millisecond, above the
          largest from 4 to 20 ms before and after it.
Defect    click         warning: `min_count` or more clicks, none more than `quiet_seconds` after the one before. A
          click stands `min_height_db` above what is 4 to 20 ms beside it and 18 dB above what is 2 or 3 ms beside it
          (13 dB are enough for one 5 dB higher than it has to be: lossy coding spreads clicks), is above `min_dbfs`,
          and lies in sound that is alike before and after (within 10 dB; within 20 dB where it stands 30 dB above
          both). What is heard in several channels within 30 ms is one click. The defect lasts from the first click to
          the last; those that stand up to 4 dB less high, or in sound that differs by up to 20 dB, and lie within
          1.5 s of another belong to it and do not count.
Blind to  clicks further apart; clicks in noise, applause and cymbals, which hide them; the edges of sound and silence.
          Sound effects made of single samples, synthesised notes that begin with a jump, and records that crackle do
          click.
Source    EBU QC 0057B. The heights are practice: keys, claps, lips and sticks ring for some milliseconds and stand up
          to 18 dB above what is around. Now and then one stands as high as a fault, hence the count.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.frame import Samples, SoundView
from detectors.sound_features import FINE

SECOND = 1_000_000_000
NEAR, FAR = 4, 20  # steps of about 1 ms: what lies so far from a click is beside it
RINGS = 10 ** (-18 / 20)  # what is nearer, but for the steps next to it, must be so much weaker,
SPREAD = 10 ** (5 / 20)  # less as much as a click is higher than it has to be, at most this
ALIKE = 10 ** (10 / 20)  # what is before, against what is after
HIGH, NEARLY_ALIKE = 10 ** (30 / 20), 10 ** (20 / 20)  # beside a click so high, or one in company
WEAKER = 10 ** (-4 / 20)  # a click that counts in company only, within so long of the next
WEAKER_NS = 1_500_000_000
KEPT = 32  # clicks remembered before there are enough
LEAST = 10 ** (-90 / 20)
SAME_NS = 30_000_000  # in several channels


class ClickParams(Params):
    """How high, and how many."""

    min_height_db: float = Field(default=17.0, ge=10, le=60, description="dB above what is beside the click")
    min_dbfs: float = Field(default=-45.0, ge=-90, le=12, description="dBFS of the second difference")
    min_count: int = Field(default=3, ge=1, le=100, description="clicks that make a defect")
    quiet_seconds: float = Field(
        default=2.0, ge=0.1, le=60, description="seconds between clicks of one defect"
    )


class Click(Detector[ClickParams]):
    """Each channel of one track by itself; what happens to several at once is one click."""

    id = "click"
    scope = Scope.AUDIO
    needs = (FINE,)
    suppressed_by = ("sound_missing", "silence", "audio_dropout")
    Params = ClickParams

    def __init__(self, params: ClickParams, track: str | None) -> None:
        super().__init__(params, track)
        self._quiet_ns = round(params.quiet_seconds * SECOND)
        self._clicks = Episode(
            self, value="click_height", unit="dB", threshold=params.min_height_db, quiet_ns=self._quiet_ns
        )
        self._height = 10 ** (params.min_height_db / 20)
        self._floor = 10 ** (params.min_dbfs / 20)
        self._last_ns, self._last_sure, self._end_ns = -SAME_NS, True, 0
        self._few: deque[tuple[int, float, bool]] = deque(maxlen=KEPT + params.min_count)
        self._bends: Samples = np.zeros((0, 0), np.float32)

    def sound(self, view: SoundView) -> Iterator[Finding]:
        fresh = view[FINE].bends
        channels, steps = fresh.shape
        if not view.follows or self._bends.shape[0] != channels:
            self._bends = np.zeros((channels, 0), np.float32)
        self._bends = np.concatenate([self._bends[:, -2 * FAR :], fresh], axis=1)
        step_ns = (view.end_ns - view.at_ns) / steps
        count = self._bends.shape[1]
        for step, row, height, sure in self._high():
            at_ns = view.end_ns - round((count - step) * step_ns)
            if at_ns - self._last_ns >= SAME_NS or (sure and not self._last_sure):
                self._last_ns, self._last_sure = at_ns, sure
                yield from self._say(at_ns, height, view.channels[row], view.end_ns, sure=sure)
        yield from self._clicks.passed(view.end_ns)

    def _high(self) -> Iterator[tuple[int, int, float, bool]]:
        """(step, channel, height in dB, whether it counts) of the clicks among the steps with enough on both sides."""
        p = self._bends
        middle = p[:, FAR:-FAR]
        if not middle.size:
            return
        if native.kernels is not None and not native.kernels.stands_out(
            p, FAR, self._height * WEAKER, self._floor
        ):
            return
        ends = np.maximum(p[:, : -2 * FAR], p[:, 2 * FAR :])
        could = (middle > self._floor) & (middle > ends * np.float32(self._height * WEAKER))
        for place, row in np.argwhere(could.T).tolist() if could.any() else ():
            step = place + FAR
            here = float(p[row, step])
            before = max(LEAST, float(p[row, step - FAR : step - NEAR + 1].max()))
            after = max(LEAST, float(p[row, step + NEAR : step + FAR + 1].max()))
            near = p[row, step - NEAR + 1 : step + NEAR]
            rings = max(float(near[: NEAR - 2].max()), float(near[NEAR + 1 :].max()))
            height = here / max(before, after)
            differ = max(before, after) / min(before, after)
            quiet = here * RINGS * min(SPREAD, max(1.0, height / self._height))
            if here >= float(near.max()) and rings * WEAKER < quiet and differ < NEARLY_ALIKE:
                alike = differ < ALIKE or height > HIGH
                sure = alike and height >= self._height and rings < quiet
                if height >= self._height * WEAKER:
                    yield step, row, 20 * float(np.log10(height)), sure

    def _say(
        self, at_ns: int, height: float, channel: str, certain_ns: int, *, sure: bool
    ) -> Iterator[Finding]:
        if sure:
            yield Measurement("click_height", height, "dB", at_ns, self.track, channel)
        if self._clicks.is_open:
            belongs = [(at_ns, height)] if sure or at_ns - self._end_ns <= WEAKER_NS else []
        else:
            self._few.append((at_ns, height, sure))
            belongs = self._enough() if sure else []
        for at, high in belongs:
            self._end_ns = at
            yield from self._clicks.moment(
                at, at, high, Severity.WARNING, track=self.track, certain_ns=certain_ns,
                detail=f"{high:.0f} dB above what is around, in channel {channel}",
            )  # fmt: skip

    def _enough(self) -> list[tuple[int, float]]:
        """(time, height) of the clicks of a defect, where there are enough of them."""
        sure = [at for at, _, counts in self._few if counts]
        first = len(sure) - 1
        while first > 0 and sure[first] - sure[first - 1] <= self._quiet_ns:
            first -= 1
        if len(sure) - first < self.params.min_count:
            return []
        belongs = [(at, high) for at, high, _ in self._few if at >= sure[first] - WEAKER_NS]
        self._few.clear()
        return belongs

    def finish(self, at_ns: int) -> Iterator[Finding]:
        yield from self._clicks.finish(at_ns)


DETECTOR = Click
