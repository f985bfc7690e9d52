"""Run a program to its end and say what it used: CPU time of user and system, and most memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.sources import ROOT

PYTHON = (sys.executable, "-c")
CHECK = (*PYTHON, "from glitchwatch.cli import main; main()", "check")
LAUNCH = Path(__file__).with_name("launch.py")
MOST_S = 1800.0  # no run takes so long
FLOOR = (sys.executable, "-m", "benchmarks.floor")


@dataclass(frozen=True, slots=True)
class Usage:
    """What one finished child used (getrusage(2))."""

    cpu_s: float
    most_mb: float


def run(command: Sequence[str | Path], *, good: frozenset[int] = frozenset({0})) -> Usage:
    """Run `command` in the checkout, its words discarded. Raises RuntimeError on another exit status than `good`."""
    words = [str(part) for part in command]
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", str(LAUNCH), *words],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
    )
    try:
        said, _ = child.communicate(timeout=MOST_S)
    except BaseException:
        child.send_signal(signal.SIGINT)  # it takes its own child along
        child.wait()
        raise
    if child.returncode != 0:
        raise RuntimeError(f"Could not be started: {' '.join(words)}")
    cpu_s, resident, status = json.loads(said)
    if status not in good:
        raise RuntimeError(f"Exit status {status} of: {' '.join(words)}")
    per_mb = 1 << 20 if sys.platform == "darwin" else 1 << 10
    return Usage(cpu_s, resident / per_mb)


def output(command: Sequence[str], *, good: frozenset[int] = frozenset({0})) -> str:
    """The standard output of a command; empty when it fails."""
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    return done.stdout if done.returncode in good else ""
