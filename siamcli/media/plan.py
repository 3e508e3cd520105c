"""Chooses a video's streams and the filters that turn its frames into BGR pictures."""

from __future__ import annotations

import logging
from dataclasses import dataclass

from siamcli.errors import InputError
from siamcli.media.depth import range_filter
from siamcli.media.orientation import Orientation, orientation_of
from siamcli.media.streams import Streams, VideoStream, choose_video

__all__ = ["DecodePlan", "make_plan"]

_logger = logging.getLogger(__name__)
_DEINTERLACE = "bwdif=mode=send_frame:deint=interlaced"


@dataclass(frozen=True, slots=True)
class DecodePlan:
    """A stream, how its pictures are turned, and the filters of decoded frames."""

    video: VideoStream
    orientation: Orientation
    filters: tuple[str, ...]

    @property
    def size(self) -> tuple[int, int] | None:
        """The size of the pictures as the container says it, as they are shown."""
        size = self.video.size
        return (size[1], size[0]) if size and round(self.video.rotation) in (90, 270) else size

    def chain(self, size: tuple[int, int] | None) -> str:
        """ffmpeg's filters from decoded frames to BGR pictures of `size`; other shapes get black bars."""
        filters = ["showinfo=checksum=0", *self.filters]
        if size:
            w, h = size
            filters += ["format=bgr24", f"scale={w}:{h}:force_original_aspect_ratio=decrease"]
            filters.append(f"pad={w}:{h}:-1:-1")
        return ",".join(filters)


def make_plan(
    address: str | None, name: str, streams: Streams, stream: int | None, *, deinterlace: bool
) -> DecodePlan:
    """Decide how to decode a source, and say what its user does not expect.

    `address` is None where it can be read only once.  Raises InputError.
    """
    video = _chosen(name, streams, stream)
    filters = [_DEINTERLACE] if deinterlace else []
    if video.interlaced and not deinterlace:
        _logger.warning("%s is interlaced: moving things have combs; --deinterlace removes them", name)
    if video.colors:
        filters.append(video.colors.filters)
        if video.colors.note:
            _logger.info("%s: %s", name, video.colors.note)
        if address:
            filters.append(range_filter(address, name, video, streams.duration))
    orientation = orientation_of(address, video) if address else Orientation(video.rotation, mirrored=False)
    if round(orientation.rotation) % 90:
        _logger.warning(
            "%s is rotated by %.0f degrees, which is not a multiple of 90", name, orientation.rotation
        )
        orientation = Orientation(0.0, orientation.mirrored)
    return DecodePlan(video, orientation, tuple(filter(None, filters)))


def _chosen(name: str, streams: Streams, number: int | None) -> VideoStream:
    videos = streams.videos
    chosen = choose_video(videos)
    if chosen is None and not videos:
        raise InputError(
            f"cannot read {name}: it has no video, only sound or text",
            hint="is it a whole video file that ffmpeg can read?",
        )
    if number is not None:
        if number >= len(videos):
            raise InputError(
                f"{name} has no video stream {number}", hint=f"it has {len(videos)}, counted from 0"
            )
        return videos[number]
    if chosen is None:
        raise InputError(f"{name} has no video, only a cover picture", hint="--stream 0 takes the picture")
    films = [video for video in videos if not video.cover]
    if len(films) > 1:
        sizes = ", ".join(f"{v.number}: {v.size[0]}x{v.size[1]}" for v in films if v.size)
        _logger.warning(
            "%s has %d video streams (%s): stream %d is used; --stream chooses another one",
            *(name, len(films), sizes, chosen.number),
        )
    return chosen
