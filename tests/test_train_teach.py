"""A trained tracker's answers as goals: their losses by hand, and a run that is taught."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_set import make_config

from siamcli.checkpoints.native import read_native, write_native
from siamcli.errors import InputError, WeightsError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS
from siamcli.train.config import load_config
from siamcli.train.data import load_footage
from siamcli.train.draws import RandomSource
from siamcli.train.loop import train
from siamcli.train.losses import LossConfig, TrackerLoss
from siamcli.train.pairs import PairBatch
from siamcli.train.prepare import CHECKPOINT, prepare
from siamcli.train.resume import read_progress
from siamcli.train.targets import TargetConfig
from siamcli.train.teach import taught_boxes, taught_classes

CPU = torch.device("cpu")
TAUGHT = 'seed = 1\n[loss]\nteacher = "{}"\n[[data]]'


def network(seed: int) -> SiamRPN:
    torch.manual_seed(seed)
    return SiamRPN(SPECS["siamrpnpp-r10"]).eval()


def batch() -> PairBatch:
    torch.manual_seed(7)
    return PairBatch(
        torch.rand(2, 3, 127, 127) * 255,
        torch.rand(2, 3, 255, 255) * 255,
        torch.tensor([[0.0, 0.0, 64.0, 64.0], [8.0, -8.0, 50.0, 80.0]]),
        torch.ones(2),
        torch.tensor([[0, 1]]),
        torch.ones(1),
    )


def test_softened_classes_by_hand() -> None:
    """At temperature 3 a teacher's 3 is p = 0.731, a pupil's 0 is 0.5: KL is p log 2p + (1-p) log 2(1-p),
    times 9; the second anchor, of background to both, counts for nothing beside the first."""
    goal = torch.tensor([[[0.0, 60.0], [3.0, -60.0]]])
    pupil = torch.tensor([[[0.0, 30.0], [0.0, -30.0]]])
    p = 1 / (1 + math.exp(-1))
    divergence = p * math.log(2 * p) + (1 - p) * math.log(2 * (1 - p))
    assert taught_classes(pupil, goal).item() == pytest.approx(9 * p * divergence, rel=1e-3)
    assert taught_classes(goal, goal).item() == pytest.approx(0, abs=1e-6)


def test_taught_boxes_by_hand() -> None:
    """Weights of more than 1 in all are shares; less than that is doubt, and stays less."""
    delta, goal = torch.zeros(2, 4, 2), torch.tensor([1.0, -2.0]).expand(2, 4, 2)
    weight = torch.tensor([[3.0, 1.0], [0.25, 0.0]])
    assert taught_boxes(delta, goal, weight).item() == pytest.approx((0.75 * 4 + 0.25 * 8 + 0.25 * 4) / 2)


def test_who_answers_as_the_teacher_has_nothing_to_learn_from_it() -> None:
    config = LossConfig(teacher="named elsewhere", taught_cls=0.5, taught_loc=2.0)
    alike, other = (
        TrackerLoss(network(1), config, TargetConfig(), network(seed).requires_grad_(False))
        for seed in (1, 2)
    )
    parts = alike(batch(), RandomSource(0, CPU))
    assert parts["taught_cls"].item() == pytest.approx(0, abs=1e-5) and parts["taught_loc"].item() == 0
    parts = other(batch(), RandomSource(0, CPU))
    assert parts["taught_cls"].item() > 1e-4
    expected = parts["cls"] + 1.2 * parts["loc"] + 0.5 * parts["taught_cls"] + 2 * parts["taught_loc"]
    assert parts["total"].item() == pytest.approx(expected.item(), rel=1e-5)
    assert (
        other.state_dict().keys()
        == alike.state_dict().keys()
        == {f"model.{n}" for n in network(1).state_dict()}
    )
    plain = TrackerLoss(network(1), LossConfig(), TargetConfig())(batch(), RandomSource(0, CPU))
    assert plain.keys() == {"total", "cls", "loc"} and plain["cls"] == parts["cls"]


def test_only_right_boxes_of_the_teacher_are_goals() -> None:
    """An untrained head that is sure everywhere and moves nothing: right are the anchors close to the target,
    but of a pair whose box is loose none is."""
    tutor = network(3)
    for head, bias in ((tutor.cls, 20.0), (tutor.loc, 0.0)):
        for branch in head.branches:
            torch.nn.init.zeros_(branch.head[-1].weight)
            torch.nn.init.constant_(branch.head[-1].bias, 0.0)
            branch.head[-1].bias.data[len(branch.head[-1].bias) // 2 :] = bias
    loss = TrackerLoss(network(1), LossConfig(teacher="x"), TargetConfig(), tutor)
    both = loss(batch(), RandomSource(0, CPU))["taught_loc"].item()
    first = loss(batch()._replace(exact=torch.tensor([1.0, 0.0])), RandomSource(0, CPU))["taught_loc"].item()
    none = loss(batch()._replace(exact=torch.zeros(2)), RandomSource(0, CPU))["taught_loc"].item()
    assert none == 0 < first < both


def taught(folder: Path, teacher: str) -> Path:
    config = make_config(folder, steps=1)
    config.write_text(config.read_text().replace("[[data]]", TAUGHT.format(teacher)))
    return config


def test_a_tracker_is_taught_and_the_teacher_stays_outside(tmp_path: Path) -> None:
    wanted = load_config(str(taught(tmp_path, "siamrpnpp-r18")))
    ready = prepare(wanted)
    (tmp_path / "out").mkdir()
    (step,) = train(ready, load_footage(wanted.data), CPU)
    assert step.losses.keys() == {"total", "cls", "loc", "taught_cls", "taught_loc"}
    assert read_progress(tmp_path / "out" / CHECKPOINT).module.keys() == {
        f"model.{name}" for name in ready.model.state_dict()
    }


def test_a_teacher_of_other_anchors_is_named(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        prepare(load_config(str(taught(tmp_path / "a", "nowhere"))))
    spec = SPECS["siamrpnpp-alexnet"]
    other = replace(read_native(weights), spec=spec, weights=SiamRPN(spec).state_dict())
    write_native(other, tmp_path / "alex.safetensors")
    with pytest.raises(InputError, match=r"loss\.teacher: untrained has other anchors than siamrpnpp-r10"):
        prepare(load_config(str(taught(tmp_path / "b", str(tmp_path / "alex.safetensors")))))


def test_a_tracker_that_refines_no_box_has_no_teacher(tmp_path: Path) -> None:
    """It was trained as if none had been named."""
    config = taught(tmp_path, "siamrpnpp-r18")
    config.write_text(config.read_text().replace('"siamrpnpp-r10"', '"siamfc-alexnet"'))
    with pytest.raises(InputError, match=r"loss\.teacher: siamfc-alexnet refines no box"):
        prepare(load_config(str(config)))
