"""A command that asks for targets on a web page, and requests to that page."""

from __future__ import annotations

import http.client
import json
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from queue import Queue
from threading import Thread
from urllib.parse import urlsplit

import clips

from siamcli.frames import Frame, SourceInfo
from siamcli.session.job import Job, open_job
from siamcli.ui.review.asking import ask_for_targets

__all__ = ["JSON", "Asked", "asked", "fetch"]

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


class Asked:
    """A command that asks, in a thread of its own, for the targets of a job; of stdin it has the first frame,
    which has a `size`."""

    def __init__(self, job, size=(480, 360)):
        if job.source == "-":
            first, info = Frame(0, 0.0, clips.image(5, size)), SourceInfo("stdin")
        else:
            with open_job(job) as source:
                first, info = next(iter(source)), source.info
        addresses = Queue()
        self._marks = Future()

        def ask():
            marks = ask_for_targets(job, first, info, lambda address, _: addresses.put(address))
            self._marks.set_result(marks)

        Thread(target=ask, daemon=True).start()
        self.address = addresses.get(timeout=10)
        self.size = size

    def change(self, version, **what):
        """(status, document) of a change of the state `version`."""
        return fetch(self.address, "clips/0", {"version": version, **what})

    @property
    def waits(self):
        return not self._marks.done()

    def marks(self):
        """The targets, once the page is closed."""
        return self._marks.result(10)


@contextmanager
def asked(source="-", size=(480, 360), **more):
    """Ask; the page is closed at the end."""
    asking = Asked(Job(str(source), (), (), **more), size)
    try:
        yield asking
    finally:
        with suppress(OSError):  # it may have ended
            asking.change(0, do="finish")
        asking.marks()
