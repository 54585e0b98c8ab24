"""The simulated plant as a process of its own."""

import os
import subprocess
import sys
from typing import Optional, Sequence

from .. import ROOT
from .ports import free_port
from .waiting import PATIENCE, expect, freeze, thaw


class PlantProcess:
    """The simulated plant as a process that can be killed, stopped and started again."""

    def __init__(self, port: Optional[int] = None, namespaces: Sequence[str] = ()) -> None:
        self.port = port or free_port()
        self.process: Optional["subprocess.Popen[str]"] = None
        self.start(namespaces)

    @property
    def endpoint(self) -> str:
        return "opc.tcp://127.0.0.1:%d" % self.port

    def start(self, namespaces: Sequence[str] = ()) -> None:
        command = [sys.executable, "-m", "tests.servers.demo_plant", "--port", str(self.port)]
        for uri in namespaces:
            command += ["--namespace", uri]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), *sys.path])),
        )
        expect(self.process, "ready")

    def kill(self) -> None:
        """Kill it, as a power cut would."""
        process = self.process
        if process is None:
            return
        self.process = None
        if process.poll() is None:
            if os.name != "nt":  # Windows can kill a stopped one
                thaw(process)
            process.kill()
        process.wait(PATIENCE)
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> "PlantProcess":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.kill()

    def freeze(self) -> None:
        assert self.process is not None
        freeze(self.process)

    def thaw(self) -> None:
        assert self.process is not None
        thaw(self.process)
