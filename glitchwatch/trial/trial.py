"""All channels of a trial and the API that watches them, joined by name; the counts at the end."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import httpx

from contracts.clock import Clock
from glitchwatch.origin.verdict import Pair, Reported, Verdict
from glitchwatch.trial.api import Api
from glitchwatch.trial.book import Book, Delay, Told
from glitchwatch.trial.source import Broken, ChannelInfo, Source

SETTLE_S = 1.0  # what ends so close to the end of the media cannot be told


@dataclass(frozen=True, slots=True)
class Injected:
    """A fault has gone out."""

    channel: ChannelInfo
    fault: Broken


@dataclass(frozen=True, slots=True)
class Edge:
    """The API said something of a defect: `opened` is None unless it is new."""

    book: Book
    what: str
    data: dict[str, object]
    opened: Told | None


@dataclass(frozen=True, slots=True)
class Row:
    """One stream's part of the verdict."""

    name: str
    verdict: Verdict
    doubled: list[Reported]
    cut_short: list[Pair]
    delays: list[Delay]
    watched_s: float  # of picture or sound, whichever was watched less
    published_s: float  # from the first segment that anybody was given
    unserved_s: float  # of these nobody was ever given
    blind_s: float

    @property
    def clean(self) -> bool:
        """Nothing missed, invented, doubled or cut short."""
        return self.verdict.clean and not self.cut_short

    @property
    def unwatched_s(self) -> float:
        """Media that the origin served and nobody watched."""
        return max(0.0, self.published_s - self.unserved_s - self.watched_s)

    @property
    def coverage(self) -> float:
        """Watched of published, 0 to 1."""
        return min(1.0, self.watched_s / self.published_s) if self.published_s else 0.0


class Trial:
    """Onboards every channel of `source` at `api`, then gathers both sides."""

    def __init__(self, source: Source, api: Api, clock: Clock) -> None:
        self.source, self.api, self._clock = source, api, clock
        self.books = {name: Book(channel) for name, channel in source.channels.items()}
        self.ids: dict[str, str] = {}  # name -> stream id
        self._names: dict[str, str] = {}

    def onboard(self, addresses: dict[str, str] | None = None) -> None:
        """Every channel becomes a stream, at its own address or the one given. Raises httpx.HTTPError."""
        for name, channel in self.source.channels.items():
            identity = self.api.onboard(name, (addresses or {}).get(name, channel.url))
            self.ids[name], self._names[identity] = identity, name

    def pump(self, wait_s: float = 0.2) -> Iterator[Injected | Edge]:
        """What happened since the last call."""
        heard = list(self.api.events(wait_s))
        for said in self.source.said():
            book = self.books[said.channel]
            book.hears(said)
            if isinstance(said, Broken):
                yield Injected(book.channel, said)
        for event in heard:
            name = self._names.get(event.data.get("stream", ""))
            if name is None:
                continue
            book = self.books[name]
            yield Edge(book, event.data["what"], event.data, book.event(event))

    def published_until(self, media_s: float) -> bool:
        """Whether every channel has published so far."""
        return all(book.end_s >= media_s for book in self.books.values())

    @property
    def served_all(self) -> bool:
        """Whether the newest segment of every channel has been fetched."""
        return all(max(b.served, default=-1) >= max(b.published, default=0) for b in self.books.values())

    def rows(self, *, coverage: bool) -> list[Row]:
        """The verdict of each stream so far; `coverage` asks the API for it."""
        return [self._row(name, book, coverage) for name, book in self.books.items()]

    def _row(self, name: str, book: Book, ask: bool) -> Row:
        until_s = book.end_s - SETTLE_S
        verdict = book.verdict(until_s)
        watched, published, unserved, blind = 0.0, 0.0, 0.0, 0.0
        if ask and book.first_s is not None:
            published = book.end_s - book.first_s
            unserved = book.unserved_s
            rows = self._coverage(self.ids[name])
            blind = max((b for _, b in rows.values()), default=0.0)
            # What a fault took out of the media cannot have been watched.
            watched = min(
                rows.get("black", (0.0, 0.0))[0] + book.missing_s("picture_missing", book.end_s),
                rows.get("silence", (0.0, 0.0))[0]
                + book.missing_s("sound_missing", book.end_s)
                + book.missing_s("sound_gap", book.end_s),
            )
        delays = [d for pair in verdict.found if (d := book.delay(pair)) is not None]
        return Row(
            name,
            verdict,
            book.doubled(verdict),
            book.cut_short(verdict),
            delays,
            watched,
            published,
            unserved,
            blind,
        )

    def _coverage(self, stream: str) -> dict[str, tuple[float, float]]:
        try:
            return self.api.coverage(stream)
        except httpx.HTTPError:
            return {}


def percentile(values: list[float], share: float) -> float:
    """The smallest value that `share` of all do not exceed (nearest rank)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, -int(-share * len(ordered) // 1) - 1))]
