"""Signals at moments in which Python drops what their handlers raise."""

from __future__ import annotations

import subprocess
import sys

import pytest

CODE = """
import os, signal, time
from siamcli.cli import signals

class Held:
    def __del__(self):
        os.kill(os.getpid(), signal.{name})
        time.sleep(0.01)

signals.AGAIN = {again}
signals.end_on_signals()
signal.signal(signal.{name}, signal.getsignal(signal.SIGTERM))  # a shell may have us ignore it
held = Held()
del held
time.sleep(20)
print("went on")
"""


@pytest.mark.parametrize(("name", "code"), [("SIGINT", -2), ("SIGTERM", 143)])
@pytest.mark.parametrize("again", [0.05, 0])  # 0: the signal comes while Python still drops the exception
def test_a_signal_in_a_destructor_ends_the_program(name: str, code: int, again: float) -> None:
    command = [sys.executable, "-c", CODE.format(name=name, again=again)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (code, ""), done.stderr
    assert "Exception ignored" not in done.stderr
