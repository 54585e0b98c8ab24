"""Two collectors with the same publisher: one is active, and the other takes over."""

import contextlib
import signal
import threading
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence

import pytest

from opcws.app import Server
from opcws.pubsub import lease

from ... import support
from ...support import Client, PlantProcess, wait_until
from ...support import failover as soak
from ...support.edge import edge, wait_state
from ...support.mosquitto import Gate, Mosquitto
from ...support.namespaces import Machine
from ...support.publishing import COUNTER, VARIABLES, configuration, running
from ...support.recipes import needed

pytestmark = pytest.mark.own_plant

LEASE_MS = 1000


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    yield
    support.no_threads_left()


def is_connected(server: Server) -> bool:
    return bool(server.plants["plant"].status()["State"] == "connected")


def state(server: Server) -> str:
    assert server.publisher is not None
    return str(server.publisher.status()["State"])


class Pair:
    """Two collectors, each with a way of its own to the broker that can be cut; whether both were
    ever connected to the OPC UA server at a time is watched."""

    def __init__(self, plant: PlantProcess, broker: Mosquitto, directory: Path) -> None:
        self._stack = contextlib.ExitStack()
        self.gates = [self._stack.enter_context(Gate(broker.port)) for _ in range(2)]
        self._plant, self._directory = plant, directory
        self._running: List[Optional[contextlib.ExitStack]] = [None, None]
        self.servers: Dict[int, Server] = {}
        self.both = 0
        self._ends = threading.Event()
        self._watching = threading.Thread(target=self._watch)

    def start(self, number: int) -> Server:
        stack = contextlib.ExitStack()
        config = configuration(
            self._plant,
            self._directory / str(number),
            broker=self.gates[number].url,
            lease_ms=LEASE_MS,
            variables=["*"],
        )
        server = self.servers[number] = stack.enter_context(running(config))
        self._running[number] = stack
        return server

    def stop(self, number: int) -> None:
        stack, self._running[number] = self._running[number], None
        if stack is not None:
            stack.close()
        self.servers.pop(number, None)

    def active(self, number: int) -> Server:
        """The server, once it is the active one."""
        server = self.servers[number]
        wait_until(
            lambda: is_connected(server) and state(server) == "connected", "%d is active" % number
        )
        return server

    def stands_by(self, number: int) -> Server:
        """The server, once it is not."""
        server = self.servers[number]
        wait_until(
            lambda: not is_connected(server) and state(server) == "standby", "%d waits" % number
        )
        return server

    def _watch(self) -> None:
        while not self._ends.wait(0.005):
            self.both += sum(map(is_connected, list(self.servers.values()))) > 1

    def __enter__(self) -> "Pair":
        self._watching.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._ends.set()
        self._watching.join()
        for number in (0, 1):
            self.stop(number)
        self._stack.close()
        assert not self.both, "both were connected"


@pytest.fixture
def pair(plant: PlantProcess, broker: Mosquitto, tmp_path: Path) -> Iterator[Pair]:
    with Pair(plant, broker, tmp_path) as made:
        made.start(0)
        made.active(0)
        made.start(1)
        made.stands_by(1)
        yield made


def counter(server: Server, number: int) -> None:
    with Client(server.urls[0]) as client:
        client.write(COUNTER, number)


def number(body: Dict[str, Any]) -> Any:
    return (body.get("Value") or {}).get("Body")


def test_one_that_stands_by_leaves_the_plant_alone_and_says_so(pair: Pair) -> None:
    why = "stands by: another one is active as the publisher opcws"
    wait_until(lambda: why in str(pair.servers[1].plants["plant"].status()["Reason"]), why)
    with Client(pair.servers[1].urls[0]) as client:
        for told in (
            client.body("READ", {"Variable": COUNTER}),
            client.body("WRITE", {"Variable": COUNTER, "Value": 1}),
        ):
            assert told["StatusCode"] == "BadNotConnected"
            assert why in told["Reason"]
    assert pair.servers[1].plants["plant"].status()["Connections"] == 0
    publisher = pair.servers[1].publisher
    assert publisher is not None and publisher.connected and not publisher.active


@pytest.mark.parametrize("how", ["stopped", "cut", "stuck"])
def test_the_other_takes_over_and_clients_at_an_edge_stay(
    pair: Pair, broker: Mosquitto, how: str
) -> None:
    with edge(broker.url, {COUNTER: {}}) as server, Client(server.urls[0]) as client:
        wait_state(server, "connected")
        assert client.status("MONITORSTART", {"Variable": COUNTER}, "m") is None
        counter(pair.servers[0], 11)
        client.update_where(lambda body: number(body) == 11, handle="m")
        if how == "stopped":
            pair.stop(0)
        elif how == "cut":
            pair.gates[0].shut()
        else:
            pair.gates[0].stick()
        lost = client.update_where(lambda body: "StatusCode" in body, handle="m")
        assert lost["StatusCode"] == "BadNotConnected"
        counter(pair.active(1), 12)
        client.update_where(lambda body: number(body) == 12, handle="m")
        # The same socket all the time.
        assert number(client.body("READ", {"Variable": COUNTER})) == 12


@pytest.mark.parametrize("how", ["cut", "stuck"])
def test_one_that_was_replaced_refuses_writes_and_is_the_next_to_take_over(
    pair: Pair, how: str
) -> None:
    with Client(pair.servers[0].urls[0]) as client:
        client.write(COUNTER, 21)
        pair.gates[0].shut() if how == "cut" else pair.gates[0].stick()
        publisher = pair.servers[0].publisher
        assert publisher is not None
        wait_until(lambda: publisher.standing_by is not None, "the lease is over")
        told = client.body("WRITE", {"Variable": COUNTER, "Value": 22})
        assert told["StatusCode"] == "BadNotConnected" and "stands by" in told["Reason"]
        pair.active(1)
        with Client(pair.servers[1].urls[0]) as other:
            assert number(other.body("READ", {"Variable": COUNTER})) == 21
        pair.gates[0].flow()
        pair.gates[0].let_through()
        pair.stands_by(0)
        pair.stop(1)
        pair.active(0)
        client.write(COUNTER, 23)


def test_a_broker_that_is_killed_leaves_nobody_active_and_then_one(
    pair: Pair, broker: Mosquitto
) -> None:
    broker.kill()
    wait_until(lambda: not any(map(is_connected, pair.servers.values())), "nobody is connected")
    with Client(pair.servers[0].urls[0]) as client:
        told = client.body("WRITE", {"Variable": COUNTER, "Value": 31})
        assert told["StatusCode"] == "BadNotConnected" and "stands by" in told["Reason"]
    why = "does not know whether another one is active, because the broker has ended"
    wait_until(lambda: why in str(pair.servers[0].plants["plant"].status()["Reason"]), why)
    broker.start()
    wait_until(lambda: any(map(is_connected, pair.servers.values())), "one is connected")


def test_a_broker_that_is_back_within_the_lease_changes_nothing(
    plant: PlantProcess, broker: Mosquitto, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("SLOWER", "LEAVE_S", "SILENT_LEASES"):  # instead of waiting for a minute
        monkeypatch.setattr(lease, name, 0.0)
    config = configuration(plant, tmp_path, broker=broker.url, lease_ms=60000, variables=["*"])
    with running(config) as server:
        wait_until(lambda: is_connected(server), "connected")
        broker.kill()
        wait_until(lambda: state(server) == "disconnected", "the broker is away")
        assert is_connected(server)
        broker.start()
        wait_until(lambda: state(server) == "connected", "the broker is back")
        assert is_connected(server)
        assert server.plants["plant"].status()["Connections"] == 1


def test_a_change_of_what_is_published_keeps_the_lease(
    plant: PlantProcess, broker: Mosquitto, tmp_path: Path
) -> None:
    made = {"broker": broker.url, "lease_ms": LEASE_MS}
    with running(configuration(plant, tmp_path, variables=[COUNTER], **made)) as server:
        wait_until(lambda: is_connected(server) and state(server) == "connected", "active")
        server.reload(configuration(plant, tmp_path, variables=["*"], **made))
        assert server.publisher is not None
        wait_until(lambda: server.publisher.status()["Variables"] == 2, "both")
        wait_until(lambda: state(server) == "connected", "active")
        assert server.plants["plant"].status()["Connections"] == 1
        server.reload(configuration(plant, tmp_path, variables=["*"], broker=broker.url))
        wait_until(lambda: state(server) == "connected", "alone")
        assert server.plants["plant"].status()["Connections"] == 1


def test_a_collector_that_is_killed_costs_no_client_a_value_that_is_not_marked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needed("mosquitto", "/usr/sbin/mosquitto")
    arguments = "--minutes 0.05 --every 2 --edges 2 --clients 4 --only".split()
    keep = ["--keep", str(tmp_path / "run")]
    assert soak.main([*arguments, "killed", *keep]) == 0, capsys.readouterr().out
    assert "passed: " in capsys.readouterr().out


def test_a_network_that_splits_leaves_one_active(tmp_path: Path, plant: PlantProcess) -> None:
    with contextlib.ExitStack() as stack:
        machine = stack.enter_context(Machine())
        office, hall = machine.here
        port = support.free_port()
        broker = stack.enter_context(Mosquitto(tmp_path, "listener %d %s" % (port, office)))
        way = stack.enter_context(Gate(plant.port, host=hall))

        def collector(
            name: str, at: str, endpoint: str, host: str = "127.0.0.1", before: Sequence[str] = ()
        ) -> soak.Opcws:
            made = support.settings(endpoint, variables=VARIABLES)
            made["publish"] = {"mqtt": {"broker": at, "variables": ["*"], "lease_ms": LEASE_MS}}
            del made["listen"]
            started = soak.Opcws(tmp_path / name, made, host, before)
            stack.callback(started.end, signal.SIGKILL)
            return started

        first = collector(
            *("first", "mqtt://%s:%d" % (office, port), "opc.tcp://%s:%d" % (hall, way.port)),
            *(machine.there[1], machine.command([])),
        )
        wait_until(lambda: first.connected, "the first is active")
        second = collector("second", broker.url, plant.endpoint)
        server = stack.enter_context(edge(broker.url, {COUNTER: {}}))
        wait_state(server, "connected")
        client = stack.enter_context(Client(server.urls[0]))
        assert client.status("MONITORSTART", {"Variable": COUNTER}, "m") is None
        assert not second.connected
        machine.cut(0)
        wait_until(lambda: second.connected, "the second is active")
        assert not first.connected
        told = client.update_where(lambda body: "StatusCode" in body, handle="m")
        assert told["StatusCode"] == "BadNotConnected"
        client.update_where(lambda body: "StatusCode" not in body, handle="m")
        with Client("http://%s:%d/" % (first.host, first.port)) as left_behind:
            refused = left_behind.body("WRITE", {"Variable": COUNTER, "Value": 1})
            assert refused["StatusCode"] == "BadNotConnected", refused
        machine.join(0)
        wait_until(lambda: first.status()["Publisher"]["State"] == "standby", "it stands by")
        assert second.connected and not first.connected
