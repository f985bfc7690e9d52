"""Small media files made for a test, and cut into segments."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np

from tests.injection import Picture, Sound
from tests.patterns import panning

FPS = 25
RATE_HZ = 48_000


@dataclass(frozen=True, slots=True)
class Video:
    """A picture track to be coded. `at` are presentation times in ticks of 1/1000 s; None is one every 1/25 s."""

    pictures: Sequence[Picture]
    codec: str = "libx264"
    pix_fmt: str = "yuv420p"
    at: Sequence[int] | None = None
    fps: int = FPS
    options: tuple[tuple[str, str], ...] = (("preset", "ultrafast"), ("g", "25"), ("threads", "1"))


@dataclass(frozen=True, slots=True)
class Audio:
    """A sound track to be coded."""

    sound: Sound
    codec: str = "aac"
    layout: str = "stereo"
    format: str | None = None  # what the coder is given; None is its own first choice
    rate_hz: int = RATE_HZ
    options: tuple[tuple[str, str], ...] = ()


def sound(seconds: float, channels: int = 2, rate_hz: int = RATE_HZ) -> Sound:
    """A different chord on every channel."""
    at = np.arange(round(seconds * rate_hz)) / rate_hz
    return np.stack(
        [
            0.2 * np.sin(2 * np.pi * 220 * (n + 1) * at) + 0.1 * np.sin(2 * np.pi * 331 * at)
            for n in range(channels)
        ]
    ).astype(np.float32)


def write(
    target: str | Path | io.BytesIO,
    *,
    video: Video | None = None,
    audio: Audio | Sequence[Audio] = (),
    muxer: str | None = None,
    options: dict[str, str] | None = None,
) -> None:
    """Code and mux."""
    sounds = [audio] if isinstance(audio, Audio) else list(audio)
    where = str(target) if isinstance(target, str | Path) else target
    with av.open(where, "w", format=muxer, options=options or {}) as out:
        tracks: list[Any] = [_video_stream(out, video)] if video else []
        tracks += [_audio_stream(out, one) for one in sounds]
        coded: list[tuple[float, int, Any]] = []
        if video:
            coded += _coded(tracks[0], _video_frames(video))
        for stream, one in zip(tracks[1 if video else 0 :], sounds, strict=True):
            coded += _coded(stream, _audio_frames(one, stream))
        for _, _, packet in sorted(coded, key=lambda item: item[:2]):
            out.mux(packet)


def clip(path: Path, seconds: float = 2.0, **options: str) -> Path:
    """An ordinary file: H.264 and AAC, two tracks."""
    write(path, video=Video(panning(seconds)), audio=Audio(sound(seconds)), options=options)
    return path


def ts_segments(data: bytes, seconds: float = 1.0) -> list[bytes]:
    """A transport stream cut at the key picture next to every `seconds`, its coded packets as they are."""
    with av.open(io.BytesIO(data), "r") as source:
        packets = [p for p in source.demux() if p.size]
        cuts: list[Fraction] = []
        for packet in packets:
            at = _stamp(packet)
            late = not cuts or at - cuts[-1] >= Fraction(seconds) - Fraction(1, 50)
            if packet.stream.type == "video" and packet.is_keyframe and late:
                cuts.append(at)
        bounds = [Fraction(-1), *cuts[1:], Fraction(10**9)]
        return [
            _muxed(source, [p for p in packets if begin <= _stamp(p) < end])
            for begin, end in pairwise(bounds)
        ]


def _stamp(packet: Any) -> Fraction:
    return Fraction(packet.dts * packet.time_base)


def _muxed(source: av.container.InputContainer, packets: Sequence[Any]) -> bytes:
    memory = io.BytesIO()
    with av.open(memory, "w", format="mpegts") as target:
        copies = {s.index: target.add_stream_from_template(s) for s in source.streams}
        for packet in packets:
            kept = av.Packet(bytes(packet))
            kept.pts, kept.dts, kept.time_base = packet.pts, packet.dts, packet.time_base
            kept.is_keyframe, kept.stream = packet.is_keyframe, copies[packet.stream_index]
            target.mux(kept)
    return memory.getvalue()


def fmp4_segments(data: bytes) -> tuple[bytes, list[bytes]]:
    """(initialization section, media segments) of a fragmented MP4 file."""
    boxes: list[tuple[bytes, bytes]] = []
    place = 0
    while place < len(data):
        size = int.from_bytes(data[place : place + 4])
        boxes.append((data[place + 4 : place + 8], data[place : place + size]))
        place += size
    init = b"".join(body for name, body in boxes if name in (b"ftyp", b"moov"))
    segments: list[bytes] = []
    for name, body in boxes:
        if name == b"moof":
            segments.append(body)
        elif name == b"mdat" and segments:
            segments[-1] += body
    return init, segments


def _video_stream(out: av.container.OutputContainer, video: Video) -> av.VideoStream:
    height, width = video.pictures[0][0].shape
    stream = out.add_stream(video.codec, rate=video.fps)
    assert isinstance(stream, av.VideoStream)
    stream.width, stream.height, stream.pix_fmt = width, height, video.pix_fmt
    if video.at is not None:
        stream.codec_context.time_base = Fraction(1, 1000)
    if video.codec.startswith("libx26"):
        stream.options = dict(video.options)
    return stream


def _audio_stream(out: av.container.OutputContainer, audio: Audio) -> av.AudioStream:
    stream = out.add_stream(audio.codec, rate=audio.rate_hz, layout=audio.layout)
    assert isinstance(stream, av.AudioStream)
    if audio.format is not None:
        stream.format = audio.format
    stream.options = dict(audio.options)
    return stream


def _coded(stream: Any, frames: Iterable[object]) -> list[tuple[float, int, Any]]:
    packets = [p for frame in [*frames, None] for p in stream.encode(frame)]
    return [(float(p.dts * p.time_base), stream.index, p) for p in packets]


def _video_frames(video: Video) -> Iterable[av.VideoFrame]:
    for index, (luma, blue, red) in enumerate(video.pictures):
        height, width = luma.shape
        frame = av.VideoFrame(width, height, "yuv420p")
        for plane, values in zip(frame.planes, (luma, blue, red), strict=True):
            rows = np.zeros((plane.height, plane.line_size), np.uint8)
            rows[:, : values.shape[1]] = values[: plane.height]
            plane.update(rows.tobytes())
        if video.pix_fmt != "yuv420p":
            frame = frame.reformat(format=video.pix_fmt)
        frame.pts = index if video.at is None else video.at[index]
        frame.time_base = Fraction(1, video.fps) if video.at is None else Fraction(1, 1000)
        yield frame


def _audio_frames(audio: Audio, stream: av.AudioStream) -> Iterable[av.AudioFrame]:
    resampler = av.AudioResampler(stream.format, audio.layout, audio.rate_hz, stream.frame_size or 1024)
    samples = np.ascontiguousarray(audio.sound, np.float32)
    frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout=audio.layout)
    frame.sample_rate, frame.pts, frame.time_base = audio.rate_hz, 0, Fraction(1, audio.rate_hz)
    yield from resampler.resample(frame)
    yield from resampler.resample(None)
