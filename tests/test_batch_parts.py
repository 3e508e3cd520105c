"""The parts of a batch by themselves: names, shards, manifests, the status file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from siamcli.batch.clips import Clip, Shard, find_clips, output_names, read_names
from siamcli.batch.manifest import Boxes, read_manifest
from siamcli.batch.schedule import default_concurrency
from siamcli.batch.status import Entry, StatusFile, latest_entries, merge, read_status
from siamcli.cli.tally import say_passed
from siamcli.cores import available_memory
from siamcli.errors import InputError, OutputError
from siamcli.media.sources import open_source
from siamcli.targets import parse_target
from siamcli.times import TimePoint

names = st.lists(st.text("abAB", min_size=1, max_size=2), max_size=12)


def entry(id="a.mp4", state="done", at="2026-01-01T00:00:00", **more):
    return Entry(id, id, "k", state, at, **more)


@settings(deadline=None)
@given(names, names)
def test_output_names_never_collide(now, before):
    """Neither within a batch nor with one before, also where upper and lower case are the same."""
    earlier = [f"x/{n}" for n in range(len(before))]
    taken = dict(zip(map(str.casefold, before), earlier, strict=True))
    ids = [f"y/{n}" for n in range(len(now))]
    got = output_names([Clip(id, stem) for id, stem in zip(ids, now, strict=True)], ids, taken)
    folded = [name.casefold() for name in got]
    assert len(set(folded)) == len(folded) and not set(folded) & set(taken)


@settings(deadline=None)
@given(st.integers(1, 9), st.sets(st.text(max_size=5), max_size=40))
def test_every_clip_is_in_one_shard(count, ids):
    shards = [Shard.parse(f"{number}/{count}") for number in range(1, count + 1)]
    assert all(sum(shard.holds(id) for shard in shards) == 1 for id in ids)


def test_shards_are_about_equal():
    sizes = [sum(Shard(n, 4).holds(f"clip{i}.mp4") for i in range(1000)) for n in (1, 2, 3, 4)]
    assert min(sizes) > 200


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "", "1/" + "9" * 5000])
def test_what_is_no_shard(text):
    with pytest.raises(InputError, match="not a shard"):
        Shard.parse(text)


def touch(folder: Path, *names: str) -> None:
    """Empty files, and the folders that they lie in."""
    for path in map(folder.joinpath, names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_finding_clips(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    touch(
        tmp_path / "clips",
        "b10.mp4",
        "b2.MOV",
        "b2.tracked.mp4",
        ".hidden.mp4",
        "notes.txt",
        "in/c.mkv",
        "shots/1.png",
    )
    flat = [("clips/b2.MOV", "b2"), ("clips/b10.mp4", "b10")]
    deep = [*flat, ("clips/in/c.mkv", "in/c"), ("clips/shots", "shots")]

    def found(*named, recursive=False):
        return [(clip.source, clip.stem) for clip in find_clips(named, recursive=recursive).clips]

    assert found("clips") == flat
    assert found("clips", recursive=True) == deep
    assert found("clips/*.mp4") == flat[1:]
    assert found("./clips/b10.mp4", "clips", str(tmp_path / "clips/b2.MOV")) == [
        ("./clips/b10.mp4", "b10"),
        flat[0],
    ]
    assert find_clips(["clips/b2.MOV", "clips"], recursive=False).duplicates == ["clips/b2.MOV"]
    assert found("clips/shots") == [("clips/shots", "shots")]
    assert found("gone.mp4", "x*.mp4", "http://a.b/c.mp4?d") == [
        ("gone.mp4", "gone"),
        ("x*.mp4", "x*"),
        ("http://a.b/c.mp4?d", "c"),
    ]


def test_lists_of_names():
    assert read_names("a b.mp4\n\nc.mp4\n") == ["a b.mp4", "c.mp4"]
    assert read_names("a\nb.mp4\0c.mp4\0") == ["a\nb.mp4", "c.mp4"]


MANIFEST = [
    {"clip": "a.mp4", "box": "1,2,3,4"},
    {"clip": "a.mp4", "time": "1.5", "box": "50%,2,3,4", "label": "ball"},
    {"clip": "in/b.mp4", "box": "p=5 6 7 8"},
    {"clip": "a.mp4", "box": "1,2,3,4"},
    {"clip": "c.mp4", "box": "1,2,3"},
    {"clip": "d.mp4", "box": "1,2,3,4", "time": "soon"},
    {"clip": "e.mp4", "box": ""},
]


def written(folder, suffix):
    path = folder / f"boxes{suffix}"
    if suffix == ".csv":
        rows = [",".join(f'"{row.get(c, "")}"' for c in ("clip", "time", "box", "label")) for row in MANIFEST]
        path.write_text("\n".join(["clip,time,box,label", *rows]))
    elif suffix == ".json":
        path.write_text(json.dumps(MANIFEST))
    else:
        path.write_text("\n\n".join(map(json.dumps, MANIFEST)))
    return path


@pytest.mark.parametrize("suffix", [".csv", ".json", ".jsonl"])
def test_manifests(tmp_path, suffix):
    path = written(tmp_path, suffix)
    manifest = read_manifest(path, "xywh")
    assert [Path(clip).name for clip in manifest.clips] == ["a.mp4", "b.mp4", "c.mp4", "d.mp4", "e.mp4"]
    boxes = Boxes(manifest, (), "xywh")
    first, second = boxes.of(str(tmp_path / "a.mp4"))
    assert first.values == (1, 2, 3, 4) and first.at is None and first.label is None
    assert second.label == "ball" and second.at == TimePoint(seconds=1.5) and second.percent[0]
    assert boxes.of(str(tmp_path / "in" / ".." / "in" / "b.mp4"))[0].label == "p"
    assert len(manifest.repeated) == 1 and "a.mp4" in manifest.repeated[0]
    for name, says in (("c", "not a box: '1,2,3'"), ("d", "not a time"), ("e", "no box")):
        with pytest.raises(InputError, match=says) as caught:
            boxes.of(str(tmp_path / f"{name}.mp4"))
        assert path.name in str(caught.value)


def test_zero_is_a_label_and_a_time(tmp_path):
    """As programs write them: each box without its label was a target of its own."""
    row = {"clip": "a.mp4", "label": 0}
    rows = [{**row, "box": [1, 2, 3, 4], "time": 2}, {**row, "box": "absent", "time": 0}]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    box, absence = read_manifest(tmp_path / "a.json", "xywh").of(str(tmp_path / "a.mp4"))
    assert (box.label, absence.label) == ("0", "0") and absence.moments[0] == TimePoint(seconds=0)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "file,box\nx,1\n", "columns clip and box"),
        ("a.csv", 'clip,box\n,"1,2,3,4"\n', "line 2: no clip"),
        ("a.json", "{", "line 1"),
        ("a.json", "[" * 20_000, "nested too deep"),
        ("a.jsonl", '\n{"clip": ' + "9" * 5000 + "}", "line 2: .*too many digits"),
        ("a.json", '{"a.mp4": 1}', "list of objects"),
        ("a.txt", "", "not a manifest"),
        ("gone.csv", None, "cannot read"),
    ],
)
def test_manifests_that_are_none(tmp_path, name, text, says):
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=says):
        read_manifest(tmp_path / name, "xywh")


def test_a_name_that_no_system_has_is_the_problem_of_its_clip(tmp_path):
    (tmp_path / "a.json").write_text(f'[{{"clip": "{"n" * 5000}", "box": [1, 2, 3, 4]}}]')
    (clip,) = read_manifest(tmp_path / "a.json", "xywh").clips
    with pytest.raises(InputError, match="no such file"):
        open_source(clip)


@pytest.mark.parametrize("name", ["no\0a.mp4", "no\ud800a.mp4"])
def test_a_name_that_no_file_can_have_is_the_problem_of_its_clip(tmp_path, name):
    rows = [{"clip": clip, "box": [1, 2, 3, 4]} for clip in ("a.mp4", name)]
    (tmp_path / "a.json").write_text(json.dumps(rows))
    manifest = read_manifest(tmp_path / "a.json", "xywh")
    assert manifest.clips == (str(tmp_path / "a.mp4"), str(tmp_path / "no\ufffda.mp4"))
    assert len(manifest.of(str(tmp_path / "a.mp4"))) == 1
    with pytest.raises(InputError, match="entry 2: no file can be called 'no"):
        manifest.of(str(tmp_path / "no\ufffda.mp4"))


@pytest.mark.parametrize("columns", ["clip,box", "clip,time,box,label"])
def test_an_unquoted_box_is_the_problem_of_its_clip(tmp_path, columns):
    quoted = 'b.mp4,"1,2,3,4"' if columns == "clip,box" else 'b.mp4,,"1,2,3,4",'
    (tmp_path / "a.csv").write_text(f"{columns}\na.mp4,40,60,40,30\n{quoted}\n")
    manifest = read_manifest(tmp_path / "a.csv", "xywh")
    assert len(manifest.problems) == 1 and len(manifest.targets) == 1
    (problem,) = manifest.problems.values()
    assert 'line 2: more values than columns: the box must be in quotes, as "40,60,40,30"' in str(problem)


@pytest.mark.parametrize("suffix", ["csv", "jsonl"])
@pytest.mark.parametrize("name", ["a\nb.mp4", "a\u2028b.mp4", "a\x85b.mp4"])
def test_names_with_line_ends(tmp_path, name, suffix):
    path = tmp_path / f"m.{suffix}"
    row = {"clip": name, "box": "1,2,3,4"}
    lines = f'clip,box\r\n"{name}","1,2,3,4"\r\n', json.dumps(row, ensure_ascii=False) + "\r\n"
    path.write_bytes(lines[suffix == "jsonl"].encode())
    manifest = read_manifest(path, "xywh")
    assert manifest.clips == (str(tmp_path / name),) and not manifest.problems


def test_where_boxes_come_from(tmp_path):
    """Manifest, then the file beside the clip, then the box for all."""
    for name in ("a", "b", "c", "d"):
        (tmp_path / f"{name}.mp4").touch()
    (tmp_path / "m.csv").write_text('clip,box\na.mp4,"1,1,1,1"\n')
    (tmp_path / "a.mp4.box").write_text("2,2,2,2\n")
    (tmp_path / "b.mp4.box").write_text("3,3,3,3\n4,4,4,4\n")
    (tmp_path / "c.box").write_text("5,5,5,5\n")
    manifest = read_manifest(tmp_path / "m.csv", "xywh")
    boxes = Boxes(manifest, (parse_target("6,6,6,6"),), "xywh")
    got = {name: [t.values[0] for t in boxes.of(str(tmp_path / f"{name}.mp4"))] for name in "abcd"}
    assert got == {"a": [1], "b": [3, 4], "c": [5], "d": [6]}
    with pytest.raises(InputError, match=r"no box for .*d\.mp4"):
        Boxes(manifest, (), "xywh").of(str(tmp_path / "d.mp4"))


def test_status_survives_a_line_cut_anywhere(tmp_path):
    """Whatever part of the last line a crash has left, the lines before and after it are read."""
    whole = entry().line().encode() + entry("b.mp4", error="läuft", frames=3).line().encode()
    first = len(entry().line())
    for cut in range(first, len(whole)):
        path = tmp_path / f"{cut}.jsonl"
        path.write_bytes(whole[:cut])
        with StatusFile(path) as status:
            known = set(status.entries)
            status.add(entry("c.mp4"))
        assert {"a.mp4"} <= known <= {"a.mp4", "b.mp4"} and ("b.mp4" in known) == (cut == len(whole) - 1)
        assert set(latest_entries(read_status(path))) == known | {"c.mp4"}


def test_status_keeps_the_latest(tmp_path):
    path = tmp_path / "deep" / "batch.jsonl"
    with StatusFile(path) as status:
        assert status.entries == {}
        status.add(entry(state="started", outputs=("a.json",)))
        status.add(entry(state="failed", error="no", hint="yes", code=3))
    with StatusFile(path) as status:
        assert status.entries == {"a.mp4": entry(state="failed", error="no", hint="yes", code=3)}
    assert len(path.read_text().splitlines()) == 2


@pytest.mark.usefixtures("impatient")
def test_only_one_batch_writes(tmp_path):
    with (
        StatusFile(tmp_path / "s.jsonl"),
        pytest.raises(OutputError, match="another batch"),
    ):
        StatusFile(tmp_path / "s.jsonl")
    with StatusFile(tmp_path / "s.jsonl") as status:
        status.add(entry())
        with pytest.raises(OutputError, match="another batch"):  # which then wrote into a file without a name
            merge([], tmp_path / "s.jsonl", overwrite=True)
        status.add(entry("b.mp4"))
    assert merge([tmp_path / "s.jsonl"], tmp_path / "s.jsonl", overwrite=True).keys() == {"a.mp4", "b.mp4"}


@pytest.mark.skipif(sys.platform == "win32", reason="no limits on file sizes on Windows")
@pytest.mark.parametrize("room", [0, 20])
def test_a_full_disk_is_reported(tmp_path, room):
    resource = pytest.importorskip("resource")
    with StatusFile(tmp_path / "s.jsonl") as status:
        status.add(entry())
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "s.jsonl").stat().st_size + room, hard))
        try:
            with pytest.raises(OutputError, match=r"cannot write .*s\.jsonl"):
                status.add(entry("b.mp4"))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    with StatusFile(tmp_path / "s.jsonl") as status:
        assert set(status.entries) == {"a.mp4"}


def test_merge_joins_status_files_of_one_folder(tmp_path):
    one, two = tmp_path / "1.jsonl", tmp_path / "2.jsonl"
    one.write_text(entry(state="failed", at="1").line() + entry("b.mp4", at="4").line())
    two.write_text(entry(state="done", at="3").line() + '{"half')
    merged = merge([one, two], tmp_path / "all.jsonl", overwrite=False)
    assert {id: e.state for id, e in merged.items()} == {"a.mp4": "done", "b.mp4": "done"}
    assert [e.at for e in read_status(tmp_path / "all.jsonl")] == ["1", "3", "4"]
    with pytest.raises(OutputError, match="exists"):
        merge([one], tmp_path / "all.jsonl", overwrite=False)
    with pytest.raises(InputError, match=r"in/all\.jsonl must lie beside .*1\.jsonl") as caught:
        merge([one], tmp_path / "in" / "all.jsonl", overwrite=False)
    assert caught.value.hint == f"-o {tmp_path / 'all.jsonl'}"
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "1.jsonl").write_text(one.read_text())
    with pytest.raises(InputError, match="different folders"):
        merge([one, tmp_path / "in" / "1.jsonl"], tmp_path / "x.jsonl", overwrite=False)
    (tmp_path / "3.jsonl").write_text("not\nours\n")
    for target in (tmp_path / "x.jsonl", tmp_path / "in" / "x.jsonl"):
        with pytest.raises(InputError, match=r"3\.jsonl is not a status file"):
            merge([tmp_path / "3.jsonl"], target, overwrite=False)


def test_what_was_corrected_after_a_merge_is_known_to_shards_and_to_the_next_merge(tmp_path):
    """A shard that was run again with other boxes, and a second merge, knew nothing of it."""
    shard, whole = tmp_path / "batch.1-of-2.jsonl", tmp_path / "batch.jsonl"
    shard.write_text("".join(entry(name, at="1").line() for name in ("a.mp4", "b.mp4", "c.mp4")))
    merge([shard], whole, overwrite=False)
    with whole.open("a") as lines:
        lines.write("".join(entry(name, at="2", corrected=True).line() for name in ("a.mp4", "b.mp4")))
    with shard.open("a") as lines:
        lines.write(entry("b.mp4", at="3").line())  # tracked anew, by -y
    with StatusFile(shard) as status:
        assert {id: e.corrected for id, e in status.entries.items()} == {
            "a.mp4": True,
            "b.mp4": None,
            "c.mp4": None,
        }
    assert [id for id, e in merge([shard], whole, overwrite=True).items() if e.corrected] == ["a.mp4"]
    assert latest_entries(read_status(whole))["a.mp4"].corrected


@pytest.mark.parametrize(
    ("available", "cores", "on_gpu", "width"),
    [
        (8_000_000_000, 4, False, 5),
        (8_000_000_000, 4, True, 8),
        (2_500_000_000, 4, False, 2),
        (100_000_000, 4, False, 1),
    ],
)
def test_width_by_cores_and_available_memory(monkeypatch, available, cores, on_gpu, width):
    """What the page cache holds is available, however little is free."""
    memory = SimpleNamespace(available=available, free=50_000_000, total=16_000_000_000)
    monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
    monkeypatch.setattr("siamcli.cores.CGROUP", Path("/nowhere"))
    monkeypatch.setattr("siamcli.batch.schedule.usable_cores", lambda: cores)
    assert default_concurrency(on_gpu) == width


@pytest.mark.parametrize(
    ("limit", "expected"), [("max", 8_000_000_000), ("3000000000", 2_500_000_000), ("900000000", 400_000_000)]
)
def test_a_control_group_limits_memory(monkeypatch, tmp_path, limit, expected):
    """Its page cache is given back before anything is refused."""
    monkeypatch.setattr("psutil.virtual_memory", lambda: SimpleNamespace(available=8_000_000_000))
    monkeypatch.setattr("siamcli.cores.CGROUP", tmp_path)
    (tmp_path / "memory.max").write_text(f"{limit}\n")
    (tmp_path / "memory.current").write_text("800000000\n")
    (tmp_path / "memory.stat").write_text("anon 500000000\nfile 300000000\ninactive_file 300000000\n")
    assert available_memory() == expected


def test_a_folder_is_entered_once_and_those_of_the_system_never(tmp_path):
    touch(
        tmp_path / "clips",
        "one/a.mp4",
        "one/shots/1.png",
        "@eaDir/a.mp4/SCREEN.png",
        "lost+found/b.mp4",
        "$RECYCLE.BIN/c.mp4",
    )
    (tmp_path / "clips/one/loop").symlink_to("..")
    (tmp_path / "clips/two").symlink_to("one")
    (tmp_path / "clips/zshots").symlink_to("one/shots")
    found, again, _ = find_clips([str(tmp_path / "clips")], recursive=True)
    assert [clip.stem for clip in found] == ["one/a", "one/shots"] and not again


def test_a_link_to_a_video_that_is_gone_is_a_clip_that_fails(tmp_path):
    """A pipe of such a name is none: who opens it waits."""
    (tmp_path / "a.mp4").symlink_to("gone.mp4")
    os.mkfifo(tmp_path / "b.mp4")
    (clip,), _, passed = find_clips([str(tmp_path)], recursive=False)
    assert clip.stem == "a" and passed == [tmp_path / "b.mp4"]
    with pytest.raises(InputError, match=r"no such file or folder: .*a\.mp4"):
        open_source(clip.source)


@pytest.mark.parametrize("name", ["pi.h264", "cam.mjpeg", "g.gif", "b.QT", "c.m2t"])
def test_a_folder_gives_what_run_reads(tmp_path, name):
    (tmp_path / name).touch()
    (clip,) = find_clips([str(tmp_path)], recursive=False).clips
    assert clip.source == str(tmp_path / name)


def test_what_a_folder_holds_beside_its_clips_is_counted_in_one_line(tmp_path, monkeypatch, capfd):
    """Not the boxes of clips, nor what is of the batch, nor what lies beside images that are a clip."""
    monkeypatch.chdir(tmp_path)
    files = ("a.mp4", "a.mp4.box", "a.srt", "B.TXT", "notes", "x.tracked.json", ".hidden", "boxes.csv")
    touch(tmp_path / "clips", *files, "in/b.mp4", "shots/1.png", "shots/notes.txt", "tracked/batch.jsonl")
    flat = find_clips(["clips"], recursive=False).passed
    names = ["a.srt", "B.TXT", "boxes.csv", "in", "notes", "shots", "tracked"]
    assert [path.name for path in flat] == names
    deep = find_clips(["clips"], recursive=True).passed
    assert {path.name for path in deep} == {"a.srt", "B.TXT", "boxes.csv", "notes", "batch.jsonl"}
    for passed, said in (
        (flat, "skipped: 3 files that are not videos (.srt .txt notes), 2 folders (-r looks there too)"),
        (deep, "skipped: 3 files that are not videos (.srt .txt notes)"),
        ([Path("clips/in")], "skipped: 1 folder (-r looks there too)"),
        ([], ""),
    ):
        say_passed(passed, [Path("clips/tracked"), tmp_path / "clips/boxes.csv"])
        assert " ".join(capfd.readouterr().err.split()) == said


def test_a_folder_that_may_not_be_read_is_a_clip_that_fails(tmp_path, monkeypatch):
    for name in ("clips/a.mp4", "clips/locked/b.mp4"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    listed = Path.iterdir

    def iterdir(folder: Path):
        if folder.name == "locked":  # nothing is locked for root
            raise PermissionError(13, "Permission denied", str(folder))
        return listed(folder)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    found, _, _ = find_clips([str(tmp_path / "clips")], recursive=True)
    assert [clip.stem for clip in found] == ["a", "locked"]
    with pytest.raises(InputError, match=r"cannot read .*locked: Permission denied"):
        open_source(found[1].source)
