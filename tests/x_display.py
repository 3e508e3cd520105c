"""An X server without a screen, for tests of windows."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["x_display"]


@contextmanager
def x_display() -> Iterator[str]:
    """Start an X server; gives the name of its display, such as `:1`."""
    reading, writing = os.pipe()
    server = subprocess.Popen(
        ["Xvfb", "-displayfd", str(writing), "-screen", "0", "1280x800x24", "-nolisten", "tcp"],
        pass_fds=[writing],
        stderr=subprocess.DEVNULL,
    )
    os.close(writing)
    with os.fdopen(reading) as file:
        display = f":{file.readline().strip()}"
    try:
        yield display
    finally:
        server.terminate()
        server.wait()
