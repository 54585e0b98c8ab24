"""The picture of the page in README.rst, taken anew: ``python3 -m tests.support.screenshot``.

It is a view of the simulated plant, of the last hour.  Look at it before you commit it.
"""

import base64
import json
import tempfile
from pathlib import Path

from .. import support
from . import PATIENCE, PlantProcess, readme
from .browser import chromium
from .page import Page

PICTURE = readme.ROOT / "opcws" / "static" / "screenshot.png"
WIDTH, HEIGHT = 1280, 760
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


def take(directory: Path, picture: Path) -> None:
    plant = PlantProcess()
    server = support.serve(plant.endpoint)
    try:
        support.wait_connected(server)
        with chromium(directory, PATIENCE) as browser:
            page = Page(browser, server.urls[0] + address())
            page.resize(WIDTH, HEIGHT)
            page.scheme("light")
            first = "Array.from(document.querySelectorAll('.chart[data-points]'), "
            first += "(e) => parseInt(e.dataset.points))"
            page.shows(lambda: min(page.ask(first), default=0) > 100, "the past")
            page.shows(lambda: page.text(".legend .most"), "the figures")
            assert browser.save_screenshot(str(picture))
    finally:
        server.stop()
        plant.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder), PICTURE)
    print("look at %s" % PICTURE)
