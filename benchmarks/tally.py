"""From watched clips to figures: one row a detector, who raised what, and the document that `make docs` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.cases import Clean, Watched, false_alarms, loud
from benchmarks.matching import poisson_upper, quantile
from contracts.findings import Severity
from tests.injection import Level

SCHEMA = "glitchwatch.scores/1"


@dataclass(slots=True)
class Row:
    """How one detector did on its own faults at the levels that count (plain and gross)."""

    detector: str
    faults: int = 0
    found: int = 0
    false: int = 0  # the same defect, raised in its own clips where there was none
    just_faults: int = 0
    just_found: int = 0
    onset_s: list[float] = field(default_factory=list)
    delay_s: list[float] = field(default_factory=list)

    @property
    def missed(self) -> int:
        """Faults that nobody reported."""
        return self.faults - self.found

    @property
    def precision(self) -> float | None:
        """Of what was reported, how much was true; None when nothing was."""
        reported = self.found + self.false
        return self.found / reported if reported else None

    @property
    def recall(self) -> float | None:
        """Of what was true, how much was reported."""
        return self.found / self.faults if self.faults else None

    @property
    def f1(self) -> float | None:
        """The harmonic mean of precision and recall; 0 when nothing was found."""
        if not self.faults:
            return None
        return 2 * self.found / (self.faults + self.found + self.false)

    @property
    def just_recall(self) -> float | None:
        """Recall of faults that are just visible or audible."""
        return self.just_found / self.just_faults if self.just_faults else None


def rows(watched: Iterable[Watched]) -> dict[str, Row]:
    """One row for each detector that had faults."""
    out: dict[str, Row] = {}
    for one in watched:
        row = out.setdefault(one.case.detector, Row(one.case.detector))
        found = len(one.matched.hits)
        if one.case.level is Level.JUST:
            row.just_faults += 1
            row.just_found += found
            continue
        row.faults += 1
        row.found += found
        row.false += sum(other.defect == one.truth.defect for other in one.matched.others)
        for truth, defect in one.matched.hits:
            row.onset_s.append(abs(defect.start_s - truth.start_s))
            if defect.certain_s is not None:
                row.delay_s.append(defect.certain_s - truth.start_s)
    return out


def confusion(watched: Iterable[Watched]) -> dict[str, Counter[str]]:
    """Injected defect -> other defects that its clips raised as well, and in how many clips."""
    out: dict[str, Counter[str]] = {}
    for one in watched:
        raised = {other.defect for other in one.matched.others} - {one.truth.defect}
        out.setdefault(one.truth.defect, Counter()).update(raised)
    return out


@dataclass(frozen=True, slots=True)
class Rate:
    """False alarms in so many hours."""

    alarms: int
    hours: float

    @property
    def per_hour(self) -> float:
        """Counted."""
        return self.alarms / self.hours if self.hours else 0.0

    @property
    def at_most(self) -> float:
        """The 95 % upper bound."""
        return poisson_upper(self.alarms) / self.hours if self.hours else float("inf")


def by_severity(clean: Sequence[Clean]) -> dict[Severity, Rate]:
    """False alarms of all detectors together."""
    hours = sum(stretch.judged_s[""] for stretch in clean) / 3600
    count = Counter(alarm.defect.severity for alarm in false_alarms(clean))
    return {severity: Rate(count[severity], hours) for severity in Severity}


def by_detector(clean: Sequence[Clean], detector: str) -> Rate:
    """False alarms of one detector that count, in the hours that it really judged."""
    hours = sum(stretch.judged_s.get(detector, 0.0) for stretch in clean) / 3600
    return Rate(sum(a.defect.detector == detector and loud(a) for a in false_alarms(clean)), hours)


def document(
    seed: int,
    per_level: int,
    scored: Mapping[str, Row],
    clean: Sequence[Clean],
    detectors: Sequence[str],
    material: str,
) -> dict[str, Any]:
    """`docs/scores.json`; `glitchwatch.catalogue_docs` shows its rows."""
    severities = by_severity(clean)
    hours = round(sum(stretch.judged_s[""] for stretch in clean) / 3600, 2)
    out: dict[str, Any] = {
        "schema": SCHEMA,
        "seed": seed,
        "faults of each kind and level": per_level,
        "hours of clean programme": hours,
        "programme": material,
    }
    for severity, rate in severities.items():
        if hours:
            out[f"false alarms an hour ({severity.value})"] = f"{rate.per_hour:.2f} (≤ {rate.at_most:.2f})"
    out["detectors"] = {
        name: [_cells(scored.get(name), by_detector(clean, name))] for name in sorted(detectors)
    }
    return out


def _cells(row: Row | None, rate: Rate) -> dict[str, Any]:
    cells: dict[str, Any] = {}
    if row is not None:
        cells = {
            "faults": row.faults,
            "found": row.found,
            "missed": row.missed,
            "false": row.false,
            "precision": _rounded(row.precision),
            "recall": _rounded(row.recall),
            "F1": _rounded(row.f1),
            "recall, just visible": _rounded(row.just_recall),
            "onset error s, median": _rounded(quantile(row.onset_s, 0.5)),
            "onset error s, p95": _rounded(quantile(row.onset_s, 0.95)),
            "certain after s": _rounded(quantile(row.delay_s, 0.5)),
        }
    if rate.hours:
        cells["false alarms per clean hour"] = f"{rate.per_hour:.2f} (≤ {rate.at_most:.2f})"
    return cells


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
