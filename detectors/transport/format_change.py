"""Format change: a track goes on with another codec, raster, sample rate or channel layout than before.

Measures  `format_changes`, count within one defect (its peak).
Defect    `format_change`, warning: dated at the first sample in the new format.
Blind to  Changes of profile, level or colour that leave raster and codec alone; a format that is wrong from the
          beginning.
Source    Apple's HLS authoring rules (a rendition keeps its format); EBU QC items on format consistency.
"""

from collections.abc import Iterator
from dataclasses import replace

from contracts.findings import Finding, Severity
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.events import Format, Recall, Tick

QUIET_NS = 500_000_000


class FormatChangeParams(Params):
    """No parameters: a format changes or it does not."""


class FormatChange(Detector[FormatChangeParams]):
    """See the module's docstring."""

    id = "format_change"
    scope = Scope.TRACK
    Params = FormatChangeParams

    def __init__(self, params: FormatChangeParams, track: str | None) -> None:
        super().__init__(params, track)
        self._episode = Episode(self, value="format_changes", unit="count", threshold=1.0, quiet_ns=QUIET_NS)
        self._before: Format | None = None

    def format(self, event: Format) -> Iterator[Finding]:
        """Compare with what it was."""
        before, self._before = self._before, event
        if before is None or event.at_ns < before.at_ns or _words(before) == _words(event):
            return
        yield from self._episode.moment(
            event.at_ns,
            event.at_ns,
            self._episode.peak + 1.0,
            Severity.WARNING,
            track=self.track,
            detail=f"{_words(before)} became {_words(event)}",
        )

    def recall(self, event: Recall) -> Iterator[Finding]:
        """Compare with what another process saw last, unless media comes again from before that."""
        if self._before is None and event.format is not None:
            self._before = replace(event.format, at_ns=event.at_ns - QUIET_NS)
        return iter(())

    def tick(self, tick: Tick) -> Iterator[Finding]:
        """Close what has been quiet."""
        yield from self._episode.passed(tick.at_ns)


def _words(event: Format) -> str:
    if event.kind == "video":
        return f"{event.codec} {event.width}x{event.height}"
    return f"{event.codec} {event.rate_hz} Hz {'/'.join(event.channels)}"


DETECTOR = FormatChange
