"""The timeline: one axis for all tracks, whatever their clocks do."""

from collections.abc import Iterable

import pytest

from detectors.events import Break, Tick
from worker.ingest.timeline import NS, Placed, Timeline

MS = 1_000_000
PICTURE, SOUND = 40 * MS, 20 * MS
WRAP_TICKS = 1 << 33


def from_ticks(ticks: int) -> int:
    """A 33-bit 90 kHz time stamp as the decoder hands it over, ns."""
    return (ticks % WRAP_TICKS) * NS // 90_000


class Player:
    """Places samples of tracks, and keeps what came of it."""

    def __init__(self, timeline: Timeline) -> None:
        self.timeline = timeline
        self.video = timeline.clock("video:0", 200 * MS)
        self.audio = timeline.clock("audio:0", 60 * MS)
        self.breaks: list[Break] = []
        self.ticks: list[Tick] = []

    def picture(self, raw_ns: int, duration_ns: int = PICTURE) -> Placed:
        return self._place(self.video, raw_ns, duration_ns)

    def sound(self, raw_ns: int, duration_ns: int = SOUND) -> Placed:
        return self._place(self.audio, raw_ns, duration_ns)

    def pictures(self, raws: Iterable[int]) -> list[int]:
        return [self.picture(raw).at_ns for raw in raws]

    def _place(self, clock: object, raw_ns: int, duration_ns: int) -> Placed:
        placed = self.timeline.place(clock, raw_ns, duration_ns)  # type: ignore[arg-type]
        self.breaks += placed.breaks
        self.ticks += self.timeline.ticks()
        return placed

    @property
    def kinds(self) -> list[tuple[str, str | None]]:
        return [(b.kind, b.track) for b in self.breaks]


@pytest.fixture
def player() -> Player:
    return Player(Timeline())


@pytest.fixture
def mpeg() -> Player:
    return Player(Timeline(wraps=True))


def test_the_first_sample_is_zero(player: Player) -> None:
    assert player.pictures(10 * NS + i * PICTURE for i in range(3)) == [0, PICTURE, 2 * PICTURE]
    assert player.breaks == []


def test_tracks_keep_the_distance_that_the_source_has(player: Player) -> None:
    player.picture(10 * NS)
    assert player.sound(10 * NS + 7 * MS).at_ns == 7 * MS
    player.timeline.start(0)  # too late to count
    assert player.sound(10 * NS + 27 * MS).at_ns == 27 * MS


def test_a_declared_start_is_zero(player: Player) -> None:
    player.timeline.start(9 * NS)
    assert player.picture(10 * NS).at_ns == NS


def test_the_counter_wraps_twice(mpeg: Player) -> None:
    step = NS  # a picture a second keeps the test short: time stands in the time stamps
    start = WRAP_TICKS - 5 * 90_000
    far = [start + i * 90_000 for i in range(10)]
    jump_free = [mpeg.picture(from_ticks(t), step).at_ns for t in far]
    assert jump_free == pytest.approx([i * NS for i in range(10)], abs=2)
    assert mpeg.kinds == [("wrap", "video:0")]
    # Nobody watches 26 hours in a test: steps of 9 s are within what still counts as the same clock.
    reached, raw = 9 * NS, far[-1]
    while raw < 2 * WRAP_TICKS + 20 * 90_000:
        raw += 9 * 90_000
        reached += 9 * NS
        assert mpeg.picture(from_ticks(raw), 9 * NS).at_ns == pytest.approx(reached, abs=3)
    assert [kind for kind, _ in mpeg.kinds if kind != "gap"] == ["wrap", "wrap"]


def test_a_wrap_is_told_once_for_all_tracks(mpeg: Player) -> None:
    start = WRAP_TICKS - 90_000
    for i in range(100):
        at = start + i * 1800
        mpeg.sound(from_ticks(at))
        if i % 2 == 0:
            mpeg.picture(from_ticks(at))
    assert [kind for kind, _ in mpeg.kinds] == ["wrap"]
    assert mpeg.audio.end_ns == pytest.approx(100 * SOUND, abs=10)
    assert mpeg.video.end_ns == pytest.approx(50 * PICTURE, abs=10)


def test_a_sample_from_before_the_wrap_that_comes_after_it_is_in_its_place(mpeg: Player) -> None:
    mpeg.picture(from_ticks(WRAP_TICKS - 3600))
    mpeg.picture(from_ticks(0))
    late = mpeg.sound(from_ticks(WRAP_TICKS - 3600))
    assert late.at_ns == pytest.approx(0, abs=2)


@pytest.mark.parametrize("jump_s", [3600, -5, 100, -36_000])
def test_when_all_tracks_jump_they_stay_as_far_apart_as_they_were(player: Player, jump_s: int) -> None:
    lag = 13 * MS
    for i in range(50):
        player.picture(50_000 * NS + i * PICTURE)
        player.sound(50_000 * NS + lag + 2 * i * SOUND)
        player.sound(50_000 * NS + lag + (2 * i + 1) * SOUND)
    base = 50_000 * NS + jump_s * NS + 2 * NS
    seen = player.picture(base)
    heard = player.sound(base + lag)
    assert seen.at_ns == 2 * NS
    assert heard.at_ns - seen.at_ns == lag
    assert player.kinds == [("jump", "video:0"), ("jump", "audio:0")]
    assert player.breaks[0].delta_ns == pytest.approx(jump_s * NS, abs=lag)
    assert not seen.joins
    assert player.picture(base + PICTURE).joins


def test_a_jump_that_sound_shows_first(player: Player) -> None:
    for i in range(50):
        player.picture(i * PICTURE)
    for i in range(100):
        player.sound(i * SOUND)
    heard = player.sound(500 * NS)
    seen = player.picture(500 * NS)
    assert heard.at_ns == seen.at_ns == 2 * NS


def test_a_jump_that_sound_has_played_past_before_pictures_show_it(player: Player) -> None:
    jump = 10_108 * MS
    for i in range(50):
        player.picture(i * PICTURE)
    for i in range(600):  # 12 s, 10 of them behind the jump: farther than the jump is long
        player.sound(i * SOUND + (jump if i >= 100 else 0))
    assert player.audio.end_ns == 12 * NS
    seen = player.picture(2 * NS + jump)
    assert seen.at_ns == 2 * NS
    assert player.kinds == [("jump", "audio:0"), ("jump", "video:0")]


def test_a_gap_is_one_also_where_sound_alone_had_jumped_a_little(player: Player) -> None:
    for i in range(50):
        player.picture(i * PICTURE)
    for i in range(600):
        player.sound(i * SOUND - (800 * MS if i >= 100 else 0))
    assert player.kinds == [("jump", "audio:0")]
    assert player.picture(8 * NS).at_ns == 8 * NS
    assert player.kinds[1:] == [("gap", "video:0")]


def test_a_gap_stays_a_gap(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    after = player.picture(4 * NS)
    assert after.at_ns == 4 * NS
    assert after.keep
    assert not after.joins
    assert player.breaks == [Break(NS, "video:0", "gap", 3 * NS)]


def test_one_lost_picture_is_no_gap(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    assert player.picture(26 * PICTURE).joins
    assert player.breaks == []


def test_media_that_comes_twice_is_dropped(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    again = [player.picture(i * PICTURE) for i in range(20, 25)]
    assert [p.keep for p in again] == [False] * 5
    assert {kind for kind, _ in player.kinds} == {"overlap"}
    assert player.picture(25 * PICTURE).at_ns == NS


def test_slides_have_a_cadence_of_their_own(player: Player) -> None:
    for i in range(12):
        player.picture(i * 5 * NS, PICTURE)
    assert len(player.breaks) <= 2, "the first long steps may be taken for gaps, not each one"


def test_a_gap_that_comes_again_and_again_in_a_moving_picture_is_told_each_time(player: Player) -> None:
    for i in range(5):
        player.pictures(i * 3 * NS + j * PICTURE for j in range(25))
    assert player.kinds == [("gap", "video:0")] * 4


def test_a_signalled_discontinuity_goes_on_where_the_longer_track_ended(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    for i in range(52):
        player.sound(i * SOUND)
    player.timeline.discontinuity(["video:0", "audio:0"], 1)
    seen, heard = player.picture(900 * NS + 5 * MS), player.sound(900 * NS)
    assert seen.at_ns == 52 * SOUND
    assert heard.at_ns == seen.at_ns - 5 * MS
    assert player.breaks == []
    assert not seen.joins


def test_sound_that_a_new_clock_puts_where_it_has_been_is_dropped_and_no_defect(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    for i in range(52):
        player.sound(i * SOUND)
    player.timeline.discontinuity(["video:0", "audio:0"], 1)
    player.picture(900 * NS)
    heard = [player.sound(900 * NS - 44 * MS + i * SOUND) for i in range(5)]
    assert [p.keep for p in heard] == [False, False, True, True, True]
    assert heard[2].at_ns == 52 * SOUND - 4 * MS
    assert [p.joins for p in heard[2:]] == [False, True, True]
    assert player.breaks == []


def test_two_renditions_that_reach_the_same_epoch_take_the_same_offset() -> None:
    timeline = Timeline()
    video, audio = timeline.clock("video:0", 200 * MS), timeline.clock("audio:0", 60 * MS)
    for i in range(25):
        timeline.place(video, i * PICTURE, PICTURE)
        timeline.place(audio, 2 * i * SOUND, 2 * SOUND)
    timeline.discontinuity(["video:0"], 1)
    seen = timeline.place(video, 77 * NS, PICTURE)
    timeline.place(video, 77 * NS + PICTURE, PICTURE)
    timeline.discontinuity(["audio:0"], 1)  # the sound's own playlist gets there later
    heard = timeline.place(audio, 77 * NS + 9 * MS, SOUND)
    assert seen.at_ns == NS
    assert heard.at_ns == NS + 9 * MS


def test_resuming_goes_on_where_the_last_reading_stopped(player: Player) -> None:
    player.timeline.resume(60 * NS)
    assert player.picture(1000 * NS).at_ns == 60 * NS
    assert player.sound(1000 * NS + 5 * MS).at_ns == 60 * NS + 5 * MS
    assert player.timeline.reached_ns > 60 * NS


@pytest.mark.parametrize("before_s", [0, 8, 11, 30])
def test_media_that_comes_once_more_keeps_its_time_also_where_a_rendition_was_behind(
    player: Player, before_s: int
) -> None:
    player.timeline.resume(60 * NS, -940 * NS)
    assert player.sound((1000 - before_s) * NS).at_ns == (60 - before_s) * NS
    assert player.picture((1000 - before_s) * NS).at_ns == (60 - before_s) * NS


@pytest.mark.parametrize(("jump_s", "at_s"), [(0.0, 32.0), (0.4, 32.4), (-25.0, 32.0), (20.0, 32.0)])
def test_a_clock_that_jumped_in_media_that_was_lost_since_the_last_reading_goes_on_behind_that(
    player: Player, jump_s: float, at_s: float
) -> None:
    player.timeline.resume(20 * NS, offset_ns=-1000 * NS)
    player.timeline.delivered("video:0", 32 * NS)
    assert player.picture(round((1032 + jump_s) * NS)).at_ns == round(at_s * NS)


@pytest.mark.parametrize("raw_s", [0, 900, 5000])
def test_resuming_on_another_clock_goes_on_at_the_place(player: Player, raw_s: int) -> None:
    player.timeline.resume(60 * NS, -940 * NS)
    assert player.picture(raw_s * NS).at_ns == 60 * NS


def test_rejoining_goes_on_where_the_timeline_stands(player: Player) -> None:
    player.pictures(i * PICTURE for i in range(25))
    for i in range(50):
        player.sound(i * SOUND)
    player.timeline.rejoin()
    assert player.sound(5 * NS).at_ns == NS
    assert player.picture(5 * NS).at_ns == NS
    assert player.breaks == []


def test_ticks_wait_for_the_slower_track_but_not_for_ever(player: Player) -> None:
    player.picture(0)
    for i in range(50):
        player.sound(i * SOUND)
    assert player.ticks == [] or player.ticks[-1].at_ns <= PICTURE
    for i in range(50, 400):
        player.sound(i * SOUND)
    assert player.ticks[-1].at_ns == pytest.approx(8 * NS - player.timeline.skew_ns, abs=0.1 * NS)


def test_what_was_delivered_without_samples_counts_for_ticks(player: Player) -> None:
    player.picture(0)
    player.timeline.delivered("video:0", 4 * NS)
    assert player.sound(0).at_ns == 0
    for i in range(1, 200):
        player.sound(i * SOUND)
    assert player.ticks[-1].at_ns == pytest.approx(4 * NS, abs=0.1 * NS)
    assert player.timeline.tick_to(4 * NS + 50 * MS) == []
