"""How a variable is monitored, what the server makes of it, and what becomes of a bad one."""

import json
import logging
from typing import Any, Dict, Iterator, List
from urllib.request import urlopen

import pytest

pytest.importorskip("asyncua", reason="not run: needs asyncua")

from opcws.app import Server
from opcws.commissioning.check import check
from opcws.config import loads
from opcws.model.status_codes import OVERFLOW

from ... import support
from ...servers.process import ServerProcess
from ...support import Client

NSU = "nsu=urn:test:values%3B with 100%25 of everything;s="
LEVEL: Dict[str, Any] = {"node": NSU + "Level", "access": "readwrite"}
VARIABLES: Dict[str, Any] = {
    "Level": LEVEL,
    "Level.Absolute": {**LEVEL, "deadband": {"absolute": 5}},
    "Level.Percent": {**LEVEL, "deadband": {"percent": 10}},
    "Level.Zero": {**LEVEL, "deadband": {"absolute": 0}},
    "Level.Two": {**LEVEL, "queue_size": 2, "sampling_interval_ms": 7},
    "Level.Newest": {**LEVEL, "queue_size": 2, "discard_oldest": False},
    "Level.One": {**LEVEL, "queue_size": 1},
    "Level.Status": {**LEVEL, "trigger": "status"},
    "Level.Timestamp": {**LEVEL, "trigger": "timestamp"},
    "Count.Percent": {"node": NSU + "Count", "deadband": {"percent": 1}},
    "Text.Deadband": {"node": NSU + "Text", "deadband": {"absolute": 1}},
    "Text": {"node": NSU + "Text", "access": "readwrite"},
    "Denied": {"node": NSU + "Denied"},
    "Missing": {"node": NSU + "Missing"},
    "Nowhere": {"node": "nsu=urn:nowhere;s=X"},
}
BAD = {
    "Count.Percent": "BadDeadbandFilterInvalid",
    "Text.Deadband": "BadFilterNotAllowed",
    "Denied": "BadUserAccessDenied",
    "Missing": "BadNodeIdUnknown",
    "Nowhere": "BadNodeIdUnknown",
}


def serve(process: ServerProcess, **settings: Any) -> Server:
    running = support.serve(
        process.endpoint,
        variables=settings.pop("variables", VARIABLES),
        server={"retry_interval_ms": 300, **settings},
    )
    support.wait_connected(running)
    return running


@pytest.fixture(scope="module")
def server(values_plant: ServerProcess) -> Iterator[Server]:
    running = serve(values_plant)
    yield running
    running.stop()
    support.no_threads_left()


@pytest.fixture
def level(values_plant: ServerProcess) -> ServerProcess:
    """The plant with Level at 50."""
    values_plant.change("Level", 50.0)
    return values_plant


def started(client: Client, *names: str) -> None:
    """Monitor *names*, each under its own name, and take their first values."""
    for name in names:
        client.body("MONITORSTART", {"Variable": name}, name)
        client.update(name, name)


def values_until(client: Client, name: str, last: float) -> List[Dict[str, Any]]:
    """The updates of *name* until the one with the value *last*."""
    found: List[Dict[str, Any]] = []
    while not found or found[-1]["Value"]["Body"] != last:
        found.append(client.update(name, name))
    return found


def numbers(updates: List[Dict[str, Any]]) -> List[float]:
    return [update["Value"]["Body"] for update in updates]


# --- deadband and trigger ----------------------------------------------------------------------


def test_an_absolute_deadband_lets_pass_what_changes_by_more(
    client: Client, level: ServerProcess
) -> None:
    started(client, "Level.Absolute")
    level.change("Level", 54.0, 56.0, 52.0, 10.0)
    updates = numbers(values_until(client, "Level.Absolute", 10.0))
    assert 54.0 not in updates and 10.0 in updates


def test_a_deadband_in_percent_is_one_of_the_range(client: Client, level: ServerProcess) -> None:
    started(client, "Level.Percent")
    level.change("Level", 69.0)  # less than 10 % of 0 to 200
    level.change("Level", 90.0)
    assert numbers(values_until(client, "Level.Percent", 90.0)) == [90.0]


def test_a_deadband_of_zero_is_none(client: Client, level: ServerProcess) -> None:
    started(client, "Level.Zero")
    level.change("Level", 50.001, 50.002)
    assert numbers(values_until(client, "Level.Zero", 50.002)) == [50.001, 50.002]


def test_the_servers_deadband_is_for_its_numbers_and_a_variable_may_have_another(
    level: ServerProcess,
) -> None:
    names = ("Level", "Level.Zero", "Text")
    running = serve(
        level, deadband={"absolute": 5}, variables={name: VARIABLES[name] for name in names}
    )
    try:
        with Client(running.urls[0]) as client:
            started(client, *names)
            level.change("Level", 51.0)
            level.change("Level", 60.0)
            # Nobody says which of the two is told of 60 first.
            found: Dict[str, List[float]] = {"Level": [], "Level.Zero": []}
            while not all(60.0 in values for values in found.values()):
                update = client.update()
                found[update["Variable"]].append(update["Value"]["Body"])
            assert found == {"Level": [60.0], "Level.Zero": [51.0, 60.0]}
            level.change("Text", "loud")
            assert client.update("Text")["Value"]["Body"] == "loud"
    finally:
        running.stop()


def test_the_trigger_says_what_a_change_is(client: Client, level: ServerProcess) -> None:
    started(client, "Level", "Level.Status", "Level.Timestamp")
    stamped = {"Value": {"Type": 11, "Body": 50.0}, "SourceTimestamp": "2026-11-22T10:00:00Z"}
    client.write("Level", stamped)
    update = client.update("Level.Timestamp")
    assert update["SourceTimestamp"] == "2026-11-22T10:00:00Z", "the value is the same"
    client.write("Level", {**stamped, "Value": {"Type": 11, "Body": 51.0}})
    assert client.update("Level", "Level")["Value"]["Body"] == 51.0
    uncertain = {"Value": {"Type": 11, "Body": 52.0}, "Status": 0x40900000}
    client.write("Level", uncertain)
    update = client.update("Level.Status", "Level.Status")
    assert update["Value"]["Body"] == 52.0 and update["Symbol"] == "UncertainLastUsableValue"


# --- queue -------------------------------------------------------------------------------------


def test_what_the_servers_queue_lost_arrives_as_the_overflow_bit(
    client: Client, level: ServerProcess
) -> None:
    started(client, "Level.Two", "Level")
    level.change("Level", *map(float, range(100, 120)))
    whole = values_until(client, "Level", 119.0)
    assert numbers(whole)[-10:] == [float(number) for number in range(110, 120)]
    level.change("Level", *map(float, range(120, 140)))
    updates = values_until(client, "Level.Two", 139.0)[-2:]
    assert numbers(updates) == [138.0, 139.0]
    assert updates[0]["Status"] & OVERFLOW == OVERFLOW, "values before it are lost"
    assert "Status" not in updates[1]


def test_the_newest_gives_way_where_the_oldest_is_to_be_kept(
    client: Client, level: ServerProcess
) -> None:
    started(client, "Level.Newest")
    level.change("Level", *map(float, range(100, 120)))
    updates = values_until(client, "Level.Newest", 119.0)
    assert numbers(updates) == [100.0, 119.0]
    assert updates[1]["Status"] & OVERFLOW == OVERFLOW


def test_a_queue_of_one_keeps_the_latest_and_says_nothing(
    client: Client, level: ServerProcess
) -> None:
    started(client, "Level.One")
    level.change("Level", *map(float, range(100, 120)))
    last = values_until(client, "Level.One", 119.0)[-1]
    assert "Status" not in last


# --- what the server makes of it ---------------------------------------------------------------


def test_what_the_server_revised_is_logged_once(
    level: ServerProcess, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "opcws")
    running = serve(level, variables={"Level.Two": VARIABLES["Level.Two"]})
    try:
        with Client(running.urls[0]) as client:
            for handle in ("first", "again"):
                client.body("MONITORSTART", {"Variable": "Level.Two"}, handle)
                client.update(handle)
                client.body("MONITORSTOP", {"Variable": "Level.Two"}, handle)
    finally:
        running.stop()
    lines = [record.getMessage() for record in caplog.records if "samples" in record.getMessage()]
    assert lines == [
        "plant: the OPC UA server samples Level.Two every 20 ms (asked: 7) and keeps 2 values "
        "(asked: 2)"
    ]


def test_check_shows_what_the_server_revised_and_every_bad_variable(level: ServerProcess) -> None:
    settings = support.settings(level.endpoint, variables=VARIABLES)
    findings = {
        finding.text.split()[0]: finding for finding in check(loads(json.dumps(settings)))[1:]
    }
    assert set(findings) == set(VARIABLES)
    assert "sampled every 20 ms (asked: 7 ms), queue 2" in findings["Level.Two"].text
    assert findings["Level.Two"].good
    for name, status in BAD.items():
        assert not findings[name].good and status in findings[name].text, findings[name]
    assert all(finding.good for name, finding in findings.items() if name not in BAD)


# --- one bad node is one bad variable ----------------------------------------------------------


def status_of(server: Server) -> Dict[str, Any]:
    with urlopen(server.urls[0] + "status", timeout=support.PATIENCE) as answer:
        document: Dict[str, Any] = json.load(answer)
    return document["Servers"][0]


def test_a_bad_variable_is_told_its_own_status_and_costs_the_others_nothing(
    client: Client, server: Server, level: ServerProcess
) -> None:
    generation = server.plants["plant"].supervisor.generations
    client.body("MONITORSTART", {"Variables": sorted(VARIABLES)}, "all")
    seen: Dict[str, Dict[str, Any]] = {}
    while len(seen) < len(VARIABLES):
        update = client.update("all")
        seen[update["Variable"]] = update
    for name, update in seen.items():
        assert update.get("StatusCode") == BAD.get(name), update
        assert "Reason" in update or name not in BAD
    assert "EURange" in seen["Count.Percent"]["Reason"]
    assert server.plants["plant"].supervisor.generations == generation, "no new connection"


def test_status_counts_what_is_configured_active_and_failed_and_says_why(
    client: Client, server: Server
) -> None:
    client.body("MONITORSTART", {"Variables": sorted(VARIABLES)}, "all")

    def settled() -> Any:
        found = status_of(server)
        return found if found["Active"] + found["Failed"] == len(VARIABLES) else None

    status = support.wait_until(settled, "every variable has a verdict")
    assert (status["Configured"], status["Failed"]) == (len(VARIABLES), len(BAD))
    assert {each["Variable"]: each["StatusCode"] for each in status["Failures"]} == BAD
    assert all(each["Reason"] for each in status["Failures"])
    with Client(server.urls[0], "?status=1") as listener:
        told = listener.push()["Body"]
        assert (told["Configured"], told["Failed"]) == (len(VARIABLES), len(BAD))
        assert told["Active"] == len(VARIABLES) - len(BAD)


def test_the_string_dialect_tells_the_counts_as_strings(server: Server) -> None:
    with Client(server.urls[0], "?status=1&scalars=string") as listener:
        assert listener.push()["Body"]["Configured"] == str(len(VARIABLES))


def test_nodes_that_do_not_exist_are_counted_before_anyone_monitors_them(
    level: ServerProcess,
) -> None:
    running = serve(level)
    try:
        support.wait_until(lambda: status_of(running)["Failed"] == 2, "Missing and Nowhere")
        names = [each["Variable"] for each in status_of(running)["Failures"]]
        assert names == ["Missing", "Nowhere"]
    finally:
        running.stop()


def test_a_node_that_appears_is_found_by_the_slow_retry() -> None:
    process = ServerProcess("values_plant")
    running = serve(process, variables={"Late": {"node": NSU + "Late"}, "Text": VARIABLES["Text"]})
    try:
        with Client(running.urls[0]) as client, Client(running.urls[0], "?status=1") as listener:
            client.body("MONITORSTART", {"Variable": "Late"}, "m")
            assert client.update("m")["StatusCode"] == "BadNodeIdUnknown"
            while listener.push()["Body"]["Failed"] != 1:
                pass
            process.order(add="Late")
            late = client.update_where(lambda body: "StatusCode" not in body, handle="m")
            assert late["Value"]["Body"] == 7.0
            while listener.push()["Body"]["Failed"] != 0:
                pass
            support.wait_until(lambda: status_of(running)["Failed"] == 0, "it has not failed")
            assert status_of(running)["Active"] == 1
    finally:
        running.stop()
        process.kill()
