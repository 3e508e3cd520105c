"""Our own weights format: self-describing, exact, strict, deterministic."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from siamcli.checkpoints import state_dict
from siamcli.checkpoints.header import Precision, read_header, sha256_of
from siamcli.checkpoints.native import Checkpoint, read_native, write_native
from siamcli.checkpoints.params import read_params
from siamcli.errors import OutputError, WeightsError
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, ModelSpec, TrackerParams, default_params

SPEC = ModelSpec("tiny", backbone="alexnet", levels=(5,), channels=(4,), template_cells=6, base_size=0)


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    torch.manual_seed(0)
    return Checkpoint(
        spec=SPEC,
        params=TrackerParams(lr=0.3, lost_search_size=831),
        weights=SiamRPN(SPEC).state_dict(),
        name="tiny",
        version="1.2",
        license="Apache-2.0",
        provenance={"epochs": 20, "images": ["a", "b"]},
    )


@pytest.fixture(scope="module")
def native(checkpoint: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("native") / "tiny.safetensors"
    write_native(checkpoint, path)
    return path


def test_a_native_file_gives_back_what_was_written(checkpoint: Checkpoint, native: Path) -> None:
    back = read_native(native)
    assert (back.spec, back.params) == (checkpoint.spec, checkpoint.params)
    assert (back.name, back.version, back.license) == ("tiny", "1.2", "Apache-2.0")
    assert back.provenance == checkpoint.provenance
    assert back.sha256 == sha256_of(native)
    assert list(back.weights) == list(checkpoint.weights)
    assert all(torch.equal(back.weights[n], w) for n, w in checkpoint.weights.items())
    SiamRPN(back.spec).load_state_dict(dict(back.weights))
    assert read_header(native).precision == "float32"


@pytest.mark.parametrize(("precision", "smaller"), [("float16", 1.9), ("int8", 3.5)])
def test_small_precisions_stay_close(
    checkpoint: Checkpoint, native: Path, tmp_path: Path, precision: Precision, smaller: float
) -> None:
    path = tmp_path / "small.safetensors"
    write_native(checkpoint, path, precision)
    assert native.stat().st_size / path.stat().st_size > smaller
    for name, weight in read_native(path).weights.items():
        before = checkpoint.weights[name]
        if weight.dim() < 2:
            assert torch.equal(weight, before)
            continue
        assert weight.dtype == torch.float32
        largest = before.abs().amax(dim=(1, 2, 3), keepdim=True)
        step = largest / 127 if precision == "int8" else largest * 2**-10
        assert ((weight - before).abs() <= step / 2 + 1e-7).all()


def test_int8_keeps_an_empty_channel(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weights = dict(checkpoint.weights)
    weights["cls.branches.0.head.3.weight"] = weights["cls.branches.0.head.3.weight"].clone()
    weights["cls.branches.0.head.3.weight"][2] = 0
    write_native(replace(checkpoint, weights=weights), tmp_path / "a.safetensors", "int8")
    back = read_native(tmp_path / "a.safetensors").weights["cls.branches.0.head.3.weight"]
    assert not back[2].any()
    assert back[1].any()


@pytest.mark.parametrize("precision", ["float32", "float16", "int8"])
def test_same_checkpoint_same_bytes(checkpoint: Checkpoint, tmp_path: Path, precision: Precision) -> None:
    shuffled = dict(reversed(checkpoint.weights.items()))
    write_native(checkpoint, tmp_path / "a", precision)
    write_native(replace(checkpoint, weights=shuffled), tmp_path / "b", precision)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def _edited(native: Path, to: Path, edit: Callable[[dict[str, object]], object]) -> Path:
    """A copy of `native` whose header went through `edit`."""
    plain = json.loads(json.dumps(asdict(read_header(native))))
    edit(plain)
    save_file(load_file(native), to, {"siamtrack": json.dumps(plain)})
    return to


@pytest.mark.parametrize(
    ("edit", "says"),
    [
        (lambda h: h["spec"].pop("name"), "spec.name is missing"),
        (lambda h: h["spec"].update(flavour=1), "unknown key spec.flavour "),
        (lambda h: h["spec"].update(crop="elsewhere"), "spec.crop must be .*, not 'elsewhere'"),
        (lambda h: h["spec"].update(anchors=[[1, 2, 3]]), r"spec.anchors\[0\] must be"),
        (lambda h: h["spec"].update(channels=[8]), "of another shape"),
        (lambda h: h["spec"].update(channels=[8, 8]), "makes no network"),
        (lambda h: h["params"].update(lr="fast"), "params.lr must be a number, not 'fast'"),
        (lambda h: h["params"].update(lr=float("nan")), "params.lr must be .*, not nan"),
        (lambda h: h.pop("license"), "license is missing"),
        (lambda h: h.update(format=3), "format must be 1 or 2, not 3"),
        (lambda h: h.pop("format"), "format is missing"),
        (lambda h: h["spec"].update(correlation="circular"), "spec.correlation must be .*, not 'circular'"),
        (lambda h: h["spec"].update(correlation="plain"), "makes no network"),
        (lambda h: h["params"].update(scales=[1.0, "large"]), r"scales\[1\] must be a number"),
        (lambda h: h.update(spec=None), "spec must be a table"),
        (lambda h: h["spec"].update(search_size=-5), "spec.search_size must be at least 16 .*, not -5"),
        (lambda h: h["spec"].update(search_size=10**9), "spec.search_size must be"),
        (lambda h: h["spec"].update(stride=0), "spec.stride must be"),
        (lambda h: h["spec"].update(name="../elsewhere"), "spec.name must be a plain name"),
        (lambda h: h.update(name="../../escaped"), "name must be a plain name"),
        (lambda h: h.update(name="a\x1b[31m"), r"name must be a plain name, not 'a\\x1b\[31m'"),
        (lambda h: (h.update(name=1), h["params"].update(lr=0)), "name must be .*; params.lr must be"),
    ],
)
def test_header_is_strict(native: Path, tmp_path: Path, edit: Callable[..., object], says: str) -> None:
    path = _edited(native, tmp_path / "x.safetensors", edit)
    with pytest.raises(WeightsError, match=says) as caught:
        read_native(path)
    assert caught.value.hint


def test_a_score_map_that_the_network_does_not_make(native: Path, tmp_path: Path) -> None:
    path = _edited(native, tmp_path / "x.safetensors", lambda h: h["spec"].update(stride=4))
    with pytest.raises(
        WeightsError, match=r"x\.safetensors: .* says a score map of side 33, and makes one of 17"
    ):
        read_native(path)
    with pytest.raises(WeightsError, match=r"here: .* makes no network"):
        state_dict.expected_shapes(replace(SPECS["siamrpnpp-r10"], levels=(), channels=()), "here")


@pytest.mark.parametrize(
    "other",
    [{"width": 0.25}, {"levels": (2,), "channels": (16,)}, {"anchors": ((64.0, 64.0),), "weighted": False}],
)
def test_sides_that_are_known_cost_no_compiler(
    monkeypatch: pytest.MonkeyPatch, other: dict[str, Any]
) -> None:
    """What it costs is measured in seconds for every start of the command."""
    spec = replace(SPECS["siamrpnpp-r10"], **other)
    assert state_dict._score_side(SiamRPN(spec).eval()) == spec.score_size()
    monkeypatch.setattr(state_dict, "_score_side", lambda _: pytest.fail("computed"))
    state_dict._shapes_and_side.cache_clear()
    assert state_dict.expected_shapes(spec, "here")


def test_older_files_are_read(checkpoint: Checkpoint, native: Path, tmp_path: Path) -> None:
    """What a file does not say has its default: format 1 knew one correlation and one scale."""

    def age(header: dict[str, Any]) -> None:
        header["format"] = 1
        del header["spec"]["correlation"], header["params"]["scales"], header["params"]["scale_penalty"]

    back = read_native(_edited(native, tmp_path / "old.safetensors", age))
    assert (back.spec, back.params) == (checkpoint.spec, checkpoint.params)
    assert (back.spec.correlation, back.params.scales) == ("depthwise", ())


def test_parameters_that_came_later_are_neutral(native: Path, tmp_path: Path) -> None:
    """Files of before are read: what the reference does not have takes the value that changes nothing."""

    def age(header: dict[str, Any]) -> None:
        later = (
            "calibration",
            "lost_shares",
            "usual_limit",
            "hold_below",
            "first_frame_bias",
            "class_memory",
        )
        for name in later:
            del header["params"][name]

    params = read_native(_edited(native, tmp_path / "old.safetensors", age)).params
    assert (params.calibration, params.lost_shares, params.usual_limit, params.hold_below) == ((), (), 0, 0)
    assert (params.first_frame_bias, params.class_memory) == (0, 0)


@pytest.mark.parametrize("name", ["siamrpn-alexnet", "siamfc-alexnet"])
def test_every_correlation_comes_back(name: str, tmp_path: Path) -> None:
    spec = replace(SPECS[name], channels=(4,))
    model = SiamRPN(spec)
    before = Checkpoint(spec, default_params(spec), model.state_dict(), name)
    write_native(before, tmp_path / "a.safetensors", "int8")
    back = read_native(tmp_path / "a.safetensors")
    assert (back.spec, back.params) == (spec, default_params(spec))
    model.load_state_dict(dict(back.weights))


def test_unmarked_safetensors_is_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "x.safetensors")
    with pytest.raises(WeightsError, match="not a siamtrack weights file"):
        read_native(tmp_path / "x.safetensors")


@pytest.mark.parametrize("what", ["missing", "left over", "no scale", "stored as", "not finite"])
def test_tensors_are_strict(native: Path, tmp_path: Path, what: str) -> None:
    tensors = load_file(native)
    name = "cls.branches.0.head.3.weight"
    broken = {
        "missing": {n: t for n, t in tensors.items() if n != name},
        "left over": {**tensors, "extra::scale": torch.ones(3)},
        "no scale": {**tensors, name: tensors[name].to(torch.int8)},
        "stored as": {**tensors, name: tensors[name].double()},
        "not finite": {**tensors, name: tensors[name] / 0},
    }[what]
    path = tmp_path / "x.safetensors"
    save_file(broken, path, {"siamtrack": json.dumps(asdict(read_header(native)))})
    with pytest.raises(WeightsError, match=what) as caught:
        read_native(path)
    assert str(path) in str(caught.value)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0, 0.999))
def test_truncated_file_is_refused(
    native: Path, share: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    cut = tmp_path_factory.getbasetemp() / "cut.safetensors"
    data = native.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(WeightsError, match=r"cut\.safetensors"):
        read_native(cut)


@settings(max_examples=30, deadline=None)
@given(at=st.integers(0, 3000), value=st.integers(0, 255))
def test_damaged_header_is_refused_or_harmless(
    native: Path, at: int, value: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bad = tmp_path_factory.getbasetemp() / "bad.safetensors"
    data = bytearray(native.read_bytes())
    data[at] = value
    bad.write_bytes(data)
    try:
        read_native(bad)
    except WeightsError as error:
        assert "bad.safetensors" in str(error)


@settings(max_examples=10, deadline=None)
@given(share=st.floats(0, 0.999999), bit=st.integers(0, 7))
def test_one_flipped_bit_shows(
    native: Path, share: float, bit: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    bad = tmp_path_factory.getbasetemp() / "bad.safetensors"
    data = bytearray(native.read_bytes())
    start = 8 + int.from_bytes(data[:8], "little")
    data[start + int((len(data) - start) * share)] ^= 1 << bit
    bad.write_bytes(data)
    with pytest.raises(WeightsError, match=r"bad\.safetensors"):
        read_native(bad)


def test_wrong_weights_are_not_written(checkpoint: Checkpoint, tmp_path: Path) -> None:
    weights = {n: w for n, w in checkpoint.weights.items() if not n.startswith("neck.")}
    with pytest.raises(WeightsError, match="missing"):
        write_native(replace(checkpoint, weights=weights), tmp_path / "x")
    large = {n: w * 1e9 if w.dim() > 1 else w for n, w in checkpoint.weights.items()}
    with pytest.raises(WeightsError, match="float16"):
        write_native(replace(checkpoint, weights=large), tmp_path / "x", "float16")
    assert not list(tmp_path.iterdir())


def test_unwritable_place_is_reported(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        write_native(checkpoint, tmp_path / "nowhere" / "x.safetensors")
    (tmp_path / "taken").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        write_native(checkpoint, tmp_path / "taken")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


@pytest.mark.parametrize(
    ("lines", "idle"),
    [
        ("lost_below = 0.5\nfound_above = 0.6", "lost_below and found_above"),
        ("lost_below = 0.5\nlost_search_size = 831", ""),  # how long a lost target keeps its place
        ("lost_below = 0.5\nlost_shares = []", ""),
        ("lr = 0.5", ""),
    ],
)
def test_parameters_without_effect_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, lines: str, idle: str
) -> None:
    (tmp_path / "p.toml").write_text(lines)
    read_params(tmp_path / "p.toml", TrackerParams(lost_shares=(0.35, 0.8)))
    assert [message.partition("no effect of ")[2] for message in caplog.messages] == (
        [f"{idle}: lost_shares decide; lost_shares = [] turns them off"] if idle else []
    )


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("context = 0", "context must be above 0 and at most 2, not 0"),
        ("penalty_k = -0.1", "penalty_k must be finite and at least 0"),
        ("window_influence = 1.5", "window_influence must be"),
        ("lr = 0.0", "lr must be"),
        ("lr = nan", "lr must be above 0 and at most 1, not nan"),
        ("min_size = 0", "min_size must be"),
        ("lost_below = 0.9", "lost_below 0.9 must not exceed found_above 0.8"),
        ("lost_search_size = 100", "lost_search_size must be"),
        ("scales = [1.02, 2.0]", r"scales\[1\] must be above 0.5 and below 2, not 2.0"),
        ("scale_penalty = 0.0", "scale_penalty must be"),
        ("lr = 'fast'", "lr must be a number, not 'fast'"),
        ("foo = 1", r"unknown key foo \(known: context, penalty_k"),
    ],
)
def test_parameters_that_cannot_work_are_named(tmp_path: Path, line: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(line)
    with pytest.raises(WeightsError, match=said) as caught:
        read_params(path, TrackerParams())
    assert str(path) in str(caught.value)
    assert "damaged" not in str(caught.value.hint)


def test_a_header_with_impossible_parameters_is_refused(native: Path, tmp_path: Path) -> None:
    data = native.read_bytes()
    assert data.count(b'\\"lr\\": 0.3') == 1
    (tmp_path / "bad.safetensors").write_bytes(data.replace(b'\\"lr\\": 0.3', b'\\"lr\\": 3.0'))
    with pytest.raises(WeightsError, match=r"bad\.safetensors: params.lr must be"):
        read_header(tmp_path / "bad.safetensors")
