"""The origin in its own process, as the trial sees it: what it published, served, and broke."""

from __future__ import annotations

import json
import queue
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from contracts.errors import ConfigError
from glitchwatch import processes
from glitchwatch.origin.faults import KINDS, Fault

if TYPE_CHECKING:
    from subprocess import Popen  # noqa: TID251  # for a type only

READY_S = 60.0


@dataclass(frozen=True, slots=True)
class ChannelInfo:
    """One channel as the origin describes it."""

    name: str
    url: str
    epoch: datetime  # wall clock of media second 0
    segment_s: float
    make: str
    windows: tuple[str, ...]  # the playlists that its media is listed in
    listed: int  # segments in each of them

    def wall(self, media_s: float) -> datetime:
        """The wall clock of a media second, as its playlists have it."""
        return self.epoch + timedelta(seconds=media_s)


@dataclass(frozen=True, slots=True)
class Published:
    """A segment is in the playlists."""

    channel: str
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Served:
    """A segment of one window was sent to its end."""

    channel: str
    sequence: int
    window: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A segment was asked for that is lost: whoever asked can know."""

    channel: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Broken:
    """A fault is in the media that was published last."""

    channel: str
    fault: Fault


Said = Published | Served | Refused | Broken


class Source:
    """Starts the origin with those arguments (see `glitchwatch.origin.main`) and hears what it says.

    Make it in the main thread: the origin ends with the thread that started it. Raises ConfigError when it does
    not come up.
    """

    def __init__(self, arguments: Sequence[str], *, stderr: int | None = None) -> None:
        self.process: Popen[str] = processes.spawn("glitchwatch.origin.main", arguments, stderr=stderr)
        self._said: queue.Queue[Said] = queue.Queue()
        self._ready: queue.Queue[dict[str, ChannelInfo] | None] = queue.Queue()
        self._thread = threading.Thread(target=self._read, name="origin-reader", daemon=True)
        self._thread.start()
        try:
            channels = self._ready.get(timeout=READY_S)
        except queue.Empty:
            channels = None
        if channels is None:
            processes.stop(self.process, patience_s=2.0)
            raise ConfigError("The channels did not come up.", "Is this machine very busy?")
        self.channels = channels

    def said(self) -> Iterator[Said]:
        """What it said since the last call."""
        while True:
            try:
                yield self._said.get_nowait()
            except queue.Empty:
                return

    def close(self) -> None:
        """End it."""
        processes.stop(self.process)
        self._thread.join(2.0)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            entry = json.loads(line)
            match entry["type"]:
                case "ready":
                    self._ready.put({n: _info(n, about) for n, about in entry["channels"].items()})
                case "published":
                    self._said.put(Published(entry["channel"], entry["sequence"], _at(entry)))
                case "served":
                    self._said.put(Served(entry["channel"], entry["sequence"], entry["window"], _at(entry)))
                case "refused":
                    self._said.put(Refused(entry["channel"], entry["sequence"]))
                case "fault":
                    fault = Fault(KINDS[entry["kind"]], entry["start_s"], entry["end_s"])
                    self._said.put(Broken(entry["channel"], fault))
        self._ready.put(None)


def _at(entry: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(entry["at"])


def _info(name: str, about: dict[str, Any]) -> ChannelInfo:
    epoch = datetime.fromisoformat(about["epoch"])
    return ChannelInfo(
        name,
        about["url"],
        epoch,
        float(about["segment_s"]),
        about["make"],
        tuple(about["windows"]),
        int(about["listed"]),
    )
