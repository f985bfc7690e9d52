"""Loudness: too loud, too quiet, or a jump at a junction.

Measures  loudness_momentary, loudness_short_term  LUFS, once a second; loudness_jump  LU: the short-term loudness
          against the loudest 3 s of the recent past; at the end loudness_integrated (LUFS), loudness_range (LU),
          loudness_short_term_max and loudness_momentary_max (LUFS).
Defect    loudness, of three kinds, told by its detail. *Jump*: for 3 s (or 6) the sound is `jump_lu` louder than the
          loudest 3 s of the last 20 s, it came within a second, and it is louder than `loud_lufs`. *Drop*: for
          5 s it is `drop_lu` quieter than the quietest 3 s of the last 20 s, seven tenths of that went within a second,
          its thirds are about as loud as one another, and it is not silence: what fades is programme. *Target*:
          only where the profile sets `target_lufs`: the integrated loudness leaves the target by more than
          `tolerance_lu`. Jump and drop are dated at the step and end when the level returns, or after
          `settle_seconds`, when the new level is the stream's own.
Blind to  a stream that is at the wrong level from its beginning, unless `target_lufs` is set: web channels live at
          -14 LUFS and quiet ones at -35. Crescendos, and the loud part of programme that was loud in the last
          20 s. The first 4 s of sound, which are its past. A mono track is measured as one channel.
Source    ITU-R BS.1770-5, EBU R128, EBU Tech 3341 and 3342; -24 +-2 of ATSC A/85 is a profile's choice. `jump_lu`
          and `loud_lufs` come from footage: title music enters 13 LU above what went before, but stays below
          -14 LUFS.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import SoundView
from detectors.hold import Hold
from detectors.sound._r128 import LEAST_LUFS, MOMENTARY_STEPS, STEPS, Meter, lufs
from detectors.sound_features import K_WEIGHTED, STEP_NS

SECOND = 1_000_000_000
PAST_STEPS, NOW_STEPS, LEAST_PAST_STEPS = 2000, 300, 400
SLOW_STEPS = 600  # a jump to sound that is not at its full level at once
DROP_STEPS, RETURN_STEPS, SIDE_STEPS = 500, 200, 100
ABRUPT_SHARE = 0.7  # of a drop lies between the half seconds before and after its step
STEADY_LU = (
    10.0  # between the loudest 400 ms of the thirds of what follows a drop; more is a fade, or a new scene's
)
EVERY_BLOCKS = 5  # the past is looked at twice a second
QUIET_LUFS = -60.0  # below, it is silence and another detector's
HEARD_LUFS = -50.0


class LoudnessParams(Params):
    """What counts as a jump or a drop; a target is the operator's to set."""

    jump_lu: float = Field(default=10.0, ge=3, le=40, description="LU above the loudest 3 s of the last 20 s")
    loud_lufs: float = Field(
        default=-13.0, ge=-70, le=0, description="LUFS that a jump must reach to disturb"
    )
    drop_lu: float = Field(
        default=20.0, ge=6, le=60, description="LU below the quietest 3 s of the last 20 s"
    )
    settle_seconds: float = Field(
        default=60.0,
        ge=5,
        le=3600,
        description="seconds after which a new level is taken for the stream's own",
    )
    target_lufs: float | None = Field(
        default=None,
        ge=-60,
        le=0,
        description="LUFS that the integrated loudness is held to; none by default",
    )
    tolerance_lu: float = Field(default=1.0, gt=0, le=20, description="LU either side of the target")
    target_after_seconds: float = Field(
        default=30.0, ge=1, le=3600, description="seconds of sound before the target is judged"
    )


class Loudness(Detector[LoudnessParams]):
    """One meter a track, and its recent past."""

    id = "loudness"
    scope = Scope.AUDIO
    needs = (K_WEIGHTED,)
    suppressed_by = ("silence", "clipping")
    Params = LoudnessParams

    def __init__(self, params: LoudnessParams, track: str | None) -> None:
        super().__init__(params, track)
        self._meter = Meter()
        self._past: deque[npt.NDArray[np.float64]] = deque(maxlen=(PAST_STEPS + SLOW_STEPS) // STEPS)
        self._waiting: list[npt.NDArray[np.float64]] = []  # whole blocks that the meter was not fed yet
        self._blocks = 0
        self._end_ns = 0
        self._jump: float | None = None
        self._reference = LEAST_LUFS  # what an open jump or drop is measured against
        self._settles_ns = 0
        self._returned_ns = 0  # where the last jump or drop ended: its step is not another's
        p = params

        def hold(value: str, unit: str, threshold: float) -> Hold:
            return Hold(
                self, value=value, unit=unit, threshold=threshold, open_ns=0, severity=Severity.WARNING
            )

        self._up = hold("loudness_jump", "LU", p.jump_lu)
        self._down = hold("loudness_drop", "LU", p.drop_lu)
        self._off = hold("loudness_deviation", "LU", p.tolerance_lu)

    def sound(self, view: SoundView) -> Iterator[Finding]:
        if not view.follows:
            yield from self._restart()
        energy = view[K_WEIGHTED].energy
        self._end_ns = view.end_ns
        self._blocks += 1
        if len(energy) == STEPS:
            self._past.append(energy)
            self._waiting.append(energy)
        else:
            self._feed()
            self._meter.feed(energy)
        if self._blocks % EVERY_BLOCKS == 0:
            self._feed()
            yield from self._compare(view.end_ns)
        if self._blocks % 10 == 0:
            yield from self._measure(view.end_ns)
            yield from self._judge_target(view.end_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        if event.kind in ("jump", "gap"):
            yield from self._restart()

    def _feed(self) -> None:
        """Feed the meter what waits: one call for several blocks."""
        if self._waiting:
            self._meter.feed(np.concatenate(self._waiting))
            self._waiting.clear()

    def finish(self, at_ns: int) -> Iterator[Finding]:
        self._feed()
        finals = (
            ("loudness_integrated", self._meter.integrated(), "LUFS"),
            ("loudness_range", self._meter.range(), "LU"),
            ("loudness_short_term_max", self._meter.short_term_max, "LUFS"),
            ("loudness_momentary_max", self._meter.momentary_max, "LUFS"),
        )
        for name, value, unit in finals:
            if value is not None and value > LEAST_LUFS:
                yield Measurement(name, value, unit, at_ns, self.track, final=True)

    def _restart(self) -> Iterator[Finding]:
        """What was learned from neighbours in time is void; the programme's own loudness is not."""
        self._feed()
        self._meter.restart()
        self._past.clear()
        self._jump = None
        yield from self._up.reset(self._end_ns)
        yield from self._down.reset(self._end_ns)

    def _measure(self, at_ns: int) -> Iterator[Finding]:
        values = (
            ("loudness_momentary", self._meter.momentary, "LUFS"),
            ("loudness_short_term", self._meter.short_term, "LUFS"),
            ("loudness_jump", self._jump, "LU"),
        )
        for name, value, unit in values:
            if value is not None:
                yield Measurement(name, value, unit, at_ns, self.track)

    def _compare(self, at_ns: int) -> Iterator[Finding]:
        if len(self._past) * STEPS < LEAST_PAST_STEPS + NOW_STEPS:
            return
        steps = np.concatenate(self._past)
        if self._up.is_open or self._down.is_open:
            yield from self._follow(steps, at_ns)
            return
        sums = np.concatenate([[0.0], np.cumsum(steps)])
        windows = np.maximum(sums[NOW_STEPS:] - sums[:-NOW_STEPS], 0.0) / NOW_STEPS

        def against(now_steps: int) -> tuple[float, npt.NDArray[np.float64]] | None:
            """The loudness now, and the windows of 3 s that lie wholly before."""
            before = windows[: max(0, len(windows) - now_steps)]
            heard = steps[:-now_steps] > 10 ** ((HEARD_LUFS + 0.691) / 10)
            if len(before) == 0 or heard.sum() < NOW_STEPS:
                return None
            return lufs(float(max(0.0, sums[-1] - sums[-1 - now_steps])) / now_steps), before

        for length in (NOW_STEPS, SLOW_STEPS):
            loud = against(length)
            if loud is None or self._up.is_open:
                continue
            now, before = loud
            reference = lufs(float(before.max()))
            if length == NOW_STEPS:
                self._jump = now - reference
            if now - reference >= self.params.jump_lu and now >= self.params.loud_lufs:
                yield from self._open(self._up, steps, length, reference, at_ns)
        quiet = against(DROP_STEPS)
        if quiet is not None and not self._up.is_open:
            now, before = quiet
            reference = lufs(float(before.min()))
            if reference - now >= self.params.drop_lu and now > QUIET_LUFS:
                yield from self._open(self._down, steps, DROP_STEPS, reference, at_ns)

    def _open(
        self, hold: Hold, steps: npt.NDArray[np.float64], length: int, reference: float, at_ns: int
    ) -> Iterator[Finding]:
        """A jump or drop, where all sound since a step supports it."""
        up = hold is self._up
        least = self.params.jump_lu if up else self.params.drop_lu
        begun = self._step(steps, length + SIDE_STEPS, reference, up=up)
        if begun is None or begun < length - SIDE_STEPS // 2 or self._off.is_open:
            return
        if at_ns - begun * STEP_NS < self._returned_ns:
            return
        now = lufs(float(steps[-begun + STEPS :].mean()))
        change = now - reference if up else reference - now
        if change < least or now <= QUIET_LUFS:
            return
        sums = np.concatenate([[0.0], np.cumsum(steps[-begun:])])
        usual = lufs(float(np.median(sums[MOMENTARY_STEPS:] - sums[:-MOMENTARY_STEPS])) / MOMENTARY_STEPS)
        if (usual - reference if up else reference - usual) < least / 2:
            return  # a bang, or one loud word
        if not up and not _abrupt(steps, begun, change):
            return
        self._reference, self._settles_ns = reference, at_ns + round(self.params.settle_seconds * SECOND)
        kind = "jump" if up else "drop"
        detail = f"{kind} from {reference:.1f} to {now:.1f} LUFS"
        yield from hold.update(at_ns - begun * STEP_NS, True, change, end_ns=at_ns, detail=detail)

    def _follow(self, steps: npt.NDArray[np.float64], at_ns: int) -> Iterator[Finding]:
        """A jump or drop is open: has the level returned, or been there for so long that it is the stream's own?"""
        up = self._up.is_open
        hold = self._up if up else self._down
        half = (self.params.jump_lu if up else self.params.drop_lu) / 2
        parts = [lufs(float(part.mean())) for part in np.split(steps[-RETURN_STEPS:], 2)]
        excess = [now - self._reference if up else self._reference - now for now in parts]
        if max(excess) < half or (not up and max(parts) <= QUIET_LUFS):
            ended = self._step(steps, RETURN_STEPS + SIDE_STEPS, self._reference, up=not up, opened_up=up)
            at = at_ns - (RETURN_STEPS if ended is None else ended) * STEP_NS
            self._returned_ns = max(at, hold.since_ns or 0)
            yield from hold.update(self._returned_ns, False, excess[-1], end_ns=at_ns)
        elif at_ns >= self._settles_ns:
            yield from hold.update(at_ns, False, excess[-1], end_ns=at_ns)
            self._past.clear()
        else:
            yield from hold.update(at_ns, True, min(excess))

    def _step(
        self,
        steps: npt.NDArray[np.float64],
        reach: int,
        reference: float,
        *,
        up: bool,
        opened_up: bool | None = None,
    ) -> int | None:
        """Where in the last `reach` steps the level changed most, counted in steps from the end; None without a step.

        The mean levels of the second before and the second after are compared. Levels are held between the
        reference and the limit of a jump or drop, so that pauses weigh no more than ordinary sound.
        """
        p = self.params
        upwards = up if opened_up is None else opened_up
        low, high = (reference, reference + p.jump_lu) if upwards else (reference - p.drop_lu, reference)
        part = steps[-(reach + SIDE_STEPS) :]
        levels = np.clip(10 * np.log10(part + 1e-12) - 0.691, low, high) * (1 if up else -1)
        sums = np.concatenate([[0.0], np.cumsum(levels)])
        places = np.arange(SIDE_STEPS, len(part) - SIDE_STEPS + 1)
        rise = (sums[places + SIDE_STEPS] - 2 * sums[places] + sums[places - SIDE_STEPS]) / SIDE_STEPS
        best = int(rise.argmax())
        return len(part) - int(places[best]) if rise[best] >= (high - low) / 4 else None

    def _judge_target(self, at_ns: int) -> Iterator[Finding]:
        target = self.params.target_lufs
        if target is None or self._meter.gated_s < self.params.target_after_seconds:
            return
        integrated = self._meter.integrated()
        if integrated is None or self._up.is_open or self._down.is_open:
            return
        deviation = abs(integrated - target)
        detail = f"integrated {integrated:.1f} LUFS, target {target:.1f}"
        yield from self._off.update(at_ns, deviation > self.params.tolerance_lu, deviation, detail=detail)


def _abrupt(steps: npt.NDArray[np.float64], begun: int, change: float) -> bool:
    """Whether the level fell by most of `change` LU within a second, `begun` steps ago, and then stayed there."""
    half, near = SIDE_STEPS // 2, 10
    before = steps[max(0, len(steps) - begun - half - near) : len(steps) - begun - near]
    after = steps[len(steps) - begun + near :]
    if len(before) < half or len(after) < 3 * MOMENTARY_STEPS:
        return False
    fell = lufs(float(before.mean())) - lufs(float(after[:half].mean()))
    loudest = [
        max(lufs(float(part[at : at + MOMENTARY_STEPS].mean())) for at in range(0, len(part) - half, 10))
        for part in np.array_split(after, 3)
    ]
    return fell >= ABRUPT_SHARE * change and max(loudest) - min(loudest) <= STEADY_LU


DETECTOR = Loudness
