"""Counts in words: singular and plural."""

from __future__ import annotations

__all__ = ["counted"]

_SINGULAR = {"are": "is", "were": "was", "have": "has"}


def counted(count: int, noun: str, verb: str = "", *, of: int | None = None) -> str:
    """`count` things, with a verb whose plural is given.

    >>> counted(1, "frame"), counted(2, "box"), counted(1, "clip", "are", of=3)
    ('1 frame', '2 boxes', '1 of 3 clips is')
    """
    things = count if of is None else of
    ending = "" if things == 1 else "es" if noun.endswith(("s", "x")) else "s"
    number = f"{count}" if of is None else f"{count} of {of}"
    is_one = 1 in (count, things)
    return f"{number} {noun}{ending}{f' {_SINGULAR[verb] if is_one else verb}' if verb else ''}"
