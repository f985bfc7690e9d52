"""What may be done with streams, and what follows: addresses are refused early, assignments follow at once."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.errors import SourceForbidden
from contracts.fleet import Stream, StreamSpec
from controller.assignments.service import derive
from controller.catalogue import Wrong
from controller.context import Fleet
from controller.problems import Problem, conflict, invalid, not_found
from controller.streams.bulk import Ramp, Row
from controller.streams.merge import replaced, validated
from controller.streams.schemas import BulkResult, BulkRow, State, StreamOut, StreamPage
from controller.streams.state import open_names, state_of
from store.errors import ExternalIdTaken, NotThere, RevisionConflict, StoreRefusal
from store.streams import Saved

_LOOKED_AT_MOST = 10_000  # streams that one filtered page may look through
_STEP = 500
_AT_ONCE = 50
DEFAULT_PROFILE = "default"  # always there, saved or not


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a list of streams is narrowed down to; None and empty mean: all."""

    labels: dict[str, str]
    state: State | None = None
    defect: str | None = None


async def onboard(fleet: Fleet, spec: StreamSpec) -> Stream:
    """A new stream, assigned at once. Raises Problem."""
    await check(fleet, spec)
    try:
        stream = await fleet.streams.create(spec)
    except StoreRefusal as error:
        raise refused(error) from error
    await derive(fleet, [stream])
    return stream


async def change(fleet: Fleet, stream_id: str, spec: StreamSpec, if_revision: int | None) -> Stream:
    """The stream with `spec` in place of what it had. Raises Problem 412 when somebody else was faster."""
    await check(fleet, spec)
    try:
        stream = await fleet.streams.change(stream_id, spec, if_revision=if_revision)
    except StoreRefusal as error:
        raise refused(error) from error
    await derive(fleet, [stream])
    return stream


async def delete(fleet: Fleet, stream_id: str, if_revision: int | None) -> None:
    """The stream goes; what was open on it is closed as `stopped_watching`."""
    try:
        await fleet.streams.delete(stream_id, if_revision=if_revision)
    except StoreRefusal as error:
        raise refused(error) from error


async def get(fleet: Fleet, stream_id: str) -> Stream:
    """The stream with this id. Raises Problem 404."""
    try:
        return await fleet.streams.get(stream_id)
    except NotThere:
        raise not_found("stream", stream_id) from None


async def show(fleet: Fleet, stream: Stream) -> StreamOut:
    """The stream with its state and what is open on it."""
    return (await show_all(fleet, [stream]))[0]


async def show_all(fleet: Fleet, streams: Sequence[Stream]) -> list[StreamOut]:
    """The same for several, in a bounded number of calls."""
    if not streams:
        return []
    ids = [stream.id for stream in streams]
    assigned = await fleet.assignments.of_streams(ids)
    statuses = await fleet.assignments.statuses([a.assignment.id for part in assigned.values() for a in part])
    found = await fleet.defects.open(ids)
    return [
        StreamOut.of(
            stream,
            state_of(fleet, stream, assigned.get(stream.id, ()), statuses),
            open_names(found.get(stream.id, ())),
        )
        for stream in streams
    ]


async def page(fleet: Fleet, after: str, limit: int, wanted: Wanted) -> StreamPage:
    """Streams after a cursor. A filter by state or defect looks through a bounded number of streams for a page."""
    found: list[StreamOut] = []
    looked, total = 0, 0
    narrow = wanted.state is not None or wanted.defect is not None
    while True:
        part = await fleet.streams.page(after=after, limit=_STEP if narrow else limit, labels=wanted.labels)
        total = part.total
        shown = await show_all(fleet, part.streams)
        for stream in shown:
            after = stream.id
            if _fits(stream, wanted):
                found.append(stream)
                if len(found) == limit:
                    more = stream.id != shown[-1].id or part.next is not None
                    return StreamPage(streams=found, next=after if more else None, total=total)
        looked += len(shown)
        if part.next is None:
            return StreamPage(streams=found, next=None, total=total)
        after = part.next
        if looked >= _LOOKED_AT_MOST:
            return StreamPage(streams=found, next=after, total=total)


async def check(fleet: Fleet, spec: StreamSpec, profiles: set[str] | None = None) -> None:
    """Raises Problem 422 for an address that policy refuses and for a profile that there is not."""
    try:
        fleet.policy.check_url(spec.source.url)
    except SourceForbidden as error:
        raise Problem(
            422, "address-refused", error.explain(), errors=[Wrong("/url", error.explain())]
        ) from error
    names = await profile_names(fleet) if profiles is None else profiles
    if spec.profile not in names:
        raise invalid(
            f"There is no profile {spec.profile!r}.",
            [Wrong("/profile", "Save it at /v1/profiles/{name} first.")],
        )


async def profile_names(fleet: Fleet) -> set[str]:
    """The profiles that there are."""
    return {DEFAULT_PROFILE, *await fleet.configuration.profile_versions()}


async def bulk(fleet: Fleet, rows: Sequence[Row], *, dry_run: bool) -> BulkResult:
    """Upsert many streams by external id; each row fails alone. New ones start within a budget per origin."""
    done = [BulkRow(row=row.number, outcome="error", external_id=_external(row)) for row in rows]
    profiles = await profile_names(fleet)
    ramp = Ramp(fleet.clock.now(), fleet.settings.origin_starts_per_s)
    known = await _known(fleet, rows)
    specs: dict[int, StreamSpec] = {}
    seen: dict[str, int] = {}
    for index, row in enumerate(rows):
        try:
            spec = await _of_row(fleet, row, profiles, ramp, seen, known)
        except Problem as error:
            done[index] = done[index].model_copy(update={"errors": _sentences(error)})
            continue
        specs[index] = spec
        done[index] = done[index].model_copy(update={"outcome": "valid", "starts_at": spec.starts_at})
    if not dry_run:
        await _save(fleet, specs, done)
    count = {
        outcome: sum(row.outcome == outcome for row in done)
        for outcome in ("created", "updated", "unchanged")
    }
    return BulkResult(dry_run=dry_run, **count, failed=sum(row.outcome == "error" for row in done), rows=done)


async def _of_row(
    fleet: Fleet, row: Row, profiles: set[str], ramp: Ramp, seen: dict[str, int], known: dict[str, Stream]
) -> StreamSpec:
    if row.wrong is not None:
        raise invalid(row.wrong)
    body = validated(row.values)
    if body.external_id is not None and seen.setdefault(body.external_id, row.number) != row.number:
        raise invalid(f"Row {seen[body.external_id]} has the same external id.")
    if body.external_id in known:
        spec = replaced(known[body.external_id].spec, body)
        await check(fleet, spec, profiles)
        return spec
    spec = body.spec()
    await check(fleet, spec, profiles)
    return spec.model_copy(
        update={
            "starts_at": ramp.next(spec.source.url) if spec.enabled else None,
        }
    )


async def _known(fleet: Fleet, rows: Sequence[Row]) -> dict[str, Stream]:
    """The streams that rows name by an external id, by that id."""
    names = sorted({name for row in rows if (name := _external(row)) is not None})
    found: dict[str, Stream] = {}
    for begin in range(0, len(names), _AT_ONCE):
        part = names[begin : begin + _AT_ONCE]
        answers = await asyncio.gather(*map(fleet.streams.by_external, part), return_exceptions=True)
        for name, answer in zip(part, answers, strict=True):
            if isinstance(answer, Stream):
                found[name] = answer
            elif not isinstance(answer, NotThere):
                raise answer
    return found


async def _save(fleet: Fleet, specs: dict[int, StreamSpec], done: list[BulkRow]) -> None:
    saved = await fleet.streams.upsert_many(list(specs.values()))
    changed: list[Stream] = []
    for index, result in zip(specs, saved, strict=True):
        if isinstance(result, Saved):
            done[index] = done[index].model_copy(update={"outcome": result.word, "id": result.stream.id})
            if result.word != "unchanged":
                changed.append(result.stream)
        else:
            done[index] = done[index].model_copy(update={"outcome": "error", "errors": [result.explain()]})
    for first in range(0, len(changed), _STEP):
        await derive(fleet, changed[first : first + _STEP])


def refused(error: StoreRefusal) -> Problem:
    """What the store refused, as a problem."""
    if isinstance(error, NotThere):
        return Problem(404, "not-found", error.explain())
    if isinstance(error, RevisionConflict):
        return Problem(412, "precondition-failed", "The stream was changed meanwhile. Read it again.")
    if isinstance(error, ExternalIdTaken):
        return conflict("Another stream has that external id.")
    return Problem(507, "full", error.explain())


def _sentences(error: Problem) -> list[str]:
    return [f"{wrong.pointer}: {wrong.detail}" for wrong in error.errors] or [error.detail]


def _external(row: Row) -> str | None:
    value = row.values.get("external_id")
    return value[:200] if isinstance(value, str) else None


def _fits(stream: StreamOut, wanted: Wanted) -> bool:
    return (wanted.state is None or stream.state == wanted.state) and (
        wanted.defect is None or wanted.defect in stream.open_defects
    )
