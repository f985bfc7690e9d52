"""Run a command and print what it used, as JSON: user and system CPU seconds, most kilobytes resident, exit status.

A program of its own, and a small one: Linux counts what the parent had resident when it started a child as the
child's own, so a large parent would hide how little the child needs. `python -I -S launch.py COMMAND...`
"""

import os
import sys

if __name__ == "__main__":
    devnull = os.open(os.devnull, os.O_RDWR)
    streams = [(os.POSIX_SPAWN_DUP2, devnull, number) for number in (0, 1, 2)]
    child = os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ, file_actions=streams)
    try:
        _, status, usage = os.wait4(child, 0)
    except BaseException:
        os.kill(child, 9)
        raise
    code = os.waitstatus_to_exitcode(status)
    print(f"[{usage.ru_utime + usage.ru_stime}, {usage.ru_maxrss}, {code}]")
