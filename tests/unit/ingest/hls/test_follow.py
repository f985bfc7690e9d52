from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from contracts.clock import ManualClock
from detectors.events import Fetch
from worker.ingest.hls.cadence import PROBES
from worker.ingest.hls.fetch import Fetched, What
from worker.ingest.hls.follow import Follower
from worker.ingest.hls.items import Rendition, Segment
from worker.ingest.hls.playlist import ByteRange
from worker.ingest.hls.sequence import Tracker
from worker.ingest.hls.steps import Step, Trouble
from worker.ingest.options import IngestOptions

OPTIONS = IngestOptions(open_timeout_s=5, read_timeout_s=10, retries=2, backoff_first_s=0.5)
HOME = "https://o.example/live.m3u8"


@dataclass
class Origin:
    """Answers without a network: a live playlist of 4 s segments that grows with the clock."""

    clock: ManualClock
    first: int = 1000
    window: int = 6
    frozen_at_s: float = float("inf")
    faults: dict[str, tuple[str, int | None]] = field(default_factory=dict)  # path -> cause, status
    took_s: dict[str, float] = field(default_factory=dict)
    asked: list[tuple[float, str]] = field(default_factory=list)

    def get(
        self, what: What, url: str, *, byte_range: ByteRange | None = None, within_s: float | None = None
    ) -> Fetched:
        name = url.rpartition("/")[2]
        self.asked.append((self.clock.monotonic(), name))
        self.clock.advance(self.took_s.get(name, 0.0))
        if name in self.faults:
            cause, status = self.faults[name]
            return Fetched(what, url, status, b"", 0.0, cause, "it is broken")
        body = self.playlist() if what == "playlist" else name.encode()
        return Fetched(what, url, 200, body, 0.0)

    def playlist(self) -> bytes:
        newest = self.first + self.window + int(min(self.clock.monotonic(), self.frozen_at_s) // 4)
        numbers = range(newest - self.window, newest)
        lines = [f"#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:{numbers[0]}"]
        return "\n".join([*lines, *(f"#EXTINF:4,\n{n}.ts" for n in numbers)]).encode()


def follow(
    origin: Origin,
    renew: Callable[[object], tuple[Fetched, str | None]] | None = None,
    *,
    quiet_s: float = 0.0,
) -> Iterator[Step]:
    return Follower(
        Rendition("main", "main", HOME),
        origin,
        OPTIONS,
        origin.clock,
        random.Random(3),
        origin.clock.advance,
        Tracker(3),
        renew=renew,
        quiet_s=quiet_s,
    ).steps()


def until(steps: Iterator[Step], enough: Callable[[list[object]], bool], most: int = 500) -> list[object]:
    items: list[object] = []
    for step in steps:
        items.append(step.item)
        if enough(items):
            return items
        assert len(items) < most
    return items


def segments(items: list[object]) -> list[int]:
    return [i.sequence for i in items if isinstance(i, Segment)]


def test_it_reloads_at_the_target_duration_and_at_half_of_it_when_nothing_is_new() -> None:
    origin = Origin(ManualClock())
    until(follow(origin), lambda items: len(segments(items)) >= 40)
    times = [at for at, name in origin.asked if name == "live.m3u8"]
    waits = [round(b - a, 3) for a, b in pairwise(times)]
    assert waits[:3] == [1.0, 1.0, 1.0]  # until the first new segment
    assert sum(wait < 4.0 for wait in waits) <= PROBES
    assert set(waits[-20:]) == {4.0}
    origin = Origin(ManualClock(), frozen_at_s=0)
    until(follow(origin), lambda items: any(isinstance(i, Trouble) for i in items))
    times = [at for at, name in origin.asked if name == "live.m3u8"]
    waits = [round(b - a, 3) for a, b in pairwise(times)]
    assert waits[:3] == [1.0, 1.0, 1.0]
    assert set(waits[7:]) == {2.0}  # it is late: the first loads are over


def test_a_stall_is_told_after_three_target_durations_and_dated_from_the_last_media() -> None:
    origin = Origin(ManualClock(), frozen_at_s=4)
    items = until(follow(origin), lambda items: isinstance(items[-1], Trouble))
    trouble = items[-1]
    assert isinstance(trouble, Trouble)
    assert trouble.code == "source_stalled"
    assert 4 <= trouble.since_s < 5
    assert 12 <= origin.clock.monotonic() - trouble.since_s < 15
    assert trouble.words == "without a new segment; origin answered 200 with media sequence 1001"


def test_what_an_earlier_reading_had_waited_counts_as_waited() -> None:
    origin = Origin(ManualClock(), faults={"live.m3u8": ("refused", None)})
    items = until(follow(origin, quiet_s=9.0), lambda items: isinstance(items[-1], Trouble))
    trouble = items[-1]
    assert isinstance(trouble, Trouble)
    assert trouble.since_s == -9.0
    assert origin.clock.monotonic() < 5
    again = Origin(ManualClock())  # media that comes ends the waiting
    items = until(follow(again, quiet_s=100.0), lambda items: len(segments(items)) >= 4)
    assert not [i for i in items if isinstance(i, Trouble)]


def test_an_unreachable_playlist_waits_for_the_same_limit_then_names_the_cause() -> None:
    origin = Origin(ManualClock())
    steps = follow(origin)
    until(steps, lambda items: len(segments(items)) == 3)
    origin.faults["live.m3u8"] = ("dns", None)
    items = until(steps, lambda items: isinstance(items[-1], Trouble))
    assert isinstance(items[-1], Trouble)
    assert items[-1].code == "source_unreachable"
    assert items[-1].cause == "dns"
    assert "live.m3u8: dns, it is broken" in items[-1].words
    assert origin.clock.monotonic() >= 12
    del origin.faults["live.m3u8"]
    items = until(steps, lambda items: bool(segments(items)))
    assert [i.code for i in items if isinstance(i, Trouble)] == [None]


def test_a_consumer_that_keeps_us_waiting_does_not_make_the_source_look_stalled() -> None:
    origin = Origin(ManualClock())
    troubles = []
    for count, step in enumerate(follow(origin)):
        origin.clock.advance(30)
        troubles += [step.item] if isinstance(step.item, Trouble) else []
        if count > 40:
            break
    assert troubles == []


def test_nor_does_one_that_dwells_on_a_playlist_with_nothing_new() -> None:
    origin = Origin(ManualClock(), frozen_at_s=0)
    troubles = []
    polls = 0
    for step in follow(origin):
        troubles += [step.item] if isinstance(step.item, Trouble) else []
        if isinstance(step.item, Fetch) and step.item.what == "playlist":
            polls += 1
            origin.clock.advance(30)
        if polls == 4:
            break
    assert troubles == []


def test_what_fell_out_of_the_window_because_we_were_slow_is_called_that() -> None:
    origin = Origin(ManualClock())
    steps = follow(origin)
    until(steps, lambda items: len(segments(items)) == 3)
    origin.clock.advance(60)
    items = until(steps, lambda items: len(segments(items)) == 2)
    gone = [i for i in items if isinstance(i, Fetch) and i.given_up]
    assert [g.cause for g in gone] == ["fell_behind"]


def test_a_segments_tries_are_bounded_and_its_loss_moves_time_on() -> None:
    origin = Origin(ManualClock(), faults={"1004.ts": ("http_404", 404)})
    items = until(follow(origin), lambda items: len(segments(items)) == 3)
    assert segments(items) == [1003, 1005, 1006]
    (gone,) = [i for i in items if isinstance(i, Fetch) and i.given_up]
    assert (gone.at_ns, gone.duration_ns, gone.status) == (4 * 10**9, 4 * 10**9, 404)
    assert sum(name == "1004.ts" for _, name in origin.asked) == 3
    after = next(i for i in items if isinstance(i, Segment) and i.sequence == 1005)
    assert after.at_ns == 8 * 10**9
    assert not after.discontinuity


def test_tries_end_where_the_playlists_window_does() -> None:
    origin = Origin(ManualClock(), window=1, faults={"1000.ts": ("timeout", None)}, took_s={"1000.ts": 4.0})
    until(follow(origin), lambda items: any(isinstance(i, Fetch) and i.given_up for i in items))
    assert sum(name == "1000.ts" for _, name in origin.asked) == 1


def test_a_refusal_is_renewed_once_then_only_after_a_while() -> None:
    origin = Origin(ManualClock(), faults={"live.m3u8": ("http_403", 403)})
    renewals: list[float] = []

    def renew(_: object) -> tuple[Fetched, str | None]:
        renewals.append(origin.clock.monotonic())
        return Fetched("playlist", HOME, 200, b"", 0.0), HOME

    until(follow(origin, renew), lambda items: len(items) > 30)
    assert len(renewals) > 1
    assert all(b - a >= OPTIONS.backoff_most_s for a, b in pairwise(renewals))


def test_waiting_grows_with_failures_and_stays_below_the_target_duration() -> None:
    origin = Origin(ManualClock())
    steps = follow(origin)
    until(steps, lambda items: len(segments(items)) == 3)
    origin.faults["live.m3u8"] = ("refused", None)
    began = len(origin.asked)
    until(steps, lambda items: len(items) > 12)
    times = [at for at, _ in origin.asked[began:]]
    waits = [b - a for a, b in pairwise(times)]
    assert waits[0] < 0.5
    assert max(waits) <= 4
    assert waits[5] > waits[0]
