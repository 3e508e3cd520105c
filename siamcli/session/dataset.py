"""Writes trajectories and their videos as a data set for training: images, labels, crops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from siamcli.atomic import as_output_error, atomic_folder, write_text
from siamcli.boxes import clip_box
from siamcli.errors import InputError, OutputError
from siamcli.formats.datasets import PARTS, DatasetClip, class_list
from siamcli.formats.kinds import FORMATS
from siamcli.formats.names import file_stem
from siamcli.formats.select import is_visible
from siamcli.frames import Frame, Image, SourceInfo
from siamcli.labels import target_name
from siamcli.media.images import jpeg
from siamcli.media.kinds import holds_images, source_name
from siamcli.media.prefetch import prefetch
from siamcli.media.sources import open_source
from siamcli.media.suffixes import VIDEO_INPUT_SUFFIXES, is_video
from siamcli.session.fit import frames_with_points
from siamcli.session.reading import Reading
from siamcli.trajectory import TrackPoint

__all__ = ["find_video", "frame_times", "given_video", "write_dataset"]

WRITTEN = "siamtrack.files"
"""The file in a data set that lists the others: only these may be replaced."""
_CACHES = {f"labels/{part}.cache" for part in PARTS}  # Ultralytics makes them of the labels


def write_dataset(
    clips: Sequence[DatasetClip],
    format: str | None,
    videos: Mapping[str, str],
    folder: Path,
    *,
    images: bool,
    crops: bool,
    overwrite: bool,
) -> Iterator[int]:
    """Write the labels of a `format`, images/PART/IMAGE.jpg for every frame that is used,
    crops/TARGET/IMAGE.jpg, what each box holds of it, and the list of these files; yields the number of
    frames read.

    `videos` has the source of every clip by its name.  The folder is there when all of it is; `overwrite`
    replaces one that holds what this wrote and nothing else, but none of the videos.  Raises MisfitError for
    a video that is another one, InputError for a source, OutputError.
    """
    with as_output_error(folder):
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file", hint="name a folder")
        there = folder.is_dir() and any(folder.iterdir())
    own = Path(os.path.realpath(folder))
    if any(own in Path(os.path.realpath(video)).parents for video in videos.values()):
        raise OutputError(f"{folder} holds what was tracked", hint="name a new folder")
    _check_own(folder)
    if there and not overwrite:
        raise OutputError(f"{folder} exists", hint="-y replaces it")
    with atomic_folder(folder, overwrite=True) as part:
        if format is not None:
            for name, text in FORMATS[format].load().dataset(clips, class_list(clips)).items():
                write_text(part / name, text)
        for done, (clip, frame, points) in enumerate(_frames(clips, videos) if images or crops else (), 1):
            if frame is not None:
                if images:
                    _write(part / "images" / clip.part / clip.image(frame.index), jpeg(frame.image))
                for name, picture in _crops(clip, frame, points) if crops else ():
                    _write(part / "crops" / name, jpeg(picture))
            yield done
        write_text(part / WRITTEN, "".join(f"{name}\n" for name in sorted(_files_in(part))))
        _check_own(folder)  # what was put there meanwhile


def _check_own(folder: Path) -> None:
    """Raises OutputError for a folder that holds other files than those of a data set written here."""
    names = folder / WRITTEN
    with as_output_error(folder):
        own = names.read_text("utf-8", "replace").split("\n") if names.is_file() else []
        others = sorted(_files_in(folder) - {WRITTEN, *own} - _CACHES)
    if others:
        more = f" and {len(others) - 1} more" if len(others) > 1 else ""
        raise OutputError(
            f"{folder} holds files that are not of this data set: {others[0]}{more}",
            hint="name a new folder, or move that away",
        )


def _files_in(folder: Path) -> set[str]:
    """The names, from `folder` on, of all files below it, but for those that macOS makes of any folder."""
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if (path.is_symlink() or not path.is_dir()) and path.name != ".DS_Store"
    }


def _frames(
    clips: Sequence[DatasetClip], videos: Mapping[str, str]
) -> Iterator[tuple[DatasetClip, Frame | None, Sequence[TrackPoint]]]:
    """Every frame of every clip, None for one that is not used."""
    for clip in clips:
        used = frozenset(clip.frames)
        reading = Reading(videos[clip.name]).of(clip.trajectory)
        with prefetch(reading.open()) as frames:
            for frame, points in frames_with_points(frames, clip.trajectory, source=reading.source):
                yield clip, frame if frame.index in used else None, points


def _crops(clip: DatasetClip, frame: Frame, points: Sequence[TrackPoint]) -> Iterator[tuple[str, Image]]:
    """TARGET/IMAGE.jpg and the pixels of every box; targets whose labels are one name share a folder."""
    height, width = frame.image.shape[:2]
    count = len(clip.trajectory.header.labels)
    folders = [file_stem(target_name(clip.trajectory.header.labels, n + 1)).casefold() for n in range(count)]
    for point in points:
        box = clip_box(point.box, (width, height))
        if is_visible(point, drop_lost=clip.drop_lost) and box.valid:
            folder = file_stem(target_name(clip.trajectory.header.labels, point.target))
            again = f"_{point.target}" if folders.count(folder.casefold()) > 1 else ""
            picture = frame.image[round(box.y) : round(box.y + box.h), round(box.x) : round(box.x + box.w)]
            if picture.size:
                yield f"{folder}/{clip.name}{again}_{frame.index:06d}.jpg", picture


def _write(path: Path, data: bytes) -> None:
    with as_output_error(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def given_video(name: str, place: Path) -> str | None:
    """The source that the user named: what is called `name` in the folder `place`, else that folder itself
    where it holds images and no video, or what is no folder.  None for another folder.

    Raises InputError as `find_video` does.
    """
    if _called(place, name):
        return find_video(name, [place])
    if place.is_dir() and (not holds_images(place) or any(map(is_video, place.iterdir()))):
        return None
    return str(place)


def find_video(name: str, places: Sequence[Path]) -> str:
    """The one video, or folder of images, that is called `name` but for its suffix, in the first of `places`
    that has any, or is it.

    Raises InputError where there is none, or more than one.
    """
    for place in places:
        if _is_called(place, name):
            return str(place)
        found = _called(place, name)
        if len(found) > 1:
            raise InputError(f"{name}: which video, {found[0]} or {found[1]}?", hint="give --video")
        if found:
            return str(found[0])
    raise InputError(f"{name}: its video is not there", hint="--video FILE, or --video FOLDER that holds it")


def _called(folder: Path, name: str) -> list[Path]:
    return [path for path in sorted(folder.glob("*")) if _is_called(path, name)] if folder.is_dir() else []


def _is_called(path: Path, name: str) -> bool:
    if path.is_dir():
        return path.absolute().name == name and holds_images(path)
    return path.stem == name and path.suffix.lower() in VIDEO_INPUT_SUFFIXES


def frame_times(source: str, fps: Fraction | None = None) -> tuple[SourceInfo, dict[int, float]]:
    """What is known of a source, and the times of its frames, all of which it reads.  Raises InputError."""
    with open_source(source, fps=fps) as frames:
        times = {frame.index: frame.time for frame in frames if frame.time is not None}
        return replace(frames.info, name=source_name(source).stem), times
