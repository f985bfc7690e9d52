"""One request: what was asked, what came, and in one word what went wrong."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.client import HTTPException
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, unquote, urlencode, urljoin, urlsplit, urlunsplit

from contracts.clock import Clock
from contracts.errors import SourceForbidden
from contracts.urls import is_url, redact
from worker.ingest.hls.net import Answer, Client, Guard, NetFault
from worker.ingest.hls.playlist import ByteRange
from worker.ingest.options import IngestOptions

What = Literal["playlist", "segment", "init", "key"]

MAX_REDIRECTS = 5
MAX_KEY_BYTES = 4096
_CHUNK = 64 * 1024
_OWN_WORD = frozenset({400, 401, 403, 404, 410, 416, 429, 451})
_PAGES = (b"<!doctype", b"<html", b"<head", b"<?xml", b"<body")


@dataclass(frozen=True, slots=True)
class Fetched:
    """What one request brought. `cause` is None when `body` is whole, else one word; `detail` is for people.

    `url` is where it was found after redirects and holds secrets; `shown` is redacted.
    """

    what: What
    url: str = field(repr=False)
    status: int | None
    body: bytes = field(repr=False)
    seconds: float
    cause: str | None = None
    detail: str = ""

    @property
    def shown(self) -> str:
        """The address without its secrets."""
        return redact(self.url)

    @property
    def denied(self) -> bool:
        """The origin wants other credentials: perhaps a token ran out."""
        return self.status in (401, 403)


@dataclass(frozen=True, slots=True)
class Access:
    """What may be reached. `home` is the input as the user named it.

    `allow(url)` is asked at every hop, redirects included, and `allow_address(ip)` before each connection;
    both raise SourceForbidden. A network input may only name http and https addresses; a local one may name
    those and files beside or below itself. The bearer token goes to the home's host only.
    """

    home: str = field(repr=False)
    allow: Callable[[str], None] | None = None
    allow_address: Callable[[str], None] | None = None

    def check(self, url: str) -> None:
        """Raises SourceForbidden when `url` may not be reached."""
        if is_url(url):
            if urlsplit(url).scheme.lower() not in ("http", "https"):
                raise SourceForbidden(f"{redact(url)} is neither http nor https.", cause="forbidden")
            if self.allow is not None:
                self.allow(url)
        elif is_url(self.home):
            raise SourceForbidden(
                "A playlist from the network names a file of this machine.", cause="forbidden"
            )
        elif not Path(url).resolve().is_relative_to(Path(self.home).resolve().parent):
            raise SourceForbidden(f"{url} is not below the folder of its playlist.", cause="forbidden")

    def trusts(self, url: str) -> bool:
        """Whether `url` is on the home's host."""
        return is_url(self.home) and urlsplit(self.home).hostname == urlsplit(url).hostname


def resolve(base: str, reference: str) -> str:
    """`reference` as found in the playlist at `base`, made absolute; both may be files."""
    if is_url(base):
        return urljoin(base, reference)
    if is_url(reference):
        return reference
    path = unquote(reference.removeprefix("file://").partition("?")[0])
    return str(Path(base).parent / path)


def carry(url: str, query: str) -> str:
    """`url` with those parameters of `query` that it does not have itself."""
    if not query or not is_url(url):
        return url
    parts = urlsplit(url)
    if "=" not in query:  # a bare token
        return url if parts.query else urlunsplit(parts._replace(query=query))
    own = {name for name, _ in parse_qsl(parts.query, keep_blank_values=True)}
    added = urlencode([(n, v) for n, v in parse_qsl(query, keep_blank_values=True) if n not in own])
    return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, added)))))


def backoff_s(options: IngestOptions, attempt: int, rng: random.Random) -> float:
    """How long to wait after failure number `attempt` (from 0): doubling, half of it jitter, bounded."""
    most: float = min(options.backoff_most_s, options.backoff_first_s * 2.0 ** min(attempt, 30))
    return most * (0.5 + rng.random() / 2)


class Fetcher:
    """Makes requests one after another; belongs to one thread."""

    def __init__(
        self,
        options: IngestOptions,
        access: Access,
        clock: Clock,
        stop: threading.Event,
        cookies: CookieJar | None = None,
    ) -> None:
        self._options, self._access, self._clock = options, access, clock
        self._guard = Guard(clock, stop, allow_address=access.allow_address)
        self._client = Client(
            self._guard, connect_s=options.open_timeout_s, wait_s=options.read_timeout_s, cookies=cookies
        )

    def close(self) -> None:
        """Let go of all connections."""
        self._client.close()

    def get(
        self, what: What, url: str, *, byte_range: ByteRange | None = None, within_s: float | None = None
    ) -> Fetched:
        """One try; a fault is in the answer. `within_s` bounds the whole request, redirects included.

        Raises net.Stopped when the watch ends meanwhile.
        """
        began = self._clock.monotonic()
        self._guard.begin(within_s or self._options.open_timeout_s + self._options.read_timeout_s)
        trip = _Trip(url)
        limit = self._limit(what)
        try:
            self._access.check(url)
            if is_url(url):
                self._network(what, trip, byte_range, limit)
            else:
                _local(trip, byte_range, limit)
            if trip.cause is None and what != "key" and not trip.body:
                trip.fail("truncated", "the answer is empty")
            elif trip.cause is None and what != "playlist" and trip.body[:16].lower().startswith(_PAGES):
                trip.fail("wrong_content", "the answer is a page of text instead of media")
        except SourceForbidden as error:
            trip.fail("forbidden", str(error))
        except NetFault as fault:
            trip.fail(fault.cause, str(fault))
        except (OSError, HTTPException) as error:
            if trip.status is None:
                trip.fail("closed", f"the connection ended before an answer ({error})")
            else:
                trip.fail("truncated", f"the connection ended after {trip.received} bytes")
        except ValueError as error:
            trip.fail("invalid_url", f"the address cannot be used ({error})")
        seconds = self._clock.monotonic() - began
        body = trip.body if trip.cause is None else b""
        return Fetched(what, trip.url, trip.status, body, seconds, trip.cause, trip.detail)

    def _limit(self, what: What) -> int:
        if what == "key":
            return MAX_KEY_BYTES
        return self._options.max_playlist_bytes if what == "playlist" else self._options.max_segment_bytes

    def _headers(self, what: What, url: str, byte_range: ByteRange | None) -> dict[str, str]:
        headers = dict(self._options.request_headers())
        if self._options.bearer and not self._access.trusts(url):
            headers.pop("Authorization", None)
        headers["Accept-Encoding"] = "gzip" if what == "playlist" else "identity"
        if byte_range is not None:
            headers["Range"] = f"bytes={byte_range.offset}-{byte_range.offset + byte_range.length - 1}"
        return headers

    def _network(self, what: What, trip: _Trip, byte_range: ByteRange | None, limit: int) -> None:
        for _ in range(MAX_REDIRECTS + 1):
            with self._client.get(trip.url, self._headers(what, trip.url, byte_range)) as answer:
                trip.status = answer.status
                if answer.location is None:
                    self._body(answer, trip, byte_range, limit)
                    return
                trip.url = urljoin(trip.url, answer.location)
            if not is_url(trip.url):
                raise SourceForbidden("A redirect leads to a file of this machine.", cause="forbidden")
            self._access.check(trip.url)
        trip.fail("redirects", f"more than {MAX_REDIRECTS} redirects")

    def _body(self, answer: Answer, trip: _Trip, byte_range: ByteRange | None, limit: int) -> None:
        status = answer.status
        if not 200 <= status < 300:
            family = f"http_{status // 100}xx"
            trip.fail(f"http_{status}" if status in _OWN_WORD else family, f"the origin answered {status}")
            return
        ranged = byte_range is not None and status != 206  # the whole came instead of a part
        if ranged:
            limit *= 16
        body = bytearray()
        for chunk in answer.pieces(_CHUNK):
            body += chunk
            trip.received = len(body)
            if len(body) > limit:
                trip.fail("too_large", f"the answer is larger than {limit} bytes")
                return
        trip.body = bytes(body)
        if byte_range is not None:
            _cut(trip, byte_range, 0 if status == 206 else byte_range.offset)


@dataclass(slots=True)
class _Trip:
    """A request on its way."""

    url: str
    status: int | None = None
    body: bytes = b""
    received: int = 0
    cause: str | None = None
    detail: str = ""

    def fail(self, cause: str, detail: str) -> None:
        self.cause, self.detail = cause, detail


def _cut(trip: _Trip, byte_range: ByteRange, offset: int) -> None:
    trip.body = trip.body[offset : offset + byte_range.length]
    if len(trip.body) < byte_range.length:
        trip.fail("truncated", f"{len(trip.body)} of the {byte_range.length} bytes of its range came")


def _local(trip: _Trip, byte_range: ByteRange | None, limit: int) -> None:
    path = Path(trip.url)
    try:
        with path.open("rb") as file:
            file.seek(byte_range.offset if byte_range else 0)
            trip.body = file.read(min(limit + 1, byte_range.length) if byte_range else limit + 1)
    except FileNotFoundError:
        trip.fail("missing", "there is no such file")
    except OSError as error:
        trip.fail("unreadable", f"the file cannot be read ({error.strerror})")
    else:
        trip.received = len(trip.body)
        if len(trip.body) > limit:
            trip.fail("too_large", f"the file is larger than {limit} bytes")
        elif byte_range is not None:
            _cut(trip, byte_range, 0)
