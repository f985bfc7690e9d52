"""Why a stream is blind, unassigned, degraded or quiet: what the store knows, in sentences."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.fleet import Stream, WatchStatus
from controller.assignments.schemas import AssignmentOut, ExplainedAssignment, Explanation, TurnOut
from controller.context import Fleet
from controller.streams import service
from controller.streams.schedule import next_change
from controller.streams.schemas import State
from controller.streams.state import of_assignment, open_names, state_of
from controller.wire import rfc3339
from store.assignments import AssignmentState

_MOST = 32


async def explain(fleet: Fleet, stream_id: str) -> Explanation:
    """What is known about a stream. Raises Problem 404."""
    stream = await service.get(fleet, stream_id)
    assigned = (await fleet.assignments.of_stream(stream_id))[:_MOST]
    statuses = await fleet.assignments.statuses([a.assignment.id for a in assigned])
    defects = (await fleet.defects.open([stream_id])).get(stream_id, [])
    closed = await fleet.defects.closed(stream_id, limit=5)
    alive = Counter(seen.info.group for seen in await fleet.workers.list() if seen.alive)
    parts = [
        ExplainedAssignment(
            assignment=shown(state, statuses.get(state.assignment.id)),
            status=statuses.get(state.assignment.id),
            history=[
                TurnOut(
                    at=datetime.fromtimestamp(turn.at_ms / 1000, UTC),
                    what=turn.word,
                    worker=turn.worker,
                    epoch=turn.epoch,
                )
                for turn in await fleet.assignments.history(state.assignment.id)
            ],
        )
        for state in assigned
    ]
    state = state_of(fleet, stream, assigned, statuses)
    names = open_names(defects)
    return Explanation(
        stream=stream_id,
        state=state,
        why=_why(fleet, stream, state, parts, names, alive),
        open_defects=names,
        last_closed=[
            f"{d.body.defect}, closed {rfc3339(d.body.at)}, {d.closed_because or 'ended'}" for d in closed
        ],
        workers_alive=dict(alive),
        assignments=parts,
    )


def shown(state: AssignmentState, status: WatchStatus | None) -> AssignmentOut:
    """An assignment as it is shown."""
    assignment = state.assignment
    return AssignmentOut(
        id=assignment.id,
        rendition=assignment.rendition,
        group=assignment.group,
        revision=assignment.revision,
        worker=state.worker,
        epoch=state.epoch,
        state=of_assignment(state, status),
    )


def _why(
    fleet: Fleet,
    stream: Stream,
    state: State,
    parts: Sequence[ExplainedAssignment],
    names: Sequence[str],
    alive: Counter[str],
) -> list[str]:
    if state == "disabled":
        return ["It is disabled. POST /v1/streams/{id}/enable watches it again."]
    if state == "off_air":
        until = next_change(stream.spec.off_air, fleet.clock.now())
        return [f"It is off air by its schedule{f', until {rfc3339(until)}' if until else ''}."]
    if state == "waiting":
        assert stream.spec.starts_at is not None
        return [
            f"It waits for its turn on its origin, {rfc3339(stream.spec.starts_at)}: many were onboarded at once."
        ]
    if not parts:
        return ["It has no assignment yet; controllers derive them every few seconds."]
    ordered = sorted(parts, key=lambda part: part.assignment.state == "watching")
    said = [_about(part, alive) for part in ordered]
    if state == "watching":
        said.append(f"Open: {', '.join(names)}." if names else "It is watched, and nothing is wrong with it.")
    return said


def _about(part: ExplainedAssignment, alive: Counter[str]) -> str:
    about, status = part.assignment, part.status
    where = f"{about.rendition}, group {about.group}"
    if about.state == "unassigned":
        if not alive[about.group]:
            return f"{where}: no worker serves group {about.group!r}. Start one."
        return f"{where}: none of the group's {alive[about.group]} workers holds it. See /v1/workers for headroom."
    if status is None:
        return f"{where}: {about.worker} took it and has said nothing yet."
    since, cause = rfc3339(status.since), f" ({status.cause})" if status.cause else ""
    reason = f" {status.reason}" if status.reason else ""
    if about.state in {"blind", "backing_off"}:
        again = f" It was restarted {status.restarts} times." if status.restarts else ""
        return f"{where}: blind since {since}{cause}.{reason}{again}"
    if about.state == "degraded":
        steps = ", ".join(status.steps) or "declared steps"
        return f"{where}: {about.worker} is behind and does less since {since}: {steps}.{reason}"
    if about.state == "starting":
        return f"{where}: {about.worker} is opening the source since {since}.{reason}"
    lag = "" if status.lag_s is None else f", {status.lag_s:.1f} s behind"
    return f"{where}: watched by {about.worker} since {since}{lag}."
