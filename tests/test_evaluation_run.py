"""Running: protocols, resuming, parallel processes, and the commands around them."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from siamcli.boxes import Box
from siamcli.cli.app import app
from siamcli.errors import DatasetError, DeviceError, OutputError
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.datasets import open_dataset
from siamcli.evaluation.evaluate import evaluate, unlogged_sequences, worker_pool
from siamcli.evaluation.log import SequenceResult
from siamcli.evaluation.protocols import read_frames, repeat_supervised, run_once
from siamcli.evaluation.scoring import read_scores, score_results
from siamcli.evaluation.search import SearchSpace, grid_points, random_points
from siamcli.evaluation.sequence import Dataset, Sequence
from siamcli.frames import Frame
from siamcli.media.sources import open_source

COUNT = 12


@dataclass(frozen=True)
class Answer:
    box: Box
    score: float = 0.9


@dataclass(frozen=True)
class Drift:
    """Knows that targets move one pixel a frame to the right, and errs by `shift` pixels more."""

    shift: float = 0.0

    def __call__(self) -> Drift:
        return self

    def start(self, frame: Frame, box: Box) -> Answer:
        return Answer(box)

    def step(self, state: Answer, frame: Frame) -> Answer:
        return Answer(state.box._replace(x=state.box.x + 1 + self.shift))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two sequences of a box that moves one pixel a frame."""
    for name in ("a", "b"):
        folder = tmp_path / "data" / name / "img"
        folder.mkdir(parents=True)
        for i in range(COUNT):
            cv2.imwrite(str(folder / f"{i + 1:04d}.jpg"), np.full((60, 80, 3), 40 + i, np.uint8))
        rows = "".join(f"{10 + i},20,16,12\n" for i in range(COUNT))
        (folder.parent / "groundtruth.txt").write_text(rows)
    return tmp_path / "data"


def run(
    root: Path, out: Path, tracker: Drift, jobs: int = 1, **facts
) -> tuple[list[SequenceResult], dict[str, float]]:
    dataset = open_dataset(find_spec("folder"), root)
    with worker_pool(jobs) as pool:
        done = list(evaluate(dataset, tracker, out, {"shift": tracker.shift, **facts}, pool=pool))
    return done, dict(score_results(dataset, out, "drift").values)


def test_perfect_and_drifting_trackers(root: Path, tmp_path: Path) -> None:
    done, values = run(root, tmp_path / "out", Drift())
    assert [d.sequence for d in done] == ["a", "b"]
    assert not any(d.resumed for d in done)
    assert (values["auc"], values["precision"]) == (20 / 21, 1)
    assert values["fps"] > 0
    _, worse = run(root, tmp_path / "worse", Drift(2.0))
    assert 0 < worse["auc"] < 0.6


def test_resumes_by_what_ran_and_not_by_files(root: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(root, out, Drift())
    again, values = run(root, out, Drift())
    assert all(d.resumed for d in again)
    (out / "a.txt").write_text((out / "b.txt").read_text().replace("10", "11"))
    mended, _ = run(root, out, Drift())
    assert {d.sequence: d.resumed for d in mended} == {"a": False, "b": True}
    other, worse = run(root, out, Drift(1.0))  # other parameters: the files are there, but not theirs
    assert not any(d.resumed for d in other)
    assert worse["auc"] < values["auc"]
    truth = root / "b" / "groundtruth.txt"
    truth.write_text(truth.read_text().replace("10,20", "10,21"))
    changed, _ = run(root, out, Drift(1.0))
    assert {d.sequence: d.resumed for d in changed} == {"a": True, "b": False}


def test_results_of_other_files_under_the_same_names_are_not_kept(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "out", Drift())
    cv2.imwrite(str(root / "a" / "img" / "0003.jpg"), np.zeros((90, 80, 3), np.uint8))
    again, _ = run(root, tmp_path / "out", Drift())
    assert {d.sequence: d.resumed for d in again} == {"a": False, "b": True}


def test_two_runs_into_one_folder_are_not_scored_as_one(root: Path, tmp_path: Path) -> None:
    dataset = open_dataset(find_spec("folder"), root)
    first = evaluate(dataset, Drift(), tmp_path, {"shift": 0})
    assert next(first).sequence == "a"
    list(evaluate(dataset, Drift(2.0), tmp_path, {"shift": 2}))
    with pytest.raises(OutputError, match="1 result changed while it ran: a"):
        list(first)


def test_results_that_eval_did_not_write_are_known(root: Path, tmp_path: Path) -> None:
    """Those of another program, and those that were changed since they were logged."""
    spec, out = find_spec("folder"), tmp_path / "out"
    dataset = open_dataset(spec, root)
    assert unlogged_sequences(dataset, out) == []
    run(root, out, Drift())
    assert unlogged_sequences(dataset, out) == []
    (out / "a.txt").write_text("1,2,3,4\n")
    assert unlogged_sequences(dataset, out) == ["a"]
    (out / "run.jsonl").unlink()
    assert unlogged_sequences(dataset, out) == ["a", "b"]


def test_a_log_cut_by_a_crash_is_still_read(root: Path, tmp_path: Path) -> None:
    run(root, tmp_path / "out", Drift())
    log = tmp_path / "out" / "run.jsonl"
    log.write_text(log.read_text()[:-25])
    again, _ = run(root, tmp_path / "out", Drift())
    assert {d.sequence: d.resumed for d in again} == {"a": True, "b": False}
    again, _ = run(root, tmp_path / "out", Drift())
    assert {d.sequence: d.resumed for d in again} == {"a": True, "b": True}


def test_processes_share_the_sequences(root: Path, tmp_path: Path) -> None:
    alone, expected = run(root, tmp_path / "alone", Drift(1.0))
    shared, values = run(root, tmp_path / "shared", Drift(1.0), jobs=2)
    assert {d.sequence for d in shared} == {d.sequence for d in alone}
    assert values["auc"] == expected["auc"]


@dataclass(frozen=True)
class Dying(Drift):
    def start(self, frame: Frame, box: Box) -> Answer:
        os._exit(3)


def test_a_process_that_dies_ends_the_run(root: Path, tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="a process died"):
        run(root, tmp_path / "out", Dying(), jobs=2)
    assert not multiprocessing.active_children()


def test_images_of_several_sizes_are_tracked_as_they_are(root: Path) -> None:
    """In some sequences of GOT-10k the size changes; they were scaled to the first, the truth was not."""
    cv2.imwrite(str(root / "a" / "img" / "0002.jpg"), np.full((90, 120, 3), 41, np.uint8))
    (a, _) = open_dataset(find_spec("folder"), root).sequences
    assert [frame.image.shape[:2] for frame in read_frames(a)][:3] == [(60, 80), (90, 120), (60, 80)]


def test_broken_picture_is_named(root: Path) -> None:
    (root / "b" / "img" / "0005.jpg").write_bytes(b"no picture")
    dataset = open_dataset(find_spec("folder"), root)
    with pytest.raises(DatasetError, match=r"b: cannot decode .*0005\.jpg"):
        list(read_frames(dataset.sequences[1]))


def test_a_first_frame_without_target_is_named(root: Path, tmp_path: Path) -> None:
    truth = root / "b" / "groundtruth.txt"
    truth.write_text("NaN,NaN,NaN,NaN\n" + truth.read_text().partition("\n")[2])
    with pytest.raises(DatasetError, match="b: no target in the first frame"):
        run(root, tmp_path / "out", Drift())


def test_video_sequence(tmp_path: Path, root: Path) -> None:
    demo = Path(__file__).parent / "data" / "demo.mp4"
    count = len(list(open_source(str(demo))))
    sequence = Sequence("demo", np.tile([1.0, 2, 30, 40], (5, 1)), video=demo, offset=count - 5)
    track = run_once(Drift(), read_frames(sequence), sequence.box(0))
    assert track.boxes[:, 0].tolist() == [1, 2, 3, 4, 5]


@pytest.mark.parametrize(("more", "words"), [(1, "annotated"), (-1, "frames after the last one annotated")])
def test_a_video_of_another_length_is_refused(more: int, words: str) -> None:
    """A row that was lost would shift all later ones."""
    demo = Path(__file__).parent / "data" / "demo.mp4"
    count = len(list(open_source(str(demo))))
    assert len(list(read_frames(Sequence("demo", np.ones((count, 4)), video=demo)))) == count
    with pytest.raises(DatasetError, match=words):
        list(read_frames(Sequence("demo", np.ones((count + more, 4)), video=demo)))


def test_reset_after_failure(root: Path) -> None:
    (sequence, _) = open_dataset(find_spec("folder"), root).sequences
    run, track = repeat_supervised(Drift(6.0), sequence)[0]
    # 16 pixels wide, 6 pixels of drift a frame: no overlap in the third frame after each start
    assert run.codes.tolist() == [1, -1, -1, 2, 0, 0, 0, 0, 1, -1, -1, 2]
    assert np.isfinite(track.boxes).all(axis=1).tolist() == (run.codes == -1).tolist()
    assert run.failures == 2


def test_repetitions_end_early_only_for_deterministic_trackers(root: Path) -> None:
    (sequence, _) = open_dataset(find_spec("folder"), root).sequences
    assert len(repeat_supervised(Drift(), sequence)) == 3
    assert len(repeat_supervised(Drift(), sequence, repetitions=1)) == 1

    class Moody(Drift):
        def step(self, state: Answer, frame: Frame) -> Answer:
            return Answer(state.box._replace(x=state.box.x + float(np.random.default_rng().normal())))

    assert len(repeat_supervised(Moody(), sequence, repetitions=5)) == 5


def test_vot_from_run_to_score(root: Path, tmp_path: Path) -> None:
    sequences = open_dataset(find_spec("folder"), root).sequences
    sized = tuple(Sequence(s.name, s.truth, s.frames, size=(80, 60)) for s in sequences)
    dataset = Dataset(find_spec("vot2018"), sized)
    list(evaluate(dataset, Drift(), tmp_path, {}))
    values = score_results(dataset, tmp_path, "drift").values
    assert values["failures"] == 0
    assert values["accuracy"] == 1


def test_repetitions_of_an_earlier_run_do_not_count(root: Path, tmp_path: Path) -> None:
    """Six by a tracker that is never twice the same, then three by a perfect one."""
    sequences = open_dataset(find_spec("folder"), root).sequences
    sized = tuple(Sequence(f"{s.name}[1]", s.truth, s.frames, size=(80, 60)) for s in sequences)
    dataset = Dataset(find_spec("vot2018"), sized)

    class Moody(Drift):
        def step(self, state: Answer, frame: Frame) -> Answer:
            return Answer(state.box._replace(x=state.box.x + 6 + float(np.random.default_rng().normal())))

    list(evaluate(dataset, Moody(), tmp_path, {"moody": True}, repetitions=6))
    assert score_results(dataset, tmp_path, "moody").values["failures"] > 0
    list(evaluate(dataset, Drift(), tmp_path, {}, repetitions=6))
    assert score_results(dataset, tmp_path, "drift").values["failures"] == 0
    assert len(list((tmp_path / "baseline" / "a[1]").iterdir())) == 6  # three of boxes, three of times


def test_long_term_confidences_reach_the_score(root: Path, tmp_path: Path) -> None:
    dataset = Dataset(find_spec("vot2018-lt"), open_dataset(find_spec("folder"), root).sequences)
    list(evaluate(dataset, Drift(), tmp_path, {}))
    assert score_results(dataset, tmp_path, "drift").values["lt_recall"] == pytest.approx((COUNT - 1) / COUNT)


def test_server_sets_are_not_scored_here(root: Path, tmp_path: Path) -> None:
    dataset = Dataset(find_spec("trackingnet"), open_dataset(find_spec("folder"), root).sequences)
    with pytest.raises(DatasetError, match="keeps its truth"):
        score_results(dataset, tmp_path, "drift")


@pytest.mark.parametrize("form", ["text", "json", "csv", "markdown", "latex"])
def test_report_in_every_format(root: Path, tmp_path: Path, form: str) -> None:
    dataset = open_dataset(find_spec("folder"), root)
    for shift in (0.0, 2.0):
        out = tmp_path / "results" / f"drift{shift}"
        list(evaluate(dataset, Drift(shift), out, {}))
        (out / "scores.json").write_text(score_results(dataset, out, out.name).to_json())
    done = CliRunner().invoke(
        app, ["report", str(tmp_path / "results"), "--format", form], catch_exceptions=False
    )
    assert done.exit_code == 0
    if form == "json":
        (table,) = json.loads(done.stdout)
        assert [row["tracker"] for row in table["rows"]] == ["drift0.0", "drift2.0"]
        assert table["rows"][0]["success AUC"] == 20 / 21
    elif form != "csv":
        assert done.stdout.index("drift0.0") < done.stdout.index("drift2.0")
        assert "0.952" in done.stdout
        assert "IoU >" in done.stdout  # the number says which variant it is
    assert read_scores(tmp_path / "results" / "drift0.0" / "scores.json").values["auc"] == 20 / 21


def test_plots_as_png_and_pdf(root: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib, the extra `plots`, is not installed")
    dataset = open_dataset(find_spec("folder"), root)
    list(evaluate(dataset, Drift(), tmp_path / "r", {}))
    (tmp_path / "r" / "scores.json").write_text(score_results(dataset, tmp_path / "r", "drift").to_json())
    args = ["report", str(tmp_path / "r"), "--plots", str(tmp_path / "plots")]
    assert CliRunner().invoke(app, args, catch_exceptions=False).exit_code == 0
    image = cv2.imread(str(tmp_path / "plots" / "folder_success.png"))
    assert image.std() > 10
    assert (tmp_path / "plots" / "folder_precision.pdf").read_bytes().startswith(b"%PDF")
    assert len(list((tmp_path / "plots").iterdir())) == 6


def test_search_points_stay_in_the_space() -> None:
    space = SearchSpace()
    points = [*random_points(space, 20, seed=1), *grid_points(space, 3)]
    assert len(points) == 20 + 27
    for name, (low, high) in space.ranges().items():
        values = [point[name] for point in points]
        assert low <= min(values) < max(values) <= high
