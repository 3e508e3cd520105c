"""Convolutions with their weights laid out once as oneDNN wants them, and what follows them fused in.

The operators are those that PyTorch's own compiler emits for the CPU; they need no compiler here.
"""

from __future__ import annotations

import copy
import operator
from collections.abc import Mapping

import torch
from torch import Tensor, fx, nn

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


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children())  # whatever has no parts holds nothing to be fused with another


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
    graph = _Tracer().trace(module)
    packed = fx.GraphModule(module, graph)
    for node in list(graph.nodes):
        if _module(packed, node, nn.Identity) is not None:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    for node in list(graph.nodes):
        conv = _module(packed, node, nn.Conv2d)
        if type(conv) is nn.Conv2d:  # the cropped shortcut keeps its own way
            _fuse(packed, node, conv, shapes[conv])
    graph.lint()
    packed.recompile()
    packed.delete_all_unused_submodules()
    return packed


def _fuse(packed: fx.GraphModule, node: fx.Node, conv: nn.Conv2d, input_size: list[int]) -> None:
    """Replace the convolution at `node`, with the addition and the activation that alone use it."""
    graph, last = packed.graph, node
    add = _only_user(node)
    other = None
    if add is not None and add.op == "call_function" and add.target is operator.add:
        other = add.args[1] if add.args[0] is node else add.args[0]
        last = add
    follower = _only_user(last)
    activation = None if follower is None else _module(packed, follower, tuple(_FUSIBLE))
    if follower is not None and activation is not None:
        last = follower
    name = f"packed_{node.name}"
    packed.add_submodule(name, PackedConv2d(conv, activation, input_size))
    with graph.inserting_before(last):
        args = (node.args[0],) if other is None else (node.args[0], other)
        last.replace_all_uses_with(graph.call_module(name, args))
    for gone in dict.fromkeys((last, node if add is None or other is None else add, node)):
        graph.erase_node(gone)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(
    packed: fx.GraphModule, node: fx.Node, kind: type[nn.Module] | tuple[type[nn.Module], ...]
) -> nn.Module | None:
    if node.op != "call_module":
        return None
    module = packed.get_submodule(str(node.target))
    return module if isinstance(module, kind) else None
