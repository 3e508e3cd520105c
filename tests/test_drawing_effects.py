"""Effects on targets: what is hidden is hidden, also while the target is lost."""

from __future__ import annotations

from itertools import pairwise

import clips
import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from siamcli.boxes import Box
from siamcli.drawing.painter import Painter
from siamcli.drawing.style import Effect, Style
from siamcli.errors import InputError
from siamcli.frames import Frame, SourceInfo
from siamcli.session.textfile import open_text
from siamcli.trajectory import NO_BOX, TrackHeader, TrackPoint
from siamcli.ui import window

SIZE = (160, 120)
BOX = Box(60, 40, 20, 30)
NOISE = np.random.default_rng(0).integers(0, 255, (SIZE[1], SIZE[0], 3), np.uint8)
HIDING = ["blur", "pixelate", "fill"]


def point(state: str, box: Box = BOX, index: int = 0, target: int = 1) -> TrackPoint:
    return TrackPoint(index, index / 25, box, 0.9, state, target)  # type: ignore[arg-type]


def paint(style: Style, states: list[str | None], box: Box = BOX) -> list[np.ndarray]:
    """What changes of a noisy picture: (h, w) true, per state; None is a frame without a point."""
    painter = Painter(style, ("plate",))
    changed = []
    for index, state in enumerate(states):
        points = [] if state is None else [point(state, NO_BOX if state == "absent" else box, index)]
        picture = painter.paint(Frame(index, index / 25, NOISE), points)
        changed.append((picture != NOISE).any(-1))
    return changed


@pytest.mark.parametrize("kind", HIDING)
@pytest.mark.parametrize("shape", ["box", "ellipse"])
def test_all_of_a_box_is_hidden_and_nothing_far_from_it(kind, shape):
    (changed,) = paint(Style((Effect(kind),), shape, grow=0), ["tracked"])
    inside = changed[40:70, 60:80]
    assert inside.mean() > 0.97  # a block may have the colour of a pixel by chance
    changed[32:78, 54:86] = False
    assert not changed.any()


def test_the_live_window_hides_it_too(monkeypatch):
    shown = []

    class Screen:
        closed = False

        def __init__(self, title):
            pass

        def show(self, picture):
            shown.append(picture)

        def key(self, _):
            return ""

    monkeypatch.setattr(window, "Window", Screen)
    live = window.LiveWindow("x", Painter(Style((Effect("fill"),), grow=0), ("plate",)))
    live.show(Frame(0, 0, NOISE), [point("tracked")])
    assert len(np.unique(shown[0][40:70, 60:80].reshape(-1, 3), axis=0)) == 1


def test_what_is_left_of_a_hidden_target_is_coarse():
    for kind in ("blur", "pixelate"):
        painter = Painter(Style((Effect(kind),), grow=0), ("plate",))
        picture = painter.paint(Frame(0, 0, NOISE), [point("tracked")])[40:70, 60:80]
        spectrum = np.abs(np.fft.fft2(picture.mean(-1) - picture.mean()))
        before = np.abs(np.fft.fft2(NOISE[40:70, 60:80].mean(-1) - NOISE[40:70, 60:80].mean()))
        assert (spectrum**2).sum() < 0.15 * (before**2).sum(), kind
        blocks = {tuple(color) for color in picture.reshape(-1, 3).tolist()}
        assert kind == "blur" or len(blocks) <= 4 * 6


@pytest.mark.parametrize("kind", HIDING)
@pytest.mark.parametrize("unsure", ["lost", None])
def test_the_area_grows_while_the_target_is_not_located(kind, unsure):
    states = ["init", "tracked", *[unsure] * 40, "found"]
    changed = paint(Style((Effect(kind),)), states)
    sizes = [int(one.sum()) for one in changed]
    assert all(after > before for before, after in pairwise(sizes[1:20]))
    assert sizes[41] > 0.97 * SIZE[0] * SIZE[1]  # after 1.6 s it is the whole frame
    assert sizes[42] < 2 * BOX.area


@given(
    st.lists(st.sampled_from(["tracked", "lost", None]), min_size=2, max_size=12),
    st.sampled_from(["box", "ellipse"]),
    st.floats(0, 3),
)
def test_a_loss_never_uncovers(states, shape, grow):
    """A colour that the noise does not hold tells exactly what is covered."""
    style = Style((Effect("fill", color=(1, 2, 3)),), shape, grow)
    painter = Painter(style, ("plate",))
    before = np.zeros(SIZE[::-1], bool)
    for index, state in enumerate(["init", *states]):
        box = Box(60 + 3 * index, 40, 20, 30)
        points = [] if state is None else [point(state, box, index)]
        picture = painter.paint(Frame(index, index / 25, NOISE), points)
        covered = (picture == (1, 2, 3)).all(-1)
        assert covered[40:70, 60 + 3 * index : 80 + 3 * index].all() or state is None
        if state in ("lost", None):
            assert not (before & ~covered).any()
        before = covered


def test_nothing_is_shown_before_the_first_box_nor_after_an_absence_that_ends():
    changed = paint(Style((Effect("fill"),)), [None, "init", "absent", "absent", "lost", "found"])
    whole, init, absent, still, lost, found = (one.mean() for one in changed)
    assert whole > 0.98 and lost > 0.98
    assert absent == still == 0  # a human says that it is not there
    assert 0 < init < 0.1 and 0 < found < 0.1


def test_a_lost_target_is_shown_only_if_asked_for():
    style = Style((Effect("pixelate"),), when_lost="show")
    assert [one.any() for one in paint(style, [None, "init", "lost", "found"])] == [False, True, False, True]


def test_the_spotlight_is_on_its_target():
    lit, lost = paint(Style((Effect("spotlight"),), grow=0), ["tracked", "lost"])
    assert not lit[40:70, 60:80].any() and lit.mean() > 0.9
    assert not lost.any()


def test_a_target_has_the_effect_that_names_it():
    style = Style((Effect("fill", color=(9, 9, 9)), Effect("pixelate", "b")), grow=0)
    painter = Painter(style, ("a", "b"))
    points = [point("tracked"), point("tracked", Box(100, 40, 20, 30), target=2)]
    picture = painter.paint(Frame(0, 0, NOISE), points)
    assert (picture[40:70, 60:80] == 9).all() and not (picture[40:70, 100:120] == 9).all(-1).any()
    for wrong in (Effect("blur", "c"), Effect("blur", "#3")):
        with pytest.raises(InputError, match=f"no target '{wrong.target}'"):
            Style((wrong,)).check(("a", "b"))
    with pytest.raises(InputError, match="--fill and --blur are both for b"):
        Style((Effect("fill", "b"), Effect("blur", "#2"))).check(("a", "b"))


def test_render_hides_and_names_the_frames_of_a_loss(siamtrack, tmp_path):
    clip = clips.constant(tmp_path / "clip.mp4", frames=12)
    header = TrackHeader(SourceInfo("clip", clips.SIZE), "m", "", "1", labels=("plate", "car"))
    with open_text("a.json", header, overwrite=True) as writer:
        for i in range(2, 12):
            box = Box(30, 20, 20, 20)
            state = "lost" if 5 <= i < 8 else "tracked"
            writer.write([TrackPoint(i, i * 1001 / 30000, box, 0.9, state)])
            writer.write([TrackPoint(i, i * 1001 / 30000, Box(70, 10, 9, 9), 0.9, "tracked", 2)])
    done = siamtrack("render", clip, "a.json", "--fill", "plate=#ff00ff", "-o", "b.mp4", "--fail-if-lost")
    assert done.code == 10 and "lost: plate in frames 0-1, 5-7" in done.err, done.err
    assert done.out == "b.mp4\n" and "plate: a larger area is hidden in frames 0-1, 5-7" in done.err
    video = cv2.VideoCapture("b.mp4")
    shares = []
    while (read := video.read())[0]:
        shares.append((np.abs(read[1].astype(int) - (255, 0, 255)) < 60).all(-1).mean())
    assert len(shares) == 12 and min(shares[:2]) > 0.95
    assert shares[4] < shares[5] < shares[6] <= shares[7] > 2 * shares[8]
    done = siamtrack("render", clip, "a.json", "--pixelate", "car", "-o", "c.mp4", "--fail-if-lost")
    assert done.code == 10 and "car in frames 0-1" in done.err
    done = siamtrack("render", clip, "a.json", "--fail-if-lost", "-o", "d.mp4")
    assert done.code == 10 and "plate in frames 5-7" in done.err


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (("--pixelate", "house"), 3, "no target 'house'"),
        (("--fill", "purplish"), 2, "not a colour: 'purplish'"),
        (("--grow", "-3%"), 2, "--grow takes a percentage"),
        (("--pixelate", "--blur"), 3, "--blur and --pixelate are both for"),
    ],
)
def test_render_refuses_wrong_effects_and_writes_nothing(siamtrack, tmp_path, options, code, message):
    clip = clips.constant(tmp_path / "clip.mp4", frames=2)
    header = TrackHeader(SourceInfo("clip", clips.SIZE), "m", "", "1")
    with open_text("a.json", header, overwrite=True) as writer:
        writer.write([point("init")])
    done = siamtrack("render", clip, "a.json", *options, "-o", "b.mp4")
    assert done.code == code and message in done.err.replace("\n", " "), done.err
    assert not (tmp_path / "b.mp4").exists()


def test_an_effect_needs_a_video(siamtrack, weights, tmp_path):
    clip = clips.constant(tmp_path / "a.mkv")
    done = siamtrack("run", clip, "--weights", weights, "--box", "60,40,20,30", "--pixelate", "-o", "a.json")
    assert done.code == 2 and "--pixelate needs a video among the outputs" in done.err
    done = siamtrack(
        "run", clip, "--weights", weights, "--box", "60,40,20,30", "--grow", "30%", "-o", "a.mp4"
    )
    assert done.code == 2 and "--grow belongs to one of --blur, --pixelate" in done.err
    assert not (tmp_path / "a.json").exists()
