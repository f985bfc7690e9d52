"""What a detector may say: a measurement, or the edge of a defect."""

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """What the viewer loses, worst first."""

    CRITICAL = "critical"  # no picture or no sound at all
    ERROR = "error"  # plainly broken
    WARNING = "warning"  # impaired, or out of specification
    INFO = "info"  # a property

    @property
    def rank(self) -> int:
        """0 for `info` up to 3 for `critical`."""
        return _RANKS[self]


_RANKS = {Severity.INFO: 0, Severity.WARNING: 1, Severity.ERROR: 2, Severity.CRITICAL: 3}


class Edge(StrEnum):
    """Which edge of a defect a finding is."""

    OPENED = "opened"
    UPDATED = "updated"  # still open: a new peak, severity or cause
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Measurement:
    """One number with a unit at one media time.

    `at_ns` is media time in ns. `final` marks the value that sums up the whole input
    (integrated loudness, highest true peak) and so stands in the report.
    """

    name: str
    value: float
    unit: str
    at_ns: int
    track: str | None = None
    channel: str | None = None
    final: bool = False


@dataclass(frozen=True, slots=True)
class Peak:
    """The worst value a defect reached, and in which unit."""

    name: str
    value: float
    unit: str


@dataclass(frozen=True, slots=True)
class DefectEdge:
    """A defect on one track begins, changes or ends.

    `at_ns` (media ns) is when the viewer saw the change; `certain_at_ns` is the media time
    at which the detector became sure, so their difference is the detector's own delay.
    `track` is None when the defect is of the input as a whole. Two edges belong to one defect
    when their `key` is the same. `until_ns` (media ns): what begins later is no consequence of it, though it is
    not known yet to be over; None where that is unknown. It does not leave its process.
    """

    edge: Edge
    defect: str
    detector: str
    track: str | None
    at_ns: int
    certain_at_ns: int
    severity: Severity
    peak: Peak
    threshold: float
    confidence: float = 1.0
    channel: str | None = None
    suppressed_by: str | None = None
    detail: str | None = None
    until_ns: int | None = None

    @property
    def key(self) -> tuple[str, str | None, str | None]:
        """(defect, track, channel): at most one defect is open for each key."""
        return (self.defect, self.track, self.channel)


Finding = Measurement | DefectEdge
