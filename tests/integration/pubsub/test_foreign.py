"""What other programs publish at a broker is served: recorded messages of some, and node-opcua."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from opcws.config import loads

from ... import ROOT, support
from ...support import Client, wait_until
from ...support.edge import Foreign, configuration, edge, wait_state
from ...support.mosquitto import Mosquitto, Subscriber
from ...support.node import node_with
from ...support.publishing import running
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


# --- node-opcua ----------------------------------------------------------------------------------

LAYOUTS = ("variant", "value", "single", "raw")
#: What it has, as clients see it, and the settings where no message says the type.
VALUES: Dict[str, Any] = {
    "Level": ({"Type": 11, "Body": 1.5}, {"type": "Double"}),
    "Count": ({"Type": 8, "Body": "-9007199254740993"}, {"type": "Int64"}),
    "Name": ({"Type": 12, "Body": "p\u00fcmp"}, {"type": "String"}),
    "Running": ({"Type": 1, "Body": True}, {"type": "Boolean"}),
    "When": ({"Type": 13, "Body": "2026-11-30T03:00:00.5Z"}, {"type": "DateTime"}),
    "Text": ({"Type": 21, "Body": {"Text": "auf"}}, {"type": "LocalizedText"}),
    "Codes": ({"Type": 5, "Body": [1, 2, 65535]}, {"type": "UInt16", "array": True}),
}


@contextlib.contextmanager
def node_opcua(url: str, directory: Path) -> Iterator["subprocess.Popen[str]"]:
    program = ROOT / "tests" / "javascript" / "node_opcua_publisher.cjs"
    command = [node_with("node-opcua-pubsub-expander"), str(program), url]
    with (directory / "node-opcua.log").open("w", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=log, stderr=log, encoding="utf-8"
        )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_node_opcua_is_served_in_each_of_its_layouts_until_it_dies(
    tmp_path: Path, broker: Mosquitto
) -> None:
    servers = {
        layout: {
            "endpoint": broker.url,
            "publisher": layout,
            "message_receive_timeout_ms": 5000,
            "variables": {
                "%s.%s" % (layout, name): {
                    "field": name,
                    **(settings if layout in ("value", "raw") else {}),
                }
                for name, (_, settings) in VALUES.items()
            },
        }
        for layout in LAYOUTS
    }
    config = loads(json.dumps({"listen": {"port": 0}, "servers": servers}))
    with node_opcua(broker.url, tmp_path) as process, running(config) as server:
        with Client(server.urls[0]) as client:

            def wait_for(true: Callable[[Dict[str, Any]], Any], name: str, *layouts: str) -> None:
                for layout in layouts:
                    variable = "%s.%s" % (layout, name)
                    wait_until(lambda each=variable: true(read(client, each)), variable, 60.0)

            def tell(**what: Any) -> None:
                assert process.stdin is not None
                print(json.dumps(what), file=process.stdin, flush=True)

            for name, (wanted, _) in VALUES.items():
                wait_for(lambda told, wanted=wanted: told.get("Value") == wanted, name, *LAYOUTS)
            for time in ("SourceTimestamp", "ServerTimestamp"):
                wait_for(lambda told, time=time: told.get(time, "") > "2026", "Level", "value")
            tell(name="Level", dataType="Double", value=2.5, status="UncertainLastUsableValue")
            wanted = {"Type": 11, "Body": 2.5}
            wait_for(lambda told: told.get("Value") == wanted, "Level", *LAYOUTS)
            # No other layout says the status.
            wait_for(
                lambda told: told.get("Symbol") == "UncertainLastUsableValue", "Level", "value"
            )
            tell(name="Level", dataType="Null", value=None, status="BadSensorFailure")
            wait_for(lambda told: told.get("StatusCode") == "BadSensorFailure", "Level", "value")
            process.kill()
            wait_for(lambda told: told.get("StatusCode") == "BadNotConnected", "Level", *LAYOUTS)
