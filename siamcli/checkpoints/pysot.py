"""Reads weights of STVIR's PySOT: a plain state dict with the reference's names."""

from __future__ import annotations

from siamcli.model.spec import ModelSpec

__all__ = ["pysot_name"]


def pysot_name(name: str, spec: ModelSpec) -> str:
    """What PySOT calls a tensor of our state dict.

    >>> pysot_name("cls.branches.1.kernel.0.weight", ModelSpec("r50"))
    'rpn_head.rpn3.cls.conv_kernel.0.weight'
    >>> pysot_name("cls.branches.0.kernel.0.weight", ModelSpec("alex", levels=(5,)))
    'rpn_head.cls.conv_kernel.0.weight'
    """
    match name.split("."):
        case ["neck", "levels", level, *rest]:
            return ".".join(["neck", f"downsample{int(level) + 2}", "downsample", *rest])
        case ["cls" | "loc" as branch, "weight"]:
            return f"rpn_head.{branch}_weight"
        case ["cls" | "loc" as branch, "branches", level, part, *rest]:
            several = [f"rpn{int(level) + 2}"] if len(spec.levels) > 1 else []
            return ".".join(["rpn_head", *several, branch, _PARTS[part], *rest])
    return name


_PARTS = {"kernel": "conv_kernel", "search": "conv_search", "head": "head"}
