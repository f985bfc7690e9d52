"""Picture missing: the video track brings no pictures while media time goes on.

Measures  `picture_absent_s`, seconds since the end of the last picture (the defect's peak).
Defect    `picture_missing`, critical: nothing for `min_seconds` although everything up to there was delivered;
          dated at the end of the last picture, closed by the next one.
Blind to  A video track that never began; an input that stops as a whole (`source_stalled`). Slide shows with few
          pictures are spared by `sparse_factor`.
Source    Absence of a component, as in ETSI TR 101 290 (PID missing) carried over to presentation time.
"""

from collections.abc import Iterator

from contracts.findings import Finding
from detectors.absence import AbsenceDetector
from detectors.detector import Scope
from detectors.frame import PictureView


class PictureMissing(AbsenceDetector):
    """See the module's docstring."""

    id = "picture_missing"
    scope = Scope.VIDEO
    suppressed_by = ("source_unreachable", "source_stalled", "source_undecodable", "segment_missing")
    measurement = "picture_absent_s"

    def picture(self, view: PictureView) -> Iterator[Finding]:
        """There it is."""
        yield from self.seen(view.at_ns, view.end_ns)


DETECTOR = PictureMissing
