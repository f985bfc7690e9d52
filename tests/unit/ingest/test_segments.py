"""Segments, decoded one by one, are the file they were cut from."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detectors.events import Break, Damage, Event, Fetch, Format, Source, Tick
from detectors.frame import Block, Frame
from tests.media import Audio, Video, fmp4_segments, sound, ts_segments, write
from tests.patterns import panning
from worker.ingest.hls.items import Segment
from worker.ingest.native import NativeReading
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.ingest.segments import SegmentDecoder
from worker.ingest.timeline import NS, Timeline

FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof"}
SECONDS = 5


def coded(
    kind: str, *, video: bool = True, audio: bool = True, seconds: float = SECONDS, seed: int = 7
) -> bytes:
    memory = io.BytesIO()
    write(
        memory,
        video=Video(panning(seconds, seed=seed)) if video else None,
        audio=Audio(sound(seconds)) if audio else (),
        muxer="mpegts" if kind == "ts" else "mp4",
        options={} if kind == "ts" else FRAGMENTED,
    )
    return memory.getvalue()


def segments(
    data: Sequence[bytes], init: bytes | None = None, rendition: str = "v", **kwargs: Any
) -> list[Segment]:
    return [
        Segment(rendition, "main", 100 + i, part, NS, i * NS, f"http://127.0.0.1/{i}", init=init, **kwargs)
        for i, part in enumerate(data)
    ]


class Decoded:
    def __init__(self) -> None:
        self.about = About()
        self.decoder = SegmentDecoder(Timeline(), self.about)
        self.events: list[Event] = []

    def take(self, parts: Iterable[Segment]) -> Decoded:
        for part in parts:
            self.events += self.decoder.decode(part)
        return self

    def flush(self) -> Decoded:
        self.events += self.decoder.flush()
        return self

    def of(self, kind: type[Any], track: str | None = None) -> list[Any]:
        return [e for e in self.events if isinstance(e, kind) and track in (None, e.track)]


@pytest.fixture(scope="module", params=["ts", "fmp4"])
def cut(request: pytest.FixtureRequest) -> tuple[bytes, list[Segment]]:
    """(the whole, its segments)."""
    data = coded(request.param)
    if request.param == "ts":
        return data, segments(ts_segments(data))
    init, parts = fmp4_segments(data)
    return data, segments(parts, init)


def whole(data: bytes, folder: Path) -> list[Event]:
    path = folder / "whole"
    path.write_bytes(data)
    reading = NativeReading(str(path), IngestOptions())
    try:
        return [e for e in reading.events() if e is not None]
    finally:
        reading.close()


def test_no_click_no_gap_no_lost_picture_at_a_border(
    cut: tuple[bytes, list[Segment]], tmp_path: Path
) -> None:
    data, parts = cut
    assert len(parts) == SECONDS
    one = whole(data, tmp_path)
    many = Decoded().take(parts).flush()
    heard = np.concatenate([b.samples for b in one if isinstance(b, Block)], axis=1)
    assert np.array_equal(np.concatenate([b.samples for b in many.of(Block)], axis=1), heard)
    assert [b.at_ns for b in many.of(Block)] == [b.at_ns for b in one if isinstance(b, Block)]
    seen = [f for f in one if isinstance(f, Frame)]
    assert [f.at_ns for f in many.of(Frame)] == [f.at_ns for f in seen]
    assert all(np.array_equal(a.luma, b.luma) for a, b in zip(many.of(Frame), seen, strict=True))
    assert many.of(Break) == many.of(Damage) == many.of(Source) == []
    assert len(many.of(Format)) == 2


def test_each_segments_pictures_come_with_it(cut: tuple[bytes, list[Segment]]) -> None:
    decoded = Decoded()
    counts = []
    for part in cut[1]:
        before = len(decoded.of(Frame))
        decoded.take([part])
        counts.append(len(decoded.of(Frame)) - before)
    assert counts == [25] * SECONDS


def test_the_rate_is_that_of_the_pictures(cut: tuple[bytes, list[Segment]]) -> None:
    decoded = Decoded().take(cut[1]).flush()
    assert decoded.about.tracks["video:0"].fps == 25.0
    assert {f.duration_ns for f in decoded.of(Frame)[25:]} == {40_000_000}


def test_ticks_go_up_with_the_segments(cut: tuple[bytes, list[Segment]]) -> None:
    ticks = [t.at_ns for t in Decoded().take(cut[1]).flush().of(Tick)]
    assert ticks == sorted(set(ticks))
    assert ticks[-1] >= (SECONDS - 0.2) * NS


def test_the_wall_clock_of_media_zero(cut: tuple[bytes, list[Segment]]) -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    init = cut[1][0].init
    decoded = Decoded().take(segments([cut[1][0].data], init, program_date_time=at))
    assert decoded.about.started_at is not None
    assert abs((decoded.about.started_at - at).total_seconds()) < 0.03


def test_a_segment_that_lacks_its_beginning_does_not_set_the_wall_clock(
    cut: tuple[bytes, list[Segment]],
) -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    (first, second, *_), init = cut[1], cut[1][0].init
    long = replace(
        segments([first.data], init, program_date_time=at)[0], duration_ns=first.duration_ns + 2 * NS
    )
    lacks = replace(long, program_date_time=at - timedelta(seconds=2))
    after = replace(second, program_date_time=at + timedelta(microseconds=first.duration_ns // 1000))
    decoded = Decoded().take([lacks, after])
    assert decoded.about.started_at is not None
    assert abs((decoded.about.started_at - at).total_seconds()) < 0.1


def test_the_wall_clock_is_known_before_anything_is_found(cut: tuple[bytes, list[Segment]]) -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    [first] = segments([cut[1][0].data], cut[1][0].init, program_date_time=at)
    decoded = Decoded()
    for event in decoded.decoder.decode(first):
        if isinstance(event, Frame | Block):
            assert decoded.about.started_at is not None
            assert abs((decoded.about.started_at - at).total_seconds()) < 0.1
            return
    pytest.fail("nothing was decoded")


def test_a_segment_that_never_came_is_a_gap_in_every_track(cut: tuple[bytes, list[Segment]]) -> None:
    parts = [p for i, p in enumerate(cut[1]) if i != 2]
    decoded = Decoded().take(parts).flush()
    assert sorted((b.kind, b.track) for b in decoded.of(Break)) == [("gap", "audio:0"), ("gap", "video:0")]
    assert all(abs(b.delta_ns - NS) < 0.06 * NS for b in decoded.of(Break))
    assert len(decoded.of(Frame)) == 25 * (SECONDS - 1)


def test_a_clock_that_jumps_within_lost_media_goes_on_behind_it_too(cut: tuple[bytes, list[Segment]]) -> None:
    parts = cut[1]
    decoded = Decoded().take(parts[3:])
    lost = Fetch(2 * NS, None, "segment", parts[2].url, 105, 404, 0, 0.1, "http_404", 30 * NS, given_up=True)
    decoded.decoder.lost("v", lost)
    decoded.take([replace(parts[0], sequence=135)]).flush()
    frames = [f.at_ns for f in decoded.of(Frame, "video:0")]
    assert abs(frames[50] - 32 * NS) < 0.1 * NS
    assert {b.kind for b in decoded.of(Break)} == {"jump", "gap"}
    assert decoded.of(Tick)[-1].at_ns > 32.5 * NS


@pytest.mark.parametrize(("gone", "kinds"), [(3, {"jump", "gap"}), (1, {"gap"})])
def test_what_was_lost_is_about_as_long_as_its_playlist_says(
    cut: tuple[bytes, list[Segment]], gone: int, kinds: set[str]
) -> None:
    parts = cut[1]
    decoded = Decoded().take(parts[:1])
    lost = Fetch(NS, None, "segment", parts[1].url, 101, 404, 0, 0.1, "http_404", NS, given_up=True)
    decoded.decoder.lost("v", lost)
    decoded.take([replace(parts[1 + gone], sequence=102)]).flush()
    frames = [f.at_ns for f in decoded.of(Frame, "video:0")]
    assert abs(frames[25] - 2 * NS) < 0.1 * NS
    assert {b.kind for b in decoded.of(Break)} == kinds


def test_a_new_clock_behind_lost_media_goes_on_behind_it(cut: tuple[bytes, list[Segment]]) -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    parts = [replace(p, program_date_time=at + timedelta(seconds=i)) for i, p in enumerate(cut[1])]
    decoded = Decoded().take(parts[:2])
    lost = Fetch(2 * NS, None, "segment", parts[2].url, 102, 404, 0, 0.1, "http_404", 8 * NS, given_up=True)
    decoded.decoder.lost("v", lost)
    later = [
        replace(
            p, sequence=p.sequence + 7, discontinuity=i == 0, program_date_time=at + timedelta(seconds=10 + i)
        )
        for i, p in enumerate(parts[3:])
    ]
    decoded.take(later).flush()
    frames = [f.at_ns for f in decoded.of(Frame)]
    assert abs(frames[50] - 10 * NS) < 0.1 * NS
    assert decoded.about.started_at is not None
    assert decoded.about.zero_at is not None
    assert abs(decoded.about.zero_at - decoded.about.started_at) < timedelta(seconds=0.2)


def test_the_wall_clock_is_told_anew_where_two_segments_in_a_row_tell_another(
    cut: tuple[bytes, list[Segment]],
) -> None:
    at = datetime(2026, 5, 4, 12, 0, 0, tzinfo=UTC)
    dates = [0, 1, 7, 3, 14, 15][: len(cut[1])]  # one that strays, then another clock
    parts = [
        replace(p, program_date_time=at + timedelta(seconds=s)) for p, s in zip(cut[1], dates, strict=False)
    ]
    decoded, told = Decoded(), []
    for part in parts:
        decoded.take([part])
        assert decoded.about.zero_at is not None
        told.append(round((decoded.about.zero_at - at).total_seconds()))
    assert told == [0, 0, 0, 0, 0, 10][: len(parts)]
    assert decoded.about.started_at is not None
    assert abs((decoded.about.started_at - at).total_seconds()) < 0.1


def test_a_segment_that_comes_twice_is_one_jump_in_each_track(cut: tuple[bytes, list[Segment]]) -> None:
    parts = cut[1]
    decoded = Decoded().take([*parts[:2], parts[1], *parts[2:]]).flush()  # its rate is known by then
    at = [f.at_ns for f in decoded.of(Frame)]
    assert np.diff(at).min() > 30_000_000
    assert len(at) == 25 * (SECONDS + 1)
    assert sorted((b.kind, b.track) for b in decoded.of(Break)) == [("jump", "audio:0"), ("jump", "video:0")]


def test_a_damaged_segment_is_damage_and_the_next_one_plays(cut: tuple[bytes, list[Segment]]) -> None:
    parts = cut[1]
    noise = np.random.default_rng(3).bytes(len(parts[2].data))
    spoilt = segments([noise], parts[2].init)[0]
    decoded = Decoded().take([*parts[:2], spoilt, *parts[3:]]).flush()
    assert decoded.of(Damage)
    assert decoded.of(Frame)[-1].at_ns == pytest.approx((SECONDS - 0.04) * NS, abs=0.03 * NS)


def test_a_signalled_discontinuity_joins_the_clocks(cut: tuple[bytes, list[Segment]]) -> None:
    parts = cut[1]
    again = [
        Segment("v", "main", 200 + i, p.data, NS, 0, "u", init=p.init, discontinuity=i == 0)
        for i, p in enumerate(parts)
    ]
    decoded = Decoded().take([*parts, *again]).flush()
    assert {b.kind for b in decoded.of(Break)} == {"signalled"}
    for track in ("video:0", "audio:0"):
        at = [e.at_ns for e in decoded.of(Frame if track[0] == "v" else Block, track)]
        assert at == sorted(set(at))
    assert len(decoded.of(Frame)) == 2 * 25 * SECONDS
    assert decoded.of(Frame)[-1].end_ns == pytest.approx(2 * SECONDS * NS, abs=0.1 * NS)


def test_sound_and_picture_from_two_playlists_share_the_timeline() -> None:
    picture, voice = coded("fmp4", audio=False), coded("fmp4", video=False)
    init_v, parts_v = fmp4_segments(picture)
    init_a, parts_a = fmp4_segments(voice)
    decoded = Decoded()
    decoded.take(segments(parts_v, init_v)).take(segments(parts_a, init_a, "a", language="de")).flush()
    assert set(decoded.about.tracks) == {"video:0", "audio:0"}
    assert decoded.about.tracks["audio:0"].language == "de"
    assert decoded.of(Frame)[0].at_ns == decoded.of(Block)[0].at_ns == 0


def test_two_segments_with_nothing_in_them_are_blindness_and_the_third_ends_it() -> None:
    init, parts = fmp4_segments(coded("fmp4", audio=False))
    empty = segments([b"no media at all" * 50] * 3)
    decoded = Decoded().take(empty)
    told = decoded.of(Source)
    assert [s.blind for s in told] == ["source_undecodable"] * 2
    assert "3 segments" in told[-1].reason
    decoded.take(segments(parts, init))
    assert decoded.of(Source)[-1].blind is None
    assert decoded.of(Frame)


def test_another_raster_in_the_middle_is_told_and_decoded() -> None:
    big = fmp4_segments(coded("fmp4", audio=False, seconds=2))
    memory = io.BytesIO()
    small = [(y[::2, ::2].copy()[:134], u[:67:, :120].copy(), v[:67, :120].copy()) for y, u, v in panning(2)]
    write(memory, video=Video(small), muxer="mp4", options=FRAGMENTED)
    other = fmp4_segments(memory.getvalue())
    decoded = Decoded().take(segments(big[1], big[0]))
    decoded.take(segments(other[1], other[0], discontinuity=True)[:1]).flush()
    assert [(f.width, f.height) for f in decoded.of(Format)] == [(480, 270), (240, 134)]
