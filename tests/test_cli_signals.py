"""Signals at moments in which Python drops what their handlers raise."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, signal, time
from siamcli.cli import signals

def interrupted():
    os.kill(os.getpid(), signal.{name})
    time.sleep(0.01)

class Trouble(Exception):
    def __str__(self):  # called when Python prints the exception that it drops
        interrupted()
        return "trouble"

class Held:
    def __del__(self):
        {there}

signals.AGAIN = {again}
signals.end_on_signals()
signal.signal(signal.{name}, signal.getsignal(signal.SIGTERM))  # a shell may have us ignore it
held = Held()
del held
time.sleep(20)
print("went on")
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143)])
@pytest.mark.parametrize(
    ("there", "again", "says"),
    [
        ("interrupted()", 0.05, ""),
        ("interrupted()", 0, ""),  # the signal comes while Python still drops the exception
        ("raise Trouble", 0.05, "Trouble: trouble"),
    ],
)
def test_a_signal_in_a_destructor_ends_the_program(
    name: str, code: int, there: str, again: float, says: str
) -> None:
    command = [sys.executable, "-c", CODE.format(name=name, again=again, there=there)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert ("Exception ignored" in done.stderr) == bool(says) and says in done.stderr
