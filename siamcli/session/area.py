"""Where targets are looked for, in pixels of the frames."""

from __future__ import annotations

from siamcli.errors import InputError
from siamcli.media.kinds import source_name
from siamcli.media.masks import read_mask
from siamcli.session.reading import Reading
from siamcli.tracker.area import SearchArea

__all__ = ["search_area"]


def search_area(reading: Reading, size: tuple[int, int]) -> SearchArea | None:
    """The region or the mask of a source whose frames are of `size` (width, height); None for all of them.

    Raises InputError for one that does not fit them.
    """
    if reading.region is not None:
        return SearchArea.of_box(reading.region.box_in(size), size, f"the region {reading.region.text}")
    if reading.mask is None:
        return None
    mask = read_mask(reading.mask)
    if mask.shape != (size[1], size[0]):
        raise InputError(
            f"the mask {reading.mask} is {mask.shape[1]}x{mask.shape[0]}, the frames of"
            f" {source_name(reading.source).shown} are {size[0]}x{size[1]}",
            hint="draw it on a picture of the frame's size",
        )
    return SearchArea.of_mask(mask, f"the mask {reading.mask}")
