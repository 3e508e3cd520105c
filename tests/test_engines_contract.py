"""One suite for every engine, against float32 eager PyTorch."""

from __future__ import annotations

import importlib.util
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from contract import (
    MODELS,
    SIZES,
    check_agreement,
    check_repetition,
    params_of,
    picture,
    ranking_for,
    recipe_model,
)

from siamcli.cli.commands.export import read_images
from siamcli.engines.calibrate import calibration_crops
from siamcli.engines.cpu import has_bfloat16
from siamcli.engines.cuda import CudaEngine
from siamcli.engines.openvino import quantize
from siamcli.engines.select import make_engine
from siamcli.model.spec import SPECS
from siamcli.tracker.engine import Ranking

DEMO = Path(__file__).parent / "data" / "demo.mp4"
SLOW = pytest.mark.slow
OPENVINO = pytest.mark.skipif(
    importlib.util.find_spec("openvino") is None, reason="the extra openvino is not installed"
)
BFLOAT16 = pytest.mark.skipif(not has_bfloat16(), reason="this CPU has no bfloat16")
# engine, dtype, tolerances: pixels of the search region, and score
ENGINES = [
    pytest.param("cpu", "float32", 0.02, 1e-3, id="cpu-float32"),
    pytest.param("cpu", "bfloat16", 2.0, 0.04, id="cpu-bfloat16"),
    pytest.param("openvino", "float32", 0.02, 1e-3, id="openvino-float32", marks=OPENVINO),
    pytest.param("openvino", "bfloat16", 2.0, 0.06, id="openvino-bfloat16", marks=[OPENVINO, BFLOAT16]),
    pytest.param("uncaptured", "float32", 0.02, 1e-3, id="cuda-float32-without-capture"),
    pytest.param("uncaptured", "bfloat16", 2.0, 0.04, id="cuda-bfloat16-without-capture"),
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


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where engines keep what need not be made twice."""
    return tmp_path_factory.mktemp("engines")


@pytest.fixture(scope="module")
def build(folder):
    """`build(engine, model, dtype)`, made once for all tests."""

    @cache
    def make(engine, model, dtype):
        net = recipe_model(model)
        if engine == "uncaptured":
            return CudaEngine(net, torch.device("cpu"), dtype)
        return make_engine(net, engine=engine, precision=dtype, cache=folder)

    return make


@pytest.mark.parametrize(("model", "engine", "dtype", "pixels", "score"), CASES)
def test_engine_agrees_with_reference(model, engine, dtype, pixels, score, build):
    fast = build(engine, model, dtype)
    assert dtype == fast.precision and fast.spec == SPECS[model]
    assert fast.device.type == "cpu"
    check_agreement(fast, model, pixels, score)


@pytest.mark.parametrize("engine", ["cpu", "uncaptured"])
def test_calls_leave_nothing_behind(engine, build):
    fast = build(engine, "siamrpn-alexnet", "float32")
    check_repetition(fast, "siamrpn-alexnet", 0.02, 1e-3, most=5, side=191)


@pytest.mark.parametrize("engine", ["cpu", "uncaptured", pytest.param("openvino", marks=OPENVINO)])
def test_one_engine_ranks_as_each_call_says(engine, build):
    """The window alone takes the place nearest to the centre; the next call is not disturbed."""
    spec = SPECS["siamrpnpp-r18"]
    fast = build(engine, spec.name, "float32")
    given = fast.embed(picture("template.png", 127)), picture("search255.png", 255), SIZES
    first = fast.locate(*given, ranking_for(spec, 255))
    for found in fast.locate(*given, Ranking(penalty_k=0.0, window_influence=1.0)):
        assert found.penalty == 1.0 and found.score < max(each.score for each in first)
    assert fast.locate(*given, ranking_for(spec, 255)) == first


@SLOW
@OPENVINO
@pytest.mark.parametrize("model", MODELS[:3])
def test_int8_agrees_after_calibration(model, folder):
    """Quantised on crops of a video; found again in the cache; its maps are those of float32, rounded."""
    pytest.importorskip("nncf", reason="the extra openvino is not installed")
    net = recipe_model(model)
    side = net.spec.search_size
    crops = calibration_crops(read_images([str(DEMO)], 4), net.spec, params_of(net.spec), count=4)
    made = quantize(net, crops, folder)
    assert made.is_relative_to(folder)
    fast = make_engine(net, engine="openvino-int8", cache=folder)
    search = picture(f"search{side}.png", side)[:1]
    (template,) = fast.embed(picture("template.png", 127)[:1])
    assert np.isfinite(fast.locate([template], search, SIZES[:1], ranking_for(net.spec, side))).all()
    region = torch.from_numpy(search).permute(0, 3, 1, 2).float()
    with torch.inference_mode():
        expected = [out.numpy().ravel() for out in net(template, region)]
    kernels = [kernel.numpy() for kernel in template.cls + template.loc]
    found = fast._network(side)([region.numpy(), *kernels])
    assert len(expected) == len(net.heads)
    for i, exact in enumerate(expected):
        rounded = found[i].ravel()
        assert np.corrcoef(exact, rounded)[0, 1] > 0.9 and not np.array_equal(exact, rounded)
