"""What a web server sends from its beginning to its end only: one connection reads it, as a pipe.

ffmpeg would ask for it twice, first to look what it is.  A stream that has ended is gone by then, and so is
what an address gives away only once.
"""

from __future__ import annotations

import os
from http.client import HTTPException, HTTPMessage, HTTPResponse
from queue import Empty, SimpleQueue
from threading import Thread
from typing import IO
from urllib.error import HTTPError
from urllib.parse import quote, unquote, urlsplit, urlunsplit
from urllib.request import (
    HTTPBasicAuthHandler,
    HTTPDigestAuthHandler,
    HTTPPasswordMgrWithDefaultRealm,
    HTTPRedirectHandler,
    Request,
    build_opener,
)

from siamcli.media.heads import check_head
from siamcli.media.playlists import is_playlist
from siamcli.media.refusals import AGENT, WEB, broken_off, refusal

__all__ = ["WebBody", "open_body", "request_address"]

_CHUNK = 1 << 16
_CAMERA = "multipart/x-mixed-replace"
_KEPT = "/%:=@!$&'()*+,;~?"  # characters that mean something in an address, or may stand there


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
                self.problem = broken_off(error)


def request_address(address: str) -> str:
    """An http address as a server is asked for it: without a fragment, which is for browsers, and with `%`
    escapes for spaces and letters of other languages.  Raises ValueError for what is no address.

    >>> request_address("http://bücher.example/my clip%20ü.mp4?a=b c#t=10")
    'http://xn--bcher-kva.example/my%20clip%20%C3%BC.mp4?a=b%20c'
    """
    parts = urlsplit(address)
    _ = parts.port  # refused above 65535: a lookup would take the rest of a division for it
    said, at, host = parts.netloc.rpartition("@")
    if not host.isascii():
        host = host.encode("idna").decode()
    path, query = quote(parts.path, safe=_KEPT), quote(parts.query, safe=_KEPT + "/?")
    return urlunsplit((parts.scheme, quote(said, safe=_KEPT) + at + host, path, query, ""))


def open_body(address: str, name: str, patience: float) -> WebBody | None:
    """What is at an http address, unless it can be read from any place on; None also for a playlist, for a
    camera that sends one image after the other, for what is compressed on its way, and for what ffmpeg may
    understand better.

    Raises InputError, which calls the address `name`, for a server that says no, for one that says nothing
    for `patience` seconds, and for what begins as no video.
    """
    answers: SimpleQueue[tuple[HTTPResponse, bytes] | Exception] = SimpleQueue()
    # a name server that is silent cannot be interrupted, waiting for a thread can
    Thread(target=_ask_and_look, args=(address, patience, answers), daemon=True).start()
    try:
        given = answers.get(timeout=patience)
    except Empty:
        given = TimeoutError()
    if isinstance(given, Exception):
        if problem := refusal(name, given, patience):
            raise problem
        return None
    answer, head = given
    compressed = answer.headers.get("Content-Encoding", "identity") != "identity"
    camera = answer.headers.get_content_type() == _CAMERA
    if not (compressed or camera or is_playlist(head)):
        check_head(name, head)
        ranges = answer.status != 200 or "bytes" in answer.headers.get("Accept-Ranges", "")
        endless = answer.headers.get("Content-Range", "").endswith("/*")  # where it ends ffmpeg must know
        if not ranges or endless:
            return WebBody(answer)
    answer.close()
    return None


def _ask_and_look(
    address: str, timeout: float, answers: SimpleQueue[tuple[HTTPResponse, bytes] | Exception]
) -> None:
    """Hand over the answer and how its body begins, or what went wrong."""
    try:
        answer = _ask(address, timeout)
        answers.put((answer, answer.peek(_CHUNK)))
    except (HTTPException, OSError, ValueError) as error:
        answers.put(error)


class _WebOnly(HTTPRedirectHandler):
    """Follows a server that sends us elsewhere to web servers only."""

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> Request | None:
        if urlsplit(newurl).scheme not in WEB:
            raise HTTPError(req.full_url, code, msg, headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


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
    opener = build_opener(_WebOnly(), HTTPBasicAuthHandler(passwords), HTTPDigestAuthHandler(passwords))
    headers = {"Range": "bytes=0-", "User-Agent": AGENT}
    answer: HTTPResponse = opener.open(Request(address, headers=headers), timeout=timeout)
    return answer
