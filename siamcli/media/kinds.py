"""The kinds of sources, and how a text is recognized as one of them."""

from __future__ import annotations

import glob
import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote, urlsplit

from siamcli.addresses import without_secrets
from siamcli.errors import InputError
from siamcli.media.suffixes import IMAGE_SUFFIXES

__all__ = [
    "SourceKind",
    "SourceName",
    "holds_images",
    "is_animated",
    "is_image",
    "join_files",
    "path_from",
    "source_name",
]

SourceKind = Literal["stdin", "address", "folder", "image", "file", "joined", "pattern", "camera", "missing"]
"""stdin: `-`. address: `scheme://`. folder: of images. file: a video, or a named pipe. joined: files that are
one recording, as `join_files` names them. pattern: of image names, with `*`, `?` or `[`. camera: its number,
or the path of its device. missing: the path of nothing."""

_BETWEEN = "\0"  # of the files of a joined recording: no name of a file has it
_DESCRIPTOR = re.compile(r"/(?:dev|proc/self)/fd/(\d+)")
_STREAM = re.compile(r"/dev/(?:std|fd/|tty|null|pts/)|/proc/")
_HASH = re.compile("[0-9a-f]{12}")
_ADDRESS = re.compile(r"[a-z][a-z0-9+]+://", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SourceName:
    """A source as the user wrote it.  No other code inspects the text."""

    text: str
    kind: SourceKind

    @property
    def path(self) -> Path:
        """The text as a path; the first one of joined files.  Meaningless for sources without a path."""
        return Path(self.text.split(_BETWEEN)[0])

    @property
    def parts(self) -> tuple[SourceName, ...]:
        """The files of a joined recording; of another source itself."""
        return (
            tuple(source_name(text) for text in self.text.split(_BETWEEN))
            if self.kind == "joined"
            else (self,)
        )

    @property
    def shown(self) -> str:
        """The text as it may be shown and stored: an address without passwords and signatures."""
        if self.kind == "joined":
            first, *others = self.text.split(_BETWEEN)
            return f"{first} and {len(others)} more"
        return without_secrets(self.text) if self.kind == "address" else self.text

    @property
    def short(self) -> str:
        """What is shown beside a progress bar: without folders."""
        return Path(self.shown).name

    @property
    def is_path(self) -> bool:
        """True when the text names a place in the file system, whether or not something is there."""
        return self.kind not in ("stdin", "address", "camera")

    @property
    def is_images(self) -> bool:
        """True for images, which have no times of their own."""
        return self.kind in ("folder", "image", "pattern")

    @property
    def has_sound(self) -> bool:
        """True when it can be read a second time, for its sound."""
        if self.kind == "joined":
            return True
        return self.kind == "file" and self.path.is_file() and self.descriptor is None

    @property
    def is_rereadable(self) -> bool:
        """True for what can be read several times, in stretches: files and images."""
        return self.is_images or self.has_sound

    @property
    def descriptor(self) -> int | None:
        """The number of an open file of this process that the text names: 0 for `-` and `/dev/stdin`, 63
        for `/dev/fd/63`, which is what a shell makes of `<(command)`.
        """
        if self.kind == "stdin" or (self.kind == "file" and self.text == "/dev/stdin"):
            return 0
        match = _DESCRIPTOR.fullmatch(self.text) if self.kind == "file" else None
        return int(match[1]) if match else None

    @property
    def stem(self) -> str:
        """What the results of the source are called.

        >>> [source_name(text).stem for text in ("clips/day one.mov", "0", "-", "http://host/day%20one.mov?a=b")]
        ['day one', 'camera0', 'stdin', 'day one']
        """
        if self.kind == "stdin":
            return "stdin"
        if self.kind == "camera":
            return f"camera{self.text}" if self.text.isdecimal() else self.path.stem
        if self.kind == "address":
            host, *path = self.shown.partition("://")[2].split("?")[0].rstrip("/").split("/")
            last = "".join(c if c.isprintable() else "_" for c in unquote(path[-1])) if path else ""
            return (Path(last).stem.strip(". ") or host).replace(":", "_") or "stream"
        if self.kind == "pattern":
            return self.path.parent.resolve().name
        return self.path.resolve().name if self.kind == "folder" else self.path.stem

    @property
    def key(self) -> str:
        """Equal for two spellings of one source; tables name a joined recording by its first file, and an
        address without what is not shown."""
        return self.relative_to(Path()) if self.kind == "address" else self.parts[0].absolute().text

    def absolute(self) -> SourceName:
        """The same source in every working directory.  Links stay links."""
        if self.kind == "joined":
            return SourceName(_BETWEEN.join(part.absolute().text for part in self.parts), self.kind)
        return SourceName(os.path.abspath(self.text), self.kind) if self.is_path else self  # noqa: PTH100

    def relative_to(self, folder: Path) -> str:
        """The source as seen from `folder`; addresses that differ in what is not shown differ in a hash."""
        if self.kind == "joined":
            return self.parts[0].relative_to(folder)
        if self.is_path:
            return path_from(self.text, folder)
        told_apart = hashlib.sha256(self.text.encode(errors="surrogatepass")).hexdigest()[:12]
        return self.text if self.shown == self.text or self.is_shortened else f"{self.shown}#{told_apart}"

    @property
    def is_shortened(self) -> bool:
        """True for an address as `relative_to` writes it: without what is not shown."""
        whole, _, end = self.text.rpartition("#")
        return self.kind == "address" and bool(_HASH.fullmatch(end)) and without_secrets(whole) == whole

    def within(self, folder: Path) -> SourceName:
        """The source that the text means in a list that lies in `folder`."""
        if self.kind in ("address", "stdin"):
            return self
        inside = source_name(str(folder / self.text))
        return inside if self.is_path or inside.kind != "missing" else self

    def fingerprint(self) -> object:
        """What changes when the content changes: size and time of the files; None where nothing tells.

        As `make` and `rsync` do: it costs one look per file and never takes a changed file for the
        old one; a file that was only touched counts as changed.  Raises OSError.
        """
        if self.kind == "address":
            return self.text
        if self.kind == "joined":
            return [part.fingerprint() for part in self.parts]
        if not self.is_path:
            return None
        if self.kind == "pattern":
            files = sorted(map(Path, glob.glob(self.text, recursive=True)))  # noqa: PTH207 - absolute too
        else:
            files = sorted(self.path.iterdir()) if self.kind == "folder" else [self.path]
        return [(file.name, file.stat().st_size, file.stat().st_mtime_ns) for file in files if file.is_file()]


def source_name(text: str) -> SourceName:
    """What `text` names: what exists goes before what the text looks like.

    >>> source_name("file:///home/me/my%20clip.mp4").text
    '/home/me/my clip.mp4'
    """
    if text.lower().startswith("file://") and "%00" not in text:  # no name of a file has a NUL
        text = unquote(urlsplit(text).path)
    try:
        return SourceName(text, _kind(text))
    except OSError:  # a name longer than any system takes
        return SourceName(text, "missing")


def join_files(files: Sequence[str]) -> str:
    """The text that names several video files as one recording; a single file is named as it is.

    Raises InputError for no file, for a file that is not a video, and for one that is named twice.
    """
    if not files:
        raise InputError("no file to join", hint="name video files, in their order")
    names = [source_name(text) for text in files]
    for name in names:
        if not name.has_sound or name.kind == "joined":
            what = "no such file" if name.kind == "missing" else "not a video file"
            raise InputError(f"{name.shown}: {what}", hint="--join takes video files, in their order")
    keys = [name.key for name in names]
    for name in names:
        if keys.count(name.key) > 1:
            raise InputError(f"{name.shown} is named twice", hint="--join takes every file once")
    return _BETWEEN.join(name.text for name in names)


def _kind(text: str) -> SourceKind:
    if _BETWEEN in text:
        return "joined"
    path = Path(text)
    if not text:  # as a path that would be the working directory
        return "missing"
    if text == "-":
        return "stdin"
    if _ADDRESS.match(text):
        return "address"
    if path.is_dir():
        return "folder"
    if path.is_file() or path.is_fifo():
        return "image" if is_image(path) and not is_animated(path) else "file"
    if any(mark in text for mark in "*?["):
        return "pattern"
    device = path.is_char_device() and not _STREAM.match(text)
    return "camera" if text.isdecimal() or device else "missing"


def path_from(path: str, folder: Path) -> str:
    """A path as seen from `folder`: the same in every working directory."""
    try:
        return Path(os.path.relpath(path, folder)).as_posix()
    except ValueError:  # another drive
        return Path(path).absolute().as_posix()


def is_image(path: Path) -> bool:
    """True for the file of an image that is read, by its suffix; hidden ones do not count."""
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".") and path.is_file()


def holds_images(folder: Path) -> bool:
    """True for a folder in which an image lies; raises OSError where it may not be read."""
    return any(map(is_image, folder.iterdir()))


def is_animated(path: Path) -> bool:
    """True for an image file that holds a video: an animated PNG or WebP, or AVIF and HEIF, which are MP4."""
    suffix = path.suffix.lower()
    if suffix in (".avif", ".heic", ".heif"):
        return True
    if suffix not in (".png", ".webp"):
        return False
    try:
        with path.open("rb") as file:
            if suffix == ".webp":  # the flags of the extended header
                head = file.read(21)
                return head[12:16] == b"VP8X" and bool(head[20:] and head[20] & 2)
            file.seek(8)
            while len(chunk := file.read(8)) == 8 and chunk[4:] != b"IDAT":
                if chunk[4:] == b"acTL":  # comes before the pixels
                    return True
                file.seek(int.from_bytes(chunk[:4], "big") + 4, os.SEEK_CUR)
    except OSError:
        pass
    return False
