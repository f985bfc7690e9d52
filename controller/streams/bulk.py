"""Lists of streams as people have them: JSON, CSV with a heading line, M3U. Each row fails or succeeds alone."""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from contracts.addresses import host_of
from controller.problems import Problem, invalid

MOST_ROWS = 1000
MOST_BYTES = 8 * 1024 * 1024
JSON, CSV = "application/json", "text/csv"
M3U = ("audio/x-mpegurl", "audio/mpegurl", "application/x-mpegurl", "application/vnd.apple.mpegurl")

_ATTRIBUTE = re.compile(r'([A-Za-z0-9_-]+)="([^"]*)"')
_LABEL = re.compile(r"[^a-z0-9_.-]+")
_TRUE, _FALSE = {"true", "1", "yes"}, {"false", "0", "no"}
_COLUMNS = {"external_id", "name", "url", "profile", "bearer", "user_agent", "renditions", "audio_language"}


@dataclass(frozen=True, slots=True)
class Row:
    """One row before validation; `number` counts from 1 as the caller would count it."""

    number: int
    values: dict[str, Any]
    wrong: str | None = None


def rows(media_type: str, body: bytes) -> list[Row]:
    """The rows of a body. Raises Problem: 413 too long, 415 not a list we read, 422 not that format."""
    kind = media_type.partition(";")[0].strip().lower()
    if len(body) > MOST_BYTES:
        raise Problem(413, "too-large", f"A list may have {MOST_BYTES // 2**20} MB.")
    readers: dict[str, Callable[[str], Iterator[Row]]] = {JSON: _json, CSV: _csv, **dict.fromkeys(M3U, _m3u)}
    reader = readers.get(kind)
    if reader is None:
        raise Problem(
            415,
            "media-type",
            f"Send {JSON}, {CSV} or {M3U[0]} as Content-Type.",
            headers={"Accept": ", ".join(readers)},
        )
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise invalid("The list is not UTF-8 text.") from error
    found = []
    for row in reader(text):
        found.append(row)
        if len(found) > MOST_ROWS:
            raise Problem(413, "too-large", f"A list may have {MOST_ROWS} rows; send it in parts.")
    if not found:
        raise invalid("The list has no rows.")
    return found


def _json(text: str) -> Iterator[Row]:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise invalid("The body is not JSON.") from error
    listed = document.get("streams") if isinstance(document, dict) else document
    if not isinstance(listed, list):
        raise invalid('The body is a list of streams, or {"streams": [...]}.')
    for number, entry in enumerate(listed, 1):
        if isinstance(entry, dict):
            yield Row(number, entry)
        else:
            yield Row(number, {}, "A stream is an object.")


def _csv(text: str) -> Iterator[Row]:
    table = csv.DictReader(io.StringIO(text), strict=True)
    try:
        names = [name.strip() for name in table.fieldnames or []]
        table.fieldnames = names
        unknown = [
            n for n in names if n not in {*_COLUMNS, "enabled"} and not n.startswith(("label:", "header:"))
        ]
        if unknown or "url" not in names:
            raise invalid(
                f"The heading line names {', '.join(sorted(_COLUMNS | {'enabled'}))}, label:NAME and header:NAME; "
                "`url` must be there."
            )
        for number, entry in enumerate(table, 1):
            yield _csv_row(number, entry)
    except csv.Error as error:
        raise invalid(f"The CSV cannot be read: {error}.") from error


def _csv_row(number: int, entry: dict[str | Any, str | Any]) -> Row:
    if None in entry:
        return Row(number, {}, "The row has more fields than the heading.")
    values: dict[str, Any] = {}
    for name, text in entry.items():
        value = (text or "").strip()
        if not value:
            continue
        prefix, colon, key = name.partition(":")
        if colon:
            values.setdefault("labels" if prefix == "label" else "headers", {})[key] = value
        elif name == "enabled":
            if value.lower() not in _TRUE | _FALSE:
                return Row(number, {}, "`enabled` is true or false.")
            values[name] = value.lower() in _TRUE
        else:
            values[name] = value
    return Row(number, values)


def _m3u(text: str) -> Iterator[Row]:
    """`#EXTINF` gives name, `tvg-id` (external id) and `group-title` (label `group`) to the address after it."""
    lines = text.splitlines()
    if not lines or not lines[0].startswith("#EXTM3U"):
        raise invalid("An M3U list begins with #EXTM3U.")
    if any(line.startswith(("#EXT-X-STREAM-INF", "#EXT-X-TARGETDURATION")) for line in lines):
        raise invalid("That is the playlist of one stream. Onboard its address instead.")
    number, values = 0, _Entry()
    for line in (raw.strip() for raw in lines[1:]):
        if line.startswith("#EXTINF:"):
            values = _Entry.of(line)
        elif line.lower().startswith("#extvlcopt:http-user-agent="):
            values.fields["user_agent"] = line.partition("=")[2].strip()
        elif line and not line.startswith("#"):
            number += 1
            yield Row(number, {**values.fields, "url": line})
            values = _Entry()


@dataclass(slots=True)
class _Entry:
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, line: str) -> _Entry:
        attributes = dict(_ATTRIBUTE.findall(line))
        name = _ATTRIBUTE.sub("", line.partition(":")[2]).partition(",")[2].strip()
        entry = cls()
        if name or attributes.get("tvg-name"):
            entry.fields["name"] = (name or attributes["tvg-name"])[:200]
        if attributes.get("tvg-id"):
            entry.fields["external_id"] = attributes["tvg-id"]
        group = _LABEL.sub("-", attributes.get("group-title", "").lower()).strip("-")
        if group:
            entry.fields["labels"] = {"group": group[:100]}
        return entry


class Ramp:
    """When each new stream starts, so that no origin is met by all of them at once."""

    def __init__(self, now: datetime, starts_per_s: float) -> None:
        self._now, self._rate = now, starts_per_s
        self._seen: Counter[str] = Counter()

    def next(self, url: str) -> datetime:
        """The moment at which the next stream on the origin of `url` may start."""
        host = host_of(url)
        delay = self._seen[host] / self._rate
        self._seen[host] += 1
        return self._now + timedelta(seconds=delay)
