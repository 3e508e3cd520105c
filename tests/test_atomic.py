"""Outputs appear whole or not at all, and spare what somebody else keeps beside them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, nullcontext, suppress
from fractions import Fraction
from pathlib import Path
from threading import Timer

import clips
import cv2
import pytest
import torch

from siamcli.atomic import (
    AtomicFile,
    Unfinished,
    atomic_file,
    atomic_folder,
    lock,
    make_folder,
    partial_path,
    write_text,
)
from siamcli.batch.status import StatusFile, merge
from siamcli.boxes import Box
from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.errors import InputError, OutputError
from siamcli.formats.files import read_trajectory, write_files
from siamcli.frames import Frame, SourceInfo
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.session.outputs import Outputs
from siamcli.train.resume import TrainingState, write_progress
from siamcli.trajectory import TrackHeader, TrackPoint

THEIRS = "a download of somebody else's"


def native(path: Path) -> None:
    spec = SPECS["siamrpnpp-r18"]
    write_native(Checkpoint(spec, TrackerParams(), SiamRPN(spec).state_dict(), "x"), path, "int8")


def progress(path: Path) -> None:
    write_progress(TrainingState("track", 1, 2, "", {"a": torch.ones(1)}, {}, []), path)


def converted(path: Path) -> None:
    write_files({path: "1"}, overwrite=True)


def merged(path: Path) -> None:
    merge([], path, overwrite=True)


def folder(path: Path) -> None:
    with atomic_folder(path, overwrite=True) as part:
        (part / "inner").write_text("new")


WRITES: dict[str, Callable[[Path], None]] = {
    "text": lambda path: write_text(path, "new"),
    "native": native,
    "progress": progress,
    "converted": converted,
    "merged": merged,
    "folder": folder,
}


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_a_part_of_somebody_else_is_spared(tmp_path: Path, write: Callable[[Path], None]) -> None:
    target, theirs = tmp_path / "out", tmp_path / "out.part"
    theirs.write_text(THEIRS)
    for _ in range(2):  # the second time in place of the first
        write(target)
        assert theirs.read_text() == THEIRS
        assert sorted(tmp_path.iterdir()) == [target, theirs]


@pytest.mark.parametrize("write", WRITES.values(), ids=WRITES)
def test_what_a_killed_run_left_is_replaced(tmp_path: Path, write: Callable[[Path], None]) -> None:
    target = tmp_path / "out"
    if write is folder:
        partial_path(target, per_process=True).mkdir()
        (partial_path(target, per_process=True) / "old").write_text("half")
    else:
        partial_path(target).write_text("half")
    write(target)
    assert list(tmp_path.iterdir()) == [target]
    assert not target.is_dir() or [p.name for p in target.iterdir()] == ["inner"]


def fill(path: Path, name: str) -> None:
    (path / name if path.is_dir() else path).write_text(name)


@pytest.mark.parametrize("whole", [atomic_file, atomic_folder])
@pytest.mark.parametrize(
    ("stop", "seen"),
    [(ValueError, ValueError), (KeyboardInterrupt, KeyboardInterrupt), (OSError, OutputError)],
)
def test_what_fails_leaves_what_was_there(
    tmp_path: Path,
    whole: Callable[..., object],
    stop: type[BaseException],
    seen: type[BaseException],
) -> None:
    target = tmp_path / "out"
    with whole(target, overwrite=False) as part:
        fill(part, "old")
        assert not target.exists()
    before = list(tmp_path.rglob("*"))
    with pytest.raises(seen), whole(target, overwrite=True) as part:
        fill(part, "new")
        raise stop
    assert list(tmp_path.rglob("*")) == before
    assert (target / "old" if target.is_dir() else target).read_text() == "old"
    with pytest.raises(OutputError, match="exists"), whole(target, overwrite=False):
        pytest.fail("must not begin")


@pytest.mark.usefixtures("impatient")
def test_one_run_at_a_time_writes_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    first = AtomicFile(target, overwrite=False)
    first.path.write_text("first")
    with pytest.raises(OutputError, match="another run is writing"):
        AtomicFile(target, overwrite=True)
    first.commit()
    assert target.read_text() == "first"
    with pytest.raises(OutputError, match="exists"):
        AtomicFile(target, overwrite=False)
    second = AtomicFile(target, overwrite=True)
    first.discard()  # has its name: nothing of anybody is removed
    second.path.write_text("second")
    second.commit()
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(target, "second")]


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(THEIRS)
    partial_path(tmp_path / "out").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match="cannot write"):
        AtomicFile(tmp_path / "out", overwrite=True)
    assert (tmp_path / "theirs").read_text() == THEIRS


RESULTS = ["a.json", "a.jsonl", "a.csv", "a.txt", "a.mp4", "a.mkv"]


@pytest.mark.parametrize("name", RESULTS)
@pytest.mark.parametrize(
    ("there", "unfinished", "stop", "kept"),
    [
        (False, "kept", None, "a"),
        (False, "kept", InputError, "a"),
        (False, "kept", KeyboardInterrupt, "a"),
        (False, "beside", None, "a"),
        (False, "beside", InputError, "a.incomplete"),
        (False, "beside", KeyboardInterrupt, "a.incomplete"),
        (False, "removed", KeyboardInterrupt, None),
        (True, "kept", None, "a"),
        (True, "kept", InputError, "a.incomplete"),
        (True, "kept", KeyboardInterrupt, "a.incomplete"),
        (True, "beside", None, "a"),
        (True, "beside", KeyboardInterrupt, "a.incomplete"),
        (True, "removed", None, "a"),
        (True, "removed", KeyboardInterrupt, None),
    ],
)
def test_only_what_is_whole_replaces_a_result(
    tmp_path: Path,
    name: str,
    there: bool,
    unfinished: Unfinished,
    stop: type[BaseException] | None,
    kept: str | None,
) -> None:
    target = tmp_path / name
    if there:
        target.write_text("whole")
    header = TrackHeader(SourceInfo("a", (96, 64), Fraction(25)), "", "", "")
    outputs = Outputs([str(target)], header, overwrite=there, unfinished=unfinished)
    with pytest.raises(stop) if stop else nullcontext(), outputs:
        for n in range(2):
            outputs.write(
                Frame(n, n / 25, clips.image(n)), [TrackPoint(n, n / 25, Box(1, 2, 3, 4), 1, "init")]
            )
        if stop:
            raise stop("stopped")
    place = None if kept is None else tmp_path / f"{kept}{target.suffix}"
    assert outputs.written == ([] if place is None else [str(place)])
    assert outputs.incomplete == (outputs.written if stop else [])
    assert set(tmp_path.iterdir()) == {p for p in (place, target if there else None) if p}
    assert not there or (target.read_bytes() == b"whole") == (place != target)
    if place and place.suffix in (".json", ".jsonl"):
        assert (len(read_trajectory(place).points), read_trajectory(place).complete) == (2, stop is None)
    elif place and place.suffix in (".mp4", ".mkv"):
        assert cv2.VideoCapture(str(place)).read()[0]


def test_what_a_killed_run_still_writes_reaches_no_other_run(tmp_path: Path) -> None:
    """Its encoder has the part open, when the run itself is gone and the same output is made again."""
    target = tmp_path / "out"
    partial_path(target).write_text("half")
    with partial_path(target).open("r+") as encoder:
        second = AtomicFile(target, overwrite=False)
        second.path.write_text("second")
        encoder.write("much later, the killed run")
        encoder.flush()
        second.commit()
        encoder.write(" and its end")
    assert target.read_text() == "second"
    assert list(tmp_path.iterdir()) == [target]


def begin_part(target: Path) -> AbstractContextManager[object]:
    return atomic_file(target, overwrite=True)


@pytest.mark.parametrize("begin", [begin_part, StatusFile])
def test_a_lock_that_a_killed_run_still_has_is_waited_for(
    tmp_path: Path, begin: Callable[[Path], AbstractContextManager[object]]
) -> None:
    """After kill -9 it lasts as long as its memory is taken down, or a child is about to become ffmpeg."""
    target = tmp_path / "out"
    path = target if begin is StatusFile else partial_path(target)
    path.touch()
    killed = path.open()
    assert lock(killed.fileno())
    dying = Timer(0.2, killed.close)
    dying.start()
    with begin(target):
        assert killed.closed
    dying.join()


@pytest.mark.usefixtures("impatient")
def test_a_second_pass_is_nobody_elses(tmp_path: Path) -> None:
    target = tmp_path / "out"
    first = AtomicFile(target, overwrite=True)
    first.path.write_text("frames")
    with first.second_pass() as (mixed, take):
        mixed.write_text("frames and sound")
        take()
        with pytest.raises(OutputError, match="another run is writing"):
            AtomicFile(target, overwrite=True)
    with pytest.raises(OutputError, match="another run is writing"):
        AtomicFile(target, overwrite=True)
    with first.second_pass() as (mixed, _):
        mixed.write_text("not taken")
    first.commit()
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(target, "frames and sound")]


@pytest.mark.usefixtures("impatient")
def test_one_of_many_that_begin_at_once_gets_the_part(tmp_path: Path) -> None:
    """Also where a killed run has left one behind, which each of them wants to remove."""

    def begin(target: Path) -> AtomicFile | None:
        with suppress(OutputError):
            return AtomicFile(target, overwrite=True)
        return None

    with ThreadPoolExecutor(8) as pool:
        for n in range(40):
            target = tmp_path / f"out{n}"
            partial_path(target).write_text("half")
            begun = [part for part in pool.map(begin, [target] * 8) if part]
            assert len(begun) == 1
            begun[0].path.write_text("mine")
            begun[0].commit()
            assert target.read_text() == "mine"
    assert len(list(tmp_path.iterdir())) == 40


@pytest.mark.parametrize("path", ["http://host/a", "s3://bucket/x/y"])
def test_an_address_is_no_folder(tmp_path, monkeypatch, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OutputError, match="cannot write to the address"):
        make_folder(Path(path))
    assert not list(tmp_path.iterdir())
    (tmp_path / "ab:").mkdir()
    make_folder(Path("ab:/c"))
    assert (tmp_path / "ab:" / "c").is_dir()
