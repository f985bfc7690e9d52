"""Changes to a stream by JSON merge patch (RFC 7396), where `***` means: what is there stays there."""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from contracts.fleet import StreamSpec
from contracts.urls import HIDDEN, redact
from controller.catalogue import Wrong
from controller.problems import invalid
from controller.streams.schemas import StreamIn

_DEEPEST = 8


def as_input(spec: StreamSpec) -> dict[str, Any]:
    """`spec` in the words of the API, secrets included: what a patch is applied to. Never shown."""
    fields = spec.model_dump(mode="json", exclude={"source", "starts_at"})
    return {**fields, **spec.source.model_dump(mode="json")}


def patched(spec: StreamSpec, patch: dict[str, Any]) -> StreamSpec:
    """`spec` with `patch` applied. Raises Problem 422, which repeats no value."""
    return replaced(spec, validated(_merge(as_input(spec), _known(spec, patch))))


def replaced(spec: StreamSpec, body: StreamIn) -> StreamSpec:
    """`body` in the place of `spec`: what reads `***` is what it was, and when it was created stays."""
    source = body.source()
    headers = {
        name: _header(spec, name) if value == HIDDEN else value for name, value in source.headers.items()
    }
    url = spec.source.url if body.url == redact(spec.source.url) else body.url
    return body.spec().model_copy(
        update={
            "source": source.model_copy(update={"url": url, "headers": headers}),
            "starts_at": spec.starts_at,
        }
    )


def validated(values: dict[str, Any], *, where: str = "") -> StreamIn:
    """A stream of these values. Raises Problem 422 with a JSON pointer and a sentence for each wrong one."""
    try:
        return StreamIn.model_validate(values)
    except ValidationError as error:
        raise invalid("The stream is not valid.", wrongs_of(error, where)) from None


def wrongs_of(error: ValidationError, where: str = "") -> list[Wrong]:
    """What pydantic found, without the values that it found it in."""
    return [
        Wrong(
            where + "".join(f"/{part}" for part in entry["loc"]),
            str(entry["msg"]).removeprefix("Value error, "),
        )
        for entry in error.errors(include_input=False, include_url=False, include_context=False)
    ]


def _known(spec: StreamSpec, patch: dict[str, Any]) -> dict[str, Any]:
    """`patch` in the words that are kept: `bearer` and `user_agent` are headers."""
    patch = dict(patch)
    headers = dict(patch["headers"]) if isinstance(patch.get("headers"), dict) else {}
    for name, header in (("bearer", "authorization"), ("user_agent", "user-agent")):
        if name in patch and patch[name] is None:
            del patch[name]
            headers.update({known: None for known in spec.source.headers if known.lower() == header})
    return {**patch, "headers": headers} if headers else patch


def _merge(target: dict[str, Any], patch: dict[str, Any], depth: int = 0) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise invalid("The patch is nested too deep.")
    merged = dict(target)
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        elif isinstance(value, dict):
            old = merged.get(name)
            merged[name] = _merge(old if isinstance(old, dict) else {}, value, depth + 1)
        else:
            merged[name] = value
    return merged


def _header(spec: StreamSpec, name: str) -> str:
    found = [value for known, value in spec.source.headers.items() if known.lower() == name.lower()]
    if not found:
        raise invalid("A header to be kept is not there.", [Wrong(f"/headers/{name}", "Give its value.")])
    return found[0]
