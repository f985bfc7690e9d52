"""The same request twice, by its Idempotency-Key: done once, answered twice alike."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import structlog
from fastapi import Header, Request
from fastapi.responses import Response
from pydantic import BaseModel

from controller.context import Fleet
from controller.problems import Problem
from store.errors import TooLarge
from store.requests import Stage

log = structlog.get_logger()

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Any text of yours. The same key within 24 h gets the first answer again.",
    ),
]


@dataclass(frozen=True, slots=True)
class Reply:
    """A status, a body and headers."""

    status: int
    body: BaseModel
    headers: Mapping[str, str] = field(default_factory=dict)

    def response(self) -> Response:
        """The same for the wire."""
        return Response(
            self.body.model_dump_json(by_alias=True), self.status, dict(self.headers), "application/json"
        )


async def once(
    fleet: Fleet, request: Request, key: str | None, make: Callable[[], Awaitable[Reply]]
) -> Response:
    """What `make` replies, at most once a key. Raises Problem: 409 still under way, 422 another request's key."""
    if key is None:
        return (await make()).response()
    fingerprint = await _fingerprint(request)
    begun = await fleet.requests.begin(key, fingerprint)
    if begun.stage is Stage.OTHER:
        raise Problem(422, "idempotency-key-reused", "That Idempotency-Key belongs to another request.")
    if begun.stage is Stage.IN_PROGRESS:
        raise Problem(
            409, "in-progress", "The first request with that key is under way.", headers={"Retry-After": "1"}
        )
    if begun.stage is Stage.DONE:
        kept: dict[str, Any] = json.loads(zlib.decompress(begun.answer or b""))
        headers = {**kept["headers"], "Idempotency-Replayed": "true"}
        return Response(kept["body"], kept["status"], headers, "application/json")
    try:
        reply = await make()
    except BaseException:
        await fleet.requests.abandon(key)
        raise
    response = reply.response()
    kept = {"status": reply.status, "headers": dict(reply.headers), "body": bytes(response.body).decode()}
    try:
        await fleet.requests.finish(key, zlib.compress(json.dumps(kept).encode()))
    except TooLarge:
        log.warning("answer_not_kept", path=request.url.path)  # asked again, it is done again
    return response


async def _fingerprint(request: Request) -> str:
    """A hash of method, address and body: it says nothing of the secrets in them."""
    digest = hashlib.sha256(f"{request.method} {request.url.path}?{request.url.query}\n".encode())
    digest.update(await request.body())
    return digest.hexdigest()
