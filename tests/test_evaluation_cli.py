"""`siamtrack eval`, `score`, `report` and `tune` as a user meets them."""

from __future__ import annotations

import json
import shutil
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

import siamcli.load
from siamcli.checkpoints.params import read_params
from siamcli.cli.commands.eval import load_once
from siamcli.model.spec import TrackerParams

COUNT = 3


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two sequences in TrackingNet's layout and as a plain folder."""
    rng = np.random.default_rng(0)
    for name in ("x_0", "y_0"):
        folder = tmp_path / "data" / "TEST" / "frames" / name
        folder.mkdir(parents=True)
        for i in range(COUNT):
            cv2.imwrite(str(folder / f"{i}.jpg"), rng.integers(0, 255, (96, 128, 3), np.uint8))
        anno = tmp_path / "data" / "TEST" / "anno" / f"{name}.txt"
        anno.parent.mkdir(exist_ok=True)
        anno.write_text("40,30,24,20\n")
        (tmp_path / "plain" / name).mkdir(parents=True)
        (tmp_path / "plain" / name / "img").symlink_to(folder)
        (tmp_path / "plain" / name / "groundtruth.txt").write_text("40,30,24,20\n" * COUNT)
    return tmp_path / "data"


def test_eval_scores_and_resumes(siamtrack, weights, data, tmp_path):
    args = ("eval", "folder", "--root", tmp_path / "plain", "--weights", weights, "--device", "cpu")
    done = siamtrack(*args, "--format", "json")
    assert done.code == 0, done.err
    (table,) = json.loads(done.out)
    assert table["rows"][0]["tracker"] == "untrained"
    assert 0 < table["rows"][0]["success AUC"] <= 20 / 21
    again = siamtrack(*args)
    assert "2 of 2 sequences were finished before" in again.err
    other = tmp_path / "other.toml"
    other.write_text("lr = 0.1\n")
    changed = siamtrack(*args, "--params", other, "--sequence", "x_0")
    assert "finished before" not in changed.err
    here, said = "results/folder/untrained", "holds results of another tracker (lr 0.38)"
    assert f"{here} {said}: 1 replaced, 1 kept;" in " ".join(changed.err.split())
    assert "1 replaced;" in siamtrack(*args, "--params", other).err
    assert "another tracker" not in siamtrack(*args, "--params", other).err
    report = siamtrack("report", "results", "--per", "sequence", "--format", "csv")
    assert [line.split(",")[1] for line in report.out.splitlines()] == ["name", "x_0", "y_0"]


def test_eval_from_several_starts(siamtrack, weights, data, tmp_path):
    """Every start is a run of its own, the note says so; benchmarks with restarts of their own refuse."""
    args = ("--root", tmp_path / "plain", "--weights", weights, "--device", "cpu", "--starts", 2)
    done = siamtrack("eval", "folder", *args)
    assert done.code == 0 and "4 runs from up to 2 starts a sequence" in done.out, done.err
    report = siamtrack("report", "results", "--per", "sequence", "--format", "csv")
    names = [line.split(",")[1] for line in report.out.splitlines()[1:]]
    assert names == ["x_0@0", "x_0@1", "y_0@0", "y_0@1"]
    refused = siamtrack("eval", "trackingnet", "--root", data, "--partial", "--starts", 2)
    assert refused.code == 2 and "one-pass" in refused.err


def test_eval_packs_for_the_server(siamtrack, weights, data, tmp_path):
    only = ("--sequence", "x_0", "--name", "ours", "--device", "cpu")
    done = siamtrack("eval", "trackingnet", "--root", data, "--weights", weights, *only)
    assert (done.code, done.out) == (0, "")
    archive = zipfile.ZipFile(tmp_path / "results" / "trackingnet" / "ours.zip")
    assert archive.namelist() == ["x_0.txt"]
    rows = archive.read("x_0.txt").decode().splitlines()
    assert (len(rows), rows[0]) == (COUNT, "40.00,30.00,24.00,20.00")


def test_tune_logs_trials_and_keeps_the_best(siamtrack, weights, data, tmp_path, monkeypatch):
    """The weights are loaded once: a trial is tracking alone."""
    loaded, load = [], siamcli.load.load_tracker

    def counting(*args, **more):
        loaded.append(args)
        return load(*args, **more)

    monkeypatch.setattr(siamcli.load, "load_tracker", counting)
    load_once.cache_clear()
    shutil.rmtree(tmp_path / "plain" / "y_0")
    (tmp_path / "held.toml").write_text("hold_below = 0.01\nlost_shares = [0.3, 0.8]\n")
    done = siamtrack("tune", "folder", "--root", tmp_path / "plain", "--weights", weights, "--trials", 1,
                     "--device", "cpu", "--params", tmp_path / "held.toml")  # fmt: skip
    assert done.code == 0, done.err
    trials = [json.loads(line) for line in (tmp_path / "tuning" / "trials.jsonl").read_text().splitlines()]
    assert [trial["trial"] for trial in trials] == [0, 1] and len(loaded) == 1
    assert trials[0]["params"] == {}
    best = max(trials, key=lambda trial: trial["auc"])
    params = read_params(tmp_path / "tuning" / "best.toml", TrackerParams())
    assert all(getattr(params, name) == value for name, value in best["params"].items())
    assert f"lr = {params.lr}" in done.out
    assert (params.hold_below, params.lost_shares) == (0.01, (0.3, 0.8))
    names = ["hold_below", "lost_shares", "penalty_k", "window_influence", "lr"]
    assert [line.split()[0] for line in done.out.splitlines()] == names  # not a calibration of these weights


def test_errors_say_what_to_do(siamtrack, weights, data, tmp_path):
    wrong = siamtrack("eval", "otb2015", "--root", data, "--weights", weights)
    assert wrong.code == 5
    assert f"no sequence of the data set OTB-2015 in {data}: no annotation of Basketball" in wrong.err
    assert "for example: Basketball/groundtruth_rect.txt, Basketball/img" in wrong.err
    for command in (("eval", "folder", "--root", "no"), ("bench", "--precision", "no")):
        done = siamtrack(*command, "--weights", weights, "--device", "cpu")
        assert (done.code, "--root" in done.err) == (5, False)
        assert "no such folder: no" in done.err
        assert "expected below it: NAME/groundtruth.txt, NAME/img; or NAME.txt, NAME.mp4" in done.err
    unknown = siamtrack("score", "coco", "r", "--root", data)
    assert "known: otb2015" in unknown.err
    empty = siamtrack("report", tmp_path / "plain")
    assert empty.code == 3
    assert "siamtrack eval" in empty.err
    hidden = siamtrack("score", "trackingnet", "r", "--root", data, "--partial")
    assert "only the TrackingNet evaluation server can score it" in hidden.err


def test_trackers_in_folders_of_one_name_are_told_apart(siamtrack, data, tmp_path):
    """Each has its own line, and its own scores.json."""
    for tracker, x in (("good", 40), ("bad", 400)):
        (tmp_path / tracker / "results").mkdir(parents=True)
        for name in ("x_0", "y_0"):
            rows = f"{x},30,24,20\n" * COUNT
            (tmp_path / tracker / "results" / f"{name}.txt").write_text(rows)
    folders = (tmp_path / "good" / "results", tmp_path / "bad" / "results", tmp_path / "bad" / "results")
    done = siamtrack(
        "score", "folder", *folders, "--root", tmp_path / "plain", "-o", "out", "--format", "json"
    )
    (table,) = json.loads(done.out)
    assert [row["tracker"] for row in table["rows"]] == ["good/results", "bad/results"]
    report = json.loads(siamtrack("report", "out", "--format", "json").out)
    assert report == [table]
    again = siamtrack("report", "out", "out/folder/good", tmp_path / "out", "--format", "json")
    assert json.loads(again.out) == [table]  # a folder named twice counts once
    alone = siamtrack("score", "folder", folders[0], "--root", tmp_path / "plain", "--format", "json")
    assert json.loads(alone.out)[0]["rows"][0]["tracker"] == "results"


def test_frames_without_a_target_are_said_to_count(siamtrack, data, tmp_path):
    (tmp_path / "plain" / "x_0" / "groundtruth.txt").write_text("40,30,24,20\nNaN,NaN,NaN,NaN\n0,0,0,0\n")
    (tmp_path / "ours").mkdir()
    for name in ("x_0", "y_0"):
        (tmp_path / "ours" / f"{name}.txt").write_text("40,30,24,20\n" * COUNT)
    done = siamtrack("score", "folder", tmp_path / "ours", "--root", tmp_path / "plain", "--format", "json")
    assert "2 of 6 frames have no target: counted as missed" in done.err
    assert json.loads(done.out)[0]["rows"][0]["success AUC"] == pytest.approx(20 / 21 * 4 / 6)


def test_report_reads_nothing_but_scores(siamtrack, tmp_path):
    (tmp_path / "scores.json").write_text('{"a": 1}')
    done = siamtrack("report", tmp_path)
    assert done.code == 5
    assert "is not a score file" in done.err


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a/", "../other", "/tmp/other"])
def test_results_stay_in_the_folder_of_their_data_set(siamtrack, weights, data, tmp_path, name):
    done = siamtrack("eval", "folder", "--root", tmp_path / "plain", "--weights", weights, "--name", name)
    assert (done.code, "a plain name" in done.err) == (2, True)
    assert not (tmp_path / "results").exists()
