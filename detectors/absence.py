"""What `picture_missing` and `sound_missing` share: media time passes, and one track brings nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from pydantic import Field

from contracts.findings import Finding, Severity
from detectors.detector import Detector, Params
from detectors.events import Break, Fetch, Recall, Tick
from detectors.hold import Hold


class AbsenceParams(Params):
    """How long a track may bring nothing."""

    min_seconds: float = Field(
        default=2.0, ge=0.2, le=3600, description="seconds of media time without a sample"
    )
    sparse_factor: float = Field(
        default=3.0,
        ge=1,
        le=100,
        description="times the longest recent step between samples, a ratio, allowed too",
    )


class AbsenceDetector(Detector[AbsenceParams]):
    """Opens when the input's watermark has passed the track's last sample by `min_seconds`."""

    Params = AbsenceParams
    prompt = True
    measurement: ClassVar[str]

    def __init__(self, params: AbsenceParams, track: str | None) -> None:
        super().__init__(params, track)
        self._hold = Hold(
            self,
            value=self.measurement,
            unit="s",
            threshold=params.min_seconds,
            open_ns=0,
            severity=Severity.CRITICAL,
        )
        self._begin_ns: int | None = None
        self._end_ns: int | None = None
        self._longest_ns = self._step_ns = 0
        self._tick_ns = self._lag_ns = 0  # the watermark, and by how much the track is behind it all along

    def seen(self, at_ns: int, end_ns: int) -> Iterator[Finding]:
        """A sample of the track arrived."""
        late = self._end_ns is not None and at_ns - self._end_ns < self.params.min_seconds * 0.5e9
        if self._hold.is_open and late:
            # A decoder hands out its last pictures only when the next come in: those join on to what was there.
            self._begin_ns, self._end_ns = at_ns, end_ns
            since = self._hold.since_ns
            if since is not None and end_ns - since >= self.params.min_seconds * 0.5e9:
                yield from self._hold.update(since, False, 0.0, end_ns=end_ns)  # too much: it was only late
                self._lag_ns = max(0, self._tick_ns - end_ns)
            return
        if self._end_ns is not None and not self._hold.is_open and at_ns - self._end_ns >= self._allowed_ns():
            # The samples after the hole came before the watermark had passed it.
            yield from self._hold.update(self._end_ns, True, (at_ns - self._end_ns) / 1e9, end_ns=at_ns)
        if self._begin_ns is not None:
            step = at_ns - self._begin_ns
            usual = (
                min(step, self._step_ns) if self._hold.is_open else step
            )  # two long steps in a row: a cadence
            self._longest_ns = max(usual, self._longest_ns * 31 // 32)
            self._step_ns = step
        if self._hold.is_open:
            yield from self._hold.update(at_ns, False, 0.0)
        self._begin_ns, self._end_ns = at_ns, end_ns

    def tick(self, tick: Tick) -> Iterator[Finding]:
        """Compare the watermark with the last sample."""
        if self._end_ns is None:
            return
        self._tick_ns = tick.at_ns
        behind = tick.at_ns - self._end_ns
        self._lag_ns = min(self._lag_ns, max(0, behind))
        absent = behind - self._lag_ns
        if self._hold.is_open and absent < self.params.min_seconds * 0.5e9:  # late, and it has caught up
            yield from self._hold.update(self._end_ns, False, 0.0)
        if absent >= self._allowed_ns():
            yield from self._hold.update(self._end_ns, True, absent / 1e9, end_ns=tick.at_ns)

    def recall(self, event: Recall) -> Iterator[Finding]:
        """It was there: absence counts from where another process saw its end."""
        if self._end_ns is None:
            self._end_ns, self._longest_ns, self._step_ns = event.at_ns, event.step_ns, event.step_ns
        return iter(())

    def fetch(self, event: Fetch) -> Iterator[Finding]:
        """What we ourselves were too slow for was there for viewers: it is not absent."""
        if event.cause == "fell_behind" and self._end_ns is not None and not self._hold.is_open:
            self._begin_ns, self._end_ns = None, max(self._end_ns, event.at_ns + event.duration_ns)
        return iter(())

    def _allowed_ns(self) -> float:
        return max(self.params.min_seconds * 1e9, self.params.sparse_factor * self._longest_ns)

    def broke(self, event: Break) -> Iterator[Finding]:
        """A new clock begins: steps across it say nothing about the cadence."""
        self._begin_ns = None
        return iter(())
