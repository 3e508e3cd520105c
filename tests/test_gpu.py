"""What needs a CUDA device: `pytest -m gpu tests/test_gpu.py`.  It decodes no video."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from contract import MODELS, check_agreement, check_repetition, recipe_model
from training_set import make_config

from siamcli.engines.cuda import CudaEngine
from siamcli.engines.kinds import default_model
from siamcli.engines.select import make_engine
from siamcli.model.anchors import anchor_grid
from siamcli.model.spec import SPECS
from siamcli.train.augment import ColorConfig
from siamcli.train.config import load_config
from siamcli.train.data import load_footage
from siamcli.train.distill import distill_crops
from siamcli.train.draws import RandomSource
from siamcli.train.loop import Step, train
from siamcli.train.pairs import PairConfig, draw_pairs
from siamcli.train.prepare import prepare
from siamcli.train.sampler import PairSampler
from siamcli.train.targets import TargetConfig, make_targets

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]
CPU, CUDA = torch.device("cpu"), torch.device("cuda")
# pixels of the search region, and score
TOLERANCES = {"float32": (0.5, 0.02), "bfloat16": (2.0, 0.06), "float16": (1.0, 0.02)}


@pytest.mark.parametrize("dtype", TOLERANCES)
@pytest.mark.parametrize(
    "model", [pytest.param(m, marks=[pytest.mark.slow] if n > 2 else []) for n, m in enumerate(MODELS)]
)
def test_engine_agrees_with_reference(model: str, dtype: str, tmp_path: Path) -> None:
    net = recipe_model(model)
    engine = make_engine(net, engine="cuda", precision=dtype, cache=tmp_path)
    assert dtype == engine.precision and engine.device.type == "cuda"
    check_agreement(engine, model, *TOLERANCES[dtype])


@pytest.mark.parametrize("model", MODELS[:3])
def test_no_graph_answers_from_old_buffers(model: str) -> None:
    net = recipe_model(model)
    engine = CudaEngine(net, CUDA, "bfloat16")
    check_repetition(engine, model, *TOLERANCES["bfloat16"])


def test_the_accurate_model_is_the_default() -> None:
    assert default_model("auto") == default_model("cuda:0") == "accurate"


def test_every_device_makes_the_same_batch(tmp_path: Path) -> None:
    footage = load_footage(load_config(str(make_config(tmp_path, steps=1))).data)
    config = PairConfig(paste=0.5, color=ColorConfig(grey=0.5, blur=0.5, noise=0.5))
    spec = SPECS["siamrpnpp-r18"]
    batches = []
    for there in (CPU, CUDA):
        moved, draws = footage.to(there), RandomSource(3, there)
        pairs = draw_pairs(moved, PairSampler(moved, [1.0]), spec, config, 8, draws)
        targets = make_targets(pairs.boxes, anchor_grid(spec).to(there), TargetConfig(), draws)
        crops = distill_crops(moved, 8, 63, config.color, draws)
        tensors = (pairs.exemplar, pairs.search, pairs.boxes, pairs.other, crops, *targets)
        batches.append([t.cpu() for t in tensors])
    for ours, theirs in zip(*batches, strict=True):
        # rounding may move an edge by a pixel, and choose another anchor of equal overlap
        apart = (ours - theirs).abs() > 1e-3 * theirs.abs().amax()
        assert apart.float().mean() < 2e-3
        assert ours.float().std() > 0


def trained(config: Path, device: torch.device) -> list[Step]:
    """The steps of a run in a folder of its own."""
    wanted = load_config(str(config))
    ready = prepare(wanted)
    Path(wanted.output).mkdir()
    return list(train(ready, load_footage(wanted.data).to(device), device))


def test_a_step_is_that_of_the_cpu(tmp_path: Path) -> None:
    """Other convolutions, other roundings: the losses agree to 2 %, and so does the gradient's length."""
    losses = []
    for there in (CPU, CUDA):
        (tmp_path / there.type).mkdir()
        config = make_config(tmp_path / there.type, steps=2, more="warmup = 0.0\nfrozen = 0.0")
        losses.append([step.losses for step in trained(config, there)])
    for ours, theirs in zip(*losses, strict=True):
        assert ours == pytest.approx(theirs, rel=0.02)


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_the_loss_falls(tmp_path: Path, precision: str) -> None:
    config = make_config(tmp_path, steps=20, more="warmup = 0.0\nfrozen = 0.0\nbackbone_rate = 1.0")
    config.write_text(config.read_text().replace('"float32"', f'"{precision}"'))
    totals = [step.losses["total"] for step in trained(config, CUDA)]
    assert all(map(math.isfinite, totals))
    assert sum(totals[-4:]) < 0.8 * sum(totals[:4])
