from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from contracts.errors import ConfigError
from store import keys, scripts
from store.connect import _judge, check, check_async, checked_url, open_async, open_sync, server_url
from tests.store.conftest import Run


@pytest.mark.parametrize("url", ["redis://h:6379/0", "rediss://:secret@h", "unix:///run/store.sock"])
def test_addresses_that_will_do(url: str) -> None:
    assert server_url({"REDIS_URL": f" {url} "}) == url


def test_no_address_is_none() -> None:
    assert server_url({}) is None
    assert server_url({"REDIS_URL": " "}) is None


@pytest.mark.parametrize(
    "url",
    [
        "localhost:6379",
        "http://h",
        "redis://",
        "redis://:secret@",
        "unix://",
        "redis://h:99999",
        "redis://h:0",
    ],
)
def test_addresses_that_will_not_do_are_refused_without_showing_a_password(url: str) -> None:
    with pytest.raises(ConfigError) as refused:
        checked_url(url)
    assert "secret" not in refused.value.explain()
    assert "REDIS_URL" in refused.value.explain()


def test_a_ca_is_for_tls_and_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not ask for TLS"):
        open_sync("redis://h", ca=tmp_path)
    with pytest.raises(ConfigError, match="does not exist"):
        open_async("rediss://h", ca=tmp_path / "none.pem")


def test_nobody_there_is_said_at_start(run: Run[Any]) -> None:
    with pytest.raises(ConfigError, match="cannot be reached"):
        check(open_sync("redis://:secret@127.0.0.1:1/0"), "redis://:secret@127.0.0.1:1/0")


def test_a_store_of_another_schema_is_refused(client: Any, run: Run[Any]) -> None:
    client.set(keys.SCHEMA_KEY, keys.SCHEMA + 1)
    with pytest.raises(ConfigError, match="schema"):
        check(client)
    with pytest.raises(ConfigError, match="schema"):
        run(check_async)


def test_checking_twice_changes_nothing(client: Any, run: Run[Any]) -> None:
    run(check_async)
    check(client)
    assert client.get(keys.SCHEMA_KEY) == str(keys.SCHEMA).encode()
    assert len(client.xinfo_groups(keys.FINDINGS)) == 1


GOOD = {"redis_version": "7.2.4", "maxmemory": 0, "maxmemory_policy": "noeviction", "role": "master"}


@pytest.mark.parametrize(
    ("told", "word"),
    [
        ({"redis_version": "6.2.14"}, "version 6"),
        ({"cluster_enabled": 1}, "cluster mode"),
        ({"maxmemory": 1, "maxmemory_policy": "allkeys-lru"}, "throw leases away"),
        ({"role": "slave"}, "replica"),
    ],
)
def test_servers_that_will_not_do_are_refused(told: dict[str, Any], word: str) -> None:
    _judge(GOOD, "The store")
    with pytest.raises(ConfigError, match=word):
        _judge(GOOD | told, "The store")


def test_every_script_names_only_keys_that_are_documented() -> None:
    folder = Path(scripts.__file__).parent / "lua"
    names = [path.stem for path in folder.glob("*.lua") if path.stem != "common"]
    assert len(names) > 5
    for name in names:
        text = scripts.text(name)
        assert "KEY_" not in text
        assert "GROUP_CONSUMERS" not in text


def test_every_key_is_in_the_table() -> None:
    constants = {v for k, v in vars(keys).items() if k.isupper() and isinstance(v, str)}
    table = {row.split("`")[1] for row in (keys.__doc__ or "").splitlines() if row.startswith("| `gw:")}
    assert constants == {name.partition("<")[0] for name in table}
