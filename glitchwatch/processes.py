"""The one place that starts processes: a module of ours in a child that ends with its parent.

The child asks the kernel to be ended when the thread that started it ends, so start it from a thread that
lasts (the main one). Where the kernel cannot do that, the child lives until it is told.
"""

import ctypes
import os
import runpy
import signal
import subprocess
import sys
from collections.abc import Sequence

_PR_SET_PDEATHSIG = 1  # linux/prctl.h


def spawn(module: str, arguments: Sequence[str], *, stderr: int | None = None) -> "subprocess.Popen[str]":
    """Run `python -m module arguments` with its standard output as a pipe of text lines.

    Standard input is empty. `stderr` is a file descriptor, or None to share ours.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "glitchwatch.processes", str(os.getpid()), module, *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
        bufsize=1,
        start_new_session=True,  # Ctrl-C is ours to pass on
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
    """In the child: tie our life to the parent's, then become the module."""
    parent, module, arguments = int(sys.argv[1]), sys.argv[2], sys.argv[3:]
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != parent:  # it ended before we asked
            raise SystemExit(0)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
