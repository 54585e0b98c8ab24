"""A server with one URI twice in its NamespaceArray: every node is read as itself."""

import logging
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from opcws.config import load
from opcws.ua.channel import trust

from ... import support
from ...servers import particular
from ...servers.process import ServerProcess
from ...support import command


@pytest.fixture(scope="module")
def process() -> Iterator[ServerProcess]:
    running = ServerProcess("particular", "twice")
    yield running
    running.kill()


def test_what_browse_writes_reads_each_nodes_own_value(
    process: ServerProcess, tmp_path: Path
) -> None:
    path = tmp_path / "written.yaml"
    result = command.run("browse", process.endpoint, "--write-config", str(path))
    assert result.exit_code == 0, result.output
    listed = next(iter(load(str(path)).servers.values())).variables
    nodes = {
        name: {"node": variable.node_text}
        for name, variable in listed.items()
        if variable.node.identifier == "A"
    }
    assert sorted(each["node"] for each in nodes.values()) == [
        "ns=3;s=A",
        "nsu=%s;s=A" % particular.URI,
    ]
    with support.served(process.endpoint, variables=nodes) as server:
        with support.Client(server.urls[0]) as client:
            read = client.body("READ", {"Variables": list(nodes)})["Values"]
            infos = client.body("VALUEINFO", {"Variables": list(nodes)})["Variables"]
    values = {each["Variable"]: each["Value"]["Body"] for each in read}
    for info in infos:
        expected = 2 if info["NodeId"] == "ns=3;s=A" else 1
        assert values[info["Variable"]] == expected, info


def test_the_first_index_wins_and_a_person_is_told(
    process: ServerProcess,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setattr(trust, "_told", set())
    caplog.set_level(logging.WARNING, "opcws")
    variables: Dict[str, Any] = {"V": {"node": "nsu=%s;s=A" % particular.URI}}
    server: Dict[str, Any] = {
        "browse": [{"match": "A2*", "prefix": "Found."}, {"match": "*.A", "prefix": "Found."}]
    }
    with support.served(process.endpoint, variables=variables, server=server) as running:
        support.wait_until(lambda: "Found.A2" in running.config.variables, "what is found")
        assert "Found.Folder.A" not in running.config.variables, "it has a name already"
        with support.Client(running.urls[0]) as client:
            read = client.body("READ", {"Variables": ["V", "Found.A2"]})["Values"]
            assert [each["Value"]["Body"] for each in read] == [1, 2]
    told = "twice: nsu= means the one with index 2; write ns=3 for nodes of the other"
    assert told in caplog.text
    path = tmp_path / "c.yaml"
    text = "servers: {p: {endpoint: '%s', variables: {V: {node: '%s'}}}}\n"
    path.write_text(text % (process.endpoint, variables["V"]["node"]), "utf-8")
    result = command.run("check", "--config", str(path))
    assert (result.exit_code, told in result.output) == (0, True), result.output
