"""Draws weights/styles.webp: every style of `render` on one frame of the demo clip.

Run it in the folder of the README: python tests/make_styles.py
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from siamcli.analysis.framing import Crop, follow_target
from siamcli.boxes import Box
from siamcli.drawing.painter import Painter
from siamcli.drawing.style import Effect, Style
from siamcli.drawing.text import write_text
from siamcli.frames import SourceInfo
from siamcli.media.sources import open_source
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

DATA = Path(__file__).parent / "data"
FRAME = 40
STYLES = {
    "--draw box": Style(),
    "--draw corners": Style(mark="corners"),
    "--draw ellipse": Style(mark="ellipse"),
    "--draw dot --trail 1s": Style(mark="dot", trail=1),
    "--labels name": Style(labels=("name",), frame_number=False),
    "--line 1 --color red": Style(line=1, colors=(("bug", (40, 40, 230)),)),
    "lost": Style(),
    "--pixelate": Style((Effect("pixelate"),)),
    "--blur --shape ellipse": Style((Effect("blur"),), "ellipse"),
    "--fill black": Style((Effect("fill"),)),
    "--spotlight": Style((Effect("spotlight"),)),
    "--crop --zoom 2x": Style(),
}


def trajectory(info: SourceInfo) -> Trajectory:
    """The demo's true boxes."""
    rows = np.loadtxt(DATA / "demo.csv", delimiter=",", skiprows=1)
    points = tuple(TrackPoint(i, i / 25, Box(*row), 0.87, "tracked") for i, row in enumerate(rows.tolist()))
    return Trajectory(TrackHeader(info, "", "", "", labels=("bug",)), points, complete=True)


def main() -> None:
    """Write the picture."""
    with open_source(str(DATA / "demo.mp4")) as source:
        frames = [frame for frame in source if frame.index <= FRAME]
        tracked = trajectory(source.info)
    view = follow_target(tracked, Crop(1, None, 1.0, 2.0), (640, 360))
    tiles = []
    for name, style in STYLES.items():
        painter = Painter(style, ("bug",), view if name.startswith("--crop") else None)
        for frame in frames:
            points = [point for point in tracked.points if point.index == frame.index]
            if name == "lost" and frame.index > FRAME - 3:
                points = [replace(point, state="lost") for point in points]
            picture = painter.paint(frame, points)
        tile = cv2.resize(picture, (320, 180), interpolation=cv2.INTER_AREA)
        write_text(tile, name, (0, 20), (255, 255, 255))
        tiles.append(tile)
    rows = [np.hstack(tiles[i : i + 4]) for i in range(0, len(tiles), 4)]
    path = Path(__file__).parents[1] / "weights" / "styles.webp"
    cv2.imwrite(str(path), np.vstack(rows), [cv2.IMWRITE_WEBP_QUALITY, 60])


if __name__ == "__main__":
    main()
