"""Parses, checks and opens the addresses to which a trajectory is sent while tracking."""

from __future__ import annotations

import errno
import socket
from dataclasses import dataclass
from importlib.util import find_spec
from urllib.parse import urlsplit

from siamcli.errors import OutputError
from siamcli.extras import install_extra
from siamcli.formats.kinds import STREAMS

__all__ = ["Endpoint", "parse_endpoint"]

LOOPBACK = "127.0.0.1"
_EXAMPLE = f"write {' or '.join(STREAMS)}, as ws://{LOOPBACK}:8080"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where lines go: datagrams to a host, or WebSockets that are served on an address of this machine."""

    text: str
    scheme: str
    host: str
    port: int

    def open(self) -> socket.socket:
        """A socket that sends to the host, or listens.  Raises OutputError."""
        listens = self.scheme == "ws"
        if listens and find_spec("websockets") is None:
            raise OutputError(f"{self.text} needs websockets", hint=install_extra("live"))
        family, address = self._resolve(socket.SOCK_STREAM if listens else socket.SOCK_DGRAM)
        try:
            if listens:
                return socket.create_server(address, family=family)
            sender = socket.socket(family, socket.SOCK_DGRAM)
            try:
                sender.connect(address)
            except OSError:
                sender.close()
                raise
        except OSError as error:
            raise self._refusal(error) from None
        sender.setblocking(False)
        return sender

    def check(self) -> None:
        """Raises OutputError where `open` would, as far as that can be known before."""
        self.open().close()

    def _resolve(self, kind: socket.SocketKind) -> tuple[socket.AddressFamily, tuple[str, int]]:
        try:
            found = socket.getaddrinfo(self.host, self.port, type=kind)
        except (OSError, UnicodeError):
            raise OutputError(f"{self.text}: no such host as {self.host}", hint=_EXAMPLE) from None
        # `localhost` is 127.0.0.1 for most programs, whatever comes first here
        family, *_, address = min(found, key=lambda entry: entry[0] != socket.AF_INET)
        return family, (str(address[0]), self.port)

    def _refusal(self, error: OSError) -> OutputError:
        if error.errno == errno.EADDRINUSE:
            return OutputError(f"{self.text}: another program has that port", hint="choose another port")
        if error.errno == errno.EADDRNOTAVAIL:
            return OutputError(
                f"{self.text}: {self.host} is not an address of this machine",
                hint=f"{LOOPBACK} is for programs on this machine, 0.0.0.0 for all that reach it",
            )
        if error.errno in (errno.EACCES, errno.EPERM):
            hint = "choose a port from 1024 on, and the address of one machine"
            return OutputError(f"{self.text}: {error.strerror}", hint=hint)
        return OutputError(f"{self.text}: {error.strerror or error}", hint=_EXAMPLE)


def parse_endpoint(text: str) -> Endpoint:
    """Read `udp://HOST:PORT` or `ws://HOST:PORT`; without a host it is this machine alone.

    >>> parse_endpoint("ws://:8080").host, parse_endpoint("udp://[::1]:9000").host
    ('127.0.0.1', '::1')

    Raises OutputError.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        port = None
    if not port:
        raise OutputError(f"{text}: no port from 1 to 65535", hint=_EXAMPLE)
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username is not None:
        raise OutputError(f"{text} has more than a host and a port", hint=_EXAMPLE)
    return Endpoint(text, parts.scheme, parts.hostname or LOOPBACK, port)
