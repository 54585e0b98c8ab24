"""The picture of the page in README.rst, taken anew: ``python3 -m tests.support.screenshot``.

It is the simulated plant's, with trends of the last hour.  Look at it before you commit it.
"""

import tempfile
from pathlib import Path

from .. import support
from . import PATIENCE, PlantProcess, readme
from .browser import chromium
from .page import Page

PICTURE = readme.ROOT / "opcws" / "static" / "screenshot.png"
WIDTH, HEIGHT = 1280, 760
LAST_HOUR = "3600"


def take(directory: Path, picture: Path) -> None:
    plant = PlantProcess()
    server = support.serve(plant.endpoint)
    try:
        support.wait_connected(server)
        with chromium(directory, PATIENCE) as browser:
            page = Page(browser, server.urls[0])
            page.resize(WIDTH, HEIGHT)
            page.scheme("light")
            for variable in ("Boiler.Setpoint", "Boiler.Pressure"):
                page.look_at(variable)
                page.click("#pin")
            page.look_at("Boiler.Temperature")
            page.search("")
            page.choose("trend-span", LAST_HOUR)
            page.shows(lambda: page.cell("Boiler.Valve", "value"), "the values")
            page.shows(lambda: page.points()[0] > 1000, "the past")
            page.click("#detail-name")  # nothing else is pointed at
            page.shows(lambda: not page.ask("document.getAnimations().length"), "no flash")
            assert browser.save_screenshot(str(picture))
    finally:
        server.stop()
        plant.kill()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        take(Path(folder), PICTURE)
    print("look at %s" % PICTURE)
