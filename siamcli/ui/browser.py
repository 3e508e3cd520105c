"""Picks the target in a browser: one web page, served on this machine only."""

from __future__ import annotations

import json
import secrets
from contextlib import suppress
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from socketserver import ThreadingTCPServer
from threading import Condition, Thread

import cv2

from siamcli.boxes import Box, box_problem, clip_box
from siamcli.frames import Image
from siamcli.ui.pick import MIN_SIDE

__all__ = ["BrowserPicker"]

PAGE = Path(__file__).with_name("browser.html")
LOCAL = ("127.0.0.1", "localhost", "[::1]")  # a forwarded port may have another number, but not another name
MAX_ANSWER = 300  # bytes of an answer
CLOSE_TIMEOUT = 2.0  # seconds for the browser to fetch its last reply
_JSON, _HTML, _JPEG = "application/json", "text/html; charset=utf-8", "image/jpeg"
# the page loads nothing from other hosts and sends them nothing, not even its address, which has the token
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self';"
    " style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class PickRequest:
    """One image in which the user picks a box; `title` stands above it on the page."""

    number: int
    title: str
    size: tuple[int, int]
    jpeg: bytes


class PickQueue:
    """Hands requests of the command to the threads that serve the browser, and their answers back."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._request: PickRequest | None = None
        self._answers: dict[int, Box | None] = {}
        self._open = True
        self._pending_replies = 0  # replies to answers that the browser has not got yet

    def ask(self, title: str, size: tuple[int, int], jpeg: bytes) -> Box | None:
        """Make a request and wait for its answer: the box, None when cancelled."""
        with self._changed:
            number = self._request.number + 1 if self._request else 1
            self._request = PickRequest(number, title, size, jpeg)
            self._changed.notify_all()
            self._changed.wait_for(lambda: number in self._answers)
            return self._answers[number]

    def wait_for_request(self) -> PickRequest | None:
        """Wait for a request without an answer and return it; None once the queue is closed."""

        def ready() -> bool:
            return not self._open or (self._request is not None and self._request.number not in self._answers)

        with self._changed:
            self._changed.wait_for(ready)
            return self._request if self._open else None

    def current(self) -> PickRequest | None:
        """The last request, also when it has been answered."""
        with self._changed:
            return self._request

    def answer(self, number: int, box: Box | None) -> bool:
        """Take an answer; False if another one came first.  After True, `reply_sent` must be called once."""
        with self._changed:
            if number in self._answers or not self._request or number != self._request.number:
                return False
            self._answers[number] = box
            self._pending_replies += 1
            self._changed.notify_all()
            return True

    def reply_sent(self) -> None:
        """Note that the browser has got the reply to its answer."""
        with self._changed:
            self._pending_replies -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """End the queue; wait up to CLOSE_TIMEOUT for the replies that the browser has not got yet."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._pending_replies, CLOSE_TIMEOUT)


class _Server(ThreadingTCPServer):
    """Serves on the loopback address and a free port.

    HTTPServer is not used because it looks up the name of its address, which can take long.
    """

    daemon_threads = True

    def __init__(self, queue: PickQueue) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.queue = queue
        self.token = secrets.token_urlsafe(16)
        self.port = int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    """Serves `/TOKEN/`, the page, and below it `question` (a PickRequest), its `N.jpg`, and `answer`."""

    server: _Server
    timeout = 30  # seconds; browsers open connections that they do not use

    def handle(self) -> None:
        with suppress(ConnectionError):  # the tab was closed in the meantime
            super().handle()

    def do_GET(self) -> None:
        name = self._name()
        if name == "":
            self._reply(200, PAGE.read_bytes(), _HTML)
        elif name == "question":
            self._reply(200, _document(self.server.queue.wait_for_request()))
        elif name is not None:
            request = self.server.queue.current()
            if request and name == f"{request.number}.jpg":
                self._reply(200, request.jpeg, _JPEG)
            else:
                self._refuse(404, "this picture is not shown any more")

    def do_POST(self) -> None:
        name = self._name()
        if name is None:
            return
        if name != "answer" or self.headers.get_content_type() != _JSON:  # a form cannot send JSON
            return self._refuse(404, "no such address")
        try:
            number, box = self._read_answer()
        except (ValueError, TypeError, KeyError) as error:
            return self._refuse(400, f"not an answer: {error}")
        if not self.server.queue.answer(number, box):
            return self._refuse(409, "this picture has been answered")
        try:
            self._reply(200, _document(self.server.queue.wait_for_request()))
        finally:
            self.server.queue.reply_sent()

    def _name(self) -> str | None:
        """The part of the path behind the token; None when the request was refused."""
        host = self.headers.get("Host", "")
        if host not in LOCAL and host.rpartition(":")[0] not in LOCAL:
            # DNS rebinding: a page of another host whose name was made to point to this machine
            self._refuse(403, "only from this machine")
            return None
        _, token, *name = self.path.split("/", 2) if self.path.startswith("/") else ("", "")
        if not name or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(404, "the address is not complete")
            return None
        return name[0]

    def _read_answer(self) -> tuple[int, Box | None]:
        """Read `{"number": 1, "box": [x, y, w, h]}`; the box is null when cancelled.

        Raises ValueError, TypeError or KeyError for anything else.
        """
        length = int(self.headers.get("Content-Length", ""))
        if not 0 <= length <= MAX_ANSWER:
            raise ValueError(f"{length} bytes")
        answer = json.loads(self.rfile.read(length))
        number, numbers = answer["number"], answer["box"]
        if not isinstance(number, int):
            raise TypeError(f"number {number}")
        request = self.server.queue.current()
        if numbers is None or request is None:
            return number, None
        x, y, w, h = map(float, numbers)
        box = Box(x, y, w, h)
        if problem := box_problem(box, request.size):
            raise ValueError(f"the box {problem}")
        box = Box(*(round(v, 2) for v in clip_box(box, request.size)))
        if min(box.w, box.h) < MIN_SIDE:
            raise ValueError("the box is too small")
        return number, box

    def _refuse(self, status: int, reason: str) -> None:
        self._reply(status, json.dumps({"error": reason}).encode())

    def _reply(self, status: int, body: bytes, kind: str = _JSON) -> None:
        self.send_response(status)
        headers = {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Log nothing: standard error belongs to the command."""


def _document(request: PickRequest | None) -> bytes:
    if request is None:
        return b'{"number": null}'
    width, height = request.size
    document = {"number": request.number, "title": request.title, "width": width, "height": height}
    return json.dumps({**document, "smallest": MIN_SIDE}).encode()


class BrowserPicker:
    """A `Picker` that shows every image in turn on a web page, until it is closed."""

    def __init__(self) -> None:
        self._queue = PickQueue()
        self._server = _Server(self._queue)
        self.port = self._server.port
        self.address = f"http://127.0.0.1:{self.port}/{self._server.token}/"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __call__(self, image: Image, title: str) -> Box | None:
        """The box that the user confirms, in pixels of `image`, None when cancelled."""
        # lossy: the box comes from the geometry of the page, not from these pixels
        _, jpeg = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 92))
        return self._queue.ask(title, (image.shape[1], image.shape[0]), jpeg.tobytes())

    def close(self) -> None:
        """Tell the page that there will be no more images, and stop serving it."""
        self._queue.close()
        self._server.shutdown()
        self._server.server_close()
