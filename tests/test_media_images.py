"""Images of microscopes, scanners and thermal cameras: deep, in pages, of several sizes, damaged."""

from __future__ import annotations

import sys
import zlib
from pathlib import Path

import clips
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.errors import InputError
from siamcli.media.images import ValueRange, fit_into, value_range
from siamcli.media.kinds import source_name
from siamcli.media.sources import open_source

SIZE = (96, 64)


def scene(index, size=SIZE):
    """A grey ramp with a bright square that moves by 3 px a frame: values from 0 to 1, (H, W)."""
    picture = np.tile(np.linspace(0, 0.5, size[0]), (size[1], 1))
    picture[10:30, 20 + 3 * index : 40 + 3 * index] = 1
    return picture


def read(source):
    with open_source(str(source)) as frames:
        return frames.info, list(frames)


@pytest.mark.parametrize(
    ("suffix", "low", "high", "dtype", "words"),
    [
        (".png", 0, 1023, np.uint16, "16-bit values from 0 to 1023"),
        (".png", 7500, 9500, np.uint16, "16-bit values from 7500 to 9500"),
        (".pgm", 0, 4095, np.uint16, "16-bit values from 0 to 4095"),
        (".tif", 100, 65535, np.uint16, "16-bit values from 100 to 65535"),
        (".tif", -3.5, 2.25, np.float32, "floating point values from -3.5 to 2.25"),
        (".pfm", 0, 1e6, np.float32, "floating point values from 0 to 1e+06"),
    ],
)
def test_deep_values_are_stretched_over_one_range(tmp_path, caplog, capfd, suffix, low, high, dtype, words):
    for index in range(5):
        picture = (low + scene(index) * (high - low)).astype(dtype)
        assert cv2.imwrite(str(tmp_path / f"{index}{suffix}"), picture)
    _, frames = read(tmp_path)
    assert [frame.image.dtype for frame in frames] == [np.uint8] * 5
    for index, frame in enumerate(frames):
        assert frame.image.flags["C_CONTIGUOUS"] and frame.image.shape == (*SIZE[::-1], 3)
        for channel in range(3):
            assert np.abs(frame.image[..., channel] - 255 * scene(index)).max() <= 1
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path.name}: {words} are shown as black to white in all frames"
    ]
    assert "OpenCV" not in capfd.readouterr().err


def test_the_range_is_that_of_all_frames(tmp_path):
    for index, brightest in enumerate((1000, 1000, 4000, 2000)):
        cv2.imwrite(str(tmp_path / f"{index}.png"), (scene(index) * brightest).astype(np.uint16))
    _, frames = read(tmp_path)
    assert [int(frame.image.max()) for frame in frames] == [64, 64, 255, 128]


@given(st.floats(-1e4, 1e4), st.floats(0.1, 1e4), st.lists(st.floats(-0.5, 1.5), min_size=1))
def test_values_beyond_the_range_are_black_or_white(low, span, shares):
    pixels = np.array([low + share * span for share in shares] + [np.nan, np.inf], np.float32)
    shown = ValueRange(low, low + span).apply(pixels)
    expected = np.clip(np.array(shares) * 255, 0, 255)
    tolerance = 1 + 255 * 1e-6 * (abs(low) + span) / span  # of single precision
    assert np.abs(shown[:-2] - expected).max() <= tolerance and shown[-2:].tolist() == [0, 255]


def test_dead_pixels_do_not_count():
    pixels = np.full((200, 200, 3), 100, np.uint16)
    pixels[:100] = 300
    pixels[3, 3] = 65535
    assert value_range([pixels]) == (100, 300)
    assert value_range([np.full((4, 4, 3), 7, np.uint16)]) == (7, 8)
    assert value_range([np.full((4, 4, 3), np.nan, np.float32)]) == (0, 1)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_every_page_is_a_frame(tmp_path, dtype):
    pages = [(scene(index) * 200).astype(dtype) for index in range(6)]
    assert cv2.imwritemulti(str(tmp_path / "stack.tif"), pages)
    info, frames = read(tmp_path / "stack.tif")
    assert info.count == 6 and info.files == ()  # pages have no names
    top = 200 if dtype == np.uint8 else 255
    for index, frame in enumerate(frames):
        assert frame.index == index and np.abs(frame.image[..., 0] - top * scene(index)).max() < 2
    folder = tmp_path / "stacks"
    folder.mkdir()
    assert cv2.imwritemulti(str(folder / "1.tif"), pages[:4]) and cv2.imwrite(str(folder / "2.tif"), pages[4])
    info, frames = read(folder)
    assert info.count == 5 and [np.argmax(frame.image[20, :, 0]) for frame in frames] == [20, 23, 26, 29, 32]


def test_images_of_another_size_are_scaled_to_the_first(tmp_path, caplog):
    sizes = (SIZE, SIZE, (144, 96), (64, 96))
    for index, size in enumerate(sizes):
        cv2.imwrite(str(tmp_path / f"{index}.png"), (255 * scene(0, size)).astype(np.uint8))
    _, frames = read(tmp_path)
    assert {frame.image.shape for frame in frames} == {(64, 96, 3)}
    turned = frames[3].image
    assert not turned[:, :26].any() and not turned[:, 70:].any() and turned[:, 27:69].any()
    assert [record.getMessage() for record in caplog.records] == [
        f"{tmp_path / '2.png'} is 144x96, not 96x64 as the first image:"
        " scaled to it, as all others of another size"
    ]


@given(*[st.integers(1, 60)] * 4)
def test_scaled_images_keep_their_shape(width, height, wide, high):
    picture = fit_into(np.full((height, width, 3), 255, np.uint8), (wide, high))
    assert picture.shape == (high, wide, 3)
    rows, columns = picture[..., 0].any(axis=1).sum(), picture[..., 0].any(axis=0).sum()
    assert rows == high or columns == wide
    scale = min(wide / width, high / height)
    assert abs(rows - scale * height) <= 1 and abs(columns - scale * width) <= 1


def test_images_that_vanish_or_cannot_be_decoded_are_named(tmp_path, capfd):
    for index in range(5):
        cv2.imwrite(str(tmp_path / f"{index}.png"), (255 * scene(index)).astype(np.uint8))
    data = (tmp_path / "1.png").read_bytes()
    head = data[12:16] + (60000).to_bytes(4, "big") * 2 + data[24:29]  # it says 60000x60000
    (tmp_path / "1.png").write_bytes(data[:12] + head + zlib.crc32(head).to_bytes(4, "big") + data[33:])
    with open_source(str(tmp_path)) as source:
        (tmp_path / "4.png").unlink()
        seen = []
        with pytest.raises(InputError, match=r"cannot decode .*/1\.png and 1 more"):
            for frame in source:
                seen.append(frame.index)
    assert seen == [0, 2, 3]
    assert capfd.readouterr().err == ""


def test_where_no_image_can_be_decoded(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"no image")
    with pytest.raises(InputError, match=r"cannot decode .*/1\.png, nor any other image of "):
        open_source(str(tmp_path))
    with pytest.raises(InputError, match=r"cannot decode .*/2\.png$"):
        open_source(str(tmp_path / "2.png"))


@pytest.mark.skipif(sys.platform != "linux", reason="file names are text here")
def test_pages_of_a_file_whose_name_is_no_text(tmp_path):
    pages = [(255 * scene(index)).astype(np.uint8) for index in range(3)]
    assert cv2.imwritemulti(str(tmp_path / "a.tif"), pages)
    path = (tmp_path / "a.tif").rename(tmp_path / "a\udcff.tif")
    assert len(read(path)[1]) == 3


@pytest.mark.parametrize("suffix", [".png", ".webp", ".avif"])
def test_an_animation_is_a_video(suffix: str, tmp_path: Path) -> None:
    """With times of its own; in a folder every picture of it is a frame."""
    codec = {
        ".png": ("-f", "apng"),
        ".webp": ("-c:v", "libwebp_anim"),
        ".avif": ("-c:v", "libaom-av1", "-cpu-used", "8"),
    }
    path = tmp_path / f"moving{suffix}"
    clips.constant(path, "-r", "10", *codec[suffix], frames=9)
    with open_source(str(path)) as source:
        frames = list(source)
    assert len(frames) >= 3
    assert [frame.time for frame in frames] == pytest.approx([n / 10 for n in range(len(frames))])
    with open_source(str(tmp_path)) as source:
        pictures = [clips.number(frame.image) for frame in source]
    assert pictures == [clips.number(frame.image) for frame in frames]


def test_a_still_picture_is_no_video(tmp_path: Path) -> None:
    for suffix in (".png", ".webp"):
        path = tmp_path / f"still{suffix}"
        cv2.imwrite(str(path), clips.image(5))
        assert source_name(str(path)).kind == "image"


@pytest.mark.parametrize("suffix", [".exr", ".jxl", ".avif"])
def test_images_of_other_programs_in_a_folder(suffix: str, tmp_path: Path) -> None:
    for number in (3, 6):
        clips.constant(tmp_path / f"{number}.mkv", "-c:v", "ffv1", frames=number + 1)
        last = ("-vf", f"select=eq(n\\,{number})", "-frames:v", "1")
        clips.ffmpeg("-i", str(tmp_path / f"{number}.mkv"), *last, str(tmp_path / f"{number}{suffix}"))
    with open_source(str(tmp_path)) as source:
        assert [clips.number(frame.image) for frame in source] == [3, 6]
