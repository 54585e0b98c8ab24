"""The flow on the documentation page runs in Node-RED, and has what opcws publishes."""

import contextlib
import json
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest

from ...support import PlantProcess, no_threads_left, wait_connected, wait_until
from ...support.mosquitto import Mosquitto
from ...support.node import PACKAGES, node_with
from ...support.publishing import COUNTER, configuration, running, write
from ...support.recipes import code

#: Node-RED without what is for people.
SETTINGS = {
    "httpAdminRoot": False,
    "httpNodeRoot": False,
    "uiHost": "127.0.0.1",
    "uiPort": 0,
    "telemetry": {"enabled": False},
}


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    yield
    no_threads_left()


def flow(broker: Mosquitto, told: Path) -> List[Dict[str, Any]]:
    """The flow, with *broker*, and files in place of what shows its messages."""
    nodes: List[Dict[str, Any]] = []
    for each in json.loads(code("node-red", '[\n{"id": "mqtt.')):
        if each["type"] == "mqtt-broker":
            each["port"] = str(broker.port)
        if each["type"] == "debug":
            nodes.append(
                {
                    "id": each["id"] + ".file",
                    "z": each["z"],
                    "type": "file",
                    "filename": str(told / each["id"]),
                    "filenameType": "str",
                    "appendNewline": True,
                    "overwriteFile": "false",
                    "wires": [[]],
                }
            )
            each = {
                "id": each["id"],
                "z": each["z"],
                "type": "function",
                "outputs": 1,
                "func": "return {payload: JSON.stringify([msg.topic, msg.payload])};",
                "wires": [[each["id"] + ".file"]],
            }
        nodes.append(each)
    return nodes


@contextlib.contextmanager
def node_red(directory: Path, nodes: List[Dict[str, Any]]) -> Iterator[None]:
    program = PACKAGES / "node-red" / "red.js"
    (directory / "flows.json").write_text(json.dumps(nodes), "utf-8")
    settings = "module.exports = " + json.dumps(SETTINGS)
    (directory / "settings.cjs").write_text(settings, "utf-8")
    command = [node_with("node-red"), str(program), "--userDir", str(directory)]
    command += ["--settings", str(directory / "settings.cjs"), "flows.json"]
    with (directory / "log").open("wb") as log:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.kill()
        process.wait()


def test_the_flow_of_the_page_has_each_value_that_opcws_publishes(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    told, state = tmp_path / "told", tmp_path / "state"
    for each in (told, state, tmp_path / "red"):
        each.mkdir()

    def wait_for(output: str, topic: str, payload: Any) -> None:
        def came() -> bool:
            path = told / output
            # The last line may be half written.
            lines = path.read_text("utf-8").split("\n")[:-1] if path.exists() else []
            found = [json.loads(line) for line in lines]
            return any(
                each[0] == topic
                and (each[1].get("Value") if isinstance(each[1], dict) else each[1]) == payload
                for each in found
            )

        log = (tmp_path / "red" / "log").read_text("utf-8")
        wait_until(came, "%s: %r; %s" % (topic, payload, log[-2000:]), 60.0)

    with node_red(tmp_path / "red", flow(broker, told)):
        with running(configuration(own_plant, state, broker=broker.url)) as server:
            wait_connected(server)
            write(server, 41)
            wait_for("mqtt.values", COUNTER, 41)
            write(server, 42)
            wait_for("mqtt.values", COUNTER, 42)
        raw = {"broker": broker.url, "encoding": "raw", "prefix": "acme/plant-3"}
        topic = "acme/plant-3/" + COUNTER
        with running(configuration(own_plant, state, **raw)) as server:
            wait_connected(server)
            write(server, 43)
            wait_for("raw.values", topic, 43)
        with running(configuration(own_plant, state, raw_payload="value", **raw)) as server:
            wait_connected(server)
            write(server, 44)
            wait_for("raw.values", topic, 44)
            own_plant.kill()
            wait_for("raw.values", topic, "")
