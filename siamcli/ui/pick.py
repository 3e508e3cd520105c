"""Picks the target in a window: the user drags a box on a frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import cv2

from siamcli.boxes import Box, clip_box
from siamcli.drawing.colors import target_color
from siamcli.drawing.marks import outline
from siamcli.drawing.text import write_text
from siamcli.frames import Image
from siamcli.ui.display import ESCAPE, RETURN, Window

__all__ = ["MIN_SIDE", "Picker", "pick_box", "window_picker"]

Picker = Callable[[Image, str], Box | None]
"""Shows an image under a title and waits: the box that the user confirms, None when cancelled.

The box lies inside the image and is at least MIN_SIDE wide and high.
"""

HELP = "drag a box    Enter: use it    drag again: another    Esc: cancel"
MIN_SIDE = 2.0  # pixels; less is a click, not a drag
_POLL = 20  # milliseconds


class _DragState:
    """The box that the mouse has drawn so far, None before and after a click."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.box: Box | None = None
        self._size = size
        self._anchor: tuple[float, float] | None = None

    def __call__(self, event: str, x: float, y: float) -> None:
        if event == "press":
            self._anchor, self.box = (x, y), None
        elif self._anchor is not None:
            left, top = min(x, self._anchor[0]), min(y, self._anchor[1])
            box = Box(left, top, abs(x - self._anchor[0]), abs(y - self._anchor[1]))
            box = clip_box(box, self._size)
            self.box = box if min(box.w, box.h) >= MIN_SIDE else None
        if event == "release":
            self._anchor = None


@contextmanager
def window_picker(title: str) -> Iterator[Picker]:
    """One window, in which every image is shown in turn.  Raises PickError without a display."""
    with Window(title) as window:

        def pick(image: Image, title: str) -> Box | None:
            window.rename(title)
            return pick_box(window, image)

        yield pick


def pick_box(window: Window, image: Image) -> Box | None:
    """The box that the user drags and confirms in an open window, None when cancelled.

    Enter or Space confirms; Escape, c or closing the window cancels.
    """
    drag = _DragState((image.shape[1], image.shape[0]))
    window.show(image)
    window.on_mouse(drag)
    shown = None
    while not window.closed:
        if shown != (drag.box, window.area):
            shown = drag.box, window.area
            window.show(image, partial(_paint, drag.box))
        key = window.key(_POLL)
        if key in (ESCAPE, "c"):
            return None
        if key in (RETURN, "\n", " ") and drag.box is not None:
            return drag.box
    return None


def _paint(box: Box | None, picture: Image, scale: float) -> Image:
    """The picture, darker outside the box, with the size of the box and the keys."""
    canvas: Image = picture.copy()
    if box is not None:
        shown = Box(*(scale * v for v in box))
        cv2.convertScaleAbs(picture, canvas, alpha=0.5)
        x, y = round(shown.x), round(shown.y)
        inside = (slice(y, round(shown.y + shown.h)), slice(x, round(shown.x + shown.w)))
        canvas[inside] = picture[inside]
        outline(canvas, shown, target_color(1))
        write_text(canvas, f"{box.w:.0f} x {box.h:.0f}", (shown.x, shown.y), target_color(1))
    write_text(canvas, HELP, (0, canvas.shape[0]), (20, 20, 20))
    return canvas
