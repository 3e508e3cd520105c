"""The windows, used as a person does: a real X server, a real mouse, real keys."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from programs import started
from x_display import Hand, x_display

ROOT = Path(__file__).parents[1]
TOOLS = ("Xvfb", "xdotool", "openbox")
missing = [tool for tool in TOOLS if shutil.which(tool) is None]
needs_x = pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")

PICK = """
from siamcli.ui.pick import window_picker
from siamcli.errors import PickError
import clips
try:
    with window_picker("opened") as ask:
        print(*ask(clips.image(5, (480, 360)), "picker") or ["cancelled"])
except PickError as error:
    print("refused:", error, "|", error.hint)
"""
LIVE = """
from siamcli.boxes import Box
from siamcli.drawing.painter import Painter
from siamcli.drawing.style import Style
from siamcli.frames import Frame
from siamcli.ui.window import LiveWindow
from siamcli.trajectory import TrackPoint
import clips
try:
    with LiveWindow("picker", Painter(Style(), (None,))) as window:
        for index in range(10**9):
            point = TrackPoint(index, None, Box(10, 10, 50, 50), 0.9, "tracked")
            again = window.show(Frame(index, None, clips.image(5, (480, 360))), [point])
            if index % 10 == 0: print("frame", index, flush=True)
            if again: print("again", *again[0], flush=True)
except KeyboardInterrupt:
    print("quit", flush=True)
"""


class Desk:
    """An X server with a window manager, on which programs open windows."""

    def __init__(self, display: str) -> None:
        self._display, self._programs = display, ExitStack()

    def start(self, code: str) -> tuple[subprocess.Popen[str], Hand]:
        env = {**os.environ, "DISPLAY": self._display, "PYTHONPATH": str(ROOT / "tests")}
        env.pop("WAYLAND_DISPLAY", None)
        pipe = subprocess.PIPE
        program = started([sys.executable, "-u", "-c", code], env=env, cwd=ROOT, stdout=pipe, text=True)
        child = self._programs.enter_context(program)
        return child, Hand(self._display, child, "^picker$")

    def clear(self) -> None:
        """Nothing stays on the desk."""
        self._programs.close()


@pytest.fixture
def desk(server: Desk) -> Iterator[Desk]:
    yield server
    server.clear()


@pytest.fixture(scope="module")
def server() -> Iterator[Desk]:
    with x_display() as display:
        manager = subprocess.Popen(
            ["openbox"],
            env={**os.environ, "DISPLAY": display},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        time.sleep(0.5)
        yield Desk(display)
        manager.terminate()
        manager.wait(60)


def result(child: subprocess.Popen[str]) -> str:
    return child.communicate()[0].strip()


@needs_x
def test_drag_redraw_confirm(desk: Desk) -> None:
    child, hand = desk.start(PICK)
    hand.drag(20, 20, 90, 90)
    hand.drag(300, 250, 100, 50)  # the second counts; it was dragged from the lower right
    hand.do("key Return")
    assert [float(v) for v in result(child).split()] == pytest.approx([100, 50, 200, 200], abs=1)


@needs_x
def test_resized_window_and_drag_beyond_the_edge(desk: Desk) -> None:
    child, hand = desk.start(PICK)
    hand.do("windowsize WINDOW 1100 600")
    hand.settle()
    # 480x360 shows as 800x600 with 150 to the left
    hand.drag(450, 300, 1090, 590)
    hand.do("key space")
    assert [float(v) for v in result(child).split()] == pytest.approx([180, 180, 300, 174], abs=2)


@needs_x
@pytest.mark.parametrize("cancel", ["key Escape", "key c", "key alt+F4"])
def test_escape_c_and_closing_cancel_the_pick(desk: Desk, cancel: str) -> None:
    child, hand = desk.start(PICK)
    hand.do("key Return")  # without a box it means nothing
    hand.drag(20, 20, 90, 90)
    hand.do(cancel)
    assert result(child) == "cancelled"


@needs_x
def test_live_pause_pick_again_quit(desk: Desk) -> None:
    child, hand = desk.start(LIVE)
    assert child.stdout is not None
    child.stdout.readline()
    hand.do("key space")
    hand.do("key r")
    hand.drag(100, 50, 300, 250)
    hand.do("key Return")
    lines = []
    while len(lines) < 3 or not lines[-3].startswith("again"):  # it goes on
        lines.append(child.stdout.readline())
        assert lines[-1], lines
    hand.do("key q")
    lines = [*(line.strip() for line in lines), *result(child).splitlines()]
    (again,) = [line for line in lines if line.startswith("again")]
    assert [float(v) for v in again.split()[1:]] == pytest.approx([100, 50, 200, 200], abs=1)
    assert lines[-1] == "quit"
    assert lines.index(again) < len(lines) - 2  # it went on


@needs_x
def test_live_closed_window_quits(desk: Desk) -> None:
    child, hand = desk.start(LIVE)
    hand.do("key alt+F4")
    assert result(child).splitlines()[-1] == "quit"


@pytest.mark.parametrize("display", ["", ":987"])
def test_without_a_display_it_says_what_to_do(display: str) -> None:
    """No display at all, and one that nobody serves, where Qt would abort the process."""
    env = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    env |= {"PYTHONPATH": str(ROOT / "tests")} | ({"DISPLAY": display} if display else {})
    done = subprocess.run(
        [sys.executable, "-c", PICK], env=env, cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("refused: no display")
    assert "--box" in done.stdout and "--pick-browser" in done.stdout
