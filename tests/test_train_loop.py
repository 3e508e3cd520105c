"""The loop: learns, stops and goes on exactly, and leaves good files behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from conftest import wait_until
from programs import started
from training_set import make_config

from siamcli.atomic import lock
from siamcli.boxes import Box, iou
from siamcli.checkpoints.header import sha256_of
from siamcli.checkpoints.native import read_native, write_native
from siamcli.errors import InputError, OutputError, WeightsError
from siamcli.frames import Frame
from siamcli.load import build_model, load_tracker
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.train.average import Average
from siamcli.train.config import load_config
from siamcli.train.data import load_footage
from siamcli.train.log import add_step, begin_log
from siamcli.train.loop import Step, train
from siamcli.train.prepare import CHECKPOINT, prepare
from siamcli.train.resume import TrainingState, read_progress

TEACHER = Path(__file__).parents[2] / "shared" / "data" / "teacher"
CPU = torch.device("cpu")


def run(config: Path, *, stop_after: int | None = None, resume: bool = False) -> list[Step]:
    wanted = load_config(str(config))
    ready = prepare(wanted, resume=resume)
    Path(wanted.output).mkdir(exist_ok=True)
    steps = train(ready, load_footage(wanted.data), CPU)
    taken = []
    for step in steps:
        taken.append(step)
        if len(taken) == stop_after:
            steps.close()
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
    moved = read_native(tmp_path / "whole" / "out" / "siamrpnpp-r10.safetensors").weights
    assert all(v.isfinite().all() for v in moved.values())


def test_the_average_is_written_and_resumed(tmp_path: Path) -> None:
    """Against the formula, over the states after each step; the run itself goes on from the last state."""
    states = []
    for steps in (1, 2, 3):
        (tmp_path / str(steps)).mkdir()
        config = make_config(tmp_path / str(steps), steps=3, more="average = 0.25\nfrozen = 1.0")
        config.write_text(config.read_text().replace("[[data]]", 'export = "float32"\n[[data]]'))
        run(config, stop_after=steps)
        states.append({n.removeprefix("model."): t for n, t in tensors(tmp_path / str(steps)).items()})
    run(tmp_path / "1" / "tiny.toml", resume=True)
    whole, resumed = (
        read_native(tmp_path / n / "out" / "siamrpnpp-r10.safetensors").weights for n in ("3", "1")
    )
    torch.manual_seed(0)  # as the runs began
    start = SiamRPN(SPECS["siamrpnpp-r10"]).state_dict()
    mean = {name: value for name, value in start.items() if value.is_floating_point()}
    for step, state in enumerate(states, start=1):
        keep = min(0.25, step / (step + 9))
        mean = {name: value * keep + state[name] * (1 - keep) for name, value in mean.items()}
    assert {n for n, value in mean.items() if not torch.allclose(whole[n], value, atol=1e-6)} == set()
    assert all(torch.equal(whole[name], resumed[name]) for name in mean)
    assert any(not torch.allclose(whole[name], states[-1][name], atol=1e-4) for name in mean)


def test_an_average_goes_on_where_its_module_lies() -> None:
    module = torch.nn.Linear(1, 1, device="meta")
    mean = Average(module, 0.5, {"weight": torch.ones(1, 1)}).mean()  # a checkpoint is read to the CPU
    assert {value.device.type for value in mean.values()} == {"meta"}


def test_no_steps_give_the_untrained_weights(tmp_path: Path) -> None:
    assert run(make_config(tmp_path, steps=0)) == []
    torch.manual_seed(0)  # as the run began
    untrained = SiamRPN(SPECS["siamrpnpp-r10"]).state_dict()
    written = tensors(tmp_path)
    assert all(torch.equal(written[f"model.{name}"], value) for name, value in untrained.items())
    assert read_native(tmp_path / "out" / "siamrpnpp-r10.safetensors").name == "siamrpnpp-r10"


def test_resting_parts_stay_as_they_were(tmp_path: Path) -> None:
    more = 'frozen = 0.0\nbackbone_rate = 1.0\nwarmup = 0.0\nresting = ["conv1", "layer1.0"]'
    run(make_config(tmp_path, steps=1, more=more))
    torch.manual_seed(0)  # as the run began
    before = SiamRPN(SPECS["siamrpnpp-r10"]).state_dict()
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
    whole = run(make_config(tmp_path / "whole", steps=1, more=more, model="siamrpnpp-r18"))
    assert [s.phase for s in whole] == ["distill"] * 4 + ["track"]
    assert "layer3.1" in whole[0].losses  # block by block
    assert "stage3" in whole[3].losses  # end to end
    config = make_config(tmp_path / "parts", steps=1, more=more, model="siamrpnpp-r18")
    parts = run(config, stop_after=3) + run(config, resume=True)
    assert [s.losses for s in parts] == [s.losses for s in whole]


def distilled(folder: Path, teacher: str) -> list[Step]:
    phase = "[distill.phase]\nsteps = 12\nbatch = 4\noptimizer = 'adamw'\nrate = 4e-3"
    return run(make_config(folder, steps=0, more=f'[distill]\nteacher = "{teacher}"\nsizes = [64]\n{phase}'))


def test_a_tracker_teaches_a_smaller_one(tmp_path: Path) -> None:
    totals = [s.losses["total"] for s in distilled(tmp_path, "siamrpnpp-r18")]
    assert totals[-1] < 0.5 * totals[0]


def test_a_teacher_that_is_none_is_named(tmp_path: Path, weights: Path) -> None:
    with pytest.raises(WeightsError, match="nowhere"):
        distilled(tmp_path / "a", "nowhere")
    checkpoint = replace(read_native(weights), spec=(spec := SPECS["siamrpnpp-alexnet"]))
    write_native(replace(checkpoint, weights=SiamRPN(spec).state_dict()), tmp_path / "alex.safetensors")
    with pytest.raises(InputError, match=r"distill\.teacher: untrained has no ResNet"):
        distilled(tmp_path / "b", str(tmp_path / "alex.safetensors"))


def test_loss_falls_within_seconds(tmp_path: Path) -> None:
    steps = run(make_config(tmp_path, steps=8, more="warmup = 0.0\nfrozen = 0.0\nbackbone_rate = 1.0"))
    totals = [s.losses["total"] for s in steps]
    assert sum(totals[-2:]) < 0.8 * sum(totals[:2])


def test_weights_load_and_name_their_origin(tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    run(config)
    path = tmp_path / "out" / "siamrpnpp-r10.safetensors"
    checkpoint = read_native(path)
    assert checkpoint.provenance["pairs"] == 2
    assert 'model = "siamrpnpp-r10"' in checkpoint.provenance["config"]
    assert load_tracker(path).model == "siamrpnpp-r10"
    assert not build_model(checkpoint).training


def test_shipped_weights_track(tmp_path: Path) -> None:
    """A shape among noise, moving and growing, through the tracker that everybody gets."""
    tracker = load_tracker("siamrpnpp-r18", device="cpu")
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


def test_two_trainings_do_not_write_into_one_folder(siamtrack, tmp_path: Path) -> None:
    """Each overwrote the other's checkpoint, and the log had the steps of both."""
    config = make_config(tmp_path, steps=1)
    output = tmp_path / "out"
    output.mkdir()
    held = os.open(output, os.O_RDONLY)
    try:
        assert lock(held)
        done = siamtrack("train", config, "--device", "cpu")
    finally:
        os.close(held)
    assert done.code == 8 and f"another training writes into {output}" in done.err
    assert not list(output.iterdir())


def command(config: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "siamcli", "train", str(config), "--device", "cpu", *more]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_keeps_a_checkpoint(siamtrack, tmp_path: Path, monkeypatch, number: int) -> None:
    """The signal comes while the second step is logged."""
    config = make_config(tmp_path, steps=1000)
    log = tmp_path / "out" / "log.csv"

    def add_and_stop(path: Path, step: Step) -> None:
        add_step(path, step)
        if step.step == 2:
            os.kill(os.getpid(), number)

    monkeypatch.setattr("siamcli.train.log.add_step", add_and_stop)
    stopped = siamtrack("train", config, "--device", "cpu")
    assert stopped.code == 128 + number, stopped.err
    assert "--resume" in stopped.err
    done = read_progress(tmp_path / "out" / CHECKPOINT)
    lines = log.read_text().splitlines()
    assert lines[0] == "phase,step,pairs,rate,seconds,data_seconds,losses"
    assert done.step == len(lines) - 1 >= 1
    assert load_tracker(tmp_path / "out" / "siamrpnpp-r10.safetensors")


def logged(path: Path) -> list[list[str]]:
    """Phase and step of every line, the header's names first."""
    return [line.split(",")[:2] for line in path.read_text().splitlines()]


def test_no_checkpoint_is_ahead_of_the_log(tmp_path: Path) -> None:
    config = load_config(str(make_config(tmp_path, steps=2, save_every=1)))
    (tmp_path / "out").mkdir()
    steps = train(prepare(config), load_footage(config.data), CPU)
    next(steps)
    assert not (tmp_path / "out" / CHECKPOINT).exists()  # its line is not yet written
    next(steps)
    assert read_progress(tmp_path / "out" / CHECKPOINT).step == 1


def test_a_killed_run_leaves_no_step_in_the_log_twice(siamtrack, tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1000, save_every=2)
    log, checkpoint = tmp_path / "out" / "log.csv", tmp_path / "out" / CHECKPOINT
    with started(command(config), stderr=subprocess.PIPE, text=True) as process:
        wait_until(checkpoint.exists, process)
        process.kill()
        process.communicate()
    last = read_progress(checkpoint).step + 2
    with log.open("a") as file:
        file.write(f"track,{last},4,0.001,1.0,0.5,total=1.0\ntrack,1")  # as if it had been killed later
    config.write_text(config.read_text().replace("steps = 1000", f"steps = {last}"))
    assert siamtrack("train", config, "--device", "cpu", "--resume").code == 0
    assert logged(log) == [["phase", "step"], *(["track", str(n)] for n in range(1, last + 1))]
    checkpoint.unlink()
    config.write_text(config.read_text().replace(f"steps = {last}", "steps = 1"))
    assert siamtrack("train", config, "--device", "cpu").code == 0
    assert logged(log) == [["phase", "step"], ["track", "1"]]
    again = siamtrack("train", config, "--device", "cpu", "--resume")
    assert again.code == 0 and "nothing to do: 1 step is done, the config names 1" in again.err
    assert {p.name for p in log.parent.iterdir()} == {"log.csv", CHECKPOINT, "siamrpnpp-r10.safetensors"}


@pytest.mark.parametrize(("phase", "step", "left"), [("distill", 1, 1), ("distill", 2, 2), ("track", 1, 4)])
def test_the_log_is_cut_in_its_phase(tmp_path: Path, phase: str, step: int, left: int) -> None:
    log = tmp_path / "log.csv"
    steps = [*(("distill", n) for n in (1, 2, 3)), *(("track", n) for n in (1, 2))]
    begin_log(log, None)
    for name, number in steps:
        add_step(log, Step(name, number, 9, 2 * number, 1e-3, 1.0, 0.5, {"total": 0.1, "cls": 0.2}))
    before = log.read_text()
    assert before.splitlines()[-1] == "track,2,4,0.001,1.0000,0.5000,total=0.1000 cls=0.2000"
    begin_log(log, TrainingState(phase, step, 0, "", {}, {}, []))
    assert log.read_text() == "".join(before.splitlines(keepends=True)[: 1 + left])


def test_a_full_disk_keeps_the_log(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    log = tmp_path / "log.csv"
    begin_log(log, None)
    add_step(log, Step("track", 1, 9, 2, 1e-3, 1.0, 0.5, {"total": 0.1}))
    kept = log.read_text()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20, hard))
    try:
        with pytest.raises(OutputError, match=r"cannot write .*log\.csv"):
            begin_log(log, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [p.read_text() for p in tmp_path.iterdir()] == [kept]


@pytest.fixture
def said_on_a_full_disk(siamtrack):
    """A file size limit stands in for the full disk: the write fails in the same place."""
    resource = pytest.importorskip("resource")  # Windows has no limits on file sizes

    def run_limited(config: Path, *more: str) -> str:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, hard))
        try:
            done = siamtrack("train", config, "--device", "cpu", *more)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert done.code == 8, done.err
        assert "enforce" not in done.err
        return done.err

    return run_limited


def test_full_disk_keeps_the_previous_checkpoint(said_on_a_full_disk, tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=2, save_every=1)
    run(config, stop_after=1)
    before = (tmp_path / "out" / CHECKPOINT).read_bytes()
    said = said_on_a_full_disk(config, "--resume")
    assert "checkpoint.pt" in said
    assert "the checkpoint from before is untouched" in said
    assert (tmp_path / "out" / CHECKPOINT).read_bytes() == before
    assert not list((tmp_path / "out").glob("*.part"))


def test_print_config_and_refusals(siamtrack, tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    shown = siamtrack("train", config, "--print-config")
    assert shown.code == 0
    assert "search_shift = 64.0" in shown.out
    config.write_text(config.read_text() + "\nstepz = 3")
    wrong = siamtrack("train", config)
    assert wrong.code == 3
    assert "stepz (known: " in wrong.err


def test_fine_tuning_starts_from_weights_that_fit(siamtrack, tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1, more="frozen = 1.0")
    run(config)
    first = tmp_path / "first.safetensors"
    (tmp_path / "out" / "siamrpnpp-r10.safetensors").rename(first)
    (tmp_path / "out" / CHECKPOINT).unlink()
    base = replace(read_native(first), params=TrackerParams(penalty_k=0.11), license="CC0-1.0", name="first")
    write_native(base, first)
    done = siamtrack("train", config, "--device", "cpu", "--from", first)
    assert done.code == 0, done.err
    assert "track: 1 of 1 steps, total" in done.err
    config.write_text(config.read_text().replace("steps = 1", "steps = 2"))
    run(config, resume=True)
    tuned = read_native(tmp_path / "out" / "siamrpnpp-r10.safetensors")
    assert (tuned.params.penalty_k, tuned.license) == (0.11, "CC0-1.0")
    assert tuned.provenance["base"] == {"name": "first", "sha256": sha256_of(first)}
    assert tuned.provenance["pairs"] == 4
    before, after = (
        read_native(first).weights,
        read_native(tmp_path / "out" / "siamrpnpp-r10.safetensors").weights,
    )
    assert torch.equal(before["backbone.conv1.weight"], after["backbone.conv1.weight"])  # it rests
    assert not torch.equal(before["cls.branches.0.kernel.0.weight"], after["cls.branches.0.kernel.0.weight"])
    config.write_text(config.read_text().replace("siamrpnpp-r10", "siamrpn_alex_dwxcorr"))
    wrong = siamtrack("train", config, "--device", "cpu", "--from", first)
    assert wrong.code == 4
    assert "is not a siamrpn_alex_dwxcorr" in wrong.err


@pytest.mark.parametrize("rate", ["1e4", "1e6"])
def test_a_diverged_run_ends_and_keeps_what_was_good(tmp_path: Path, rate: str) -> None:
    config = make_config(tmp_path, steps=1, save_every=1)
    run(config)
    kept = {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()}
    config.write_text(
        config.read_text().replace("1e-3", rate).replace("steps = 1", "steps = 30").replace("adamw", "sgd")
    )
    with pytest.raises(InputError, match=r"track\.optimizer was 'adamw' and is now 'sgd'"):
        run(config, resume=True)
    config.write_text(config.read_text().replace("sgd", "adamw").replace("save_every = 1", "save_every = 90"))
    with pytest.raises(InputError, match=r"track step \d+: .*diverged") as caught:
        run(config, resume=True)
    assert "lower track.rate" in str(caught.value.hint)
    assert "--resume" in str(caught.value.hint)
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == kept


@pytest.mark.parametrize(
    ("old", "new", "key"),
    [
        ("siamrpnpp-r10", "siamrpnpp-alexnet", "model"),
        ("batch = 2", "batch = 3", "track.batch"),
        ("save_every", "seed = 1\nsave_every", "seed"),
        ("float32", "bf16", "precision"),
        ("[track]", "[pairs]\nmirror = 0.1\n[track]", "pairs.mirror"),
        ("[track]", "[loss]\nbeta = 0.1\n[track]", "loss.beta"),
    ],
)
def test_resume_refuses_another_run(tmp_path: Path, old: str, new: str, key: str) -> None:
    config = make_config(tmp_path, steps=0)
    run(config)
    config.write_text(config.read_text().replace(old, new))
    with pytest.raises(InputError, match=f"--resume: {key} was"):
        prepare(load_config(str(config)), resume=True)


@pytest.mark.parametrize("data", [b"", b"\x80\x02garbage", b"hello there", b"\x00" * 99, b"PK\x03\x04"])
def test_garbage_is_no_checkpoint(tmp_path: Path, data: bytes) -> None:
    (tmp_path / CHECKPOINT).write_bytes(data)
    with pytest.raises(InputError, match="no training checkpoint"):
        read_progress(tmp_path / CHECKPOINT)
    torch.save({"phase": "track"}, tmp_path / CHECKPOINT)
    with pytest.raises(InputError, match="no training checkpoint"):
        read_progress(tmp_path / CHECKPOINT)


def test_failed_starts_say_so_first_and_leave_no_folder(siamtrack, tmp_path: Path, weights: Path) -> None:
    config = make_config(tmp_path, steps=1, more='resting = ["layer9"]')
    deep = config.read_text().replace(str(tmp_path / "out"), str(tmp_path / "a" / "b"))
    config.write_text(deep)
    for more, said in (((), "layer9"), (("--resume",), "layer9")):
        done = siamtrack("train", config, "--device", "cpu", *more)
        assert (done.code, said in done.err) == (3, True)
        assert "reading the training data" not in done.err
    config.write_text(deep.replace('resting = ["layer9"]', ""))
    done = siamtrack("train", config, "--device", "cpu", "--resume")
    assert (done.code, "cannot read" in done.err) == (3, True)
    assert "reading the training data" not in done.err
    assert siamtrack("train", config, "--resume", "--from", weights).code == 2
    for image in (tmp_path / "data").rglob("*.png"):
        image.write_bytes(b"damaged")
    done = siamtrack("train", config, "--device", "cpu")
    assert (done.code, "WARN" in done.err) == (5, False)
    assert not (tmp_path / "a").exists()


def test_a_full_disk_at_first_promises_no_checkpoint(said_on_a_full_disk, tmp_path: Path) -> None:
    config = make_config(tmp_path, steps=1)
    said = said_on_a_full_disk(config)
    assert "untouched" not in said
    assert "Traceback" not in said
