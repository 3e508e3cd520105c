"""Base classes of sources and of video outputs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.times import FrameFilter, FrameRange, length_in_words

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Output", "Source"]


class Source(ABC):
    """A FrameSource that knows its FrameRange.  `close` may be called twice, and from another thread."""

    info: SourceInfo
    live = False
    dropped = 0

    def __init__(self, cut: FrameRange) -> None:
        self._cut = cut

    @property
    def ready(self) -> bool:
        """True when the next frame, or the end, needs no waiting; what reads on demand makes it at once."""
        return True

    @abstractmethod
    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        """The frames that `frame_filter` keeps."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files, processes and devices."""

    def __iter__(self) -> Iterator[Frame]:
        empty = True
        frame_filter = FrameFilter(self._cut)
        for frame in self.frames(frame_filter):
            empty = False
            yield frame
        if empty:
            length = length_in_words(self._cut, frame_filter.frames, frame_filter.last, self.info.fps)
            raise InputError(
                f"{self.info.name}: no frame between start and end: {length}",
                hint="choose a later --end" if self._cut.start is None else "choose an earlier --start",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *stopped: object) -> None:
        self.close()


class Output(ABC):
    """Grows frame by frame, in a `with` block.

    An exception that leaves the block closes it as incomplete; without a single frame nothing is left.
    """

    @property
    @abstractmethod
    def begun(self) -> bool:
        """True once it holds a frame."""

    @property
    @abstractmethod
    def kept(self) -> Path | None:
        """Where its file lies once it has ended; None where nothing was kept."""

    @abstractmethod
    def close(self, complete: bool) -> None:
        """End it and give it its name; not `complete` says that frames are missing at the end."""

    @abstractmethod
    def discard(self) -> None:
        """End it and leave nothing behind."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is not None and not self.begun:
            self.discard()
        else:
            self.close(complete=error is None)
