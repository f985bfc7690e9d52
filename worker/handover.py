"""What one watch of a stream hands to the next: which defects are open, and what has been said already.

A watch that takes over begins some seconds before the place where the one before it stopped, so that its detectors
have a past there. Of that media everything has been said: nothing that was certain by then is said again, or for the
first time. A defect that was left open keeps its beginning, and is confirmed when the same detector finds it again, or
closed once that detector has seen good media beyond that place for its hold time. What only the detectors of this watch
found in old media is said once it has lasted into new media.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from contracts.findings import DefectEdge, Edge, Finding
from detectors.catalogue import Seat
from detectors.events import Event
from detectors.frame import Block, Frame
from worker.again import SAME_NS
from worker.causes import Before
from worker.frames import edge as edge_of
from worker.frames import plain
from worker.pipeline import Pipeline

NS = 1_000_000_000
Key = tuple[str, str | None, str | None]

SAID_REMEMBERED = 256  # closed defects, the latest
MOST_SAID = 32  # of each kind in a state: it has to stay small
SLACK_NS = 15 * NS  # media that comes once more, and tracks that are not handed over at the very same time
LEAST_HOLD_S, MOST_HOLD_S = 1.0, 60.0
WINDOW_S = 1.0  # many detectors look at a second at a time, and know of an end so much later
JUST_NS = 100_000_000  # two watches date one moment so far apart at most: each by where its tracks stood
SURELY_NS = 500_000_000  # of new media: a defect that lasts so far into it was not over before
_HOLDING = (
    "min_seconds", "bridge_seconds", "quiet_seconds", "return_seconds", "settle_seconds", "pause_seconds",
    "never_seconds", "other_seconds", "still_seconds",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Said:
    """The end of a defect as it was told."""

    at_ns: int
    certain_at_ns: int
    start_ns: int
    track: str | None = None


@dataclass(slots=True)
class _Muted:
    """A defect found in media that the watch before had seen, and since when it ought to be over or was told."""

    opened: DefectEdge
    old_ns: int
    ended: bool  # whether the watch before told its end


class Handover:
    """Stands between the detectors of one watch and whoever is told."""

    def __init__(
        self,
        seats: Sequence[Seat],
        state: dict[str, Any] | None = None,
        position_ns: int = 0,
        ends_ns: Mapping[str, int] | None = None,
    ) -> None:
        """`state`: what `state()` gave in the watch before, which has seen everything before `position_ns`, or of a
        track what is before its place in `ends_ns`.
        """
        state = state or {}
        self._position_ns, self._ends_ns = position_ns, dict(ends_ns or {})
        self._muted: dict[Key, _Muted] = {}
        self._hold_ns = {seat.detector.id: hold_ns(seat) for seat in seats}
        self._single = {seat.detector.id for seat in seats if seat.detector.single}
        self._open: dict[Key, DefectEdge] = {}
        self._unconfirmed: set[Key] = set()
        self._ended: OrderedDict[Key, _Said] = OrderedDict()
        self._measured: dict[Key, int] = {}
        self._begin_ns: dict[str | None, int] = {}
        self._began: OrderedDict[Key, int] = OrderedDict()  # beginnings of the defects that ended last
        for data in state.get("open", []):
            opened = edge_of(data)
            self._open[self._key(*opened.key)] = opened
            self._unconfirmed.add(self._key(*opened.key))
        for defect, track, channel, at_ns, certain_ns, *start_ns in state.get("ended", []):
            said = _Said(int(at_ns), int(certain_ns), int(*start_ns or (at_ns,)), track)
            known = self._ended.get(self._key(defect, track, channel))
            if known is None or known.certain_at_ns <= said.certain_at_ns:  # of several tracks, the latest
                self._ended[self._key(defect, track, channel)] = said
        for name, track, channel, at_ns in state.get("measured", []):
            self._measured[name, track, channel] = int(at_ns)
        self._ended_before = dict(self._ended)
        self._measured_before = dict(self._measured)

    @property
    def unsettled(self) -> int:
        """How many defects need `settle`: of the watch before, or found in the media that it had seen."""
        return len(self._unconfirmed) + len(self._muted)

    @property
    def open_defects(self) -> list[DefectEdge]:
        """Everything open as it was told last, with its true beginning."""
        return list(self._open.values())

    @property
    def before(self) -> list[Before]:
        """What the watch before told of late; of what it left open, as far as it got."""
        ended = [Before(k[0], s.track, s.start_ns, s.at_ns) for k, s in self._ended_before.items()]
        left = (self._open[key] for key in self._unconfirmed)
        return ended + [
            Before(e.defect, e.track, e.at_ns, max(e.at_ns, self._position_ns), open=True) for e in left
        ]

    def state(self, position_ns: int) -> dict[str, Any]:
        """What a watch that goes on at `position_ns` needs, as plain data: what it could say a second time."""
        since = position_ns - SLACK_NS
        ended = [
            [key[0], s.track, key[2], s.at_ns, s.certain_at_ns, s.start_ns]
            for key, s in self._ended.items()
            if s.certain_at_ns > since
        ]
        measured = [[*key, at_ns] for key, at_ns in self._measured.items() if at_ns >= position_ns]
        return {
            "open": [plain(edge) for edge in self._open.values()],
            "ended": ended[-MOST_SAID:],
            "measured": measured[:MOST_SAID],
        }

    def began_ns(self, edge: DefectEdge) -> int:
        """When the defect of `edge`, which was just told, began."""
        if edge.edge is Edge.CLOSED:
            return self._began.get(self._key(*edge.key), edge.at_ns)
        known = self._open.get(self._key(*edge.key))
        return known.at_ns if known is not None else edge.at_ns

    def see(self, event: Event) -> None:
        """Note where this watch begins on each track."""
        if isinstance(event, Frame | Block) and event.track not in self._begin_ns:
            self._begin_ns[event.track] = event.at_ns
            self._begin_ns.setdefault(None, event.at_ns)

    def take(self, findings: Iterable[Finding]) -> list[Finding]:
        """What of `findings` is new, in terms of what has been told before."""
        out: list[Finding] = []
        for item in findings:
            if isinstance(item, DefectEdge):
                out.extend(self._edge(item))
                continue
            key = (item.name, item.track, item.channel)
            if item.final or item.at_ns > self._measured_before.get(key, self._position_ns - 1):
                self._measured[key] = max(item.at_ns, self._measured.get(key, -1))
                out.append(item)
        return out

    def settle(self, pipeline: Pipeline, until_ns: int | None = None) -> list[Finding]:
        """Close what the watch before left open and this one, having looked for long enough, finds gone; tell what
        began in old media and is still there. `until_ns`: up to where the detectors could say what is over.
        """
        most_ns = until_ns if until_ns is not None else 1 << 63
        out: list[Finding] = []
        for key, muted in list(self._muted.items()):
            if key in self._unconfirmed:
                continue  # what was told before ends first
            due_ns = muted.old_ns + self._hold_ns.get(muted.opened.detector, 0)
            watched_ns = self._begin_ns.get(muted.opened.track, 0) + pipeline.watched_of(muted.opened.track)
            watched_ns = min(watched_ns, most_ns)
            if watched_ns >= due_ns:
                out.append(self._unmute(key, watched_ns))
        for key in list(self._unconfirmed):
            opened = self._open[key]
            hold = self._hold_ns.get(opened.detector)
            begin = self._begin_ns.get(opened.track)
            if hold is None:
                at = max(opened.at_ns, self._position_ns, self._begin_ns.get(None, opened.at_ns))
                out.append(self._gone(key, at, at, "its detector no longer runs"))
            elif begin is not None:
                at = max(opened.at_ns, begin, self._position_ns)
                seen_ns = min(begin + pipeline.watched_of(opened.track), most_ns)
                if seen_ns >= at + hold:
                    out.append(self._gone(key, at, seen_ns, "gone at the hand-over"))
        return out

    def _key(self, defect: str, track: str | None, channel: str | None) -> Key:
        """By what a defect is known again: another watch may see a jump of all tracks on another one first."""
        return defect, None if defect in self._single else track, channel

    def _edge(self, edge: DefectEdge) -> list[Finding]:
        key = self._key(*edge.key)
        if edge.edge is Edge.OPENED:
            return self._opened(key, edge)
        if key in self._muted:
            return self._of_muted(key, edge)
        known = self._open.get(key)
        if known is None:
            return []  # of a defect that was told, to its end, by the watch before
        edge = replace(edge, track=known.track)
        if edge.edge is Edge.UPDATED:
            edge = replace(edge, at_ns=known.at_ns)
            self._open[key] = replace(edge, edge=Edge.OPENED)
            return [edge]
        return [self._end(key, edge)]

    def _opened(self, key: Key, edge: DefectEdge) -> list[Finding]:
        told = self._ended_before.get(key)
        end_ns = self._ends_ns.get(edge.track or "", self._position_ns)
        if told is not None and (
            edge.certain_at_ns <= told.certain_at_ns or edge.at_ns < told.at_ns + JUST_NS
        ):
            self._muted[key] = _Muted(edge, max(end_ns, told.at_ns), True)
            return []
        old = edge.certain_at_ns <= self._position_ns and edge.at_ns < end_ns - SAME_NS
        if old and key not in self._unconfirmed:
            self._muted[key] = _Muted(edge, end_ns, False)
            return []
        if key in self._unconfirmed and old and edge.severity.rank < self._open[key].severity.rank:
            self._muted[key] = _Muted(edge, end_ns, False)  # less than what was told need not be its end
            return []
        if key in self._unconfirmed:
            known = self._open[key]
            begin = self._begin_ns.get(edge.track)
            if begin is None or edge.at_ns <= max(begin, known.at_ns) + self._hold_ns.get(edge.detector, 0):
                self._unconfirmed.discard(key)
                self._open[key] = replace(edge, at_ns=known.at_ns, track=known.track)
                return [replace(self._open[key], edge=Edge.UPDATED)]
            gone = self._gone(key, max(begin, known.at_ns), edge.certain_at_ns, "gone at the hand-over")
            self._open[key] = edge
            return [gone, edge]
        self._open[key] = edge
        return [edge]

    def _of_muted(self, key: Key, edge: DefectEdge) -> list[Finding]:
        muted = self._muted[key]
        if edge.edge is Edge.UPDATED:
            muted.opened = replace(edge, edge=Edge.OPENED, at_ns=muted.opened.at_ns)
            return []
        lasts_ns = edge.at_ns - muted.old_ns
        if lasts_ns < (self._hold_ns.get(edge.detector, 0) if muted.ended else SURELY_NS):
            del self._muted[key]
            return []
        gone: list[Finding] = []
        if key in self._unconfirmed:
            at_ns = max(self._open[key].at_ns, muted.old_ns)
            gone.append(self._gone(key, at_ns, edge.certain_at_ns, "gone at the hand-over"))
        return [*gone, self._unmute(key, edge.certain_at_ns), self._end(key, edge)]

    def _unmute(self, key: Key, certain_ns: int) -> DefectEdge:
        muted = self._muted.pop(key)
        at_ns = max(muted.opened.at_ns, muted.old_ns) if muted.ended else muted.opened.at_ns
        self._open[key] = replace(muted.opened, at_ns=at_ns, certain_at_ns=max(at_ns, certain_ns))
        return self._open[key]

    def _gone(self, key: Key, at_ns: int, certain_ns: int, why: str) -> DefectEdge:
        edge = replace(
            self._open[key], edge=Edge.CLOSED, at_ns=at_ns, certain_at_ns=max(at_ns, certain_ns), detail=why
        )
        return self._end(key, edge)

    def _end(self, key: Key, edge: DefectEdge) -> DefectEdge:
        self._began[key] = self._open.pop(key).at_ns
        self._began.move_to_end(key)
        self._unconfirmed.discard(key)
        self._ended[key] = _Said(edge.at_ns, edge.certain_at_ns, self._began[key], edge.track)
        self._ended.move_to_end(key)
        while len(self._ended) > SAID_REMEMBERED:
            self._ended.popitem(last=False)
        while len(self._began) > SAID_REMEMBERED:
            self._began.popitem(last=False)
        return edge


def hold_ns(seat: Seat) -> int:
    """How much good media `seat`'s detector must see before a defect found earlier counts as gone."""
    values = [float(getattr(seat.params, name)) for name in _HOLDING if hasattr(seat.params, name)]
    return int(min(max([LEAST_HOLD_S, *values]) + WINDOW_S, MOST_HOLD_S) * NS)
