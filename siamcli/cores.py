"""The processor cores: how many this process may use at once, and who goes first on them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

__all__ = ["give_way", "usable_cores"]


def usable_cores() -> int:
    """The machine's cores, less those that an affinity or a container's control group forbids; at least 1."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota()
    return cores if quota is None else min(cores, quota)


def _quota() -> int | None:
    """Cores that the control group allows, or None."""
    limit = Path("/sys/fs/cgroup/cpu.max")
    if not limit.is_file():
        return None
    share, period = limit.read_text().split()
    return None if share == "max" else max(1, int(share) // int(period))


def give_way(process: int = 0) -> None:
    """From now on this thread (or that process), and what it starts, pushes nobody off a core.

    Work beside the network still gets its share, only not at the moment it wakes.  Linux alone has such
    a policy, and a sandbox may forbid it; whoever was started with another one keeps that.
    """
    if hasattr(os, "SCHED_BATCH"):
        with suppress(OSError):
            if os.sched_getscheduler(process) == os.SCHED_OTHER:
                os.sched_setscheduler(process, os.SCHED_BATCH, os.sched_param(0))
