"""Packets of one elementary stream into frames, blocks of sound, breaks and damage, on the input's timeline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from fractions import Fraction
from typing import Any

import av
import av.error
import av.stream
import numpy as np

from contracts.report import Track
from detectors.events import Damage, Event, Format, Recall
from detectors.frame import Block, Frame, Samples
from worker.ingest.planes import channel_names, picture, sound
from worker.ingest.timeline import NS, Timeline

PICTURE_TOLERANCE_NS = 200_000_000
SOUND_TOLERANCE_NS = 60_000_000
PICTURE_STEADY_NS = 900_000_000
SOUND_STEADY_NS = 300_000_000
MOST_FPS = 240  # a higher declared rate is a time base, not a rate
BLOCK_HZ = 10  # blocks of sound a second
TOP_FIRST = {2: True, 3: False}  # libav's codes; those for fields coded in another order are set by rumour
# Errors by which libav says "this packet is damaged"; which one it picks is not consistent (AAC may even
# answer with a permission error).
DAMAGED = (av.error.FFmpegError, OSError, ValueError)


@dataclass(frozen=True, slots=True)
class TrackPlace:
    """Where a reading left a track, and how; numbers as in `TrackClock`."""

    track: str
    end_ns: int
    offset_ns: int | None
    step_ns: int
    format: Format | None

    def plain(self) -> dict[str, Any]:
        """Fit for JSON."""
        return asdict(self)

    @classmethod
    def of(cls, plain: Mapping[str, Any]) -> TrackPlace:
        """What `plain` made, here or in another version: fields that are not ours are left out."""
        coded = plain.get("format")
        made = (
            None if coded is None else Format(**{**_own(Format, coded), "channels": tuple(coded["channels"])})
        )
        return cls(**{**_own(cls, plain), "format": made})


@dataclass(slots=True)
class Decoded:
    """What one packet gave: frames of libav, or the error instead."""

    packet: Any
    frames: list[Any] = field(default_factory=list)
    error: BaseException | None = None
    length_ns: int = 0  # of media in `frames`, about
    picture_bytes: int = 0


class TrackDecoder:
    """One track. Its decoder lives across segments and is made anew when the coding changes."""

    def __init__(self, track: str, kind: str, timeline: Timeline, *, joined_live: bool = False) -> None:
        """`joined_live`: we came in the middle, so damage before the first key picture is not a defect."""
        self.track, self.kind = track, kind
        self.described: Track | None = None
        self.decoded = 0  # frames of picture or sound that came out
        self.language: str | None = None
        self._timeline = timeline
        video = kind == "video"
        tolerance = PICTURE_TOLERANCE_NS if video else SOUND_TOLERANCE_NS
        steady = PICTURE_STEADY_NS if video else SOUND_STEADY_NS
        self._clock = timeline.clock(track, tolerance, steady_needed_ns=steady)
        self._context: Any = None
        self._top_first: bool | None = None  # what the stream last said of its fields
        self._base: Fraction | None = None  # of the time stamps of packets, and so of frames
        self._signature: tuple[Any, ...] = ()
        self._format: Format | None = None
        self._waiting_for_key = joined_live and video
        self._frame_ns = NS // 25
        self._fps = 0.0
        self._cadence = Cadence()
        self._blocks: _Blocks | None = None
        self._layout: tuple[str, tuple[str, ...]] = ("", ())  # of the last sound, and its channels' names
        self._counts = False  # its place in time is told by samples alone
        self._left: TrackPlace | None = None  # by the reading before

    @property
    def end_ns(self) -> int:
        """Media time up to which this track has been decoded."""
        return self._clock.end_ns or 0

    @property
    def known(self) -> bool:
        """Whether anything of it was ever decoded, here or by the reading before."""
        return self._format is not None or self._left is not None

    @property
    def place(self) -> TrackPlace:
        """Where another reading goes on; that of the one before where nothing has come of it since."""
        clock, left = self._clock, self._left
        if clock.end_ns is None and left is not None:
            return left
        coded = self._format or (left.format if left else None)
        return TrackPlace(self.track, self.end_ns, clock.offset_ns, clock.longest_ns, coded)

    def recall(self, left: TrackPlace) -> Recall:
        """Note where the reading before left this track."""
        self._left = left
        return Recall(left.end_ns, self.track, left.step_ns, left.format)

    def take_over(self) -> None:
        """Go on behind the media that the reading before has decoded."""
        left = self._left
        if left is not None and left.offset_ns is not None and self._clock.end_ns is None:
            self._timeline.take_over(self._clock, left.end_ns, left.offset_ns, left.step_ns)

    def attach(self, stream: Any, *, fresh: bool = False) -> Iterator[Event]:
        """Take packets of `stream` from now on; a decoder of the same coding goes on unless `fresh`."""
        context = stream.codec_context
        if context is None:
            raise ValueError("no decoder")
        signature: tuple[Any, ...]
        if self.kind == "video":
            signature = (context.name, bytes(context.extradata or b""), context.width, context.height)
            rate = stream.average_rate or stream.guessed_rate
            self._top_first = TOP_FIRST.get(context.field_order)
            if self._cadence.fps is None and rate and 1 <= rate <= MOST_FPS:
                self._frame_ns = int(NS / rate)
                self._fps = float(rate)
        else:
            signature = (
                context.name,
                bytes(context.extradata or b""),
                context.sample_rate,
                context.layout.name,
            )
        if self._context is not None and signature == self._signature and not fresh:
            self._base = stream.time_base
            return
        if self._context is not None:
            yield from self.flush()
            self._cadence = Cadence()
        self._base = stream.time_base
        self._signature = signature
        self._context = context
        if not context.is_open:
            context.thread_count = 1

    def skip_non_reference(self, skip: bool) -> None:
        """Whether pictures that no other picture needs are left out; what remains is decoded bit by bit the same."""
        if self.kind == "video" and self._context is not None:
            self._context.skip_frame = "NONREF" if skip else "DEFAULT"

    def distrust_times(self) -> None:
        """Place sound by the number of its samples from now on.

        An Ogg page says how many samples have ended with it; libav's packets count back from there, and give a
        packet without data the length of the one before although no sound comes of it. A clock made so runs to and fro.
        """
        self._counts = self.kind == "audio"

    def decode(self, packet: Any) -> Decoded:
        """What libav makes of one packet; to be given to `hand_out`, in the same order."""
        try:
            frames = self._context.decode(packet)
        except DAMAGED as error:
            return Decoded(packet, error=error)
        length_ns = picture_bytes = 0
        if frames and self.kind == "video":
            first = frames[0]  # one packet's pictures are of one size
            picture_bytes = len(frames) * first.width * first.height * first.format.padded_bits_per_pixel // 8
            length_ns = len(frames) * max(self._frame_ns, self._clock.step_ns)
        elif frames and frames[0].sample_rate:
            length_ns = sum(frame.samples for frame in frames) * NS // frames[0].sample_rate
        return Decoded(packet, frames, None, length_ns, picture_bytes)

    def hand_out(self, decoded: Decoded) -> Iterator[Event]:
        """The events that one packet gave rise to; damage is an event, never an exception."""
        if decoded.error is not None:
            if not self._waiting_for_key:
                yield Damage(self._due_ns(decoded.packet), self.track, 1, _words(decoded.error))
            return
        for frame in decoded.frames:
            yield from self._frame(frame)

    def _due_ns(self, packet: Any) -> int:
        """Media time of a packet that gave nothing, as far as it is known."""
        if packet.pts is None or packet.time_base is None:
            return max(self.end_ns, 0)
        base = packet.time_base
        at = self._timeline.estimate(self._clock, packet.pts * base.numerator * NS // base.denominator)
        return max(at, self.end_ns, 0)

    def flush(self) -> Iterator[Event]:
        """Hand out what the decoder still holds; it can be used again afterwards."""
        if self._context is None or not self._context.is_open:
            return
        try:
            for frame in self._context.decode(None):
                yield from self._frame(frame)
            self._context.flush_buffers()
        except DAMAGED as error:
            yield Damage(self.end_ns, self.track, 1, _words(error))
        if self._blocks is not None:
            yield from self._blocks.flush()

    def _frame(self, frame: Any) -> Iterator[Event]:
        try:
            if self.kind == "video":
                yield from self._picture(frame)
            else:
                yield from self._sound(frame)
        except DAMAGED as error:
            yield Damage(self.end_ns, self.track, 1, _words(error))

    def _raw_ns(self, frame: Any) -> int | None:
        pts = frame.pts
        if pts is None or self._base is None:
            return None
        return int(pts * self._base.numerator * NS // self._base.denominator)

    def _picture(self, frame: av.VideoFrame) -> Iterator[Event]:
        if self._waiting_for_key:
            if not frame.key_frame or frame.is_corrupt:
                return
            self._waiting_for_key = False
        shown = picture(frame)
        height, width = shown.luma.shape
        duration = self._frame_ns
        if not self._fps and frame.duration and self._base is not None:
            duration = max(1, int(frame.duration * self._base * NS))
        raw = self._raw_ns(frame)
        if raw is None:
            raw = self._follow()
        placed = self._timeline.place(self._clock, raw, duration)
        yield from placed.breaks
        if not placed.keep:
            return
        self.decoded += 1
        at = max(placed.at_ns, 0)
        now = self._format
        if now is None or now.height != height or now.width != width:
            yield self._describe_picture(frame, width, height, shown.depth, at)
        self._measure_rate(at, joins=placed.joins)
        if frame.is_corrupt:
            yield Damage(at, self.track, 1, "picture decoded from damaged data")
        yield Frame(
            self.track, at, duration, shown.luma, shown.chroma, shown.depth, shown.full_range, frame.is_corrupt,
            matrix=shown.matrix, transfer=shown.transfer, interlaced=bool(frame.interlaced_frame),
            top_first=self._top_first if frame.interlaced_frame else None,
            joins=placed.joins or [b.kind for b in placed.breaks] == ["gap"],  # same clock, time skipped
        )  # fmt: skip

    def _measure_rate(self, at_ns: int, *, joins: bool) -> None:
        """Believe the pictures more than a declared rate: one segment alone declares it badly."""
        if not self._cadence.add(at_ns, joins=joins):
            return
        measured = self._cadence.fps
        if measured is None or abs(measured - self._fps) <= 0.01 * measured:
            return
        self._fps, self._frame_ns = measured, int(NS / measured)
        if self.described is not None:
            self.described = self.described.model_copy(update={"fps": round(measured, 3)})

    def _follow(self) -> int:
        clock = self._clock
        return (clock.end_ns or 0) - (clock.offset_ns or 0)

    def _sound(self, frame: av.AudioFrame) -> Iterator[Event]:
        samples = sound(frame)
        count, rate = samples.shape[1], frame.sample_rate
        if not count or not rate:
            return
        layout = frame.layout
        if layout.name != self._layout[0]:
            self._layout = (layout.name, channel_names(layout))
        names = self._layout[1]
        raw = None if self._counts else self._raw_ns(frame)
        if raw is None:
            raw = self._follow()
        placed = self._timeline.place(self._clock, raw, count * NS // rate)
        other = self._format is None or self._format.rate_hz != rate or self._format.channels != names
        if self._blocks is not None and (placed.breaks or other):
            yield from self._blocks.flush()
        yield from placed.breaks
        if not placed.keep:
            return
        self.decoded += 1
        at = placed.at_ns
        if other or self._blocks is None:
            yield self._describe_sound(frame, rate, names, max(at, 0))
            self._blocks = _Blocks(self.track, rate, names)
        if at < 0:  # before the first presented sample
            skip = min(count, -at * rate // NS)
            samples, at = samples[:, skip:], 0
        yield from self._blocks.add(at, samples, joins=placed.joins)

    def _describe_picture(self, frame: Any, width: int, height: int, depth: int, at_ns: int) -> Format:
        codec = self._context.codec.canonical_name
        self._format = Format(
            at_ns, self.track, "video", codec, width=width, height=height, fps=round(self._fps, 3)
        )
        if self.described is None:
            self.described = Track(
                id=self.track, kind="video", codec=codec, width=width, height=height, language=self.language,
                fps=round(self._fps, 3) if self._fps else None, bit_depth=depth,
            )  # fmt: skip
        return self._format

    def _describe_sound(self, frame: Any, rate: int, names: tuple[str, ...], at_ns: int) -> Format:
        codec = self._context.codec.canonical_name
        self._format = Format(at_ns, self.track, "audio", codec, rate_hz=rate, channels=names)
        if self.described is None:
            self.described = Track(
                id=self.track, kind="audio", codec=codec, sample_rate_hz=rate, channels=len(names),
                layout=frame.layout.name, language=self.language,
            )  # fmt: skip
        return self._format


class Cadence:
    """The constant rate of a track's first pictures, where they have one."""

    STEPS = 24
    USUAL = (24000 / 1001, 24.0, 25.0, 30000 / 1001, 30.0, 48.0, 50.0, 60000 / 1001, 60.0, 100.0, 120.0)

    def __init__(self) -> None:
        self.fps: float | None = None
        self._times: list[int] | None = []

    def add(self, at_ns: int, *, joins: bool) -> bool:
        """Note a picture's time; True once, when there is a verdict: `fps`, or None where steps differ."""
        if self._times is None:
            return False
        if not joins:
            self._times.clear()
        self._times.append(at_ns)
        if len(self._times) <= self.STEPS:
            return False
        steps = np.diff(self._times)
        near = steps[np.abs(steps - np.median(steps)) <= max(0.02 * float(np.median(steps)), 1.1e6)]
        if len(near) >= self.STEPS - 2:  # containers may round to 1 ms, and begin with a longer step
            mean = float(near.mean())
            self.fps = min(self.USUAL, key=lambda usual: abs(usual - NS / mean))
            if abs(self.fps - NS / mean) > 0.004 * self.fps:
                self.fps = NS / mean
        self._times = None
        return True


class _Blocks:
    """Cuts a run of samples into blocks of 100 ms; what does not join on begins a new run."""

    def __init__(self, track: str, rate_hz: int, channels: tuple[str, ...]) -> None:
        self._track, self._rate, self._channels = track, rate_hz, channels
        self._size = max(1, rate_hz // BLOCK_HZ)
        self._buffer: Samples = np.empty((len(channels), self._size), np.float32)
        self._filled = 0
        self._at_ns = 0
        self._joins = False

    def add(self, at_ns: int, samples: Samples, *, joins: bool) -> Iterator[Event]:
        """The blocks that `samples`, beginning at `at_ns`, complete."""
        if not joins:
            yield from self.flush()
            self._joins = False
        taken, count = 0, samples.shape[1]
        while taken < count:
            if not self._filled:
                self._at_ns = at_ns + taken * NS // self._rate
            step = min(count - taken, self._size - self._filled)
            self._buffer[:, self._filled : self._filled + step] = samples[:, taken : taken + step]
            self._filled += step
            taken += step
            if self._filled == self._size:
                yield from self.flush()

    def flush(self) -> Iterator[Event]:
        """The block that was begun, however short."""
        if not self._filled:
            return
        block = Block(
            self._track, self._at_ns, self._filled * NS // self._rate,
            self._buffer[:, : self._filled], self._rate, self._channels, joins=self._joins,
        )  # fmt: skip
        self._buffer = np.empty_like(self._buffer)
        self._filled, self._joins = 0, True
        yield block


def _own(kind: Any, plain: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in fields(kind)}
    return {name: value for name, value in plain.items() if name in names}


def _words(error: BaseException) -> str:
    return f"{type(error).__name__}: {getattr(error, 'strerror', None) or error}"[:200]


def language_of(stream: Any) -> str | None:
    """The language a container declares for a stream; "undetermined" is none."""
    language = stream.metadata.get("language")
    return None if language in (None, "", "und") else str(language)


def tracks_of(container: Any) -> list[tuple[str, str, Any]]:
    """(track id, kind, stream) of every stream that can be decoded; cover art is not a track."""
    found: list[tuple[str, str, Any]] = []
    counts = {"video": 0, "audio": 0}
    for stream in container.streams:
        kind = stream.type
        if kind not in counts or stream.codec_context is None:
            continue
        if kind == "video" and stream.disposition & av.stream.Disposition.attached_pic:
            continue
        found.append((f"{kind}:{counts[kind]}", kind, stream))
        counts[kind] += 1
    return found
