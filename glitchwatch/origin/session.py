"""One of our channels and a `glitchwatch watch` of it, as a user would start it: what each of them says."""

from __future__ import annotations

import json
import queue
import tempfile
import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

from contracts.clock import Clock
from glitchwatch.origin.faults import Truth
from glitchwatch.origin.server import Origin
from glitchwatch.origin.verdict import Reported, Verdict, match
from glitchwatch.processes import spawn, stop

_DELAY_S = 12.0  # a viewer's way behind the live edge, and the time a detector takes
_SETTLE_S = 2.0  # a fault that ends this close to the end of the watch is not judged


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault has gone out."""

    truth: Truth


@dataclass(frozen=True, slots=True)
class Said:
    """The watch said that a defect opened or closed."""

    edge: str
    reported: Reported
    entry: dict[str, Any]


class Session:
    """Watches channel `name` of `origin` in a child process and gathers both sides.

    `for_s` None goes on until `close`. Only the last `remember` defects are held.
    """

    def __init__(
        self, origin: Origin, name: str, *, for_s: float | None, clock: Clock, remember: int = 1024
    ) -> None:
        self._origin, self._name, self._clock = origin, name, clock
        self._lines: queue.Queue[str | None] = queue.Queue(maxsize=10_000)
        self._errors: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `close`
        length = [] if for_s is None else ["--for", f"{for_s:g}s"]
        self._child = spawn(
            "glitchwatch.cli",
            ["watch", origin.url(name), *length, "--json", "-"],
            stderr=self._errors.fileno(),
        )
        self._reader = threading.Thread(target=self._read, name="watch-reader", daemon=True)
        self._reader.start()
        self._told_until = datetime.min.replace(tzinfo=UTC)  # faults that began no later are told
        self._reports: deque[tuple[str, Reported]] = deque(maxlen=remember)
        self._started_at: datetime | None = None
        self.report: dict[str, Any] | None = None
        self.ended = False

    @property
    def pid(self) -> int:
        """The watching process."""
        return self._child.pid

    @property
    def started_at(self) -> datetime:
        """Wall clock of media second 0 of the watch: as it says, else that of the first segment it asked for."""
        if self._started_at is None:
            channel = self._origin.channels[self._name]
            asked = self._origin.first_segment(self._name)
            return channel.epoch + timedelta(seconds=(asked or 0) * channel.spec.segment_s)
        return self._started_at

    def events(self, wait_s: float = 0.2) -> Iterator[Injected | Said]:
        """What happened since the last call; waits that long for the first line."""
        try:
            line = self._lines.get(timeout=wait_s)
            while True:
                if line is None:
                    self.ended = True
                    break
                yield from self._injected()
                yield from self._said(line)
                line = self._lines.get_nowait()
        except queue.Empty:
            pass  # nothing more for now
        yield from self._injected()

    def verdict(self) -> Verdict:
        """The comparison so far; after the end, from the report."""
        reports = [r for _, r in self._reports]
        watched = (self.started_at, self._clock.now() - timedelta(seconds=_DELAY_S))
        if self.report is not None:
            reports = [Reported.of(d, self.started_at) for d in self.report.get("defects", [])]
            # Blind time and media that was caught up on afterwards overlap: where the media ended is what counts.
            execution = self.report.get("execution", {})
            seen = execution.get("watched_s", 0.0) + execution.get("blind_s", 0.0)
            length = self.report.get("input", {}).get("duration_s") or seen
            watched = (self.started_at, self.started_at + timedelta(seconds=length - _SETTLE_S))
        return match(self._origin.truth(self._name), reports, watched=watched)

    def fits(self, reported: Reported) -> Verdict:
        """What one report would be, beside everything injected so far."""
        return match(self._origin.truth(self._name), [reported])

    def errors(self) -> str:
        """The end of what the watch wrote to its standard error."""
        self._errors.seek(0)
        return self._errors.read()[-2000:].decode(errors="replace").strip()

    def stop(self) -> int:
        """Ask the watch to end with its verdict so far; its exit status."""
        return stop(self._child)

    def close(self) -> None:
        """End the watch and let go of its pipes."""
        self.stop()
        self._reader.join(timeout=5)
        if self._child.stdout is not None:
            self._child.stdout.close()
        self._errors.close()

    def memory_kb(self) -> int | None:
        """Resident memory of the watching process, where the system tells it."""
        status = Path(f"/proc/{self.pid}/status")
        if self._child.poll() is not None or not status.exists():
            return None
        rows = (line.split() for line in status.read_text().splitlines())
        return next((int(row[1]) for row in rows if row and row[0] == "VmRSS:"), None)

    def descriptors(self) -> int | None:
        """Open files of the watching process, where the system tells them."""
        folder = Path(f"/proc/{self.pid}/fd")
        return len(list(folder.iterdir())) if self._child.poll() is None and folder.exists() else None

    def _read(self) -> None:
        assert self._child.stdout is not None
        for line in self._child.stdout:
            self._lines.put(line)
        self._lines.put(None)

    def _injected(self) -> Iterator[Injected]:
        # Faults become known a segment at a time, so none comes to be known before one already told.
        for truth in [t for t in self._origin.truth(self._name) if t.start > self._told_until]:
            self._told_until = max(self._told_until, truth.start)
            yield Injected(truth)

    def _said(self, line: str) -> Iterator[Said]:
        try:
            entry = json.loads(line)
        except json.JSONDecodeError:
            return  # not one of the lines that are promised
        if entry.get("start_at"):  # an edge tells its wall clock too
            since = timedelta(seconds=float(entry["start_s"]))
            self._started_at = datetime.fromisoformat(entry["start_at"]) - since
        if (entry.get("input") or {}).get("started_at"):
            self._started_at = datetime.fromisoformat(entry["input"]["started_at"])
        kind = entry.get("type")
        if kind == "report":
            self.report = entry
        if kind not in ("opened", "closed"):
            return
        reported = Reported.of(entry | {"open": kind == "opened"}, self.started_at)
        key = json.dumps([entry["defect"], entry.get("track"), entry.get("channel")])
        if kind == "closed":
            last = next((i for i, (k, r) in enumerate(self._reports) if k == key and r.end is None), None)
            if last is not None:
                del self._reports[last]
        self._reports.append((key, reported))
        yield Said(kind, reported, entry)
