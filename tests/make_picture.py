"""Draws weights/demo.webp, the picture of the README: four real clips side by side, tracked.

    python tests/make_picture.py FOLDER

The clips are not the project's and do not come along.  FOLDER holds them as Debian packages bring them:

    cockatoo.mp4                                python3-imageio       BSD-2-Clause, imageio contributors
    motion.mov                                  node-opencv           MIT, Peter Braden
    vtest.avi                                   opencv-doc            Apache-2.0, OpenCV
    Shepard_Calais_1906_FrenchGP.ogv.160p.ogv   python-nbsphinx-doc   public domain, Wikimedia Commons
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from siamcli.media.ffmpeg import ffmpeg_exe

# The clip, its target, its stretch of frames, and how 90 frames of the part to show are cut from it.
CLIPS = (
    ("cockatoo.mp4", "head=428,28,222,250", 0, 270, "select='not(mod(n,3))'"),
    ("motion.mov", "coin=424,117,63,42", 0, 240, "select='gte(n,60)*not(mod(n,2))'"),
    ("vtest.avi", "walker=316,210,30,84", 300, 420, "select='gte(n,30)',crop=480:270:288:170"),
    (
        "Shepard_Calais_1906_FrenchGP.ogv.160p.ogv",
        "car=19,22,24,26",
        150,
        288,
        "select='gte(n,48)',crop=208:117:4:4",
    ),
)
OUTPUT = Path(__file__).parents[1] / "weights" / "demo.webp"


def draw(folder: Path) -> None:
    """Track the four clips and put them together, ten frames a second."""
    with tempfile.TemporaryDirectory() as work:
        inputs, filters = [], []
        for i, (name, box, start, end, chosen) in enumerate(CLIPS):
            video = Path(work) / f"{i}.mp4"
            run = [sys.executable, "-m", "siamcli", "run", str(folder / name), "--box", box, "--quiet"]
            stretch = ["--start", f"{start}f", "--end", f"{end}f", "--no-frame-number"]
            subprocess.run([*run, *stretch, "-o", str(video)], check=True)
            inputs += ["-i", str(video)]
            filters.append(f"[{i}]{chosen},setpts=N/10/TB,fps=10,scale=400:225:flags=lanczos,setsar=1[v{i}]")
        places = "[v0][v1][v2][v3]xstack=inputs=4:layout=0_0|w0_0|0_h0|w0_h0:shortest=1"
        options = ["-c:v", "libwebp_anim", "-quality", "50", "-compression_level", "6", "-loop", "0"]
        command = [
            ffmpeg_exe(),
            "-y",
            "-loglevel",
            "error",
            *inputs,
            "-filter_complex",
            ";".join([*filters, places]),
        ]
        subprocess.run([*command, *options, str(OUTPUT)], check=True)


if __name__ == "__main__":
    draw(Path(sys.argv[1]))
