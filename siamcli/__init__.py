"""siamtrack: follow an object through a video with SiamRPN++.

from siamcli import Box, Job, Session, follow, load_tracker, open_source, parse_target, read_trajectory

tracker = load_tracker()
with open_source("video.mp4") as frames:
    for frame, (state,) in follow(tracker, frames, [Box(300, 120, 80, 70)]):
        print(frame.index, state.box, state.score)

job = Job("video.mp4", (parse_target("300,120,80,70"),), ("out.mp4", "out.csv"))
with Session(job, lambda: tracker) as session:
    for frame, points in session:
        print(frame.index, [point.state for point in points])
print(read_trajectory("out.csv").to_pandas())
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from siamcli.version import __version__

if TYPE_CHECKING:
    from siamcli.boxes import Box
    from siamcli.errors import (
        DatasetError,
        DeviceError,
        InputError,
        OutputError,
        PickError,
        SiamtrackError,
        WeightsError,
    )
    from siamcli.formats.files import read_trajectory, write_trajectory
    from siamcli.frames import Frame, SourceInfo
    from siamcli.load import LoadedTracker, load_tracker
    from siamcli.media.kinds import join_files
    from siamcli.media.sources import open_source
    from siamcli.session.fix import fix
    from siamcli.session.job import Job
    from siamcli.session.reading import Reading
    from siamcli.session.session import Session
    from siamcli.targets import Target, parse_target
    from siamcli.times import TimePoint
    from siamcli.tracker.area import SearchArea
    from siamcli.tracker.follow import Absence, Start, follow, track_points
    from siamcli.tracker.tracker import Tracker, TrackerState
    from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

__all__ = [
    "Absence",
    "Box",
    "DatasetError",
    "DeviceError",
    "Frame",
    "InputError",
    "Job",
    "LoadedTracker",
    "OutputError",
    "PickError",
    "Reading",
    "SearchArea",
    "Session",
    "SiamtrackError",
    "SourceInfo",
    "Start",
    "Target",
    "TimePoint",
    "TrackHeader",
    "TrackPoint",
    "Tracker",
    "TrackerState",
    "Trajectory",
    "WeightsError",
    "__version__",
    "fix",
    "follow",
    "join_files",
    "load_tracker",
    "open_source",
    "parse_target",
    "read_trajectory",
    "track_points",
    "write_trajectory",
]

_MODULES = {
    "boxes": ("Box",),
    "errors": (
        *("DatasetError", "DeviceError", "InputError", "OutputError", "PickError", "SiamtrackError"),
        "WeightsError",
    ),
    "formats.files": ("read_trajectory", "write_trajectory"),
    "frames": ("Frame", "SourceInfo"),
    "load": ("LoadedTracker", "load_tracker"),
    "media.kinds": ("join_files",),
    "media.sources": ("open_source",),
    "session.fix": ("fix",),
    "session.job": ("Job",),
    "session.reading": ("Reading",),
    "session.session": ("Session",),
    "targets": ("Target", "parse_target"),
    "times": ("TimePoint",),
    "tracker.area": ("SearchArea",),
    "tracker.follow": ("Absence", "Start", "follow", "track_points"),
    "tracker.tracker": ("Tracker", "TrackerState"),
    "trajectory": ("TrackHeader", "TrackPoint", "Trajectory"),
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562): the command's help stays quick."""
    for module, names in _MODULES.items():
        if name in names:
            return getattr(import_module(f"siamcli.{module}"), name)
    raise AttributeError(f"module 'siamcli' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names, for completion in a notebook."""
    return sorted(__all__)
