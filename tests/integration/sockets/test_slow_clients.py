"""Clients that stop reading, read a byte a second, vanish, or flood: nobody else notices.

All of them are there at once, beside clients that are well; each is closed in its time, what it
costs is bounded meanwhile, and nothing of it is left.
"""

import gc
import json
import os
import socket
import subprocess
import sys
import threading
import time
import weakref
from typing import Any, Callable, Dict, Iterator, List, NamedTuple

import pytest

from opcws.app import Server
from opcws.demo import Plant
from opcws.gateway.monitor import Monitors
from opcws.ws.sender import LEAST_BYTES, SendTimeout

from ...support import PATIENCE, Client, wait_until
from ...support.byte_client import PING, TEXT, ByteClient, frame, narrow, serving, upgraded
from ..messages.test_monitoring import product_threads
from .test_leaks import open_files, resident_bytes
from .test_websocket import RECEIVE_BUFFER, _large, _request

#: Long enough that a client which is well keeps to them on a busy machine.
SEND_TIMEOUT_S = 4.0
PING_TIMEOUT_S = 6.0
OUTBOX_BYTES = 262144
#: What one update carries, and what there is between two.
LETTERS = 20000
PAUSE_S = 0.02
#: Values that may be on their way to the slowest of the healthy clients: fewer than its outbox
#: holds, so that none is lost however slow the machine is.
AHEAD = OUTBOX_BYTES // LETTERS - 3
HEALTHY = 3
#: How much longer than without the bad clients an update may take on a machine that is busy.
LATENCY_S = 2.0
#: For five bad clients: their queues, and what the allocator keeps.
MEMORY_BYTES = 64 * 1024 * 1024

#: Under several handles, so that what the system takes for a connection is full soon.
MONITOR = b"".join(
    frame(TEXT, _request("MONITORSTART", {"Variable": "Types.String"}, number))
    for number in range(6)
)


def stops_reading(peer: ByteClient, ended: threading.Event) -> None:
    peer.send(MONITOR)


def reads_a_byte_a_second(peer: ByteClient, ended: threading.Event) -> None:
    peer.send(MONITOR)
    while not ended.wait(1.0) and peer.sock.recv(1):
        pass


def says_nothing(peer: ByteClient, ended: threading.Event) -> None:
    """Not even a pong comes from it any more."""


def floods_requests(peer: ByteClient, ended: threading.Event) -> None:
    requests = b"".join(frame(TEXT, _large(number)) for number in range(20))
    while not ended.is_set():
        peer.send(requests)


def floods_pings(peer: ByteClient, ended: threading.Event) -> None:
    pings = b"".join(frame(PING, b"%0125d" % number) for number in range(500))
    while not ended.is_set():
        peer.send(pings)


BAD: List[Callable[[ByteClient, threading.Event], None]] = [
    stops_reading,
    reads_a_byte_a_second,
    says_nothing,
    floods_requests,
    floods_pings,
]


class Healthy:
    """A client that reads; ``seen`` is the number of each value and when it came."""

    def __init__(self, url: str) -> None:
        self.seen: List[Any] = []
        self._client = Client(url)
        self._client.body("MONITORSTART", {"Variable": "Types.String"}, "h")
        self._client.update("h")
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self.seen or self.seen[-1][0] >= 0:
            body = self._client.update("h")
            assert "Status" not in body, "none was lost"
            self.seen.append((int(body["Value"]["Body"].split()[0]), time.monotonic()))
        self._client.close()

    def join(self) -> None:
        self._thread.join(PATIENCE)
        assert not self._thread.is_alive()


class Bad(NamedTuple):
    peer: ByteClient
    thread: threading.Thread
    socket: Any


class Found(NamedTuple):
    """What was seen: latencies in s without and with the bad clients, when each of these was
    closed (s), the most its outbox held (bytes), and what the process grew by (bytes)."""

    before: List[float]
    beside: List[float]
    closed: Dict[str, float]
    queued: Dict[str, int]
    grown: int
    complete: bool
    left: List[str]


def _misbehave(
    run: Callable[[ByteClient, threading.Event], None], peer: ByteClient, ended: Any
) -> None:
    try:
        run(peer, ended)
    except OSError:
        pass  # it was closed, as it should be


def _bad(
    server: Server, run: Callable[[ByteClient, threading.Event], None], ended: Any, source: str = ""
) -> Bad:
    peer = upgraded(server, source=source)
    peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    connection = narrow(server, peer.sock)
    thread = threading.Thread(target=_misbehave, args=(run, peer, ended))
    thread.start()
    # The connection holds its socket to its own end, and to compiled classes no weak reference can
    # be made.
    return Bad(peer, thread, weakref.ref(connection._transport._sock))


class Source:
    """Values, one after another, each with its number and when it was set."""

    def __init__(self, plant: Plant) -> None:
        self._plant = plant
        self.times: List[float] = []

    def next(self) -> None:
        number = len(self.times)
        self.times.append(time.monotonic())
        self._plant.set("Types.String", "%d %s" % (number, "x" * LETTERS))

    def end(self) -> None:
        self._plant.set("Types.String", "-1")


def _next(clients: List[Healthy], source: Source) -> None:
    """One more value, unless the machine has to catch up first."""
    seen = min(each.seen[-1][0] if each.seen else 0 for each in clients)
    if len(source.times) - seen < AHEAD:
        source.next()


def _arrived(clients: List[Healthy], source: Source) -> None:
    last = len(source.times) - 1
    wait_until(lambda: all(each.seen and each.seen[-1][0] == last for each in clients), "values")


def _latencies(clients: List[Healthy], source: Source, first: int) -> List[float]:
    return [
        at - source.times[number] for each in clients for number, at in each.seen if number >= first
    ]


@pytest.fixture(scope="module")
def found() -> Iterator[Found]:
    with Plant(clock_period_s=3600.0) as plant:
        limits = {"outbox_bytes": OUTBOX_BYTES, "outbox_messages": 1000}
        patience = {"send_timeout_s": SEND_TIMEOUT_S, "ping_timeout_s": PING_TIMEOUT_S}
        with serving(plant.endpoint, limits=limits, ping_interval_s=0.5, **patience) as server:
            yield _run(plant, server)


def _run(plant: Plant, server: Server) -> Found:
    source, pause, ended = Source(plant), threading.Event(), threading.Event()
    clients = [Healthy(server.urls[0]) for _ in range(HEALTHY)]
    for _ in range(60):
        _next(clients, source)
        pause.wait(PAUSE_S)
    _arrived(clients, source)
    before = _latencies(clients, source, 0)

    threads, files, memory = product_threads(), open_files(), resident_bytes()
    began, first, most = time.monotonic(), len(source.times), memory
    bad = {run.__name__: _bad(server, run, ended) for run in BAD}
    closed: Dict[str, float] = {}
    queued = dict.fromkeys(bad, 0)
    while len(closed) < len(bad) and time.monotonic() - began < PATIENCE:
        _next(clients, source)
        pause.wait(PAUSE_S)
        most = max(most, resident_bytes())
        for name, each in bad.items():
            held = [
                connection
                for connection in server.listeners[0].connections()
                if connection._transport._sock is each.socket()
            ]
            if held:
                outbox = held[0].outbox
                # Between two looks the queue may be full and shorter again.
                reached = OUTBOX_BYTES if outbox.full_bytes else 0
                queued[name] = max(queued[name], outbox.queued_bytes, reached)
            else:
                closed.setdefault(name, time.monotonic() - began)
    held = outbox = None
    _arrived(clients, source)
    beside = _latencies(clients, source, first)
    ended.set()
    for each in bad.values():
        each.peer.sock.close()
        each.thread.join(PATIENCE)
    left = [name for name, each in bad.items() if each.thread.is_alive()]
    wait_until(lambda: product_threads() == threads, "the threads of the bad clients end")
    wait_until(lambda: len(open_files()) <= len(files), "their sockets are closed")
    wait_until(lambda: not _living(bad), "what they were in memory is freed", step=0.2)
    complete = all(
        [number for number, _at in each.seen] == list(range(len(source.times))) for each in clients
    )
    source.end()
    for each in clients:
        each.join()
    return Found(before, beside, closed, queued, most - memory, complete, left)


def _living(bad: Dict[str, Bad]) -> List[str]:
    """Those whose connection is still in memory."""
    gc.collect()
    return [name for name, each in bad.items() if each.socket() is not None]


def _high(latencies: List[float]) -> float:
    """The 99th percentile."""
    return sorted(latencies)[int(len(latencies) * 0.99)]


pytestmark = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="reads Linux's /proc")


def test_healthy_clients_get_every_value_in_order_and_in_time_beside_bad_ones(
    found: Found,
) -> None:
    print("p99 %.3f s without, %.3f s beside" % (_high(found.before), _high(found.beside)))
    assert found.complete
    assert _high(found.beside) < _high(found.before) + LATENCY_S


@pytest.mark.parametrize("name", [run.__name__ for run in BAD])
def test_a_bad_client_is_closed_past_its_deadline(found: Found, name: str) -> None:
    deadline = PING_TIMEOUT_S if name == "says_nothing" else SEND_TIMEOUT_S
    assert deadline - 0.5 < found.closed[name] < PATIENCE


def test_what_waits_for_a_bad_client_is_bounded(found: Found) -> None:
    print(found.queued, "bytes queued; the process grew by", found.grown)
    assert max(found.queued.values()) <= 2 * OUTBOX_BYTES + 100000
    assert found.queued["stops_reading"] > OUTBOX_BYTES / 2, "the bound was reached"
    assert found.grown < MEMORY_BYTES


def test_of_a_client_that_was_closed_nothing_is_left(found: Found) -> None:
    assert not found.left


def reads(peer: ByteClient, ended: threading.Event) -> None:
    while peer.sock.recv(65536):
        pass


def monitors(peer: ByteClient, ended: threading.Event) -> None:
    peer.send(MONITOR)
    reads(peer, ended)


def vanish() -> None:
    """In a network of its own: two clients are there, and then no packet comes from them or gets
    to them any more, as when a cable is pulled.  Prints what became of them."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    vanished = {"127.0.0.2": reads, "127.0.0.3": monitors}
    patience = {"send_timeout_s": SEND_TIMEOUT_S, "ping_timeout_s": PING_TIMEOUT_S}
    limits = {"outbox_bytes": OUTBOX_BYTES}
    listen = {"ping_interval_s": 0.5, "limits": limits, **patience}
    with Plant(clock_period_s=3600.0) as plant, serving(plant.endpoint, **listen) as server:
        source, pause, ended = Source(plant), threading.Event(), threading.Event()
        clients = [Healthy(server.urls[0]) for _ in range(HEALTHY)]
        source.next()
        _arrived(clients, source)
        threads, files = product_threads(), open_files()
        bad = {address: _bad(server, run, ended, address) for address, run in vanished.items()}
        for address in bad:
            route = ["ip", "route", "add", "blackhole", address, "table", "local"]
            subprocess.run(route, check=True)
        began, closed = time.monotonic(), {}
        while len(closed) < len(bad) and time.monotonic() - began < PATIENCE:
            _next(clients, source)
            pause.wait(PAUSE_S)
            there = {each.address for each in server.listeners[0].connections()}
            for address in vanished.keys() - there - closed.keys():
                closed[address] = time.monotonic() - began
        _arrived(clients, source)
        seen = [[number for number, _at in each.seen] for each in clients]
        for each in bad.values():
            each.peer.sock.shutdown(socket.SHUT_RDWR)
            each.thread.join(PATIENCE)
            each.peer.sock.close()
        wait_until(lambda: product_threads() == threads, "their threads end")
        wait_until(lambda: len(open_files()) <= len(files), "their sockets are closed")
        wait_until(lambda: not _living(bad), "what they were in memory is freed", step=0.2)
        source.end()
        for client in clients:
            client.join()
        hits = server.limit_hits.snapshot()
        print(
            json.dumps(
                {
                    "closed": closed,
                    "complete": seen == [list(range(len(source.times)))] * HEALTHY,
                    "hits": {name: hits[name] for name in patience},
                }
            )
        )


def test_clients_that_vanish_without_a_fin_are_closed_in_their_time_and_nobody_notices() -> None:
    alone = ["unshare", "--user", "--map-root-user", "--net"]
    try:
        subprocess.run([*alone, "ip", "link"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not run: this user can make no network of its own, or there is no 'ip'")
    script = "from tests.integration.sockets.test_slow_clients import vanish; vanish()"
    ended = subprocess.run(
        [*alone, sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True,
        text=True,
        timeout=4 * PATIENCE,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout.splitlines()[-1])
    print(found)
    assert found["complete"], "healthy clients got every value"
    assert PING_TIMEOUT_S - 0.5 < found["closed"]["127.0.0.2"] < PATIENCE
    assert SEND_TIMEOUT_S - 0.5 < found["closed"]["127.0.0.3"] < PATIENCE
    assert found["hits"] == {"ping_timeout_s": 1, "send_timeout_s": 1}


@pytest.mark.slow
def test_thousands_of_monitors_of_one_large_value_cost_no_more_than_their_bound() -> None:
    """Each has a handle, and so frames, of its own: together 100 MB for every value."""
    handles = 5000
    with Plant(clock_period_s=3600.0) as plant, serving(plant.endpoint) as server:
        source = Source(plant)
        with upgraded(server) as peer:
            for number in range(handles):
                peer.frame(TEXT, _request("MONITORSTART", {"Variable": "Types.String"}, number))
                while peer.next(TEXT).payload.startswith(b'{"Header":{"MessageType":"MONITORU'):
                    pass  # the first value of the one before
            healthy = Healthy(server.urls[0])
            gc.collect()
            before = most = resident_bytes()
            for _ in range(5):
                source.next()
                _arrived([healthy], source)
                most = max(most, resident_bytes())
            source.end()
            healthy.join()
        print("the process grew by", most - before)
        assert most - before < MEMORY_BYTES


def test_a_client_that_is_slow_but_takes_enough_stays() -> None:
    # It sleeps never so long, on a busy machine either.
    listen = {"send_timeout_s": 3, "limits": {"requests_in_flight": 8}}
    with serving(**listen) as server, upgraded(server) as peer:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        ended, pause = threading.Event(), threading.Event()
        asking = threading.Thread(target=_misbehave, args=(floods_requests, peer, ended))
        asking.start()
        (connection,) = server.listeners[0].connections()
        wait_until(lambda: connection._sender.waits, "the socket takes no more")
        assert connection._transport.unsent_bytes() > LEAST_BYTES
        began = time.monotonic()
        while time.monotonic() - began < 4.0:
            assert peer.sock.recv(65536)
            pause.wait(0.1)
        assert not connection.outbox.finished
        ended.set()
        peer.vanish()
        asking.join(PATIENCE)


def test_the_send_timeout_ends_when_less_than_the_least_was_taken_in_time() -> None:
    timeout = SendTimeout(100.0, 5)
    assert not timeout.expired(129.0, 5 + LEAST_BYTES - 1, 30.0)
    assert timeout.expired(130.5, 5 + LEAST_BYTES - 1, 30.0)
    assert not timeout.expired(130.6, 5 + LEAST_BYTES, 30.0), "that was enough"
    assert not timeout.expired(160.0, 6 + LEAST_BYTES, 30.0)
    assert timeout.expired(160.7, 6 + LEAST_BYTES, 30.0)


def test_a_stop_under_a_foreign_handle_looks_at_no_monitor_of_another_variable() -> None:
    class Searched(Monitors):
        def __iter__(self) -> Any:
            raise AssertionError("every monitor is looked at")

    with serving() as server, Client(server.urls[0]) as client:
        (connection,) = server.listeners[0].connections()
        monitors = Searched()
        wait_until(lambda: hasattr(connection, "_client"), "the client is there")
        connection._client.monitors = monitors
        names = ["Types.Int16", "Types.Int32"]
        for handle in ("a", "b", 1):
            client.body("MONITORSTART", {"Variables": names}, handle)
        assert client.status("MONITORSTOP", {"Variable": names[0]}, "c") is None
        assert [key[1:] for key in dict.keys(monitors)] == [
            (handle, names[1]) for handle in ("a", "b", 1)
        ]
        assert client.status("MONITORSTOP", {"Variable": names[0]}, "c") == "BadNoEntryExists"
        assert client.status("MONITORSTOP", {"Variable": names[1]}, "b") is None
        assert client.status("MONITORSTOP", {"Variable": names[1]}, "c") is None
        assert not monitors._of and not len(monitors)
