"""Fuses a convolution with the operations after it; used by packing and by cuDNN."""

from __future__ import annotations

import operator
from collections.abc import Callable

from torch import fx, nn

__all__ = ["fuse"]

_ACTIVATIONS = (nn.ReLU, nn.ReLU6)


class _Tracer(fx.Tracer):
    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return not list(m.children())  # whatever has no parts holds nothing to be fused with another


def fuse(
    module: nn.Module, make: Callable[[nn.Conv2d, nn.Module | None, bool], nn.Module | None]
) -> nn.Module:
    """The same function; `module` has no BatchNorm left (see fold).

    `make(convolution, activation, added)` is what computes the convolution, then perhaps an addition, then
    perhaps the activation, called with the input and what is added; with None they stay as they are.
    """
    fused = fx.GraphModule(module, _Tracer().trace(module))
    graph = fused.graph
    for node in list(graph.nodes):
        if _module(fused, node, nn.Identity) is not None:
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)
    for node in list(graph.nodes):
        conv = _module(fused, node, nn.Conv2d)
        if type(conv) is nn.Conv2d:  # the cropped shortcut keeps its own way
            _fuse(fused, node, conv, make)
    graph.lint()
    fused.recompile()
    fused.delete_all_unused_submodules()
    return fused


def _fuse(
    fused: fx.GraphModule,
    node: fx.Node,
    conv: nn.Conv2d,
    make: Callable[[nn.Conv2d, nn.Module | None, bool], nn.Module | None],
) -> None:
    """Replace the convolution at `node`, with the addition and the activation that alone use it."""
    graph, last = fused.graph, node
    add = _only_user(node)
    other = None
    if add is not None and add.op == "call_function" and add.target is operator.add:
        other = add.args[1] if add.args[0] is node else add.args[0]
        last = add
    follower = _only_user(last)
    activation = None if follower is None else _module(fused, follower, _ACTIVATIONS)
    if follower is not None and activation is not None:
        last = follower
    made = make(conv, activation, other is not None)
    if made is None:
        return
    name = f"fused_{node.name}"
    fused.add_submodule(name, made)
    with graph.inserting_before(last):
        args = (node.args[0],) if other is None else (node.args[0], other)
        last.replace_all_uses_with(graph.call_module(name, args))
    for gone in dict.fromkeys((last, node if add is None or other is None else add, node)):
        graph.erase_node(gone)


def _only_user(node: fx.Node) -> fx.Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _module(
    fused: fx.GraphModule, node: fx.Node, kind: type[nn.Module] | tuple[type[nn.Module], ...]
) -> nn.Module | None:
    if node.op != "call_module":
        return None
    module = fused.get_submodule(str(node.target))
    return module if isinstance(module, kind) else None
