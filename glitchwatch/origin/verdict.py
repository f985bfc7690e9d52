"""Compare what was injected with what was reported: one fault, one report."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from glitchwatch.origin.faults import Truth

_NEAR_S = 1.5  # what a fault causes besides may begin or end this much outside of it


@dataclass(frozen=True, slots=True)
class Reported:
    """A defect as the product told it, on the wall clock; `end` is None while it is open."""

    defect: str
    start: datetime
    end: datetime | None = None
    track: str | None = None
    severity: str = "error"
    suppressed_by: str | None = None

    @classmethod
    def of(cls, entry: dict[str, Any], started_at: datetime) -> "Reported":
        """A defect of a report, or an edge of `watch --json -`; `started_at` is the report's."""
        end_s = None if entry.get("open") or entry.get("end_s") is None else float(entry["end_s"])
        return cls(
            defect=entry["defect"],
            start=started_at + timedelta(seconds=float(entry["start_s"])),
            end=None if end_s is None else started_at + timedelta(seconds=end_s),
            track=entry.get("track"),
            severity=entry.get("severity", "error"),
            suppressed_by=entry.get("suppressed_by"),
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """A fault and the report of it; `onset_error_s` is positive when it was dated late."""

    truth: Truth
    reported: Reported

    @property
    def onset_error_s(self) -> float:
        """Reported beginning minus injected beginning."""
        return (self.reported.start - self.truth.start).total_seconds()


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every fault found or missed, every report accounted for or invented."""

    found: list[Pair] = field(default_factory=list)
    missed: list[Truth] = field(default_factory=list)
    invented: list[Reported] = field(default_factory=list)
    consequences: list[Reported] = field(default_factory=list)
    unjudged: list[Truth] = field(default_factory=list)  # not wholly within what was watched

    @property
    def clean(self) -> bool:
        """Nothing lost and nothing invented."""
        return not self.missed and not self.invented

    @property
    def onset_errors_s(self) -> list[float]:
        """One for each fault found."""
        return [pair.onset_error_s for pair in self.found]

    def summary(self) -> str:
        """One line: found n of m, missed, false alarms, and how well dated."""
        total = len(self.found) + len(self.missed)
        text = f"found {len(self.found)} of {total}, missed {len(self.missed)}, false alarms {len(self.invented)}"
        if self.found:
            errors = [abs(e) for e in self.onset_errors_s]
            text += f", onset error median {median(errors):.2f} s, worst {max(errors):.2f} s"
        return text


def match(
    truths: Iterable[Truth],
    reports: Iterable[Reported],
    *,
    watched: tuple[datetime, datetime] | None = None,
) -> Verdict:
    """Pair faults with reports one to one, as many as can be, those that need one and those nearest in time first.

    A report fits a fault when its defect is one that the fault expects and the two overlap or begin within
    the fault's tolerance. Reports at severity `info` and those suppressed by another are never invented. Faults
    not wholly within `watched` need no report and excuse theirs.
    """
    truths = list(truths)
    judged: list[Truth] = []
    unjudged: list[Truth] = []
    for truth in truths:
        inside = watched is None or (watched[0] <= truth.start and truth.end <= watched[1])
        (judged if inside else unjudged).append(truth)
    candidates = [r for r in reports if r.severity != "info"]
    pairs = _pairs(judged, candidates)
    taken = {id(pair.reported) for pair in pairs}
    verdict = Verdict(
        found=sorted(pairs, key=lambda p: p.truth.start),
        missed=[t for t in judged if t.expects and not t.optional and not any(p.truth is t for p in pairs)],
        unjudged=unjudged,
    )
    for report in candidates:
        if id(report) in taken:
            continue
        excused = report.suppressed_by is not None or _is_consequence(report, truths, pairs, unjudged)
        (verdict.consequences if excused else verdict.invented).append(report)
    return verdict


def _fits(truth: Truth, report: Reported) -> bool:
    """Whether the report may be of that fault; one explained by what the fault causes besides is."""
    if report.defect not in truth.expects or report.suppressed_by not in {None, *truth.also, *truth.expects}:
        return False
    onset = abs((report.start - truth.start).total_seconds()) <= truth.tolerance_s
    return onset or (truth.start < truth.end and _overlaps(truth, report, 0.0))


def _overlaps(truth: Truth, report: Reported, near_s: float) -> bool:
    near = timedelta(seconds=near_s)
    return report.start < truth.end + near and (report.end is None or report.end > truth.start - near)


def _pairs(truths: Sequence[Truth], reports: Sequence[Reported]) -> list[Pair]:
    """A largest one-to-one matching (augmenting paths), nearest reports tried first."""
    fits = [
        sorted(
            (j for j, report in enumerate(reports) if _fits(truth, report)),
            key=lambda j, truth=truth: abs((reports[j].start - truth.start).total_seconds()),  # type: ignore[misc]
        )
        for truth in truths
    ]
    holder: dict[int, int] = {}  # report -> truth

    def place(i: int, seen: set[int]) -> bool:
        for j in fits[i]:
            if j in seen:
                continue
            seen.add(j)
            if j not in holder or place(holder[j], seen):
                holder[j] = i
                return True
        return False

    for i in sorted(range(len(truths)), key=lambda i: truths[i].optional):  # who is placed keeps a report
        place(i, set())
    return [Pair(truths[i], reports[j]) for j, i in holder.items()]


def _is_consequence(
    report: Reported, truths: Sequence[Truth], pairs: Sequence[Pair], unjudged: Sequence[Truth]
) -> bool:
    """Whether a fault explains a report that is not its own.

    It does for what the fault causes besides, and for another defect or another track that it is expected
    on. The same defect twice on one track is not explained: that is one fault told as two.
    """
    for truth in truths:
        if not _overlaps(truth, report, max(_NEAR_S, truth.tolerance_s)):
            continue
        if report.defect in truth.also:
            return True
        if report.defect in truth.expects:
            own = next((p.reported for p in pairs if p.truth is truth), None)
            if own is None:
                if truth in unjudged or truth.optional:
                    return True
            elif (own.defect, own.track) != (report.defect, report.track):
                return True
    return False
