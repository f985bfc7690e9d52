"""Both sides of a stream, written down by hand: what was found, missed, invented, told twice, cut short, how late."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from glitchwatch.origin.faults import KINDS, Fault, Truth
from glitchwatch.trial.api import Heard
from glitchwatch.trial.book import Book
from glitchwatch.trial.source import Broken, ChannelInfo, Published, Refused, Served
from glitchwatch.trial.trial import percentile

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


def wall(media_s: float) -> datetime:
    return EPOCH + timedelta(seconds=media_s)


def book(*faults: Fault, served: range = range(2, 40)) -> Book:
    """A channel of 80 s whose segments are published when they are due."""
    made = Book(ChannelInfo("a", "http://x/", EPOCH, 2.0, "", ("main",), 12))
    for number in range(40):
        made.hears(Published("a", number, wall(2 * number + 2)))
    for number in served:
        made.hears(Served("a", number, "main", wall(2 * number + 2.1)))
    for fault in faults:
        made.hears(Broken("a", fault))
    return made


def edge(
    what: str,
    defect: str,
    start_s: float,
    at_s: float,
    *,
    heard_s: float = 0.0,
    defect_id: str = "d1",
    **more: Any,
) -> Heard:
    """An event; it tells of `at_s` and reaches us at `heard_s`."""
    data = {
        "what": what,
        "stream": "s",
        "at": wall(at_s).isoformat(),
        "defect_id": defect_id,
        "defect": defect,
        "started_at": wall(start_s).isoformat(),
        "start_ns": round(start_s * 1e9),
        "certain_at_ns": round(at_s * 1e9),
        "track": "video:0",
        "severity": "critical",
        "suppressed_by": None,
    }
    return Heard(wall(heard_s), data | more)


BLACK = Fault(KINDS["black"], 21.0, 26.0)
LOST = Fault(KINDS["segment_lost"], 20.0, 22.0)
CHANGE = Fault(KINDS["resolution_change"], 30.0, 30.0)


def test_a_fault_that_is_told_once_is_found_and_its_delay_counts_from_the_segment_that_makes_it_certain() -> (
    None
):
    made = book(BLACK)
    made.event(edge("opened", "black", 21.0, 23.0, heard_s=24.4))
    made.event(edge("closed", "black", 21.0, 26.0))
    verdict = made.verdict(78)
    [pair] = verdict.found
    assert verdict.clean
    assert not made.doubled(verdict)
    assert not made.cut_short(verdict)
    delay = made.delay(pair)
    assert delay is not None
    # Certain at 23 s, which is in the segment that was published at 24; it begins in the one of 22.
    assert (delay.after_certain_s, delay.after_onset_s) == pytest.approx((0.4, 2.4))
    assert delay.fetched_s == pytest.approx(0.1)


def test_what_is_certain_with_the_first_picture_of_a_segment_is_so_with_that_segment() -> None:
    made = book(Fault(KINDS["clock_jump"], 24.0, 24.0))
    made.event(edge("opened", "timestamp_drift", 24.0, 24.0, heard_s=26.3))
    [pair] = made.verdict(78).found
    delay = made.delay(pair)
    assert delay is not None
    assert (delay.after_certain_s, delay.after_onset_s) == pytest.approx((0.3, 0.3))


def test_what_nobody_told_is_missed_unless_the_origin_did_not_serve_it() -> None:
    assert [t.name for t in book(BLACK).verdict(78).missed] == ["black"]
    unserved = book(BLACK, served=range(2, 11)).verdict(78)
    assert (unserved.missed, [t.name for t in unserved.unjudged]) == ([], ["black"])
    assert book(BLACK).verdict(25).missed == []


def test_what_was_sent_just_before_a_connection_was_cut_counts_once_it_is_sent_again() -> None:
    made = book(BLACK)
    made.cut(wall(2 * 12 + 2.3))
    assert [t.name for t in made.verdict(78).unjudged] == ["black"]
    made.hears(Served("a", 12, "main", wall(40)))
    assert [t.name for t in made.verdict(78).missed] == ["black"]
    made.cut(wall(60))
    assert 12 in made.served


def test_a_segment_whose_sound_alone_was_sent_could_not_be_seen() -> None:
    made = Book(ChannelInfo("a", "http://x/", EPOCH, 2.0, "", ("picture", "sound"), 12))
    for number in range(40):
        made.hears(Published("a", number, wall(2 * number + 2)))
        made.hears(Served("a", number, "sound", wall(2 * number + 2.1)))
        if number != 11:
            made.hears(Served("a", number, "picture", wall(2 * number + 2.2)))
    made.hears(Broken("a", BLACK))
    assert [t.name for t in made.verdict(78).unjudged] == ["black"]
    assert made.unserved_s == pytest.approx(2.0)


def test_a_lost_segment_that_nobody_asked_for_could_not_be_seen_and_one_that_was_asked_for_is_missed() -> (
    None
):
    unasked = book(LOST)
    assert [t.name for t in unasked.verdict(60).unjudged] == ["segment_lost"]
    asked = book(LOST)
    asked.hears(Refused("a", 10))
    assert [t.name for t in asked.verdict(60).missed] == ["segment_lost"]


def test_a_segment_lost_among_others_that_nobody_was_given_is_one_loss_with_them() -> None:
    made = book(LOST, served=range(2, 9))
    made.hears(Refused("a", 10))
    for number in range(11, 40):
        made.hears(Served("a", number, "main", wall(2 * number + 2.1)))
    assert [t.name for t in made.verdict(60).unjudged] == ["segment_lost"]


def test_a_change_in_media_that_nobody_was_given_shows_where_media_comes_again() -> None:
    made = book(CHANGE, served=range(2, 13))
    for number in range(20, 30):
        made.hears(Served("a", number, "main", wall(2 * number + 2.1)))
    made.event(edge("opened", "format_change", 40.0, 40.0))
    verdict = made.verdict(60)
    assert (verdict.missed, verdict.invented) == ([], [])


def test_a_change_behind_which_pictures_are_missing_shows_where_these_come_again() -> None:
    change = Fault(KINDS["resolution_change"], 30.0, 30.0)
    made = book(change, Fault(KINDS["picture_missing"], 33.0, 41.0), served=range(2, 13))
    for number in range(17, 40):
        made.hears(Served("a", number, "main", wall(2 * number + 2.1)))
    made.event(edge("opened", "format_change", 41.0, 41.0))
    assert made.verdict(78).invented == []


def test_what_was_given_to_a_watch_that_broke_at_once_counts_where_another_could_be_given_it() -> None:
    behind = book(BLACK, served=range(2, 9))
    for number in range(9, 40):  # its playlists hold twelve segments: those of the fault go at 46 s and later
        behind.hears(Served("a", number, "main", wall(max(44.0, 2 * number + 2.1))))
    behind.replaced(wall(44.5))
    assert [t.name for t in behind.verdict(78).unjudged] == ["black"]
    behind.hears(Served("a", 10, "main", wall(52.0)))
    behind.hears(Served("a", 11, "main", wall(52.0)))
    behind.hears(Served("a", 12, "main", wall(52.0)))
    assert [t.name for t in behind.verdict(78).missed] == ["black"]
    in_time = book(BLACK)
    in_time.replaced(wall(25.0))
    assert [t.name for t in in_time.verdict(78).missed] == ["black"]
    in_time.away(wall(40.0), wall(55.0))
    assert [t.name for t in in_time.verdict(78).missed] == ["black"]
    in_time.away(wall(32.0), wall(55.0))
    assert [t.name for t in in_time.verdict(78).unjudged] == ["black"]


def test_what_begins_with_an_outage_may_be_told_as_a_part_of_it() -> None:
    made = book(LOST)
    made.hears(Refused("a", 10))
    away = {"source_unreachable"}
    told = edge("opened", "segment_missing", 20.0, 22.0, suppressed_by="source_unreachable")
    made.event(told)
    assert [t.name for t in made.verdict(60).missed] == ["segment_lost"]
    made.outages.append(Truth("away", frozenset(away), frozenset(), wall(18), wall(28), 12.0, optional=True))
    assert [t.name for t in made.verdict(60).missed] == ["segment_lost"]
    made.event(edge("opened", "source_unreachable", 20.4, 32.0, defect_id="d2"))
    assert "segment_lost" in [p.truth.name for p in made.verdict(60).found]


def test_what_nobody_injected_is_invented() -> None:
    made = book()
    made.event(edge("opened", "freeze", 30.0, 33.0))
    assert [r.defect for r in made.verdict(78).invented] == ["freeze"]


def test_a_defect_that_is_closed_in_the_middle_and_told_anew_is_doubled_and_cut_short() -> None:
    made = book(Fault(KINDS["black"], 21.0, 31.0))
    made.event(edge("opened", "black", 21.0, 23.0))
    made.event(edge("closed", "black", 21.0, 25.0))
    made.event(edge("opened", "black", 25.0, 27.0, defect_id="d2"))
    made.event(edge("closed", "black", 25.0, 31.0, defect_id="d2"))
    verdict = made.verdict(78)
    assert [r.start for r in made.doubled(verdict)] == [wall(25)]
    assert [p.truth.name for p in made.cut_short(verdict)] == ["black"]


def test_a_hand_over_that_confirms_is_neither() -> None:
    made = book(BLACK)
    for what, at_s in (("opened", 23.0), ("unconfirmed", 23.0), ("confirmed", 24.0), ("closed", 26.0)):
        made.event(edge(what, "black", 21.0, at_s))
    assert made.told["d1"].words == ["opened", "unconfirmed", "confirmed", "closed"]
    assert made.verdict(78).clean
    assert not made.cut_short(made.verdict(78))


def test_an_outage_of_ours_explains_what_it_causes_and_a_long_one_must_be_told() -> None:
    made = book()
    outage = Truth("outage", frozenset({"source_unreachable"}), frozenset(), wall(30), wall(50), 10.0)
    made.outages.append(outage)
    assert [t.name for t in made.verdict(78).missed] == ["outage"]
    made.event(edge("opened", "source_unreachable", 31.0, 41.0, track=None))
    assert made.verdict(78).clean


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(n) for n in range(1, 101)]
    assert [percentile(values, share) for share in (0.5, 0.95, 0.99, 1.0)] == [50, 95, 99, 100]
    assert percentile([3.0], 0.5) == 3.0


def test_a_jump_behind_media_that_nobody_was_given_could_not_be_seen() -> None:
    jump = Fault(KINDS["clock_jump"], 30.0, 30.0)
    assert [t.name for t in book(jump).verdict(60).missed] == ["clock_jump"]
    made = book(jump, served=range(2, 14))
    for number in range(15, 40):
        made.hears(Served("a", number, "main", wall(2 * number + 2.1)))
    assert [t.name for t in made.verdict(60).unjudged] == ["clock_jump"]
