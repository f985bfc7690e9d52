"""Stops processes for some seconds, and lets them go on whatever becomes of who asked for it."""

from __future__ import annotations

import os
import signal
import sys
import threading


def _signal(pid: int, number: signal.Signals, group: bool) -> None:
    try:
        (os.killpg if group else os.kill)(pid, number)
    except ProcessLookupError:
        return  # it has ended


def main(pid: int, seconds: float, group: bool) -> None:
    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    _signal(pid, signal.SIGSTOP, group)
    try:
        ended.wait(seconds)
    finally:
        _signal(pid, signal.SIGCONT, group)


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:] == ["group"])
