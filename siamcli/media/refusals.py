"""Why a web server gives no video, in words."""

from __future__ import annotations

import ssl
from http import HTTPStatus
from http.client import BadStatusLine, HTTPException, IncompleteRead, InvalidURL, RemoteDisconnected
from socket import gaierror
from urllib.error import HTTPError, URLError
from urllib.parse import urljoin, urlsplit

from siamcli.addresses import without_secrets
from siamcli.errors import InputError
from siamcli.media.ffmpeg import STOPPED

__all__ = ["AGENT", "WEB", "broken_off", "no_address", "refusal", "said_no", "silence", "untrusted"]

AGENT = "siamtrack"
"""What servers are told of who asks."""

WEB = frozenset({"http", "https"})
"""The schemes of web servers."""

_GONE = "is the address right?  Some are valid for a while, or for one request"
_OF_NOBODY = (19, 20)  # OpenSSL's codes of an issuer that Python does not know; ffmpeg may
_NOT_TLS = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "PACKET_LENGTH_TOO_LONG", "UNEXPECTED_EOF_WHILE_READING")
_HINTS = {
    401: "its user and password stand before the host: USER:PASSWORD@HOST",
    403: "may you see it without signing in?  Some addresses are valid for a while, or from one place",
    404: _GONE,
    407: "a proxy is in between: its user and password stand in http_proxy",
    410: _GONE,
    429: "wait, or ask for less at a time",
}


def silence(name: str, seconds: float) -> InputError:
    """The error of a source that says nothing for so long."""
    return InputError(
        f"cannot read {name}: nothing came from it for {seconds:.0f} s",
        hint="does it send, and can this machine reach it?",
    )


def broken_off(error: Exception) -> str:
    """Why an answer that had begun did not go on."""
    if isinstance(error, TimeoutError):
        return STOPPED
    if isinstance(error, HTTPException | ConnectionError):
        return "the server hung up before the end"
    return f"the connection broke ({getattr(error, 'strerror', None) or error})"


def untrusted(name: str, why: str) -> InputError:
    """The error of a server that does not prove to be the one that it is asked as."""
    return InputError(
        f"cannot read {name}: its server's certificate is not trusted ({why})",
        hint="is the host's name right?  SSL_CERT_FILE names a file of further certificates to trust",
    )


def no_address(name: str) -> InputError:
    """The error of what begins as an http address does and is none."""
    return InputError(
        f"{name} is no address that can be asked for",
        hint="http://HOST/PATH or http://HOST:PORT/PATH; in a password, / ? # @ are %2F %3F %23 %40",
    )


def refusal(name: str, error: Exception, patience: float) -> InputError | None:
    """The error of a server that gives nothing, or nothing for so many seconds; None where ffmpeg may get on
    with it."""
    if isinstance(error, HTTPError):
        return _answered(name, error)
    if isinstance(error, URLError):
        error = error.reason if isinstance(error.reason, OSError) else ValueError(error.reason)
    if isinstance(error, TimeoutError):
        return silence(name, patience)
    if isinstance(error, RemoteDisconnected | ConnectionResetError | IncompleteRead):
        return InputError(f"cannot read {name}: the server hung up without an answer", hint="try again")
    if isinstance(error, BadStatusLine) and not str(error).startswith("ICY"):
        return InputError(f"cannot read {name}: no web server answers there", hint="is the port right?")
    if isinstance(error, InvalidURL | ValueError) and not isinstance(error, OSError):
        return no_address(name)
    if isinstance(error, ssl.SSLCertVerificationError) and error.verify_code not in _OF_NOBODY:
        return untrusted(name, error.verify_message.rstrip("."))
    if isinstance(error, ssl.SSLError) and error.reason in _NOT_TLS:
        return InputError(f"cannot read {name}: no https server answers there", hint="is it http:// there?")
    if isinstance(error, ssl.SSLError) or not isinstance(error, OSError):
        return None
    if isinstance(error, gaierror):
        return InputError(
            f"cannot read {name}: no host has that name ({error.strerror})",
            hint="is the name right, and is there a network?",
        )
    return InputError(
        f"cannot read {name}: cannot connect ({error.strerror or error})", hint="is the server running?"
    )


def _answered(name: str, error: HTTPError) -> InputError:
    error.close()
    if error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
        return InputError(f"cannot read {name}: it is empty", hint="was it written to its end?")
    if 300 <= error.code < 400 and (location := error.headers.get("Location")):
        target = urljoin(error.url, location)
        if urlsplit(target).scheme in WEB:
            says = "its server sends us from address to address without an end"
            return InputError(f"cannot read {name}: {says}", hint="name the address of the video itself")
        return InputError(
            f"{name} leads to {without_secrets(target)}: what is no http address is not opened from one",
            hint="name the video itself",
        )
    return said_no(name, error.code)


def said_no(name: str, code: int) -> InputError:
    """The error of a server that answers with such a code."""
    try:
        says = f"{code} {HTTPStatus(code).phrase}"
    except ValueError:  # a code that no standard knows
        says = str(code)
    hint = _HINTS.get(code, "the fault is the server's: try again later")
    if code < 500 and code not in _HINTS:
        hint = "is the address right?"
    return InputError(f"cannot read {name}: the server says {says}", hint=hint)
