"""A command that asks for a box on a web page, and requests to that page."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import Future
from threading import Thread
from urllib.parse import urlsplit

import clips

from siamcli.ui.browser import BrowserPicker

__all__ = ["JSON", "Asking", "fetch"]

JSON = {"Content-Type": "application/json"}


def fetch(address, name, body=None, headers=JSON, method=None):
    """(status, document or bytes) of one request behind the address of the page."""
    parts = urlsplit(address)
    link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
    text = body if body is None or isinstance(body, str) else json.dumps(body)
    link.request(method or ("GET" if body is None else "POST"), f"{parts.path}{name}", text, headers)
    reply = link.getresponse()
    data = reply.read()
    link.close()
    kind = reply.headers["Content-Type"]
    return reply.status, json.loads(data) if kind == "application/json" else data


def aside(work, *arguments):
    """Do it in another thread; `result(10)` of what comes back is what came of it."""
    outcome = Future()

    def do():
        try:
            outcome.set_result(work(*arguments))
        except OSError as error:
            outcome.set_exception(error)

    Thread(target=do, daemon=True).start()
    return outcome


class Asking:
    """A command that asks, in a thread of its own."""

    def __init__(self):
        self._picker = BrowserPicker()
        self.address = self._picker.address

    def ask(self, size, title="a title"):
        """Begin to ask; the result is the box."""
        waiting = aside(self._picker, clips.image(5, size), title)
        assert fetch(self.address, "question")[1]["title"] == title  # waits until it is asked
        return waiting

    def answer(self, number, box):
        """Begin to answer; the result is the reply, which waits for the next question or the end."""
        return aside(fetch, self.address, "answer", {"number": number, "box": box})

    def close(self):
        self._picker.close()
