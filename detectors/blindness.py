"""What the `source_*` detectors share: the time in which nothing could be seen, and why."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from contracts.findings import DefectEdge, Edge, Finding, Peak, Severity
from detectors.detector import Detector, Params
from detectors.events import Source


class SourceParams(Params):
    """No parameters: the time-outs that make a source count as lost are the reader's."""


class SourceDetector(Detector[SourceParams]):
    """Opens when the source is lost for one of `causes`, closes when media flows or the cause changes.

    Lengths are wall time: no media time passes while nothing arrives.
    """

    Params = SourceParams
    causes: ClassVar[frozenset[str]]

    def __init__(self, params: SourceParams, track: str | None) -> None:
        super().__init__(params, track)
        self._open: dict[str | None, DefectEdge] = {}
        self._before_ns: dict[str | None, int] = {}  # since when the watch before was blind

    def adopt(self, edge: DefectEdge) -> None:
        """What is blind from the start on has been so for longer."""
        self._before_ns[edge.track] = edge.at_ns

    def source(self, event: Source) -> Iterator[Finding]:
        """The source was lost, is still lost, or is back."""
        opened = self._open.get(event.track)
        since_ns = min(event.at_ns, self._before_ns.pop(event.track, event.at_ns))
        if event.blind in self.causes:
            if opened is None:
                opened = DefectEdge(
                    Edge.OPENED, self.id, self.id, event.track, since_ns, event.at_ns, Severity.CRITICAL,
                    Peak("blind_s", 0.0, "s"), 0.0, detail=event.reason,
                )  # fmt: skip
                self._open[event.track] = opened
                yield opened
        elif opened is not None:
            del self._open[event.track]
            blind_s = (event.at_ns - opened.at_ns) / 1e9
            yield DefectEdge(
                Edge.CLOSED, self.id, self.id, event.track, event.at_ns, event.at_ns, opened.severity,
                Peak("blind_s", blind_s, "s"), 0.0, detail=opened.detail,
            )  # fmt: skip
