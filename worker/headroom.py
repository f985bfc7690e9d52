"""How much a worker can still take, measured: CPU against its quota, memory against its limit, how far watches lag."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

TICKS = os.sysconf("SC_CLK_TCK")
PAGE = os.sysconf("SC_PAGE_SIZE")
FIRST_CORES = 0.08  # what a watch is taken to cost until it has been measured
FIRST_BYTES = 40 * 1024 * 1024
STARTING_S = 6.0  # a young watch costs more than it will, or less
SMOOTH = 0.3
CGROUP = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True)
class Limits:
    """What this container may use."""

    cores: float
    bytes: int


def limits(cores: float | None = None, memory: int | None = None, root: Path = CGROUP) -> Limits:
    """The given limits, else those of the control group (version 2 or 1), else the machine's."""
    return Limits(cores or _quota(root) or float(len(os.sched_getaffinity(0))), memory or _memory(root))


def _quota(root: Path) -> float | None:
    text = _read(root / "cpu.max")
    if text is not None:
        quota, period = [*text.split(), "100000"][:2]
        return None if quota == "max" else int(quota) / int(period)
    quota1, period1 = _read(root / "cpu/cpu.cfs_quota_us"), _read(root / "cpu/cpu.cfs_period_us")
    if quota1 is None or period1 is None or int(quota1) <= 0:
        return None
    return int(quota1) / int(period1)


def _memory(root: Path) -> int:
    machine = os.sysconf("SC_PHYS_PAGES") * PAGE
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        text = _read(root / name)
        if text is not None and text != "max":
            return min(machine, int(text))
    return machine


def _read(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return None


def cpu_s(pid: int, proc: Path = Path("/proc")) -> float:
    """User and system CPU seconds of a process so far; 0 when it has gone."""
    text = _read(proc / str(pid) / "stat")
    if text is None:
        return 0.0
    fields = text.rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def rss_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """Resident set of a process; 0 when it has gone."""
    text = _read(proc / str(pid) / "statm")
    return int(text.split()[1]) * PAGE if text is not None else 0


def pss_bytes(pid: int, proc: Path = Path("/proc")) -> int:
    """Its share of memory, pages shared with others divided among them; the resident set where that is not told."""
    text = _read(proc / str(pid) / "smaps_rollup")
    for line in (text or "").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return rss_bytes(pid, proc)


@dataclass(slots=True)
class Headroom:
    """Turns measurements into a number of watches that still fit."""

    limits: Limits
    cpu_share: float
    most: int
    cores: float = 0.0  # in use, smoothed
    bytes: int = 0  # in use
    _spent: dict[int, float] = field(default_factory=dict)
    _at_s: float | None = None

    def measure(self, now_s: float, pids: Iterable[int], memory: int) -> None:
        """The CPU time of all processes since the last call, and the memory in use."""
        spent = {pid: cpu_s(pid) for pid in pids}
        if self._at_s is not None and now_s > self._at_s:
            # What a new process spent before it was first seen counts; what one that ended spent at last does not.
            used = sum(max(0.0, s - self._spent.get(pid, 0.0)) for pid, s in spent.items()) / (
                now_s - self._at_s
            )
            self.cores += SMOOTH * (used - self.cores)
        self._spent, self._at_s, self.bytes = spent, now_s, memory

    def room(self, watches: int, starting: int) -> int:
        """How many more watches fit, when `watches` run, of which `starting` are younger than STARTING_S."""
        settled = watches - starting
        each = max(self.cores / settled, 0.01) if settled > 0 and self.cores else FIRST_CORES
        free_cores = self.limits.cores * self.cpu_share - self.cores - starting * each
        each_bytes = max(self.bytes / watches, 8e6) if watches else FIRST_BYTES
        free_bytes = self.limits.bytes * 0.9 - self.bytes
        return max(0, min(int(free_cores / each), int(free_bytes / each_bytes), self.most - watches))

    @property
    def cpu_use(self) -> float:
        """Share of the quota in use."""
        return self.cores / self.limits.cores

    @property
    def memory_use(self) -> float:
        """Share of the limit in use."""
        return self.bytes / self.limits.bytes


STEPS = ("detectors with a rate of their own run less often", "pictures that no other needs are left out")
WORSEN_S = 5.0
HAND_BACK_S = 15.0  # whoever takes over looks at some seconds again: not worth it for a lag that passes
RECOVER_S = 30.0


@dataclass(slots=True)
class Degrader:
    """What a worker that falls behind leaves out: one step at a time, given back slowly."""

    lag_s: float
    step: int = 0
    _since_s: float | None = None  # since when it has been too much, or enough
    _behind: bool = False
    _changed_s: float = float("-inf")

    def look(self, now_s: float, lags: Iterable[float]) -> bool:
        """The lags of all watches now; True when nothing is left to leave out: hand a watch back."""
        behind = max(lags, default=0.0) > self.lag_s
        if behind != self._behind or self._since_s is None:
            self._behind, self._since_s = behind, now_s
        lasts_s = now_s - self._since_s
        wait_s = HAND_BACK_S if self.step == len(STEPS) else WORSEN_S
        if behind and lasts_s >= wait_s and now_s - self._changed_s >= wait_s:
            self._changed_s = now_s
            if self.step == len(STEPS):
                return True
            self.step += 1
        elif not behind and self.step and lasts_s >= RECOVER_S and now_s - self._changed_s >= RECOVER_S:
            self._changed_s = now_s
            self.step -= 1
        return False

    @property
    def steps(self) -> tuple[str, ...]:
        """What is left out now, in words."""
        return STEPS[: self.step]
