"""Streams, workers and findings to fill a store with."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

from contracts.clock import SystemClock
from contracts.findings import Edge, Severity
from contracts.fleet import (
    DetectorGroup,
    EdgeBody,
    FindingEnvelope,
    Groups,
    Stream,
    StreamSource,
    StreamSpec,
    WorkerInfo,
)
from store import keys
from store.assignments import Assignments, Wanted
from store.connect import AsyncClient, open_async
from store.streams import Streams

T0 = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
ONE_GROUP = Groups()


def groups(count: int) -> Groups:
    return Groups(groups=tuple(DetectorGroup(name=f"g{n}") for n in range(count)))


def spec(n: int, **more: Any) -> StreamSpec:
    url = f"https://origin.example/channel-{n}/master.m3u8"
    return StreamSpec(name=f"channel {n}", source=StreamSource(url=url), external_id=f"ext-{n}", **more)


def wanted(made: Groups = ONE_GROUP, **more: Any) -> Wanted:
    given: dict[str, Any] = {"groups_revision": 0, "profile_versions": {}, "on_air": lambda stream: True}
    return Wanted(groups=made, **(given | more))


async def onboard(client: AsyncClient, count: int, made: Groups = ONE_GROUP) -> list[Stream]:
    streams = Streams(client, SystemClock())
    for saved in await streams.upsert_many([spec(n) for n in range(count)]):
        assert not isinstance(saved, Exception)
    await Assignments(client).reconcile(streams, wanted(made))
    return await streams.get_many(await streams.ids())


def onboarded(url: str, count: int, made: Groups = ONE_GROUP) -> list[Stream]:
    async def main() -> list[Stream]:
        async with open_async(url) as client:
            return await onboard(client, count, made)

    return asyncio.run(main())


def info(worker: str, group: str = "all", **more: Any) -> WorkerInfo:
    return WorkerInfo(worker=worker, group=group, version="1", host="h", started_at=T0, capacity=50, **more)


def body(edge: Edge, *, defect: str = "black", at_s: float = 10.0, start_s: float = 10.0) -> EdgeBody:
    return EdgeBody(
        edge=edge, defect=defect, detector=defect, family="picture", track="video:0",
        start_ns=int(start_s * 1e9), at_ns=int(at_s * 1e9), certain_at_ns=int(at_s * 1e9) + 123_456_789,
        started_at=T0 + timedelta(seconds=start_s), at=T0 + timedelta(seconds=at_s), severity=Severity.ERROR,
        peak_name="dark_coverage", peak_value=0.9931234567890123, peak_unit="ratio", threshold=0.98,
    )  # fmt: skip


def envelope(assignment: str, epoch: int, sequence: int, said: Any) -> FindingEnvelope:
    return FindingEnvelope(assignment=assignment, epoch=epoch, sequence=sequence, body=said)


def expire(client: Any, assignment: str) -> None:
    """As if its holder had not renewed for longer than the TTL, while others did."""
    client.zadd(f"{keys.DUE}{assignment.rpartition('/')[2]}", {assignment: 1})
    others_renew(client)


def others_renew(client: Any) -> None:
    """The store was not away: somebody renewed just now."""
    seconds, micros = client.time()
    client.set(keys.BEAT, seconds * 1000 + micros // 1000)
    client.delete(keys.GRACE)
