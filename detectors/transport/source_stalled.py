"""Source stalled: it answered, and then nothing new came; we are blind.

Measures  `blind_s`, seconds of wall time without sight (the defect's peak).
Defect    `source_stalled`, critical: no byte within the read time-out, or a live playlist that names nothing
          new for three target durations; dated where media stopped, closed when media flows again. The reason
          stands in `detail`.
Blind to  A source that goes on sending the same picture (`freeze`).
Source    ETSI TR 101 290 for the idea (loss of signal); RFC 8216 section 6.3.4 for playlist reloads.
"""

from detectors.blindness import SourceDetector
from detectors.detector import Scope


class SourceStalled(SourceDetector):
    """See the module's docstring."""

    id = "source_stalled"
    scope = Scope.INPUT
    causes = frozenset({"source_stalled"})


DETECTOR = SourceStalled
