"""A small tracker inside a large one: the same function, with room to learn.

A ResNet-50 whose every channel is new has to learn everything again.  Yet a trained ResNet-18 tracker
fits into it (function-preserving growth as in Net2Net, Chen et al., ICLR 2016): the 3x3 of a bottleneck
is as wide as the basic block's, and its output four times as wide.  So two bottlenecks hold one basic
block: the first writes relu(conv1 x) into free channels, the second adds conv2 of that to x.  The ReLU
behind a bottleneck's 3x3 would cut off what is negative: a bias lifts it above zero, and the next
1x1 takes it off again.

Stages 2 and 3 fit into 4 of 4 and 4 of 6 bottlenecks, stage 4 starts as the identity, neck and heads
keep the old channels as their first.  What is new starts random and writes nothing into the old.  Stage 1
has three bottlenecks for four 3x3 convolutions: it starts near and is learned (`imitate.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from siamcli.engines.fold import fold
from siamcli.errors import InputError
from siamcli.model.head import Branch, Head
from siamcli.model.resnet import BasicBlock, Bottleneck, ResNet
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import ModelSpec
from siamcli.train.widen import fit_norms, keep_as, widen_branch, widen_layer

__all__ = ["STAGE", "check_growth", "grow"]

STAGE = "layer1"
"""The stage of the backbone that is not exact."""

_SOURCE_LEVELS = (0, 1, 1)
"""The source's level that each of the grown network's begins as: stage 4 begins as stage 3."""

_ROOM = 1.15
"""How much farther than seen a value may fall below zero before it is cut off."""

_PAIRS = 4
"""Pairs that batch statistics are taken from: each has hundreds of cells."""

_QUIET = 0.3
"""Scale of new paths: heard, but not louder than what is there."""


class _Lifts(NamedTuple):
    """How far below zero the three sums of a stage fall, per channel: shortcut, first and second block."""

    shortcut: Tensor
    first: Tensor
    second: Tensor


def check_growth(source: ModelSpec, spec: ModelSpec) -> None:
    """Raise InputError where a tracker of `source` does not fit into one of `spec`."""
    shapes = (
        (source.backbone, source.levels, source.downsample),
        (spec.backbone, spec.levels, spec.downsample),
    )
    fits = shapes == (("resnet18", (2, 3), 1), ("resnet50", (2, 3, 4), 1))
    same = all(
        getattr(source, name) == getattr(spec, name)
        for name in ("weighted", "anchors", "correlation", "exemplar_size", "search_size", "crop")
    )
    wide = (
        all(spec.channels[i] >= source.channels[j] for i, j in enumerate(_SOURCE_LEVELS)) if fits else False
    )
    if not (fits and same and wide and spec.weighted and spec.correlation == "depthwise"):
        raise InputError(
            f"grow.source: {source.name} does not fit into {spec.name}",
            hint="siamrpnpp-r18 grows into siamrpnpp-r50",
        )


@torch.no_grad()
def grow(source: SiamRPN, spec: ModelSpec, crops: Tensor, regions: Tensor) -> SiamRPN:
    """A network of `spec` that answers as `source` does, but for its stage 1; in evaluation mode.

    crops (N, 3, 127, 127) and regions (N, 3, 255, 255), BGR in [0, 255], show what values to expect.
    Raises InputError where the source does not fit.
    """
    check_growth(source.spec, spec)
    folded = fold(source)
    old, grown = folded.backbone, SiamRPN(spec).eval()
    new = grown.backbone
    assert isinstance(old, ResNet) and isinstance(new, ResNet)
    lifts = [
        _Lifts(*map(torch.maximum, *pair))
        for pair in zip(_measure(old, crops), _measure(old, regions), strict=True)
    ]
    stem = _conv(old, "conv1")
    new.conv1.weight.copy_(stem.weight)
    _only_add(new.bn1, _bias(stem))
    _begin_stage(_stage(new, 1), _blocks(old, 1), lifts[0])
    for number in (2, 3):
        _hold_stage(_stage(new, number), _blocks(old, number), lifts[number - 1])
    _pass_stage(_stage(new, 4), 256)
    assert grown.neck is not None and source.neck is not None and grown.loc is not None
    for level, theirs in enumerate(_SOURCE_LEVELS):
        widen_layer(grown.neck.levels[level], source.neck.levels[theirs])
        for name, head in grown.heads.items():
            widen_branch(_branch(head, level), _branch(source.heads[name], theirs))
    for name, head in grown.heads.items():
        before = source.heads[name].weight
        assert head.weight is not None and before is not None
        shares = before.softmax(0)
        times = torch.tensor([_SOURCE_LEVELS.count(i) for i in _SOURCE_LEVELS])
        head.weight.copy_((shares[list(_SOURCE_LEVELS)] / times).log())
    fit_norms(grown, source, crops[:_PAIRS], regions[:_PAIRS])
    return grown


def _measure(old: ResNet, pictures: Tensor) -> list[_Lifts]:
    """The lifts that every stage of a folded network needs on some pictures (N, 3, H, W)."""

    def below(value: Tensor) -> Tensor:
        return (-value.amin((0, 2, 3)) * _ROOM).clamp(min=0)

    x = old.maxpool(old.relu(old.conv1(pictures)))
    lifts = []
    for number in (1, 2, 3):
        first, second = _blocks(old, number)
        shortcut = x if first.downsample is None else first.downsample(x)
        inner = first.conv2(torch.relu(first.conv1(x)))
        x = torch.relu(inner + shortcut)
        outer = second.conv2(torch.relu(second.conv1(x)))
        lifts.append(_Lifts(below(shortcut), below(inner), below(outer)))
        x = torch.relu(outer + x)
    return lifts


def _hold_stage(stage: Sequence[Bottleneck], blocks: Sequence[BasicBlock], lifts: _Lifts) -> None:
    """Two basic blocks in the first four bottlenecks; later ones leave their result as it is."""
    first, second = blocks
    m = stage[0].conv2.out_channels
    result, inner, outer = (slice(i * m, (i + 1) * m) for i in range(3))
    for block in stage:
        _start_anew(block)
    _hold(stage[0], slice(0, first.conv1.in_channels), first.conv1, inner)
    assert first.downsample is not None
    _shortcut(stage[0], _conv(first.downsample, "0"), m, 3 * m, lifts.shortcut)
    _hold(stage[1], inner, first.conv2, result, lifts.first, lifts.shortcut)
    _hold(stage[2], result, second.conv1, outer)
    _hold(stage[3], outer, second.conv2, result, lifts.second)
    for block in stage[4:]:
        block.conv3.weight[result] = 0


def _begin_stage(stage: Sequence[Bottleneck], blocks: Sequence[BasicBlock], lifts: _Lifts) -> None:
    """The first basic block exactly, of the second what a 1x1 can do for its second 3x3."""
    first, second = blocks
    m = stage[0].conv2.out_channels
    result, inner, outer = (slice(i * m, (i + 1) * m) for i in range(3))
    for block in stage:
        _start_anew(block)
    _hold(stage[0], slice(0, m), first.conv1, inner)
    _shortcut(stage[0], None, m, 3 * m)
    _hold(stage[1], inner, first.conv2, result, lifts.first)
    _hold(stage[2], result, second.conv1, outer)
    stage[2].conv3.weight[result, :, 0, 0] = second.conv2.weight.sum((2, 3)) / 2
    stage[2].bn3.bias[result] = _bias(second.conv2)


def _pass_stage(stage: Sequence[Bottleneck], channels: int) -> None:
    """The first channels pass unchanged: they are never negative."""
    for block in stage:
        _start_anew(block)
        block.conv3.weight[:channels] = 0
    _shortcut(stage[0], None, channels, channels)


def _start_anew(block: Bottleneck) -> None:
    for conv in (block.conv1, block.conv2, block.conv3):
        nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
    block.conv3.weight.mul_(_QUIET)
    for norm in (block.bn1, block.bn2, block.bn3):
        _only_add(norm)


def _hold(
    block: Bottleneck,
    read: slice,
    conv: nn.Conv2d,
    write: slice,
    lift: Tensor | None = None,
    lifted: Tensor | None = None,
) -> None:
    """The bottleneck adds relu(conv(its channels `read`)) to its channels `write`.

    With a `lift` it adds conv without the relu.  `lifted` is how far above their values the channels
    `write` were when they came in.  Of the old channels, three quarters, no other changes.
    """
    count, m = read.stop - read.start, block.conv2.out_channels
    keep_as(block.conv1.weight, count, read)
    block.conv2.weight.zero_()
    block.conv2.weight[:, :count] = conv.weight
    block.bn2.bias.copy_(_bias(conv) + (0 if lift is None else lift))
    block.conv3.weight[: 3 * m] = 0
    block.conv3.weight[range(write.start, write.stop), range(m)] = 1
    for value in (lift, lifted):
        if value is not None:
            block.bn3.bias[write] -= value


def _shortcut(
    block: Bottleneck, conv: nn.Conv2d | None, count: int, old: int, lift: Tensor | None = None
) -> None:
    """The shortcut writes conv(x), or x, lifted, to its first `count` channels, and nothing to the
    others of the first `old`."""
    assert block.downsample is not None
    ours, norm = _conv(block.downsample, "0"), block.downsample.get_submodule("1")
    assert isinstance(norm, nn.BatchNorm2d)
    nn.init.kaiming_normal_(ours.weight, nonlinearity="relu")
    ours.weight.mul_(_QUIET)
    ours.weight[:old] = 0
    _only_add(norm)
    if conv is None:
        keep_as(ours.weight, count, slice(0, count))
    else:
        ours.weight[:count, : conv.in_channels] = conv.weight
        norm.bias[:count] = _bias(conv)
    if lift is not None:
        norm.bias[:count] += lift


def _only_add(norm: nn.BatchNorm2d, bias: Tensor | None = None) -> None:
    """A batch norm that is no more than a bias."""
    nn.init.zeros_(norm.bias)
    nn.init.ones_(norm.weight)
    assert norm.running_mean is not None and norm.running_var is not None
    norm.running_mean.zero_()
    norm.running_var.fill_(1 - norm.eps)
    if bias is not None:
        norm.bias.copy_(bias)


def _stage(net: ResNet, number: int) -> list[Bottleneck]:
    return [b for b in net.get_submodule(f"layer{number}").children() if isinstance(b, Bottleneck)]


def _blocks(net: ResNet, number: int) -> list[BasicBlock]:
    return [b for b in net.get_submodule(f"layer{number}").children() if isinstance(b, BasicBlock)]


def _branch(head: Head, level: int) -> Branch:
    branch = head.branches[level]
    assert isinstance(branch, Branch)
    return branch


def _conv(parent: nn.Module, name: str) -> nn.Conv2d:
    conv = parent.get_submodule(name)
    assert isinstance(conv, nn.Conv2d)
    return conv


def _bias(conv: nn.Conv2d) -> Tensor:
    assert conv.bias is not None
    return conv.bias
