"""Random numbers: the same on every device, and nothing that makes a GPU wait."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from training_set import make_config

from siamcli.model.anchors import anchor_grid
from siamcli.model.spec import SPECS
from siamcli.train import loop
from siamcli.train.augment import ColorConfig
from siamcli.train.config import load_config
from siamcli.train.data import load_footage
from siamcli.train.draws import RandomSource
from siamcli.train.pairs import PairConfig, draw_pairs
from siamcli.train.phases import TrackPhase
from siamcli.train.prepare import prepare
from siamcli.train.sampler import PairSampler
from siamcli.train.targets import TargetConfig, make_targets

CPU, META = torch.device("cpu"), torch.device("meta")


def test_noise_is_normal_and_follows_the_seed() -> None:
    draws = RandomSource(0, CPU)
    state = draws.get_state()
    noise = draws.noise(6, 3, 255, 255)
    assert noise.shape == (6, 3, 255, 255)
    assert noise.mean().item() == pytest.approx(0, abs=0.01)
    assert noise.std().item() == pytest.approx(1, abs=0.01)
    assert len({tuple(row.flatten()[:9].tolist()) for row in noise}) == 6
    assert not torch.equal(draws.noise(6, 3, 255, 255), noise)
    draws.set_state(state)
    assert torch.equal(draws.noise(6, 3, 255, 255), noise)
    assert not torch.equal(RandomSource(1, CPU).noise(6, 3, 255, 255), noise)
    assert draws.noise(1, 3, 1023, 1023).shape == (1, 3, 1023, 1023)  # the largest that a config may name


def test_uploads_are_pinned_and_asynchronous(monkeypatch: pytest.MonkeyPatch) -> None:
    pinned: list[torch.Tensor] = []

    def pin(tensor: torch.Tensor) -> torch.Tensor:
        pinned.append(tensor)
        return tensor

    def to(tensor: torch.Tensor, device: torch.device, *, non_blocking: bool) -> torch.Tensor:
        assert tensor is pinned[-1] and device.type == "cuda" and non_blocking
        return tensor

    monkeypatch.setattr(torch.Tensor, "pin_memory", pin)
    monkeypatch.setattr(torch.Tensor, "to", to)
    draws = RandomSource(0, torch.device("cuda"))
    for drawn in (draws.uniform(3), draws.symmetric(2, 3), draws.choose_rows(9, 0.5), draws.permutation(4)):
        assert drawn.ndim == 1
    assert draws.noise(2, 5).shape == (2, 5)
    assert len(pinned) == 5


class _Uploads(TorchDispatchMode):
    """Counts copies to another device, and those of them for which the processor waits."""

    def __init__(self) -> None:
        super().__init__()
        self.all = self.waiting = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and kwargs.get("device", args[0].device) != args[0].device:
            self.all += 1
            self.waiting += not kwargs.get("non_blocking", False)
        return func(*args, **kwargs)


def test_a_batch_waits_for_no_upload(tmp_path: Path) -> None:
    spec = SPECS["siamrpnpp-r18"]
    config = PairConfig(paste=0.5, color=ColorConfig(grey=0.5, blur=0.5, noise=0.5))
    footage = load_footage(load_config(str(make_config(tmp_path, steps=1))).data).to(META)
    sampler, anchors, draws = PairSampler(footage, [1.0]), anchor_grid(spec).to(META), RandomSource(3, META)
    draw_pairs(footage, sampler, spec, config, 8, draws)  # what is uploaded once
    with _Uploads() as uploads:
        pairs = draw_pairs(footage, sampler, spec, config, 8, draws)
        make_targets(pairs.boxes, anchors, TargetConfig(), draws)
    assert uploads.all > 20
    assert uploads.waiting == 0


def test_the_next_batch_is_made_before_losses_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    learn, batch = loop._step, TrackPhase.batch
    monkeypatch.setattr(loop, "_step", lambda *a: done.append("learn") or learn(*a))
    monkeypatch.setattr(TrackPhase, "batch", lambda *a: done.append("batch") or batch(*a))
    config = load_config(str(make_config(tmp_path, steps=3)))
    (tmp_path / "out").mkdir()
    steps = loop.train(prepare(config), load_footage(config.data), CPU)
    expected = ["batch", "learn", "batch"]
    for step in steps:
        assert done == expected, step
        expected += ["learn", "batch"] if step.step < 2 else ["learn"]
    assert len(done) == 6
