"""A watch: from open to verdict, whatever the source does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import ManualClock
from contracts.errors import SourceForbidden, SourceStalled, SourceUnreachable
from contracts.findings import DefectEdge, Finding
from contracts.profile import Profile
from contracts.report import Report
from detectors.catalogue import bind, load
from detectors.events import Event, Source, Tick
from tests.media import Video, clip, write
from tests.patterns import BLACK, flat, frames, panning
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.watch import Listener, Watch

SECOND = 1_000_000_000
SEATS = bind(load(), Profile())


class Script:
    """A reading that plays a list: events, None for a pause of a second, an exception to raise."""

    def __init__(self, clock: ManualClock, steps: list[Any]) -> None:
        self.about = About()
        self.closed = 0
        self._clock, self._steps = clock, steps

    def events(self) -> Iterator[Event | None]:
        for step in self._steps:
            if isinstance(step, Exception):
                raise step
            if step is None:
                self._clock.advance(1.0)
            yield step

    def checkpoint(self) -> dict[str, Any]:
        return {}

    def close(self) -> None:
        self.closed += 1


class Scene:
    """A watch over a script."""

    def __init__(
        self, steps: list[Any], *, live: bool = False, url: str = "http://u:p@127.0.0.1/a?t=s"
    ) -> None:
        self.clock = ManualClock()
        self.heard: list[Finding] = []
        self.sources: list[Source] = []
        listener = Listener(finding=self.heard.append, source=self.sources.append)
        self.watch = Watch(url, SEATS, version="0", clock=self.clock, live=live, listener=listener)
        self.script = Script(self.clock, steps)
        self.watch._reading = self.script  # type: ignore[assignment]

    def run(self, **kwargs: Any) -> Report:
        return self.watch.run(**kwargs)


def played(seconds: float, *, start_s: float = 0.0, black: bool = False) -> list[Event]:
    shown = [flat(BLACK)] * round(seconds * 25) if black else panning(seconds)
    out: list[Event] = []
    for frame in frames(shown, start_s=start_s):
        out += [frame, Tick(frame.end_ns)]
    return out


def test_to_the_end_is_complete() -> None:
    scene = Scene([Source(0, None), *played(3)])
    report = scene.run()
    assert (report.execution.status, report.execution.reason) == ("complete", None)
    assert report.execution.watched_s == pytest.approx(3.0)
    assert report.input.duration_s == pytest.approx(3.0)
    assert report.input.url == "http://127.0.0.1/a?t=***"
    assert report.exit_status == 0
    assert scene.script.closed == 1


def test_a_defect_is_heard_when_it_opens_and_kept() -> None:
    scene = Scene([*played(1), *played(3, start_s=1, black=True), *played(1, start_s=4)])
    report = scene.run()
    told = [
        (f.edge.value, f.at_ns / SECOND)
        for f in scene.heard
        if isinstance(f, DefectEdge) and f.defect == "black"
    ]
    assert told == [("opened", 1.0), ("closed", 4.0)]
    (black,) = [d for d in report.defects if d.defect == "black"]
    assert (black.start_s, black.end_s, black.open) == (1.0, 4.0, False)
    assert report.exit_status == 1
    assert scene.watch.evidence.shots[0].key[0] == "black"


def test_what_is_open_at_the_end_is_open() -> None:
    report = Scene([*played(1), *played(3, start_s=1, black=True)]).run()
    (black,) = [d for d in report.defects if d.defect == "black"]
    assert (black.open, black.end_s) == (True, 4.0)


@pytest.mark.parametrize("error", [SourceUnreachable("gone"), SourceStalled("still"), SourceForbidden("no")])
def test_a_source_that_never_was_is_failed_and_blind(error: Exception) -> None:
    scene = Scene([error])
    report = scene.run()
    assert report.execution.status == "failed"
    assert report.exit_status == 3
    assert [d.family for d in report.defects] == ["transport"]
    assert report.defects[0].detail == str(error)
    assert scene.sources[-1].blind
    assert scene.script.closed == 1


def test_a_source_that_breaks_off_is_partial_and_keeps_what_was_seen() -> None:
    report = Scene([*played(3, black=True), SourceStalled("10 s without a byte.")]).run()
    assert report.execution.status == "partial"
    assert report.execution.watched_s == pytest.approx(3.0)
    assert {d.defect for d in report.defects if d.suppressed_by is None} == {"black", "source_stalled"}


def test_an_early_end_is_partial() -> None:
    scene = Scene(played(2))
    scene.script.about.incomplete = "It ends after 2 of 4 s: truncated."
    report = scene.run()
    assert (report.execution.status, report.execution.reason) == (
        "partial",
        "It ends after 2 of 4 s: truncated.",
    )


def test_nothing_at_all_is_failed_and_says_so() -> None:
    report = Scene([None, None]).run()
    assert report.execution.status == "failed"
    assert report.execution.reason


@pytest.mark.parametrize(("live", "status"), [(False, "partial"), (True, "complete")])
def test_stopped_by_the_user(live: bool, status: str) -> None:
    scene = Scene(played(10), live=live)

    def stop_late(finding: Finding) -> None:
        if finding.at_ns >= 2 * SECOND:
            scene.watch.stop("Stopped.")

    scene.watch._listener = Listener(finding=stop_late)
    report = scene.run()
    assert (report.execution.status, report.execution.reason) == (status, "Stopped.")
    assert 2.0 <= report.execution.watched_s < 4.0
    assert scene.watch.stopped


def test_for_so_long_of_wall_time() -> None:
    scene = Scene([*played(1), *[None] * 100], live=True)
    report = scene.run(for_s=5.0)
    assert report.execution.status == "complete"
    assert report.execution.wall_s == pytest.approx(5.0, abs=1.1)


def test_blindness_that_recovers_is_a_defect_and_counted_once() -> None:
    lost = [Source((2 + i) * SECOND, "source_stalled", "nothing new") for i in range(4)]
    scene = Scene([*played(2), *lost, Source(6 * SECOND, None), *played(2, start_s=2)], live=True)
    report = scene.run()
    assert report.execution.blind_s == 4.0
    assert report.execution.watched_s == pytest.approx(4.0)
    (stalled,) = [d for d in report.defects if d.defect == "source_stalled"]
    assert (stalled.start_s, stalled.end_s, stalled.open) == (2.0, 6.0, False)
    assert scene.watch.progress.media_s <= 4.0


def test_a_live_watch_begins_by_the_clock_and_a_file_does_not() -> None:
    assert Scene(played(1), live=True).run().input.started_at == datetime(2026, 1, 1, tzinfo=UTC)
    assert Scene(played(1)).run().input.started_at is None
    told = Scene(played(1), live=True)
    told.script.about.started_at = datetime(2020, 2, 2, tzinfo=UTC)
    assert told.run().input.started_at == datetime(2020, 2, 2, tzinfo=UTC)


def test_a_bug_in_reading_is_raised_after_everything_is_closed() -> None:
    scene = Scene([*played(1), RuntimeError("a bug of ours")])
    with pytest.raises(RuntimeError):
        scene.run()
    assert scene.script.closed == 1


def test_a_real_file_from_open_to_verdict(tmp_path: Path) -> None:
    path = tmp_path / "dark.mkv"
    write(path, video=Video([*panning(1), *[flat(BLACK)] * 75, *panning(1)]))
    report = Watch(str(path), SEATS, version="0", clock=ManualClock()).run()
    assert [(d.defect, d.start_s, d.end_s) for d in report.defects if d.counts] == [("black", 1.0, 4.0)]
    assert report.input.tracks[0].id == "video:0"
    assert Report.model_validate_json(report.to_json()) == report


def test_watching_leaves_no_open_file_behind(tmp_path: Path) -> None:
    path = clip(tmp_path / "a.mp4", 1.0)
    folder = Path("/proc/self/fd")
    if not folder.is_dir():
        pytest.skip("the system does not list open files")
    Watch(str(path), SEATS, version="0", options=IngestOptions(), clock=ManualClock()).run()
    before = len(list(folder.iterdir()))
    for _ in range(5):
        Watch(str(path), SEATS, version="0", options=IngestOptions(), clock=ManualClock()).run()
    assert len(list(folder.iterdir())) <= before


def test_two_runs_of_one_configuration_have_one_fingerprint() -> None:
    one, other = Scene(played(0.2)).run(), Scene(played(0.4)).run()
    assert one.profile == other.profile
