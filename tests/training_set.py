"""A tiny training set of our own: bright rectangles on noise, as videos with boxes."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SIZE = (200, 160)


def draw(boxes: list[tuple[float, float, float, float]], rng: np.random.Generator) -> np.ndarray:
    """One image with a bright rectangle per box (whole pixels) on dim noise."""
    image = rng.integers(0, 60, (SIZE[1], SIZE[0], 3), dtype=np.uint8)
    for x, y, w, h in boxes:
        image[int(y) : int(y + h), int(x) : int(x + w)] = (230, 240, 250)
    return image


def make_sequences(folder: Path, count: int = 2, frames: int = 6) -> None:
    """NAME/0001.png ... and NAME/groundtruth.txt, GOT-10k style."""
    rng = np.random.default_rng(0)
    for number in range(count):
        inner = folder / f"seq{number}"
        inner.mkdir(parents=True)
        rows = []
        for index in range(frames):
            box = (40 + 5 * index, 50 + 10 * number, 36, 30)
            cv2.imwrite(str(inner / f"{index:04d}.png"), draw([box], rng))
            rows.append(",".join(map(str, box)))
        (inner / "groundtruth.txt").write_text("\n".join(rows))


def make_config(
    folder: Path, *, steps: int, save_every: int = 100, more: str = "", model: str = "siamrpnpp-r10"
) -> Path:
    """A config that trains a small model on `make_sequences` within seconds."""
    make_sequences(folder / "data")
    path = folder / "tiny.toml"
    path.write_text(
        f"""
model = "{model}"
output = "{folder / "out"}"
save_every = {save_every}
precision = "float32"
[[data]]
path = "{folder / "data"}"
format = "folders"
[track]
steps = {steps}
batch = 2
optimizer = "adamw"
rate = 1e-3
{more}"""
    )
    return path
