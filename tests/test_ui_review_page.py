"""Reviewing in a real browser: with a mouse, by keys alone, with a finger, and in two tabs."""

from __future__ import annotations

import http.client
import json
import re
from contextlib import closing
from dataclasses import replace
from threading import Event
from urllib.parse import urlsplit

import clips
import pytest
from browsing import PHONE, Person, chromium, needs_chromium
from selenium.webdriver.support.ui import WebDriverWait
from test_ui_review import trajectory_of, write_batch

from siamcli.formats.files import read_trajectory, write_trajectory
from siamcli.load import load_tracker
from siamcli.media.sources import open_source
from siamcli.session.reading import Reading
from siamcli.ui.review.doubt import Summary
from siamcli.ui.review.library import Library, batch_clips, clip_to_pick, one_clip
from siamcli.ui.review.report import report_page
from siamcli.ui.review.server import ReviewServer

__all__ = ["chromium"]
pytestmark = needs_chromium

SIZE = (320, 180)


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return clips.constant(tmp_path_factory.mktemp("video") / "a.mkv", frames=20, size=SIZE)


@pytest.fixture
def review(video, weights, tmp_path):
    """Two targets; the first is lost in the frames 8 to 11, the second in 15 and 16."""
    states = ["i" + 7 * "t" + 4 * "l" + 8 * "t", "i" + 14 * "t" + 2 * "l" + 3 * "t"]
    write_trajectory(trajectory_of(states, labels=("bug", "leaf"), size=SIZE), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    with closing(ReviewServer(library, lambda trajectory: load_tracker(weights))) as server:
        yield server


class Reviewer(Person):
    """Somebody before the clip of `review`."""

    def __init__(self, driver, review, **how):
        self.review = review
        super().__init__(driver, review.address, SIZE, shown=8, **how)

    @property
    def pending(self):
        return self.review.library.state(0).edits.pending


def human(path):
    points = read_trajectory(path).points
    return {(p.target, p.index): p.box for p in points if p.source == "human" and p.index}


def test_a_mouse_corrects_tracks_again_and_saves(chromium, review, tmp_path):
    person = Reviewer(chromium, review)
    person.hears("Doubt 1 of 2: bug, lost, frames 8-11")
    said = person.find("saves").get_attribute("textContent")
    assert said == f"Save writes {tmp_path / 'a.json'} and {tmp_path / 'a.fixes.csv'}."
    # it begins on the box of a lost target, which is not taken for the one to move
    (x0, y0), _, (x1, y1) = person.drag((20, 20), (130, 90), (160, 110))
    person.wait(lambda _: (1, 8) in person.pending)
    box = (x0, y0, x1 - x0, y1 - y0)
    assert person.pending[1, 8] == pytest.approx(box, abs=0.02)
    (a, b), (c, d) = person.drag((130, 85), (150, 95))  # its middle moves it
    person.wait(lambda _: person.pending[1, 8].x > x0 + 1)
    person.find("track").click()
    person.hears("Tracked again")
    person.wait(lambda _: person.frame == 8)  # where it was before what is tracked was shown
    assert person.pending == {} and not human(tmp_path / "a.json")
    person.wait(lambda _: person.find("save").is_enabled())
    person.find("save").click()
    person.hears("Saved")
    moved = (box[0] + c - a, box[1] + d - b, box[2], box[3])
    assert human(tmp_path / "a.json")[1, 8] == pytest.approx(moved, abs=0.05)
    assert "8f,bug," in (tmp_path / "a.fixes.csv").read_text()
    assert not person.complaints()


def test_a_doubt_that_is_lost_here_and_there_is_called_so(chromium, video, tmp_path):
    states = "i" + 4 * "t" + "lttl" + 11 * "t"
    write_trajectory(trajectory_of([states], size=SIZE), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    with closing(ReviewServer(library, None)) as server:
        Person(chromium, server.address, SIZE, shown=5).hears("bug, partly lost, frames 5-8")


@pytest.mark.parametrize("labels", [("bug",), ("bug", "leaf")])
def test_a_trajectory_without_doubts_says_so_of_all_its_targets(chromium, video, tmp_path, labels):
    states = ["i" + 19 * "t" for _ in labels]
    write_trajectory(trajectory_of(states, labels=labels, size=SIZE), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    with closing(ReviewServer(library, None)) as server:
        person = Person(chromium, server.address, SIZE)
        who = "every target" if len(labels) > 1 else "the target"
        person.hears(f"Nothing to doubt: {who} is believed in every frame")
        assert not person.complaints()


def test_keys_alone_do_everything(chromium, review, tmp_path):
    person = Reviewer(chromium, review)
    person.keys("d")
    person.hears("Doubt 2 of 2: leaf, lost, frames 15-16")
    person.wait(lambda _: person.frame == 15)
    person.keys("END")  # what was said of other frames goes
    person.wait(lambda _: person.frame == 19)
    assert person.said == ""
    person.keys("d")
    person.hears("No doubt after this frame")
    person.keys("HOME")
    person.wait(lambda _: person.frame == 0)
    assert person.said == ""
    person.keys("d", "d")
    person.hears("Doubt 2 of 2")
    person.wait(lambda _: person.frame == 15)
    person.keys("ARROW_RIGHT", "ARROW_RIGHT", "ARROW_LEFT")
    person.wait(lambda _: person.frame == 16)
    person.keys("b", "ARROW_RIGHT", "ARROW_RIGHT", "CONTROL+ARROW_DOWN", "SHIFT+ARROW_RIGHT", "ENTER")
    person.wait(lambda _: (2, 16) in person.pending)
    assert person.pending[2, 16] == (43, 20, 21, 20)
    person.keys("1", "HOME", "SHIFT+ARROW_RIGHT", "a")
    person.hears("bug is absent from frame 10")
    person.keys("ARROW_RIGHT", "t")  # it has no end yet, and stays that of this target
    person.hears("bug is absent from frame 10: go to the last such frame and press A again")
    person.keys("2", "a")
    person.wait(lambda _: (1, 11) in person.pending)
    assert person.pending[1, 10] is None
    person.keys("z")
    person.wait(lambda _: (1, 11) not in person.pending)
    person.hears("Undone")
    person.keys("1", "r")
    person.wait(lambda _: person.find("naming").is_displayed())
    person.keys("#1", "ENTER")  # which is no name
    assert person.find("naming").is_displayed()
    person.keys("CONTROL+a", "beetle", "ENTER")
    person.wait(lambda _: review.library.state(0).edits.trajectory.header.labels == ("beetle", "leaf"))
    person.wait(lambda _: not person.find("naming").is_displayed())
    person.keys("n")
    person.wait(lambda _: person.find("naming").is_displayed())
    person.keys("ENTER")
    person.hears("Drag a box around target 3")
    person.keys("b", "ENTER")
    person.wait(lambda _: (3, 11) in person.pending)
    person.keys("t")
    person.hears("Tracked again")
    person.keys("s")
    person.hears("Saved")
    assert set(human(tmp_path / "a.json")) == {(2, 16), (3, 11)}
    assert read_trajectory(tmp_path / "a.json").header.labels == ("beetle", "leaf", "target 3")
    person.keys("END", " ")  # plays from the start
    person.wait(lambda _: person.frame not in (19, None))
    person.keys(" ")
    assert not person.complaints()


def test_a_finger_on_a_phone(chromium, review):
    person = Reviewer(chromium, review, view=PHONE, touch=True)
    wide = chromium.execute_script("return document.documentElement.scrollWidth")
    assert wide <= 390
    for button in chromium.find_elements("css selector", "header button, #controls button"):
        if button.is_displayed():
            area = button.rect
            assert area["height"] >= 44 and area["x"] >= 0 and area["x"] + area["width"] <= 390
            assert area["y"] + area["height"] <= 844
    (x0, y0), _, (x1, y1) = person.drag((200, 60), (220, 80), (260, 120))
    person.wait(lambda _: (1, 8) in person.pending)
    assert person.pending[1, 8] == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=0.02)
    person.find("undo").click()
    person.wait(lambda _: not person.pending)
    person.find("doubt-next").click()
    person.wait(lambda _: person.frame == 15)
    person.find("box").click()
    assert person.said == "Drag the box or its edges; Box again keeps it"  # there are no keys
    person.find("box").click()
    person.wait(lambda _: (2, 15) in person.pending)
    person.find("box").click()
    person.drag((20, 20), (30, 40))  # its middle moves it
    person.wait(lambda _: person.pending[2, 15].x > 15)
    assert not person.complaints()


@pytest.mark.parametrize(
    ("view", "touch"),
    [
        ((844, 390, 2), True),  # a phone on its side
        ((683, 384, 2), False),  # a laptop, the page enlarged to 200 %
        ((390, 420, 2), True),  # a phone with its keyboard
        ((342, 192, 4), False),  # enlarged to 400 %
    ],
)
def test_a_low_window_has_room_for_the_picture_and_nothing_overlaps(chromium, review, view, touch):
    person = Reviewer(chromium, review, view=view, touch=touch)
    assert person.find("picture").size["height"] >= 150
    areas = chromium.execute_script(
        "return ['stage', 'said', 'targets', 'lines', 'controls'].map((id) => document.getElementById(id))"
        ".map((one) => [one.offsetLeft, one.offsetTop, one.offsetLeft + one.offsetWidth,"
        " one.offsetTop + Math.max(one.offsetHeight, one.scrollHeight)])"
    )
    for number, (left, top, right, bottom) in enumerate(areas):
        assert left >= 0 and right <= view[0]
        for other in areas[:number]:
            assert left >= other[2] or right <= other[0] or top >= other[3] or bottom <= other[1]
    person.find("absent").click()  # also where the page has to scroll
    person.hears("is absent from frame 8")


def test_no_box_is_drawn_on_the_picture_of_another_frame(chromium, review):
    person = Reviewer(chromium, review)
    late = "window.fetch = (path, how) => path.includes('/frames/') ? new Promise(() => {}) : real(path, how)"
    chromium.execute_script(f"const real = window.fetch; {late}")
    person.keys("HOME")
    person.wait(lambda _: "stale" in person.find("picture").get_attribute("class"))
    person.drag((200, 60), (220, 80), (260, 120))
    person.open(8)
    assert not person.pending
    person.drag((200, 60), (220, 80), (260, 120))
    person.wait(lambda _: (1, 8) in person.pending)


def test_two_tabs_hear_of_each_other(chromium, review):
    person = Reviewer(chromium, review)
    first = chromium.current_window_handle
    chromium.switch_to.new_window("tab")
    try:
        other = Reviewer(chromium, review)
        other.drag((100, 60), (130, 90), (160, 110))
        other.wait(lambda _: other.pending)
        chromium.switch_to.window(first)
        person.hears("Another tab has changed this clip")
        # a change that was made before that was heard is refused, and nothing is lost
        reply = chromium.execute_async_script(
            "const done = arguments[0];"
            "fetch('clips/0', {method: 'POST', headers: {'Content-Type': 'application/json'},"
            " body: JSON.stringify({version: 1, do: 'undo'})})"
            ".then(async (reply) => done([reply.status, await reply.text()]))"
        )
        assert reply[0] == 409 and "another tab" in json.loads(reply[1])["error"]
        assert (1, 8) in person.pending
    finally:
        for handle in chromium.window_handles:
            if handle != first:
                chromium.switch_to.window(handle)
                chromium.close()
        chromium.switch_to.window(first)
    chromium.get_log("browser")


def test_the_page_says_when_the_program_ends(chromium, review):
    person = Reviewer(chromium, review)
    review.close()
    person.wait(lambda _: re.search("has ended: everything is saved|does not answer", person.said))
    chromium.get_log("browser")


SEEN = """
const done = arguments[0], canvas = document.getElementById("picture"), pairs = [];
const [w, h] = [320, 180], scale = Math.min(canvas.width / w, canvas.height / h);
const [x0, y0] = [(canvas.width - scale * w) / 2, (canvas.height - scale * h) / 2];
function look() {
  const pen = canvas.getContext("2d");
  let number = 0;
  for (let bit = 0; bit < 8; bit++) {
    const [r, g, b] = pen.getImageData(x0 + scale * w * (bit + 0.5) / 8, y0 + scale * h * 0.9, 1, 1).data;
    number = 2 * number + ((r + g + b) / 3 > 100);
  }
  pairs.push([Number(canvas.dataset.frame), number]);
  if (document.getElementById("play").textContent.startsWith("\u25b6")) done(pairs);
  else requestAnimationFrame(look);
}
document.getElementById("play").click();
requestAnimationFrame(look);
"""


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("a.mp4", ("-c:v", "libx264", "-bf", "3", "-g", "20", "-pix_fmt", "yuv420p", "-c:a", "aac")),
        ("a.webm", ("-c:v", "libvpx", "-c:a", "libopus")),
        ("late.mp4", ("-c:v", "libx264", "-bf", "0", "-pix_fmt", "yuv420p", "-c:a", "aac")),
        ("a.mpg", ("-c:v", "mpeg2video", "-c:a", "mp2")),  # which no browser plays
    ],
)
def test_the_frame_that_plays_is_the_one_that_is_boxed(chromium, tmp_path, name, options):
    """With its sound where the browser plays the file, else frame by frame."""
    video = clips.constant(tmp_path / name, *options, frames=40, size=SIZE, sound=True)
    if name.startswith("late"):  # the clock of the file begins at half a second
        video = tmp_path / "shifted.mp4"
        clips.ffmpeg("-itsoffset", "0.5", "-i", str(tmp_path / name), "-c", "copy", str(video))
    with open_source(str(video)) as frames:
        times = [frame.time for frame in frames]
    trajectory = trajectory_of(["i" + 39 * "t"], size=SIZE)
    points = [replace(point, time=time) for point, time in zip(trajectory.points, times, strict=True)]
    write_trajectory(replace(trajectory, points=tuple(points)), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    with closing(ReviewServer(library, None)) as server:
        person = Person(chromium, server.address, SIZE)
        chromium.set_script_timeout(60)
        person.keys("ARROW_RIGHT", "ARROW_RIGHT")
        person.wait(lambda _: person.frame == 2)
        pairs = chromium.execute_async_script(SEEN)
        for _ in range(20):  # a busy machine shows few frames of a film, and others the next time
            if len({frame for frame, _ in pairs}) > 5:
                break
            pairs += chromium.execute_async_script(SEEN)
        assert pairs[0][0] == 2 and len({frame for frame, _ in pairs}) > 5
        assert [pair for pair in pairs if pair[0] != pair[1]] == []
        person.wait(lambda _: person.frame == 39)
        loaded = "return performance.getEntriesByType('resource').map((one) => one.name)"
        asked = sum("/frames/" in address for address in chromium.execute_script(loaded))
        assert (asked > 30) == (name == "a.mpg")
        assert not [line for line in person.complaints() if "Uncaught" in line or "Refused" in line]


FILM = "const made = document.createElement.bind(document), real = window.fetch; window.asked = [];"
FILM += "document.createElement = (name) => (name === 'video' ? (window.film = made(name)) : made(name));"
FILM += "window.fetch = (path, how) => (window.asked.push(path), real(path, how))"


def slow_film(path, *options):
    """Twenty seconds with five frames a second."""
    clips.ffmpeg("-f", "lavfi", "-i", "color=s=320x180:r=5:d=20", *options, "-threads", "1", str(path))
    return path


def test_where_the_film_breaks_its_pictures_play(chromium, tmp_path):
    """Of a damaged file, or after a connection that broke: it stood still, and never played again."""
    video = slow_film(tmp_path / "a.mp4", "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p")
    library = Library([clip_to_pick(str(video), tmp_path / "boxes.csv")])
    with closing(ReviewServer(library, None)) as server:
        person = Person(chromium, server.address, SIZE)
        chromium.execute_script(FILM)
        person.keys(" ")
        person.wait(lambda _: person.frame > 3)
        chromium.execute_script("window.asked = []; film.dispatchEvent(new Event('error'))")
        at = person.frame
        person.wait(lambda _: person.frame > at + 3 and len(chromium.execute_script("return asked")) > 3)
        person.keys(" ")
        assert person.find("play").text.startswith("▶")
        at = person.frame
        person.keys(" ")
        person.wait(lambda _: person.frame > at + 3)


def test_one_playing_goes_on_where_play_is_pressed_again_at_once(chromium, tmp_path):
    """Both went on side by side, each with a clock of its own, and the picture sprang to and fro."""
    video = slow_film(tmp_path / "a.avi", "-c:v", "mjpeg")  # which no browser plays
    library = Library([clip_to_pick(str(video), tmp_path / "boxes.csv")])
    with closing(ReviewServer(library, None)) as server:
        person = Person(chromium, server.address, SIZE)
        person.keys(" ")
        person.wait(lambda _: person.frame > 0)
        chromium.execute_script(
            "const real = requestAnimationFrame, play = document.getElementById('play'); window.turns = [];"
            "requestAnimationFrame = (act) => real((time) => (turns.push(time), act(time)));"
            "play.click(); play.click()"
        )
        at = person.frame
        person.wait(lambda _: person.frame > at + 3)
        turns = chromium.execute_script("return turns")
        assert turns and len(set(turns)) == len(turns)


def test_a_page_that_comes_later_stops_what_is_tracked(chromium, video, weights, tmp_path):
    """It did not know of it before the next news, which come late where a tracker is loaded."""
    write_trajectory(trajectory_of(["i" + 19 * "t"], size=SIZE), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    loading = Event()

    def load(trajectory):
        loading.wait(60)
        return load_tracker(weights)

    with closing(ReviewServer(library, load)) as server:
        person = Person(chromium, server.address, SIZE)
        person.drag((100, 60), (130, 90), (160, 110))
        person.hears("track again")
        person.keys("t")
        person.hears("loading the tracker")
        chromium.execute_script("window.onbeforeunload = null")
        person.open()
        person.wait(lambda _: person.find("track").text.startswith("Stop"))
        person.keys("ESCAPE")
        person.wait(lambda _: library.state(0).stopped)
        loading.set()
        person.hears("Stopped: nothing was changed")


def test_back_to_every_doubt_of_one_frame(chromium, video, tmp_path):
    """On the way back, those of other targets in the same frame were passed over."""
    states = 2 * ["i" + 7 * "t" + 4 * "l" + 8 * "t"]
    write_trajectory(trajectory_of(states, labels=("bug", "leaf"), size=SIZE), tmp_path / "a.json")
    library = Library([one_clip(str(video), tmp_path / "a.json", None, Reading)])
    with closing(ReviewServer(library, None)) as server:
        person = Person(chromium, server.address, SIZE, shown=8)
        person.hears("Doubt 1 of 2")
        person.keys("d")
        person.hears("Doubt 2 of 2")
        person.keys("SHIFT+D")
        person.hears("Doubt 1 of 2")


def test_the_file_is_served_in_ranges(tmp_path, review, video):
    whole = video.read_bytes()
    parts = urlsplit(review.address)
    for bytes_asked, status, expected in (
        ("bytes=10-19", 206, whole[10:20]),
        (f"bytes={len(whole) - 5}-", 206, whole[-5:]),
        (f"bytes={len(whole)}-", 416, None),
    ):
        link = http.client.HTTPConnection(parts.hostname, parts.port, timeout=10)
        link.request("GET", f"{parts.path}clips/0/video", headers={"Range": bytes_asked})
        reply = link.getresponse()
        assert reply.status == status and (expected is None or reply.read() == expected)
        link.close()


def test_a_long_list_is_filled_as_one_scrolls_and_ordered_as_clips_are_read(
    chromium, video, tmp_path, monkeypatch
):
    write_batch(tmp_path, [5] + [3] * 249)
    listening = Event()

    def later(library):
        assert listening.wait(60)
        library.clips[240].summary = Summary(8, 0.9, None, 0.05)
        yield 240

    monkeypatch.setattr(Library, "read_all", later)
    with closing(ReviewServer(Library(batch_clips(tmp_path, None, Reading)), None)) as server:
        person = Person(chromium, server.address, clips.SIZE, shown=1)
        names = (
            "return [...document.querySelectorAll('#list button')].map((one) => one.firstChild.textContent)"
        )
        first = chromium.execute_script(names)
        assert first[0] == "0.mkv" and 100 <= len(first) < 250 and server.library.clips[240].name not in first
        listening.set()
        person.wait(lambda _: chromium.execute_script(names)[0] == server.library.clips[240].name)
        person.keys("[")  # the clip that is looked at is now the second
        person.wait(lambda _: server.library.clips[240].name in person.find("title").text)
        server._events.send({"clip": 240, "work": "track", "step": 1, "of": 9})
        person.wait(lambda _: person.find("track").text.startswith("Stop"))
        person.keys("]")  # what is under way in one clip is not shown of another
        person.wait(lambda _: person.find("track").text.startswith("Track again"))
        while len(chromium.execute_script(names)) < 250:
            chromium.execute_script(
                "const list = document.getElementById('list'); list.scrollTop = list.scrollHeight"
            )
        chromium.find_element("id", "filter").send_keys("249.")
        person.wait(lambda _: chromium.execute_script(names) == ["249.mkv"])
        assert not person.complaints()


def report_entry():
    target = {
        "label": "bug",
        "color": "#56b4e9",
        "strip": "9" * 16 + "llll",
        "path": [[1, 2], [300, 400]],
        "lost": [[16, 19]],
        "more": 0,
    }
    one = {"name": "a.mkv", "error": None, "lost": 0.2, "disagreeing": None, "lowest": 0.1, "frames": [0, 19]}
    return one | {"shared": 0.05, "size": [320, 180], "targets": [target], "pictures": []}


def test_targets_have_one_colour_in_the_picture_the_list_and_the_report(chromium, review, tmp_path):
    """As in videos and plots: the second target is drawn and chosen in the second colour."""
    person = Reviewer(chromium, review)
    dots = "return [...document.querySelectorAll('#targets i')].map((dot) => dot.style.backgroundColor)"
    assert person.driver.execute_script(dots) == ["rgb(86, 180, 233)", "rgb(230, 159, 0)"]
    pixel = """
        const canvas = document.getElementById("picture"), { width, height } = canvas;
        const [left, top] = arguments;
        const scale = Math.min(width / 320, height / 180);
        const x = (width - 320 * scale) / 2 + left * scale, y = (height - 180 * scale) / 2 + top * scale;
        return [...canvas.getContext("2d").getImageData(x, y, 1, 1).data];"""
    person.keys("2")
    box = review.library.state(0).edits.trajectory.points[17].box
    person.wait(lambda _: person.driver.execute_script(pixel, box.x, box.y + box.h / 2)[:3] == [230, 159, 0])
    # the report, whose first target has no frame: the colour is that of its number all the same
    other = {**report_entry()["targets"][0], "color": "#e69f00", "path": [[0, 500], [1000, 500]]}
    page = tmp_path / "report.html"
    page.write_text(report_page("one", [{**report_entry(), "targets": [other]}]))
    chromium.get(page.as_uri())
    path = "return [...document.querySelector('.path').getContext('2d').getImageData(100, 78, 1, 1).data]"
    person.wait(lambda _: chromium.execute_script(path)[:3] == [230, 159, 0])


def test_all_clips_of_a_report_are_printed(chromium, tmp_path):
    page = tmp_path / "report.html"
    page.write_text(report_page("all", [report_entry() for _ in range(60)]))
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get(page.as_uri())
    filled = "document.querySelectorAll('article h2').length"
    wait = WebDriverWait(chromium, 30, poll_frequency=0.03).until
    wait(lambda _: 0 < chromium.execute_script(f"return {filled}") < 60)  # those in view alone
    chromium.execute_script(f"addEventListener('beforeprint', () => window.printed = {filled})")
    shown = "return document.elementFromPoint(100, innerHeight / 2).closest('article').dataset.clip"
    chromium.execute_script("document.querySelectorAll('article')[30].scrollIntoView({block: 'center'})")
    wait(lambda _: chromium.execute_script(shown) == "30")
    chromium.print_page()
    assert chromium.execute_script("return window.printed") == 60
    wait(lambda _: 0 < chromium.execute_script(f"return {filled}") < 60)
    assert chromium.execute_script(shown) == "30"  # where one was before


def test_ten_thousand_clips_are_listed_and_filled_as_they_are_seen(chromium, tmp_path):
    one = report_entry()
    clips = [one | {"name": f"clip{number}.mkv", "lost": number / 1e5} for number in range(9999)]
    page = tmp_path / "report.html"
    page.write_text(report_page("all", [*clips, {"name": "broken.mkv", "error": "cannot read it"}]))
    chromium.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    chromium.get(page.as_uri())
    chromium.get_log("browser")  # of the page before
    count = "return document.querySelectorAll('%s').length"
    assert chromium.execute_script(count % "article") == 10_000
    wait = WebDriverWait(chromium, 30, poll_frequency=0.03).until
    wait(lambda _: 0 < chromium.execute_script(count % "article h2") < 100)
    chromium.find_element("id", "order").send_keys("most lost")
    wait(lambda _: chromium.find_element("css selector", "article h2").text == "clip9998.mkv")
    why = chromium.find_element("css selector", "article p").text
    assert why == "frames 0-19 · lost 10.0 % · same box 5.0 % · lowest overlap expected 0.10"
    chromium.find_element("id", "filter").send_keys("broken")
    wait(lambda _: "1 of 10000 clips" in chromium.find_element("id", "counts").text)
    wait(lambda _: "cannot read it" in chromium.find_element("css selector", "article").text)
    assert not [line for line in chromium.get_log("browser") if "/events" not in line["message"]]
