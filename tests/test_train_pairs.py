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
from siamcli.train.conventions import change_boxes, draw_changes, spare_small
from siamcli.train.distill import distill_crops
from siamcli.train.draws import RandomSource
from siamcli.train.pairs import PairBatch, PairConfig, draw_pairs
from siamcli.train.paste import Placed, paste
from siamcli.train.sampler import PairSampler
from siamcli.train.store import AnnotatedImage, ObjectBox, TrainingImages, collect
from siamcli.train.targets import TargetConfig, make_targets
from siamcli.train.warp import warp

SPEC = SPECS["siamrpnpp-r18"]
CPU = torch.device("cpu")
BUSY = PairConfig(
    paste=0.5,
    convention=0.5,
    fill=0.6,
    search_zoom=0.3,
    lookalike=0.5,
    paste_edge=4,
    alike=0.5,
    color=ColorConfig(grey=0.5, blur=0.5, noise=0.5),
)
PLAIN = ColorConfig(brightness=0, contrast=0, saturation=0, channel=0, grey=0, blur=0, noise=0)


def footage_of(*boxes: tuple[float, float, float, float]) -> TrainingImages:
    rng = np.random.default_rng(1)
    return collect(
        [[AnnotatedImage(draw([b], rng), (ObjectBox(f"object{i}", Box(*b)),)) for i, b in enumerate(boxes)]]
    )


def pairs_of(footage: TrainingImages, config: PairConfig, n: int = 8) -> PairBatch:
    return draw_pairs(footage, PairSampler(footage, [1.0]), SPEC, config, n, RandomSource(3, CPU))


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


def test_zoom_is_uniform_in_its_logarithm_and_keeps_the_shape() -> None:
    config = PairConfig(search_scale=0, search_zoom=0.35, color=PLAIN)
    sides = pairs_of(footage_of((80, 60, 30, 30)), config, 200).boxes[:, 2:]
    assert torch.allclose(sides[:, 0], sides[:, 1])
    values = (((sides[:, 0] / 63.5).log() / 0.35 + 1) / 2).sort().values
    assert values.min() >= 0 and values.max() <= 1
    assert (values - torch.arange(1, 201) / 200).abs().max() < 1.63 / 200**0.5


@settings(max_examples=15, deadline=None)
@given(x=st.integers(60, 90), y=st.integers(50, 70), w=st.integers(16, 44), h=st.integers(16, 44))
def test_a_changed_box_means_the_same_in_both_crops(x: int, y: int, w: int, h: int) -> None:
    """The object keeps its place relative to the box, which is in the middle of the exemplar."""
    config = PairConfig(
        exemplar_shift=0, exemplar_scale=0, search_scale=0, mirror=0, paste=0, convention=1, color=PLAIN
    )
    pairs = pairs_of(footage_of((x, y, w, h)), config, 4)
    moved = 0
    for exemplar, region, box in zip(pairs.exemplar, pairs.search, pairs.boxes, strict=True):
        cx, cy, bw, bh = box.tolist()
        expected = [a - c for a, c in zip(extent(region), (cx, cy, cx, cy), strict=True)]
        inside = [-63 < e < 63 for e in expected]
        seen = [a for a, ok in zip(extent(exemplar), inside, strict=True) if ok]
        assert seen == pytest.approx([e for e, ok in zip(expected, inside, strict=True) if ok], abs=5.0)
        moved += abs(expected[0] + bw / 2) > 4 or abs(expected[3] - bh / 2) > 4
    assert moved


def test_changes_of_boxes_by_hand() -> None:
    boxes = torch.tensor([[10.0, 20.0, 40.0, 60.0], [10.0, 20.0, 40.0, 15.0]])
    changes = torch.tensor([[0.25, -0.1, 0.0, 0.0], [0.0, 0.0, 0.5, -0.5]])
    changes[1, 2:] = torch.tensor([2.0, 0.5]).log()
    assert torch.allclose(
        change_boxes(boxes, changes), torch.tensor([[20.0, 14.0, 40.0, 60.0], [-10.0, 23.75, 80.0, 7.5]])
    )
    assert torch.equal(spare_small(changes, boxes, boxes + 1)[:, 0], changes[:, 0])
    assert spare_small(changes, boxes)[1].tolist() == [0, 0, 0, 0]


def test_changes_stay_near_their_object() -> None:
    changes = draw_changes(4000, 0.4, RandomSource(0, CPU))
    chosen = (changes != 0).any(1)
    assert float(chosen.float().mean()) == pytest.approx(0.4, abs=0.03)
    assert (changes[~chosen] == 0).all()
    shift, log = changes[chosen, :2], changes[chosen, 2:]
    assert log.min() >= -0.8 and log.max() <= 0.5
    assert (log.sum(1) / 2).mean() == pytest.approx(-0.15, abs=0.02)
    outside = shift.abs() + log.exp() / 2 - 0.5  # beyond the object's own edge, in its sides
    assert (outside <= torch.maximum(log.exp() / 2 - 0.5, torch.tensor(0.0)) + 0.06 + 1e-6).all()


def test_regions_of_fill_are_avoided_where_others_are_to_be_had() -> None:
    """A box of the whole image against small ones: its region is 90 % fill."""
    large, small = (5, 5, 190, 150), (90, 70, 24, 24)
    footage = footage_of(large, *[small] * 3)
    shares = {}
    for most in (1.0, 0.6):
        pairs = pairs_of(footage, PairConfig(search_shift=0, paste=0, fill=most, color=PLAIN), 200)
        flat = [float((s == s[:, :1, :1]).all(0).float().mean()) for s in pairs.search]
        shares[most] = sum(f > 0.6 for f in flat) / 200
    assert 0.15 < shares[1.0] < 0.35
    assert shares[0.6] < 0.03  # four draws of the large one: 1 in 256
    alone = pairs_of(footage_of(large), PairConfig(fill=0.6, color=PLAIN), 4)
    assert alone.search.shape == (4, 3, 255, 255)


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


def test_a_soft_edge_lies_around_the_hard_one() -> None:
    search = torch.zeros(1, 3, 101, 101)
    others = Placed(torch.full_like(search, 100.0), torch.tensor([[10.0, 0.0]]), torch.tensor([[20.0, 30.0]]))
    nowhere = torch.tensor([[-40.0, 0.0, 10.0, 10.0]])
    hard = paste(search, nowhere, others, 0.0, 0.0)[0, 0]
    soft = paste(search, nowhere, others, 0.0, 8.0)[0, 0]
    assert hard[50].nonzero()[:, 0].tolist() == list(range(41, 80))  # closer than 20 to column 60
    assert hard[:, 60].nonzero()[:, 0].tolist() == list(range(21, 80))
    assert soft[50, [35, 36, 40, 44, 45]].tolist() == pytest.approx([0, 0, 50, 100, 100])
    assert soft[50, 37:44].diff().tolist() == pytest.approx([12.5] * 6)
    assert float(soft.sum() / hard.sum()) == pytest.approx(1.0, abs=0.05)


def test_lookalikes_come_from_the_image_of_the_search_region() -> None:
    """Two images, each with two objects of its own colour: what is pasted has the target's."""
    images = []
    for number, value in enumerate((120, 250)):
        image = np.zeros((160, 200, 3), np.uint8)
        image[20:50, 20:50] = image[100:130, 140:170] = value
        boxes = (Box(20, 20, 30, 30), Box(140, 100, 30, 30))
        images.append(AnnotatedImage(image, tuple(ObjectBox(f"{number}{b.x}", b, "block") for b in boxes)))
    footage = collect([images])
    found = {}
    for chance in (0.0, 1.0):
        config = PairConfig(search_shift=0, paste=1, occlusion=0, lookalike=chance, mirror=0, color=PLAIN)
        search = pairs_of(footage, config, 32).search.mean(1)
        found[chance] = [{v for v in (120.0, 250.0) if (abs(s - v) < 0.5).sum() > 400} for s in search]
    assert all(len(values) == 1 for values in found[1.0])
    assert any(len(values) == 2 for values in found[0.0])


def test_negatives_of_the_same_category_come_first() -> None:
    rng = np.random.default_rng(1)
    boxes = [Box(40 + 8 * i, 60, 30, 30) for i in range(12)]
    kinds = ["dog", "cat", "dog", "cat", "dog", "cat", "", "", "dog", "cat", "owl", ""]
    objects = [ObjectBox(f"o{i}", b, k) for i, (b, k) in enumerate(zip(boxes, kinds, strict=True))]
    sampler = PairSampler(collect([[AnnotatedImage(draw([o.box], rng), (o,)) for o in objects]]), [1.0])
    draws = RandomSource(0, CPU)
    positions = torch.arange(12).repeat(200)
    others = sampler.alike(positions, draws)
    for position in range(12):
        found = set(others[positions == position].tolist())
        alike = {i for i in range(12) if kinds[i] == kinds[position] and i != position and kinds[i]}
        assert found == (alike or {position})
    footage = collect([[AnnotatedImage(draw([o.box], rng), (o,)) for o in objects]])
    config = PairConfig(negatives=1.0, alike=1.0, search_shift=0, color=PLAIN)
    pairs = pairs_of(footage, config, 8)
    assert sorted(pairs.other[:, 0].tolist()) == list(range(8))
    assert all((a - b) % 8 == 4 for a, b in pairs.other.tolist())


def test_the_only_object_is_no_negative_of_itself() -> None:
    config = PairConfig(negatives=1.0, paste=0.0)
    one = footage_of((40, 60, 30, 30))
    assert pairs_of(one, config, 4).apart.tolist() == [0, 0, 0, 0]
    several = footage_of(*[(40 + 8 * i, 60, 30, 30) for i in range(3)])
    assert {0.0, 1.0} == set(pairs_of(several, config, 32).apart.tolist())


def test_objects_beside_share_image_and_category() -> None:
    rng = np.random.default_rng(1)
    names = ["dog", "dog", "cat", ""]
    pictures = [
        AnnotatedImage(
            draw([], rng),
            tuple(ObjectBox(f"{n}{i}", Box(10 + 40 * i, 60, 30, 30), k) for i, k in enumerate(names)),
        )
        for n in "ab"
    ]
    sampler = PairSampler(collect([pictures]), [1.0])
    assert sampler.beside(torch.arange(8), RandomSource(0, CPU)).tolist() == [1, 0, 2, 3, 5, 4, 6, 7]


def test_share_decides_between_sources() -> None:
    rng = np.random.default_rng(1)
    sources = [
        [AnnotatedImage(draw([b], rng), (ObjectBox("a", Box(*b)),))]
        for b in ((60, 60, 30, 30), (90, 60, 30, 30))
    ]
    footage = collect(sources)
    first, _ = PairSampler(footage, [3.0, 1.0]).draw(4000, 1, RandomSource(0, CPU))
    assert float((first == 0).float().mean()) == pytest.approx(0.75, abs=0.03)


def test_loose_sources_are_marked() -> None:
    rng = np.random.default_rng(1)
    sources = [
        [AnnotatedImage(draw([b], rng), (ObjectBox("a", Box(*b)),))]
        for b in ((60, 60, 30, 30), (90, 60, 40, 30))
    ]
    footage = collect(sources)
    sampler = PairSampler(footage, [1.0, 1.0], [False, True])
    pairs = draw_pairs(
        footage, sampler, SPEC, PairConfig(search_scale=0, color=PLAIN), 32, RandomSource(3, CPU)
    )
    square = (pairs.boxes[:, 2] - pairs.boxes[:, 3]).abs() < 1e-3
    assert torch.equal(pairs.exact, square.float())
    assert 0 < pairs.exact.sum() < 32


def test_pairs_of_a_sequence_stay_within_reach() -> None:
    rng = np.random.default_rng(1)
    box = Box(60, 60, 30, 30)
    footage = collect([[AnnotatedImage(draw([box], rng), (ObjectBox("a", box),)) for _ in range(30)]])
    first, second = PairSampler(footage, [1.0]).draw(2000, 5, RandomSource(0, CPU))
    assert (first - second).abs().max() == 5
    assert len(first.unique()) == 30


def test_warp_is_the_trackers_crop() -> None:
    """Half-pixel centres as in cv2.resize, mean colour outside."""
    rng = np.random.default_rng(2)
    image = rng.integers(0, 255, (100, 120, 3), dtype=np.uint8)
    footage = collect([[AnnotatedImage(image, (ObjectBox("a", Box(10, 10, 20, 20)),))]])
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
    footage = collect([[AnnotatedImage(image, (ObjectBox("a", Box(10, 10, 20, 20)),)) for image in images]])
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
    footage = collect([[AnnotatedImage(image, (ObjectBox("a", Box(10, 10, 20, 20)),))]])
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
        moved, draws = footage.to(there), RandomSource(3, there)
        pairs = draw_pairs(moved, PairSampler(moved, [1.0]), SPEC, BUSY, 8, draws)
        targets = make_targets(pairs.boxes, anchor_grid(SPEC).to(there), TargetConfig(), draws)
        crops = distill_crops(moved, 2, 63, BUSY.color, draws)
        tensors = (*pairs, *targets, crops)
        assert {t.device for t in tensors} == {there}
        ends.append(([t.shape for t in tensors], draws.get_state().tolist()))
    assert ends[0] == ends[1]
    assert ends[0][1] != RandomSource(3, CPU).get_state().tolist()


@pytest.mark.parametrize("shares", [[0.0], [-1.0]])
def test_shares_that_draw_nothing_are_refused(shares: list[float]) -> None:
    with pytest.raises(DatasetError, match="share"):
        PairSampler(footage_of((80, 60, 30, 30)), shares)


def test_noise_and_blur_touch_only_their_rows() -> None:
    crops = torch.full((64, 3, 20, 20), 110.0)
    crops[..., 10:] = 120.0
    before = crops.clone()
    noisy = color(crops, replace(PLAIN, noise=0.5), RandomSource(0, CPU)) - crops
    hit = noisy.abs().amax((1, 2, 3)) > 1e-3
    assert 16 < int(hit.sum()) < 48
    assert float(noisy[hit].std()) == pytest.approx(8.0, rel=0.05)
    assert float(noisy[hit].mean()) == pytest.approx(0.0, abs=0.2)
    blurred = color(crops, replace(PLAIN, blur=0.5), RandomSource(2, CPU)) - crops
    hit = blurred.abs().amax((1, 2, 3)) > 1e-3
    assert 16 < int(hit.sum()) < 48
    assert (blurred[hit].abs().amax((1, 2)) > 1)[:, 5:15].any(1).all()
    assert blurred[..., :6].abs().max() < 1e-3  # only where something changes within three pixels
    assert torch.equal(crops, before)


def test_contrast_turns_around_a_middle_grey() -> None:
    crops = torch.tensor([80.0, 110.0, 150.0]).view(1, 1, 1, 3).expand(16, 3, 5, 3)
    found = color(crops, replace(PLAIN, contrast=0.3), RandomSource(0, CPU))
    factor = (found - 110) / (crops - 110)
    assert torch.allclose(found[..., 1], torch.tensor(110.0), atol=1e-3)
    assert torch.allclose(factor[..., 0], factor[..., 2], atol=1e-4)
    assert 0.7 <= float(factor[..., 0].min()) < 0.9 and 1.1 < float(factor[..., 0].max()) <= 1.3


def test_color_off_changes_nothing_and_on_keeps_the_range() -> None:
    crops = torch.rand(6, 3, 40, 40) * 255
    draws = RandomSource(0, CPU)
    assert torch.allclose(color(crops, PLAIN, draws), crops, atol=1e-3)
    strong = color(crops, ColorConfig(grey=1, blur=1, noise=1), draws)
    assert strong.min() >= 0
    assert strong.max() <= 255
    grey = color(crops, ColorConfig(grey=1, blur=0, noise=0), draws)
    assert (grey.amax(1) - grey.amin(1)).max() < 1e-2
