"""What a supervisor makes of the words of one watch's process."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from contracts.clock import ManualClock
from contracts.fleet import (
    Assignment,
    Checkpoint,
    CoverageBody,
    DetectorGroup,
    Grant,
    Lease,
    Stream,
    StreamSource,
    StreamSpec,
)
from contracts.profile import Mode
from detectors.catalogue import Seat, load
from detectors.frame import Frame
from worker.again import Again
from worker.frames import pack
from worker.lease import Granted
from worker.pipeline import Pipeline
from worker.watching import Watching

S = 1_000_000_000
SPEC = StreamSpec(name="one", source=StreamSource(url="http://origin.example/master.m3u8"))


class Held:
    """A lease, and what its process says."""

    def __init__(self, checkpoint: Checkpoint | None = None) -> None:
        self.clock = ManualClock()
        self.added: list[CoverageBody] = []
        stream = Stream("s000000001abcdefgh", 1, SPEC)
        lease = Lease(Assignment(stream.id, "highest", "all", "1"), "worker-1", 7, 0)
        granted = Granted(Grant(lease, stream, checkpoint, ()), None, DetectorGroup(name="all"))
        self.watching = Watching(granted, self.clock, self.put)
        self.launch()

    def launch(self) -> None:
        """Its process is started, once more where there was one."""
        self.watching.config()
        self.ours, theirs = socket.socketpair()
        self.watching.launched(1, theirs)

    def die(self) -> None:
        """Its process is killed."""
        self.ours.close()
        self.watching.exited(-9)

    def put(self, assignment: str, epoch: int, body: Any) -> int:
        self.added += [body] if isinstance(body, CoverageBody) else []
        return len(self.added)

    def says(
        self,
        ends_s: Mapping[str, float],
        watched_s: Mapping[tuple[str, str | None], float],
        again_s: Mapping[str, float] | None = None,
    ) -> None:
        rows = [
            {
                "detector": name, "track": track, "watched_ms": round(1000 * seconds), "degraded_ms": 0,
                "again_ms": round(1000 * (again_s or {}).get(track or "", 0)), "blind_ms": 0,
                "cpu_ms_per_s": 1.0, "fault": None,
            }
            for (name, track), seconds in watched_s.items()
        ]  # fmt: skip
        ends = {track: round(at * S) for track, at in ends_s.items()}
        self.ours.sendall(
            pack(
                {
                    "edges": [], "measured": [], "loops": 1, "frames": 1, "media_ns": ends[""],
                    "ends_ns": ends,
                    "lag_s": 0.0, "blind": [], "step": 0, "open": [], "last": False, "coverage": rows,
                    "checkpoint": {
                        "reading": {"renditions": {"main": [12, 0, ends[""]]}, "position_ns": ends[""]},
                        "zero_at": None, "said": {},
                    },
                    "fetches": [], "decoder": [],
                }
            )
        )  # fmt: skip
        assert self.watching.hear()

    def total(self, detector: str) -> float:
        """Seconds of `detector` that were told in all."""
        return sum(body.added.get(detector, (0, 0, 0))[0] for body in self.added) / 1000


@pytest.fixture
def place() -> Checkpoint:
    """Left by a watch whose sound had got two seconds farther than its picture."""
    before = Held()
    before.says(
        {"": 20, "video:0": 18, "audio:0": 20},
        {("black", "video:0"): 18, ("silence", "audio:0"): 20, ("source_stalled", None): 20},
    )
    assert (before.total("black"), before.total("silence"), before.total("source_stalled")) == (18, 20, 20)
    made = before.watching.checkpoint(done=1)
    assert made is not None
    before.die()
    return Checkpoint.model_validate_json(made.model_dump_json())


def test_media_that_comes_once_more_counts_once_on_each_track(place: Checkpoint) -> None:
    after = Held(place)
    covered = after.watching.config()["covered_ns"]
    assert covered == {"": 20 * S, "video:0": 18 * S, "audio:0": 20 * S}
    again = {"": 10, "video:0": 8, "audio:0": 8}
    after.says(
        {"": 17, "video:0": 17, "audio:0": 16},
        {("black", "video:0"): 7, ("silence", "audio:0"): 4, ("source_stalled", None): 7},
        {"": 7, "video:0": 7, "audio:0": 4},
    )
    assert [after.total(name) for name in ("black", "silence", "source_stalled")] == [0, 0, 0]
    after.says(
        {"": 26, "video:0": 25, "audio:0": 26},
        {("black", "video:0"): 15, ("silence", "audio:0"): 14, ("source_stalled", None): 16},
        again,
    )
    assert [after.total(name) for name in ("black", "silence", "source_stalled")] == [7, 6, 6]
    after.die()


def test_a_process_that_dies_takes_only_what_it_had_not_told(place: Checkpoint) -> None:
    after = Held(place)
    after.says({"": 24, "video:0": 24}, {("black", "video:0"): 14}, {"video:0": 8})
    after.die()
    after.launch()
    assert after.watching.config()["covered_ns"]["video:0"] == 24 * S
    after.says({"": 30, "video:0": 30}, {("black", "video:0"): 14}, {"video:0": 8})
    assert after.total("black") == 30 - 18
    after.die()


def test_what_was_counted_before_is_what_was_watched_there_without_holes() -> None:
    black = load()["black"]
    pipeline = Pipeline([Seat(black, black.Params(), Mode.CHECK)])
    again = Again({"": 20 * S, "video:0": 18 * S})
    for second in [*range(10, 13), *range(16, 25)]:  # three seconds of it never came
        frame = Frame("video:0", second * S, S, np.full((36, 64), 120, np.uint8), joins=second != 16)
        pipeline.push(frame)
        again.see(frame, pipeline)
    assert pipeline.watched_of("video:0") == 12 * S
    assert again.milliseconds("video:0") == 5000
    assert again.milliseconds(None) == 7000
    assert again.milliseconds("audio:0") == 0
