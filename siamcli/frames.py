"""The frames of a source, and what is known about the source."""

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
    """One frame of a source.

    `index` counts from 0 in the whole source.  `time` is the container's timestamp in seconds, or None.
    Nothing may write to `image`.  `arrived` is the time on the clock of `time.monotonic` at which a frame of
    a live source arrived; None for other sources.
    """

    index: int
    time: float | None
    image: Image = field(repr=False)
    arrived: float | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Chapter:
    """One file of a joined recording.

    `name` is its path, relative to the folder that contains all files; `frame` the index of its first frame;
    `time` the time in the recording, in seconds, at which the file's own time is 0.  None: not known yet.
    """

    name: str
    frame: int | None = None
    time: float | None = None


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What is known about a source; None where something is not known.

    `size` is (width, height) after rotation.  `fps` is the frame rate.  `count` is the number of frames: the
    container's estimate at first, the true number once all frames are read.  `announced` is the estimate if
    it was wrong.  `rotation` is the clockwise rotation in degrees that siamtrack has applied to the stored
    picture, after mirroring it from left to right if `mirrored`.  `pixel_aspect` is the width of a pixel
    divided by its height; siamtrack scales nothing by it.  `variable` is true if the container says that the
    frame rate varies.  `chapters` are the files of a joined recording.  `files` are the file names of an
    image source by frame index, relative to the folder that contains them all.  `sounds` is the number of
    sounds beside the pictures, as far as it is known; no file of results contains it.
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
        """The same source, now that it turned out to have `frames` frames.

        >>> SourceInfo("a", count=60).counted(12).announced, SourceInfo("a", count=12).counted(12).announced
        (60, None)
        """
        return replace(self, count=frames, announced=None if self.count == frames else self.count)


class FrameSource(Protocol):
    """A video, a folder of images or a camera: opened, iterated once, closed.

    Iteration raises InputError for what cannot be read.  A damaged or truncated file yields every frame that
    can be decoded before InputError is raised.
    """

    @property
    def info(self) -> SourceInfo: ...

    @property
    def live(self) -> bool:
        """True for a camera or a stream, which does not wait for its reader."""

    @property
    def dropped(self) -> int:
        """How many frames of a live source were dropped because the reader was too slow."""

    @property
    def ready(self) -> bool:
        """True if reading the next frame, or the end, does not block."""

    def __iter__(self) -> Iterator[Frame]: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...
