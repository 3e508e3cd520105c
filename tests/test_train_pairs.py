"""Pairs: drawn uniformly in the stated ranges, and boxes that stay on their objects."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from training_set import draw

from siamcli.boxes import Box
from siamcli.errors import DatasetError
from siamcli.model.anchors import anchor_grid
from siamcli.model.spec import SPECS
from siamcli.tracker.crop import crop
from siamcli.train.augment import ColorConfig, color
from siamcli.train.distill import distill_crops
from siamcli.train.draws import Draws
from siamcli.train.pairs import PairBatch, PairConfig, PairSampler, draw_pairs
from siamcli.train.store import Footage, Picture, collect
from siamcli.train.targets import TargetConfig, make_targets
from siamcli.train.warp import warp

SPEC = SPECS["siamrpnpp-r18"]
CPU = torch.device("cpu")
BUSY = PairConfig(paste=0.5, color=ColorConfig(grey=0.5, blur=0.5, noise=0.5))
PLAIN = ColorConfig(brightness=0, contrast=0, saturation=0, channel=0, grey=0, blur=0, noise=0)


def footage_of(*boxes: tuple[float, float, float, float]) -> Footage:
    rng = np.random.default_rng(1)
    return collect([[Picture(draw([b], rng), ((f"object{i}", Box(*b)),)) for i, b in enumerate(boxes)]])


def pairs_of(footage: Footage, config: PairConfig, n: int = 8) -> PairBatch:
    return draw_pairs(footage, PairSampler(footage, [1.0]), SPEC, config, n, Draws(3, CPU))


def extent(region: torch.Tensor) -> tuple[float, float, float, float]:
    """Edges of the bright rectangle, from the middle of the crop."""
    bright = region.mean(0) > 150
    columns, rows = bright.any(0).nonzero()[:, 0], bright.any(1).nonzero()[:, 0]
    half = region.shape[-1] / 2
    return (
        float(columns[0]) - half,
        float(rows[0]) - half,
        float(columns[-1]) + 1 - half,
        float(rows[-1]) + 1 - half,
    )


@settings(max_examples=15, deadline=None)
@given(x=st.integers(60, 90), y=st.integers(50, 70), w=st.integers(16, 44), h=st.integers(16, 44))
def test_boxes_stay_on_their_objects(x: int, y: int, w: int, h: int) -> None:
    pairs = pairs_of(footage_of((x, y, w, h)), PairConfig(search_shift=40, paste=0, color=PLAIN), 4)
    for region, box in zip(pairs.search, pairs.boxes, strict=True):
        cx, cy, bw, bh = box.tolist()
        expected = (cx - bw / 2, cy - bh / 2, cx + bw / 2, cy + bh / 2)
        assert extent(region) == pytest.approx(expected, abs=3.0)  # an image pixel is up to 4 crop pixels


@pytest.mark.parametrize("shift", [0.0, 16.0, 64.0])
def test_search_shift_is_uniform(shift: float) -> None:
    footage = footage_of((80, 60, 30, 30))
    config = PairConfig(search_shift=shift, paste=0, color=PLAIN)
    centers = torch.cat([pairs_of(footage, config, 100).boxes[:, :2] for _ in range(1)])
    assert centers.abs().max() <= shift
    if shift:  # Kolmogorov-Smirnov against the uniform distribution, 1 % level
        values = ((centers.flatten() / shift + 1) / 2).sort().values
        steps = torch.arange(1, len(values) + 1) / len(values)
        assert (values - steps).abs().max() < 1.63 / len(values) ** 0.5


def test_scales_and_negatives_are_in_range() -> None:
    pairs = pairs_of(footage_of((80, 60, 30, 30), (90, 50, 30, 30)), PairConfig(color=PLAIN), 50)
    sides = pairs.boxes[:, 2:]  # a square target takes half of the exemplar
    assert ((sides >= 63.5 / 1.19) & (sides <= 63.5 / 0.81)).all()
    assert len(pairs.other) == 10
    assert (pairs.other[:, 0] != pairs.other[:, 1]).all()


def test_pasted_objects_spare_the_target() -> None:
    footage = footage_of((80, 60, 30, 30))
    without = pairs_of(footage, PairConfig(paste=0, color=PLAIN), 32)
    pasted = pairs_of(footage, PairConfig(paste=1, occlusion=0, color=PLAIN), 32)
    assert (without.search != pasted.search).any()
    for before, after, box in zip(without.search, pasted.search, pasted.boxes, strict=True):
        cx, cy, w, h = (float(v) for v in box)
        x0, y0 = int(127.5 + cx - w / 2) + 2, int(127.5 + cy - h / 2) + 2
        region = (..., slice(y0, y0 + int(h) - 4), slice(x0, x0 + int(w) - 4))
        assert torch.equal(before[region], after[region])


def test_share_decides_between_sources() -> None:
    rng = np.random.default_rng(1)
    sources = [[Picture(draw([b], rng), (("a", Box(*b)),))] for b in ((60, 60, 30, 30), (90, 60, 30, 30))]
    footage = collect(sources)
    first, _ = PairSampler(footage, [3.0, 1.0]).draw(4000, 1, Draws(0, CPU))
    assert float((first == 0).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_pairs_of_a_sequence_stay_within_reach() -> None:
    rng = np.random.default_rng(1)
    box = Box(60, 60, 30, 30)
    footage = collect([[Picture(draw([box], rng), (("a", box),)) for _ in range(30)]])
    first, second = PairSampler(footage, [1.0]).draw(2000, 5, Draws(0, CPU))
    assert (first - second).abs().max() == 5
    assert len(first.unique()) == 30


def test_warp_is_the_trackers_crop() -> None:
    """Half-pixel centres as in cv2.resize, mean colour outside."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 255, (100, 120, 3), dtype=np.uint8)
    footage = collect([[Picture(image, (("a", Box(10, 10, 20, 20)),))]])
    center, step = torch.tensor([[60.0, 50.0]]), torch.full((1, 2), 80 / 127)
    ours = warp(footage, torch.tensor([0]), center, step, 127)[0].permute(1, 2, 0).numpy()
    theirs = cv2.resize(image[10:90, 20:100], (127, 127))
    inner = (slice(2, -2), slice(2, -2))  # resize repeats the rim, the footage continues
    assert np.abs(ours[inner] - theirs[inner]).max() < 1.5
    outside = warp(footage, torch.tensor([0]), torch.tensor([[-500.0, 50.0]]), step, 127)
    assert torch.allclose(outside[0, :, 0, 0], footage.mean[0])


def test_warp_is_bilinear_pixel_by_pixel() -> None:
    """Mirrored, across the border, and from the second image of the footage: against the plain formula."""
    rng = np.random.default_rng(2)
    images = [rng.integers(0, 255, (h, w, 3), dtype=np.uint8) for h, w in ((40, 50), (30, 61))]
    footage = collect([[Picture(image, (("a", Box(10, 10, 20, 20)),)) for image in images]])
    which, centers, steps = [1, 0], [(58.0, 24.3), (20.6, 3.0)], [(-0.7, 1.3), (2.1, 0.4)]
    found = warp(footage, torch.tensor(which), torch.tensor(centers), torch.tensor(steps), 17)
    for crop_, n, (cx, cy), (sx, sy) in zip(found.numpy(), which, centers, steps, strict=True):
        image = images[n].astype(float)
        height, width = image.shape[:2]
        filled = 0
        for row in range(17):
            for column in range(17):
                x, y = cx + sx * (column - 8) - 0.5, cy + sy * (row - 8) - 0.5
                if not (-0.5 < x < width - 0.5 and -0.5 < y < height - 0.5):
                    expected, filled = image.mean((0, 1)), filled + 1
                else:
                    x, y = np.clip(x, 0, width - 1), np.clip(y, 0, height - 1)
                    c, r = min(int(x), width - 2), min(int(y), height - 2)
                    (a, b), (d, e) = image[r : r + 2, c : c + 2]
                    upper, lower = a + (b - a) * (x - c), d + (e - d) * (x - c)
                    expected = upper + (lower - upper) * (y - r)
                assert np.allclose(crop_[:, row, column], expected, atol=1e-2)
        assert 0 < filled < 17 * 17


def test_warp_is_the_exact_crop() -> None:
    """What our own models see while tracking is what they saw in training, to a grey level."""
    rng = np.random.default_rng(2)
    image = cv2.GaussianBlur(rng.integers(0, 255, (100, 120, 3), dtype=np.uint8), (0, 0), 2)
    footage = collect([[Picture(image, (("a", Box(10, 10, 20, 20)),))]])
    center, side = (57.3, 41.8), 74
    step = torch.full((1, 2), side / 127)
    ours = warp(footage, torch.tensor([0]), torch.tensor([center]), step, 127)[0].permute(1, 2, 0).numpy()
    theirs = crop(image, center, side, 127, (0, 0, 0), "exact")
    assert np.abs(ours[2:-2, 2:-2] - theirs[2:-2, 2:-2]).max() < 3  # warpAffine steps by 1/32 pixel


def test_every_device_draws_the_same() -> None:
    """Of tensors without numbers nothing can be asked, and numbers drawn for them come from the CPU."""
    meta = torch.device("meta")
    footage = footage_of((80, 60, 30, 30), (90, 50, 30, 30))
    ends = []
    for there in (CPU, meta):
        moved, draws = footage.to(there), Draws(3, there)
        pairs = draw_pairs(moved, PairSampler(moved, [1.0]), SPEC, BUSY, 8, draws)
        targets = make_targets(pairs.boxes, anchor_grid(SPEC).to(there), TargetConfig(), draws)
        crops = distill_crops(moved, 2, 63, BUSY.color, draws)
        tensors = (*pairs, *targets, crops)
        assert {t.device for t in tensors} == {there}
        ends.append(([t.shape for t in tensors], draws.get_state().tolist()))
    assert ends[0] == ends[1]
    assert ends[0][1] != Draws(3, CPU).get_state().tolist()


@pytest.mark.parametrize("shares", [[0.0], [-1.0]])
def test_shares_that_draw_nothing_are_refused(shares: list[float]) -> None:
    with pytest.raises(DatasetError, match="share"):
        PairSampler(footage_of((80, 60, 30, 30)), shares)


def test_noise_and_blur_touch_only_their_rows() -> None:
    crops = torch.full((64, 3, 20, 20), 110.0)
    crops[..., 10:] = 120.0
    before = crops.clone()
    noisy = color(crops, replace(PLAIN, noise=0.5), Draws(0, CPU)) - crops
    hit = noisy.abs().amax((1, 2, 3)) > 1e-3
    assert 16 < int(hit.sum()) < 48
    assert float(noisy[hit].std()) == pytest.approx(8.0, rel=0.05)
    assert float(noisy[hit].mean()) == pytest.approx(0.0, abs=0.2)
    blurred = color(crops, replace(PLAIN, blur=0.5), Draws(2, CPU)) - crops
    hit = blurred.abs().amax((1, 2, 3)) > 1e-3
    assert 16 < int(hit.sum()) < 48
    assert (blurred[hit].abs().amax((1, 2)) > 1)[:, 5:15].any(1).all()
    assert blurred[..., :6].abs().max() < 1e-3  # only where something changes within three pixels
    assert torch.equal(crops, before)


def test_contrast_turns_around_a_middle_grey() -> None:
    crops = torch.tensor([80.0, 110.0, 150.0]).view(1, 1, 1, 3).expand(16, 3, 5, 3)
    found = color(crops, replace(PLAIN, contrast=0.3), Draws(0, CPU))
    factor = (found - 110) / (crops - 110)
    assert torch.allclose(found[..., 1], torch.tensor(110.0), atol=1e-3)
    assert torch.allclose(factor[..., 0], factor[..., 2], atol=1e-4)
    assert 0.7 <= float(factor[..., 0].min()) < 0.9 and 1.1 < float(factor[..., 0].max()) <= 1.3


def test_color_off_changes_nothing_and_on_keeps_the_range() -> None:
    crops = torch.rand(6, 3, 40, 40) * 255
    draws = Draws(0, CPU)
    assert torch.allclose(color(crops, PLAIN, draws), crops, atol=1e-3)
    strong = color(crops, ColorConfig(grey=1, blur=1, noise=1), draws)
    assert strong.min() >= 0
    assert strong.max() <= 255
    grey = color(crops, ColorConfig(grey=1, blur=0, noise=0), draws)
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-2
