"""Suffixes of the images and videos that are read and written."""

from __future__ import annotations

from pathlib import Path

__all__ = [
    "FFMPEG_IMAGE_SUFFIXES",
    "IMAGE_SUFFIXES",
    "INDEXED_SUFFIXES",
    "VIDEO_INPUT_SUFFIXES",
    "VIDEO_SUFFIXES",
    "is_video",
]

IMAGE_SUFFIXES = (
    *(".avif", ".bmp", ".exr", ".hdr", ".heic", ".heif", ".jp2", ".jpeg", ".jpg", ".jxl", ".pfm", ".pgm"),
    *(".png", ".pnm", ".ppm", ".tif", ".tiff", ".webp"),
)
"""Images that are read."""

FFMPEG_IMAGE_SUFFIXES = (".exr", ".heic", ".heif", ".jxl")
"""Those that ffmpeg decodes; OpenCV decodes the others."""

VIDEO_INPUT_SUFFIXES = (
    *(".264", ".3g2", ".3gp", ".asf", ".avi", ".divx", ".dv", ".f4v", ".flv", ".gif", ".h264", ".h265"),
    *(".hevc", ".insv", ".m2t", ".m2ts", ".m2v", ".m4v", ".mjpeg", ".mjpg", ".mkv", ".mov", ".mp4", ".mpeg"),
    *(".mpg", ".mts", ".mxf", ".ogv", ".qt", ".ts", ".vob", ".webm", ".wmv", ".y4m"),
)
"""Videos that are looked for in a folder; one that is named may be called anything.  Not `.lrv`: cameras
write it beside each video, as a small copy."""

INDEXED_SUFFIXES = (".3gp", ".m4v", ".mov", ".mp4")
"""Videos that list all their frames.  Others may be recordings joined end to end, the first of which counts
its own frames alone."""

VIDEO_SUFFIXES = (".mp4", ".m4v", ".mov", ".mkv")
"""Videos that are written."""


def is_video(path: str | Path) -> bool:
    """Whether an output of that name is an annotated video."""
    return Path(path).suffix.lower() in VIDEO_SUFFIXES
