"""The order of names with numbers in them, as people and file managers put them."""

from __future__ import annotations

import re

__all__ = ["natural_key"]


def natural_key(text: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sort key under which `2.jpg` comes before `10.jpg`, in upper and lower case alike.

    >>> sorted(["f10.png", "f2.png", "F1.png", "f1.png"], key=natural_key)
    ['F1.png', 'f1.png', 'f2.png', 'f10.png']
    """
    parts = re.findall(r"[0-9]+|[^0-9]+", text.lower())
    key = tuple((0, int(part), part) if part[0].isdecimal() else (1, 0, part) for part in parts)
    return key, text  # names that differ in case alone have an order, too
