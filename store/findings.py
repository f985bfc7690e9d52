"""Findings out: edges and changes of sight for the controllers (each once among them), and for whoever listens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.exceptions import ResponseError

from contracts.fleet import FleetEvent
from store import keys
from store.connect import CONSUMERS, LONGEST_BLOCK_MS, AsyncClient, execute_async, make_group
from store.decoding import event
from store.scripts import AwaitedScript

KEPT = 20_000  # handled entries kept for those who resume behind an event
_TRIMMED_AT_ONCE = 1000
_BEGINNING = "0-0"


class Inbox:
    """A controller's share of the findings. Each one is given to one controller until it is acknowledged.

    Handle an entry, then `ack` it; handling must bear to be repeated (`finding_id` and `defect_id` say whether it
    was). Entries that another controller took and never acknowledged come back through `recover`.
    Raises StoreUnavailable.
    """

    def __init__(self, client: AsyncClient, consumer: str) -> None:
        self._client = client
        self._consumer = consumer
        self._trim = AwaitedScript(client, "trim")

    async def read(self, *, count: int = 200, block_ms: int = 1000) -> list[FleetEvent]:
        """Entries that nobody has yet; waits up to `block_ms` (2,000 at most) for the first, 0: does not wait."""
        block = ["BLOCK", min(block_ms, LONGEST_BLOCK_MS)] if block_ms > 0 else []
        command = [
            "XREADGROUP",
            "GROUP",
            CONSUMERS,
            self._consumer,
            "COUNT",
            count,
            *block,
            "STREAMS",
            keys.FINDINGS,
            ">",
        ]
        return _entries(await self._in_group(command))

    async def mine(self, *, count: int = 200) -> list[FleetEvent]:
        """Entries given to this consumer and not acknowledged: what to begin with after a restart."""
        command = [
            "XREADGROUP",
            "GROUP",
            CONSUMERS,
            self._consumer,
            "COUNT",
            count,
            "STREAMS",
            keys.FINDINGS,
            "0",
        ]
        return _entries(await self._in_group(command))

    async def recover(self, *, idle_ms: int = 10_000, count: int = 200) -> list[FleetEvent]:
        """Take over what another controller has had for longer than `idle_ms` without acknowledging it."""
        command = ["XAUTOCLAIM", keys.FINDINGS, CONSUMERS, self._consumer, idle_ms, "0-0", "COUNT", count]
        found = await self._in_group(command)
        return _rows(found[1]) if found else []

    async def ack(self, events: Sequence[FleetEvent]) -> None:
        """They are handled."""
        if events:
            await execute_async(self._client, "XACK", keys.FINDINGS, CONSUMERS, *(e.event_id for e in events))

    async def backlog(self) -> tuple[int, int]:
        """(entries that nobody has taken yet, entries taken and not acknowledged)."""
        found = await self._in_group(["XINFO", "GROUPS", keys.FINDINGS])
        for group in found or []:
            if _field(group, "name") == CONSUMERS.encode():
                return int(_field(group, "lag") or 0), int(_field(group, "pending") or 0)
        return 0, 0

    async def tidy(self, *, keep: int = KEPT, idle_ms: int = 3_600_000) -> int:
        """Remove handled entries beyond `keep`, and consumers that left; how many entries went."""
        removed = int(await self._trim(keep, _TRIMMED_AT_ONCE))
        for consumer in await self._in_group(["XINFO", "CONSUMERS", keys.FINDINGS, CONSUMERS]) or []:
            name = _field(consumer, "name")
            if name == self._consumer.encode() or int(_field(consumer, "pending")) > 0:
                continue
            if int(_field(consumer, "idle")) > idle_ms:
                await execute_async(self._client, "XGROUP", "DELCONSUMER", keys.FINDINGS, CONSUMERS, name)
        return removed

    async def _in_group(self, command: Sequence[Any]) -> Any:
        try:
            return await execute_async(self._client, *command)
        except ResponseError as error:
            if not str(error).startswith(("NOGROUP", "ERR no such key")):
                raise
        await make_group(self._client)  # the store was emptied meanwhile
        return None


class Tail:
    """All findings, for each listener: what `/v1/events` reads. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def newest(self) -> str:
        """The last entry's id, to listen from now on."""
        found = _rows(await execute_async(self._client, "XREVRANGE", keys.FINDINGS, "+", "-", "COUNT", 1))
        return found[0].event_id if found else _BEGINNING

    async def oldest(self) -> str:
        """The first entry's id that is still kept: whoever resumes behind an older one missed some."""
        found = _rows(await execute_async(self._client, "XRANGE", keys.FINDINGS, "-", "+", "COUNT", 1))
        return found[0].event_id if found else _BEGINNING

    async def after(self, event_id: str, *, count: int = 500) -> list[FleetEvent]:
        """What followed `event_id`, without waiting."""
        return _rows(
            await execute_async(self._client, "XRANGE", keys.FINDINGS, f"({event_id}", "+", "COUNT", count)
        )

    async def wait(self, event_id: str, *, count: int = 500, block_ms: int = 1000) -> list[FleetEvent]:
        """What followed `event_id`; waits up to `block_ms` (2,000 at most) for the first."""
        block = max(1, min(block_ms, LONGEST_BLOCK_MS))
        command = ["XREAD", "COUNT", count, "BLOCK", block, "STREAMS", keys.FINDINGS, event_id]
        return _entries(await execute_async(self._client, *command))


def _entries(found: Any) -> list[FleetEvent]:
    """Of one stream's reply to XREAD or XREADGROUP."""
    if not found:
        return []
    streams = found.values() if isinstance(found, dict) else [entry[1] for entry in found]
    return [row for part in streams for row in _rows(part)]


def _rows(rows: Any) -> list[FleetEvent]:
    return [event(identity, fields) for identity, fields in rows if fields]


def _field(found: Any, name: str) -> Any:
    fields = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    return fields.get(name, fields.get(name.encode()))
