"""Coded media for the benchmarks: pictures and sound to H.264 and AAC in MP4 or TS, and back."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal, cast

import av
import cv2
import numpy as np

from tests.injection import Picture, Sound

RATE_HZ = 48_000
AAC_SAMPLES = (
    1024  # of each channel in a coded unit; also how far an AAC encoder's first unit lies before time 0
)

Kind = Literal["video", "audio"]
Layout = Literal["mono", "stereo", "5.1"]
Edit = Callable[
    [Kind, float, bytes], bytes | None
]  # (kind, presented at s, coded bytes) -> the same, others, or none

# Its words on standard error about deliberately broken streams are of no use here. The libraries' own switch does
# not involve Python's logging, which is unsafe in decoder threads.
av.logging.set_level(None)
logging.getLogger("libav").setLevel(logging.CRITICAL)


@dataclass(frozen=True, slots=True)
class Coding:
    """How a stream is coded; `gop` in pictures."""

    container: Literal["mp4", "mpegts"] = "mp4"
    preset: str = "superfast"
    crf: int | None = 23
    bit_rate: int | None = None  # of the picture, instead of `crf`
    gop: int = 50
    b_pictures: int = 0
    sound_bit_rate: int = 128_000
    codec: Literal["libx264", "libx265"] = "libx264"
    ten_bits: bool = False
    layout: Layout = "stereo"

    @property
    def suffix(self) -> str:
        """The file name's ending."""
        return ".ts" if self.container == "mpegts" else ".mp4"

    @classmethod
    def draw(cls, rng: np.random.Generator) -> Coding:
        """One of those that streams are found in."""
        return cls(
            container="mpegts" if rng.random() < 0.5 else "mp4",
            crf=int(rng.integers(20, 31)),
            gop=int(rng.integers(48, 101)),
            b_pictures=int(rng.choice((0, 2))),
            sound_bit_rate=int(rng.choice((96_000, 128_000, 160_000))),
            codec="libx265" if rng.random() < 0.2 else "libx264",
            ten_bits=bool(rng.random() < 0.1),
            layout=cast(Layout, str(rng.choice(("stereo", "mono", "5.1"), p=(0.7, 0.15, 0.15)))),
        )

    @property
    def words(self) -> str:
        """For people."""
        picture = f"{self.codec.removeprefix('lib')}{' 10 bit' if self.ten_bits else ''} crf {self.crf} g {self.gop}"
        return f"{picture} {self.container} {self.layout}"


def write(
    path: Path,
    pictures: Iterable[Picture | None],
    sound: Sound | None,
    fps: Fraction,
    coding: Coding,
    *,
    edit: Edit | None = None,
) -> None:
    """Code a stream into `path`; a None among the pictures leaves its time empty, `edit` sees every coded unit.

    `sound` is (2, samples) at 48 kHz, put into the coding's layout here. All pictures have one size.
    """
    if sound is not None:
        sound = laid_out(sound, coding.layout)
    with av.open(str(path), "w", format=coding.container) as out:
        video: Any = None
        audio: Any = None
        if sound is not None:
            audio = out.add_stream("aac", rate=RATE_HZ, layout=coding.layout, options={"aac_coder": "fast"})
            # At the rate of a stereo pair, coders leave whole channels of 5.1 empty for milliseconds.
            audio.codec_context.bit_rate = coding.sound_bit_rate * (2 if coding.layout == "5.1" else 1)
        done = 0
        for index, picture in enumerate(pictures):
            if picture is not None:
                if video is None:
                    video = _video_stream(out, picture, fps, coding)
                _mux(out, video.encode(_frame(picture, index, fps, ten_bits=coding.ten_bits)), "video", edit)
            if sound is not None:
                until = min(sound.shape[1], int((index + 1) / fps * RATE_HZ))
                while until - done >= AAC_SAMPLES:
                    _mux(out, audio.encode(_block(sound, done, coding.layout)), "audio", edit)
                    done += AAC_SAMPLES
        if video is not None:
            _mux(out, video.encode(None), "video", edit)
        if sound is not None:
            while done < sound.shape[1]:
                _mux(out, audio.encode(_block(sound, done, coding.layout)), "audio", edit)
                done += AAC_SAMPLES
            _mux(out, audio.encode(None), "audio", edit)


def _video_stream(out: Any, picture: Picture, fps: Fraction, coding: Coding) -> Any:
    options = {"preset": coding.preset, "g": str(coding.gop), "bf": str(coding.b_pictures), "threads": "1"}
    if coding.bit_rate is None:
        options["crf"] = str(coding.crf)
    if coding.codec == "libx265":
        options["preset"] = "ultrafast"  # superfast takes three times as long
        options["x265-params"] = "pools=none:frame-threads=1:log-level=none"
    stream = out.add_stream(coding.codec, rate=fps, options=options)
    stream.height, stream.width = picture[0].shape
    stream.pix_fmt = _pixels(ten_bits=coding.ten_bits)
    stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
    if coding.bit_rate is not None:
        stream.codec_context.bit_rate = coding.bit_rate
    return stream


def _pixels(*, ten_bits: bool) -> str:
    return "yuv420p10le" if ten_bits else "yuv420p"


def _frame(picture: Picture, index: int, fps: Fraction, *, ten_bits: bool = False) -> av.VideoFrame:
    height, width = picture[0].shape
    frame = av.VideoFrame(width, height, _pixels(ten_bits=ten_bits))
    for plane, eight in zip(frame.planes, picture, strict=True):
        samples = eight.astype(np.uint16) << 2 if ten_bits else eight
        padding = plane.line_size // samples.itemsize - samples.shape[1]
        plane.update((np.pad(samples, ((0, 0), (0, padding))) if padding else samples).tobytes())
    frame.pts, frame.time_base = index, 1 / fps
    return frame


def laid_out(sound: Sound, layout: Layout) -> Sound:
    """Stereo as mono or 5.1 of about the same loudness (BS.1770); the low-frequency channel of 5.1 is empty."""
    if layout == "stereo":
        return sound
    middle = sound.mean(axis=0)
    if layout == "mono":
        return np.asarray(1.2 * middle[None], np.float32)  # 1.4 would be as loud, and run into full scale
    behind = np.roll(sound, RATE_HZ // 50, axis=1)
    rows = (0.71 * sound[0], 0.71 * sound[1], 0.81 * middle, 0 * middle, 0.35 * behind[0], 0.35 * behind[1])
    return np.asarray(np.stack(rows), np.float32)


def _block(sound: Sound, start: int, layout: Layout) -> av.AudioFrame:
    part = np.ascontiguousarray(sound[:, start : start + AAC_SAMPLES], np.float32)
    frame = av.AudioFrame.from_ndarray(part, format="fltp", layout=layout)
    frame.sample_rate, frame.pts, frame.time_base = RATE_HZ, start, Fraction(1, RATE_HZ)
    return frame


def _mux(out: Any, packets: Iterable[Any], kind: Kind, edit: Edit | None) -> None:
    for packet in packets:
        if edit is None or packet.pts is None:
            out.mux(packet)
            continue
        before = bytes(packet)
        after = edit(kind, float(packet.pts * packet.time_base), before)
        if after is None:
            continue
        if after is not before:
            changed = av.Packet(after)
            changed.pts, changed.dts, changed.time_base = packet.pts, packet.dts, packet.time_base
            changed.duration, changed.stream = packet.duration, packet.stream
            changed.is_keyframe = packet.is_keyframe
            packet = changed  # noqa: PLW2901  # the same unit, damaged
        out.mux(packet)


def read_pictures(
    path: Path, size: tuple[int, int], *, start_s: float = 0.0, most_s: float = 1e9
) -> Iterator[Picture]:
    """The pictures of a file, each filling `size` (width, height), with what does not fit cut off on both sides.

    Raises `av.FFmpegError` where the file cannot be decoded.
    """
    with av.open(str(path)) as source:
        stream = source.streams.video[0]
        stream.codec_context.thread_count = 1
        stream.codec_context.options = {"threads": "1"}
        tick = float(stream.time_base or 0)
        first = (stream.start_time or 0) * tick
        if start_s > 0:
            source.seek(round((first + start_s) * 1e6))
        for index, frame in enumerate(source.decode(stream)):
            at = index / 25 if frame.pts is None else frame.pts * tick - first
            if at >= start_s + most_s:
                return
            if at >= start_s:
                yield _fill(frame, size)


def _fill(frame: av.VideoFrame, size: tuple[int, int]) -> Picture:
    width, height = size
    scale = max(width / frame.width, height / frame.height)
    wide, tall = _even_up(frame.width * scale, width), _even_up(frame.height * scale, height)
    if (frame.width, frame.height, frame.format.name) != (wide, tall, "yuv420p"):
        frame = frame.reformat(width=wide, height=tall, format="yuv420p", interpolation="BICUBIC")
    left, top = (wide - width) // 4 * 2, (tall - height) // 4 * 2
    planes = []
    for plane, half in zip(frame.planes, (1, 2, 2), strict=True):
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
        y, x = top // half, left // half
        planes.append(rows[y : y + height // half, x : x + width // half].copy())
    return (planes[0], planes[1], planes[2])


def _even_up(value: float, least: int) -> int:
    return max(least, -(-round(value) // 2) * 2)


def scaled(picture: Picture, size: tuple[int, int]) -> Picture:
    """The same picture in another size (width, height of luma)."""
    if picture[0].shape[::-1] == size:
        return picture
    sizes = (size, (size[0] // 2, size[1] // 2), (size[0] // 2, size[1] // 2))
    done = [cv2.resize(p, s, interpolation=cv2.INTER_AREA) for p, s in zip(picture, sizes, strict=True)]
    return cast(Picture, tuple(done))


def read_sound(path: Path, *, most_s: float = 20.0) -> Sound:
    """The first sound track of a file as (2, samples) at 48 kHz; mono comes twice.

    Raises `av.FFmpegError` where the file cannot be decoded.
    """
    parts: list[np.ndarray[Any, Any]] = []
    have = 0
    with av.open(str(path)) as source:
        resampler = av.AudioResampler(format="fltp", layout="stereo", rate=RATE_HZ)
        for frame in source.decode(audio=0):
            for out in resampler.resample(frame):
                parts.append(out.to_ndarray())
                have += out.samples
            if have >= most_s * RATE_HZ:
                break
        else:
            parts += [out.to_ndarray() for out in resampler.resample(None)]
    if not parts:
        return np.zeros((2, 0), np.float32)
    return np.concatenate(parts, axis=1)[:, : int(most_s * RATE_HZ)].astype(np.float32)


def shift_clock(data: bytes, kinds: frozenset[Kind], from_s: float, by_s: float) -> bytes:
    """A transport stream whose time stamps of `kinds` from `from_s` on (after the first picture's) lie `by_s` later.

    PTS, DTS and, with the picture's, PCR are rewritten in place (ISO/IEC 13818-1 2.4.3).
    """
    out = bytearray(data)
    by = round(by_s * 90_000)
    first: int | None = None
    video_passed = False
    for at in range(0, len(out) - 187, 188):
        control = out[at + 3] >> 4 & 3
        body = at + 4
        if control & 2:
            length = out[body]
            if length and out[body + 1] & 0x10 and video_passed and "video" in kinds:
                _move_pcr(out, body + 2, by)
            body += 1 + length
        if not (control & 1 and out[at + 1] & 0x40 and bytes(out[body : body + 3]) == b"\0\0\1"):
            continue
        stream_id = out[body + 3]
        kind: Kind | None = (
            "video" if 0xE0 <= stream_id <= 0xEF else "audio" if 0xC0 <= stream_id <= 0xDF else None
        )
        if kind is None or not out[body + 7] & 0x80:
            continue
        pts = _stamp(out, body + 9)
        if kind == "video" and first is None:
            first = pts
        if first is None or pts - first < round(from_s * 90_000):
            continue
        video_passed = video_passed or kind == "video"
        if kind in kinds:
            _set_stamp(out, body + 9, pts + by)
            if out[body + 7] & 0x40:
                _set_stamp(out, body + 14, _stamp(out, body + 14) + by)
    return bytes(out)


def _stamp(data: bytearray, at: int) -> int:
    return (
        (data[at] >> 1 & 7) << 30
        | data[at + 1] << 22
        | data[at + 2] >> 1 << 15
        | data[at + 3] << 7
        | data[at + 4] >> 1
    )


def _set_stamp(data: bytearray, at: int, ticks: int) -> None:
    ticks %= 1 << 33
    data[at] = data[at] & 0xF1 | (ticks >> 30 & 7) << 1
    data[at + 1] = ticks >> 22 & 0xFF
    data[at + 2] = (ticks >> 15 & 0x7F) << 1 | 1
    data[at + 3] = ticks >> 7 & 0xFF
    data[at + 4] = (ticks & 0x7F) << 1 | 1


def _move_pcr(data: bytearray, at: int, by: int) -> None:
    base = data[at] << 25 | data[at + 1] << 17 | data[at + 2] << 9 | data[at + 3] << 1 | data[at + 4] >> 7
    base = (base + by) % (1 << 33)
    data[at], data[at + 1] = base >> 25 & 0xFF, base >> 17 & 0xFF
    data[at + 2], data[at + 3] = base >> 9 & 0xFF, base >> 1 & 0xFF
    data[at + 4] = data[at + 4] & 0x7F | (base & 1) << 7
