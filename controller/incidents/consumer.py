"""Reads accepted findings off the stream and is done with each at least once, whichever replica gets it.

What a finding means for its defect is decided where it is accepted, atomically. Here stands whoever acts on it:
a handler may see the same finding twice and must not mind. A finding whose handler fails stays pending and
comes again; only what is done with is acknowledged, so that the stream may be trimmed behind us.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import structlog

from contracts.errors import SinkError
from contracts.fleet import FleetEvent
from controller.context import Fleet

log = structlog.get_logger()

Handler = Callable[[FleetEvent], Awaitable[None]]

_COUNT = 500
_BLOCK_MS = 1000
_IDLE_MS = 10_000  # what another replica read this long ago and has not acknowledged is ours to do
_EVERY_S = 5.0
_LONGEST_S = 10.0  # that one handler may take for one finding


class Consumer:
    """One replica's share of the findings."""

    def __init__(self, fleet: Fleet, handlers: Sequence[Handler] = ()) -> None:
        self._fleet, self._handlers = fleet, tuple(handlers)
        self._looked = float("-inf")

    async def round(self, block_ms: int = _BLOCK_MS) -> int:
        """Handle what is there, waiting `block_ms` at most; how many are done with."""
        fleet, now = self._fleet, self._fleet.clock.monotonic()
        done = 0
        if self._looked == float("-inf"):  # what we had when we ended
            done += await self._handle(await fleet.inbox.mine(count=_COUNT))
        if now - self._looked >= _EVERY_S:
            self._looked = now
            done += await self._handle(await fleet.inbox.recover(idle_ms=_IDLE_MS))
            await fleet.inbox.tidy()
        return done + await self._handle(await fleet.inbox.read(count=_COUNT, block_ms=block_ms))

    async def _handle(self, events: Sequence[FleetEvent]) -> int:
        handled: list[FleetEvent] = []
        for event in events:
            if await self._one(event):
                handled.append(event)
                self._fleet.numbers.finding_handled(event.what)
        if handled:
            await self._fleet.inbox.ack(handled)
        return len(handled)

    async def _one(self, event: FleetEvent) -> bool:
        for handler in self._handlers:
            try:
                async with asyncio.timeout(_LONGEST_S):
                    await handler(event)
            except SinkError:
                raise
            except Exception:  # it comes again; the others must not wait for it
                log.exception("finding_not_handled", finding=event.finding_id)
                return False
        return True
