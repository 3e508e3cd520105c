"""Programs that tests start: none outlives its block, and one that hangs ends and says where it stood."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Timer

import pytest

__all__ = ["started"]

LIMIT = 600
"""Seconds, more than any program takes on a busy machine and less than a test may take."""


@contextmanager
def started(command: Sequence[object], **how: object) -> Iterator[subprocess.Popen]:
    """Start a program; what `how` says is as for Popen.

    A program that hangs is aborted after LIMIT, so that whoever reads from it or waits for it goes on.
    Python then writes to stderr where each thread stood, behind all that the program has said.
    """
    how["env"] = {**(how.get("env") or os.environ), "PYTHONFAULTHANDLER": "1"}
    with subprocess.Popen([*map(str, command)], **how) as process:
        alarm = Timer(LIMIT, process.send_signal, [signal.SIGABRT])
        alarm.daemon = True
        alarm.start()
        try:
            yield process
        finally:
            alarm.cancel()
            process.kill()
            if process.wait() == -signal.SIGABRT:
                pipes = [pipe for pipe in (process.stdout, process.stderr) if pipe and not pipe.closed]
                unread = [pipe.read() for pipe in pipes]
                pytest.fail(f"{command} hung and was aborted; what nobody had read of it: {unread}")
