"""The warm server: one thread, children that are told apart, exits that are reported, nothing left behind."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from worker.warm import Ended, Started, WarmServer

ROOT = Path(__file__).parents[3]

CODE = """
import os, sys, time
from worker.warm import WarmServer, Started
warm = WarmServer()
number, connection = warm.start()
answer = warm.read()
assert isinstance(answer, Started)
print(len(os.listdir(f"/proc/{warm.pid}/task")), answer.pid, "av" in sys.modules, flush=True)
warm.close()
for _ in range(200):
    gone = not os.path.exists(f"/proc/{answer.pid}")
    if gone or open(f"/proc/{answer.pid}/stat").read().rpartition(")")[2].split()[0] in "ZX":
        print("gone")
        break
    time.sleep(0.01)
"""


def echo(connection: object) -> int:
    """A child that answers what it was told with its own number of threads and its parent, then ends with 7."""
    import socket

    assert isinstance(connection, socket.socket)
    told = connection.recv(100)
    if told == b"wait":
        connection.recv(100)
    connection.sendall(b"%d %d %s" % (len(list(Path("/proc/self/task").iterdir())), os.getppid(), told))
    return 7


@pytest.fixture
def warm() -> Iterator[WarmServer]:
    server = WarmServer(echo, lambda: None)
    yield server
    server.close()


def test_the_server_with_everything_loaded_has_one_thread_and_its_children_end_with_it() -> None:
    run = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, timeout=60, check=True,
        env={k: v for k, v in os.environ.items() if not k.endswith("_NUM_THREADS")},
    )  # fmt: skip
    threads, _, loaded_here = run.stdout.splitlines()[0].split()
    assert (threads, loaded_here) == ("1", "False")
    assert run.stdout.splitlines()[1:] == ["gone"]


def test_each_child_has_its_own_connection_and_its_exit_is_told(warm: WarmServer) -> None:
    first, one = warm.start()
    second, two = warm.start()
    started = [warm.read(), warm.read()]
    assert [s.number for s in started if isinstance(s, Started)] == [first, second]
    for connection, word in ((one, b"uno"), (two, b"due")):
        connection.sendall(word)
        assert connection.recv(100) == b"1 %d %s" % (warm.pid, word)
        connection.close()
    ends = {warm.read(), warm.read()}
    assert ends == {Ended(s.pid, 7) for s in started if isinstance(s, Started)}


def test_a_killed_child_is_told_with_its_signal(warm: WarmServer) -> None:
    _, connection = warm.start()
    answer = warm.read()
    assert isinstance(answer, Started)
    connection.sendall(b"wait")
    os.kill(answer.pid, signal.SIGKILL)
    assert warm.read() == Ended(answer.pid, -signal.SIGKILL)
    connection.close()


def test_a_server_that_dies_is_noticed(warm: WarmServer) -> None:
    os.kill(warm.pid, signal.SIGKILL)
    assert select.select([warm.fileno()], [], [], 5)[0]
    with pytest.raises(EOFError):
        warm.read()
