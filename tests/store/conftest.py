"""One real server for all tests of the store, empty before each: our own, or REDIS_URL's if that one is empty."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import pytest

from glitchwatch import embedded
from store import keys
from store.connect import AsyncClient, check, open_async, open_sync, server_url

T = TypeVar("T")
NAMES = [row.split("`")[1] for row in (keys.__doc__ or "").splitlines() if row.startswith("| `gw:")]
DOCUMENTED = re.compile("|".join(re.sub(r"<\w+>", ".+", name) + "$" for name in NAMES))
Run = Callable[[Callable[[AsyncClient], Awaitable[T]]], T]


@pytest.fixture(scope="session")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    given = server_url(os.environ)
    if given is not None:
        with open_sync(given) as client:
            if client.dbsize():
                pytest.fail("REDIS_URL names a store that holds data; the tests of the store empty it.")
        yield given
        with open_sync(given) as client:
            client.flushdb()
        return
    running = embedded.start(Path(tmp_path_factory.mktemp("store")))
    yield running.url
    running.stop()


@pytest.fixture
def client(url: str) -> Iterator[Any]:
    with open_sync(url, timeout_s=5.0) as opened:
        opened.flushdb()
        check(opened, url)
        yield opened
        undocumented = [key for key in opened.scan_iter() if not DOCUMENTED.match(key.decode())]
        assert undocumented == []


@pytest.fixture
def run(url: str, client: Any) -> Run[Any]:
    """Runs what the controller would: an asynchronous function that is given a client."""

    def with_client(function: Callable[[AsyncClient], Awaitable[Any]]) -> Any:
        async def main() -> Any:
            async with open_async(url) as opened:
                return await function(opened)

        return asyncio.run(main())

    return with_client
