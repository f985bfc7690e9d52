"""Timestamp drift: the clocks of picture or sound jump, skip, repeat, or part from each other.

Measures  `clock_step_ms`, milliseconds: how far a timestamp was from where it was due (the defect's peak).
          `audio_clock_error_ms`, milliseconds: timestamps of the sound against its number of samples, once a second.
Defect    `timestamp_drift`: error for a jump nobody announced, or a gap of `error_gap_ms` and more; warning for
          smaller gaps, for media sent twice, and for sound whose timestamps part from its samples by
          `max_drift_ms`; info for the wrap of the 33-bit counter, which players survive. Steps within
          `quiet_seconds` are one defect, and when all tracks jump together it is one defect, on the track that
          showed it first.
Blind to  An offset between picture and sound that is there from the beginning; jumps that the source announces
          (EXT-X-DISCONTINUITY, a new period), which are no defect.
Source    ETSI TR 101 290 (PTS errors, PCR discontinuity 100 ms); ISO/IEC 13818-1 (33-bit PTS).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pydantic import Field

from contracts.findings import Finding, Measurement, Severity
from detectors.detector import Detector, Params, Scope
from detectors.episode import Episode
from detectors.events import Break, Fetch, Tick
from detectors.frame import SoundView

MS = 1_000_000
OURS_NS = 500_000_000  # playlists round durations


class TimestampDriftParams(Params):
    """How far clocks may stray."""

    error_gap_ms: float = Field(
        default=500.0, ge=0, description="milliseconds; a gap from here on is an error"
    )
    max_drift_ms: float = Field(
        default=100.0, ge=10, description="milliseconds between samples and timestamps"
    )
    quiet_seconds: float = Field(
        default=1.0, ge=0, le=60, description="seconds that join steps into one defect"
    )


@dataclass(slots=True)
class _Count:
    """Samples of one track since its timestamps were last taken as right."""

    anchor_ns: int
    counted_ns: int = 0
    second: int = -1


class TimestampDrift(Detector[TimestampDriftParams]):
    """See the module's docstring."""

    id = "timestamp_drift"
    scope = Scope.INPUT
    single = True
    suppressed_by = ("segment_missing", "picture_missing", "sound_missing")
    Params = TimestampDriftParams

    def __init__(self, params: TimestampDriftParams, track: str | None) -> None:
        super().__init__(params, track)
        self._episode = Episode(
            self,
            value="clock_step_ms",
            unit="ms",
            threshold=params.max_drift_ms,
            quiet_ns=round(params.quiet_seconds * 1e9),
        )
        self._counts: dict[str, _Count] = {}
        # From when to when we ourselves were too slow, so that media is lacking here alone.
        self._ours_ns = (0, 0)

    def fetch(self, event: Fetch) -> Iterator[Finding]:
        """Note what we ourselves were too slow for: it was there for viewers."""
        if event.cause == "fell_behind" and event.duration_ns:
            self._ours_ns = (event.at_ns, event.at_ns + event.duration_ns)
        return iter(())

    def broke(self, event: Break) -> Iterator[Finding]:
        """A step in one track's clock."""
        self._counts.pop(event.track or "", None)
        begin_ns, end_ns = self._ours_ns
        ours = begin_ns - OURS_NS <= event.at_ns and event.at_ns + event.delta_ns <= end_ns + OURS_NS
        if event.kind == "signalled" or (event.kind == "gap" and ours):
            return
        step_ms = abs(event.delta_ns) / MS
        if event.kind == "wrap":
            yield from self._say(event.at_ns, 0.0, Severity.INFO, event, "33-bit timestamps wrapped")
        elif event.kind == "jump":
            yield from self._say(
                event.at_ns, step_ms, Severity.ERROR, event, f"jumped by {event.delta_ns / 1e9:+.3f} s"
            )
        elif event.kind == "gap":
            severity = Severity.ERROR if step_ms >= self.params.error_gap_ms else Severity.WARNING
            words = f"{step_ms:.0f} ms of media never came"
            yield from self._say(event.at_ns, step_ms, severity, event, words, length_ns=event.delta_ns)
        else:
            yield from self._say(
                event.at_ns, step_ms, Severity.WARNING, event, f"{step_ms:.0f} ms came twice"
            )

    def sound(self, view: SoundView) -> Iterator[Finding]:
        """Hold the sound's timestamps against its number of samples."""
        count = self._counts.get(view.track)
        if count is None or not view.follows:
            count = self._counts[view.track] = _Count(view.at_ns)
        error_ns = view.at_ns - count.anchor_ns - count.counted_ns
        count.counted_ns += view.end_ns - view.at_ns
        second = view.at_ns // 1_000_000_000
        if second != count.second:
            count.second = second
            yield Measurement("audio_clock_error_ms", error_ns / MS, "ms", view.at_ns, view.track)
        if abs(error_ns) >= self.params.max_drift_ms * MS:
            del self._counts[view.track]
            words = f"{view.track}: timestamps and samples parted by {error_ns / MS:+.0f} ms"
            yield from self._episode.passed(view.at_ns)
            yield from self._episode.moment(
                view.at_ns, view.end_ns, abs(error_ns) / MS, Severity.WARNING, track=view.track, detail=words
            )

    def tick(self, tick: Tick) -> Iterator[Finding]:
        """Close what has been quiet."""
        yield from self._episode.passed(tick.at_ns)

    def _say(
        self, at_ns: int, step_ms: float, severity: Severity, event: Break, words: str, *, length_ns: int = 0
    ) -> Iterator[Finding]:
        yield from self._episode.passed(at_ns)  # where one track is ahead, ticks come late
        yield from self._episode.moment(
            at_ns, at_ns + length_ns, step_ms, severity, track=event.track, detail=f"{event.track}: {words}"
        )


DETECTOR = TimestampDrift
