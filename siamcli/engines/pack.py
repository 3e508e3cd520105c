"""Packs the weights of convolutions once in the layout of oneDNN, fused with the operations after them.

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
    """What every convolution of `net` is given while it tracks one target, without computing it.

    The device "meta" would say so too, but PyTorch imports its compiler for it, which takes two seconds.
    """
    shapes: dict[nn.Module, list[int]] = {}
    empty = copy.deepcopy(net)
    for name, conv in empty.named_modules():
        if isinstance(conv, nn.Conv2d):
            _only_note_shapes(conv, net.get_submodule(name), shapes)
    exemplar, search = (
        torch.zeros(1, 3, side, side) for side in (net.spec.exemplar_size, net.spec.search_size)
    )
    empty(empty.embed(exemplar), search)
    return shapes


def _only_note_shapes(conv: nn.Conv2d, original: nn.Module, shapes: dict[nn.Module, list[int]]) -> None:
    """Let `conv` answer zeros of the right shape, and note what it is given as that of `original`."""
    geometry = (conv.kernel_size, conv.stride, conv.padding, conv.dilation)

    def zeros(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        kernel, stride, padding, dilation = (torch.tensor(sizes) for sizes in geometry)
        sides = (torch.tensor(x.shape[2:]) + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
        return x.new_zeros(len(x), len(weight), *sides.tolist())

    conv.register_forward_pre_hook(lambda _, args: shapes.update({original: list(args[0].shape)}))
    conv._conv_forward = zeros  # type: ignore[assignment]


def pack(module: nn.Module, shapes: Mapping[nn.Module, list[int]]) -> nn.Module:
    """The same function of channels_last tensors; `module` has no BatchNorm left (see fold).

    It is fastest for inputs of the `shapes` and takes others too.
    Raises RuntimeError or AttributeError where this PyTorch lacks the operators.
    """
    return fuse(module, lambda conv, activation, _: PackedConv2d(conv, activation, shapes[conv]))
