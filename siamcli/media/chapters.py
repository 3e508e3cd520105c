"""Reads several files as one recording: chapters of a camera, minutes of a dashcam."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import lru_cache
from pathlib import Path
from threading import Lock
from typing import NamedTuple

from siamcli.cores import usable_cores
from siamcli.errors import InputError
from siamcli.frames import Chapter, Frame, SourceInfo
from siamcli.media.base import Source
from siamcli.media.files import VideoFile
from siamcli.media.packets import last_frame, leaves_out
from siamcli.media.streams import Streams, VideoStream
from siamcli.times import FrameFilter, FrameRange, TimePoint

__all__ = ["ChapterFile", "JoinedFiles"]

RATES_DIFFER = 0.0005  # of the rate: 29.97 and 30 are two rates
_WHOLE = FrameRange()


@dataclass(frozen=True, slots=True)
class ChapterFile:
    """One of the files, as it is now, and how it is opened."""

    path: str
    changed: int  # in nanoseconds: a file that is written anew is another one
    options: tuple[str, ...] = ()
    stream: int | None = None
    deinterlace: bool = False

    def open(self, cut: FrameRange = _WHOLE) -> VideoFile:
        """The file as a source.  Raises InputError."""
        address, chosen = f"file:{self.path}", self.stream
        return VideoFile(address, self.path, cut, self.options, stream=chosen, deinterlace=self.deinterlace)


class _Seen(NamedTuple):
    """What is known of a file, the time of its first frame in seconds, and its streams, with the video."""

    info: SourceInfo
    first: float
    streams: Streams
    video: VideoStream


class _Last(NamedTuple):
    """Index and time of the last frame of a file."""

    frame: int
    time: float


@lru_cache(maxsize=1000)
def _look(file: ChapterFile) -> _Seen:
    with file.open() as source:
        first = next(source.frames(FrameFilter(_WHOLE)))
        return _Seen(source.info, first.time or 0.0, source.streams, source.plan.video)


@lru_cache(maxsize=1000)
def _last(file: ChapterFile) -> _Last:
    """By the packets where they say it exactly, else by reading all frames; raises InputError."""
    seen = _look(file)
    known = last_frame(f"file:{file.path}", seen.streams, seen.video)
    if known is None:
        with file.open() as source:
            for frame in source:
                known = frame.index, frame.time or 0.0
    assert known is not None  # a source without a frame raises
    return _Last(*known)


class JoinedFiles(Source):
    """Files of one size and rate, in the given order: the first frame of one follows the last of the other.

    A start in a later file opens that one alone: those before it are counted by their packets.  Raises
    InputError for sizes or rates that differ, and what VideoFile raises; after a damaged file it ends.
    """

    def __init__(self, name: str, files: Sequence[ChapterFile], cut: FrameRange) -> None:
        super().__init__(cut)
        self._files = files
        self._lock = Lock()
        self._current: VideoFile | None = None
        self._closed = False
        with ThreadPoolExecutor(usable_cores()) as pool:
            infos = [seen.info for seen in pool.map(_look, files)]
        _check_alike(files, infos)
        counts = [info.count for info in infos]
        whole = os.path.commonpath([os.path.dirname(os.path.abspath(f.path)) for f in files])  # noqa: PTH100, PTH120
        names = [Path(os.path.relpath(file.path, whole)).as_posix() for file in files]
        self.info = replace(
            infos[0],
            name=name,
            count=None if None in counts else sum(count or 0 for count in counts),
            variable=any(info.variable for info in infos),
            chapters=(Chapter(names[0], 0, 0.0), *(Chapter(name) for name in names[1:])),
        )

    def leaves_out(self, rate: Fraction) -> bool:
        """True where one of the files leaves frames out at that constant rate."""
        looks = ((f"file:{file.path}", _look(file)) for file in self._files)
        return any(leaves_out(address, seen.streams, seen.video, rate) for address, seen in looks)

    def frames(self, frame_filter: FrameFilter) -> Iterator[Frame]:
        begin, end = 0, 0.0  # the index of a file's first frame, and the time at which that comes
        for number, file in enumerate(self._files):
            zero = end - _look(file).first if number else 0.0
            self._note(number, begin, zero)
            start = self._start_in(file, begin, zero)
            last = None if start is None else self._passed_over(file, start)
            if last is None:
                with closing(self._open(file, start)) as source, self._says_what_is_left(number):
                    for frame in source.frames(FrameFilter(_WHOLE)):
                        last = _Last(frame.index, frame.time or 0.0)
                        index, time = begin + last.frame, zero + last.time
                        decision = frame_filter(index, time)
                        if decision == "stop":
                            return
                        if decision == "keep":
                            yield Frame(index, time, frame.image)
            if last is not None:
                begin, end = begin + last.frame + 1, zero + self._end(last)
        self.info = self.info.counted(begin)

    @contextmanager
    def _says_what_is_left(self, number: int) -> Iterator[None]:
        """Of an error in a file: that those after it were not read."""
        try:
            yield
        except InputError as error:
            if left := len(self._files) - number - 1:
                after = f"the {left} after it were" if left > 1 else f"{self._files[-1].path} was"
                error.hint = (
                    f"{error.hint}; {after} not read: track the files one by one, or leave this one out"
                )
            raise

    def _end(self, last: _Last) -> float:
        """When a file ends, by its own time."""
        step = float(1 / self.info.fps) if self.info.fps else last.time / max(last.frame, 1)
        return last.time + step

    def _passed_over(self, file: ChapterFile, start: TimePoint) -> _Last | None:
        """The last frame of a file that ends before `start`; None for one that must be opened.

        The last file always is: a start after the end is told with the length.
        """
        if file is self._files[-1]:
            return None
        last = _last(file)
        ends = TimePoint(frame=last.frame + 1), TimePoint(seconds=self._end(last))
        return last if any(map(start.is_from, ends)) else None

    def _start_in(self, file: ChapterFile, begin: int, zero: float) -> TimePoint | None:
        """The start of the cut as a moment of a file; None where that begins later."""
        start = self._cut.start
        if start is None or start.is_reached(begin, zero + _look(file).first):
            return None
        if start.frame is not None:
            return TimePoint(frame=start.frame - begin)
        return TimePoint(seconds=(start.seconds or 0.0) - zero)

    def _open(self, file: ChapterFile, start: TimePoint | None) -> VideoFile:
        with self._lock:
            if self._closed:
                raise InputError(f"{file.path} is not opened: its recording is closed")
            self._current = file.open(FrameRange(start))
            return self._current

    def _note(self, number: int, begin: int, zero: float) -> None:
        """Say where a file begins, now that it is known."""
        chapters = list(self.info.chapters)
        chapters[number] = Chapter(chapters[number].name, begin, zero)
        self.info = replace(self.info, chapters=tuple(chapters))

    def close(self) -> None:
        with self._lock:
            self._closed = True
            if self._current is not None:
                self._current.close()


def _check_alike(files: Sequence[ChapterFile], infos: Sequence[SourceInfo]) -> None:
    """Raises InputError for a file whose size, shape of pixels or rate differs from the first one's."""
    first = infos[0]
    for file, info in zip(files, infos, strict=True):
        if info.size != first.size:
            shapes = ["x".join(map(str, one.size or ())) for one in (first, info)]
            raise _differs(files[0], file, f"frames of {shapes[0]}", shapes[1])
        if info.pixel_aspect != first.pixel_aspect:
            raise _differs(
                files[0], file, f"pixels {first.pixel_aspect} as wide as high", f"{info.pixel_aspect}"
            )
        here, there = (float(one.fps or 0) for one in (info, first))
        if abs(here - there) > RATES_DIFFER * there:
            raise _differs(files[0], file, f"{there:g} frames per second", f"{here:g}")


def _differs(first: ChapterFile, file: ChapterFile, there: str, here: str) -> InputError:
    return InputError(
        f"{first.path} has {there} and {file.path} {here}: they are not one recording",
        hint="track them one by one, or bring them to one size and rate with ffmpeg first",
    )
