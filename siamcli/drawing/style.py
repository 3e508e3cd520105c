"""The style of an annotated video, in a module that loads quickly for `--help`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal, get_args

from siamcli.drawing.kinds import EFFECTS
from siamcli.errors import InputError
from siamcli.labels import find_targets, shown_name

__all__ = ["Color", "Effect", "LabelPart", "Mark", "Shape", "Style", "WhenLost"]

Color = tuple[int, int, int]
"""BGR."""

Shape = Literal["box", "ellipse"]
WhenLost = Literal["cover", "show"]
Mark = Literal["box", "corners", "ellipse", "dot", "none"]
LabelPart = Literal["name", "score", "state"]


@dataclass(frozen=True, slots=True)
class Effect:
    """An effect of `kinds` on a target, which is a label or `#2`; empty: all targets without an effect of
    their own.
    """

    kind: str
    target: str = ""
    color: Color = (0, 0, 0)


@dataclass(frozen=True, slots=True)
class Style:
    """The look of frames in an annotated video.

    `effects` cover boxes that are larger than the targets by the share `grow` of width and height, in this
    `shape`.  While a hidden target is lost, or has no box yet, `when_lost` covers the area in which it may
    be, or shows the picture.

    A target gets a `mark`, a label that consists of `labels`, and a `trail` of so many seconds.  Lines are
    `line` pixels wide; None: by the size of the frame.  `colors` are the colours of targets by name.  A mark,
    labels and a frame number that are None are drawn only if the picture has no effects: see `plain`.
    """

    effects: tuple[Effect, ...] = ()
    shape: Shape = "box"
    grow: float = 0.2
    when_lost: WhenLost = "cover"
    mark: Mark | None = None
    labels: tuple[LabelPart, ...] | None = None
    trail: float = 0.0
    line: float | None = None
    colors: tuple[tuple[str, Color], ...] = ()
    frame_number: bool | None = None

    @property
    def shown_mark(self) -> Mark:
        """The mark; none where there are effects and it was not asked for."""
        return self.mark or ("none" if self.effects else "box")

    @property
    def shown_labels(self) -> tuple[LabelPart, ...]:
        """What labels say; nothing where there is no mark and they were not asked for."""
        if self.labels is not None:
            return self.labels
        return () if self.shown_mark == "none" else get_args(LabelPart)

    @property
    def shows_number(self) -> bool:
        """True where the frame number is shown: beside marks, or where it was asked for."""
        return self.shown_mark != "none" if self.frame_number is None else self.frame_number

    @property
    def plain(self) -> Style:
        """The same style without marks, labels and frame number, except those that were asked for."""
        return self if self.mark else replace(self, mark="none")

    @property
    def draws(self) -> bool:
        """True where something is drawn at all."""
        return bool(self.shown_mark != "none" or self.shown_labels or self.trail or self.shows_number)

    @property
    def extent(self) -> float:
        """By which share an effect is wider and higher than the box; an ellipse goes through the corners of
        the grown box.
        """
        return (1 + self.grow) * (math.sqrt(2) if self.shape == "ellipse" else 1) - 1

    def check(self, labels: Sequence[str | None]) -> None:
        """Raises InputError for a target that is not among `labels`, and for a target with two effects."""
        self.by_target(labels)
        self.colors_by_target(labels)

    def colors_by_target(self, labels: Sequence[str | None]) -> dict[int, Color]:
        """Target number -> its colour, where one was chosen.  Raises InputError for an unknown target."""
        return {target: color for name, color in self.colors for target in find_targets(name, labels)}

    def hidden(self, labels: Sequence[str | None]) -> list[int]:
        """The numbers of the targets that are hidden.  Raises InputError as `check`."""
        return sorted(t for t, effect in self.by_target(labels).items() if EFFECTS[effect.kind].hides)

    def by_target(self, labels: Sequence[str | None]) -> dict[int, Effect]:
        """Target number -> its effect.  Raises InputError as `check`."""
        chosen: dict[int, Effect] = {}
        for effect in sorted(self.effects, key=lambda effect: not effect.target):
            targets = find_targets(effect.target, labels)
            taken = [target for target in targets if target in chosen]
            if taken and (effect.target or not chosen[taken[0]].target):
                raise InputError(
                    f"--{chosen[taken[0]].kind} and --{effect.kind} are both for"
                    f" {shown_name(labels, taken[0])}",
                    hint="give a target one effect",
                )
            chosen |= {target: effect for target in targets if target not in chosen}
        return chosen
