"""What every source has in common: it is opened, iterated once and closed."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING

from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.times import Cut, Cutter

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Source"]


class Source(ABC):
    """A FrameSource that knows its Cut.  `close` may be called twice, and from another thread."""

    info: SourceInfo

    def __init__(self, cut: Cut) -> None:
        self._cut = cut

    @abstractmethod
    def frames(self, cutter: Cutter) -> Iterator[Frame]:
        """The frames that `cutter` keeps."""

    @abstractmethod
    def close(self) -> None:
        """Let go of files, processes and devices."""

    def __iter__(self) -> Iterator[Frame]:
        empty = True
        for frame in self.frames(Cutter(self._cut)):
            empty = False
            yield frame
        if empty:
            raise InputError(
                f"{self.info.name}: no frame between start and end",
                hint="check --start and --end against each other and the source's length",
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
