"""The page at / as a person sees it, in a real browser."""

from typing import Any, Callable, List

from .. import ROOT
from . import wait_until

#: Screenshots of the tests, for people; not in git.
SCREENSHOTS = ROOT / "tests" / "screenshots"

BACKSPACE = "\ue003"  # WebDriver 17.4.2


class Page:
    """*browser* at *url*, which may be any of opcws."""

    def __init__(self, browser: Any, url: str) -> None:
        self.browser = browser
        browser.get_log("browser")  # drop the log of earlier pages
        browser.get("about:blank")  # the URLs may differ only after #
        browser.get(url)

    def ask(self, expression: str, *arguments: Any) -> Any:
        return self.browser.execute_script("return " + expression, *arguments)

    def text(self, selector: str) -> str:
        """The text at *selector*; empty if nothing is there or it is hidden."""
        found: str = self.ask(
            "((e) => e && e.offsetParent ? e.innerText.trim() : '')"
            "(document.querySelector(arguments[0]))",
            selector,
        )
        return found

    def cell(self, variable: str, column: str) -> str:
        return self.text('[data-variable="%s"] .%s' % (variable, column))

    def names(self) -> List[str]:
        """The names of the existing rows, in their order."""
        listed: List[str] = self.ask(
            "Array.from(document.querySelectorAll('[data-variable]'))"
            ".sort((a, b) => a.dataset.index - b.dataset.index).map((e) => e.dataset.variable)"
        )
        return listed

    def count(self) -> int:
        """Number of rows to scroll through."""
        rows = self.ask("document.getElementById('list').getAttribute('aria-rowcount')")
        return int(rows or 1) - 1  # not set until the page has started

    def element(self, name: str) -> Any:
        return self.browser.find_element("id", name)

    def click(self, selector: str) -> None:
        """Click as a person does: fails if something else is in front."""
        self.browser.find_element("css selector", selector).click()

    def press(self, *keys: str) -> None:
        """Press *keys* on the element with the focus."""
        self.browser.switch_to.active_element.send_keys(*keys)

    def fill(self, name: str, text: str) -> None:
        field = self.element(name)
        self.browser.execute_script("arguments[0].select && arguments[0].select()", field)
        field.send_keys(text or BACKSPACE)

    def search(self, text: str) -> None:
        self.fill("search", text)

    def choose(self, name: str, value: str) -> None:
        """Choose *value* in the list or field *name*."""
        self.browser.execute_script(
            "arguments[0].value = arguments[1];"
            "arguments[0].dispatchEvent(new Event('change', {bubbles: true}))",
            self.element(name),
            value,
        )

    def points(self) -> List[int]:
        """Number of points of each line of the trend."""
        return [int(number) for number in self._counts("points").split()]

    def gaps(self) -> List[int]:
        """Number of gaps of each line of the trend."""
        return [int(number) for number in self._counts("gaps").split()]

    def _counts(self, of: str) -> str:
        text: str = self.ask("document.getElementById('trend-chart').dataset[arguments[0]]", of)
        return text or ""

    def look_at(self, variable: str) -> None:
        self.search(variable)
        self.shows(lambda: variable in self.names(), "the row of " + variable)
        self.click('[data-variable="%s"]' % variable)
        self.shows(lambda: self.text("#detail-name") == variable, "the detail")

    def complaints(self) -> List[str]:
        """Problems that the browser reported, except that the server was unreachable."""
        messages = [entry["message"] for entry in self.browser.get_log("browser")]
        return [each for each in messages if "ERR_CONNECTION_REFUSED" not in each]

    def shows(self, true: Callable[[], Any], what: str) -> None:
        wait_until(true, what, step=0.05)

    def resize(self, width: int, height: int = 800) -> None:
        self.browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500},
        )

    def scheme(self, name: str) -> None:
        """Set the device's preference, ``light`` or ``dark``."""
        self.browser.execute_cdp_cmd(
            "Emulation.setEmulatedMedia",
            {"features": [{"name": "prefers-color-scheme", "value": name}]},
        )

    def restore(self) -> None:
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.scheme("")
        self.browser.execute_script("localStorage.clear(); sessionStorage.clear()")

    def picture(self, name: str) -> None:
        SCREENSHOTS.mkdir(exist_ok=True)
        path = SCREENSHOTS / (name + ".png")
        assert self.browser.save_screenshot(str(path))
        print("screenshot: %s" % path)
