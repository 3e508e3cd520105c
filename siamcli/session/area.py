"""Where a job looks for its targets, in pixels of its frames."""

from __future__ import annotations

from siamcli.errors import InputError
from siamcli.media.kinds import source_name
from siamcli.media.masks import read_mask
from siamcli.session.job import Job
from siamcli.tracker.area import SearchArea

__all__ = ["search_area"]


def search_area(job: Job, size: tuple[int, int]) -> SearchArea | None:
    """The region or the mask of a job whose frames are of `size` (width, height); None for the whole frame.

    Raises InputError for one that does not fit them.
    """
    if job.region is not None:
        return SearchArea.of_box(job.region.box_in(size), size, f"the region {job.region.text}")
    if job.mask is None:
        return None
    mask = read_mask(job.mask)
    if mask.shape != (size[1], size[0]):
        raise InputError(
            f"the mask {job.mask} is {mask.shape[1]}x{mask.shape[0]}, the frames of"
            f" {source_name(job.source).shown} are {size[0]}x{size[1]}",
            hint="draw it on a picture of the frame's size",
        )
    return SearchArea.of_mask(mask, f"the mask {job.mask}")
