"""Image folders and patterns, in the order in which people number files."""

from __future__ import annotations

import glob
import os
import re
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np

from siamcli.errors import InputError
from siamcli.frames import Frame, Image, SourceInfo
from siamcli.media.base import Source
from siamcli.media.kinds import is_image
from siamcli.media.suffixes import IMAGE_SUFFIXES
from siamcli.times import Cut, Cutter

__all__ = ["ImageSequence", "images_in", "matching", "natural_key"]


def natural_key(text: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key under which `2.jpg` comes before `10.jpg`.

    >>> sorted(["f10.png", "f2.png", "F1.png"], key=natural_key)
    ['F1.png', 'f2.png', 'f10.png']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text.lower())
    return tuple((0, int(p), p) if p[0].isdecimal() else (1, 0, p) for p in parts)


def images_in(folder: Path) -> list[Path]:
    """The images of a folder in natural order; raises InputError when there are none."""
    paths = [path for path in folder.iterdir() if is_image(path)]
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
    """Image files as one source.  The index counts files, readable or not; times come from `fps`."""

    def __init__(self, name: str, paths: Sequence[Path], cut: Cut, fps: Fraction | None = None) -> None:
        super().__init__(cut)
        self._paths = paths
        first = next((image for path in paths if (image := _read(path)) is not None), None)
        if first is None:
            raise InputError(f"cannot decode {paths[0]}, nor any other image of {name}")
        size = (first.shape[1], first.shape[0])
        self.info = SourceInfo(name, size, fps, len(paths), files=_names(paths))

    def frames(self, cutter: Cutter) -> Iterator[Frame]:
        bad: list[Path] = []
        for index, path in enumerate(self._paths):
            time = None if self.info.fps is None else float(index / self.info.fps)
            fate = cutter(index, time)
            if fate == "stop":
                break
            if fate == "skip":
                continue
            image = _read(path)
            if image is None:
                bad.append(path)
            else:
                yield Frame(index, time, image)
        if bad:
            raise InputError(
                f"cannot decode {bad[0]}" + (f" and {len(bad) - 1} more" if len(bad) > 1 else ""),
                hint="the other images were used; repair or remove these",
            )

    def close(self) -> None:
        """Nothing stays open between two images."""


def _names(paths: Sequence[Path]) -> tuple[str, ...]:
    """The paths as seen from the folder that holds them all.

    >>> _names([Path("a/1/x.png"), Path("a/2/x.png")])
    ('1/x.png', '2/x.png')
    """
    folder = os.path.commonpath([path.parent for path in paths])
    return tuple(path.relative_to(folder).as_posix() for path in paths)


def _read(path: Path) -> Image | None:
    # imdecode, not imread: it takes any file name on every system, and stays silent.
    data = np.fromfile(path, np.uint8)
    image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    return None if image is None else np.asarray(image, dtype=np.uint8)
