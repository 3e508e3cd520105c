"""Exported graphs run without siamtrack, and say how."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from siamcli.engines.export import write_graphs
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams

README = Path(__file__).parents[1] / "weights" / "README.md"


@pytest.mark.parametrize("to", ["torch", "onnx"])
def test_exported_pair_runs_without_siamtrack(to, siamtrack, weights, tmp_path):
    """The example of weights/README.md, in a process that cannot import siamcli."""
    if to == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    done = siamtrack("export", "--to", to, "--weights", weights, "-o", "pair")
    assert done.code == 0 and done.out == "pair\n", done.err
    about = json.loads((tmp_path / "pair" / "model.json").read_text())
    assert max(about["differences"].values()) < 1e-4
    example = re.search(rf"<!-- example: export {to} -->\n```python\n(.*?)```", README.read_text(), re.DOTALL)
    assert example
    forbid = "import sys; sys.modules['siamcli'] = None\n"
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    run = subprocess.run(
        [sys.executable, "-c", forbid + example[1]],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert re.fullmatch(r"\(1, 10, 25, 25\) \(1, 20, 25, 25\)\n", run.stdout)


@pytest.mark.parametrize("to", ["torch", "onnx"])
@pytest.mark.parametrize(
    ("architecture", "kernels"),
    [("siamrpn-alexnet", ["cls_kernel_5", "loc_kernel_5"]), ("siamfc-alexnet", ["cls_kernel_5"])],
)
def test_every_correlation_is_exported(architecture, kernels, to, tmp_path):
    """The export compares both graphs with float32 itself; what refines no box has no output for it."""
    if to == "onnx":
        pytest.importorskip("onnxruntime", reason="the extra onnx is not installed")
    spec = replace(SPECS[architecture], channels=(16,), search_size=191)
    differences = write_graphs(SiamRPN(spec).eval(), TrackerParams(), tmp_path / "pair", to)
    about = json.loads((tmp_path / "pair" / "model.json").read_text())
    assert about["kernels"] == kernels and about["differences"] == differences
    assert differences.keys() == {"template", "search"}
    assert about["spec"]["correlation"] == SPECS[architecture].correlation


def test_an_untrained_architecture_is_exported(siamtrack, tmp_path):
    done = siamtrack("export", "--to", "torch", "--architecture", "siamfc-alexnet", "-o", "pair")
    assert done.code == 0, done.err
    about = json.loads((tmp_path / "pair" / "model.json").read_text())
    assert about["spec"]["name"] == "siamfc-alexnet" and about["kernels"] == ["cls_kernel_5"]


def test_export_replaces_nothing(siamtrack, weights, tmp_path):
    (tmp_path / "pair").mkdir()
    done = siamtrack("export", "--to", "torch", "--weights", weights, "-o", "pair")
    assert done.code == 8 and "pair exists" in done.err


@pytest.mark.parametrize("arguments", [["--to", "int8"], ["--to", "torch", "--calibrate", "x.mp4"]])
def test_calibration_belongs_to_int8(siamtrack, weights, arguments):
    done = siamtrack("export", *arguments, "--weights", weights)
    assert done.code == 2 and "--calibrate" in done.err


def test_int8_goes_to_the_cache(siamtrack, weights):
    done = siamtrack("export", "--to", "int8", "--calibrate", "x.mp4", "--weights", weights, "-o", "foo")
    assert done.code == 2 and "leave out -o" in done.err
