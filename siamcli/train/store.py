"""All training images in memory, decoded once, as one block of uint8 pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import torch
from torch import Tensor

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.frames import Image

__all__ = ["Footage", "Picture", "Skip", "Track", "collect"]


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One decoded image and its boxes, each with the name of the track it belongs to."""

    image: Image
    objects: tuple[tuple[str, Box], ...]


@dataclass(frozen=True, slots=True)
class Skip:
    """Something that could not be used, and why; counted and reported, never fatal."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class Track:
    """One object in one image (a track of length one) or through a sequence.

    `images` index the store, `boxes` has one box (x, y, w, h in image pixels) per image.  `source`
    counts the data sets in the order of the config.
    """

    name: str
    source: int
    images: tuple[int, ...]
    boxes: tuple[Box, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Footage:
    """Every pixel of every image, one after the other, and what is to be seen in them.

    pixels (P, 3) uint8 BGR; start (N,) int64, the first pixel of each image; size (N, 2) int64 as
    width, height; mean (N, 3) float32, the colour that fills what lies outside.
    """

    pixels: Tensor
    start: Tensor
    size: Tensor
    mean: Tensor
    tracks: tuple[Track, ...]
    skipped: tuple[Skip, ...]

    def to(self, device: torch.device) -> Footage:
        """The same footage with its tensors on `device`."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            start=self.start.to(device),
            size=self.size.to(device),
            mean=self.mean.to(device),
        )


def collect(sources: Iterable[Iterable[Picture | Skip]]) -> Footage:
    """Read every source to its end.  Raises DatasetError when nothing usable is left."""
    images: list[Image | None] = []
    skipped: list[Skip] = []
    means: list[tuple[float, ...]] = []
    tracks: list[Track] = []
    for number, source in enumerate(sources):
        seen: dict[str, list[tuple[int, Box]]] = {}
        for item in source:
            if isinstance(item, Skip):
                skipped.append(item)
                continue
            for name, box in item.objects:
                seen.setdefault(name, []).append((len(images), box))
            images.append(item.image)
            means.append(cv2.mean(item.image)[:3])
        tracks += [
            Track(name, number, tuple(i for i, _ in hits), tuple(b for _, b in hits))
            for name, hits in seen.items()
        ]
    if not tracks:
        raise DatasetError(
            f"no usable image with a box in the training data ({len(skipped)} skipped)",
            hint=f"first reason: {skipped[0].where}: {skipped[0].reason}" if skipped else "check the paths",
        )
    size = torch.tensor([i.shape[1::-1] for i in images if i is not None])
    count = size.prod(1)
    start = count.cumsum(0) - count
    pixels = torch.empty((int(count.sum()), 3), dtype=torch.uint8)
    for index, (first, length) in enumerate(zip(start.tolist(), count.tolist(), strict=True)):
        image, images[index] = images[index], None  # freed one by one: the peak stays at one copy
        assert image is not None
        pixels[first : first + length] = torch.from_numpy(image.reshape(-1, 3))
    return Footage(pixels, start, size, torch.tensor(means), tuple(tracks), tuple(skipped))
