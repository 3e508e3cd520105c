"""Times as people write them, and what a cut does with frames."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.errors import InputError
from siamcli.times import FrameFilter, FrameRange, TimePoint, parse_time


@given(st.integers(0, 10**9))
def test_frames_are_parsed(frame: int) -> None:
    assert parse_time(f"{frame}f") == TimePoint(frame=frame)


@given(st.integers(0, 99), st.integers(0, 59), st.integers(0, 59_999))
def test_clock_times_are_parsed(hours: int, minutes: int, milliseconds: int) -> None:
    seconds = f"{milliseconds / 1000:06.3f}"
    expected = 3600 * hours + 60 * minutes + milliseconds / 1000
    assert parse_time(f"{hours:02}:{minutes:02}:{seconds}").seconds == pytest.approx(expected)
    assert parse_time(f"{expected:.3f}").seconds == pytest.approx(expected)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2s", 2),
        ("0.2s", 0.2),
        (".5s", 0.5),
        ("200ms", 0.2),
        ("1m30s", 90),
        ("1h", 3600),
        ("1h2m3.5s", 3723.5),
    ],
)
def test_times_with_units(text: str, seconds: float) -> None:
    assert parse_time(text).seconds == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "f",
        "-1",
        "-3f",
        "1.5f",
        "1:2:3:4:5",
        "1:2:60:4",
        "1:60:3:4",
        "1:2:3;4;5",
        "1:2:3:4f",
        "0:75:00",
        "1:75",
        "12s3",
        "1m2h",
        "5 m",
        "ms",
        "nan",
        "1e3",
        "9" * 400,
        "9" * 5000 + "f",
    ],
)
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(InputError, match="not a time") as caught:
        parse_time(text)
    assert caught.value.hint


def test_a_stride_counts_from_one() -> None:
    with pytest.raises(InputError, match="stride 0"):
        FrameRange(stride=0)


@given(st.integers(0, 40), st.integers(0, 40), st.integers(1, 7), st.booleans())
def test_a_cut_is_a_slice(start: int, end: int, stride: int, in_seconds: bool) -> None:
    """By frames or by the seconds of the same frames: what range() gives."""

    def point(frame: int) -> TimePoint:
        return TimePoint(seconds=frame / 25) if in_seconds else TimePoint(frame=frame)

    if end <= start:
        with pytest.raises(InputError, match="--end is not after --start"):
            FrameRange(point(start), point(end), stride)
        return
    frame_filter = FrameFilter(FrameRange(point(start), point(end), stride))
    kept = []
    for index in range(30):
        decision = frame_filter(index, index / 25)
        if decision == "stop":
            break
        if decision == "keep":
            kept.append(index)
    assert kept == list(range(30))[start:end:stride]


@given(st.integers(0, 35), st.integers(1, 7), st.lists(st.integers(0, 40), max_size=4), st.booleans())
def test_moments_between_strides_are_kept_too(
    start: int, stride: int, also: list[int], in_seconds: bool
) -> None:
    """Named by frame, or by a time a little before it; those before the start count from the start."""
    named = [TimePoint(seconds=(n - 0.5) / 25) if in_seconds else TimePoint(frame=n) for n in also]
    frame_filter = FrameFilter(FrameRange(TimePoint(frame=start), None, stride, tuple(named)))
    kept = [index for index in range(40) if frame_filter(index, index / 25) == "keep"]
    assert kept == sorted({*range(start, 40, stride), *(max(n, start) for n in also if n < 40)} - {40})
