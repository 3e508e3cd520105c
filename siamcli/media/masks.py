"""Masks: images whose white pixels count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from siamcli.errors import InputError, why_unread
from siamcli.media.images import decode_page, read_image

__all__ = ["read_mask"]


def read_mask(path: str) -> NDArray[np.bool_]:
    """(H, W): the pixels of an image that are nearer to white than to black.  Raises InputError."""
    try:
        pixels = decode_page(read_image(Path(path)), 0)
    except OSError as error:
        raise InputError(
            f"cannot read the mask {path}: {why_unread(error)}", hint="an image: white is where to search"
        ) from None
    if pixels is None:
        raise InputError(f"cannot read the mask {path}: no image", hint="a PNG: white is where to search")
    white = 1.0 if pixels.dtype == np.float32 else np.iinfo(pixels.dtype).max
    return np.asarray(pixels.mean(axis=2) > white / 2, np.bool_)
