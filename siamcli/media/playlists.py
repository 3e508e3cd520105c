"""Restricts what a source may open besides itself: playlists name other files and addresses."""

from __future__ import annotations

import re
from pathlib import Path, PurePosixPath

from siamcli.errors import InputError

__all__ = ["NOT_OPENED", "check_playlist", "is_playlist", "protocol_options"]

HEAD = 4096  # bytes that tell what a file is
LARGEST = 4_000_000  # bytes of a playlist
DEEPEST = 3  # playlists in playlists
LOCAL = "file,pipe,fd,crypto,data"
REMOTE = {
    "pipe": "pipe,fd,crypto,data",
    "http": "http,https,httpproxy,tcp,tls,crypto,data",
    "https": "http,https,httpproxy,tcp,tls,crypto,data",
    "rtsp": "rtsp,rtsps,rtp,srtp,udp,tcp,tls,http,https,httpproxy",
    "rtmp": "rtmp,rtmps,rtmpt,rtmpe,tcp,tls,http,https",
}
NOT_OPENED = "it names other files or addresses, which are not opened"

_REFERENCE = re.compile(r"""^(?!#)\s*(\S.*?)\s*$|\bURI="([^"]*)\"""", re.MULTILINE)
_SCHEME = re.compile(r"[a-z][a-z0-9+.-]*:", re.IGNORECASE)


def protocol_options(scheme: str | None) -> tuple[str, ...]:
    """ffmpeg's options for what a source may open: an address of `scheme`, None for a file or a pipe of the
    user's own, `pipe` for one that others fill."""
    if scheme is None:
        return ("-protocol_whitelist", LOCAL)
    return ("-protocol_whitelist", REMOTE.get(scheme, f"{scheme},tcp,tls,udp,rtp"))


def check_playlist(path: Path) -> None:
    """Raises InputError for a file that makes ffmpeg open others: a list of files, a session description.

    A playlist called .m3u8 or .m3u is one where all that it names lies beside or below it.
    """
    if kind := _kind(path):
        if kind == "HLS playlist" and path.suffix.lower() in (".m3u8", ".m3u"):
            _check_references(path, DEEPEST)
        else:
            raise InputError(
                f"{path} is not a video but {'an' if kind[0] == 'H' else 'a'} {kind}: {NOT_OPENED}",
                hint="name the video itself; of playlists only .m3u8 whose files lie beside it",
            )


def _kind(path: Path) -> str | None:
    """What sort of playlist a file is, None where it is none."""
    try:
        with path.open("rb") as file:
            return _kind_of(file.read(HEAD))
    except OSError:
        return None  # whoever opens it says why


def is_playlist(head: bytes) -> bool:
    """Whether what begins like this names other files or addresses."""
    return _kind_of(head) is not None


def _kind_of(head: bytes) -> str | None:
    head = head[:HEAD].removeprefix(b"\xef\xbb\xbf").lstrip()
    if head.startswith(b"#EXTM3U"):
        return "HLS playlist"
    if head.startswith(b"ffconcat"):
        return "list of files (ffconcat)"
    if head.startswith(b"<") and b"<MPD" in head:
        return "DASH manifest"
    return "session description (SDP)" if re.match(rb"v=0\s+[a-z]=", head) else None


def _check_references(path: Path, depth: int) -> None:
    with path.open("rb") as file:
        text = file.read(LARGEST + 1).decode(errors="replace")
    names = [line or uri for line, uri in _REFERENCE.findall(text)]
    for name in names:
        place = PurePosixPath(name.replace("\\", "/").split("?")[0])
        if _SCHEME.match(name) or place.is_absolute() or ".." in place.parts or len(text) > LARGEST:
            raise InputError(
                f"{path} names {name!r}: a playlist may open only files that lie beside or below it",
                hint="name the video itself",
            )
        below = path.parent / place
        if _kind(below) and (depth == 0 or below.suffix.lower() not in (".m3u8", ".m3u")):
            raise InputError(f"{path} names another playlist, {name!r}", hint="name the video itself")
        if _kind(below):
            _check_references(below, depth - 1)
