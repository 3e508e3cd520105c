"""Image folders and patterns, in natural order of their numbers."""

from __future__ import annotations

import glob
import logging
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamcli.errors import InputError, why_unread
from siamcli.frames import Frame, Image, SourceInfo
from siamcli.media.base import Source
from siamcli.media.images import (
    Pixels,
    ValueRange,
    decode_page,
    fit_into,
    page_count,
    read_image,
    value_range,
)
from siamcli.media.kinds import is_image
from siamcli.media.suffixes import IMAGE_SUFFIXES
from siamcli.natural import natural_key
from siamcli.times import FrameFilter, FrameRange

__all__ = ["ImageSequence", "images_in", "matching"]

SAMPLES = 8  # images in which the range of all values is looked for
_logger = logging.getLogger(__name__)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order.  Raises InputError if it has none, or may not be read."""
    try:
        paths = [path for path in folder.iterdir() if is_image(path)]
    except OSError as error:
        raise InputError(f"cannot read {folder}: {why_unread(error)}") from None
    if not paths:
        raise InputError(f"no images in {folder}", hint=f"known suffixes: {' '.join(IMAGE_SUFFIXES)}")
    return sorted(paths, key=lambda path: natural_key(path.name))


def matching(pattern: str) -> list[Path]:
    """The images that match a pattern, in natural order; raises InputError when there are none."""
    paths = [path for path in map(Path, glob.glob(pattern, recursive=True)) if is_image(path)]  # noqa: PTH207
    if not paths:
        raise InputError(
            f"no image matches {pattern}",
            hint="a pattern is for images, in quotes; `siamtrack batch` takes one for videos",
        )
    return sorted(paths, key=lambda path: natural_key(str(path)))


class ImageSequence(Source):
    """Image files as one source.  The index counts pages of files, readable or not; times come from `fps`.

    All frames have the size of the first; larger and smaller images are scaled to it, unless `scaled` is
    false.  Values of more than 8 bits are shown in one range for all frames, found in a few of them.  Both
    are logged once.
    """

    def __init__(
        self,
        name: str,
        paths: Sequence[Path],
        cut: FrameRange,
        fps: Fraction | None = None,
        *,
        scaled: bool = True,
    ) -> None:
        super().__init__(cut)
        self._name = name
        self._pages = [(path, page) for path in paths for page in range(page_count(path))]
        self._open: tuple[Path, NDArray[np.uint8]] | None = None  # the file of the last page
        self._range: ValueRange | None = None
        first = next((image for page in self._pages if (image := self._read(*page)) is not None), None)
        if first is None:
            others = f", nor any other image of {name}" if len(paths) > 1 else ""
            raise InputError(f"cannot decode {paths[0]}{others}")
        self._scales, self._scaled = scaled, False
        size = (first.shape[1], first.shape[0])
        files = _names(paths) if len(self._pages) == len(paths) else ()  # pages have no names
        self.info = SourceInfo(name, size, fps, len(self._pages), files=files)

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        bad: list[Path] = []
        for index, (path, page) in enumerate(self._pages):
            time = None if self.info.fps is None else float(index / self.info.fps)
            decision = frame_filter(index, time)
            if decision == "stop":
                break
            if decision == "skip":
                continue
            image = self._read(path, page)
            if image is None:
                bad.append(path)
            else:
                yield Frame(index, time, self._resized(image, path))
        if bad:
            raise InputError(
                f"cannot decode {bad[0]}" + (f" and {len(bad) - 1} more" if len(bad) > 1 else ""),
                hint="the other images were used; repair or remove these",
            )

    def _read(self, path: Path, page: int) -> Image | None:
        pixels = self._decode(path, page)
        if pixels is None or pixels.dtype == np.uint8:
            return pixels
        if self._range is None:
            chosen = np.linspace(0, len(self._pages) - 1, SAMPLES).round().astype(int)
            samples = (self._decode(*self._pages[number]) for number in sorted(set(chosen)))
            self._range = value_range(
                [pixels, *(s for s in samples if s is not None and s.dtype == pixels.dtype)]
            )
            depth = "floating point" if pixels.dtype == np.float32 else "16-bit"
            _logger.warning(
                "%s: %s values from %g to %g are shown as black to white in all frames",
                *(self._name, depth, *self._range),
            )
        return self._range.apply(pixels)

    def _decode(self, path: Path, page: int) -> Pixels | None:
        if self._open is None or self._open[0] != path:
            try:
                self._open = (path, read_image(path))
            except OSError:
                return None
        return decode_page(self._open[1], page)

    def _resized(self, image: Image, path: Path) -> Image:
        assert self.info.size is not None
        size = (image.shape[1], image.shape[0])
        if size == self.info.size or not self._scales:
            return image
        if not self._scaled:
            self._scaled = True
            _logger.warning(
                "%s is %dx%d, not %dx%d as the first image: scaled to it, as all others of another size",
                *(path, *size, *self.info.size),
            )
        return fit_into(image, self.info.size)

    def close(self) -> None:
        """Nothing stays open between two images."""


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The paths as seen from the folder that holds them all.

    >>> _names([Path("a/1/x.png"), Path("a/2/x.png")])
    ('1/x.png', '2/x.png')
    """
    folder = os.path.commonpath([path.parent for path in paths])
    return tuple(path.relative_to(folder).as_posix() for path in paths)
