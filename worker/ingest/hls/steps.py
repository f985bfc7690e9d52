"""What a follower says, step by step, and the small words it is made of."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from detectors.events import BlindCode, Fetch
from worker.ingest.hls.fetch import Fetched, What
from worker.ingest.hls.items import Mark, Segment
from worker.ingest.hls.playlist import ByteRange


class Getter(Protocol):
    """Makes one request; see `fetch.Fetcher`."""

    def get(
        self, what: What, url: str, *, byte_range: ByteRange | None = None, within_s: float | None = None
    ) -> Fetched: ...


@dataclass(frozen=True, slots=True)
class Trouble:
    """Blindness of one rendition begins, changes or ends (`code` None).

    `since_s` is the monotonic time at which media last came. `counted`: `words` follow a number of seconds.
    """

    code: BlindCode | None
    words: str = ""
    since_s: float = 0.0
    counted: bool = True
    cause: str = "stalled"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that happened, and the place reached when it moved us on."""

    item: Segment | Fetch | Trouble
    mark: Mark | None = None


Steps = Iterator[Step]


def told(answer: Fetched, at_ns: int, track: str | None, sequence: int | None, lost_ns: int = 0) -> Fetch:
    """The answer as an event; with `lost_ns` it was given up and so much media is lost."""
    return Fetch(
        at_ns,
        track,
        answer.what,
        answer.shown,
        sequence,
        answer.status,
        len(answer.body),
        answer.seconds,
        answer.cause,
        lost_ns,
        given_up=lost_ns > 0,
    )


def failed(answer: Fetched, cause: str, detail: str) -> Fetched:
    """The answer, judged useless after it arrived."""
    return Fetched(answer.what, answer.url, answer.status, b"", answer.seconds, cause, detail)


def opened(answer: Fetched, body: bytes) -> Fetched:
    """The answer with its content decrypted."""
    return Fetched(answer.what, answer.url, answer.status, body, answer.seconds)


def file_of(answer: Fetched) -> str:
    """The last part of its address: enough for a sentence."""
    return urlsplit(answer.shown).path.rpartition("/")[2] or answer.shown
