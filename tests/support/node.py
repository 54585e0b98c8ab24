"""Node for the tests of what is written in JavaScript."""

import shutil
import subprocess
from typing import List

import pytest


def node_with_websocket() -> List[str]:
    """The command of a Node that has WebSocket; skips where there is none."""
    node = shutil.which("node")
    if node is not None:
        for command in ([node], [node, "--experimental-websocket"]):
            done = subprocess.run([*command, "-e", "new WebSocket('ws://0')"], capture_output=True)
            if b"ReferenceError" not in done.stderr and b"bad option" not in done.stderr:
                return command
    pytest.skip("not run: needs Node 20.10 or newer")
