"""Fixtures shared by the tests: one plant process per session, opcws in front of it."""

import logging
import os
import signal
import threading
from pathlib import Path
from typing import Iterator, List, Optional

import hypothesis
import pytest

from opcws.app import Server
from opcws.demo import Plant
from opcws.operations.form import FORM, PURE

from . import support
from .support import pki

#: Characters of a test's id, which pytest puts into an environment variable: on Windows these may
#: have 32,767.
LONGEST_ID = 8192

# What a shell starts in the background ignores Ctrl-C, and so would all that the tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

#: The same examples every time, and no judgement of how long one takes: neither chance nor a busy
#: machine fails a run.  ``pytest --hypothesis-profile=explore`` looks for new ones.
STEADY = hypothesis.settings(
    derandomize=True, deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.register_profile("steady", STEADY)
hypothesis.settings.register_profile("explore", STEADY, derandomize=False)
hypothesis.settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    if FORM != os.environ.get("OPCWS_TEST_FORM", FORM):
        raise pytest.UsageError("these tests are of the %(OPCWS_TEST_FORM)s form" % os.environ)
    if config.pluginmanager.hasplugin("cacheprovider"):
        pki.kept_keys = Path(config.cache.mkdir("keys"))
    config.option.loadscopereorder = False  # of pytest-xdist: files in the order of below


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: List[pytest.Item]) -> None:
    """Files that take long begin first, and many quick ones are left for the end: so no process of
    the run is at work when all others have nothing left to do."""
    long = {item.path for item in items if item.get_closest_marker("slow") is not None}
    if FORM != PURE:
        for item in items:
            if item.get_closest_marker("interpreted") or item.get_closest_marker("drawn"):
                item.add_marker(pytest.mark.skip(reason="runs on the pure form"))
    items.sort(key=lambda item: (item.path not in long, "integration" not in item.path.parts))


def pytest_make_parametrize_id(val: object, argname: str) -> Optional[str]:
    """Pytest 8 makes an id of all of it."""
    if isinstance(val, (str, bytes)) and len(val) > 1000:
        return "%s of %d" % (argname, len(val))
    return None


def pytest_itemcollected(item: pytest.Item) -> None:
    if len(item.nodeid) > LONGEST_ID:
        text = "%s... is too long an id; name the parameter: pytest.param(..., id=...)"
        raise pytest.UsageError(text % item.nodeid[:200])


@pytest.fixture(autouse=True)
def _log_levels() -> Iterator[None]:
    """A command that a test runs in this process may silence loggers, but for itself alone."""
    loggers = [
        logging.getLogger(name) for name in ("", "opcws", "opcws.operations.open_files", "opcua")
    ]
    levels = [each.level for each in loggers]
    hook = threading.excepthook
    yield
    threading.excepthook = hook
    for each, level in zip(loggers, levels):
        each.setLevel(level)


@pytest.fixture(scope="session")
def shared_plant() -> Iterator[support.PlantProcess]:
    """The simulated plant of all modules that leave it as it was."""
    with support.PlantProcess() as process:
        yield process


@pytest.fixture(scope="module")
def plant(request: pytest.FixtureRequest) -> Iterator[support.PlantProcess]:
    """The simulated plant; the module's own if that is marked ``own_plant``."""
    if request.node.get_closest_marker("own_plant") is None:
        yield request.getfixturevalue("shared_plant")
        return
    with support.PlantProcess() as process:
        yield process


@pytest.fixture
def own_plant() -> Iterator[support.PlantProcess]:
    """The simulated plant, for one test that kills or freezes it."""
    with support.PlantProcess() as process:
        yield process


@pytest.fixture
def in_process() -> Iterator[Plant]:
    """The simulated plant in this process, for one test that looks into it or sets values."""
    with Plant(clock_period_s=3600.0) as running:
        yield running


@pytest.fixture(scope="module")
def server(plant: support.PlantProcess) -> Iterator[Server]:
    """opcws, connected to the plant; shared by the tests of one module."""
    with support.served(plant.endpoint) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[support.Client]:
    """A client in the typed dialect."""
    with support.Client(server.urls[0]) as connected:
        yield connected


@pytest.fixture
def string_client(server: Server) -> Iterator[support.Client]:
    """A client in the string dialect."""
    with support.Client(server.urls[0], "?scalars=string") as connected:
        yield connected
