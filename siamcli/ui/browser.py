"""Point at the target in a browser: one page, served to this machine alone."""

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

from siamcli.boxes import Box, clip_box, misfit
from siamcli.frames import Image
from siamcli.ui.pick import SMALLEST

__all__ = ["BrowserPicker"]

PAGE = Path(__file__).with_name("browser.html")
LOCAL = ("127.0.0.1", "localhost", "[::1]")  # a forwarded port may have another number, never another name
LONGEST = 300  # bytes of an answer
GOODBYE = 2.0  # seconds for the browser to fetch its last reply
_JSON, _HTML, _JPEG = "application/json", "text/html; charset=utf-8", "image/jpeg"
# nothing is loaded from elsewhere or sent there, and the address with its token is told to nobody
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; img-src 'self' data:; connect-src 'self';"
    " style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


@dataclass(frozen=True, slots=True)
class _Question:
    """One image to point at, and what the page says above it."""

    number: int
    title: str
    size: tuple[int, int]
    jpeg: bytes


class _Desk:
    """Where the command, which asks, and the browser, which answers from other threads, meet."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._question: _Question | None = None
        self._answers: dict[int, Box | None] = {}
        self._open = True
        self._owed = 0  # replies to answers that are still under way

    def ask(self, title: str, size: tuple[int, int], jpeg: bytes) -> Box | None:
        """Put a question and wait for its answer."""
        with self._changed:
            number = self._question.number + 1 if self._question else 1
            self._question = _Question(number, title, size, jpeg)
            self._changed.notify_all()
            self._changed.wait_for(lambda: number in self._answers)
            return self._answers[number]

    def unanswered(self) -> _Question | None:
        """The open question, waiting for the next one if need be; None when there will be no more."""

        def there() -> bool:
            return not self._open or (
                self._question is not None and self._question.number not in self._answers
            )

        with self._changed:
            self._changed.wait_for(there)
            return self._question if self._open else None

    def current(self) -> _Question | None:
        """The question that was put last, also when it is answered."""
        with self._changed:
            return self._question

    def answer(self, number: int, box: Box | None) -> bool:
        """Take an answer; False if another one came first.  Its sender is owed one `reply_sent`."""
        with self._changed:
            if number in self._answers or not self._question or number != self._question.number:
                return False
            self._answers[number] = box
            self._owed += 1
            self._changed.notify_all()
            return True

    def reply_sent(self) -> None:
        """The browser knows what became of its answer."""
        with self._changed:
            self._owed -= 1
            self._changed.notify_all()

    def close(self) -> None:
        """There will be no more questions; waits a little until the browser has been told."""
        with self._changed:
            self._open = False
            self._changed.notify_all()
            self._changed.wait_for(lambda: not self._owed, GOODBYE)


class _Server(ThreadingTCPServer):
    """On this machine's own address and a free port.

    Not HTTPServer, which looks up the name of its address and may wait long for that.
    """

    daemon_threads = True

    def __init__(self, desk: _Desk) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.desk = desk
        self.token = secrets.token_urlsafe(16)
        self.port = int(self.server_address[1])


class _Handler(BaseHTTPRequestHandler):
    """Answers one request: `/TOKEN/` is the page, `question` and `N.jpg` what it shows, `answer` its end."""

    server: _Server
    timeout = 30  # seconds; browsers open connections that they never use

    def handle(self) -> None:
        with suppress(ConnectionError):  # the tab was closed meanwhile
            super().handle()

    def do_GET(self) -> None:
        name = self._name()
        if name == "":
            self._reply(200, PAGE.read_bytes(), _HTML)
        elif name == "question":
            self._reply(200, _document(self.server.desk.unanswered()))
        elif name is not None:
            question = self.server.desk.current()
            if question and name == f"{question.number}.jpg":
                self._reply(200, question.jpeg, _JPEG)
            else:
                self._refuse(404, "there is no such picture any more")

    def do_POST(self) -> None:
        name = self._name()
        if name is None:
            return
        if name != "answer" or self.headers.get_content_type() != _JSON:  # a form cannot send JSON
            return self._refuse(404, "nothing takes this")
        try:
            number, box = self._read_answer()
        except (ValueError, TypeError, KeyError) as error:
            return self._refuse(400, f"not an answer: {error}")
        if not self.server.desk.answer(number, box):
            return self._refuse(409, "this picture has been answered")
        try:
            self._reply(200, _document(self.server.desk.unanswered()))
        finally:
            self.server.desk.reply_sent()

    def _name(self) -> str | None:
        """What is asked for, behind the token; None when that was refused."""
        host = self.headers.get("Host", "")
        if host not in LOCAL and host.rpartition(":")[0] not in LOCAL:
            # a page elsewhere whose name was made to point here (DNS rebinding)
            self._refuse(403, "only from this machine")
            return None
        _, token, *name = self.path.split("/", 2) if self.path.startswith("/") else ("", "")
        if not name or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            self._refuse(404, "the address is not complete")
            return None
        return name[0]

    def _read_answer(self) -> tuple[int, Box | None]:
        """`{"number": 1, "box": [x, y, w, h]}`, or null for cancelled; raises ValueError and its like."""
        length = int(self.headers.get("Content-Length", ""))
        if not 0 <= length <= LONGEST:
            raise ValueError(f"{length} bytes")
        answer = json.loads(self.rfile.read(length))
        number, numbers = answer["number"], answer["box"]
        if not isinstance(number, int):
            raise TypeError(f"number {number}")
        question = self.server.desk.current()
        if numbers is None or question is None:
            return number, None
        x, y, w, h = map(float, numbers)
        box = Box(x, y, w, h)
        if wrong := misfit(box, question.size):
            raise ValueError(f"the box {wrong}")
        box = Box(*(round(v, 2) for v in clip_box(box, question.size)))
        if min(box.w, box.h) < SMALLEST:
            raise ValueError("the box is too small")
        return number, box

    def _refuse(self, status: int, why: str) -> None:
        self._reply(status, json.dumps({"error": why}).encode())

    def _reply(self, status: int, body: bytes, kind: str = _JSON) -> None:
        self.send_response(status)
        headers = {**_HEADERS, "Content-Type": kind, "Content-Length": str(len(body))}
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: standard error belongs to the command."""


def _document(question: _Question | None) -> bytes:
    if question is None:
        return b'{"number": null}'
    width, height = question.size
    document = {"number": question.number, "title": question.title, "width": width, "height": height}
    return json.dumps({**document, "smallest": SMALLEST}).encode()


class BrowserPicker:
    """Serves a page on which every image is shown in turn: an `Ask`, until it is closed."""

    def __init__(self) -> None:
        self._desk = _Desk()
        self._server = _Server(self._desk)
        self.port = self._server.port
        self.address = f"http://127.0.0.1:{self.port}/{self._server.token}/"
        Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def __call__(self, image: Image, title: str) -> Box | None:
        """The box that the user confirms, in pixels of `image`, None when cancelled."""
        # the picture is to aim at; the numbers come from the page's geometry, not from its pixels
        _, jpeg = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, 92))
        return self._desk.ask(title, (image.shape[1], image.shape[0]), jpeg.tobytes())

    def close(self) -> None:
        """End the page, once it knows that it has ended."""
        self._desk.close()
        self._server.shutdown()
        self._server.server_close()
