"""How a source that was tracked is read again, and shown."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction

from siamcli.drawing.style import Style
from siamcli.frames import FrameSource
from siamcli.media.kinds import source_name
from siamcli.media.sound import AudioChoice
from siamcli.media.sources import open_source
from siamcli.times import TimePoint
from siamcli.trajectory import Trajectory

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """A source, the options under which it is opened, as `open_source` takes them, and the sound and the
    style of its videos."""

    source: str
    fps: Fraction | None = None
    stream: int | None = None
    deinterlace: bool = False
    audio: AudioChoice = None
    style: Style = field(default_factory=Style)

    def of(self, trajectory: Trajectory) -> Reading:
        """The same; images without a rate have the one under which they were tracked."""
        if self.fps or not source_name(self.source).is_images:
            return self
        return replace(self, fps=trajectory.header.source.fps)

    def open(self, *, start: TimePoint | None = None, end: TimePoint | None = None) -> FrameSource:
        """The frames from `start` up to, not including, `end`.  Raises InputError."""
        return open_source(
            self.source,
            start=start,
            end=end,
            fps=self.fps,
            stream=self.stream,
            deinterlace=self.deinterlace,
        )
