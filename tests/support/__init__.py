"""What the integration tests are made of: a plant in a process of its own, opcws, a client.

The client is websocket-client, which is not ours.  Every message that it receives is checked
against the contract before a test sees it.
"""

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import zlib
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence

import websocket

from opcws.app import Server
from opcws.config import loads
from opcws.demo import variables
from opcws.operations import open_files
from opcws.wire import contract

#: Seconds that an event may take on a busy machine before a test gives up.
PATIENCE = 60.0

URI = "urn:demo:plant"

#: Below those that systems give to whoever asks for just any: what is free when it is looked at
#: is free when it is used, also by a server that was killed and comes back.
PORTS = range(20000, 32768)
_turns = itertools.count()


def free_port() -> int:
    """A port that nobody listens on; another one each time, in each process of one test run."""
    run = os.environ.get("PYTEST_XDIST_TESTRUNUID", str(os.getpid()))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
    each = len(PORTS) // processes
    for _ in PORTS:
        place = (zlib.crc32(run.encode("ascii")) + next(_turns)) % each
        port = PORTS[place * processes + mine]
        with socket.socket() as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise AssertionError("every port is taken")


def slack_s() -> float:
    """Seconds that a machine may add to what opcws itself takes: 5, and more the more processes
    wait for its CPUs.  What would come later without the promise that a test proves must come
    later still."""
    loaded = os.getloadavg()[0] / (os.cpu_count() or 1) if hasattr(os, "getloadavg") else 6.0
    return 5.0 * min(max(loaded, 1.0), 6.0)


def wait_until(
    true: Callable[[], Any], what: str, patience: float = PATIENCE, step: float = 0.01
) -> Any:
    """Poll *true* until it is; fail with *what* at the deadline."""
    pause = threading.Event()
    deadline = time.monotonic() + patience
    while True:
        result = true()
        if result:
            return result
        assert time.monotonic() < deadline, "not within %g s: %s" % (patience, what)
        pause.wait(step)


def expect(process: "subprocess.Popen[str]", word: str) -> str:
    """Wait until *process* prints a line that begins with *word*, and return it."""
    assert process.stdout is not None
    # One that never says it is killed, which ends its output.
    giving_up = threading.Timer(3 * PATIENCE, process.kill)
    giving_up.start()
    said: List[str] = []
    try:
        for line in process.stdout:
            if line.startswith(word):
                return line
            said.append(line)
    finally:
        giving_up.cancel()
        giving_up.join()
    raise AssertionError("%s never said %s: %s" % (process.args, word, "".join(said)[-2000:]))


def freeze(process: "subprocess.Popen[str]") -> None:
    """Stop *process*, and wait until it has stopped: the signal may be on its way for a while."""
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)


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
        command = [sys.executable, "-m", "opcws.demo", "--port", str(self.port)]
        for uri in namespaces:
            command += ["--namespace", uri]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        expect(self.process, "ready")

    def kill(self) -> None:
        """End it as a power cut would."""
        process = self.process
        if process is None:
            return
        self.process = None
        if process.poll() is None:
            if os.name != "nt":
                process.send_signal(signal.SIGCONT)
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
        self.process.send_signal(signal.SIGCONT)


def settings(endpoint: str, **changes: Any) -> Dict[str, Any]:
    """A configuration for the demo plant at *endpoint*, quick enough for tests; a test that needs a
    request to time out says when.

    *changes*: ``listen`` and ``server`` are merged into their sections, ``variables`` replace
    the demo's, ``more_servers`` are added.
    """
    listed: Dict[str, Any] = {}
    for variable in variables():
        entry: Dict[str, Any] = {"node": variable.node}
        if variable.access != "read":
            entry["access"] = variable.access
        listed[variable.name] = entry
    server = {
        "endpoint": endpoint,
        "publishing_interval_ms": 50,
        "sampling_interval_ms": 0,
        "queue_size": 1000,
        "connect_timeout_ms": PATIENCE * 1000,
        "request_timeout_ms": PATIENCE * 1000,
        "heartbeat_interval_ms": 1000,
        "reconnect_min_ms": 100,
        "reconnect_max_ms": 500,
        "variables": changes.get("variables", listed),
    }
    server.update(changes.get("server", {}))
    listen = {"host": "127.0.0.1", "port": 0, "close_timeout_s": 1}
    listen.update(changes.get("listen", {}))
    return {"listen": listen, "servers": {"plant": server, **changes.get("more_servers", {})}}


def serve(endpoint: str, **changes: Any) -> Server:
    """opcws in this process in front of the demo plant at *endpoint*, started."""
    server = Server(loads(json.dumps(settings(endpoint, **changes))))
    server.start()
    return server


@contextlib.contextmanager
def served(endpoint: str, **changes: Any) -> Iterator[Server]:
    """The same, connected, and stopped in the end."""
    server = serve(endpoint, **changes)
    try:
        wait_connected(server)
        yield server
    finally:
        server.stop()
    no_threads_left()


def wait_connected(server: Server) -> None:
    for plant in server.plants.values():
        wait_until(lambda plant=plant: plant.supervisor.connected, "%s connected" % plant.name)


class Client:
    """A WebSocket client that keeps what was pushed apart from what was answered."""

    def __init__(self, url: str, query: str = "", **options: Any) -> None:
        options.setdefault("timeout", PATIENCE)
        options.setdefault("subprotocols", ["json"])
        self.ws = websocket.create_connection(url.replace("http", "ws", 1) + query, **options)
        self.pushed: List[Dict[str, Any]] = []
        self._answered: List[Dict[str, Any]] = []
        self._handle = 0

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def close(self) -> None:
        self.ws.close(timeout=PATIENCE)

    def vanish(self) -> None:
        """Leave without a closing handshake."""
        self.ws.shutdown()

    def send(self, operation: str, body: Any = None, handle: Any = None) -> Any:
        """Send a request; returns its ClientHandle."""
        if handle is None:
            self._handle += 1
            handle = "h%d" % self._handle
        message: Dict[str, Any] = {
            "Header": {"MessageType": operation + "_REQUEST", "ClientHandle": handle}
        }
        if body is not None:
            message["Body"] = body
        self.ws.send(json.dumps(message))
        return handle

    def receive(self) -> Dict[str, Any]:
        """The next message of any kind, checked against the contract."""
        text = self.ws.recv()
        assert text, "the connection was closed"
        message: Dict[str, Any] = json.loads(text, parse_constant=_no_constant)
        problems = contract.problems(message["Header"]["MessageType"], message)
        assert not problems, "%s: %s" % (text, problems)
        return message

    def _sort(self, message: Dict[str, Any]) -> None:
        pushed = message["Header"]["MessageType"].endswith("_MESSAGE")
        (self.pushed if pushed else self._answered).append(message)

    def answer(self) -> Dict[str, Any]:
        """The next response or ERROR; what is pushed meanwhile is kept."""
        while not self._answered:
            self._sort(self.receive())
        return self._answered.pop(0)

    def request(self, operation: str, body: Any = None, handle: Any = None) -> Dict[str, Any]:
        """Send a request and return its whole response."""
        handle = self.send(operation, body, handle)
        answer = self.answer()
        assert answer["Header"]["MessageType"] == operation + "_RESPONSE", answer
        return answer

    def body(self, operation: str, body: Any = None, handle: Any = None) -> Any:
        """Send a request and return the Body of its response."""
        answer = self.request(operation, body, handle)
        assert "StatusCode" not in answer["Header"], answer
        return answer["Body"]

    def status(self, operation: str, body: Any = None, handle: Any = None) -> Optional[str]:
        """Send a request and return the ``StatusCode`` of its response's Body, if any."""
        status: Optional[str] = self.body(operation, body, handle).get("StatusCode")
        return status

    def raw(self, text: Any) -> Dict[str, Any]:
        """Send *text* as it is and return the next response or ERROR."""
        self.ws.send(text)
        return self.answer()

    def push(self) -> Dict[str, Any]:
        """The next pushed message; answers meanwhile are kept."""
        while not self.pushed:
            self._sort(self.receive())
        return self.pushed.pop(0)

    def update(self, handle: Any = None, variable: Optional[str] = None) -> Dict[str, Any]:
        """The Body of the next MONITORUPDATE of *handle* and *variable*; others are dropped."""
        while True:
            message = self.push()
            header, body = message["Header"], message["Body"]
            if header["MessageType"] != "MONITORUPDATE_MESSAGE":
                continue
            if handle is not None and header["ClientHandle"] != handle:
                continue
            if variable is None or body["Variable"] == variable:
                found: Dict[str, Any] = body
                return found

    def update_where(self, true: Callable[[Dict[str, Any]], Any], **which: Any) -> Dict[str, Any]:
        """The first update for which *true* holds."""
        deadline = time.monotonic() + PATIENCE
        while True:
            body = self.update(**which)
            if true(body):
                return body
            assert time.monotonic() < deadline, "no such update within %g s" % PATIENCE

    def write(self, variable: str, value: Any) -> None:
        answer = self.body("WRITE", {"Variable": variable, "Value": value})
        assert answer in ({}, ""), answer


def _no_constant(name: str) -> None:
    raise AssertionError("%s is no JSON" % name)


def our_threads() -> List[str]:
    """Names of the threads that opcws has running."""
    return sorted(
        thread.name for thread in threading.enumerate() if thread.name.startswith("opcws-")
    )


def no_threads_left() -> None:
    with contextlib.suppress(AssertionError):  # the next one says which
        wait_until(lambda: not our_threads(), "threads end")
    assert our_threads() == []


@contextlib.contextmanager
def crowded() -> Iterator[None]:
    """The descriptors that ``select`` can wait for are taken, as by a thousand clients."""
    open_files.allow(2048)
    taken: List[int] = []
    try:
        while not taken or taken[-1] < 1024:
            taken.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)


def raw_socket(server: Server) -> socket.socket:
    """A TCP connection to the first listener."""
    return socket.create_connection(server.listeners[0].addresses[0], timeout=PATIENCE)
