"""A real browser for the tests: Debian's chromium without a window, driven by selenium."""

import contextlib
import os
import shutil
from pathlib import Path
from typing import Any, Iterator

import pytest

_NAMES = ("chromium", "chromium-browser")

_ARGUMENTS = (
    "--headless",
    "--no-sandbox",  # root has none, and CI runs as root
    "--disable-gpu",
    "--disable-dev-shm-usage",  # containers have only a small /dev/shm
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-features=BackForwardCache",
    "--window-size=1280,900",
    "--lang=en-US",  # whatever the machine's language is
)


@contextlib.contextmanager
def chromium(directory: Path, patience: float) -> Iterator[Any]:
    """A selenium WebDriver with its profile in *directory*; commands may take *patience* s.

    The test is skipped if chromium or its driver is missing.
    """
    browser = next(filter(None, map(shutil.which, _NAMES)), None)
    driver = shutil.which("chromedriver")
    if browser is None or driver is None:
        pytest.skip("not run: needs chromium and chromedriver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="not run: needs selenium")
    service_module = pytest.importorskip("selenium.webdriver.chrome.service")
    options = webdriver.ChromeOptions()
    options.binary_location = browser
    for argument in _ARGUMENTS:
        options.add_argument(argument)
    options.add_argument("--user-data-dir=%s" % directory)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    # A proxy of the environment cannot reach a server on loopback.
    environment = {
        key: value for key, value in os.environ.items() if not key.lower().endswith("_proxy")
    }
    options.add_argument("--no-proxy-server")
    service = service_module.Service(driver, env=environment)
    running = webdriver.Chrome(options=options, service=service)
    try:
        running.set_script_timeout(patience)
        running.set_page_load_timeout(patience)
        yield running
    finally:
        running.quit()
