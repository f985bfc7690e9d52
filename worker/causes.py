"""Which defect explains which: the book of what is open, so that one fault is one defect.

Detectors declare their causes (`suppressed_by`). A consequence stays on record with its cause's name and does not
count. It is explained when it began while its cause was open, or so little before or after that both are one event;
a cause and a consequence are of the same track, or one of them is of the input as a whole. A consequence that goes on
long after its cause has ended is a fault of its own: it counts from then on. Blindness that is over explains only what
began with it: its length is wall time, and media behind its beginning came after all, or is told as lost.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from contracts.findings import DefectEdge, Edge
from detectors.events import BLIND_CODES

Key = tuple[str, str | None, str | None]

MARGIN_NS = 500_000_000  # the edges of one event, as two detectors date them
OUTLIVES_NS = 10_000_000_000  # detectors that look back over some seconds end later than their cause
PROMPT_NS = 2_000_000_000  # those that do not
REMEMBERED = 64  # closed defects


@dataclass(frozen=True, slots=True)
class Before:
    """A defect that the watch before told, and where it ended or, while it was open, that watch did."""

    defect: str
    track: str | None
    at_ns: int
    end_ns: int
    open: bool = False

    @property
    def reach_ns(self) -> int:
        """What begins later is not explained by it."""
        return _reach_ns(self.defect, self.at_ns, self.end_ns)


@dataclass(frozen=True, slots=True)
class _Past:
    opened: DefectEdge  # as it was marked last
    end_ns: int

    @property
    def reach_ns(self) -> int:
        """What begins later is not explained by it."""
        return _reach_ns(self.opened.defect, self.opened.at_ns, self.end_ns)


def _reach_ns(defect: str, at_ns: int, end_ns: int) -> int:
    return (at_ns if defect in BLIND_CODES else end_ns) + MARGIN_NS


class Causes:
    """Marks the edges of one watch as they come, and changes the marks of others where an edge explains them."""

    def __init__(
        self,
        causes: Mapping[str, tuple[str, ...]],
        before: Sequence[Before] = (),
        *,
        prompt: Collection[str] = (),
    ) -> None:
        """`causes`: for each detector, the defects that explain its own; `prompt`: who ends with their trouble."""
        self._causes, self._before, self._prompt = causes, tuple(before), frozenset(prompt)
        self._past: deque[_Past] = deque(maxlen=REMEMBERED)
        self._due: dict[Key, int] = {}  # open consequences whose cause has ended: when they count again
        self.open: dict[Key, DefectEdge] = {}  # the opening edges, as they are marked now

    def judge(self, edge: DefectEdge) -> list[DefectEdge]:
        """The edge, marked; then updates of those that it explains (which may have closed already)."""
        opened = self.open.get(edge.key)
        if edge.edge is Edge.OPENED:
            cause, due_ns = self._cause_of(edge)
            if due_ns is not None and edge.certain_at_ns >= due_ns:
                cause = None  # nothing may be shown between its beginning and its end
            edge = replace(edge, suppressed_by=cause)
            self.open[edge.key] = edge
            if cause and due_ns is not None:
                self._due[edge.key] = due_ns
            return [edge, *self._explained_by(edge)]
        if opened is None:
            return [edge]
        edge = replace(edge, suppressed_by=opened.suppressed_by)
        if edge.edge is Edge.UPDATED:
            self.open[edge.key] = replace(opened, until_ns=edge.until_ns)
        if edge.edge is Edge.CLOSED:
            del self.open[edge.key]
            self._due.pop(edge.key, None)
            self._past.append(_Past(opened, edge.at_ns))
            self._bereave(opened, edge)
        return [edge]

    def passed(self, at_ns: int) -> Iterator[DefectEdge]:
        """Media time has passed: consequences that have outlived their causes count again."""
        for key in [key for key, due_ns in self._due.items() if at_ns >= due_ns]:
            del self._due[key]
            self.open[key] = replace(self.open[key], suppressed_by=None)
            yield replace(self.open[key], edge=Edge.UPDATED)

    def _cause_of(self, edge: DefectEdge) -> tuple[str | None, int | None]:
        """(what explains it, when it counts again, None while that is open)."""
        for other in self.open.values():
            if self._explains(other, edge):
                return other.defect, None
        for past in self._past:
            if self._explains(past.opened, edge) and edge.at_ns <= past.reach_ns:
                return past.opened.defect, self._due_ns(edge, past.end_ns, edge.certain_at_ns)
        for told in self._before:
            if self._explains(told, edge) and edge.at_ns <= told.reach_ns:
                due_ns = self._due_ns(edge, told.end_ns, edge.certain_at_ns, known=not told.open)
                return told.defect, due_ns
        return None, None

    def _explained_by(self, cause: DefectEdge) -> Iterator[DefectEdge]:
        for key, other in self.open.items():
            if other.suppressed_by is None and self._explains(cause, other):
                self.open[key] = replace(other, suppressed_by=cause.defect)
                yield replace(self.open[key], edge=Edge.UPDATED)
        for index, past in enumerate(self._past):
            other = past.opened
            if other.suppressed_by is None and other.key not in self.open and self._explains(cause, other):
                other = replace(other, suppressed_by=cause.defect)
                self._past[index] = _Past(other, past.end_ns)
                yield replace(other, edge=Edge.UPDATED)

    def _bereave(self, cause: DefectEdge, closing: DefectEdge) -> None:
        """Its consequences have another cause that is open, or some time left to end."""
        for key, other in self.open.items():
            if other.suppressed_by == cause.defect and self._explains(cause, other):
                name = next((c.defect for c in self.open.values() if self._explains(c, other)), None)
                if name is not None:
                    self.open[key] = replace(other, suppressed_by=name)
                else:
                    self._due[key] = self._due_ns(other, closing.at_ns, closing.certain_at_ns)

    def _due_ns(self, edge: DefectEdge, ended_ns: int, certain_ns: int, *, known: bool = True) -> int:
        """When `edge` counts again, whose cause ended then, or if that is not `known` was there still."""
        if known and edge.detector in self._prompt:
            return ended_ns + PROMPT_NS
        return max(ended_ns, certain_ns) + OUTLIVES_NS

    def _explains(self, cause: DefectEdge | Before, other: DefectEdge) -> bool:
        until_ns = cause.until_ns if isinstance(cause, DefectEdge) else None
        return (
            cause.defect in self._causes.get(other.detector, ())
            and (None in (cause.track, other.track) or cause.track == other.track)
            and other.at_ns >= cause.at_ns - MARGIN_NS
            and (until_ns is None or other.at_ns <= until_ns + MARGIN_NS)
        )
