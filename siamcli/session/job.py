"""The unit of work: one source, its targets, its outputs.  One for `run`, any number for `batch`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING

from siamcli.errors import InputError
from siamcli.formats.names import target_paths
from siamcli.frames import Frame, FrameSource, SourceInfo
from siamcli.media.encoders import VideoOptions
from siamcli.media.sources import open_source
from siamcli.parts import Unfinished
from siamcli.targets import Target
from siamcli.times import Cut, TimePoint
from siamcli.tracker.follow import Start
from siamcli.trajectory import TrackHeader, TrackPoint
from siamcli.version import __version__

if TYPE_CHECKING:
    from siamcli.load import LoadedTracker

__all__ = ["Job", "describe_points", "make_header", "open_job", "resolve_targets"]

SHOWN = 4  # targets of a frame that are described


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be done with one source; no targets means that the user is asked for one.

    `fps` is the rate of a source that has no times.  `drop_lost` leaves lost frames out of MOT lines.
    `unfinished` says where outputs go that an exception ends.
    """

    source: str
    targets: tuple[Target, ...]
    paths: tuple[str, ...]
    cut: Cut = field(default_factory=Cut)
    overwrite: bool = False
    encoding: VideoOptions = field(default_factory=VideoOptions)
    drop_lost: bool = False
    fps: Fraction | None = None
    unfinished: Unfinished = "kept"

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The targets' labels in order."""
        return tuple(target.label for target in self.targets) or (None,)

    @property
    def files(self) -> list[str]:
        """Every file that is written."""
        return [name for path in self.paths if path != "-" for name in target_paths(path, self.labels)]


def open_job(job: Job) -> FrameSource:
    """Open what the job uses of its source: its cut, and the frames in which targets begin.

    Raises InputError.
    """
    cut = job.cut
    begins = [target.at for target in job.targets if target.at is not None]
    return open_source(job.source, start=cut.start, end=cut.end, stride=cut.stride, also=begins, fps=job.fps)


def resolve_targets(job: Job, frame: Frame) -> list[Start]:
    """The targets in pixels of the first frame; raises InputError for a box or a time that does not fit."""
    height, width = frame.image.shape[:2]
    for target in job.targets:
        if target.at is not None and _is_over(target.at, job.cut, frame):
            raise InputError(
                f"{job.source}: the time of {target.text!r} is before the first frame that is used",
                hint="choose a later time for that box, or an earlier --start",
            )
    return [Start(target.box((width, height)), target.at) for target in job.targets]


def _is_over(at: TimePoint, cut: Cut, first: Frame) -> bool:
    """True when the cut begins after that moment."""
    if cut.start is None:
        return False  # a source may begin later than at 0 s
    if at.seconds is None:
        return at.frame is not None and at.frame < first.index
    begin = first.time if cut.start.seconds is None else cut.start.seconds
    return begin is not None and at.seconds < begin


def make_header(
    info: SourceInfo, first: Frame, tracker: LoadedTracker, labels: tuple[str | None, ...]
) -> TrackHeader:
    """The header of a trajectory: this source, tracked by these weights."""
    height, width = first.image.shape[:2]
    return TrackHeader(
        source=replace(info, size=(width, height)),
        model=tracker.model,
        weights_sha256=tracker.sha256,
        version=__version__,
        params=asdict(tracker.params),
        labels=labels,
    )


def describe_points(points: Sequence[TrackPoint], labels: Sequence[str | None]) -> str:
    """How the targets of one frame are doing: by name, unless there is one alone without a name."""
    alone = len(labels) == 1 and labels[0] is None
    described = [
        ("" if alone else f"{labels[point.target - 1] or f'target {point.target}'} ")
        + f"{point.score:.2f} {point.state}"
        for point in points[:SHOWN]
    ]
    return ", ".join([*described, *([f"{len(points) - SHOWN} more"] if len(points) > SHOWN else [])])
