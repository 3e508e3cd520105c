"""Reads weights of OpenMMLab's mmtracking: the same network with other names, anchors and crops."""

from __future__ import annotations

from siamcli.model.spec import ModelSpec

__all__ = ["mmtracking_name"]


def mmtracking_name(name: str, spec: ModelSpec) -> str:
    """What mmtracking calls a tensor of our state dict.

    >>> mmtracking_name("loc.branches.1.head.3.bias", ModelSpec("r50"))
    'head.reg_heads.1.head_convs.1.conv.bias'
    """
    match name.split("."):
        case ["neck", "levels", level, layer, *rest]:
            return ".".join(["neck.convs", level, _LAYERS[layer], *rest])
        case ["cls" | "loc" as branch, "weight"]:
            return f"head.{_BRANCHES[branch]}_weight"
        case ["cls" | "loc" as branch, "branches", level, "head", layer, *rest]:
            block = ["1", "conv"] if layer == "3" else ["0", _LAYERS[layer]]
            return ".".join([f"head.{_BRANCHES[branch]}_heads", level, "head_convs", *block, *rest])
        case ["cls" | "loc" as branch, "branches", level, part, layer, *rest]:
            return ".".join(
                [f"head.{_BRANCHES[branch]}_heads", level, f"{part}_convs", _LAYERS[layer], *rest]
            )
    return name


_BRANCHES = {"cls": "cls", "loc": "reg"}
_LAYERS = {"0": "conv", "1": "bn"}
