"""A live address that goes away: told as blindness, joined again, on the same timeline."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from contracts.clock import ManualClock
from contracts.errors import SourceForbidden, SourceStalled, SourceUnreachable
from detectors.events import Event, Source
from detectors.frame import Frame
from tests.media import Audio, Video, sound, write
from tests.patterns import panning
from worker.ingest import reconnect
from worker.ingest.native import NativeReading
from worker.ingest.options import IngestOptions
from worker.ingest.reconnect import PersistentReading

SECOND = 1_000_000_000


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A stream that declares no length, as one over a network does."""
    path = tmp_path_factory.mktemp("live") / "live.mkv"
    write(path, video=Video(panning(2)), audio=Audio(sound(2)), options={"live": "1"})
    return path


class Failing:
    """Refuses the first `refusals` times after each success, then reads the file."""

    def __init__(self, path: Path, refusals: list[int], error: Exception | None = None) -> None:
        self.path, self.refusals, self.error = path, refusals, error or SourceUnreachable("refused")
        self.opened = self.closed = 0

    def __call__(self, url: str, options: IngestOptions, **kwargs: Any) -> Any:
        outer = self
        self.opened += 1
        inner = NativeReading(str(self.path), options, **kwargs)

        class One:
            about = inner.about

            def events(self) -> Iterator[Event | None]:
                if outer.refusals and outer.refusals[0] > 0:
                    outer.refusals[0] -= 1
                    raise outer.error
                outer.refusals = outer.refusals[1:]
                yield from inner.events()

            def close(self) -> None:
                outer.closed += 1
                inner.close()

        return One()


def reading(source: Failing, monkeypatch: pytest.MonkeyPatch) -> tuple[PersistentReading, ManualClock]:
    clock = ManualClock()
    monkeypatch.setattr(reconnect, "NativeReading", source)
    return PersistentReading("udp://127.0.0.1:1", IngestOptions(), clock, random.Random(1)), clock


def test_it_is_joined_again_on_one_timeline(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = Failing(recording, [2, 3, 99])
    live, _ = reading(source, monkeypatch)
    events: list[Event] = []
    for event in live.events():
        if event is not None:
            events.append(event)
        if sum(isinstance(e, Frame) for e in events) == 100 and isinstance(event, Source):
            break
    live.close()
    told = [e for e in events if isinstance(e, Source)]
    changes = [code for code, _ in itertools.groupby(t.blind for t in told)]
    assert changes[:2] == ["source_unreachable", None]
    assert changes[2:4] == ["source_unreachable", None]  # what was met after the connection was closed
    at = [e.at_ns for e in events if isinstance(e, Frame)]
    assert at == sorted(set(at))
    assert at[-1] < 4.2 * SECOND  # blindness is no media
    assert live.about.tracks["video:0"].codec == "h264"
    assert source.closed >= source.opened


def test_one_outage_is_one_defect_however_its_tries_fail(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Failing(recording, [4], SourceStalled("no byte", cause="timeout"))
    live, _ = reading(source, monkeypatch)
    told: list[Source] = []
    for event in live.events():
        if isinstance(event, Source):
            told.append(event)
            source.error = SourceUnreachable("refused")
            if event.blind is None:
                break
    live.close()
    assert {t.blind for t in told[:-1]} == {"source_stalled"}
    assert {t.reason for t in told[:-1]} == {
        "no byte",
        "refused",
    }  # what the last try met is said all the same


def test_blindness_lasts_as_long_as_the_wall_clock_says(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    live, clock = reading(Failing(recording, [6]), monkeypatch)
    told: list[Source] = []
    for event in live.events():
        if isinstance(event, Source):
            told.append(event)
            if event.blind is None:
                break
    live.close()
    lasted = (told[-1].at_ns - told[0].at_ns) / SECOND
    assert lasted == pytest.approx(clock.monotonic(), abs=0.05)
    assert lasted > 5
    times = [t.at_ns for t in told]
    assert times == sorted(times)


def test_attempts_back_off_and_are_never_further_apart_than_told(
    recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = Failing(recording, [10_000])
    live, clock = reading(source, monkeypatch)
    for _ in live.events():
        if clock.monotonic() > 600:
            break
    live.close()
    options = IngestOptions()
    assert 600 / options.backoff_most_s < source.opened < 2 * 600 / options.backoff_most_s + 10


def test_a_refusal_for_good_is_told_and_raised(recording: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    live, _ = reading(Failing(recording, [1], SourceForbidden("loopback is not allowed")), monkeypatch)
    told: list[Source] = []
    with pytest.raises(SourceForbidden):  # noqa: PT012  # what was told before it was raised
        for event in live.events():
            if isinstance(event, Source):
                told.append(event)  # noqa: PERF401
    live.close()
    assert [(t.blind, t.reason) for t in told] == [("source_forbidden", "loopback is not allowed")]


def test_a_finite_input_ends(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "finite.mkv"
    write(path, video=Video(panning(1)))
    live, _ = reading(Failing(path, [0]), monkeypatch)
    assert sum(isinstance(e, Frame) for e in live.events()) == 25
    live.close()
