"""`siamtrack bench` and `export` on a light untrained network, and the baseline they measure with."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from siamcli.bench.baseline import PysotBaseline
from siamcli.bench.cost import search_gflop
from siamcli.bench.pipeline import time_pipeline
from siamcli.boxes import Box
from siamcli.checkpoints.read import read_checkpoint
from siamcli.cli.commands.export import read_images
from siamcli.engines.calibrate import calibration_crops
from siamcli.engines.eager import EagerEngine
from siamcli.evaluation.sequence import Sequence
from siamcli.frames import Frame
from siamcli.load import build_model
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.model.spec import SPECS
from siamcli.tracker.tracker import Tracker

DEMO = Path(__file__).parent / "data" / "demo.mp4"


@pytest.fixture(scope="module")
def checkpoint(weights):
    return read_checkpoint(weights)


def test_baseline_tracks_as_the_reference(checkpoint):
    """PySOT's way differs in what it costs, not in what it finds."""
    model = build_model(checkpoint)
    cpu = torch.device("cpu")
    image = np.random.default_rng(0).integers(0, 255, (240, 320, 3), np.uint8)
    states = []
    for engine in (EagerEngine(model, cpu), PysotBaseline(model, cpu)):
        tracker = Tracker(engine, checkpoint.params)
        state = tracker.start(Frame(0, None, image), Box(100, 80, 60, 50))
        for shift in (3, 6):
            state = tracker.step(state, Frame(1, None, np.roll(image, shift, axis=1)))
        states.append(state)
    assert np.allclose(states[0].box, states[1].box, atol=0.01)
    assert states[0].score == pytest.approx(states[1].score, abs=1e-4)


def test_cost_of_the_networks():
    """What the literature counts for PySOT's ResNet-50, and how much its 3x3 shortcuts take of it."""
    assert search_gflop(SPECS["siamrpn_r50_l234_dwxcorr"]) == pytest.approx(97.6, rel=0.01)
    assert search_gflop(SPECS["siamrpnpp-r50"]) < 0.65 * search_gflop(SPECS["siamrpn_r50_l234_dwxcorr"])


def test_bench_measures_every_engine(siamtrack, weights):
    done = siamtrack(
        "bench", "--weights", weights, "--engine", "cpu", "--rounds", 2, "--targets", "1,2", "--json"
    )
    assert done.code == 0, done.err
    document = json.loads(done.out)
    assert [(row["targets"], row["ratio"] == 1) for row in document["steps"]] == [
        (1, True),
        (1, False),
        (2, True),
        (2, False),
    ]
    assert document["machine"]["cores"] >= 1 and document["matrix_gflops"]["float32"] > 0
    for row in document["steps"]:
        step = row["step"]
        assert 0 < step["best"] <= step["low"] <= step["median"] <= step["high"]
        assert row["crop"]["best"] < row["locate"]["best"]


def test_compare_says_what_the_parts_cost(siamtrack):
    """SiamFC: its features are almost everything, three regions per target, and PySOT has nothing like it."""
    wish = ["--architecture", "siamfc-alexnet", "--engine", "eager", "--rounds", 1]
    done = siamtrack("bench", *wish, "--json")
    assert done.code == 0, done.err
    assert "without PySOT's way: PySOT has no plain correlation" in done.err
    document = json.loads(done.out)
    assert (document["regions"], document["kernels"]) == (3, 256 * 6 * 6)
    backbone, head = document["parts"]
    assert (backbone["name"], head["name"], head["parameters"]) == ("backbone", "head", 4)
    assert backbone["gflop"] + head["gflop"] == pytest.approx(document["gflop"], abs=0.02)
    assert [row["ratio"] for row in document["steps"]] == [1]
    assert backbone["ms"] > head["ms"] > 0


def test_bench_prints_tables(siamtrack, weights):
    done = siamtrack("bench", "--weights", weights, "--engine", "eager", "--rounds", 1)
    assert done.code == 0 and "PySOT's way" in done.out and "eager (cpu, float32)" in done.out
    neck = next(line for line in done.out.splitlines() if line.startswith("neck"))
    assert neck.split()[1] == "544"  # 32 x 16, and two numbers for each output


@pytest.fixture
def short(tmp_path):
    """Eight frames."""
    path = tmp_path / "short.mp4"
    subprocess.run([ffmpeg_exe(), "-v", "error", "-i", DEMO, "-frames:v", "8", path], check=True)
    return path


def test_bench_pipeline_times_every_stage(siamtrack, weights, short):
    done = siamtrack("bench", "--pipeline", short, "--weights", weights, "--json")
    assert done.code == 0, done.err
    found = json.loads(done.out)["pipeline"]
    assert found["frames"] == 8
    stages = ["decode", "crop and update", "network", "post-processing", "draw", "encode"]
    assert list(found["stages"]) == stages and min(found["stages"].values()) > 0
    assert found["slowest"] <= sum(found["stages"].values()) and found["end_to_end"] > 0


def test_post_processing_on_another_device_counts_as_network(checkpoint, short):
    """What another device does in one go is not taken apart by the CPU's clock."""
    here = EagerEngine(build_model(checkpoint), torch.device("cpu"))
    there = SimpleNamespace(
        kind="there",
        precision="float32",
        device=torch.device("meta"),
        spec=here.spec,
        embed=here.embed,
        locate=here.locate,
    )
    stages = time_pipeline(Tracker(there, checkpoint.params), str(short)).stages
    assert stages["post-processing"] == 0 < stages["network"]


def test_bench_precision_compares_boxes_with_float32(siamtrack, weights, short, tmp_path):
    """Both engines follow the same frames, and the verdict is that of its parts."""
    folder = tmp_path / "set"
    folder.mkdir()
    short.rename(folder / "demo.mp4")
    rows = DEMO.with_suffix(".csv").read_text().splitlines()[1:9]
    (folder / "demo.txt").write_text("\n".join(rows) + "\n")
    done = siamtrack("bench", "--precision", folder, "--weights", weights, "--engine", "cpu", "--json")
    assert done.code == 0, done.err
    (found,) = json.loads(done.out)["precision"]
    assert found["sequences"] == 1 and found["runs"] == 4 and found["frames"] == 8 + 6 + 4 + 2
    assert found["auc"] - found["reference_auc"] == pytest.approx(found["auc_difference"], abs=1e-3)
    assert found["reference_auc"] > 0 and 0 <= found["differs"] <= 1
    whole = next(part for part in found["parts"] if part["start"] == 0)
    args = ("eval", "folder", "--root", folder, "--weights", weights, "--engine", "eager", "--format", "json")
    (table,) = json.loads(siamtrack(*args).out)
    assert whole["reference_auc"] == pytest.approx(table["rows"][0]["success AUC"])


def test_starts_have_a_target():
    """Four places, moved on to where something is visible; none where nothing comes any more."""
    truth = np.full((40, 4), 20.0)
    truth[10:13] = np.nan
    truth[20, 2] = 0
    assert Sequence("x", truth).starts(4) == [0, 13, 21, 30]
    truth[25:] = np.nan
    assert Sequence("x", truth).starts(4) == [0, 13, 21]


@pytest.mark.parametrize(
    ("arguments", "code", "hint"),
    [
        (["--targets", "1,x"], 2, "--targets"),
        (["--targets", "0"], 2, "takes numbers from 1 to"),
        (["--precision", "x", "--pipeline", "x.mp4"], 2, "choose one of"),
        (["--architecture", "nonsense"], 4, "siamrpnpp-r18"),
        (["--device", "cuda:99"], 6, "cpu"),
        (["--architecture", "siamrpnpp-r18", "--engine", "nonsense"], 6, "eager"),
    ],
)
def test_bench_refuses_wrong_options(siamtrack, arguments, code, hint):
    done = siamtrack("bench", *arguments)
    assert (done.code, done.out) == (code, "") and hint in done.err


def test_calibration_crops_are_real_and_varied(checkpoint):
    crops = calibration_crops(read_images([str(DEMO)], 6), checkpoint.spec, checkpoint.params, count=6)
    assert [(a.shape, b.shape) for a, b in crops] == [((127, 127, 3), (255, 255, 3))] * 6
    assert len({a.tobytes() for a, _ in crops}) == 6 and min(b.std() for _, b in crops) > 5
