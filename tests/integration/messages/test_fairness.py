"""What one client, or twenty, have waiting is nothing to another."""

import contextlib
import json
from typing import Any, Iterator

import pytest

from opcws.app import Server
from opcws.config import loads
from opcws.model.deadline import Deadline

from ... import support
from ...support import PATIENCE, Client, PlantProcess, wait_until

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
        wait_until(lambda: worker.backlog >= in_all - 3, "all wait but those under way")
        with Client(server.urls[0]) as fair:
            fair.send("HISTORICALREAD", HISTORY)
            wait_until(lambda: worker.backlog >= in_all - 2, "so does its own")
            plant.thaw()
            answer = fair.answer()
            assert "DataValues" in answer["Body"], answer
            waiting = worker.backlog
        assert waiting > in_all / 2, "it did not wait until most of the others were answered"
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
