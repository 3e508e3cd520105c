"""Pointing in a real browser, with a mouse and with a finger."""

from __future__ import annotations

import shutil
from contextlib import closing

import pytest
from asking import Asking
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
pytestmark = pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")

TOLERANCE = 0.02  # pixels of the source: the page rounds to a hundredth


@pytest.fixture
def asking():
    with closing(Asking()) as command:
        yield command


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # the sandbox wants rights that containers do not have; the only page shown is our own
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options=options, service=service)
    yield driver
    driver.quit()


class Person:
    """Hands and eyes before the page."""

    def __init__(self, driver, asking, size, view=(1000, 700, 1), touch=False):
        self.driver, self._touch = driver, touch
        width, height, ratio = view
        metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": touch}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.waiting = asking.ask(size)
        driver.get(asking.address)
        self.wait = WebDriverWait(driver, 10, poll_frequency=0.02).until
        self.wait(lambda _: self.find("stage").is_displayed())
        self._size = size

    def find(self, name):
        return self.driver.find_element("id", name)

    def drag(self, *points):
        """Press at the first point, move over the others, release; points in pixels of the source.

        Returns where they really were: the pointer stands on whole pixels of the page.
        """
        left, top, width, height = self.driver.execute_script(
            "const r = document.getElementById('stage').getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]"
        )
        across, down = width / self._size[0], height / self._size[1]
        kind = "touch" if self._touch else "mouse"
        actions = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=0)
        hand = actions.pointer_action
        places = [(round(left + x * across), round(top + y * down)) for x, y in points]
        hand.move_to_location(*places[0]).pointer_down()
        for place in places[1:]:
            hand.move_to_location(*place)
        hand.pointer_up()
        actions.perform()
        return [((x - left) / across, (y - top) / down) for x, y in places]

    def keys(self, *words):
        for word in words:
            self.driver.switch_to.active_element.send_keys(getattr(Keys, word))

    def ended(self):
        """What the page says when all is done."""
        self.wait(lambda _: self.find("end").is_displayed())
        return self.find("end").text

    def picked(self, asking):
        """The box, once it was confirmed; the command then goes on."""
        box = self.waiting.result(10)
        asking.close()
        assert "You can close this tab." in self.ended()
        assert not self.driver.get_log("browser")
        return box


@pytest.mark.parametrize(
    ("size", "view", "touch"),
    [
        ((640, 360), (1000, 700, 1), False),
        ((3840, 2160), (1000, 700, 1.5), False),  # larger than the window
        ((3840, 2160), (390, 844, 3), True),  # on a phone
        ((1080, 1920), (800, 600, 0.5), False),  # portrait, zoomed out
        ((97, 65), (1000, 700, 2), False),  # enlarged
    ],
)
def test_the_box_is_in_pixels_of_the_source(chromium, asking, size, view, touch):
    person = Person(chromium, asking, size, view, touch)
    w, h = size
    # from the lower right
    (x1, y1), _, (x0, y0) = person.drag((0.7 * w, 0.8 * h), (0.5 * w, 0.5 * h), (0.2 * w, 0.4 * h))
    person.find("use").click()
    assert person.picked(asking) == pytest.approx((x0, y0, x1 - x0, y1 - y0), abs=TOLERANCE)


def test_adjust_by_mouse_and_by_keys(chromium, asking):
    person = Person(chromium, asking, (400, 300))
    person.drag((20, 20), (60, 60))
    (left, top), (right, bottom) = person.drag((100, 100), (200, 180))  # drawn anew
    (x0, y0), (x1, y1) = person.drag((150, 140), (170, 150))  # moved by its middle
    left, top, right, bottom = left + x1 - x0, top + y1 - y0, right + x1 - x0, bottom + y1 - y0
    (x0, y0), (x1, y1) = person.drag((220, 190), (260, 240))  # its lower right corner
    right, bottom = right + x1 - x0, bottom + y1 - y0
    (x0, _), (x1, _) = person.drag((120, 170), (90, 200))  # its left edge, which moves sideways only
    left += x1 - x0
    person.keys("ARROW_LEFT", "ARROW_LEFT", "ARROW_DOWN")
    box = (left - 2, top + 1, right - left, bottom - top)
    assert person.find("size").text == "{2:.1f} \u00d7 {3:.1f} px at {0:.1f}, {1:.1f}".format(*box)
    person.drag((380, 280))  # a click elsewhere takes it away
    assert person.find("size").text == ""
    (left, top), (right, bottom) = person.drag((300, 200), (350, 220))
    with_shift(person.driver, Keys.ARROW_RIGHT, Keys.ARROW_UP)
    person.keys("ENTER")
    expected = (left, top, right - left + 1, bottom - top - 1)
    assert person.picked(asking) == pytest.approx(expected, abs=TOLERANCE)


def with_shift(driver, *keys):
    ActionChains(driver).key_down(Keys.SHIFT).send_keys(*keys).key_up(Keys.SHIFT).perform()


def test_beyond_the_edge_ends_at_the_edge(chromium, asking):
    person = Person(chromium, asking, (640, 360))
    person.drag((600, 300), (620, 320), (640 + 9, 360 + 30))
    person.keys("ENTER")
    x, y, w, h = person.picked(asking)
    assert (x + w, y + h) == pytest.approx((640, 360), abs=TOLERANCE)


def test_a_click_is_no_box_and_reloading_no_cancel(chromium, asking):
    person = Person(chromium, asking, (640, 360))
    person.drag((100, 100))
    assert not person.find("use").is_enabled() and "click" in person.find("said").text
    person.keys("ENTER")
    person.drag((100, 100), (200, 101))
    assert not person.find("use").is_enabled()
    chromium.get("about:blank")
    chromium.get(asking.address)
    person.wait(lambda _: person.find("stage").is_displayed())
    assert not person.waiting.done()
    person.drag((100, 100), (200, 200))
    person.find("use").click()
    assert person.picked(asking) is not None


@pytest.mark.parametrize("how", ["key", "button"])
def test_cancel_on_the_page(chromium, asking, how):
    person = Person(chromium, asking, (640, 360))
    person.drag((100, 100), (200, 200))
    person.keys("ESCAPE") if how == "key" else person.find("cancel").click()
    assert person.picked(asking) is None
    assert "no box" in person.find("end").text


def test_the_next_picture_comes_by_itself(chromium, asking):
    person = Person(chromium, asking, (640, 360))
    person.drag((100, 100), (200, 200))
    person.keys("ENTER")
    assert person.waiting.result(10) is not None
    person.waiting, person._size = asking.ask((96, 64), "the second"), (96, 64)
    person.wait(lambda _: person.find("title").text == "the second" and person.find("stage").is_displayed())
    assert not person.find("use").is_enabled()  # the old box is gone
    person.drag((10, 10), (50, 50))
    person.keys("ENTER")
    assert person.picked(asking) == pytest.approx((10, 10, 40, 40), abs=0.3)


def test_the_page_says_when_nobody_answers(chromium):
    with closing(Asking()) as asking:
        person = Person(chromium, asking, (640, 360))
        person.drag((100, 100), (200, 200))
    person.keys("ENTER")
    person.wait(lambda _: "does not answer" in person.find("said").text)
    chromium.get_log("browser")
