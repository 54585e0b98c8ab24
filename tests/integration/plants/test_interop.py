"""opcws in front of servers that are not ours, each a real process: the same with every stack.

A stack that is not installed is listed as not run: node-opcua needs ``npm install`` in
``tests/servers``, open62541 the package ``o6``.  What was measured is printed after the tests of
each (``pytest -s``).
"""

import importlib.util
import json
import shutil
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional

import pytest

from opcws.app import Server
from opcws.commissioning import browse, targets

from ... import support
from ...servers import interop
from ...servers.interop import ARRAYS, HISTORY, URI, VALUES
from ...servers.process import KillableServer
from ...support import Client, wait_until

SERVERS = Path(interop.__file__).parent


class Stack(NamedTuple):
    """How to start a server of one stack, what it lacks, and what is missing to start it.

    *lacks*: ``reordering``, if its namespaces have one order; ``paging``, if it leaves values out
    between two pages of history; the names of variables that it cannot have.
    """

    name: str
    command: List[str]
    version: str
    missing: Optional[str] = None
    lacks: "frozenset[str]" = frozenset()


def _of_python(name: str, package: str, *lacks: str) -> Stack:
    module = "tests.servers.interop_" + name.replace("-", "_")
    missing = None if importlib.util.find_spec(package) else "needs the package " + package
    return Stack(name, [sys.executable, "-m", module], _version(package), missing, frozenset(lacks))


def _version(package: str) -> str:
    from importlib import metadata

    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return ""


def _node_opcua() -> Stack:
    package = SERVERS / "node_modules" / "node-opcua" / "package.json"
    node = shutil.which("node")
    missing = None
    if node is None or not package.exists():
        missing = "needs node-opcua (npm install in tests/servers)"
    version = json.loads(package.read_text())["version"] if package.exists() else ""
    script = str(SERVERS / "interop_node_opcua.js")
    values = json.dumps(interop.first_values())
    return Stack("node-opcua", [node or "node", script, values], version, missing)


STACKS = [
    _of_python("python-opcua", "opcua", "paging"),
    _of_python("asyncua", "asyncua"),
    _node_opcua(),
    _of_python("open62541", "o6", "reordering", "T.StatusCode"),
]
#: By stack: what was run and how it went.
REPORT: Dict[str, List[str]] = {}


@pytest.fixture(scope="module", params=STACKS, ids=lambda stack: stack.name)
def stack(request: Any) -> Stack:
    found: Stack = request.param
    if found.missing is not None:
        pytest.skip("not run: " + found.missing)
    return found


@pytest.fixture(scope="module")
def process(stack: Stack) -> Iterator[KillableServer]:
    running = KillableServer(stack.command)
    yield running
    running.kill()
    print("\n%s %s: %s" % (stack.name, stack.version, "; ".join(REPORT.get(stack.name, []))))


@pytest.fixture(scope="module")
def server(process: KillableServer) -> Iterator[Server]:
    names = [*("T." + name for name in VALUES), *ARRAYS, "History"]
    listed = {name: {"node": "nsu=%s;s=%s" % (URI, name), "access": "readwrite"} for name in names}
    listed["Nowhere"] = {"node": "nsu=%s;s=Nowhere" % URI, "access": "read"}
    with support.served(process.endpoint, variables=listed) as running:
        yield running


@pytest.fixture
def client(server: Server) -> Iterator[Client]:
    with Client(server.urls[0]) as connected:
        yield connected


def _require(stack: Stack, ability: str, why: str) -> None:
    if ability in stack.lacks:
        pytest.skip("not run: %s %s" % (stack.name, why))


def _value(client: Client, variable: str) -> Any:
    return client.body("READ", {"Variable": variable})["Value"]


# --- browsing ----------------------------------------------------------------------------------


def test_browsing_finds_each_variable_with_its_type(stack: Stack, process: KillableServer) -> None:
    found = browse.explore(targets.at(process.endpoint).server, browse.Scope())
    assert not found.progress.refused
    types = {each.node: (each.type, each.is_array) for each in found.found}
    for name in VALUES:
        if "T." + name not in stack.lacks:
            assert types["nsu=%s;s=T.%s" % (URI, name)] == (name, False)
    assert types["nsu=%s;s=A.Int32" % URI] == ("Int32", True)


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", VALUES)
def test_a_value_of_each_built_in_type_is_read_as_the_stack_has_it(
    stack: Stack, client: Client, name: str
) -> None:
    _require(stack, "T." + name, "cannot hold such a value")
    value = _value(client, "T." + name)
    assert value["Body"] == VALUES[name][0]
    assert value["Type"] == list(VALUES).index(name) + 1


@pytest.mark.parametrize("name", VALUES)
def test_a_written_value_of_each_built_in_type_is_taken_and_read_back(
    stack: Stack, client: Client, name: str
) -> None:
    _require(stack, "T." + name, "cannot hold such a value")
    written = VALUES[name][1]
    client.write("T." + name, {"Body": written})
    read = _value(client, "T." + name)["Body"]
    if name == "StatusCode":
        read = {"Code": read["Code"]}
    assert read == written


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_and_matrices_are_read_and_written(stack: Stack, client: Client, name: str) -> None:
    first, second = ARRAYS[name]
    assert _value(client, name) == first
    client.write(name, {"Value": second} if isinstance(second, dict) else second)
    expected = second["Body"] if isinstance(second, dict) else second
    assert _value(client, name)["Body"] == expected


def test_all_variables_are_read_in_one_request_and_a_missing_one_costs_the_others_nothing(
    stack: Stack, client: Client
) -> None:
    names = [name for name in ["T." + name for name in VALUES] if name not in stack.lacks]
    names.append("Nowhere")
    values = client.body("READ", {"Variables": names})["Values"]
    assert [value["Variable"] for value in values] == names
    assert [value.get("StatusCode") for value in values] == [
        *(None for _ in names[1:]),
        "BadNodeIdUnknown",
    ]


def test_a_wrong_type_is_refused_before_it_is_sent(stack: Stack, client: Client) -> None:
    write = {"Variable": "T.Double", "Value": "no number"}
    assert client.status("WRITE", write) == "BadTypeMismatch"


def test_the_type_is_known_by_name(stack: Stack, client: Client) -> None:
    wanted = ["T.Double", "A.Int32"]

    def infos() -> Any:
        return client.body("VALUEINFO", {"Variables": wanted})["Variables"]

    wait_until(lambda: all("Type" in info for info in infos()), "the types are known")
    assert [(info["Type"], info["IsArray"]) for info in infos()] == [
        ("Double", False),
        ("Int32", True),
    ]


# --- monitoring --------------------------------------------------------------------------------


def test_a_monitor_tells_the_present_value_and_every_change_in_order(
    stack: Stack, client: Client
) -> None:
    client.write("T.UInt32", 1000)
    client.body("MONITORSTART", {"Variable": "T.UInt32"}, "m")
    assert client.update("m")["Value"]["Body"] == 1000
    for number in range(1001, 1021):
        client.write("T.UInt32", number)
    seen: List[int] = []
    while not seen or seen[-1] != 1020:
        seen.append(client.update("m")["Value"]["Body"])
    assert seen == sorted(set(seen)) and seen[-1] == 1020
    client.body("MONITORSTOP", {"Variable": "T.UInt32"}, "m")


def test_a_monitor_of_a_missing_node_tells_its_status(stack: Stack, client: Client) -> None:
    client.body("MONITORSTART", {"Variable": "Nowhere"}, "m")
    assert client.update("m")["StatusCode"] == "BadNodeIdUnknown"


# --- history -----------------------------------------------------------------------------------


def _history(client: Client, **more: Any) -> List[List[Any]]:
    """Every page, as the values' numbers."""
    body = client.body("HISTORICALREAD", {"Variable": "History", **more})
    pages = [_numbers(body)]
    while "ContinuationPoint" in body:
        following = {"Variable": "History", "ContinuationPoint": body["ContinuationPoint"]}
        body = client.body("HISTORICALREAD", following)
        pages.append(_numbers(body))
    return pages


def _numbers(body: Any) -> List[Any]:
    assert "StatusCode" not in body, body
    return [value["Value"]["Body"] for value in body["DataValues"]]


def _second(number: float) -> str:
    return "2026-01-01T00:%02d:%06.3fZ" % divmod(number, 60)


#: All there is, in both directions.  A value at the EndTime itself some stacks count in, some
#: do not.
WHOLE = {"StartTime": _second(0), "EndTime": _second(HISTORY - 0.5)}
TURNED = {"StartTime": _second(HISTORY - 1), "EndTime": "2025-12-31T23:59:59Z"}


def test_history_is_read_in_one_piece(stack: Stack, client: Client) -> None:
    assert _history(client, **WHOLE) == [list(range(HISTORY))]


@pytest.mark.parametrize("most", [7, 10, 50])
def test_pages_of_history_together_have_every_value_once_in_order(
    stack: Stack, client: Client, most: int
) -> None:
    _require(stack, "paging", "leaves out a value between two pages")
    pages = _history(client, **WHOLE, MaxValues=most)
    assert [number for page in pages for number in page] == list(range(HISTORY))
    assert all(len(page) == most for page in pages[:-1]) and len(pages[-1]) <= most


def test_pages_of_history_newest_first_have_every_value_once_in_order(
    stack: Stack, client: Client
) -> None:
    _require(stack, "paging", "leaves out a value between two pages")
    pages = _history(client, **TURNED, MaxValues=30)
    assert [number for page in pages for number in page] == list(range(HISTORY - 1, -1, -1))


def test_an_aggregate_or_the_stacks_own_status_is_the_answer(stack: Stack, client: Client) -> None:
    more = {"Aggregate": "Maximum", "ProcessingInterval": 10000}
    body = client.body("HISTORICALREAD", {"Variable": "History", **WHOLE, **more})
    if "StatusCode" in body:
        assert body["StatusCode"].startswith("Bad") and body["Reason"]
        assert body["StatusCode"] not in ("BadTimeout", "BadInternalError")
        REPORT.setdefault(stack.name, []).append("aggregates: %s" % body["StatusCode"])
    else:
        assert _numbers(body)[0] == 9


def test_a_variable_without_history_has_the_stacks_own_status_or_no_values(
    stack: Stack, client: Client
) -> None:
    body = client.body("HISTORICALREAD", {"Variable": "T.Double", **WHOLE})
    status = body.get("StatusCode")
    if status is None:
        assert body["DataValues"] == []
    else:
        assert status in ("BadHistoryOperationUnsupported", "BadUserAccessDenied")
    REPORT.setdefault(stack.name, []).append("without history: %s" % (status or "no values"))


# --- killed and started again ------------------------------------------------------------------


@pytest.mark.parametrize("reordered", [False, True], ids=["same namespaces", "reordered"])
def test_a_killed_server_is_told_at_once_and_back_soon_after_its_return(
    stack: Stack, process: KillableServer, server: Server, client: Client, reordered: bool
) -> None:
    if reordered:
        _require(stack, "reordering", "has its namespaces in one order")
    client.body("MONITORSTART", {"Variable": "T.Double"}, "m")
    client.update("m")
    process.kill()
    killed = time.monotonic()
    lost = client.update_where(lambda body: body.get("StatusCode"), handle="m")
    assert lost["StatusCode"] == "BadNotConnected"
    noticed_ms = (time.monotonic() - killed) * 1000
    process.start(["urn:other:1", "urn:other:2"] if reordered else [])
    back = time.monotonic()
    fresh = client.update_where(lambda body: "StatusCode" not in body, handle="m")
    recovered_ms = (time.monotonic() - back) * 1000
    assert fresh["Value"]["Body"] == VALUES["Double"][0]
    support.wait_connected(server)  # requests are let through when every item is made
    assert _value(client, "T.QualifiedName")["Body"] == VALUES["QualifiedName"][0]
    client.write("T.Double", 2.5)
    assert client.update("m")["Value"]["Body"] == 2.5
    assert recovered_ms < 5000.0 + 1000 * support.slack_s()
    if not reordered:
        REPORT.setdefault(stack.name, []).append(
            "loss told after %.0f ms, back %.0f ms after its return" % (noticed_ms, recovered_ms)
        )
