"""What other programs publish at a broker is served: recorded messages of some."""

import json
from typing import Any, Dict, Iterator

import pytest

from ... import support
from ...support import Client, wait_until
from ...support.edge import Foreign, configuration, edge, wait_state
from ...support.mosquitto import Mosquitto, Subscriber
from ...support.recorded import recorded


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    yield
    support.no_threads_left()


@pytest.fixture
def subscriber(broker: Mosquitto) -> Iterator[Subscriber]:
    with Subscriber(broker.port, "nothing") as client:
        yield client


def read(client: Client, variable: str) -> Dict[str, Any]:
    body: Dict[str, Any] = client.body("READ", {"Variable": variable})
    return body


def value(client: Client, variable: str) -> Any:
    return read(client, variable).get("Value")


def wait_subscribed(url: str, server: Any) -> None:
    """Until what is sent reaches *server*."""
    wait_until(
        lambda: "nothing has come" in server.plants["hall"].status().get("Reason", ""),
        "subscribed at " + url,
    )


def test_opc_publisher_is_served_with_the_types_of_the_configuration(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    messages = recorded("opc-publisher")
    foreign = Foreign(subscriber, "opcplc")
    variables = {
        "Step": {"field": "StepUp", "type": "UInt32"},
        "BadFastUInt1": {"type": "UInt32"},
        "AlternatingBoolean": {"type": "Boolean"},
        "RandomSignedInt32": {},
    }
    with edge(broker.url, variables, publisher="opcplc") as server:
        with Client(server.urls[0]) as client:
            wait_subscribed(broker.url, server)
            for what in ("delta frame", "keep alive"):
                text = json.dumps({**messages[what], "PublisherId": "opcplc"})
                foreign.send("data", text, levels="/group/1000")
            wait_state(server, "connected")
            told = read(client, "Step")
            assert told["Value"] == {"Type": 7, "Body": 23305}
            assert told["SourceTimestamp"] == "2022-03-18T12:55:21.3313539Z"
            assert "Status" not in told
            assert read(client, "BadFastUInt1")["StatusCode"] == "BadNoCommunication"
            assert value(client, "AlternatingBoolean") == {"Type": 1, "Body": True}
            # Nobody has said of which type it is.
            assert read(client, "RandomSignedInt32")["StatusCode"] == "BadWaitingForInitialData"


def test_the_first_quickstart_of_the_opc_foundation_is_served(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    messages = recorded("starter-kit")
    publisher = messages["status"]["PublisherId"]
    foreign = Foreign(subscriber, publisher)
    foreign.send("status", json.dumps(messages["status"]), True)

    def config(type_name: str) -> Any:
        variables = {"Consumption": {"type": type_name}}
        return configuration(broker.url, variables, publisher=publisher)

    with edge(broker.url, {"Consumption": {"type": "Double"}}, publisher=publisher) as server:
        with Client(server.urls[0]) as client:
            wait_state(server, "connected")
            text = json.dumps(messages["values alone"])
            foreign.send("data", text, True, "/WestConveyor/MotorEnergyMetrics")
            wanted = {"Type": 11, "Body": 42.25}
            wait_until(lambda: value(client, "Consumption") == wanted, "a Double")
            server.reload(config("Float"))
            wanted = {"Type": 10, "Body": 42.25}
            wait_until(lambda: value(client, "Consumption") == wanted, "a Float")
            foreign.send("status", json.dumps(messages["left"]), True)
            assert "Disabled" in wait_state(server, "disconnected")["Reason"]


def test_who_announces_no_pause_is_not_connected_after_the_timeout_of_the_configuration(
    broker: Mosquitto, subscriber: Subscriber
) -> None:
    message = recorded("open62541")["key frame"]
    foreign = Foreign(subscriber, message["PublisherId"])
    settings = {"publisher": foreign.name, "message_receive_timeout_ms": 3000}
    with edge(broker.url, {"D": {}}, **settings) as server, Client(server.urls[0]) as client:
        wait_subscribed(broker.url, server)
        handle = "m"
        assert client.status("MONITORSTART", {"Variable": "D"}, handle) is None
        foreign.send("data", json.dumps(message), levels="/g/w")
        client.update_where(
            lambda body: (body.get("Value") or {}).get("Body") == 1.5, handle=handle
        )
        lost = client.update_where(lambda body: "StatusCode" in body, handle=handle)
        assert lost["StatusCode"] == "BadNotConnected" and "for 3 s" in lost["Reason"]
        message["Messages"][0]["Payload"]["D"]["Value"] = 2.5
        message["Messages"][0]["SequenceNumber"] = 1
        foreign.send("data", json.dumps(message), levels="/g/w")
        client.update_where(
            lambda body: (body.get("Value") or {}).get("Body") == 2.5, handle=handle
        )
