"""The paper's three correlations: what they compute, what they cost, that they learn and that they track."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import product

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_set import make_config, make_sequences

from siamcli.bench.cost import template_numbers
from siamcli.boxes import Box, iou
from siamcli.checkpoints.native import Checkpoint, read_native, write_native
from siamcli.engines.eager import EagerEngine
from siamcli.engines.fold import fold
from siamcli.frames import Frame
from siamcli.model.head import Head, depthwise_xcorr, xcorr
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, ModelSpec, default_params
from siamcli.tracker.tracker import Tracker
from siamcli.train.config import DataConfig
from siamcli.train.data import load_footage
from siamcli.train.draws import RandomSource
from siamcli.train.losses import LossConfig, TrackerLoss
from siamcli.train.pairs import PairBatch, PairConfig, draw_pairs
from siamcli.train.sampler import PairSampler
from siamcli.train.targets import TargetConfig

TWINS = ("siamrpnpp-alexnet", "siamrpn-alexnet", "siamfc-alexnet")
CORRELATIONS = ("depthwise", "up-channel", "plain")


def naive(search, kernel):
    """search (C, H, W), kernel (C, h, w) -> per channel (C, H - h + 1, W - w + 1), one number at a time"""
    c, h, w = kernel.shape
    out = torch.zeros(c, search.shape[1] - h + 1, search.shape[2] - w + 1)
    for k, y, x in product(range(c), range(out.shape[1]), range(out.shape[2])):
        out[k, y, x] = sum(search[k, y + i, x + j] * kernel[k, i, j] for i in range(h) for j in range(w))
    return out


@settings(max_examples=15, deadline=None)
@given(
    n=st.integers(1, 3),
    k=st.integers(1, 3),
    c=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    more=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    seed=st.integers(0, 99),
)
def test_correlations_are_sums_of_products(n, k, c, kernel, more, seed):
    random = torch.Generator().manual_seed(seed)
    search = torch.randn(n, c, kernel[0] + more[0], kernel[1] + more[1], generator=random)
    bank = torch.randn(n, k, c, *kernel, generator=random)
    expected = torch.stack(
        [torch.stack([naive(x, z).sum(0) for z in zs]) for x, zs in zip(search, bank, strict=True)]
    )
    assert torch.allclose(xcorr(search, bank), expected, atol=1e-5)
    expected = torch.stack([naive(x, zs[0]) for x, zs in zip(search, bank, strict=True)])
    assert torch.allclose(depthwise_xcorr(search, bank[:, 0]), expected, atol=1e-5)


@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("channels", [(6,), (6, 4)])
@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_head_compares_each_template_with_its_own_region(correlation, channels, weighted):
    torch.manual_seed(0)
    head = Head(channels, 4, correlation, weighted=weighted, adjusted=True).eval()
    template = [torch.randn(3, c, 7, 7) for c in channels]
    search = [torch.randn(3, c, 12, 12) for c in channels]
    kernels = head.kernels(template)
    shapes = {"depthwise": [(c, 5, 5) for c in channels], "up-channel": [(4, c, 5, 5) for c in channels]}
    shapes["plain"] = [(1, c, 7, 7) for c in channels]
    assert [tuple(kernel.shape) for kernel in kernels] == [(3, *shape) for shape in shapes[correlation]]
    together = head(kernels, search)
    assert together.shape == (3, 4, 6, 6)
    for i in range(3):
        alone = head([kernel[i : i + 1] for kernel in kernels], [x[i : i + 1] for x in search])
        assert torch.allclose(together[i : i + 1], alone, atol=1e-5)
    swapped = head([kernel.flip(0) for kernel in kernels], search)
    assert (swapped - together).abs().amax((1, 2, 3))[[0, 2]].min() > 1e-3


@pytest.mark.parametrize("correlation", CORRELATIONS)
def test_folding_keeps_weighted_levels(correlation):
    torch.manual_seed(0)
    anchors = ((64.0, 64.0),)
    spec = ModelSpec(
        "small", "resnet18", 1, (2, 3), (6, 4), crop="exact", anchors=anchors, correlation=correlation
    )
    model = SiamRPN(spec).eval()
    for head in model.heads.values():
        head.weight.data = torch.tensor([0.3, 1.5])
    exemplar, search = 255 * torch.rand(2, 3, 127, 127), 255 * torch.rand(2, 3, 255, 255)
    with torch.inference_mode():
        expected = model(model.embed(exemplar), search)
        folded = fold(model)
        found = folded(folded.embed(exemplar), search)
    assert [tuple(m.shape) for m in found] == [(2, 2, 25, 25), (2, 4, 25, 25)][: len(model.heads)]
    for a, b in zip(expected, found, strict=True):
        assert a.std() > 0 and torch.allclose(a, b, atol=1e-4 * a.abs().max().item())


def parameters(name):
    with torch.device("meta"):
        return sum(p.numel() for head in SiamRPN(SPECS[name]).heads.values() for p in head.parameters())


def test_depthwise_heads_are_the_light_ones():
    """The paper's "10 times fewer parameters" (section 3.3); and what is kept of a target."""
    assert parameters("siamrpn-alexnet") / parameters("siamrpnpp-alexnet") == pytest.approx(7.55, abs=0.1)
    assert parameters("siamrpn-r50") / parameters("siamrpnpp-r50") == pytest.approx(7.55, abs=0.1)
    assert parameters("siamfc-alexnet") == 4
    assert template_numbers(SPECS["siamrpn-r50"]) == 15 * template_numbers(SPECS["siamrpnpp-r50"])


def test_plain_correlation_has_one_anchor():
    with pytest.raises(ValueError, match="one box per cell"):
        SiamRPN(replace(SPECS["siamfc-alexnet"], anchors=((64.0, 64.0), (80.0, 50.0))))


@pytest.mark.parametrize("name", TWINS)
def test_loss_falls_within_seconds(name, tmp_path):
    make_sequences(tmp_path)
    footage = load_footage([DataConfig(str(tmp_path), "folders")])
    spec = replace(SPECS[name], channels=(16,), search_size=159)
    draws = RandomSource(0, torch.device("cpu"))
    batch = draw_pairs(footage, PairSampler(footage, [1.0]), spec, PairConfig(), 2, draws)
    torch.manual_seed(0)
    loss = TrackerLoss(SiamRPN(spec).train(), LossConfig(), TargetConfig())
    optimizer = torch.optim.SGD(loss.parameters(), lr=0.0005, momentum=0.9)
    totals = []
    for _ in range(6):
        parts = loss(batch, draws)
        optimizer.zero_grad()
        parts["total"].backward()
        optimizer.step()
        totals.append(parts["total"].item())
    assert set(parts) == ({"total", "cls"} if name.startswith("siamfc") else {"total", "cls", "loc"})
    assert sum(totals[-2:]) / 2 < 0.8 * totals[0], totals


def test_plain_loss_counts_distance_alone():
    """A long thin target and a square one in the same place have the same positive cells."""
    torch.manual_seed(0)
    spec = SPECS["siamfc-alexnet"]
    loss = TrackerLoss(SiamRPN(spec).eval(), LossConfig(), TargetConfig(positives=999, total=999))
    exemplar, search = torch.rand(1, 3, 127, 127), torch.rand(1, 3, spec.search_size, spec.search_size)
    none, draws = torch.zeros(0, 2, dtype=torch.long), RandomSource(0, torch.device("cpu"))

    def total(box):
        batch = PairBatch(exemplar, search, torch.tensor([box]), torch.ones(1), none, torch.zeros(0))
        return loss(batch, draws)["total"].item()

    assert total([8.0, 0.0, 120.0, 30.0]) == total([8.0, 0.0, 64.0, 64.0]) != total([40.0, 0.0, 64.0, 64.0])


def moving_target(growth, frames=10):
    """A patchwork moving over blurred noise, its sides growing by `growth` per frame."""
    random = np.random.default_rng(0)
    background = cv2.GaussianBlur(random.integers(0, 255, (240, 320, 3), dtype=np.uint8), (0, 0), 6)
    patchwork = random.integers(0, 255, (5, 6, 3), dtype=np.uint8)
    boxes = [Box(60 + 5 * i, 70 + 2 * i, 50 * growth**i, 40 * growth**i) for i in range(frames)]
    images = []
    for box in boxes:
        x, y, w, h = map(round, box)
        images.append(background.copy())
        images[-1][y : y + h, x : x + w] = cv2.resize(patchwork, (w, h), interpolation=cv2.INTER_CUBIC)
    return [Frame(i, None, image) for i, image in enumerate(images)], boxes


@pytest.fixture(scope="module")
def random_features():
    """SiamFC without training: random features of unit variance already tell what is alike."""
    torch.manual_seed(0)
    model = SiamRPN(replace(SPECS["siamfc-alexnet"], search_size=159)).train()
    for part in model.modules():
        if isinstance(part, torch.nn.BatchNorm2d):
            part.momentum = None  # the statistics of this one batch
    frames, _ = moving_target(1.0, 4)
    with torch.inference_mode():
        model.features(torch.from_numpy(np.stack([f.image for f in frames])).permute(0, 3, 1, 2).float())
    scale = model.cls.branches[0].head[0]
    # an exact repetition (a similarity of about 680 here) is an object by e^4
    scale.weight.data[:, 0, 0, 0] = torch.tensor([-4.0, 4.0]) / 680
    scale.bias.data[:] = torch.tensor([2.0, -2.0])
    return model.eval()


def tracker_of(model, **changes):
    params = replace(default_params(model.spec), **changes)
    return Tracker(EagerEngine(model, torch.device("cpu")), params)


def overlaps(tracker, frames, boxes):
    state = tracker.start(frames[0], boxes[0])
    found = []
    for frame, box in zip(frames[1:], boxes[1:], strict=True):
        state = tracker.step(state, frame)
        found.append(iou(state.box, box))
    return found, state


def test_plain_correlation_follows_to_the_pixel(random_features):
    frames, boxes = moving_target(1.0)
    found, state = overlaps(tracker_of(random_features), frames, boxes)
    assert min(found) > 0.9 and state.status == "tracked"


@pytest.mark.parametrize("growth", [1.03, 0.97])
def test_scales_follow_a_target_that_changes_its_size(random_features, growth):
    frames, boxes = moving_target(growth)
    with_scales, state = overlaps(tracker_of(random_features), frames, boxes)
    without, same = overlaps(tracker_of(random_features, scales=()), frames, boxes)
    assert same.size == pytest.approx((boxes[0].w, boxes[0].h))
    assert (state.size[0] > boxes[0].w) == (growth > 1)
    assert state.size[0] / state.size[1] == pytest.approx(boxes[0].w / boxes[0].h)
    assert with_scales[-1] > 0.75 > 0.65 > without[-1]


def test_targets_with_scales_do_not_disturb_one_another(random_features):
    frames, boxes = moving_target(1.03, 3)
    tracker = tracker_of(random_features)
    starts = [boxes[0], Box(200, 30, 60, 60)]
    together = tracker.start_all([frames[0]] * 2, starts)
    alone = [tracker.start(frames[0], start) for start in starts]
    for frame in frames[1:]:
        together = tracker.step_all(together, [frame] * 2)
        alone = [tracker.step(state, frame) for state in alone]
    for a, b in zip(together, alone, strict=True):
        assert a.box == pytest.approx(b.box, abs=1e-3) and a.score == pytest.approx(b.score, abs=1e-4)


def test_run_tracks_with_a_plain_checkpoint(random_features, siamtrack, tmp_path):
    frames, boxes = moving_target(1.03, 8)
    (tmp_path / "frames").mkdir()
    for frame in frames:
        cv2.imwrite(str(tmp_path / "frames" / f"{frame.index:04d}.png"), frame.image)
    params = default_params(random_features.spec)
    checkpoint = Checkpoint(random_features.spec, params, random_features.state_dict(), "plain")
    write_native(checkpoint, tmp_path / "plain.safetensors", "float16")
    box = ",".join(map(str, boxes[0]))
    done = siamtrack("run", "frames", "--weights", "plain.safetensors", "--box", box, "-o", "out.json")
    assert done.code == 0, done.err
    points = json.loads((tmp_path / "out.json").read_text())["points"]
    last = points[-1]
    assert iou(Box(last["x"], last["y"], last["w"], last["h"]), boxes[-1]) > 0.75
    assert last["state"] == "tracked" and last["w"] > boxes[0].w


def test_train_writes_weights_that_try_scales(siamtrack, tmp_path):
    config = make_config(tmp_path, steps=1, model="siamfc-alexnet")
    done = siamtrack("train", config, "--device", "cpu", "--quiet")
    assert done.code == 0, done.err
    written = read_native(tmp_path / "out" / "siamfc-alexnet.safetensors")
    assert written.spec == SPECS["siamfc-alexnet"] and written.params == default_params(written.spec)
    assert written.params.scales == (1 / 1.0375, 1.0375) and written.params.scale_penalty == 0.9745
