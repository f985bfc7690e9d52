"""What a watch says of live sources that misbehave: everything real but the sources' manners."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import pairwise

import pytest
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from contracts.clock import SystemClock
from contracts.report import Defect, Report
from detectors.events import Source
from detectors.frame import Block, Frame
from glitchwatch.origin.channel import ChannelSpec
from glitchwatch.origin.encode import VIDEO_HZ
from glitchwatch.origin.faults import Fault
from glitchwatch.origin.mpegts import WRAP
from tests.e2e import hostile_origin as hostile
from tests.e2e import live
from tests.e2e.hostile_origin import HostileOrigin
from tests.e2e.live import PIECE_S, QUICK, Live, Piece, Replay, fault, names, pieces, told
from worker.ingest.playlists import PlaylistReading
from worker.ingest.timeline import Timeline

pytestmark = pytest.mark.timeout(
    400
)  # channels are watched as they come, for a minute and on a busy machine longer


def whole(report: Report, *, lost_s: float = 0.0, within_s: float = 0.3) -> bool:
    """Whether all media was watched but `lost_s`."""
    return abs((report.input.duration_s or 0) - lost_s - report.execution.watched_s) < within_s


@pytest.fixture
def server() -> Iterator[HostileOrigin]:
    with HostileOrigin() as made:
        yield made


# --- One watch of everything our own channels can do ------------------------------------------------------------

LOST, RESIZED, JUMP, ANNOUNCED, DARK, BLANK, MUTE, STEP, SPANNING = 14, 17, 20, 23, 26, 32.2, 40.32, 47, 51.6
PLAN = [
    fault("segment_lost", LOST, 1),
    fault("resolution_change", RESIZED),
    fault("clock_jump", JUMP, draw=0.9),
    fault("signalled_jump", ANNOUNCED, draw=0.4),
    fault("black", DARK, 3),
    fault("silence", DARK, 3),
    fault("picture_missing", BLANK, 4),
    fault("sound_missing", MUTE, 3.6),
    fault("clock_jump", STEP, draw=0.05),  # by no more than media may be missing
    fault("black", SPANNING, 4),
    fault("signalled_jump", 53, draw=0.7),
]
WRAP_S, BLACK_S = 12.0, 14.0
OUTAGES = [
    fault("black", BLACK_S, 3),
    fault("playlist_stall", 20, 16),
    fault("origin_away", 44, 13),
]
ENDS_S = 59.0  # of the channels' own time, when all of the above is over


@dataclass(frozen=True)
class Shown:
    """A report; `base_s` is the channel's time at the report's second 0."""

    report: Report
    base_s: float
    sources: list[Source]

    def near(self, at_s: float, within_s: float = 1.5) -> list[Defect]:
        """What was told that began near that time of the channel."""
        return [d for d in told(self.report) if abs(d.start_s + self.base_s - at_s) < within_s]

    def at(self, at_s: float) -> float:
        """That time of the channel in the report's."""
        return at_s - self.base_s


@pytest.fixture(scope="module")
def everything() -> dict[str, Shown]:
    """Channels watched side by side: sound apart in fMP4, and muxed TS."""
    return watched((live.spec("apart"), PLAN), (live.spec("muxed", muxed=True), PLAN))


@pytest.fixture(scope="module")
def outages() -> Shown:
    """A channel of TS with outages whose time stamps run over; by itself, for who lags behind sees no outage."""
    channel = live.spec("outages", muxed=True, clock_start_s=WRAP / VIDEO_HZ - WRAP_S)
    return watched((channel, OUTAGES))["outages"]


def watched(*plans: tuple[ChannelSpec, Sequence[Fault]]) -> dict[str, Shown]:
    """What is told of those channels, to the end of their plans."""
    with live.origin(*plans) as origin, ExitStack() as watches:
        started = {name: watches.enter_context(Live(origin.url(name))) for name in origin.channels}
        shown = {}
        for name, watch in started.items():
            watch.until(lambda w=watch: w.reached_s > 0, "the first media")  # type: ignore[misc]
            base_s = float(origin.first_segment(name) or 0)
            past_s = ENDS_S - base_s
            watch.until(lambda w=watch, s=past_s: w.reached_s > s, "the end of the plan")  # type: ignore[misc]
            shown[name] = Shown(watch.end(), base_s, watch.sources)
    return shown


FORMS = pytest.mark.parametrize("form", ["apart", "muxed"])


@FORMS
def test_a_lost_segment_is_one_defect_at_its_media_and_explains_the_rest(
    everything: dict[str, Shown], form: str
) -> None:
    shown = everything[form]
    (lost,) = shown.near(LOST)
    assert lost.defect == "segment_missing"
    assert lost.start_s == pytest.approx(shown.at(LOST), abs=0.1)
    assert lost.end_s == pytest.approx(shown.at(LOST + 1), abs=0.1)
    assert "http_404" in (lost.detail or "")
    assert "picture-000014" in (lost.detail or "")
    there = [d for d in shown.report.defects if abs(d.start_s - lost.start_s) < 0.2]
    assert {d.defect: d.suppressed_by for d in there} == {
        "segment_missing": None,
        "timestamp_drift": "segment_missing",
    }
    assert len(there) == 2


@FORMS
def test_another_resolution_is_told_and_analysis_goes_on(everything: dict[str, Shown], form: str) -> None:
    shown = everything[form]
    (change,) = shown.near(RESIZED)
    assert change.defect == "format_change"
    assert change.detail == "h264 320x180 became h264 240x134"
    assert change.start_s == pytest.approx(shown.at(RESIZED), abs=0.05)
    assert sorted(d.defect for d in shown.near(DARK)) == ["black", "silence"]


@FORMS
@pytest.mark.parametrize(("at_s", "seconds"), [(JUMP, "-33.0"), (STEP, "+8.5")])
def test_a_jump_that_nobody_announced_is_told_once(
    everything: dict[str, Shown], form: str, at_s: float, seconds: str
) -> None:
    (jump,) = everything[form].near(at_s)
    assert jump.defect == "timestamp_drift"
    assert f"jumped by {seconds}" in (jump.detail or "")
    assert jump.start_s == pytest.approx(everything[form].at(at_s), abs=0.05)


@FORMS
def test_a_jump_that_was_announced_is_no_defect(everything: dict[str, Shown], form: str) -> None:
    assert not everything[form].near(ANNOUNCED)


@FORMS
def test_picture_and_sound_share_one_timeline_after_jumps(everything: dict[str, Shown], form: str) -> None:
    shown = everything[form]
    black, silence = sorted(shown.near(DARK), key=lambda d: d.defect)
    assert (black.track, silence.track) == ("video:0", "audio:0")
    assert black.start_s == pytest.approx(shown.at(DARK), abs=0.05)
    assert silence.start_s == pytest.approx(black.start_s, abs=0.05)
    assert silence.end_s == pytest.approx(black.end_s, abs=0.15)


@FORMS
@pytest.mark.parametrize(
    ("at_s", "seconds", "defect"), [(BLANK, 4.0, "picture_missing"), (MUTE, 3.6, "sound_missing")]
)
def test_a_track_that_is_away_is_one_defect(
    everything: dict[str, Shown], form: str, at_s: float, seconds: float, defect: str
) -> None:
    shown = everything[form]
    (away,) = shown.near(at_s)
    assert away.defect == defect
    assert away.start_s == pytest.approx(shown.at(at_s), abs=0.15)
    assert away.end_s == pytest.approx(shown.at(at_s + seconds), abs=0.15)


@FORMS
def test_black_that_spans_an_announced_jump_is_one(everything: dict[str, Shown], form: str) -> None:
    shown = everything[form]
    (black,) = shown.near(SPANNING)
    assert black.defect == "black"
    assert black.start_s == pytest.approx(shown.at(SPANNING), abs=0.05)
    assert black.end_s == pytest.approx(shown.at(SPANNING + 4), abs=0.05)


@FORMS
def test_nothing_else_is_told_and_all_was_watched(everything: dict[str, Shown], form: str) -> None:
    report = everything[form].report
    expected = """black black format_change picture_missing segment_missing silence sound_missing
        timestamp_drift timestamp_drift"""
    assert names(report) == expected.split()
    missing_s = 4.6 if form == "muxed" else 3.6  # of the sound; of the picture, more
    assert whole(report, lost_s=missing_s, within_s=1.5)  # the sound that comes apart ends a segment earlier
    assert report.execution.blind_s == 0


def test_outages_are_told_with_their_cause_and_nothing_is_lost(outages: Shown) -> None:
    shown = outages
    assert names(shown.report) == ["black", "source_stalled", "source_unreachable"]
    (stalled,) = told(shown.report, "source_stalled")
    (away,) = told(shown.report, "source_unreachable")
    assert "s without a new segment; origin answered 200 with media sequence" in (stalled.detail or "")
    assert "503" in (away.detail or "")
    assert not stalled.open
    assert not away.open
    assert shown.sources[-1].blind is None
    assert shown.report.execution.status == "complete"
    blind_s = sum(d.end_s - d.start_s for d in (stalled, away))
    assert shown.report.execution.blind_s == pytest.approx(blind_s, abs=0.1)
    assert whole(shown.report)


def test_time_stamps_that_run_over_are_told_as_information(outages: Shown) -> None:
    shown = outages
    (black,) = told(shown.report, "black")
    assert black.start_s == pytest.approx(shown.at(BLACK_S), abs=0.05)
    wraps = [d for d in shown.report.defects if d.severity.value == "info"]
    assert [(d.defect, "wrapped" in (d.detail or "")) for d in wraps] == [("timestamp_drift", True)]
    assert wraps[0].start_s == pytest.approx(shown.at(WRAP_S), abs=0.1)


# --- One misbehaviour a watch -----------------------------------------------------------------------------------


def test_a_stalled_playlist_blinds_and_heals(server: HostileOrigin) -> None:
    channel = Replay(server, pieces())
    with Live(server.url("/live.m3u8")) as watch:
        watch.until_watched(2)
        channel.freeze()
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert watch.blind.blind == "source_stalled"
        assert "without a new segment; origin answered 200" in watch.blind.reason
        channel.thaw()
        watch.until(lambda: watch.closed("source_stalled"), "sight")
        watch.until_watched(2)
        report = watch.end()
    assert names(report) == ["source_stalled"]
    assert whole(report)


def test_an_origin_that_goes_away_and_comes_back(server: HostileOrigin) -> None:
    Replay(server, pieces())
    with Live(server.url("/live.m3u8")) as watch:
        watch.until_watched(2)
        went_s = time.monotonic()
        server.vanish()
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert watch.blind.blind == "source_unreachable"
        assert "refused" in watch.blind.reason or "closed" in watch.blind.reason
        watch.until(lambda: watch.watch.progress.blind_s > 2, "two seconds of it")
        server.appear()
        back_s = time.monotonic()
        watch.until(lambda: watch.closed("source_unreachable"), "sight")
        sees_s = time.monotonic()
        watch.until_watched(2)
        report = watch.end()
    assert names(report) == ["source_unreachable"]
    assert whole(report)
    early_s = 0.5  # media had stopped up to a reload before
    assert back_s - went_s - early_s <= report.execution.blind_s <= sees_s - went_s + early_s


def test_what_the_origin_dropped_meanwhile_is_explained_by_the_outage(server: HostileOrigin) -> None:
    channel = Replay(server, pieces(), listed=8)
    with Live(server.url("/live.m3u8")) as watch:
        watch.until_watched(2)
        server.vanish()
        edge_s = channel.edge_s
        watch.until(lambda: channel.edge_s > edge_s + 8, "media that is lost")
        server.appear()
        watch.until(lambda: watch.closed("source_unreachable"), "sight")
        watch.until_watched(3)
        report = watch.end()
    assert names(report) == ["source_unreachable"]
    (lost,) = [d for d in report.defects if d.defect == "segment_missing"]
    assert lost.suppressed_by == "source_unreachable"
    assert lost.end_s - lost.start_s > 4
    assert whole(report, lost_s=lost.end_s - lost.start_s)


def test_a_defect_that_is_open_when_the_origin_goes_away_is_still_the_same_afterwards(
    server: HostileOrigin,
) -> None:
    channel = Replay(server, pieces(24.0, (5.0, 13.0)))
    with Live(server.url("/live.m3u8")) as watch:
        watch.until(lambda: watch.opened("black"), "black")
        assert channel.edge_s < 12
        server.vanish()
        watch.until(lambda: watch.blind, "blindness")
        server.appear()
        watch.until(lambda: watch.closed("black"), "the end of black")
        report = watch.end()
    assert names(report) == ["black", "source_unreachable"]
    (black,) = told(report, "black")
    assert black.end_s - black.start_s == pytest.approx(8.0, abs=0.05)


def test_the_first_connection_may_fail_like_any_other(server: HostileOrigin) -> None:
    server.vanish()
    with Live(server.url("/live.m3u8")) as watch:
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert (watch.blind.blind, watch.reached_s) == ("source_unreachable", 0.0)
        Replay(server, pieces())
        server.appear()
        watch.until(lambda: watch.closed("source_unreachable"), "sight")
        watch.until_watched(2)
        report = watch.end()
    assert names(report) == ["source_unreachable"]
    assert report.execution.status == "complete"
    assert whole(report)


def test_a_page_instead_of_the_playlist_blinds_and_heals(server: HostileOrigin) -> None:
    Replay(server, pieces())
    with Live(server.url("/live.m3u8")) as watch:
        watch.until_watched(2)
        server.always("/live.m3u8", hostile.html)
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert watch.blind.blind == "source_unreachable"
        assert "wrong_content" in watch.blind.reason
        server.always("/live.m3u8", hostile.ok)
        watch.until(lambda: watch.closed("source_unreachable"), "sight")
        watch.until_watched(2)
        report = watch.end()
    assert names(report) == ["source_unreachable"]
    assert whole(report)


def test_stop_is_heard_at_once_while_blind(server: HostileOrigin) -> None:
    Replay(server, pieces())
    patient = replace(QUICK, open_timeout_s=60.0, backoff_first_s=60.0, backoff_most_s=60.0)
    with Live(server.url("/live.m3u8"), patient) as watch:
        watch.until_watched(2)
        server.vanish()
        watch.until(lambda: watch.blind, "blindness")
        report = watch.end(within_s=5.0)  # a connection or a pause would hold it for a minute
    assert report.execution.reason == "interrupted"
    (away,) = told(report)
    assert (away.defect, away.open) == ("source_unreachable", True)


def test_tokens_that_run_out_are_renewed_from_the_master(server: HostileOrigin) -> None:
    valid = ["one"]
    channel = Replay(server, pieces())
    channel.query = lambda: f"token={valid[0]}"
    check = hostile.token(lambda: valid[0])
    for path in [channel.path, *(channel.name(n) for n in range(len(channel.pieces)))]:
        server.always(path, check)

    def master() -> bytes:
        return f"#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1000\nlive.m3u8?token={valid[0]}\n".encode()

    server.put("/master.m3u8", master)
    with Live(server.url("/master.m3u8")) as watch:
        watch.until_watched(2)
        valid[0] = "two"
        watch.until_watched(4)
        report = watch.end()
    assert server.asked("/master.m3u8") >= 2
    assert names(report) == []
    assert whole(report)


def test_another_resolution_that_nobody_announced(server: HostileOrigin) -> None:
    mixed = [*pieces()[:12], *pieces(24.0, None, (240, 136))[12:]]
    channel = Replay(server, mixed)
    with Live(server.url("/live.m3u8")) as watch:
        first = max(0, channel.ahead - 3)
        watch.until(lambda: watch.opened("format_change"), "the change")
        watch.until_watched(3)
        report = watch.end()
    (change,) = told(report)
    assert (change.defect, change.track) == ("format_change", "video:0")
    # A piece that appeared just before the watch joined moves its beginning by one.
    assert change.start_s == pytest.approx((12 - first) * PIECE_S, abs=PIECE_S + 0.1)
    assert change.start_s / PIECE_S == pytest.approx(round(change.start_s / PIECE_S), abs=0.1)
    assert whole(report)


def sealed(piece: Piece, key: bytes, number: int, tags: str) -> Piece:
    padder = padding.PKCS7(128).padder()
    sealer = Cipher(algorithms.AES(key), modes.CBC(number.to_bytes(16, "big"))).encryptor()
    plain = padder.update(piece.data) + padder.finalize()
    return replace(piece, data=sealer.update(plain) + sealer.finalize(), tags=tags)


def test_aes_128_is_analysed_as_anything_else(server: HostileOrigin) -> None:
    key = bytes(range(16))
    server.put("/key", key)
    tags = '#EXT-X-KEY:METHOD=AES-128,URI="/key"'
    black = pieces(24.0, (5.0, 13.0))
    Replay(server, [sealed(p, key, n, tags) for n, p in enumerate(black)], pace=4.0)
    with Live(server.url("/live.m3u8")) as watch:
        watch.until(lambda: watch.closed("black"), "the end of black")
        report = watch.end()
    assert names(report) == ["black"]
    assert told(report)[0].end_s - told(report)[0].start_s == pytest.approx(8.0, abs=0.05)
    assert whole(report)


def test_sample_aes_is_blindness_and_heals_where_it_ends(server: HostileOrigin) -> None:
    tags = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"'
    clear = "#EXT-X-KEY:METHOD=NONE"
    mixed = [replace(p, tags=tags if n < 16 else clear) for n, p in enumerate(pieces())]
    Replay(server, mixed)
    with Live(server.url("/live.m3u8")) as watch:
        watch.until(lambda: watch.blind, "blindness")
        assert watch.blind is not None
        assert watch.blind.blind == "source_undecodable"
        assert "encrypted" in watch.blind.reason
        watch.until(lambda: watch.closed("source_undecodable"), "sight")
        watch.until_watched(2)
        report = watch.end()
    assert names(report) == ["source_undecodable"]


def test_a_stream_that_turns_encrypted_is_blind_from_there(server: HostileOrigin) -> None:
    tags = '#EXT-X-KEY:METHOD=SAMPLE-AES,URI="skd://x"'
    mixed = [replace(p, tags=tags) if n >= 16 else p for n, p in enumerate(pieces())]
    channel = Replay(server, mixed)
    with Live(server.url("/live.m3u8")) as watch:
        watch.until(lambda: watch.blind, "blindness")
        watch.until(lambda: channel.newest >= 22, "more of it")
        report = watch.end()
    (blind,) = told(report)
    assert (blind.defect, blind.open) == ("source_undecodable", True)
    assert "encrypted" in (blind.detail or "")
    assert blind.start_s == pytest.approx(report.execution.watched_s, abs=0.1)
    assert 0 < report.execution.watched_s < 16 * PIECE_S + 0.1


def test_sound_that_stalls_alone_is_told_on_its_track_while_the_picture_is_judged(
    server: HostileOrigin,
) -> None:
    picture, sound = live.renditions()
    Replay(server, picture, "/picture.m3u8", ahead=6, pace=1.5)  # it must outlast the stall of the sound
    voice = Replay(server, sound, "/sound.m3u8", ahead=6, pace=1.5)
    server.put(
        "/master.m3u8",
        b'#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="s",NAME="main",DEFAULT=YES,URI="sound.m3u8"\n'
        b'#EXT-X-STREAM-INF:BANDWIDTH=1000,AUDIO="s"\npicture.m3u8\n',
    )
    with Live(server.url("/master.m3u8")) as watch:
        watch.until_watched(2)
        voice.freeze()
        watch.until(lambda: watch.opened("source_stalled"), "the stall")
        watch.until_watched(2)
        assert watch.blind is None
        voice.thaw()
        watch.until(lambda: watch.closed("sound_missing"), "sound again")
        report = watch.end()
    assert [d.defect for d in told(report)] == ["source_stalled"]
    (stalled,) = told(report)
    (silent,) = [d for d in report.defects if d.defect == "sound_missing"]
    assert silent.suppressed_by == "source_stalled"
    assert not silent.open
    assert stalled.start_s == pytest.approx(silent.start_s, abs=0.1)
    assert (stalled.defect, stalled.track) == ("source_stalled", "audio:0")
    assert report.execution.blind_s == 0
    assert whole(report)


def test_another_reading_goes_on_where_the_checkpoint_was(server: HostileOrigin) -> None:
    Replay(server, pieces(), pace=8.0)
    pictures: list[int] = []
    sounds: list[Block] = []
    plain = None
    for _ in range(3):
        reading = PlaylistReading(server.url("/live.m3u8"), QUICK, SystemClock(), live=True, resume=plain)
        fresh = 0
        for event in reading.events():
            if isinstance(event, Frame):
                fresh += event.at_ns > max(pictures, default=-1)
                pictures.append(event.at_ns)
            elif isinstance(event, Block):
                sounds.append(event)
            if fresh >= 105:  # in the middle of a segment
                break
        plain = reading.checkpoint()
        reading.close()
    assert 315 < len(pictures) <= 345  # a segment that was begun comes again
    times = sorted(set(pictures))
    assert len(times) >= 315
    assert all(b - a == pytest.approx(40_000_000, abs=1000) for a, b in pairwise(times))
    sounds.sort(key=lambda block: block.at_ns)
    # What had not filled a block when a reading ended is shown again by the lead that a watch is given.
    assert all(b.at_ns - a.end_ns < 100_000_000 for a, b in pairwise(sounds))


@pytest.mark.slow
def test_an_origin_that_is_away_for_twenty_seconds() -> None:
    spec = live.spec(speed=1.0, segment_s=2, listed=20, kept=30)
    away = fault("origin_away", 20, 20)
    with live.origin((spec, [away])) as origin, Live(origin.url("a")) as watch:
        watch.until(lambda: watch.closed("source_unreachable"), "sight")
        watch.until_watched(8)
        report = watch.end()
    assert names(report) == ["source_unreachable"]
    assert "503" in (told(report)[0].detail or "")
    assert 18 < report.execution.blind_s < 27  # from the last segment before to the first one after
    assert whole(report)


def test_time_stamps_may_run_over_twice() -> None:
    timeline = Timeline(wraps=True)
    picture, sound = timeline.clock("video:0", 200_000_000), timeline.clock("audio:0", 60_000_000)
    step = 1_000_000_000  # a cadence of a second keeps two and a half days short
    wraps: list[str] = []
    for second in range(2 * 95_443 + 20):
        ticks = (second + 95_433) * VIDEO_HZ % WRAP  # ten seconds before it runs over
        for clock in (picture, sound):
            placed = timeline.place(clock, ticks * step // VIDEO_HZ, step)
            assert placed.keep
            assert placed.at_ns == pytest.approx(second * step, abs=1000)
            wraps += [b.kind for b in placed.breaks]
    assert wraps == ["wrap"] * 3
