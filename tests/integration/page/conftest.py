"""Fixtures of the stories that are seen in a real browser."""

from typing import Any, Iterator

import pytest

from opcws.app import Server

from ...support import PATIENCE
from ...support.browser import chromium
from ...support.page import Page


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile"), PATIENCE) as driver:
        yield driver


@pytest.fixture(autouse=True)
def size_and_colours(request: pytest.FixtureRequest) -> Iterator[None]:
    """Whatever a test has the browser emulate, the next one finds the window as it is."""
    driver = "browser" in request.fixturenames and request.getfixturevalue("browser")
    yield
    if driver:
        driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


@pytest.fixture
def page(browser: Any, server: Server) -> Iterator[Page]:
    """The list at /, with values and what is known of them."""
    opened = Page(browser, server.urls[0])
    opened.shows(lambda: opened.cell("Boiler.Temperature", "unit"), "values and what is known")
    opened.shows(lambda: opened.cell("Boiler.Temperature", "value"), "a value")
    yield opened
    opened.restore()
