"""The demo beside a watch that says what the test tells it to: what is printed, and the exit status."""

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from rich.console import Console

from contracts.clock import SystemClock
from glitchwatch.demo import conclude, follow
from glitchwatch.origin import session as sessions
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.server import Origin
from glitchwatch.origin.session import Session

SPEC = ChannelSpec("a", width=160, height=90, segment_s=1, preroll=8, listed=9)
FAULTS = (Fault(KINDS["black"], 1.0, 4.0), Fault(KINDS["silence"], 2.0, 5.0))


def entry(defect: str, start_s: float, end_s: float, **more: Any) -> dict[str, Any]:
    """A defect on the watch's own time, which begins a second after the channel's."""
    track = "audio:0" if defect == "silence" else "video:0"
    peak = {"name": "x", "value": 1.0, "unit": "ratio"}
    return {
        "defect": defect,
        "track": track,
        "start_s": start_s,
        "end_s": end_s,
        "open": False,
        "peak": peak,
    } | more


def demo(
    defects: Sequence[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, *, report: bool = True
) -> tuple[int, str]:
    """Exit status and output of a demo whose watch tells `defects`."""
    out = io.StringIO()
    console = Console(file=out, width=80)
    with Origin([(SPEC, Schedule(FAULTS))]) as origin:
        started = origin.channels["a"].epoch + timedelta(seconds=1)
        lines: list[dict[str, Any]] = []
        for defect in defects:
            at = (started + timedelta(seconds=defect["start_s"])).isoformat()
            lines += [defect | {"type": kind, "start_at": at} for kind in ("opened", "closed")]
        if report:
            execution = {"watched_s": 7.0, "blind_s": 0.5, "cpu_s": 1.0, "wall_s": 4.0}
            lines.append(
                {
                    "type": "report",
                    "input": {"started_at": started.isoformat()},
                    "defects": list(defects),
                    "execution": execution,
                }
            )
        text = "".join(json.dumps(line) + "\n" for line in lines)

        def spawn(module: str, arguments: Sequence[str], *, stderr: int) -> "subprocess.Popen[str]":
            assert (module, arguments[:2]) == ("glitchwatch.cli", ["watch", origin.url("a")])
            code = f"import sys; sys.stdout.write({text!r}); sys.stderr.write('what went wrong')"
            return subprocess.Popen(
                [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=stderr, text=True
            )

        monkeypatch.setattr(sessions, "spawn", spawn)
        session = Session(origin, "a", for_s=5, clock=SystemClock())
        try:
            follow(session, console, SystemClock())
            status = conclude(session, console)
        finally:
            session.close()
    return status, out.getvalue()


RIGHT = (entry("black", 0.0, 3.0), entry("silence", 1.04, 4.0))


def test_everything_found_is_success(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = demo(RIGHT, monkeypatch)
    assert "found 2 of 2, missed 0, false alarms 0" in text
    assert "unwatched 0.5 s of 7.5 s; watching took 0.25 of a core" in text
    assert status == 0
    lines = text.splitlines()
    assert sum("injected" in line for line in lines) == 2
    assert any("OPENED    silence" in line and "dated +0.04 s from the fault" in line for line in lines)
    assert any("closed    black" in line and "3.00 s on video:0" in line for line in lines)
    assert "\x1b" not in text


def test_a_miss_and_an_invention_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = demo([RIGHT[0], entry("freeze", 4.9, 6.0, track="video:0")], monkeypatch)
    assert status == 1
    assert "missed       silence at" in text
    assert "false alarm  freeze at" in text
    assert "NOT INJECTED" in text
    assert "found 1 of 2, missed 1, false alarms 1" in text


def test_a_watch_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    status, text = demo(RIGHT, monkeypatch, report=False)
    assert status == 3
    assert "what went wrong" in text
