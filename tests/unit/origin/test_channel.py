"""What a channel publishes is a valid live stream, and its truth is what its pictures and sound show."""

import io
import threading
from collections.abc import Sequence
from datetime import timedelta

import av
import m3u8
import numpy as np
import pytest

from contracts.clock import ManualClock
from glitchwatch.origin.channel import Channel, ChannelSpec
from glitchwatch.origin.faults import KINDS, Fault, Schedule
from glitchwatch.origin.mpegts import WRAP

SMALL = {"width": 320, "height": 180}


class Recorded:
    """A channel stepped through `segments`, and everything it published."""

    def __init__(self, segments: int, faults: Sequence[Fault] = (), **spec: object) -> None:
        self.spec = ChannelSpec("t", **(SMALL | spec))  # type: ignore[arg-type]
        self.channel = Channel(self.spec, Schedule(faults), ManualClock())
        self.data: dict[str, list[bytes]] = {name: [] for name in self.channel.windows}
        self.inits: dict[str, list[bytes]] = {name: [] for name in self.channel.windows}
        self.texts: dict[str, list[str]] = {name: [] for name in self.channel.windows}
        for number in range(segments):
            self.channel.step()
            for name, window in self.channel.windows.items():
                segment = window.find(window.uri(number))
                assert segment is not None
                self.data[name].append(segment.data)
                init = window.init(segment.init) if segment.init else b""
                assert init is not None
                self.inits[name].append(init)
                self.texts[name].append(window.text)
        self.channel.close()

    def file(self, track: str, first: int = 0, last: int | None = None) -> io.BytesIO:
        return io.BytesIO(self.inits[track][first] + b"".join(self.data[track][first:last]))

    def pictures(self, first: int = 0, last: int | None = None) -> list[tuple[float, np.ndarray]]:
        """(seconds since the channel's clock began, luma) of every picture."""
        with av.open(self.file("picture", first, last), "r") as container:
            return [
                (
                    (f.time or 0.0) - self.spec.clock_start_s,
                    f.to_ndarray(format="yuv420p")[: f.height],
                )
                for f in container.decode(video=0)
            ]

    def sound(self) -> tuple[float, np.ndarray]:
        """(seconds since the channel's clock began, (2, samples)) of the sound."""
        with av.open(self.file("sound"), "r") as container:
            frames = list(container.decode(audio=0))
        start = (frames[0].time or 0.0) - self.spec.clock_start_s
        return start, np.concatenate([f.to_ndarray() for f in frames], axis=1)


def times(file: io.BytesIO, kind: str) -> list[int]:
    with av.open(file, "r", options={"correct_ts_overflow": "0"}) as container:
        stream = next(s for s in container.streams if s.type == kind)
        return [p.pts for p in container.demux(stream) if p.pts is not None]


def test_fragments_join_on_without_a_gap() -> None:
    recorded = Recorded(4)
    video = times(recorded.file("picture"), "video")
    assert video[0] == 3600 * 90_000
    assert len(video) == 4 * 2 * 25
    assert set(np.diff(video)) == {3600}
    audio = times(recorded.file("sound"), "audio")
    assert audio[0] == 3600 * 48_000
    assert set(np.diff(audio)) == {1024}


def test_every_segment_decodes_alone() -> None:
    recorded = Recorded(3)
    for number in range(3):
        with av.open(
            io.BytesIO(recorded.inits["picture"][number] + recorded.data["picture"][number]), "r"
        ) as one:
            frames = list(one.decode(video=0))
        assert len(frames) == 50
        assert frames[0].key_frame
        assert not any(f.is_corrupt for f in frames)


@pytest.mark.parametrize(("fps", "segment_s"), [(25, 1), (30, 2), (50, 1)])
def test_other_rates_and_lengths(fps: int, segment_s: int) -> None:
    recorded = Recorded(3, fps=fps, segment_s=segment_s)
    video = times(recorded.file("picture"), "video")
    assert len(video) == 3 * fps * segment_s
    assert set(np.diff(video)) == {90_000 // fps}


def test_decoded_pictures_and_sound_are_the_programme() -> None:
    recorded = Recorded(3)
    for at, luma in recorded.pictures()[::7]:
        picture = recorded.channel._programme(round(at * 25))[0]
        assert np.abs(luma.astype(int) - picture).mean() < 6
    start, sound = recorded.sound()
    assert start == 0.0
    made = recorded.channel._sound(0, sound.shape[1])
    later = slice(4096, None)
    error = ((sound - made)[:, later] ** 2).mean() / (made[:, later] ** 2).mean()
    assert error < 0.05  # in time to the sample, else nothing would cancel


def test_playlists_are_valid_and_their_dates_go_on() -> None:
    recorded = Recorded(10, listed=5, kept=7)
    for name, texts in recorded.texts.items():
        for made, text in enumerate(texts, start=1):
            playlist = m3u8.loads(text)
            assert playlist.target_duration == 2
            assert playlist.media_sequence == max(0, made - 5)
            assert len(playlist.segments) == min(made, 5)
            assert not playlist.is_endlist
            assert playlist.segments[0].init_section.uri.endswith(".mp4")
            for segment in playlist.segments:
                assert round(segment.duration) <= playlist.target_duration
            for one, after in zip(playlist.segments, playlist.segments[1:], strict=False):
                step = after.program_date_time - one.program_date_time
                assert step.total_seconds() == pytest.approx(one.duration, abs=0.0015)
        last = m3u8.loads(texts[-1]).segments[-1]
        begins = recorded.channel.epoch + timedelta(seconds=18)
        assert abs((last.program_date_time - begins).total_seconds()) < 0.025, name
    window = recorded.channel.windows["picture"]
    assert window.find(window.uri(2)) is None
    assert window.find(window.uri(3)) is not None
    master = m3u8.loads(recorded.channel.master)
    assert master.media[0].uri == "sound.m3u8"
    assert master.playlists[0].stream_info.resolution == (320, 180)


@pytest.mark.parametrize("name", ["black", "freeze", "solid_color"])
def test_the_truth_of_a_picture_fault_is_exact_to_the_picture(name: str) -> None:
    recorded = Recorded(5, [Fault(KINDS[name], 2.28, 5.64)])
    (truth,) = recorded.channel.truths()
    first, last = (round((t - recorded.channel.epoch).total_seconds() * 25) for t in (truth.start, truth.end))
    assert (first, last) == (57, 141)
    pictures = [luma.astype(int) for _, luma in recorded.pictures()]
    if name == "freeze":
        still = [i for i in range(1, len(pictures)) if np.abs(pictures[i] - pictures[i - 1]).mean() < 0.9]
        assert still == list(range(first + 1, last))
    else:
        flat = [i for i, luma in enumerate(pictures) if luma.std() < 2]
        assert flat == list(range(first, last))
        assert (pictures[first + 5].mean() < 18) == (name == "black")


def test_missing_pictures_leave_a_hole_and_an_empty_segment() -> None:
    recorded = Recorded(5, [Fault(KINDS["picture_missing"], 1.0, 6.4)])
    at = [t for t, _ in recorded.pictures()]
    hole = int(np.argmax(np.diff(at)))
    assert at[hole] == pytest.approx(0.96)
    assert at[hole + 1] == pytest.approx(6.4)
    assert len(at) == 25 + (250 - 160)
    with av.open(io.BytesIO(recorded.inits["picture"][3] + recorded.data["picture"][3]), "r") as container:
        assert next(container.decode(video=0)).key_frame


@pytest.mark.parametrize("name", ["sound_missing", "sound_gap"])
def test_missing_sound_leaves_a_hole(name: str) -> None:
    recorded = Recorded(5, [Fault(KINDS[name], 1.0, 6.4)])
    audio = np.array(times(recorded.file("sound"), "audio")) / 48_000 - 3600
    hole = int(np.argmax(np.diff(audio)))
    assert audio[hole] + 1024 / 48_000 == pytest.approx(1.0, abs=0.022)
    assert audio[hole + 1] == pytest.approx(6.4, abs=0.022)


def test_silence_is_heard_where_the_truth_says() -> None:
    recorded = Recorded(4, [Fault(KINDS["silence"], 2.0, 5.0)])
    _, sound = recorded.sound()
    quiet = np.flatnonzero(np.abs(sound).max(axis=0).reshape(-1, 64).max(axis=1) < 1e-4) * 64 / 48_000
    assert quiet[0] == pytest.approx(2.0, abs=0.05)
    assert quiet[-1] == pytest.approx(5.0, abs=0.05)


@pytest.mark.parametrize("name", ["clock_jump", "signalled_jump"])
def test_both_clocks_jump_together_and_are_announced_or_not(name: str) -> None:
    recorded = Recorded(4, [Fault(KINDS[name], 4.0, 4.0, draw=0.2)])
    video, audio = times(recorded.file("picture"), "video"), times(recorded.file("sound"), "audio")
    jump_s = (video[100] - video[99]) / 90_000 - 0.04
    assert jump_s == pytest.approx(5 + 0.4 * 35, abs=0.01)
    assert max(np.diff(audio)) / 48_000 == pytest.approx(jump_s + 1024 / 48_000, abs=0.001)
    for texts in recorded.texts.values():
        marks = [s.discontinuity for s in m3u8.loads(texts[-1]).segments]
        assert marks == [False, False, name == "signalled_jump", False]


def test_a_change_of_resolution_brings_its_own_init_section() -> None:
    recorded = Recorded(4, [Fault(KINDS["resolution_change"], 4.0, 4.0)])
    assert next(p.shape for _, p in recorded.pictures(0, 2)) == (180, 320)
    assert next(p.shape for _, p in recorded.pictures(2)) == (135 // 2 * 2, 240)
    segments = m3u8.loads(recorded.texts["picture"][-1]).segments
    assert [s.init_section.uri for s in segments] == ["picture-1.mp4"] * 2 + ["picture-2.mp4"] * 2
    assert [s.discontinuity for s in segments] == [False, False, True, False]
    assert times(recorded.file("picture", 2), "video")[0] == (3600 + 4) * 90_000


def test_discontinuities_that_left_the_playlist_are_counted() -> None:
    recorded = Recorded(9, [Fault(KINDS["signalled_jump"], 4.0, 4.0)], listed=3)
    counts = [m3u8.loads(text).discontinuity_sequence for text in recorded.texts["picture"]]
    assert counts == [0, 0, 0, 0, 0, 1, 1, 1, 1]


def test_transport_streams_count_on_and_wrap() -> None:
    start_s = WRAP / 90_000 - 3.0
    recorded = Recorded(3, muxed=True, clock_start_s=start_s)
    data = b"".join(recorded.data["picture"])
    packets = np.frombuffer(data, np.uint8).reshape(-1, 188)
    assert (packets[:, 0] == 0x47).all()
    pids = (packets[:, 1].astype(int) & 0x1F) << 8 | packets[:, 2]
    for pid in (0, 0x100, 0x101, 0x1000):
        counters = packets[pids == pid, 3].astype(int) & 15
        assert set(np.diff(counters) % 16) == {1}
    video, audio = times(io.BytesIO(data), "video"), times(io.BytesIO(data), "audio")
    assert len(video) == 150
    assert video[0] == WRAP - 3 * 90_000
    assert video[75] == 0
    assert np.sum(np.diff(video) < 0) == np.sum(np.diff(audio) < 0) == 1
    assert set(np.diff(video) % WRAP) == {3600}
    with av.open(io.BytesIO(data), "r") as container:
        frames = list(container.decode())
    assert sum(isinstance(f, av.VideoFrame) for f in frames) == 150
    assert not any(f.is_corrupt for f in frames)


def test_memory_is_bounded() -> None:
    recorded = Recorded(20, [Fault(KINDS["resolution_change"], s, s) for s in range(2, 40, 4)], kept=6)
    window = recorded.channel.windows["picture"]
    assert window.size <= 6 * max(len(d) for d in recorded.data["picture"])
    assert len(window._inits) <= 7


@pytest.mark.parametrize("speed", [1.0, 4.0])
def test_segments_are_published_when_due_and_not_before(speed: float) -> None:
    clock, stop = ManualClock(), threading.Event()
    published: list[float] = []

    class Ends(ManualClock):
        """Stops the channel after ten seconds, as nobody else would."""

        def sleep(self, seconds: float) -> None:
            clock.advance(seconds)
            if clock.monotonic() > 10:
                stop.set()

        def monotonic(self) -> float:
            return clock.monotonic()

    channel = Channel(
        ChannelSpec("t", speed=speed, preroll=3, width=160, height=90),
        Schedule(),
        Ends(),
        lambda number: published.append(clock.monotonic()),
    )
    channel.run(stop)
    assert published[:3] == [0.0, 0.0, 0.0]
    due = [(number + 1 - 3) * 2 / speed for number in range(3, len(published))]
    assert published[3:] == pytest.approx(due, abs=0.1001)
    assert all(at >= earliest - 1e-9 for at, earliest in zip(published[3:], due, strict=True))
    assert len(published) == 3 + int(10 * speed / 2)


def test_a_clock_that_jumps_back_is_written_as_it_is() -> None:
    recorded = Recorded(3, [Fault(KINDS["clock_jump"], 4.0, 4.0, draw=0.5)])
    begins = [times(recorded.file("picture", n, n + 1), "video")[0] / 90_000 for n in range(3)]
    assert begins == pytest.approx([3600, 3602, 3599])
