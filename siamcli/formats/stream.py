"""The base class of the formats that are written while tracking."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from siamcli.formats.records import header_record, point_record
from siamcli.frames import SourceInfo
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory, lost_intervals

__all__ = ["Lost", "TextStream", "whole_text"]

Lost = Mapping[int, Sequence[tuple[int, int]]]
"""Target -> first and last frame of every stretch in which it was lost."""


class TextStream(ABC):
    """The text of one file: `head`, then `points` any number of times, then `tail`.

    With `drop_lost` a format without states has no lines for lost frames.
    """

    def __init__(self, header: TrackHeader, *, drop_lost: bool = False) -> None:
        self._header = header
        self._drop_lost = drop_lost

    def head(self, source: SourceInfo | None = None) -> str:
        """What stands before the first point; `source` is what is known of the source at its end."""
        header = self._header if source is None else replace(self._header, source=source)
        return self._head(header_record(header))

    def points(self, points: Sequence[TrackPoint]) -> str:
        """The next points."""
        labels = self._header.labels
        return "".join(self._point(point_record(point, labels)) for point in points)

    def tail(self, *, frames: int, complete: bool, lost: Lost) -> str:
        """What stands after the last point; not `complete` says that frames are missing at the end."""
        intervals = {str(target): found for target, found in lost.items()}
        return self._tail({"frames": frames, "complete": complete, "lost": intervals})

    def _head(self, header: dict[str, Any]) -> str:
        return ""

    @abstractmethod
    def _point(self, point: dict[str, Any]) -> str:
        """One `point_record`."""

    def _tail(self, summary: dict[str, Any]) -> str:
        return ""


def whole_text(stream: TextStream, trajectory: Trajectory) -> str:
    """All of `trajectory`; raises InputError for what the format cannot hold."""
    frames = trajectory.frames
    if frames is None:
        frames = len({point.index for point in trajectory.points})
    tail = stream.tail(frames=frames, complete=trajectory.complete, lost=lost_intervals(trajectory.points))
    return stream.head() + stream.points(trajectory.points) + tail
