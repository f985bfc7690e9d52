"""Hold what was reported against what was injected, and say how sure the counts are."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.findings import Severity
from contracts.report import Defect

LEAST_OVERLAP = 0.5  # over union
INSTANT_S = 0.5
PROPERTIES = frozenset({"mono"})  # reported as `info` by nature; all else must be a warning to count


@dataclass(frozen=True, slots=True)
class Truth:
    """A fault as injected, media seconds of the coded stream; no track where the track is not determined.

    It begins where anybody sees it. Where it was injected earlier, it may be told from then on.
    """

    defect: str
    track: str | None
    start_s: float
    end_s: float
    instant: bool = False
    injected_s: float | None = None

    def onset_error_s(self, defect: Defect) -> float:
        """How far the reported beginning is from the true one."""
        if self.injected_s is not None and self.injected_s <= defect.start_s <= self.start_s:
            return 0.0
        return min(
            abs(defect.start_s - start) for start in (self.start_s, self.injected_s) if start is not None
        )

    def overlap(self, defect: Defect) -> float:
        """1.0 for the same interval (or moment), 0.0 where it is no match at all."""
        if defect.defect != self.defect:
            return 0.0
        if self.track is not None and defect.track is not None and defect.track != self.track:
            return 0.0
        if self.instant:
            off = abs(defect.start_s - self.start_s)
            return 1.0 - off if off <= INSTANT_S else 0.0
        shared = min(self.end_s, defect.end_s) - max(self.start_s, defect.start_s)
        union = max(self.end_s, defect.end_s) - min(self.start_s, defect.start_s)
        share = shared / union if union > 0 else 0.0
        return share if share >= LEAST_OVERLAP else 0.0


@dataclass(frozen=True, slots=True)
class Matched:
    """Which truth was found by which report, which not, and what else was reported."""

    hits: list[tuple[Truth, Defect]]
    missed: list[Truth]
    others: list[Defect]


def counts(defect: Defect) -> bool:
    """Whether it is an alarm: not explained by another, and at least a warning (or a property by nature)."""
    loud = defect.severity.rank >= Severity.WARNING.rank or defect.defect in PROPERTIES
    return loud and defect.suppressed_by is None


def match(truths: Sequence[Truth], defects: Sequence[Defect]) -> Matched:
    """One to one, best overlap first. Suppressed defects and mere properties are neither hits nor others."""
    alarms = [d for d in defects if counts(d)]
    pairs = sorted(
        (
            (t.overlap(d), i, j)
            for i, t in enumerate(truths)
            for j, d in enumerate(alarms)
            if t.overlap(d) > 0
        ),
        key=lambda pair: (-pair[0], pair[1], pair[2]),
    )
    taken: dict[int, int] = {}
    used: set[int] = set()
    for _, i, j in pairs:
        if i not in taken and j not in used:
            taken[i] = j
            used.add(j)
    return Matched(
        hits=[(truths[i], alarms[j]) for i, j in sorted(taken.items())],
        missed=[t for i, t in enumerate(truths) if i not in taken],
        others=[d for j, d in enumerate(alarms) if j not in used],
    )


def poisson_upper(events: int, confidence: float = 0.95) -> float:
    """The exact one-sided upper bound of a Poisson mean when `events` were counted (Garwood 1936)."""
    low, high = float(events), events + 10.0 * math.sqrt(events + 1.0) + 10.0
    for _ in range(100):
        middle = (low + high) / 2
        if poisson_at_most(events, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def poisson_at_most(events: int, mean: float) -> float:
    """P(N <= events) of a Poisson variable with that mean."""
    if mean <= 0:
        return 1.0
    return math.fsum(math.exp(k * math.log(mean) - mean - math.lgamma(k + 1)) for k in range(events + 1))


def quantile(values: Sequence[float], share: float) -> float | None:
    """The value below which `share` of the values lie, interpolated; None without values."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (place - low) * (ordered[high] - ordered[low])
