"""How many processor cores this process may use at once."""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["usable_cores"]


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
