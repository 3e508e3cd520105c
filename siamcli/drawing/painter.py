"""Paints frames of one video, in their order."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from importlib import import_module

from siamcli.drawing.cover import Cover, is_believed
from siamcli.drawing.draw import draw
from siamcli.drawing.kinds import EFFECTS
from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color, Effect, Style
from siamcli.drawing.view import View, cut, seen_through
from siamcli.frames import Frame, Image
from siamcli.trajectory import TrackPoint

__all__ = ["Painter"]


class Painter:
    """Applies the effects of a style, takes what a `view` shows, then draws boxes and labels.

    It knows where targets were in the frames before, so that it paints all frames of a video, in order.
    `labels` names targets in order.  Raises InputError for a target that is not among them.
    """

    def __init__(self, style: Style, labels: Sequence[str | None], view: View | None = None) -> None:
        self._style = style
        self._labels = labels
        self._effects = style.by_target(labels)
        self._covers = {target: Cover(style.extent) for target in self._effects}
        self._view = view
        self._marked = not (style.effects or view) if style.marked is None else style.marked

    def paint(self, frame: Frame, points: Sequence[TrackPoint]) -> Image:
        """The picture of the next frame with `points` in it; `frame` stays as it is."""
        canvas = frame.image
        if self._effects:
            canvas = canvas.copy()
            self._apply_effects(canvas, frame, points)
        if self._view is not None:
            window = self._view.window(frame.index)
            canvas = cut(canvas, window, self._view.size)
            points = seen_through(window, self._view.size, points)
        return draw(canvas, points, self._labels) if self._marked else canvas

    def _apply_effects(self, canvas: Image, frame: Frame, points: Sequence[TrackPoint]) -> None:
        regions: defaultdict[tuple[str, Color], list[Region]] = defaultdict(list)
        by_target = {point.target: point for point in points}
        for target, effect in self._effects.items():
            region = self._region(target, effect, frame, by_target.get(target))
            if region is not None:
                regions[effect.kind, effect.color].append(region)
        order = list(EFFECTS)  # what hides comes before what darkens
        for (kind, color), found in sorted(regions.items(), key=lambda item: order.index(item[0][0])):
            import_module(f"siamcli.drawing.{kind}").apply(canvas, found, color)

    def _region(self, target: int, effect: Effect, frame: Frame, point: TrackPoint | None) -> Region | None:
        """Where an effect applies; None where nowhere."""
        style = self._style
        if point is not None and is_believed(point):
            box = self._covers[target].see(point, frame)
            return Region(box, style.shape)
        if not EFFECTS[effect.kind].hides or style.when_lost == "show":
            return None
        area = self._covers[target].grow(point, frame)
        return None if area is None else Region(area)
