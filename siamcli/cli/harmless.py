"""Makes text of files, names and addresses safe to print: no character of it can control the terminal."""

from __future__ import annotations

import re
import unicodedata

__all__ = ["harmless", "without_commands"]

LONGEST = 400  # characters of one word: no name of a file is longer than 255
KEPT = 200  # of a longer one, and some of its end

_LONG = re.compile(rf"\S{{{LONGEST + 1},}}")
_TURNS = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""What reverses the order in which the text after it is shown."""


def harmless(text: str) -> str:
    r"""`text` as one line without commands to a terminal: control characters stand there as Python writes
    them; a word of more than 400 characters is shortened.

    >>> harmless("a\x1b[31mRED\n.mp4"), harmless("x" * 5000) == "x" * 200 + "…" + "x" * 40
    ('a\\x1b[31mRED\\n.mp4', True)
    """
    return _LONG.sub(lambda word: f"{word[0][:KEPT]}…{word[0][-40:]}", without_commands(text, keep=""))


def without_commands(text: str, *, keep: str = "\n\t") -> str:
    r"""`text` with every control character but those to `keep` as Python writes it.

    >>> without_commands("a\tb\x07\n")
    'a\tb\\x07\n'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(ascii(c)[1:-1] if c not in keep and _is_command(c) else c for c in text)


def _is_command(char: str) -> bool:
    """Control characters, ends of lines and paragraphs, halves of characters, turns of direction."""
    return unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") or char in _TURNS
