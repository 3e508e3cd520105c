"""Data sets and result files: official layouts in, official formats out, and clear words for bad data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.errors import DatasetError
from siamcli.evaluation.catalog import find_spec, sequence_entries, specs
from siamcli.evaluation.datasets import open_dataset
from siamcli.evaluation.results import TrackerOutput, pack, read_output, read_runs, write_output, write_runs
from siamcli.evaluation.sequence import Sequence
from siamcli.evaluation.textfiles import read_boxes, read_rows
from siamcli.evaluation.vot import VotRun

DECIMALS = {"otb2015": 5e-5, "got10k-val": 5e-4, "vot2018-lt": 5e-5}
ROWS = "10,20,30,40\n11,21,30,40\n12,22,30,40\n"


def pictures(folder: Path, count: int, first: int = 1, digits: int = 4) -> None:
    folder.mkdir(parents=True)
    for i in range(count):
        cv2.imwrite(str(folder / f"{first + i:0{digits}d}.jpg"), np.full((48, 64, 3), 99, np.uint8))


def text(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize(
    "content",
    [
        "1,2,3,4\n5,6,7,nan\n",
        "1 2\t3, 4\r\n5;6;7;NaN\r\n\r\n",
        b"\xef\xbb\xbf1,2,3,4\n5,6,7,NAN",
        "1\t2\t3\t4,\n5\t6\t7\tnan".encode("utf-16"),
    ],
)
def test_rows_in_every_spelling(tmp_path: Path, content: str | bytes) -> None:
    found = read_boxes(text(tmp_path / "a.txt", content))
    assert np.array_equal(found, [[1, 2, 3, 4], [5, 6, 7, np.nan]], equal_nan=True)


def test_a_single_number_is_a_gap_where_gaps_are_allowed(tmp_path: Path) -> None:
    path = text(tmp_path / "a.txt", "1,2,3,4\nnan\n0\n")
    assert np.array_equal(
        read_boxes(path, gaps=True), [[1, 2, 3, 4], [np.nan] * 4, [np.nan] * 4], equal_nan=True
    )
    with pytest.raises(DatasetError, match="line 2: 1 number where 4 are expected"):
        read_boxes(path)


@pytest.mark.parametrize(
    ("content", "line", "words"),
    [
        ("1,2,3,4\n1,2,3\n", 2, "3 numbers where 4 are expected"),
        ("1,2,3,4\n\n1,2,3,4\n", 2, "0 numbers where 4 are expected"),
        ("1,2,3,4\n1,2,x,4\n", 2, "not numbers"),
        (b"1,2,3,4\n1,2,3,4\n\xff\xfe\xfd", 3, "neither UTF-8 nor UTF-16"),
        ("", 1, "0 numbers"),
    ],
)
def test_bad_rows_are_named_by_line(tmp_path: Path, content: str | bytes, line: int, words: str) -> None:
    path = text(tmp_path / "a.txt", content)
    with pytest.raises(DatasetError, match=f"a.txt, line {line}: .*{words}"):
        read_boxes(path)


def test_every_benchmark_is_well_described() -> None:
    assert len(specs()) >= 12
    sizes = {key: len(sequence_entries(spec)) for key, spec in specs().items() if spec.table}
    assert all(specs()[key].sequences == size for key, size in sizes.items())
    assert sizes == {"otb2015": 100, "otb2013": 51, "otb50": 50, "uav123": 123, "uav20l": 20, "lasot": 280}
    assert find_spec("OTB-100") is find_spec("otb2015")
    with pytest.raises(DatasetError, match="no benchmark is called 'abc'"):
        find_spec("abc")


def test_otb_ranges_targets_and_origin(tmp_path: Path) -> None:
    pictures(tmp_path / "Jogging" / "img", 3)
    text(tmp_path / "Jogging" / "groundtruth_rect.1.txt", ROWS)
    pictures(tmp_path / "Tiger1" / "img", 354)
    text(tmp_path / "Tiger1" / "groundtruth_rect.txt", "".join(f"{i},1,5,5\n" for i in range(1, 355)))
    pictures(tmp_path / "Board" / "img", 3, digits=5)
    text(tmp_path / "Board" / "groundtruth_rect.txt", ROWS.replace(",", "\t"))
    with pytest.raises(DatasetError, match="incomplete, missing: annotation of Basketball"):
        open_dataset(find_spec("otb"), tmp_path)
    found = {s.name: s for s in open_dataset(find_spec("otb"), tmp_path, partial=True).sequences}
    assert set(found) == {"Board", "Jogging-1", "Tiger1"}
    assert found["Board"].box(0) == (9, 19, 30, 40)
    assert found["Tiger1"].frames[0].name == "0006.jpg"
    assert (len(found["Tiger1"]), found["Tiger1"].truth[0, 0]) == (349, 5)
    annotated = open_dataset(find_spec("otb"), tmp_path, frames=False, only=["Tiger1"]).sequences[0]
    assert (annotated.truth == found["Tiger1"].truth).all()  # to which eval's results are scored
    assert "DEF" in found["Jogging-1"].attributes


def test_a_benchmark_of_which_sequences_are_missing_is_not_scored_as_whole(tmp_path: Path) -> None:
    """Also where no table names them: published figures stood beside those of the few that were there."""
    text(tmp_path / "anno" / "a_0.txt", ROWS)
    text(tmp_path / "list.txt", "v\n")
    text(tmp_path / "v" / "groundtruth.txt", ROWS)
    for key, title, total in (("trackingnet", "TrackingNet", 511), ("vot2018", "VOT2018", 60)):
        with pytest.raises(DatasetError, match=f"{title} is incomplete, 1 of {total} sequences in"):
            open_dataset(find_spec(key), tmp_path, frames=False)
        opened = open_dataset(find_spec(key), tmp_path, frames=False, partial=True)
        assert opened.partial == f"1 of {total} sequences"


def test_uav_sequences_are_cut_out_of_folders(tmp_path: Path) -> None:
    pictures(tmp_path / "data_seq" / "UAV123" / "bird1", 20, first=770, digits=6)
    text(tmp_path / "anno" / "UAV123" / "bird1_2.txt", "1,1,5,5\n" * 15)
    spec = find_spec("uav123")
    (bird,) = open_dataset(spec, tmp_path, partial=True, only=["bird1_2"]).sequences
    assert [bird.frames[0].name, bird.frames[-1].name] == ["000775.jpg", "000789.jpg"]
    with pytest.raises(DatasetError, match=r"15 frames, UAV123 has 703 \(775-1477\)"):
        open_dataset(spec, tmp_path, only=["bird1_2"])


def test_lasot_marks_absent_frames(tmp_path: Path) -> None:
    folder = tmp_path / "airplane" / "airplane-1"
    pictures(folder / "img", 3, digits=8)
    text(folder / "groundtruth.txt", ROWS)
    text(folder / "full_occlusion.txt", "0,1,0")
    text(folder / "out_of_view.txt", "0,0,1")
    (sequence,) = open_dataset(find_spec("lasot"), tmp_path, partial=True).sequences
    assert sequence.visible.tolist() == [True, False, False]
    assert sequence.box(0) == (9, 19, 30, 40)  # its boxes count pixels from 1, as its authors say
    text(folder / "out_of_view.txt", "0,0")
    with pytest.raises(DatasetError, match="2 labels for 3 frames"):
        open_dataset(find_spec("lasot"), tmp_path, partial=True)


def test_got10k_val_and_test(tmp_path: Path) -> None:
    for split, rows in (("val", ROWS), ("test", "10,20,30,40\n")):
        text(tmp_path / split / "list.txt", "GOT-10k_000001\n")
        folder = tmp_path / split / "GOT-10k_000001"
        pictures(folder, 3, digits=8)
        text(folder / "groundtruth.txt", rows)
        text(folder / "absence.label", "0\n1\n0\n")
        text(folder / "meta_info.ini", "[METAINFO]\nresolution: (64, 48)\n")
    (val,) = open_dataset(find_spec("got10k-val"), tmp_path, partial=True).sequences
    assert (val.size, val.visible.tolist()) == ((64, 48), [True, False, True])
    (test,) = open_dataset(find_spec("got10k-test"), tmp_path, partial=True).sequences
    assert np.isfinite(test.truth).all(axis=1).tolist() == [True, False, False]


def test_trackingnet_numbers_without_zeros(tmp_path: Path) -> None:
    pictures(tmp_path / "TEST" / "frames" / "a_0", 12, first=0, digits=1)
    text(tmp_path / "TEST" / "anno" / "a_0.txt", "1,2,3,4\n")
    (sequence,) = open_dataset(find_spec("trackingnet"), tmp_path, partial=True).sequences
    assert [path.stem for path in sequence.frames[-2:]] == ["10", "11"]


def test_vot_polygons_tags_and_rectangles(tmp_path: Path) -> None:
    pictures(tmp_path / "bag" / "color", 2, digits=8)
    text(tmp_path / "list.txt", "bag\n")
    text(tmp_path / "bag" / "groundtruth.txt", "10,10,29,10,29,29,10,29\n5,5,10,10\n")
    text(tmp_path / "bag" / "occlusion.tag", "0\n1\n")
    (bag,) = open_dataset(find_spec("vot2018"), tmp_path, partial=True).sequences
    assert bag.truth[0] == pytest.approx([9.5, 9.5, 20, 20])
    assert bag.polygons[1].tolist() == [5, 5, 14, 5, 14, 14, 5, 14]
    assert bag.tags["occlusion"].tolist() == [False, True]
    (scored,) = open_dataset(find_spec("vot2018"), tmp_path, partial=True, frames=False).sequences
    assert bag.size == scored.size == (64, 48)  # to which VOT clips regions


def test_nfs_annotations_of_every_eighth_frame(tmp_path: Path) -> None:
    pictures(tmp_path / "ball" / "30" / "ball", 3, digits=5)
    rows = "".join(f'0 {i} 10 {i + 20} 40 {i} 0 0 0 "ball"\n' for i in range(24))
    text(tmp_path / "ball" / "30" / "ball.txt", rows)
    for frames in (True, False):  # eval and score see the same rows
        (ball,) = open_dataset(find_spec("nfs"), tmp_path, partial=True, frames=frames).sequences
        assert ball.truth.tolist() == [[0, 10, 20, 30], [8, 10, 20, 30], [16, 10, 20, 30]]


@pytest.mark.parametrize("key", ["nfs", "trackingnet"])
def test_images_without_a_number_are_no_frames(tmp_path: Path, key: str) -> None:
    name = {"nfs": "a/30/a", "trackingnet": "frames/a"}[key]
    pictures(tmp_path / name, 1)
    (tmp_path / name / "0001.jpg").rename(tmp_path / name / "picture.jpg")
    text(tmp_path / "a/30/a.txt", "0 1 1 3 3\n")
    text(tmp_path / "anno/a.txt", "1,1,3,3\n")
    with pytest.raises(DatasetError, match="a: no frame of it in"):
        open_dataset(find_spec(key), tmp_path)


def test_missing_frame_and_missing_row(tmp_path: Path) -> None:
    pictures(tmp_path / "a" / "img", 3)
    rows = text(tmp_path / "a" / "groundtruth.txt", "1,2,3,4\n" * 2)
    with pytest.raises(DatasetError, match="a: 3 frames, but 2 rows in"):
        open_dataset(find_spec("folder"), tmp_path)
    text(rows, ROWS)
    (tmp_path / "a" / "img" / "0002.jpg").unlink()
    with pytest.raises(DatasetError, match="frame 2 is missing"):
        open_dataset(find_spec("folder"), tmp_path)


def test_a_folder_that_is_something_else(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"data set LaSOT in .*: no annotation of airplane-1"):
        open_dataset(find_spec("lasot"), tmp_path)
    with pytest.raises(DatasetError, match=r"no val/list.txt or list.txt"):
        open_dataset(find_spec("got10k"), tmp_path)
    with pytest.raises(DatasetError, match="no such folder"):
        open_dataset(find_spec("otb"), tmp_path / "nowhere")


@pytest.mark.parametrize(
    "inside",
    [
        '{"gt": 1}',
        '{"gt_rect": 5}',
        '{"gt_rect": [[1, 2, 3]]}',
        '{"gt_rect": [[1, 2, 3, "x"]]}',
        "5",
        "[" * 9999,
    ]
    + [f'{{"gt_rect": [[1, 2, 3, {"9" * digits}]]}}' for digits in (400, 5000)],
    ids=range(8),
)
def test_a_pysot_file_of_other_contents(tmp_path: Path, inside: str) -> None:
    with pytest.raises(DatasetError, match=r"a\.json is not a PySOT annotation file: (a has no gt|nested)"):
        open_dataset(find_spec("otb"), text(tmp_path / "a.json", f'{{"a": {inside}}}'))


def test_a_pysot_file_of_lasot(tmp_path: Path) -> None:
    file = text(tmp_path / "L.json", '{"a": {"gt_rect": [[1, 2, 3, 4], [0, 0, 0, 0]], "absent": [1, 0]}}')
    (sequence,) = open_dataset(find_spec("lasot"), file, partial=True).sequences
    assert sequence.visible.tolist() == [True, False]  # its "absent" says the opposite
    with pytest.raises(DatasetError, match=r"LaSOT has no sequence b$"):
        open_dataset(find_spec("lasot"), file, only=["a", "b"])


@pytest.mark.parametrize(("content", "says"), [("5", "no sequences by name"), ("{", "line 1 column 2")])
def test_a_json_file_of_something_else(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(DatasetError, match=rf"a\.json is not a PySOT annotation file: .*{says}"):
        open_dataset(find_spec("otb"), text(tmp_path / "a.json", content))


@settings(deadline=None)
@given(st.lists(st.tuples(*[st.floats(-50, 500)] * 2, *[st.floats(1, 400)] * 2), min_size=2, max_size=8))
@pytest.mark.parametrize(("key", "tolerance"), list(DECIMALS.items()))
def test_results_come_back(
    tmp_path_factory, key: str, tolerance: float, rows: list[tuple[float, ...]]
) -> None:
    folder, spec, boxes = tmp_path_factory.mktemp("r"), find_spec(key), np.array(rows)
    sent = TrackerOutput(boxes, np.linspace(0, 1, len(rows)), np.full(len(rows), 0.04))
    write_output(folder, spec, "a-1", sent)
    back = read_output(folder, spec, Sequence("a-1", boxes))
    first = 1 if key == "vot2018-lt" else 0
    assert np.abs(back.boxes - boxes)[first:].max() <= tolerance * 1.01
    assert back.seconds == pytest.approx(sent.seconds)
    if back.scores is not None:
        assert back.scores[1:] == pytest.approx(sent.scores[1:], abs=1e-6)


def test_formats_are_the_official_ones(tmp_path: Path) -> None:
    track = TrackerOutput(
        np.array([[1, 2, 3, 4], [1.5, 2.5, 3, 4]]), np.array([1, 0.75]), np.array([0.1, 0.05])
    )
    for key in ("otb2015", "got10k-test", "trackingnet", "vot2018-lt"):
        write_output(tmp_path / key, find_spec(key), "v", track)
    lines = {p.relative_to(tmp_path).as_posix(): p.read_text() for p in tmp_path.rglob("*") if p.is_file()}
    assert lines["otb2015/v.txt"] == "2.0000,3.0000,3.0000,4.0000\n2.5000,3.5000,3.0000,4.0000\n"
    assert lines["got10k-test/v/v_001.txt"].splitlines()[1] == "1.500,2.500,3.000,4.000"
    assert lines["got10k-test/v/v_time.txt"].splitlines()[1] == "0.05000000"
    assert lines["trackingnet/v.txt"].splitlines()[1] == "1.50,2.50,3.00,4.00"
    assert lines["vot2018-lt/longterm/v/v_001.txt"] == "1\n1.5000,2.5000,3.0000,4.0000\n"
    assert lines["vot2018-lt/longterm/v/v_001_confidence.value"] == "\n0.750000\n"
    for key, inside in (("got10k-test", ["v/v_001.txt", "v/v_time.txt"]), ("trackingnet", ["v.txt"])):
        archive = pack(tmp_path / key, find_spec(key), ["v"], tmp_path / f"{key}.zip")
        first = archive.read_bytes()
        assert zipfile.ZipFile(archive).namelist() == inside
        assert pack(tmp_path / key, find_spec(key), ["v"], archive).read_bytes() == first


def test_vot_runs_come_back(tmp_path: Path) -> None:
    spec, boxes = find_spec("vot2018"), np.array([[0.0] * 4, [1, 2, 3, 4], [0] * 4, [0] * 4])
    codes = np.array([1, -1, 2, 0])
    regions = np.full((4, 8), np.nan)
    regions[1] = [1, 2, 3, 2, 3, 5, 1, 5]
    write_runs(tmp_path, spec, "v", [(VotRun(codes, regions), TrackerOutput(boxes))] * 2)
    assert (tmp_path / "baseline/v/v_002.txt").read_text() == "1\n1.0000,2.0000,3.0000,4.0000\n2\n0\n"
    first, second = read_runs(tmp_path, spec, Sequence("v", boxes))
    assert np.array_equal(first.codes, codes)
    assert np.array_equal(second.regions, regions, equal_nan=True)


@pytest.mark.parametrize("code", ["nan", "inf", "-1", "7", "1.5"])
def test_a_vot_code_that_is_none_is_named(tmp_path: Path, code: str) -> None:
    text(tmp_path / "baseline/v/v_001.txt", f"1\n{code}\n")
    with pytest.raises(DatasetError, match=rf"v_001\.txt, line 2: no code is {code}"):
        read_runs(tmp_path, find_spec("vot2018"), Sequence("v", np.ones((2, 4))))


def test_results_of_another_length_are_refused(tmp_path: Path) -> None:
    text(tmp_path / "a.txt", ROWS)
    with pytest.raises(DatasetError, match=r"a\.txt: 3 rows for 2 frames of a"):
        read_output(tmp_path, find_spec("otb2015"), Sequence("a", np.ones((2, 4))))
    assert len(read_output(tmp_path, find_spec("lasot"), Sequence("a", np.ones((2, 4)))).boxes) == 2
    with pytest.raises(DatasetError, match="has no result for b"):
        read_output(tmp_path, find_spec("otb2015"), Sequence("b", np.ones((2, 4))))


def test_a_sum_of_times_is_no_time_of_a_frame(tmp_path: Path) -> None:
    spec, sequence = find_spec("otb2015"), Sequence("a", np.ones((3, 4)))
    text(tmp_path / "a.txt", ROWS)
    for content, expected in (("0.1\n0.1\n0.1\n", [0.1] * 3), ("0.3\n", None)):
        text(tmp_path / "times" / "a_time.txt", content)
        seconds = read_output(tmp_path, spec, sequence).seconds
        assert expected == (None if seconds is None else seconds.tolist())


def test_other_toolkits_spell_names_differently(tmp_path: Path) -> None:
    text(tmp_path / "Jogging.1.txt", ROWS)
    assert (
        read_output(tmp_path, find_spec("otb2015"), Sequence("Jogging-1", np.ones((3, 4)))).boxes[0, 0] == 9
    )
    assert read_rows(tmp_path / "Jogging.1.txt", {4})[0] == [10, 20, 30, 40]


def test_names_of_own_sequences_are_not_spelt_differently(tmp_path: Path) -> None:
    """`clip_1` is another sequence than `clip-1`, whose result is missing."""
    for name in ("clip_1", "car"):
        text(tmp_path / f"{name}.txt", ROWS)
    for name in ("clip-1", "Car"):
        with pytest.raises(DatasetError, match=f"has no result for {name}"):
            read_output(tmp_path, find_spec("folder"), Sequence(name, np.ones((3, 4))))


def test_a_name_listed_twice_is_one_sequence(tmp_path: Path) -> None:
    text(tmp_path / "v" / "groundtruth.txt", ROWS)
    text(tmp_path / "list.txt", "v\r\n\r\nv\r\n")
    opened = open_dataset(find_spec("vot2018"), tmp_path, partial=True, frames=False)
    assert [sequence.name for sequence in opened.sequences] == ["v"]


def test_a_pysot_file_counts_pixels_as_result_files_do(tmp_path: Path) -> None:
    """PySOT compares both as they are: they lay one pixel apart."""
    file = text(tmp_path / "OTB100.json", '{"a": {"gt_rect": [[10, 20, 30, 40], [11, 20, 30, 40]]}}')
    text(tmp_path / "a.txt", "10,20,30,40\n11,20,30,40\n")
    for key in ("otb2015", "lasot", "folder"):
        (sequence,) = open_dataset(find_spec(key), file, partial=True).sequences
        assert (read_output(tmp_path, find_spec(key), sequence).boxes == sequence.truth).all()


@pytest.mark.parametrize("suffix", [".mp4", ".MP4", ".MOV"])
def test_videos_with_the_suffixes_of_cameras(tmp_path: Path, suffix: str) -> None:
    text(tmp_path / "GX01.txt", ROWS)
    video = text(tmp_path / f"GX01{suffix}", "")
    assert [sequence.video for sequence in open_dataset(find_spec("folder"), tmp_path).sequences] == [video]


def test_a_further_target_of_a_video_is_a_sequence(tmp_path: Path) -> None:
    """As in training; another name without frames of its own is none."""
    for name in ("v", "v.track2", "v.old"):
        text(tmp_path / f"{name}.txt", ROWS)
    video = text(tmp_path / "v.mp4", "")
    with pytest.raises(DatasetError, match=r"missing: frames of v\.old \(v\.old/img\)$"):
        open_dataset(find_spec("folder"), tmp_path)
    opened = open_dataset(find_spec("folder"), tmp_path, partial=True)
    assert [(s.name, s.video) for s in opened.sequences] == [("v", video), ("v.track2", video)]


def test_a_vot_run_may_lie_in_the_folder_itself(tmp_path: Path) -> None:
    text(tmp_path / "v_001.txt", "1\n1,2,3,4\n")
    text(tmp_path / "v_002.txt", "1\n2\n")
    (run,) = read_runs(tmp_path, find_spec("vot2018"), Sequence("v_001", np.ones((2, 4))))
    assert run.codes.tolist() == [1, -1]
