"""Mosquitto, an MQTT broker, for ``opcws demo --broker``; and what the opcws around it serve."""

import os
import shutil
import socket
import subprocess
from typing import List, Optional

from ..model.deadline import Deadline
from ..model.errors import ListenError

#: Seconds that it may take to answer, and to end.
START_S, END_S = 10.0, 2.0
#: The opcws that serve from it.
EDGES = ("office-1", "office-2")
#: Where it is if not on the PATH: Debian has it for the superuser only, Windows not at all.
_ELSEWHERE = (
    "/usr/sbin/mosquitto",
    "/usr/local/sbin/mosquitto",
    os.path.join(os.environ.get("PROGRAMFILES", "C:\\"), "mosquitto", "mosquitto.exe"),
)


class Broker:
    """Mosquitto on a free port of this machine, with its files in *directory*."""

    def __init__(self, directory: str) -> None:
        self._directory = directory
        self._process: Optional["subprocess.Popen[bytes]"] = None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]

    @property
    def url(self) -> str:
        return "mqtt://127.0.0.1:%d" % self.port

    def start(self) -> None:
        """Start it, and return when it answers.  Raises :exc:`ListenError`."""
        program = shutil.which("mosquitto") or next(filter(os.path.exists, _ELSEWHERE), None)
        if program is None:
            raise ListenError(
                "Mosquitto is not installed; install it (apt install mosquitto, or the installer "
                "from mosquitto.org), or leave out --broker"
            )
        file = os.path.join(self._directory, "mosquitto.conf")
        with open(file, "w", encoding="ascii") as text:
            text.write("listener %d 127.0.0.1\nallow_anonymous true\n" % self.port)
        self._process = subprocess.Popen(
            [program, "-c", file],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            # Ctrl-C is for opcws, which ends this.
            start_new_session=True,
            creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
        )
        deadline = Deadline(START_S)
        while not self._answers():
            if self._process.poll() is not None or deadline.expired:
                self.stop()
                raise ListenError("%s did not start; start it by hand to see why" % program)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 0.2).close()
        except OSError:
            return False
        return True

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.terminate()
            try:
                process.wait(END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def published(config_text: str, url: str) -> str:
    """The configuration *config_text*, which also publishes everything at the broker *url*, and
    lets the edges write."""
    lines = ["", "roles:  # as without any, but for a name", "  anonymous:"]
    lines += ["    {read: ['*'], write: ['*'], history: true, views: true,"]
    lines += ["     endpoints: [healthz, readyz, metrics, status]}"]
    lines += ["publish:", "  mqtt:", "    broker: %s" % url, "    publisher: demo"]
    lines += ["    interval_ms: 100", "    variables: ['*']", "    requests:"]
    lines += ["      %s: {role: anonymous}" % edge for edge in EDGES]
    return config_text + "\n".join(lines) + "\n"


def edge_text(url: str, edge: str, listen_port: int) -> str:
    """The configuration of the opcws with the name *edge*, which serves what is published there."""
    lines: List[str] = ["listen:", "  port: %d" % listen_port, "servers:", "  plant:"]
    lines += ["    endpoint: %s" % url, "    publisher: demo", "    edge: %s" % edge]
    return "\n".join(lines) + "\n"
