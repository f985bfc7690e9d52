"""A long run against our own channel, with every kind of fault: what was missed, invented and not watched, and
whether memory and descriptors stayed flat.

Run it with `python -m glitchwatch.origin.soak --minutes 30`.
"""

from __future__ import annotations

import argparse
import secrets
from collections import Counter
from dataclasses import replace

from rich.console import Console

from contracts.clock import Clock, SystemClock
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.encode import VIDEO_HZ
from glitchwatch.origin.faults import ALL_KINDS, KINDS, Schedule, Truth, draw
from glitchwatch.origin.mpegts import WRAP
from glitchwatch.origin.server import Origin
from glitchwatch.origin.session import Said, Session
from glitchwatch.origin.verdict import Verdict

CHANNEL = "soak"
_FIRST_S = 14.0
_SETTLED_S = 120.0  # memory is compared with this moment
_GAP_S = (8.0, 14.0)
_WRAP_AFTER_S = 100.0


def run_soak(
    minutes: float,
    seed: int | None,
    console: Console,
    *,
    kinds: tuple[str, ...] = ALL_KINDS,
    muxed: bool = False,
    clock: Clock | None = None,
) -> int:
    """Watch for `minutes` and print the verdict; 0 only when nothing was missed and nothing invented."""
    clock = clock or SystemClock()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    # The list is longer than any outage, so that nothing is lost when the origin comes back.
    spec = ChannelSpec(CHANNEL, seed=seed, muxed=muxed, listed=10, kept=20)
    if muxed:  # time stamps of 33 bits run over on the way
        spec = replace(spec, clock_start_s=WRAP / VIDEO_HZ - _WRAP_AFTER_S)
    faults = draw(
        seed,
        kinds,
        fps=spec.fps,
        segment_s=spec.segment_s,
        first_s=_FIRST_S,
        gap_s=_GAP_S,
        programme=spec.programme(),
    )
    with Origin([(spec, Schedule(faults, remember=20_000))], clock=clock) as origin:
        console.print(
            f"seed {seed}, {minutes:g} minutes of {origin.url(CHANNEL)}", highlight=False, soft_wrap=True
        )
        session = Session(origin, CHANNEL, for_s=minutes * 60, clock=clock, remember=20_000)
        try:
            return _follow(session, console, clock, minutes * 60)
        finally:
            session.close()


def _follow(session: Session, console: Console, clock: Clock, seconds: float) -> int:
    begin = clock.monotonic()
    minute = 0
    settled: tuple[int | None, int | None] = (None, None)
    last: tuple[int | None, int | None] = (None, None)
    while not session.ended:
        for event in session.events(1.0):
            if isinstance(event, Said) and event.edge == "opened" and _unexplained(session, event):
                at = f"{event.reported.start:%H:%M:%S.%f}"[:-4]
                detail = event.entry.get("detail") or event.entry.get("peak")
                console.print(
                    f"unexplained {event.reported.defect} at {at}: {detail}", highlight=False, soft_wrap=True
                )
        elapsed = clock.monotonic() - begin
        now = (session.memory_kb(), session.descriptors())
        if now[0] is not None and elapsed <= seconds:
            last = now
            if settled[0] is None and elapsed >= min(_SETTLED_S, seconds / 2):
                settled = now
        if last[0] is not None and elapsed // 60 > minute:
            minute = int(elapsed // 60)
            console.print(
                f"{minute} min: {last[0] / 1024:.1f} MB, {session.verdict().summary()}",
                highlight=False,
                soft_wrap=True,
            )
    return _conclude(session, console, settled, last)


def _print_verdict(verdict: Verdict, console: Console) -> None:
    """Everything missed and invented, then the summary."""
    for truth in verdict.missed:
        length = (truth.end - truth.start).total_seconds()
        _say(
            console,
            f"missed       {truth.name} at {truth.start:%H:%M:%S.%f}"[:-4] + f", {length:.2f} s",
            "red",
        )
    for report in verdict.invented:
        _say(
            console,
            f"false alarm  {report.defect} at {report.start:%H:%M:%S.%f}"[:-4] + f", {report.track}",
            "red",
        )
    if verdict.unjudged:
        names = ", ".join(truth.name for truth in verdict.unjudged)
        _say(console, f"not judged, as they were not watched from beginning to end: {names}")
    _say(console, verdict.summary(), "bold green" if verdict.clean and verdict.found else "bold red")


def _unexplained(session: Session, event: Said) -> bool:
    return bool(session.fits(event.reported).invented)


def _conclude(
    session: Session,
    console: Console,
    settled: tuple[int | None, int | None],
    last: tuple[int | None, int | None],
) -> int:
    if session.report is None:
        console.print(
            f"the watch ended without a report\n{session.errors()}",
            highlight=False,
            soft_wrap=True,
            markup=False,
        )
        return 3
    verdict = session.verdict()
    execution = session.report.get("execution", {})
    _print_verdict(verdict, console)
    found = Counter(pair.truth.name for pair in verdict.found)
    missed = Counter(truth.name for truth in verdict.missed)
    for name in KINDS:
        if found[name] + missed[name]:
            console.print(
                f"  {name:<18} {found[name]} of {found[name] + missed[name]}", highlight=False, soft_wrap=True
            )
    away = sum(_away_s(pair.truth) for pair in verdict.found)
    console.print(
        f"unwatched {float(execution.get('blind_s') or 0.0):.1f} s (the origin was away or stalled for {away:.1f} s), "
        f"watched {float(execution.get('watched_s') or 0.0):.1f} s",
        highlight=False,
        soft_wrap=True,
    )
    if settled[0] is not None and last[0] is not None:
        console.print(
            f"memory {settled[0] / 1024:.1f} MB -> {last[0] / 1024:.1f} MB "
            f"({(last[0] - settled[0]) / 1024:+.1f} MB), descriptors {settled[1]} -> {last[1]}",
            highlight=False,
            soft_wrap=True,
        )
    return 0 if verdict.clean and verdict.found else 1


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)


def _away_s(truth: Truth) -> float:
    return (truth.end - truth.start).total_seconds() if "source_stalled" in truth.expects else 0.0


def main() -> None:
    """The command line of `make soak`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=30.0, help="how long (minutes)")
    parser.add_argument("--seed", type=int, default=None, help="repeats a run; drawn when not given")
    parser.add_argument(
        "--muxed", action="store_true", help="MPEG-TS segments with picture and sound together"
    )
    parser.add_argument("--kinds", default=",".join(ALL_KINDS), help="faults to draw from, comma-separated")
    given = parser.parse_args()
    kinds = tuple(given.kinds.split(","))
    if unknown := set(kinds) - set(ALL_KINDS):
        parser.error(f"no such fault: {', '.join(sorted(unknown))}; known: {', '.join(ALL_KINDS)}")
    raise SystemExit(run_soak(given.minutes, given.seed, Console(), kinds=kinds, muxed=given.muxed))


if __name__ == "__main__":
    main()
