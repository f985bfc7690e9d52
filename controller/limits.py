"""Bounds of every request: how long its body may be, and how long it may take to come. Counts what was answered."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from contracts.clock import Clock
from controller.numbers import Numbers
from controller.problems import Problem, problem_response

MOST_BYTES = 1024 * 1024
MOST_BYTES_OF_LISTS = 8 * 1024 * 1024 + 1
_BODY_S = 30.0
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class _TooMuch(Exception):
    """The body is longer than it may be."""


class Limits:
    """Middleware that reads the body before anybody works on it."""

    def __init__(self, app: ASGIApp, numbers: Numbers, clock: Clock) -> None:
        self._app, self._numbers, self._clock = app, numbers, clock

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status = self._clock.monotonic(), 500

        async def counted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                method = scope["method"] if scope["method"] in _METHODS else "other"
                self._numbers.request_ended(method, status, self._clock.monotonic() - began)
            await send(message)

        try:
            body = await self._body(scope, receive)
        except _TooMuch:
            problem = Problem(413, "too-large", "The body is too long.", headers={"Connection": "close"})
        except TimeoutError:
            problem = Problem(
                408, "timeout", "The body did not come in time.", headers={"Connection": "close"}
            )
        else:
            if body is not None:
                await self._app(scope, _replayed(body, receive), counted)
            return
        await problem_response(Request(scope), problem)(scope, receive, counted)

    async def _body(self, scope: Scope, receive: Receive) -> bytes | None:
        """The whole body; None when the client went away."""
        most = MOST_BYTES_OF_LISTS if scope["path"].endswith("/bulk") else MOST_BYTES
        stated = Headers(scope=scope).get("content-length", "0")
        if stated.isdigit() and int(stated) > most:
            raise _TooMuch
        parts, size = [], 0
        async with asyncio.timeout(_BODY_S):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    return None
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > most:
                    raise _TooMuch
                if not message.get("more_body", False):
                    return b"".join(parts)


def _replayed(body: bytes, receive: Receive) -> Receive:
    given = False

    async def again() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return again
