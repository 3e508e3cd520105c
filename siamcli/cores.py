"""Cores and memory that this process may use, and its scheduling priority."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["available_memory", "lower_priority", "usable_cores"]

CGROUP = Path("/sys/fs/cgroup")


def usable_cores() -> int:
    """The machine's cores, less those that an affinity or a container's control group forbids; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return cores if quota is None else min(cores, quota)


def _quota() -> int | None:
    """Cores that the control group allows, or None."""
    limit = CGROUP / "cpu.max"
    if not limit.is_file():
        return None
    share, period = limit.read_text().split()
    return None if share == "max" else max(1, int(share) // int(period))


def available_memory() -> int:
    """Bytes that this process can still get without swapping; the page cache counts as available."""
    import psutil  # noqa: PLC0415 - every command would wait for it, and few need it

    available = int(psutil.virtual_memory().available)
    allowed = _memory_left()
    return available if allowed is None else min(available, allowed)


def _memory_left() -> int | None:
    """Bytes that the control group still allows, or None."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        if limit == "max":
            return None
        used = int((CGROUP / "memory.current").read_text())
        stat = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
    except OSError:  # no control group, or an older kind
        return None
    return max(0, int(limit) - used + int(stat.get("inactive_file", 0)))


def lower_priority(process: int = 0) -> None:
    """Lower the scheduling priority of this thread (or that process), and of what it starts.

    It still gets its share of the cores, only not at the moment it wakes.  Linux alone has such a policy,
    and a sandbox may forbid it; a process with another policy is left alone.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            if os.sched_getscheduler(process) == os.SCHED_OTHER:
                os.sched_setscheduler(process, os.SCHED_BATCH, os.sched_param(0))
