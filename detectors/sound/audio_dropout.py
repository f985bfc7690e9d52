"""Audio dropout: holes inside sound, as lost packets leave them.

Measures  dropout_ms     ms: the length of each hole.
Defect    audio_dropout  error: a channel's level falls suddenly, without a fade, by 18 dB in 3 ms (13 dB where most
          of a hole of 20 ms or more is below -80 dBFS) and by 45 % of the decibels that the hole is deep; stays
          `min_depth_db` below (40 dB or below -80 dBFS for most of a hole of 20 ms or more) for 3 to `max_ms`; and
          returns as suddenly. The sound on either side must last (most of 20 ms within 15 dB of its mean), be louder
          than `min_dbfs` and of like level. Holes within `quiet_seconds` are one defect, from the first hole to the
          end of the last; one that is shorter than `alone_ms`, not below -83 dBFS, in sound of more than two
          channels, or where pieces join (12 dB louder, or mono after stereo) counts where it is not alone.
          None is a hole of less than 20 ms before a blow that is 12 dB louder than the sound was (8 dB in sound of
          more than two channels): coders give their bits to the blow, and nobody hears it.
Blind to  holes that a receiver fades, fills with noise or conceals by repetition; holes in pauses, where nobody misses
          them. Sound that was cut up on purpose (gated electronic music, switched beeps, a noise gate that shuts within
          1 ms) looks the same as a fault, and so does 5.1 coded so tightly (96 kb/s) that whole channels are empty for
          milliseconds again and again.
Source    EBU QC 0008B. The depths are practice: the stops of speech and the ends of drums sink 10 to 35 dB, slowly; a
          hole survives AAC at 96 kb/s with 30 dB or more, half of them at once.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.frame import Samples, SoundView
from detectors.sound_features import FINE, SAMPLES

SECOND = 1_000_000_000
BESIDE = 20  # steps of 1 ms on either side that must be sound
KEPT_BLOCKS = 9
KEPT_S = 0.8  # of power, which holds the longest hole and what lies beside it
LIKE = 10 ** (20 / 10)  # levels before and after a hole
LASTING, WITHIN = 0.7, 10 ** (-15 / 10)  # so many of the steps beside a hole are that near their mean
RETURNED = 10 ** (-20 / 10)  # of the level before: the sound is back
FALL = 10 ** (-18 / 10)  # within 3 ms, on either side
SMEARED_FALL = 10 ** (-13 / 10)  # of noise that was coded, where the hole is long and empty
SHORT, SETTLING = (
    20,
    6,
)  # steps: of a hole, and into a longer one, after which what coding smeared into it is gone
SHREDS = 0.3  # of a hole, at most, into which coding may have smeared what lies beside it
NO_FADE = 10 ** (-8 / 10)  # how far the last 3 steps before the fall may have sunk; the last 6, by 2 dB less
NO_RISE = 10 ** (-12 / 10)  # the same of the first ones after the return
SHORT_DEPTH = 10 ** (-7 / 10)  # what a short hole must be deeper
EMPTY, EMPTY_POWER = (
    10 ** (-40 / 10),
    10 ** (-80 / 10),
)  # what most of a longer one is, or stops of speech were holes
TREBLE = 10 ** (-15 / 10)  # in a short hole, against before
ATTACK, ATTACK_STEPS = 10 ** (12 / 10), 12  # of a blow, above what was before a hole, and so soon after it
SURROUND_ATTACK = 10 ** (
    8 / 10
)  # the same in sound of more than two channels, each of which is coded with fewer bits
TOGETHER_NS = SECOND // 10  # two that one event may have left are no company for each other
DITHER = 10 ** (-83 / 10)  # one hole alone is empty, and not the room that a gate left
LOUDER_DB = 12.0  # after one hole alone, than before it, or less loud: where pieces join
TURNS_DB, LEAST_SIDE_DB = 25.0, -50.0  # how much more left and right differ before than after, or less
LEAST_MS = 2.0
LEAST_POWER = 10 ** (-90 / 10)  # what lies below is empty
AT_ONCE = 0.45  # of the decibels: where speech stops and where gates close, 0.2 to 0.4

Power = npt.NDArray[np.float32]  # (channels, steps of 1 ms)


def _mean(few: list[float]) -> float:
    return sum(few) / len(few)  # of so few, quicker than an array's


def _fades(beside: list[float], limit: float) -> bool:
    """Whether the last 3 steps have sunk below `limit` times what was before, or the last 6 by 2 dB less."""
    return min(_mean(beside[-6:]) * 10**-0.2, _mean(beside[-3:])) < limit * _mean(beside[:-6])


def _falls(p: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """By how much the power falls from two steps to the next but one: a ratio for each place, the third step first."""
    after = np.maximum(np.maximum(p[3:-1], p[4:]), np.float32(LEAST_POWER))
    return np.asarray(np.maximum(p[:-4], p[1:-3]) / after, np.float32)


def _abrupt(edge: npt.NDArray[np.float32], level: float, depth: float, least: float) -> bool:
    """Whether a fall from `level` to `depth` happens at once: by `least` and by most of its decibels within 3 steps."""
    steepest = float(_falls(edge).max(initial=0.0))
    at_once = float((level / max(depth, LEAST_POWER)) ** AT_ONCE)
    return steepest >= max(1.0 / least, at_once)


def _side(x: Samples) -> float:
    """How much left and right differ, dB of the sound in both, not below `LEAST_SIDE_DB`."""
    if not x.shape[1]:
        return LEAST_SIDE_DB
    both, differ = float(np.square(x.sum(axis=0)).mean()), float(np.square(x[0] - x[1]).mean())
    return max(LEAST_SIDE_DB, 10 * math.log10(max(differ, 1e-12) / max(both, 1e-12)))


class AudioDropoutParams(Params):
    """How deep, how long, and in what sound."""

    min_depth_db: float = Field(default=25.0, ge=10, le=80, description="dB below the sound beside the hole")
    max_ms: float = Field(default=500.0, ge=10, le=600, description="ms; longer holes are silence's")
    alone_ms: float = Field(
        default=10.0, ge=0, le=500, description="ms; a shorter hole counts with another only"
    )
    min_dbfs: float = Field(default=-50.0, ge=-90, le=0, description="dBFS of the sound on either side")
    quiet_seconds: float = Field(default=3.0, ge=0, le=60, description="seconds between holes of one defect")


class AudioDropout(Detector[AudioDropoutParams]):
    """Each channel of one track by itself; what happens to several at once is one hole."""

    id = "audio_dropout"
    scope = Scope.AUDIO
    needs = (FINE, SAMPLES)
    suppressed_by = ("sound_missing", "silence")
    Params = AudioDropoutParams

    def __init__(self, params: AudioDropoutParams, track: str | None) -> None:
        super().__init__(params, track)
        self._holes = Episode(
            self,
            value="dropout_ms",
            unit="ms",
            threshold=LEAST_MS,
            quiet_ns=round(params.quiet_seconds * SECOND),
        )
        self._depth = 10 ** (-params.min_depth_db / 10)
        self._floor = 10 ** (params.min_dbfs / 10)
        self._said_ns = -1
        self._lone: tuple[int, int] | None = None  # one that counts when another follows
        self._restart(0)

    def _restart(self, channels: int) -> None:
        self._power: Power = np.zeros((channels, 0), np.float32)
        self._first = 0  # the step that the first column is
        self._attack = ATTACK if channels <= 2 else SURROUND_ATTACK
        self._samples: deque[Samples] = deque(maxlen=KEPT_BLOCKS)
        self._falls: list[tuple[int, int]] = []  # channel and step where one became quiet

    def sound(self, view: SoundView) -> Iterator[Finding]:
        fresh = view[FINE].power
        channels, steps = fresh.shape
        if not view.follows or self._power.shape[0] != channels:
            self._restart(channels)
        step_ns = (view.end_ns - view.at_ns) / steps
        size = view.rate_hz * step_ns / SECOND
        dropped = max(0, self._power.shape[1] - round(KEPT_S * SECOND / step_ns))
        self._power = np.concatenate([self._power[:, dropped:], fresh], axis=1)
        self._first += dropped
        self._samples.append(view[SAMPLES])
        self._look(max(0, self._power.shape[1] - steps - 4))
        end = self._first + self._power.shape[1]
        waiting = []
        for row, step in self._falls:
            verdict = self._hole(self._power[row], step - self._first)
            if verdict is None:
                waiting.append((row, step))
            elif verdict and self._is_empty(row, verdict, size):
                at, until = (view.end_ns - round((end - self._first - s) * step_ns) for s in verdict[:2])
                yield from self._say(
                    at,
                    until,
                    view.channels[row],
                    view.end_ns,
                    sure=channels <= 2 and verdict[2] < DITHER and not self._joins(verdict, size),
                )
        self._falls = waiting
        yield from self._holes.passed(view.end_ns)

    def _look(self, begin: int) -> None:
        """Note where a channel becomes quiet within a step, after those from `begin` that were looked at."""
        p = self._power[:, begin:]
        if p.shape[1] < 5:
            return
        if native.kernels is not None and not native.kernels.falls(p, SMEARED_FALL, self._floor):
            return
        before = np.maximum(p[:, :-4], p[:, 1:-3])
        falls = np.maximum(p[:, 3:-1], p[:, 4:]) < before * np.float32(SMEARED_FALL)
        falls &= before > np.float32(self._floor)
        if falls.any():
            for row, place in np.argwhere(falls).tolist():
                self._falls.append((row, self._first + begin + 2 + place))

    def _hole(self, p: npt.NDArray[np.float32], fall: int) -> tuple[float, float, float] | tuple[()] | None:
        """(first step, step after the last, power) of a hole that begins at `fall`; () for none, None where unknown."""
        if fall < BESIDE:
            return ()
        before = p[fall - BESIDE : fall].tolist()
        level = self._lasting(before)
        if level is None or _fades(before, NO_FADE):
            return ()
        sounding = np.flatnonzero(p[fall + 2 :] > level * RETURNED) + fall + 2
        for rise in sounding.tolist():
            if rise - fall > self.params.max_ms:
                return ()
            if len(p) < rise + 1 + BESIDE:
                return None
            behind = p[rise + 1 : rise + 1 + BESIDE].tolist()
            after = self._lasting(behind)
            if after is None:
                continue  # a shred of sound between two holes
            if _fades(behind[::-1], NO_RISE):
                return ()
            short = rise - fall < SHORT
            inside = p[fall + (1 if short else SETTLING) : rise - 1]
            quiet = level * self._depth * (SHORT_DEPTH if short else 1.0)
            if (
                len(inside) < 2
                or float((inside > quiet).mean()) > SHREDS
                or not level / LIKE < after < level * LIKE
                or (short and float(p[rise + 1 : rise + 1 + ATTACK_STEPS].max()) > level * self._attack)
            ):
                return ()
            depth = float(np.median(inside))
            if not short and depth > max(level * EMPTY, EMPTY_POWER):
                return ()
            least = SMEARED_FALL if not short and depth < EMPTY_POWER else FALL
            falling = p[fall - 2 : min(fall + 2 * SETTLING, rise)]
            rising = p[max(fall, rise - 2 * SETTLING) : rise + 4][::-1]
            if not (_abrupt(falling, level, depth, least) and _abrupt(rising, after, depth, least)):
                return ()
            first = fall if short else fall + int(_falls(falling).argmax())
            last = rise + 1 - min(1.0, float(p[rise]) / after)
            return first + min(1.0, float(p[first]) / level), last, depth
        return () if len(p) - fall > self.params.max_ms else None

    def _lasting(self, beside: list[float]) -> float | None:
        """The level beside a hole, or None where it is too low or no lasting sound."""
        level = _mean(beside)
        near = level * WITHIN
        if level <= self._floor or sum(power > near for power in beside) < LASTING * len(beside):
            return None
        return level

    def _is_empty(self, row: int, hole: tuple[float, float, float], size: float) -> bool:
        """Whether a short hole is empty at high frequencies too: where a low note crosses zero, its treble goes on.

        `size`: samples of a step. What lies before the samples that are kept is not known, and no hole.
        """
        first, last = int(hole[0]), int(hole[1])
        if last - first > SHORT:
            return True
        x = np.concatenate([block[row] for block in self._samples])
        rise = np.diff(x) ** 2
        begin, end = self._places(first + 1, last, size, len(x))
        before = rise[max(0, begin - round(BESIDE * size)) : max(0, begin - round(size))]
        if not len(before) or end <= begin:
            return False
        return float(rise[begin:end].mean()) < TREBLE * float(before.mean())

    def _places(self, first: int, last: int, size: float, samples: int) -> tuple[int, int]:
        """Where steps begin among so many kept samples; `size`: samples of a step."""
        steps = self._power.shape[1]
        return samples - round((steps - first) * size), samples - round((steps - last) * size)

    def _joins(self, hole: tuple[float, float, float], size: float) -> bool:
        """Whether one piece has ended and another begun: far louder, or mono after stereo, or the other way round."""
        x = np.concatenate(list(self._samples), axis=1)
        begin, end = self._places(int(hole[0]), int(hole[1]) + 1, size, x.shape[1])
        parts = x[:, max(0, begin - round(BESIDE * size)) : begin], x[:, end:]
        before, after = (max(1e-12, float(np.square(part).sum()) / max(1, part.size)) for part in parts)
        if abs(10 * math.log10(after / before)) >= LOUDER_DB:
            return True
        return len(x) == 2 and abs(_side(parts[1]) - _side(parts[0])) >= TURNS_DB

    def _say(
        self, at_ns: int, until_ns: int, channel: str, certain_ns: int, *, sure: bool
    ) -> Iterator[Finding]:
        if at_ns < self._said_ns:
            return  # the same hole in another channel
        self._said_ns = until_ns
        length_ms = (until_ns - at_ns) / 1e6
        yield Measurement("dropout_ms", length_ms, "ms", at_ns, self.track, channel)
        first = self._lone
        if (length_ms < self.params.alone_ms or not sure) and not self._holes.is_open:
            if first is not None and at_ns - first[1] < TOGETHER_NS:
                return  # a coder empties the moments around a blow, in one channel after another
            self._lone = (at_ns, until_ns)
            if not self._near(first, at_ns):
                return
        holes = [(at_ns, until_ns)]
        if first is not None and self._near(first, at_ns):
            holes.insert(0, first)
        self._lone = None
        for begin, end in holes:
            yield from self._holes.moment(
                begin, end, (end - begin) / 1e6, Severity.ERROR, track=self.track, certain_ns=certain_ns,
                detail=f"hole of {(end - begin) / 1e6:.0f} ms in channel {channel}",
            )  # fmt: skip

    def _near(self, hole: tuple[int, int] | None, at_ns: int) -> bool:
        return hole is not None and at_ns - hole[1] <= self.params.quiet_seconds * SECOND

    def finish(self, at_ns: int) -> Iterator[Finding]:
        yield from self._holes.finish(at_ns)


DETECTOR = AudioDropout
