"""Source undecodable: bytes arrive, but no picture and no sound come out of them; we are blind.

Measures  `blind_s`, seconds of wall time without sight (the defect's peak).
Defect    `source_undecodable`, critical: encrypted media without a key, a codec this build lacks, or data that is
          not media; dated where media stopped, closed when media flows again. The reason stands in `detail`.
Blind to  Damage that the decoder conceals (`decode_error`), and what it decodes without noticing.
Source    ETSI TR 101 290 for the idea (loss of signal); RFC 8216 section 6.3.4 for playlist reloads.
"""

from detectors.blindness import SourceDetector
from detectors.detector import Scope


class SourceUndecodable(SourceDetector):
    """See the module's docstring."""

    id = "source_undecodable"
    scope = Scope.INPUT
    causes = frozenset({"source_undecodable"})


DETECTOR = SourceUndecodable
