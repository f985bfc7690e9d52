"""Between the detectors and the sinks: bounded, and it never lets go of a defect's edge."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from typing import Protocol

from contracts.findings import DefectEdge, Finding, Measurement


class Sink(Protocol):
    """Where findings leave to. May raise SinkError: then the same finding is offered again."""

    def put(self, finding: Finding) -> None:
        """Take one finding."""
        ...


class Outbox:
    """Findings in order. When measurements pile up the oldest go, and are counted; edges wait."""

    def __init__(self, sink: Sink, *, capacity: int = 10_000) -> None:
        self._sink = sink
        self._capacity = capacity
        self._waiting: deque[Finding] = deque()
        self._measurements = 0
        self.dropped = 0

    def put(self, findings: Iterable[Finding]) -> None:
        """Add findings; room is made by dropping the oldest measurements."""
        for finding in findings:
            self._waiting.append(finding)
            self._measurements += isinstance(finding, Measurement)
        if self._measurements > self._capacity:
            self._thin()

    def drain(self) -> None:
        """Hand everything to the sink, oldest first; what a failing sink did not take stays."""
        while self._waiting:
            finding = self._waiting[0]
            self._sink.put(finding)
            self._waiting.popleft()
            self._measurements -= isinstance(finding, Measurement)

    def __len__(self) -> int:
        return len(self._waiting)

    def _thin(self) -> None:
        surplus = self._measurements - self._capacity
        kept: deque[Finding] = deque()
        for finding in self._waiting:
            if surplus and not isinstance(finding, DefectEdge):
                surplus -= 1
                self.dropped += 1
                self._measurements -= 1
            else:
                kept.append(finding)
        self._waiting = kept
