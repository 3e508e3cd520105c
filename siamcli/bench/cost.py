"""Measures parameters, operations and time of each module of a network."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from siamcli.engines.device import exact_convolutions
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import ModelSpec

__all__ = ["ModuleCost", "module_costs", "search_gflop", "template_numbers"]


@dataclass(frozen=True, slots=True)
class ModuleCost:
    """`gflop` are multiply-adds times two, `ms` the best round in eager float32; both per search region."""

    name: str
    parameters: int
    gflop: float
    ms: float


@torch.inference_mode()
def module_costs(model: SiamRPN, device: torch.device, rounds: int) -> list[ModuleCost]:
    """Backbone, neck (if any) and head of `model`, measured on `device`; changes where `model` lies."""
    model = model.eval().to(device)
    spec = model.spec
    exemplar, search = (
        torch.rand(1, 3, side, side, device=device) for side in (spec.exemplar_size, spec.search_size)
    )
    template = model.embed(exemplar)
    raw = model.backbone(search)
    x = model.features(search)
    works: dict[str, tuple[list[nn.Module], Callable[[], object]]] = {
        "backbone": ([model.backbone], lambda: model.backbone(search))
    }
    if model.neck is not None:
        neck = model.neck
        works["neck"] = ([neck], lambda: neck(raw))
    heads = model.heads
    works["head"] = (
        list(heads.values()),
        lambda: [head(getattr(template, name), x) for name, head in heads.items()],
    )
    return [
        ModuleCost(
            name,
            sum(p.numel() for module in modules for p in module.parameters()),
            round(_gflop(work), 2),
            round(_milliseconds(work, device, rounds), 2),
        )
        for name, (modules, work) in works.items()
    ]


def search_gflop(spec: ModelSpec) -> float:
    """Multiply-adds times two of one search region, without computing it."""
    with torch.device("meta"):
        model = SiamRPN(spec).eval()
        exemplar = torch.empty(1, 3, spec.exemplar_size, spec.exemplar_size)
        search = torch.empty(1, 3, spec.search_size, spec.search_size)
    template = model.embed(exemplar)
    return _gflop(lambda: model(template, search))


def template_numbers(spec: ModelSpec) -> int:
    """How many numbers are kept per target: its finished kernels."""
    with torch.device("meta"):
        template = SiamRPN(spec).eval().embed(torch.empty(1, 3, spec.exemplar_size, spec.exemplar_size))
    return sum(kernel.numel() for kernel in template.cls + template.loc)


def _gflop(work: Callable[[], object]) -> float:
    with FlopCounterMode(display=False) as counter:
        work()
    return float(counter.get_total_flops()) / 1e9


def _milliseconds(work: Callable[[], object], device: torch.device, rounds: int) -> float:
    seconds = []
    for _ in range(rounds + 1):  # the first warms up
        started_at = time.perf_counter()
        with exact_convolutions(device):
            work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        seconds.append(time.perf_counter() - started_at)
    return 1000 * min(seconds[1:])
