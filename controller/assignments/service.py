"""Derive who should be watched from what operators want. Deriving again changes nothing, so every replica may."""

from __future__ import annotations

from collections.abc import Sequence

from contracts.fleet import Stream
from controller.context import Fleet
from controller.streams.schedule import is_off_air
from store.assignments import Derived, Wanted


def on_air(fleet: Fleet, stream: Stream) -> bool:
    """Whether the stream should be watched now: enabled, past its ramp-up, not in an off-air hour."""
    now, spec = fleet.clock.now(), stream.spec
    return (
        spec.enabled
        and (spec.starts_at is None or spec.starts_at <= now)
        and not is_off_air(spec.off_air, now)
    )


async def derive(fleet: Fleet, streams: Sequence[Stream]) -> Derived:
    """Bring the assignments of these streams up to date at once; who else changes them derives them, too."""
    return await fleet.assignments.derive(streams, await _wanted(fleet))


async def reconcile(fleet: Fleet) -> Derived:
    """Bring all assignments up to date: off-air hours begin and end, ramp-ups go on, lost writes are made good."""
    return await fleet.assignments.reconcile(fleet.streams, await _wanted(fleet))


async def _wanted(fleet: Fleet) -> Wanted:
    revision, groups = await fleet.configuration.groups()
    versions = await fleet.configuration.profile_versions()
    return Wanted(groups, revision, versions, lambda stream: on_air(fleet, stream))
