"""Labels of targets: how a target is named, and which ones a name means."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from siamcli.errors import InputError

__all__ = ["find_targets", "known_targets", "shown_name", "target_name", "written_name"]


def target_name(labels: Sequence[str | None], target: int) -> str:
    """The label of a target, which counts from 1; `target 2` where it has none.

    >>> target_name(["ball", None], 1), target_name(["ball", None], 2), target_name([], 3)
    ('ball', 'target 2', 'target 3')
    """
    return (labels[target - 1] if target <= len(labels) else None) or f"target {target}"


def shown_name(labels: Sequence[str | None], target: int) -> str:
    """What people are told of a target: its label, with the number where others have that label, too.

    >>> [shown_name(["ball", None, "dog", "ball"], target) for target in (1, 2, 3, 4)]
    ['#1 ball', 'target 2', 'dog', '#4 ball']
    >>> shown_name(["target 2", None], 2)
    '#2 target 2'
    """
    name = target_name(labels, target)
    return f"#{target} {name}" if _counts(tuple(labels))[name] > 1 else name


@lru_cache(maxsize=8)  # asked for every target of a frame
def _counts(labels: tuple[str | None, ...]) -> Counter[str]:
    """How many targets have a name."""
    return Counter(target_name(labels, number) for number in range(1, len(labels) + 1))


def written_name(labels: Sequence[str | None], target: int) -> str:
    """What means this target alone in options and tables: its label, else its number.

    >>> [written_name(["ball", None, "dog", "ball"], target) for target in (1, 2, 3, 4)]
    ['#1', '#2', 'dog', '#4']
    >>> written_name(["ball", "#1"], 2)  # that is target 1
    '#2'
    """
    label = labels[target - 1]
    return label if label and find_targets(label, labels) == (target,) else f"#{target}"


def known_targets(labels: Sequence[str | None]) -> str:
    """All targets as options name them, for a hint.

    >>> known_targets(["ball", None]), known_targets(["ball", "ball"])
    ('ball, #2', '#1, #2')
    """
    return ", ".join(written_name(labels, target) for target in range(1, len(labels) + 1))


def find_targets(name: str, labels: Sequence[str | None]) -> tuple[int, ...]:
    """The numbers of the targets with the label `name`, or of `#2`; all for an empty name.

    >>> find_targets("ball", ["ball", None]), find_targets("#2", ["ball", None]), find_targets("", ["a", "b"])
    ((1,), (2,), (1, 2))

    Raises InputError where there is none.
    """
    found = tuple(
        target
        for target, label in enumerate(labels, start=1)
        if not name or name == label or name == f"#{target}"
    )
    if not found:
        raise InputError(f"no target {name!r}", hint=f"there are: {known_targets(labels)}")
    return found
