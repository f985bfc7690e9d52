from __future__ import annotations

import random
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from contracts.errors import SourceForbidden, SourceStalled, SourceUnreachable
from detectors.events import Fetch, Source
from tests.certificates import self_signed
from tests.e2e import hostile_origin as hostile
from tests.e2e.hostile_origin import HostileOrigin, LiveChannel, vod
from worker.ingest.hls import net
from worker.ingest.hls.client import HlsClient, Item
from worker.ingest.hls.items import Checkpoint, Segment
from worker.ingest.options import IngestOptions, VariantPolicy

QUICK = IngestOptions(
    open_timeout_s=0.4, read_timeout_s=0.4, retries=2, backoff_first_s=0.02, backoff_most_s=0.1
)
PATIENCE_S = 20.0  # only against a hang; no test waits for it


@pytest.fixture
def origin() -> Iterator[HostileOrigin]:
    with HostileOrigin() as made:
        yield made


def client(url: str, options: IngestOptions = QUICK, **more: object) -> HlsClient:
    return HlsClient(url, options, rng=random.Random(1), **more)  # type: ignore[arg-type]


def collect(
    made: HlsClient,
    enough: Callable[[list[Item]], bool] = lambda _: False,
    during: Callable[[list[Item]], None] = lambda _: None,
) -> list[Item]:
    """All items until `enough` says so or the stream ends."""
    items: list[Item] = []
    until = time.monotonic() + PATIENCE_S
    with made:
        for item in made:
            if item is not None:
                items.append(item)
            during(items)
            if enough(items):
                break
            assert time.monotonic() < until, f"nothing more after {items[-5:]}"
    return items


def segments(items: list[Item]) -> list[Segment]:
    return [i for i in items if isinstance(i, Segment)]


def payloads(items: list[Item]) -> list[str]:
    return [s.data.decode() for s in segments(items)]


def lost(items: list[Item]) -> list[Fetch]:
    return [i for i in items if isinstance(i, Fetch) and i.given_up]


def blind(items: list[Item]) -> list[Source]:
    return [i for i in items if isinstance(i, Source)]


def sees_again(items: list[Item]) -> bool:
    return any(s.blind is None for s in blind(items))


def test_a_recording_comes_whole_and_in_order(origin: HostileOrigin) -> None:
    vod(origin, 8)
    items = collect(client(origin.url("/vod.m3u8")))
    assert payloads(items) == [f"s{i}" for i in range(8)]
    assert [s.at_ns for s in segments(items)] == [i * 10**9 for i in range(8)]
    assert not lost(items)
    assert not blind(items)
    fetched = [i for i in items if isinstance(i, Fetch) and i.what == "segment"]
    assert [f.sequence for f in fetched] == list(range(8))
    assert all(f.cause is None and f.status == 200 and f.size == 2 for f in fetched)


@pytest.mark.parametrize(
    ("action", "cause"),
    [
        (hostile.status(404), "http_404"),
        (hostile.status(503), "http_5xx"),
        (hostile.stall(1), "timeout"),
        (hostile.truncate(1), "truncated"),
        (hostile.html, "wrong_content"),
        (hostile.drop, "closed"),
        (hostile.redirect("/s3.ts"), "redirects"),
    ],
)
def test_a_segment_that_fails_for_good_is_given_up_and_the_next_ones_come(
    origin: HostileOrigin, action: hostile.Action, cause: str
) -> None:
    paths = vod(origin, 6)
    origin.always(paths[3], action)
    items = collect(client(origin.url("/vod.m3u8")))
    assert payloads(items) == ["s0", "s1", "s2", "s4", "s5"]
    (gone,) = lost(items)
    assert (gone.cause, gone.sequence, gone.duration_ns, gone.at_ns) == (cause, 3, 10**9, 3 * 10**9)
    assert segments(items)[3].at_ns == 4 * 10**9
    assert origin.asked(paths[3]) >= 1 + QUICK.retries


def test_a_trickle_is_caught_in_body_and_header(origin: HostileOrigin) -> None:
    paths = vod(origin, 4, duration_s=0.1)
    origin.put(paths[1], b"x" * 4096, always=hostile.trickle(0.05))
    origin.always(paths[2], hostile.trickle(0.05, head=True))
    items = collect(client(origin.url("/vod.m3u8"), replace(QUICK, retries=0)))
    assert [(f.sequence, f.cause) for f in lost(items)] == [(1, "trickle"), (2, "trickle")]
    assert payloads(items) == ["s0", "s3"]


def test_a_passing_fault_costs_nothing(origin: HostileOrigin) -> None:
    paths = vod(origin, 5)
    origin.script(paths[2], hostile.status(404), hostile.drop)
    origin.script("/vod.m3u8", hostile.status(500), hostile.html, hostile.drop)
    items = collect(client(origin.url("/vod.m3u8")))
    assert payloads(items) == [f"s{i}" for i in range(5)]
    assert not lost(items)
    causes = [i.cause for i in items if isinstance(i, Fetch) and i.what == "playlist"]
    assert causes[:3] == ["http_5xx", "wrong_content", "closed"]


def test_live_begins_three_targets_from_the_edge_and_follows(origin: HostileOrigin) -> None:
    channel = LiveChannel(origin)
    newest = channel.newest
    items = collect(client(origin.url("/live.m3u8")), lambda i: len(segments(i)) >= 8)
    numbers = [s.sequence for s in segments(items)]
    assert numbers == list(range(numbers[0], numbers[0] + 8))
    assert newest - 2 <= numbers[0] <= channel.newest
    assert not blind(items)
    assert not lost(items)


def test_a_playlist_that_stops_growing_is_stalled_and_dated_from_where_media_stopped(
    origin: HostileOrigin,
) -> None:
    channel = LiveChannel(origin, target_s=0.1)
    channel.freeze()
    delivered: list[int] = []

    def during(items: list[Item]) -> None:
        delivered[:] = [s.end_ns for s in segments(items)]
        if len(blind(items)) >= 3 and channel.frozen is not None:
            channel.thaw()

    made = client(origin.url("/live.m3u8"), position_ns=lambda: delivered[-1] + 7)
    items = collect(made, lambda i: sees_again(i) and len(segments(i)) > 5, during)
    events = blind(items)
    assert [e.blind for e in events[:3]] == ["source_stalled"] * 3
    assert events[-1].blind is None
    before = segments(items[: items.index(events[0])])
    assert events[0].at_ns == before[-1].end_ns + 7
    assert all(a.at_ns <= b.at_ns for a, b in pairwise(events))
    assert events[1].at_ns - events[0].at_ns >= QUICK.read_timeout_s * 1e9
    assert events[2].at_ns - events[1].at_ns >= 0.9e9
    assert "s without a new segment; origin answered 200 with media sequence" in events[0].reason
    numbers = [s.sequence for s in segments(items)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


def test_an_origin_that_goes_away_is_unreachable_and_what_it_dropped_meanwhile_is_told_once(
    origin: HostileOrigin,
) -> None:
    channel = LiveChannel(origin, target_s=0.1, window=4)
    went: list[float] = []

    def during(items: list[Item]) -> None:
        if len(segments(items)) == 4 and not went:
            went.append(time.monotonic())
            origin.vanish()
        if went and blind(items) and channel.newest > segments(items)[-1].sequence + 12:
            if len(went) == 1:
                origin.appear()
            went.append(0.0)

    items = collect(
        client(origin.url("/live.m3u8")), lambda i: sees_again(i) and len(segments(i)) >= 9, during
    )
    first = blind(items)[0]
    assert first.blind == "source_unreachable"
    assert first.track is None
    assert "refused" in first.reason or "closed" in first.reason
    causes = {i.cause for i in items if isinstance(i, Fetch) and i.what == "playlist" and i.cause}
    assert causes & {"refused", "closed"}
    gone = [f for f in lost(items) if f.cause == "expired"]
    assert len(gone) == 1
    numbers = [s.sequence for s in segments(items)]
    (hole,) = [(a, b) for a, b in pairwise(numbers) if b != a + 1]
    missed = hole[1] - gone[0].sequence  # type: ignore[operator]
    assert gone[0].duration_ns == missed * 100_000_000


def test_an_origin_that_never_answered_takes_the_same_path(origin: HostileOrigin) -> None:
    origin.vanish()
    items = collect(client(origin.url("/live.m3u8")), lambda i: len(blind(i)) >= 3)
    assert {e.blind for e in blind(items)} == {"source_unreachable"}
    assert blind(items)[0].at_ns == 0
    assert any(i.cause == "refused" for i in items if isinstance(i, Fetch))
    items = []
    with pytest.raises(SourceUnreachable, match="refused"):
        collect(client(origin.url("/live.m3u8"), give_up_s=0.6))


def test_blindness_shorter_than_the_limit_does_not_give_up(origin: HostileOrigin) -> None:
    channel = LiveChannel(origin, target_s=0.1)
    channel.freeze()
    with pytest.raises(SourceStalled, match="without a new segment"):
        collect(client(origin.url("/live.m3u8"), give_up_s=1.5))


def test_all_segments_missing_makes_blind(origin: HostileOrigin) -> None:
    channel = LiveChannel(origin, target_s=0.1)
    channel.every_segment = hostile.status(404)
    items = collect(client(origin.url("/live.m3u8")), lambda i: len(blind(i)) >= 2)
    assert blind(items)[0].blind == "source_unreachable"
    assert "http_404" in blind(items)[0].reason
    assert {f.cause for f in lost(items)} <= {"http_404", "expired"}


def test_an_origin_restart_is_told_and_followed(origin: HostileOrigin) -> None:
    channel = LiveChannel(origin, target_s=0.1, first=8000)
    done: list[bool] = []

    def during(items: list[Item]) -> None:
        if len(segments(items)) == 4 and not done:
            done.append(True)
            channel.restart(0, "new")

    items = collect(
        client(origin.url("/live.m3u8")), lambda i: any("new" in p for p in payloads(i)[-3:]), during
    )
    told = [i for i in items if isinstance(i, Fetch) and i.cause == "sequence_reset"]
    assert len(told) == 1
    fresh = [s for s in segments(items) if s.data.startswith(b"new")]
    assert fresh[0].discontinuity
    assert fresh[0].sequence < 100
    assert not any(s.discontinuity for s in segments(items) if s.data.startswith(b"seg"))


def test_numbers_that_leap_are_no_loss_of_years(origin: HostileOrigin) -> None:
    channel = LiveChannel(origin, target_s=0.1)
    done: list[bool] = []

    def during(items: list[Item]) -> None:
        if len(segments(items)) == 4 and not done:
            done.append(True)
            channel.restart(1_700_000_000, "epoch")

    items = collect(
        client(origin.url("/live.m3u8")), lambda i: any("epoch" in p for p in payloads(i)), during
    )
    assert [i.cause for i in items if isinstance(i, Fetch) and i.cause == "sequence_jump"] == [
        "sequence_jump"
    ]
    assert not [f for f in lost(items) if f.duration_ns > 10**12]


def test_closing_is_prompt_and_leaves_no_thread_even_in_the_middle_of_a_stall(origin: HostileOrigin) -> None:
    paths = vod(origin, 4)
    origin.always(paths[1], hostile.stall(1))
    patient = replace(QUICK, open_timeout_s=60.0, read_timeout_s=60.0)
    made = client(origin.url("/vod.m3u8"), patient)
    iterator = iter(made)
    while not isinstance(next(iterator), Segment):
        pass
    until = time.monotonic() + PATIENCE_S
    while not origin.asked(paths[1]) and time.monotonic() < until:
        origin.closing.wait(0.01)
    assert origin.asked(paths[1])
    made.close()
    assert not [t for t in threading.enumerate() if t.name.startswith("hls-")]


def test_a_consumer_that_takes_its_time_is_not_the_sources_fault_and_bounds_what_is_fetched(
    origin: HostileOrigin,
) -> None:
    vod(origin, 12)
    made = client(origin.url("/vod.m3u8"))
    iterator = iter(made)
    item = next(iterator)
    while not isinstance(item, Segment):
        item = next(iterator)
    origin.closing.wait(3 * QUICK.read_timeout_s)  # far longer than the threshold of blindness allows
    assert sum(r.path.endswith(".ts") for r in origin.requests) <= 1 + 3 + 1
    rest: list[Item] = [i for i in iterator if i is not None]
    assert len(segments(rest)) == 11
    assert not blind(rest)


def test_idle_items_let_the_consumer_tick(origin: HostileOrigin) -> None:
    vod(origin, 1)
    origin.script("/s0.ts", hostile.slow(0.9))
    patient = replace(QUICK, read_timeout_s=5.0)
    with client(origin.url("/vod.m3u8"), patient) as made:
        assert sum(item is None for item in made) >= 2


def test_tokens_are_carried_and_renewed_when_they_run_out(origin: HostileOrigin) -> None:
    valid = ["one"]
    check = hostile.token(lambda: valid[0])
    channel = LiveChannel(origin, path="/v/live.m3u8", target_s=0.1, query=lambda: f"token={valid[0]}")
    channel.every_segment = check
    origin.always("/v/live.m3u8", check)
    origin.put(
        "/master.m3u8",
        lambda: b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\n/v/live.m3u8?token=" + valid[0].encode(),
    )

    def during(items: list[Item]) -> None:
        if len(segments(items)) == 4:
            valid[0] = "two"

    items = collect(client(origin.url("/master.m3u8")), lambda i: len(segments(i)) >= 10, during)
    numbers = [s.sequence for s in segments(items)]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
    assert not lost(items)
    assert origin.asked("/master.m3u8") >= 2
    shown = "".join(i.url for i in items if isinstance(i, Fetch | Segment))
    assert "one" not in shown
    assert "two" not in shown


def test_the_masters_query_reaches_segments_when_asked_to(origin: HostileOrigin) -> None:
    for path in vod(origin, 2):
        origin.always(path, hostile.token(lambda: "t"))
    origin.put("/m.m3u8", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvod.m3u8?q=1\n")
    carried = replace(QUICK, carry_query=True)
    assert payloads(collect(client(origin.url("/m.m3u8?token=t"), carried))) == ["s0", "s1"]
    assert payloads(collect(client(origin.url("/m.m3u8?token=t")))) == []


def test_a_recordings_tokens_are_renewed_once_for_all_segments_that_follow(origin: HostileOrigin) -> None:
    valid = ["one"]
    for path in vod(origin, 8):
        origin.always(path, hostile.token(lambda: valid[0], 401))
    listed = origin.answer(hostile.Request("/vod.m3u8", "", {}))[1]
    origin.put("/vod.m3u8", lambda: listed.replace(b".ts", b".ts?token=" + valid[0].encode()))

    def during(items: list[Item]) -> None:
        if len(segments(items)) == 1:
            valid[0] = "two"

    items = collect(client(origin.url("/vod.m3u8")), during=during)
    assert payloads(items) == [f"s{i}" for i in range(8)]
    assert sum(origin.asked(f"/s{i}.ts") for i in range(8)) == 8 + 1


def test_cookies_of_the_master_reach_segments(origin: HostileOrigin) -> None:
    vod(origin, 2)
    origin.put(
        "/m.m3u8", b"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvod.m3u8\n", always=hostile.cookie("pass=7")
    )
    collect(client(origin.url("/m.m3u8")))
    assert [r.headers.get("cookie") for r in origin.requests if r.path != "/m.m3u8"] == ["pass=7"] * 3


def test_headers_and_the_bearer_token_are_sent(origin: HostileOrigin) -> None:
    vod(origin, 1)
    options = replace(QUICK, headers={"X-Customer": "7"}, bearer="secret", user_agent="watch/1")
    collect(client(origin.url("/vod.m3u8"), options))
    for request in origin.requests:
        assert request.headers["x-customer"] == "7"
        assert request.headers["authorization"] == "Bearer secret"
        assert request.headers["user-agent"] == "watch/1"


def test_the_bearer_token_does_not_go_to_another_host(origin: HostileOrigin) -> None:
    with HostileOrigin() as other:
        other.put("/a.ts", b"a")
        listed = f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://localhost:{other.port}/a.ts\n"
        origin.put("/p.m3u8", (listed + "#EXT-X-ENDLIST\n").encode())
        items = collect(client(origin.url("/p.m3u8"), replace(QUICK, bearer="secret")))
        assert payloads(items) == ["a"]
        assert "authorization" not in other.requests[0].headers


def test_a_network_playlist_may_not_name_files_of_this_machine(origin: HostileOrigin, tmp_path: Path) -> None:
    secret = tmp_path / "secret.ts"
    secret.write_bytes(b"secret")
    listed = (
        f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://{secret}\n#EXTINF:1,\n/ok.ts\n#EXT-X-ENDLIST\n"
    )
    origin.put("/p.m3u8", listed.encode())
    origin.put("/ok.ts", b"ok")
    items = collect(client(origin.url("/p.m3u8")))
    assert payloads(items) == ["ok"]
    assert [f.cause for f in lost(items)] == ["forbidden"]


def test_the_policy_is_asked_at_every_hop(origin: HostileOrigin) -> None:
    vod(origin, 2)
    origin.always("/s1.ts", hostile.redirect("/internal.ts"))
    origin.put("/internal.ts", b"internal")
    asked: list[str] = []

    def allow(url: str) -> None:
        asked.append(url)
        if "internal" in url:
            raise SourceForbidden("Not there.", cause="forbidden")

    items = collect(client(origin.url("/vod.m3u8"), allow=allow))
    assert payloads(items) == ["s0"]
    assert [f.cause for f in lost(items)] == ["forbidden"]
    assert origin.asked("/internal.ts") == 0
    assert any(url.endswith("/s0.ts") for url in asked)


def test_an_address_that_policy_refuses_ends_the_watch(origin: HostileOrigin) -> None:
    def allow_address(ip: str) -> None:
        raise SourceForbidden(f"{ip} is a private address.", cause="forbidden")

    with pytest.raises(SourceForbidden, match="private"):
        collect(client(origin.url("/vod.m3u8"), allow_address=allow_address))


def test_a_later_client_goes_on_without_gap_or_repeat(origin: HostileOrigin) -> None:
    vod(origin, 9)
    made = client(origin.url("/vod.m3u8"))
    first = collect(made, lambda i: len(segments(i)) == 4)
    place = Checkpoint.from_dict(made.checkpoint().to_dict())
    second = collect(client(origin.url("/vod.m3u8"), resume=place))
    assert payloads(first) + payloads(second) == [f"s{i}" for i in range(9)]
    assert segments(second)[0].at_ns == segments(first)[-1].end_ns
    assert not segments(second)[0].discontinuity


def aes(plain: bytes, key: bytes, iv: bytes) -> bytes:
    padder = padding.PKCS7(128).padder()
    sealer = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return sealer.update(padder.update(plain) + padder.finalize()) + sealer.finalize()


def test_aes_128_is_undone_with_both_kinds_of_iv_and_one_request_for_the_key(origin: HostileOrigin) -> None:
    key, iv = bytes(range(16)), bytes(reversed(range(16)))
    origin.put("/key", key)
    origin.put("/a.ts", aes(b"first", key, (40).to_bytes(16, "big")))
    origin.put("/b.ts", aes(b"second", key, iv))
    origin.put("/c.ts", b"clear")
    origin.put(
        "/p.m3u8",
        (
            "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-MEDIA-SEQUENCE:40\n"
            '#EXT-X-KEY:METHOD=AES-128,URI="key"\n#EXTINF:1,\na.ts\n'
            f'#EXT-X-KEY:METHOD=AES-128,URI="key",IV=0x{iv.hex()}\n#EXTINF:1,\nb.ts\n'
            "#EXT-X-KEY:METHOD=NONE\n#EXTINF:1,\nc.ts\n#EXT-X-ENDLIST\n"
        ).encode(),
    )
    items = collect(client(origin.url("/p.m3u8")))
    assert payloads(items) == ["first", "second", "clear"]
    assert [s.encrypted_method for s in segments(items)] == ["AES-128", "AES-128", None]
    assert origin.asked("/key") == 1
    assert [i.size for i in items if isinstance(i, Fetch) and i.what == "key"] == [16]


def test_a_missing_key_loses_the_segment_and_says_which_request_failed(origin: HostileOrigin) -> None:
    origin.put("/a.ts", bytes(32))
    listed = '#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="nokey"\n#EXTINF:1,\na.ts\n'
    origin.put("/p.m3u8", (listed + "#EXT-X-ENDLIST\n").encode())
    items = collect(client(origin.url("/p.m3u8")))
    assert [(f.what, f.cause) for f in lost(items)] == [("key", "http_404")]
    assert not segments(items)


def test_sample_aes_blinds_at_once_while_delivery_is_still_watched(origin: HostileOrigin) -> None:
    vod(origin, 3)
    listed = origin.answer(hostile.Request("/vod.m3u8", "", {}))[1].decode()
    locked = listed.replace("#EXTINF", '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"\n#EXTINF', 1)
    origin.put("/p.m3u8", locked.encode())
    items = collect(client(origin.url("/p.m3u8")))
    assert {s.blind for s in blind(items)} == {"source_undecodable"}
    assert blind(items)[0].reason == "encrypted: SAMPLE-AES"
    fetched = [i for i in items if isinstance(i, Fetch) and i.what == "segment"]
    assert [f.cause for f in fetched] == [None] * 3
    assert not segments(items)


def test_ranges_maps_and_gaps(origin: HostileOrigin) -> None:
    origin.put("/all.mp4", b"INITaaaabbbbb")
    origin.put(
        "/p.m3u8",
        (
            b"#EXTM3U\n#EXT-X-TARGETDURATION:1\n"
            b'#EXT-X-MAP:URI="all.mp4",BYTERANGE="4@0"\n'
            b"#EXTINF:1,\n#EXT-X-BYTERANGE:4@4\nall.mp4\n#EXTINF:1,\n#EXT-X-BYTERANGE:5\nall.mp4\n"
            b"#EXTINF:1,\n#EXT-X-GAP\nnever.mp4\n"
            b"#EXT-X-DISCONTINUITY\n"
            b'#EXT-X-MAP:URI="other.mp4"\n#EXTINF:1,\nlast.mp4\n#EXT-X-ENDLIST\n'
        ),
    )
    origin.put("/other.mp4", b"OTHER")
    origin.put("/last.mp4", b"cc")
    for ranges in (True, False):  # some origins ignore the header and send the whole
        origin.ranges = ranges
        items = collect(client(origin.url("/p.m3u8")))
        assert payloads(items) == ["aaaa", "bbbbb", "cc"]
        assert [s.init for s in segments(items)] == [b"INIT", b"INIT", b"OTHER"]
        assert [s.init_changed for s in segments(items)] == [True, False, True]
        assert [s.discontinuity for s in segments(items)] == [False, False, True]
        assert [(f.cause, f.sequence) for f in lost(items)] == [("gap", 2)]
        assert origin.asked("/never.mp4") == 0


def master(origin: HostileOrigin) -> None:
    origin.put(
        "/master.m3u8",
        (
            b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="English",LANGUAGE="en",DEFAULT=YES,URI="en.m3u8"\n'
            b'#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",URI="de.m3u8"\n'
            b'#EXT-X-STREAM-INF:BANDWIDTH=900,RESOLUTION=640x360,AUDIO="a"\nlow.m3u8\n'
            b'#EXT-X-STREAM-INF:BANDWIDTH=3000,RESOLUTION=1280x720,AUDIO="a"\nhigh.m3u8\n'
        ),
    )


def test_a_place_that_lacks_a_playlist_is_begun_afresh(origin: HostileOrigin) -> None:
    master(origin)
    vod(origin, 6, path="/high.m3u8", prefix="h")
    vod(origin, 6, path="/en.m3u8", prefix="e")
    made = client(origin.url("/master.m3u8"))
    collect(made, lambda i: len(segments(i)) == 4)
    marks = made.checkpoint().to_dict()
    sound = {name: mark for name, mark in marks.items() if name.startswith("audio")}
    assert len(marks) == 2
    assert len(sound) == 1
    again = segments(collect(client(origin.url("/master.m3u8"), resume=Checkpoint.from_dict(sound))))
    assert [s.kind for s in again].count("audio") == 6
    assert again[0].at_ns == again[1].at_ns
    rest = segments(collect(client(origin.url("/master.m3u8"), resume=Checkpoint.from_dict(marks))))
    assert len(rest) == 8


def test_picture_and_separate_sound_come_in_one_order(origin: HostileOrigin) -> None:
    master(origin)
    vod(origin, 6, path="/high.m3u8", prefix="h")
    vod(origin, 6, path="/en.m3u8", prefix="e")
    items = collect(client(origin.url("/master.m3u8")))
    got = segments(items)
    assert len(got) == 12
    assert {s.kind for s in got} == {"main", "audio"}
    assert [s.at_ns for s in got] == sorted(s.at_ns for s in got)
    assert {s.language for s in got if s.kind == "audio"} == {"en"}


def test_language_and_policy_choose(origin: HostileOrigin) -> None:
    master(origin)
    for name in ("low", "high", "en", "de"):
        vod(origin, 2, path=f"/{name}.m3u8", prefix=name)

    def got(options: IngestOptions) -> set[str]:
        return {p[:-1] for p in payloads(collect(client(origin.url("/master.m3u8"), options)))}

    assert got(QUICK) == {"high", "en"}
    assert got(replace(QUICK, variants=VariantPolicy.LOWEST, audio_language="de-AT")) == {"low", "de"}
    assert got(replace(QUICK, variants=VariantPolicy.ALL)) == {"low", "high", "en", "de"}


def test_sound_that_stalls_does_not_stop_the_picture(origin: HostileOrigin) -> None:
    master(origin)
    LiveChannel(origin, path="/high.m3u8", name="h", target_s=0.1, window=20)
    sound = LiveChannel(origin, path="/en.m3u8", name="e", target_s=0.1, window=20)

    def during(items: list[Item]) -> None:
        if sum(s.kind == "audio" for s in segments(items)) == 4 and sound.frozen is None:
            sound.freeze()

    def enough(items: list[Item]) -> bool:
        events = blind(items)
        return bool(events) and sum(s.kind == "main" for s in segments(items[items.index(events[0]) :])) >= 8

    items = collect(client(origin.url("/master.m3u8")), enough, during)
    assert {(e.blind, e.track) for e in blind(items)} == {("source_stalled", "audio-a-en")}


def test_a_playlist_in_a_file_is_read_with_the_files_beside_it(tmp_path: Path) -> None:
    (tmp_path / "seg ments").mkdir()
    for i in range(3):
        (tmp_path / "seg ments" / f"{i}.ts").write_bytes(f"f{i}".encode())
    listed = "".join(f"#EXTINF:2,\nseg%20ments/{i}.ts\n" for i in range(3))
    outside = "#EXTINF:2,\n../../../../../../../../etc/hostname\n#EXTINF:2,\nmissing.ts\n"
    path = tmp_path / "list.m3u8"
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n{listed}{outside}#EXT-X-ENDLIST\n")
    items = collect(client(str(path)))
    assert payloads(items) == ["f0", "f1", "f2"]
    assert [f.cause for f in lost(items)] == ["forbidden", "missing"]
    assert payloads(collect(client(path.as_uri()))) == ["f0", "f1", "f2"]
    with pytest.raises(SourceUnreachable, match="no such file"):
        collect(client(str(tmp_path / "none.m3u8")))


def test_tls_works_and_a_certificate_that_nobody_vouches_for_is_its_own_cause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = self_signed(tmp_path)
    with HostileOrigin(tls=(certificate, key)) as origin:
        vod(origin, 2)
        url = f"https://localhost:{origin.port}/vod.m3u8"
        with pytest.raises(SourceUnreachable, match="tls"):
            collect(client(url, give_up_s=0.5))
        trusting = ssl.create_default_context(cafile=str(certificate))
        monkeypatch.setattr(net, "tls", lambda: trusting)
        assert payloads(collect(client(url))) == ["s0", "s1"]


def test_a_name_nobody_knows_is_its_own_cause() -> None:
    with pytest.raises(SourceUnreachable, match="dns"):
        collect(client("http://no-such-name.invalid/live.m3u8", give_up_s=0.5))
