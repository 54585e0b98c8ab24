"""The plant goes away and comes back: clients stay, are told, and need do nothing."""

import time
from typing import Any, Iterator

import pytest

from opcws.app import Server
from opcws.ua.channel.subscription import Subscriptions

from ... import support
from ...support import URI, Client, PlantProcess


@pytest.fixture
def own_server(own_plant: PlantProcess) -> Iterator[Server]:
    # Nothing but the loss itself tells of it within a test's patience.
    timers = {"request_timeout_ms": 300000, "heartbeat_interval_ms": 300000}
    with support.served(own_plant.endpoint, server=timers) as running:
        yield running


def _status(client: Client, state: str) -> dict:
    while True:
        message = client.push()
        if (
            message["Header"]["MessageType"] == "SERVERSTATUS_MESSAGE"
            and message["Body"]["State"] == state
        ):
            return message["Body"]


@pytest.mark.parametrize("reordered", [False, True], ids=["same namespaces", "reordered"])
def test_a_killed_plant_is_told_at_once_and_back_within_5_s_of_its_return(
    own_plant: PlantProcess, own_server: Server, reordered: bool
) -> None:
    with Client(own_server.urls[0]) as client:
        client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
        before = client.update("m", "Types.Double")
        assert before["Value"]["Body"] == 0.1

        own_plant.kill()
        lost = client.update_where(lambda body: body.get("StatusCode"), handle="m")
        assert lost["StatusCode"] == "BadNotConnected"
        assert lost["Value"] == before["Value"]
        began = time.monotonic()
        assert client.status("READ", {"Variable": "Types.Double"}) == "BadNotConnected"
        write = {"Variable": "Types.Double", "Value": 1.5}
        assert client.status("WRITE", write) == "BadNotConnected"
        assert time.monotonic() - began < 1.0 + support.slack_s()

        client.pushed.clear()
        own_plant.start(["urn:other:1", "urn:other:2"] if reordered else [])
        back = time.monotonic()
        fresh = client.update_where(lambda body: "StatusCode" not in body, handle="m")
        assert time.monotonic() - back < 5.0 + support.slack_s()
        assert fresh["Value"]["Body"] == 0.1
        support.wait_connected(own_server)  # requests are let through when every item is made
        assert client.body("READ", {"Variable": "Types.Double"})["Value"]["Body"] == 0.1
        node = client.body("READ", {"Variable": "Types.NodeId"})["Value"]["Body"]
        assert node == "nsu=%s;s=Boiler.Temperature" % URI
        client.write("Types.Double", 2.5)
        assert client.update("m", "Types.Double")["Value"]["Body"] == 2.5


def test_a_client_with_monitors_is_told_of_the_servers_state(
    own_plant: PlantProcess, own_server: Server
) -> None:
    with Client(own_server.urls[0]) as client, Client(own_server.urls[0]) as other:
        client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
        client.update("m")
        own_plant.kill()
        told = _status(client, "disconnected")
        assert told["Server"] == "plant" and told["Reason"]
        own_plant.start()
        _status(client, "connected")
        assert other.body("VALUELIST")["Variables"]
        assert not other.pushed, "it has no monitors and did not ask"


def test_a_client_that_asked_is_told_of_the_servers_state_without_monitors(
    own_plant: PlantProcess, own_server: Server
) -> None:
    with Client(own_server.urls[0], "?status=1") as client:
        _status(client, "connected")
        own_plant.kill()
        _status(client, "disconnected")


def test_a_monitor_started_while_the_plant_is_away_is_told_so_and_begins_with_its_return(
    own_plant: PlantProcess, own_server: Server
) -> None:
    with Client(own_server.urls[0]) as client:
        own_plant.kill()
        support.wait_until(
            lambda: client.status("READ", {"Variable": "Types.Double"}) == "BadNotConnected",
            "the loss is noticed",
        )
        assert client.body("MONITORSTART", {"Variable": "Types.Double"}, "m") == {}
        assert client.update("m")["StatusCode"] == "BadNotConnected"
        own_plant.start()
        assert client.update_where(lambda body: "StatusCode" not in body)["Value"]["Body"] == 0.1


@pytest.fixture
def impatient_server(own_plant: PlantProcess) -> Iterator[Server]:
    with support.served(own_plant.endpoint, server={"request_timeout_ms": 2000}) as running:
        yield running


def test_a_frozen_plant_times_out_is_given_up_and_comes_back(
    own_plant: PlantProcess, impatient_server: Server
) -> None:
    with Client(impatient_server.urls[0]) as client:
        client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
        client.update("m")
        own_plant.freeze()
        status = client.status("READ", {"Variable": "Types.Double"})
        assert status in ("BadTimeout", "BadCommunicationError")
        client.update_where(lambda body: body.get("StatusCode") == "BadNotConnected")
        own_plant.thaw()
        fresh = client.update_where(lambda body: "StatusCode" not in body)
        assert fresh["Value"]["Body"] == 0.1


def test_a_generation_whose_items_nobody_creates_gives_way_to_another(
    plant: PlantProcess, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    impatient = {"heartbeat_interval_ms": 200, "request_timeout_ms": 500}
    running = support.serve(plant.endpoint, server=impatient)
    try:
        support.wait_connected(running)
        with Client(running.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
            # So impatient, it may lose a plant of a busy machine at any time by itself.
            before = client.update_where(lambda body: "StatusCode" not in body)

            def defect(_subscriptions: Any, _requests: Any) -> Any:
                monkeypatch.undo()
                raise ValueError("a defect")

            monkeypatch.setattr(Subscriptions, "create_items", defect)
            supervisor = running.plants["plant"].supervisor
            support.wait_until(lambda: supervisor.link, "a connection").kill("once")
            client.update_where(lambda body: body.get("StatusCode") == "BadNotConnected")
            fresh = client.update_where(lambda body: "StatusCode" not in body)
            assert fresh["Value"] == before["Value"]
    finally:
        running.stop()
    assert "a defect in an operation" in caplog.text
