"""PySOT's and mmtracking's files: every tensor finds its place, nothing else gets in."""

from __future__ import annotations

import gzip
import os
import pickle
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import numpy as np
import pytest
import torch
from recipe import GOLDEN_CONFIGS, golden_keys, recipe_state
from torch import Tensor

from siamcli.checkpoints.catalog import catalog, entry_named
from siamcli.checkpoints.header import sha256_of
from siamcli.checkpoints.mmtracking import mmtracking_name
from siamcli.checkpoints.native import read_native, write_native
from siamcli.checkpoints.pysot import pysot_name
from siamcli.checkpoints.read import read_checkpoint
from siamcli.checkpoints.state_dict import expected_shapes
from siamcli.errors import WeightsError
from siamcli.model.spec import SPECS, TrackerParams

ALEX = "siamrpn_alex_dwxcorr"


@pytest.fixture(scope="module")
def alex() -> dict[str, Tensor]:
    return recipe_state(golden_keys(ALEX))


@pytest.fixture(scope="module")
def mmtracking_state() -> dict[str, Tensor]:
    """All of mmtracking's names and shapes, at the cost of one number per tensor."""
    spec = SPECS["mmtracking_r50"]
    return {
        mmtracking_name(name, spec): torch.tensor(float(i % 7)).expand(shape)
        for i, (name, shape) in enumerate(expected_shapes(spec, "").items())
    }


def save(content: object, path: Path) -> Path:
    torch.save(content, path)
    return path


@pytest.mark.parametrize("config", GOLDEN_CONFIGS)
def test_names_map_one_to_one(config: str) -> None:
    spec = SPECS[config]
    ours = {pysot_name(n, spec): list(shape) for n, shape in expected_shapes(spec, "").items()}
    assert ours == golden_keys(config)


@pytest.mark.parametrize("config", GOLDEN_CONFIGS)
def test_architecture_is_recognised(config: str, tmp_path: Path) -> None:
    cheap = {n: torch.ones(()).expand(shape) for n, shape in golden_keys(config).items()}
    found = read_checkpoint(save(cheap, tmp_path / "some.pth"))
    assert found.spec == SPECS[config]
    assert found.params == entry_named(config).params
    assert (found.name, found.license) == ("some", "unknown")
    if config.endswith("_lt"):
        assert (found.params.lost_below, found.params.found_above) == (0.8, 0.998)
        assert found.params.lost_search_size == 831


def _as_module_saves_it(state: dict[str, Tensor]) -> OrderedDict[str, Tensor]:
    """nn.Module.state_dict() is an OrderedDict with an attribute, which pickle keeps."""
    ordered = OrderedDict(state)
    ordered._metadata = OrderedDict({"": {"version": 1}})
    return ordered


@pytest.mark.parametrize(
    "wrap",
    [
        lambda s: s,
        _as_module_saves_it,
        lambda s: {"epoch": 19, "state_dict": s, "optimizer": {"lr": 0.1}},
        lambda s: {f"module.{n}": t for n, t in s.items()},
        lambda s: {"state_dict": {f"module.{n}": t for n, t in s.items()}},
        lambda s: {n: t for n, t in s.items() if not n.endswith("num_batches_tracked")},
        lambda s: {"epoch": 3, "model": s},
        lambda s: {"net": s},
        lambda s: {"model_state_dict": s, "loss": 0.1},
        lambda s: {"model": {f"module.{n}": t for n, t in s.items()}},
        lambda s: {"net": {"state_dict": s}, "epoch": 3},
        lambda s: {f"model.{n}": t for n, t in s.items()},
        lambda s: {"state_dict": {f"model.module.{n}": t for n, t in s.items()}, "callbacks": {}},
    ],
    ids=[
        *(
            "plain",
            "as a module saves it",
            "nested",
            "module",
            "nested module",
            "no counters",
            "model",
            "net",
        ),
        *("model_state_dict", "model and module", "net and state_dict", "prefix", "lightning"),
    ],
)
def test_values_reach_their_place(
    wrap: Callable[..., object], alex: dict[str, Tensor], tmp_path: Path
) -> None:
    path = save(wrap(alex), tmp_path / "siamrpn_alex_dwxcorr_otb.pth")
    got = read_checkpoint(path)
    assert (got.name, got.license) == ("siamrpn_alex_dwxcorr_otb", "CC-BY-SA-3.0")
    assert got.sha256 == sha256_of(path)
    for name, weight in got.weights.items():
        assert torch.equal(weight, alex[pysot_name(name, got.spec)]), name
    write_native(got, tmp_path / "alex.safetensors")
    assert (
        read_checkpoint(tmp_path / "alex.safetensors").params
        == read_native(tmp_path / "alex.safetensors").params
    )


def test_missing_leftover_and_misshapen_are_named(alex: dict[str, Tensor], tmp_path: Path) -> None:
    state = {n: t for n, t in alex.items() if ".loc.conv_kernel." not in n}
    state["mask_head.weight"] = torch.zeros(1)
    state["rpn_head.cls.head.3.bias"] = torch.zeros(12)
    with pytest.raises(WeightsError) as caught:
        read_checkpoint(save(state, tmp_path / "odd.pth"))
    said = str(caught.value)
    assert "5 missing (rpn_head.loc.conv_kernel.0.weight, " in said
    assert "1 left over (mask_head.weight)" in said
    assert "rpn_head.cls.head.3.bias (12,) instead of (10,)" in said
    assert "odd.pth" in said


def test_named_architecture_is_obeyed(alex: dict[str, Tensor], tmp_path: Path) -> None:
    path = save(alex, tmp_path / "a.pth")
    assert read_checkpoint(path, ALEX).spec.name == ALEX
    with pytest.raises(WeightsError, match="does not fit siamrpn_r50_l234_dwxcorr"):
        read_checkpoint(path, "siamrpn_r50_l234_dwxcorr")
    with pytest.raises(WeightsError, match="no pysot architecture 'vgg'") as caught:
        read_checkpoint(path, "vgg")
    assert ALEX in str(caught.value.hint)


def test_mmtracking_names_follow_its_layout(mmtracking_state: dict[str, Tensor]) -> None:
    spec = SPECS["mmtracking_r50"]
    assert len(mmtracking_state) == len(expected_shapes(spec, ""))
    shapes = {n: tuple(t.shape) for n, t in mmtracking_state.items()}
    assert shapes["backbone.layer2.0.downsample.0.weight"] == (512, 256, 3, 3)
    assert shapes["neck.convs.2.conv.weight"] == (256, 2048, 1, 1)
    assert shapes["neck.convs.0.bn.running_var"] == (256,)
    assert shapes["head.cls_weight"] == shapes["head.reg_weight"] == (3,)
    assert shapes["head.cls_heads.1.kernel_convs.conv.weight"] == (256, 256, 3, 3)
    assert shapes["head.reg_heads.2.search_convs.bn.weight"] == (256,)
    assert shapes["head.reg_heads.0.head_convs.0.conv.weight"] == (256, 256, 1, 1)
    assert shapes["head.reg_heads.0.head_convs.1.conv.bias"] == (20,)


@pytest.mark.parametrize(
    ("file", "name", "lr"),
    [
        ("siamese_rpn_r50_20e_otb100_20220421_144232-6b8f1730.pth", "mmtracking_otb100", 0.4),
        ("my_uav123_run.pth", "my_uav123_run", 0.5),
        ("mine.pth", "mine", 0.38),
    ],
)
def test_mmtracking_settings_follow_the_file_name(
    file: str, name: str, lr: float, mmtracking_state: dict[str, Tensor], tmp_path: Path
) -> None:
    """The old serialisation, with a training log beside the weights."""
    log = {"mmtrack_version": "0.13", "hook_msgs": {"best": np.float64(0.649), "epoch": np.int64(18)}}
    content = {"meta": log, "state_dict": mmtracking_state}
    torch.save(content, tmp_path / file, _use_new_zipfile_serialization=False)
    got = read_checkpoint(tmp_path / file)
    assert got.spec == SPECS["mmtracking_r50"]
    assert (got.name, got.params.lr) == (name, lr)
    for ours, weight in got.weights.items():
        if not ours.endswith("num_batches_tracked"):
            assert torch.equal(weight, mmtracking_state[mmtracking_name(ours, got.spec)])


def test_numpy_1_scalars_are_plain_numbers(alex: dict[str, Tensor], tmp_path: Path) -> None:
    torch.save(
        {"meta": np.float64(0.5), "state_dict": alex},
        tmp_path / "a.pth",
        _use_new_zipfile_serialization=False,
    )
    data = (tmp_path / "a.pth").read_bytes()
    old = data.replace(b"cnumpy._core.multiarray\n", b"cnumpy.core.multiarray\n")
    assert old != data
    (tmp_path / "a.pth").write_bytes(old)
    assert read_checkpoint(tmp_path / "a.pth").spec.name == ALEX


class Hostile:
    """Creates a file when it is unpickled the careless way."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, (f"touch '{self.mark}'",)


@pytest.mark.parametrize("new_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("where", ["whole", "beside", "inside"])
def test_hostile_pickle_is_refused(new_zip: bool, where: str, tmp_path: Path) -> None:
    bomb = Hostile(tmp_path / "ran")
    content = {
        "whole": bomb,
        "beside": {"meta": bomb, "state_dict": {}},
        "inside": {"backbone.conv1.weight": bomb},
    }[where]
    path = tmp_path / "hostile.pth"
    torch.save(content, path, _use_new_zipfile_serialization=new_zip)
    with pytest.raises(WeightsError, match=r"hostile\.pth: refused"):
        read_checkpoint(path)
    assert not bomb.mark.exists()
    torch.load(path, weights_only=False)
    assert bomb.mark.exists(), "the file would not have run anything: the test proves nothing"


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "an empty file"),
        (b"<!DOCTYPE html><html>Google Drive - Virus scan warning", "a web page"),
        (b"\xef\xbb\xbf<!DOCTYPE html><html>", "a web page"),
        (b"<?xml version='1.0'?><Error/>", "an answer of a server"),
        (b'{"error": {"code": 404}}', "JSON, not weights"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0", "a Git LFS pointer"),
        (b"/annex/objects/SHA256E-s1", "a git-annex pointer"),
        (b"\x08\x08\x12\x04demo:\x03\x12\x01g", "an ONNX model"),
        (pickle.dumps({"a": 1}, protocol=4), "a pickle"),
        (gzip.compress(b"weights", mtime=0), "compressed with gzip"),
        (b"\x89HDF\r\n\x1a\n", "an HDF5 file"),
        (b"a.pth".ljust(257, b"\0") + b"ustar\0", "a tar archive"),
        (b"nothing of the kind", "no weights file that siamtrack knows"),
        (b"PK\x03\x04 and then nothing of the kind", "damaged or cut short"),
        (b"\x80\x02nonsense", "damaged"),
        (pickle.dumps({"a": 1}, protocol=2), "damaged"),
        (b"\x08\0\0\0\0\0\0\0{       ", "damaged or cut short"),
    ],
)
def test_rubbish_is_refused(content: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "x.pth").write_bytes(content)
    with pytest.raises(WeightsError, match=says) as caught:
        read_checkpoint(tmp_path / "x.pth")
    assert "x.pth" in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"notes.txt": b"none"}, "a zip archive"),
        ({"a.npy": b"none"}, "NumPy arrays"),
        ({"m/data.pkl": b"none", "m/constants.pkl": b"none", "m/code/m.py": b""}, "a TorchScript program"),
        ({"a/data.pkl": b"none", "a/data/0": bytes(10**6)}, "compressed inside"),
        ({"a/data.pkl": bytes(10**6)}, "compressed inside"),
    ],
    ids=["zip", "numpy", "torchscript", "bomb", "bomb of a pickle"],
)
def test_an_archive_of_something_else_is_named(entries: dict[str, bytes], says: str, tmp_path: Path) -> None:
    with ZipFile(tmp_path / "x.pth", "w", ZIP_DEFLATED) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)
    with pytest.raises(WeightsError, match=rf"x\.pth: {says}"):
        read_checkpoint(tmp_path / "x.pth")


def test_a_whole_pickled_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="Linear: a whole pickled model") as caught:
        read_checkpoint(save({"model": torch.nn.Linear(1, 1)}, tmp_path / "x.pth"))
    assert "state_dict()" in str(caught.value.hint)
    assert "weights_only" not in f"{caught.value}{caught.value.hint}"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda t: t.to(torch.int64), "is torch.int64"),
        (lambda t: t.to(torch.bool), "is torch.bool"),
        (lambda t: t.to(torch.complex64), "is torch.complex64"),
        (lambda t: t.to_sparse(), "is sparse"),
        (lambda t: t.to("meta"), "only a shape"),
    ],
)
def test_what_is_no_weight_is_named(
    change: Callable[[Tensor], Tensor], says: str, alex: dict[str, Tensor], tmp_path: Path
) -> None:
    name = "backbone.features.0.weight"
    with pytest.raises(WeightsError, match=f"1 that hold no real numbers .{name} .*{says}"):
        read_checkpoint(save({**alex, name: change(alex[name])}, tmp_path / "x.pth"))


def test_names_from_a_file_cannot_steer_the_terminal(alex: dict[str, Tensor], tmp_path: Path) -> None:
    for content in ({**alex, "a\x1b[31m": torch.zeros(1)}, {**alex, "a\x1b[31m": 3}):
        with pytest.raises(WeightsError) as caught:
            read_checkpoint(save(content, tmp_path / "x.pth"))
        assert str(caught.value).isprintable()
        assert r"a\x1b[31m" in str(caught.value)


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": 3}, {"a": 1}, torch.zeros(3)])
def test_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="state dict"):
        read_checkpoint(save(content, tmp_path / "x.pth"))


@pytest.mark.parametrize("new_zip", [True, False], ids=["zip", "legacy"])
@pytest.mark.parametrize("share", [0.0005, 0.3, 0.9, 0.9999])
def test_truncated_file_is_refused(
    new_zip: bool, share: float, alex: dict[str, Tensor], tmp_path: Path
) -> None:
    path = tmp_path / "x.pth"
    torch.save(alex, path, _use_new_zipfile_serialization=new_zip)
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(WeightsError, match=r"x\.pth"):
        read_checkpoint(path)


def test_absent_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(WeightsError, match="cannot read"):
        read_checkpoint(tmp_path / "nothing.pth")


def test_catalog_is_sound() -> None:
    entries = catalog()
    assert len({e.name for e in entries}) == len(entries) >= 20
    for entry in entries:
        assert entry.urls, entry.name
        assert all(url.startswith("https://") for url in entry.urls)
        assert (entry.family == "other") == (not entry.model), entry.name
        assert not entry.model or entry.model in SPECS
        if entry.family == "mmtracking":
            assert entry.file.removesuffix(".pth").endswith(f"-{entry.sha256}")
            assert all(url.endswith(f"-{entry.sha256}.pth") for url in entry.urls)
    assert entry_named("siamrpn_r50_l234_dwxcorr_otb").params == TrackerParams(
        penalty_k=0.24, window_influence=0.5, lr=0.25
    )
    assert entry_named("siamrpn_r50_l234_dwxcorr").scores["VOT2018"]["EAO"] == 0.415
    with pytest.raises(WeightsError, match="no published weights are called 'x'"):
        entry_named("x")
