"""A live address that libav opens (udp, rtp, rtmp, rtsp, http): when it goes away, it is joined again and again."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from contracts.clock import Clock
from contracts.errors import IngestError, SourceStalled
from detectors.events import BlindCode, Event, Source
from detectors.frame import Block, Frame
from worker.ingest.native import NativeReading
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.ingest.timeline import NS, Timeline

if TYPE_CHECKING:
    from worker.ingest.reach import Reach

IDLE_S = 0.25
# A connection that was closed, or one that brought nothing: the next try tells why.
HANG_UPS = ("closed", "ended")


class PersistentReading:
    """One address, watched until it is closed. The first failure takes the same path as later ones."""

    def __init__(
        self,
        url: str,
        options: IngestOptions,
        clock: Clock,
        rng: random.Random | None = None,
        *,
        resume: dict[str, Any] | None = None,
        reach: Reach | None = None,
    ) -> None:
        """`resume`: the checkpoint of an earlier reading; media time goes on from there. `reach`: see NativeReading."""
        self.about = About()
        self._url, self._options, self._clock = url, options, clock
        self._reach = reach
        self._rng = rng or random.Random()
        self._timeline = Timeline()
        if resume:
            self._timeline.resume(int(resume["position_ns"]))
        self._reading: NativeReading | None = None
        self._stopped_ns = 0  # where media stopped: at its return the timeline is ahead of what is handed out

    def checkpoint(self) -> dict[str, Any]:
        """The media time reached: such an address can only be joined where it stands."""
        return {"position_ns": self._timeline.reached_ns}

    def close(self) -> None:
        """Close the connection."""
        if self._reading is not None:
            self._reading.close()

    def events(self) -> Iterator[Event | None]:
        """Everything that happens, blindness included; ends when a finite input ended."""
        failures = 0
        lost_s: float | None = None  # when media stopped, on the monotonic clock
        code: BlindCode | None = None  # of this outage: one outage is one defect, however its tries fail
        while True:
            reading = self._reading = NativeReading(
                self._url, self._options, live=True, timeline=self._timeline, reach=self._reach
            )
            arrived_s = self._clock.monotonic()
            error: IngestError
            try:
                for event in reading.events():
                    if isinstance(event, Frame | Block):
                        arrived_s = self._clock.monotonic()
                        if lost_s is not None:
                            yield Source(self._blind_until(lost_s), None)
                            lost_s, failures, code = None, 0, None
                    yield event
                if reading.about.duration_s:
                    return  # it declared an end and came to it
                error = SourceStalled("The source closed the connection.", cause="closed")
            except IngestError as failure:
                error = failure
            finally:
                self._take_over(reading)
                reading.close()
            if lost_s is None:
                lost_s, self._stopped_ns = arrived_s, self._timeline.reached_ns
            if not error.retryable:
                yield self._blind(lost_s, _code(error), error)
                raise error
            if code is None and (error.cause not in HANG_UPS or failures >= len(HANG_UPS)):
                code = _code(error)
            yield from self._wait(lost_s, code, error, failures)
            failures += 1
            self._timeline.rejoin()

    def _wait(
        self, lost_s: float, code: BlindCode | None, error: IngestError, failures: int
    ) -> Iterator[Event | None]:
        """Back off with jitter, telling about once a second that we are blind; not while `code` is unknown."""
        most = min(self._options.backoff_most_s, self._options.backoff_first_s * 2.0 ** min(failures, 16))
        until = self._clock.monotonic() + most * self._rng.uniform(0.5, 1.0)
        yield self._blind(lost_s, code, error) if code else None
        told = self._clock.monotonic()
        while (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(IDLE_S, left))
            if code and self._clock.monotonic() - told >= 1.0:
                told = self._clock.monotonic()
                yield self._blind(lost_s, code, error)
            else:
                yield None

    def _blind(self, lost_s: float, code: BlindCode, error: IngestError) -> Source:
        at = self._stopped_ns if self._clock.monotonic() <= lost_s else self._blind_until(lost_s)
        return Source(at, code, error.explain())

    def _blind_until(self, lost_s: float) -> int:
        return self._stopped_ns + int((self._clock.monotonic() - lost_s) * NS)

    def _take_over(self, reading: NativeReading) -> None:
        tracks = {**self.about.tracks, **reading.about.tracks}
        started = self.about.started_at
        if started is None and reading.about.tracks:
            started = self._clock.now()
        self.about.container = reading.about.container or self.about.container
        self.about.tracks, self.about.started_at = tracks, started


def _code(error: IngestError) -> BlindCode:
    code: BlindCode = error.code  # type: ignore[assignment]  # a class variable of a bounded set
    return code
