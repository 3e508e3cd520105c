"""Pointing in a real browser, with a mouse, by keys and with a finger."""

from __future__ import annotations

from contextlib import closing

import clips
import pytest
from asking import asked, fetch
from browsing import LAPTOP, PHONE, Person, chromium, needs_chromium

from siamcli.batch.manifest import read_manifest
from siamcli.times import FrameRange, TimePoint
from siamcli.ui.review.library import Library, clip_to_pick
from siamcli.ui.review.server import ReviewServer

__all__ = ["chromium"]
pytestmark = needs_chromium

TOLERANCE = 0.02  # pixels of the source: the page rounds to a hundredth


@pytest.fixture(scope="module")
def video(tmp_path_factory):
    return clips.constant(tmp_path_factory.mktemp("video") / "a.mkv", frames=20, size=(320, 180))


def before(driver, asking, view=LAPTOP, touch=False):
    return Person(driver, asking.address, asking.size, view, touch)


def picked(person, asking):
    """The only box, once it was confirmed; the command then goes on."""
    (mark,) = asking.marks()
    assert person.ended() == "Done: siamtrack has the boxes. You can close this tab."
    assert not person.complaints()
    return mark.box(asking.size)


@pytest.mark.parametrize(
    ("size", "view", "touch"),
    [
        ((640, 360), (1000, 700, 1), False),
        ((3840, 2160), (1000, 700, 1.5), False),  # larger than the window
        ((3840, 2160), PHONE, True),
        ((1080, 1920), (800, 600, 0.5), False),  # portrait, zoomed out
        ((97, 65), (1000, 700, 2), False),  # enlarged
    ],
)
def test_the_box_is_in_pixels_of_the_source(chromium, size, view, touch):
    with asked(size=size) as asking:
        person = before(chromium, asking, view, touch)
        w, h = size
        # from the lower right
        (x1, y1), _, (x0, y0) = person.drag((0.7 * w, 0.8 * h), (0.5 * w, 0.5 * h), (0.2 * w, 0.4 * h))
        person.hears("target 1 begins in frame 0")
        person.find("save").click()
        assert picked(person, asking) == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=TOLERANCE)


def test_adjust_by_mouse_and_by_keys(chromium):
    with asked(size=(400, 300)) as asking:
        person = before(chromium, asking)
        (left, top), (right, bottom) = person.drag((100, 100), (200, 180))
        person.hears("target 1 begins")
        (x0, y0), (x1, y1) = person.drag((150, 140), (170, 150))  # moved by its middle
        left, top, right, bottom = left + x1 - x0, top + y1 - y0, right + x1 - x0, bottom + y1 - y0
        (x0, y0), (x1, y1) = person.drag((220, 190), (260, 240))  # its lower right corner
        right, bottom = right + x1 - x0, bottom + y1 - y0
        (x0, _), (x1, _) = person.drag((120, 170), (90, 200))  # its left edge, which moves sideways only
        left += x1 - x0
        person.keys("b", "ARROW_LEFT", "ARROW_LEFT", "ARROW_DOWN", "SHIFT+ARROW_RIGHT", "SHIFT+ARROW_UP")
        box = (left - 2, top + 1, right - left + 1, bottom - top - 1)
        assert "{2:.1f} \u00d7 {3:.1f} px at {0:.1f}, {1:.1f}".format(*box) in person.find("where").text
        person.keys("ENTER", "ENTER")  # the first keeps it, the second uses it
        assert picked(person, asking) == pytest.approx(box, abs=TOLERANCE)


def test_an_answer_takes_no_later_box_back(chromium):
    """The page showed the box of the change that was answered, and the next hand began there."""
    with asked(size=(400, 300)) as asking:
        person = before(chromium, asking)
        (left, top), (right, bottom) = person.drag((100, 100), (200, 180))
        person.hears("target 1 begins")
        chromium.execute_script(
            "const real = window.fetch; window.taken = 0;"
            "window.fetch = async (path, how) => {"
            " const reply = await real(path, how);"
            " if (how) await new Promise((told) => setTimeout(told, 1000));"
            " setTimeout(() => window.taken++, 50);"
            " return reply; }"
        )
        moves = [person.drag((150, 140), (170, 150)), person.drag((170, 150), (190, 165))]
        x, y = (sum(end[i] - start[i] for start, end in moves) for i in (0, 1))
        person.wait(lambda _: chromium.execute_script("return window.taken") == 1)
        person.keys("b")
        box = (right - left, bottom - top, left + x, top + y)
        assert "{:.1f} \u00d7 {:.1f} px at {:.1f}, {:.1f}".format(*box) in person.find("where").text
        person.keys("ESCAPE")
        person.wait(lambda _: chromium.execute_script("return window.taken") == 2)
        person.keys("ENTER")
        assert asking.marks()[0].box((400, 300)) == pytest.approx((box[2], box[3], *box[:2]), abs=TOLERANCE)


def test_a_box_drawn_elsewhere_takes_its_place(chromium):
    with asked(size=(400, 300)) as asking:
        person = before(chromium, asking)
        person.drag((20, 20), (60, 60))
        person.hears("target 1 begins")
        (left, top), (right, bottom) = person.drag((300, 200), (350, 220))
        person.hears("Box of target 1")
        person.keys("ENTER")
        expected = (left, top, right - left, bottom - top)
        assert picked(person, asking) == pytest.approx(expected, abs=TOLERANCE)


def test_beyond_the_edge_ends_at_the_edge(chromium):
    with asked(size=(640, 360)) as asking:
        person = before(chromium, asking)
        person.drag((600, 300), (620, 320), (640 + 9, 360 + 30))
        person.hears("target 1 begins")
        person.keys("ENTER")
        x, y, w, h = picked(person, asking)
        assert (x + w, y + h) == pytest.approx((640, 360), abs=TOLERANCE)


def test_a_click_is_no_box_and_reloading_no_cancel(chromium):
    with asked(size=(640, 360)) as asking:
        person = before(chromium, asking)
        person.drag((100, 100))
        assert not person.find("save").is_enabled() and "drag to the opposite" in person.said
        person.keys("ENTER")
        person.drag((100, 100), (200, 101))
        assert not person.find("save").is_enabled()
        chromium.get("about:blank")
        person.open()
        assert asking.waits
        person.drag((100, 100), (200, 200))
        person.hears("target 1 begins")
        person.open()  # what was drawn is not lost
        person.find("save").click()
        assert picked(person, asking) is not None


@pytest.mark.parametrize("how", ["key", "button"])
def test_cancel_on_the_page(chromium, how):
    with asked(size=(640, 360)) as asking:
        person = before(chromium, asking)
        person.drag((100, 100), (200, 200))
        person.hears("target 1 begins")
        for words in ("not used yet", None):  # said before it is lost
            assert asking.waits
            person.keys("ESCAPE") if how == "key" else person.find("skip").click()
            if words:
                person.hears(words)
        assert asking.marks() == []
        assert "no box" in person.ended()


def test_the_key_that_the_warning_names_uses_the_boxes(chromium):
    """It pressed the button that had the focus: the boxes were lost."""
    with asked(size=(640, 360)) as asking:
        person = before(chromium, asking)
        person.drag((100, 100), (200, 200))
        person.hears("target 1 begins")
        person.find("skip").click()
        person.hears("Use (Enter) takes them")
        person.keys("ENTER")
        assert picked(person, asking) is not None


def test_one_frame_has_no_time_line(chromium):
    with asked(size=(640, 360)) as asking:
        person = before(chromium, asking, PHONE, touch=True)
        for name, shown in (
            ("lines", False),
            ("travel", False),
            ("finish", False),
            ("skip", True),
            ("box", True),
        ):
            assert person.find(name).is_displayed() == shown, name
        person.keys("ARROW_RIGHT", "END", " ", "ESCAPE")
        assert asking.marks() == [] and not person.complaints()


def test_any_frame_of_the_cut_and_several_targets(chromium, video):
    cut = FrameRange(TimePoint(frame=4), TimePoint(frame=16), 3)
    with asked(video, (320, 180), cut=cut) as asking:
        person = Person(chromium, asking.address, (320, 180), shown=4)
        person.keys("HOME", "ARROW_LEFT")
        person.keys("END")
        person.wait(lambda _: person.frame == 15)
        (x0, y0), (x1, y1) = person.drag((100, 60), (160, 110))
        person.hears("target 1 begins in frame 15")
        person.keys("r")
        person.wait(lambda _: person.find("naming").is_displayed())
        person.keys("bug", "ENTER")
        person.hears("is called bug")
        person.keys("HOME", "n")
        person.wait(lambda _: person.find("naming").is_displayed())
        person.keys("ENTER")
        person.hears("Drag a box around target 2")
        person.keys("b", "ENTER")
        person.hears("target 2 begins in frame 4")
        person.keys("ARROW_RIGHT", "a", "END")
        person.wait(lambda _: person.frame == 15)
        person.keys("ENTER")
        person.hears("target 2 is absent from frame 5")  # its last frame is not named yet
        person.keys("a")
        person.hears("target 2 is absent in frames 5-15")
        person.keys("ENTER")
        bug, other, absent = asking.marks()
    assert absent.text == "5f-15f=target 2=absent"
    assert (bug.label, bug.at.frame, other.label, other.at.frame) == ("bug", 15, "target 2", 4)
    assert bug.values == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=TOLERANCE)


@pytest.mark.parametrize("announced", [None, 30])
def test_the_end_is_learned_where_it_is_not_known(chromium, video, monkeypatch, announced):
    monkeypatch.setattr("siamcli.ui.review.asking.expected_count", lambda info, cut: announced)
    with asked(video, (320, 180)) as asking:
        person = Person(chromium, asking.address, (320, 180))
        person.keys("END")
        person.wait(lambda _: person.frame == 19 and "19 / 19" in person.find("where").text)
        person.find("skip").click()
        assert asking.marks() == []


def test_the_page_says_when_nobody_answers(chromium):
    with asked() as asking:
        person = before(chromium, asking)
        chromium.execute_script("window.fetch = () => Promise.reject(new TypeError('gone'))")
        person.drag((100, 100), (200, 200))
        person.hears("does not answer")
    chromium.get_log("browser")


def test_clip_after_clip(chromium, video, tmp_path):
    sources = (video, tmp_path / "gone.mp4", video)
    found = [clip_to_pick(str(source), tmp_path / "boxes.csv") for source in sources]
    with closing(ReviewServer(Library(found), None)) as server:
        person = Person(chromium, server.address, (320, 180))
        person.keys("ARROW_RIGHT", "ARROW_RIGHT")
        person.wait(lambda _: person.frame == 2)
        (x0, y0), _, (x1, y1) = person.drag((100, 60), (130, 90), (160, 110))
        person.hears("target 1 begins in frame 2")
        person.keys("n")
        person.wait(lambda _: person.find("naming").is_displayed())
        person.keys("leaf", "ENTER", "HOME", "b", "ENTER")
        person.hears("leaf begins in frame 0")
        person.find("finish").click()
        person.hears("not used yet")
        person.keys("ENTER")  # as it says
        person.wait(lambda _: (tmp_path / "boxes.csv").exists())
        # the clip that cannot be shown is left out
        person.wait(lambda _: server.library.clips[1].error and "leaf" not in person.find("targets").text)
        person.keys("[")
        person.wait(
            lambda _: person.find("save").text.startswith("Use") and "leaf" in person.find("targets").text
        )
        assert not person.find("save").is_enabled()  # it is in the manifest
        person.keys("ENTER")
        person.hears("used already")
        person.find("finish").click()
        server.wait()
        server.close()
        assert person.ended().startswith("1 of 3 clips has no box yet: the same command asks for it")
    row = read_manifest(tmp_path / "boxes.csv", "xywh").of(str(video))[0]
    assert row.at.frame == 2 and row.values == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=0.02)
    chromium.get_log("browser")


@pytest.fixture
def several(chromium, video, tmp_path, monkeypatch):
    """A person before three clips of one length, and the server."""
    monkeypatch.chdir(tmp_path)
    names = ["a.mkv", "b.mkv", "c.mkv"]
    for name in names:
        (tmp_path / name).symlink_to(video)
    library = Library([clip_to_pick(name, tmp_path / "boxes.csv") for name in names])
    with closing(ReviewServer(library, None)) as server:
        yield Person(chromium, server.address, (320, 180)), server
    chromium.get_log("browser")


def draw(person):
    """Point at the first target of a clip, and read that it is there."""
    person.drag((100, 60), (130, 90), (160, 110))
    person.hears("target 1 begins")


def listed(driver):
    rows = "[...document.querySelectorAll('#list button')].map((one) => one.innerText.split('\\n'))"
    return driver.execute_script(f"return {rows}")


def test_what_is_left_out_is_not_asked_for_again_and_its_boxes_are_not_forgotten(chromium, several, tmp_path):
    person, server = several
    draw(person)
    person.keys("ESCAPE")
    person.wait(lambda _: person.find("title").text == "b.mkv" and person.frame == 0)
    assert listed(chromium)[0] == ["● a.mkv", "left out"]
    draw(person)
    person.keys("ENTER")
    person.wait(lambda _: person.find("title").text == "c.mkv" and person.frame == 0)  # not a.mkv again
    person.keys("ESCAPE")
    person.hears("No other clip is left")
    person.find("finish").click()
    person.hears("The boxes of a.mkv are not used yet")
    person.open()  # the page knows it still
    assert listed(chromium) == [["● a.mkv", "left out"], ["b.mkv", "✓ picked"], ["c.mkv", "left out"]]
    person.wait(lambda _: person.find("save").is_enabled())
    person.keys("ENTER")  # c.mkv is not asked for again
    server.wait()
    server.close()
    assert person.ended().startswith("1 of 3 clips has no box yet: the same command asks for it.")
    names = ("a.mkv", "b.mkv")
    assert set(read_manifest(tmp_path / "boxes.csv", "xywh").clips) == {str(tmp_path / n) for n in names}


def test_the_picture_keeps_its_size_when_the_first_target_comes(chromium, video):
    with asked(video, (320, 180)) as asking:
        person = Person(chromium, asking.address, (320, 180))
        before = person.find("picture").size
        person.drag((100, 60), (160, 110))
        person.hears("target 1 begins")
        person.wait(lambda _: "target 1" in person.find("targets").text)
        assert person.find("picture").size == before
        person.keys("?")
        person.wait(lambda _: person.find("keys").is_displayed())
        assert "cancel" in person.find("keys").text and "next clip" not in person.find("keys").text
        person.keys("ESCAPE")
        person.keys("ENTER")
        assert len(asking.marks()) == 1


def test_what_happens_to_a_clip_that_is_not_shown_is_told(chromium, several, tmp_path):
    """The clip was said to be not saved, and that saving it failed was not said."""
    person, server = several
    for clip in (1, 2):  # another tab
        box = {"do": "add", "frame": 0, "box": [10, 10, 40, 40]}
        assert fetch(server.address, f"clips/{clip}", {"version": 1, **box})[0] == 200
    person.wait(lambda _: [row[0] for row in listed(chromium)] == ["a.mkv", "● b.mkv", "● c.mkv"])
    fetch(server.address, "clips/1", {"version": 2, "do": "save"})
    person.wait(lambda _: listed(chromium)[1] == ["b.mkv", "✓ picked"])
    (tmp_path / "boxes.csv").write_text("name\n")
    fetch(server.address, "clips/2", {"version": 2, "do": "save"})
    person.hears(f"c.mkv: {tmp_path / 'boxes.csv'}: its first line is not")
    assert listed(chromium)[2] == ["● c.mkv"] and person.find("title").text == "a.mkv"
    person.find("finish").click()
    person.hears("The boxes of c.mkv are not used yet")


def test_a_clip_that_cannot_be_shown_is_passed_over_with_a_word_and_tried_again(
    chromium, several, video, tmp_path
):
    """Its button was dead for ever, and why was cut to a few words."""
    person, server = several
    (tmp_path / "b.mkv").unlink()
    (tmp_path / "b.mkv").write_bytes(video.read_bytes()[:700])
    person.keys("ESCAPE")
    person.hears("b.mkv cannot be shown: the list says why; press a clip there to try again")
    assert person.find("title").text == "c.mkv"
    (words,) = chromium.find_elements("css selector", "#list .bad")
    assert words.text.startswith("cannot read b.mkv")
    assert chromium.execute_script("return arguments[0].scrollWidth <= arguments[0].clientWidth", words)
    words.click()  # it is still damaged
    person.hears("cannot read b.mkv")
    assert person.find("title").text == "c.mkv"
    (tmp_path / "b.mkv").write_bytes(video.read_bytes())
    words.click()
    person.wait(lambda _: person.find("title").text == "b.mkv" and person.frame == 0)
    assert ["b.mkv"] in listed(chromium) and server.library.clips[1].error is None
    person.open()  # the list is told so, too
    assert ["b.mkv"] in listed(chromium)


def test_a_lost_connection_makes_no_clip_bad(chromium, several):
    """Every clip was marked as one that cannot be shown."""
    person, server = several
    chromium.execute_script(
        "window.real = window.fetch; window.fetch = () => Promise.reject(new TypeError('gone'))"
    )
    person.keys("ESCAPE")
    person.hears("does not answer")
    assert listed(chromium) == [["a.mkv", "left out"], ["b.mkv"], ["c.mkv"]]
    chromium.execute_script("window.fetch = window.real")
    server._events.send({"clip": 0, "work": "save", "step": 1, "of": 9})
    person.hears("Writing: 1 of 9")
    assert not person.find("undo").is_enabled()
    fetch(server.address, "clips/0", {"version": 1, "do": "add", "frame": 0, "box": [10, 10, 40, 40]})
    person.wait(lambda _: "target 1" in person.find("targets").text)
    server._events.close()  # the page connects anew; the end of the work was told in between
    person.hears("siamtrack answers again")
    assert person.find("undo").is_enabled()
    person.keys("ESCAPE")
    person.wait(lambda _: person.find("title").text == "b.mkv")


def test_the_clip_that_was_asked_for_last_is_shown(chromium, several):
    person, _ = several
    chromium.execute_script(
        "const real = window.fetch;"
        "window.fetch = (path, how) => path !== 'clips/1' ? real(path, how)"
        " : new Promise((told) => setTimeout(told, 500)).then(() => real(path, how))"
        ".then((reply) => (setTimeout(() => document.title = 'late', 100), reply))"
    )
    for number in (1, 2):
        chromium.find_element("css selector", f"[data-clip='{number}']").click()
    person.wait(lambda _: chromium.title == "late")
    assert person.find("title").text == "c.mkv"


def test_picking_goes_on_with_a_clip_that_waits_after_a_reload(several):
    person, _ = several
    draw(person)
    person.keys("ENTER")
    person.wait(lambda _: person.find("title").text == "b.mkv")
    person.open()
    assert person.find("title").text == "b.mkv"


def test_escape_in_the_list_leaves_no_clip_out(chromium, several):
    """It was taken for the key that skips the clip."""
    person, _ = several
    person.find("filter").click()
    person.keys("b", "ESCAPE")
    assert chromium.execute_script("return document.activeElement.id") != "filter"
    narrow = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": False}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", narrow)
    person.wait(lambda _: person.find("menu").is_displayed() and not person.find("clips").is_displayed())
    person.keys("c")
    assert person.find("clips").is_displayed()
    low = narrow | {"height": 500}  # a keyboard came up on the screen
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", low)
    person.wait(lambda _: chromium.execute_script("return innerHeight") == 500)
    assert person.find("clips").is_displayed()
    person.find("clips").click()
    person.keys("ESCAPE")
    assert not person.find("clips").is_displayed()
    assert person.find("title").text == "a.mkv" and ["a.mkv", "left out"] not in listed(chromium)


def test_presses_and_focus_survive_news(chromium, several):
    """Items were made anew with all that was told: what was pressed or had the focus was gone."""
    person, server = several
    draw(person)
    focus = "arguments[0].focus(); window.held = arguments[0]"
    for choose in ("[data-clip='2']", "#targets button"):
        chromium.execute_script(focus, chromium.find_element("css selector", choose))
        server._events.send({"rows": {1: server.library.row(1) | {"name": f"news of {choose}"}}})
        person.wait(lambda _, choose=choose: listed(chromium)[1][0] == f"news of {choose}")
        server._events.send({"clip": 0, "work": "save", "step": 1, "of": 9})
        person.hears("Writing")
        assert chromium.execute_script("return document.activeElement === held && held.isConnected")
    chromium.execute_script("document.getElementById('order').hidden = false")
    first = chromium.find_element("css selector", "[data-clip='2']")
    chromium.execute_script(focus, first)
    server._events.send({"rows": {2: server.library.row(2) | {"lost": 0.5}}})
    person.wait(lambda _: listed(chromium)[0][0] == "c.mkv")
    assert chromium.execute_script("return document.activeElement === held")


def test_words_are_whole_in_a_low_window(chromium, several):
    person, _ = several
    draw(person)
    person.keys("ESCAPE")
    person.wait(lambda _: person.find("title").text == "b.mkv")
    person.find("finish").click()
    person.hears("The boxes of a.mkv are not used yet")
    for width, height in ((844, 390), (683, 384)):
        metrics = {"width": width, "height": height, "deviceScaleFactor": 2, "mobile": False}
        chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        said, targets = person.find("said"), person.find("targets")
        high = chromium.execute_script("return arguments[0].scrollHeight", said)
        assert 42 < high <= said.size["height"]
        assert targets.location["y"] >= said.location["y"] + high
