"""All images of a training in one block: in their order, and never twice in memory."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_set import draw

from siamcli.train import store
from siamcli.train.config import DataConfig
from siamcli.train.data import load_footage

# Reads a folder; prints MiB: the peak before, the peak after, and what was read.
READ = """
import resource, sys
from siamcli.train.config import DataConfig
from siamcli.train.data import load_footage

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10

before = peak()
footage = load_footage([DataConfig(sys.argv[1], "folders")])
print(before, peak(), footage.pixels.numel() / 2**20)
"""


def sequence(folder: Path, images: list[np.ndarray]) -> Path:
    """NAME/0000.png ... with the same box on all of them."""
    folder.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(folder / f"{index:04d}.png"), image)
    (folder / "groundtruth.txt").write_text("40,50,36,30\n" * len(images))
    return folder


@given(
    sizes=st.lists(st.tuples(st.integers(1, 9), st.integers(1, 9)), min_size=1, max_size=12),
    block=st.integers(1, 50),
)
def test_pixels_keep_their_order_over_blocks(sizes: list[tuple[int, int]], block: int) -> None:
    rng = np.random.default_rng(0)
    images = [rng.integers(0, 256, (h, w, 3), np.uint8) for w, h in sizes]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_BLOCK", block)
        pixels = store._Pixels()
        for image in images:
            pixels.add(image)
        joined = pixels.joined().numpy()
    assert pixels.sizes == sizes
    assert np.array_equal(joined, np.concatenate([image.reshape(-1, 3) for image in images]))


def test_images_read_in_threads_keep_their_order(tmp_path: Path) -> None:
    """More of them than are read ahead, of many sizes, every seventh damaged."""
    rng = np.random.default_rng(1)
    images = [draw([(40, 50, 36, 30)], rng)[: 120 + i, : 100 + i] for i in range(40)]
    folder = sequence(tmp_path / "a", images)
    for index in range(0, 40, 7):
        (folder / f"{index:04d}.png").write_bytes(b"damaged")
    footage = load_footage([DataConfig(str(tmp_path), "folders")])
    good = [i for i in range(40) if i % 7]
    assert Counter(s.reason for s in footage.skipped) == {"unreadable image": 6}
    assert [Path(s.where).stem for s in footage.skipped] == [f"{i:04d}" for i in range(0, 40, 7)]
    assert footage.size.tolist() == [[100 + i, 120 + i] for i in good]
    for index, (start, (width, height)) in enumerate(
        zip(footage.start.tolist(), footage.size.tolist(), strict=True)
    ):
        found = footage.pixels[start : start + width * height].view(height, width, 3).numpy()
        assert np.array_equal(found, images[good[index]])


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="measured in Linux's units")
def test_images_are_in_memory_once(tmp_path: Path) -> None:
    folder = sequence(tmp_path / "a", [np.full((1000, 800, 3), 90, np.uint8)])
    for index in range(1, 80):
        (folder / f"{index:04d}.png").symlink_to("0000.png")
    (folder / "groundtruth.txt").write_text("40,50,36,30\n" * 80)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(tmp_path)], capture_output=True, text=True, check=True
    )
    before, after, pixels = map(float, done.stdout.split())
    assert pixels == pytest.approx(80 * 800 * 1000 * 3 / 2**20)
    assert after - before < 1.4 * pixels
