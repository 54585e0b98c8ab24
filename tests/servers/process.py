"""A test's OPC UA server as a process that takes orders."""

import json
import sys
from typing import Any

from .killable import KillableServer


class ServerProcess(KillableServer):
    """``python -m tests.servers.MODULE OPTIONS PORT``, which prints ``ready`` and then answers
    each line with a line."""

    def __init__(self, module: str, *options: str) -> None:
        super().__init__([sys.executable, "-m", "tests.servers." + module, *options])

    def order(self, **order: Any) -> None:
        """Send one order and wait until it is done."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self.expect("done")

    def change(self, name: str, *values: Any) -> None:
        """Let the variable *name* take each of *values*, with no publish in between."""
        self.order(**{name: list(values)})
