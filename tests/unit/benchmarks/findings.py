"""Defects as a report holds them, for tests."""

from typing import Any

from contracts.findings import Severity
from contracts.report import Defect, PeakValue


def defect(name: str, start_s: float, end_s: float, **changed: Any) -> Defect:
    values: dict[str, Any] = {
        "defect": name,
        "detector": name,
        "family": "picture",
        "track": "video:0",
        "start_s": start_s,
        "end_s": end_s,
        "open": False,
        "severity": Severity.ERROR,
        "confidence": 1.0,
        "peak": PeakValue(name="share", value=1.0, unit="ratio"),
        "threshold": 0.5,
        "certain_s": start_s + 2.0,
    }
    return Defect(**{**values, **changed})
