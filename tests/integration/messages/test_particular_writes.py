"""Writes that succeed, but not plainly: what the plant says of them reaches the client."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from opcws.app import Server
from opcws.client import Client as Python
from opcws.config import loads

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess
from ...support import command

VARIABLES: Dict[str, Any] = {
    name: {"node": "nsu=%s;s=%s" % (particular.URI, name), "access": "readwrite"}
    for name in ("A", "Clamped", "Later", "Told")
}
#: Another name of the same node, told by its index.
VARIABLES["Other.A"] = {"node": "ns=2;s=A", "access": "readwrite"}


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    running = ServerProcess("particular")
    yield running
    running.kill()


@pytest.fixture
def server(process: ServerProcess) -> Iterator[Server]:
    with support.served(process.endpoint, variables=VARIABLES) as running:
        yield running


@pytest.mark.parametrize("dialect", ["typed", "string"])
def test_a_write_that_succeeds_but_not_as_asked_says_so(server: Server, dialect: str) -> None:
    def told(code: int, symbol: str) -> Dict[str, Any]:
        return {"Status": str(code) if dialect == "string" else code, "Symbol": symbol}

    clamped = told(particular.CLAMPED, "GoodClamped")
    with support.Client(server.urls[0], "?scalars=" + dialect) as client:
        assert client.body("WRITE", {"Variable": "Clamped", "Value": 250.0}) == clamped
        assert client.body("READ", {"Variable": "Clamped"})["Value"]["Body"] in (100.0, "100")
        writes = [{"Variable": name, "Value": 250} for name in ("A", "Clamped", "Later")]
        assert client.body("WRITE", {"Writes": writes})["Results"] == [
            {"Variable": "A"},
            {"Variable": "Clamped", **clamped},
            {"Variable": "Later", **told(particular.LATER, "GoodCompletesAsynchronously")},
        ]
        assert not client.body("WRITE", {"Variable": "Clamped", "Value": 20.0})


def test_read_with_max_age_knows_what_was_written_by_another_name_of_the_node(
    server: Server,
) -> None:
    with support.Client(server.urls[0]) as client:
        client.body("MONITORSTART", {"Variable": "A"}, "m")
        client.update("m")
        got = []
        for number in range(100, 150):
            client.send("WRITE", {"Variable": "Other.A", "Value": number}, "w")
            client.send("READ", {"Variable": "A", "MaxAge": 600000}, "r")
            for answer in (client.answer(), client.answer()):
                if answer["Header"]["ClientHandle"] == "r":
                    got.append(answer["Body"]["Value"]["Body"])
    assert got == list(range(100, 150))


def test_read_with_max_age_is_not_served_what_was_sampled_before_a_write_and_published_behind_it(
    process: ServerProcess,
) -> None:
    changes: Dict[str, Any] = {"variables": VARIABLES, "server": {"publishing_interval_ms": 500}}
    with support.served(process.endpoint, **changes) as slow:
        with support.Client(slow.urls[0]) as client:
            client.write("A", 1)
            client.body("MONITORSTART", {"Variable": "A"}, "m")
            client.update_where(lambda told: told["Value"]["Body"] == 1)
            process.order(A=[2])
            process.order(frozen=["A"])  # the next sample is long in coming
            try:
                client.write("A", 3)
                assert client.update("m")["Value"]["Body"] == 2
                read = client.body("READ", {"Variable": "A", "MaxAge": 600000})
                assert read["Value"]["Body"] == 3
            finally:
                process.order(frozen=[])


def test_the_audit_log_has_the_status_that_the_plant_gave(
    process: ServerProcess, tmp_path: Path
) -> None:
    settings = support.settings(process.endpoint, variables=VARIABLES)
    settings["audit"] = {"file": str(tmp_path / "audit.jsonl")}
    server = Server(loads(json.dumps(settings)))
    server.start()
    try:
        support.wait_connected(server)
        with support.Client(server.urls[0]) as client:
            client.body("WRITE", {"Variable": "Clamped", "Value": 250.0})
    finally:
        server.stop()
    lines = (tmp_path / "audit.jsonl").read_text("utf-8").splitlines()
    (result,) = [line for line in map(json.loads, lines) if line["event"] == "result"]
    assert (result["status"], result["code"]) == ("GoodClamped", particular.CLAMPED)


def test_the_check_names_what_the_configuration_says_against_the_servers_word(
    process: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "c.yaml"
    node = "{node: '%s', array: %s}"
    for name, array, good in (
        ("Told", "true", False),
        ("Told", "false", True),
        ("A", "true", False),
    ):
        line = node % (VARIABLES[name]["node"], array)
        text = "servers: {p: {endpoint: '%s', variables: {V: %s}}}\n"
        path.write_text(text % (process.endpoint, line), "utf-8")
        result = command.run("check", "--config", str(path))
        told = "the configuration says array: %s, but the server says that it is a scalar" % array
        assert (result.exit_code == 0, told not in result.output) == (good, good), result.output


def test_the_locales_are_those_of_the_configuration(process: ServerProcess) -> None:
    variables = {"Locales": {"node": "nsu=%s;s=Locales" % particular.URI}}
    for server, expected in (({}, "en"), ({"locales": ["de-AT", "fr"]}, "de-AT,fr")):
        with support.served(process.endpoint, variables=variables, server=server) as running:
            with support.Client(running.urls[0]) as client:
                value = client.body("READ", {"Variable": "Locales"})["Value"]
        assert value["Body"] == expected


def test_a_person_at_a_terminal_is_told(server: Server) -> None:
    written = ("write", "Clamped", "250", "Later", "3", "--url", server.urls[0])
    refused = command.run(*written)
    assert (refused.exit_code, refused.stdout) == (6, "")
    assert "Clamped: 250 is outside of the usual range, 0 to 100" in refused.stderr
    result = command.run(*written, "--yes")
    assert "Clamped = 250, but the OPC UA server says GoodClamped" in result.output
    assert "Later = 3, but the OPC UA server says GoodCompletesAsynchronously" in result.output
    with Python(server.urls[0]) as client:
        assert client.write("Clamped", 250.0) == "GoodClamped"
        assert client.write("A", 1) == "Good"
