"""What a controller counts about itself and shows at /metrics, with the fleet's figures read at that moment."""

from __future__ import annotations

from dataclasses import dataclass, field

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from contracts import metrics
from contracts.metrics import Metric


@dataclass(slots=True)
class Snapshot:
    """The fleet as it stands."""

    streams: int = 0
    assignments: int = 0
    unassigned: dict[str, int] = field(default_factory=dict)
    workers: dict[str, int] = field(default_factory=dict)
    open_defects: int = 0
    backlog: int = 0


class Numbers:
    """Counters of one process, in a registry of their own."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()

        def gauge(metric: Metric) -> Gauge:
            return Gauge(metric.name, metric.meaning, metric.labels, registry=self._registry)

        def counter(metric: Metric) -> Counter:
            return Counter(metric.name, metric.meaning, metric.labels, registry=self._registry)

        self.listeners = 0
        self._listeners = gauge(metrics.EVENT_LISTENERS)
        self._requests = Histogram(
            metrics.REQUESTS.name,
            metrics.REQUESTS.meaning,
            metrics.REQUESTS.labels,
            registry=self._registry,
            buckets=(0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0),
        )
        self._handled = counter(metrics.FINDINGS_HANDLED)
        self._rounds = counter(metrics.RECONCILIATIONS)
        self._streams = gauge(metrics.STREAMS)
        self._assignments = gauge(metrics.ASSIGNMENTS)
        self._unassigned = gauge(metrics.UNASSIGNED)
        self._workers = gauge(metrics.WORKERS)
        self._open = gauge(metrics.OPEN_DEFECTS)
        self._backlog = gauge(metrics.FINDINGS_BACKLOG)

    def listener_enters(self) -> None:
        """Somebody follows events."""
        self.listeners += 1
        self._listeners.set(self.listeners)

    def listener_leaves(self) -> None:
        """Somebody has ceased to."""
        self.listeners -= 1
        self._listeners.set(self.listeners)

    def request_ended(self, method: str, status: int, seconds: float) -> None:
        """A request was answered; `status` counts by its class."""
        self._requests.labels(method, f"{status // 100}xx").observe(seconds)

    def finding_handled(self, what: str) -> None:
        """A finding was read from the stream and done with."""
        self._handled.labels(what).inc()

    def reconciled(self, outcome: str) -> None:
        """A look at what should be watched ended."""
        self._rounds.labels(outcome).inc()

    def text(self, snapshot: Snapshot) -> bytes:
        """Everything in Prometheus' text format."""
        self._streams.set(snapshot.streams)
        self._assignments.set(snapshot.assignments)
        self._open.set(snapshot.open_defects)
        self._backlog.set(snapshot.backlog)
        for family, values in ((self._unassigned, snapshot.unassigned), (self._workers, snapshot.workers)):
            family.clear()
            for group, value in values.items():
                family.labels(group).set(value)
        return generate_latest(self._registry)
