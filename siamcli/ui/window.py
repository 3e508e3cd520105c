"""The live window of --show: the frames as they are tracked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from siamcli.boxes import Box
from siamcli.drawing.painter import Painter
from siamcli.frames import Frame
from siamcli.trajectory import TrackPoint
from siamcli.ui.display import ESCAPE, Window
from siamcli.ui.pick import pick_box

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["LiveWindow"]

_POLL = 20  # milliseconds


class LiveWindow:
    """Shows each frame as it is tracked.  Space pauses, r picks the target again, q quits.

    With several targets the digits 1 to 9 pick that one again; r is the first.
    Frames are painted by `painter`, as those of the video are.  Raises PickError without a display.
    """

    def __init__(self, title: str, painter: Painter) -> None:
        self._painter = painter
        self._window = Window(title)

    def show(self, frame: Frame, points: Sequence[TrackPoint]) -> dict[int, Box] | None:
        """Show one frame; returns newly picked boxes by position of the target, counted from 0.

        Raises KeyboardInterrupt for q and for a closed window: they end the run as Ctrl-C does.
        """
        self._window.show(self._painter.paint(frame, points))
        key = self._window.key(1)
        while key == " ":
            key = self._pause()
        if key in ("q", ESCAPE) or self._window.closed:
            raise KeyboardInterrupt
        target = 1 if key == "r" else int(key) if key in "123456789" and key else 0
        if target not in {point.target for point in points}:
            return None
        box = pick_box(self._window, frame.image)
        return None if box is None else {target - 1: box}

    def _pause(self) -> str:
        """Wait for the key that ends the pause; an empty string when it is a space again."""
        while not self._window.closed:
            key = self._window.key(_POLL)
            if key:
                return "" if key == " " else key
        return ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._window.__exit__(*exception)
