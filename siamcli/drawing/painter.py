"""Paints the frames of one video in order."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Sequence
from importlib import import_module

from siamcli.drawing.cover import Cover, time_of
from siamcli.drawing.draw import draw
from siamcli.drawing.kinds import EFFECTS
from siamcli.drawing.regions import Region
from siamcli.drawing.style import Color, Effect, Style
from siamcli.drawing.view import Center, View, cut, path_in, points_in
from siamcli.frames import Frame, Image
from siamcli.trajectory import TrackPoint

__all__ = ["Painter"]


class Painter:
    """Applies the effects of a style, takes what a `view` shows, then draws trails, marks and labels.

    It knows where targets were in the frames before, so that it paints all frames of a video, in order.
    `labels` names targets in order.  Raises InputError for a target that is not among them.
    """

    def __init__(self, style: Style, labels: Sequence[str | None], view: View | None = None) -> None:
        style.check(labels)
        self._style = style.plain if view else style
        self._labels = labels
        self._effects = style.by_target(labels)
        self._covers = {target: Cover(style.extent) for target in self._effects}
        self._view = view
        self._trails: dict[int, deque[tuple[float, Center]]] = {}

    def paint(self, frame: Frame, points: Sequence[TrackPoint]) -> Image:
        """The picture of the next frame with `points` in it; `frame` stays as it is."""
        canvas = frame.image
        if self._effects:
            canvas = canvas.copy()
            self._apply_effects(canvas, frame, points)
        paths = self._paths(frame, points) if self._style.trail else {}
        if self._view is not None:
            window = self._view.window(frame.index)
            canvas = cut(canvas, window, self._view.size)
            points = points_in(window, self._view.size, points)
            paths = {target: path_in(window, self._view.size, path) for target, path in paths.items()}
        return draw(canvas, points, self._labels, self._style, paths) if self._style.draws else canvas

    def _paths(self, frame: Frame, points: Sequence[TrackPoint]) -> dict[int, list[Center]]:
        """The centres of the last seconds, by target."""
        now = time_of(frame)
        for point in points:
            seen = point.box.center if point.is_located else None
            self._trails.setdefault(point.target, deque()).append((now, seen))
        for past in self._trails.values():
            while past and past[0][0] < now - self._style.trail:
                past.popleft()
        return {target: [center for _, center in past] for target, past in self._trails.items()}

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
        if point is not None and point.is_located:
            box = self._covers[target].see(point, frame)
            return Region(box, style.shape)
        if not EFFECTS[effect.kind].hides or style.when_lost == "show":
            return None
        area = self._covers[target].grow(point, frame)
        return None if area is None else Region(area)
