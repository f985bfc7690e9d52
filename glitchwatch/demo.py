"""`glitchwatch demo`: a fleet on this machine, live channels with faults in them, and the two sides compared."""

from __future__ import annotations

import os
import queue
import resource
import secrets
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

import httpx
from rich.console import Console

from contracts.clock import Clock, SystemClock
from contracts.errors import ConfigError
from glitchwatch import processes
from glitchwatch.origin.lineup import MAKES, PREROLL, SEGMENT_S
from glitchwatch.trial.api import Api
from glitchwatch.trial.printing import Printer
from glitchwatch.trial.source import Source
from glitchwatch.trial.trial import Row, Trial
from worker.headroom import limits

STARTS_S = 60.0
DRAINS_S = 8.0  # after the last segment, before a channel that ended counts as stalled
_TAIL_S = 6.0  # media without faults at the end
_CORE_SHARE = 0.15  # of a core, that one channel takes to be made and watched
_COVERED_S, _COVERED_NEARLY_S = 12.0, 0.2  # coverage is told every ten seconds
_CAUGHT_UP_S = 4.0  # after the last segment, when every segment has been fetched


def run_demo(
    seed: int | None,
    seconds: float,
    forever: bool,
    console: Console,
    *,
    channels: int | None = None,
    clock: Clock | None = None,
) -> int:
    """Print what was injected into each channel beside what the API said of it.

    `seed` None draws one; `channels` None takes as many as this machine carries. Exit status 0 only when every
    fault was found and nothing else was reported, 3 when the fleet failed. Call it in the main thread.
    """
    clock = clock or SystemClock()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    cores = limits().cores
    count = channels or max(1, min(len(MAKES), int(cores * 0.6 / _CORE_SHARE)))
    printer = Printer(console, clock.now())
    printer.say("starting a fleet (glitchwatch up) and channels for it to watch")
    printer.say(f"seed {seed} (again: glitchwatch demo --seed {seed})")
    if channels is None and count < len(MAKES):
        printer.say(f"{cores:g} cores carry {count} of {len(MAKES)} channels", "yellow")
    lasts_s = (
        float("inf") if forever else PREROLL * SEGMENT_S + max(seconds - 8.0, 12.0) // SEGMENT_S * SEGMENT_S
    )
    ended = threading.Event()
    before = {n: signal.signal(n, lambda *_: ended.set()) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        with tempfile.TemporaryDirectory(prefix="glitchwatch-demo-") as folder:
            return _run(Path(folder), seed, count, lasts_s, printer, ended, clock)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(
    folder: Path,
    seed: int,
    count: int,
    lasts_s: float,
    printer: Printer,
    ended: threading.Event,
    clock: Clock,
) -> int:
    began_s = clock.monotonic()
    with (folder / "log").open("wb") as log:
        up = Running(folder, 2 if count > 2 else 1, log.fileno())
        source = api = None
        try:
            arguments = ["--seed", str(seed), "--channels", str(count), "--lasts", str(lasts_s)]
            source = Source([*arguments, "--last", str(lasts_s - _TAIL_S)], stderr=log.fileno())
            base, key = up.listening(ended, clock)
            printer.say(f"\nAPI            {base}/v1\ndocumentation  {base}/docs\nkey            {key}\n")
            api = Api(base, key, clock)
            api.follow()
            trial = Trial(source, api, clock)
            trial.onboard()
            _explain(trial, printer)
            _follow(trial, printer, lasts_s, ended, up, clock)
            rows = _covered(trial, ended, clock)
        except httpx.HTTPError as error:
            raise ConfigError(
                f"The API did not answer: {error}.", f"The log says: {_end_of(folder)}"
            ) from error
        finally:
            if api is not None:
                api.close()
            if source is not None:
                source.close()
            made_s = _children_cpu_s()
            up.close()
    wall_s = clock.monotonic() - began_s
    watched_s = _children_cpu_s() - made_s
    printer.say("")
    printer.table(rows)
    printer.delays(rows)
    printer.say(
        f"making the channels took {made_s / wall_s:.2f} of a core, watching them {watched_s / wall_s:.2f}"
    )
    return _conclude(rows, printer)


def _explain(trial: Trial, printer: Printer) -> None:
    for name, channel in trial.source.channels.items():
        printer.say(f"{name:<6} {channel.url}  {channel.make}")
    printer.say(
        "\nThese are live HLS channels made here and onboarded with POST /v1/streams, like anybody's. Faults are put\n"
        "into them on a schedule. Below stands each fault, and what the API says of it; Ctrl-C ends with the verdict.\n"
    )


def _follow(
    trial: Trial, printer: Printer, lasts_s: float, ended: threading.Event, up: Running, clock: Clock
) -> None:
    """Until the channels have ended and the fleet has caught up, or Ctrl-C."""
    until_s: float | None = None
    while not ended.is_set():
        for event in trial.pump():
            printer.event(event, clock.now())
        if up.process.poll() is not None:
            raise ConfigError(
                f"The fleet ended with status {up.process.returncode}.", "Try `glitchwatch up`."
            )
        now_s = clock.monotonic()
        if until_s is None and trial.published_until(lasts_s):
            until_s = now_s + DRAINS_S
        if until_s is not None:
            left_s = until_s - now_s
            if left_s <= 0 or (trial.served_all and left_s <= DRAINS_S - _CAUGHT_UP_S):
                return
    printer.say("ending")


def _covered(trial: Trial, ended: threading.Event, clock: Clock) -> list[Row]:
    """The verdict, once all that was watched has been told, or is late."""
    until_s = clock.monotonic() + _COVERED_S
    while True:
        rows = trial.rows(coverage=True)
        if all(row.unwatched_s < _COVERED_NEARLY_S for row in rows) or clock.monotonic() >= until_s:
            return rows
        if ended.wait(0.5):
            return rows


def _conclude(rows: Sequence[Row], printer: Printer) -> int:
    found = sum(len(row.verdict.found) for row in rows)
    missed = sum(len(row.verdict.missed) for row in rows)
    invented = sum(len(row.verdict.invented) for row in rows)
    good = found > 0 and all(row.clean for row in rows)
    printer.say(
        f"found {found} of {found + missed}, invented {invented}: {'good' if good else 'NOT GOOD'}",
        "bold green" if good else "bold red",
    )
    return 0 if good else 1


class Running:
    """A fleet that `glitchwatch up` runs, with its data in `folder`."""

    def __init__(self, folder: Path, workers: int, stderr: int) -> None:
        self._folder = folder
        environ = {
            k: v for k, v in os.environ.items() if not k.startswith(("WORKER_", "CONTROLLER_", "REDIS_"))
        }
        arguments = ["up", "--workers", str(workers), "--data", str(folder / "data"), "--port", "0"]
        self.process = processes.spawn("glitchwatch.cli", arguments, stderr=stderr, environ=environ)
        self._lines: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, name="up-reader", daemon=True)
        self._reader.start()

    def listening(self, ended: threading.Event, clock: Clock) -> tuple[str, str]:
        """Address of the API and its key, once it listens. Raises ConfigError."""
        until_s = clock.monotonic() + STARTS_S
        key = ""
        while clock.monotonic() < until_s and not ended.is_set():
            try:
                line = self._lines.get(timeout=0.2)
            except queue.Empty:
                continue
            if line is None:
                break
            if line.startswith("API key"):
                key = line.rpartition(" ")[2]
            elif line.startswith("API ") and key:
                return line.split()[1].removesuffix("/v1"), key
        raise ConfigError("The fleet did not come up.", f"The log says: {_end_of(self._folder)}")

    def close(self) -> None:
        """End it, and all that it started."""
        processes.stop(self.process, patience_s=20.0)
        self._reader.join(2.0)
        if self.process.stdout is not None:
            self.process.stdout.close()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._lines.put(None)


def _end_of(folder: Path) -> str:
    return (folder / "log").read_text("utf-8", "replace").strip()[-500:] or "nothing"


def _children_cpu_s() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
