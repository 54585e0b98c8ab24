"""A test's OPC UA server as a process of its own: killed, started again, given orders."""

import json
import os
import subprocess
import sys
from typing import Any, Optional, Sequence

from .. import ROOT
from ..support import PATIENCE, expect, free_port, freeze


class KillableServer:
    """*command* is started with the port as its last argument; it prints a line that begins with
    ``ready`` when it serves, and ends when its standard input does."""

    def __init__(self, command: Sequence[str], port: Optional[int] = None) -> None:
        self._command = list(command)
        self._process: Optional["subprocess.Popen[str]"] = None
        self._frozen = False
        for last in (False, False, True):
            self.port = port or free_port()
            try:
                self.start()
                return
            except AssertionError:  # another process was faster to take the port
                if last:
                    raise

    @classmethod
    def of_module(cls, name: str, *arguments: str, port: Optional[int] = None) -> "KillableServer":
        """The module *name* beside this one."""
        return cls([sys.executable, "-m", "tests.servers." + name, *arguments], port)

    @property
    def endpoint(self) -> str:
        return "opc.tcp://127.0.0.1:%d" % self.port

    def start(self, more: Sequence[str] = ()) -> None:
        """*more* arguments come before the port, this time."""
        self._frozen = False
        environment = dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path]))
        self._process = subprocess.Popen(
            [*self._command, *more, str(self.port)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=str(ROOT),
            env=environment,
        )
        self.expect("ready")

    def expect(self, word: str) -> None:
        """Wait until the server prints a line that begins with *word*."""
        assert self._process is not None
        try:
            expect(self._process, word)
        except AssertionError:
            self.kill()
            raise

    def freeze(self) -> None:
        assert self._process is not None
        freeze(self._process)
        self._frozen = True

    def revive(self) -> bool:
        """Start it again if it was killed or frozen; whether it was."""
        if self._process is not None and not self._frozen:
            return False
        self.kill()
        self.start()
        return True

    def kill(self) -> None:
        """End it as a power cut would."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()


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
