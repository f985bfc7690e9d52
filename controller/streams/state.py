"""How a stream does, in one word; the worst of its assignments speaks for it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from contracts.fleet import OpenDefect, Stream, WatchStatus
from controller.context import Fleet
from controller.streams.schedule import is_off_air
from controller.streams.schemas import State
from store.assignments import AssignmentState

_WORST_FIRST: tuple[State, ...] = ("blind", "backing_off", "unassigned", "degraded", "starting", "watching")


def state_of(
    fleet: Fleet, stream: Stream, assignments: Sequence[AssignmentState], statuses: Mapping[str, WatchStatus]
) -> State:
    """The word for a stream; *blind* and *unassigned* are never hidden behind another rendition's health."""
    spec, now = stream.spec, fleet.clock.now()
    if not spec.enabled:
        return "disabled"
    if is_off_air(spec.off_air, now):
        return "off_air"
    if spec.starts_at is not None and spec.starts_at > now:
        return "waiting"
    found: set[State] = {of_assignment(a, statuses.get(a.assignment.id)) for a in assignments}
    return next((state for state in _WORST_FIRST if state in found), "unassigned")


def of_assignment(assignment: AssignmentState, status: WatchStatus | None) -> State:
    """The word for one assignment: what its holder said last, if it has one."""
    if assignment.worker is None:
        return "unassigned"
    return "starting" if status is None else status.state


def open_names(defects: Iterable[OpenDefect]) -> tuple[str, ...]:
    """The names of the defects that are open and not explained by another one."""
    return tuple(
        sorted({d.body.defect for d in defects if d.body.suppressed_by is None and d.state != "closed"})
    )
