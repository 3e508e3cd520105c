"""Render tests/data/demo.mp4: a beetle that crawls over painted ground, passes under a leaf and comes out.

    python tests/make_demo.py

Everything in it is drawn here, so the project may ship it.  The true boxes go to demo.csv beside it.
"""

from __future__ import annotations

import math
from pathlib import Path

import cv2
import numpy as np

from siamcli.frames import SourceInfo
from siamcli.media.encoders import VideoOptions
from siamcli.media.video import VideoWriter

WIDTH, HEIGHT, FRAMES, FPS = 640, 360, 120, 25


def ground(rng: np.random.Generator) -> np.ndarray:
    """Painted ground larger than the frame: several octaves of noise in earth colours, and pebbles."""
    height, width = HEIGHT + 80, WIDTH + 200
    tone = np.zeros((height, width), np.float32)
    for octave in (8, 16, 48, 120):
        noise = rng.random((height // octave + 2, width // octave + 2), np.float32)
        tone += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) * math.sqrt(octave)
    tone = (tone - tone.min()) / np.ptp(tone)
    low, high = np.array([60, 95, 105], np.float32), np.array([135, 180, 190], np.float32)
    image = low + tone[..., None] * (high - low)
    for _ in range(160):
        center = (int(rng.integers(width)), int(rng.integers(height)))
        axes = (int(rng.integers(3, 13)), int(rng.integers(3, 10)))
        shade = float(rng.uniform(0.7, 1.25))
        color = tuple(float(min(c * shade, 255)) for c in (125, 140, 145))
        cv2.ellipse(image, center, axes, float(rng.integers(180)), 0, 360, color, -1, cv2.LINE_AA)
        cv2.ellipse(image, center, axes, 0, 20, 160, tuple(c * 0.6 for c in color), 1, cv2.LINE_AA)
    return image.clip(0, 255).astype(np.uint8)


def beetle(image: np.ndarray, x: float, y: float, heading: float, scale: float, stride: float) -> None:
    """Draw the beetle with its centre at (x, y), walking toward `heading` (radians)."""
    turn = np.array([[math.cos(heading), -math.sin(heading)], [math.sin(heading), math.cos(heading)]])

    def at(u: float, v: float) -> tuple[int, int]:
        px, py = turn @ np.array([u, v]) * scale + (x, y)
        return round(px * 16), round(py * 16)

    def oval(u: float, v: float, a: float, b: float, color: tuple[int, int, int]) -> None:
        axes = (round(a * scale * 16), round(b * scale * 16))
        cv2.ellipse(image, at(u, v), axes, math.degrees(heading), 0, 360, color, -1, cv2.LINE_AA, 4)

    for side in (-1, 1):
        for leg, u in enumerate((-14.0, 0.0, 14.0)):
            swing = 5 * math.sin(stride + leg * 2.1 + side)
            cv2.line(image, at(u, side * 12), at(u + swing, side * 26), (25, 25, 30), 3, cv2.LINE_AA, 4)
    oval(0, 0, 27, 18, (30, 30, 170))
    oval(24, 0, 10, 12, (25, 25, 30))
    cv2.line(image, at(-27, 0), at(18, 0), (20, 20, 40), 2, cv2.LINE_AA, 4)
    for u, v in ((-12, -8), (-12, 8), (4, -9), (4, 9)):
        oval(u, v, 4, 4, (20, 20, 35))
    oval(-2, -12, 9, 2, (110, 120, 230))


def leaf(image: np.ndarray, x: int, y: int) -> None:
    """A leaf that hides what passes under it."""
    cv2.ellipse(image, (x, y), (26, 90), 18, 0, 360, (45, 130, 70), -1, cv2.LINE_AA)
    cv2.line(image, (x + 24, y - 80), (x - 24, y + 82), (70, 165, 105), 2, cv2.LINE_AA)


def box_at(frame: int) -> tuple[float, float, float, float, float]:
    """Centre x, y, heading and scale of the beetle, and the phase of its legs."""
    t = frame / (FRAMES - 1)
    x, y = 80 + 480 * t, 190 + 70 * math.sin(2.2 * math.pi * t)
    heading = math.atan2(70 * 2.2 * math.pi * math.cos(2.2 * math.pi * t), 480)
    return x, y, heading, 1.0 + 0.35 * t, frame * 0.9


def main() -> None:
    """Write the clip and its true boxes."""
    folder = Path(__file__).parent / "data"
    rng = np.random.default_rng(7)
    world = ground(rng)
    info = SourceInfo("demo", (WIDTH, HEIGHT), None, FRAMES)
    rows = ["x,y,w,h"]
    with VideoWriter(
        str(folder / "demo.mp4"), info, overwrite=True, options=VideoOptions("veryslow", 27)
    ) as video:
        for frame in range(FRAMES):
            pan = round(80 * frame / FRAMES)
            image = world[20 : 20 + HEIGHT, pan : pan + WIDTH].copy()
            x, y, heading, scale, stride = box_at(frame)
            beetle(image, x, y, heading, scale, stride)
            leaf(image, 416 - pan, 140)
            video.write(image, frame / FPS)
            half_w = (34 * abs(math.cos(heading)) + 18 * abs(math.sin(heading))) * scale
            half_h = (26 * abs(math.cos(heading)) + 30 * abs(math.sin(heading))) * scale
            rows.append(f"{x - half_w:.1f},{y - half_h:.1f},{2 * half_w:.1f},{2 * half_h:.1f}")
    (folder / "demo.csv").write_text("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
