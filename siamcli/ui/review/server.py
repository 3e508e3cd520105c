"""Serves the review page."""

from __future__ import annotations

import ipaddress
import json
import secrets
import socket
import time
from importlib import resources
from threading import Event, Thread
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Mount, Route

from siamcli.errors import InputError, OutputError, SiamtrackError
from siamcli.ui.review.changes import StaleError
from siamcli.ui.review.events import Events
from siamcli.ui.review.library import Library
from siamcli.ui.review.work import Load, Work

__all__ = ["ReviewServer"]

LARGEST = 10_000  # bytes of a change
TOLD_EVERY = 1.0  # seconds between two events about clips that were read
_TYPES = {"html": "text/html; charset=utf-8", "css": "text/css", "js": "text/javascript"}
# the page loads nothing from other hosts and sends them nothing, not even its address, which has the token
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' blob: data:; connect-src 'self';"
    " media-src 'self'; style-src 'self'; script-src 'self'; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class _Json(JSONResponse):
    """JSON in ASCII: the name of a file may be no UTF-8."""

    def render(self, content: object) -> bytes:
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode()


class ReviewServer:
    """A page on `host`, below a random token, from now on until `close`; `load` gives the tracker for a
    trajectory when one is needed, None where nothing is tracked.

    Raises OutputError for an address that this machine does not have.
    """

    def __init__(self, library: Library, load: Load | None, host: str = "127.0.0.1") -> None:
        self.library = library
        self._events = Events()
        self._work = Work(load, self._events)
        self._finished = Event()
        self._closing = Event()
        self._socket = _listen(host)
        self._names = {"localhost", host.lower(), *_names_of_this_machine()}
        self.port = int(self._socket.getsockname()[1])
        self._token = secrets.token_urlsafe(16)
        shown = f"[{host}]" if ":" in host else host
        self.address = f"http://{shown}:{self.port}/{self._token}/"
        config = uvicorn.Config(
            self._application(), log_config=None, access_log=False, timeout_graceful_shutdown=2
        )
        self._server = uvicorn.Server(config)
        self._thread = Thread(target=self._server.run, args=([self._socket],), name="review", daemon=True)
        self._thread.start()
        self._reader = Thread(target=self._read, name="reader", daemon=True)
        self._reader.start()

    def wait(self) -> None:
        """Wait until a page says that it is finished; an interrupt comes through."""
        while self._thread.is_alive() and not self._finished.wait(0.5):
            pass

    def close(self) -> None:
        """Stop what is under way, tell the pages, and let go of everything."""
        self._closing.set()
        self._work.finish(self.library.opened())
        self._events.send({"ended": True})
        self._events.close()
        self._server.should_exit = True
        self._thread.join(5)
        self._reader.join()
        self._socket.close()
        self.library.close()

    def _read(self) -> None:
        """Read all clips, and tell the pages how good they look."""
        told, rows = time.monotonic(), {}
        for number in self.library.read_all():
            if self._closing.is_set():
                return
            rows[number] = self.library.row(number)
            if time.monotonic() - told >= TOLD_EVERY:
                self._events.send({"rows": rows})
                told, rows = time.monotonic(), {}
        if rows:
            self._events.send({"rows": rows})

    def _application(self) -> Starlette:
        routes = [
            Route("/", _asset),
            Route("/events", self._stream),
            Route("/clips", self._list),
            Route("/clips/{clip:int}", self._clip),
            Route("/clips/{clip:int}", self._change, methods=["POST"]),
            Route("/clips/{clip:int}/frames/{frame:int}", self._frame),
            Route("/clips/{clip:int}/video", self._video),
            Route("/{name}", _asset),
        ]
        return Starlette(
            routes=[Mount("/{token}", routes=routes)],
            middleware=[Middleware(BaseHTTPMiddleware, dispatch=self._guard)],
            exception_handlers={SiamtrackError: _refusal},
        )

    async def _guard(self, request: Request, go_on: RequestResponseEndpoint) -> Response:
        token = request.url.path.split("/")[1]
        if not self._is_own_name(request.url.hostname or ""):
            # DNS rebinding: a page of another host whose name was made to point to this machine
            reply: Response = _Json({"error": "only from this machine"}, 403)
        elif not secrets.compare_digest(token.encode(), self._token.encode()):
            reply = _Json({"error": "the address is not complete"}, 404)
        else:
            reply = await go_on(request)
        for name, value in _HEADERS.items():
            reply.headers.setdefault(name, value)
        return reply

    def _is_own_name(self, host: str) -> bool:
        """True for numbers and for names that only this machine has; a name of the network may lie."""
        if host in self._names:
            return True
        try:
            ipaddress.ip_address(host.strip("[]"))
        except ValueError:
            return False
        return True

    async def _stream(self, request: Request) -> Response:
        return StreamingResponse(self._events.stream(), media_type="text/event-stream")

    def _list(self, request: Request) -> Response:
        return _Json(self.library.rows())

    def _clip(self, request: Request) -> Response:
        return _Json(self.library.document(request.path_params["clip"]))

    def _frame(self, request: Request) -> Response:
        number, index = request.path_params["clip"], request.path_params["frame"]
        picture = self.library.picture(number, index)
        if picture is None:
            return _Json({"error": f"there is no frame {index}"}, 404)
        return Response(picture, media_type="image/jpeg", headers={"Cache-Control": "private, max-age=3600"})

    def _video(self, request: Request) -> Response:
        """The file of a clip, whole or in ranges of bytes."""
        path = self.library.video(request.path_params["clip"])
        return _Json({"error": "no file to play"}, 404) if path is None else FileResponse(path)

    async def _change(self, request: Request) -> Response:
        kind = request.headers.get("content-type", "")
        if not kind.startswith("application/json"):  # a form cannot send it
            return _Json({"error": "no such address"}, 404)
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:  # the rest is not waited for
                break
        try:
            change = json.loads(body) if len(body) <= LARGEST else None
        except (ValueError, RecursionError):  # no JSON, or numbers and depths beyond reason
            change = None
        if not isinstance(change, dict) or not isinstance(change.get("version"), int):
            return _Json({"error": "not a change"}, 400)
        return await run_in_threadpool(self._act, request.path_params["clip"], change)

    def _act(self, number: int, change: dict[str, Any]) -> Response:
        state = self.library.state(number)
        what, version = change.get("do"), change["version"]
        if what == "finish":
            self._finished.set()
        elif what == "stop":
            state.stopped = True
        elif what == "leave":
            self.library.clips[number].left = True
        elif what in ("track", "save"):
            self._work.begin(number, state, what, version)
        elif state.working:
            raise InputError("it is being tracked or written", hint="wait for it, or stop it")
        else:
            state.change(version, change)
            self._events.send({"clip": number, "version": state.version, "unsaved": state.unsaved})
        # only a step back can bring other points: those of a long video are not sent with every box
        return _Json(self.library.document(number, points=what == "undo"))


def _listen(host: str) -> socket.socket:
    try:
        family, *_, address = socket.getaddrinfo(host, 0, type=socket.SOCK_STREAM)[0]
        listening = socket.socket(family)
        listening.bind(address)
        listening.listen()  # who asks before the server runs waits for it
    except (OSError, UnicodeError) as error:  # a name that is none for the system, or for Python
        why = getattr(error, "strerror", None) or "no such host"
        raise OutputError(
            f"cannot serve on {host}: {why}", hint="--host takes an address of this machine"
        ) from None
    return listening


def _names_of_this_machine() -> tuple[str, str]:
    name = socket.gethostname().lower()  # as the host of an address is read
    return name, f"{name}.local"


def _asset(request: Request) -> Response:
    """A file of the page."""
    name = request.path_params.get("name", "review.html")
    file = resources.files("siamcli.ui.review") / "page" / name
    kind = _TYPES.get(name.rpartition(".")[2])
    if kind is None or not file.is_file():
        return _Json({"error": f"no {name}"}, 404)
    return Response(file.read_bytes(), media_type=kind)


def _refusal(request: Request, error: Exception) -> Response:
    status = 409 if isinstance(error, StaleError) else 422
    return _Json({"error": str(error), "hint": getattr(error, "hint", None)}, status)
