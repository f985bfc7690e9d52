from __future__ import annotations

import random
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.clock import ManualClock
from contracts.errors import ConfigError, SourceForbidden
from worker.ingest.hls.client import is_hls
from worker.ingest.hls.crypto import KeyRing, decrypt, undecodable
from worker.ingest.hls.fetch import Access, Fetched, backoff_s, carry, resolve
from worker.ingest.hls.items import Checkpoint, Mark, Segment
from worker.ingest.hls.join import MAX_BYTES, Joiner, Lane, Sight
from worker.ingest.hls.playlist import NS, AudioMedia, Key, MultivariantPlaylist, Variant
from worker.ingest.hls.steps import Step, Trouble
from worker.ingest.hls.variants import select
from worker.ingest.options import IngestOptions, VariantPolicy


def segment(at_s: float, *, lane: str = "a", size: int = 1, seconds: float = 4) -> Step:
    made = Segment(lane, "main", int(at_s), b"x" * size, round(seconds * NS), round(at_s * NS), "u")
    return Step(made, Mark(int(at_s), 0, made.end_ns))


def joined(*names: str) -> tuple[Joiner, list[Lane]]:
    joiner = Joiner(threading.Event())
    lanes = [Lane(name, name) for name in names]
    joiner.add(*lanes)
    return joiner, lanes


def drain(joiner: Joiner) -> list[tuple[str, float]]:
    got = []
    while (taken := joiner.take(0)) is not None:
        item = taken[1].item
        got.append((taken[0].name, item.at_ns / NS if isinstance(item, Segment) else -1.0))
    return got


def test_two_lanes_come_in_the_order_of_media_time() -> None:
    joiner, (a, b) = joined("a", "b")
    joiner.put(a, segment(0))
    joiner.put(a, segment(4))
    assert drain(joiner) == [("a", 0.0)]  # 4 s has to wait for b's first
    joiner.put(b, segment(0, seconds=3.9))
    joiner.put(b, segment(3.9, seconds=3.9))
    assert drain(joiner) == [("b", 0.0), ("b", 3.9), ("a", 4.0)]


def test_borders_that_nearly_agree_do_not_make_the_picture_wait() -> None:
    joiner, (a, b) = joined("a", "b")
    joiner.put(b, segment(0, seconds=3.9))
    joiner.put(a, segment(0))
    joiner.put(a, segment(4))
    joiner.put(a, segment(8))
    assert drain(joiner) == [("a", 0.0), ("b", 0.0), ("a", 4.0)]


def test_a_blind_or_ended_lane_is_not_waited_for() -> None:
    joiner, (a, b) = joined("a", "b")
    joiner.put(a, segment(40))
    assert drain(joiner) == []
    joiner.put(b, Step(Trouble("source_stalled")))
    assert drain(joiner) == [("b", -1.0), ("a", 40.0)]
    joiner.put(b, Step(Trouble(None)))
    joiner.put(a, segment(80))
    assert drain(joiner) == [("b", -1.0)]
    joiner.finish(b)
    assert drain(joiner) == [("a", 80.0)]


def test_what_a_thread_died_of_is_raised_where_the_flow_is_read() -> None:
    joiner, (a, _) = joined("a", "b")
    joiner.finish(a, RuntimeError("broken"))
    with pytest.raises(RuntimeError, match="broken"):
        joiner.take(0)


def test_a_lane_is_full_by_number_and_by_size() -> None:
    lane = Lane("a")
    assert not lane.full(2 * MAX_BYTES)  # one alone always fits, else nothing would move
    lane.segments, lane.size = 1, MAX_BYTES
    assert lane.full(1)
    lane.segments, lane.size = 3, 3
    assert lane.full(1)
    assert not lane.full(0)  # events pass


def test_blindness_is_dated_from_where_media_stopped_and_repeated_each_second() -> None:
    clock = ManualClock()
    sight, lane = Sight(clock, lambda: 50 * NS), Lane("a")
    clock.advance(112)
    first = sight.learn(lane, Trouble("source_stalled", "without a new segment", 100.0), [lane])
    assert [(e.at_ns, e.blind, e.track) for e in first] == [
        (50 * NS, "source_stalled", None),
        (62 * NS, "source_stalled", None),
    ]
    assert first[0].reason == "12 s without a new segment"
    assert sight.due([lane]) == []
    clock.advance(1)
    assert [e.at_ns for e in sight.due([lane])] == [63 * NS]
    clock.advance(2)
    assert [(e.at_ns, e.blind) for e in sight.learn(lane, Trouble(None), [lane])] == [(65 * NS, None)]
    assert sight.due([lane]) == []
    assert sight.total is None


def test_another_cause_of_one_blindness_is_told_once_it_has_lasted() -> None:
    clock = ManualClock()
    sight, lane = Sight(clock, lambda: 0), Lane("a")
    stalled, away = Trouble("source_stalled", "no new segment"), Trouble("source_unreachable", "timeout")
    clock.advance(12)
    assert {e.blind for e in sight.learn(lane, away, [lane])} == {"source_unreachable"}
    clock.advance(1)  # the origin comes back, and its first answers say different things
    assert [e.blind for e in sight.learn(lane, stalled, [lane])] == ["source_unreachable"]
    clock.advance(2)
    assert [e.blind for e in sight.learn(lane, away, [lane])] == ["source_unreachable"]
    assert sight.learn(lane, stalled, [lane]) == []
    clock.advance(2)
    assert [e.blind for e in sight.due([lane])] == ["source_unreachable"]
    clock.advance(1)
    assert [e.blind for e in sight.due([lane])] == ["source_stalled"]
    assert [e.blind for e in sight.learn(lane, Trouble(None), [lane])] == [None]


def test_a_lane_alone_is_told_a_little_later() -> None:
    clock = ManualClock()
    sight, lanes = Sight(clock, lambda: 0), [Lane("a", "a"), Lane("b", "b")]
    clock.advance(12)
    assert sight.learn(lanes[1], Trouble("source_stalled", since_s=0.0), lanes) == []
    clock.advance(2.9)
    assert sight.due(lanes) == []
    clock.advance(0.2)
    assert {e.track for e in sight.due(lanes)} == {"b"}
    over = sight.learn(lanes[1], Trouble(None), lanes)
    assert [(e.track, e.blind) for e in over] == [("b", None)]
    assert sight.total is None


def test_with_all_lanes_blind_the_input_is_and_that_is_told_once() -> None:
    clock = ManualClock()
    sight, lanes = Sight(clock, lambda: 0), [Lane("a", "a"), Lane("b", "b")]
    clock.advance(12)
    assert sight.learn(lanes[1], Trouble("source_stalled", "sound", 0.0), lanes) == []
    clock.advance(1)
    both = sight.learn(lanes[0], Trouble("source_stalled", "picture", 0.5), lanes)
    assert {e.track for e in both} == {None}
    assert [e.at_ns for e in both] == [0, 12_500_000_000]
    assert "picture" in both[0].reason
    assert sight.total is not None
    clock.advance(20)
    assert {e.track for e in sight.due(lanes)} == {None}
    over = sight.learn(lanes[0], Trouble(None), lanes)
    assert [(e.track, e.blind) for e in over] == [(None, None)]
    clock.advance(1)
    assert sight.due(lanes) == []
    clock.advance(10)
    assert {e.track for e in sight.due(lanes)} == {"b"}


@pytest.mark.parametrize(
    ("base", "reference", "found"),
    [
        ("https://h/a/b.m3u8?t=1", "c.ts", "https://h/a/c.ts"),
        ("https://u:p@h/a/b.m3u8", "../c.ts?x=2", "https://u:p@h/c.ts?x=2"),
        ("https://h/a", "file:///etc/passwd", "file:///etc/passwd"),
        ("/media/a/list.m3u8", "b/c%20d.ts", "/media/a/b/c d.ts"),
        ("/media/list.m3u8", "https://h/c.ts", "https://h/c.ts"),
    ],
)
def test_references_are_made_absolute(base: str, reference: str, found: str) -> None:
    assert resolve(base, reference) == found


@pytest.mark.parametrize(
    ("url", "query", "carried"),
    [
        ("https://h/a.ts", "t=1&u=a%2Fb", "https://h/a.ts?t=1&u=a%2Fb"),
        ("https://h/a.ts?t=9", "t=1&u=2", "https://h/a.ts?t=9&u=2"),
        ("https://h/a.ts", "bare", "https://h/a.ts?bare"),
        ("https://h/a.ts?own=1", "bare", "https://h/a.ts?own=1"),
        ("https://h/a.ts", "", "https://h/a.ts"),
        ("/a.ts", "t=1", "/a.ts"),
    ],
)
def test_the_query_is_carried_without_overwriting(url: str, query: str, carried: str) -> None:
    assert carry(url, query) == carried


def test_what_may_be_reached() -> None:
    network = Access("https://h/live.m3u8")
    network.check("http://other/a.ts")
    for url in ("file:///etc/passwd", "/etc/passwd", "ftp://h/a", "rtmp://h/a", "data://x"):
        with pytest.raises(SourceForbidden):
            network.check(url)


def test_a_local_playlist_reaches_its_own_folder_only(tmp_path: Path) -> None:
    local = Access(str(tmp_path / "list.m3u8"))
    local.check(str(tmp_path / "deep" / "a.ts"))
    (tmp_path / "link.ts").symlink_to("/etc/hostname")
    for path in ("/etc/hostname", str(tmp_path / ".." / "a.ts"), str(tmp_path / "link.ts")):
        with pytest.raises(SourceForbidden):
            local.check(path)


@given(st.integers(0, 10_000), st.integers())
def test_back_off_grows_within_bounds(attempt: int, seed: int) -> None:
    options = IngestOptions()
    seconds = backoff_s(options, attempt, random.Random(seed))
    assert options.backoff_first_s / 2 <= seconds <= options.backoff_most_s


def test_keys_are_kept_and_bad_ones_are_not() -> None:
    asked: list[str] = []

    def ask(url: str) -> Fetched:
        asked.append(url)
        return Fetched("key", url, 200, b"short" if "bad" in url else bytes(16), 0.0)

    ring = KeyRing(ask)
    assert ring.key("k")[0] == bytes(16)
    assert ring.key("k") == (bytes(16), None)
    assert ring.key("bad")[0] is None
    assert ring.key("bad")[0] is None
    assert asked == ["k", "bad", "bad"]
    for number in range(40):
        ring.key(str(number))
    assert ring.key("k")[1] is not None  # the oldest went


@given(st.binary(max_size=200), st.binary(min_size=16, max_size=16))
def test_what_does_not_decrypt_is_none_never_an_exception(data: bytes, key: bytes) -> None:
    plain = decrypt(data, key, None, 7)
    assert plain is None or len(plain) < len(data)


def test_methods_that_cannot_be_undone_are_named() -> None:
    assert undecodable(None) is None
    assert undecodable(Key("AES-128", "https://h/k")) is None
    assert undecodable(Key("SAMPLE-AES", "skd://x", format="com.apple.streamingkeydelivery")) == (
        "encrypted: SAMPLE-AES (com.apple.streamingkeydelivery)"
    )
    assert undecodable(Key("SAMPLE-AES-CTR")) == "encrypted: SAMPLE-AES-CTR"


OFFER = MultivariantPlaylist(
    (
        Variant("https://h/2.m3u8", 2000, 640, 360, codecs="avc1,mp4a", audio="g"),
        Variant("https://h/4.m3u8", 4000, 1280, 720, codecs="avc1,mp4a", audio="g"),
        Variant("https://h/4.m3u8", 4000, 1280, 720, codecs="avc1,mp4a", audio="g"),
        Variant("https://h/1.m3u8", 100, codecs="mp4a.40.2", audio="g"),
    ),
    (
        AudioMedia("g", "English", "https://h/en.m3u8", "en", default=True),
        AudioMedia("g", "Deutsch", "https://h/de.m3u8", "de"),
        AudioMedia("other", "x", "https://h/x.m3u8", "fr"),
    ),
)


def names(options: IngestOptions, offer: MultivariantPlaylist = OFFER) -> list[str]:
    return [r.name for r in select(offer, options)]


def test_the_choice_of_renditions() -> None:
    assert names(IngestOptions()) == ["main-720p-4000", "audio-g-en"]
    assert names(IngestOptions(variants=VariantPolicy.LOWEST)) == ["main-360p-2000", "audio-g-en"]
    assert names(IngestOptions(audio_language="de")) == ["main-720p-4000", "audio-g-de"]
    assert names(IngestOptions(audio_language="xx")) == ["main-720p-4000", "audio-g-en"]
    assert names(IngestOptions(variants=VariantPolicy.ALL)) == [
        "main-360p-2000", "main-720p-4000", "main-100", "audio-g-en", "audio-g-de",
    ]  # fmt: skip


def test_sound_within_the_variant_needs_no_rendition_and_radio_has_no_picture() -> None:
    muxed = replace(OFFER, audio=(AudioMedia("g", "English", None, "en", default=True),))
    assert names(IngestOptions(), muxed) == ["main-720p-4000"]
    radio = replace(OFFER, variants=OFFER.variants[3:])
    assert names(IngestOptions(), radio) == ["main-100", "audio-g-en"]


def test_redundant_variants_keep_different_names() -> None:
    twice = replace(OFFER, variants=(OFFER.variants[0], replace(OFFER.variants[0], url="https://b/2.m3u8")))
    assert names(IngestOptions(variants=VariantPolicy.ALL), twice)[:2] == [
        "main-360p-2000",
        "main-360p-2000-2",
    ]


@pytest.mark.parametrize(
    ("url", "first_bytes", "content_type", "expected"),
    [
        ("https://h/live.m3u8?t=1", b"", "", True),
        ("https://h/live", b"", "application/vnd.apple.mpegurl; charset=utf-8", True),
        ("https://h/live", b"\xef\xbb\xbf#EXTM3U\n", "text/plain", True),
        ("https://h/live.m3u8", b"<html>", "text/html", False),
        ("https://h/a.mp4", b"", "video/mp4", False),
        ("rtmp://h/a.m3u8", b"", "", False),
        ("/media/a.M3U8", b"", "", True),
        ("/media/a.ts", b"", "", False),
    ],
)
def test_what_is_for_this_client(url: str, first_bytes: bytes, content_type: str, expected: bool) -> None:
    assert is_hls(url, first_bytes=first_bytes, content_type=content_type) is expected


def test_a_checkpoint_survives_as_plain_numbers() -> None:
    made = Checkpoint({"main": Mark(7, 2, 99), "audio-g-en": Mark(8, 2, 98)})
    assert Checkpoint.from_dict(made.to_dict()) == made
    for wrong in ({"main": [1]}, {"main": None}, {"main": ["a", 1, 2]}):
        with pytest.raises(ConfigError):
            Checkpoint.from_dict(wrong)
