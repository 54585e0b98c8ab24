"""What operators look at: /healthz, /readyz, /metrics, /status, and ids in the log."""

import ast
import io
import itertools
import json
import logging
import socket
import threading
import time
from pathlib import Path
from typing import Any, Dict, FrozenSet, Iterator, List, Tuple

import pytest
from jsonschema import Draft7Validator, FormatChecker
from prometheus_client.parser import text_string_to_metric_families

import opcws
from opcws.app import Server
from opcws.config import loads, roles
from opcws.operations import status_pages
from opcws.operations.logs import JsonFormatter, TextFormatter
from opcws.ua.plant import Plant
from opcws.wire import contract, messages

from ... import support
from ...support import PATIENCE, Client, PlantProcess, byte_client, wait_until
from ...support.byte_client import (
    TEXT,
    Answer,
    exchange,
    frame,
    no_connections_left,
    opening,
    serving,
    upgraded,
)

Metrics = Dict[Tuple[str, FrozenSet[Tuple[str, str]]], float]


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked for is of the moment, but for the test of just that."""
    monkeypatch.setattr(status_pages, "KEPT_TIMES", 0.0)


@pytest.fixture(autouse=True)
def _nobody_is_counted_for_the_next(request: pytest.FixtureRequest) -> Iterator[None]:
    """A client that has left is there until its connection has ended."""
    yield
    if "server" in request.fixturenames:
        no_connections_left(request.getfixturevalue("server"))


@pytest.fixture(scope="module")
def own_plant() -> Iterator[PlantProcess]:
    process = PlantProcess()
    yield process
    process.kill()


@pytest.fixture
def away() -> Iterator[Server]:
    """A server whose plant is away."""
    with serving() as running:
        yield running


def get(server: Server, path: str, method: str = "GET") -> Answer:
    return exchange(server, opening(path, method, Upgrade=None, Connection=None))


def document(server: Server, path: str, status: int = 200) -> Dict[str, Any]:
    answer = get(server, path)
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/json"
    found: Dict[str, Any] = json.loads(answer.body)
    return found


def status(server: Server) -> Dict[str, Any]:
    """/status, checked against its schema, in which each member must be described."""
    found = document(server, "/status")
    schema = contract.document("status.schema.json")
    problems = list(
        Draft7Validator(closed(schema), format_checker=FormatChecker()).iter_errors(found)
    )
    assert not problems, [problem.message for problem in problems]
    return found


def closed(schema: Any) -> Any:
    """*schema*, whose objects take no member that it does not describe."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(member) for name, member in schema.items()}
    if "properties" in made and "required" in made:
        made["additionalProperties"] = False
    return made


def scraped(server: Server) -> Metrics:
    answer = get(server, "/metrics")
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.body.decode("utf-8"))
        for sample in family.samples
    }


def metric(found: Metrics, name: str, **labels: str) -> float:
    """The sum of all samples of *name* that have these *labels*."""
    wanted = set(labels.items())
    return sum(value for (each, has), value in found.items() if each == name and wanted <= has)


def wait_metric(running: Server, expected: float, name: str, **labels: str) -> None:
    wait_until(
        lambda: metric(scraped(running), name, **labels) == expected,
        "%s %s becomes %g" % (name, labels, expected),
    )


# --- /healthz, /readyz --------------------------------------------------------------------------


def test_a_killed_plant_is_named_by_readyz_and_told_by_the_metrics_until_it_is_back(
    own_plant: PlantProcess,
) -> None:
    running = support.serve(own_plant.endpoint)
    try:
        support.wait_connected(running)
        assert document(running, "/readyz") == {"Ready": True, "Missing": []}
        assert metric(scraped(running), "opcws_plant_connected", server="plant") == 1
        first = status(running)["Servers"][0]

        own_plant.kill()
        wait_until(lambda: get(running, "/readyz").status == 503, "it is not ready")
        told = document(running, "/readyz", 503)
        assert told["Ready"] is False
        (missing,) = told["Missing"]
        assert missing["Server"] == "plant" and missing["State"] == "disconnected"
        assert missing["Reason"] and missing["Since"]
        found = scraped(running)
        assert metric(found, "opcws_plant_connected", server="plant") == 0
        assert metric(found, "opcws_plant_required", server="plant") == 1
        assert metric(found, "opcws_plant_connections_total", server="plant") == 1
        assert not any(name == "opcws_plant_published_age_seconds" for name, _labels in found)
        assert get(running, "/healthz").status == 200, (
            "a plant that is away is no reason to restart"
        )
        wait_until(
            lambda: metric(scraped(running), "opcws_plant_connection_failures_total") > 0,
            "an attempt in vain",
        )

        own_plant.start()
        wait_until(lambda: get(running, "/readyz").status == 200, "it is ready again")
        found = scraped(running)
        assert metric(found, "opcws_plant_connected", server="plant") == 1
        assert metric(found, "opcws_plant_connections_total", server="plant") == 2
        assert metric(found, "opcws_plant_published_age_seconds", server="plant") < 60
        again = status(running)["Servers"][0]
        assert again["Connections"] == 2
        assert again["LastConnected"] > first["LastConnected"]
    finally:
        running.stop()
        support.no_threads_left()


def test_a_server_that_is_not_required_does_not_count_for_readyz() -> None:
    nowhere = "opc.tcp://127.0.0.1:%d" % support.free_port()
    other = {"endpoint": nowhere, "variables": {"Other": {"node": "i=2258"}}}
    running = support.serve(nowhere, server={"required": False}, more_servers={"other": other})
    try:
        (missing,) = document(running, "/readyz", 503)["Missing"]
        assert missing["Server"] == "other"
        found = scraped(running)
        assert metric(found, "opcws_plant_required", server="plant") == 0
        assert metric(found, "opcws_plant_required", server="other") == 1
        told = {server["Server"]: server for server in status(running)["Servers"]}
        assert [told[name]["Required"] for name in ("plant", "other")] == [False, True]
        assert "LastConnected" not in told["plant"]
    finally:
        running.stop()


def test_one_whose_plants_are_not_required_is_ready_without_them() -> None:
    nowhere = "opc.tcp://127.0.0.1:%d" % support.free_port()
    running = support.serve(nowhere, server={"required": False})
    try:
        assert document(running, "/readyz") == {"Ready": True, "Missing": []}
    finally:
        running.stop()


def test_a_thread_that_has_ended_is_named_by_healthz() -> None:
    with serving() as running:
        assert get(running, "/healthz").body == b"ok\n"
        running.plants["plant"].relay.stop(PATIENCE)
        answer = get(running, "/healthz")
        assert answer.status == 503
        assert b"opcws-relay-plant" in answer.body


def test_healthz_looks_at_every_thread_but_those_of_clients() -> None:
    others = set(support.our_threads())
    with serving() as running, upgraded(running):
        owners: List[Any] = [*running.plants.values(), *running.listeners]
        looked_at = {thread.name for owner in owners for thread in owner.threads}
        looked_at |= {thread.name for thread in running.status_pages._threads()}
        there = {each.name for each in threading.enumerate() if each.name.startswith("opcws-")}
        there -= {*others, *byte_client.connection_threads()}
        assert there == looked_at - others


def test_one_that_is_stopping_is_not_ready() -> None:
    with serving() as running:
        running.status_pages.stop()
        told = document(running, "/readyz", 503)
        assert told["Ready"] is False and "stopping" in told["Reason"]
        assert get(running, "/healthz").status == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/status"])
def test_head_tells_what_get_would_and_other_methods_are_refused(away: Server, path: str) -> None:
    got, head = get(away, path), get(away, path, "HEAD")
    assert (head.status, head.body) == (got.status, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    assert int(head.headers["content-length"]) > 0
    assert head.headers["cache-control"] == "no-store"
    assert get(away, path, "POST").status == 405
    assert get(away, path + "/").status == 404


@pytest.mark.parametrize("endpoint", sorted(roles.ENDPOINTS))
def test_a_role_sees_the_endpoints_that_it_has_and_no_other(endpoint: str) -> None:
    """With roles nobody sees one without a credential; refusals of a role are counted."""
    settings = support.settings("opc.tcp://127.0.0.1:%d" % support.free_port())
    settings["servers"]["plant"]["required"] = False
    settings["roles"] = {"anonymous": {"read": ["*"], "endpoints": [endpoint]}}
    running = Server(loads(json.dumps(settings)))
    running.start()
    try:
        assert {each: get(running, "/" + each).status for each in roles.ENDPOINTS} == {
            each: 200 if each == endpoint else 401 for each in roles.ENDPOINTS
        }
        no_connections_left(running)
        found = running.listeners[0].statistics()
        assert found["refused"] == {"unauthorized": len(roles.ENDPOINTS) - 1}
    finally:
        running.stop()


# --- /metrics -----------------------------------------------------------------------------------


def test_each_message_is_counted_by_type_and_status(server: Server) -> None:
    before = scraped(server)
    requests = [
        ("VALUELIST", {}, "Good"),
        ("VALUEINFO", {"Variables": ["Types.Double"]}, "Good"),
        ("READ", {"Variable": "Types.Double"}, "Good"),
        ("READ", {"Variables": ["Types.Double", "Nothing"]}, "Good"),
        ("READ", {"Variable": "Nothing"}, "BadNodeIdUnknown"),
        ("READ", {"Variable": "Test.WriteOnly"}, "BadNotReadable"),
        ("WRITE", {"Variable": "Types.Double", "Value": 0.1}, "Good"),
        ("WRITE", {"Variable": "Types.Double", "Value": "hot"}, "BadTypeMismatch"),
        ("WRITE", {}, "BadAttributeIdInvalid"),
        ("HISTORICALREAD", {"Variable": "Types.Double", "StartTime": "x"}, "BadAttributeIdInvalid"),
        ("MONITORSTART", {"Variable": "Types.Double"}, "Good"),
        ("MONITORSTOP", {"Variable": "Types.Int32"}, "BadNoEntryExists"),
        ("MONITORSTOP", {"Variables": ["Types.Double"]}, "Good"),
    ]
    with Client(server.urls[0]) as client:
        for operation, body, _status in requests:
            client.request(operation, body, "h")
        client.raw("{")
        client.raw('{"Header":{"MessageType":"MADE_UP_BY_A_CLIENT","ClientHandle":"h"}}')
    expected: Dict[Tuple[str, str], int] = {
        ("ERROR", "BadDecodingError"): 1,
        ("ERROR", "BadRequestHeaderInvalid"): 1,
    }
    for operation, _body, state in requests:
        expected[operation, state] = expected.get((operation, state), 0) + 1

    def counted() -> Dict[Tuple[str, str], float]:
        after = scraped(server)
        changes: Dict[Tuple[str, str], float] = {}
        for (name, labels), value in after.items():
            more = value - before.get((name, labels), 0)
            if name == "opcws_requests_total" and more:
                has = dict(labels)
                changes[has["type"], has["status"]] = more
        return changes

    wait_until(lambda: counted() == expected, "the messages are counted")
    after = scraped(server)
    name = "opcws_received_messages_total"
    assert metric(after, name) - metric(before, name) == len(requests) + 2
    name = "opcws_received_bytes_total"
    assert metric(after, name) - metric(before, name) > 1000


def test_values_updates_monitors_and_variables_are_counted(server: Server) -> None:
    wait_metric(server, 0, "opcws_variables_active")
    before = scraped(server)

    def more(name: str) -> float:
        return metric(scraped(server), name) - metric(before, name)

    with Client(server.urls[0]) as one, Client(server.urls[0]) as other:
        for client in (one, other):
            client.body("MONITORSTART", {"Variable": "Types.Int32"}, "m")
            client.update("m")
        for number in range(1000, 1005):
            one.write("Types.Int32", number)
            for client in (one, other):
                client.update_where(
                    lambda body, number=number: body["Value"]["Body"] == number, handle="m"
                )
        assert more("opcws_monitors") == 2
        assert more("opcws_variables_active") == 1
        assert more("opcws_connections_open") == 2
        # The first value, which this plant may send twice, and the five; the other client gets
        # the first at its monitor's start, which is no update of the plant's.
        values = more("opcws_values_received_total")
        assert 6 <= values <= 7
        assert 11 <= more("opcws_updates_total") <= 2 * values
        assert more("opcws_sent_frames_total") >= 2 * 6 + 5 + 2
        one.write("Types.Int32", -5)
    wait_metric(server, metric(before, "opcws_monitors"), "opcws_monitors")
    wait_metric(server, metric(before, "opcws_variables_active"), "opcws_variables_active")


def test_service_calls_are_timed_by_service_and_their_failures_counted_by_status(
    server: Server,
) -> None:
    name = "opcws_service_duration_seconds_count"
    services = ("Read", "Write", "HistoryRead", "CreateMonitoredItems", "DeleteMonitoredItems")
    before = scraped(server)
    with Client(server.urls[0]) as client:
        client.body("READ", {"Variable": "Types.Double"})
        client.write("Types.Double", 0.1)
        history = {"Variable": "Boiler.Temperature", "StartTime": "2020-01-01T00:00:00Z"}
        client.body("HISTORICALREAD", dict(history, MaxValues=1))
        client.body("MONITORSTART", {"Variable": "Types.Double"}, "m")
        client.update("m")
        client.body("MONITORSTOP", {"Variable": "Types.Double"}, "m")
        for service in services:
            wait_until(
                lambda service=service: (
                    metric(scraped(server), name, service=service)
                    > metric(before, name, service=service)
                ),
                "a %s is counted" % service,
            )
    after = scraped(server)
    for service in services:
        seconds = metric(after, "opcws_service_duration_seconds_sum", service=service)
        count = metric(after, name, service=service)
        assert 0 < seconds < count * PATIENCE
        bucket = "opcws_service_duration_seconds_bucket"
        assert metric(after, bucket, service=service, le="+Inf") == count
        assert metric(after, bucket, service=service, le="0.001") <= count


def test_a_service_call_that_fails_is_counted_by_its_status(own_plant: PlantProcess) -> None:
    running = support.serve(own_plant.endpoint, server={"request_timeout_ms": 1500})
    try:
        support.wait_connected(running)
        own_plant.freeze()
        try:
            with Client(running.urls[0]) as client:
                assert client.status("READ", {"Variable": "Types.Double"}) in (
                    "BadTimeout",
                    "BadCommunicationError",
                )
        finally:
            own_plant.thaw()
        found = scraped(running)
        assert metric(found, "opcws_service_failures_total", server="plant", service="Read") >= 1
        assert metric(found, "opcws_requests_total", type="READ", status="Good") == 0
    finally:
        running.stop()


def test_counts_of_connections_that_are_gone_stay_and_gauges_do_not() -> None:
    with serving() as running:
        listener = running.listeners[0].name
        for _ in range(3):
            with Client(running.urls[0]) as client:
                client.body("VALUELIST")
        no_connections_left(running)
        found = scraped(running)
        assert metric(found, "opcws_connections_opened_total", listener=listener) == 3
        assert metric(found, "opcws_received_messages_total", listener=listener) == 3
        assert metric(found, "opcws_sent_frames_total", listener=listener) == 6
        assert metric(found, "opcws_connections_open", listener=listener) == 0
        # This one, which asks.
        assert metric(found, "opcws_connections_accepted_total", listener=listener) == 4
        assert metric(found, "opcws_connections_handshaking", listener=listener) == 1


def test_refused_connections_are_counted_by_reason() -> None:
    with serving(limits={"max_connections": 2}) as running:
        with upgraded(running), upgraded(running):
            assert exchange(running, opening()).status == 503
        no_connections_left(running)
        for answer in (
            exchange(running, b"garbage\r\n\r\n"),
            get(running, "/nowhere"),
            exchange(running, opening(Origin="https://evil.example")),
        ):
            assert answer.status in (400, 403, 404)
        no_connections_left(running)
        found = scraped(running)
        for reason in ("service_unavailable", "bad_request", "not_found", "forbidden"):
            assert metric(found, "opcws_connections_refused_total", reason=reason) == 1, reason
        assert metric(found, "opcws_connections_refused_total") == 4
        assert metric(found, "opcws_limits_hit_total", limit="max_connections") == 1
        assert status(running)["LimitsHit"]["max_connections"] == 1


def test_a_client_that_does_not_read_is_seen_in_the_queues_and_its_loss_is_counted(
    own_plant: PlantProcess,
) -> None:
    limits = {"outbox_messages": 3, "outbox_bytes": 10**7}
    with serving(own_plant.endpoint, limits=limits) as running:
        slow = upgraded(running)
        slow.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        message = {
            "Header": {"MessageType": "MONITORSTART_REQUEST", "ClientHandle": "m"},
            "Body": {"Variable": "Types.String"},
        }
        slow.send(frame(TEXT, json.dumps(message).encode("ascii")))
        wait_metric(running, 1, "opcws_monitors")
        (connection,) = [each for each in running.listeners[0].connections() if each.client]
        with Client(running.urls[0]) as client:
            numbers, taken, since = itertools.count(), -1, time.monotonic()
            deadline = since + PATIENCE
            # Full for long, not by a burst: the socket takes nothing more.
            while time.monotonic() - since < 0.7:
                assert time.monotonic() < deadline
                client.write("Types.String", "%060000d" % next(numbers))
                if connection.outbox.taken != taken or not connection.outbox.depth.waiting:
                    taken, since = connection.outbox.taken, time.monotonic()
        found = scraped(running)
        assert metric(found, "opcws_updates_collapsed_total") > 0
        # At most what may be queued, and the one that the others gave way to.
        waiting = metric(found, "opcws_queued_messages")
        assert 0 < waiting <= 4
        assert metric(found, "opcws_queued_messages_max") == waiting
        assert metric(found, "opcws_queued_bytes") == metric(found, "opcws_queued_bytes_max")
        assert metric(found, "opcws_queued_bytes") >= (waiting - 1) * 60000
        (told,) = [each for each in status(running)["Clients"] if each["Monitors"]]
        assert 0 < told["Queue"]["Messages"] <= 4 and told["Collapsed"] > 0
        assert metric(found, "opcws_messages_dropped_total") == 0
        slow.vanish()
        wait_metric(running, 0, "opcws_monitors")
        wait_metric(running, 0, "opcws_queued_messages")
        after = scraped(running)
        assert 0 < metric(after, "opcws_messages_dropped_total") <= 4
        name = "opcws_updates_collapsed_total"
        assert metric(after, name) >= metric(found, name)


def test_no_count_ever_goes_down_while_clients_come_and_go() -> None:
    with serving() as running:
        going = threading.Event()

        def come_and_go() -> None:
            while not going.is_set():
                with Client(running.urls[0]) as client:
                    client.body("VALUELIST")

        threads = [threading.Thread(target=come_and_go) for _ in range(3)]
        for thread in threads:
            thread.start()
        try:
            last: Metrics = {}
            while metric(last, "opcws_connections_opened_total") < 60:
                found = scraped(running)
                for key, value in last.items():
                    if key[0].endswith("_total"):
                        assert found[key] >= value, key
                last = found
        finally:
            going.set()
            for thread in threads:
                thread.join(PATIENCE)
        no_connections_left(running)
        found = scraped(running)
        opened = metric(found, "opcws_connections_opened_total")
        assert metric(found, "opcws_received_messages_total") == opened
        assert metric(found, "opcws_requests_total", type="VALUELIST", status="Good") == opened


def test_what_is_asked_for_by_many_at_once_is_made_once(
    away: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    get(away, "/metrics")
    monkeypatch.setattr(status_pages, "KEPT_TIMES", 1e9)
    made = []
    whole = away.listeners[0].statistics
    monkeypatch.setattr(away.listeners[0], "statistics", lambda: made.append(1) or whole())
    together = threading.Barrier(8)
    bodies = []

    def ask() -> None:
        together.wait(PATIENCE)
        bodies.append(get(away, "/metrics").body)

    away.status_pages._documents["metrics"]._made_at = -1e9  # type: ignore[attr-defined]
    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert len(made) == 1
    assert len(bodies) == 8 and len(set(bodies)) == 1


# --- /status ------------------------------------------------------------------------------------


def test_the_schema_of_the_status_is_good_and_so_is_its_example() -> None:
    schema = contract.document("status.schema.json")
    assert schema["$id"].endswith("/%d/status.schema.json" % contract.MAJOR)
    Draft7Validator.check_schema(schema)
    for example in schema["examples"]:
        assert not list(Draft7Validator(closed(schema)).iter_errors(example))
    servers = schema["properties"]["Servers"]["items"]["properties"]
    assert servers["Failures"]["maxItems"] == messages.MAX_FAILURES
    assert schema["properties"]["Clients"]["maxItems"] == status_pages.MAX_CLIENTS


def test_the_status_tells_of_each_client(server: Server) -> None:
    with Client(server.urls[0]) as one, Client(server.urls[0], "?scalars=string") as other:
        one.body("MONITORSTART", {"Variables": ["Types.Double", "Types.Int32"]}, "m")
        other.body("VALUELIST")
        found = status(server)
        assert found["Version"] == opcws.__version__ and found["UptimeSeconds"] > 0
        by_monitors = {client["Monitors"]: client for client in found["Clients"]}
        assert found["ClientCount"] == len(found["Clients"]) == len(by_monitors) == 2
        assert by_monitors[2]["Dialect"] == "typed" and by_monitors[0]["Dialect"] == "string"
        address = "%s:%d" % one.ws.sock.getsockname()
        assert by_monitors[2]["Address"] == address
        assert by_monitors[2]["Role"] and by_monitors[2]["InFlight"] == 0
        ids = {client["Connection"] for client in found["Clients"]}
        assert len(ids) == 2 and ids <= set(byte_client.connection_threads())
        (listener,) = found["Listeners"]
        assert listener["Address"] == server.listeners[0].name
        assert (listener["Clients"], listener["TLS"], listener["Scalars"]) == (2, False, "typed")
    wait_until(lambda: status(server)["ClientCount"] == 0, "they are gone")


def test_the_status_names_the_variables_that_fail_and_why_a_hundred_at_most(
    own_plant: PlantProcess,
) -> None:
    variables = {
        'Bad "%03d" \\ \u2028 <b>' % number: {"node": "nsu=urn:demo:plant;s=None.%d" % number}
        for number in range(150)
    }
    running = support.serve(own_plant.endpoint, variables=variables)
    try:
        support.wait_connected(running)
        wait_metric(running, 150, "opcws_variables_failed", server="plant")
        server = status(running)["Servers"][0]
        assert (server["Configured"], server["Failed"]) == (150, 150)
        names = [failure["Variable"] for failure in server["Failures"]]
        assert names == sorted(variables)[:100]
        assert {each["StatusCode"] for each in server["Failures"]} == {"BadNodeIdUnknown"}
        assert "None.1" not in get(running, "/metrics").body.decode("utf-8")
    finally:
        running.stop()


def test_neither_a_value_nor_what_stands_in_a_url_is_told(
    server: Server, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = "s3cr3t"
    with Client(server.urls[0], "?access_token=" + secret) as client:
        client.body("MONITORSTART", {"Variable": "Types.String"}, secret)
        client.write("Types.String", secret)
        client.update_where(lambda body: body["Value"]["Body"] == secret, handle=secret)
        for path in ("/healthz", "/readyz", "/metrics", "/status"):
            assert secret.encode("ascii") not in get(server, path).body
    assert get(server, "/nowhere?access_token=" + secret).status == 404
    assert secret not in caplog.text


# --- the log ------------------------------------------------------------------------------------


@pytest.fixture
def lines() -> Iterator[List[Dict[str, Any]]]:
    """What is logged, as JSON; ``text`` is added, the line for people."""

    class Both(JsonFormatter):
        def format(self, record: logging.LogRecord) -> str:
            line: Dict[str, Any] = json.loads(super().format(record))
            found.append(dict(line, text=TextFormatter().format(record)))
            return ""

    found: List[Dict[str, Any]] = []
    handler = logging.StreamHandler(io.StringIO())
    handler.setFormatter(Both())
    root = logging.getLogger()
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    yield found
    root.removeHandler(handler)
    root.setLevel(level)


@pytest.mark.parametrize("brief", [True, False])
def test_a_client_that_is_there_for_a_moment_is_one_line(
    server: Server, lines: List[Dict[str, Any]], monkeypatch: pytest.MonkeyPatch, brief: bool
) -> None:
    monkeypatch.setattr("opcws.ws.connection.BRIEF_S", 600.0 if brief else 0.0)
    with Client(server.urls[0]) as client:
        client.body("VALUELIST")
        (told,) = status(server)["Clients"]
    no_connections_left(server)
    its = [line for line in lines if line.get("connection") == told["Connection"]]
    assert [line["message"].split()[-1] for line in its if line["level"] == "info"] == (
        ["connected"] if brief else ["connected", "left"]
    )


def test_each_line_of_a_connection_carries_its_id_whatever_thread_wrote_it(
    server: Server, lines: List[Dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Client(server.urls[0]) as client:
        client.body("VALUELIST")
        (told,) = status(server)["Clients"]
        mine = told["Connection"]

        def defect(*_args: Any, **_more: Any) -> str:
            raise ZeroDivisionError("injected")

        monkeypatch.setattr(Plant, "namespaces", property(defect))
        answer = client.request("READ", {"Variable": "Types.Double"})
        assert answer["Header"]["StatusCode"] == "BadInternalError"
        client.body("READ", {"Variables": ["Types.Double"]})
        monkeypatch.undo()
        client.vanish()
    no_connections_left(server)  # its last line comes before that
    about_it = [line for line in lines if line.get("connection") == mine]
    texts = [line["message"] for line in about_it]
    for part in ("connected", "while answering READ_REQUEST", "writing a value as JSON", "left"):
        assert any(part in text for text in texts), part
    defects = [line for line in about_it if "traceback" in line]
    assert {line["thread"] for line in defects} == {"opcws-ua-plant-ops"}
    assert {line["server"] for line in defects} == {"plant"}
    assert all(mine in line["text"] for line in about_it)
    lost = [line for line in lines if line["thread"].startswith(mine) and line not in about_it]
    assert not lost


def test_a_refusal_is_logged_with_the_id_of_the_connection(
    server: Server, lines: List[Dict[str, Any]]
) -> None:
    assert get(server, "/nowhere").status == 404
    (line,) = wait_until(
        lambda: [line for line in lines if "refused with 404" in line["message"]], "it is logged"
    )
    assert line["connection"].startswith("opcws-ws-") and line["connection"] in line["text"]


def test_whoever_logs_of_a_client_on_another_thread_names_it() -> None:
    """The gateway answers on plants' threads: a line must begin with the connection's name."""
    path = Path(opcws.__file__).with_name("gateway") / "gateway.py"
    calls = [
        node
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "log"
    ]
    assert calls
    for call in calls:
        named = [ast.dump(arg) for arg in call.args[1:]]
        assert any("id='client'" in arg and "attr='name'" in arg for arg in named), call.lineno
