"""Who goes first on the cores: what works beside the network gives way to it."""

from __future__ import annotations

import os
import subprocess
import sys
from threading import Thread

import pytest

from siamcli.cores import lower_priority

pytestmark = pytest.mark.skipif(not hasattr(os, "SCHED_BATCH"), reason="only Linux has the batch policy")
OTHER, BATCH, IDLE = (getattr(os, f"SCHED_{name}", -1) for name in ("OTHER", "BATCH", "IDLE"))


def policies(begun: int) -> list[int]:
    """Of a thread that began with one and gave way, and of a child that it started."""
    found: list[int] = []

    def work() -> None:
        os.sched_setscheduler(0, begun, os.sched_param(0))
        lower_priority()
        found.append(os.sched_getscheduler(0))
        code = "import os; print(os.sched_getscheduler(0))"
        found.append(int(subprocess.check_output([sys.executable, "-c", code])))

    thread = Thread(target=work)
    thread.start()
    thread.join()
    return found


def test_a_thread_and_its_children_give_way_and_no_other() -> None:
    before = os.sched_getscheduler(0)
    assert policies(OTHER) == [BATCH, BATCH]
    assert os.sched_getscheduler(0) == before


def test_another_policy_is_kept() -> None:
    assert policies(IDLE) == [IDLE, IDLE]


def test_a_process_gives_way_and_one_that_is_gone_is_no_error() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        lower_priority(child.pid)
        assert os.sched_getscheduler(child.pid) == BATCH
    lower_priority(child.pid)
