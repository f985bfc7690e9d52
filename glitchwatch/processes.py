"""The one place that starts processes: a module of ours, or a server program, in a child that ends with its parent.

The child asks the kernel to be ended when the thread that started it ends, so start it from a thread that
lasts (the main one). Where the kernel cannot do that, the child lives until it is told.
"""

import ctypes
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PROGRAM = "--program"  # where a module's name would stand


def spawn(
    module: str,
    arguments: Sequence[str],
    *,
    stdout: int | None = None,
    stderr: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> "subprocess.Popen[str]":
    """Run `python -m module arguments` with its standard output as a pipe of text lines, unless `stdout` is given.

    Standard input is empty. `stderr` is a file descriptor, or None to share ours; so is the environment.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "glitchwatch.processes", str(os.getpid()), module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE if stdout is None else stdout,
        stderr=stderr,
        env=None if environ is None else dict(environ),
        text=True,
        bufsize=1,
        start_new_session=True,  # Ctrl-C is ours to pass on
    )


def spawn_program(
    program: Path, arguments: Sequence[str], *, keep_open: Sequence[int] = ()
) -> "subprocess.Popen[str]":
    """Run `program`, which keeps a log of its own: its output goes nowhere, its input is empty.

    `keep_open` are file descriptors that it inherits, a lock for example.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "glitchwatch.processes", str(os.getpid()), _PROGRAM, str(program), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        pass_fds=tuple(keep_open),
        start_new_session=True,
    )


def stop(process: "subprocess.Popen[str]", *, patience_s: float = 10.0) -> int:
    """Ask a child to end as Ctrl-C would, then kill it; its exit status."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(patience_s)
        except subprocess.TimeoutExpired:
            process.kill()
    return process.wait()


def main() -> None:
    """In the child: tie our life to the parent's, then become the module or the program."""
    parent, module, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before we asked
            raise SystemExit(0)
    if module == _PROGRAM:
        os.execv(arguments[0], arguments)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
