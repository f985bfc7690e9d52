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

ALL = (DETECTOR_CPU, WATCHED, BLIND, FINDINGS_DROPPED)
