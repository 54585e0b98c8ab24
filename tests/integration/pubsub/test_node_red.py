"""The flows on the documentation page run in Node-RED, with opcws and by way of a broker."""

from pathlib import Path
from typing import Any, Iterator

import pytest

from opcws.app import Server

from ...support import PlantProcess, no_threads_left, wait_connected, wait_until
from ...support.mosquitto import Mosquitto
from ...support.node_red import NodeRed
from ...support.publishing import COUNTER, configuration, running, write

pytestmark = pytest.mark.own_plant


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    made = tmp_path / "node-red"
    made.mkdir()
    return made


def wait_for(node_red: NodeRed, node: str, topic: str, payload: Any) -> None:
    def came() -> bool:
        found = [each["payload"] for each in node_red.shown(node) if each.get("topic") == topic]
        return payload in [each["Value"] if isinstance(each, dict) else each for each in found]

    try:
        wait_until(came, "%s: %r" % (topic, payload), 60.0)
    except AssertionError as error:
        raise AssertionError("%s; %s" % (error, node_red.log)) from None


def test_its_mqtt_nodes_have_each_value_that_opcws_publishes(
    tmp_path: Path, directory: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    node_red = NodeRed("mqtt", directory)
    node_red.nodes["mqtt.broker"]["port"] = str(broker.port)
    raw = {"broker": broker.url, "encoding": "raw", "prefix": "acme/plant-3"}
    topic = "acme/plant-3/" + COUNTER
    with node_red.running():
        with running(configuration(own_plant, tmp_path, broker=broker.url)) as server:
            wait_connected(server)
            write(server, 41)
            wait_for(node_red, "mqtt.values", COUNTER, 41)
            write(server, 42)
            wait_for(node_red, "mqtt.values", COUNTER, 42)
        with running(configuration(own_plant, tmp_path, **raw)) as server:
            wait_connected(server)
            write(server, 43)
            wait_for(node_red, "raw.values", topic, 43)
        with running(configuration(own_plant, tmp_path, raw_payload="value", **raw)) as server:
            wait_connected(server)
            write(server, 44)
            wait_for(node_red, "raw.values", topic, 44)
            own_plant.kill()
            wait_for(node_red, "raw.values", topic, "")
    no_threads_left()


def test_its_websocket_nodes_monitor_read_and_write(directory: Path, server: Server) -> None:
    node_red = NodeRed("opcws", directory)
    node_red.nodes["opcws.url"]["path"] = server.urls[0].replace("http", "ws", 1)
    for button in ("opcws.write", "opcws.read"):
        node_red.nodes[button]["repeat"] = "0.5"
    with node_red.running():

        def answers(operation: str) -> Iterator[Any]:
            for each in node_red.shown("opcws.answers"):
                if each["operation"] == operation and each["status"] == "Good":
                    yield [(value["topic"], value["payload"]) for value in each["payload"]]

        wait_for(node_red, "opcws.values", "Types.Int64Big", "9223372036854775807")
        wait_until(lambda: any(answers("WRITE")), "what was written", 60.0)
        wait_until(
            lambda: any(("Boiler.Setpoint", 75) in each for each in answers("READ")),
            "what was read",
            60.0,
        )
