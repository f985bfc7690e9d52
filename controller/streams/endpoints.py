"""/v1/streams: onboard, list, read, change, disable, enable, delete; lists of up to a thousand in one call."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Body, Depends, Header, Query, Request, Response

from contracts.fleet import Stream
from controller.context import Fleet, FleetDep, require_key
from controller.idempotency import IdempotencyKey, Reply, once
from controller.problems import ProblemBody, invalid
from controller.streams import bulk, service
from controller.streams.merge import patched, replaced
from controller.streams.schemas import BulkResult, State, StreamIn, StreamOut, StreamPage
from controller.versions import etag, expected

_PROBLEMS: dict[int | str, dict[str, Any]] = {
    code: {"model": ProblemBody, "content": {"application/problem+json": {}}} for code in (401, 404, 412, 422)
}
router = APIRouter(
    prefix="/v1/streams", tags=["streams"], dependencies=[Depends(require_key)], responses=_PROBLEMS
)

IfMatch = Annotated[str | None, Header(alias="If-Match", description="the ETag that the change is based on")]
_LISTS: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "streams": {"type": "array", "maxItems": bulk.MOST_ROWS, "items": {"type": "object"}}
                    },
                },
                "example": {
                    "streams": [{"external_id": "a", "name": "A", "url": "https://origin.example/a.m3u8"}]
                },
            },
            "text/csv": {
                "schema": {"type": "string"},
                "example": "external_id,name,url,label:country\na,A,https://origin.example/a.m3u8,de\n",
            },
            "audio/x-mpegurl": {
                "schema": {"type": "string"},
                "example": '#EXTM3U\n#EXTINF:-1 tvg-id="a" group-title="News",A\nhttps://origin.example/a.m3u8\n',
            },
        },
    }
}


async def _shown(fleet: Fleet, stream: Stream, response: Response) -> StreamOut:
    response.headers["ETag"] = etag(stream.revision)
    return await service.show(fleet, stream)


@router.post("", status_code=201, response_model=StreamOut, summary="Onboard a stream")
async def onboard(body: StreamIn, fleet: FleetDep, request: Request, key: IdempotencyKey = None) -> Response:
    """The stream is watched as soon as a worker has room for it; its secrets are never shown again."""

    async def make() -> Reply:
        stream = await service.onboard(fleet, body.spec())
        headers = {"ETag": etag(stream.revision), "Location": f"/v1/streams/{stream.id}"}
        return Reply(201, await service.show(fleet, stream), headers)

    return await once(fleet, request, key, make)


@router.post(
    "/bulk", response_model=BulkResult, summary="Onboard or update many streams", openapi_extra=_LISTS
)
async def onboard_many(
    request: Request,
    fleet: FleetDep,
    dry_run: Annotated[bool, Query(description="say what would be wrong, and change nothing")] = False,
    key: IdempotencyKey = None,
) -> Response:
    """JSON, CSV or M3U by Content-Type. A row with a known external id updates that stream; each row fails alone."""
    rows = bulk.rows(request.headers.get("content-type", ""), await request.body())

    async def make() -> Reply:
        return Reply(200, await service.bulk(fleet, rows, dry_run=dry_run))

    return await once(fleet, request, key, make)


@router.get("", summary="List streams")
async def list_streams(
    fleet: FleetDep,
    after: Annotated[str, Query(max_length=200, description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    label: Annotated[list[str], Query(max_length=16, description="NAME=VALUE; several must all fit")] = [],  # noqa: B006
    state: State | None = None,
    defect: Annotated[
        str | None, Query(max_length=64, description="only streams on which this is open")
    ] = None,
) -> StreamPage:
    """Streams in the order of their onboarding."""
    pairs = [text.partition("=") for text in label]
    if any(not name or not sign for name, sign, _ in pairs):
        raise invalid("A label is NAME=VALUE.")
    return await service.page(
        fleet, after, limit, service.Wanted({name: value for name, _, value in pairs}, state, defect)
    )


@router.get("/{stream_id}", summary="Read a stream")
async def read(stream_id: str, fleet: FleetDep, response: Response) -> StreamOut:
    """The stream with its state; the ETag serves for a change."""
    return await _shown(fleet, await service.get(fleet, stream_id), response)


@router.put("/{stream_id}", summary="Replace a stream")
async def replace(
    stream_id: str, body: StreamIn, fleet: FleetDep, response: Response, if_match: IfMatch = None
) -> StreamOut:
    """What reads `***` keeps the value that it stands for."""
    old = await service.get(fleet, stream_id)
    stream = await service.change(
        fleet, stream_id, replaced(old.spec, body), expected(if_match, old.revision)
    )
    return await _shown(fleet, stream, response)


@router.patch("/{stream_id}", summary="Change a stream")
async def patch(
    stream_id: str,
    body: Annotated[
        dict[str, Any],
        Body(examples=[{"enabled": False}, {"labels": {"tier": "2"}}], description="merge patch"),
    ],
    fleet: FleetDep,
    response: Response,
    if_match: IfMatch = None,
) -> StreamOut:
    """JSON merge patch (RFC 7396): what is not named stays, null removes, `***` keeps."""
    old = await service.get(fleet, stream_id)
    stream = await service.change(fleet, stream_id, patched(old.spec, body), expected(if_match, old.revision))
    return await _shown(fleet, stream, response)


@router.post("/{stream_id}/disable", summary="Stop watching a stream")
async def disable(stream_id: str, fleet: FleetDep, response: Response, if_match: IfMatch = None) -> StreamOut:
    """What is open on it is closed as `stopped_watching`."""
    return await _switch(fleet, stream_id, False, response, if_match)


@router.post("/{stream_id}/enable", summary="Watch a stream again")
async def enable(stream_id: str, fleet: FleetDep, response: Response, if_match: IfMatch = None) -> StreamOut:
    """It is watched as soon as a worker has room for it."""
    return await _switch(fleet, stream_id, True, response, if_match)


@router.delete("/{stream_id}", status_code=204, summary="Delete a stream")
async def delete(stream_id: str, fleet: FleetDep, if_match: IfMatch = None) -> None:
    """The stream goes, its secrets with it; what is open on it is closed as `stopped_watching`."""
    revision = (
        None if if_match is None else expected(if_match, (await service.get(fleet, stream_id)).revision)
    )
    await service.delete(fleet, stream_id, revision)


async def _switch(
    fleet: Fleet, stream_id: str, enabled: bool, response: Response, if_match: str | None
) -> StreamOut:
    old = await service.get(fleet, stream_id)
    spec = old.spec.model_copy(update={"enabled": enabled})
    stream = await service.change(fleet, stream_id, spec, expected(if_match, old.revision))
    return await _shown(fleet, stream, response)
