"""Targets and losses against cases computed by hand."""

from __future__ import annotations

import pytest
import torch

from siamcli.boxes import Box, iou
from siamcli.model.anchors import anchor_grid, decode, encode
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS
from siamcli.train.boxloss import overlaps, reached_weights
from siamcli.train.draws import RandomSource
from siamcli.train.losses import LossConfig, TrackerLoss
from siamcli.train.pairs import PairBatch
from siamcli.train.schedule import PhaseConfig, backbone_trains, rate_at
from siamcli.train.targets import TargetConfig, anchor_iou, make_targets

SPEC = SPECS["siamrpnpp-r18"]
ANCHORS = anchor_grid(SPEC)
CPU = torch.device("cpu")


def test_iou_agrees_with_the_words() -> None:
    boxes = torch.tensor([[10.0, -4.0, 60.0, 50.0], [-30.0, 20.0, 100.0, 30.0]])
    for row, box in zip(anchor_iou(boxes, ANCHORS), boxes.tolist(), strict=True):
        for i in (0, 700, 1562, 2000, 3124):
            expected = iou(Box.from_center(*box), Box.from_center(*ANCHORS[:, i].tolist()))
            assert float(row[i]) == pytest.approx(expected, abs=1e-6)


def test_hand_computed_case() -> None:
    """A 64 x 64 target in the middle: the square anchor there fits exactly, its neighbours 8 px away
    overlap 56*64 / (2*64*64 - 56*64) = 0.78, diagonal ones 56*56 / (8192 - 56*56) = 0.62, those at
    16 px 48 / 80 = 0.6 (not above), so 9 are positive; the other shapes stay below 0.6."""
    targets = make_targets(
        torch.tensor([[0.0, 0.0, 64.0, 64.0]]), ANCHORS, TargetConfig(), RandomSource(0, CPU)
    )
    positive = (targets.positive[0] > 0).nonzero()[:, 0]
    middle = 2 * 625 + 312
    assert positive.tolist() == [middle + dy * 25 + dx for dy in (-1, 0, 1) for dx in (-1, 0, 1)]
    assert targets.positive[0].sum() == pytest.approx(1.0)
    assert int((targets.negative > 0).sum()) == 64 - 9
    assert targets.delta[0, :, middle].tolist() == [0, 0, 0, 0]
    assert targets.delta[0, :, middle + 1].tolist() == [-8 / 64, 0, 0, 0]
    overlap = anchor_iou(torch.tensor([[0.0, 0.0, 64.0, 64.0]]), ANCHORS)
    assert (overlap[targets.negative > 0] < 0.3).all()


def test_deltas_decode_to_the_box() -> None:
    box = torch.tensor([[7.0, -20.0, 50.0, 80.0]])
    delta = make_targets(box, ANCHORS, TargetConfig(), RandomSource(0, CPU)).delta
    assert torch.allclose(decode(delta, ANCHORS)[0], box.T.expand(-1, 3125), atol=1e-3)


def test_limits_hold() -> None:
    config = TargetConfig(positive=0.3, negative=0.2, positives=16, total=64)
    targets = make_targets(
        torch.tensor([[0.0, 0.0, 60.0, 60.0], [300.0, 300.0, 5.0, 5.0]]),
        ANCHORS,
        config,
        RandomSource(0, CPU),
    )
    assert (targets.positive > 0).sum(1).tolist() == [16, 0]
    assert (targets.negative > 0).sum(1).tolist() == [48, 64]


def test_loss_of_known_outputs() -> None:
    """Zero logits: log 2 for either class; zero deltas: the mean absolute delta of the positives."""
    model = SiamRPN(SPEC).eval()
    for head in (model.cls, model.loc):
        for branch in head.branches:
            torch.nn.init.zeros_(branch.head[-1].weight)
            torch.nn.init.zeros_(branch.head[-1].bias)
    loss = TrackerLoss(model, LossConfig(loc_weight=2.0), TargetConfig())
    batch = PairBatch(
        torch.rand(1, 3, 127, 127),
        torch.rand(1, 3, 255, 255),
        torch.tensor([[0.0, 0.0, 64.0, 64.0]]),
        torch.ones(1),
        torch.zeros(0, 2, dtype=torch.long),
        torch.zeros(0),
    )
    parts = loss(batch, RandomSource(0, CPU))
    assert parts["cls"].item() == pytest.approx(0.6931, abs=1e-3)
    assert parts["loc"].item() == pytest.approx((6 * 0.125 + 6 * 0.125) / 9, abs=1e-4)
    assert parts["total"].item() == pytest.approx(parts["cls"].item() + 2 * parts["loc"].item(), abs=1e-5)


def test_overlaps_agree_with_the_words_and_with_a_case_by_hand() -> None:
    truth = torch.tensor([[0.0, 0.0, 10.0, 10.0]])
    boxes = torch.tensor(
        [[[0.0, 5.0, 20.0, 0.0], [0.0, 0.0, 0.0, 0.0], [10.0, 10.0, 10.0, 20.0], [10.0, 10.0, 10.0, 20.0]]]
    )
    iou_, giou = overlaps(boxes, truth)
    assert giou.shape == (1, 4)
    assert iou_[0].tolist() == pytest.approx([1, 1 / 3, 0, 0.25])
    # apart by 10 px: the hull of 30 x 10 is covered to two thirds; inside of the other box there is no gap
    assert giou[0].tolist() == pytest.approx([1, 1 / 3, -1 / 3, 0.25])
    for i in range(4):
        expected = iou(Box.from_center(*boxes[0, :, i].tolist()), Box.from_center(*truth[0].tolist()))
        assert float(iou_[0, i]) == pytest.approx(expected, abs=1e-6)


def test_weights_are_the_overlaps_reached_near_the_target() -> None:
    """The 64 x 64 target of above has 9 square anchors above 0.6, and at 16 px 4 with 0.6; at 16 and 8 px
    48 * 56 / (8192 - 48 * 56) = 0.49.  Of the other shapes, the 80 x 40 one in the middle reaches
    64 * 40 / (4096 + 3200 - 2560) = 0.54.  A target that no anchor fits has the best 9."""
    boxes = torch.tensor([[0.0, 0.0, 64.0, 64.0], [0.0, 0.0, 20.0, 20.0]])
    near = anchor_iou(boxes, ANCHORS)
    reached = torch.full_like(near, 0.8)
    reached[:, 2 * 625 + 312] = 0.01
    weight = reached_weights(boxes, ANCHORS, reached)
    assert torch.equal(weight[0] > 0, near[0] > 0.5)
    assert int((weight[0] > 0).sum()) >= 13
    assert near[1].max() < 0.5
    assert set((weight[1] > 0).nonzero()[:, 0].tolist()) >= set(near[1].topk(9).indices.tolist())
    assert torch.allclose(weight.sum(1), torch.ones(2))
    others = weight[0][weight[0] > 0].unique()
    assert float(others[0] / others[1]) == pytest.approx(0.05 / 0.8, rel=1e-4)


def test_a_box_beyond_the_anchors_is_learned_on_those_that_touch_it() -> None:
    box = torch.tensor([[126.0, 126.0, 6.0, 6.0]])
    weights = reached_weights(box, ANCHORS, torch.zeros(1, ANCHORS.shape[1]))
    assert torch.equal(weights > 0, anchor_iou(box, ANCHORS) > 0)
    assert (weights > 0).sum() < 9


def test_only_different_objects_are_background_for_each_other() -> None:
    model = SiamRPN(SPEC).eval()
    loss = TrackerLoss(model, LossConfig(), TargetConfig())
    picture, box = torch.rand(2, 3, 127, 127), torch.tensor([[0.0, 0.0, 64.0, 64.0]] * 2)
    batch = PairBatch(
        picture, torch.rand(2, 3, 255, 255), box, torch.ones(2), torch.tensor([[0, 1], [1, 0]]), torch.ones(2)
    )
    both, neither = (
        loss(batch._replace(apart=apart), RandomSource(0, CPU))["cls"].item()
        for apart in (torch.ones(2), torch.zeros(2))
    )
    assert both - neither > 0.1


def test_box_loss_of_known_outputs() -> None:
    """Zero deltas are the anchors: an exact target has no loss but that of the anchors around it."""
    model = SiamRPN(SPEC).eval()
    for head in (model.cls, model.loc):
        for branch in head.branches:
            torch.nn.init.zeros_(branch.head[-1].weight)
            torch.nn.init.zeros_(branch.head[-1].bias)
    boxes = torch.tensor([[0.0, 0.0, 64.0, 64.0], [8.0, 0.0, 60.0, 80.0]])
    batch = PairBatch(
        torch.rand(2, 3, 127, 127),
        torch.rand(2, 3, 255, 255),
        boxes,
        torch.ones(2),
        torch.zeros(0, 2, dtype=torch.long),
        torch.zeros(0),
    )
    config = LossConfig(loc_weight=1.2, giou_weight=0.5, dense=True)
    parts = TrackerLoss(model, config, TargetConfig())(batch, RandomSource(0, CPU))
    iou_, giou = overlaps(ANCHORS.expand(2, -1, -1), boxes)
    near = iou_ > 0.5
    weight = iou_ * near / (iou_ * near).sum(1, keepdim=True)
    assert parts["giou"].item() == pytest.approx(float(((1 - giou) * weight).sum() / 2), abs=1e-4)
    delta = encode(boxes[:, :, None].expand(-1, -1, 3125), ANCHORS).abs().sum(1)
    assert parts["loc"].item() == pytest.approx(float((delta * weight).sum() / 2), abs=1e-4)
    total = parts["cls"] + 1.2 * parts["loc"] + 0.5 * parts["giou"]
    assert parts["total"].item() == pytest.approx(total.item(), abs=1e-5)
    for dense in (False, True):
        loss = TrackerLoss(model, LossConfig(giou_weight=1, dense=dense), TargetConfig())
        half = loss(batch._replace(exact=torch.tensor([1.0, 0.0])), RandomSource(0, CPU))
        first = loss(batch._replace(boxes=boxes[[0, 0]]), RandomSource(0, CPU))
        for name in ("loc", "giou"):
            assert half[name].item() == pytest.approx(first[name].item() / 2, abs=1e-4)
        none = loss(batch._replace(exact=torch.zeros(2)), RandomSource(0, CPU))
        assert none["loc"] == none["giou"] == 0 < none["cls"]


def test_the_papers_schedule() -> None:
    paper = PhaseConfig(steps=1000)
    rates = [rate_at(s, paper) for s in range(1000)]
    assert max(rates) == pytest.approx(0.005)
    assert rates[0] == pytest.approx(0.001)
    assert rates[-1] == pytest.approx(0.0005, rel=0.01)
    assert [backbone_trains(s, paper) for s in (0, 499, 500, 999)] == [False, False, True, True]


def test_all_is_drawn_before_the_network_is_asked() -> None:
    """What is drawn is uploaded, and an upload may wait for everything that a GPU was given before it."""
    model = SiamRPN(SPEC)
    loss = TrackerLoss(model, LossConfig(), TargetConfig())
    draws = RandomSource(0, CPU)
    states = []
    model.backbone.register_forward_pre_hook(lambda *_: states.append(draws.get_state().tolist()))
    batch = PairBatch(
        torch.rand(1, 3, 127, 127),
        torch.rand(1, 3, 255, 255),
        torch.tensor([[0.0, 0.0, 64.0, 64.0]]),
        torch.ones(1),
        torch.zeros(0, 2, dtype=torch.int64),
        torch.zeros(0),
    )
    before = draws.get_state().tolist()
    loss(batch, draws)
    assert states == [draws.get_state().tolist()] * 2
    assert states[0] != before
