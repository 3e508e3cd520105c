"""What a web server sends from its beginning to its end only: one connection reads it, as a pipe.

ffmpeg would ask for it twice, first to look what it is.  A stream that has ended is gone by then, and so is
what an address gives away only once.
"""

from __future__ import annotations

import os
from http.client import HTTPException, HTTPResponse
from threading import Thread
from urllib.parse import unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    Request,
    build_opener,
)

from siamcli.media.playlists import is_playlist

__all__ = ["WebBody", "open_body"]

_CHUNK = 1 << 16
_CAMERA = "multipart/x-mixed-replace"


class WebBody:
    """The body of an answer: `descriptor` is the end of a pipe that gives it, `problem` why it broke off."""

    def __init__(self, answer: HTTPResponse) -> None:
        self.problem: str | None = None
        self.descriptor, end = os.pipe()
        Thread(target=self._pump, args=(answer, end), daemon=True).start()

    def _pump(self, answer: HTTPResponse, end: int) -> None:
        with answer, os.fdopen(end, "wb", buffering=0) as pipe:
            try:
                while data := answer.read1(_CHUNK):
                    while data:
                        data = data[pipe.write(data) :]
                if answer.length:
                    self.problem = f"the server ended it {answer.length} bytes early"
            except BrokenPipeError:
                pass  # its reader has gone
            except (HTTPException, OSError) as error:
                self.problem = f"the server stopped sending ({error})"


def open_body(address: str, timeout: float) -> WebBody | None:
    """What is at an http address, unless it can be read from any place on; None also for a playlist, for a
    camera that sends one image after the other, for what is compressed on its way, and for what ffmpeg had
    better ask for and complain of."""
    try:
        answer = _ask(address, timeout)
        anywhere = answer.status != 200 or "bytes" in answer.headers.get("Accept-Ranges", "")
        compressed = answer.headers.get("Content-Encoding", "identity") != "identity"
        camera = answer.headers.get_content_type() == _CAMERA
        if not (anywhere or compressed or camera or is_playlist(answer.peek(_CHUNK))):
            return WebBody(answer)
        answer.close()
    except (HTTPException, OSError, ValueError):
        pass
    return None


def _ask(address: str, timeout: float) -> HTTPResponse:
    """The answer of a server, which gets user and password of the address if it asks for them, no other does.

    urllib takes them for a part of the host's name, which it looks up: they would go to a name server.
    """
    parts = urlsplit(address)
    said, _, host = parts.netloc.rpartition("@")
    address = urlunsplit(parts._replace(netloc=host))
    passwords = HTTPPasswordMgrWithDefaultRealm()
    if said:
        user, _, password = said.partition(":")
        passwords.add_password(None, f"{parts.scheme}://{host}/", unquote(user), unquote(password))
    opener = build_opener(HTTPBasicAuthHandler(passwords), HTTPDigestAuthHandler(passwords))
    answer: HTTPResponse = opener.open(Request(address, headers={"Range": "bytes=0-"}), timeout=timeout)
    return answer
