"""Finds recordings appended to one another in one file, of which ffmpeg reads only the first."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

__all__ = ["unread_parts"]

_HEADERS = {
    "flv": (1, re.compile(rb"FLV\x01[\x01\x04\x05]\0\0\0\x09\0\0\0\0")),
    "matroska,webm": (2, re.compile(rb"\x1a\x45\xdf\xa3.{1,60}?\x42\x82.(?:webm|matroska)", re.DOTALL)),
}
"""By container: how many parts ffmpeg reads, and what a part begins with."""


def unread_parts(path: Path, container: str) -> int:
    """The number of recordings in a file that ffmpeg does not read, because they lie behind others."""
    if container.startswith("mov,mp4"):
        return max(0, _mp4_parts(path) - 1)
    if container not in _HEADERS:
        return 0
    read, header = _HEADERS[container]
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return max(0, sum(1 for _ in header.finditer(data)) - read)


def _mp4_parts(path: Path) -> int:
    """How many recordings with a beginning and an index of their own an MP4 or MOV file holds."""
    found: list[bytes] = []
    with path.open("rb") as file:
        while len(head := file.read(16)) >= 8:
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            found.append(kind)
            if size == 1:  # the size stands behind the kind
                size = int.from_bytes(head[8:16], "big")
            if size < 8:  # up to the end of the file, or none
                break
            file.seek(size - len(head), 1)
    return min(found.count(b"ftyp"), found.count(b"moov"))
