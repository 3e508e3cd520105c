"""What the page is told of clips, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from typing import Any

from siamcli.boxes import Box
from siamcli.trajectory import TrackPoint
from siamcli.ui.review.doubt import DOUBTED_BELOW, doubts
from siamcli.ui.review.editing import Editing
from siamcli.ui.review.frames import FrameStore
from siamcli.ui.review.library import Clip

__all__ = ["clip_document", "list_document", "point_row"]

_LETTERS = {"init": "i", "tracked": "t", "lost": "l", "found": "f", "absent": "a"}
_SOURCES = {"human": "h", "forward": "f", "backward": "b", "interpolated": "i"}


def list_document(clips: Iterable[Clip]) -> list[dict[str, Any]]:
    """The clips in their order: name, error, and how good each looks."""
    return [{"name": clip.name, "error": clip.error, **asdict(clip.summary)} for clip in clips]


def point_row(point: TrackPoint) -> list[Any]:
    """A point as [frame, box or null, score, state, source, agreement]; state and source by their letters."""
    box = None if point.state == "absent" else _rounded(point.box)
    agreement = None if point.agreement is None else round(point.agreement, 3)
    return [
        point.index,
        box,
        round(point.score, 3),
        _LETTERS[point.state],
        _SOURCES[point.source],
        agreement,
    ]


def clip_document(number: int, clip: Clip, editing: Editing, store: FrameStore) -> dict[str, Any]:
    """One clip: its frames, its targets with their points, what is pending, and where to look."""
    edits, version = editing.edits, editing.version
    trajectory = edits.trajectory
    labels = trajectory.header.labels
    points: list[list[Any]] = [[] for _ in labels]
    for point in trajectory.points:
        points[point.target - 1].append(point_row(point))
    last = trajectory.points[-1].index
    return {
        "clip": number,
        "version": version,
        "name": clip.name,
        "size": list(editing.size),
        "fps": float(store.info.fps or trajectory.header.source.fps or 25),
        "frames": store.end or max(last + 1, store.info.count or 0),
        "last": last,
        "targets": [
            {"label": label or f"target {number}", "named": label is not None, "points": rows}
            for number, (label, rows) in enumerate(zip(labels, points, strict=True), start=1)
        ],
        "pending": [
            {"target": target, "frame": frame, "box": box and _rounded(box)}
            for (target, frame), box in sorted(edits.pending.items())
        ],
        "doubts": [asdict(doubt) for doubt in doubts(trajectory.points)],
        "doubted": DOUBTED_BELOW,
        "unsaved": editing.unsaved,
        "undo": editing.can_undo,
        "saves": [str(editing.files.trajectory), str(editing.files.fixes)],
    }


def _rounded(box: Box) -> list[float]:
    return [round(value, 2) for value in box]
