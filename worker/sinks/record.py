"""Findings kept in memory until the verdict: what `check` and `watch` make their report from."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass

from contracts.findings import DefectEdge, Edge, Finding, Measurement
from contracts.report import Defect, MeasurementValue, PeakValue
from worker.pipeline import FAULT_DEFECT

MOST_DEFECTS = 10_000  # more are counted, not kept
LATE_CAUSES = 256  # so many of the last defects may learn of their cause after they have closed
MOST_POINTS = 4_000  # of one curve; then every second one is let go


@dataclass(slots=True)
class Kept:
    """One defect as far as it is known."""

    edge: DefectEdge  # its latest edge
    start_ns: int
    end_ns: int | None
    certain_ns: int
    suppressed_by: str | None


class Curve:
    """One measurement over time, thinned when it grows long."""

    def __init__(self) -> None:
        self._at_s, self._values = array("d"), array("d")  # a seventh of what a list of pairs takes
        self._step, self._skipped = 1, 0

    @property
    def points(self) -> list[tuple[float, float]]:
        """(seconds of media time, value), oldest first."""
        return list(zip(self._at_s, self._values, strict=True))

    def add(self, at_s: float, value: float) -> None:
        """Add a point, or skip it when only every n-th is kept by now."""
        self._skipped += 1
        if self._skipped < self._step:
            return
        self._skipped = 0
        self._at_s.append(at_s)
        self._values.append(value)
        if len(self._at_s) >= MOST_POINTS:
            self._at_s, self._values = self._at_s[::2], self._values[::2]
            self._step *= 2


class Recorder:
    """A sink that remembers, within bounds."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str | None, str | None], Kept] = {}
        self.defects: list[Kept] = []
        self.defects_not_kept = 0
        self.finals: dict[tuple[str, str | None, str | None], Measurement] = {}
        self.curves: dict[tuple[str, str | None, str | None], Curve] = {}

    def put(self, finding: Finding) -> None:
        """Take one finding."""
        if isinstance(finding, Measurement):
            key = (finding.name, finding.track, finding.channel)
            if finding.final:
                self.finals[key] = finding
            else:
                self.curves.setdefault(key, Curve()).add(finding.at_ns / 1e9, finding.value)
            return
        kept = self._open.get(finding.key)
        if finding.edge is Edge.OPENED:
            self._begin(finding)
        elif kept is not None:
            kept.edge = finding
            kept.suppressed_by = finding.suppressed_by
            if finding.edge is Edge.CLOSED:
                kept.end_ns = finding.at_ns
                del self._open[finding.key]
        elif finding.edge is Edge.UPDATED:  # of one that has closed: its cause was found afterwards
            for ended in self.defects[-LATE_CAUSES:]:
                if (ended.edge.key, ended.start_ns) == (finding.key, finding.at_ns):
                    ended.suppressed_by = finding.suppressed_by

    def started(self, key: tuple[str, str | None, str | None]) -> Kept | None:
        """The defect of that key that is open now, if any."""
        return self._open.get(key)

    def _begin(self, edge: DefectEdge) -> None:
        kept = Kept(edge, edge.at_ns, None, edge.certain_at_ns, edge.suppressed_by)
        self._open[edge.key] = kept
        if len(self.defects) >= MOST_DEFECTS:
            self.defects_not_kept += 1
            return
        self.defects.append(kept)

    def report_defects(
        self, end_ns: int, family: Callable[[str], str], mode: Callable[[str], str]
    ) -> list[Defect]:
        """The defects by time; what is open ends, for now, at `end_ns`."""
        return [
            describe(kept, end_ns, family(kept.edge.detector), mode(kept.edge.detector))
            for kept in sorted(self.defects, key=lambda k: (k.start_ns, k.edge.defect))
        ]

    def report_measurements(self) -> list[MeasurementValue]:
        """The numbers that sum up the input."""
        return [
            MeasurementValue(
                name=m.name, value=round(m.value, 4), unit=m.unit, track=m.track, channel=m.channel
            )
            for m in self.finals.values()
        ]


def describe(kept: Kept, end_ns: int, family: str, mode: str) -> Defect:
    """A kept defect in the words of the report."""
    edge = kept.edge
    end = kept.end_ns if kept.end_ns is not None else max(end_ns, kept.start_ns)
    return Defect(
        defect=edge.defect,
        detector=edge.detector,
        family="monitoring" if edge.defect == FAULT_DEFECT else family,
        track=edge.track,
        start_s=round(kept.start_ns / 1e9, 3),
        end_s=round(end / 1e9, 3),
        open=kept.end_ns is None,
        severity=edge.severity,
        confidence=round(edge.confidence, 3),
        peak=PeakValue(name=edge.peak.name, value=round(edge.peak.value, 5), unit=edge.peak.unit),
        threshold=edge.threshold,
        suppressed_by=kept.suppressed_by,
        channel=edge.channel,
        certain_s=round(kept.certain_ns / 1e9, 3),
        mode="report" if mode == "report" else "check",
        detail=edge.detail,
    )
