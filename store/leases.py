"""Who watches what: claim, renew, release. One round trip each, whatever their number.

An assignment of a group stands in `gw:due:<group>` with the time from which it may be claimed: its lease's expiry, or
when it became free. A lease is `epoch:worker`; it is compared as a whole, so that what was granted to one worker is
nobody else's even if the store lost its last second and its clock went back.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from contracts.fleet import (
    CHECKPOINT_BYTES,
    STATUS_BYTES,
    Assignment,
    Checkpoint,
    Grant,
    Lease,
    Stream,
    StreamSpec,
    WatchStatus,
    WorkerInfo,
)
from store import keys
from store.connect import SyncClient, translated
from store.decoding import open_defect
from store.errors import TooLarge
from store.scripts import Script

TTL_MS = 3000
MOST_CLAIMED = 200  # in one call
_AHEAD_MS = 120_000  # no lease ends and no delay lasts that far in the future
LONGEST_DELAY_S = 60.0


@dataclass(frozen=True, slots=True)
class Held:
    """One lease to keep. Give `checkpoint` and `status` when they changed; None leaves what is stored."""

    assignment: str
    epoch: int
    revision: str
    checkpoint: Checkpoint | None = None
    status: WatchStatus | None = None


@dataclass(frozen=True, slots=True)
class Released:
    """One lease to give back. `delay_s` (at most 60) keeps everyone from claiming it for that long."""

    assignment: str
    epoch: int
    checkpoint: Checkpoint | None = None
    delay_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Renewal:
    """What became of the leases; those that are not named were kept.

    `lost`: another worker has it, or may have it: stop at once. `removed`: nobody is to watch it any more: stop.
    `changed`: kept, but its stream, profile or groups changed: release it and claim again.
    """

    store_ms: int
    lost: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class Leases:
    """A worker's leases. Every call raises StoreUnavailable when the store does not answer in time."""

    def __init__(self, client: SyncClient, *, ttl_ms: int = TTL_MS) -> None:
        self._client = client
        self._ttl_ms = ttl_ms
        self._claim = Script(client, "claim")
        self._renew = Script(client, "renew")
        self._release = Script(client, "release")

    def claim(self, worker: str, group: str, most: int) -> list[Grant]:
        """Up to `most` (200 at most) leases that are free or expired, longest waiting first.

        After a time in which nobody could renew, what has a holder is left to it for one TTL.
        """
        if most <= 0:
            return []
        answer = self._claim(worker, group, min(most, MOST_CLAIMED), self._ttl_ms, _AHEAD_MS)
        expiry = int(answer[0])
        return [_grant(row, worker, expiry) for row in answer[1:]]

    def renew(self, info: WorkerInfo, held: Sequence[Held]) -> Renewal:
        """Keep all leases and say how the worker does: call it once a second, also with none."""
        arguments: list[str | int | bytes] = [
            info.worker,
            info.group,
            self._ttl_ms,
            info.model_dump_json(),
            len(held),
        ]
        for lease in held:
            arguments += (lease.assignment, lease.epoch, lease.revision)
        checkpoints = [
            (h.assignment, _small(h.checkpoint, CHECKPOINT_BYTES)) for h in held if h.checkpoint is not None
        ]
        statuses = [(h.assignment, _small(h.status, STATUS_BYTES)) for h in held if h.status is not None]
        for pairs in (checkpoints, statuses):
            arguments.append(len(pairs))
            for pair in pairs:
                arguments += pair
        now, lost, changed, removed = self._renew(*arguments)
        return Renewal(int(now), _texts(lost), _texts(changed), _texts(removed))

    def release(self, worker: str, released: Sequence[Released]) -> tuple[str, ...]:
        """Give leases back at once; those that were still ours.

        Offer the last findings before: the store refuses what it hears of them afterwards.
        """
        if not released:
            return ()
        arguments: list[str | int] = [worker]
        for lease in released:
            delay_ms = int(min(max(lease.delay_s, 0.0), LONGEST_DELAY_S) * 1000)
            checkpoint = "" if lease.checkpoint is None else _small(lease.checkpoint, CHECKPOINT_BYTES)
            arguments += (lease.assignment, lease.epoch, delay_ms, checkpoint)
        return _texts(self._release(*arguments))

    def goodbye(self, worker: str) -> None:
        """Forget the worker; its leases, if it still has any, run out."""
        with translated(), self._client.pipeline(transaction=True) as pipe:
            pipe.zrem(keys.WORKERS, worker)
            pipe.hdel(keys.WORKER, worker)
            pipe.execute()


def _small(part: Checkpoint | WatchStatus, limit: int) -> str:
    text = part.model_dump_json(exclude_none=True)
    if len(text.encode()) > limit:
        raise TooLarge(f"A {type(part).__name__} of {len(text.encode())} bytes is over its {limit}.")
    return text


def _texts(values: list[bytes]) -> tuple[str, ...]:
    return tuple(value.decode() for value in values)


def _grant(row: list[bytes | list[bytes]], worker: str, expiry: int) -> Grant:
    identity, epoch, revision, stream_revision, spec, checkpoint, defects, closed = row
    assert isinstance(identity, bytes)
    assert isinstance(epoch, bytes)
    assert isinstance(revision, bytes)
    assert isinstance(stream_revision, bytes)
    assert isinstance(spec, bytes)
    assert isinstance(checkpoint, bytes)
    assert isinstance(defects, list)
    assert isinstance(closed, list)
    stream, rendition, group = identity.decode().split("/")
    return Grant(
        Lease(Assignment(stream, rendition, group, revision.decode()), worker, int(epoch), expiry),
        Stream(stream, int(stream_revision), StreamSpec.model_validate_json(spec)),
        Checkpoint.model_validate_json(checkpoint) if checkpoint else None,
        tuple(open_defect(text) for text in defects),
        tuple(open_defect(text) for text in closed),
    )
