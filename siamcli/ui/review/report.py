"""Writes the report: one self-contained page with scores, paths and the worst moments of every clip."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib import resources
from typing import Any

from siamcli.boxes import Box
from siamcli.drawing.colors import hex_color, target_color
from siamcli.drawing.draw import draw
from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory
from siamcli.frames import Image
from siamcli.labels import shown_name
from siamcli.media.reverse import Reopen, frames_at
from siamcli.session.fit import check_source, check_time, ends_before
from siamcli.trajectory import LostIntervals, TrackPoint, Trajectory
from siamcli.ui.review.doubt import confidence, doubts
from siamcli.ui.review.frames import as_jpeg, resized
from siamcli.ui.review.library import Clip

__all__ = ["report_entries", "report_page", "worst_frames"]

PICTURES = 6  # of a clip
PICTURE = (240, 180)  # room for one, in pixels
PICTURE_BYTES = 16 * 10**6  # of all pictures in the page; the worst clips come first
COLUMNS = 160  # of a strip
CORNERS = 48  # of a path
STRETCHES = 12  # lost stretches that are listed
NEAR = 120  # frames: pictures so near each other are read in one go
SCENE = 4.0  # sides of the box that a picture shows around it


def report_entries(clips: Sequence[Clip]) -> Iterator[tuple[dict[str, Any], InputError | None]]:
    """What the page says of each clip, in their order, as plain values for JSON; and why pictures of it are
    missing, None where none is.

    The pictures of all clips together are at most PICTURE_BYTES; the clips after that have none.
    """
    left = PICTURE_BYTES
    for clip in clips:
        entry: dict[str, Any] = {"name": clip.name, "error": clip.error}
        problem = InputError(clip.error) if clip.error else None
        if clip.trajectory is not None and clip.reopen is not None:
            trajectory = read_trajectory(clip.trajectory)
            if not trajectory.points:
                problem = InputError("the trajectory has no point")
                yield {**entry, "error": str(problem)}, problem
                continue
            entry |= _described(clip, trajectory)
            entry["pictures"] = []
            if left > 0:
                entry["pictures"], problem = _pictures(clip.reopen, trajectory)
                left -= sum(len(picture["jpeg"]) for picture in entry["pictures"])
                entry["problem"] = problem and str(problem)
        yield entry, problem


def report_page(title: str, entries: Sequence[dict[str, Any]]) -> str:
    """The page as HTML, with its style, its program and its data inside."""
    folder = resources.files("siamcli.ui.review") / "page"
    page, style, program = (
        (folder / name).read_text(encoding="utf-8") for name in ("report.html", "report.css", "report.js")
    )
    data = json.dumps({"title": title, "clips": entries}, separators=(",", ":"))
    # a < in the data could end the element that holds it
    parts = {"STYLE": style, "PROGRAM": program, "DATA": data.replace("<", "\\u003c")}
    for name, text in parts.items():
        page = page.replace(f"/*{name}*/", text, 1)
    return page


def _described(clip: Clip, trajectory: Trajectory) -> dict[str, Any]:
    """How good the clip looks, and per target its scores, path and lost stretches."""
    summary = clip.summary
    first, last = trajectory.points[0].index, trajectory.points[-1].index
    lost = LostIntervals()
    own: dict[int, list[TrackPoint]] = {}
    for point in trajectory.points:
        lost.add(point)
        own.setdefault(point.target, []).append(point)
    intervals = lost.intervals()
    labels = trajectory.header.labels
    size = trajectory.header.source.size
    return {
        "lost": round(summary.lost, 4),
        "disagreeing": summary.disagreeing and round(summary.disagreeing, 4),
        "shared": round(summary.shared, 4),
        "lowest": summary.lowest and round(summary.lowest, 2),  # once, as the pictures say it
        "frames": [first, last],
        "size": size or [1, 1],
        "targets": [
            {
                "label": shown_name(labels, target),
                "color": hex_color(target_color(target)),
                "strip": _strip(points, first, last),
                "path": _path(points, size),
                "lost": intervals[target][:STRETCHES],
                "more": max(0, len(intervals[target]) - STRETCHES),
            }
            for target, points in sorted(own.items())
        ],
    }


def _strip(points: Sequence[TrackPoint], first: int, last: int) -> str:
    """A letter per column: 0 to 9 for its lowest confidence, l lost, a absent, a space where nothing is.

    >>> _strip([TrackPoint(3, None, Box(0, 0, 1, 1), 0.55, "tracked")], 2, 4)
    ' 5 '
    """
    columns = min(COLUMNS, last - first + 1)
    strip = [" "] * columns
    for point in points:
        column = (point.index - first) * columns // (last - first + 1)
        letter = {"lost": "l", "absent": "a"}.get(point.state, str(min(9, int(10 * confidence(point)))))
        # of the letters of one column the worst stays: lost, then the lowest, then absent
        strip[column] = min(strip[column], letter, key="l0123456789a ".index)
    return "".join(strip)


def _path(points: Sequence[TrackPoint], size: tuple[int, int] | None) -> list[list[int]]:
    """The centres of at most CORNERS boxes that are believed, in thousandths of the frame."""
    seen = [point for point in points if point.state not in ("lost", "absent")]
    if size is None:
        return []
    chosen = seen[:: max(1, -(-len(seen) // CORNERS))]
    return [[round(1000 * v / side) for v, side in zip(p.box.center, size, strict=True)] for p in chosen]


def worst_frames(trajectory: Trajectory) -> list[int]:
    """At most PICTURES frames in which to look first: the worst of every doubt, then the least sure ones that
    lie apart from each other.  In order of time.
    """
    sure: dict[int, float] = {}
    for point in trajectory.points:
        sure[point.index] = min(sure.get(point.index, 1.0), confidence(point))
    doubted = sorted({doubt.worst for doubt in doubts(trajectory.points)}, key=lambda index: sure[index])
    chosen: list[int] = []
    apart = (max(sure) - min(sure)) // (2 * PICTURES)
    for index in [*doubted, *sorted(sure, key=lambda index: sure[index])]:
        if len(chosen) < PICTURES and all(abs(index - other) > apart for other in chosen):
            chosen.append(index)
    return sorted(chosen)


def _pictures(reopen: Reopen, trajectory: Trajectory) -> tuple[list[dict[str, Any]], InputError | None]:
    """The worst moments as {frame, jpeg (Base64)}, and why there are no more of them, None if there are."""
    wanted = worst_frames(trajectory)
    at: dict[int, list[TrackPoint]] = {index: [] for index in wanted}
    for point in trajectory.points:
        if point.index in at:
            at[point.index].append(point)
    groups: list[list[int]] = []
    for index in wanted:
        if not groups or index - groups[-1][-1] > NEAR:
            groups.append([])
        groups[-1].append(index)
    pictures = []
    try:
        with reopen() as frames:
            check_source(frames.info, trajectory.header.source, wanted)
        for group in groups:
            for frame in frames_at(reopen, group):
                check_time(frames.info, frame, at[frame.index][0].time)
                image = _scene(frame.image, at[frame.index], trajectory.header.labels)
                jpeg = base64.b64encode(as_jpeg(image, PICTURE, 60)).decode()
                pictures.append({"frame": frame.index, "jpeg": jpeg})
        if len(pictures) < len(wanted):
            last = trajectory.points[-1].index
            raise ends_before(last, frames.info.name, "does not", trajectory.header.source)
    except InputError as error:
        return pictures, error
    return pictures, None


def _scene(image: Image, points: Sequence[TrackPoint], labels: Sequence[str | None]) -> Image:
    """The part of the picture around the least sure target, with the boxes in it."""
    height, width = image.shape[:2]
    shown = [point for point in points if point.has_box]
    left, top, side = 0, 0, float(max(width, height))
    if shown:
        box = min(shown, key=confidence).box
        side = min(side, max(SCENE * max(box.w, box.h), side / 4))
        wide, high = min(width, round(side)), min(height, round(side * PICTURE[1] / PICTURE[0]))
        left = min(max(0, round(box.center[0] - wide / 2)), width - wide)
        top = min(max(0, round(box.center[1] - high / 2)), height - high)
        image = image[top : top + high, left : left + wide]
    small = resized(image, PICTURE)
    scale = small.shape[1] / image.shape[1]
    x, y = -left * scale, -top * scale
    moved = [
        replace(
            point, box=Box(*(v * scale + offset for v, offset in zip(point.box, (x, y, 0, 0), strict=True)))
        )
        for point in shown
    ]
    return draw(small, moved, labels)
