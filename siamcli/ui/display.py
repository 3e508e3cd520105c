"""A window on the screen: the only place that talks to OpenCV's GUI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING

import cv2
import numpy as np

from siamcli.errors import PickError
from siamcli.frames import Image

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["ESCAPE", "RETURN", "Window", "require_display"]

FIRST_SIZE = (1000, 620)  # pixels; with its frame it fits a 1024x768 screen, and it can be enlarged
ESCAPE, RETURN = "\x1b", "\r"

Mouse = Callable[[str, float, float], None]
"""Told of "press", "move" and "release" of the left button, and where in the image."""

Paint = Callable[[Image, float], Image]
"""From the picture as it is on the screen, and its scale, to the same with something drawn on it."""

_EVENTS = {cv2.EVENT_LBUTTONDOWN: "press", cv2.EVENT_MOUSEMOVE: "move", cv2.EVENT_LBUTTONUP: "release"}


class Window:
    """A resizable window that shows images as large as fits, centred, with their proportions kept.

    Raises PickError where no window can be opened.
    """

    def __init__(self, title: str) -> None:
        require_display()
        # Qt complains of its own fonts, which nothing here uses
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        self._title = title
        self._scale, self._left, self._top = 1.0, 0, 0
        self._size: tuple[int, int] | None = None
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.moveWindow(title, 20, 20)  # it grows after it was placed, and must not grow off the screen

    def show(self, image: Image, paint: Paint | None = None) -> None:
        """Replace the picture; `paint` adds what should be sharp on the screen."""
        height, width = image.shape[:2]
        if self._size is None:
            fit = min(FIRST_SIZE[0] / width, FIRST_SIZE[1] / height)
            fit = min(
                fit, max(1.0, 480 / max(width, height))
            )  # small pictures grow a little, so that one can aim
            self._size = (max(1, round(fit * width)), max(1, round(fit * height)))
            cv2.resizeWindow(self._title, *self._size)
        else:
            self._size = self.area
        scale = min(self._size[0] / width, self._size[1] / height)
        w, h = max(1, round(scale * width)), max(1, round(scale * height))
        way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        shown = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        left, top = (self._size[0] - w) // 2, (self._size[1] - h) // 2
        picture = np.asarray(cv2.resize(image, (w, h), interpolation=way), dtype=np.uint8)
        shown[top : top + h, left : left + w] = paint(picture, scale) if paint else picture
        self._scale, self._left, self._top = scale, left, top
        cv2.imshow(self._title, shown)

    def rename(self, title: str) -> None:
        """Write another title on the window."""
        cv2.setWindowTitle(self._title, title)

    @property
    def area(self) -> tuple[int, int]:
        """(width, height) of the room for the picture, in pixels of the screen."""
        _, _, width, height = cv2.getWindowImageRect(self._title)
        return max(width, 1), max(height, 1)

    def key(self, milliseconds: int) -> str:
        """The key pressed within that time, or an empty string."""
        code = cv2.waitKey(milliseconds)
        return chr(code & 0xFF) if code >= 0 else ""

    def listen(self, mouse: Mouse) -> None:
        """Tell `mouse` what the left button does from now on."""

        def told(event: int, x: int, y: int, flags: int, data: object) -> None:
            if event in _EVENTS:
                mouse(_EVENTS[event], (x - self._left) / self._scale, (y - self._top) / self._scale)

        cv2.setMouseCallback(self._title, told)

    @property
    def closed(self) -> bool:
        """True once the user has closed the window."""
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Qt's answer when the last window is gone
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *stopped: object) -> None:
        if not self.closed:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)  # the window system acts on it now


def require_display(
    instead: str = "draw it on a web page with --pick-browser, or give it with --box x,y,w,h",
) -> None:
    """Raises PickError, which hints at `instead`, unless a window opens.

    It is tried in a child, because Qt aborts where it cannot.
    """
    code = "import cv2; cv2.namedWindow('siamtrack')"
    command = [sys.executable, "-c", code]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        done = None
    if done is None or done.returncode:
        headless = "GUI:                           NONE" in cv2.getBuildInformation()
        why = "this OpenCV is a headless build" if headless else "no display to open a window on"
        raise PickError(why, hint=instead)
