"""Sends lines of text to other programs while tracking, without waiting for them."""

from __future__ import annotations

import errno
import socket
from abc import ABC, abstractmethod
from importlib import import_module

from siamcli.errors import OutputError
from siamcli.session.endpoint import Endpoint, parse_endpoint

__all__ = ["Lines", "open_lines"]


class Lines(ABC):
    """Takes text as a file does, whole lines at a time, the first of which is the header.

    `missed` counts the lines that did not reach a reader.
    """

    missed = 0

    @abstractmethod
    def write(self, text: str) -> None:
        """Send lines; at once, whether or not a reader takes them."""

    def flush(self) -> None:  # noqa: B027 - as a file has it
        """Nothing is held back."""

    @abstractmethod
    def close(self) -> None:
        """Send what is still under way, within a time, and end."""


class DatagramLines(Lines):
    """A UDP datagram per line.

    What the system refuses to send is counted, and what nobody listened for, where the system says so: on
    this machine.  What a reader's own buffer has no room for cannot be seen from here.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._name = endpoint.text
        self._socket = endpoint.open()
        self._begun = False

    def write(self, text: str) -> None:
        for line in text.splitlines(keepends=True):
            if not self._send(line.encode()):
                self.missed += 1
        self._begun = True

    def _send(self, data: bytes) -> bool:
        try:
            try:
                self._socket.send(data)
            except ConnectionRefusedError:  # the answer to the datagram before this one
                self.missed += 1
                self._socket.send(data)
        except OSError as error:
            if error.errno == errno.EMSGSIZE and not self._begun:
                self._socket.close()
                raise OutputError(
                    f"{self._name}: the header, {len(data)} bytes, does not fit into a datagram",
                    hint="ws:// has no such limit",
                ) from None
            return False
        return True

    def close(self) -> None:
        if self._socket.fileno() >= 0:
            self.missed += self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
            self._socket.close()


def open_lines(text: str) -> Lines:
    """What sends lines to an address.  Raises OutputError."""
    endpoint = parse_endpoint(text)
    if endpoint.scheme == "udp":
        return DatagramLines(endpoint)
    listener = endpoint.open()  # says what is missing
    lines: Lines = import_module("siamcli.session.websocket").WebSocketLines(listener, endpoint.host)
    return lines
