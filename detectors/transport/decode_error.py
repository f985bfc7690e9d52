"""Decode error: the demuxer or decoder reports damage, concealed or not.

Measures  `damaged_units`, count: packets and pictures reported damaged within one defect (its peak).
Defect    `decode_error`: warning for a single damaged unit, error from `error_units` on; units within
          `quiet_seconds` of each other are one defect.
Blind to  Damage that the decoder does not notice: HEVC decoders often say nothing, and H.264 decoders mark
          only the picture that broke, not those predicted from it.
Source    libavcodec's error returns and corrupt-frame flag; ETSI TR 101 290 (transport errors) for the idea.
"""

from collections.abc import Iterator

from pydantic import Field

from contracts.findings import Finding, Severity
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.events import Damage, Tick


class DecodeErrorParams(Params):
    """How much damage is an error."""

    error_units: int = Field(
        default=3, ge=1, description="count of damaged packets or pictures in one defect"
    )
    quiet_seconds: float = Field(
        default=1.0, ge=0, le=60, description="seconds that join damage into one defect"
    )


class DecodeError(Detector[DecodeErrorParams]):
    """See the module's docstring."""

    id = "decode_error"
    scope = Scope.TRACK
    suppressed_by = (
        "source_unreachable",
        "source_stalled",
        "source_undecodable",
    )  # what is cut off is damaged
    Params = DecodeErrorParams

    def __init__(self, params: DecodeErrorParams, track: str | None) -> None:
        super().__init__(params, track)
        self._episode = Episode(
            self,
            value="damaged_units",
            unit="count",
            threshold=1.0,
            quiet_ns=round(params.quiet_seconds * 1e9),
        )
        self._units = 0

    def damage(self, event: Damage) -> Iterator[Finding]:
        """Add to the damage of this defect; say so when it doubled, not each time."""
        self._units = self._units + event.units if self._episode.is_open else event.units
        severity = Severity.ERROR if self._units >= self.params.error_units else Severity.WARNING
        told = self._units & (self._units - 1) == 0 or self._units == self.params.error_units
        value = float(self._units) if told else self._episode.peak
        yield from self._episode.moment(
            event.at_ns, event.at_ns, value, severity, track=self.track, detail=event.detail
        )

    def tick(self, tick: Tick) -> Iterator[Finding]:
        """Close what has been quiet."""
        yield from self._episode.passed(tick.at_ns)


DETECTOR = DecodeError
