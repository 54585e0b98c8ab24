"""Measures a monitored value from the publish response's bytes to the clients' sockets.

    python scripts/fanout.py [--only 1x1000,...] [--seconds S] [--growth [--picture FILE.svg]]

bench.py runs it in an environment of its own.  A relay gets publish responses as bytes, as from a
plant's receiver; WebSocket clients in another process read and count the updates.  So it measures
the gateway without the OPC UA transport, and needs neither a plant nor the kit.  It prints the
processor time of this process per update, over blocks of a second: the least and the median.
"""

import argparse
import os
import platform
import selectors
import socket
import statistics
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import frames
import picture

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

BLOCK_S = 1.0
#: Seconds without an update after which the clients have got everything.
QUIET_S = 0.5


class Cell(NamedTuple):
    """*clients*, each of which monitors all of *variables*; each of *rate* publish responses per
    second brings *changes*."""

    clients: int
    variables: int
    changes: int
    rate: int = 50

    @property
    def name(self) -> str:
        return "%dx%d" % (self.clients, self.variables)


#: The cells of the kit's table (10 changes per second of each variable), then growth in one
#: direction.
CELLS = [Cell(1, 1000, 200), Cell(10, 100, 20), Cell(100, 10, 2), Cell(1000, 1, 1, 10)]
MORE_VARIABLES = [Cell(1, 100, 100), Cell(1, 1000, 100), Cell(1, 10000, 100)]
MORE_CLIENTS = [
    Cell(1, 10, 10, 5),
    Cell(10, 10, 10, 5),
    Cell(100, 10, 10, 5),
    Cell(1000, 10, 10, 5),
]


class Result(NamedTuple):
    """Processor microseconds per update; numbers of unexpected and of missing updates."""

    least: float
    median: float
    lost: int


def publish_response(changes: Sequence[Tuple[int, float]], at: int) -> bytes:
    """A PublishResponse (OPC 10000-4 5.14.5) with Doubles changed *at* ticks."""
    from opcws.ua.encoding import service_bodies

    items = b"".join(
        [struct.pack("<IBBdqq", handle, 0x0D, 11, number, at, at) for handle, number in changes]
    )
    body = struct.pack("<i", len(changes)) + items + struct.pack("<i", -1)
    head = struct.pack("<BBHqII", 1, 0, service_bodies.PUBLISH_RESPONSE, at, 1, 0)
    return b"".join(
        [
            head + b"\x00\xff\xff\xff\xff\x00\x00\x00",
            struct.pack("<Ii?Iqi", 1, -1, False, 1, at, 1),
            struct.pack("<BBHBi", 1, 0, service_bodies.DATA_CHANGE_NOTIFICATION, 1, len(body)),
            body + struct.pack("<i", -1),
        ]
    )


def measure(cell: Cell, seconds: float) -> Result:

    from opcws.config.settings import Limits, Listen
    from opcws.gateway.relay import Monitor, Relay
    from opcws.gateway.value_source import Created, Source
    from opcws.model.deadline import Deadline
    from opcws.ua.encoding import service_bodies
    from opcws.ws.application import Application
    from opcws.ws.listener import Listener

    handles: Dict[str, int] = {}
    names = ["Var%d" % number for number in range(cell.variables)]

    def create(link: Any, wanted: List[Tuple[str, int]], _line: Any = None) -> None:
        handles.update(wanted)
        relay.created(link, [Created(handle, handle, "Good", "") for _name, handle in wanted])

    def decode(link: Any, body: bytes) -> Any:
        head = service_bodies.response_head(body)
        return service_bodies.publish_response(body, head.position).changes

    class Monitors(Application):
        """Every client monitors everything from the start."""

        def open(self, client: Any, wants_status: bool) -> None:
            for name in names:
                relay.begin(Monitor(client.outbox, name, "m", client.dialect, 0.0))
            opened.release()

        def close(self, client: Any) -> None:
            pass

    opened = threading.Semaphore(0)
    relay = Relay("bench", Source(create, lambda *_: None, decode, lambda _: ()), cell.variables)
    relay.start()
    link = object()
    relay.opened(link, lambda: None)
    limits = Limits(max_connections=cell.clients + 1, max_connections_per_address=cell.clients + 1)
    listener = Listener(Listen(port=0, limits=limits), Monitors())
    listener.open()
    listener.start()
    clients = subprocess.Popen(
        [sys.executable, __file__, "--clients", str(cell.clients), str(listener.addresses[0][1])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        universal_newlines=True,
    )
    assert clients.stdin is not None and clients.stdout is not None
    try:
        if clients.stdout.readline() != "connected\n":
            sys.exit("fanout.py: the clients could not connect")
        for _ in range(cell.clients):
            opened.acquire()
        relay.catch_up(60.0)
        at = 134082792000000000
        order = [handles[name] for name in names] * 2
        bodies = []
        for turn in range(cell.rate):
            first = turn * cell.changes % cell.variables
            changed = order[first : first + cell.changes]
            values = [(handle, turn + handle % 4096 / 4096) for handle in changed]
            bodies.append(publish_response(values, at + turn * 200000))
        pause = threading.Event()
        costs = []
        for _block in range(max(2, int(seconds / BLOCK_S))):
            before = time.process_time()
            started = time.perf_counter()
            for turn, body in enumerate(bodies):
                relay.published(link, body, lambda: None)
                pause.wait(max(0.0, started + (turn + 1) / cell.rate - time.perf_counter()))
            relay.catch_up(60.0)
            updates = cell.clients * cell.changes * cell.rate
            costs.append((time.process_time() - before) * 1e6 / updates)
        clients.stdin.write("count\n")
        clients.stdin.flush()
        counted = int(clients.stdout.readline())
        # In the first block, caches and sockets are cold.
        kept = costs[1:]
        lost = len(costs) * updates - counted
        return Result(min(kept), statistics.median(kept), lost)
    finally:
        clients.kill()
        clients.communicate()
        listener.stop(Deadline(30.0))
        relay.stop(5.0)


# --- the clients' process ----------------------------------------------------------------------


class Counter:
    """Counts the frames of one connection."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self._left = b""

    def receive(self) -> int:
        found, self._left = frames.split(self._left + self.sock.recv(262144))
        return len(found)


def _tell_of_input(asking: socket.socket) -> None:
    """Send a byte for each line of input, and close *asking* after the last one."""
    with asking:
        for _line in sys.stdin:
            asking.send(b"?")


def run_clients(number: int, port: int) -> None:
    """Connect, report it, read; for each line of input print the number of updates so far."""
    selector = selectors.DefaultSelector()
    for _ in range(number):
        sock = frames.connect(port)
        selector.register(sock, selectors.EVENT_READ, Counter(sock))
    # On Windows, select() accepts only sockets.
    asking, asked = socket.socketpair()
    threading.Thread(target=_tell_of_input, args=(asking,), daemon=True).start()
    selector.register(asked, selectors.EVENT_READ, None)
    print("connected", flush=True)
    count, timeout = 0, None
    while True:
        ready = selector.select(timeout)
        if not ready:
            print(count, flush=True)
            timeout = None
        for key, _events in ready:
            if key.data is not None:
                count += key.data.receive()
            elif asked.recv(1):
                timeout = QUIET_S
            else:
                return


# --- the tables --------------------------------------------------------------------------------


Measured = List[Tuple[Cell, Result]]


def table(title: str, cells: Sequence[Cell], seconds: float, only: Optional[str]) -> Measured:
    """Measure and print."""
    chosen = [cell for cell in cells if only is None or cell.name in only.split(",")]
    measured: Measured = []
    if not chosen:
        return measured
    print(
        "\n%s\n%-10s %8s %10s %10s %6s"
        % (title, "cell", "changes", "least us", "median us", "lost")
    )
    for cell in chosen:
        result = measure(cell, seconds)
        measured.append((cell, result))
        print(
            "%-10s %8d %10.2f %10.2f %6d"
            % (cell.name, cell.changes, result.least, result.median, result.lost),
            flush=True,
        )
    return measured


def picture_of(variables: Measured, clients: Measured) -> str:
    """The medians of both tables of growth."""
    more_variables = [(cell.variables, result.median) for cell, result in variables]
    more_clients = [(cell.clients, result.median) for cell, result in clients]
    machine = "Python %s, %s %s, %s CPUs, %s" % (
        *(platform.python_version(), platform.system(), platform.machine(), os.cpu_count()),
        time.strftime("%Y-%m-%d"),
    )
    return picture.svg(
        "What an update costs with more variables and with more clients",
        [
            picture.Panel("More variables, one client", "variables", more_variables),
            picture.Panel("More clients, ten variables each", "clients", more_clients),
        ],
        "Median of blocks of a second.  " + machine,
    )


def main(arguments: Optional[Sequence[str]] = None) -> int:
    parser = argparse.ArgumentParser(description="Measure the fan-out of one gateway process.")
    parser.add_argument("--only", metavar="KxM,...", help="clients x variables, of the table")
    parser.add_argument("--growth", action="store_true", help="also more variables, more clients")
    parser.add_argument("--picture", type=Path, metavar="FILE.svg", help="of --growth")
    parser.add_argument("--seconds", type=float, default=6.0, help="per cell (default: 6)")
    parser.add_argument("--clients", nargs=2, type=int, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.clients:
        run_clients(*options.clients)
        return 0
    if options.picture and (options.only or not options.growth):
        parser.error("--picture shows all of --growth: give that, and not --only")
    if options.picture and not options.picture.resolve().parent.is_dir():
        parser.error("there is no folder %s" % options.picture.parent)
    measured = table("clients x variables", CELLS, options.seconds, options.only)
    if options.growth:
        variables = table("more variables", MORE_VARIABLES, options.seconds, options.only)
        clients = table("more clients", MORE_CLIENTS, options.seconds, options.only)
        measured += variables + clients
        if options.picture:
            options.picture.write_text(picture_of(variables, clients), encoding="utf-8")
    return int(any(result.lost for _cell, result in measured))


if __name__ == "__main__":
    sys.exit(main())
