"""Two watches in a row, the first killed: nothing that happened about then is lost, and nothing is invented."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from contracts.clock import SystemClock
from glitchwatch.origin.faults import Fault
from tests.unit.worker.shelf import LISTED, SEGMENT_S, Shelf, Story, fault, served, told, watch
from worker.ingest.hls import client

WHOLE = 24  # segments
DETECTORS = (
    "picture_missing", "sound_missing", "segment_missing", "format_change", "timestamp_drift",
    "source_stalled", "source_unreachable",
)  # fmt: skip


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Playlists are asked for again at once. Codecs go with the test: a process forked later could not end them."""
    wait = client.HlsClient._wait
    monkeypatch.setattr(client.HlsClient, "_wait", lambda self, seconds: wait(self, min(seconds, 0.01)))
    monkeypatch.setattr(client, "IDLE_S", 0.05)
    yield
    gc.collect()


@contextmanager
def shelved(*faults: Fault, muxed: bool) -> Iterator[tuple[Shelf, str]]:
    shelf = Shelf(*faults, muxed=muxed)
    shelf.make(WHOLE * SEGMENT_S)
    with served(shelf) as url:
        yield shelf, url


def taking_over(shelf: Shelf, url: str, before: Story, segment: int, waiting: int) -> Story:
    """The watch after `before`, which was killed behind `segment`."""
    shelf.window = True
    first = min(WHOLE, segment + 1 + waiting)
    return watch(url, shelf, *range(first, WHOLE, LISTED // 2), WHOLE, left=before.left, detectors=DETECTORS)


CASES = [
    (fault("picture_missing", 18.8, 25.2), [("picture_missing", "video:0", 18.8)]),
    (fault("sound_missing", 18.8, 25.2), [("sound_missing", "audio:0", 18.8)]),
    (fault("segment_lost", 20, 22), [("segment_missing", ..., 20.0)]),
    (fault("resolution_change", 20, 20), [("format_change", "video:0", 20.0)]),
    (fault("clock_jump", 20, 20, 0.3), [("timestamp_drift", ..., 20.0)]),
    (fault("signalled_jump", 20, 20, 0.3), []),
]
# Behind which segment the first watch was killed, and how many were made until the next one began.
LATER = ((9, 1), (10, 1), (10, 10), (12, 10))
KILLED = [(9, 10), *(pytest.param(*at, marks=pytest.mark.slow) for at in LATER)]


@pytest.mark.parametrize("muxed", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["apart", "muxed"])
@pytest.mark.parametrize(("segment", "waiting"), KILLED)
@pytest.mark.parametrize(("broken", "expected"), CASES, ids=[c[0].kind.name for c in CASES])
def test_a_fault_near_the_hand_over_is_told_once(
    broken: Fault, expected: list[tuple[str, object, float]], segment: int, waiting: int, muxed: bool
) -> None:
    with shelved(broken, muxed=muxed) as (shelf, url):
        before = watch(url, shelf, segment + 1, detectors=DETECTORS)
        after = taking_over(shelf, url, before, segment, waiting)
    found = told(before, after)
    assert [(defect, round(at_s)) for defect, _, at_s, _ in found] == [(d, round(s)) for d, _, s in expected]
    assert all(track in (found[0][1], ...) for _, track, _ in expected)


@pytest.mark.parametrize("waiting", [1, 10])
def test_where_all_was_well_nothing_is_told(waiting: int) -> None:
    with shelved(muxed=False) as (shelf, url):
        before = watch(url, shelf, 12, detectors=DETECTORS)
        assert told(before, taking_over(shelf, url, before, 11, waiting)) == []


@pytest.mark.parametrize("playlist", ["picture", "sound"])
def test_a_source_of_one_track_lacks_nothing(playlist: str) -> None:
    with shelved(muxed=False) as (shelf, url):
        before = watch(url, shelf, 12, detectors=DETECTORS, playlist=playlist)
        shelf.window = True
        after = watch(url, shelf, 22, WHOLE, left=before.left, detectors=DETECTORS, playlist=playlist)
        assert told(before, after) == []


def test_media_that_left_the_playlist_while_nobody_watched_was_there_for_viewers() -> None:
    with shelved(muxed=False) as (shelf, url):
        before = watch(url, shelf, 5, detectors=DETECTORS)
        assert told(before, taking_over(shelf, url, before, 4, 16)) == []


def test_what_was_blind_stays_so_until_there_is_media_that_nobody_had_seen() -> None:
    with shelved(muxed=False) as (shelf, url):
        before = watch(url, shelf, 5, detectors=DETECTORS)
        left, position_ns = before.left, before.left["checkpoint"]["reading"]["position_ns"]
        now = SystemClock().now().isoformat()
        left["checkpoint"]["blind"] = [[None, "source_unreachable", "gone", position_ns, now]]
        after = watch(url, shelf, 5, 9, left=left, detectors=DETECTORS)
    first, *_, last = after.messages
    assert (first["blind"], last["blind"]) == ([[None, "source_unreachable", "gone"]], [])
    assert all(m["blind"] for m in after.messages if m["media_ns"] <= position_ns)
    edges = [(e["defect"], e["edge"]) for m in after.messages for e in m["edges"]]
    assert edges == [("source_unreachable", "opened"), ("source_unreachable", "closed")]


@pytest.mark.parametrize("clock_start_s", [50.0, 3590.0])
def test_an_origin_that_was_started_anew_has_another_clock_and_no_fault(clock_start_s: float) -> None:
    with shelved(muxed=True) as (shelf, url):
        before = watch(url, shelf, 12, detectors=DETECTORS)
        shelf.load(muxed=True, clock_start_s=clock_start_s)
        shelf.make(12)
        after = watch(url, shelf, 4, 6, left=before.left, detectors=DETECTORS)
        assert told(before, after) == []


def test_a_place_of_an_older_version_is_gone_on_from() -> None:
    with shelved(fault("picture_missing", 20.8, 26.8), muxed=True) as (shelf, url):
        before = watch(url, shelf, 10, detectors=DETECTORS)
        del before.messages[-1]["checkpoint"]["reading"]["places"]
        assert [d[0] for d in told(before, taking_over(shelf, url, before, 9, 1))] == ["picture_missing"]
