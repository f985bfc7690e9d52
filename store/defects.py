"""What is open, what waits to be confirmed, and what was closed lately."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.fleet import OpenDefect
from store import keys
from store.connect import AsyncClient, execute_async, execute_many
from store.decoding import open_defect

_BATCH = 500


class Defects:
    """Defects as the store keeps them; they change only with the finding that changes them. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def streams(self) -> set[str]:
        """The streams that have any open."""
        return {i.decode() for i in await execute_async(self._client, "SMEMBERS", keys.OPEN_STREAMS)}

    async def open(self, streams: Sequence[str] | None = None) -> dict[str, list[OpenDefect]]:
        """Open and unconfirmed defects by stream: of these streams, or of all that have any."""
        wanted = sorted(await self.streams()) if streams is None else list(streams)
        out: dict[str, list[OpenDefect]] = {}
        for begin in range(0, len(wanted), _BATCH):
            part = wanted[begin : begin + _BATCH]
            answers = await execute_many(
                self._client, [("HVALS", f"{keys.OPEN}{identity}") for identity in part]
            )
            for identity, values in zip(part, answers, strict=True):
                if values:
                    out[identity] = sorted(
                        (open_defect(v) for v in values), key=lambda d: (d.first.started_at, d.id)
                    )
        return out

    async def closed(self, stream: str, *, limit: int = 100) -> list[OpenDefect]:
        """Closed ones, newest first: the last hundred, for a week after the latest."""
        if limit <= 0:
            return []
        found = await execute_async(self._client, "LRANGE", f"{keys.CLOSED}{stream}", 0, limit - 1)
        return [open_defect(text) for text in found]
