from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st

from contracts.errors import IngestError, SourceUndecodable
from worker.ingest.hls.playlist import (
    ByteRange,
    MediaPlaylist,
    MultivariantPlaylist,
    Playlist,
    parse,
)

BASE = "https://origin.example/a/b/live.m3u8"


def media(text: str) -> MediaPlaylist:
    playlist = parse(text, BASE)
    assert isinstance(playlist, MediaPlaylist)
    return playlist


def body(*lines: str) -> str:
    return "\n".join(["#EXTM3U", *lines])


def test_an_ordinary_live_playlist() -> None:
    playlist = media(
        body(
            "#EXT-X-TARGETDURATION:6",
            "#EXT-X-MEDIA-SEQUENCE:41",
            "#EXT-X-DISCONTINUITY-SEQUENCE:3",
            "#EXT-X-PROGRAM-DATE-TIME:2026-03-01T12:00:00+01:00",
            "#EXTINF:6.006,",
            "a.ts?token=1",
            "#EXTINF:5.5,title, with comma",
            "/b.ts",
            "#EXT-X-DISCONTINUITY",
            "#EXTINF:6",
            "https://cdn.example/c.ts",
        )
    )
    a, b, c = playlist.entries
    assert not playlist.ended
    assert [e.sequence for e in playlist.entries] == [41, 42, 43]
    assert [e.discontinuity_sequence for e in playlist.entries] == [3, 3, 4]
    assert [e.discontinuity for e in playlist.entries] == [False, False, True]
    assert [e.duration_ns for e in playlist.entries] == [6_006_000_000, 5_500_000_000, 6_000_000_000]
    assert a.url == "https://origin.example/a/b/a.ts?token=1"
    assert b.url == "https://origin.example/b.ts"
    assert c.url == "https://cdn.example/c.ts"
    assert a.program_date_time == datetime(2026, 3, 1, 11, tzinfo=UTC)
    assert b.program_date_time == datetime(2026, 3, 1, 11, 0, 6, 6000, tzinfo=UTC)
    assert c.program_date_time is None  # another clock: nothing says where it is
    assert playlist.faults == ()


def test_ranges_go_on_where_the_one_before_ended_in_the_same_file() -> None:
    playlist = media(
        body(
            "#EXT-X-TARGETDURATION:1",
            "#EXTINF:1,", "#EXT-X-BYTERANGE:10@5", "x.mp4",
            "#EXT-X-BYTERANGE:7", "#EXTINF:1,", "x.mp4",
            "#EXTINF:1,", "#EXT-X-BYTERANGE:3", "y.mp4",
        )
    )  # fmt: skip
    assert [e.range for e in playlist.entries] == [ByteRange(5, 10), ByteRange(15, 7), ByteRange(0, 3)]


def test_a_map_remembers_the_key_that_held_where_it_stands() -> None:
    playlist = media(
        body(
            "#EXT-X-TARGETDURATION:1",
            '#EXT-X-MAP:URI="clear.mp4"',
            '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=0x0F',
            "#EXTINF:1,", "a.mp4",
            '#EXT-X-MAP:URI="locked.mp4"',
            "#EXTINF:1,", "b.mp4",
            "#EXT-X-KEY:METHOD=NONE",
            "#EXTINF:1,", "c.mp4",
        )
    )  # fmt: skip
    a, b, c = playlist.entries
    assert a.map is not None
    assert a.map.key is None
    assert a.key is not None
    assert a.key.iv == bytes(15) + b"\x0f"
    assert b.map is not None
    assert b.map.key == a.key
    assert c.key is None


def test_what_packagers_get_wrong_is_put_right_and_told() -> None:
    playlist = media(
        body(
            "#EXT-X-TARGETDURATION:NaN",
            "#EXT-X-MEDIA-SEQUENCE:",
            "#EXT-X-PLAYLIST-TYPE:WHATEVER",
            "#EXT-X-PROGRAM-DATE-TIME:yesterday",
            "#EXTINF:4.2,",
            "a.ts",
            "#EXTINF:oops,",
            "b.ts",
            "without-extinf.ts",
        )
    )
    assert playlist.target_s == 5
    assert [e.sequence for e in playlist.entries] == [0, 1]
    assert [e.duration_ns for e in playlist.entries] == [4_200_000_000, 5_000_000_000]
    assert not playlist.numbered
    assert len(playlist.faults) == 6


def test_low_latency_parts_are_left_out_and_skipped_segments_keep_their_numbers() -> None:
    playlist = media(
        body(
            "#EXT-X-TARGETDURATION:4",
            "#EXT-X-MEDIA-SEQUENCE:12",
            "#EXT-X-SKIP:SKIPPED-SEGMENTS=2",
            "#EXTINF:4,",
            "14.ts",
            '#EXT-X-PART:DURATION=1,URI="15.0.ts"',
            '#EXT-X-PRELOAD-HINT:TYPE=PART,URI="15.1.ts"',
        )
    )
    assert [e.sequence for e in playlist.entries] == [14]


def test_a_multivariant_playlist() -> None:
    playlist = parse(
        body(
            '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="E",LANGUAGE="en",DEFAULT=YES,URI="e.m3u8"',
            '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="E",URI="s.m3u8"',
            '#EXT-X-STREAM-INF:BANDWIDTH=1200000,RESOLUTION=1280x720,FRAME-RATE=25,CODECS="avc1.64001f,mp4a.40.2",AUDIO="a"',
            "v.m3u8",
            '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=1,URI="i.m3u8"',
        ),
        BASE,
    )
    assert isinstance(playlist, MultivariantPlaylist)
    (variant,) = playlist.variants
    assert (variant.width, variant.height, variant.bandwidth, variant.frame_rate) == (
        1280,
        720,
        1_200_000,
        25,
    )
    (audio,) = playlist.audio
    assert (audio.language, audio.default) == ("en", True)


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("<html><body>Not found</body></html>", "wrong_content"),
        ("", "wrong_content"),
        ("#EXTM3U", "invalid"),
        (body("#EXT-X-TARGETDURATION:2", "#EXT-X-MAP:X=1", "#EXTINF:2,", "a.ts"), "invalid"),
        (body("#EXT-X-TARGETDURATION:2", "#EXT-X-KEY:METHOD", "#EXTINF:2,", "a.ts"), "invalid"),
        (
            body("#EXT-X-TARGETDURATION:2", '#EXT-X-KEY:METHOD=AES-128,URI="k",IV=12', "#EXTINF:2,", "a.ts"),
            "invalid",
        ),
        (body("#EXT-X-TARGETDURATION:2", "#EXTINF:2,", "#EXT-X-BYTERANGE:-4@1", "a.ts"), "invalid"),
        (body("#EXT-X-STREAM-INF:BANDWIDTH=x", "a.m3u8"), "invalid"),
        (body('#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="n"'), "invalid"),
    ],
)
def test_what_cannot_be_followed_is_refused_with_a_cause(text: str, cause: str) -> None:
    with pytest.raises(SourceUndecodable) as caught:
        parse(text, BASE)
    assert caught.value.cause == cause


TAGS = (
    "EXTINF", "EXT-X-TARGETDURATION", "EXT-X-MEDIA-SEQUENCE", "EXT-X-DISCONTINUITY-SEQUENCE", "EXT-X-BYTERANGE",
    "EXT-X-KEY", "EXT-X-MAP", "EXT-X-PROGRAM-DATE-TIME", "EXT-X-DISCONTINUITY", "EXT-X-GAP", "EXT-X-ENDLIST",
    "EXT-X-STREAM-INF", "EXT-X-MEDIA", "EXT-X-SKIP", "EXT-X-PART", "EXT-X-DATERANGE", "EXT-X-CUE-OUT", "EXT-X-VERSION",
)  # fmt: skip
VALUES = st.one_of(
    st.text(max_size=30),
    st.floats().map(str),
    st.integers().map(str),
    st.integers(min_value=10**17, max_value=10**40).map(str),
    st.from_regex(r"[0-9]{1,25}@[0-9]{1,25}", fullmatch=True),
    st.datetimes().map(lambda d: d.isoformat()),
    st.sampled_from(
        [
            'METHOD=AES-128,URI="k"',
            "METHOD=SAMPLE-AES",
            'URI="init.mp4",BYTERANGE="4@0"',
            'BANDWIDTH=1e400,RESOLUTION=axb,AUDIO="a"',
            'TYPE=AUDIO,GROUP-ID="a",URI="http://[x"',
            "SKIPPED-SEGMENTS=9999999999999999999999",
            "6.006,",
            "inf",
        ]
    ),
)
LINES = st.one_of(
    st.builds(lambda tag, value: f"#{tag}:{value}", st.sampled_from(TAGS), VALUES),
    st.builds(lambda tag: f"#{tag}", st.sampled_from(TAGS)),
    st.sampled_from(["seg.ts", "http://[broken", "file:///etc/passwd", "//host/x", ""]),
    st.text(max_size=40),
)


def sound(playlist: Playlist) -> bool:
    """What the rest of the client relies on."""
    if isinstance(playlist, MultivariantPlaylist):
        return len(playlist.variants) > 0
    numbers = [e.sequence for e in playlist.entries]
    return (
        numbers == list(range(numbers[0], numbers[0] + len(numbers)) if numbers else [])
        and all(0 <= e.duration_ns <= 3600 * 10**9 for e in playlist.entries)
        and 0 < playlist.target_s <= 3600
        and all(n >= 0 for n in numbers)
    )


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=25))
def test_no_text_raises_anything_but_our_error(lines: list[str]) -> None:
    try:
        playlist = parse(body(*lines), BASE)
    except IngestError as error:
        event(error.cause)
    else:
        event(type(playlist).__name__)
        assert sound(playlist)


CORPUS = Path(os.environ.get("GLITCHWATCH_CORPUS", Path(__file__).parents[5] / "shared" / "corpus"))
MANIFESTS = sorted(
    p
    for folder in ("m3u8-parser", "androidx-media")
    for p in (CORPUS / "dev" / "manifests" / folder).glob("*")
    if p.suffix != ".mpd"
)


@pytest.mark.skipif(not MANIFESTS, reason="the corpus is not beside this checkout")
def test_every_manifest_of_the_corpus_reads() -> None:
    assert len(MANIFESTS) > 50
    for path in MANIFESTS:
        assert sound(parse(path.read_text("utf-8"), BASE)), path
