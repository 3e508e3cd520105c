"""Convolutions with their weights laid out once as oneDNN wants them, and what follows them fused in.

The operators are those that PyTorch's own compiler emits for the CPU; they need no compiler here.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from siamcli.engines.fuse import fuse
from siamcli.model.siamrpn import SiamRPN

__all__ = ["input_shapes", "pack"]

_FUSIBLE = {nn.ReLU: ("relu", []), nn.ReLU6: ("hardtanh", [0.0, 6.0])}


class PackedConv2d(nn.Module):
    """A convolution, then perhaps an addition, then perhaps an activation: one call.

    (N, C_in, H, W) channels_last -> (N, C_out, H', W'); `other` is what is added.
    """

    def __init__(self, conv: nn.Conv2d, activation: nn.Module | None, input_size: list[int]) -> None:
        super().__init__()
        self._shape = (list(conv.padding), list(conv.stride), list(conv.dilation), conv.groups)
        weight = conv.weight.detach().contiguous(memory_format=torch.channels_last)
        # Without the size oneDNN guesses a layout that makes 1x1 convolutions ten times slower.
        self._weight = torch.ops.mkldnn._reorder_convolution_weight(weight, *self._shape, input_size)
        self._bias = None if conv.bias is None else conv.bias.detach()
        self._after = ("none", []) if activation is None else _FUSIBLE[type(activation)]

    def forward(self, x: Tensor, other: Tensor | None = None) -> Tensor:
        name, numbers = self._after
        ops = torch.ops.mkldnn
        out: Tensor
        if other is None:
            out = ops._convolution_pointwise(x, self._weight, self._bias, *self._shape, name, numbers, "")
            return out
        unary = None if name == "none" else name
        out = ops._convolution_pointwise.binary(
            x, other, self._weight, self._bias, *self._shape, "add", 1.0, unary, numbers, None
        )
        return out


def input_shapes(net: SiamRPN) -> dict[nn.Module, list[int]]:
    """What every convolution of `net` is given while it tracks one target, without computing it."""
    shapes: dict[nn.Module, list[int]] = {}
    empty = copy.deepcopy(net).to("meta")

    def remember(name: str, conv: nn.Module) -> None:
        original = net.get_submodule(name)
        conv.register_forward_pre_hook(lambda _, args: shapes.update({original: list(args[0].shape)}))

    for name, child in empty.named_modules():
        if isinstance(child, nn.Conv2d):
            remember(name, child)
    exemplar, search = (
        torch.empty(1, 3, side, side, device="meta")
        for side in (net.spec.exemplar_size, net.spec.search_size)
    )
    empty(empty.embed(exemplar), search)
    return shapes


def pack(module: nn.Module, shapes: Mapping[nn.Module, list[int]]) -> nn.Module:
    """The same function of channels_last tensors; `module` has no BatchNorm left (see fold).

    It is fastest for inputs of the `shapes` and takes others too.
    Raises RuntimeError or AttributeError where this PyTorch lacks the operators.
    """
    return fuse(module, lambda conv, activation, _: PackedConv2d(conv, activation, shapes[conv]))
