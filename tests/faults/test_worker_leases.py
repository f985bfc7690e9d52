"""Who watches when a worker or the store goes: nothing lost, nothing twice, within the stated times."""

from __future__ import annotations

import os
import signal
import time
from datetime import datetime
from pathlib import Path

import pytest

from contracts.profile import DetectorChoice, Profile
from tests.faults.fleet import SLACK, Cut, Worker, alive, channel, fault, fleet, measured, until

pytestmark = [pytest.mark.faults, pytest.mark.slow]

QUICK = Profile(name="quick", detectors={"black": DetectorChoice.model_validate({"min_seconds": 0.5})})


def test_when_a_worker_is_killed_others_watch_its_streams_within_five_seconds(tmp_path: Path) -> None:
    black = fault("black", 14, 32)
    with fleet(tmp_path, channel("a", black), channel("bb"), channel("ccc")) as made:
        first = made.worker()
        made.onboard(profile=QUICK)
        until(lambda: made.held_by(first) == 3, 20, "three leases")
        second = made.worker()
        until(lambda: made.said("a", "black") == ["opened"], 40, "the black")
        until(lambda: second.words("worker_started"), 20, "the second worker")
        epochs = {name: epoch for name, (epoch, _) in made.holders().items()}
        first.kill()
        _, took = until(
            lambda: made.held_by(second) == 3 and len(second.watch_pids) == 3, 20, "all taken over"
        )
        measured("SIGKILL of a worker -> its streams watched by another", took)
        assert took <= 5.0 * SLACK
        assert all(epoch > epochs[name] for name, (epoch, _) in made.holders().items())
        until(lambda: made.said("a", "black")[-1:] == ["closed"], 40, "the end of the black")
        said = [word for word in made.said("a", "black") if word != "updated"]
        assert said == ["opened", "unconfirmed", "confirmed", "closed"]
        [(_, start, end)] = [edge for edge in made.edges("a", "closed") if edge[0] == "black"]
        assert end - start == pytest.approx(18.0, abs=0.1)


def test_a_worker_that_is_told_to_end_hands_over_within_a_second(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 14, 28)), channel("bb")) as made:
        first = made.worker()
        made.onboard(profile=QUICK)
        until(lambda: made.held_by(first) == 2, 20, "two leases")
        second = made.worker()
        until(lambda: made.said("a", "black") == ["opened"], 40, "the black")
        until(lambda: second.words("worker_started"), 20, "the second worker")
        assert first.stop() == 0
        until(lambda: len(second.watch_pids) == 2, 20, "all taken over")
        ended = {w["assignment"]: moment(w) for w in first.words("watch_ended")}
        begun = {w["assignment"]: moment(w) for w in second.words("watch_started")}
        gaps = [(begun[name] - ended[name]).total_seconds() for name in begun]
        measured("SIGTERM of a worker -> longest gap of a stream", max(gaps))
        assert max(gaps) <= 1.0 * SLACK
        assert "closed" not in made.said("a", "black")
        until(lambda: made.said("a", "black")[-1:] == ["closed"], 40, "the end of the black")
        said = [word for word in made.said("a", "black") if word != "updated"]
        assert said == ["opened", "unconfirmed", "confirmed", "closed"]
        assert all(not alive(pid) for pid in first.watch_pids.values())


def moment(words: dict[str, str]) -> datetime:
    return datetime.fromisoformat(words["timestamp"])


@pytest.mark.parametrize("how", ["hangs", "restarts"])
def test_while_the_store_is_away_watches_go_on_and_their_findings_are_held(tmp_path: Path, how: str) -> None:
    with fleet(tmp_path, channel("a", fault("black", 20, 23)), channel("bb")) as made:
        first = made.worker()
        made.onboard(profile=QUICK)
        until(lambda: made.held_by(first) == 2, 20, "two leases")
        second = made.worker()
        until(lambda: second.words("worker_started") and made.decoding(first, 2), 20, "both workers")
        before = made.holders()
        if how == "hangs":
            os.kill(made.store.process.pid, signal.SIGSTOP)
        else:
            made.store.kill()
        began = time.monotonic()
        until(lambda: watched_to(first, "a") >= 24, 30, "media after the black, decoded without the store")
        away_s = 30 if how == "hangs" else 10
        until(lambda: time.monotonic() - began > away_s, away_s + 2, "the end of the outage")
        if how == "hangs":
            os.kill(made.store.process.pid, signal.SIGCONT)
        else:
            made.restart_store()
        _, took = until(lambda: made.said("a", "black") == ["opened", "closed"], 20, "what was held")
        measured(f"the store {how}, {away_s} s away -> findings accepted", took)
        assert took <= 5.0 * SLACK
        time.sleep(4)
        assert made.holders() == before
        assert made.said("a", "black") == ["opened", "closed"]
        assert not first.words("watch_ended")
        assert not second.words("watch_started")


def watched_to(worker: Worker, name: str) -> float:
    """Media seconds of the channel that have been decoded; it was joined six seconds behind its live edge."""
    frames = [int(w["frames"]) for w in worker.health()["each"]]
    return min(frames) / 25 + 2


def test_a_worker_cut_off_from_the_store_alone_is_fenced(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 14, 30))) as made:
        wire = Cut(made.store.url)
        try:
            first = made.worker(url=wire.url)
            made.onboard(profile=QUICK)
            until(lambda: made.held_by(first) == 1, 20, "the lease")
            second = made.worker()
            until(lambda: made.said("a", "black") == ["opened"], 40, "the black")
            until(lambda: second.words("worker_started"), 20, "the second worker")
            wire.whole = False
            _, took = until(lambda: made.held_by(second) == 1, 20, "the other takes over")
            measured("worker cut off from the store alone -> taken over", took)
            assert took <= 5.0 * SLACK
            until(lambda: made.said("a", "black")[-1:] == ["closed"], 40, "the end of the black")
            assert first.watch_pids  # it cannot know
            wire.whole = True
            until(lambda: first.words("lease_gone"), 5, "the ghost learns of it")
            until(lambda: not first.watch_pids, 3, "the ghost's watch ends")
            time.sleep(2)
            said = [word for word in made.said("a", "black") if word != "updated"]
            assert said == ["opened", "unconfirmed", "confirmed", "closed"]
            assert made.held_by(second) == 1
        finally:
            wire.close()


def test_a_worker_killed_right_after_an_edge_leaves_nothing_to_be_said_again(tmp_path: Path) -> None:
    with fleet(tmp_path, channel("a", fault("black", 14, 18))) as made:
        first = made.worker()
        made.onboard(profile=QUICK)
        until(lambda: made.held_by(first) == 1, 20, "the lease")
        second = made.worker()
        until(lambda: second.words("worker_started"), 20, "the second worker")
        until(lambda: made.said("a", "black") == ["opened", "closed"], 40, "the black")
        first.kill()  # its checkpoint, a second behind at most, knows nothing of the end
        until(lambda: made.decoding(second, 1), 20, "pictures of the second")
        place = made.checkpoint_ns()
        until(
            lambda: min(made.checkpoint_ns().values()) > max(*place.values(), 22_000_000_000),
            30,
            "media after it",
        )
        assert made.said("a", "black") == ["opened", "closed"]
