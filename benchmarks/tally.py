"""From watched clips to figures: one row a detector, who raised what, and the document that `make docs` reads."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from benchmarks.beside import FILTERS
from benchmarks.cases import Clean, Watched, false_alarms, loud
from benchmarks.matching import Matched, poisson_upper, quantile
from benchmarks.runs import Results
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
        _count(row, one, one.matched)
    return out


def rows_beside(watched: Iterable[Watched]) -> dict[str, Row]:
    """The same for FFmpeg's filters, on the same clips."""
    out: dict[str, Row] = {}
    for one in watched:
        if one.theirs is not None:
            _count(out.setdefault(one.case.detector, Row(one.case.detector)), one, one.theirs)
    return out


def _count(row: Row, one: Watched, matched: Matched) -> None:
    found = len(matched.hits)
    if one.case.level is Level.JUST:
        row.just_faults += 1
        row.just_found += found
        return
    row.faults += 1
    row.found += found
    row.false += sum(other.defect == one.truth.defect for other in matched.others)
    for truth, defect in matched.hits:
        row.onset_s.append(truth.onset_error_s(defect))
        if defect.certain_s is not None:
            row.delay_s.append(defect.certain_s - truth.start_s)


def raised(watched: Iterable[Watched]) -> dict[str, Counter[str]]:
    """The matrix: injected defect -> every defect raised, itself included, and in how many of its clips."""
    out: dict[str, Counter[str]] = {}
    for one in watched:
        said = {defect.defect for _, defect in one.matched.hits} | {d.defect for d in one.matched.others}
        out.setdefault(one.truth.defect, Counter()).update(said)
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


def clean_beside(clean: Sequence[Clean], name: str) -> Rate | None:
    """What FFmpeg's filter of that name said in clean programme, None where it was not asked."""
    heard = [stretch for stretch in clean if stretch.theirs is not None]
    hours = sum(stretch.judged_s[""] for stretch in heard) / 3600
    alarms = sum(defect.defect == name for stretch in heard for defect in stretch.theirs or ())
    return Rate(alarms, hours) if heard else None


def document(
    results: Results, scored: Mapping[str, Row], detectors: Sequence[str], material: str, ffmpeg: str | None
) -> dict[str, Any]:
    """`docs/scores.json`; `glitchwatch.scores_page` shows it."""
    clean = results.clean
    hours = round(sum(stretch.judged_s[""] for stretch in clean) / 3600, 2)
    f1s = [row.f1 for row in scored.values() if row.f1 is not None]
    out: dict[str, Any] = {
        "schema": SCHEMA,
        "seeds": ", ".join(map(str, results.seeds)),
        "faults": len(results.watched),
        "mean F1": _rounded(sum(f1s) / len(f1s)) if f1s else None,
        "hours of clean programme": hours,
        "programme": material,
    }
    for severity, rate in by_severity(clean).items():
        if hours:
            out[f"false alarms an hour ({severity.value})"] = _rate(rate)
    out["detectors"] = {
        name: [_cells(scored.get(name), by_detector(clean, name))] for name in sorted(detectors)
    }
    clips = Counter(one.truth.defect for one in results.watched)
    out["raised"] = {
        fault: {"clips": clips[fault], **dict(sorted(others.items()))}
        for fault, others in sorted(raised(results.watched).items())
    }
    out["beside FFmpeg"] = beside_rows(results, scored, ffmpeg) if ffmpeg else []
    out["footage"] = [
        {
            "file": f.name,
            "kind": f.kind,
            "about": f.words,
            "status": f.status,
            "told": f.told,
            "raised": f.raised,
        }
        for f in results.footage
    ]
    return out


KEPT = "scored by an earlier state of the code"
_SCORED = (
    "faults", "found", "missed", "false", "precision", "recall", "F1", "recall, just visible",
    "onset error s, median", "onset error s, p95", "certain after s",
)  # fmt: skip


def completed(new: Mapping[str, Any], published: Mapping[str, Any]) -> dict[str, Any]:
    """`new` with what `published` has besides: detectors, clean programme and footage that were not scored anew.

    Both are documents; the detectors that were kept are named under `KEPT`.
    """
    out = dict(new)
    clean = new if new["hours of clean programme"] else published
    out |= {
        key: value for key, value in clean.items() if key.startswith(("false alarms", "hours", "programme"))
    }
    kept, out["detectors"] = [], {}
    for name, [cells] in new["detectors"].items():
        [old] = published.get("detectors", {}).get(name) or [{}]
        source = cells if "faults" in cells else old
        if source is old and "faults" in old:
            kept.append(name)
        judged = (cells if clean is new else old).items()
        out["detectors"][name] = [
            {key: source[key] for key in _SCORED if key in source}
            | {key: value for key, value in judged if key not in _SCORED}
        ]
    raised = {name: row for name, row in published.get("raised", {}).items() if name in kept}
    out["raised"] = dict(sorted({**raised, **new["raised"]}.items()))
    beside = [row for row in published.get("beside FFmpeg", []) if row["what"].removesuffix("detect") in kept]
    out["beside FFmpeg"] = beside + new["beside FFmpeg"]
    out["footage"] = new["footage"] or published.get("footage", [])
    rows = [cells for [cells] in out["detectors"].values() if cells.get("F1") is not None]
    out["mean F1"] = _rounded(sum(cells["F1"] for cells in rows) / len(rows)) if rows else None
    out["faults"] = sum(row["clips"] for row in out["raised"].values())
    if kept:
        out["seeds"] = ", ".join(
            dict.fromkeys(f"{new['seeds']}, {published['seeds']}".strip(", ").split(", "))
        )
        out[KEPT] = ", ".join(kept)
    return out


def beside_rows(results: Results, scored: Mapping[str, Row], ffmpeg: str) -> list[dict[str, Any]]:
    """Ours and FFmpeg's on the same clips, line by line."""
    theirs = rows_beside(results.watched)
    out = []
    for name in FILTERS:
        if name in scored and name in theirs:
            filtered = clean_beside(results.clean, name)
            out.append(
                {"who": "Glitchwatch", "what": name, **_cells(scored[name], by_detector(results.clean, name))}
            )
            cells = _cells(theirs[name], filtered or Rate(0, 0.0))
            out.append({"who": f"FFmpeg {ffmpeg}", "what": f"{name}detect", **cells})
    return out


def _rate(rate: Rate) -> str:
    return f"{rate.per_hour:.2f} (≤ {rate.at_most:.2f})"


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
        cells["false alarms per clean hour"] = _rate(rate)
        cells["judged h"] = round(rate.hours, 2)
    return cells


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
