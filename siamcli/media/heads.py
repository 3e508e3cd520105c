"""Recognizes by its first bytes what is not a video.

ffmpeg takes some of it for a video: compressed bytes look like a raw stream now and then.
"""

from __future__ import annotations

import re
from pathlib import Path

from siamcli.errors import InputError

__all__ = ["check_file", "check_head"]

_HEAD = 4096  # bytes
_ARCHIVES = {
    "a ZIP archive": re.compile(rb"PK(\x03\x04|\x05\x06)"),
    "a gzip archive": re.compile(rb"\x1f\x8b\x08"),
    "a 7z archive": re.compile(rb"7z\xbc\xaf\x27\x1c"),
    "a RAR archive": re.compile(rb"Rar!\x1a\x07"),
    "an xz archive": re.compile(rb"\xfd7zXZ\x00"),
    "a bzip2 archive": re.compile(rb"BZh\d1AY&SY"),
    "a Zstandard archive": re.compile(rb"\x28\xb5\x2f\xfd"),
    "a tar archive": re.compile(rb"(?s).{257}ustar"),
}
_DOCUMENTS = {
    "a web page": re.compile(rb"(?is)\s*<(?=.*(<html|!doctype html|<head|<body))"),
    "an XML document": re.compile(rb"\s*<\?xml\s"),
    "a PDF document": re.compile(rb"%PDF-"),
    "a JSON document": re.compile(rb'\s*[\[{]\s*["\[{\]}]'),
}


def check_head(name: str, head: bytes) -> None:
    """Raises InputError where what is called `name` begins as no video does."""
    if not head:
        raise InputError(f"cannot read {name}: it is empty", hint="was it written or sent to its end?")
    head = head[:_HEAD].removeprefix(b"\xef\xbb\xbf")
    for kind, begins in (_ARCHIVES | _DOCUMENTS).items():
        if begins.match(head):
            hint = "name the video itself"
            if kind in _ARCHIVES:
                hint = "unpack it, and name the video that is in it"
            elif "://" in name:
                hint = "open it in a browser, and name the address of the video itself"
            raise InputError(f"{name} is {kind}, not a video", hint=hint)


def check_file(path: Path) -> None:
    """The same for a file; one that cannot be opened is left to who reads it."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return
    check_head(str(path), head)
