"""Watches of live sources in a thread, and what they say; shared by the tests that watch something live."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Self

from contracts.clock import SystemClock
from contracts.findings import DefectEdge, Edge, Finding
from contracts.report import Defect, Report
from detectors.catalogue import Seat
from detectors.events import Source
from glitchwatch import profiles
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.server import Origin
from worker.ingest.options import IngestOptions
from worker.watch import Listener, Watch

QUICK = IngestOptions(
    open_timeout_s=0.6, read_timeout_s=0.6, retries=1, backoff_first_s=0.05, backoff_most_s=0.3
)
PATIENCE_S = 30.0  # only against a hang; no test waits for it


def seats(*only: str, **params: dict[str, Any]) -> list[Seat]:
    """The default profile's detectors, or those named; `params` by detector."""
    from contracts.profile import DetectorChoice, Profile

    chosen = {name: DetectorChoice(params=values) for name, values in params.items()}
    return profiles.seats(Profile(detectors=chosen), only)


class Live:
    """A watch that runs in a thread until `end` is called. Use it as a context manager."""

    def __init__(self, url: str, options: IngestOptions = QUICK, which: Sequence[Seat] | None = None) -> None:
        self.edges: list[DefectEdge] = []
        self.sources: list[Source] = []
        self.watch = Watch(
            url,
            seats() if which is None else which,
            version="test",
            options=options,
            clock=SystemClock(),
            live=True,
            listener=Listener(finding=self._found, source=self.sources.append),
        )
        self._report: Report | None = None
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.watch.stop("the test is over")
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive()

    def _found(self, finding: Finding) -> None:
        if isinstance(finding, DefectEdge):
            self.edges.append(finding)

    def _run(self) -> None:
        try:
            self._report = self.watch.run()
        except BaseException as error:  # noqa: BLE001 - raised again in the test
            self._error = error

    def opened(self, defect: str) -> bool:
        """Whether `defect` has been told as opened."""
        return any(e.defect == defect and e.edge is Edge.OPENED for e in list(self.edges))

    def closed(self, defect: str) -> bool:
        """Whether `defect` has been told as closed."""
        return any(e.defect == defect and e.edge is Edge.CLOSED for e in list(self.edges))

    @property
    def reached_s(self) -> float:
        """How far the media has been analysed."""
        return self.watch.progress.media_s

    @property
    def blind(self) -> Source | None:
        """Why nothing of the input can be seen, while that is so."""
        return self.watch.progress.blind

    def until(self, happened: Callable[[], object], what: str = "it") -> None:
        """Wait for something the watch should do."""
        deadline = time.monotonic() + PATIENCE_S
        while not happened():
            if self._error is not None:
                raise self._error
            said = [(e.edge.value, e.defect, e.track, e.at_ns / 1e9) for e in self.edges[-12:]]
            assert self._thread.is_alive(), f"the watch ended before {what}: {said}"
            assert time.monotonic() < deadline, f"never came: {what}; said {said}, {self.sources[-2:]}"
            time.sleep(0.01)

    def until_watched(self, seconds: float) -> None:
        """Wait until that many seconds of media (from now on) have been analysed."""
        aim = self.watch.progress.watched_s + seconds
        self.until(lambda: self.watch.progress.watched_s >= aim, f"{seconds} s more media")

    def end(self, within_s: float = PATIENCE_S) -> Report:
        """Stop the watch; its report."""
        self.watch.stop("interrupted")
        self._thread.join(within_s)
        if self._error is not None:
            raise self._error
        assert self._report is not None, f"the watch did not end within {within_s} s"
        return self._report


def told(report: Report, defect: str | None = None) -> list[Defect]:
    """The defects that count as something seen: not suppressed, above `info`; of one kind if named."""
    return [
        d
        for d in report.defects
        if d.suppressed_by is None and d.severity.value != "info" and defect in (None, d.defect)
    ]


def names(report: Report) -> list[str]:
    """The names of `told`, in order."""
    return sorted(d.defect for d in told(report))


def fault(kind: str, start_s: float, length_s: float = 0.0, draw: float = 0.1) -> Fault:
    """A fault of our channels at a chosen time."""
    return Fault(KINDS[kind], start_s, start_s + length_s, draw)


def spec(name: str = "a", **more: Any) -> ChannelSpec:
    """A small channel with segments of a second, three times as fast as life."""
    small = {"width": 320, "height": 180, "segment_s": 1, "speed": 3.0, "listed": 20, "kept": 30}
    return ChannelSpec(name, **(small | {"preroll": 6} | more))


def origin(*channels: tuple[ChannelSpec, Sequence[Fault]]) -> Origin:
    """An origin that serves those channels with those faults."""
    return Origin([(s, Schedule(faults)) for s, faults in channels])
