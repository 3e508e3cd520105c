"""Makes trajectories of tracks that were drawn or corrected in other programs."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any, NamedTuple

from siamcli.boxes import Box, turned
from siamcli.counts import counted
from siamcli.errors import InputError, why_unread, why_wrong
from siamcli.formats.clock import at_begins, frames_by_tick, in_frames
from siamcli.formats.files import read_trajectory
from siamcli.formats.kinds import track_formats
from siamcli.formats.names import label_of, source_stem
from siamcli.formats.records import FARTHEST
from siamcli.formats.select import MOST_FRAMES
from siamcli.frames import SourceInfo
from siamcli.schema import LARGEST, decode, load_json
from siamcli.trajectory import NO_BOX, PointSource, TrackHeader, TrackPoint, TrackState, Trajectory

__all__ = ["TrackBox", "Tracks", "between", "read_each", "say_others"]

_logger = logging.getLogger(__name__)


class TrackBox(NamedTuple):
    """An object in a frame, or at a time in `seconds` where that is what is known.  `track` tells objects
    apart; without a `box` it is not there.  A box is turned by `rotation` degrees, clockwise, about its left
    upper corner.  It is in pixels of an image of `size`, where images are not all as large.  A `score` that
    is no share of 1, such as a percentage, is none."""

    frame: int
    track: str
    label: str
    box: Box | None
    state: TrackState = "tracked"
    score: float = 1.0
    source: PointSource = "human"
    seconds: float | None = None
    rotation: float = 0.0
    size: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Tracks:
    """What a file says: boxes in pixels, or in percent of the frame where it is `relative`.

    Between two boxes of a track that is `filled` the object moves in a straight line; where it is not there,
    it stays away up to its next box.  After its last one it stays as it is up to frame `end`, not included.
    With `ticks` a frame is a tick of a clock of `fps`, which in a video of a variable rate is another one.
    `name` is that of the video, where the file says it.  `others` counts what is there beside boxes, by the
    file's word for it.
    """

    boxes: Sequence[TrackBox]
    size: tuple[int, int] | None = None
    fps: Fraction | None = None
    files: tuple[str, ...] = ()
    relative: bool = False
    filled: bool = False
    ticks: bool = False
    end: int = 0
    name: str = ""
    others: Mapping[str, int] = field(default_factory=dict)


Known = tuple[SourceInfo | None, Mapping[int, float] | None]
"""What is known of a video, and the times of its frames."""


def read_each(path: Path, kind: str | None, known: Callable[[str], Known]) -> dict[str, Trajectory]:
    """A trajectory that siamtrack wrote, or those of other programs, of the format `kind`, else by its
    content.

    A file of several videos has one for each, by the video's name; the only one of a file has the name "".
    `known` gives what is known of a video by that name; it goes before what the file says.  Videos without a
    box are left out, and named in a warning.  Raises InputError that names the file.
    """
    chosen = kind or _format_of(path)
    if chosen is None:
        one = read_trajectory(path)
        is_known = one.header.source.size and one.header.source.fps  # then no video need be read
        return {"": one if is_known else _with_source(path, one, *known(""))}
    try:
        every: list[Tracks] = track_formats()[chosen].load().tracks(decode(path.read_bytes()))
        clips = [clip for clip in every if clip.boxes]
        say_others(path, every, f"it was read as {chosen}; see --from")
        if empty := [clip.name for clip in every if not clip.boxes]:
            _logger.warning("%s: no box of %s", path, ", ".join(empty))
        if len(every) == 1:
            return {"": _trajectory(path, clips[0], *known(""))}
        return {name: _trajectory(path, clip, *known(name)) for name, clip in _named(clips).items()}
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot read {path}: {why_unread(error)}") from None
    except (ArithmeticError, AttributeError, KeyError, IndexError, TypeError, ValueError) as error:
        raise InputError(f"{path} is not a {chosen} file: {why_wrong(error)}", hint="see --from") from None


def say_others(path: Path, clips: Sequence[Tracks], hint: str) -> None:
    """Warn of what is left out of a file, as it is no box.  Raises InputError where nothing else is there."""
    counts = sum((Counter(clip.others) for clip in clips), Counter())
    others = ", ".join(f"{count} {name}" for name, count in counts.items())
    if not any(clip.boxes for clip in clips):
        raise InputError(f"no box in {path}, only {others}" if others else f"no box in {path}", hint=hint)
    if others:
        _logger.warning("%s: left out, as they are no boxes: %s", path, others)


def _named(clips: Sequence[Tracks]) -> dict[str, Tracks]:
    """The clips by names of their own that files can have."""
    named: dict[str, Tracks] = {}
    for number, clip in enumerate(clips, start=1):
        name = source_stem(clip.name or f"video {number}")
        while name in named:
            name = f"{name}_{number}"
        named[name] = replace(clip, name=name)
    return named


def between(a: Box, b: Box, share: float) -> Box:
    """The box that is `share` of the way from a to b.

    >>> between(Box(0, 0, 10, 10), Box(10, 20, 30, 10), 0.5)
    Box(x=5.0, y=10.0, w=20.0, h=10.0)
    """
    return Box(*(before + (after - before) * share for before, after in zip(a, b, strict=True)))


def _format_of(path: Path) -> str | None:
    """The foreign format of a file by its suffix, and by the keys of JSON; None for siamtrack's own.

    Raises InputError for JSON that is neither.
    """
    suffix = path.suffix.lower()
    if suffix != ".json":
        return next((name for name, kind in track_formats().items() if kind.suffix == suffix), None)
    try:
        document: Any = load_json(decode(path.read_bytes()))
    except (OSError, ValueError):
        return None
    first = document[0] if isinstance(document, list) and document else document
    keys = set(first) if isinstance(first, dict) else set()
    if {"images", "annotations"} <= keys:
        return "coco"
    if "data" in keys and keys & {"annotations", "predictions"}:
        return "labelstudio"
    if {"metadata", "view", "file"} <= keys:
        return "via"
    values = list(first.values())[:1] if isinstance(first, dict) else []
    is_via = "_via_img_metadata" in keys or any(isinstance(v, dict) and "regions" in v for v in values)
    if not is_via and "schema" not in keys:
        known = ", ".join(name for name, kind in track_formats().items() if kind.suffix.endswith("json"))
        raise InputError(
            f"{path} is neither a trajectory that siamtrack wrote nor a file of {known}", hint="see --from"
        )
    return "via" if is_via else None


def _with_source(
    path: Path, trajectory: Trajectory, info: SourceInfo | None, times: Mapping[int, float] | None
) -> Trajectory:
    """The trajectory with what is known of its source, where it does not say that itself.  Raises InputError
    for a table that goes on after the end of the source."""
    if info is None:
        return trajectory
    source = trajectory.header.source
    if source.size is None:
        _check_end(path, trajectory.points, info)
        source = replace(info, name=source.name)
    elif source.fps is None:
        source = replace(source, fps=info.fps)
    points = trajectory.points
    if times:
        points = tuple(
            point if point.time is not None else replace(point, time=times.get(point.index))
            for point in points
        )
    return replace(trajectory, header=replace(trajectory.header, source=source), points=points)


def _trajectory(
    path: Path, tracks: Tracks, info: SourceInfo | None, times: Mapping[int, float] | None
) -> Trajectory:
    """Raises InputError where the size of the frames is needed and not known, or is another one, and for
    boxes after the end of the video."""
    size = (info.size if info else None) or tracks.size
    if size and tracks.size and size != tracks.size:
        here, there = (f"{width}x{height}" for width, height in (size, tracks.size))
        raise InputError(
            f"the frames of {path} are {there}, not {here}", hint="name the video that was annotated"
        )
    if tracks.relative and size is None:
        raise InputError(
            f"{path} does not say how large the frames are", hint="give --size WIDTHxHEIGHT or --video FILE"
        )
    fps = (info.fps if info else None) or tracks.fps
    name = info.name if info and info.name else tracks.name or path.name.split(".")[0]
    base = info or SourceInfo(name)
    source = replace(base, name=name, size=size, fps=fps, files=base.files or tracks.files)
    upright = [_in_pixels(box, size, relative=tracks.relative) for box in tracks.boxes]
    placed = in_frames(upright, path, fps, times)
    frames = frames_by_tick(fps, times) if tracks.ticks else {}
    placed = at_begins(placed, frames, path) if frames else placed
    ordered = sorted(placed, key=lambda box: (box.track, box.frame))
    objects = [list(boxes) for _, boxes in groupby(ordered, key=lambda box: box.track)]
    objects.sort(key=_order)
    points, end = [], tracks.end if frames else min(tracks.end, (info and info.count) or tracks.end)
    filled = sum(max(boxes[-1].frame + 1, end) - boxes[0].frame for boxes in objects)
    if tracks.filled and filled > MOST_FRAMES:
        raise ValueError(f"its boxes reach through {counted(filled, 'frame')}, more than {MOST_FRAMES}")
    for target, boxes in enumerate(objects, start=1):
        _check_once(boxes)
        for one in _filled(boxes, end) if tracks.filled else boxes:
            for frame in frames.get(one.frame, ()) if frames else (one.frame,):
                points.append(_point(one._replace(frame=frame), target, fps, times))
    points.sort(key=lambda point: (point.index, point.target))
    if info:
        _check_end(path, points, info)
    labels = tuple(label_of(boxes[0].label, target) for target, boxes in enumerate(objects, start=1))
    return Trajectory(TrackHeader(source, "", "", "", labels=labels), tuple(points), complete=True)


def _check_end(path: Path, points: Sequence[TrackPoint], info: SourceInfo) -> None:
    """Raises InputError for points after the last frame of a source whose frames are counted."""
    last = max((point.index for point in points), default=0)
    if info.count is not None and last >= info.count:
        raise InputError(
            f"{path} continues to frame {last}, but {info.name} has {counted(info.count, 'frame')}",
            hint="name the video that was tracked; if it was joined files, convert the .json or .jsonl",
        )


def _in_pixels(one: TrackBox, size: tuple[int, int] | None, *, relative: bool) -> TrackBox:
    """`one`, whose box is `relative` to a frame, in percent, or in pixels of its image, with an upright box
    in pixels of frames of `size`, as images of another size are scaled to it."""
    if one.box is None:
        return one
    whole = (100.0, 100.0) if relative else one.size
    across, down = (size[0] / whole[0], size[1] / whole[1]) if size and whole else (1.0, 1.0)
    box = Box(one.box.x * across, one.box.y * down, one.box.w * across, one.box.h * down)
    return one._replace(box=turned(box, one.rotation, (box.x, box.y)))


def _order(boxes: Sequence[TrackBox]) -> tuple[bool, int, int, str]:
    """Tracks with numbers come in their order, as what siamtrack wrote; others as they begin, after them."""
    frame, track = boxes[0].frame, boxes[0].track
    return (False, int(track), frame, "") if track.isdecimal() else (True, frame, 0, track)


def _check_once(boxes: Sequence[TrackBox]) -> None:
    for before, after in pairwise(boxes):
        if before.frame == after.frame:
            raise ValueError(f"track {before.track} is twice in frame {before.frame}")


def _filled(boxes: Sequence[TrackBox], end: int) -> Iterator[TrackBox]:
    """A box in every frame from the first to the last, and on to `end`."""
    for before, after in pairwise(boxes):
        yield before
        for frame in range(before.frame + 1, after.frame):
            if before.box is None:
                yield before._replace(frame=frame)
            else:
                share = (frame - before.frame) / (after.frame - before.frame)
                box = before.box if after.box is None else between(before.box, after.box, share)
                state = "tracked" if before.state in ("init", "found") else before.state  # of one frame alone
                yield before._replace(frame=frame, box=box, state=state, source="interpolated")
    last = boxes[-1]
    yield last
    source: PointSource = last.source if last.box is None else "interpolated"
    yield from (last._replace(frame=frame, source=source) for frame in range(last.frame + 1, end))


def _point(one: TrackBox, target: int, fps: Fraction | None, times: Mapping[int, float] | None) -> TrackPoint:
    if not 0 <= one.frame <= LARGEST:
        raise ValueError(f"frame {one.frame} of track {one.track}")
    time = times.get(one.frame) if times is not None else float(one.frame / fps) if fps else None
    source: PointSource = "human" if one.state in ("init", "absent") else one.source  # what was given
    if one.box is None:
        return TrackPoint(one.frame, time, NO_BOX, 0.0, "absent", target, source=source)
    if not one.box.valid or max(map(abs, one.box)) > FARTHEST:
        raise ValueError(f"{tuple(one.box)} of track {one.track} in frame {one.frame} is not a box")
    score = one.score if 0 <= one.score <= 1 else 1.0
    return TrackPoint(one.frame, time, one.box, score, one.state, target, source=source)
