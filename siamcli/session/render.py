"""A trajectory as a video: what `siamtrack run` draws, without tracking again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from itertools import groupby
from pathlib import Path

from siamcli.errors import InputError, OutputError
from siamcli.media.kinds import source_name
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import open_source
from siamcli.media.suffixes import VIDEO_SUFFIXES, is_video
from siamcli.session.outputs import Outputs
from siamcli.trajectory import Trajectory

__all__ = ["draw_video"]


def draw_video(source: str, trajectory: Trajectory, target: Path, *, overwrite: bool) -> Iterator[int]:
    """Draw every point into its frame of `source` and write `target`; yields the frames written so far.

    What fails or is stopped can be drawn again, so it leaves nothing, and an earlier `target` stays.
    Raises InputError when the trajectory is not one of this source: other frame size, or frames that
    the source does not have; for a damaged source once all that decodes is drawn, which stays.
    """
    if not is_video(target):
        raise OutputError(f"{target} is no video", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
    ordered = sorted(trajectory.points, key=lambda point: (point.index, point.target))
    points = {index: tuple(found) for index, found in groupby(ordered, key=lambda point: point.index)}
    with ExitStack() as stack:
        frames = stack.enter_context(prefetch(open_source(source)))
        info, size = frames.info, trajectory.header.source.size
        if size is not None and info.size is not None and info.size != size:
            raise InputError(
                f"the frames of {source} are {info.size[0]}x{info.size[1]}, "
                f"those of the trajectory {size[0]}x{size[1]}",
                hint="draw it into the video that was tracked",
            )
        header = replace(trajectory.header, source=info)
        name = source_name(source)
        audio = name.text if name.has_sound else None
        video = Outputs([str(target)], header, overwrite=overwrite, audio=audio, whole=True)
        sinks = stack.enter_context(video)
        last = -1
        damage: InputError | None = None
        try:
            for number, frame in enumerate(frames, start=1):
                sinks.write(frame, points.get(frame.index, ()))
                last = frame.index
                yield number
        except InputError as error:
            damage = error
        if points and max(points) > last:
            raise InputError(
                f"the trajectory goes on to frame {max(points)}, {source} ends with frame {last}",
                hint="draw it into the video that was tracked",
            )
    if damage is not None:
        raise damage
