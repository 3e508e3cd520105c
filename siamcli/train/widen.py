"""Layers with more channels of which the first are those of another layer."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor, nn

from siamcli.model.head import Branch
from siamcli.model.siamrpn import SiamRPN

__all__ = ["fit_norms", "keep_as", "widen_branch", "widen_layer"]


def keep_as(weight: Tensor, count: int, read: slice) -> None:
    """The first `count` outputs of a 1x1 convolution are the channels `read`."""
    weight[:count] = 0
    weight[range(count), range(read.start, read.stop)] = 1


def widen_layer(ours: nn.Module, theirs: nn.Module) -> None:
    """A convolution and its batch norm: the first outputs are theirs and read only their inputs."""
    (conv, norm), (old, before) = _conv_norm(ours), _conv_norm(theirs)
    nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    k, c = old.weight.shape[:2]
    conv.weight[:k] = 0
    conv.weight[:k, :c] = old.weight
    for name in ("weight", "bias", "running_mean", "running_var"):
        getattr(norm, name)[:k] = getattr(before, name)


def widen_branch(ours: Branch, theirs: Branch) -> None:
    """A branch of a depthwise head; its new channels count for nothing yet."""
    widen_layer(ours.kernel, theirs.kernel)
    widen_layer(ours.search, theirs.search)
    widen_layer(ours.head[:2], theirs.head[:2])
    last, old = ours.head[-1], theirs.head[-1]
    assert isinstance(last, nn.Conv2d) and isinstance(old, nn.Conv2d)
    assert last.bias is not None and old.bias is not None
    last.weight.zero_()
    last.weight[:, : old.in_channels] = old.weight
    last.bias.copy_(old.bias)


def fit_norms(grown: SiamRPN, source: SiamRPN, crops: Tensor, regions: Tensor) -> None:
    """Batch statistics for the new channels of neck and heads, from what they see on some pairs."""
    least = min(norm.num_features for norm in _norms(source))

    def fit(norm: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        assert isinstance(norm, nn.BatchNorm2d)
        assert norm.running_mean is not None and norm.running_var is not None
        new = slice(least, None)
        norm.running_mean[new] = inputs[0].mean((0, 2, 3))[new]
        norm.running_var[new] = inputs[0].var((0, 2, 3))[new]

    hooks = [norm.register_forward_pre_hook(fit) for norm in _norms(grown)]
    grown(grown.embed(crops), regions)
    for hook in hooks:
        hook.remove()


def _norms(model: SiamRPN) -> Iterator[nn.BatchNorm2d]:
    """Of neck and heads."""
    for name, module in model.named_modules():
        if isinstance(module, nn.BatchNorm2d) and not name.startswith("backbone."):
            yield module


def _conv_norm(layer: nn.Module) -> tuple[nn.Conv2d, nn.BatchNorm2d]:
    conv, norm = list(layer.children())[:2]
    assert isinstance(conv, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d)
    return conv, norm
