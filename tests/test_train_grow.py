"""A grown tracker answers as the one that it grew from, and goes on from there."""

from __future__ import annotations

import shutil
from collections.abc import Generator
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from training_set import make_config

from siamcli.checkpoints.native import read_native
from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.store import find
from siamcli.engines.fold import fold
from siamcli.errors import InputError
from siamcli.load import build_model
from siamcli.model.neck import center_crop
from siamcli.model.resnet import ResNet
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS
from siamcli.train.config import TrainConfig, load_config
from siamcli.train.data import load_footage
from siamcli.train.grow import check_growth, grow
from siamcli.train.imitate import Imitator
from siamcli.train.loop import Step, train
from siamcli.train.prepare import CHECKPOINT, prepare
from siamcli.train.resume import read_progress

SMALL, LARGE = SPECS["siamrpnpp-r18"], SPECS["siamrpnpp-r50"]


def noise(n: int, size: int, seed: int) -> torch.Tensor:
    """Smooth random pictures: (n, 3, size, size) in [0, 255]"""
    coarse = torch.rand(n, 3, size // 8, size // 8, generator=torch.Generator().manual_seed(seed)) * 255
    return torch.nn.functional.interpolate(coarse, (size, size), mode="bilinear")


@pytest.fixture(scope="module")
def source() -> SiamRPN:
    return build_model(read_checkpoint(find("siamrpnpp-r18")))


@pytest.fixture(scope="module")
def grown(source: SiamRPN) -> SiamRPN:
    torch.manual_seed(0)
    return grow(source, LARGE, noise(1, 127, 1), noise(1, 191, 2))


def difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    """The share of the variance of `theirs` that `ours` lacks."""
    return float((ours - theirs).square().mean() / theirs.var())


@torch.inference_mode()
@pytest.mark.parametrize(("seed", "most"), [(2, 1e-10), (9, 1e-4)])
def test_all_but_stage_1_is_the_same_function(
    source: SiamRPN, grown: SiamRPN, seed: int, most: float
) -> None:
    """Given the source's stage 1: stages 2 to 4, the neck's old channels, and what the heads answer.

    To rounding on the pictures that were measured; on others a few values that fall lower are cut off.
    """
    theirs, ours = fold(source).backbone, grown.backbone
    assert isinstance(theirs, ResNet) and isinstance(ours, ResNet)
    necks = []
    for pixels in (noise(1, 127, seed - 1), noise(1, 191, seed)):
        y = theirs.maxpool(theirs.relu(theirs.conv1(pixels)))
        assert torch.allclose(ours.maxpool(ours.relu(ours.bn1(ours.conv1(pixels)))), y, atol=1e-2)
        y = theirs.get_submodule("layer1")(y)
        x = torch.cat([y, torch.rand(len(y), 192, *y.shape[2:])], 1)  # the new channels count for nothing
        outputs = []
        for name, wanted in (("layer2", "layer2"), ("layer3", "layer3"), ("layer4", "")):
            x = ours.get_submodule(name)(x)
            y = theirs.get_submodule(wanted)(y) if wanted else y
            assert difference(x[:, : y.shape[1]], y) < most
            outputs.append((x, y))
        assert grown.neck is not None and source.neck is not None
        new = grown.neck([x for x, _ in outputs])
        old = source.neck([y for _, y in outputs[:2]])
        for level, reference in enumerate((0, 1, 1)):
            assert difference(new[level][:, :128], old[reference]) < most
            assert 0.1 < float(new[level][:, 128:].std() / old[reference].std()) < 10
        necks.append((new, old))
    (z, z_old), (x_new, x_old) = necks
    for name, head in grown.heads.items():
        before = source.heads[name]
        answer = head(head.kernels([center_crop(f, 7) for f in z]), x_new)
        wanted_answer = before(before.kernels([center_crop(f, 7) for f in z_old]), x_old)
        assert difference(answer, wanted_answer) < most


def test_what_is_new_can_learn(grown: SiamRPN) -> None:
    """The heads do not read the new channels yet; after their first step every parameter gets a gradient."""
    net = deepcopy(grown)
    for step in range(2):
        answer = net(net.embed(noise(1, 127, 3)), noise(1, 143, 4))
        net.zero_grad()
        sum(a.square().mean() for a in answer).backward()
        idle = {n for n, p in net.named_parameters() if p.grad is None or not p.grad.any()}
        if step == 0:
            assert any(n.startswith("backbone.layer4") for n in idle)
        with torch.no_grad():
            for p in net.parameters():
                if p.grad is not None:
                    p -= 1e-3 * p.grad / p.grad.norm().clamp(min=1e-12)
    assert idle == set()


def test_only_what_fits_grows() -> None:
    check_growth(SMALL, LARGE)
    for source, spec in (
        (LARGE, LARGE),
        (SMALL, SMALL),
        (SMALL, SPECS["siamrpnpp-alexnet"]),
        (SMALL, SPECS["siamrpn-r50"]),
        (SMALL, replace(LARGE, channels=(64, 256, 256))),
        (replace(SMALL, anchors=SMALL.anchors[:3]), LARGE),
    ):
        with pytest.raises(InputError, match="does not fit"):
            check_growth(source, spec)


def test_stage_1_learns_to_imitate(source: SiamRPN, grown: SiamRPN) -> None:
    net = deepcopy(grown)
    norms = [m for m in net.backbone.get_submodule("layer1").modules() if hasattr(m, "running_var")]
    before = [m.running_var.clone() for m in norms]
    imitator = Imitator(net, source).train()
    optimizer = torch.optim.AdamW(imitator.parameters(), lr=3e-4)
    crops = noise(2, 95, 5)
    totals = []
    for step in range(16):
        losses = imitator(crops, step < 8)
        assert losses.keys() == ({"total", "stage1"} if step < 8 else {"total", "stage1", "neck0", "neck1"})
        optimizer.zero_grad()
        losses["total"].backward()
        optimizer.step()
        totals.append(losses["stage1"].item())
    assert 0.05 < totals[0] < 1
    assert totals[-1] < 0.7 * totals[0]
    assert all(torch.equal(m.running_var, b) for m, b in zip(norms, before, strict=True))
    assert not any(p.requires_grad for p in imitator.source.parameters())


def begin(config: TrainConfig, *, resume: bool = False) -> Generator[Step, None, None]:
    return train(prepare(config, resume=resume), load_footage(config.data), torch.device("cpu"))


def test_growth_is_a_phase_that_resumes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("siamcli.train.loop.GROWTH_CROPS", 1)  # more of them take long, and change no step
    more = 'frozen = 1.0\n[grow]\nsource = "siamrpnpp-r18"\nsizes = [95]\n[grow.phase]\nsteps = 2\nbatch = 2'
    file = make_config(tmp_path, steps=0, save_every=1, more=more, model="siamrpnpp-r50")
    config = load_config(str(file))
    out = Path(config.output)
    out.mkdir()
    steps = begin(config)
    whole = [next(steps), next(steps)]
    after_one = shutil.copy(out / CHECKPOINT, tmp_path)  # what a run that was killed leaves
    assert list(steps) == []
    assert [s.phase for s in whole] == ["grow"] * 2
    assert "neck1" not in whole[0].losses and "neck1" in whole[1].losses
    written = read_native(out / "siamrpnpp-r50.safetensors")
    small = read_checkpoint(find("siamrpnpp-r18"))
    assert written.params == small.params and written.license == small.license
    assert written.provenance["base"] == {"name": small.name, "sha256": small.sha256}
    assert read_progress(out / CHECKPOINT).phase == "track"
    shutil.move(after_one, out / CHECKPOINT)
    with closing(begin(config, resume=True)) as steps:
        again = next(steps)
    assert (again.step, again.losses) == (2, whole[1].losses)


def test_a_teacher_beside_a_source_is_refused(tmp_path: Path) -> None:
    more = '[grow]\nsource = "siamrpnpp-r18"\n[distill]\nteacher = "somewhere"'
    with pytest.raises(InputError, match="exclude each other"):
        load_config(str(make_config(tmp_path, steps=1, more=more)))
