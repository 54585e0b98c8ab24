"""What one client, or twenty, have waiting is nothing to another."""

import contextlib
import json
from typing import Any, Iterator, List

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.model.deadline import Deadline
from opcws.ua.channel import framing
from opcws.ua.encoding import service_bodies

from ... import support
from ...support import PATIENCE, Client, PlantProcess, wait_until
from ...support.faults import URI, CountingProcess

pytestmark = pytest.mark.own_plant

HISTORY = {"Variable": "Test.Counter", "StartTime": "2026-01-01", "MaxValues": 1}
#: As many requests as a connection may have in flight.
IN_FLIGHT = 64


@pytest.fixture
def server(plant: PlantProcess) -> Iterator[Server]:
    patient = {"request_timeout_ms": 60000, "heartbeat_interval_ms": 60000}
    with support.served(plant.endpoint, server=patient) as running:
        worker = running.plants["plant"].worker
        worker.drain(Deadline(PATIENCE))
        yield running
        plant.thaw()


def test_no_number_of_waiting_history_reads_has_anothers_refused(
    server: Server, plant: PlantProcess
) -> None:
    plant.freeze()
    worker = server.plants["plant"].worker
    with contextlib.ExitStack() as stack:
        greedy = [stack.enter_context(Client(server.urls[0])) for _ in range(20)]
        for client in greedy:
            for _ in range(IN_FLIGHT):
                client.send("HISTORICALREAD", HISTORY)
        in_all = len(greedy) * IN_FLIGHT
        # Of each client one may be under way.
        wait_until(lambda: worker.backlog >= in_all - len(greedy), "the others wait")
        with Client(server.urls[0]) as fair:
            fair.send("HISTORICALREAD", HISTORY)
            fair.body("VALUELIST")  # answered at once: what came before it waits
            plant.thaw()
            answer = fair.answer()
            assert "DataValues" in answer["Body"], answer
            waiting = worker.backlog
        assert waiting > in_all / 10, "it did not wait until most of the others were answered"
        for client in greedy:
            client.vanish()


def test_a_value_that_is_named_many_times_is_in_memory_once_until_it_is_sent(
    plant: PlantProcess,
) -> None:
    text, times, requests = "t" * 50000, 40, 12
    limits = {"outbox_bytes": 2 * len(text) * times}
    with support.served(plant.endpoint, listen={"limits": limits}) as running:
        with Client(running.urls[0]) as fair, Client(running.urls[0]) as greedy:
            fair.write("Types.String", text)
            body = {"Variables": ["Types.String"] * times}
            for _ in range(requests):
                greedy.send("READ", body)

            def full() -> Any:
                boxes = [each.outbox for one in running.listeners for each in one.connections()]
                return next((box for box in boxes if box.is_full), None)

            theirs = wait_until(full, "as much is made as there is room for")
            for _ in range(20):
                assert fair.body("READ", {"Variable": "Types.String"})["Value"]["Body"] == text
            texts = [
                frame
                for frame, _is_reply in list(theirs._queue)
                if isinstance(frame, bytes) and len(frame) > len(text)
            ]
            assert not texts, "each is a text, not twenty, until it is sent"
            for _ in range(requests):
                values = greedy.answer()["Body"]["Values"]
                assert [each["Value"]["Body"] for each in values] == [text] * times


def test_beyond_what_may_wait_for_all_the_greediest_gives_way(plant: PlantProcess) -> None:
    text, times = "t" * 50000, 40
    settings = support.settings(plant.endpoint)
    settings["process"] = {"outbound_bytes": 10 * len(text) * times}
    running = Server(loads(json.dumps(settings)))
    running.start()
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as fair, Client(running.urls[0]) as modest:
            fair.write("Types.String", text)
            body = {"Variables": ["Types.String"] * times}
            modest.send("READ", body)
            with contextlib.closing(Client(running.urls[0])) as greedy:
                for _ in range(30):
                    greedy.send("READ", body)
                wait_until(
                    lambda: running.limit_hits.snapshot()["outbound_bytes"] == 1, "it gives way"
                )
                wait_until(lambda: len(running.listeners[0].connections()) == 2, "and is gone")
            assert len(modest.answer()["Body"]["Values"]) == times
            assert fair.body("READ", {"Variable": "Types.String"})["Value"]["Body"] == text
    finally:
        running.stop()
    support.no_threads_left()


TEXTS = ["Text.%d" % number for number in range(80)]
COUNTERS = ["Count.%d" % number for number in range(400)]


@pytest.fixture(scope="module")
def large() -> Iterator[CountingProcess]:
    """80 texts of 1,000,000 bytes, more than one message may have, and 400 numbers."""
    arguments = ["--texts", "80", "--text-bytes", "1000000", "--counters", "400"]
    with CountingProcess([*arguments, "--period-ms", "60000"]) as process:
        yield process


@contextlib.contextmanager
def serving(process: CountingProcess) -> Iterator[Server]:
    names = [*TEXTS, *COUNTERS]
    listed = {name: {"node": "nsu=%s;s=%s" % (URI, name)} for name in names}
    patient = {"request_timeout_ms": 60000, "heartbeat_interval_ms": 60000}
    # The test reads from one client at a time; the last waits for all before it.
    listen = {"send_timeout_s": 10 * PATIENCE}
    with support.served(
        process.endpoint, variables=listed, server=patient, listen=listen
    ) as running:
        yield running


def test_large_values_never_read_before_do_not_end_the_connection_together(
    large: CountingProcess,
) -> None:
    with serving(large) as server, contextlib.ExitStack() as stack:
        plant = server.plants["plant"]
        clients = [stack.enter_context(Client(server.urls[0])) for _ in range(10)]
        plant.worker.drain(Deadline(PATIENCE))
        large.freeze()
        for number, client in enumerate(clients):
            client.send("READ", {"Variables": TEXTS[number::10]})
        wait_until(lambda: plant.worker.backlog >= 9, "all wait but what is under way")
        large.thaw()
        for client in clients:
            values = client.answer()["Body"]["Values"]
            assert [len(each["Value"]["Body"]) for each in values] == [1000000] * 8
        assert plant.supervisor.generations == 1


def test_one_read_of_many_large_values_is_many_calls(large: CountingProcess) -> None:
    with serving(large) as server, Client(server.urls[0]) as client:
        client.send("READ", {"Variables": TEXTS})
        answer = client.answer()
        assert answer["Header"]["StatusCode"] == "BadResponseTooLarge", "nor may an answer have"
        assert server.plants["plant"].supervisor.generations == 1


def test_a_read_of_more_than_a_message_may_have_is_made_in_parts(
    large: CountingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 1500000)
    with serving(large) as server, Client(server.urls[0]) as client:
        plant = server.plants["plant"]
        values = client.body("READ", {"Variables": TEXTS[:4]})["Values"]
        assert [len(each["Value"]["Body"]) for each in values] == [1000000] * 4
        assert plant.supervisor.generations == 1


def test_a_read_that_ended_the_connection_is_made_in_parts_the_next_time(
    large: CountingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(framing, "MAX_MESSAGE_BYTES", 1500000)
    monkeypatch.setattr(framing, "MOST_DROPPED", 1)
    with serving(large) as server, Client(server.urls[0]) as client:
        plant = server.plants["plant"]
        body = {"Variables": TEXTS[:4]}
        client.send("READ", body)
        statuses = {each["StatusCode"] for each in client.answer()["Body"]["Values"]}
        assert statuses == {"BadCommunicationError"}
        wait_until(lambda: plant.supervisor.generations == 2, "connected again")
        support.wait_connected(server)
        values = client.body("READ", body)["Values"]
        assert [len(each["Value"]["Body"]) for each in values] == [1000000] * 4
        assert plant.supervisor.generations == 2


@pytest.mark.interpreted
def test_any_number_of_numbers_is_one_call(
    large: CountingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serving(large) as server, Client(server.urls[0]) as client:
        plant = server.plants["plant"]
        wait_until(lambda: plant.metadata.value_type(last(server)).type, "all are described")
        plant.worker.drain(Deadline(PATIENCE))
        asked: List[int] = []
        made = service_bodies.read_request

        def read_request(items: Any, *max_age: Any) -> bytes:
            asked.append(len(items))
            return made(items, *max_age)

        monkeypatch.setattr(service_bodies, "read_request", read_request)
        for _ in range(2):
            values = client.body("READ", {"Variables": COUNTERS})["Values"]
            assert len(values) == 400 and "StatusCode" not in values[0]
        assert [each for each in asked if each > 1] == [400, 400]
        assert plant.supervisor.generations == 1


def last(server: Server) -> Any:
    """The variable that is described last: from the end, a part at a time."""
    return next(iter(server.plants["plant"].server.variables.values()))
