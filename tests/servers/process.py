"""A test's OPC UA server as a process of its own."""

import json
import subprocess
import sys
from typing import Any, Optional

from ..support import PATIENCE, free_port


class ServerProcess:
    """``python -m tests.servers.MODULE PORT OPTIONS``, which prints ``ready`` and then answers
    each line with a line."""

    def __init__(self, module: str, *options: str) -> None:
        self.port = free_port()
        self._command = [sys.executable, "-m", "tests.servers." + module, str(self.port), *options]
        self._process: Optional["subprocess.Popen[str]"] = None
        self.start()

    @property
    def endpoint(self) -> str:
        return "opc.tcp://127.0.0.1:%d" % self.port

    def start(self) -> None:
        self._process = subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._expect("ready")

    def order(self, **order: Any) -> None:
        """Send one order and wait until it is done."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        self._expect("done")

    def _expect(self, line: str) -> None:
        assert self._process is not None and self._process.stdout is not None
        for said in self._process.stdout:  # what else libraries print is passed over
            if said.strip() == line:
                return
        raise AssertionError("the server ended instead of saying %r" % line)

    def change(self, name: str, *values: Any) -> None:
        """Let the variable *name* take each of *values*, with no publish in between."""
        self.order(**{name: list(values)})

    def kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()
