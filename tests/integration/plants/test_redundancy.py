"""One server twice: the healthier is used, and the other when that one is lost."""

import json
import time
import urllib.request
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Tuple

import jsonschema
import pytest

from opcws.app import Server
from opcws.commissioning import check
from opcws.config import loads
from opcws.model import status_codes
from opcws.ua import redundancy
from opcws.wire import contract

from ... import support
from ...servers.process import ServerProcess
from ...servers.redundant_plant import URI
from ...support import Client, wait_until
from ...support.faults import URI as COUNTING_URI
from ...support.faults import CountingProcess

Pair = Tuple[ServerProcess, ServerProcess]


@pytest.fixture(scope="module")
def processes() -> Iterator[Pair]:
    both = ServerProcess("redundant_plant", "a"), ServerProcess("redundant_plant", "b")
    yield both
    for process in both:
        process.kill()


@pytest.fixture
def pair(processes: Pair) -> Pair:
    """As every test finds them."""
    for process in processes:
        if not process.revive():
            process.order()
    return processes


def _settings(pair: Sequence[ServerProcess], **server: Any) -> Dict[str, Any]:
    names = ("Name", "Value", "ServiceLevel")
    variables = {name: {"node": "nsu=%s;s=%s" % (URI, name)} for name in names}
    variables["Value"].update(access="readwrite", type="Double")
    section = {
        "endpoints": [process.endpoint for process in pair],
        "request_timeout_ms": 1000 * support.PATIENCE,
        "connect_timeout_ms": 1000 * support.PATIENCE,
        "heartbeat_interval_ms": 300,
        "reconnect_min_ms": 100,
        "reconnect_max_ms": 500,
        "publishing_interval_ms": 50,
        "variables": variables,
        **server,
    }
    return {"listen": {"port": 0}, "servers": {"plant": section}}


def _serve(pair: Pair, **server: Any) -> Server:
    running = Server(loads(json.dumps(_settings(pair, **server))))
    running.start()
    return running


@pytest.fixture
def server(pair: Pair) -> Iterator[Server]:
    running = _serve(pair)
    support.wait_connected(running)
    wait_until(lambda: len(_levels(running)) == 2, "both servers have a session")
    yield running
    running.stop()
    support.no_threads_left()


def _set_level(process: ServerProcess, level: int) -> None:
    """Directly, by another client of the OPC UA server, which opcws knows nothing of."""
    direct = {
        "endpoint": process.endpoint,
        "variables": {
            "ServiceLevel": {"node": "nsu=%s;s=ServiceLevel" % URI, "access": "readwrite"}
        },
    }
    running = Server(loads(json.dumps({"listen": {"port": 0}, "servers": {"direct": direct}})))
    running.start()
    support.wait_connected(running)
    with Client(running.urls[0]) as client:
        client.write("ServiceLevel", level)
    running.stop()


def _status(server: Server) -> Dict[str, Any]:
    with urllib.request.urlopen(server.urls[0] + "status", timeout=support.PATIENCE) as answer:
        (status,) = json.load(answer)["Servers"]
    found: Dict[str, Any] = status
    return found


def _levels(server: Server) -> Dict[str, int]:
    return {
        each["Endpoint"]: each["ServiceLevel"]
        for each in _status(server)["Endpoints"]
        if "ServiceLevel" in each
    }


def _name(client: Client) -> Any:
    return client.body("READ", {"Variable": "Name"}).get("Value", {}).get("Body")


def _in_use(server: Server, pair: Pair) -> Pair:
    """The server in use and the other one."""
    first, second = pair
    return (first, second) if _status(server)["Endpoint"] == first.endpoint else (second, first)


def test_status_and_metrics_tell_of_both_servers(pair: Pair, server: Server) -> None:
    with urllib.request.urlopen(server.urls[0] + "status", timeout=support.PATIENCE) as answer:
        document = json.load(answer)
    jsonschema.validate(document, contract.document("status.schema.json"))
    assert [each["Endpoint"] for each in document["Servers"][0]["Endpoints"]] == [
        process.endpoint for process in pair
    ]
    with urllib.request.urlopen(server.urls[0] + "metrics", timeout=support.PATIENCE) as answer:
        lines = answer.read().decode("utf-8").splitlines()
    for endpoint, level in _levels(server).items():
        line = 'opcws_plant_service_level{endpoint="%s",server="plant"} %d.0' % (endpoint, level)
        assert line in lines


@pytest.mark.parametrize("best", [0, 1], ids=["a is the healthier", "b is the healthier"])
def test_the_server_with_the_higher_service_level_is_chosen(
    pair: Pair, best: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Long enough to hear both on a busy machine.
    monkeypatch.setattr(redundancy, "CHOICE_S", support.PATIENCE)
    _set_level(pair[1 - best], 210)
    _set_level(pair[best], 240)
    running = _serve(pair)
    try:
        support.wait_connected(running)
        with Client(running.urls[0], "?status=1") as client:
            assert _name(client) == "ab"[best]
            assert client.push()["Body"]["Endpoint"] == pair[best].endpoint
        assert _status(running)["Endpoint"] == pair[best].endpoint
        assert [each["InUse"] for each in _status(running)["Endpoints"]] == [best == 0, best == 1]
    finally:
        running.stop()


#: A loss is noticed at once then, or after minutes.
NO_TIMER = {"heartbeat_interval_ms": 300000, "request_timeout_ms": 300000}


@pytest.fixture
def steady(pair: Pair) -> Iterator[Server]:
    """As ``server``, but no timer helps to notice a loss."""
    running = _serve(pair, **NO_TIMER)
    support.wait_connected(running)
    wait_until(lambda: len(_levels(running)) == 2, "both servers have a session")
    yield running
    running.stop()
    support.no_threads_left()


def test_when_the_server_in_use_is_killed_the_other_takes_over_within_a_second(
    steady: Server, pair: Pair
) -> None:
    server = steady
    active, other = _in_use(server, pair)
    with Client(server.urls[0], "?status=1") as client:
        client.body("MONITORSTART", {"Variable": "Name"}, "m")
        before = client.update("m")["Value"]["Body"]
        active.kill()
        began = time.monotonic()
        seen: List[Any] = []
        while not seen or "StatusCode" in seen[-1] or seen[-1]["Value"]["Body"] == before:
            seen.append(client.update("m"))
        took_s = time.monotonic() - began
        assert [each.get("StatusCode") for each in seen] == ["BadNotConnected", None]
        assert {before, seen[-1]["Value"]["Body"]} == {"a", "b"}
        assert took_s < 1.0 + support.slack_s()
        print("failover took %.0f ms" % (took_s * 1000))
        support.wait_connected(server)  # requests are let through when every item is made
        client.write("Value", 2.5)
        assert client.body("READ", {"Variable": "Value"})["Value"]["Body"] == 2.5
        assert _status(server)["Endpoint"] == other.endpoint


def test_a_server_that_returns_is_ready_to_take_over_again(server: Server, pair: Pair) -> None:
    active, other = _in_use(server, pair)
    with Client(server.urls[0]) as client:
        first = _name(client)
        active.kill()
        wait_until(lambda: _name(client) not in (first, None), "the other takes over")
        active.start()
        wait_until(lambda: len(_levels(server)) == 2, "the first is ready again")
        assert _status(server)["Endpoint"] == other.endpoint, "the healthy one stays in use"
        other.kill()
        wait_until(lambda: _name(client) == first, "the first takes over")


def test_a_frozen_server_is_left_for_the_other(pair: Pair) -> None:
    running = _serve(pair, request_timeout_ms=1000)
    try:
        support.wait_connected(running)
        wait_until(lambda: len(_levels(running)) == 2, "both servers have a session")
        active, _other = _in_use(running, pair)
        with Client(running.urls[0]) as client:
            first = _name(client)
            active.freeze()
            began = time.monotonic()
            wait_until(lambda: _name(client) not in (first, None), "the other takes over")
            assert time.monotonic() - began < 5.0 + support.slack_s()
    finally:
        running.stop()
        support.no_threads_left()


def test_a_server_that_is_no_longer_healthy_is_left_for_one_that_is(
    server: Server, pair: Pair
) -> None:
    active, other = _in_use(server, pair)
    with Client(server.urls[0]) as client:
        first = _name(client)
        _set_level(active, 201)
        wait_until(lambda: _levels(server)[active.endpoint] == 201, "the level is known")
        assert _name(client) == first, "healthy is healthy: no change"
        client.body("MONITORSTART", {"Variable": "Name"}, "m")
        client.update("m")
        _set_level(active, 100)
        lost = client.update_where(lambda body: "StatusCode" in body, handle="m")
        assert "ServiceLevel 100" in lost["Reason"]
        new = client.update_where(lambda body: "StatusCode" not in body, handle="m")
        assert new["Value"]["Body"] != first
        _set_level(other, 50)
        wait_until(lambda: _name(client) == first, "the less degraded one is used")


def test_a_server_in_maintenance_gets_no_session_and_is_used_by_nobody(
    server: Server, pair: Pair
) -> None:
    _active, other = _in_use(server, pair)
    _set_level(other, 0)
    wait_until(lambda: other.endpoint not in _levels(server), "its session ends")

    def reason() -> str:
        (told,) = [e for e in _status(server)["Endpoints"] if e["Endpoint"] == other.endpoint]
        return str(told.get("Reason", ""))

    wait_until(lambda: reason().endswith("is in maintenance"), "the reason is told")
    assert _status(server)["State"] == "connected"


def test_one_server_that_cannot_be_reached_does_not_hold_up_the_other(pair: Pair) -> None:
    pair[0].kill()
    running = _serve(pair)
    try:
        began = time.monotonic()
        support.wait_connected(running)
        assert time.monotonic() - began < 3.0 + support.slack_s()
        assert _status(running)["Endpoint"] == pair[1].endpoint
        with Client(running.urls[0]) as client:
            assert _name(client) == "b"
            pair[1].kill()
            wait_until(lambda: _status(running)["State"] == "disconnected", "the loss is told")
            assert client.status("READ", {"Variable": "Name"}) == "BadNotConnected"
            pair[0].start()
            back = time.monotonic()
            wait_until(lambda: _name(client) == "a", "the one that returns is used")
            assert time.monotonic() - back < 5.0 + support.slack_s()
    finally:
        running.stop()
        support.no_threads_left()


def test_a_write_in_flight_when_the_server_is_lost_is_not_repeated_on_the_other(
    pair: Pair,
) -> None:
    # No heartbeat gets in before the write, which would then wait and go to the other server.
    running = _serve(pair, heartbeat_interval_ms=60000, request_timeout_ms=1000)
    try:
        support.wait_connected(running)
        wait_until(lambda: len(_levels(running)) == 2, "both servers have a session")
        active, _other = _in_use(running, pair)
        with Client(running.urls[0]) as client:
            first = _name(client)
            client.write("Value", 1.0)
            active.freeze()
            answer = client.body("WRITE", {"Variable": "Value", "Value": 77.0})
            assert answer["StatusCode"] in ("BadTimeout", "BadCommunicationError")
            assert "not known" in answer["Reason"]
            active.kill()
            wait_until(lambda: _name(client) not in (first, None), "the other takes over")
            assert client.body("READ", {"Variable": "Value"})["Value"]["Body"] == 0.0
    finally:
        running.stop()
        support.no_threads_left()


def test_check_tells_of_each_server_of_the_set(pair: Pair) -> None:
    pair[1].kill()
    findings = check.check(loads(json.dumps(_settings(pair))))
    about = {each.text.split(": ")[0].strip(): each for each in findings[1:3]}
    assert about[pair[0].endpoint].good
    assert "in use, ServiceLevel 255" in about[pair[0].endpoint].text
    assert not about[pair[1].endpoint].good


def test_a_failover_under_load_tells_each_loss_and_brings_every_monitor_back() -> None:
    # No more than a busy machine's client keeps up with: what it does not take waits in its socket.
    names = ["Count.%d" % number for number in range(20)]
    load = ["--counters", str(len(names)), "--period-ms", "100"]
    with CountingProcess(load) as one, CountingProcess(load) as other:
        pair = {each.endpoint: each for each in (one, other)}
        section = {
            **_settings((), **NO_TIMER)["servers"]["plant"],
            "endpoints": list(pair),
            "variables": {name: {"node": "nsu=%s;s=%s" % (COUNTING_URI, name)} for name in names},
        }
        running = Server(loads(json.dumps({"listen": {"port": 0}, "servers": {"plant": section}})))
        running.start()
        try:
            support.wait_connected(running)
            wait_until(lambda: len(_levels(running)) == 2, "both servers have a session")
            with Client(running.urls[0]) as client:
                client.send("MONITORSTART", {"Variables": names}, "m")
                told, read = _load(client, names, lambda told: _values_after(told, None) >= 5)
                pair[_status(running)["Endpoint"]].kill()
                more, more_read = _load(
                    client, names, lambda told: _values_after(told, "BadNotConnected") >= 5
                )
            assert running.plants["plant"].supervisor.connections == 2
        finally:
            running.stop()
            support.no_threads_left()
    assert set(read) == {"Good"}
    assert set(more_read) <= {"Good", *LOSSES}
    for name in names:
        bodies = told[name] + more[name]
        statuses = [each["StatusCode"] for each in bodies if "StatusCode" in each]
        assert statuses == ["BadNotConnected"], "the loss is told once"
        for before, after in zip(bodies, bodies[1:]):
            if "StatusCode" in before or "StatusCode" in after:
                continue
            step = after["Value"]["Body"] - before["Value"]["Body"]
            assert step == 1 or step > 1 and after["Status"] & status_codes.OVERFLOW


Told = Dict[str, List[Dict[str, Any]]]

#: What a read may end with while its server is lost.
LOSSES = ("BadNotConnected", "BadCommunicationError", "BadTimeout")


def _load(client: Client, names: List[str], done: Callable[[Told], bool]) -> Tuple[Told, List[str]]:
    """Read without a pause, and take what the monitors of *names* tell, until it is *done*; what
    they told, and the statuses of the reads."""
    told: Told = {name: [] for name in names}
    statuses: List[str] = []
    waiting = False
    deadline = time.monotonic() + 3 * support.PATIENCE
    while waiting or not done(told):
        assert time.monotonic() < deadline, statuses[-5:]
        if not waiting:
            client.send("READ", {"Variables": names}, "r")
            waiting = True
        message = client.receive()
        header, body = message["Header"], message.get("Body") or {}
        if header["MessageType"] == "MONITORUPDATE_MESSAGE":
            told[body["Variable"]].append(body)
        elif header.get("ClientHandle") == "r":
            waiting = False
            values = body.get("Values") or [body]
            statuses += {each.get("StatusCode", "Good") for each in values}
    return told, statuses


def _values_after(told: Told, status: Optional[str]) -> int:
    """How many values the monitor with the fewest has told, since the *status* if there is one."""
    counts = []
    for bodies in told.values():
        statuses = [each.get("StatusCode") for each in bodies]
        if status is not None:
            statuses = statuses[statuses.index(status) :] if status in statuses else []
        counts.append(statuses.count(None))
    return min(counts)
