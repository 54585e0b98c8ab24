"""Fixtures of the stories that are seen in a real browser."""

from typing import Any, Iterator, List, Optional

import pytest

from opcws.app import Server

from ...support import PATIENCE
from ...support.browser import chromium
from ...support.page import Page

#: Browsers that run.
_running: List[Any] = []


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with chromium(tmp_path_factory.mktemp("profile"), PATIENCE) as driver:
        _running.append(driver)
        yield driver
        _running.remove(driver)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_teardown(nextitem: Optional[pytest.Item]) -> Iterator[None]:
    """A browser that the next test does not use shows nothing: a page that is open goes on drawing
    what changes, for as long as the tests run."""
    yield
    if nextitem is None or "browser" not in getattr(nextitem, "fixturenames", ()):
        for driver in _running:
            driver.get("about:blank")


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
