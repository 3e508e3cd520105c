"""Colours in and out: every clip shows flat patches whose colours are known."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import clips
import numpy as np
import pytest

from siamcli.frames import SourceInfo
from siamcli.media.colors import parse_colors
from siamcli.media.sources import open_source
from siamcli.media.video import VideoWriter

PATCHES = np.array(
    [[200, 30, 30], [34, 190, 62], [40, 60, 180], [128, 128, 128], [16, 16, 16], [200, 200, 200]], float
)  # RGB
KR_KB = {"bt709": (0.2126, 0.0722), "smpte170m": (0.299, 0.114), "bt2020nc": (0.2627, 0.0593)}
TO_2020 = np.array(  # ITU-R BT.2087
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


def ycbcr(rgb: np.ndarray, matrix: str, bits: int, full: bool = False) -> np.ndarray:
    """(N, 3) of RGB in [0, 1] to code values (ITU-R BT.709, item 3; BT.2100, table 6)."""
    kr, kb = KR_KB[matrix]
    y = rgb @ (kr, 1 - kr - kb, kb)
    cb, cr = (rgb[:, 2] - y) / (2 - 2 * kb), (rgb[:, 0] - y) / (2 - 2 * kr)
    if full:
        top = 2**bits - 1
        codes = np.stack([top * y, top * cb + 2 ** (bits - 1), top * cr + 2 ** (bits - 1)], 1)
    else:
        codes = np.stack([219 * y + 16, 224 * cb + 128, 224 * cr + 128], 1) * 2 ** (bits - 8)
    return codes.round()


def pq(light: np.ndarray) -> np.ndarray:
    """Light in cd/m2 to PQ signal (BT.2100, table 4)."""
    power = (light / 10000) ** (2610 / 16384)
    return ((3424 / 4096 + 2413 / 128 * power) / (1 + 2392 / 128 * power)) ** (2523 / 32)


def hlg(light: np.ndarray) -> np.ndarray:
    """Light in cd/m2 on a screen of 1000 to HLG signal (BT.2100, table 5)."""
    share = light / 1000
    luminance = (share @ (0.2627, 0.6780, 0.0593))[:, None]
    scene = share * luminance ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), a * np.log(np.maximum(12 * scene - b, 1e-9)) + c)


def clip(path: Path, codes: np.ndarray, tags: dict[str, str], size: tuple[int, int], bits: int = 8) -> Path:
    """Two frames with one column per row of `codes`, not compressed with loss."""
    columns = np.arange(size[0]) * len(codes) // size[0]
    plane = np.broadcast_to(codes[columns].T[:, None, :], (3, size[1], size[0]))
    data = plane.astype(np.uint8 if bits == 8 else "<u2").tobytes() * 2
    pixels = "yuv444p" if bits == 8 else f"yuv444p{bits}le"
    raw = ["-f", "rawvideo", "-pix_fmt", pixels, "-s", f"{size[0]}x{size[1]}", "-r", "25", "-i", "pipe:0"]
    tagged = ["-vf", "setparams=" + ":".join(f"{key}={value}" for key, value in tags.items())] if tags else []
    codec = ["libx264", "-qp", "0"] if bits == 8 else ["libx265", "-x265-params", "lossless=1"]
    clips.ffmpeg(*raw, *tagged, "-c:v", *codec, str(path), data=data)
    return path


def shown(path: Path | str) -> np.ndarray:
    """The colours of the patches, as (N, 3) RGB."""
    with open_source(str(path)) as source:
        image = next(iter(source)).image
    middles = (np.arange(len(PATCHES)) + 0.5) * image.shape[1] / len(PATCHES)
    return image[image.shape[0] // 2, middles.astype(int), ::-1].astype(float)


def test_untagged_hd_has_the_matrix_of_hd(tmp_path: Path) -> None:
    """As players do: BT.601 below 720 lines, BT.709 from there on; pictures on their side count as stored."""
    for lines, matrix in ((576, "smpte170m"), (720, "bt709"), (1080, "bt709")):
        codes = ycbcr(PATCHES / 255, matrix, 8)
        path = clip(tmp_path / f"{lines}.mp4", codes, {}, (96, lines))
        np.testing.assert_allclose(shown(path), PATCHES, atol=2)


@pytest.mark.parametrize("lines", [64, 720])
@pytest.mark.parametrize("matrix", ["bt709", "smpte170m", "bt2020nc"])
@pytest.mark.parametrize("full", [False, True])
def test_tags_are_believed(tmp_path: Path, lines: int, matrix: str, full: bool) -> None:
    codes = ycbcr(PATCHES / 255, matrix, 8, full)
    tags = {"colorspace": matrix, "range": "pc" if full else "tv"}
    np.testing.assert_allclose(shown(clip(tmp_path / "a.mp4", codes, tags, (96, lines))), PATCHES, atol=2)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
@pytest.mark.parametrize(("transfer", "encoded"), [("smpte2084", pq), ("arib-std-b67", hlg)])
@pytest.mark.parametrize(("size", "full"), [((96, 64), False), ((97, 65), False), ((96, 64), True)])
def test_hdr_is_tone_mapped(tmp_path, caplog, suffix, transfer, encoded, size, full) -> None:
    """SDR colours at a reference white of 203 cd/m2 (BT.2408) come back; the log says what was done."""
    light = ((PATCHES / 255) ** 2.4 * 203) @ TO_2020.T
    tags = {"colorspace": "bt2020nc", "color_primaries": "bt2020", "color_trc": transfer}
    tags["range"] = "pc" if full else "tv"
    path = clip(tmp_path / f"a{suffix}", ycbcr(encoded(light), "bt2020nc", 10, full), tags, size, 10)
    name, tolerance = ("PQ", 8) if transfer == "smpte2084" else ("HLG", 3)  # 10 bits of PQ are coarse
    with caplog.at_level(logging.INFO, "siamcli"):
        np.testing.assert_allclose(shown(path), PATCHES, atol=tolerance)
    said = [record.getMessage() for record in caplog.records]
    assert said == [f"{path}: HDR ({name}), tone-mapped to BT.709"]


def test_highlights_stay_apart(tmp_path: Path) -> None:
    """What is brighter than white gets brighter, and is not cut off up to 1000 cd/m2."""
    light = np.array([100, 203, 300, 500, 800, 1000.0])[:, None].repeat(3, 1)
    tags = {"colorspace": "bt2020nc", "color_primaries": "bt2020", "color_trc": "smpte2084", "range": "tv"}
    grey = shown(clip(tmp_path / "a.mp4", ycbcr(pq(light), "bt2020nc", 10), tags, (96, 64), 10)).mean(1)
    assert (np.diff(grey) > 0).all()
    assert grey[1] > 215
    assert grey[-1] == pytest.approx(255, abs=2)


def test_wide_colours_without_hdr(tmp_path: Path) -> None:
    """BT.2020 of standard dynamic range: other primaries, the same light."""
    linear = (PATCHES / 255) ** 2.4 @ TO_2020.T
    tags = {"colorspace": "bt2020nc", "color_primaries": "bt2020", "color_trc": "bt2020-10", "range": "tv"}
    path = clip(tmp_path / "a.mp4", ycbcr(linear ** (1 / 2.4), "bt2020nc", 10), tags, (96, 64), 10)
    np.testing.assert_allclose(shown(path), PATCHES, atol=6)


@pytest.mark.parametrize("tags", [{}, {"colorspace": "bt2020nc", "color_trc": "arib-std-b67"}])
def test_from_standard_input(tmp_path: Path, tags: dict[str, str]) -> None:
    """Nobody knows the colours of a pipe before it is read, and it is read once."""
    light = ((PATCHES / 255) ** 2.4 * 203) @ TO_2020.T
    codes = ycbcr(hlg(light), "bt2020nc", 10) if tags else ycbcr(PATCHES / 255, "bt709", 8)
    path = clip(tmp_path / "a.mkv", codes, tags, (96, 720), 10 if tags else 8)
    kept = os.dup(0)
    try:
        with path.open("rb") as file:
            os.dup2(file.fileno(), 0)
            np.testing.assert_allclose(shown("-"), PATCHES, atol=3)
    finally:
        os.dup2(kept, 0)
        os.close(kept)


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".mov"])
def test_outputs_say_their_colours(tmp_path: Path, suffix: str) -> None:
    """In the stream's own header: BT.709 primaries, transfer and matrix; and the colours are those."""
    image = PATCHES[np.arange(96) * len(PATCHES) // 96][None, :, ::-1].repeat(64, 0).astype(np.uint8)
    path = tmp_path / f"out{suffix}"
    with VideoWriter(str(path), SourceInfo("made", (96, 64)), overwrite=False) as video:
        video.write(image, None)
    header = clips.header(path)
    names = ("colour_primaries", "transfer_characteristics", "matrix_coefficients", "video_full_range_flag")
    assert [header[name] for name in names] == [1, 1, 1, 0]
    np.testing.assert_allclose(shown(path), PATCHES, atol=4)


def test_what_ffmpeg_says_of_colours() -> None:
    line = "Stream #0:1[0x2](und): Video: hevc (Main 10) (hvc1 / 0x31637668), yuv420p10le(tv, "
    colors = parse_colors(line + "bt2020nc/bt2020/arib-std-b67, progressive), 1920x1080, 52 kb/s, 30 fps")
    assert colors is not None
    assert (colors.matrix, colors.primaries, colors.transfer) == ("bt2020nc", "bt2020", "arib-std-b67")
    assert colors.note == "HDR (HLG), tone-mapped to BT.709"
    untagged = parse_colors("Stream #0:0: Video: vp8, yuv420p(tv, progressive), 640x480, 25 fps")
    assert untagged is not None
    assert untagged.filters == ""
    assert parse_colors("Stream #0:0: Audio: aac (LC), 44100 Hz, mono, fltp") is None
