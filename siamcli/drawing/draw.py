"""Draws marks, trails, labels and the frame number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from siamcli.boxes import Box, iou
from siamcli.drawing.colors import target_color
from siamcli.drawing.labels import place_labels
from siamcli.drawing.marks import line_width, outline, trail
from siamcli.drawing.style import Color, Style
from siamcli.drawing.text import layout_text, write_text
from siamcli.frames import Image
from siamcli.labels import shown_name
from siamcli.trajectory import TrackPoint

__all__ = ["draw"]

_SHORTEST = 8  # letters of a name, and dots, that are shown where there is little room
_DARK: Color = (20, 20, 20)
_STYLE = Style()

Paths = Mapping[int, Sequence[tuple[float, float] | None]]
"""Target -> its centres, oldest first; None where it was not located."""


def draw(
    image: Image,
    points: Sequence[TrackPoint],
    labels: Sequence[str | None] = (),
    style: Style = _STYLE,
    paths: Paths | None = None,
) -> Image:
    """A copy of `image` with mark and label of every point, the trails `paths`, and the frame number.

    The state is shown unless it is tracked.  The number is left out where it would cover a box, or more than
    a tenth of the image.  A lost target has a dashed, darker mark; an absent one, or one whose box is not
    valid, has none.  `labels` names targets in order.
    """
    canvas: Image = image.copy()
    height, width = canvas.shape[:2]
    colors = style.colors_by_target(labels)
    for target, path in (paths or {}).items():
        trail(canvas, path, _color(target, colors), style.line)
    shown = [point for point in points if point.has_box]
    for point in shown:
        lost = point.state == "lost"
        color = _color(point.target, colors, dark=lost)
        outline(canvas, point.box, color, mark=style.shown_mark, dashed=lost, line=style.line)
    targets = max(len(points), len(labels))  # some may have no point in this frame
    texts = [_texts(canvas, point, labels, targets, style) for point in shown]
    sizes = [[layout_text(canvas, text, (0, 0))[2:4] for text in choice] for choice in texts]
    covered: list[Box] = []
    places = place_labels([point.box for point in shown], sizes, line_width(canvas) + 1, (width, height))
    for point, choice, size, place in zip(shown, texts, sizes, places, strict=True):
        if place is not None:
            (x, y), (w, h) = place.corner, size[place.choice]
            color = _color(point.target, colors, dark=point.state == "lost")
            write_text(canvas, choice[place.choice], (x, y + h), color)
            covered.append(Box(x, y, w, h))
    if points and style.shows_number:
        number, corner = f"frame {points[0].index}", (0, canvas.shape[0])
        layout = layout_text(canvas, number, corner)
        background = Box(layout.x, layout.y, layout.w, layout.h)
        others = [*(point.box for point in shown), *covered]
        if 10 * background.area <= height * width and not any(iou(background, box) for box in others):
            write_text(canvas, number, corner, _DARK)
    return canvas


def _color(target: int, chosen: Mapping[int, Color], *, dark: bool = False) -> Color:
    """That of the target, darker while it is lost."""
    color = chosen.get(target) or target_color(target)
    return (color[0] * 6 // 10, color[1] * 6 // 10, color[2] * 6 // 10) if dark else color


def _texts(
    canvas: Image, point: TrackPoint, labels: Sequence[str | None], targets: int, style: Style
) -> list[str]:
    """Name, score and state, then shorter texts for where there is no room; none without any of them.

    A name that would make it wider than half the picture is cut; dots say so, but not in the last text.
    Where the label of another target begins as what is left, the number stands for it.
    """
    parts = style.shown_labels
    number, name = f"#{point.target}", ""
    if "name" in parts and any(labels[point.target - 1 : point.target]):
        name = shown_name(labels, point.target)
    elif "name" in parts and targets > 1:
        name = number
    else:
        number = ""
    score = f"{point.score:.2f}" if "score" in parts and point.state != "lost" else ""
    state = point.state if "state" in parts and point.state != "tracked" else ""
    shown = name
    for length in range(len(name), _SHORTEST, -1):
        if 2 * layout_text(canvas, _joined(shown, score, state), (0, 0)).w <= canvas.shape[1]:
            break
        shown = _begun(name, length - 1, labels, "...") or number
    short = name if len(name) <= _SHORTEST else _begun(name, _SHORTEST - 3, labels, "...") or number
    least = number if name.startswith(number) else _begun(name, 2, labels) or number
    shorter = [_joined(shown, score, state), _joined(shown, state), _joined(short, state), short, least]
    texts = [text for i, text in enumerate(shorter) if text and text not in shorter[:i]]
    return [text for i, text in enumerate(texts) if i == 0 or len(text) < len(texts[i - 1])]


def _begun(name: str, length: int, labels: Sequence[str | None], dots: str = "") -> str:
    """The first letters of a name; nothing where another label begins with them, too."""
    letters = name[:length].rstrip()
    return "" if sum((label or "").startswith(letters) for label in labels) > 1 else letters + dots


def _joined(*parts: str) -> str:
    return " ".join(filter(None, parts))
