"""opcws and other programs at a broker: recorded messages of some, and node-opcua."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any, Callable, Dict, Iterator

import pytest

from opcws.config import loads

from ... import ROOT, support
from ...support import Client, PlantProcess, wait_connected, wait_until
from ...support.edge import Foreign, configuration, edge, wait_state
from ...support.mosquitto import Mosquitto, Subscriber
from ...support.node import node_with
from ...support.publishing import DATA, data, running
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


#: Types that node-opcua has in JSON, and that JavaScript writes as opcws does.
DECODED = (
    "Boolean SByte Byte Int16 UInt16 Int32 UInt32 Int64 UInt64 Float Double String Guid ByteString"
).split()


def test_node_opcua_decodes_the_values_of_the_reversible_encoding(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    program = ROOT / "tests" / "javascript" / "node_opcua_decoder.cjs"
    command = [node_with("node-opcua-pubsub-expander"), str(program)]
    names = ["Types." + each + suffix for each in DECODED for suffix in ("", "Array")]
    names.remove("Types.FloatArray")  # JavaScript has no number of 32 bits, but an array of them
    names.remove("Types.ByteStringArray")  # one of its two is empty, for which node-opcua has null
    made = support.settings(plant.endpoint)
    made["state_dir"] = str(tmp_path)
    made["publish"] = {
        "mqtt": {
            "broker": broker.url,
            "variables": names,
            "encoding": "reversible",
            "key_frame_count": 1,
        }
    }
    with running(loads(json.dumps(made))) as server, Client(server.urls[0]) as client:
        wait_connected(server)
        wanted = [value(client, name) for name in names]
        with Subscriber(broker.port, DATA) as subscriber:
            frame = subscriber.wait_for(
                lambda each: (
                    all(field.body is not None for field in data(each).fields.values())
                    and set(names) <= set(data(each).fields)
                ),
                "a key frame with all values",
            )
    payload = frame.data["Messages"][0]["Payload"]
    lines = "".join([json.dumps(payload[name]) + "\n" for name in names])
    done = subprocess.run(
        command, input=lines, stdout=subprocess.PIPE, encoding="utf-8", timeout=120.0, check=True
    )
    decoded = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    assert decoded == [[each["Type"], each["Body"]] for each in wanted]
