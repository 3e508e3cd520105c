"""The effects on a target: a row for each; its module in this folder is imported when it is used."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["EFFECTS", "EffectKind"]


@dataclass(frozen=True, slots=True)
class EffectKind:
    """An effect: `name` is that of its option and of its module; what `hides` must fail safe.

    A module has `apply(canvas, regions, color)`, which changes the pixels of `canvas` in, or outside, regions
    that may leave it.
    """

    name: str
    hides: bool
    help: str


EFFECTS = {
    kind.name: kind
    for kind in (
        EffectKind("blur", hides=True, help="Hide a target under smoothed coarse blocks."),
        EffectKind("pixelate", hides=True, help="Hide a target under a few coarse blocks."),
        EffectKind("fill", hides=True, help="Hide a target under a colour:"),
        EffectKind("spotlight", hides=False, help="Darken everything but a target."),
    )
}
"""Name -> effect, in the order in which help lists them."""
