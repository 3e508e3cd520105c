"""Downloads a published weights file: resumes, retries, tries every mirror, and keeps only a correct file."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from http.cookiejar import CookieJar
from pathlib import Path
from typing import BinaryIO
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPCookieProcessor, OpenerDirector, Request, build_opener

from siamcli.atomic import hold, partial_path
from siamcli.checkpoints.catalog import Entry
from siamcli.checkpoints.header import sha256_of
from siamcli.checkpoints.store import cache_folder, offline
from siamcli.checkpoints.webpage import drive_download_url, looks_like_page, page_title
from siamcli.errors import OutputError, WeightsError

__all__ = ["Progress", "fetch", "hash_fits"]

BLOCK = 1 << 18
PAGE = 1 << 20
TIMEOUT = 30.0
WAIT = 0.5  # seconds between looks whether another fetch has ended
RETRYABLE = (408, 425, 429, 500, 502, 503, 504)


Response = HTTPResponse | HTTPError
"""An HTTPError is also a response, with all its headers."""


@dataclass(frozen=True, slots=True)
class Progress:
    """Bytes so far, bytes in all (None while unknown), and what is going on."""

    done: int
    total: int | None
    note: str


class _RetryableError(Exception):
    """This mirror may work later: it cut the connection, was busy, could not be reached."""


class _PermanentError(Exception):
    """This mirror will not do: it has no such file, or another one."""


def fetch(
    entry: Entry, *, attempts: int = 5, sleep: Callable[[float], object] = time.sleep
) -> Iterator[Progress]:
    """Bring `entry` into the cache, yielding progress; at the end cache_folder() / entry.file is there.

    Mirrors are tried in turn, all of them up to `attempts` times with growing pauses.  With a
    published hash the file is checked, and what an interrupted call left is resumed; without one
    nothing would notice two halves of different files, so only this call's own part is.  Of two calls
    at once with a hash, the second waits for the first.
    Raises WeightsError when no mirror delivers, OutputError when the disk does not take it.
    """
    target = cache_folder() / entry.file
    if target.is_file() and hash_fits(entry, sha256_of(target)):
        yield Progress(target.stat().st_size, target.stat().st_size, "already here")
        return
    if offline():
        raise WeightsError(f"{entry.name} is not here, and SIAMTRACK_OFFLINE is set", hint=_by_hand(entry))
    per_process = not entry.sha256
    part = partial_path(target, per_process=per_process)
    held: BinaryIO | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if part.is_symlink():  # a link of another user: its target is not ours to write
            part.unlink()
        while (held := hold(part, fresh=per_process)) is None:
            yield Progress(_size(part), entry.size, "another fetch brings it")
            sleep(WAIT)
        if target.is_file() and entry.sha256 and hash_fits(entry, sha256_of(target)):
            yield Progress(target.stat().st_size, target.stat().st_size, "already here")
            part.unlink()
            return
        yield from _from_mirrors(entry, part, attempts, sleep)
        part.replace(target)
    except OSError as error:
        raise OutputError(
            f"cannot write {part}: {error.strerror or error}", hint="SIAMTRACK_CACHE names another folder"
        ) from error
    finally:
        if held is not None:
            if part.is_file() and (per_process or not _size(part)):
                part.unlink()
            held.close()


def hash_fits(entry: Entry, sha256: str) -> bool:
    """Whether a file's hash is the published one; True where none was published."""
    return sha256.startswith(entry.sha256)


def _from_mirrors(
    entry: Entry, part: Path, attempts: int, sleep: Callable[[float], object]
) -> Iterator[Progress]:
    """Leave the whole, checked file in `part`."""
    opener = build_opener(HTTPCookieProcessor(CookieJar()))
    urls, said = list(entry.urls), dict.fromkeys(entry.urls, "")
    failures = furthest = 0
    while urls and failures < attempts:
        for url in list(urls):
            try:
                yield from _from_one(opener, entry, url, part)
            except (_PermanentError, _RetryableError) as reason:
                said[url] = str(reason)
                if isinstance(reason, _PermanentError):
                    urls.remove(url)
                yield Progress(_size(part), entry.size, f"{urlsplit(url).hostname}: {reason}")
            else:
                return
            if _size(part) > furthest:
                # A connection that is cut again and again still gets there.
                failures, furthest = 0, _size(part)
        failures += 1
        if urls and failures < attempts:
            sleep(2.0 ** (failures - 1))
    reasons = "; ".join(f"{urlsplit(url).hostname}: {reason}" for url, reason in said.items())
    raise WeightsError(f"could not fetch {entry.name} ({reasons})", hint=_by_hand(entry))


def _from_one(opener: OpenerDirector, entry: Entry, url: str, part: Path) -> Iterator[Progress]:
    """The file from one mirror, continuing `part`.  Raises _RetryableError or _PermanentError."""
    resumed = _size(part)
    with _open(opener, url, resumed) as response:
        if response.status == 416:
            # Nothing after what is there: it is the whole file, or not this file.
            total = response.headers.get("Content-Range", "").rpartition("/")[2]
            if total != str(resumed):
                os.truncate(part, 0)  # it stays ours
                raise _RetryableError("the part that was here is not of this file")
        else:
            start = resumed if _continues(response, resumed) else 0
            yield from _receive(response, entry, part, start)
    if not hash_fits(entry, sha256_of(part)):
        os.truncate(part, 0)
        if resumed:
            raise _RetryableError("the continued file has another checksum")
        raise _PermanentError(f"another file: its SHA-256 does not start with {entry.sha256[:8]}")


def _open(opener: OpenerDirector, url: str, start: int, *, confirm: bool = True) -> Response:
    """The response that carries the file; follows redirects and Drive's question whether one is sure."""
    headers = {"User-Agent": "siamtrack", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
    try:
        response: Response = opener.open(Request(url, headers=headers), timeout=TIMEOUT)
        page = ""
        if response.headers.get_content_type() == "text/html":
            page = response.read(PAGE).decode("utf-8", "replace")
    except HTTPError as error:
        if error.code == 416:
            return error
        error.close()
        raise (_RetryableError if error.code in RETRYABLE else _PermanentError)(
            f"answers {error.code} {error.reason}"
        ) from error
    except (OSError, HTTPException) as error:
        raise _RetryableError(f"cannot be reached ({getattr(error, 'reason', None) or error})") from error
    if url.startswith("https:") and not response.url.startswith("https:"):
        response.close()
        raise _PermanentError("leads to an address without encryption")
    if not page:
        return response
    response.close()
    further = drive_download_url(page, response.url) if confirm else None
    if further is None or urlsplit(further).scheme not in ("https", urlsplit(url).scheme):
        raise _PermanentError(f"sends a web page ({page_title(page) or 'untitled'}) instead of the file")
    return _open(opener, further, start, confirm=False)


def _continues(response: Response, start: int) -> bool:
    """Whether the response goes on at byte `start`; many servers ignore ranges and begin again."""
    if response.status != 206:
        return False
    if response.headers.get("Content-Range", "").startswith(f"bytes {start}-"):
        return True
    raise _PermanentError("sends another range than it was asked for")


def _receive(response: Response, entry: Entry, part: Path, start: int) -> Iterator[Progress]:
    """Write the response behind the first `start` bytes of `part`."""
    length = response.headers.get("Content-Length", "")
    total = start + int(length) if length.isdecimal() else entry.size
    if entry.size is not None and total != entry.size:
        raise _PermanentError(f"another file: {total} bytes instead of {entry.size}")
    host = urlsplit(response.url).hostname or ""
    done = start
    with part.open("r+b" if start else "wb") as file:
        file.seek(start)
        while block := _block(response):
            if not done and looks_like_page(block):
                raise _PermanentError("sends a web page instead of the file")
            file.write(block)
            done += len(block)
            yield Progress(done, total, host)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())
    if done == 0 or (total is not None and done != total):
        raise _RetryableError(f"cut the connection after {done} bytes")


def _block(response: Response) -> bytes:
    try:
        return response.read(BLOCK)
    except (OSError, HTTPException) as error:
        raise _RetryableError(f"cut the connection ({error})") from error


def _size(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _by_hand(entry: Entry) -> str:
    return (
        f"open {entry.urls[0]} in a browser, then `siamtrack weights import {entry.file} "
        f"-o {cache_folder() / entry.name}.safetensors`"
    )
