"""For trouble that comes as moments (a jump, a damaged packet, a lost segment): those close together are one defect."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from contracts.findings import DefectEdge, Edge, Peak, Severity
from detectors.detector import Detector


class Episode:
    """Opens with the first moment, closes when `quiet_ns` passed after the last; ends where that one ended."""

    def __init__(
        self, detector: Detector[Any], *, value: str, unit: str, threshold: float, quiet_ns: int
    ) -> None:
        self._detector = detector
        self._value, self._unit, self._threshold, self._quiet_ns = value, unit, threshold, quiet_ns
        self._edge: DefectEdge | None = None
        self._end_ns = 0

    @property
    def is_open(self) -> bool:
        """Whether moments are being collected."""
        return self._edge is not None

    @property
    def peak(self) -> float:
        """The worst value of the moments so far; 0 when there are none."""
        return self._edge.peak.value if self._edge else 0.0

    @property
    def end_ns(self) -> int:
        """Where the last moment ended."""
        return self._end_ns

    def moment(
        self,
        at_ns: int,
        end_ns: int,
        value: float,
        severity: Severity,
        *,
        track: str | None,
        detail: str,
        certain_ns: int | None = None,
    ) -> Iterator[DefectEdge]:
        """Something happened from `at_ns` to `end_ns`: opens, or adds to what is open."""
        certain = max(at_ns, end_ns) if certain_ns is None else certain_ns
        if self._edge is None:
            self._edge = DefectEdge(
                Edge.OPENED, self._detector.id, self._detector.id, track, at_ns, certain, severity,
                Peak(self._value, value, self._unit), self._threshold, detail=detail,
            )  # fmt: skip
            self._end_ns = end_ns
            yield self._edge
            return
        self._end_ns = max(self._end_ns, end_ns)
        worse = value > self._edge.peak.value or severity.rank > self._edge.severity.rank
        if worse:
            graver = severity if severity.rank > self._edge.severity.rank else self._edge.severity
            peak = Peak(self._value, max(value, self._edge.peak.value), self._unit)
            self._edge = DefectEdge(
                Edge.UPDATED, self._edge.defect, self._edge.detector, self._edge.track, self._edge.at_ns,
                max(certain, self._edge.at_ns), graver, peak, self._threshold, detail=detail,
            )  # fmt: skip
            yield self._edge

    def passed(self, at_ns: int) -> Iterator[DefectEdge]:
        """Time has come to `at_ns`: closes what has been quiet for long enough."""
        if self._edge is not None and at_ns >= self._end_ns + self._quiet_ns:
            yield from self.finish(at_ns)

    def finish(self, at_ns: int) -> Iterator[DefectEdge]:
        """Nothing follows after `at_ns`: closes what is open where its last moment ended."""
        if self._edge is None:
            return
        last = self._edge
        self._edge = None
        yield DefectEdge(
            Edge.CLOSED, last.defect, last.detector, last.track, self._end_ns, at_ns, last.severity, last.peak,
            last.threshold, detail=last.detail,
        )  # fmt: skip
