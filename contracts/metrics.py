"""Every metric's name, type, unit and meaning, in one place."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Metric:
    """One time series family; `labels` are bounded sets only."""

    name: str
    type: Literal["counter", "gauge", "histogram"]
    unit: str
    meaning: str
    labels: tuple[str, ...] = ()


DETECTOR_CPU = Metric(
    "glitchwatch_detector_cpu_seconds_total",
    "counter",
    "seconds",
    "CPU time spent inside one detector, features it was first to ask for included",
    ("detector",),
)
WATCHED = Metric(
    "glitchwatch_watched_seconds_total", "counter", "seconds", "media time really analysed", ("detector",)
)
BLIND = Metric(
    "glitchwatch_blind_seconds_total", "counter", "seconds", "time in which nothing could be seen", ("cause",)
)
FINDINGS_DROPPED = Metric(
    "glitchwatch_measurements_dropped_total",
    "counter",
    "measurements",
    "measurements the full outbox let go of; edges are never dropped",
)

REQUESTS = Metric(
    "glitchwatch_http_request_seconds",
    "histogram",
    "seconds",
    "time to answer a request",
    ("method", "status"),
)
EVENT_LISTENERS = Metric(
    "glitchwatch_event_listeners", "gauge", "connections", "clients that follow /v1/events on this replica"
)
FINDINGS_HANDLED = Metric(
    "glitchwatch_findings_handled_total",
    "counter",
    "findings",
    "accepted findings this replica is done with",
    ("what",),
)
FINDINGS_BACKLOG = Metric(
    "glitchwatch_findings_backlog", "gauge", "findings", "accepted findings that no controller is done with"
)
RECONCILIATIONS = Metric(
    "glitchwatch_reconciliations_total", "counter", "rounds", "looks at what should be watched", ("outcome",)
)
STREAMS = Metric("glitchwatch_streams", "gauge", "streams", "streams that were onboarded")
ASSIGNMENTS = Metric("glitchwatch_assignments", "gauge", "assignments", "what should be watched now")
UNASSIGNED = Metric(
    "glitchwatch_unassigned", "gauge", "assignments", "what should be watched and no worker holds", ("group",)
)
WORKERS = Metric("glitchwatch_workers", "gauge", "workers", "workers heard of within their time", ("group",))
OPEN_DEFECTS = Metric(
    "glitchwatch_streams_with_defects", "gauge", "streams", "streams on which a defect is open"
)

WATCHES = Metric("glitchwatch_watches", "gauge", "watches", "leases with a process", ("phase",))
FRAMES = Metric(
    "glitchwatch_frames_total", "counter", "frames", "pictures decoded by the processes that run now"
)
LAG = Metric("glitchwatch_lag_seconds", "gauge", "seconds", "the worst delay of our own among all watches")
FRAME_AGE = Metric(
    "glitchwatch_frame_age_seconds",
    "gauge",
    "seconds",
    "the longest time without a picture among watches that can see",
)
DEGRADED = Metric(
    "glitchwatch_degraded_seconds_total",
    "counter",
    "seconds",
    "media time analysed by less than wanted",
    ("detector",),
)
DEGRADATION = Metric(
    "glitchwatch_degradation_step", "gauge", "steps", "declared steps of doing less in force"
)
RESTARTS = Metric(
    "glitchwatch_watch_restarts_total", "counter", "restarts", "processes that had to be replaced"
)
HUNG = Metric(
    "glitchwatch_watch_hung_total", "counter", "processes", "processes killed as their loop did not tick"
)
RECYCLED = Metric(
    "glitchwatch_watch_recycled_total", "counter", "processes", "processes replaced as they grew"
)
HANDED_BACK = Metric(
    "glitchwatch_handed_back_total", "counter", "leases", "leases given back for lack of headroom"
)
FINDINGS = Metric(
    "glitchwatch_findings_total",
    "counter",
    "findings",
    "findings by what the store said of them",
    ("verdict",),
)
FINDINGS_WAITING = Metric(
    "glitchwatch_findings_waiting", "gauge", "findings", "findings that have not left yet"
)
STORE_AWAY = Metric(
    "glitchwatch_store_away_seconds", "gauge", "seconds", "time since the store answered last"
)
CORES = Metric(
    "glitchwatch_worker_cpu_cores", "gauge", "cores", "CPU in use by the worker and all its watches"
)
MEMORY = Metric(
    "glitchwatch_worker_memory_bytes", "gauge", "bytes", "memory in use, shared pages counted once"
)
ROOM = Metric("glitchwatch_worker_room", "gauge", "watches", "how many more watches fit, as measured")
FAULTS = Metric(
    "glitchwatch_detector_faults", "gauge", "detectors", "detectors set aside as they broke", ("detector",)
)

WORKER = (
    DETECTOR_CPU, WATCHED, BLIND, FINDINGS_DROPPED, WATCHES, FRAMES, LAG, FRAME_AGE, DEGRADED, DEGRADATION, RESTARTS,
    HUNG, RECYCLED, HANDED_BACK, FINDINGS, FINDINGS_WAITING, STORE_AWAY, CORES, MEMORY, ROOM, FAULTS,
)  # fmt: skip

ALL = (
    *WORKER, REQUESTS, EVENT_LISTENERS, FINDINGS_HANDLED, FINDINGS_BACKLOG,
    RECONCILIATIONS, STREAMS, ASSIGNMENTS, UNASSIGNED, WORKERS, OPEN_DEFECTS,
)  # fmt: skip
