"""Memory stays flat, however long the video is."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import clips
import pytest

ROOT = Path(__file__).parents[1]

# From the source through prefetch, drawing, trajectory and video; prints the resident size on the way.
WAY = """
import sys
from pathlib import Path
from siamcli.boxes import Box
from siamcli.drawing.draw import draw
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import open_source
from siamcli.media.video import VideoWriter
from siamcli.session.textfile import open_text
from siamcli.trajectory import TrackHeader, TrackPoint

def megabytes():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20

source, target, every = sys.argv[1], sys.argv[2], int(sys.argv[3])
with open_source(source) as opened, prefetch(opened) as frames:
    header = TrackHeader(opened.info, "model", "", "0")
    with (
        open_text(f"{target}.json", header, overwrite=True) as writer,
        VideoWriter(f"{target}.mp4", opened.info, overwrite=True) as video,
    ):
        for frame in frames:
            state = "lost" if frame.index % 500 > 450 else "tracked"
            points = [TrackPoint(frame.index, frame.time, Box(20, 20, 30, 30), 0.9, state)]
            writer.write(points)
            video.write(draw(frame.image, points), frame.time)
            if frame.index % every == every - 1:
                print(frame.index + 1, round(megabytes(), 1), flush=True)
"""


def sizes(source: Path, every: int) -> list[tuple[int, float]]:
    command = [sys.executable, "-c", WAY, str(source), str(source.with_name("out")), str(every)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    rows = [line.split() for line in done.stdout.splitlines()]
    return [(int(index), float(size)) for index, size in rows]


def synthetic(path: Path, seconds: int) -> Path:
    pattern = f"testsrc=s=160x90:r=25:d={seconds}"
    clips.ffmpeg("-f", "lavfi", "-i", pattern, "-c:v", "mpeg4", "-q:v", "9", "-pix_fmt", "yuv420p", str(path))
    return path


def test_a_minute_of_video_takes_no_more_memory(tmp_path: Path) -> None:
    seen = sizes(synthetic(tmp_path / "a.mp4", 60), every=300)
    assert seen[-1][0] == 1500
    assert seen[-1][1] - seen[0][1] < 8  # MiB; 1,200 frames of 43 KB would be 49


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_an_hour_of_video_takes_no_more_memory(tmp_path: Path) -> None:
    seen = sizes(synthetic(tmp_path / "a.mp4", 3600), every=9000)
    print(seen)  # noqa: T201 - the figures are the result
    assert seen[-1][0] == 90_000
    assert seen[-1][1] - seen[0][1] < 16  # MiB; the frames together are 3.6 GiB
