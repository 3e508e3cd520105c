"""Removes passwords and other secrets from addresses before they are shown or stored."""

from __future__ import annotations

import re

__all__ = ["without_secrets"]

_ADDRESS = re.compile(
    r"""(?P<scheme>\b[a-z][a-z0-9+.-]*://)
        (?:[^/?\#\s"]*@                               # user:password@
          |[^/?\#\s":@\[\]]+:(?!\d+[/?\#])[^\s"@]*@)?  # one with / ? or # in it, which no server can read
        (?P<place>[^\s?\#"]*)
        (?P<query>[?\#][^\s"]*?(?=[:;,.')\]]*(?:[\s"]|$)))?""",
    re.IGNORECASE | re.VERBOSE,
)


def without_secrets(text: str) -> str:
    """The text with every address in it without user and password, and without the values of its query, as
    signatures and tokens stand there.

    >>> without_secrets("cannot read http://me:pw@host/a.mp4?X-Signature=abc: 404")
    'cannot read http://host/a.mp4?…: 404'
    >>> without_secrets("http://me:p/w#1@host/a.mp4"), without_secrets("http://host:80/@me/a.mp4")
    ('http://host/a.mp4', 'http://host:80/@me/a.mp4')
    >>> without_secrets("rtsp://admin:p@ss@10.0.0.1:554/cam"), without_secrets("what? me@home: no")
    ('rtsp://10.0.0.1:554/cam', 'what? me@home: no')
    """
    if "://" not in text:
        return text
    return _ADDRESS.sub(lambda m: f"{m['scheme']}{m['place']}{'?…' if m['query'] else ''}", text)
