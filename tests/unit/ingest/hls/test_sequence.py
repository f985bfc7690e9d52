from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from worker.ingest.hls.items import Mark
from worker.ingest.hls.playlist import NS, Entry, MediaPlaylist
from worker.ingest.hls.sequence import Note, Start, Tracker

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Noted(Tracker):
    """Keeps the last note for the test to look at."""

    last: Note | None = None


def playlist(
    numbers: Sequence[int],
    *,
    name: str = "s",
    ended: bool = False,
    dated: bool = False,
    numbered: bool = True,
) -> MediaPlaylist:
    entries = tuple(
        Entry(
            n if numbered else i,
            f"https://o.example/{name}{n}.ts?token={len(numbers)}",
            4 * NS,
            program_date_time=NOON + timedelta(seconds=4 * n) if dated else None,
        )
        for i, n in enumerate(numbers)
    )
    return MediaPlaylist(entries, 4.0, entries[0].sequence if entries else 0, ended, numbered)


def take(tracker: Noted, given: MediaPlaylist, now_s: float, *, held: bool = False) -> list[str]:
    entries, note = tracker.fresh(given, now_s, held=held)
    tracker.last = note
    for entry in entries:
        tracker.take(entry)
    return [e.url.rpartition("/")[2].partition("?")[0].removesuffix(".ts") for e in entries]


def test_a_live_one_begins_three_targets_back_and_a_recording_at_its_start() -> None:
    assert take(Noted(3), playlist(range(10, 16)), 0) == ["s13", "s14", "s15"]
    assert take(Noted(3), playlist(range(10, 12)), 0) == ["s10", "s11"]
    assert take(Noted(3), playlist(range(5), ended=True), 0) == ["s0", "s1", "s2", "s3", "s4"]


def test_only_what_is_new_is_taken() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(10, 14)), 0)
    assert take(tracker, playlist(range(10, 14)), 2) == []
    assert take(tracker, playlist(range(12, 16)), 8) == ["s14", "s15"]
    assert tracker.end_ns == 5 * 4 * NS
    assert take(tracker, playlist([]), 9) == []


def test_segments_that_left_the_window_are_one_note_with_their_length() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(10, 14)), 0)
    assert take(tracker, playlist(range(20, 24)), 40) == ["s20", "s21", "s22", "s23"]
    assert tracker.last == Note("expired", 14, 6 * 4 * NS)
    assert tracker.end_ns == (3 + 6 + 4) * 4 * NS
    take(tracker, playlist(range(26, 30)), 64, held=True)
    assert tracker.last == Note("fell_behind", 24, 2 * 4 * NS)


def test_what_left_the_window_before_a_reading_took_over_is_no_fault_of_the_origin() -> None:
    tracker = Noted(3)
    tracker.resume(Mark(13, 0, 16 * NS))
    assert take(tracker, playlist(range(20, 24)), 0) == ["s20", "s21", "s22", "s23"]
    assert tracker.last == Note("fell_behind", 14, 6 * 4 * NS)
    take(tracker, playlist(range(30, 34)), 40)
    assert tracker.last == Note("expired", 24, 6 * 4 * NS)


def test_a_leap_that_time_does_not_explain_is_no_loss() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(10, 14)), 0)
    assert take(tracker, playlist(range(900_000, 900_006)), 4) == ["s900003", "s900004", "s900005"]
    assert tracker.last == Note("sequence_jump", 900_000)
    assert tracker.end_ns == 6 * 4 * NS


def test_a_leap_of_the_numbers_alone_repeats_nothing() -> None:
    tracker = Noted(3)
    take(tracker, playlist([10, 11, 12, 13]), 0)
    same = playlist([11, 12, 13, 14])
    moved = tuple(replace(e, sequence=e.sequence + 10**6) for e in same.entries)
    assert take(tracker, replace(same, entries=moved), 4) == ["s14"]


def test_an_old_copy_from_another_cache_is_not_a_restart() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(100, 106)), 0)
    take(tracker, playlist(range(101, 107)), 4)
    for now in (6, 8, 10):
        assert take(tracker, playlist(range(99, 105)), now) == []
        assert tracker.last is None
    assert take(tracker, playlist(range(102, 108)), 12) == ["s107"]


def test_an_old_copy_is_known_by_its_dates_too() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(100, 106), dated=True), 0)
    for now in (2, 4, 6):
        assert take(tracker, playlist(range(80, 86), dated=True), now) == []


def test_a_restart_is_believed_at_the_second_look_and_owes_a_new_clock() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(100, 106)), 0)
    assert take(tracker, playlist([0, 1], name="n"), 2) == []
    entries, note = tracker.fresh(playlist([0, 1], name="n"), 4)
    assert note == Note("sequence_reset", 0)
    assert [tracker.take(e)[1] for e in entries] == [True, False]


def test_an_origin_that_repeats_its_names_is_believed_once_it_grows() -> None:
    tracker = Noted(3)
    take(tracker, playlist(range(6)), 0)
    got = [take(tracker, playlist(range(n)), 2 * n) for n in range(1, 6)]
    assert got[:4] == [[], [], [], []]
    assert got[4] == ["s2", "s3", "s4"]


def test_a_live_playlist_without_numbers_is_numbered_by_its_names() -> None:
    tracker = Noted(3)
    assert take(tracker, playlist(range(50, 54), numbered=False), 0) == ["s51", "s52", "s53"]
    assert take(tracker, playlist(range(52, 56), numbered=False), 8) == ["s54", "s55"]
    assert take(tracker, playlist(range(52, 56), numbered=False), 10) == []


def test_a_lost_entry_passes_its_new_clock_on() -> None:
    tracker = Noted(3)
    one, two, three = playlist([1, 2, 3]).entries
    assert tracker.take(one)[1] is False
    assert tracker.take(replace(two, discontinuity=True, discontinuity_sequence=1), lost=True)[1] is True
    assert tracker.take(replace(three, discontinuity_sequence=1))[1] is True


def test_a_clock_that_changed_while_we_were_away_is_noticed() -> None:
    tracker = Noted(3)
    one, two, *_ = playlist([1, 20]).entries
    tracker.take(one)
    assert tracker.take(replace(two, discontinuity_sequence=4))[1] is True


def test_sound_begins_where_the_picture_did() -> None:
    start = Start()
    take(Noted(3, start), playlist(range(10, 16), dated=True), 0)
    sound = Noted(3, start, leads=False)
    assert take(sound, playlist(range(12, 18), dated=True), 0) == ["s13", "s14", "s15", "s16", "s17"]
    assert sound.end_ns == 5 * 4 * NS
    undated = Noted(3, replace(start, date=None), leads=False)
    assert take(undated, playlist(range(70, 76)), 0) == ["s73", "s74", "s75"]


def test_sound_whose_durations_are_rounded_keeps_to_the_pictures_dates() -> None:
    start = Start()
    picture, sound = Noted(3, start), Noted(3, start, leads=False)
    for first in range(10, 400, 3):
        take(picture, playlist(range(first, first + 6), dated=True), first * 4.0)
        listed = playlist(range(first, first + 6), dated=True)
        short = tuple(replace(e, duration_ns=e.duration_ns - NS // 50) for e in listed.entries)
        take(sound, replace(listed, entries=short), first * 4.0)
    assert abs(sound.end_ns - picture.end_ns) < NS // 10


def test_resuming_goes_on_behind_the_mark() -> None:
    tracker = Noted(3)
    tracker.resume(Mark(12, 0, 99 * NS))
    assert take(tracker, playlist(range(10, 16)), 0) == ["s13", "s14", "s15"]
    assert tracker.end_ns == (99 + 12) * NS
    assert tracker.start.known


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 8)), max_size=20))
def test_whatever_the_numbers_do_media_time_never_runs_back(moves: list[tuple[int, int]]) -> None:
    tracker = Noted(3)
    before = 0
    for now, (first, count) in enumerate(moves):
        entries, _ = tracker.fresh(playlist(range(first, first + count)), float(now))
        assert tracker.end_ns >= before
        for entry in entries:
            at_ns, _, mark = tracker.take(entry)
            assert at_ns >= before
            assert mark.end_ns == at_ns + entry.duration_ns
            before = mark.end_ns


def test_a_resumed_one_begins_before_its_place_over_what_is_listed_unless_much_waits() -> None:
    def resumed(newest: int, lead_s: int, *, first: int = 10, clock: int = 0) -> tuple[list[str], int]:
        tracker = Noted(3)
        tracker.resume(Mark(20, clock, 100 * NS), lead_s * NS)
        return take(tracker, playlist(range(first, newest + 1)), 0), tracker.end_ns // NS

    assert resumed(21, 9) == (["s19", "s20", "s21"], 104)
    assert resumed(21, 0) == (["s21"], 104)
    assert resumed(21, 9, first=20) == (["s20", "s21"], 104)
    assert resumed(25, 9)[0] == ["s21", "s22", "s23", "s24", "s25"]
    assert resumed(21, 9, clock=1)[0] == ["s21"]
