"""/v1/events: defects and changes of sight as they are accepted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated, Any

import structlog
from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from contracts.errors import SinkError
from controller.context import Fleet, FleetDep, require_key
from controller.events import service
from controller.problems import Problem, ProblemBody

log = structlog.get_logger()
_PROBLEMS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A stream of events",
        "content": {
            "text/event-stream": {
                "example": 'id: 1767225600000-0\nevent: opened\ndata: {"what":"opened","defect":"black",...}\n\n'
            }
        },
    },
    400: {"model": ProblemBody},
    401: {"model": ProblemBody},
    503: {"model": ProblemBody},
}
router = APIRouter(prefix="/v1", tags=["events"], dependencies=[Depends(require_key)])


@router.get("/events", summary="Follow what happens", response_class=StreamingResponse, responses=_PROBLEMS)
async def events(
    fleet: FleetDep,
    last_event_id: Annotated[str | None, Header(alias="Last-Event-ID", max_length=64)] = None,
    after: Annotated[str | None, Query(max_length=64, description="the same as Last-Event-ID")] = None,
    stream: Annotated[str | None, Query(max_length=100, description="only what concerns this stream")] = None,
) -> StreamingResponse:
    """Server-sent events: opened, updated, confirmed, unconfirmed, closed, blind, healthy.

    Without a position it begins now; with the id of the last event seen it goes on after that one.
    """
    position = service.position(last_event_id or after)
    if fleet.numbers.listeners >= service.MOST_LISTENERS:
        raise Problem(503, "busy", "Too many follow events here already.", headers={"Retry-After": "5"})
    return StreamingResponse(
        _lines(fleet, position, stream),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _lines(fleet: Fleet, position: str | None, stream: str | None) -> AsyncIterator[str]:
    """Ends when the store is away: the client comes again and resumes."""
    fleet.numbers.listener_enters()
    try:
        async for text in service.follow(fleet, position, stream):
            yield text
    except SinkError as error:
        log.warning("events_interrupted", reason=error.explain())
    finally:
        fleet.numbers.listener_leaves()
