"""The same values and monitoring parameters with a server that is none of ours: open62541."""

import importlib.util
import json
from typing import Any, Dict, Iterator

import pytest

# Not imported: it would run with the tests, not with the server.
if importlib.util.find_spec("o6") is None:
    pytest.skip("not run: needs o6", allow_module_level=True)

from opcws.app import Server
from opcws.commissioning.check import check
from opcws.config import loads
from opcws.model.status_codes import OVERFLOW

from ... import support
from ...servers.process import ServerProcess
from ...support import Client

NSU = "nsu=urn:open62541.unconfigured.application;s="
LEVEL: Dict[str, Any] = {"node": NSU + "Level"}
VARIABLES: Dict[str, Any] = {
    "Level": LEVEL,
    "Level.Two": {**LEVEL, "queue_size": 2},
    "Level.Percent": {**LEVEL, "deadband": {"percent": 10}},
    "Count.Percent": {"node": NSU + "Count", "deadband": {"percent": 10}},
    "Row": {"node": NSU + "Row", "access": "readwrite"},
    "Row.Third": {"node": NSU + "Row", "access": "readwrite", "index_range": "2"},
    "Row.Beyond": {"node": NSU + "Row", "index_range": "7"},
    "Error": {"node": NSU + "Error", "access": "readwrite"},
    "Error.Deadband": {"node": NSU + "Error", "deadband": {"absolute": 1}},
    "Health": {"node": NSU + "Health", "access": "readwrite"},
}


@pytest.fixture(scope="module")
def plant() -> Iterator[ServerProcess]:
    process = ServerProcess("open62541_plant")
    yield process
    process.kill()


@pytest.fixture(scope="module")
def server(plant: ServerProcess) -> Iterator[Server]:
    with support.served(plant.endpoint, variables=VARIABLES) as running:
        yield running


def read(client: Client, name: str) -> Any:
    return client.body("READ", {"Variable": name})["Value"]["Body"]


def test_a_structure_of_a_companion_specification_is_read_and_written(client: Client) -> None:
    value = read(client, "Error")
    assert value["Body"] == {"status": 7, "diagnostics": {}}
    value["Body"]["status"] = -12
    client.write("Error", {"Type": "ExtensionObject", "Body": value})
    assert read(client, "Error") == value
    wrong = {"Body": {**value, "Body": {"state": 1}}}
    answer = client.body("WRITE", {"Variable": "Error", "Value": wrong})
    assert "TransferResultErrorDataType are status, diagnostics" in answer["Reason"]


def test_an_enumeration_of_a_companion_specification_is_written_by_name(client: Client) -> None:
    client.write("Health", "OFF_SPEC")
    assert client.body("READ", {"Variable": "Health"})["Value"] == {"Type": 6, "Body": 3}


def test_an_element_of_an_array_is_read_written_and_monitored_alone(client: Client) -> None:
    client.write("Row", [0, 10, 20, 30, 40])
    client.body("MONITORSTART", {"Variable": "Row.Third"}, "m")
    assert client.update("m")["Value"]["Body"] == [20]
    client.write("Row.Third", [99])
    assert client.update("m")["Value"]["Body"] == [99]
    assert read(client, "Row") == [0, 10, 99, 30, 40]
    assert client.status("READ", {"Variable": "Row.Beyond"}) == "BadIndexRangeNoData"


def test_a_percent_deadband_is_one_of_the_range(client: Client, plant: ServerProcess) -> None:
    plant.change("Level", 50.0)
    client.body("MONITORSTART", {"Variable": "Level.Percent"}, "m")
    assert client.update("m")["Value"]["Body"] == 50.0
    plant.change("Level", *map(float, range(51, 121)))
    steps = [50.0]
    while steps[-1] < 110.0:
        steps.append(client.update("m")["Value"]["Body"])
    # More than 10 % of 0 to 200 each time.
    assert steps == [50.0, 71.0, 92.0, 113.0]


def test_what_the_queue_lost_arrives_as_the_overflow_bit(
    client: Client, plant: ServerProcess
) -> None:
    plant.change("Level", 50.0)
    client.body("MONITORSTART", {"Variable": "Level.Two"}, "m")
    assert client.update("m")["Value"]["Body"] == 50.0
    plant.change("Level", *map(float, range(60, 121)))
    updates = [client.update("m")]
    while updates[-1]["Value"]["Body"] != 120.0:
        updates.append(client.update("m"))
    assert [update["Value"]["Body"] for update in updates[-2:]] == [119.0, 120.0]
    assert updates[-2]["Status"] & OVERFLOW == OVERFLOW and "Status" not in updates[-1]


def test_check_shows_the_revised_queue_and_the_refused_filters(plant: ServerProcess) -> None:
    settings = support.settings(plant.endpoint, variables=VARIABLES)
    findings = {
        finding.text.split()[0]: finding for finding in check(loads(json.dumps(settings)))[1:]
    }
    assert "queue 100 (asked: 1000)" in findings["Level"].text
    assert "BadDeadbandFilterInvalid" in findings["Count.Percent"].text
    assert "BadFilterNotAllowed" in findings["Error.Deadband"].text
    bad = {name for name, finding in findings.items() if not finding.good}
    assert bad == {"Count.Percent", "Error.Deadband"}
