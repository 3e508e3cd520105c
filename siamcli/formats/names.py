"""Names output files after sources and targets, and targets after what other programs call them."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from pathlib import PurePath

from siamcli.labels import target_name
from siamcli.targets import one_line

__all__ = ["file_stem", "file_stems", "label_of", "source_stem", "target_paths", "video_stem"]


def file_stem(text: str) -> str:
    """`text` as part of a file name on any system.

    >>> file_stem("player 7/left")
    'player_7_left'
    >>> file_stem("..")  # that would be a folder
    '__'
    """
    name = "".join(c if c.isalnum() or c in "-_." else "_" for c in text)
    return name if name.strip(".") else "_" * len(name)


def file_stems(texts: Sequence[str]) -> list[str]:
    """A `file_stem` for each text, never the same for two, also where upper and lower case are the same.

    >>> file_stems(["ball", "a/b", "Ball", "a b"])
    ['ball', 'a_b', 'Ball_3', 'a_b_4']
    """
    names: list[str] = []
    taken: set[str] = set()
    for number, text in enumerate(texts, start=1):
        name = file_stem(text)
        while name.casefold() in taken:
            name = f"{name}_{number}"
        taken.add(name.casefold())
        names.append(name)
    return names


def source_stem(name: str) -> str:
    """The name of a source as the name of a file in the folder that was asked for, whatever a file claims.

    >>> source_stem("day one.v2"), source_stem("../escaped"), source_stem("a\\nb"), source_stem("..")
    ('day one.v2', '.._escaped', 'a_b', '__')
    """
    plain = "".join("_" if c in "/\\" or _is_no_text(c) else c for c in name)
    return plain if plain.strip(".") else "_" * max(len(plain), 1)


def video_stem(name: str) -> str:
    """What another program calls a video, without folders and suffix; a number is no suffix.

    >>> video_stem("clips/bug.mp4"), video_stem("2024.05.01"), video_stem("2024.05.01.mov")
    ('bug', '2024.05.01', '2024.05.01')
    """
    path = PurePath(name)
    return path.stem if path.suffix[1:2].isalpha() else path.name


def _is_no_text(char: str) -> bool:
    """Control characters and halves of characters, but for the bytes of file names that are not UTF-8."""
    return unicodedata.category(char) in ("Cc", "Cs") and not 0xDC80 <= ord(char) <= 0xDCFF


def label_of(name: str, target: int | None = None) -> str | None:
    """What another program calls a target, as a label: one line, in which no space follows another; None for
    what formats call the one with the number `target` where it has none.

    >>> label_of(" red\\n ball "), label_of("\\t"), label_of("target 2", 2), label_of("target 2", 1)
    ('red ball', None, None, 'target 2')
    """
    label = " ".join(one_line(name).split())
    return None if not label or (target and label == target_name((), target)) else label


def target_paths(path: str, labels: Sequence[str | None]) -> list[str]:
    """`path`, or one path per target where it holds `{target}`: the label, else the number.

    >>> target_paths("a.{target}.csv", ["ball", None, "ball"])
    ['a.ball.csv', 'a.2.csv', 'a.ball_3.csv']
    """
    if "{target}" not in path:
        return [path]
    names = [label or str(number) for number, label in enumerate(labels, start=1)]
    return [path.replace("{target}", name) for name in file_stems(names)]
