"""`make bench-memory`: what a watch with all detectors keeps in memory. Exit status 1 when a bar is missed.

Channels are made here and served from this process; each is watched in a process forked from the warm server, as a
worker does it, several to a channel. A watch's share (PSS, proc_pid_smaps(5)) divides what it shares with the others
among all of them, so it depends on how many there are: a dozen, as on two cores.
"""

from __future__ import annotations

import argparse
import select
import socket
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import Schedule
from glitchwatch.origin.server import Origin
from worker.frames import Unpacker, pack
from worker.warm import Started, WarmServer

MOST_MB = {360: 25.0, 1080: 50.0}  # the bars, by lines
WATCHES = 12
CHANNELS = 3
SETTLED_S = 25.0
ENOUGH_FRAMES = 200  # a watch is measured once it has shown so many


@dataclass(frozen=True, slots=True)
class Use:
    """Megabytes of one process."""

    name: str
    lines: int
    pss: float
    private: float
    frames: int


@dataclass(slots=True)
class Watch:
    """A watch's process as its supervisor would see it."""

    spec: ChannelSpec
    connection: socket.socket
    pid: int
    frames: int = 0

    def hear(self, unpacker: Unpacker) -> None:
        """Take what it says; only its frames count here."""
        for message in unpacker.feed(self.connection.recv(1 << 20)):
            if "refused" in message:
                raise RuntimeError(message["refused"])
            self.frames = int(message["frames"])


def measure(count: int, seconds: float, warm: WarmServer, only: Sequence[str] = ()) -> list[Use]:
    """So many watches at 360p and one at 1080p for a while; what each process uses, the warm server first."""
    specs = [ChannelSpec(f"c{n}", seed=n, muxed=True) for n in range(min(CHANNELS, count))]
    hd = ChannelSpec("hd", seed=99, width=1920, height=1080, muxed=True)
    with Origin([(spec, Schedule([])) for spec in [*specs, hd]]) as origin:
        watched = [specs[n % len(specs)] for n in range(count)] + [hd]
        watches = [_start(warm, spec, origin.url(spec.name), only) for spec in watched]
        _listen(watches, seconds)
        uses = [_use("warm server", 0, warm.pid, 0)]
        return uses + [_use(w.spec.name, w.spec.height, w.pid, w.frames) for w in watches]


def _start(warm: WarmServer, spec: ChannelSpec, url: str, only: Sequence[str]) -> Watch:
    _, connection = warm.start()
    config = {
        "url": url,
        "allow_private": True,
        "nice": 5,
        "group": {"families": [], "detectors": list(only)},
    }
    connection.sendall(pack(config))
    answer = warm.read()
    assert isinstance(answer, Started), f"a watch ended at its start: {answer}"
    return Watch(spec, connection, answer.pid)


def _listen(watches: list[Watch], seconds: float) -> None:
    """Until `seconds` have gone and each has shown enough, or four times that long."""
    by_fd = {w.connection.fileno(): (w, Unpacker()) for w in watches}
    began = time.monotonic()
    while (gone := time.monotonic() - began) < 4 * seconds:
        if gone >= seconds and all(w.frames >= ENOUGH_FRAMES for w in watches):
            return
        for fd in select.select(list(by_fd), [], [], 0.5)[0]:
            watch, unpacker = by_fd[fd]
            watch.hear(unpacker)
    few = [f"{w.spec.name} {w.frames}" for w in watches if w.frames < ENOUGH_FRAMES]
    raise RuntimeError(f"Too few pictures were seen: {', '.join(few)}. Is the machine busy?")


def _use(name: str, lines: int, pid: int, frames: int) -> Use:
    rows = {
        row.split()[0].rstrip(":"): int(row.split()[1]) / 1024
        for row in Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()[1:]
    }
    return Use(name, lines, rows["Pss"], rows["Private_Dirty"] + rows["Private_Clean"], frames)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(prog="make bench-memory", description=__doc__)
    parser.add_argument("--watches", type=int, default=WATCHES, help="so many at 360p, and one at 1080p")
    parser.add_argument("--seconds", type=float, default=SETTLED_S, help="how long to watch before measuring")
    parser.add_argument("--only", default="", help="these detectors, by comma (all defaults without it)")
    options = parser.parse_args()
    warm = WarmServer()  # before any thread and any connection
    try:
        only = [name for name in options.only.split(",") if name]
        uses = measure(options.watches, options.seconds, warm, only)
    finally:
        warm.close()
    table = Table(title=f"Memory of a watch with {options.only or 'all detectors'}, MB", title_justify="left")
    for heading in ("process", "lines", "pictures", "PSS", "of it its own", "at most"):
        table.add_column(heading, justify="left" if heading == "process" else "right")
    for use in uses:
        bar = MOST_MB.get(use.lines)
        table.add_row(
            use.name, str(use.lines or ""), str(use.frames or ""), f"{use.pss:.1f}", f"{use.private:.1f}",
            f"{bar:.0f}" if bar else "",
        )  # fmt: skip
    console = Console()
    console.print(table)
    missed = 0
    for lines, bar in MOST_MB.items():
        seen = [use.pss for use in uses if use.lines == lines]
        if seen and statistics.median(seen) > bar:
            missed += 1
            console.print(
                f"missed: {statistics.median(seen):.1f} MB at {lines} lines; at most {bar:.0f}", style="red"
            )
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
