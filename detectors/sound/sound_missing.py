"""Sound missing: the audio track brings no samples while media time goes on.

Measures  `sound_absent_s`, seconds since the end of the last block (the defect's peak).
Defect    `sound_missing`, critical: nothing for `min_seconds` although everything up to there was delivered;
          dated at the end of the last block, closed by the next one.
Blind to  An audio track that never began, and samples that are all zero (`silence`).
Source    Absence of a component, as in ETSI TR 101 290 (PID missing) carried over to presentation time.
"""

from collections.abc import Iterator

from contracts.findings import Finding
from detectors.absence import AbsenceDetector
from detectors.detector import Scope
from detectors.frame import SoundView


class SoundMissing(AbsenceDetector):
    """See the module's docstring."""

    id = "sound_missing"
    scope = Scope.AUDIO
    suppressed_by = ("source_unreachable", "source_stalled", "source_undecodable", "segment_missing")
    measurement = "sound_absent_s"

    def sound(self, view: SoundView) -> Iterator[Finding]:
        """There it is."""
        yield from self.seen(view.at_ns, view.end_ns)


DETECTOR = SoundMissing
