"""Idempotency keys: a creation that is asked for twice is done once, and answered the same."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from store import keys
from store.connect import AsyncClient, execute_async, execute_many
from store.errors import TooLarge
from store.scripts import AwaitedScript

KEPT_S = 24 * 3600
IN_PROGRESS_S = 60  # then whoever began it is taken for dead, and it may be done again
LARGEST_ANSWER = 64 * 1024


class Stage(StrEnum):
    """Where a request with that key stands."""

    YOURS = "yours"  # do it, then `finish` or `abandon`
    IN_PROGRESS = "in_progress"  # somebody does it now
    DONE = "done"  # here is its answer
    OTHER = "other"  # the key was used for another request


@dataclass(frozen=True, slots=True)
class Begun:
    """What `begin` found; `answer` is there when it is done."""

    stage: Stage
    answer: bytes | None = None


class Requests:
    """Requests that carry an idempotency key. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._begin = AwaitedScript(client, "begin_request")

    async def begin(self, key: str, fingerprint: str) -> Begun:
        """Ask before doing it. `key` names the client as well as its own key, `fingerprint` the request's content."""
        found = await self._begin(_digest(key), fingerprint, IN_PROGRESS_S)
        if isinstance(found, bytes):
            return Begun(Stage(found.decode()))
        answer = found[0]
        return Begun(Stage.DONE, answer) if answer else Begun(Stage.IN_PROGRESS)

    async def finish(self, key: str, answer: bytes) -> None:
        """It is done: the same answer for a day. TooLarge."""
        if not answer:
            raise ValueError("an answer has at least a byte")
        if len(answer) > LARGEST_ANSWER:
            raise TooLarge(f"An answer of {len(answer)} bytes is not kept; at most {LARGEST_ANSWER}.")
        name = keys.IDEMPOTENCY + _digest(key)
        await execute_many(self._client, [("HSET", name, "answer", answer), ("EXPIRE", name, KEPT_S)])

    async def abandon(self, key: str) -> None:
        """It was not done: the key may be used again."""
        await execute_async(self._client, "DEL", keys.IDEMPOTENCY + _digest(key))


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
