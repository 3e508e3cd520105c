"""Where siamtrack says what people mean, and what is wrong: boxes, pages, sizes, limits."""

from __future__ import annotations

import re
import resource
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest

from siamcli.atomic import as_output_error, write_text
from siamcli.errors import InputError, OutputError
from siamcli.frames import SourceInfo
from siamcli.media.sources import open_source
from siamcli.media.video import VideoWriter
from siamcli.session.job import Job
from siamcli.session.session import Session
from siamcli.targets import parse_target

SIZE = (160, 120)
CORNERS = "were these corners? --box-format xyxy"
LEAVES, COVERS = f"leaves the 160x120 frame; {CORNERS}", f"covers most of the 160x120 frame; {CORNERS}"


COUNTED = (
    "frame clip box file task image video row number label line point target sequence engine pair folder"
)
SEVERAL = {"batch.py", "coco.py", "cvat.py", "files.py", "reading.py"}  # said only of more than one


def test_no_message_has_a_number_before_a_fixed_plural():
    """`counted` says `1 frame` and `2 frames`; a rate, such as `25 frames per second`, has a format."""
    things = "|".join(f"{thing}(es|s)" for thing in COUNTED.split())
    fixed = re.compile(rf'f".*\{{[^:{{}}]+\}} (of \{{[^}}]*\}} |more )?({things})\b(?!/s)')
    package = Path(__file__).parents[1] / "siamcli"
    found = {path.name for path in package.rglob("*.py") if fixed.search(path.read_text("utf-8"))}
    assert found == SEVERAL


@pytest.fixture
def run(siamtrack, weights, tmp_path):
    """A command on a clip of 160x120, which `CLIP` stands for."""
    clip = clips.constant(tmp_path / "clip.mp4", frames=3, size=SIZE)

    def run(command: str, *more: object):
        return siamtrack(command, clip, "--weights", weights, *more)

    return run


@pytest.mark.parametrize(
    ("box", "note"),
    [
        ("60,40,110,90", LEAVES),
        ("3,3,154,114", COVERS),
        ("0%,0%,95%,95%", "covers most of the 160x120 frame"),
        ("100,60,90,30", "leaves the 160x120 frame"),
    ],
)
def test_a_box_that_is_unusual_is_said_to_be(run, box: str, note: str) -> None:
    Path("b.txt").write_text(f"{box}\n")
    Path("m.csv").write_text(f'clip,box\nclip.mp4,"{box}"\n')
    ways = [("run", "--box", box), ("run", "--box-file", "b.txt"), ("run", "--box-at", f"1f={box}")]
    for command, *way in [*ways, ("batch", "--boxes", "m.csv", "--output-dir", "out")]:
        done = run(command, *way, *(["-o", "a.json", "-y"] if command == "run" else ["-f", "json"]))
        assert done.code == 0 and "clip.mp4: box " in done.err and f" {note}\n" in done.err, done.err
        assert (CORNERS in done.err) == (CORNERS in note)


def test_a_box_that_fits_has_no_note(run) -> None:
    done = run("run", "--box", "20,30,36,30", "--box", "0,0,37,30", "--box", "130,90,32,30", "-o", "a.json")
    assert (
        done.code == 0 and "frame;" not in done.err and "leaves" not in done.err and "covers" not in done.err
    )


@pytest.mark.parametrize(
    "address",
    ["https://www.youtube.com/watch?v=xxxx&t=3", "https://youtu.be/xxxx", "http://m.youtube.com/shorts/xxxx"],
)
def test_a_page_is_not_a_video(address: str) -> None:
    with pytest.raises(InputError, match="is a page, not a video") as refused:
        open_source(address)
    assert "yt-dlp -o - URL | siamtrack run - " in str(refused.value.hint)


@pytest.mark.parametrize("size", [(16400, 16), (16, 16400)])
def test_frames_that_no_video_takes_are_refused_first(
    siamtrack, weights, tmp_path, monkeypatch, size
) -> None:
    (tmp_path / "images").mkdir()
    for name in ("1.png", "2.png"):
        cv2.imwrite(str(tmp_path / "images" / name), np.zeros((size[1], size[0], 3), np.uint8))
    says = f"{size[0]}x{size[1]} are too large for H.264 (16384 at most)"
    job = Job("images", (parse_target("4,4,10,10"),), ("a.json", "a.mp4"))
    refused = pytest.raises(OutputError, match=re.escape(says))
    with refused, Session(job, lambda: pytest.fail("the tracker is loaded")):
        pass
    run = ("run", "images", "--weights", weights, "--box", "4,4,10,10", "--fps", "5")
    assert siamtrack(*run, "-o", "a.json", "-o", "a.mp4").code == 8
    assert [path.name for path in tmp_path.iterdir()] == ["images"]
    assert siamtrack(*run, "-o", "a.json").code == 0
    monkeypatch.setattr("siamcli.cli.commands.fix.loader_again", lambda _: pytest.fail("it is loaded"))
    for command in (("render", "images", "a.json"), ("fix", "images", "a.json", "--absent", "1f-1f")):
        done = siamtrack(*command, "-o", "a.mp4")
        assert done.code == 8 and says in done.err and not Path("a.mp4").exists()
    # a part of such a frame is a video
    assert siamtrack("render", "images", "a.json", "--crop", "--aspect", "1:1", "-o", "a.mp4").code == 0


def test_a_limit_of_the_shell_is_called_so(tmp_path: Path) -> None:
    """A full disk has other words."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    noise = np.random.default_rng(0).integers(0, 255, (120, 160, 3), np.uint8)
    resource.setrlimit(resource.RLIMIT_FSIZE, (512, hard))
    try:
        with pytest.raises(OutputError, match=r"a\.json: File too large") as text:
            write_text(tmp_path / "a.json", "x" * 1000)
        with (
            pytest.raises(OutputError, match=r"a\.mp4: File too large") as video,
            VideoWriter(str(tmp_path / "a.mp4"), SourceInfo("a", SIZE), overwrite=False) as writer,
        ):
            for _ in range(40):
                writer.write(noise, None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert all("`ulimit -f`" in str(error.value.hint) for error in (text, video))
    assert not list(tmp_path.iterdir())
    with pytest.raises(OutputError) as full, as_output_error(tmp_path):
        raise OSError(28, "No space left on device")
    assert full.value.hint == "free some space, or choose another folder"
    with pytest.raises(OutputError) as frozen, as_output_error(tmp_path):
        raise OSError(30, "Read-only file system")
    assert frozen.value.hint == "choose another folder"
