"""Outputs appear whole or not at all, and spare what somebody else keeps beside them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from siamcli.batch.status import merge
from siamcli.checkpoints.native import Checkpoint, write_native
from siamcli.errors import OutputError
from siamcli.formats.files import write_files
from siamcli.model.siamrpn import SiamRPN
from siamcli.model.spec import SPECS, TrackerParams
from siamcli.parts import PartFile, part_path, whole_file, whole_folder, write_text
from siamcli.train.resume import Progress, write_progress

THEIRS = "a download of somebody else's"


def native(path: Path) -> None:
    spec = SPECS["siamrpnpp-r18"]
    write_native(Checkpoint(spec, TrackerParams(), SiamRPN(spec).state_dict(), "x"), path, "int8")


def progress(path: Path) -> None:
    write_progress(Progress("track", 1, 2, "", {"a": torch.ones(1)}, {}, []), path)


def converted(path: Path) -> None:
    write_files({path: "1"}, overwrite=True)


def merged(path: Path) -> None:
    merge([], path, overwrite=True)


def folder(path: Path) -> None:
    with whole_folder(path, overwrite=True) as part:
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
        part_path(target, own=True).mkdir()
        (part_path(target, own=True) / "old").write_text("half")
    else:
        part_path(target).write_text("half")
    write(target)
    assert list(tmp_path.iterdir()) == [target]
    assert not target.is_dir() or [p.name for p in target.iterdir()] == ["inner"]


def fill(path: Path, name: str) -> None:
    (path / name if path.is_dir() else path).write_text(name)


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
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


def test_one_run_at_a_time_writes_a_file(tmp_path: Path) -> None:
    target = tmp_path / "out"
    first = PartFile(target, overwrite=False)
    first.path.write_text("first")
    with pytest.raises(OutputError, match="another run is writing"):
        PartFile(target, overwrite=True)
    first.commit()
    assert target.read_text() == "first"
    with pytest.raises(OutputError, match="exists"):
        PartFile(target, overwrite=False)
    second = PartFile(target, overwrite=True)
    first.discard()  # has its name: nothing of anybody is removed
    second.path.write_text("second")
    second.commit()
    assert [(path, path.read_text()) for path in tmp_path.iterdir()] == [(target, "second")]


def test_a_part_that_is_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "theirs").write_text(THEIRS)
    part_path(tmp_path / "out").symlink_to(tmp_path / "theirs")
    with pytest.raises(OutputError, match="cannot write"):
        PartFile(tmp_path / "out", overwrite=True)
    assert (tmp_path / "theirs").read_text() == THEIRS
