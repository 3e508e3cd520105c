"""What every engine has to keep: boxes and scores of float32 eager PyTorch, within a tolerance."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import cv2
import numpy as np
import torch
from recipe import recipe_state

from siamcli.checkpoints.pysot import pysot_name
from siamcli.engines.eager import EagerEngine
from siamcli.model.resnet import BasicBlock
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.tracker.locate import locate, rank, search_grid
from siamcli.tracker.regions import ranking_of

__all__ = [
    "MODELS",
    "SIZES",
    "check_agreement",
    "check_repetition",
    "params_of",
    "picture",
    "ranking_for",
    "recipe_model",
]

GOLDEN = Path(__file__).parent / "golden"
MODELS = (
    "siamrpnpp-r18",
    "siamrpn-alexnet",
    "siamfc-alexnet",
    "siamrpn_alex_dwxcorr",
    "siamrpn_mobilev2_l234_dwxcorr",
    "siamrpn_r50_l234_dwxcorr",
    "siamrpn_r50_l234_dwxcorr_lt",
    "siamrpn_r50_l234_dwxcorr_otb",
)
"""The first three, one of each correlation, take seconds; the others take minutes."""


@cache
def recipe_model(name):
    spec = SPECS[name]
    model = SiamRPN(spec)
    names = {own: pysot_name(own, spec) for own in model.state_dict()}
    state = recipe_state({names[own]: tensor.shape for own, tensor in model.state_dict().items()})
    model.load_state_dict({own: state[there] for own, there in names.items()})
    if spec.backbone == "resnet18":  # the recipe damps the branches of the deeper ResNet only
        for block in model.backbone.modules():
            if isinstance(block, BasicBlock):
                block.bn2.weight.data *= 0.3
    if spec.correlation == "up-channel":  # nor does it damp what comes last in other heads
        model.cls.branches[0].kernel[0].weight.data *= 0.2
        model.loc.branches[0].head[0].weight.data *= 0.05
    if spec.correlation == "plain":
        model.cls.branches[0].head[0].weight.data *= 0.025
        model.cls.branches[0].head[0].bias.data[1] += 2.4
    return model.eval()


def params_of(spec):
    return TrackerParams(lost_search_size=spec.search_size + 16)


def ranking_for(spec, side):
    return ranking_of(spec, params_of(spec), side)


@cache
def picture(which, size):
    """Three crops of `size` that differ: the golden one, mirrored, and darker."""
    image = cv2.resize(cv2.imread(str(GOLDEN / which)), (size, size))
    return np.stack([image, image[:, ::-1], image // 2])


SIZES = np.array([[60, 64], [48, 90], [80, 40]], np.float32)


@cache
def template_of(model, i):
    """What float32 eager PyTorch keeps of the i-th target."""
    net = recipe_model(model)
    exemplar = picture("template.png", net.spec.exemplar_size)[i : i + 1]
    return EagerEngine(net, torch.device("cpu")).embed(exemplar)[0]


class Reference:
    """All that float32 eager PyTorch knows of the i-th target in its search region of `side` pixels."""

    def __init__(self, model, i, side):
        net = recipe_model(model)
        search = picture(f"search{net.spec.search_size}.png", side)[i : i + 1]
        self.grid = search_grid(net.spec, side, torch.device("cpu"))
        with torch.inference_mode():
            maps = net(template_of(model, i), EagerEngine(net, torch.device("cpu"))._upload(search))
        size = torch.from_numpy(SIZES[i : i + 1])
        weights = ranking_for(net.spec, side)
        self.best = Candidate(*locate(maps, self.grid, size, weights)[0].tolist())
        ranked = rank(maps, self.grid, size, weights)
        self.boxes, self.scores, self.ranking = ranked.boxes[0], ranked.score[0], ranked.ranking[0]
        assert torch.isfinite(self.boxes).all() and self.scores.std() > 0.03

    def check(self, found, pixels, score):
        """`found` is one of our own boxes, and one that we rank (almost) first."""
        distance, anchor = self._nearest(found)
        assert distance < pixels
        assert abs(self.scores[anchor].item() - found.score) < score
        assert abs(torch.tensor(found.logit).sigmoid().item() - found.score) < 1e-5
        assert self._ranking(found) > self._ranking(self.best) - score

    def _nearest(self, found):
        distance = (self.boxes - torch.tensor(found[:4])[:, None]).abs().amax(0)
        return distance.min().item(), int(distance.argmin())

    def _ranking(self, found):
        return self.ranking[self._nearest(found)[1]].item()


reference = cache(Reference)


def check_agreement(engine, model, pixels, score):
    """Both sizes of region, two targets and one: within so many pixels, and so much score."""
    spec = SPECS[model]
    templates = engine.embed(picture("template.png", spec.exemplar_size)[:2])
    for side in (spec.search_size, params_of(spec).lost_search_size):
        search = picture(f"search{spec.search_size}.png", side)[:2]
        ranking = ranking_for(spec, side)
        for i, found in enumerate(engine.locate(templates, search, SIZES[:2], ranking)):
            reference(model, i, side).check(found, pixels, score)
        alone = engine.locate(templates[1:2], search[1:2], SIZES[1:2], ranking)
        reference(model, 1, side).check(alone[0], pixels, score)


def check_repetition(engine, model, pixels, score, most=64, side=None):
    """Other targets in other regions, and far more of them, leave nothing behind for those that follow.

    What keeps its buffers from call to call answers from old ones when it forgets to fill one.
    The regions are of `side` pixels, as large as the model wants them unless said.
    """
    spec = SPECS[model]
    side = side or spec.search_size
    templates = engine.embed(picture("template.png", spec.exemplar_size))
    search = picture(f"search{spec.search_size}.png", side)
    for order in ([0, 1, 2], [2, 0, 1], [1, 1, 1], list(range(3)) * (most // 3) + [0], [0, 2, 1], [1]):
        found = engine.locate(
            [templates[i] for i in order], search[order], SIZES[order], ranking_for(spec, side)
        )
        for i, one in dict(zip(order, found, strict=True)).items():
            reference(model, i, side).check(one, pixels, score)
