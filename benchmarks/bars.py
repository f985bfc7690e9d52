"""What has to be reached for `make score` to end with status 0."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from benchmarks.cases import Clean
from benchmarks.matching import quantile
from benchmarks.tally import Row, by_severity
from contracts.findings import Severity

LEAST_F1 = 0.92  # of each detector, plain and gross faults
LEAST_MACRO_F1 = 0.96  # the mean over detectors
MOST_ONSET_P95_S = 0.5
MOST_WARNINGS_PER_HOUR = 1.0  # in clean programme; errors: none at all


def unmet(rows: Mapping[str, Row], clean: Sequence[Clean]) -> list[str]:
    """The bars that were not met, in words; empty when all were."""
    out = []
    scored = {name: row.f1 for name, row in sorted(rows.items()) if row.f1 is not None}
    out += [f"{name}: F1 {f1:.3f} < {LEAST_F1}" for name, f1 in scored.items() if f1 < LEAST_F1]
    if scored and (macro := sum(scored.values()) / len(scored)) < LEAST_MACRO_F1:
        out.append(f"all {len(scored)} detectors: mean F1 {macro:.3f} < {LEAST_MACRO_F1}")
    for name, row in sorted(rows.items()):
        late = quantile(row.onset_s, 0.95)
        if late is not None and late > MOST_ONSET_P95_S:
            out.append(f"{name}: onset error p95 {late:.2f} s > {MOST_ONSET_P95_S} s")
    if clean:
        rates = by_severity(clean)
        for severity in (Severity.CRITICAL, Severity.ERROR):
            if rates[severity].alarms:
                out.append(f"clean programme: {rates[severity].alarms} false {severity.value}")
        if rates[Severity.WARNING].per_hour > MOST_WARNINGS_PER_HOUR:
            out.append(
                f"clean programme: {rates[Severity.WARNING].per_hour:.2f} false warnings an hour"
                f" > {MOST_WARNINGS_PER_HOUR:g}"
            )
    return out
