"""siamtrack: follow an object through a video with SiamRPN++.

from siamcli import Box, Start, follow, load_tracker, open_source

tracker = load_tracker()
with open_source("video.mp4") as frames:
    for frame, (state,) in follow(tracker, frames, [Start(Box(300, 120, 80, 70))]):
        print(frame.index, state.box, state.score)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from siamcli.version import __version__

if TYPE_CHECKING:
    from siamcli.boxes import Box
    from siamcli.formats.files import read_trajectory
    from siamcli.frames import Frame, SourceInfo
    from siamcli.load import LoadedTracker, load_tracker
    from siamcli.media.sources import open_source
    from siamcli.session.fix import fix
    from siamcli.times import TimePoint
    from siamcli.tracker.follow import Absence, Start, follow
    from siamcli.tracker.tracker import Tracker, TrackerState
    from siamcli.trajectory import TrackPoint, Trajectory

__all__ = [
    "Absence",
    "Box",
    "Frame",
    "LoadedTracker",
    "SourceInfo",
    "Start",
    "TimePoint",
    "TrackPoint",
    "Tracker",
    "TrackerState",
    "Trajectory",
    "__version__",
    "fix",
    "follow",
    "load_tracker",
    "open_source",
    "read_trajectory",
]

_HOMES = {
    "Absence": "tracker.follow",
    "Box": "boxes",
    "Frame": "frames",
    "LoadedTracker": "load",
    "SourceInfo": "frames",
    "Start": "tracker.follow",
    "TimePoint": "times",
    "TrackPoint": "trajectory",
    "Tracker": "tracker.tracker",
    "TrackerState": "tracker.tracker",
    "Trajectory": "trajectory",
    "fix": "session.fix",
    "follow": "tracker.follow",
    "load_tracker": "load",
    "open_source": "media.sources",
    "read_trajectory": "formats.files",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562): the command's help stays quick."""
    if name not in _HOMES:
        raise AttributeError(f"module 'siamcli' has no attribute {name!r}")
    return getattr(import_module(f"siamcli.{_HOMES[name]}"), name)
