"""A trajectory as a video: what `siamtrack run` draws, without tracking again."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from siamcli.atomic import AtomicFile, as_output_error
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import convert
from siamcli.formats.kinds import find_format
from siamcli.media.kinds import source_name
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import open_source
from siamcli.media.suffixes import VIDEO_SUFFIXES, is_video
from siamcli.session.fit import MisfitError, frames_with_points
from siamcli.session.outputs import Outputs
from siamcli.session.reading import Reading
from siamcli.trajectory import Trajectory

__all__ = ["draw_video", "write_again"]


def draw_video(
    source: str,
    trajectory: Trajectory,
    target: Path,
    *,
    overwrite: bool,
    fps: Fraction | None = None,
    fps_if_needed: bool = False,
    stream: int | None = None,
    deinterlace: bool = False,
    anyway: bool = False,
) -> Iterator[int]:
    """Draw every point into its frame of `source` and write `target`; yields the frames written so far.

    `fps` is the rate of a source that has no times, `fps_if_needed` as in `open_source`; images have the
    one under which they were tracked.
    What fails or is stopped can be drawn again, so it leaves nothing, and an earlier `target` stays.
    Raises MisfitError, unless `anyway`, when the trajectory is not one of this source; InputError for a
    damaged source once all that decodes is drawn, which stays.
    """
    if not is_video(target):
        raise OutputError(f"{target} is no video", hint=f"known suffixes: {' '.join(VIDEO_SUFFIXES)}")
    name = source_name(source)
    rate = fps or (trajectory.header.source.fps if name.is_images else None)
    with ExitStack() as stack:
        opened = open_source(
            source, fps=rate, fps_if_needed=fps_if_needed, stream=stream, deinterlace=deinterlace
        )
        frames = stack.enter_context(prefetch(opened))
        header = replace(trajectory.header, source=frames.info)
        audio = name.text if name.has_sound else None
        video = Outputs([str(target)], header, overwrite=overwrite, audio=audio, unfinished="removed")
        outputs = stack.enter_context(video)
        damage: InputError | None = None
        try:
            pairs = frames_with_points(frames, trajectory, anyway=anyway)
            for number, (frame, points) in enumerate(pairs, start=1):
                outputs.write(frame, points)
                yield number
        except MisfitError:
            raise
        except InputError as error:
            damage = error
    if damage is not None:
        raise damage


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
            yield from draw_video(
                reading.source,
                trajectory,
                Path(path),
                overwrite=overwrite,
                fps=reading.fps,
                stream=reading.stream,
                deinterlace=reading.deinterlace,
            )
        for part in parts:
            part.commit()
