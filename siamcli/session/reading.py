"""How a source that was tracked is read again, and shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction

from siamcli.drawing.style import Style
from siamcli.frames import FrameSource
from siamcli.media.kinds import source_name
from siamcli.media.sound import AudioChoice
from siamcli.media.sources import constant_rate, open_source
from siamcli.targets import TargetMark
from siamcli.times import TimePoint
from siamcli.trajectory import Trajectory

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A source, the options under which it is opened, as `open_source` takes them, and the sound and the
    style of its videos."""

    source: str
    fps: Fraction | None = None
    fps_if_needed: bool = False
    stream: int | None = None
    deinterlace: bool = False
    audio: AudioChoice = None
    style: Style = field(default_factory=Style)

    def of(self, trajectory: Trajectory) -> Reading:
        """The same; images without a rate have the one under which they were tracked."""
        if self.fps or not source_name(self.source).is_images:
            return self
        return replace(self, fps=trajectory.header.source.fps)

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
        """Every `stride`-th frame from `start` up to, not including, `end`, and those at the times in `also`.

        Raises InputError.
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
