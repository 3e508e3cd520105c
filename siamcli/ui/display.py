"""A window on the screen.  No other module calls OpenCV's GUI."""

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

MouseCallback = Callable[[str, float, float], None]
"""Called with "press", "move" or "release" of the left button, and x and y in the image."""

Overlay = Callable[[Image, float], Image]
"""Takes the image as it is on the screen, and its scale; returns it with something drawn on it."""

_EVENTS = {cv2.EVENT_LBUTTONDOWN: "press", cv2.EVENT_MOUSEMOVE: "move", cv2.EVENT_LBUTTONUP: "release"}


class Window:
    """A resizable window that shows images as large as fits, centred, with their proportions kept.

    Raises PickError where no window can be opened.
    """

    def __init__(self, title: str) -> None:
        require_display()
        # Qt warns about missing fonts, which are not used here
        os.environ.setdefault("QT_LOGGING_RULES", "*.warning=false")
        self._title = title
        self._scale, self._left, self._top = 1.0, 0, 0
        self._size: tuple[int, int] | None = None
        cv2.namedWindow(title, cv2.WINDOW_NORMAL | cv2.WINDOW_FREERATIO | cv2.WINDOW_GUI_NORMAL)
        cv2.moveWindow(title, 20, 20)  # so that it stays on the screen when it is resized

    def show(self, image: Image, overlay: Overlay | None = None) -> None:
        """Replace the image; `overlay` draws on it at the resolution of the screen."""
        height, width = image.shape[:2]
        if self._size is None:
            fit = min(FIRST_SIZE[0] / width, FIRST_SIZE[1] / height)
            # enlarge small images for picking
            fit = min(fit, max(1.0, 480 / max(width, height)))
            self._size = (max(1, round(fit * width)), max(1, round(fit * height)))
            cv2.resizeWindow(self._title, *self._size)
        else:
            self._size = self.area
        scale = min(self._size[0] / width, self._size[1] / height)
        w, h = max(1, round(scale * width)), max(1, round(scale * height))
        interpolation = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
        canvas = np.zeros((self._size[1], self._size[0], 3), np.uint8)
        left, top = (self._size[0] - w) // 2, (self._size[1] - h) // 2
        picture = np.asarray(cv2.resize(image, (w, h), interpolation=interpolation), dtype=np.uint8)
        canvas[top : top + h, left : left + w] = overlay(picture, scale) if overlay else picture
        self._scale, self._left, self._top = scale, left, top
        cv2.imshow(self._title, canvas)

    def rename(self, title: str) -> None:
        """Change the title of the window."""
        cv2.setWindowTitle(self._title, title)

    @property
    def area(self) -> tuple[int, int]:
        """(width, height) of the inside of the window, in pixels of the screen."""
        _, _, width, height = cv2.getWindowImageRect(self._title)
        return max(width, 1), max(height, 1)

    def key(self, milliseconds: int) -> str:
        """The key pressed within that time, or an empty string."""
        code = cv2.waitKey(milliseconds)
        return chr(code & 0xFF) if code >= 0 else ""

    def on_mouse(self, callback: MouseCallback) -> None:
        """Call `callback` from now on for all that the left button does."""

        def handle(event: int, x: int, y: int, flags: int, data: object) -> None:
            if event in _EVENTS:
                callback(_EVENTS[event], (x - self._left) / self._scale, (y - self._top) / self._scale)

        cv2.setMouseCallback(self._title, handle)

    @property
    def closed(self) -> bool:
        """True after the user has closed the window."""
        try:
            return cv2.getWindowProperty(self._title, cv2.WND_PROP_VISIBLE) < 1
        except cv2.error:  # Qt's answer when the last window is gone
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if not self.closed:
            cv2.destroyWindow(self._title)
            cv2.waitKey(1)  # the window system closes the window only now


def require_display(
    hint: str = "draw it on a web page with --pick-browser, or give it with --box x,y,w,h",
) -> None:
    """Check that a window can be opened.  Raises PickError with `hint`.

    A child process tries it, because Qt aborts the process in which it fails.
    """
    code = "import cv2; cv2.namedWindow('siamtrack')"
    command = [sys.executable, "-c", code]
    try:
        child = subprocess.run(command, capture_output=True, check=False, timeout=20)
    except subprocess.TimeoutExpired:
        child = None
    if child is None or child.returncode:
        headless = "GUI:                           NONE" in cv2.getBuildInformation()
        reason = "this OpenCV is a headless build" if headless else "no display to open a window on"
        raise PickError(reason, hint=hint)
