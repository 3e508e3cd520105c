"""A real browser, and hands and eyes before a page of siamtrack."""

from __future__ import annotations

import shutil

import pytest
from selenium import webdriver
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.actions.action_builder import ActionBuilder
from selenium.webdriver.common.actions.pointer_input import PointerInput
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import WebDriverWait

__all__ = ["LAPTOP", "PHONE", "Person", "chromium", "needs_chromium"]

missing = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
needs_chromium = pytest.mark.skipif(bool(missing), reason=f"not installed: {' '.join(missing)}")
LAPTOP, PHONE = (1366, 768, 1), (390, 844, 2)


@pytest.fixture(scope="module")
def chromium():
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # the sandbox wants rights that containers do not have; the only page shown is our own
    for word in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(word)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(shutil.which("chromedriver")))
    yield driver
    driver.quit()


class Person:
    """Somebody before a clip with frames of `size`, of which the frame `shown` is the first to be seen."""

    def __init__(self, driver, address, size, view=LAPTOP, touch=False, shown=0):
        self.driver, self.address, self.size, self._touch = driver, address, size, touch
        width, height, ratio = view
        metrics = {"width": width, "height": height, "deviceScaleFactor": ratio, "mobile": touch}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        driver.execute_cdp_cmd("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        self.open(shown)

    def open(self, shown=0):
        """Open the page, also once more."""
        self.driver.get(self.address)
        self.wait(lambda _: self.frame == shown)

    def wait(self, condition):
        return WebDriverWait(self.driver, 30, poll_frequency=0.03).until(condition)

    def find(self, name):
        return self.driver.find_element("id", name)

    @property
    def frame(self):
        """The frame whose picture is shown, None before the first."""
        shown = self.find("picture").get_attribute("data-frame")
        return None if shown is None else int(shown)

    @property
    def said(self):
        return self.find("said").text

    def hears(self, words):
        self.wait(lambda _: words in self.said)

    def ended(self):
        """What the page says when all is done."""
        self.wait(lambda _: self.find("end").is_displayed())
        return self.find("end").text

    def keys(self, *keys):
        """Press keys by name or letter, with others held: `SHIFT+ARROW_UP`."""
        for key in keys:
            held = key.rpartition("+")[0] if len(key) > 1 else ""
            actions = ActionChains(self.driver)
            for name in filter(None, held.split("+")):
                actions.key_down(getattr(Keys, name))
            name = key.rpartition("+")[2] if len(key) > 1 else key
            actions.send_keys(getattr(Keys, name, name))
            for name in filter(None, held.split("+")):
                actions.key_up(getattr(Keys, name))
            actions.perform()

    def drag(self, *points):
        """Press at the first point, move over the others, release; points in pixels of the source.

        Returns where they really were: the pointer stands on whole pixels of the page.
        """
        left, top, width, height = self.driver.execute_script(
            "const r = document.getElementById('picture').getBoundingClientRect();"
            "return [r.left, r.top, r.width, r.height]"
        )
        scale = min(width / self.size[0], height / self.size[1])
        x0, y0 = left + (width - scale * self.size[0]) / 2, top + (height - scale * self.size[1]) / 2
        kind = "touch" if self._touch else "mouse"
        actions = ActionBuilder(self.driver, mouse=PointerInput(kind, kind), duration=0)
        hand = actions.pointer_action
        places = [(round(x0 + x * scale), round(y0 + y * scale)) for x, y in points]
        hand.move_to_location(*places[0]).pointer_down()
        for place in places[1:]:
            hand.move_to_location(*place)
        hand.pointer_up()
        actions.perform()
        return [((x - x0) / scale, (y - y0) / scale) for x, y in places]

    def complaints(self):
        return [line["message"] for line in self.driver.get_log("browser")]
