"""Fixtures of the stories that need real servers."""

from typing import Iterator

import pytest

from ..servers.process import ServerProcess


@pytest.fixture(scope="module")
def values_plant() -> Iterator[ServerProcess]:
    """A server of variables of every kind, whose values change when they are told to."""
    process = ServerProcess("values_plant")
    yield process
    process.kill()
