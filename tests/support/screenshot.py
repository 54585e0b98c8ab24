"""Takes the picture of the page in README.rst again: ``python3 -m tests.support.screenshot``.

It shows a view of the simulated plant, the last hour, on a desktop and on a phone.  Look at it
before you commit it.
"""

import base64
import json
import tempfile
from pathlib import Path
from typing import Tuple

from .. import support
from . import PATIENCE, PlantProcess, readme
from .browser import chromium
from .page import Page

PICTURE = readme.ROOT / "opcws" / "static" / "screenshot.png"
DESKTOP, PHONE = (1240, 650), (360, 650)
BOTH = """<!doctype html><style>
body {margin: 0; padding: 12px; display: flex; gap: 16px; background: #fff}
img {border: 1px solid #b8c2c6; border-radius: 10px}
img + img {border: 8px solid #23323a; border-radius: 24px; margin: -8px 0}
</style>%s"""
VIEW = {
    "Name": "Boiler house",
    "Span": 3600,
    "Panels": [
        {
            "Kind": "values",
            "Variables": [
                *("Boiler.Temperature", "Boiler.Pressure", "Boiler.Level"),
                *("Boiler.Valve", "Motor.Speed", "Motor.Mode"),
            ],
            "Width": 12,
            "Height": 1,
        },
        {
            "Kind": "chart",
            "Title": "Temperature",
            "Variables": ["Boiler.Temperature", "Boiler.Setpoint"],
            "Width": 7,
            "Height": 2,
        },
        {
            "Kind": "chart",
            "Title": "Pressure and level",
            "Variables": ["Boiler.Pressure", "Boiler.Level"],
            "Width": 5,
            "Height": 2,
        },
    ],
}


def address() -> str:
    text = json.dumps(VIEW).encode("utf-8")
    return "#/view/" + base64.urlsafe_b64encode(text).decode("ascii").rstrip("=")


def screenshot(page: Page, size: Tuple[int, int]) -> str:
    """The view in a browser of *size*, as an element of HTML."""
    page.resize(*size)
    first = "Array.from(document.querySelectorAll('.chart[data-points]'), "
    first += "(e) => parseInt(e.dataset.points))"
    page.shows(lambda: min(page.ask(first), default=0) > 100, "the past")
    page.shows(lambda: page.text(".legend .most"), "the figures")
    return '<img src="data:image/png;base64,%s">' % page.browser.get_screenshot_as_base64()


def take(directory: Path, picture: Path) -> None:
    plant = PlantProcess()
    server = support.serve(plant.endpoint)
    try:
        support.wait_connected(server)
        with chromium(directory, PATIENCE) as browser:
            page = Page(browser, server.urls[0] + address())
            page.scheme("light")
            both = directory / "both.html"
            both.write_text(BOTH % (screenshot(page, DESKTOP) + screenshot(page, PHONE)), "utf-8")
            page.resize(DESKTOP[0] + PHONE[0] + 58, DESKTOP[1] + 26)
            browser.get(both.as_uri())
            page.shows(
                lambda: page.ask("Array.from(document.images).every((e) => e.width)"), "both"
            )
            assert browser.save_screenshot(str(picture))
    finally:
        server.stop()
        plant.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder), PICTURE)
    print("look at %s" % PICTURE)
