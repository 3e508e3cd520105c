"""Recognizes by its first bytes what is a video, and what is not.

ffmpeg takes some of it for a video: compressed bytes look like a raw stream now and then.
"""

from __future__ import annotations

import re
from pathlib import Path

from siamcli.errors import InputError

__all__ = ["begins_as_video", "check_file", "check_head"]

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
_VIDEO = re.compile(
    rb"(?s).{4}(ftyp|styp|moov|mdat|free|skip|wide|pnot)|\x1a\x45\xdf\xa3|OggS|nut/multimedia|GIF8|RIFF|FLV"
    rb"|(.{4})?G.{187}(.{4})?G|\x00\x00\x00?\x01|0&\xb2u|YUV4MPEG2|DKIF|\x06\x0e\x2b\x34"
)


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
    head = _head(path)
    if head is not None:
        check_head(str(path), head)


def begins_as_video(path: Path) -> bool:
    """Whether a file begins as a container of videos does, whatever it is called."""
    return bool(_VIDEO.match(_head(path) or b""))


def _head(path: Path) -> bytes | None:
    try:
        with path.open("rb") as file:
            return file.read(_HEAD)
    except OSError:
        return None
