"""Timecode: the frame that it names, to the frame, and what is none."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import clips
import pytest
from conftest import DEMO
from hypothesis import given
from hypothesis import strategies as st

from siamcli.errors import InputError
from siamcli.formats.files import read_trajectory
from siamcli.media.sources import constant_rate, open_source
from siamcli.targets import parse_absent
from siamcli.timecode import Timecode, parse_timecode
from siamcli.times import FrameRange, parse_span, parse_time

NTSC = Fraction(1000, 1001)
RATES = [*map(Fraction, (1, 15, 24, 25, 30, 50, 60, 120)), *(n * NTSC for n in (24, 30, 60, 120))]


def timecode(number: int, a_second: int, sign: str = ":") -> str:
    seconds, frames = divmod(number, a_second)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}{sign}{frames:02}"


def not_dropped(a_second: int) -> list[int]:
    """The numbers of a little over 20 minutes that SMPTE ST 12-1 leaves, one by one."""
    a_minute = 60 * a_second
    return [n for n in range(21 * a_minute) if n % a_minute >= a_second // 15 or not n // a_minute % 10]


NUMBERS = {a_second: not_dropped(a_second) for a_second in (30, 60)}


@given(st.sampled_from(RATES), st.integers(0, 10**9))
def test_non_drop_timecode_counts_every_frame(rate: Fraction, index: int) -> None:
    text = timecode(index, round(rate))
    assert parse_time(text).at_rate(rate).frame == index


@given(st.sampled_from([30, 60]), st.integers(0, 37_000))
def test_drop_frame_timecode_leaves_out_the_numbers_of_smpte(a_second: int, index: int) -> None:
    text = timecode(NUMBERS[a_second][index], a_second, ";")
    assert parse_time(text).at_rate(a_second * NTSC).frame == index


@given(st.integers(0, 23), st.integers(0, 59), st.integers(1, 59), st.integers(0, 29))
def test_drop_frame_timecode_keeps_to_the_clock(hours: int, minutes: int, seconds: int, frames: int) -> None:
    """That is what it is for: over a day it is never more than 0.09 s and two frames from the time."""
    index = Timecode(hours, minutes, seconds, frames, drop=True).frame(30 * NTSC)
    clock = 3600 * hours + 60 * minutes + seconds + frames / 30
    assert abs(float(index / (30 * NTSC)) - clock) < 0.09 + 2 / 29


@given(st.sampled_from(RATES), st.integers(0, 10**7), st.integers(1, 100))
def test_later_timecodes_are_later_frames(rate: Fraction, index: int, more: int) -> None:
    first, last = (timecode(n, round(rate)) for n in (index, index + more))
    assert parse_span(f"{first}-{last}")[1].is_from(parse_time(first))
    with pytest.raises(InputError, match="not a stretch"):
        parse_absent(f"{last}-{first}")


@pytest.mark.parametrize(
    ("text", "rate", "problem"),
    [
        ("00:00:01:25", Fraction(25), "no frame 25 in a second of 25"),
        ("00:00:01:30", 30 * NTSC, "no frame 30 in a second of 30"),
        ("00:01:00;00", 30 * NTSC, "leaves this number out"),
        ("00:11:00;03", 60 * NTSC, "leaves this number out"),
        ("00:01:00;02", Fraction(25), "is for 29.97 and 59.94"),
        ("00:01:00;02", Fraction(30), "is for 29.97 and 59.94"),
        ("00:01:00;02", 24 * NTSC, "is for 29.97 and 59.94"),
        ("00:00:01:02", Fraction(25, 2), "12.5 frames per second has no timecode"),
        ("00:00:01:00", Fraction(1, 60), "has no timecode"),
    ],
)
def test_what_no_clip_of_the_rate_has(text: str, rate: Fraction, problem: str) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        parse_time(text).at_rate(rate)
    assert caught.value.hint and text in str(caught.value)


@pytest.mark.parametrize(
    ("rate", "same"), [("29.97", 30 * NTSC), ("23.976", 24 * NTSC), ("59.94", 60 * NTSC)]
)
def test_rates_as_people_round_them(rate: str, same: Fraction) -> None:
    moment = parse_time("10:07:59:23")
    assert moment.at_rate(Fraction(rate)) == moment.at_rate(same)


def test_a_timecode_without_its_rate_is_no_frame() -> None:
    assert parse_timecode("00:00:12.5") is None
    with pytest.raises(InputError, match="depends on the rate"):
        parse_time("00:00:00:01").is_reached(3, 0.1)


def test_a_cut_by_timecode_begins_and_ends_with_its_frames(tmp_path: Path) -> None:
    path = str(clips.constant(tmp_path / "a.mp4", frames=60))  # 30 frames per second
    with open_source(path, start=parse_time("00:00:01:03"), end=parse_time("00:00:01:20")) as frames:
        assert [frame.index for frame in frames] == list(range(33, 50))
    with pytest.raises(InputError, match="--end is not after --start"):
        FrameRange(parse_time("00:00:01:05"), parse_time("35f")).at_rate(Fraction(30))
    absent = parse_absent("bug=00:00:01:05-34f")
    with pytest.raises(InputError, match="not a stretch of time: 'bug=00:00:01:05-34f'"):
        absent.at_rate(Fraction(30))
    assert absent.at_rate(Fraction(29)).moments == (parse_time("34f"), parse_time("34f"))


def test_a_rate_that_varies_or_is_unknown_has_no_timecode(tmp_path: Path) -> None:
    variable = str(clips.variable(tmp_path / "v.mp4"))
    without_25 = ("-vf", "select=not(eq(n\\,25))", "-fps_mode", "vfr", "-c:v", "libx264")
    gap = {kind: str(clips.constant(tmp_path / f"gap.{kind}", *without_25)) for kind in ("mkv", "mp4")}
    images = str(clips.folder(tmp_path / "images"))
    for source, problem in (
        (variable, "varies"),
        (gap["mkv"], "varies"),  # which says 30000/1001 all the same
        (gap["mp4"], "varies"),
        (images, "none is known"),
        ("-", "is for files and images"),
    ):
        with pytest.raises(InputError, match=problem) as caught:
            open_source(source, start=parse_time("00:00:00:01"))
        assert caught.value.hint
    at = parse_time("00:00:01:02")
    with open_source(images, fps=Fraction(5), end=at) as frames:
        assert len(list(frames)) == 7
    assert constant_rate(str(DEMO), lambda: open_source(str(DEMO))) == 25


def test_run_and_fix_take_timecodes_wherever_they_take_times(siamtrack, weights, tmp_path: Path) -> None:
    """Every option and file: the frames are those that the timecodes name at 25 frames per second."""
    (tmp_path / "boxes.txt").write_text("a=56,40,30,30\n00:00:00:14=b=20,20,30,30\n")
    cut = ("--start", "00:00:00:10", "--end", "00:00:00:20")
    more = ("--box-at", "00:00:00:12=c=60,50,20,20", "--absent", "a=00:00:00:15-00:00:00:17")
    out = tmp_path / "a.json"
    done = siamtrack("run", DEMO, "--box-file", "boxes.txt", *cut, *more, "--weights", weights, "-o", out)
    assert done.code == 0, done.err
    points = read_trajectory(out).points
    assert {point.index for point in points} == set(range(10, 20))
    assert {p.index for p in points if p.state == "init"} == {10, 12, 14}
    assert [p.index for p in points if p.state == "absent"] == [15, 16, 17]

    (tmp_path / "fixes.csv").write_text(
        f'clip,time,target,box\n{DEMO},00:00:00:13,b,"20,20,30,30"\n{DEMO},00:00:00:18,a,absent\n'
    )
    fixing = ("--fixes", "fixes.csv", "--box-at", "00:00:00:16=c=60,50,20,20", "-o", "b.json")
    done = siamtrack("fix", DEMO, out, *fixing, "--weights", weights)
    assert done.code == 0, done.err
    fixed = read_trajectory(tmp_path / "b.json").points
    human = {(p.index, p.target, p.state) for p in fixed if p.source == "human"}
    assert human >= {(13, 2, "init"), (18, 1, "absent"), (16, 3, "init")}


def test_a_timecode_that_the_clip_does_not_have_is_one_line(siamtrack, weights, tmp_path: Path) -> None:
    for option in (("--start", "00:00:00:25"), ("--box-at", "00:00:00:25=1,2,30,30")):
        done = siamtrack("run", DEMO, "--box", "56,40,30,30", *option, "--weights", weights, "-o", "a.json")
        assert done.code == 3
        assert "there is no frame 25 in a second of 25" in done.err and done.err.count("\n") == 2
    assert not (tmp_path / "a.json").exists()
