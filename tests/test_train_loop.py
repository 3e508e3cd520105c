"""The loop: learns, stops and goes on exactly, and leaves good files behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from training_set import make_config

from siamcli.boxes import Box, iou
from siamcli.checkpoints.native import read_native
from siamcli.errors import InputError
from siamcli.frames import Frame
from siamcli.load import build_model, load_tracker
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS
from siamcli.train.config import load_config
from siamcli.train.data import load_footage
from siamcli.train.loop import CHECKPOINT, Step, train
from siamcli.train.resume import read_progress

TEACHER = Path(__file__).parents[2] / "shared" / "data" / "teacher"
CPU = torch.device("cpu")


def run(config: Path, *, stop_after: int | None = None, resume: bool = False) -> list[Step]:
    wanted = load_config(str(config))
    Path(wanted.output).mkdir(exist_ok=True)
    steps = train(wanted, load_footage(wanted.data), CPU, resume=resume)
    taken = []
    for step in steps:
        taken.append(step)
        if len(taken) == stop_after:
            steps.close()  # type: ignore[attr-defined]
            break
    return taken


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return read_progress(folder / "out" / CHECKPOINT).module


@pytest.mark.parametrize("stop_after", [1, 3])
def test_resumed_equals_uninterrupted(tmp_path: Path, stop_after: int) -> None:
    """Frozen at first, so that a stop after the second step falls into the other part."""
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    more = "frozen = 0.5\nfixed_norm = false"
    whole = run(make_config(tmp_path / "whole", steps=4, more=more))
    config = make_config(tmp_path / "parts", steps=4, more=more)
    parts = run(config, stop_after=stop_after) + run(config, resume=True)
    assert [s.losses for s in parts] == [s.losses for s in whole]
    ours, theirs = tensors(tmp_path / "parts"), tensors(tmp_path / "whole")
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
    moved = read_native(tmp_path / "whole" / "out" / "siamrpnpp-r18.safetensors").weights
    assert all(v.isfinite().all() for v in moved.values())


def test_no_steps_give_the_untrained_weights(tmp_path: Path) -> None:
    assert run(make_config(tmp_path, steps=0)) == []
    torch.manual_seed(0)  # as the run began
    untrained = SiamRPN(SPECS["siamrpnpp-r18"]).state_dict()
    written = tensors(tmp_path)
    assert all(torch.equal(written[f"model.{name}"], value) for name, value in untrained.items())
    assert read_native(tmp_path / "out" / "siamrpnpp-r18.safetensors").name == "siamrpnpp-r18"


def test_resting_parts_stay_as_they_were(tmp_path: Path) -> None:
    more = 'frozen = 0.0\nbackbone_rate = 1.0\nwarmup = 0.0\nresting = ["conv1", "layer1.0"]'
    run(make_config(tmp_path, steps=1, more=more))
    torch.manual_seed(0)  # as the run began
    before = SiamRPN(SPECS["siamrpnpp-r18"]).state_dict()
    after = tensors(tmp_path)
    still = {name for name in before if torch.equal(before[name], after[f"model.{name}"])}
    convs = {name for name in before if name.startswith("backbone.") and before[name].ndim == 4}
    resting = {name for name in convs if name.startswith(("backbone.conv1.", "backbone.layer1.0."))}
    assert convs & still == resting


def test_an_unknown_resting_part_is_named(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1, more='resting = ["layer9"]')
    with pytest.raises(InputError, match="layer9"):
        run(config)


@pytest.mark.skipif(not TEACHER.is_dir(), reason="the teacher's arrays are not here")
def test_distillation_comes_first_and_resumes(tmp_path: Path) -> None:
    for name in ("whole", "parts"):
        (tmp_path / name).mkdir()
    more = (
        f'[distill]\nteacher = "{TEACHER}"\nsizes = [127]\n[distill.phase]\nsteps = 4\nbatch = 2\nrate = 1e-3'
    )
    whole = run(make_config(tmp_path / "whole", steps=1, more=more))
    assert [s.phase for s in whole] == ["distill"] * 4 + ["track"]
    assert "layer3.1" in whole[0].losses  # block by block
    assert "stage3" in whole[3].losses  # end to end
    config = make_config(tmp_path / "parts", steps=1, more=more)
    parts = run(config, stop_after=3) + run(config, resume=True)
    assert [s.losses for s in parts] == [s.losses for s in whole]


def test_loss_falls_within_seconds(tmp_path: Path) -> None:
    steps = run(make_config(tmp_path, steps=15, more="warmup = 0.0\nfrozen = 0.0\nbackbone_rate = 1.0"))
    totals = [s.losses["total"] for s in steps]
    assert sum(totals[-4:]) < 0.8 * sum(totals[:4])


def test_weights_load_and_name_their_origin(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    run(config)
    path = tmp_path / "out" / "siamrpnpp-r18.safetensors"
    checkpoint = read_native(path)
    assert checkpoint.provenance["pairs"] == 2
    assert 'model = "siamrpnpp-r18"' in checkpoint.provenance["config"]
    assert load_tracker(path).model == "siamrpnpp-r18"
    assert not build_model(checkpoint).training


def test_shipped_weights_track(tmp_path: Path) -> None:
    """A shape among noise, moving and growing, through the tracker that everybody gets."""
    tracker = load_tracker("siamrpnpp-r18", device="cpu").tracker
    rng = np.random.default_rng(0)
    background = cv2.GaussianBlur(rng.integers(0, 255, (240, 320, 3), dtype=np.uint8), (0, 0), 6)
    boxes = [Box(60 + 4 * i, 70 + 2 * i, 50 + i, 40 + i) for i in range(12)]
    frames = []
    for index, box in enumerate(boxes):
        image = background.copy()
        center, half = tuple(map(round, box.center)), (round(box.w / 2), round(box.h / 2))
        cv2.ellipse(image, center, half, 0, 0, 360, (30, 40, 220), -1)
        cv2.ellipse(image, center, (half[0] // 2, half[1] // 2), 0, 0, 360, (240, 240, 240), -1)
        frames.append(Frame(index, None, image))
    state = tracker.start(frames[0], boxes[0])
    overlaps = []
    for frame, box in zip(frames[1:], boxes[1:], strict=True):
        state = tracker.step(state, frame)
        overlaps.append(iou(state.box, box))
    assert min(overlaps) > 0.4
    assert sum(overlaps) / len(overlaps) > 0.55


def test_a_second_run_does_not_overwrite_the_first(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    run(config)
    with pytest.raises(InputError, match="holds a training already"):
        run(config)
    (tmp_path / "out" / CHECKPOINT).write_bytes(b"PK nonsense")
    with pytest.raises(InputError, match="no training checkpoint"):
        run(config, resume=True)
    (tmp_path / "out" / CHECKPOINT).unlink()
    with pytest.raises(InputError, match="cannot read"):
        run(config, resume=True)


def command(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "siamcli", "train", str(config), "--device", "cpu", *more]


def test_ctrl_c_keeps_a_checkpoint(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1000)
    process = subprocess.Popen(command(config), stderr=subprocess.PIPE, text=True)
    log = tmp_path / "out" / "log.csv"
    for _ in range(600):
        if log.exists() and log.read_text().count("\n") >= 2:
            break
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130, said
    assert "--resume" in said
    done = read_progress(tmp_path / "out" / CHECKPOINT)
    assert done.step == log.read_text().count("\n") >= 2
    assert load_tracker(tmp_path / "out" / "siamrpnpp-r18.safetensors")


def test_full_disk_keeps_the_previous_checkpoint(tmp_path: Path) -> None:
    """A file size limit stands in for the full disk: the write fails in the same place."""
    config = make_config(tmp_path, steps=2, save_every=1)
    run(config, stop_after=1)
    before = (tmp_path / "out" / CHECKPOINT).read_bytes()
    limited = ["bash", "-c", 'ulimit -f 2000; exec "$@"', "-", *command(config, "--resume")]
    done = subprocess.run(limited, capture_output=True, text=True, env={**os.environ, "NO_COLOR": "1"})
    assert done.returncode == 8, done.stderr
    assert "checkpoint.pt" in done.stderr
    assert "hint:" in done.stderr
    assert (tmp_path / "out" / CHECKPOINT).read_bytes() == before
    assert not list((tmp_path / "out").glob("*.part"))


def test_print_config_and_refusals(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    shown = subprocess.run(command(config, "--print-config"), capture_output=True, text=True)
    assert shown.returncode == 0
    assert "search_shift = 64.0" in shown.stdout
    config.write_text(config.read_text() + "\nstepz = 3")
    wrong = subprocess.run(command(config), capture_output=True, text=True)
    assert wrong.returncode == 3
    assert "unknown key 'stepz'" in wrong.stderr


def test_fine_tuning_starts_from_weights_that_fit(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1, more="frozen = 1.0")
    run(config)
    first = tmp_path / "first.safetensors"
    (tmp_path / "out" / "siamrpnpp-r18.safetensors").rename(first)
    (tmp_path / "out" / CHECKPOINT).unlink()
    done = subprocess.run(command(config, "--from", str(first)), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    before, after = (
        read_native(first).weights,
        read_native(tmp_path / "out" / "siamrpnpp-r18.safetensors").weights,
    )
    assert torch.equal(before["backbone.conv1.weight"], after["backbone.conv1.weight"])  # it rests
    assert not torch.equal(before["cls.branches.0.kernel.0.weight"], after["cls.branches.0.kernel.0.weight"])
    config.write_text(config.read_text().replace("siamrpnpp-r18", "siamrpn_alex_dwxcorr"))
    wrong = subprocess.run(command(config, "--from", str(first)), capture_output=True, text=True)
    assert wrong.returncode == 4
    assert "is no siamrpn_alex_dwxcorr" in wrong.stderr
