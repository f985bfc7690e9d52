"""Both sides of one stream: what its channel published with which faults, and what the API said of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from glitchwatch.origin.faults import Fault, Layer, Truth
from glitchwatch.origin.verdict import Pair, Reported, Verdict, match
from glitchwatch.trial.api import Heard
from glitchwatch.trial.source import Broken, ChannelInfo, Published, Refused, Said, Served

ENDED = frozenset({"source_stalled", "playlist_stale"})  # what may be said of a channel that is over
THE_END = "the end"
PAST_S = 4.0  # a fault that begins sooner after the first segment served is told against too little of a past
REMEMBERED = 4096  # segments
TOGETHER = timedelta(seconds=0.6)  # what begins so closely together is told as one
GAP_S = 1.5  # what is not longer shows by what comes before
ON_THE_WAY_S = 0.5  # what was sent so shortly before or after its connection was cut may not have arrived
UNTOLD_S = 4.0  # what was sent so shortly before its watch broke may not have been told
TAKES_OVER_S = 6.0  # until another watch asks for what is listed still
CATCHES_UP_S = 3.0  # until it has been given what it is behind
WITHOUT_MEDIA = frozenset({"picture_missing", "sound_missing", "sound_gap"})  # nothing else shows in these
CUT_SHORT_S = 3.0  # a defect that ends so much sooner than its fault was ended by something else
NO_END = frozenset({"loudness"})  # measured over a window: how long it lasts is no edge of the programme


@dataclass(slots=True)
class Told:
    """One defect as the API told it, from its first word to its last."""

    reported: Reported
    opened_at: datetime  # when we heard of it
    certain: datetime  # wall clock of the media in which the detector became sure
    data: dict[str, Any]
    words: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delay:
    """How long after publication a fault was known at the API, in seconds."""

    stream: str
    fault: str
    after_certain_s: float  # from the segment in which the detector became sure
    after_onset_s: float  # from the segment in which the fault begins
    fetched_s: float | None = None  # of `after_certain_s`, until somebody had been given that segment


class Book:
    """One stream. `verdict` compares what has been written down so far."""

    def __init__(self, channel: ChannelInfo) -> None:
        self.channel = channel
        self.faults: list[Fault] = []
        self.published: dict[int, datetime] = {}
        self.served: dict[int, datetime] = {}  # when it had first been sent to its end in all windows
        self._sent: dict[int, dict[str, datetime]] = {}  # in each window
        self._last_sent: dict[int, datetime] = {}  # in any window
        self._cuts: list[datetime] = []
        self._broken: list[datetime] = []
        self._away: list[tuple[datetime, datetime]] = []
        self.refused: set[int] = set()  # lost segments that somebody asked for
        self.told: dict[str, Told] = {}
        self.blind: list[tuple[datetime, datetime | None, str]] = []  # by the API's own events
        self.outages: list[Truth] = []  # what we did to the delivery
        self.unknown: list[str] = []  # events about a defect that was never opened

    def hears(self, what: Said) -> None:
        """Something that the origin said of this channel."""
        match what:
            case Published():
                self.published[what.sequence] = what.at
                while len(self.published) > REMEMBERED:
                    del self.published[next(iter(self.published))]
            case Served():
                self._sent_out(what)
            case Refused():
                self.refused.add(what.sequence)
            case Broken():
                self.faults.append(what.fault)

    def cut(self, at: datetime) -> None:
        """Connections were cut: what was sent just then may have been lost on the way."""
        self._cuts.append(at)
        for number, sent in self._sent.items():
            for window in [w for w, sent_at in sent.items() if _near(sent_at, at)]:
                del sent[window]
                self.served.pop(number, None)

    def replaced(self, at: datetime) -> None:
        """A watch was broken so that another takes over: what the first had been given may not have been told."""
        self._broken.append(at)

    def away(self, begin: datetime, end: datetime) -> None:
        """Nobody can be given anything between these moments."""
        self._away.append((begin, end))

    def _sent_out(self, what: Served) -> None:
        self._last_sent[what.sequence] = what.at
        if any(_near(what.at, cut) for cut in self._cuts):
            return
        sent = self._sent.setdefault(what.sequence, {})
        sent.setdefault(what.window, what.at)
        if len(sent) == len(self.channel.windows):
            self.served.setdefault(what.sequence, max(sent.values()))
        while len(self._sent) > REMEMBERED:
            oldest = next(iter(self._sent))
            del self._sent[oldest]
            self._last_sent.pop(oldest, None)

    def event(self, heard: Heard) -> Told | None:
        """Something that the API said of this stream; the defect that was opened by it."""
        data = heard.data
        what = data["what"]
        if what in ("blind", "healthy"):
            self._sight(what, data)
            return None
        defect_id = data.get("defect_id")
        if defect_id is None:
            return None
        told = self.told.get(defect_id)
        if told is None:
            if what != "opened":
                self.unknown.append(f"{what} {data['defect']} {defect_id}")
                return None
            told = self.told[defect_id] = _told(heard)
            return told
        told.words.append(what)
        told.data = data
        closed = what == "closed"
        told.reported = replace(
            told.reported,
            severity=data["severity"],
            suppressed_by=data["suppressed_by"],
            end=datetime.fromisoformat(data["at"]) if closed else told.reported.end,
        )
        return None

    def _sight(self, what: str, data: dict[str, Any]) -> None:
        at = datetime.fromisoformat(data["at"])
        if self.blind and self.blind[-1][1] is None:
            self.blind[-1] = (self.blind[-1][0], at, self.blind[-1][2])
        if what == "blind":
            self.blind.append((at, None, str(data.get("blind"))))

    # --- the verdict ---------------------------------------------------------------------------------------------

    @property
    def first_s(self) -> float | None:
        """Media second of the first segment anybody was given."""
        return min(self.served) * self.channel.segment_s if self.served else None

    @property
    def end_s(self) -> float:
        """Media second up to which the channel has published."""
        return (max(self.published) + 1) * self.channel.segment_s if self.published else 0.0

    @property
    def unserved_s(self) -> float:
        """Media seconds, after the first segment served, that nobody was ever given."""
        first = min(self.served, default=0)
        return self.channel.segment_s * sum(1 for n in self.published if n >= first and n not in self.served)

    def truths(self) -> list[Truth]:
        """The faults in what was published."""
        return [Truth.of(fault, self.channel.epoch) for fault in self.faults]

    def verdict(self, until_s: float) -> Verdict:
        """Faults that were served whole and end before media second `until_s` are judged, all reports are."""
        channel = self.channel
        judged: list[Truth] = []
        excused: list[Truth] = []
        for fault in self.faults:
            watched = self.first_s is not None and fault.start_s >= self.first_s + PAST_S
            whole = watched and fault.end_s <= until_s and self._was_served(fault)
            truth = self._truth(fault)
            if whole:
                judged.append(truth)
            else:
                excused.append(replace(truth, end=max(truth.end, self._seen_again(fault))))
        far = channel.wall(1e9)
        # An excused fault explains its reports, as one outside of what was watched.
        found = match(
            [*judged, *self.outages, self._end(), *(replace(t, optional=True) for t in excused)],
            [told.reported for told in self.told.values()],
            watched=(channel.epoch, far),
        )
        kept = {id(t) for t in judged}
        return replace(
            found,
            found=[p for p in found.found if id(p.truth) in kept or p.truth in self.outages],
            unjudged=excused,
        )

    def _end(self) -> Truth:
        """That nothing more is published, which may be told."""
        begin, far = self.channel.wall(self.end_s), self.channel.wall(1e9)
        return Truth(THE_END, ENDED, frozenset(), begin, far, 2.0, optional=True)

    def _truth(self, fault: Fault) -> Truth:
        """`fault`; where it begins with an outage, that may be told as its cause."""
        truth = Truth.of(fault, self.channel.epoch)
        reports = [told.reported for told in self.told.values()]
        near = timedelta(seconds=truth.tolerance_s)
        causes = {
            r.suppressed_by
            for r in reports
            if r.defect in truth.expects
            and r.suppressed_by is not None
            and abs(r.start - truth.start) <= near
            if any(o.defect == r.suppressed_by and abs(o.start - r.start) <= TOGETHER for o in reports)
        }
        away = {name for outage in self.outages for name in outage.expects}
        return replace(truth, also=truth.also | (causes & away))

    def _seen_again(self, fault: Fault) -> datetime:
        """When the first media after the fault begins that anybody was given: only there can it show."""
        size = self.channel.segment_s
        behind_s = size * min((n for n in self.served if n * size >= fault.end_s), default=0)
        for other in sorted(self.faults, key=lambda f: f.start_s):
            if other.kind.name in WITHOUT_MEDIA and other.start_s <= behind_s < other.end_s:
                behind_s = other.end_s
        return self.channel.wall(behind_s)

    def next_unserved(self) -> datetime:
        """The wall clock of the media of which nobody has been given anything, yet."""
        return self.channel.wall(max(self.served, default=0) * self.channel.segment_s)

    def _was_served(self, fault: Fault) -> bool:
        """Whether somebody was given all of it; of a segment that is not given, whether somebody asked.

        One that is lost among others that nobody was given is one loss with them, and a step or a short gap behind them
        is one with theirs.
        """
        size = self.channel.segment_s
        first, last = int(fault.start_s / size), int(max(fault.start_s, fault.end_s - 1e-6) / size)
        if fault.kind.name == "segment_lost":
            return first in self.refused and {first - 1, first + 1} <= self.served.keys()
        if fault.kind.layer in (Layer.SEGMENT, Layer.ORIGIN):
            return bool(self.served) and min(self.served) < first  # the point is that it is not
        if fault.end_s - fault.start_s <= GAP_S:
            first -= 1
        return all(number in self.served and not self._untold(number) for number in range(first, last + 1))

    def _untold(self, number: int) -> bool:
        """Whether who was given a segment broke at once, and nobody could be given it again."""
        sent, gone = self._last_sent.get(number), self.published.get(number + self.channel.listed)
        if sent is None or gone is None:
            return False
        gone = min([gone, *(begin for begin, end in self._away if begin <= gone <= end)])
        return any(
            -UNTOLD_S <= (sent - broken).total_seconds() <= TAKES_OVER_S
            and (gone - broken).total_seconds() <= TAKES_OVER_S + CATCHES_UP_S
            for broken in self._broken
        )

    def doubled(self, verdict: Verdict) -> list[Reported]:
        """Reports among the invented that tell a fault a second time."""
        return [
            r
            for r in verdict.invented
            if any(r.defect in p.truth.expects and _meets(r, p) for p in verdict.found)
        ]

    def cut_short(self, verdict: Verdict) -> list[Pair]:
        """Defects that ended well before their fault did."""
        return [
            pair
            for pair in verdict.found
            if pair.reported.end is not None
            and pair.reported.defect not in NO_END
            and pair.truth not in self.outages
            and (pair.truth.end - pair.reported.end).total_seconds() > CUT_SHORT_S
        ]

    def delay(self, pair: Pair) -> Delay | None:
        """How late a found fault was known; None for one that media does not show."""
        told = next((t for t in self.told.values() if t.reported is pair.reported), None)
        if told is None or pair.truth in self.outages:
            return None
        begins = self._segment_of(pair.truth.start + timedelta(milliseconds=1))
        onset = self.published.get(begins)
        # What is certain at the end of a segment is so with that segment, what begins with the next one with the next.
        number = max(begins, self._segment_of(told.certain - timedelta(milliseconds=1)))
        certain, served = self.published.get(number), self.served.get(number)
        if onset is None or certain is None:
            return None
        return Delay(
            self.channel.name,
            pair.truth.name,
            (told.opened_at - certain).total_seconds(),
            (told.opened_at - onset).total_seconds(),
            None if served is None else (served - certain).total_seconds(),
        )

    def told_of(self, told: Told) -> tuple[Pair | None, Delay | None, bool]:
        """For one defect: the fault that it is of, how late it came, and whether another fault explains it."""
        verdict = match([*self.truths(), *self.outages, self._end()], [told.reported])
        if verdict.found and verdict.found[0].truth.name != THE_END:
            return verdict.found[0], self.delay(verdict.found[0]), False
        return None, None, not verdict.invented

    def _segment_of(self, wall: datetime) -> int:
        return int((wall - self.channel.epoch).total_seconds() / self.channel.segment_s)

    def missing_s(self, kind: str, until_s: float) -> float:
        """Media seconds that a kind of fault took out of the channel, from the first segment served."""
        first = self.first_s or 0.0
        return sum(
            max(0.0, min(f.end_s, until_s) - max(f.start_s, first))
            for f in self.faults
            if f.kind.name == kind
        )


def _told(heard: Heard) -> Told:
    data = heard.data
    start = datetime.fromisoformat(data["started_at"])
    reported = Reported(
        data["defect"], start, None, data.get("track"), data["severity"], data.get("suppressed_by")
    )
    certain = start + timedelta(microseconds=(data["certain_at_ns"] - data["start_ns"]) / 1000)
    return Told(reported, heard.at, certain, data, [data["what"]])


def _near(sent_at: datetime, cut: datetime) -> bool:
    return abs((cut - sent_at).total_seconds()) <= ON_THE_WAY_S


def _meets(report: Reported, pair: Pair) -> bool:
    end = report.end or pair.truth.end
    return report.track == pair.reported.track and report.start <= pair.truth.end and end >= pair.truth.start
