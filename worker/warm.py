"""The warm server: one process that has loaded everything heavy, and forks a process for each watch.

It holds one thread, so a fork is safe, and no connection, so a child inherits none. What it loaded is shared with all
its children. Each process asks the kernel to be killed with its parent: nothing outlives the supervisor.
"""

from __future__ import annotations

import ctypes
import gc
import json
import os
import select
import signal
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15  # linux/prctl.h
_M_ARENA_MAX, _M_TRIM_THRESHOLD = -8, -1  # malloc.h
_LIBC = ctypes.CDLL(None)
_DATAGRAM = 4096  # bytes of a request or an answer
ONE_THREAD = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENCV_FOR_THREADS_NUM")

Main = Callable[[socket.socket], int]


@dataclass(frozen=True, slots=True)
class Started:
    """The watch `number` runs as process `pid`."""

    number: int
    pid: int


@dataclass(frozen=True, slots=True)
class Ended:
    """Process `pid` ended; `status` is its exit status, negative the signal that ended it."""

    pid: int
    status: int


class WarmServer:
    """The supervisor's side. Start it before any thread and before any connection."""

    def __init__(self, main: Main | None = None, prepare: Callable[[], None] | None = None) -> None:
        """`main` runs in each forked process with its end of the connection, after `prepare` ran once in the server."""
        for name in ONE_THREAD:
            os.environ.setdefault(name, "1")
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        sys.stdout.flush()
        sys.stderr.flush()
        parent = os.getpid()
        self.pid = os.fork()
        if self.pid == 0:
            ours.close()
            _serve(theirs, parent, main or _watch, prepare or _load)
        theirs.close()
        self._socket = ours
        self._number = 0

    def fileno(self) -> int:
        """Readable when there is something to `read`."""
        return self._socket.fileno()

    def start(self) -> tuple[int, socket.socket]:
        """Ask for a process: its number, and our end of the connection to it."""
        self._number += 1
        ours, theirs = socket.socketpair()
        with theirs:
            socket.send_fds(self._socket, [json.dumps({"start": self._number}).encode()], [theirs.fileno()])
        return self._number, ours

    def read(self) -> Started | Ended:
        """The next answer; waits for it. EOFError when the server has gone."""
        try:
            data = self._socket.recv(_DATAGRAM)
        except ConnectionError as error:
            raise EOFError("The warm server has gone.") from error
        if not data:
            raise EOFError("The warm server has gone.")
        answer = json.loads(data)
        if "ended" in answer:
            return Ended(answer["ended"], answer["status"])
        return Started(answer["started"], answer["pid"])

    def close(self) -> None:
        """End the server and, through it, every process it forked."""
        self._socket.close()
        try:
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            return  # somebody else has waited for it


def bind_to_parent(parent: int, name: str) -> None:
    """Have the kernel kill this process when its parent ends; ends at once when it has ended already."""
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        _LIBC.prctl(_PR_SET_NAME, name.encode()[:15])
    if os.getppid() != parent:
        os._exit(0)


def _load() -> None:
    """Import what every watch needs; none of it may start a thread."""
    import cv2

    import detectors.catalogue
    import worker.child

    cv2.setNumThreads(1)
    share_one_heap()
    detectors.catalogue.load()
    worker.child.warm_up()


def share_one_heap() -> None:
    """One heap for all threads of a watch, and what is freed goes back: each further heap keeps megabytes to itself."""
    mallopt = getattr(_LIBC, "mallopt", None)
    if mallopt is not None:  # of the GNU C library
        mallopt(_M_ARENA_MAX, 1)
        mallopt(_M_TRIM_THRESHOLD, 256 * 1024)


def give_back() -> None:
    """Return the free pages in the middle of the heap, where opening each segment leaves some; half a millisecond."""
    trim = getattr(_LIBC, "malloc_trim", None)
    if trim is not None:  # of the GNU C library
        trim(0)


def _watch(connection: socket.socket) -> int:
    from worker.child import run

    return run(connection)


def _serve(control: socket.socket, parent: int, main: Main, prepare: Callable[[], None]) -> NoReturn:
    """The server itself; never returns."""
    bind_to_parent(parent, "glitchwatch-warm")
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C goes to the whole group; the supervisor decides
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    wakes, wake = os.pipe()
    os.set_blocking(wakes, False)
    os.set_blocking(wake, False)
    try:
        prepare()
        gc.collect()
        gc.freeze()  # what is there now is never collected, so its pages stay shared
        signal.set_wakeup_fd(wake)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        while True:
            ready, _, _ = select.select([control.fileno(), wakes], [], [])
            if wakes in ready:
                _drain(wakes)
            _reap(control)
            if control.fileno() in ready and not _request(control, (wakes, wake), main):
                os._exit(0)
    except BaseException as error:  # noqa: BLE001 - the last line of a process: said, then over
        sys.stderr.write(f"warm server: {type(error).__name__}: {error}\n")
        sys.stderr.flush()
        os._exit(70)


def _drain(pipe: int) -> None:
    try:
        while os.read(pipe, 4096):
            continue
    except BlockingIOError:
        return


def _reap(control: socket.socket) -> None:
    while True:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        code = os.waitstatus_to_exitcode(status)
        control.send(json.dumps({"ended": pid, "status": code}).encode())


def _request(control: socket.socket, pipes: tuple[int, int], main: Main) -> bool:
    data, descriptors, _, _ = socket.recv_fds(control, _DATAGRAM, 1)
    if not data:
        return False
    request: dict[str, Any] = json.loads(data)
    connection = socket.socket(fileno=descriptors[0])
    server = os.getpid()
    pid = os.fork()
    if pid == 0:
        _become(connection, control, pipes, server, main)
    connection.close()
    control.send(json.dumps({"started": request["start"], "pid": pid}).encode())
    return True


def _become(
    connection: socket.socket, control: socket.socket, pipes: tuple[int, int], server: int, main: Main
) -> NoReturn:
    """The child: let go of what is the server's, then do the work."""
    status = 70
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        bind_to_parent(server, "glitchwatch-watch")
        control.close()
        for pipe in pipes:
            os.close(pipe)
        status = main(connection)
    except BaseException as error:  # noqa: BLE001 - whatever it was: said, and the exit status tells
        import traceback

        sys.stderr.write("".join(traceback.format_exception(error)))
    finally:
        sys.stderr.flush()
        os._exit(status)
