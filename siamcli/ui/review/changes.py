"""Checks the changes that the page requests; the base class of a clip's state."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from threading import Lock
from typing import Any, Generic, Protocol, TypeVar

from siamcli.boxes import Box, box_problem, clip_box
from siamcli.errors import InputError
from siamcli.targets import check_label

__all__ = ["Changes", "Said", "StaleError", "State", "box_in", "frame_in", "label_in", "target_in"]

Said = Mapping[tuple[int, int], Box | None]
"""What a human says: (target, frame) -> where it is, None where it is absent."""


class StaleError(InputError):
    """A change that was made to what another tab has changed in the meantime."""


class State(Protocol):
    """What is known of one clip.  Every change has the `version` that it was made to, and makes the next.

    While it is `working`, at "track" or "save", nothing is changed; it ends when `stopped` becomes True.
    """

    version: int
    stopped: bool
    working: str

    @property
    def unsaved(self) -> bool:
        """True when something is not on the disk."""

    def change(self, version: int, change: Mapping[str, Any]) -> None:
        """Make a change; raises StaleError, and InputError for one that does not fit."""

    def save(self, version: int) -> Iterator[int]:
        """Write everything or nothing; yields how far it is.  Raises StaleError, InputError, OutputError."""

    def keep(self) -> Iterator[str]:
        """Write what is not saved into a file of its own; yields what becomes of it.  Raises OutputError."""

    def document(self, *, points: bool = True) -> dict[str, Any]:
        """What the page is told of it, as plain values for JSON; without `points` only what corrections
        change."""


Edits = TypeVar("Edits")


class Changes(ABC, Generic[Edits]):
    """What every `State` has: `edits` that are changed step by step and back, and whether they are saved."""

    def __init__(self, edits: Edits) -> None:
        self.version = 1
        self.stopped = False
        self.working = ""
        self.edits = edits
        self._saved = edits
        self._before: list[Edits] = []
        self._lock = Lock()

    @property
    def unsaved(self) -> bool:
        """As of a `State`."""
        return self.edits is not self._saved

    def change(self, version: int, change: Mapping[str, Any]) -> None:
        """As of a `State`; `undo` takes the last one back."""
        with self._lock:
            self._check(version)
            if change.get("do") != "undo":
                self._put(self._changed(change))
            elif self._before:
                self.edits = self._before.pop()
            self.version += 1

    @abstractmethod
    def _changed(self, change: Mapping[str, Any]) -> Edits:
        """The edits after a change.  Raises InputError."""

    def _check(self, version: int) -> None:
        if version != self.version:
            raise StaleError("another tab has changed this clip", hint="this is how it is now")

    def _put(self, edits: Edits) -> None:
        self._before.append(self.edits)
        self.edits = edits


def box_in(change: Mapping[str, Any], size: tuple[int, int]) -> Box:
    """The box of a change, cut at the edges of a frame of `size`, to hundredths.  Raises InputError."""
    try:
        x, y, w, h = map(float, change["box"])
    except (KeyError, TypeError, ValueError, OverflowError):
        raise InputError("no box") from None
    if wrong := box_problem(Box(x, y, w, h), size):
        raise InputError(f"the box {wrong}")
    box = Box(*(round(value, 2) for value in clip_box(Box(x, y, w, h), size)))
    if wrong := box_problem(box, size):
        raise InputError(f"the box {wrong}")
    return box


def label_in(change: Mapping[str, Any], taken: tuple[str | None, ...]) -> str:
    """The name of a target in a change, which is not among those `taken`.  Raises InputError."""
    label = str(change.get("label") or "").strip()
    check_label(label)
    if not label or "=" in label or label.startswith("#"):
        raise InputError(f"not a name: {label!r}", hint="it is not empty, has no = and no # in front")
    if label in taken:
        raise InputError(f"another target is called {label!r}", hint="choose another name")
    return label


def target_in(change: Mapping[str, Any], targets: int) -> int:
    """The number of a target, from 1, in a change.  Raises InputError."""
    target = change.get("target")
    if not isinstance(target, int) or not 1 <= target <= targets:
        raise InputError(f"no target {target}")
    return target


def frame_in(change: Mapping[str, Any], name: str) -> int:
    """The index of a frame in a change.  Raises InputError."""
    frame = change.get(name)
    if not isinstance(frame, int) or frame < 0:
        raise InputError(f"no frame {frame}")
    return frame
