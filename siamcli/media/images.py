"""Image files as 8-bit BGR pictures, whatever their depth, size and number of pages."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from siamcli.frames import Image
from siamcli.media.ffmpeg import run_ffmpeg
from siamcli.media.kinds import is_animated
from siamcli.media.suffixes import FFMPEG_IMAGE_SUFFIXES

__all__ = [
    "Pixels",
    "ValueRange",
    "decode_page",
    "fit_into",
    "jpeg",
    "page_count",
    "quiet_opencv",
    "read_image",
    "value_range",
]

Pixels = NDArray[Any]
"""(H, W, 3) uint8, uint16 or float32, BGR."""

_COLOR = cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH
_STACKS = (".tif", ".tiff")
_SHARE = 0.01  # percent of the values at either end that are dead pixels rather than picture


@contextmanager
def quiet_opencv() -> Iterator[None]:
    """Keep OpenCV's own complaints off stderr: failures are said in our words."""
    level = cv2.utils.logging.getLogLevel()
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_SILENT)
    try:
        yield
    finally:
        cv2.utils.logging.setLogLevel(level)


def page_count(path: Path) -> int:
    """The pages of a TIFF file or an animation; 1 for other files, and for what cannot be read."""
    if path.suffix.lower() not in _STACKS and not is_animated(path):
        return 1
    with quiet_opencv():
        try:
            # as bytes: OpenCV crashes on a str that is no UTF-8
            return max(1, cv2.imcount(cast("str", os.fsencode(path))))
        except cv2.error:
            return 1


def read_image(path: Path) -> NDArray[np.uint8]:
    """The bytes of an image that OpenCV decodes; none where ffmpeg makes no PNG of it.  Raises OSError."""
    if path.suffix.lower() not in FFMPEG_IMAGE_SUFFIXES:
        return np.fromfile(path, np.uint8)
    one = ("-frames:v", "1", "-c:v", "png", "-f", "image2pipe", "pipe:1")
    done = run_ffmpeg("-i", f"file:{path}", *one)
    return np.frombuffer(done.stdout, np.uint8)


def decode_page(data: NDArray[np.uint8], page: int) -> Pixels | None:
    """Page 0, 1, ... of an image file's bytes, None where it cannot be decoded."""
    for flags in (_COLOR, cv2.IMREAD_UNCHANGED):  # OpenCV decodes floating point unchanged only
        with quiet_opencv():
            try:
                if page:
                    tiff = data[:2].tobytes() in (b"II", b"MM")
                    pages = (
                        cv2.imdecodemulti(data, flags, range=(page, page + 1))[1]
                        if tiff
                        else cv2.imdecodeanimation(data, start=page, count=1)[1].frames
                    )
                    pixels = pages[0] if pages else None
                else:
                    pixels = cv2.imdecode(data, flags) if data.size else None
            except cv2.error:  # more pixels than OpenCV decodes
                return None
        if pixels is not None:
            return _three_channels(np.asarray(pixels))
    return None


def _three_channels(pixels: Pixels) -> Pixels:
    if pixels.dtype == np.float64:
        pixels = pixels.astype(np.float32)
    if pixels.ndim == 2:
        return np.repeat(pixels[..., None], 3, axis=2)
    return np.ascontiguousarray(pixels[..., :3])


class ValueRange(NamedTuple):
    """The values that are shown as black and as white."""

    low: float
    high: float

    def apply(self, pixels: Pixels) -> Image:
        """8-bit values; what lies outside the range, or is no number, becomes black or white."""
        scaled = (pixels.astype(np.float32) - self.low) * (255 / (self.high - self.low))
        return np.asarray(np.nan_to_num(scaled, nan=0.0).round().clip(0, 255), np.uint8)


def value_range(images: Iterable[Pixels]) -> ValueRange:
    """The range of all values of some images, a few dead pixels excepted.

    >>> value_range([np.array([[[0.5, 1.5, 2.5]]], np.float32)])
    ValueRange(low=0.5, high=2.5)
    """
    ends = []
    for pixels in images:
        values = pixels[np.isfinite(pixels)]
        values = values[:: 1 + 3 * (values.size // 3_000_000)]  # a million are enough, of all three channels
        if values.size:
            ends.append(np.percentile(values, (_SHARE, 100 - _SHARE), method="nearest"))
    low, high = (float(min(e[0] for e in ends)), float(max(e[1] for e in ends))) if ends else (0.0, 1.0)
    return ValueRange(low, high if high > low else low + 1)


def jpeg(image: Image, quality: int = 95) -> bytes:
    """The picture as a JPEG file."""
    _, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return data.tobytes()


def fit_into(image: Image, size: tuple[int, int]) -> Image:
    """`image` scaled into the middle of a picture of `size` (width, height); black bars keep its shape."""
    height, width = image.shape[:2]
    scale = min(size[0] / width, size[1] / height)
    w, h = max(1, round(scale * width)), max(1, round(scale * height))
    x, y = (size[0] - w) // 2, (size[1] - h) // 2
    picture: Image = np.zeros((size[1], size[0], 3), np.uint8)
    picture[y : y + h, x : x + w] = cv2.resize(image, (w, h), interpolation=cv2.INTER_AREA)
    return picture
