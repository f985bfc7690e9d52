"""A live channel: programme made, broken where the schedule says, coded, cut, and published at its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from contracts.clock import Clock
from glitchwatch.origin.encode import AAC_SAMPLES, VIDEO_HZ, PictureEncoder, SoundEncoder, Unit
from glitchwatch.origin.faults import Fault, Layer, Schedule, Truth, break_picture, break_sound, drops_sound
from glitchwatch.origin.fmp4 import Sample, length_prefixed, media_segment
from glitchwatch.origin.mpegts import AUDIO_PID, VIDEO_PID, Access, TsMuxer, adts
from glitchwatch.origin.picture import MovingPicture
from glitchwatch.origin.playlist import Segment, Window, master
from glitchwatch.origin.studio import Studio

_JUMP_S = (5.0, 40.0)
_SMALLER = 3 / 4  # the other size of a resolution change


@dataclass(frozen=True, slots=True)
class ChannelSpec:
    """What a channel is made of.

    `muxed` gives MPEG-TS segments with picture and sound together, else they are fragmented MP4 apart from
    each other. `clock_start_s` is the time stamp of the first picture. `speed` is media seconds a second.
    `preroll` segments are there at once; the next one is due `phase_s` later than its length. After `lasts_s`
    media seconds nothing more is made.
    """

    name: str
    seed: int = 1
    width: int = 640
    height: int = 360
    fps: int = 25
    rate_hz: int = 48_000
    segment_s: int = 2
    muxed: bool = False
    clock_start_s: float = 3600.0
    speed: float = 1.0
    preroll: int = 4
    listed: int = 6
    kept: int = 12
    phase_s: float = 0.0
    lasts_s: float = float("inf")

    def programme(self) -> MovingPicture:
        """The picture before anything is broken."""
        return MovingPicture(self.seed, width=self.width, height=self.height, fps=self.fps)


class Channel:
    """Makes and publishes one channel's segments in order, in a thread of its own or step by step.

    `epoch` is the wall clock of its first picture. Nothing but the last `kept` segments is held. `published` is
    called with each segment's number once it is in the playlists. Channels of one `studio` share programmes.
    """

    def __init__(
        self,
        spec: ChannelSpec,
        schedule: Schedule,
        clock: Clock,
        published: Callable[[int], None] = lambda number: None,
        studio: Studio | None = None,
    ) -> None:
        self.spec, self._schedule, self._clock, self._published = spec, schedule, clock, published
        behind_s = spec.preroll * spec.segment_s / spec.speed - spec.phase_s
        self.epoch: datetime = clock.now() - timedelta(seconds=behind_s)
        self._started = clock.monotonic() + spec.phase_s
        studio = studio or Studio()
        self._programme = studio.picture(spec.seed, spec.width, spec.height, spec.fps)
        self._sound = studio.sound(spec.seed, spec.rate_hz)
        self._sound_encoder = SoundEncoder(spec.rate_hz)
        self._small = False
        self._inits = 0
        self._ticks = round(spec.clock_start_s * VIDEO_HZ)  # the clock at media time 0, jumps included
        self._sound_made = 0  # samples given to the encoder
        self._units: list[Unit] = []  # of sound, coded and not yet published
        self._ts = TsMuxer()
        self.made = 0  # segments so far
        suffix = "ts" if spec.muxed else "m4s"
        names = ("picture",) if spec.muxed else ("picture", "sound")
        self.windows = {
            name: Window(
                name, suffix, target_s=spec.segment_s, epoch=self.epoch, listed=spec.listed, kept=spec.kept
            )
            for name in names
        }
        self._encoder = self._open_encoder()
        if not spec.muxed:
            self.windows["sound"].add_init("sound.mp4", self._sound_encoder.init)
        self.master = master(
            codecs=f"{self._encoder.codec},{self._sound_encoder.codec}",
            width=spec.width,
            height=spec.height,
            fps=spec.fps,
            bandwidth=2_500_000,
            muxed=spec.muxed,
        )

    def run(self, stop: threading.Event) -> None:
        """Publish each segment when its last picture is due, until `stop`; then let the encoders go.

        It is made while the one before it is on air, so that it is not late for what making it took.
        """
        try:
            while not stop.is_set() and self.made * self.spec.segment_s < self.spec.lasts_s:
                publish = self._make(stop)
                if self.made >= self.spec.preroll:
                    due = (self.made + 1) * self.spec.segment_s
                    while (wait := (due - self.media_now_s()) / self.spec.speed) > 0 and not stop.is_set():
                        self._clock.sleep(min(wait, 0.1))
                if not stop.is_set():
                    publish()
        finally:
            self.close()

    def media_now_s(self) -> float:
        """Media time of the live edge: what a camera would see now."""
        elapsed = (self._clock.monotonic() - self._started) * self.spec.speed
        return self.spec.preroll * self.spec.segment_s + elapsed

    def step(self) -> None:
        """Make the next segment and publish it."""
        self._make(None)()

    def _make(self, stop: threading.Event | None) -> Callable[[], None]:
        """The next segment, made; call what comes back to publish it."""
        spec, number = self.spec, self.made
        start_s, end_s = number * spec.segment_s, (number + 1) * spec.segment_s
        # Sound is coded a little ahead, because its encoder hands units out late.
        faults = self._schedule.overlapping(start_s, end_s + 0.2)
        cut = self._stream_faults([f for f in faults if start_s <= f.start_s < end_s])
        pictures = self._pictures(number, faults, stop)
        sounds = self._sounds(number, faults)
        if spec.muxed:
            segments = {"picture": self._ts_segment(number, pictures, sounds, cut)}
        else:
            segments = {
                "picture": self._picture_segment(number, pictures, cut),
                "sound": self._sound_segment(number, sounds, cut),
            }

        def publish() -> None:
            for name, segment in segments.items():
                self.windows[name].publish(segment)
            self.made += 1
            self._published(number)

        return publish

    def truths(self) -> list[Truth]:
        """The faults whose media has been made, oldest first."""
        return [Truth.of(f, self.epoch) for f in self.faults_before(self.made * self.spec.segment_s)]

    def faults_before(self, end_s: float) -> list[Fault]:
        """The faults that begin before that media second, oldest first."""
        return self._schedule.before(end_s)

    def transport_faults(self, layer: Layer) -> list[Fault]:
        """The faults of that layer at the live edge now."""
        now = self.media_now_s()
        return [f for f in self._schedule.overlapping(now, now + 1e-6) if f.kind.layer is layer]

    def segment_fault(self, segment: Segment) -> Fault | None:
        """The fault in the delivery of that segment, if there is one; only the picture's are touched."""
        at = segment.sequence * self.spec.segment_s
        for fault in self._schedule.before(at + 1e-6):
            if fault.kind.layer is Layer.SEGMENT and abs(fault.start_s - at) < 1e-6:
                return fault
        return None

    def close(self) -> None:
        """Let the encoders go."""
        self._encoder.close()
        self._sound_encoder.close()

    def _open_encoder(self) -> PictureEncoder:
        spec = self.spec
        scale = _SMALLER if self._small else 1.0
        width, height = int(spec.width * scale) // 2 * 2, int(spec.height * scale) // 2 * 2
        encoder = PictureEncoder(width, height, spec.fps)
        if not spec.muxed:
            self._inits += 1
            self.windows["picture"].add_init(f"picture-{self._inits}.mp4", encoder.init)
        return encoder

    def _stream_faults(self, faults: Sequence[Fault]) -> bool:
        """Apply what happens to clock and format here; whether the playlist announces it."""
        signalled = False
        for fault in faults:
            match fault.kind.name:
                case "clock_jump" | "signalled_jump":
                    low, high = _JUMP_S
                    sign = 1 if fault.draw < 0.5 else -1
                    seconds = low + (fault.draw * 2 % 1.0) * (high - low)
                    self._ticks += sign * round(seconds * 1000) * (VIDEO_HZ // 1000)
                    signalled |= fault.kind.name == "signalled_jump"
                case "resolution_change":
                    self._encoder.close()
                    self._small = not self._small
                    self._encoder = self._open_encoder()
                    signalled = True
        return signalled

    def _pictures(self, number: int, faults: Sequence[Fault], stop: threading.Event | None) -> list[Unit]:
        spec = self.spec
        per_segment = spec.segment_s * spec.fps
        broken = [f for f in faults if f.kind.layer is Layer.PICTURE]
        units: list[Unit] = []
        for at in range(number * per_segment, (number + 1) * per_segment):
            if stop is not None and stop.is_set():
                break
            here = [f for f in broken if round(f.start_s * spec.fps) <= at < round(f.end_s * spec.fps)]
            picture = self._programme(at)
            for fault in here:
                changed = break_picture(fault, picture, self._programme)
                if changed is None:
                    break
                picture = changed
            else:
                if self._small:
                    picture = self._programme.scaled(picture, self._encoder.width, self._encoder.height)
                units.append(self._encoder.encode(picture, at, key=not units))
        return units

    def _sound_start(self, number: int) -> int:
        """The first sample of a segment of sound: a whole number of AAC frames."""
        return -(-number * self.spec.segment_s * self.spec.rate_hz // AAC_SAMPLES) * AAC_SAMPLES

    def _sounds(self, number: int, faults: Sequence[Fault]) -> list[Unit]:
        rate = self.spec.rate_hz
        until = self._sound_start(number + 1) + 2 * AAC_SAMPLES
        sound = self._sound(self._sound_made, until - self._sound_made)
        broken = [f for f in faults if f.kind.layer is Layer.SOUND]
        for fault in broken:
            break_sound(fault, sound, self._sound_made, rate)
        self._units += self._sound_encoder.encode(np.ascontiguousarray(sound), self._sound_made)
        self._sound_made = until
        start, end = self._sound_start(number), self._sound_start(number + 1)
        here = [u for u in self._units if start <= u.at < end]
        self._units = [u for u in self._units if u.at >= end]
        gaps = [(f.start_s * rate, f.end_s * rate) for f in broken if drops_sound(f)]
        return [u for u in here if not any(a <= u.at and u.at + AAC_SAMPLES <= b for a, b in gaps)]

    def _picture_segment(self, number: int, pictures: list[Unit], cut: bool) -> Segment:
        spec = self.spec
        tick = VIDEO_HZ // spec.fps
        first = pictures[0].at if pictures else number * spec.segment_s * spec.fps
        data = media_segment(
            number + 1,
            self._ticks + first * tick,
            [
                Sample(length_prefixed(u.data), tick * (after - u.at), u.key)
                for u, after in zip(
                    pictures, [*(u.at for u in pictures[1:]), pictures[-1].at + 1], strict=True
                )
            ]
            if pictures
            else [],
        )
        return Segment(
            number, number * spec.segment_s, spec.segment_s, data, f"picture-{self._inits}.mp4", cut
        )

    def _sound_segment(self, number: int, sounds: list[Unit], cut: bool) -> Segment:
        rate = self.spec.rate_hz
        start, end = self._sound_start(number), self._sound_start(number + 1)
        ticks = round(self._ticks * rate / VIDEO_HZ)
        samples = [
            Sample(u.data, after - u.at)
            for u, after in zip(
                sounds,
                [*(u.at for u in sounds[1:]), sounds[-1].at + AAC_SAMPLES] if sounds else [],
                strict=True,
            )
        ]
        data = media_segment(number + 1, ticks + (sounds[0].at if sounds else start), samples)
        return Segment(number, start / rate, (end - start) / rate, data, "sound.mp4", cut)

    def _ts_segment(self, number: int, pictures: list[Unit], sounds: list[Unit], cut: bool) -> Segment:
        spec = self.spec
        delimiter = b"\0\0\0\1\x09\xf0"
        sets = self._encoder.parameter_sets
        units = [
            Access(
                VIDEO_PID,
                self._ticks + u.at * VIDEO_HZ // spec.fps,
                delimiter + (sets if u.key else b"") + u.data,
                u.key,
            )
            for u in pictures
        ]
        units += [
            Access(AUDIO_PID, self._ticks + u.at * VIDEO_HZ // spec.rate_hz, adts(u, spec.rate_hz))
            for u in sounds
        ]
        return Segment(number, number * spec.segment_s, spec.segment_s, self._ts.segment(units), None, cut)
