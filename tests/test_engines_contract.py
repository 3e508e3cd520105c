"""One suite for every engine, against float32 eager PyTorch."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from recipe import recipe_state

from siamcli.bench.calibrate import calibration_crops
from siamcli.checkpoints.pysot import pysot_name
from siamcli.engines.cpu import has_bfloat16
from siamcli.engines.cuda import CudaEngine
from siamcli.engines.eager import EagerEngine
from siamcli.engines.openvino import quantize
from siamcli.engines.select import make_engine
from siamcli.model.resnet import BasicBlock
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.tracker.engine import Candidate
from siamcli.tracker.locate import locate, rank, search_grid

GOLDEN = Path(__file__).parent / "golden"
DEMO = Path(__file__).parent / "data" / "demo.mp4"
SLOW = pytest.mark.slow
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
OPENVINO = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra siamtrack[openvino] is not installed"
)
CUDA = (
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
)
BFLOAT16 = pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16")
# engine, dtype, tolerances: pixels of the search region, and score
ENGINES = [
    pytest.param("cpu", "float32", 0.02, 1e-3, id="cpu-float32"),
    pytest.param("cpu", "bfloat16", 2.0, 0.04, id="cpu-bfloat16"),
    pytest.param("openvino", "float32", 0.02, 1e-3, id="openvino-float32", marks=OPENVINO),
    pytest.param("openvino", "bfloat16", 2.0, 0.06, id="openvino-bfloat16", marks=[OPENVINO, BFLOAT16]),
    pytest.param("uncaptured", "float32", 0.02, 1e-3, id="cuda-float32-without-capture"),
    pytest.param("cuda", "float32", 0.5, 0.02, id="cuda-float32", marks=CUDA),
    pytest.param("cuda", "bfloat16", 2.0, 0.06, id="cuda-bfloat16", marks=CUDA),
    pytest.param("cuda", "float16", 1.0, 0.02, id="cuda-float16", marks=CUDA),
]
# A light model of each correlation with every engine; everything else takes minutes.
CASES = [
    pytest.param(
        *(model, *engine.values),
        id=f"{engine.id}-{model}",
        marks=[*engine.marks, *([SLOW] if n > 2 else [])],
    )
    for engine in ENGINES
    for n, model in enumerate(MODELS)
]


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
    return TrackerParams(lost_search_size=spec.search_size + 64)


@cache
def picture(which, size):
    """Three crops of `size` that differ: the golden one, mirrored, and darker."""
    image = cv2.resize(cv2.imread(str(GOLDEN / which)), (size, size))
    return np.stack([image, image[:, ::-1], image // 2])


SIZES = np.array([[60, 64], [48, 90], [80, 40]], np.float32)


class Reference:
    """All that float32 eager PyTorch knows of the i-th target in its search region of `side` pixels."""

    def __init__(self, model, i, side):
        net = recipe_model(model)
        params = params_of(net.spec)
        engine = EagerEngine(net, params, torch.device("cpu"))
        exemplar = picture("template.png", net.spec.exemplar_size)[i : i + 1]
        search = picture(f"search{net.spec.search_size}.png", side)[i : i + 1]
        self.grid = search_grid(net.spec, params, side, torch.device("cpu"))
        with torch.inference_mode():
            maps = net(engine.embed(exemplar)[0], engine._upload(search))
        size = torch.from_numpy(SIZES[i : i + 1])
        self.best = Candidate(*locate(maps, self.grid, size, params.penalty_k)[0].tolist())
        ranked = rank(maps, self.grid, size, params.penalty_k)
        self.boxes, self.scores, self.ranking = ranked.boxes[0], ranked.score[0], ranked.ranking[0]
        assert torch.isfinite(self.boxes).all() and self.scores.std() > 0.03

    def check(self, found, pixels, score):
        """`found` is one of our own boxes, and one that we rank (almost) first."""
        distance, anchor = self._nearest(found)
        assert distance < pixels
        assert abs(self.scores[anchor].item() - found.score) < score
        assert self._ranking(found) > self._ranking(self.best) - score

    def _nearest(self, found):
        distance = (self.boxes - torch.tensor(found[:4])[:, None]).abs().amax(0)
        return distance.min().item(), int(distance.argmin())

    def _ranking(self, found):
        return self.ranking[self._nearest(found)[1]].item()


reference = cache(Reference)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where engines keep what need not be made twice."""
    return tmp_path_factory.mktemp("engines")


def build(engine, model, dtype, folder):
    net = recipe_model(model)
    if engine == "uncaptured":
        return CudaEngine(net, params_of(net.spec), torch.device("cpu"), getattr(torch, dtype))
    return make_engine(net, params_of(net.spec), engine=engine, dtype=dtype, cache=folder)


@pytest.mark.parametrize(("model", "engine", "dtype", "pixels", "score"), CASES)
def test_engine_agrees_with_reference(model, engine, dtype, pixels, score, folder):
    spec = SPECS[model]
    fast = build(engine, model, dtype, folder)
    assert dtype in fast.name and (fast.spec, fast.params) == (spec, params_of(spec))
    assert fast.device.type == ("cuda" if engine == "cuda" else "cpu")
    templates = fast.embed(picture("template.png", spec.exemplar_size))
    for side in (spec.search_size, params_of(spec).lost_search_size):
        search = picture(f"search{spec.search_size}.png", side)
        for i, found in enumerate(fast.locate(templates, search, SIZES)):
            reference(model, i, side).check(found, pixels, score)
        alone = fast.locate(templates[1:2], search[1:2], SIZES[1:2])
        reference(model, 1, side).check(alone[0], pixels, score)


@SLOW
@OPENVINO
@pytest.mark.parametrize("model", MODELS[:3])
def test_int8_agrees_after_calibration(model, folder):
    """Quantised on crops of a video; found again in the cache; its maps are those of float32, rounded."""
    pytest.importorskip("nncf", reason="the extra siamtrack[openvino] is not installed")
    net = recipe_model(model)
    side = net.spec.search_size
    made = quantize(net, calibration_crops([str(DEMO)], net.spec, params_of(net.spec), count=4), folder)
    assert made.is_relative_to(folder)
    fast = make_engine(net, params_of(net.spec), engine="openvino-int8", cache=folder)
    search = picture(f"search{side}.png", side)[:1]
    (template,) = fast.embed(picture("template.png", 127)[:1])
    assert np.isfinite(fast.locate([template], search, SIZES[:1])).all()
    region = torch.from_numpy(search).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = [out.numpy().ravel() for out in net(template, region)]
    kernels = [kernel.numpy() for kernel in template.cls + template.loc]
    found = fast._network(side, False)([region.numpy(), *kernels])
    assert len(expected) == len(net.heads)
    for i, exact in enumerate(expected):
        rounded = found[i].ravel()
        assert np.corrcoef(exact, rounded)[0, 1] > 0.9 and not np.array_equal(exact, rounded)
