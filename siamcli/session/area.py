"""The part of the frame in which targets are searched for, in pixels, and its record in a trajectory."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

from siamcli.boxes import clip_box
from siamcli.errors import InputError
from siamcli.media.kinds import path_from, source_name
from siamcli.media.masks import read_mask
from siamcli.session.reading import Reading
from siamcli.tracker.area import SearchArea
from siamcli.trajectory import TrackHeader

__all__ = ["search_area", "with_area"]


def search_area(
    reading: Reading, size: tuple[int, int], tracked: TrackHeader | None = None
) -> SearchArea | None:
    """The region or the mask of a source whose frames are of `size` (width, height); None for all of them.

    Where the reading has neither they are those of `tracked`, which the source was before.  Raises InputError
    for one that does not fit the frames, and for a mask that is gone or has changed since.
    """
    if reading.region is not None:
        return SearchArea.of_box(reading.region.box_in(size), size, f"the region {reading.region.text}")
    path = reading.mask
    if path is None and tracked is not None:
        if tracked.region is not None:
            said = ",".join(f"{side:g}" for side in tracked.region)
            return SearchArea.of_box(tracked.region, size, f"the region {said}")
        path = _mask_of(tracked, reading.source)
    if path is None:
        return None
    mask = read_mask(path)
    if mask.shape != (size[1], size[0]):
        raise InputError(
            f"the mask {path} is {mask.shape[1]}x{mask.shape[0]}, the frames of"
            f" {source_name(reading.source).shown} are {size[0]}x{size[1]}",
            hint="draw it on a picture of the frame's size",
        )
    return SearchArea.of_mask(mask, f"the mask {path}")


def with_area(header: TrackHeader, reading: Reading, size: tuple[int, int]) -> TrackHeader:
    """The header that says where the reading looks for targets; as it is where that says nothing."""
    if reading.region is not None:
        return replace(header, region=clip_box(reading.region.box_in(size), size), mask=None, mask_sha256="")
    if reading.mask is not None:
        kept = _as_kept(reading.mask, reading.source)
        return replace(header, region=None, mask=kept, mask_sha256=_sha256(reading.mask))
    return header


def _folder(source: str) -> Path | None:
    """Where a source lies; None for what has no place."""
    name = source_name(source).parts[0]
    return name.absolute().path.parent if name.is_path else None


def _as_kept(mask: str, source: str) -> str:
    """The mask as seen from the folder of the source, from which it is found in every working directory, and
    through every link to that folder."""
    folder = _folder(source)
    return (
        mask
        if folder is None or Path(mask).is_absolute()
        else path_from(mask, Path(os.path.realpath(folder)))
    )


def _mask_of(tracked: TrackHeader, source: str) -> str | None:
    """The file of the mask, as it was: found from the folder of the source, else from the working directory.

    Raises InputError.
    """
    if tracked.mask is None:
        return None
    folder = _folder(source)
    folders = [] if folder is None else [Path(os.path.realpath(folder)), folder]
    named = [*(os.path.normpath(place / tracked.mask) for place in folders), tracked.mask]
    there = [path for path in named if Path(path).is_file()]
    for path in there:
        if _sha256(path) == tracked.mask_sha256:
            return path
    raise InputError(
        f"the mask {there[0]} has changed since it was tracked with it"
        if there
        else f"the mask {named[0]}, with which it was tracked, is not there",
        hint="name it with --mask, or search the whole frame: --region 0,0,100%,100%",
    )


def _sha256(path: str) -> str:
    """In hex; of a file that was read before, or is about to be."""
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()
