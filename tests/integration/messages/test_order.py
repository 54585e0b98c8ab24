"""Requests of one connection to one OPC UA server take effect in the order sent, and clients take
turns."""

import contextlib
import select
import threading
from typing import Any, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.ua.services.fair_queue import Job

from ... import support
from ...support import PATIENCE, Client, PlantProcess
from ...support.byte_client import no_more_threads_than

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


def test_a_write_sent_right_after_a_monitor_start_is_seen_as_a_change(client: Client) -> None:
    for number in range(1, 21):
        client.write("Types.Double", number + 0.25)
        handle = client.send("MONITORSTART", {"Variable": "Types.Double"}, "m%d" % number)
        client.send("WRITE", {"Variable": "Types.Double", "Value": number + 0.5})
        for _ in range(2):
            client.answer()
        assert client.update(handle)["Value"]["Body"] == number + 0.25
        assert client.update(handle)["Value"]["Body"] == number + 0.5
        client.body("MONITORSTOP", {"Variable": "Types.Double"}, handle)


def test_reads_and_writes_sent_without_waiting_are_done_in_that_order(client: Client) -> None:
    for number in range(50):
        client.send("WRITE", {"Variable": "Types.Double", "Value": float(number)})
        client.send("READ", {"Variable": "Types.Double"}, "read %d" % number)
    for number in range(50):
        answers = [client.answer(), client.answer()]
        read = [each for each in answers if each["Header"]["ClientHandle"] == "read %d" % number]
        assert read and read[0]["Body"]["Value"]["Body"] == float(number)


def test_two_writes_to_one_node_in_one_request_end_with_the_second(client: Client) -> None:
    writes = [{"Variable": "Types.Double", "Value": value} for value in (1.0, 2.0, 3.0)]
    for _ in range(10):
        results = client.body("WRITE", {"Writes": writes})["Results"]
        assert [sorted(result) for result in results] == [["Variable"]] * 3
        assert client.body("READ", {"Variable": "Types.Double"})["Value"]["Body"] == 3.0


@contextlib.contextmanager
def _held(server: Server) -> Iterator[None]:
    """Nothing is asked of the plant meanwhile; in the end the relay is ahead of all that waits."""
    plant = server.plants["plant"]
    begun, go_on = threading.Event(), threading.Event()

    def wait(_link: Any) -> None:
        begun.set()
        go_on.wait(PATIENCE)

    plant.worker.submit(Job(wait, lambda problem: begun.set()))
    assert begun.wait(PATIENCE)
    try:
        yield
        plant.relay.catch_up(PATIENCE)
    finally:
        go_on.set()


def _send(client: Client, *requests: Any) -> None:
    """Send them without waiting for what takes effect later; the last is on its way to the plant
    when this returns."""
    for operation, body, handle in requests:
        client.send(operation, body, handle)
    client.send("VALUELIST", {}, "all sent")
    answers: List[Dict[str, Any]] = []
    while not answers or answers[-1]["Header"]["ClientHandle"] != "all sent":
        answers.append(client.answer())


def test_a_monitor_behind_a_write_and_one_more_monitor_tells_what_was_written(
    server: Server, client: Client
) -> None:
    a, b = "Types.Int16", "Types.Double"
    client.write(b, 1.5)
    for started in ({"Variable": b}, {"Variables": [b, "Types.Float"]}):
        with _held(server):
            _send(
                client,
                ("MONITORSTART", {"Variable": a}, "a"),
                ("WRITE", {"Variable": b, "Value": 2.5}, "w"),
                ("MONITORSTART", started, "b"),
                ("WRITE", {"Variable": b, "Value": 1.5}, "w"),
            )
        assert [client.answer()["Header"]["ClientHandle"] for _ in range(2)] == ["w", "w"]
        assert client.update("a")
        assert [client.update("b", b)["Value"]["Body"] for _ in range(2)] == [2.5, 1.5]
        client.body("MONITORSTOP", {"Variable": a}, "a")
        client.body("MONITORSTOP", started, "b")


def test_a_monitor_that_was_stopped_before_its_place_has_come_tells_nothing(
    server: Server, client: Client
) -> None:
    with _held(server):
        _send(
            client,
            ("WRITE", {"Variable": "Types.Double", "Value": 2.5}, "w"),
            ("MONITORSTART", {"Variable": "Types.Double"}, "first"),
            ("MONITORSTOP", {"Variable": "Types.Double"}, "first"),
            ("WRITE", {"Variable": "Types.Double", "Value": 3.5}, "w"),
            ("MONITORSTART", {"Variable": "Types.Double"}, "second"),
        )
    update = client.push()
    assert update["Header"]["ClientHandle"] == "second"
    assert update["Body"]["Value"]["Body"] == 3.5


# --- clients take turns -------------------------------------------------------------------------

#: Writes of one node, each of which needs a service call of its own.
MANY = 2000


@pytest.fixture
def patient(plant: PlantProcess) -> Iterator[Server]:
    """opcws that gives the plant a minute for a request."""
    others = set(support.our_threads())
    running = support.serve(plant.endpoint, server={"request_timeout_ms": 60000})
    support.wait_connected(running)
    yield running
    running.stop()
    no_more_threads_than(others)


def _keep_busy(server: Server, client: Client) -> str:
    """Ask for more than can be done soon; returns the handle of the last answer."""
    writes = [{"Variable": "Types.Double", "Value": 0.5}] * MANY
    client.send("WRITE", {"Writes": writes}, "many")
    client.send("READ", {"Variable": "Types.Double"}, "last")
    worker = server.plants["plant"].worker
    support.wait_until(lambda: worker.backlog > MANY // 2, "the plant has much to do")
    return "last"


def _is_unanswered(client: Client) -> bool:
    return not select.select([client.ws.sock], [], [], 0)[0]


def test_one_client_that_asks_for_much_holds_up_no_other(patient: Server) -> None:
    url = patient.urls[0]
    with Client(url) as busy, Client(url) as other:
        last = _keep_busy(patient, busy)
        for number in range(5):
            other.write("Types.Int32", number)
            assert other.body("READ", {"Variable": "Types.Int32"})["Value"]["Body"] == number
        other.body("MONITORSTART", {"Variable": "Types.Int16"}, "m")
        assert "Value" in other.update("m")
        names = ["Types.Int32", "Types.Int16"]
        assert len(other.body("READ", {"Variables": names})["Values"]) == 2
        assert _is_unanswered(busy), "and its own turn has not come yet"
        answers = [busy.answer(), busy.answer()]
        assert [each["Header"]["ClientHandle"] for each in answers] == ["many", last]
        assert all("StatusCode" not in each for each in answers[0]["Body"]["Results"])
        assert answers[1]["Body"]["Value"]["Body"] == 0.5


def test_beside_a_client_that_asks_for_much_ones_own_requests_keep_their_order(
    patient: Server,
) -> None:
    url = patient.urls[0]
    with Client(url) as busy, Client(url) as other:
        _keep_busy(patient, busy)
        for number in range(5):
            handle = "m%d" % number
            other.send("WRITE", {"Variable": "Types.Int64", "Value": number}, "before")
            other.send("MONITORSTART", {"Variable": "Types.Int64"}, handle)
            other.send("WRITE", {"Variable": "Types.Int64", "Value": -number - 1}, "behind")
            assert [other.answer() for _ in range(3)]
            values = [other.update(handle)["Value"]["Body"] for _ in range(2)]
            assert values == [str(number), str(-number - 1)]
            other.body("MONITORSTOP", {"Variable": "Types.Int64"}, handle)
        assert _is_unanswered(busy)
