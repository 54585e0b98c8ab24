"""Node for the tests of JavaScript."""

import shutil
import subprocess
from typing import List

import pytest

from .. import ROOT

#: Where npm install puts the packages of the tests.
PACKAGES = ROOT / "tests" / "javascript" / "node_modules"


def node_with_websocket() -> List[str]:
    """The command of a Node with WebSocket; skips if there is none."""
    node = shutil.which("node")
    if node is not None:
        for command in ([node], [node, "--experimental-websocket"]):
            done = subprocess.run([*command, "-e", "new WebSocket('ws://0')"], capture_output=True)
            if b"ReferenceError" not in done.stderr and b"bad option" not in done.stderr:
                return command
    pytest.skip("not run: needs Node 20.10 or newer")


def node_with(package: str) -> str:
    """A Node that can load *package*, which mixes CommonJS and other modules; skips if there is
    none."""
    node = shutil.which("node")
    if node is None or not (PACKAGES / package).exists():
        pytest.skip("not run: needs Node, and npm install in tests/javascript")
    told = subprocess.run([node, "--version"], capture_output=True).stdout.decode("ascii")
    version = [int(each) for each in told.strip("v\n").split(".")[:2]]
    if not ([20, 19] <= version < [21] or version >= [22, 12]):
        pytest.skip("not run: needs Node 20.19 or 22.12, or newer")
    return node
