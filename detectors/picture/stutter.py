"""Stutter: pictures are repeated or missing, so that movement jerks.

Measures  `held_pictures`, times a second: how often a moving picture was held longer than the stream's own cadence.
Defect    `stutter`, error: movement halts at once and goes on at once, `min_holds` times or more within two seconds
          and without a rhythm. Dated from the first hold to the end of the last. A picture is held when it is
          repeated, or when the next one is missing; both are told from the time between different pictures, so a
          variable frame rate is judged like a constant one. What follows a hold must show the same scene.
          A rhythm counts, too, where movement that was smooth for a second goes on in the same shot with two pictures
          or more missing each time, in steps longer by as much: a coder that no longer keeps up.
Blind to  Holds in which nothing moves, and those within a second of a standstill; single holds; pictures that are
          left out and time closed up behind them. Other rhythms are programme: 24 pictures in 30 or 60, 25 in 50,
          half as many pictures, animation on twos and threes, all that is slow from a cut on. So is what goes by fits
          and starts already when the watch begins, such as a poor remote camera: twice its own number of holds is
          needed then. Longer standstills are `freeze` or `picture_missing`.
Source    Practice. That what counts is a halt amid movement is also in the no-reference measure of fluidity by
          Pastrana-Vidal and Gicquel ("Automatic quality assessment of video fluidity impairments"); the telling of
          rhythms is our own.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from statistics import median

import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import DefectEdge, Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.events import Break
from detectors.frame import Feature, Frame, PictureView
from detectors.hold import Hold
from detectors.picture_features import LUMA_CHANGE, Change
from detectors.shots import PATCHES, alike

_Held = tuple[int, int]  # since, until: ns, the part beyond the cadence

SECOND_NS = 1_000_000_000
WINDOW_NS = 2 * SECOND_NS
QUIET_NS = 2_500_000_000  # of movement without a hold, after which the stutter has ended,
OVER_NS = 8 * SECOND_NS  # or of anything
LEARN_NS = 3_500_000_000  # of movement, before holds are judged
LONGEST_NS = 500_000_000  # a longer standstill is no jerk
MOVES_NS = SECOND_NS  # after a standstill, before holds count: dissolves of dark stills go by fits and starts
OWN_NS = 20 * SECOND_NS  # over which the stream's own holds are counted
CADENCE_RANK = 0.7  # of the lengths, sorted
STEPS = 25  # different pictures from which the cadence is learned
LONGER = 1.6  # times the cadence: what is held longer was held too long
# Of the usual movement, and in 8-bit code values: a repeated picture, which a coder may refine.
STILL, LEAST_STILL = 0.25, 0.1
DEAD = 0.05  # of the usual movement at most: a repeat that a coder did not even refine
SHOT_STEPS, KNOWN_STEPS = 9, 3  # different pictures of a shot that tell how much usually moves in it
SLOWED, LIVELY = 0.5, 0.75  # of the usual movement at least right before a hold, and right after it
CUT, LEAST_CUT = 2.5, 8.0  # times the usual movement, 8-bit code values: perhaps another shot
CHAIN_NS = 1_250_000_000  # holds that follow each other so closely are of one stutter
LEAST_MOVEMENT = 0.3  # 8-bit code values, mean change: below, nobody sees a jerk
LEAST_TILES = 4  # that move
RHYTHM_HOLDS = 4  # and more may have a rhythm:
STRAY = 4  # of so many, one may be off it
OFF_BEAT = 0.35  # of a picture's length, the root mean square by which they miss the beat,
BEATS_KEPT = 0.6  # of the beats have a hold
TWOS = 3.5  # pictures from one hold to the next, at most, in animation on twos and threes
CONVERTED = 0.6  # of the time they fill, picture and hold: another rate, roughly converted
SMOOTH_NS, STRAY_HOLDS = SECOND_NS, 1  # of a shot with no more holds, after which even a rhythm is a fault,
SLOW, ALL_HELD = 1.5, 0.7  # if pictures beyond the cadence are missing each time, at so many of the steps,
FARTHER = (
    1.3  # and each step is so much longer than those before: drawings that are held longer move no farther
)


class StutterParams(Params):
    """How many jerks are too many."""

    min_holds: int = Field(default=4, ge=2, le=50, description="times a picture is held within two seconds")


def _same_scene(frame: Frame) -> bool:
    return frame.previous is not None and alike(frame[PATCHES], frame.previous[PATCHES])


SAME_SCENE: Feature[Frame, bool] = Feature("same_scene", _same_scene)


@dataclass(slots=True)
class _Step:
    """One different picture and how it came."""

    at_ns: int
    movement: float  # from the one before, mean change in 8-bit code values
    change: Change


class Stutter(Detector[StutterParams]):
    """See the module's docstring."""

    id = "stutter"
    scope = Scope.VIDEO
    needs = (LUMA_CHANGE, SAME_SCENE)
    suppressed_by = (
        "freeze",
        "black",
        "solid_color",
        "picture_missing",
        "segment_missing",
        "source_stalled",
        "tearing",
    )
    Params = StutterParams

    def __init__(self, params: StutterParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="held_pictures",
            unit="times a second",
            threshold=params.min_holds / 2,
            open_ns=0,
            severity=Severity.ERROR,
        )
        self._last: _Step | None = None
        self._shot: deque[float] = deque(maxlen=SHOT_STEPS)  # movement of the steps since the last cut
        self._steps: deque[tuple[int, float]] = deque(maxlen=256)  # when they came, and their movement
        self._lengths: deque[int] = deque(maxlen=STEPS)  # how long each different picture was shown, ns
        self._holds: deque[_Held] = deque(maxlen=256)  # of the last OWN_NS
        self._rests: deque[_Held] = deque(
            maxlen=64
        )  # the same, those included at which hardly anything moves
        self._plain: deque[_Held] = deque(
            maxlen=64
        )  # and those that are certainly holds once there are others
        self._stirred: float | None = (
            None  # most change among the repeats of the last picture, where there are any
        )
        self._shot_ns = 0  # when the shot began
        self._stood_ns = -MOVES_NS  # until when nothing moved at last
        self._over_ns = 0  # when so much movement has been seen, it has ended
        self._moved_ns = 0  # of movement seen
        self._last_ns = 0  # when the last hold ended
        self._rhythmic_ns = 0  # when holds last had a rhythm
        self._slow = False  # they have one, and are a fault
        self._second = -1

    @property
    def ready(self) -> bool:
        """Whether the cadence is known."""
        return self._moved_ns >= LEARN_NS

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """Is it another picture, and was the one before held too long?"""
        change, now = view[LUMA_CHANGE], view.at_ns
        if change is None:
            yield from self._stop(now)
            self._forget()
            return
        usual = self._usual()
        if self._is_cut(view, change, usual):
            self._shot.clear()
            self._steps.clear()
            self._shot_ns = now
            self._last, self._stirred = _Step(now, change.mean, change), None
        elif self._repeats(change, usual):
            self._stirred = max(self._stirred or 0.0, change.mean)
        else:
            held = self._step(now, change, usual)
            if held is not None:
                self._holds.append(held)
                if self.ready:
                    yield from self._judge(now)
        if self._hold.is_open and (self._moved_ns >= self._over_ns or now - self._last_ns >= OVER_NS):
            yield from self._stop(view.end_ns)
        second = now // SECOND_NS
        if second != self._second:
            self._second = second
            count = sum(until > now - SECOND_NS for _, until in self._holds)
            yield Measurement("held_pictures", count, "times a second", now, self.track)

    def broke(self, event: Break) -> Iterator[Finding]:
        """Another clock."""
        if event.kind in ("jump", "signalled"):
            yield from self._stop(event.at_ns)
            self._forget()

    def _usual(self) -> float:
        """How much moves from one picture of this shot to the next, 8-bit code values; 0 where not known yet."""
        return median(self._shot) if len(self._shot) >= KNOWN_STEPS else 0.0

    def _is_cut(self, view: PictureView, change: Change, usual: float) -> bool:
        return change.mean >= max(LEAST_CUT, CUT * usual) and not view[SAME_SCENE]

    def _repeats(self, change: Change, usual: float) -> bool:
        """Whether what moved in the step before stands still."""
        last = self._last
        if last is None or not self._shot:
            return False  # the first of a shot
        usual = min(usual or last.movement, last.movement)  # that after a hold makes up for it
        if change.mean > max(LEAST_STILL, STILL * usual):
            return False
        moving = last.change.tiles > max(0.5, last.movement)
        before = float(last.change.tiles[moving].sum()) * usual / last.movement if last.movement else 0.0
        return float(change.tiles[moving].sum()) <= STILL * before

    def _step(self, now: int, change: Change, usual: float) -> _Held | None:
        """Note another picture; (since, until) when the one before it was held too long."""
        held: _Held | None = None
        last = self._last
        if last is not None and self._shot:
            length = now - last.at_ns
            if length > LONGEST_NS:
                self._stood_ns = now
            if usual >= LEAST_MOVEMENT and length <= LONGEST_NS:
                self._moved_ns += length
            if len(self._lengths) >= STEPS // 2:
                cadence = self._cadence()
                if LONGER * cadence <= length <= LONGEST_NS:
                    self._rests.append((last.at_ns + int(cadence), now))
                    pace = usual or last.movement
                    lively = change.mean >= LIVELY * pace
                    dead = self._stirred is not None and self._stirred <= DEAD * pace
                    if pace >= LEAST_MOVEMENT and (lively or dead):
                        self._plain.append(self._rests[-1])
                    moves = last.at_ns - self._stood_ns >= MOVES_NS and last.movement >= SLOWED * usual
                    if usual >= LEAST_MOVEMENT and lively and moves:
                        held = self._rests[-1]
            if not self._hold.is_open:
                self._lengths.append(length)
        self._last, self._stirred = _Step(now, change.mean, change), None
        self._shot.append(change.mean)
        self._steps.append((now, change.mean))
        return held

    def _judge(self, now: int) -> Iterator[DefectEdge]:
        while self._holds[0][1] < max(now - OWN_NS, self._rhythmic_ns - WINDOW_NS):
            self._holds.popleft()  # those of a rhythm do not count as the stream's own
        every = [h for h in self._holds if h[1] > now - WINDOW_NS]
        rests = [rest for rest in self._rests if rest[1] > now - WINDOW_NS]
        # What jerked before a cut says nothing of the rhythm behind it, and the first holds there may become one.
        shot = [rest for rest in rests if rest[0] >= self._shot_ns]
        rhythmic = self._rhythmic(rests)
        if rhythmic and ((self._slow and self._hold.is_open) or self._has_slowed(rhythmic)):
            self._slow, rhythmic = True, []
        elif not rhythmic and now - self._shot_ns < SECOND_NS and self._on_twos(shot):
            rhythmic = shot
        recent = [hold for hold in every if hold not in rhythmic]
        if rhythmic and rhythmic is not shot:
            self._rhythmic_ns = now
        if not recent or recent[-1][1] != now:
            return
        if not self._hold.is_open and (
            recent[0][0] < self._last_ns or len(recent) < self._needed(len(recent))
        ):
            return
        if len(recent) >= self.params.min_holds / 2:
            self._last_ns, self._over_ns = now, self._moved_ns + QUIET_NS
        begin = recent[-1][0] if self._hold.is_open else self._beginning(recent)
        yield from self._hold.update(begin, True, len(recent) / 2, end_ns=now)

    def _beginning(self, recent: list[_Held]) -> int:
        """The first of the holds that follow each other closely, those included that are told by less."""
        begin = recent[0][0]
        for since, until in reversed(self._plain):
            if begin - until > CHAIN_NS:
                break
            begin = min(begin, since)
        return begin

    def _needed(self, recent: int) -> float:
        """How many holds within WINDOW_NS are more than the stream's own."""
        earlier = len(self._holds) - recent
        watched = max(min(self._moved_ns, OWN_NS) - WINDOW_NS, WINDOW_NS // 2)
        return max(float(self.params.min_holds), 2 * earlier * WINDOW_NS / watched)

    def _has_slowed(self, rhythmic: list[_Held]) -> bool:
        """Whether movement that was smooth goes on in the same shot in a few long steps a second."""
        since = rhythmic[0][0]
        smooth_ns = since - SMOOTH_NS
        if (
            self._shot_ns > smooth_ns
            or sum(smooth_ns < until <= since for _, until in self._rests) > STRAY_HOLDS
        ):
            return False
        before = [moved for at_ns, moved in self._steps if smooth_ns <= at_ns <= since]
        after = [moved for at_ns, moved in self._steps if at_ns > since]
        held = sum(until > since for _, until in self._rests)
        if len(before) < KNOWN_STEPS or held < ALL_HELD * len(after):
            return False
        missing = median(until - since for since, until in rhythmic) / min(self._lengths)
        return missing >= SLOW and median(after) >= FARTHER * median(before)

    def _stop(self, certain_ns: int) -> Iterator[DefectEdge]:
        self._slow = False
        if self._hold.is_open:
            yield from self._hold.update(self._last_ns, False, 0.0, end_ns=certain_ns)

    def _forget(self) -> None:
        self._last = None
        self._shot.clear()
        self._steps.clear()
        self._lengths.clear()
        self._holds.clear()
        self._rests.clear()
        self._plain.clear()

    def _on_twos(self, shot: list[_Held]) -> bool:
        """Whether what was held since a cut, be it once, follows each other as in animation on twos or threes."""
        most = TWOS * min(self._lengths)
        gaps = sorted(later[1] - earlier[1] for earlier, later in pairwise(shot))
        strays = -(-len(gaps) // STRAY)  # drawings that a coder showed a picture early
        return all(gap <= most for gap in gaps[: len(gaps) - strays]) and (not gaps or gaps[-1] <= 2 * most)

    def _cadence(self) -> float:
        """How long a picture of this stream is shown, ns: in pulldown, and where the rate varies, the longer ones."""
        return float(sorted(self._lengths)[round(CADENCE_RANK * (len(self._lengths) - 1))])

    def _rhythmic(self, rests: list[_Held]) -> list[_Held]:
        """Those that belong to a rhythm: equally long, and on a beat, some beats left out included."""
        frame = min(self._lengths)
        lengths = np.asarray([until - since for since, until in rests], np.float64)
        places = np.flatnonzero(np.abs(lengths - np.median(lengths)) <= 0.5 * frame)
        if len(places) < RHYTHM_HOLDS:
            return []
        if len(places) < CONVERTED * WINDOW_NS / (frame + np.median(lengths)):
            kept = _beat(np.asarray([rests[k][1] for k in places], np.float64), OFF_BEAT * frame)
            places = places[kept] if kept is not None else places[:0]
        return [rests[k] for k in places]


def _beat(at: npt.NDArray[np.float64], off: float) -> npt.NDArray[np.intp] | None:
    """Which moments lie on a beat, all but one in STRAY of them; None where they have none."""
    kept = np.arange(len(at))
    for _ in range(len(at) // STRAY + 1):
        if _missed(at[kept]) <= off:
            return kept
        if len(kept) <= RHYTHM_HOLDS:
            return None
        rest = [np.delete(kept, k) for k in range(len(kept))]
        kept = min(rest, key=lambda some: _missed(at[some]))
    return None


def _missed(at: npt.NDArray[np.float64]) -> float:
    """The root mean square by which moments miss their beat; some beats may be left out, not most."""
    gaps = np.diff(at)
    beats = np.concatenate(([0.0], np.cumsum(np.maximum(np.rint(gaps / np.median(gaps)), 1))))
    if len(at) < BEATS_KEPT * (beats[-1] + 1):
        return float("inf")
    slope, offset = np.polyfit(beats, at, 1)
    return float(np.sqrt(np.mean((at - slope * beats - offset) ** 2)))


DETECTOR = Stutter
