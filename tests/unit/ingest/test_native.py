"""Reading one file: any coding in, one kind of event out; what is not media says so in one sentence."""

from __future__ import annotations

import shutil
import struct
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from contracts.errors import IngestError, SourceUndecodable, SourceUnreachable
from detectors.events import Break, Damage, Event, Format, Tick
from detectors.frame import Block, Frame
from tests.media import RATE_HZ, Audio, Video, clip, sound, write
from tests.patterns import WIDTH, flat, pan, panning
from worker.ingest.native import NativeReading, PlaylistFound
from worker.ingest.options import IngestOptions
from worker.ingest.reading import About
from worker.ingest.timeline import NS


def read(path: Path | str) -> tuple[list[Event], About]:
    reading = NativeReading(str(path), IngestOptions(open_timeout_s=2, read_timeout_s=2))
    try:
        return [e for e in reading.events() if e is not None], reading.about
    finally:
        reading.close()


def of(kind: type[Any], events: list[Event]) -> list[Any]:
    return [e for e in events if isinstance(e, kind)]


def samples(events: list[Event]) -> np.ndarray[Any, Any]:
    return np.concatenate([b.samples for b in of(Block, events)], axis=1)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("media")


@pytest.fixture(scope="module")
def ordinary(folder: Path) -> Path:
    return clip(folder / "ordinary.mp4", 3.0)


def test_an_ordinary_file(ordinary: Path) -> None:
    events, about = read(ordinary)
    pictures, blocks = of(Frame, events), of(Block, events)
    assert [f.at_ns for f in pictures] == [i * 40_000_000 for i in range(75)]
    assert {f.duration_ns for f in pictures} == {40_000_000}
    assert [f.joins for f in pictures[:3]] == [False, True, True]
    assert {b.samples.shape for b in blocks[:-1]} == {(2, RATE_HZ // 10)}
    assert [b.at_ns for b in blocks[:3]] == pytest.approx([0, NS // 10, 2 * NS // 10], abs=1)
    assert blocks[0].channels == ("L", "R")
    assert of(Damage, events) == of(Break, events) == []
    assert [f.track for f in of(Format, events)] == ["video:0", "audio:0"]
    assert (about.container or "").startswith("mov,mp4")
    assert about.duration_s == pytest.approx(3.0, abs=0.05)
    assert about.incomplete is None
    video, audio = about.tracks["video:0"], about.tracks["audio:0"]
    assert (video.codec, video.width, video.height, video.fps, video.bit_depth) == ("h264", 480, 270, 25.0, 8)
    assert (audio.codec, audio.sample_rate_hz, audio.channels) == ("aac", RATE_HZ, 2)


def test_ticks_go_up_and_reach_the_end(ordinary: Path) -> None:
    events, _ = read(ordinary)
    ticks = [t.at_ns for t in of(Tick, events)]
    assert ticks == sorted(set(ticks))
    assert ticks[-1] == pytest.approx(3 * NS, abs=0.15 * NS)
    assert len(ticks) > 1
    # What a tick promises: everything before it has been delivered.
    reached = 0
    for event in events:
        if isinstance(event, Tick):
            reached = event.at_ns
        elif isinstance(event, Frame):
            assert event.at_ns >= reached - 1_500_000_000


def test_what_is_decoded_is_what_was_coded(folder: Path) -> None:
    heard, shown = sound(1.0), panning(1.0)
    path = folder / "lossless.mkv"
    write(path, video=Video(shown, codec="ffv1"), audio=Audio(heard, codec="pcm_f32le"))
    events, _ = read(path)
    for frame, (luma, blue, red) in zip(of(Frame, events), shown, strict=True):
        assert np.array_equal(frame.luma, luma)
        assert frame.chroma is not None
        assert np.array_equal(frame.chroma[0], blue)
        assert np.array_equal(frame.chroma[1], red)
    assert np.array_equal(samples(events), heard)


@pytest.mark.parametrize(
    ("codec", "pix_fmt", "depth", "chroma"),
    [
        ("libx264", "yuv420p10le", 10, (135, 240)),
        ("libx264", "yuv422p10le", 10, (270, 240)),
        ("libx264", "yuv444p", 8, (270, 480)),
        ("libx265", "yuv420p10le", 10, (135, 240)),
        ("mpeg2video", "yuv422p", 8, (270, 240)),
        ("ffv1", "yuv420p", 8, (135, 240)),
        ("ffv1", "bgr0", 8, (135, 240)),
        ("ffv1", "gray", 8, None),
    ],
)
def test_any_sampling_and_depth(
    folder: Path, codec: str, pix_fmt: str, depth: int, chroma: tuple[int, int] | None
) -> None:
    path = folder / f"{codec}-{pix_fmt}.mkv"
    options = (("preset", "ultrafast"), ("x265-params", "log-level=none")) if codec == "libx265" else ()
    write(path, video=Video(panning(0.4), codec=codec, pix_fmt=pix_fmt, options=options))
    events, about = read(path)
    first = of(Frame, events)[0]
    assert (first.depth, first.luma.dtype.itemsize) == (depth, 1 if depth == 8 else 2)
    assert (None if first.chroma is None else first.chroma[0].shape) == chroma
    difference = np.abs((first.luma >> (depth - 8)).astype(int) - pan(0)[0])
    assert difference.mean() < 6
    assert about.tracks["video:0"].bit_depth == depth


@pytest.mark.parametrize("size", [(17, 9), (1, 1), (641, 361)])
def test_odd_sizes(folder: Path, size: tuple[int, int]) -> None:
    path = folder / f"odd-{size[0]}.mkv"
    write(path, video=Video([flat(90, 100, 150, size)] * 3, codec="ffv1"))
    first = of(Frame, read(path)[0])[0]
    assert (first.width, first.height) == size
    assert (first.luma == 90).all()
    assert first.chroma is not None
    assert (first.chroma[0] == 100).all()


@pytest.mark.parametrize(
    ("layout", "channels", "names"),
    [
        ("mono", 1, ("M",)),
        ("stereo", 2, ("L", "R")),
        ("5.1", 6, ("L", "R", "C", "LFE", "Lrs", "Rrs")),
        ("5.1(side)", 6, ("L", "R", "C", "LFE", "Ls", "Rs")),
    ],
)
@pytest.mark.parametrize("codec", ["pcm_s16le", "pcm_f32le", "pcm_s32le", "pcm_u8"])
def test_layouts_and_sample_formats(
    folder: Path, layout: str, channels: int, names: tuple[str, ...], codec: str
) -> None:
    path = folder / f"{channels}-{codec}-{names[-1]}.wav"
    heard = sound(0.5, channels)
    write(path, audio=Audio(heard, codec=codec, layout=layout))
    events, about = read(path)
    assert of(Block, events)[0].channels == names
    assert about.tracks["audio:0"].channels == channels
    quantum = {"pcm_u8": 1 / 128, "pcm_s16le": 1 / 32768}.get(codec, 1e-6)
    assert np.abs(samples(events) - heard).max() <= quantum


@pytest.mark.parametrize(
    ("layout", "channels", "names"),
    [("stereo", 2, ("L", "R")), ("5.1", 6, ("ch1", "ch2", "ch3", "ch4", "ch5", "ch6"))],
)
def test_channels_that_nobody_named(folder: Path, layout: str, channels: int, names: tuple[str, ...]) -> None:
    path = folder / f"unnamed-{channels}.mkv"
    write(path, audio=Audio(sound(0.2, channels), codec="pcm_s16le", layout=layout))
    assert of(Block, read(path)[0])[0].channels == names


def test_a_variable_rate_keeps_each_pictures_time(folder: Path) -> None:
    at = [0, 40, 80, 500, 540, 1200, 1240, 3000, 3040]
    path = folder / "variable.mp4"
    write(path, video=Video([pan(i) for i in range(len(at))], at=at))
    events, _ = read(path)
    assert [f.at_ns // 1_000_000 for f in of(Frame, events)] == at


def test_slides_every_five_seconds_are_not_a_gap_each(folder: Path) -> None:
    at = [i * 5000 for i in range(12)]
    path = folder / "slides.mkv"
    write(path, video=Video([flat(40 + 10 * i) for i in range(len(at))], at=at))
    events, _ = read(path)
    assert len(of(Frame, events)) == 12
    assert len(of(Break, events)) <= 2


def test_time_stamps_need_not_begin_at_zero(folder: Path) -> None:
    path = folder / "late.mkv"
    write(path, video=Video(panning(0.4), at=[90_000 + 40 * i for i in range(10)]))
    assert of(Frame, read(path)[0])[0].at_ns == 0


def test_a_gap_is_told_once_and_time_goes_on(folder: Path) -> None:
    at = [40 * i + (3000 if i >= 25 else 0) for i in range(50)]
    path = folder / "gap.mkv"
    write(path, video=Video(panning(2), at=at))
    events, _ = read(path)
    (gap,) = of(Break, events)
    assert (gap.kind, gap.at_ns, gap.delta_ns) == ("gap", NS, 3 * NS)


@pytest.mark.parametrize("tracks", ["video", "audio"])
def test_one_kind_alone(folder: Path, tracks: str) -> None:
    path = folder / f"{tracks}.mp4"
    write(path, **({"video": Video(panning(1))} if tracks == "video" else {"audio": Audio(sound(1))}))
    events, about = read(path)
    assert list(about.tracks) == [f"{tracks}:0"]
    assert {type(e) for e in events} == {Tick, Format, Frame if tracks == "video" else Block}


def test_two_sounds_are_two_tracks(folder: Path) -> None:
    path = folder / "two.mkv"
    write(path, audio=[Audio(sound(1)), Audio(sound(1, 1), layout="mono")])
    _, about = read(path)
    assert [about.tracks[t].channels for t in ("audio:0", "audio:1")] == [2, 1]


def test_cover_art_is_no_track(folder: Path) -> None:
    path = folder / "cover.mp4"
    with av.open(str(path), "w") as out:
        heard = out.add_stream("aac", rate=RATE_HZ, layout="stereo")
        cover = out.add_stream("mjpeg", rate=1)
        cover.width, cover.height, cover.pix_fmt = 64, 64, "yuvj420p"
        cover.disposition = av.stream.Disposition.attached_pic
        picture = av.VideoFrame(64, 64, "yuvj420p")
        picture.pts = 0
        out.mux(cover.encode(picture))
        out.mux(cover.encode(None))
        frame = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        frame.sample_rate = RATE_HZ
        for i in range(50):
            frame.pts = i * 1024
            out.mux(heard.encode(frame))
        out.mux(heard.encode(None))
    _, about = read(path)
    assert list(about.tracks) == ["audio:0"]


def test_a_truncated_file_is_incomplete_and_says_where(folder: Path) -> None:
    whole = clip(folder / "index-first.mp4", 4.0, movflags="faststart")
    cut = folder / "cut.mp4"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    events, about = read(cut)
    assert 20 < len(of(Frame, events)) < 80
    assert "truncated" in (about.incomplete or "")
    assert "4.0 s" in (about.incomplete or "")


def _cases(folder: Path, ordinary: Path) -> dict[str, Path]:
    made = {
        name: folder / name for name in ("text.txt", "empty.mp4", "random.bin", "no-index.mp4", "page.html")
    }
    made["text.txt"].write_text("These are not pictures.\n" * 50)
    made["page.html"].write_text("<!doctype html><html><body>Not found</body></html>" * 20)
    made["empty.mp4"].write_bytes(b"")
    made["random.bin"].write_bytes(np.random.default_rng(1).bytes(200_000))
    data = ordinary.read_bytes()
    made["no-index.mp4"].write_bytes(data[: data.rindex(b"moov") - 4])
    made["folder"] = folder
    made["missing.mp4"] = folder / "is-not-here.mp4"
    made["long name"] = folder / ("x" * 5000)
    return made


@pytest.mark.parametrize(
    ("name", "error", "word"),
    [
        ("text.txt", SourceUndecodable, ""),
        ("page.html", SourceUndecodable, ""),
        ("empty.mp4", SourceUndecodable, "empty"),
        ("random.bin", SourceUndecodable, ""),
        ("no-index.mp4", SourceUndecodable, "index"),
        ("folder", SourceUnreachable, "directory"),
        ("missing.mp4", SourceUnreachable, "does not exist"),
        ("long name", SourceUnreachable, "does not exist"),
    ],
)
def test_what_is_not_media_says_so(
    folder: Path, ordinary: Path, name: str, error: type[IngestError], word: str
) -> None:
    path = _cases(folder, ordinary)[name]
    with pytest.raises(error) as caught:
        read(path)
    assert word in str(caught.value)
    assert str(path)[:20] in str(caught.value)
    assert caught.value.cause != "unknown"
    assert "\n" not in caught.value.explain()


def test_a_file_url_is_a_file(ordinary: Path) -> None:
    assert len(of(Frame, read(f"file://{ordinary}")[0])) == 75


def test_an_answer_that_is_a_playlist_is_told_apart(folder: Path) -> None:
    path = folder / "no-suffix"
    clip_ = clip(folder / "one.ts", 1.0)
    path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n{clip_.name}\n#EXT-X-ENDLIST\n")
    with pytest.raises(PlaylistFound):
        read(path)


def test_damaged_packets_are_events_and_the_rest_is_read(folder: Path) -> None:
    whole = clip(folder / "whole.ts", 3.0)
    data = bytearray(whole.read_bytes())
    rng = np.random.default_rng(3)
    for place in rng.integers(len(data) // 3, len(data) // 2, 400):
        data[place] ^= 0xFF
    damaged = folder / "damaged.ts"
    damaged.write_bytes(data)
    events, _ = read(damaged)
    assert of(Damage, events)
    assert of(Frame, events)[-1].at_ns > 2.5 * NS
    for track in ("video:0", "audio:0"):
        at = [e.at_ns for e in events if isinstance(e, Frame | Block) and e.track == track]
        assert at == sorted(set(at))


def test_closing_twice_is_closing(ordinary: Path, tmp_path: Path) -> None:
    copy = shutil.copy(ordinary, tmp_path / "copy.mp4")
    reading = NativeReading(str(copy), IngestOptions())
    next(iter(reading.events()))
    reading.close()
    reading.close()


def test_a_header_that_lies_about_its_size_is_survived(folder: Path, ordinary: Path) -> None:
    data = bytearray(ordinary.read_bytes())
    place = data.rindex(b"stsz")
    data[place + 12 : place + 16] = struct.pack(">I", 0x7FFFFFFF)
    path = folder / "lie.mp4"
    path.write_bytes(data)
    with pytest.raises(IngestError) as caught:
        read(path)
    assert caught.value.explain()


def test_planes_are_views_and_stay_valid(ordinary: Path) -> None:
    frames = of(Frame, read(ordinary)[0])
    assert frames[0].luma.base is not None
    assert frames[0].luma.strides[0] >= WIDTH
    assert np.abs(frames[0].luma.astype(int) - pan(0)[0]).mean() < 6  # after the container was closed


def with_empty_packets(ogg: bytes, after_each: int) -> bytes:
    """Every packet of sound followed by packets without data, which Ogg allows and last no time (RFC 3533)."""
    out, at = bytearray(), 0
    while at < len(ogg):
        header = bytearray(ogg[at : at + 27])
        lacing = ogg[at + 27 : at + 27 + header[26]]
        body = ogg[at + 27 + len(lacing) :][: sum(lacing)]
        at += 27 + len(lacing) + len(body)
        if struct.unpack_from("<q", header, 6)[0] > 0:  # sound has ended with it: no header
            lacing = b"".join(bytes([n]) + bytes(after_each if n < 255 else 0) for n in lacing)
        header[22:26] = bytes(4)
        header[26] = len(lacing)
        page = bytes(header) + lacing + body
        out += page[:22] + struct.pack("<I", ogg_checksum(page)) + page[26:]
    return bytes(out)


def ogg_checksum(page: bytes) -> int:
    """CRC-32 with the polynomial 0x04C11DB7, not reflected, of a page whose checksum is 0."""
    value = 0
    for byte in page:
        value ^= byte << 24
        for _ in range(8):
            value = (value << 1) ^ (0x04C11DB7 if value & 0x80000000 else 0)
        value &= 0xFFFFFFFF
    return value


def test_empty_packets_of_ogg_last_no_time(folder: Path) -> None:
    """libav gives each the length of the packet before: its clock would run to and fro by seconds."""
    plain, padded = folder / "plain.ogg", folder / "padded.ogg"
    vorbis = Audio(sound(3.0), codec="vorbis", options=(("strict", "experimental"),))
    write(plain, audio=vorbis, options={"page_duration": "200000"})
    padded.write_bytes(with_empty_packets(plain.read_bytes(), 8))
    (was, _), (now, _) = read(plain), read(padded)
    assert of(Break, now) == of(Damage, now) == []
    assert all(b.joins for b in of(Block, now)[1:])
    assert of(Block, now)[-1].end_ns == pytest.approx(3 * NS, abs=0.1 * NS)
    length = samples(was).shape[1]
    assert np.array_equal(samples(now)[:, :length], samples(was))
