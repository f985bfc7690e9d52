"""Errors as RFC 9457 problem details: one shape for all of them, and never a value that was sent in.

A validation error repeats no input, as inputs hold tokens and passwords.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException

from contracts.errors import GlitchwatchError, SourceForbidden
from controller.catalogue import Wrong

MEDIA_TYPE = "application/problem+json"
_TYPES = "urn:problem:glitchwatch:"
_MOST_ERRORS = 50
_FRAMES = 8

log = structlog.get_logger()


class FieldError(BaseModel):
    """One field that is wrong: a JSON pointer into the body, or the name of a parameter."""

    pointer: str = Field(examples=["/url"])
    detail: str = Field(examples=["Only network addresses are accepted."])


class ProblemBody(BaseModel):
    """An error as RFC 9457 has it."""

    model_config = ConfigDict(
        json_schema_extra={
            "example": {
                "type": _TYPES + "not-found",
                "title": "Not Found",
                "status": 404,
                "detail": "There is no stream 'str_4f1'.",
                "instance": "/v1/streams/str_4f1",
            }
        }
    )
    type: str
    title: str
    status: int
    detail: str
    instance: str
    errors: list[FieldError] = []


class Problem(Exception):
    """An error with its HTTP status; `kind` is one of a bounded set of words and names the type's address."""

    def __init__(
        self,
        status: int,
        kind: str,
        detail: str,
        *,
        errors: Sequence[Wrong] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status, self.kind, self.detail = status, kind, detail
        self.errors, self.headers = tuple(errors), dict(headers or {})


def not_found(what: str, name: str) -> Problem:
    """404: there is no such thing."""
    return Problem(404, "not-found", f"There is no {what} {name[:80]!r}.")


def invalid(detail: str, errors: Sequence[Wrong] = ()) -> Problem:
    """422: well-formed, and not acceptable."""
    return Problem(422, "invalid", detail, errors=errors)


def conflict(detail: str) -> Problem:
    """409: the state of things does not allow it."""
    return Problem(409, "conflict", detail)


def problem_response(request: Request, problem: Problem) -> JSONResponse:
    """The problem as a response."""
    body: dict[str, Any] = {
        "type": _TYPES + problem.kind,
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
        "instance": request.url.path,
    }
    if problem.errors:
        body["errors"] = [{"pointer": w.pointer, "detail": w.detail} for w in problem.errors[:_MOST_ERRORS]]
    return JSONResponse(body, problem.status, headers=problem.headers, media_type=MEDIA_TYPE)


def install(app: FastAPI) -> None:
    """Every error of the application becomes problem details."""

    async def on_problem(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, Problem)
        return problem_response(request, error)

    async def on_http(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, HTTPException)
        kinds = {404: "not-found", 405: "method-not-allowed", 401: "unauthorized", 415: "media-type"}
        detail = {404: "Nothing is at this address.", 405: "This address does not take that method."}
        return problem_response(
            request,
            Problem(
                error.status_code,
                kinds.get(error.status_code, "http"),
                detail.get(error.status_code, str(error.detail)),
                headers=error.headers,
            ),
        )

    async def on_validation(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, RequestValidationError)
        wrongs = [Wrong(_pointer(e["loc"]), _sentence(str(e["msg"]))) for e in error.errors()]
        return problem_response(request, invalid("The request is not valid.", wrongs))

    async def on_ours(request: Request, error: Exception) -> JSONResponse:
        assert isinstance(error, GlitchwatchError)
        if isinstance(error, SourceForbidden):
            return problem_response(request, Problem(422, "address-refused", error.explain()))
        log.warning("request_failed", code=error.code, path=request.url.path)
        return problem_response(
            request, Problem(503, "unavailable", error.explain(), headers={"Retry-After": "2"})
        )

    async def on_anything(request: Request, error: Exception) -> JSONResponse:
        # Where it happened, and not its words: they may hold what was sent.
        frames = [f"{f.filename}:{f.lineno}" for f in traceback.extract_tb(error.__traceback__)[-_FRAMES:]]
        log.error("request_crashed", path=request.url.path, kind=type(error).__name__, at=frames)
        return problem_response(request, Problem(500, "internal", "Our fault; the log says more."))

    app.add_exception_handler(Problem, on_problem)
    app.add_exception_handler(HTTPException, on_http)
    app.add_exception_handler(RequestValidationError, on_validation)
    app.add_exception_handler(GlitchwatchError, on_ours)
    app.add_exception_handler(Exception, on_anything)


def _pointer(location: Sequence[int | str]) -> str:
    """A JSON pointer into the body; `query/name` and its kin for what stands elsewhere."""
    first, *rest = [str(part).replace("~", "~0").replace("/", "~1") for part in location] or [""]
    return "/" + "/".join(rest) if first == "body" else "/".join((first, *rest))


def _sentence(text: str) -> str:
    text = text.removeprefix("Value error, ")
    return text if text.endswith(".") else f"{text}."
