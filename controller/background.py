"""What runs beside the requests: findings are consumed, assignments kept right, dead jobs cleaned up.

Every replica runs all of it. Each task outlives what goes wrong in one round, and says so.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager

import structlog

from contracts.errors import GlitchwatchError
from controller.assignments.service import reconcile
from controller.context import Fleet
from controller.incidents.consumer import Consumer

log = structlog.get_logger()

_JOBS_EVERY_S = 30.0
_LONGEST_ROUND_S = 120.0
_TELLINGS, _TOLD_EVERY_S = 5, 0.5  # how often a task is told to end, and how soon again


@asynccontextmanager
async def running(fleet: Fleet, consumer: Consumer) -> AsyncIterator[None]:
    """The tasks, for as long as the block lasts."""

    async def round_of_assignments() -> None:
        derived = await reconcile(fleet)
        fleet.numbers.reconciled("ok" if derived.stale == 0 else "stale")
        if derived.added or derived.removed or derived.changed:
            log.info(
                "assignments_derived", added=derived.added, removed=derived.removed, changed=derived.changed
            )

    async def findings() -> None:
        await consumer.round()

    tasks = [
        asyncio.create_task(_forever("assignments", round_of_assignments, fleet.settings.reconcile_s)),
        asyncio.create_task(_forever("findings", findings, 0.0)),
        asyncio.create_task(_forever("jobs", fleet.jobs.clean, _JOBS_EVERY_S)),
    ]
    try:
        yield
    finally:
        await _end(tasks)


async def _end(tasks: Collection[asyncio.Task[None]]) -> None:
    """Cancel them until they end: a library that is interrupted just when its answer comes may swallow it once."""
    waiting = set(tasks)
    for _ in range(_TELLINGS):
        for task in waiting:
            task.cancel()
        _, waiting = await asyncio.wait(waiting, timeout=_TOLD_EVERY_S)
        if not waiting:
            return
    log.error("tasks_do_not_end", count=len(waiting))


async def _forever(name: str, one_round: Callable[[], Awaitable[None]], pause_s: float) -> None:
    failed = 0
    while True:
        try:
            async with asyncio.timeout(_LONGEST_ROUND_S):
                await one_round()
            failed = 0
        except GlitchwatchError as error:
            failed += 1
            log.warning("round_failed", task=name, code=error.code, reason=error.explain())
        except Exception:  # the next round may do; ending here would end it for good
            failed += 1
            log.exception("round_crashed", task=name)
        wait = pause_s if not failed else max(min(pause_s, 5.0), min(5.0, 0.25 * 2 ** min(failed, 5)))
        await asyncio.sleep(wait * random.uniform(0.8, 1.2))
