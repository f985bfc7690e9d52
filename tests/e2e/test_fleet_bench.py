"""`make bench-fleet`, much smaller: everything is assigned, what the killed held moves, and nothing is held twice."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_small_fleet_assigns_moves_and_holds_nothing_twice() -> None:
    size = ["--streams", "25", "--workers", "12", "--leases", "20", "--steady-s", "1"]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.fleet", *size, "--json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.stdout, done.stderr[-3000:]
    seen = json.loads(done.stdout)
    assert seen["assignments"] == 100
    assert seen["killed"] == 4  # one of each group
    assert 0 < seen["leases_killed"] < 100
    assert seen["moved_s"] > 0
    assert seen["twice"] == 0
    assert seen["round_trips"] > 0
    assert seen["store_mb"] > 0
