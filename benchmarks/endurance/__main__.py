"""`python -m benchmarks.endurance delay|rolling|chaos`: six live channels with faults, and what the API says of them.

delay    nothing is broken: how long after publication a fault is known
rolling  all workers are restarted one after the other, again and again
chaos    workers, store, controller and origin are killed, paused and cut off

Prints the verdict; exit status 0 when nothing was missed, invented, doubled or cut short, and the bar was met.
"""

from __future__ import annotations

import argparse
import json
import resource
import secrets
import shutil
import signal
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.endurance.disturbances import Chaos, Disturber, Nothing, Rolling
from benchmarks.endurance.rig import Rig
from contracts.clock import Clock, SystemClock
from glitchwatch.trial.printing import Printer
from glitchwatch.trial.trial import Edge, Row, percentile

MINUTES = {"delay": 4.0, "rolling": 10.0, "chaos": 30.0}
PLANS = {"delay": "media", "rolling": "media", "chaos": "segments"}
DRAINS_S = 20.0  # at most, after the last segment
BAR_S = 1.0  # 95 of 100 faults are known so soon after the segment that makes them certain
BAR_COVERAGE = 0.995


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=sorted(MINUTES))
    parser.add_argument("--minutes", type=float, help="how long; default: " + str(MINUTES))
    parser.add_argument("--seed", type=int, help="repeats faults and breakages; default: drawn and printed")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--channels", type=int, default=6, choices=range(1, 7))
    parser.add_argument("--quiet", action="store_true", help="no line for each fault")
    given = parser.parse_args()
    seed = secrets.randbelow(1_000_000) if given.seed is None else given.seed
    minutes = given.minutes or MINUTES[given.what]
    clock, console = SystemClock(), Console()
    printer = Printer(console, clock.now())
    printer.say(f"{given.what}: {minutes:g} minutes, seed {seed}, {given.workers} workers")
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    folder = Path(tempfile.mkdtemp(prefix="glitchwatch-endurance-"))
    began_s = clock.monotonic()
    rig = Rig(folder, seed, minutes * 60, PLANS[given.what], given.workers, given.channels, clock)
    disturber: Disturber = Nothing()
    try:
        if given.what == "rolling":
            disturber = Rolling(rig)
        elif given.what == "chaos":
            disturber = Chaos(rig, seed)
        _follow(rig, disturber, printer, ended, clock, given.quiet)
        rows = rig.trial.rows(coverage=True)
    finally:
        rig.close()
    wall_s = clock.monotonic() - began_s
    printer.say("")
    printer.table(rows)
    printer.delays(rows)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    printer.say(f"everything took {(used.ru_utime + used.ru_stime) / wall_s:.2f} of a core")
    if isinstance(disturber, Rolling):
        printer.say(f"{disturber.replaced} workers were replaced")
    if isinstance(disturber, Chaos):
        printer.say("; ".join(f"{name} {count}" for name, count in sorted(disturber.counts.items())))
    wrong = _wrong(given.what, rows)
    if wrong:
        printer.say(f"logs are in {folder}")
    else:
        shutil.rmtree(folder, ignore_errors=True)
    found = sum(len(row.verdict.found) for row in rows)
    printer.say(f"found {found}; {'; '.join(wrong) or 'good'}", "bold red" if wrong else "bold green")
    return 1 if wrong else 0


def _follow(
    rig: Rig, disturber: Disturber, printer: Printer, ended: threading.Event, clock: Clock, quiet: bool
) -> None:
    """Until the channels have ended and the fleet has caught up, or Ctrl-C."""
    minute, until_s, began_s = 0, None, clock.monotonic()
    heard = (rig.folder / "events.jsonl").open("w")
    while not ended.is_set():
        for event in rig.trial.pump(0.1):
            if isinstance(event, Edge):
                heard.write(json.dumps({"heard": clock.now().isoformat(), **event.data}) + "\n")
            if not quiet:
                printer.event(event, clock.now())
        for said in disturber.look():
            printer.line(clock.now(), "", said, "yellow")
        now_s = clock.monotonic()
        if (now_s - began_s) // 60 > minute:
            minute = int((now_s - began_s) // 60)
            printer.say(f"{minute} min: {_summary(rig.trial.rows(coverage=False))}", "bold")
        if until_s is None and rig.trial.published_until(rig.lasts_s - 12.0):
            disturber.rest()
        if until_s is None and rig.trial.published_until(rig.lasts_s):
            until_s = now_s + DRAINS_S
        if until_s is not None and (now_s >= until_s or rig.trial.served_all):
            if now_s >= until_s or all(row.unwatched_s < 0.2 for row in rig.trial.rows(coverage=True)):
                return
            clock.sleep(0.5)


def _summary(rows: Sequence[Row]) -> str:
    found = sum(len(row.verdict.found) for row in rows)
    missed = sum(len(row.verdict.missed) for row in rows)
    invented = sum(len(row.verdict.invented) for row in rows)
    return f"found {found}, not yet {missed}, invented {invented}"


def _wrong(what: str, rows: Sequence[Row]) -> list[str]:
    wrong = []
    for word, count in (
        ("missed", sum(len(row.verdict.missed) for row in rows)),
        ("invented or doubled", sum(len(row.verdict.invented) for row in rows)),
        ("cut short", sum(len(row.cut_short) for row in rows)),
    ):
        if count:
            wrong.append(f"{count} {word}")
    delays = [d.after_certain_s for row in rows for d in row.delays]
    if not delays:
        wrong.append("nothing was found")
    elif what == "delay" and percentile(delays, 0.95) > BAR_S:
        wrong.append(f"late: 95 of 100 are known after {percentile(delays, 0.95):.2f} s, not {BAR_S:g}")
    if what == "rolling":
        worst = min(rows, key=lambda row: row.coverage)
        if worst.coverage < BAR_COVERAGE:
            wrong.append(f"{worst.name} was watched for {worst.coverage:.2%} only")
    return wrong


if __name__ == "__main__":
    raise SystemExit(main())
