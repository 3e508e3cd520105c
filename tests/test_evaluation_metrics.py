"""Metrics: what must hold for any boxes, and the quirks that each toolkit is known for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.boxes import Box, iou
from siamcli.evaluation import metrics, vot
from siamcli.evaluation.catalog import find_spec
from siamcli.evaluation.comparison import comparison_tables, decisive
from siamcli.evaluation.overlap import (
    axis_aligned_boxes,
    box_corners,
    box_overlap,
    center_error,
    region_overlap,
)
from siamcli.evaluation.results import TrackerOutput, write_output, write_runs
from siamcli.evaluation.scoring import Scores, score_results
from siamcli.evaluation.sequence import Dataset, Sequence

sides = st.floats(1, 300, width=32)
corners = st.floats(-100, 400, width=32)
boxes = st.lists(st.tuples(corners, corners, sides, sides), min_size=2, max_size=30).map(
    lambda rows: np.array(rows, np.float64)
)
FAR = np.array([5000, 5000, 0, 0])
INSIDE = np.array([150, 150, 0, 0])  # moves any of the boxes above into positive coordinates


def one(truth: np.ndarray, key: str, **more) -> Dataset:
    return Dataset(find_spec(key), (Sequence("one", truth, **more),))


def scored(tmp_path_factory, dataset: Dataset, predicted: np.ndarray, scores=None, rules="official"):
    folder = tmp_path_factory.mktemp("results")
    write_output(folder, dataset.spec, "one", TrackerOutput(predicted, scores))
    return score_results(dataset, folder, "tracker", rules).values


@given(boxes)
def test_overlap_is_that_of_single_boxes(rows: np.ndarray) -> None:
    other = np.roll(rows, 1, axis=0)
    found = box_overlap(rows, other)
    singles = [iou(Box(*a), Box(*b)) for a, b in zip(rows.tolist(), other.tolist(), strict=True)]
    assert found == pytest.approx(singles)
    assert found == pytest.approx(box_overlap(other, rows))
    assert found == pytest.approx(box_overlap(rows + INSIDE, other + INSIDE), abs=1e-6)


@settings(max_examples=25)
@given(boxes.map(np.round))
def test_truth_as_prediction_is_perfect(tmp_path_factory, rows: np.ndarray) -> None:
    otb = scored(tmp_path_factory, one(rows, "otb2015"), rows)
    assert (otb["auc"], otb["precision"], otb["norm_precision"]) == (20 / 21, 1, 1)
    net = metrics.area(metrics.success_curve(box_overlap(rows, rows), strict=False))
    assert net == 1
    longterm = scored(tmp_path_factory, one(rows + INSIDE, "vot2018-lt"), rows + INSIDE,
                      np.ones(len(rows)))  # fmt: skip
    if (rows[:, 2:] > 1).all():  # one pixel is no area to region.c
        assert longterm["lt_precision"] == pytest.approx(1)
        assert longterm["lt_recall"] == pytest.approx(1 - 1 / len(rows))  # the first frame is not an answer


@settings(max_examples=25)
@given(boxes)
def test_a_tracker_that_is_always_wrong_scores_0(tmp_path_factory, rows: np.ndarray) -> None:
    wrong = rows + FAR
    pysot = scored(tmp_path_factory, one(rows, "otb2015"), wrong, rules="pysot")
    assert (pysot["auc"], pysot["precision"], pysot["norm_precision"]) == (0, 0, 0)
    official = scored(tmp_path_factory, one(rows, "otb2015"), wrong)
    assert official["auc"] == pytest.approx(20 / 21 / len(rows))  # frame 1 is the truth
    got = scored(tmp_path_factory, one(rows + INSIDE, "got10k-val"), wrong + INSIDE)
    assert (got["ao"], got["sr50"], got["sr75"]) == (0, 0, 0)


@pytest.mark.parametrize("variant", ["eao", "eao_pysot"])
@pytest.mark.parametrize(("shift", "expected"), [(0, 1), (3000, 0)])
def test_eao_of_truth_and_of_nothing(tmp_path, variant: str, shift: int, expected: int) -> None:
    count = 400
    truth = np.tile([100.0, 80, 60, 40], (count, 1)) + np.arange(count)[:, None] * [0.5, 0.2, 0, 0]
    codes = np.full(count, vot.TRACKED)
    codes[0] = vot.STARTED
    if shift:
        codes[:] = [(vot.STARTED, vot.FAILED, 0, 0, 0, 0)[i % 6] for i in range(count)]
    dataset = one(truth, "vot2018", polygons=box_corners(truth), size=(640, 480))
    run = vot.VotRun(codes, np.where((codes == vot.TRACKED)[:, None], box_corners(truth), np.nan))
    write_runs(tmp_path, dataset.spec, "one", [(run, TrackerOutput(truth))])
    values = score_results(dataset, tmp_path, "tracker").values
    assert values[variant] == pytest.approx(expected)
    assert values["failures"] == (codes == vot.FAILED).sum()


@given(st.integers(0, 80), st.integers(0, 80), st.integers(2, 40), st.integers(2, 40), st.integers(-50, 50))
def test_pixels_counted_in_whole_boxes_are_exact(x: int, y: int, w: int, h: int, dx: int) -> None:
    a, b = np.array([[x + 60.0, y, w, h]]), np.array([[x + 60.0 + dx, y, w, h]])
    touching = abs(dx) == w - 1  # region.c answers 0 when the outer boxes only touch
    expected = 0 if touching else box_overlap(a, b)[0]
    found = region_overlap(box_corners(a), box_corners(b), (1000, 1000))[0]
    assert found == pytest.approx(expected, abs=1e-6)


@given(st.floats(0, np.pi), st.floats(30, 90), st.floats(30, 90))
def test_pixels_counted_in_turned_boxes_are_close_to_the_area(angle: float, w: float, h: float) -> None:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    half = np.array([[-w, -h], [w, -h], [w, h], [-w, h]]) / 2
    turned = (half @ turn.T + 200).reshape(1, 8)
    frame = box_corners(np.array([[100, 100, 201, 201.0]]))
    assert region_overlap(turned, turned, (400, 400))[0] == 1
    assert region_overlap(turned, frame, (400, 400))[0] == pytest.approx((w + 1) * (h + 1) / 201**2, rel=0.09)
    upright = axis_aligned_boxes(turned)[0]
    assert (upright[2] - 1) * (upright[3] - 1) == pytest.approx(w * h)
    assert upright[:2] + upright[2:] / 2 == pytest.approx([200, 200])


def test_only_pixels_inside_the_image_count() -> None:
    a, b = box_corners(np.array([[-10.0, 0, 20, 10]])), box_corners(np.array([[0.0, 0, 10, 10]]))
    assert region_overlap(a, b, (99, 99))[0] == 1
    assert np.isnan(region_overlap(np.full((1, 8), np.nan), b, (99, 99))[0])


def test_absent_frames_follow_each_benchmark(tmp_path_factory) -> None:
    rows = np.tile([10.0, 10, 20, 20], (4, 1))
    truth = rows.copy()
    truth[2] = np.nan
    absent = np.array([False, False, True, False])
    uav = scored(tmp_path_factory, one(truth, "uav123"), rows)
    assert (uav["auc"], uav["precision"]) == (0.75 * 20 / 21, 1)  # its -1 counts as a hit
    lasot = scored(tmp_path_factory, one(rows, "lasot", absent=absent), rows)
    assert (lasot["auc"], lasot["precision"]) == (0.75 * 20 / 21, 0.75)
    got = scored(tmp_path_factory, one(rows, "got10k-val", absent=absent), rows + np.outer(absent, FAR))
    assert got["ao"] == 1


def test_broken_boxes_repeat_the_one_before_under_official_rules(tmp_path_factory) -> None:
    truth = np.tile([10.0, 10, 20, 20], (3, 1))
    broken = truth.copy()
    broken[1, 2] = 0
    assert scored(tmp_path_factory, one(truth, "otb2015"), broken)["auc"] == 20 / 21
    assert scored(tmp_path_factory, one(truth, "otb2015"), broken, rules="pysot")["auc"] < 0.7


def test_boxes_are_cut_at_the_image_for_got10k(tmp_path_factory) -> None:
    truth = np.tile([80.0, 80, 20, 20], (3, 1))
    larger = truth + np.array([0, 0, 40, 40])
    assert scored(tmp_path_factory, one(truth, "got10k-val", size=(100, 100)), larger)["ao"] == 1
    assert scored(tmp_path_factory, one(truth, "got10k-val"), larger)["ao"] < 0.2


def test_got10k_cuts_as_its_toolkit_does(tmp_path_factory) -> None:
    """At the left and the top a box is moved inside; a target outside of the image counts as missed."""
    truth = np.array([[5.0, 5, 20, 20], [-10, -10, 20, 20], [-90, 0, 20, 20]])
    predicted = np.array([[5.0, 5, 20, 20], [0, 0, 20, 20], [50, 50, 20, 20]])
    got = scored(tmp_path_factory, one(truth, "got10k-val", size=(100, 100)), predicted)
    assert (got["ao"], got["sr50"]) == (0.5, 0.5)  # 1, 0; rectangles cut in the plain way give 0.25 and NaN


def test_all_repetitions_of_got10k_count(tmp_path) -> None:
    """Its toolkit writes three; those of another program do not count with what eval writes."""
    truth = np.tile([10.0, 10, 20, 20], (3, 1))
    dataset = one(truth, "got10k-val")
    write_output(tmp_path, dataset.spec, "one", TrackerOutput(truth))
    for number in (2, 3):
        (tmp_path / "one" / f"one_00{number}.txt").write_text("500,500,20,20\n" * 3)
    assert score_results(dataset, tmp_path, "t").values["ao"] == pytest.approx(1 / 3)
    write_output(tmp_path, dataset.spec, "one", TrackerOutput(truth))
    assert score_results(dataset, tmp_path, "t").values["ao"] == 1


def test_confidence_separates_seen_from_absent(tmp_path_factory) -> None:
    truth = np.tile([10.0, 10, 20, 20], (40, 1))
    truth[20:] = np.nan
    answer = np.tile([10.0, 10, 20, 20], (40, 1))
    sure = np.where(np.arange(40) < 20, 0.9, 0.2)
    dataset = one(truth, "vot2018-lt", size=(100, 100))
    best = scored(tmp_path_factory, dataset, answer, sure)
    assert (best["lt_precision"], best["lt_recall"]) == pytest.approx((1, 19 / 20))
    blind = scored(tmp_path_factory, dataset, answer, np.full(40, 0.5))
    assert (blind["lt_precision"], blind["lt_recall"]) == pytest.approx((19 / 39, 19 / 20))


def test_the_best_threshold_is_found_wherever_it_lies() -> None:
    for count in (98, 99, 195, 1000):  # each pick stands for one score, or for ten
        score, seen = np.linspace(0.01, 1, count), np.arange(count) >= count * 3 // 4
        f = metrics.longterm_f([np.where(seen, 0.9, 0)], [score], [seen])[2]
        assert f == pytest.approx(0.9, abs=0.02)


def test_accuracy_is_the_mean_over_the_runs_in_which_a_frame_counts(tmp_path) -> None:
    truth = np.tile([10.0, 10, 20, 20], (14, 1))
    dataset = one(truth, "vot2018", size=(100, 100))
    corners = box_corners(truth)
    run = vot.VotRun(np.array([1, *[-1] * 13]), corners)
    late = vot.VotRun(np.array([1, 2, 0, 0, 0, 0, 1, *[-1] * 7]), corners)  # counts in none of 14
    write_runs(tmp_path, dataset.spec, "one", [(r, TrackerOutput(truth)) for r in (run, late)])
    assert score_results(dataset, tmp_path, "t").values["accuracy"] == 1


def test_trackers_are_ranked_as_the_benchmark_ranks_them() -> None:
    def scores(name: str, values: dict[str, float]) -> Scores:
        return Scores("vot2018", "VOT2018", name, "official", values, {"a": {"accuracy": values["accuracy"]}})

    group = [scores("tight", {"accuracy": 0.7, "eao": 0.2}), scores("best", {"accuracy": 0.6, "eao": 0.4})]
    group.insert(0, scores("short", {"accuracy": 0.8, "eao": float("nan")}))
    (table,) = comparison_tables(group)
    assert [name for name, _ in table.rows[:3]] == ["best", "tight", "short"]
    assert decisive(["accuracy", "failures", "robustness", "eao"]) == "eao"  # what tune searches by, too
    (table,) = comparison_tables(group, per="sequence")  # a sequence has no EAO
    assert (table.columns, table.rows) == (("best", "tight", "short"), (("a", (0.6, 0.7, 0.8)),))


def test_means_over_different_sequences_are_said_to_be_so() -> None:
    def scores(name: str, *sequences: str) -> Scores:
        return Scores(
            "folder", "folder", name, "official", {"auc": 0.5}, {s: {"auc": 0.5} for s in sequences}
        )

    (table,) = comparison_tables([scores("ours", "a", "b"), scores("theirs", "a")])
    assert table.notes[-1] == "not comparable, means over different sequences: ours 2, theirs 1"
    (table,) = comparison_tables([scores("ours", "a"), scores("theirs", "a")])
    assert not any("different" in note for note in table.notes)


def test_what_is_missing_is_said_of_the_tracker_that_misses_it() -> None:
    """The title said of all what held for the first."""

    def scores(name: str, partial: str | None) -> Scores:
        return Scores("nfs", "NfS", name, "pysot", {"auc": 0.5}, {"a": {"auc": 0.5}}, partial=partial)

    (table,) = comparison_tables([scores("ours", "1 of 100 sequences"), scores("theirs", None)])
    assert table.title == "NfS (partial)" and "ours (pysot rules): 1 of 100 sequences" in table.notes
    (table,) = comparison_tables([scores("ours", "1 of 100 sequences")])
    assert table.title == "NfS (partial: 1 of 100 sequences)"


@pytest.mark.filterwarnings("error")
def test_a_single_frame_has_no_average_overlap(tmp_path_factory) -> None:
    box = np.array([[1.0, 1, 3, 3]])
    values = scored(tmp_path_factory, one(box, "got10k-val"), box)
    assert np.isnan(values["ao"])


def test_burn_in_and_fragments() -> None:
    codes = np.array([1, -1, -1, 2, 0, 0, 0, 0, 1, -1, -1, -1])
    overlap = np.where(codes == -1, 0.5, np.nan)
    run = vot.VotRun(codes, np.zeros((12, 8)))
    assert np.isfinite(vot.accuracy(run, overlap, burn_in=2)).sum() == 3
    official = vot.expected_overlaps([[run]], [[overlap]])
    # fragments 0 .5 .5 | failed, and 0 .5 .5 .5 | not: at length 3 the failed one has averaged 2 of 3
    assert official[1:4] == pytest.approx([0.5, 0.5, (0.5 * 2 / 3 + 0.5) / 2])
    pysot = vot.expected_overlaps([[run]], [[overlap]], "pysot")
    assert pysot[0] == 1
    assert np.isfinite(pysot).all()


def test_center_error_counts_the_inclusive_threshold() -> None:
    error = center_error(np.array([[20.0, 0, 10, 10]]), np.array([[0.0, 0, 10, 10]]))
    assert metrics.precision_curve(error)[20] == 1
    assert metrics.precision_curve(error)[19] == 0


def test_a_perfect_box_never_overlaps_by_more_than_1() -> None:
    """Rounding gives 1.0000000000000002 for one of a few: at threshold 1 it counted, in no toolkit."""
    rows = np.random.default_rng(0).uniform(1, 300, (500, 4)).round(4)
    assert metrics.success_auc(metrics.success_curve(box_overlap(rows, rows))) == 20 / 21
