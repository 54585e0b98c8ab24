"""Measures opcws with a crowd of clients: all come at once, or many more than there are places.

    python scripts/crowd.py [--only storm,starts,refused] [--clients N]
    python scripts/crowd.py --large [--variables N] [--clients N] [--source PROGRAM]

bench.py runs it in the environment of the measured form.  A plant of fifty variables, opcws and the
clients are a process each, all on 127.0.0.1.  Linux only.

storm
    All clients connect at once, and each starts a monitor as soon as it is connected.
starts
    All connect, 64 at a time; when the last is connected, all start a monitor at once.
refused
    As storm, with places for half of the clients.  The others are refused, and try again after
    half a second, until the end of the cell.

After 5 s each client that has a place READs, all at once.

A promise is broken (exit code 1) if *values* or *READ* took more than 2 s, or if the plant's
connection was lost, because a heartbeat had no answer for 2 s.  *plant <=* is the time of the
slowest Read of the plant, heartbeats included.

``--large`` measures very many variables and clients: every variable is monitored by one client, and
the plant is killed and comes back.  *PROGRAM* is a plant to use instead of python-opcua's, such as
the kit's: it takes ``--port``, ``--vars`` and ``--rate`` and says ready.
"""

import argparse
import collections
import contextlib
import http.client
import json
import logging
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any, Callable, Deque, Iterator, List, NamedTuple, Optional, Sequence, Set, Tuple

import frames

CELLS = ("storm", "starts", "refused")
FOLDER = 1000
VARIABLES = 50
#: Changes of each variable per second: a thousand clients with a monitor each get 500 updates/s.
RATE = 0.5
#: Seconds within which every client must have a value or an answer.
PROMISED_S = 2.0
#: Seconds after which a refused client tries again, and within which everything must happen.
AGAIN_S, PATIENCE_S = 0.5, 300.0
#: Seconds from the first connection to READ.
LASTS_S = 5.0
#: Clients that connect at a time in *starts*, and that connect and start a monitor in --large.
WINDOW = 64

CONFIGURATION = """
log: {level: warning}
listen:
  host: 127.0.0.1
  port: %(port)d
  limits: {max_connections: %(places)d}
servers:
  bench:
    endpoint: opc.tcp://127.0.0.1:%(plant)d
    heartbeat_interval_ms: %(heartbeat_ms)d
    request_timeout_ms: %(timeout_ms)d
    variables:
"""
#: (heartbeat_interval_ms, request_timeout_ms): values that reveal a late heartbeat, and the
#: defaults.
STRICT, USUAL = (500, 1500), (5000, 5000)
VARIABLE = '      Var%d: {node: "nsu=urn:bench;s=Var%d", sampling_interval_ms: 0}\n'


# --- the processes -----------------------------------------------------------------------------


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


@contextlib.contextmanager
def process(command: Sequence[str], folder: Path) -> Iterator["subprocess.Popen[str]"]:
    """*command* in *folder*, until the end of the block."""
    running = subprocess.Popen(command, cwd=str(folder), stdout=subprocess.PIPE, text=True)
    try:
        yield running
    finally:
        running.kill()
        running.communicate()


@contextlib.contextmanager
def plant(
    folder: Path, port: int, variables: int = VARIABLES, rate: float = RATE, source: str = ""
) -> Iterator[None]:
    program = [source] if source else [sys.executable, str(Path(__file__).resolve())]
    command = [*program, "--port", str(port), "--vars", str(variables), "--rate", str(rate)]
    with process(command, folder) as running:
        assert running.stdout is not None
        if "ready" not in running.stdout.readline():
            sys.exit("crowd.py: the plant does not start")
        yield


def run_plant(port: int, variables: int, rate: float) -> None:
    from opcua import Server, ua

    logging.disable(logging.WARNING)
    server = Server()
    server.set_endpoint("opc.tcp://127.0.0.1:%d" % port)
    index = server.register_namespace("urn:bench")
    names = ["Var%d" % number for number in range(variables)]
    objects = server.get_objects_node()
    nodes = []
    for first in range(0, variables, FOLDER):  # python-opcua searches all nodes of a folder
        folder = objects.add_folder(index, "Folder%d" % first)
        for name in names[first : first + FOLDER]:
            nodes.append(folder.add_variable(ua.NodeId(name, index), name, 0.0))
    server.start()
    print("ready", flush=True)
    pause = threading.Event()
    count = 0
    while True:
        pause.wait(1 / rate / variables if rate else None)
        nodes[count % variables].set_value(float(count))
        count += 1


class Gateway:
    """opcws at *port*, in front of the plant."""

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid

    def metric(self, pattern: str) -> List[Tuple[str, float]]:
        """The groups of *pattern* and the number for each line of /metrics that begins with it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE_S)
        with contextlib.closing(connection):
            connection.request("GET", "/metrics")
            text = connection.getresponse().read().decode("utf-8")
        return [
            (found.group(1), float(found.group(2)))
            for found in re.finditer("(?m)^%s (\\S+)$" % pattern, text)
        ]

    def connections(self) -> int:
        """Number of connections to the plant."""
        return int(sum(number for _, number in self.metric("opcws_plant_connections_total({.*})")))

    def memory_kb(self) -> float:
        """Resident memory, from /proc/PID/statm (proc(5))."""
        pages = int(Path("/proc/%d/statm" % self.pid).read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1000

    def slowest_read_s(self) -> float:
        """The bound of the bucket with the slowest Read of the plant."""
        buckets = self.metric(
            'opcws_service_duration_seconds_bucket{le="([^"]+)",.*service="Read".*}'
        )
        most = max((count for _, count in buckets), default=0.0)
        return min((float(bound) for bound, count in buckets if count == most), default=0.0)


@contextlib.contextmanager
def gateway(
    folder: Path,
    plant_port: int,
    places: int,
    variables: int = VARIABLES,
    patience: Tuple[int, int] = STRICT,
) -> Iterator[Gateway]:
    """opcws, connected to the plant."""
    port = free_port()
    file = folder / "crowd.yaml"
    text = CONFIGURATION % {
        **{"port": port, "places": places, "plant": plant_port},
        **{"heartbeat_ms": patience[0], "timeout_ms": patience[1]},
    }
    text += "".join(VARIABLE % (number, number) for number in range(variables))
    file.write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "opcws", "serve", "--config", str(file)]
    with process(command, folder) as running:
        made = Gateway(port, running.pid)
        pause = threading.Event()
        deadline = time.monotonic() + PATIENCE_S
        while True:
            with contextlib.suppress(OSError):
                if made.connections():
                    break
            if running.poll() is not None or time.monotonic() > deadline:
                sys.exit("crowd.py: opcws does not reach the plant; its own words are above")
            pause.wait(0.05)
        yield made


# --- the clients -------------------------------------------------------------------------------


class Client:
    """A client that monitors *names*; *missing* are the handles without a good value now."""

    def __init__(self, names: Sequence[str], address: str = "") -> None:
        """Use the local *address*, if one is given."""
        self.names = names
        self.address = address
        self.sock: Optional[socket.socket] = None
        self.open = False
        self.missing: Set[str] = set()
        self._left = b""

    def connect(self, port: int) -> socket.socket:
        self.sock = socket.socket()
        self.sock.setblocking(False)
        if self.address:
            self.sock.bind((self.address, 0))
        self.sock.connect_ex(("127.0.0.1", port))
        self._left = b""
        return self.sock

    def send(self, message_type: str, handle: str, name: str) -> None:
        header = {"MessageType": message_type, "ClientHandle": handle}
        text = json.dumps({"Header": header, "Body": {"Variable": name}}).encode("ascii")
        assert self.sock is not None
        self.sock.send(frames.frame(frames.TEXT, text))
        self.missing.add(handle)

    def start(self) -> None:
        for number, name in enumerate(self.names):
            self.send("MONITORSTART_REQUEST", "m%d" % number, name)

    def receive(self) -> int:
        """Receive; returns the HTTP status if that came, 0 if the connection ended, else 1."""
        assert self.sock is not None
        try:
            more = self.sock.recv(262144)
        except BlockingIOError:
            return 1
        except OSError:
            return 0
        data = self._left + more
        if not self.open:
            head, end, self._left = data.partition(b"\r\n\r\n")
            if not end:
                self._left = data
                return 1 if more else 0
            return int(data.split(None, 2)[1])
        found, self._left = frames.split(data)
        for opcode, body in found:
            if opcode == frames.TEXT:
                self._told(json.loads(body.decode("utf-8")))
        return 1 if more else 0

    def _told(self, message: Any) -> None:
        header, body = message["Header"], message.get("Body", {})
        bad = str(body.get("StatusCode", "Good")).startswith("Bad")
        if body.get("Value") is not None and not bad:
            self.missing.discard(header["ClientHandle"])
        elif header["MessageType"] == "MONITORUPDATE_MESSAGE":
            self.missing.add(header["ClientHandle"])
        elif header.get("StatusCode", "Good") not in ("Good", "Success", "0"):
            sys.exit("crowd.py: opcws answers %s" % message)


class Crowd:
    """*clients* of the opcws at *port*, of which *window* connect at a time; if *starting*, they
    start their monitors when they are connected."""

    def __init__(self, port: int, clients: Sequence[Client], window: int, starting: bool) -> None:
        self.clients = clients
        self.refused = self.ended = 0
        self._port = port
        self._starting = starting
        self._selector = selectors.DefaultSelector()
        self._window = window
        self._connecting = 0
        # With the time for each to connect, the earliest first.
        self._due: Deque[Tuple[float, Client]] = collections.deque((0.0, each) for each in clients)

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            key.data.sock.close()
        self._selector.close()

    def open(self) -> List[Client]:
        return [client for client in self.clients if client.open]

    def until(self, true: Callable[[], bool]) -> float:
        """Continue until *true* holds; returns the seconds that it took."""
        began = time.monotonic()
        while not true():
            if time.monotonic() - began > PATIENCE_S:
                missing = sum(bool(client.missing) for client in self.clients)
                sys.exit(
                    "crowd.py: after %g s %d clients are connected, of which %d wait"
                    % (PATIENCE_S, len(self.open()), missing)
                )
            self._turn()
        return time.monotonic() - began

    def _turn(self) -> None:
        now = time.monotonic()
        while self._due and self._due[0][0] <= now and self._connecting < self._window:
            self._connect(self._due.popleft()[1])
        for key, events in self._selector.select(0.02):
            if events & selectors.EVENT_WRITE:
                self._selector.modify(key.fileobj, selectors.EVENT_READ, key.data)
                with contextlib.suppress(OSError):  # receive() will notice it
                    key.data.sock.send(frames.OPENING)
            if events & selectors.EVENT_READ:
                self._received(key.data, key.data.receive())

    def _connect(self, client: Client) -> None:
        self._connecting += 1
        both = selectors.EVENT_READ | selectors.EVENT_WRITE
        self._selector.register(client.connect(self._port), both, client)

    def _received(self, client: Client, status: int) -> None:
        if not client.open:
            self._connecting -= status != 1
        if status == 101:
            client.open = True
            if self._starting:
                client.start()
        elif status != 1:
            self.refused += status == 503
            self.ended += client.open
            client.open = False
            assert client.sock is not None
            self._selector.unregister(client.sock)
            client.sock.close()
            self._due.append((time.monotonic() + AGAIN_S, client))


# --- the cells ---------------------------------------------------------------------------------


class Result(NamedTuple):
    """Seconds until all clients with a place were connected, had their first value (in *starts*:
    from the first start) and an answer to READ; refusals, and connections that ended; the slowest
    Read of the plant (s), and the number of its lost connections."""

    connected_s: float
    values_s: float
    read_s: float
    refused: int
    ended: int
    plant_s: float
    lost: int

    @property
    def kept(self) -> bool:
        return max(self.values_s, self.read_s) <= PROMISED_S and not self.lost + self.ended


def measure(cell: str, number: int) -> Result:
    places = number // 2 if cell == "refused" else number
    clients = [Client(["Var%d" % (each % VARIABLES)]) for each in range(number)]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opcws-crowd-")))
        plant_port = free_port()
        stack.enter_context(plant(folder, plant_port))
        opcws = stack.enter_context(gateway(folder, plant_port, places))
        apart = cell == "starts"
        crowd = Crowd(opcws.port, clients, WINDOW if apart else number, not apart)
        stack.callback(crowd.close)
        connected_s = crowd.until(lambda: len(crowd.open()) == places)
        for client in clients if apart else ():
            client.start()
        values_s = 0.0 if apart else connected_s
        values_s += crowd.until(lambda: not any(each.missing for each in crowd.open()))
        lasts_until = time.monotonic() + LASTS_S - values_s
        crowd.until(lambda: time.monotonic() >= lasts_until)
        for client in crowd.open():
            client.send("READ_REQUEST", "r", client.names[0])
        read_s = crowd.until(lambda: not any(each.missing for each in crowd.open()))
        return Result(
            *(connected_s, values_s, read_s, crowd.refused, crowd.ended),
            *(opcws.slowest_read_s(), opcws.connections() - 1),
        )


def large(variables: int, number: int, source: str) -> None:
    """Print the cost of so many *variables*, monitored by *number* clients, a part each."""

    def told(what: str, figure: str) -> None:
        print("%-44s %s" % (what, figure), flush=True)

    each = variables // number
    # Each has its own address: the messages of one address are limited (ws/processor_share.py).
    clients = [
        Client(
            ["Var%d" % (nth * each + part) for part in range(each)],
            "127.0.%d.%d" % (1 + nth // 250, 1 + nth % 250),
        )
        for nth in range(number)
    ]
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="opcws-crowd-")))
        port = free_port()
        plants = stack.enter_context(contextlib.ExitStack())
        plants.enter_context(plant(folder, port, variables, 0, source))
        with gateway(folder, port, number, 1, USUAL) as opcws:
            least_kb = opcws.memory_kb()
        began = time.monotonic()
        opcws = stack.enter_context(gateway(folder, port, number, variables, USUAL))
        told("start until the plant is connected", "%.1f s" % (time.monotonic() - began))
        configured_kb = opcws.memory_kb()
        told("memory with one variable", "%.0f MB" % (least_kb / 1000))
        told("a variable more", "%.2f kB" % ((configured_kb - least_kb) / (variables - 1)))
        crowd = Crowd(opcws.port, clients, WINDOW, starting=False)
        stack.callback(crowd.close)
        told(
            "%d clients connect" % number,
            "%.1f s" % crowd.until(lambda: len(crowd.open()) == number),
        )
        connected_kb = opcws.memory_kb()
        told("a client more", "%.1f kB" % ((connected_kb - configured_kb) / number))
        todo = list(clients)
        begun: List[Client] = []

        def all_have_values() -> bool:
            """Also lets the next one start when fewer than WINDOW wait."""
            begun[:] = [client for client in begun if client.missing]
            while todo and len(begun) < WINDOW:
                begun.append(todo.pop())
                begun[-1].start()
            return not begun

        values_s = crowd.until(all_have_values)
        told("first values of %d monitors" % (each * number), "%.1f s" % values_s)
        monitored_kb = opcws.memory_kb()
        told(
            "a variable that is monitored",
            "%.2f kB" % ((monitored_kb - connected_kb) / each / number),
        )
        told("memory then", "%.0f MB" % (monitored_kb / 1000))
        plants.close()
        lost_s = crowd.until(lambda: all(len(client.missing) == each for client in clients))
        told("loss of the plant told to all", "%.1f s" % lost_s)
        plants.enter_context(plant(folder, port, variables, 0, source))
        values_s = crowd.until(lambda: not any(client.missing for client in clients))
        told("values again once the plant is back", "%.1f s" % values_s)
        told("memory then", "%.0f MB" % (opcws.memory_kb() / 1000))
        told("connections that ended", str(crowd.ended))


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Measure what a crowd of clients asks of opcws.")
    parser.add_argument("--only", default=",".join(CELLS), metavar="CELL,...", help="of the table")
    parser.add_argument("--clients", type=int, default=2000, help="(default: 2000)")
    parser.add_argument("--large", action="store_true", help="what many variables cost")
    parser.add_argument(
        "--variables", type=int, default=100000, help="of --large (default: 100000)"
    )
    parser.add_argument("--source", default="", metavar="PROGRAM", help="of --large: the plant")
    # For the plant's process.
    parser.add_argument("--port", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--vars", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--rate", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.port:
        run_plant(options.port, options.vars, options.rate)
    # Even if Ctrl-C is switched off, because the other processes must be ended.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    if options.large:
        large(options.variables, options.clients, options.source)
        return 0
    print(
        "%-8s %8s %11s %9s %7s %8s %6s %8s %5s"
        % (
            *("cell", "clients", "connected s", "connect/s", "values s", "refused", "READ s"),
            *("plant <=", "lost"),
        ),
        flush=True,
    )
    kept = True
    for cell in options.only.split(","):
        result = measure(cell, options.clients)
        kept &= result.kept
        places = options.clients // 2 if cell == "refused" else options.clients
        print(
            "%-8s %8d %11.2f %9.0f %8.2f %8d %6.2f %8g %5d %s"
            % (
                *(cell, options.clients, result.connected_s, places / result.connected_s),
                *(result.values_s, result.refused, result.read_s),
                *(result.plant_s, result.lost, "" if result.kept else "broken"),
            ),
            flush=True,
        )
    return int(not kept)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
