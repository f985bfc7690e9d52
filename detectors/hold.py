"""Turn a wavering condition into defects that open once and close once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from contracts.findings import DefectEdge, Edge, Peak, Severity
from detectors.detector import Detector


class Hold:
    """Opens after the condition held for `open_ns`, closes after it was gone for `close_ns`.

    Both edges are dated when the viewer saw the change: the first moment of the condition, and the first
    moment without it. `certain_at_ns` says when we knew. A lapse shorter than `close_ns` is bridged, before
    opening as well as after. `worst` says which direction of the value is the peak.
    """

    def __init__(
        self,
        detector: Detector[Any],
        *,
        value: str,
        unit: str,
        threshold: float,
        open_ns: int,
        close_ns: int = 0,
        severity: Severity,
        worst: Literal["max", "min"] = "max",
        defect: str | None = None,
        channel: str | None = None,
    ) -> None:
        self._detector, self._defect, self._channel = detector, defect or detector.id, channel
        self.value, self._unit, self.threshold = value, unit, threshold
        self._open_ns, self._close_ns = open_ns, close_ns
        self.severity = severity
        self._sign = 1.0 if worst == "max" else -1.0
        self._peak: float | None = None
        self._since: int | None = None  # when the condition began
        self._gone: int | None = None  # when it lapsed
        self.is_open = False

    @property
    def since_ns(self) -> int | None:
        """When the condition that holds now began, or None."""
        return self._since

    def update(
        self, at_ns: int, holds: bool, value: float, *, end_ns: int | None = None, detail: str | None = None
    ) -> Iterator[DefectEdge]:
        """The condition and its value at `at_ns`, known to last until `end_ns`."""
        end = at_ns if end_ns is None else end_ns
        if holds:
            if self._since is None:
                self._since, self._peak = at_ns, None
            self._gone = None
            if self._peak is None or self._sign * value > self._sign * self._peak:
                self._peak = value
            if not self.is_open and end - self._since >= self._open_ns:
                self.is_open = True
                yield self._edge(Edge.OPENED, self._since, end, detail)
            return
        if self._since is None:
            return
        if self._gone is None:
            self._gone = at_ns
        if end - self._gone >= self._close_ns:
            yield from self._let_go(end, detail)

    def reset(self, at_ns: int) -> Iterator[DefectEdge]:
        """Forget at once: what is open closes at `at_ns`, or where it had lapsed."""
        if self._since is not None:
            if self._gone is None:
                self._gone = at_ns
            yield from self._let_go(at_ns, None)

    def _let_go(self, certain_ns: int, detail: str | None) -> Iterator[DefectEdge]:
        gone = certain_ns if self._gone is None else self._gone
        if self.is_open:
            yield self._edge(Edge.CLOSED, gone, certain_ns, detail)
        self._since = self._gone = self._peak = None
        self.is_open = False

    def _edge(self, edge: Edge, at_ns: int, certain_ns: int, detail: str | None) -> DefectEdge:
        peak = Peak(self.value, float(self._peak if self._peak is not None else 0.0), self._unit)
        return DefectEdge(
            edge=edge,
            defect=self._defect,
            detector=self._detector.id,
            track=self._detector.track,
            at_ns=at_ns,
            certain_at_ns=certain_ns,
            severity=self.severity,
            peak=peak,
            threshold=self.threshold,
            channel=self._channel,
            detail=detail,
        )
