"""What one client, or twenty, have waiting is nothing to another."""

import contextlib
from typing import Iterator

import pytest

from opcws.app import Server
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
