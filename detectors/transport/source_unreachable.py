"""Source unreachable: nothing answers at the address, or it refuses; we are blind.

Measures  `blind_s`, seconds of wall time without sight (the defect's peak).
Defect    `source_unreachable`, critical: the address does not resolve, refuses, times out, or answers 4xx or 5xx,
          or our own policy refuses it; dated where media stopped, closed when media flows again. The reason
          stands in `detail`.
Blind to  A source that answers with the wrong programme.
Source    ETSI TR 101 290 for the idea (loss of signal); RFC 8216 section 6.3.4 for playlist reloads.
"""

from detectors.blindness import SourceDetector
from detectors.detector import Scope


class SourceUnreachable(SourceDetector):
    """See the module's docstring."""

    id = "source_unreachable"
    scope = Scope.INPUT
    causes = frozenset({"source_unreachable", "source_forbidden"})


DETECTOR = SourceUnreachable
