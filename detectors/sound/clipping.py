"""Clipping: the waveform's tops are cut flat.

Measures  flat_top_pile        ratio: samples in the fullest bin around the ceiling against the emptiest bin below it;
          natural sound thins out towards its extremes (0.8), clipped sound piles up (above 2).
          flat_top_squareness  ratio: how much further the tops would have reached, going on as steeply as they
          entered, than they did; 0.67..1 for round tops, more for flat ones.
          flat_top_runs        a second: runs of 3 or more equal samples at the extreme, steeply entered.
          All once a second, of the worst channel; squareness is 0 where the pile rules clipping out.
Defect    clipping             each second has a `flat_top_score`, 1 at the limits: the runs reach `min_runs`; or pile
          and squareness both reach their limits (0.6 of them where more than 16 % of the samples lie near the
          ceiling, against 3 to 14 % in natural sound, and it is no tone); or `min_over` of the samples lie 1 dB beyond
          full scale without standing out, as lossy coding leaves sound that was overdriven hard. Tenths of a second
          with more offset than sound (a microphone that settles) count for the runs only. What the scores
          exceed 0.7 by adds up; at `min_evidence`, with one score of 1, it opens. Once open, blocks of 100 ms that
          pile up at the same ceiling keep it so, across gaps of `bridge_seconds`. It begins with the first block of
          the stretch that reaches the ceiling and ends with the last evidence. The ceiling may lie anywhere above
          `min_dbfs`: sound clipped upstream and turned down since is clipped.
Blind to  fewer than some 30 clipped tops a second after lossy coding, a limiter's round tops, clipping
          that was filtered afterwards (telephone bands). Square waves and other synthetic sound that is hardly
          ever near zero, or has edges far too steep, is taken for intended. Overload of dense music by less than 6 dB.
Source    EBU QC 0005B (runs of equal samples at the extreme); the histogram's pile at the ceiling after lossy coding
          follows the idea of amplitude-histogram detectors of clipping; limits from footage coded in AAC at 128 kb/s.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors import native
from detectors.detector import Detector, Params, Scope
from detectors.frame import Samples, SoundView
from detectors.hold import Hold
from detectors.sound_features import LEVELS, SAMPLES

SECOND = 1_000_000_000
WINDOW_BLOCKS, KEPT_BLOCKS = 10, 100
THIN = 3  # one of so many samples is remembered
SUSPECT, MOST_SCORE = 0.7, 1.6  # where a window's score begins to count as evidence, and where it ends to
FORGET = 0.35  # of the evidence, with each window below
LEAST_HITS = 2  # blocks at the ceiling in a second that keep a defect open
LEAST_TOUCHES = 3  # remembered samples of a block
REACH_NS = 1_500_000_000  # between blocks at the ceiling that are one stretch
LEAST_TOPS = 30  # a window; fewer say nothing about their shape
SYNTHETIC_SQUARENESS = 15.0
LEAST_LOW_SHARE = 0.02  # of the samples below 0.4 of the 98th percentile; square waves are hardly ever there
COARSE = 0.01  # of the 98th percentile: steps that would fill every other bin of the histogram
DENSE_SHARE, DENSE_SPREAD, DENSE_LIMITS = 0.16, 1.07, 0.6
OVER, MOST_OVER = 10 ** (1 / 20), 1.3  # beyond full scale; the score that this alone can reach
DENSE_OVER = 2.0  # spread; beyond, a few peaks stand out and nothing was cut
OFFSET = 0.5  # of the power of a block: with more, the samples pile up around the offset and not at a ceiling
LEAST_PILE, LEAST_SHARE = 1.2, 0.1  # below both, no squareness makes it clipping
BINS, CEILING_BIN = 20, 16  # the 98th percentile of the absolute values is the upper edge of bin 15


class ClippingParams(Params):
    """What tells a cut top from a round one."""

    min_pile: float = Field(
        default=2.0, ge=1, le=50, description="ratio of samples at the ceiling to those below"
    )
    min_squareness: float = Field(default=1.2, ge=1, le=15, description="ratio; 1 is a parabola's round top")
    min_runs: int = Field(default=8, ge=1, le=10000, description="number of runs at the extreme a second")
    min_over: float = Field(
        default=0.004, gt=0, le=1, description="ratio of samples more than 1 dB beyond full scale"
    )
    min_dbfs: float = Field(
        default=-26.0, ge=-60, le=0, description="dBFS of the ceiling; lower ones are not judged"
    )
    min_evidence: float = Field(
        default=1.1, ge=0.1, le=20, description="ratio above 0.7, added up over the seconds that look clipped"
    )
    bridge_seconds: float = Field(default=5.0, ge=0, le=60, description="seconds without, within one defect")


@dataclass(frozen=True, slots=True)
class Tops:
    """The shape of one channel's extremes in a window; `ceiling` is in units of full scale."""

    ceiling: float = 0.0
    pile: float = 0.0
    squareness: float = 0.0
    runs: float = 0.0
    share: float = 0.0  # of the samples above four fifths of the 98th percentile
    spread: float = 0.0  # the 99.9th percentile against the 98th
    over: float = 0.0  # of the samples beyond `OVER`


def smallest_step(x: npt.NDArray[np.float32]) -> float:
    """The smallest difference between neighbours around the highest sample: what the sound was quantised to."""
    top = int(np.abs(x).argmax())
    steps = np.abs(np.diff(x[max(0, top - 2000) : top + 2000]))
    return float(steps[steps > 0].min()) if steps.any() else 1.0


def exact_runs(x: npt.NDArray[np.float32]) -> tuple[int, float]:
    """How many steeply entered runs of 3 or more equal samples touch an extreme of either polarity, and its height.

    A quantised sound of low resolution has flat tops too, entered by a few of its smallest steps.
    """
    if native.kernels is not None:
        _, highs, _, lows = native.kernels.extremes(x)
        if max(highs, lows) < 3:
            return 0, 0.0
    best, height = 0, 0.0
    for top in (float(x.max()), float(x.min())):
        at = np.flatnonzero(x == np.float32(top))
        if top == 0.0 or len(at) < 3:
            continue
        cuts = np.flatnonzero(np.diff(at) > 1) + 1
        first, last = at[np.r_[0, cuts]], at[np.r_[cuts - 1, len(at) - 1]]
        long = (last - first >= 2) & (first > 1) & (last < len(x) - 2)
        first, last = first[long], last[long]
        if not len(first):
            continue
        slope = np.abs(top - x[first - 2]) + np.abs(top - x[last + 2])
        count = int(((slope > 12 * smallest_step(x)) & (slope > 0.004 * abs(top))).sum())
        best, height = max((best, height), (count, abs(top)))
    return best, height


def _shares(every: Samples, least: float, level: float, scale: float) -> tuple[float, float, float, Samples]:
    """The shares below `least`, above `level` and above `OVER`; and (BINS + 1,) counts of the sizes times `scale`."""
    if native.kernels is not None:
        counts = np.empty(BINS + 1, np.float32)
        some = native.kernels.spread_of(every, least, level, OVER, scale, counts)
    else:
        bins = np.minimum(every * np.float32(scale), BINS).astype(np.uint8)
        counts = np.asarray(cv2.calcHist([bins], [0], None, [BINS + 1], [0, BINS + 1]).ravel(), np.float32)
        # Four times as quick as their mean.
        some = tuple(int(np.count_nonzero(which)) for which in (every < least, every > level, every > OVER))
    low, high, over = (number / len(every) for number in some)
    return low, high, over, counts


def tops(x: npt.NDArray[np.float32], every: npt.NDArray[np.float32] | None = None) -> Tops:
    """The shape of the extremes of `x` (samples of one channel, about 1 s); `every` are some of their sizes.

    The squareness is looked at only where the histogram allows for clipping, and is 0 elsewhere.
    """
    every = np.abs(x[::THIN]) if every is None else every
    place, rare = int(len(every) * 0.98), int(len(every) * 0.999)
    parted = np.partition(every, (place, rare))
    high, highest = float(parted[place]), float(parted[rare])
    runs, top = exact_runs(x)
    if high <= 0.0:
        return Tops(top, runs=runs)
    level = 0.8 * high
    low, share, over, counts = _shares(every, 0.4 * high, level, CEILING_BIN / high)
    if highest <= OVER:
        over = 0.0
    if low < LEAST_LOW_SHARE:
        return Tops(top or high)
    fullest = 13 + int(counts[13:19].argmax())
    pile = float(counts[fullest]) / max(1, int(counts[8:fullest].min()))
    ceiling = top if runs else (fullest + 0.5) * high / CEILING_BIN
    if pile < LEAST_PILE and share < LEAST_SHARE and over == 0.0:
        return Tops(ceiling, pile, 0.0, runs, share, highest / high)
    size = np.abs(x)
    up = size > level
    entries = np.flatnonzero(up[1:] & ~up[:-1])
    if len(entries) < LEAST_TOPS or smallest_step(x) > COARSE * high:
        return Tops(top or high, runs=runs)
    within = size[up]
    slope = float((size[entries + 1] - size[entries]).mean())
    height = 1.5 * float(within.mean() - level)  # a parabola is two thirds of its height on average
    squareness = slope * (len(within) / len(entries)) / (4.0 * height)
    if squareness > SYNTHETIC_SQUARENESS:
        return Tops(top or high)
    return Tops(ceiling, pile, squareness, runs, share, highest / high, over)


@dataclass(frozen=True, slots=True)
class _Kept:
    """What is remembered of a block: every so many of its absolute samples."""

    at_ns: int
    end_ns: int
    size: Samples
    peak: float

    def piles_up(self, row: int, ceiling: float) -> bool:
        """Whether a channel has more samples at the ceiling than somewhat below it."""
        if self.peak < 0.85 * ceiling:
            return False
        size = self.size[row]
        above = int((size > 0.85 * ceiling).sum())
        return 2 * above > int((size > 0.65 * ceiling).sum())

    def touches(self, row: int, ceiling: float) -> bool:
        """Whether a channel reaches a ceiling that is known."""
        return self.peak > 0.9 * ceiling and int((self.size[row] > 0.9 * ceiling).sum()) >= LEAST_TOUCHES


@dataclass(slots=True)
class _Suspicion:
    """Windows that look clipped, added up until they are enough."""

    evidence: float = 0.0
    windows: int = 0
    best: float = 0.0
    ceiling: float = 1.0
    row: int = 0


class Clipping(Detector[ClippingParams]):
    """All channels of one track; the worst one counts."""

    id = "clipping"
    scope = Scope.AUDIO
    needs = (SAMPLES, LEVELS)
    Params = ClippingParams

    def __init__(self, params: ClippingParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value="flat_top_score",
            unit="ratio",
            threshold=1.0,
            open_ns=0,
            close_ns=round(params.bridge_seconds * SECOND),
            severity=Severity.ERROR,
        )
        self._floor = 10 ** (params.min_dbfs / 20)
        self._window: list[Samples] = []
        self._kept: deque[_Kept] = deque(maxlen=KEPT_BLOCKS)
        self._suspicion = _Suspicion()
        self._end_ns = self._seen_ns = self._ended_ns = 0

    def sound(self, view: SoundView) -> Iterator[Finding]:
        x = view[SAMPLES]
        if not view.follows or (self._window and self._window[-1].shape[0] != x.shape[0]):
            yield from self._restart()
        self._end_ns = view.end_ns
        self._window.append(x)
        self._kept.append(
            _Kept(view.at_ns, view.end_ns, np.abs(x[:, ::THIN]), float(view[LEVELS].peak.max()))
        )
        if len(self._window) == WINDOW_BLOCKS:
            yield from self._judge(view.channels)
            self._window.clear()

    def _restart(self) -> Iterator[Finding]:
        self._window.clear()
        self._kept.clear()
        self._suspicion = _Suspicion()
        yield from self._hold.reset(self._end_ns)

    def _judge(self, names: tuple[str, ...]) -> Iterator[Finding]:
        worst, score, row = Tops(), 0.0, 0
        blocks = list(self._kept)[-WINDOW_BLOCKS:]
        if max(block.peak for block in blocks) >= self._floor:
            joined = np.concatenate(self._window, axis=1)
            sizes = np.concatenate([block.size for block in blocks], axis=1)
            for channel in range(joined.shape[0]):
                found = tops(joined[channel], sizes[channel])
                points = self._score(found)
                if points >= SUSPECT:
                    found = self._without_offset(found, channel)
                    points = self._score(found)
                if points > score:
                    worst, score, row = found, points, channel
        for name, value, unit in (
            ("flat_top_pile", worst.pile, "ratio"),
            ("flat_top_squareness", worst.squareness, "ratio"),
            ("flat_top_runs", worst.runs, "count"),
        ):
            yield Measurement(name, value, unit, self._end_ns, self.track)
        known = self._suspicion
        if score >= SUSPECT:
            known.windows += 1
            known.evidence += min(score, MOST_SCORE) - SUSPECT
            if score > known.best:
                known.best, known.ceiling, known.row = score, worst.ceiling, row
        elif not self._hold.is_open:
            known.evidence -= FORGET
            if known.evidence <= 0.0:
                known = self._suspicion = _Suspicion()
        if not self._hold.is_open:
            if known.windows >= 2 and known.best >= 1.0 and known.evidence >= self.params.min_evidence:
                begin, last = self._span(known)
                self._seen_ns = last
                detail = f"channel {names[known.row]}, ceiling {20 * np.log10(known.ceiling):.1f} dBFS"
                yield from self._hold.update(
                    max(begin, self._ended_ns), True, known.best, end_ns=self._end_ns, detail=detail
                )
            return
        hits = [b for b in blocks if b.piles_up(known.row, known.ceiling)]
        if score >= SUSPECT or len(hits) >= LEAST_HITS:
            self._seen_ns = hits[-1].end_ns if hits else self._end_ns
            yield from self._hold.update(self._end_ns, True, score)
        else:
            closed = list(self._hold.update(self._seen_ns, False, score, end_ns=self._end_ns))
            yield from closed
            if closed:
                self._ended_ns = self._seen_ns
                self._suspicion = _Suspicion()

    def finish(self, at_ns: int) -> Iterator[Finding]:
        if self._hold.is_open and at_ns - self._seen_ns > SECOND:
            # It had ended, and only a return within the bridge was awaited.
            yield from self._hold.reset(at_ns)

    def _without_offset(self, found: Tops, row: int) -> Tops:
        """The tops of a channel's window, their shape without the blocks that are more offset than sound."""
        window = [x[row] for x in self._window]
        swinging = [x for x in window if float(x.mean()) ** 2 <= OFFSET * float(np.square(x).mean())]
        if len(swinging) == len(window):
            return found
        shape = tops(np.concatenate(swinging)) if swinging else Tops()
        return replace(shape, runs=found.runs, ceiling=found.ceiling if found.runs else shape.ceiling)

    def _score(self, found: Tops) -> float:
        """1 where the limits are reached: by the runs, or by pile and squareness together."""
        if found.ceiling < self._floor:
            return 0.0
        pile, squareness = found.pile / self.params.min_pile, found.squareness / self.params.min_squareness
        score = max(found.runs / self.params.min_runs, min(pile, squareness))
        if found.spread >= DENSE_SPREAD:
            # Dense sound, smeared: nothing natural spends so much time up there, and a tone does not spread.
            score = max(score, min(pile / DENSE_LIMITS, squareness / DENSE_LIMITS, found.share / DENSE_SHARE))
        if found.spread < DENSE_OVER:
            score = max(score, min(MOST_OVER, found.over / self.params.min_over))
        return score

    def _span(self, known: _Suspicion) -> tuple[int, int]:
        """(begin, end) in media ns of the kept blocks at the ceiling that follow one another within `REACH_NS`."""
        begin = last = None
        for block in reversed(self._kept):
            if begin is not None and begin - block.end_ns > REACH_NS:
                break
            if block.touches(known.row, known.ceiling):
                begin = block.at_ns
                last = block.end_ns if last is None else last
        if begin is None or last is None:
            return self._kept[-WINDOW_BLOCKS].at_ns, self._end_ns
        return begin, last


DETECTOR = Clipping
