"""How a source is read and shown, and how it is found again after it was tracked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from fractions import Fraction
from pathlib import Path, PurePosixPath

from siamcli.drawing.style import Style
from siamcli.errors import InputError
from siamcli.frames import FrameSource, SourceInfo
from siamcli.media.kinds import join_files, source_name
from siamcli.media.sound import AudioChoice
from siamcli.media.sources import constant_rate, open_source
from siamcli.session.fit import MisfitError
from siamcli.targets import Target, TargetMark
from siamcli.times import TimePoint
from siamcli.trajectory import Trajectory

__all__ = ["Reading"]


def _recording_of(source: str, tracked: SourceInfo) -> str:
    """The files of a joined recording that was tracked, of which `source` names the first; others unchanged.

    Raises MisfitError when it does not, InputError for a file that is not there.
    """
    name = source_name(source)
    if not tracked.chapters or name.kind != "file":
        return source
    first, *others = (PurePosixPath(chapter.name) for chapter in tracked.chapters)
    whole = name.absolute().path
    if whole.parts[-len(first.parts) :] != first.parts:
        raise MisfitError(
            f"the trajectory is of a recording that begins with {first}, and {source} is another file"
        )
    folder = Path(source).parent if len(first.parts) == 1 else whole.parents[len(first.parts) - 1]
    try:
        return join_files([source, *(str(folder / other) for other in others)])
    except InputError as error:
        error.hint = (
            f"the trajectory is of {len(tracked.chapters)} files that are one recording: keep them together"
        )
        raise


@dataclass(frozen=True, slots=True)
class Reading:
    """A source and the options for reading it.

    `fps` is the frame rate of a source without times (images, raw video); a source with times refuses it, or
    ignores it with `fps_if_needed`.  `stream` is the number of the video stream.  `audio` chooses the audio
    streams and `style` the look of videos that are written.  Targets are searched for in `region` only, or
    where the image file `mask` is white.
    """

    source: str
    _: KW_ONLY
    fps: Fraction | None = None
    fps_if_needed: bool = False
    stream: int | None = None
    deinterlace: bool = False
    audio: AudioChoice = None
    style: Style = field(default_factory=Style)
    region: Target | None = None
    mask: str | None = None

    def of(self, trajectory: Trajectory) -> Reading:
        """The same, completed from a trajectory of the source: the frame rate of images, the files of a
        joined recording.  Raises MisfitError, InputError.
        """
        tracked = trajectory.header.source
        if self.fps or not source_name(self.source).is_images:
            return replace(self, source=_recording_of(self.source, tracked))
        return replace(self, fps=tracked.fps)

    def without_timecodes(self, marks: Sequence[TargetMark]) -> list[TargetMark]:
        """The marks with a frame in place of every timecode.  Raises InputError."""
        if not any(moment.timecode for mark in marks for moment in mark.moments):
            return list(marks)
        rate = constant_rate(self.source, self.open)
        return [mark.at_rate(rate) for mark in marks]

    def open(
        self,
        *,
        start: TimePoint | None = None,
        end: TimePoint | None = None,
        stride: int = 1,
        also: Sequence[TimePoint] = (),
    ) -> FrameSource:
        """Open the source: every `stride`-th frame from `start` up to, not including, `end`, and the frames
        at the times `also`.  Raises InputError.
        """
        return open_source(
            self.source,
            start=start,
            end=end,
            stride=stride,
            also=also,
            fps=self.fps,
            fps_if_needed=self.fps_if_needed,
            stream=self.stream,
            deinterlace=self.deinterlace,
        )
