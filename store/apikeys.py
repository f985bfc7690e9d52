"""API keys: drawn here, shown once, kept as SHA-256 only (they are random, so a slow hash adds nothing)."""

from __future__ import annotations

import hashlib
import json
import secrets
from dataclasses import dataclass
from datetime import datetime

from contracts.clock import Clock
from store import keys
from store.connect import AsyncClient, execute_async
from store.errors import StoreFull
from store.scripts import AwaitedScript

MOST_KEYS = 1000
PREFIX = "gw_"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """One key without its secret."""

    id: str
    name: str
    created_at: datetime


class ApiKeys:
    """Keys of the API. Raises StoreUnavailable."""

    def __init__(self, client: AsyncClient, clock: Clock) -> None:
        self._client = client
        self._clock = clock
        self._save = AwaitedScript(client, "save_apikey")

    async def create(self, name: str) -> tuple[ApiKey, str]:
        """A new key and its secret, which nobody can read again. StoreFull."""
        made = await self._new(name, "any", PREFIX + secrets.token_urlsafe(32))
        if made is None:
            raise StoreFull(f"There are {MOST_KEYS} API keys already.", "Revoke one.")
        return made

    async def create_first(self, name: str = "first") -> tuple[ApiKey, str] | None:
        """The same if there is no key at all; None if there is. Of several that start at once, one makes it."""
        return await self._new(name, "first", PREFIX + secrets.token_urlsafe(32))

    async def adopt(self, name: str, secret: str) -> ApiKey | None:
        """Keep a secret that operations chose, if there is no key at all."""
        made = await self._new(name, "first", secret)
        return made[0] if made else None

    async def check(self, secret: str) -> ApiKey | None:
        """Whose key that is; None if nobody's."""
        found = await execute_async(self._client, "HGET", keys.APIKEY, _digest(secret))
        return None if found is None else _read(found)

    async def list(self) -> list[ApiKey]:
        """All keys, oldest first."""
        values = await execute_async(self._client, "HVALS", keys.APIKEY)
        return sorted((_read(value) for value in values), key=lambda key: (key.created_at, key.id))

    async def revoke(self, identity: str) -> bool:
        """From now on nobody's; whether there was one of that id."""
        found = await execute_async(self._client, "HGETALL", keys.APIKEY)
        fields = found if isinstance(found, dict) else dict(zip(found[::2], found[1::2], strict=True))
        digests = [digest for digest, value in fields.items() if _read(value).id == identity]
        return bool(digests and await execute_async(self._client, "HDEL", keys.APIKEY, *digests))

    async def _new(self, name: str, which: str, secret: str) -> tuple[ApiKey, str] | None:
        key = ApiKey(secrets.token_hex(6), name[:100], self._clock.now())
        text = json.dumps({"id": key.id, "name": key.name, "created_at": key.created_at.isoformat()})
        saved = await self._save(_digest(secret), text, MOST_KEYS, which)
        return (key, secret) if saved == b"saved" else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _read(text: bytes) -> ApiKey:
    found = json.loads(text)
    return ApiKey(found["id"], found["name"], datetime.fromisoformat(found["created_at"]))
