"""Which segments of a reloaded playlist are new, whatever its numbers do. Source: RFC 8216, 6.2.2 and 6.3.3.

Numbers normally only grow. They fall when an origin restarts, and seem to fall when a cache answers with an old
copy; they leap when an origin is configured anew, and more than one is missing when we were away too long.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from urllib.parse import urlsplit

from worker.ingest.hls.items import Mark
from worker.ingest.hls.playlist import NS, Entry, MediaPlaylist

REMEMBERED = 512
FALLEN_TWICE = 2  # an old copy in one cache of several must not look like a restart
BELIEVED_NS = 10 * NS  # dates that lead farther away are about something else
DAY_NS = 24 * 3600 * NS

Surprise = Literal["expired", "fell_behind", "sequence_reset", "sequence_jump"]


@dataclass(frozen=True, slots=True)
class Note:
    """Something to tell about the numbers. `duration_ns` is the media that was lost (0 when unknown)."""

    cause: Surprise
    sequence: int
    duration_ns: int = 0


@dataclass(slots=True)
class Start:
    """Where the leading rendition began, so that others can begin there too."""

    known: bool = False
    date: datetime | None = None
    behind_ns: int = 0  # how far before the end of its playlist
    live: bool = False
    anchor: tuple[datetime, int] | None = None  # date and media time of its latest dated entry


@dataclass(slots=True)
class Tracker:
    """Keeps the place in one media playlist. `end_ns` is estimated media time after the last entry taken."""

    start_targets: int
    start: Start = field(default_factory=Start)
    leads: bool = True
    next: int | None = None
    clock: int | None = None  # discontinuity sequence of the last entry taken
    end_ns: int = 0
    owed: bool = False  # the next entry has another clock though it does not say so
    _known: OrderedDict[int, str] = field(default_factory=OrderedDict)
    _loaded_s: float | None = None
    _newest: int | None = None
    _fell: int = 0
    _fell_to: int = 0
    _date: datetime | None = None  # of the last entry taken
    _lead: tuple[Mark, int] | None = None

    def resume(self, mark: Mark, lead_ns: int = 0) -> None:
        """Go on behind `mark`; begin so much before it as is still listed, of the same clock."""
        self.next, self.clock, self.end_ns = mark.sequence + 1, mark.discontinuity_sequence, mark.end_ns
        self._lead = (mark, lead_ns)

    def fresh(
        self, playlist: MediaPlaylist, now_s: float, *, held: bool = False
    ) -> tuple[list[Entry], Note | None]:
        """The entries not yet taken, and what was odd. `held`: we ourselves were too slow since the last load."""
        before_s, self._loaded_s = self._loaded_s, now_s
        entries: Sequence[Entry] = playlist.entries
        if not entries:
            return [], None
        if not playlist.numbered and not playlist.ended:
            entries = self._numbered(entries)
        listed = entries
        if self._lead is not None:
            self._step_back(entries, *self._lead)
            self._lead = None
        if self.leads and self.next is not None and not self.start.known:
            self.start.live, self.start.known = not playlist.ended, True
        note: Note | None = None
        if self.next is None:
            entries = self._begin(entries, playlist)
        elif entries[-1].sequence + 1 < self.next:
            if not self._restarted(entries, playlist):
                return [], None
            note = Note("sequence_reset", entries[0].sequence)
            self.owed = True
            self._known.clear()
            entries = self._tail(entries, playlist)
        elif entries[0].sequence > self.next:
            entries, note = self._missed(entries, playlist, now_s, before_s, held)
        self._fell = 0
        wanted = [e for e in entries if self.next is None or e.sequence >= self.next or note is not None]
        self._remember(listed)
        return wanted, note

    def _step_back(self, entries: Sequence[Entry], mark: Mark, lead_ns: int) -> None:
        """Back over what the earlier reading took last, unless so much waits that it is the more urgent."""
        waits_ns = sum(e.duration_ns for e in entries if e.sequence > mark.sequence)
        if waits_ns > 2 * lead_ns:
            return
        for entry in reversed(entries):
            if entry.sequence > mark.sequence:
                continue
            follows = entry.sequence + 1 == self.next and entry.discontinuity_sequence == self.clock
            if not follows or mark.end_ns - self.end_ns + entry.duration_ns > lead_ns:
                return
            self.next, self.end_ns = entry.sequence, self.end_ns - entry.duration_ns

    def changed(self, playlist: MediaPlaylist) -> bool:
        """Whether the newest segment is another one than at the last call."""
        newest = playlist.entries[-1].sequence if playlist.entries else None
        before, self._newest = self._newest, newest
        return newest != before

    def take(self, entry: Entry, *, lost: bool = False) -> tuple[int, bool, Mark]:
        """Move past `entry`: (its estimated media time, whether it has a new clock, the place after it).

        A lost entry passes its new clock on to the next one.
        """
        skipped = self.next is not None and entry.sequence != self.next
        new_clock = self.clock is not None and (
            entry.discontinuity or self.owed or (skipped and entry.discontinuity_sequence != self.clock)
        )
        self.owed = new_clock and lost
        at_ns = self._anchored(entry)
        self.end_ns = at_ns + entry.duration_ns
        self.next, self.clock = entry.sequence + 1, entry.discontinuity_sequence
        self._date = entry.program_date_time
        return at_ns, new_clock, Mark(entry.sequence, entry.discontinuity_sequence, self.end_ns)

    def _begin(self, entries: Sequence[Entry], playlist: MediaPlaylist) -> Sequence[Entry]:
        """The first entries of all: at the leading rendition's place where that is known."""
        chosen = entries if playlist.ended else self._tail(entries, playlist)
        if self.leads:
            behind = sum(e.duration_ns for e in chosen)
            self.start.date, self.start.behind_ns = chosen[0].program_date_time, behind
            self.start.live, self.start.known = not playlist.ended, True
            return chosen
        if playlist.ended or not self.start.live or not self.start.behind_ns:
            return chosen
        left_ns = sum(e.duration_ns for e in entries)
        for index, entry in enumerate(entries):
            at_ns = self._placed(entry, left_ns)
            left_ns -= entry.duration_ns
            if at_ns + entry.duration_ns // 2 > 0 or index == len(entries) - 1:
                self.end_ns = at_ns
                return entries[index:]
        return chosen

    def _placed(self, entry: Entry, left_ns: int) -> int:
        """Where an entry lies against the leading rendition's start, by its date, else from the live edge."""
        if entry.program_date_time is not None and self.start.date is not None:
            return round((entry.program_date_time - self.start.date).total_seconds() * NS)
        return self.start.behind_ns - left_ns

    def _anchored(self, entry: Entry) -> int:
        """The entry's media time. Durations are rounded, so others than the leading rendition follow its dates."""
        date, anchor = entry.program_date_time, self.start.anchor
        if date is None:
            return self.end_ns
        if self.leads:
            self.start.anchor = (date, self.end_ns)
            return self.end_ns
        if anchor is None:
            return self.end_ns
        dated_ns = anchor[1] + round((date - anchor[0]).total_seconds() * NS)
        return dated_ns if abs(dated_ns - self.end_ns) < BELIEVED_NS else self.end_ns

    def _tail(self, entries: Sequence[Entry], playlist: MediaPlaylist) -> Sequence[Entry]:
        """The last entries that hold `start_targets` target durations (RFC 8216, 6.3.3)."""
        if playlist.ended:
            return entries
        wanted_ns = round(self.start_targets * playlist.target_s * NS)
        index = len(entries)
        while index > 0 and wanted_ns > 0:
            index -= 1
            wanted_ns -= entries[index].duration_ns
        return entries[min(index, len(entries) - 1) :]

    def _restarted(self, entries: Sequence[Entry], playlist: MediaPlaylist) -> bool:
        """Whether numbers that fell are a new beginning rather than an old copy."""
        newest = entries[-1].sequence
        if self._fell == 0:
            self._fell_to = newest
        self._fell += 1
        if playlist.ended:
            return False
        date = entries[-1].program_date_time
        dated_before = date is not None and self._date is not None and date <= self._date
        old_copy = dated_before or any(self._known.get(e.sequence) == _name(e) for e in entries)
        if old_copy:  # unless it grows on its own for long: then the origin repeats its names
            return self._fell > 2 * FALLEN_TWICE and newest > self._fell_to + 1
        return self._fell >= FALLEN_TWICE

    def _missed(
        self,
        entries: Sequence[Entry],
        playlist: MediaPlaylist,
        now_s: float,
        before_s: float | None,
        held: bool,
    ) -> tuple[Sequence[Entry], Note]:
        """Numbers between ours and the first listed are gone: lost media, or a leap of the numbers alone."""
        assert self.next is not None
        first = entries[0].sequence
        count = first - self.next
        lost_ns = count * (playlist.duration_ns // len(entries))
        if before_s is None:
            believable_ns = DAY_NS
        else:
            slack_ns = playlist.duration_ns + round(3 * playlist.target_s * NS)
            believable_ns = round(1.5 * (now_s - before_s) * NS) + slack_ns
        if lost_ns <= believable_ns:
            ours = held or before_s is None  # too slow, or taking over from a reading that ended a while ago
            note = Note("fell_behind" if ours else "expired", self.next, lost_ns)
            self.end_ns += lost_ns
            return entries, note
        names = list(self._known.values())
        last = next((i for i, e in enumerate(entries) if names and _name(e) == names[-1]), None)
        rest = entries[last + 1 :] if last is not None else self._tail(entries, playlist)
        return rest, Note("sequence_jump", first)

    def _numbered(self, entries: Sequence[Entry]) -> Sequence[Entry]:
        """Numbers for a live playlist that gives none: names seen before keep theirs."""
        numbers = {name: number for number, name in self._known.items()}
        for index, entry in enumerate(entries):
            number = numbers.get(_name(entry))
            if number is not None:
                return [replace(e, sequence=number + i - index) for i, e in enumerate(entries)]
        begin = self.next or 0
        return [replace(e, sequence=begin + i) for i, e in enumerate(entries)]

    def _remember(self, entries: Sequence[Entry]) -> None:
        for entry in entries[-REMEMBERED:]:
            self._known[entry.sequence] = _name(entry)
            self._known.move_to_end(entry.sequence)
        while len(self._known) > REMEMBERED:
            self._known.popitem(last=False)


def _name(entry: Entry) -> str:
    """What tells one segment from another when tokens and folders change."""
    name = urlsplit(entry.url).path.rpartition("/")[2]
    return f"{name}@{entry.range.offset}" if entry.range else name
