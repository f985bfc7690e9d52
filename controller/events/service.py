"""The findings stream as server-sent events: each with the store's own position, so a client resumes where it was."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from typing import Any

from contracts.fleet import EdgeBody, FleetEvent
from controller.context import Fleet
from controller.problems import Problem
from controller.wire import rfc3339

_POSITION = re.compile(r"^\d{1,20}-\d{1,20}$")
_BLOCK_MS = 2000
_COUNT = 200
_QUIET_S = 10.0  # a comment after this long, so that nobody between takes the silence for an end
MOST_LISTENERS = 200
MOST_SECONDS = 3600.0  # then the client comes again, perhaps to another replica


def position(last_event_id: str | None) -> str | None:
    """The position after which to begin; None begins now. Raises Problem 400."""
    if last_event_id is None or not last_event_id.strip():
        return None
    if not _POSITION.fullmatch(last_event_id.strip()):
        raise Problem(400, "bad-position", "Last-Event-ID is the id of an event.")
    return last_event_id.strip()


async def follow(fleet: Fleet, after: str | None, stream: str | None) -> AsyncIterator[str]:
    """Events as text, without end; a comment line when nothing happens."""
    at = await fleet.tail.newest() if after is None else after
    yield f"retry: 2000\nid: {at}\n\n"  # a client that sees nothing else can resume, too
    if after is not None and await _lost(fleet, after):
        yield 'event: gap\ndata: {"what":"gap","detail":"Older events are gone. Read /v1/defects."}\n\n'
    began = said = fleet.clock.monotonic()
    while fleet.clock.monotonic() - began < MOST_SECONDS:
        events = await fleet.tail.wait(at, block_ms=_BLOCK_MS, count=_COUNT)
        for event in events:
            at = event.event_id
            if stream is None or event.stream == stream:
                yield message(event)
                said = fleet.clock.monotonic()
        if fleet.clock.monotonic() - said >= _QUIET_S:
            said = fleet.clock.monotonic()
            yield f"id: {at}\n: quiet\n\n"
        if not events:
            await asyncio.sleep(0)


async def _lost(fleet: Fleet, after: str) -> bool:
    """Whether something after that position may be gone already."""
    oldest = await fleet.tail.oldest()
    return after != "0-0" and oldest != "0-0" and _order(after) < _order(oldest)


def _order(event_id: str) -> tuple[int, int]:
    ms, _, n = event_id.partition("-")
    return int(ms), int(n)


def message(event: FleetEvent) -> str:
    """One event in the format of server-sent events."""
    return f"id: {event.event_id}\nevent: {event.what}\ndata: {json.dumps(data(event), separators=(',', ':'))}\n\n"


def data(event: FleetEvent) -> dict[str, Any]:
    """What an event says; times are UTC, RFC 3339."""
    body = event.body
    said: dict[str, Any] = {
        "id": event.event_id,
        "what": event.what,
        "stream": event.stream,
        "assignment": event.assignment,
        "finding": event.finding_id,
        "at": rfc3339(body.at),
    }
    if event.because is not None:
        said["because"] = event.because
    if isinstance(body, EdgeBody):
        fields = body.model_dump(mode="json", exclude={"kind", "edge", "at", "started_at"})
        return {**said, "defect_id": event.defect_id, "started_at": rfc3339(body.started_at), **fields}
    return {**said, **body.model_dump(mode="json", exclude={"kind", "at"})}
