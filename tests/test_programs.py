"""A program that hangs fails its test, and shows where."""

from __future__ import annotations

import subprocess
import sys
from threading import Timer

import programs
import pytest

HANGS = """
import sys, time
def waits_for_ever():
    while print("begun", file=sys.stderr, flush=True) or True: time.sleep(1000)
waits_for_ever()
"""


def test_a_hang_ends_and_says_where(monkeypatch):
    alarms = []
    monkeypatch.setattr(Timer, "start", lambda alarm: alarms.append(alarm))
    with (
        pytest.raises(pytest.fail.Exception, match=r"hung and was aborted.*line 4 in waits_for_ever"),
        programs.started([sys.executable, "-c", HANGS], stderr=subprocess.PIPE, text=True) as process,
    ):
        assert process.stderr.readline() == "begun\n"
        alarms[0].function(*alarms[0].args)
        assert process.wait() < 0


def test_no_program_outlives_its_block():
    with programs.started([sys.executable, "-c", HANGS], stderr=subprocess.DEVNULL) as process:
        assert process.poll() is None
    assert process.returncode == -9
