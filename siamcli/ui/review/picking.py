"""The state of a clip in which targets are picked before it is tracked."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from siamcli.errors import InputError
from siamcli.labels import shown_name
from siamcli.ui.review.changes import Changes, Said, box_in, frame_in, label_in, target_in
from siamcli.ui.review.documents import mark_rows

__all__ = ["Picking", "Picks"]


@dataclass(frozen=True, slots=True)
class Picks:
    """The names of the targets in order, None where there is none, and where they are."""

    labels: tuple[str | None, ...] = ()
    boxes: Said = field(default_factory=dict)


class Picking(Changes[Picks]):
    """The targets of one clip with frames of `size` (width, height), a `State`; `save` hands them to `use`.

    `saves` are the files that this writes.
    """

    def __init__(self, size: tuple[int, int], use: Callable[[Picks], None], *saves: Path) -> None:
        super().__init__(Picks())
        self._size, self._use, self._saves = size, use, saves

    @property
    def used(self) -> bool:
        """True when targets were handed on."""
        return bool(self._saved.labels)

    def document(self, *, points: bool = True) -> dict[str, Any]:
        """What the page is told of it, as plain values for JSON; there are no points yet."""
        return {
            "mode": "pick",
            "version": self.version,
            "fps": None,
            "labels": self.edits.labels,
            "points": [[] for _ in self.edits.labels],
            "pending": mark_rows(self.edits.boxes),
            "times": [],
            "doubts": [],
            "doubted": 0,
            "unsaved": self.unsaved,
            "undo": bool(self._before),
            "saves": list(map(str, self._saves)),
        }

    def _changed(self, change: Mapping[str, Any]) -> Picks:
        what, picks = change.get("do"), self.edits
        labels = picks.labels
        if what == "add":
            label = label_in(change, labels) if change.get("label") else None
            place = len(labels) + 1, frame_in(change, "frame")
            return Picks((*labels, label), {**picks.boxes, place: box_in(change, self._size)})
        target = target_in(change, len(labels))
        if what == "box":
            place = target, frame_in(change, "frame")
            return replace(picks, boxes={**picks.boxes, place: box_in(change, self._size)})
        if what == "absent":
            first, last = sorted((frame_in(change, "first"), frame_in(change, "last")))
            hidden = {(target, frame): None for frame in range(first, last + 1)}
            return replace(picks, boxes={**picks.boxes, **hidden})
        if what == "name":
            label = label_in(change, labels)
            return replace(picks, labels=(*labels[: target - 1], label, *labels[target:]))
        raise InputError(f"no such change: {what}")

    def save(self, version: int) -> Iterator[int]:
        """Hand on the targets.  Raises StaleError, InputError for one without a box, what `use` raises."""
        self._check(version)
        picks = self.edits
        with_box = {target for (target, _), box in picks.boxes.items() if box is not None}
        for target in range(1, len(picks.labels) + 1):
            if target not in with_box:
                raise InputError(f"{shown_name(picks.labels, target)} has no box")
        if not picks.labels:
            raise InputError("no box yet", hint="drag one, or skip the clip")
        self._use(picks)
        with self._lock:
            self._saved = picks
            self.version += 1
        yield from ()

    def keep(self) -> Iterator[str]:
        """Nothing: boxes that nobody confirmed are not kept."""
        yield from ()
