"""Draws a trajectory into a video without tracking again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, nullcontext, suppress
from dataclasses import replace
from pathlib import Path

from siamcli.analysis.framing import Crop, follow_target
from siamcli.atomic import AtomicFile, as_output_error
from siamcli.drawing.painter import Painter
from siamcli.drawing.view import View
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import convert
from siamcli.formats.kinds import find_format
from siamcli.frames import SourceInfo
from siamcli.media.prefetch import prefetch
from siamcli.media.soundtrack import soundtrack
from siamcli.media.suffixes import VIDEO_SUFFIXES, is_video
from siamcli.media.video import check_frame_size
from siamcli.session.fit import MisfitError, frames_with_points
from siamcli.session.outputs import Outputs
from siamcli.session.reading import Reading
from siamcli.trajectory import NO_BOX, TrackPoint, Trajectory, lost_intervals

__all__ = ["check_videos", "draw_video", "unlocated", "write_again"]


def draw_video(
    reading: Reading,
    trajectory: Trajectory,
    target: Path,
    *,
    overwrite: bool,
    anyway: bool = False,
    crop: Crop | None = None,
) -> Iterator[int]:
    """Draw every point into its frame of a source and write `target`; yields the number of frames written.

    With a `crop` the video shows what follows a target.
    What fails or is stopped can be drawn again, so it leaves nothing, and an earlier `target` stays.
    Raises MisfitError, unless `anyway`, when the trajectory is not one of this source; InputError for a
    damaged source once all that decodes is drawn, which stays.
    """
    if not is_video(target):
        raise OutputError(f"{target} is not a video file", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
    with suppress(MisfitError) if anyway else nullcontext():
        reading = reading.of(trajectory)
    with ExitStack() as stack:
        frames = stack.enter_context(prefetch(reading.open()))
        header = replace(trajectory.header, source=frames.info)
        view = None if crop is None else _view(trajectory, crop, frames.info)
        video = Outputs(
            [str(target)],
            header,
            overwrite=overwrite,
            audio=soundtrack(reading.source, reading.audio, frames.info.sounds),
            unfinished="removed",
            painter=Painter(reading.style, header.labels, view),
        )
        outputs = stack.enter_context(video)
        damage: InputError | None = None
        try:
            pairs = frames_with_points(frames, trajectory, source=reading.source, anyway=anyway)
            for number, (frame, points) in enumerate(pairs, start=1):
                outputs.write(frame, points)
                yield number
        except MisfitError:
            raise
        except InputError as error:
            damage = error
        outputs.end_of(frames.info)
    if damage is not None:
        raise damage


def _view(trajectory: Trajectory, crop: Crop, info: SourceInfo) -> View:
    """What is shown of each frame of a source.  Raises InputError."""
    source = trajectory.header.source
    size = info.size or source.size
    if size is None:
        raise InputError(f"{info.name} does not say how large its frames are", hint="render the whole frame")
    if source.fps is None:
        trajectory = replace(trajectory, header=replace(trajectory.header, source=info))
    return follow_target(trajectory, crop, size, info.pixel_aspect)


def unlocated(trajectory: Trajectory, target: int, frames: int) -> tuple[tuple[int, int], ...]:
    """First and last of every stretch of frames in which `target` is lost or has no point; the source has
    so many `frames`."""
    states = {point.index: point.state for point in trajectory.points if point.target == target}
    every = [TrackPoint(i, None, NO_BOX, 0, states.get(i, "lost"), target) for i in range(frames)]
    return lost_intervals(every).get(target, ())


def check_videos(reading: Reading, trajectory: Trajectory, paths: Sequence[str]) -> None:
    """Raises what `write_again` would for the size and the sound of videos, before anything is tracked."""
    videos = list(filter(is_video, paths))
    for path in videos:
        if (size := trajectory.header.source.size) is not None:
            check_frame_size(path, size)
    if reading.audio is not None and videos:
        soundtrack(reading.of(trajectory).source, reading.audio)


def write_again(
    reading: Reading,
    trajectory: Trajectory,
    paths: Sequence[str],
    *,
    overwrite: bool,
    also: Mapping[Path, str] | None = None,
) -> Iterator[int]:
    """Write a trajectory to every path by its suffix, and the texts `also`; yields as `draw_video`.

    The texts get their names when all of them and the videos are written.  Raises OutputError, and what
    `draw_video` raises.
    """
    texts = dict(also or {})
    for path in filter(lambda path: not is_video(path), paths):
        kind = find_format(path)
        if kind is None:
            raise OutputError(f"{path}: unknown format", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
        (texts[Path(path)],) = convert(trajectory, kind.name).values()
    with ExitStack() as stack:
        parts = []
        for target, text in texts.items():
            parts.append(AtomicFile(target, overwrite=overwrite))
            stack.callback(parts[-1].discard)
            with as_output_error(target):
                parts[-1].path.write_text(text, encoding="utf-8", newline="\n")
        for path in filter(is_video, paths):
            yield from draw_video(reading, trajectory, Path(path), overwrite=overwrite)
        for part in parts:
            part.commit()
