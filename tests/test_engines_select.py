"""Which engine one gets, and the one clear line when it cannot be had."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from siamcli import cores
from siamcli.engines import cpu, cuda, precision, select
from siamcli.engines.cuda import CudaEngine
from siamcli.engines.eager import EagerEngine
from siamcli.engines.select import make_engine
from siamcli.errors import DeviceError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, ModelSpec, TrackerParams

PARAMS = TrackerParams()
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
    return engine.locate(templates, crops(count, 255), np.full((count, 2), 60, np.float32))


@pytest.mark.parametrize(
    ("wishes", "message", "hint"),
    [
        ({"device": "tpu"}, "'tpu'", "cuda:N"),
        ({"device": "cuda:x"}, "'cuda:x'", "cuda:N"),
        ({"device": "cpu:1"}, "'cpu:1'", "cuda:N"),
        ({"device": "cuda:77"}, "cuda:77", "cpu"),
        ({"device": "cpu", "engine": "cuda"}, "does not run on cpu", "cuda"),
        ({"engine": "warp"}, "'warp'", "openvino"),
        ({"engine": "cpu", "dtype": "float16"}, "no float16", "bfloat16"),
        ({"engine": "eager", "dtype": "bfloat16"}, "no bfloat16", "float32"),
        ({"dtype": "int3"}, "'int3'", "float32"),
    ],
)
def test_what_is_not_there_is_named(model, tmp_path, wishes, message, hint):
    with pytest.raises(DeviceError, match=message) as caught:
        make_engine(model, PARAMS, cache=tmp_path, **wishes)
    assert hint in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
@pytest.mark.parametrize("wishes", [{"device": "cuda"}, {"engine": "cuda"}, {"device": "cuda:0"}])
def test_named_gpu_is_never_replaced(model, tmp_path, wishes):
    with pytest.raises(DeviceError, match="cuda"):
        make_engine(model, PARAMS, cache=tmp_path, **wishes)


@pytest.mark.skipif(torch.backends.mps.is_available(), reason="there is an Apple GPU")
def test_no_apple_gpu(model, tmp_path):
    with pytest.raises(DeviceError, match="mps"):
        make_engine(model, PARAMS, device="mps", cache=tmp_path)


@pytest.mark.parametrize("engine", ["openvino", "openvino-int8"])
def test_missing_extra(model, tmp_path, monkeypatch, engine):
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(DeviceError, match="not installed") as caught:
        make_engine(model, PARAMS, engine=engine, cache=tmp_path)
    assert "pip install -e '.[openvino]'" in caught.value.hint


def test_int8_must_be_calibrated_first(model, tmp_path):
    pytest.importorskip("openvino", reason="the extra openvino is not installed")
    with pytest.raises(DeviceError, match="int8") as caught:
        make_engine(model, PARAMS, engine="openvino-int8", cache=tmp_path)
    assert "--calibrate" in caught.value.hint


def test_a_named_device_that_fails_says_why(model, tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("CUDA error: unknown error")

    monkeypatch.setattr(select, "_build", broken)
    with pytest.raises(DeviceError, match="unknown error") as caught:
        make_engine(model, PARAMS, device="cpu", cache=tmp_path)
    assert "auto" in caught.value.hint


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_auto_takes_the_fast_engine(model, tmp_path):
    assert make_engine(model, PARAMS, cache=tmp_path).name.startswith("cpu (")
    assert make_engine(model, PARAMS, device="cpu", dtype="float32", cache=tmp_path).name == "cpu (float32)"


def test_auto_passes_over_an_engine_that_failed_its_check(model, tmp_path, monkeypatch):
    fast = make_engine(model, PARAMS, device="cpu", cache=tmp_path).name
    entry = {"model": model.spec.name, "engine": fast, "auc_difference": -0.006}
    monkeypatch.setattr(precision, "_record", lambda: [entry])
    assert make_engine(model, PARAMS, device="cpu", cache=tmp_path).name == "cpu (float32)"
    entry["auc_difference"] = 0.004
    assert make_engine(model, PARAMS, device="cpu", cache=tmp_path).name == fast


def test_auto_falls_back_to_what_works(model, tmp_path, monkeypatch):
    """A GPU whose driver fails, and a fast engine that does: the CPU still tracks."""
    build = select._build

    def broken(network, params, engine, *rest):
        if engine != "eager" or rest[0].type == "cuda":
            raise RuntimeError("CUDA error: unknown error")
        return build(network, params, engine, *rest)

    monkeypatch.setattr(select, "_build", broken)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert make_engine(model, PARAMS, cache=tmp_path).name == "eager (cpu, float32)"


def test_cpu_engine_without_its_operators(model, monkeypatch):
    """A PyTorch that cannot pack weights gives the same answers, only slower."""

    def missing(*_):
        raise AttributeError("no such operator")

    expected = answers(EagerEngine(model, PARAMS, CPU))
    monkeypatch.setattr(cpu, "pack", missing)
    assert np.allclose(answers(cpu.CpuEngine(model, PARAMS, torch.float32)), expected, rtol=1e-3, atol=1e-3)


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
    cpu.use_threads()
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
    cpu.leave_room(SimpleNamespace(device=torch.device(device), spec=ModelSpec("x", backbone)))
    assert torch.get_num_threads() == threads


def test_cuda_engine_takes_large_batches_in_turns(model, monkeypatch):
    monkeypatch.setattr(cuda, "LARGEST", 2)
    expected = answers(EagerEngine(model, PARAMS, CPU), count=3)
    found = answers(CudaEngine(model, PARAMS, CPU, torch.float32), count=3)
    assert np.allclose(found, expected, rtol=1e-3, atol=1e-3)


def test_cuda_out_of_memory_is_one_clear_line(model, monkeypatch):
    engine = CudaEngine(model, PARAMS, CPU, torch.float32)
    templates = engine.embed(crops(1, 127))

    def full(*_, **__):
        raise torch.cuda.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(torch, "zeros", full)
    with pytest.raises(DeviceError, match="memory for 1 target") as caught:
        engine.locate(templates, crops(1, 255), np.ones((1, 2), np.float32))
    assert "cpu" in caught.value.hint
