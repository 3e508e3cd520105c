"""Several files as one recording: indices, times, pictures and sound run on."""

from __future__ import annotations

import json
import subprocess
from fractions import Fraction
from pathlib import Path

import clips
import numpy as np
import pytest

from siamcli import Frame, Start, fix, join_files, load_tracker, open_source, read_trajectory
from siamcli.boxes import Box
from siamcli.errors import InputError
from siamcli.formats.files import write_trajectory
from siamcli.media.ffmpeg import ffmpeg_exe
from siamcli.media.kinds import source_name
from siamcli.media.reverse import frames_at, reversed_frames
from siamcli.media.soundtrack import soundtrack
from siamcli.media.video import VideoWriter
from siamcli.session.fit import MisfitError
from siamcli.session.reading import Reading
from siamcli.session.render import draw_video
from siamcli.times import TimePoint, parse_time
from siamcli.trajectory import TrackHeader, TrackPoint, Trajectory

LENGTHS = {"a": 12, "b": 9, "c": 6}
FRAME = 1001 / 30000
BOX = ("--box", "40,20,20,20")


def chapters(folder: Path, suffix: str = ".mp4", *options: str) -> str:
    """Three files as one source; every frame shows its number in its file."""
    files = [clips.constant(folder / f"{name}{suffix}", *options, frames=n) for name, n in LENGTHS.items()]
    return join_files([str(file) for file in files])


def seen(frame: Frame) -> tuple[int, float, int]:
    assert frame.time is not None
    return frame.index, round(frame.time, 3), clips.number(frame.image)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".ts", ".avi"])
def test_indices_times_and_pictures_run_on(tmp_path: Path, suffix: str) -> None:
    source = chapters(tmp_path, suffix)
    with open_source(source) as frames:
        assert (frames.info.name, frames.info.size) == ("a", clips.SIZE)
        assert [chapter.name for chapter in frames.info.chapters] == [f"{n}{suffix}" for n in LENGTHS]
        every = [seen(frame) for frame in frames]
        assert frames.info.count == 27
        assert [chapter.frame for chapter in frames.info.chapters] == [0, 12, 21]
    assert [(index, number) for index, _, number in every] == [
        *((i, i) for i in range(12)),
        *((12 + i, i) for i in range(9)),
        *((21 + i, i) for i in range(6)),
    ]
    first = every[0][1]  # AVI counts from the first packet, which is shown later
    assert [time for _, time, _ in every] == pytest.approx([first + i * FRAME for i in range(27)], abs=0.003)
    for start, end, stride in (("5f", "24f", 3), ("12f", "13f", 1), ("0.75", "0.95", 1), ("20f", None, 2)):
        first, last = parse_time(start), end and parse_time(end)
        with open_source(source, start=first, end=last or None, stride=stride) as frames:
            part = [seen(frame) for frame in frames]
        within = [s for s in every if first.is_reached(*s[:2]) and not (last and last.is_reached(*s[:2]))]
        assert part == within[::stride]


def test_frames_are_found_in_any_order(tmp_path: Path) -> None:
    """What correcting and tracking backward do: stretches, the last one first."""
    source = chapters(tmp_path)

    def reopen(**cut: TimePoint):
        return open_source(source, **cut)

    wanted = [3, 11, 12, 20, 21, 26]
    forward = [seen(frame) for frame in frames_at(reopen, wanted)]
    assert [index for index, _, _ in forward] == wanted
    assert [number for _, _, number in forward] == [3, 11, 0, 8, 0, 5]
    tiny = 2 * clips.SIZE[0] * clips.SIZE[1] * 3
    assert [seen(f) for f in reversed_frames(reopen, wanted, clips.SIZE, memory=tiny)] == forward[::-1]


def test_a_start_after_the_end_says_how_long_all_of_it_is(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match=r"a: no frame between start and end: it has 27 frames, 0\.90 s"),
        open_source(chapters(tmp_path), start=parse_time("30f")) as frames,
    ):
        list(frames)


def test_timecode_and_variable_times_count_over_the_whole(tmp_path: Path) -> None:
    source = chapters(tmp_path)
    with open_source(source, start=parse_time("00:00:00:22")) as frames:
        assert [frame.index for frame in frames] == list(range(22, 27))
    variable = join_files([str(clips.variable(tmp_path / f"{name}.mp4")) for name in ("v", "w")])
    with open_source(variable) as frames:
        assert frames.info.variable
        times = [frame.time for frame in frames]
    with open_source(str(tmp_path / "v.mp4")) as frames:
        alone = [frame.time for frame in frames]
    assert times[: len(alone)] == alone
    assert np.diff(times[len(alone) :]) == pytest.approx(np.diff(alone))
    assert times[len(alone)] > times[len(alone) - 1]
    without_25 = ("-vf", "select=not(eq(n\\,25))", "-fps_mode", "vfr", "-c:v", "libx264")
    gap = [clips.constant(tmp_path / "whole.mkv"), clips.constant(tmp_path / "gap.mkv", *without_25)]
    with pytest.raises(InputError, match="varies"):
        open_source(join_files([str(path) for path in gap]), start=parse_time("00:00:00:22"))


def test_what_is_not_one_recording(tmp_path: Path) -> None:
    a = str(clips.constant(tmp_path / "a.mp4", frames=3))
    large = str(clips.constant(tmp_path / "large.mp4", frames=3, size=(128, 96)))
    slow = str(clips.constant(tmp_path / "slow.mp4", "-vf", "setpts=2*PTS", "-r", "15", frames=6))
    wide = str(clips.constant(tmp_path / "wide.mp4", "-vf", "setsar=4/3", frames=3))
    for other, problem in (
        (large, "frames of 96x64 and .*large.mp4 128x96"),
        (wide, "pixels 1 as wide as high and .*wide.mp4 4/3"),
        (slow, "29.97 .*slow.mp4 15"),
    ):
        with pytest.raises(InputError, match=problem) as caught:
            open_source(join_files([a, other]))
        assert "not one recording" in str(caught.value) and caught.value.hint
    images = str(clips.folder(tmp_path / "images", frames=3))
    wrong = {"-": "not a video file", "gone.mp4": "no such file", images: "not a video", a: "named twice"}
    for other, problem in wrong.items():
        with pytest.raises(InputError, match=problem) as caught:
            join_files([a, other])
        assert caught.value.hint
    assert join_files([a]) == a
    with pytest.raises(InputError, match="no file to join"):
        join_files([])


def test_a_damaged_file_ends_it_and_is_named(tmp_path: Path) -> None:
    files = [clips.constant(tmp_path / f"{name}.mp4", frames=90) for name in "ab"]
    files[0] = clips.damaged(files[0], 0.6)
    found: list[int] = []
    with (
        pytest.raises(InputError, match=r"cut_a\.mp4 is damaged or cut short") as caught,
        open_source(join_files([str(file) for file in files])) as frames,
    ):
        found.extend(frame.index for frame in frames)
    assert found and found == list(range(len(found)))
    assert f"{files[1]} was not read" in str(caught.value.hint)


def test_tables_name_it_by_its_first_file(tmp_path: Path) -> None:
    name = source_name(chapters(tmp_path))
    assert (name.kind, name.stem, name.has_sound) == ("joined", "a", True)
    assert name.key == source_name(str(tmp_path / "a.mp4")).key
    assert name.relative_to(tmp_path) == "a.mp4"
    assert name.shown == f"{tmp_path / 'a.mp4'} and 2 more" and "\0" not in name.shown


@pytest.fixture
def recording(tmp_path: Path) -> list[str]:
    """Three files with a tone each; the second has no sound."""
    for name, hertz in (("a", 440), ("b", None), ("c", 880)):
        flat = clips.constant(tmp_path / "flat.mp4", frames=LENGTHS[name])
        length = str(LENGTHS[name] * FRAME)
        tone = ["-f", "lavfi", "-t", length, "-i", f"sine=f={hertz}:r=48000"] if hertz else []
        clips.ffmpeg("-i", str(flat), *tone, "-c:v", "copy", str(tmp_path / f"{name}.mp4"))
    return ["a.mp4", "b.mp4", "c.mp4"]


def tones(path: Path) -> list[int]:
    """The loudest frequency in every sixtieth of a second, to the next hundred Hz; 0 where it is silent."""
    command = [ffmpeg_exe(), "-v", "error", "-i", str(path), "-f", "s16le", "-ac", "1", "-ar", "48000", "-"]
    wave = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.int16)
    pieces = wave[: len(wave) // 800 * 800].reshape(-1, 800) * np.hanning(800)
    spectrum = np.abs(np.fft.rfft(pieces))
    return np.where(
        np.abs(pieces).max(axis=1) < 300, 0, (spectrum.argmax(axis=1) * 0.6).round() * 100
    ).tolist()


def test_run_render_and_fix_take_the_files_as_one(siamtrack, weights, recording, tmp_path: Path) -> None:
    to = ("--weights", weights, "-y")
    done = siamtrack("run", *recording, "--join", *BOX, "--box-at", "15f=b=50,20,20,20", *to)
    assert done.code == 0, done.err
    tracked = read_trajectory(tmp_path / "a.tracked.json")
    assert [p.index for p in tracked.points if p.target == 1] == list(range(27))
    assert {p.index for p in tracked.points if p.state == "init"} == {0, 15}
    source = json.loads((tmp_path / "a.tracked.json").read_text())["source"]
    assert source["count"] == 27
    assert [chapter["name"] for chapter in source["chapters"]] == recording
    assert [chapter["frame"] for chapter in source["chapters"]] == [0, 12, 21]

    assert siamtrack("render", "a.mp4", "a.tracked.json", "-o", "drawn.mp4").code == 0
    fixing = ("--box-at", "22f=#1=50,20,20,20", "-o", "fixed.json", "-o", "fixed.mp4")
    assert siamtrack("fix", "a.mp4", "a.tracked.json", *fixing, *to).code == 0
    points = read_trajectory(tmp_path / "fixed.json").points
    assert (22, 1) in {(p.index, p.target) for p in points if p.source == "human"}
    for video in ("a.tracked.mp4", "drawn.mp4", "fixed.mp4"):
        with open_source(str(tmp_path / video)) as frames:
            times = [frame.time for frame in frames]
        assert times == pytest.approx([i * FRAME for i in range(27)], abs=0.001)
        heard = tones(tmp_path / video)
        middle = {"a": heard[4:20], "b": heard[28:38], "c": heard[46:52]}
        assert middle == {"a": [400] * 16, "b": [0] * 10, "c": [900] * 6}, video
    done = siamtrack("render", "b.mp4", "a.tracked.json", "-o", "other.mp4")
    assert done.code == 3 and "begins with a.mp4, and b.mp4 is another file" in done.err
    for words in (("a.mp4", "b.mp4", "a.tracked.json"), ("a.mp4", "a.tracked.json", "--join")):
        for command in ("render", "fix", "review"):
            done = siamtrack(command, *words)
            assert done.code == 2 and "of joined videos name the first one" in done.err
    (tmp_path / "c.mp4").rename(tmp_path / "d.mp4")
    done = siamtrack("render", "a.mp4", "a.tracked.json", "-o", "other.mp4")
    assert done.code == 3 and "c.mp4: no such file" in done.err
    assert "is of 3 files that are one recording" in done.err and "--join" not in done.err


def test_the_sound_of_a_cut_is_that_of_its_frames(siamtrack, weights, recording, tmp_path: Path) -> None:
    cut = ("--start", "6f", "--end", "24f", "-o", "cut.mp4")
    done = siamtrack("run", *recording, "--join", *BOX, *cut, "--weights", weights)
    assert done.code == 0, done.err
    heard = tones(tmp_path / "cut.mp4")
    assert len(heard) == pytest.approx(18 * FRAME * 60, abs=2)
    assert heard[2:10] == [400] * 8 and heard[15:27] == [0] * 12 and heard[32:35] == [900] * 3


def test_run_without_join_takes_one_source(siamtrack, weights, recording, tmp_path: Path) -> None:
    done = siamtrack("run", *recording, *BOX, "--weights", weights)
    assert done.code == 2
    assert "run takes one source, and here are 3" in done.err and "--join" in done.err
    done = siamtrack("run", "a.mp4", "--join", *BOX, "--end", "2f", "--weights", weights, "-o", "one.json")
    assert done.code == 0, done.err
    assert "chapters" not in (tmp_path / "one.json").read_text()


def test_a_rate_of_raw_files_is_that_of_all(tmp_path: Path) -> None:
    raw = ("-c:v", "libx264", "-bsf:v", "h264_mp4toannexb")
    source = join_files([str(clips.constant(tmp_path / f"{n}.h264", *raw, frames=5)) for n in "ab"])
    with open_source(source, fps=Fraction(10)) as frames:
        assert [round(frame.time or 0, 2) for frame in frames] == [i / 10 for i in range(10)]


@pytest.mark.parametrize(("wanted", "files"), [(1, "abc"), ("all", "abc"), (1, "ba"), (None, "ba")])
def test_a_file_without_the_wanted_sound_is_silent(recording, tmp_path: Path, caplog, wanted, files) -> None:
    source = join_files([str(tmp_path / f"{name}.mp4") for name in files])
    track = soundtrack(source, wanted)
    with (
        open_source(source) as frames,
        VideoWriter(str(tmp_path / "out.mp4"), frames.info, overwrite=False, audio=track) as video,
    ):
        for frame in frames:
            video.write(frame.image, frame.time)
        video.source = frames.info
    heard, place = tones(tmp_path / "out.mp4"), 0
    for name in files:
        end = place + 2 * LENGTHS[name]
        expected = {"a": 400, "b": 0, "c": 900}[name]
        assert set(heard[place + 4 : end - 2]) == {expected}, name
        place = end
    warnings = [record.getMessage() for record in caplog.records]
    assert warnings == [f"{tmp_path}/b.mp4 has no sound: it is silent there"]
    with pytest.raises(InputError, match=r"a\.mp4 has no sound 2") as caught:
        soundtrack(source, 2)
    assert caught.value.hint == "it has 1: aac"


def test_files_with_fewer_sounds_are_named(tmp_path: Path, caplog) -> None:
    """Of all sounds each that is missing, of the one that players play that one, and of none nothing."""
    two, silent = str(tmp_path / "two.mp4"), str(clips.constant(tmp_path / "silent.mp4", frames=3))
    one = str(tmp_path / "one.mp4")
    clips.two_sounds(tmp_path / "two.mp4", default=1)
    clips.ffmpeg("-i", two, "-map", "0:v", "-map", "0:a:0", "-c", "copy", one)
    said = {
        "all": [f"{one} has no sound 2: it is silent there", f"{silent} has no sound: it is silent there"],
        None: [f"{one} has no sound 2: it is silent there", f"{silent} has no sound: it is silent there"],
        1: [f"{silent} has no sound: it is silent there"],
    }
    for wanted, warnings in said.items():
        caplog.clear()
        assert soundtrack(join_files([two, one, silent]), wanted)
        assert [record.getMessage() for record in caplog.records] == warnings
    caplog.clear()
    mute = str(clips.constant(tmp_path / "mute.mp4", frames=3))
    assert soundtrack(join_files([silent, mute])) and not caplog.records


def test_a_table_does_not_name_the_files_and_says_what_does(siamtrack, tmp_path: Path) -> None:
    source = chapters(tmp_path)
    first = str(tmp_path / "a.mp4")
    with open_source(source) as frames:
        points = tuple(TrackPoint(f.index, f.time, Box(40, 20, 20, 20), 0.9, "tracked") for f in frames)
        header = TrackHeader(frames.info, "m", "", "1")
    for suffix in (".json", ".csv"):
        write_trajectory(Trajectory(header, points, complete=True), tmp_path / f"a{suffix}")
    table = read_trajectory(tmp_path / "a.csv")
    for command in (("plot", "a.csv", first), ("convert", "a.csv", "--video", first, "--to", "coco")):
        done = siamtrack(*command)
        assert done.code == 3 and "continues to frame 26, but a has 12 frames" in done.err, done.err
        assert "joined files" in done.err.replace("\n", " ") and ".json" in done.err
        assert siamtrack(command[0], "a.json", *command[2:]).code == 0
    correction = [Start(Box(40, 20, 20, 20), TimePoint(frame=8), 1)]
    for used in (
        lambda: list(draw_video(Reading(first), table, tmp_path / "drawn.mp4", overwrite=True)),
        lambda: fix(table, correction, first, load_tracker("light", engine="eager")),
    ):
        with pytest.raises(MisfitError) as caught:
            used()
        assert "give the .json or .jsonl: a .csv does not name them" in str(caught.value.hint)
    assert not (tmp_path / "drawn.mp4").exists()
    named = read_trajectory(tmp_path / "a.json")
    assert list(draw_video(Reading(first), named, tmp_path / "drawn.mp4", overwrite=True))[-1] == 27
    assert list(draw_video(Reading(source), table, tmp_path / "all.mp4", overwrite=True))[-1] == 27
