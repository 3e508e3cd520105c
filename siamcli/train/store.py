"""All training images in memory, decoded once, as one block of uint8 pixels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import NamedTuple

import cv2
import torch
from torch import Tensor

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.frames import Image

__all__ = ["AnnotatedImage", "ObjectBox", "ObjectTrack", "SkippedItem", "TrainingImages", "collect"]


class ObjectBox(NamedTuple):
    """A box with the name of the track it belongs to, and the object's category where it is known."""

    name: str
    box: Box
    category: str = ""


_BLOCK = 2**24
"""Pixels, 48 MiB: above what malloc keeps for later when it is freed."""


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedImage:
    """One decoded image and its boxes."""

    image: Image
    objects: tuple[ObjectBox, ...]


@dataclass(frozen=True, slots=True)
class SkippedItem:
    """Something that could not be used, and why; counted and reported, never fatal."""

    where: str
    reason: str


@dataclass(frozen=True, slots=True)
class ObjectTrack:
    """One object in one image (a track of length one) or through a sequence.

    `images` index the store, `boxes` has one box (x, y, w, h in image pixels) per image.  `source`
    counts the data sets in the order of the config; `category` is empty where it is not known.
    """

    name: str
    source: int
    images: tuple[int, ...]
    boxes: tuple[Box, ...]
    category: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class TrainingImages:
    """Every pixel of every image, one after the other, and what is to be seen in them.

    pixels (P, 3) uint8 BGR; start (N,) int64, the first pixel of each image; size (N, 2) int64 as
    width, height; mean (N, 3) float32, the colour that fills what lies outside.
    """

    pixels: Tensor
    start: Tensor
    size: Tensor
    mean: Tensor
    tracks: tuple[ObjectTrack, ...]
    skipped: tuple[SkippedItem, ...]

    def to(self, device: torch.device) -> TrainingImages:
        """The same footage with its tensors on `device`."""
        return replace(
            self,
            pixels=self.pixels.to(device),
            start=self.start.to(device),
            size=self.size.to(device),
            mean=self.mean.to(device),
        )


def collect(sources: Iterable[Iterable[AnnotatedImage | SkippedItem]]) -> TrainingImages:
    """Read every source to its end.  Raises DatasetError when nothing usable is left."""
    pixels = _Pixels()
    skipped: list[SkippedItem] = []
    means: list[tuple[float, ...]] = []
    tracks: list[ObjectTrack] = []
    for number, source in enumerate(sources):
        seen: dict[tuple[str, str], list[tuple[int, Box]]] = {}
        for item in source:
            if isinstance(item, SkippedItem):
                skipped.append(item)
                continue
            for name, box, category in item.objects:
                seen.setdefault((name, category), []).append((len(means), box))
            pixels.add(item.image)
            means.append(cv2.mean(item.image)[:3])
        tracks += [
            ObjectTrack(name, number, tuple(i for i, _ in hits), tuple(b for _, b in hits), category)
            for (name, category), hits in seen.items()
        ]
    if not tracks:
        raise DatasetError(
            f"no usable image with a box in the training data ({len(skipped)} skipped)",
            hint=f"first reason: {skipped[0].where}: {skipped[0].reason}" if skipped else "check the paths",
        )
    size = torch.tensor(pixels.sizes)
    count = size.prod(1)
    start = count.cumsum(0) - count
    return TrainingImages(pixels.joined(), start, size, torch.tensor(means), tuple(tracks), tuple(skipped))


class _Pixels:
    """The pixels of images as they come, kept in blocks until it is known how many there are.

    An image of its own would be freed in small pieces, of which the system gets few back; blocks are so
    large that it gets each back at once.  So never much more than one copy is in memory.
    """

    def __init__(self) -> None:
        self.sizes: list[tuple[int, int]] = []  # width, height
        self._blocks: list[Tensor] = []
        self._free = 0  # pixels at the end of the last block

    def add(self, image: Image) -> None:
        """Copy an image."""
        height, width = image.shape[:2]
        self.sizes.append((width, height))
        left = torch.from_numpy(image.reshape(-1, 3))
        while len(left):
            if not self._free:
                self._blocks.append(torch.empty((_BLOCK, 3), dtype=torch.uint8))
                self._free = _BLOCK
            first = _BLOCK - self._free
            taken = min(self._free, len(left))
            self._blocks[-1][first : first + taken] = left[:taken]
            self._free -= taken
            left = left[taken:]

    def joined(self) -> Tensor:
        """All of them, (P, 3); nothing is left here."""
        count = len(self._blocks) * _BLOCK - self._free
        numbers = torch.empty((count, 3), dtype=torch.uint8)
        for part in torch.split(numbers, _BLOCK):
            part.copy_(self._blocks.pop(0)[: len(part)])
        return numbers
