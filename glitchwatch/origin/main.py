"""`python -m glitchwatch.origin.main`: a line-up of live channels in a process of its own.

What it made and served is told on standard output, one JSON object a line: first `ready`, then `published`,
`served`, `refused` and `fault`.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import threading
from typing import Any

from contracts.clock import Clock, SystemClock
from glitchwatch.origin.lineup import MAKES, PLANS, LineUp
from glitchwatch.origin.server import Origin


class Teller:
    """Writes what happened; any thread may tell."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[str, int] = {}  # faults of each channel
        self.origin: Origin | None = None

    def tell(self, what: str, channel: str, number: int, window: str) -> None:
        """A segment was published, or that of one window served or refused."""
        at = self._clock.now().isoformat()
        with self._lock:
            if what == "published":
                self._faults(channel, number)
            self._write({"type": what, "channel": channel, "sequence": number, "window": window, "at": at})

    def ready(self, origin: Origin) -> None:
        """The origin answers."""
        with self._lock:
            self.origin = origin
            channels = {
                name: {
                    "url": origin.url(name),
                    "epoch": channel.epoch.isoformat(),
                    "segment_s": channel.spec.segment_s,
                    "make": f"{channel.spec.width}x{channel.spec.height}, "
                    + ("MPEG-TS" if channel.spec.muxed else "fMP4, sound apart"),
                    "windows": sorted(channel.windows),
                    "listed": channel.spec.listed,
                }
                for name, channel in origin.channels.items()
            }
            self._write({"type": "ready", "channels": channels})

    def _faults(self, name: str, number: int) -> None:
        if self.origin is None:
            return  # none is that early
        channel = self.origin.channels[name]
        known = channel.faults_before((number + 1) * channel.spec.segment_s)
        for fault in known[self._told.get(name, 0) :]:
            self._write(
                {
                    "type": "fault",
                    "channel": name,
                    "kind": fault.kind.name,
                    "start_s": fault.start_s,
                    "end_s": fault.end_s,
                }
            )
        self._told[name] = len(known)

    @staticmethod
    def _write(entry: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(entry) + "\n")
        sys.stdout.flush()


def main() -> None:
    """Serve until told to end."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--channels", type=int, default=len(MAKES), choices=range(1, len(MAKES) + 1))
    parser.add_argument("--plan", choices=sorted(PLANS), default="demo")
    parser.add_argument("--lasts", type=float, default=float("inf"), help="media seconds of each channel")
    parser.add_argument(
        "--last", type=float, default=float("inf"), help="media second after which no fault ends"
    )
    parser.add_argument("--listed", type=int, default=12, help="segments in each playlist")
    parser.add_argument("--port", type=int, default=0)
    given = parser.parse_args()
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    clock = SystemClock()
    teller = Teller(clock)
    lineup = LineUp(given.seed, given.channels, given.plan, given.lasts, given.last, given.listed)
    try:
        with Origin(lineup.channels(), port=given.port, clock=clock, tell=teller.tell) as origin:
            teller.ready(origin)
            ended.wait()
    except BrokenPipeError:
        raise SystemExit(0) from None  # nobody listens any more


if __name__ == "__main__":
    main()
