"""The workers as they describe themselves, and how much was watched."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from contracts.fleet import CoverageRow, WorkerInfo
from store import keys
from store.connect import AsyncClient, SyncClient, execute, execute_many
from store.leases import TTL_MS


@dataclass(frozen=True, slots=True)
class Seen:
    """One worker; `age_s` is how long ago it was heard, by the store's clock. Alive means within a lease's TTL."""

    info: WorkerInfo
    age_s: float

    @property
    def alive(self) -> bool:
        return self.age_s * 1000 <= TTL_MS


class Workers:
    """Who is there, or was within ten minutes. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(self) -> list[Seen]:
        """All of them by name."""
        (seconds, micros), infos, heard = await execute_many(
            self._client,
            [("TIME",), ("HGETALL", keys.WORKER), ("ZRANGE", keys.WORKERS, 0, -1, "WITHSCORES")],
        )
        now = int(seconds) + int(micros) / 1e6
        texts = infos if isinstance(infos, dict) else dict(zip(infos[::2], infos[1::2], strict=True))
        ages = {name: max(0.0, now - float(at) / 1000) for name, at in _pairs(heard)}
        return [
            Seen(WorkerInfo.model_validate_json(texts[name]), ages[name])
            for name in sorted(ages)
            if name in texts
        ]


def room_elsewhere(client: SyncClient, worker: str, group: str) -> bool:
    """For workers: whether another one of the group is alive and has room; three round trips. StoreUnavailable."""
    seconds, micros = execute(client, "TIME")
    since_ms = int(seconds) * 1000 + int(micros) // 1000 - TTL_MS
    alive = execute(client, "ZRANGEBYSCORE", keys.WORKERS, since_ms, "+inf")
    texts = execute(client, "HMGET", keys.WORKER, *alive) if alive else []
    infos = [WorkerInfo.model_validate_json(text) for text in texts if text is not None]
    return any(
        info.worker != worker and info.group == group and info.headroom > 0 and not info.draining
        for info in infos
    )


class Coverage:
    """How long each detector watched each stream. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def of(self, streams: Sequence[str]) -> dict[str, list[CoverageRow]]:
        """Stream -> a row for each detector, by name."""
        answers = await execute_many(
            self._client, [("HGETALL", f"{keys.COVERAGE}{identity}") for identity in streams]
        )
        return {identity: _rows(identity, found) for identity, found in zip(streams, answers, strict=True)}


def _rows(stream: str, found: dict[bytes, bytes] | list[bytes]) -> list[CoverageRow]:
    fields = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
    rows = []
    for name, sums in sorted(fields.items()):
        watched, degraded, blind = (int(part) / 1000 for part in sums.split())
        rows.append(CoverageRow(stream, name.decode(), watched, degraded, blind))
    return rows


def _pairs(found: list[Any]) -> list[tuple[bytes, float]]:
    if found and isinstance(found[0], bytes):
        found = list(zip(found[::2], found[1::2], strict=True))
    return [(name, float(score)) for name, score in found]
