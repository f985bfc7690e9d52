"""`glitchwatch demo`: a live channel of our own with faults on a schedule, watched, and the two compared."""

from __future__ import annotations

import secrets
from itertools import takewhile

from rich.console import Console

from contracts.clock import Clock, SystemClock
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import PICTURE_KINDS, SOUND_KINDS, Schedule, draw
from glitchwatch.origin.server import Origin
from glitchwatch.origin.session import Injected, Said, Session
from glitchwatch.origin.verdict import Verdict

CHANNEL = "demo"
# A jump in loudness is one against the last 20 s: so soon after an overload it would be none.
_SOUND_KINDS = tuple(kind for kind in SOUND_KINDS if kind != "loudness")
_FIRST_S = 11.0  # a viewer begins 2 s into the media that is there at once
_TAIL_S = 4.0  # without faults at the end
_LONGEST_S = 4.5
_GAP_S = (8.0, 9.0)


def run_demo(
    seed: int | None, seconds: float, forever: bool, console: Console, *, clock: Clock | None = None
) -> int:
    """Watch our own channel and print what was injected beside what was found.

    `seed` None draws one. Exit status 0 only when every fault was found and nothing else was reported, 3 when
    the watch itself failed.
    """
    clock = clock or SystemClock()
    seed = secrets.randbelow(1_000_000) if seed is None else seed
    spec = ChannelSpec(CHANNEL, seed=seed)
    last_s = None if forever else seconds + spec.preroll * spec.segment_s - 6.0 - _TAIL_S
    with Origin([(spec, demo_schedule(seed, spec, last_s))], clock=clock) as origin:
        _say(console, f"seed {seed} (again: glitchwatch demo --seed {seed})")
        _say(
            console,
            f"channel {origin.url(CHANNEL)}: {spec.width}x{spec.height}, {spec.fps} pictures a second",
        )
        _say(console, "faults are injected into picture and sound; Ctrl-C ends with the verdict\n")
        session = Session(origin, CHANNEL, for_s=None if forever else seconds, clock=clock)
        try:
            follow(session, console, clock)
            return conclude(session, console)
        finally:
            session.close()


def demo_schedule(seed: int, spec: ChannelSpec, last_s: float | None) -> Schedule:
    """Faults of the picture and faults of the sound, side by side; none ends after `last_s`."""
    lanes = [
        draw(
            seed + lane,
            kinds,
            fps=spec.fps,
            segment_s=spec.segment_s,
            first_s=_FIRST_S + 3.0 * lane,
            gap_s=_GAP_S,
            longest_s=_LONGEST_S,
            programme=spec.programme(),
        )
        for lane, kinds in enumerate((PICTURE_KINDS, _SOUND_KINDS))
    ]
    if last_s is None:
        return Schedule(*lanes)
    return Schedule(*(takewhile(lambda fault: fault.end_s <= last_s, lane) for lane in lanes))


def follow(session: Session, console: Console, clock: Clock) -> None:
    """Print each fault and each defect as they come, until the watch ends or Ctrl-C."""
    begin = clock.now()
    try:
        while not session.ended:
            for event in session.events():
                _print_event(event, session, console, (clock.now() - begin).total_seconds())
    except KeyboardInterrupt:
        _say(console, "ending")
        session.stop()
        while not session.ended:
            for event in session.events():
                _print_event(event, session, console, (clock.now() - begin).total_seconds())


def conclude(session: Session, console: Console) -> int:
    """Print the verdict; the exit status."""
    if session.report is None:
        _say(console, "the watch ended without a report", "bold red")
        _say(console, session.errors())
        return 3
    verdict = session.verdict()
    execution = session.report.get("execution", {})
    _say(console, "")
    print_verdict(verdict, console)
    blind, cpu, wall = (float(execution.get(k) or 0.0) for k in ("blind_s", "cpu_s", "wall_s"))
    _say(
        console,
        f"unwatched {blind:.1f} s of {float(execution.get('watched_s') or 0.0) + blind:.1f} s; "
        f"watching took {cpu / wall if wall else 0.0:.2f} of a core",
    )
    return 0 if verdict.clean and verdict.found else 1


def print_verdict(verdict: Verdict, console: Console) -> None:
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


def _print_event(event: Injected | Said, session: Session, console: Console, at_s: float) -> None:
    at = f"{int(at_s) // 60:02d}:{at_s % 60:04.1f}"
    if isinstance(event, Injected):
        truth = event.truth
        length = (truth.end - truth.start).total_seconds()
        expects = "" if truth.expects else ", which is no defect"
        _say(console, f"{at}  injected  {truth.name:<18}{length:.2f} s{expects}", "cyan")
        return
    report, entry = event.reported, event.entry
    where = report.track or "input"
    if event.edge == "closed":
        length = float(entry["end_s"]) - float(entry["start_s"])
        _say(console, f"{at}  closed    {report.defect:<18}{length:.2f} s on {where}", "dim")
        return
    fits = session.fits(report)
    if fits.found:
        note, style = f"dated {fits.found[0].onset_error_s:+.2f} s from the fault", "green"
    elif fits.consequences or report.severity == "info":
        note, style = f"comes with {report.suppressed_by or 'the fault'}", "dim"
    else:
        note, style = "NOT INJECTED", "red"
    peak = entry.get("peak") or {}
    value = f"{peak['name']} {peak['value']:.4g} {peak['unit']}" if peak else ""
    _say(console, f"{at}  OPENED    {report.defect:<18}{note}; {where}, {value}", style)


def _say(console: Console, text: str, style: str = "") -> None:
    console.print(text, style=style or None, markup=False, highlight=False, soft_wrap=True)
