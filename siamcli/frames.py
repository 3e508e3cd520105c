"""Frames and sources."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from fractions import Fraction
from types import TracebackType
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Chapter", "Frame", "FrameSource", "Image", "SourceInfo"]

Image = NDArray[np.uint8]
"""(H, W, 3) uint8, BGR as OpenCV decodes it and as the checkpoints were trained on."""


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One picture and its place in time.

    `index` is 0-based in the whole source; `time` is in seconds from the container's own
    timestamps, or None.  `image` is never written to.  `arrived` is when a frame of a live source came, on
    the clock of `time.monotonic`; None for all others.
    """

    index: int
    time: float | None
    image: Image = field(repr=False)
    arrived: float | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One of the files of a joined recording: its name as seen from the folder that holds them all, the index
    of its first frame, and the time of the recording in seconds that is 0 in the file.  None: not known yet.
    """

    name: str
    frame: int | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known before the first frame is read; None where it cannot be known.

    `size` is (width, height) after rotation.  `count` is what the container announces, an estimate, and
    once all frames are read how many these are; then `announced` is the estimate if it was another one.
    `rotation` is the clockwise turn in degrees that has already been applied, after the stored
    picture was `mirrored` from left to right where that is true.
    `pixel_aspect` is a pixel's width by its height where it is shown; nothing is scaled by it.
    `variable` says that the frames do not all come at the rate `fps`, as far as the container says so.
    `chapters` are the files that were joined into one recording, none for a single file.
    `files` are the names of an image source's files by frame index, below the folder that holds them all.
    `sounds` counts the sounds beside the pictures, as far as that is known; no file of results says it.
    """

    name: str
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    count: int | None = None
    rotation: int = 0
    pixel_aspect: Fraction = Fraction(1)
    files: tuple[str, ...] = ()
    mirrored: bool = False
    announced: int | None = None
    variable: bool = False
    chapters: tuple[Chapter, ...] = ()
    sounds: int = field(default=0, compare=False)

    def counted(self, frames: int) -> SourceInfo:
        """The same, where the source has turned out to have so many frames.

        >>> SourceInfo("a", count=60).counted(12).announced, SourceInfo("a", count=12).counted(12).announced
        (60, None)
        """
        return replace(self, count=frames, announced=None if self.count == frames else self.count)


class FrameSource(Protocol):
    """A video, a folder of images or a camera: opened, iterated once, closed.

    Iteration raises InputError, never yields None.  A source that was cut short (a damaged
    or truncated file) yields every frame that decodes and then raises InputError.
    """

    @property
    def info(self) -> SourceInfo: ...

    @property
    def live(self) -> bool:
        """True when it does not wait for its reader: a camera, a stream."""

    @property
    def dropped(self) -> int:
        """Frames of a live source that its reader was too slow for."""

    @property
    def ready(self) -> bool:
        """True when the next frame, or the end, needs no waiting."""

    def __iter__(self) -> Iterator[Frame]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
