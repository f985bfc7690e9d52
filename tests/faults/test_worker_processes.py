"""What a watch's process may do, and what becomes of it: killed, hung, broken from inside."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from contracts.fleet import EdgeBody
from contracts.profile import DetectorChoice, Profile
from tests.faults.fleet import SLACK, alive, channel, fault, fleet, measured, until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

QUICK = Profile(name="quick", detectors={"black": DetectorChoice.model_validate({"min_seconds": 0.5})})


def test_a_killed_watch_runs_again_within_two_seconds_under_the_same_lease(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 14, 24))) as made:
        worker = made.worker()
        made.onboard(profile=QUICK)
        until(lambda: made.said("a", "black") == ["opened"], 30, "the black")
        before = made.holders()
        [(name, pid)] = worker.watch_pids.items()
        os.kill(pid, signal.SIGKILL)
        _, took = until(lambda: worker.watch_pids.get(name, pid) != pid, 10, "another process")
        measured("SIGKILL of a watch -> watched again", took)
        assert took <= 2.0 * SLACK
        until(lambda: made.said("a", "black")[-1:] == ["closed"], 30, "the end of the black")
        assert made.holders() == before
        said = made.said("a", "black")
        assert said.count("opened") == said.count("closed") == 1
        [(_, start, end)] = [edge for edge in made.edges("a", "closed") if edge[0] == "black"]
        assert end - start == pytest.approx(10.0, abs=0.1)


def test_a_hung_watch_is_replaced(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a")) as made:
        worker = made.worker()
        made.onboard(read_timeout_s=1.5)
        until(lambda: made.decoding(worker, 1), 30, "pictures")
        [(name, pid)] = worker.watch_pids.items()
        os.kill(pid, signal.SIGSTOP)
        _, took = until(lambda: worker.watch_pids.get(name, pid) != pid, 20, "another process")
        measured("SIGSTOP of a watch -> replaced, with a read time-out of 1.5 s", took)
        assert 1.5 <= took <= (2 * 1.5 + 2.0) * SLACK
        assert worker.words("watch_hung")
        until(lambda: made.decoding(worker, 1), 15, "pictures again")


def test_a_detector_that_breaks_is_set_aside_and_the_others_go_on(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 18, 23))) as made:
        worker = made.worker(catalogue="tests.faults.broken", watch_memory_bytes=str(160 * 1024 * 1024))
        made.onboard(profile=QUICK)
        until(lambda: made.said("a", "black") == ["opened", "closed"], 40, "the black found all the same")
        until(lambda: len(made.said("a", "detector_fault")) >= 3, 10, "three quarantines")
        bodies = [e.body for e in made.events() if isinstance(e.body, EdgeBody)]
        faults = {body.channel: body.detail for body in bodies if body.defect == "detector_fault"}
        assert set(faults) == {"raises", "loops", "eats"}
        assert "did not return" in (faults["loops"] or "")
        assert "Memory" in (faults["eats"] or "")
        assert not worker.words("watch_ended")


def test_nothing_outlives_a_killed_worker(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a"), channel("bb")) as made:
        worker = made.worker()
        made.onboard()
        until(lambda: made.decoding(worker, 2), 30, "pictures")
        watches = list(worker.watch_pids.values())
        warm = {
            int(Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[1]) for pid in watches
        }
        worker.kill()
        until(lambda: not any(alive(pid) for pid in [*watches, *warm]), 3, "the end of all processes")
