"""The Lua scripts: each in a file of its own, with the keys' names filled in from `store.keys`.

In a file, `KEY_LEASE` stands for `keys.LEASE` as a Lua string, so names of keys are written once.
`common.lua` is put in front of each. Scripts are atomic and run on one server (no cluster mode), so they may name
keys that they learn of only while they run.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable
from functools import cache
from pathlib import Path
from typing import Any, cast

from redis.commands.core import AsyncScript
from redis.commands.core import Script as RedisScript

from store import keys
from store.connect import CONSUMERS, AsyncClient, SyncClient, translated

_FOLDER = Path(__file__).parent / "lua"
_NAME = re.compile(r"\bKEY_([A-Z_]+)\b")


@cache
def text(name: str) -> str:
    """The script `name` as the server gets it; a key that `store.keys` does not know raises AttributeError."""
    both = (_FOLDER / "common.lua").read_text("utf-8") + (_FOLDER / f"{name}.lua").read_text("utf-8")
    return _NAME.sub(lambda found: f"'{getattr(keys, found[1])}'", both).replace(
        "GROUP_CONSUMERS", f"'{CONSUMERS}'"
    )


class Script:
    """One script, called by a worker: one round trip (one more when the server has not seen it yet)."""

    def __init__(self, client: SyncClient, name: str) -> None:
        self._script = RedisScript(client, text(name))

    def __call__(self, *arguments: Any) -> Any:
        with translated():
            return self._script(keys=[], args=arguments)


class AwaitedScript:
    """One script, called by the controller."""

    def __init__(self, client: AsyncClient, name: str) -> None:
        self._script = AsyncScript(client, text(name))

    async def __call__(self, *arguments: Any) -> Any:
        with translated():
            return await cast(Awaitable[Any], self._script(keys=[], args=arguments))
