"""Pictures and sound to coded units: H.264 without reordering, AAC-LC."""

import io
from dataclasses import dataclass
from fractions import Fraction

import av
import numpy as np

from glitchwatch.origin.picture import Picture
from glitchwatch.origin.sound import Sound

AAC_SAMPLES = 1024  # of each channel in a unit
VIDEO_HZ = 90_000  # ticks a second of the video clock


@dataclass(frozen=True, slots=True)
class Unit:
    """One coded picture or AAC frame; `at` counts pictures or samples from the channel's beginning."""

    at: int
    data: bytes  # H.264 in Annex B, or a raw AAC frame
    key: bool = True


class PictureEncoder:
    """Keeps one H.264 encoder open; a key picture comes where it is asked for and nowhere else."""

    def __init__(self, width: int, height: int, fps: int) -> None:
        self.width, self.height, self.fps = width, height, fps
        self._file = io.BytesIO()
        self._out = av.open(
            self._file,
            "w",
            format="mp4",
            options={
                "movflags": "empty_moov+default_base_moof+frag_custom",
                "use_editlist": "0",
                "video_track_timescale": str(VIDEO_HZ),
            },
        )
        options = {
            "preset": "ultrafast",
            "tune": "zerolatency",
            "crf": "23",
            "x264-params": "scenecut=0:keyint=infinite:no-deblock=0:threads=1:aq-mode=1",
        }
        stream = self._out.add_stream("libx264", rate=fps, options=options)
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.max_b_frames = 0
        stream.codec_context.color_range = av.video.reformatter.ColorRange.MPEG
        self._stream = stream
        self._out.start_encoding()
        self.init = self._file.getvalue()  # ftyp and moov
        extradata = bytes(stream.codec_context.extradata or b"")
        self._parameter_sets = [n for n in nal_units(extradata) if n[0] & 31 in (7, 8)]
        self.codec = "avc1." + self._parameter_sets[0][1:4].hex()

    def encode(self, picture: Picture, at: int, *, key: bool) -> Unit:
        """Picture number `at`, coded at once."""
        frame = av.VideoFrame(self.width, self.height, "yuv420p")
        for plane, samples in zip(frame.planes, picture, strict=True):
            padding = plane.line_size - samples.shape[1]
            plane.update((np.pad(samples, ((0, 0), (0, padding))) if padding else samples).tobytes())
        frame.pts, frame.time_base = at, Fraction(1, self.fps)
        if key:
            frame.pict_type = av.video.frame.PictureType.I
        data = b"".join(bytes(packet) for packet in self._stream.encode(frame))
        return Unit(at, data, key)

    @property
    def parameter_sets(self) -> bytes:
        """SPS and PPS in Annex B, for streams that carry them in band."""
        return b"".join(b"\0\0\0\1" + nal for nal in self._parameter_sets)

    def close(self) -> None:
        """Let the encoder go; nothing is held back in it."""
        self._stream.encode(None)
        self._out.close()


class SoundEncoder:
    """Keeps one AAC encoder open and hands out units dated with the sound they hold."""

    def __init__(self, rate_hz: int, bit_rate: int = 128_000) -> None:
        self.rate_hz = rate_hz
        self._file = io.BytesIO()
        self._out = av.open(
            self._file,
            "w",
            format="mp4",
            options={"movflags": "empty_moov+default_base_moof+frag_custom", "use_editlist": "0"},
        )
        stream = self._out.add_stream("aac", rate=rate_hz, layout="stereo")
        stream.codec_context.bit_rate = bit_rate
        self._stream = stream
        self._out.start_encoding()
        self.init = self._file.getvalue()
        self.codec = "mp4a.40.2"

    def encode(self, sound: Sound, at: int) -> list[Unit]:
        """(2, n) samples from sample `at` on, n a multiple of 1024; units come out one or two frames later."""
        units = []
        for offset in range(0, sound.shape[1], AAC_SAMPLES):
            part = np.ascontiguousarray(sound[:, offset : offset + AAC_SAMPLES])
            frame = av.AudioFrame.from_ndarray(part, format="fltp", layout="stereo")
            frame.sample_rate = self.rate_hz
            frame.pts, frame.time_base = at + offset, Fraction(1, self.rate_hz)
            units += [Unit(packet.pts or 0, bytes(packet)) for packet in self._stream.encode(frame)]
        return units

    def close(self) -> None:
        """Let the encoder go."""
        self._stream.encode(None)
        self._out.close()


def nal_units(annex_b: bytes) -> list[bytes]:
    """The NAL units of a byte stream (ITU-T H.264 annex B), without start codes."""
    return [part.rstrip(b"\0") for part in annex_b.split(b"\0\0\1")[1:]]
