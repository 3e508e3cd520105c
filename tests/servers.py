"""Servers for tests."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import Thread


@contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[int]:
    """The port of a server that answers whoever connects, each at once, and then hangs up."""

    def serve(connection: socket.socket) -> None:
        with connection, suppress(ConnectionError):
            answer(connection)

    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    Thread(target=serve, args=server.accept()[:1], daemon=True).start()

        Thread(target=accept, daemon=True).start()
        yield server.getsockname()[1]
