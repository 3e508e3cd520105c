"""Masks: images whose white pixels mark where to search."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from siamcli.errors import InputError, why_unread
from siamcli.media.images import Pixels, decode_page, quiet_opencv, read_image

__all__ = ["read_mask"]


def read_mask(path: str) -> NDArray[np.bool_]:
    """(H, W): the pixels of an image that are nearer to white than to black; what is transparent is black.

    Raises InputError.
    """
    try:
        data = read_image(Path(path))
    except OSError as error:
        raise InputError(
            f"cannot read the mask {path}: {why_unread(error)}", hint="an image: white is where to search"
        ) from None
    pixels = decode_page(data, 0)
    if pixels is None:
        raise InputError(f"cannot read the mask {path}: no image", hint="a PNG: white is where to search")
    return np.asarray(_share_of_white(pixels).mean(axis=2) * _opacity(data, pixels) > 0.5, np.bool_)


def _share_of_white(pixels: Pixels) -> NDArray[np.float32]:
    """The values from 0 to 1."""
    white = 1.0 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    return np.asarray(pixels / white, np.float32)


def _opacity(data: NDArray[np.uint8], pixels: Pixels) -> NDArray[np.float32]:
    """(H, W), from 0 to 1: the alpha of the image that was decoded as `pixels`, 1 where it has none."""
    with quiet_opencv():
        whole = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    if whole is None or whole.ndim < 3 or whole.shape[2] < 4 or whole.shape[:2] != pixels.shape[:2]:
        return np.ones(pixels.shape[:2], np.float32)
    return _share_of_white(whole[..., 3])
