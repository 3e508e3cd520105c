"""An X server without a screen, for tests of windows, and the hand that uses a window there."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

from conftest import wait_until

__all__ = ["Hand", "x_display"]

PAUSE = 0.08  # seconds between two things that a hand does


@contextmanager
def x_display() -> Iterator[str]:
    """Start an X server; gives the name of its display, such as `:1`."""
    reading, writing = os.pipe()
    # without -noreset the server begins anew when its last client goes, and hangs up on who comes meanwhile
    command = ["Xvfb", "-noreset", "-displayfd", str(writing), "-screen", "0", "1280x800x24"]
    server = subprocess.Popen([*command, "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL)
    os.close(writing)
    with os.fdopen(reading) as file:
        display = f":{file.readline().strip()}"
    try:
        yield display
    finally:
        server.terminate()
        server.wait(60)


class Hand:
    """A mouse and a keyboard on a display, before the window of a process whose title matches."""

    def __init__(self, display: str, process: subprocess.Popen[str], title: str) -> None:
        self._env = {**os.environ, "DISPLAY": display}
        wait_until(lambda: self._ask("search", "--onlyvisible", "--name", title), process)
        self._window = self._ask("search", "--onlyvisible", "--name", title).split()[-1]
        self.settle()
        self.do("windowfocus --sync WINDOW")

    def _ask(self, *words: str) -> str:
        """The answer, an empty one where there is none: windows come and go."""
        return subprocess.run(
            ["xdotool", *words], env=self._env, capture_output=True, text=True, check=False
        ).stdout

    def settle(self) -> None:
        """Wait until the window has stood still for a while: it is placed, then framed, then moved."""
        seen: list[str] = []
        while len(seen) < 4 or len(set(seen[-4:])) > 1:
            seen.append(self._ask("getwindowgeometry", self._window))
            time.sleep(0.12)

    def do(self, *commands: str) -> None:
        """Keys go to the window that has the focus: of `key --window` the release may fail, or never come,
        where the press has closed the window, and then the key repeats itself."""
        for command in commands:
            words = command.replace("WINDOW", self._window).split()
            subprocess.run(["xdotool", *words], env=self._env, check=True)
            time.sleep(PAUSE)

    def drag(self, x0: int, y0: int, x1: int, y1: int) -> None:
        move = "mousemove --window WINDOW"
        self.do(f"{move} {x0} {y0}", "mousedown 1", f"{move} {(x0 + x1) // 2} {(y0 + y1) // 2}")
        self.do(f"{move} {x1} {y1}", "mouseup 1")
