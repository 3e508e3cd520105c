"""Blender: a script that adds markers to a movie clip.

Source: https://docs.blender.org/api/current/bpy.types.MovieTrackingMarkers.html
"""

from __future__ import annotations

import json

from siamcli.formats.select import frame_size, seen_by_editors
from siamcli.labels import target_name
from siamcli.trajectory import Trajectory

__all__ = ["text"]

_SCRIPT = '''"""Adds the targets of {name} to the open movie clip.  Run it in Blender's text editor."""

import bpy

SIZE = {size}  # pixels
# name -> frame from 1, x and y of the centre from the bottom left, in parts of the picture
TRACKS = {tracks}

clips = [clip for clip in bpy.data.movieclips if tuple(clip.size) == SIZE]
if not clips:
    raise SystemExit(f"open the movie of {{SIZE[0]}}x{{SIZE[1]}} pixels in the clip editor first")
for name, markers in TRACKS:
    track = clips[0].tracking.tracks.new(name=name, frame=markers[0][0])
    for frame, x, y in markers:
        track.markers.insert_frame(frame, co=(x, y))
'''


def text(trajectory: Trajectory, *, drop_lost: bool = False) -> str:
    """A Python script with a track per target."""
    width, height = frame_size(trajectory)
    tracks = []
    for target, points in seen_by_editors(trajectory, drop_lost=drop_lost).items():
        markers = [
            [n + 1, round(p.box.center[0] / width, 6), round(1 - p.box.center[1] / height, 6)]
            for n, p in points.items()
        ]
        if markers:
            tracks.append([target_name(trajectory.header.labels, target), markers])
    rows = ",\n".join(f"    {track!a}" for track in tracks)
    name = json.dumps(trajectory.header.source.name)[1:-1]
    return _SCRIPT.format(name=name, size=(width, height), tracks=f"[\n{rows},\n]")
