"""What this machine offers: cores, memory, CPU name, within the limits that a container sets."""

import contextlib
import os
import platform
import sys
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")
_lost_threads = False


def _after_fork() -> None:
    global _lost_threads
    numba = sys.modules.get("numba")
    # AttributeError: numba is imported in part; ValueError: it has started no threads
    with contextlib.suppress(AttributeError, ValueError):
        _lost_threads = _lost_threads or (numba is not None and bool(numba.threading_layer()))


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def threads_lost_by_fork() -> bool:
    """Whether this process was forked from one with Numba's threads: parallel kernels abort."""
    return _lost_threads


def _cgroup_numbers(*names: str) -> list[str]:
    """Words of the first of these cgroup files that can be read; [] where none can."""
    for name in names:
        with contextlib.suppress(OSError):
            return (_CGROUP / name).read_text().split()
    return []


def usable_cores() -> int:
    """Cores of this process's CPU affinity, or fewer where the container has a smaller quota."""
    pinned = hasattr(os, "sched_getaffinity")
    cores = len(os.sched_getaffinity(0)) if pinned else os.cpu_count() or 1
    quota = _cgroup_numbers("cpu.max")  # cgroup 2: "200000 100000" or "max 100000"
    if not quota:
        quota = _cgroup_numbers("cpu/cpu.cfs_quota_us") + _cgroup_numbers("cpu/cpu.cfs_period_us")
    if len(quota) == 2 and quota[0].isdigit() and quota[1].isdigit() and int(quota[1]) > 0:
        cores = min(cores, max(1, int(quota[0]) // int(quota[1])))
    return cores


def available_memory() -> int:
    """Bytes of free memory, or less where the container has a smaller limit."""
    import psutil  # here, as it takes long

    available = int(psutil.virtual_memory().available)
    limit = _cgroup_numbers("memory.max", "memory/memory.limit_in_bytes")
    used = _cgroup_numbers("memory.current", "memory/memory.usage_in_bytes")
    if limit and used and limit[0].isdigit():
        stat = _cgroup_numbers("memory.stat", "memory/memory.stat")
        counts = dict(zip(stat[::2], stat[1::2], strict=False))
        # Usage includes file pages, which the kernel frees on demand; cgroup version 1 sums over
        # subgroups under another name.
        pages = int(counts.get("total_inactive_file", counts.get("inactive_file", 0)))
        available = min(available, max(0, int(limit[0]) - int(used[0]) + pages))
    return available


def cpu_name() -> str:
    """The CPU's model name, or the architecture where the system does not state it."""
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def readable_bytes(count: float) -> str:
    """A number of bytes in three digits of a suitable unit.

    >>> readable_bytes(1234567)
    '1.23 MB'
    """
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} TB"
