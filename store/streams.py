"""The desired state: streams as operators want them, with revisions, external ids, labels and pages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, cast

from contracts.clock import Clock
from contracts.fleet import Stream, StreamSpec, new_stream_id
from store import keys
from store.connect import AsyncClient, execute_async, execute_many
from store.errors import ExternalIdTaken, NotThere, RevisionConflict, StoreFull, StoreRefusal, TooLarge
from store.scripts import AwaitedScript

LARGEST_SPEC = 16 * 1024
LONGEST_PAGE = 1000
_BATCH = 200  # streams saved in one script call, so that nobody waits long behind it


@dataclass(frozen=True, slots=True)
class Limits:
    """Soft limits of one fleet."""

    streams: int = 20_000


@dataclass(frozen=True, slots=True)
class Saved:
    """What saving a stream did; `unchanged` means it was exactly so already, and its revision stays."""

    stream: Stream
    word: Literal["created", "updated", "unchanged"]


@dataclass(frozen=True, slots=True)
class Page:
    """Streams in the order of creation; `next` is the cursor of the page after, None on the last."""

    streams: list[Stream]
    next: str | None
    total: int


class Streams:
    """Streams, read and written. Raises StoreUnavailable, and StoreRefusal as each call says."""

    def __init__(self, client: AsyncClient, clock: Clock, limits: Limits = Limits()) -> None:
        self._client = client
        self._clock = clock
        self._limits = limits
        self._save = AwaitedScript(client, "save_streams")
        self._delete = AwaitedScript(client, "delete_stream")

    async def create(self, spec: StreamSpec) -> Stream:
        """A new stream at revision 1. ExternalIdTaken, StoreFull, TooLarge."""
        return _saved(await self._one("create", new_stream_id(self._clock.now()), "", spec), spec).stream

    async def upsert(self, spec: StreamSpec) -> Saved:
        """The stream of that external id becomes `spec`, or a new one is made. StoreFull, TooLarge."""
        return _saved(await self._one("upsert", new_stream_id(self._clock.now()), "", spec), spec)

    async def upsert_many(self, specs: Sequence[StreamSpec]) -> list[Saved | StoreRefusal]:
        """The same for many, in their order; what is refused has its refusal in its place."""
        out: list[Saved | StoreRefusal] = []
        for begin in range(0, len(specs), _BATCH):
            batch = specs[begin : begin + _BATCH]
            entries: list[tuple[StreamSpec, str | StoreRefusal]] = [(spec, _text(spec)) for spec in batch]
            arguments: list[Any] = [self._limits.streams]
            now = self._clock.now()
            for place, (spec, text) in enumerate(entries, begin):
                if isinstance(text, str):
                    arguments += ("upsert", new_stream_id(now, place), "", text, spec.external_id or "")
            rows = iter(await self._save(*arguments) if len(arguments) > 1 else [])
            for spec, text in entries:
                try:
                    out.append(_saved(next(rows), spec) if isinstance(text, str) else text)
                except StoreRefusal as refusal:
                    out.append(refusal)
        return out

    async def change(self, identity: str, spec: StreamSpec, *, if_revision: int | None = None) -> Stream:
        """Another spec for a stream. NotThere, RevisionConflict, ExternalIdTaken, TooLarge."""
        expected = "" if if_revision is None else str(if_revision)
        return _saved(await self._one("change", identity, expected, spec), spec).stream

    async def delete(self, identity: str, *, if_revision: int | None = None) -> None:
        """The stream goes, with its assignments; what is open of it closes as `stopped_watching`.

        NotThere, RevisionConflict.
        """
        word = await self._delete(identity, "" if if_revision is None else str(if_revision))
        if word == b"missing":
            raise NotThere(f"There is no stream {identity}.")
        if word == b"conflict":
            raise RevisionConflict(f"Stream {identity} was changed since revision {if_revision}.")

    async def get(self, identity: str) -> Stream:
        """One stream. NotThere."""
        found = await self.get_many([identity])
        if not found:
            raise NotThere(f"There is no stream {identity}.")
        return found[0]

    async def get_many(self, identities: Sequence[str]) -> list[Stream]:
        """Those of them that exist, in their order."""
        if not identities:
            return []
        specs, revisions = await execute_many(
            self._client,
            [("HMGET", keys.STREAM, *identities), ("HMGET", keys.STREAM_REVISION, *identities)],
        )
        return [
            Stream(identity, int(revision), StreamSpec.model_validate_json(spec))
            for identity, spec, revision in zip(identities, specs, revisions, strict=True)
            if spec is not None and revision is not None
        ]

    async def by_external(self, external_id: str) -> Stream:
        """The stream that an operator's system calls so. NotThere."""
        found = await execute_async(self._client, "HGET", keys.STREAM_EXTERNAL, external_id)
        if found is None:
            raise NotThere(f"There is no stream with the external id {external_id!r}.")
        return await self.get(found.decode())

    async def count(self) -> int:
        """How many there are."""
        return int(await execute_async(self._client, "HLEN", keys.STREAM))

    async def ids(self, labels: Mapping[str, str] | None = None) -> list[str]:
        """The ids of all streams that have all these labels, in the order of creation."""
        if labels:
            found = await execute_async(
                self._client, "SINTER", *(f"{keys.LABEL}{k}={v}" for k, v in labels.items())
            )
            return sorted(identity.decode() for identity in found)
        return [i.decode() for i in await execute_async(self._client, "ZRANGE", keys.STREAM_IDS, 0, -1)]

    async def page(
        self, *, after: str = "", limit: int = 100, labels: Mapping[str, str] | None = None
    ) -> Page:
        """Up to `limit` (1,000 at most) streams behind the cursor `after`."""
        limit = max(1, min(limit, LONGEST_PAGE))
        if labels:
            matching = await self.ids(labels)
            total = len(matching)
            chosen = [identity for identity in matching if identity > after][: limit + 1]
        else:
            begin = f"({after}" if after else "-"
            total, rows = await execute_many(
                self._client,
                [
                    ("ZCARD", keys.STREAM_IDS),
                    ("ZRANGE", keys.STREAM_IDS, begin, "+", "BYLEX", "LIMIT", 0, limit + 1),
                ],
            )
            chosen = [identity.decode() for identity in rows]
        more = len(chosen) > limit
        chosen = chosen[:limit]
        return Page(await self.get_many(chosen), chosen[-1] if more else None, int(total))

    async def _one(self, mode: str, identity: str, expected: str, spec: StreamSpec) -> list[bytes]:
        text = _text(spec)
        if not isinstance(text, str):
            raise text
        rows = await self._save(self._limits.streams, mode, identity, expected, text, spec.external_id or "")
        return cast(list[bytes], rows[0])


def _text(spec: StreamSpec) -> str | TooLarge:
    text = spec.model_dump_json()
    if len(text.encode()) > LARGEST_SPEC:
        return TooLarge(
            f"Stream {spec.name!r} is {len(text.encode())} bytes; at most {LARGEST_SPEC} are kept."
        )
    return text


def _saved(row: list[bytes], spec: StreamSpec) -> Saved:
    word, identity, revision = row[0].decode(), row[1].decode(), int(row[2])
    match word:
        case "created" | "updated" | "unchanged":
            return Saved(Stream(identity, revision, spec), cast(Any, word))
        case "missing":
            raise NotThere(f"There is no stream {identity}.")
        case "taken":
            raise ExternalIdTaken(f"Another stream has the external id {spec.external_id!r}.")
        case "full":
            raise StoreFull("No more streams can be onboarded.", "Delete some, or raise the limit.")
    raise RevisionConflict(
        f"Stream {identity} was changed by somebody else; it is at revision {revision} now."
    )
