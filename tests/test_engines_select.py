"""Which engine one gets, and the one clear line when it cannot be had."""

from __future__ import annotations

import copy
import sys
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from siamcli import cores
from siamcli.engines import cpu, cuda, device, eager, precision, select
from siamcli.engines.cuda import CudaEngine
from siamcli.engines.eager import EagerEngine
from siamcli.engines.kinds import default_model, engine_name
from siamcli.engines.select import make_engine
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, ModelSpec
from siamcli.tracker.engine import Ranking

RANKING = Ranking(0.05, 0.42)
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(1)
    network = SiamRPN(SPECS["siamrpnpp-r18"]).eval()
    for branch in network.loc.branches:  # keeps the boxes of random weights finite
        branch.head[-1].weight.data *= 0.01
    return network


def crops(count, side):
    return np.random.default_rng(side).integers(0, 255, (count, side, side, 3), np.uint8)


def answers(engine, count=1):
    templates = engine.embed(crops(count, 127))
    return engine.locate(templates, crops(count, 255), np.full((count, 2), 60, np.float32), RANKING)


@pytest.mark.parametrize(
    ("wishes", "message", "hint"),
    [
        ({"device": "tpu"}, "'tpu'", "cuda:N"),
        ({"device": "cuda:x"}, "'cuda:x'", "cuda:N"),
        ({"device": "cpu:1"}, "'cpu:1'", "cuda:N"),
        ({"device": "cuda:77"}, "cuda:77", "cpu"),
        ({"device": "cpu", "engine": "cuda"}, "does not run on cpu", "cuda"),
        ({"engine": "warp"}, "'warp'", "openvino"),
        ({"engine": "cpu", "precision": "float16"}, "no float16", "bfloat16"),
        ({"engine": "eager", "precision": "bfloat16"}, "no bfloat16", "float32"),
        ({"precision": "int3"}, "'int3'", "float32"),
    ],
)
def test_what_is_not_there_is_named(model, tmp_path, wishes, message, hint):
    with pytest.raises(DeviceError, match=message) as caught:
        make_engine(model, cache=tmp_path, **wishes)
    assert hint in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("wishes", [{"device": "cuda"}, {"engine": "cuda"}, {"device": "cuda:0"}])
def test_named_gpu_is_never_replaced(model, tmp_path, wishes):
    with pytest.raises(DeviceError, match="cuda"):
        make_engine(model, cache=tmp_path, **wishes)


@pytest.mark.parametrize(
    ("wish", "gpu", "role"),
    [
        ("auto", True, "accurate"),
        ("auto", False, "fast"),
        ("cuda:0", True, "accurate"),
        ("cpu", True, "fast"),
    ],
)
def test_the_default_model_follows_the_device(monkeypatch, wish, gpu, role):
    monkeypatch.setattr("importlib.metadata.version", lambda name: "2.11.0+cu130")
    monkeypatch.setattr(torch.version, "cuda", "13.0")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    assert default_model(wish) == role


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")
def test_no_apple_gpu(model, tmp_path):
    with pytest.raises(DeviceError, match="mps"):
        make_engine(model, device="mps", cache=tmp_path)


@pytest.mark.parametrize("engine", ["openvino", "openvino-int8"])
def test_missing_extra(model, tmp_path, monkeypatch, engine):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match="not installed") as caught:
        make_engine(model, engine=engine, cache=tmp_path)
    assert "pip install -e '.[openvino]'" in caught.value.hint


def test_int8_must_be_calibrated_first(model, tmp_path):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    with pytest.raises(DeviceError, match="int8") as caught:
        make_engine(model, engine="openvino-int8", cache=tmp_path)
    assert "--calibrate" in caught.value.hint


def test_a_named_device_that_fails_says_why(model, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: unknown error")

    monkeypatch.setattr(select, "_build", broken)
    with pytest.raises(DeviceError, match="unknown error") as caught:
        make_engine(model, device="cpu", cache=tmp_path)
    assert "auto" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_auto_takes_the_fast_engine(model, tmp_path):
    assert engine_name(make_engine(model, cache=tmp_path)).startswith("cpu (")
    assert (
        engine_name(make_engine(model, device="cpu", precision="float32", cache=tmp_path)) == "cpu (float32)"
    )


def test_auto_passes_over_an_engine_that_failed_its_check(model, tmp_path, monkeypatch):
    def chosen(weights):
        return engine_name(make_engine(model, weights=weights, device="cpu", cache=tmp_path))

    fast = make_engine(model, device="cpu", cache=tmp_path)
    entry = precision.Measured("ours 4", fast.kind, fast.precision, 0.7, -0.006, 0.1)
    monkeypatch.setattr(precision, "_record", lambda: [entry])
    assert chosen("ours 4") == "cpu (float32)"
    assert chosen("ours 5") == engine_name(fast)  # other weights, of which nothing is known
    entry = replace(entry, auc_difference=0.004)
    assert chosen("ours 4") == engine_name(fast)


@pytest.mark.parametrize(
    ("installed", "difference", "bfloat16", "taken"),
    [
        (True, 0.001, True, "openvino"),
        (True, 0.006, True, "cpu"),
        (True, None, True, "cpu"),
        (True, 0.001, False, "cpu"),
        (False, 0.001, True, "cpu"),
    ],
)
def test_auto_takes_openvino_where_it_is_known_to_be_as_good(
    model, tmp_path, monkeypatch, installed, difference, bfloat16, taken
):
    entry = precision.Measured("ours 5", "openvino", "bfloat16", 0.7, difference or 0.0, 0.1)
    monkeypatch.setattr(precision, "_record", lambda: [] if difference is None else [entry])
    monkeypatch.setattr(select, "find_spec", lambda name: object() if installed else None)
    monkeypatch.setattr(select, "has_bfloat16", lambda: bfloat16)

    def build(network, engine, device, wanted, cache):
        return SimpleNamespace(kind=engine, precision=wanted, device=device)

    monkeypatch.setattr(select, "_build", build)
    assert make_engine(model, weights="ours 5", device="cpu", cache=tmp_path).kind == taken


def test_auto_falls_back_to_what_works(model, tmp_path, monkeypatch, caplog):
    """A GPU whose driver fails, and a fast engine that does: the CPU still tracks."""
    build = select._build

    def broken(network, engine, *rest):
        if engine != "eager" or rest[0].type == "cuda":
            raise RuntimeError("CUDA error: unknown error")
        return build(network, engine, *rest)

    monkeypatch.setattr(select, "_build", broken)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert engine_name(make_engine(model, cache=tmp_path)) == "eager (cpu, float32)"
    said = [record.getMessage() for record in caplog.records]
    assert said[0] == "engine cuda (cuda:0, auto) does not work: CUDA error: unknown error"
    assert len(said) == 5


def test_cpu_engine_without_its_operators(model, monkeypatch):
    """A PyTorch that cannot pack weights gives the same answers, only slower."""

    def missing(*_):
        raise AttributeError("no such operator")

    expected = answers(EagerEngine(model, CPU))
    monkeypatch.setattr(cpu, "pack", missing)
    assert np.allclose(answers(cpu.CpuEngine(model, "float32")), expected, rtol=1e-3, atol=1e-3)


@pytest.fixture
def free_threads(monkeypatch):
    """Four threads, and nobody has said how many; afterwards it is as before."""
    before = torch.get_num_threads()
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    torch.set_num_threads(4)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("free_threads")
def test_threads_stay_within_the_quota(monkeypatch):
    monkeypatch.setattr(cores, "_quota", lambda: 1)
    cpu.limit_threads()
    assert torch.get_num_threads() == 1


@pytest.mark.parametrize(
    ("backbone", "device", "said", "threads"),
    [
        ("resnet18", "cpu", None, 3),
        ("resnet18", "cpu", "4", 4),
        ("resnet18", "cuda", None, 4),
        ("resnet50", "cpu", None, 4),
    ],
)
@pytest.mark.usefixtures("free_threads")
def test_a_small_network_leaves_a_core_to_the_encoder(monkeypatch, backbone, device, said, threads):
    if said:
        monkeypatch.setenv("OMP_NUM_THREADS", said)
    monkeypatch.setattr(cpu, "usable_cores", lambda: 4)
    cpu.reserve_core_for_encoder(SimpleNamespace(device=torch.device(device), spec=ModelSpec("x", backbone)))
    assert torch.get_num_threads() == threads


def test_cuda_engine_takes_large_batches_in_turns(model, monkeypatch):
    monkeypatch.setattr(cuda, "MAX_BATCH", 2)
    expected = answers(EagerEngine(model, CPU), count=3)
    found = answers(CudaEngine(model, CPU, "float32"), count=3)
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_cuda_out_of_memory_is_one_clear_line(model, monkeypatch):
    engine = CudaEngine(model, CPU, "float32")
    templates = engine.embed(crops(1, 127))

    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "zeros", full)
    with pytest.raises(DeviceError, match="memory for 1 target") as caught:
        engine.locate(templates, crops(1, 255), np.ones((1, 2), np.float32), RANKING)
    assert "cpu" in caught.value.hint


@pytest.mark.parametrize("reason", [torch.cuda.OutOfMemoryError("CUDA out of memory"), ValueError("other")])
def test_cuda_out_of_memory_behind_another_error(model, monkeypatch, reason):
    """Where memory runs out within a capture, the error of ending the capture hides it."""
    engine = CudaEngine(model, CPU, "float32")

    def capture(*_):
        try:
            raise reason
        finally:
            raise RuntimeError("operation failed due to a previous error during capture")

    monkeypatch.setattr(engine, "_captured", capture)
    with pytest.raises(RuntimeError if isinstance(reason, ValueError) else DeviceError):
        engine.locate(engine.embed(crops(1, 127)), crops(1, 255), np.ones((1, 2), np.float32), RANKING)


def test_cuda_engine_copies_a_template_once(model, monkeypatch):
    """Only into a slot that holds another one, and all of them at once."""
    engine = CudaEngine(model, CPU, "float32")
    a, b, c = engine.embed(crops(3, 127))
    assert all(kernel.is_contiguous() for kernel in (*a.cls, *a.loc))
    copied, copy = [], torch._foreach_copy_
    monkeypatch.setattr(torch, "_foreach_copy_", lambda to, of: copied.append(list(of)) or copy(to, of))
    regions, sizes = crops(3, 255), np.full((3, 2), 60, np.float32)
    first = engine.locate([a, b, c], regions, sizes, RANKING)
    assert engine.locate([a, b, c], regions, sizes, RANKING) == first
    turned = engine.locate([c, b, a], regions[::-1].copy(), sizes, RANKING)
    assert np.allclose(turned[::-1], first, rtol=1e-4, atol=1e-3)
    expected = [(a, b, c), (c, a)]
    assert len(copied) == len(expected)
    for kernels, templates in zip(copied, expected, strict=True):
        wanted = [kernel for t in templates for kernel in (*t.cls, *t.loc)]
        assert [id(k) for k in kernels] == [id(k) for k in wanted]


def cudnn():
    return torch.backends.cudnn.benchmark, torch.backends.cudnn.allow_tf32


def test_how_cudnn_convolves_is_each_engines_own(model, monkeypatch):
    """TF32 for the CUDA engine, never for the reference; afterwards all is as it was."""
    before = cudnn(), torch.backends.cuda.matmul.allow_tf32
    seen = {}

    def watch(name, network):
        network.backbone.register_forward_hook(lambda *_: seen.update({name: cudnn()}))
        return network

    fast = CudaEngine(model, CPU, "float32")
    watch("cuda", fast._net)
    reference = EagerEngine(watch("eager", copy.deepcopy(model)), CPU)
    fast.embed(crops(1, 127))
    exact = device.exact_convolutions
    monkeypatch.setattr(eager, "exact_convolutions", lambda _: exact(torch.device("cuda")))
    reference.embed(crops(1, 127))
    assert seen == {"cuda": (False, True), "eager": (False, False)}
    answers(reference)
    assert seen["eager"] == (False, False)
    assert (cudnn(), torch.backends.cuda.matmul.allow_tf32) == before


@pytest.fixture
def cudnn_on_cpu(monkeypatch):
    """What cuDNN's fused convolutions compute, on the CPU; the list of what was asked for."""
    asked = []

    def relu(x, weight, bias, stride, padding, dilation, groups):
        asked.append("relu")
        return F.conv2d(x, weight, bias, stride, padding, dilation, groups).relu()

    def add_relu(x, weight, other, alpha, bias, *shape):
        asked.append("add_relu")
        assert alpha == 1
        return (F.conv2d(x, weight, bias, *shape) + other).relu()

    monkeypatch.setattr(torch, "cudnn_convolution_relu", relu)
    monkeypatch.setattr(torch, "cudnn_convolution_add_relu", add_relu)
    return asked


def test_cuda_engine_convolves_adds_and_activates_in_one(model, cudnn_on_cpu):
    """Two of them in each of six blocks, and two in each of the four branches; not in the first layer."""
    expected = answers(EagerEngine(model, CPU), count=2)
    engine = CudaEngine(model, CPU, "float32")
    templates = engine.embed(crops(2, 127))
    cudnn_on_cpu.clear()
    found = engine.locate(templates, crops(2, 255), np.full((2, 2), 60, np.float32), RANKING)
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)
    assert (cudnn_on_cpu.count("add_relu"), cudnn_on_cpu.count("relu")) == (6, 6 + 8)


def test_cuda_engine_without_fused_kernels(model, cudnn_on_cpu, monkeypatch):
    """What cuDNN cannot do in one is done step by step, and not tried again; a lack of memory is said."""
    expected = answers(EagerEngine(model, CPU))
    engine = CudaEngine(model, CPU, "float32")
    refusals = []

    def refuse(*_):
        refusals.append("add_relu")
        raise RuntimeError("cuDNN error: CUDNN_STATUS_NOT_SUPPORTED")

    with monkeypatch.context() as patch:
        patch.setattr(torch, "cudnn_convolution_add_relu", refuse)
        assert np.allclose(answers(engine), expected, rtol=1e-3, atol=1e-3)
    assert np.allclose(answers(engine), expected, rtol=1e-3, atol=1e-3)
    assert (len(refusals), cudnn_on_cpu.count("add_relu")) == (6, 0)

    def full(*_):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "cudnn_convolution_relu", full)
    with pytest.raises(DeviceError, match="memory for 1 target"):
        answers(engine)
