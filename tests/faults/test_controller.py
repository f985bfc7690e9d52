"""The controller goes: workers go on, what they find waits, and is taken in once when one is back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.faults.fleet import ROOT, channel, fault, fleet, measured, until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

KEY = "a-key-of-this-test"


class Controller:
    """One `python -m controller.main`."""

    def __init__(self, redis_url: str, folder: Path, name: str) -> None:
        environ = {k: v for k, v in os.environ.items() if not k.startswith("CONTROLLER_")}
        given = {"PORT": "0", "API_KEY": KEY, "ALLOW_PRIVATE": "true", "RECONCILE_S": "1"}
        with (folder / f"{name}.log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "controller.main"], cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True,
                env={**environ, "REDIS_URL": redis_url, **{f"CONTROLLER_{k}": v for k, v in given.items()}},
            )  # fmt: skip
        assert self.process.stdout is not None
        line = next(line for line in self.process.stdout if line.startswith("Listening on "))
        headers = {"Authorization": f"Bearer {KEY}"}
        self.http = httpx.Client(base_url=line.split()[2], headers=headers, timeout=10)

    def handled(self, what: str) -> float:
        """How many edges of one kind it took in."""
        name = f'findings_handled_total{{what="{what}"}} '
        lines = [line for line in self.http.get("/metrics").text.splitlines() if name in line]
        return float(lines[0].rpartition(" ")[2]) if lines else 0.0

    def end(self, number: signal.Signals) -> None:
        self.http.close()
        self.process.send_signal(number)
        self.process.wait(15)
        assert self.process.stdout is not None
        self.process.stdout.close()


def test_without_a_controller_workers_go_on_and_their_edges_wait_for_the_next(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 18, 22))) as made:
        first = Controller(made.store.url, tmp_path, "controller-1")
        second: Controller | None = None
        try:
            body: dict[str, Any] = {"detectors": {"black": {"min_seconds": 0.5}}}
            assert first.http.put("/v1/profiles/quick", json=body).status_code == 201
            worker = made.worker()
            asked = {"url": made.origin.url("a"), "name": "a", "profile": "quick"}
            made.streams["a"] = first.http.post("/v1/streams", json=asked).json()["id"]
            until(lambda: made.decoding(worker, 1), 30, "pictures")
            before, pids = made.holders(), worker.watch_pids
            first.end(signal.SIGKILL)
            until(lambda: made.said("a", "black") == ["opened", "closed"], 40, "the black, found meanwhile")
            assert made.holders() == before
            assert worker.watch_pids == pids
            second = back = Controller(made.store.url, tmp_path, "controller-2")
            _, took = until(lambda: back.handled("closed") >= 1, 20, "what had waited")
            measured("controller back -> edges taken in", took)
            assert (back.handled("opened"), back.handled("closed")) == (1, 1)
            [found] = back.http.get(f"/v1/streams/{made.streams['a']}/defects").json()["closed"]
            assert (found["defect"], found["closed_because"]) == ("black", "ended")
            assert made.holders() == before
        finally:
            if second is not None:
                second.end(signal.SIGTERM)
