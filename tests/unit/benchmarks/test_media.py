"""Coding, damage and clocks."""

import itertools
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from benchmarks.media import RATE_HZ, Coding, Kind, read_pictures, read_sound, shift_clock, write
from tests.injection import Picture, Sound
from tests.sounds import tone

FPS = Fraction(25)


def ramp(count: int) -> list[Picture]:
    """Pictures that brighten by two codes each."""
    chroma = np.full((32, 48), 128, np.uint8)
    return [(np.full((64, 96), 40 + 2 * i, np.uint8), chroma, chroma) for i in range(count)]


def stream(path: Path, coding: Coding, **more: object) -> Path:
    sound: Sound = tone(2.0)
    write(path, ramp(50), sound, FPS, coding, **more)  # type: ignore[arg-type]
    return path


def times(path: Path, kind: Kind) -> list[float]:
    with av.open(str(path)) as source:
        chosen = source.streams.video[0] if kind == "video" else source.streams.audio[0]
        return [float(p.pts * p.time_base) for p in source.demux(chosen) if p.pts is not None]


@pytest.mark.parametrize("container", ["mp4", "mpegts"])
@pytest.mark.parametrize("b_pictures", [0, 2])
def test_what_is_written_can_be_read(tmp_path: Path, container: str, b_pictures: int) -> None:
    path = stream(tmp_path / "a", Coding(container=container, crf=10, b_pictures=b_pictures))  # type: ignore[arg-type]
    means = [float(y.mean()) for y, _, _ in read_pictures(path, (96, 64))]
    assert means == pytest.approx([40 + 2 * i for i in range(50)], abs=1.5)
    sound = read_sound(path)
    assert sound.shape[1] == pytest.approx(2 * RATE_HZ, abs=3 * 1024)
    assert float(np.abs(sound).max()) == pytest.approx(float(np.abs(tone(2.0)).max()), rel=0.1)


@pytest.mark.parametrize(("codec", "ten_bits"), [("libx265", False), ("libx265", True), ("libx264", True)])
def test_other_codecs_and_depths(tmp_path: Path, codec: str, ten_bits: bool) -> None:
    coding = Coding(crf=10, codec=codec, ten_bits=ten_bits)  # type: ignore[arg-type]
    path = stream(tmp_path / "a", coding)
    with av.open(str(path)) as source:
        assert source.streams.video[0].codec_context.pix_fmt == ("yuv420p10le" if ten_bits else "yuv420p")
    shown = [float(p[0].mean()) for p in read_pictures(path, (160, 90))]
    assert shown == sorted(shown)
    assert shown[-1] > shown[0]


@pytest.mark.parametrize(("layout", "channels"), [("mono", 1), ("stereo", 2), ("5.1", 6)])
def test_sound_in_other_layouts(tmp_path: Path, layout: str, channels: int) -> None:
    path = stream(tmp_path / "a", Coding(layout=layout))  # type: ignore[arg-type]
    with av.open(str(path)) as source:
        assert source.streams.audio[0].codec_context.channels == channels


def test_a_part_of_a_file(tmp_path: Path) -> None:
    path = stream(tmp_path / "a", Coding(crf=10, gop=10))
    means = [float(y.mean()) for y, _, _ in read_pictures(path, (96, 64), start_s=1.0, most_s=0.4)]
    assert means == pytest.approx([90 + 2 * i for i in range(10)], abs=1.5)


def test_pictures_fill_the_size_asked_for(tmp_path: Path) -> None:
    path = stream(tmp_path / "a", Coding())
    picture = next(read_pictures(path, (64, 64)))
    assert [plane.shape for plane in picture] == [(64, 64), (32, 32), (32, 32)]
    assert picture[0].std() < 1  # no bars


def test_pictures_left_out_leave_their_time_empty(tmp_path: Path) -> None:
    pictures: list[Picture | None] = [p if not 20 <= i < 30 else None for i, p in enumerate(ramp(50))]
    write(tmp_path / "a", pictures, None, FPS, Coding())
    at = sorted(times(tmp_path / "a", "video"))
    assert len(at) == 40
    assert max(b - a for a, b in itertools.pairwise(at)) == pytest.approx(0.44)


def test_an_edit_may_drop_and_change_units(tmp_path: Path) -> None:
    def edit(kind: Kind, at_s: float, data: bytes) -> bytes | None:
        return None if kind == "audio" and at_s >= 1.0 else data

    path = stream(tmp_path / "a", Coding(), edit=edit)
    assert max(times(path, "audio")) < 1.0
    assert max(times(path, "video")) > 1.9


@pytest.mark.parametrize("kinds", [{"video"}, {"audio"}, {"video", "audio"}])
@pytest.mark.parametrize("by_s", [37.5, -0.7])
def test_only_the_named_clocks_move_and_only_later(tmp_path: Path, kinds: set[Kind], by_s: float) -> None:
    path = stream(tmp_path / "a", Coding(container="mpegts"))
    before = {kind: times(path, kind) for kind in ("video", "audio")}
    start = before["video"][0]
    path.write_bytes(shift_clock(path.read_bytes(), frozenset(kinds), 1.0, by_s))
    with av.open(str(path), options={"correct_ts_overflow": "0"}) as source:
        after: dict[str, list[float]] = {"video": [], "audio": []}
        for packet in source.demux():
            if packet.pts is not None:
                after[packet.stream.type].append(float(packet.pts * packet.time_base))
    for kind in ("video", "audio"):
        moved = [b - a for a, b in zip(before[kind], after[kind], strict=True)]
        early = [m for a, m in zip(before[kind], moved, strict=True) if a - start < 0.9]
        assert early
        assert all(abs(m) < 1e-6 for m in early)
        late = [m for a, m in zip(before[kind], moved, strict=True) if a - start > 1.2]
        assert late
        assert all(m == pytest.approx(by_s if kind in kinds else 0.0, abs=1e-4) for m in late)
