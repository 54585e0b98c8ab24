"""What clients of an edge write goes to the collector, and what became of it comes back; and so it
is with history."""

import base64
import itertools
import json
import logging
import subprocess
import uuid
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional

import pytest
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from opcws.access import accounts
from opcws.app import Server
from opcws.config import load, loads
from opcws.pubsub import requests

from ... import support
from ...support import URI, Client, PlantProcess, wait_until
from ...support.edge import PATIENT, edge, wait_state
from ...support.mosquitto import Gate, Mosquitto, Received, Subscriber, mqtt_3_only
from ...support.publishing import running
from ...support.recipes import code, needed

pytestmark = pytest.mark.own_plant

SETPOINT, COUNTER, LEVEL = "Boiler.Setpoint", "Test.Counter", "Boiler.Level"
TEMPERATURE = "Boiler.Temperature"
REQUESTS = "opcua/json/action-request/opcws/"
ANSWERS = "opcua/json/action-response/opcws/"
PASSWORD = "correct horse battery"


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    yield
    support.no_threads_left()


class Collector:
    """A collector with roles, users and an audit log, in front of *plant*."""

    def __init__(self, plant: PlantProcess, directory: Path, url: str, **changes: Any) -> None:
        access = {SETPOINT: "readwrite", COUNTER: "readwrite", LEVEL: "read", TEMPERATURE: "read"}
        variables = {
            name: {"node": "nsu=%s;s=%s" % (URI, name), "access": each}
            for name, each in access.items()
        }
        # Writable in the configuration, and not at the plant.
        variables["Level"] = {**variables[LEVEL], "access": "readwrite"}
        made = support.settings(plant.endpoint, variables=variables)
        made["roles"] = {
            "anonymous": {"read": ["*"], "history": True},
            "edges": {"read": ["*"], "write": ["*"], "history": True},
            "lookers": {"read": ["*"]},
            "counters": {"read": ["*"], "write": [COUNTER]},
            **changes.get("roles", {}),
        }
        made["state_dir"] = str(directory / "state")
        made["audit"] = {"file": str(directory / "audit.jsonl")}
        made["publish"] = {
            "mqtt": {
                "broker": url,
                "interval_ms": 0,
                "variables": ["*"],
                "requests": {"office": {"role": "edges"}},
                **changes.get("mqtt", {}),
            }
        }
        self.path = directory / "collector.json"
        self.path.write_text(json.dumps(made), "utf-8")
        self.directory = directory

    def add_user(self, name: str, role: str) -> None:
        accounts.add_user(load(self.path), name, role, lambda: PASSWORD)

    @property
    def config(self) -> Any:
        return load(self.path)

    def lines(self, number: int, **which: Any) -> List[Dict[str, Any]]:
        """The lines of the audit log with these members, once there are so many."""
        wait_until(lambda: len(self.now(**which)) >= number, "%d lines with %s" % (number, which))
        return self.now(**which)

    def now(self, **which: Any) -> List[Dict[str, Any]]:
        return [
            line
            for name in ("audit.jsonl", "audit-refused.jsonl")
            for line in support.whole_lines(self.directory / name)
            if all(line.get(member) == value for member, value in which.items())
        ]


def value(body: Dict[str, Any]) -> Any:
    return (body.get("Value") or {}).get("Body")


def office(url: str, **server: Any) -> Any:
    """An edge that may ask."""
    return edge(url, edge="office", **server)


def ready(server: Server, client: Client, variable: str = COUNTER) -> None:
    """Wait until the edge serves *variable*, which it has found."""
    wait_state(server, "connected")
    wait_until(lambda: variable in client.body("VALUELIST")["Variables"], variable)


def write(client: Client, variable: str, number: Any) -> Dict[str, Any]:
    told: Dict[str, Any] = client.body("WRITE", {"Variable": variable, "Value": number}) or {}
    return told


def test_what_a_client_of_an_edge_writes_reaches_the_plant_and_its_status_comes_back(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    collector = Collector(plant, tmp_path, broker.url)
    with running(collector.config) as server:
        support.wait_connected(server)
        with office(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client, "Level")
            handle = "m"
            assert client.status("MONITORSTART", {"Variable": COUNTER}, handle) is None
            assert write(client, COUNTER, 4711) == {}
            client.update_where(lambda body: value(body) == 4711, handle=handle)

            told = write(client, SETPOINT, 1e9)
            assert told["StatusCode"] == "BadOutOfRange"
            told = write(client, COUNTER, {"Type": "String", "Body": "x"})
            assert told["StatusCode"] == "BadTypeMismatch"
            assert write(client, "Level", 1.0)["StatusCode"] == "BadNotWritable"
            told = write(client, LEVEL, 1.0)
            assert told["StatusCode"] == "BadNotWritable"
            assert told["Reason"].startswith("opcws: ") and "can only be read" in told["Reason"]

            some = [(COUNTER, 4712), (LEVEL, 1.0), (SETPOINT, 1e9), (SETPOINT, 60.0)]
            writes = [{"Variable": name, "Value": number} for name, number in some]
            results = client.body("WRITE", {"Writes": writes})["Results"]
            assert [each.get("StatusCode") for each in results] == [
                *(None, "BadNotWritable", "BadOutOfRange", None)
            ]
            client.update_where(lambda body: value(body) == 4712, handle=handle)
            (line,) = collector.lines(1, event="result", variable=COUNTER, new=4711)
            assert (line["identity"], line["role"]) == ("edge office", "edges")


def test_an_edge_without_a_name_or_with_one_that_is_not_known_writes_nothing(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with running(Collector(plant, tmp_path, broker.url).config) as server:
        support.wait_connected(server)
        with edge(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client)
            told = write(client, COUNTER, 1)
            assert told["StatusCode"] == "BadNotWritable" and "set 'edge'" in told["Reason"]
        with edge(broker.url, edge="cellar") as edged, Client(edged.urls[0]) as client:
            ready(edged, client)
            told = write(client, COUNTER, 1)
            assert told["StatusCode"] == "BadNotWritable"
            assert "name it in publish.mqtt.requests" in told["Reason"]


def test_what_an_edge_may_is_what_its_role_may(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    collector = Collector(plant, tmp_path, broker.url)
    with running(collector.config) as server:
        support.wait_connected(server)
        with office(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client)
            assert write(client, COUNTER, 11) == {}
            limited = Collector(
                *(plant, tmp_path, broker.url), mqtt={"requests": {"office": {"role": "lookers"}}}
            )
            server.reload(limited.config)
            told = write(client, COUNTER, 12)
            assert told["StatusCode"] == "BadUserAccessDenied"
            assert told["Reason"].startswith("opcws: the role lookers may not write Test.Counter")
            (line,) = collector.lines(1, event="refused", variable=COUNTER, new=12)
            assert (line["status"], line["identity"]) == ("BadUserAccessDenied", "edge office")


def test_whom_an_edge_names_is_believed_only_if_the_configuration_says_so(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    requests = {"office": {"role": "edges", "users": True}, "cellar": {"role": "counters"}}
    collector = Collector(plant, tmp_path, broker.url, mqtt={"requests": requests})
    collector.add_user("anna", "counters")
    collector.add_user("otto", "lookers")
    with running(collector.config) as server:
        support.wait_connected(server)
        with running(with_people(tmp_path / "office", broker.url, "office")) as edged:
            # Their role here, ...
            assert written_by("anna", edged, COUNTER, 21) == {}
            told = written_by("anna", edged, SETPOINT, 41.0)
            assert told["StatusCode"] == "BadUserAccessDenied"
            assert "the role counters, at most edges" in told["Reason"]
            told = written_by("otto", edged, COUNTER, 22)
            assert told["StatusCode"] == "BadUserAccessDenied"
            told = written_by("mallory", edged, COUNTER, 23)
            assert told["StatusCode"] == "BadUserAccessDenied"
            assert "user mallory, whom office names, is not known here" in told["Reason"]
            told = written_by("", edged, COUNTER, 24)
            assert told["StatusCode"] == "BadUserAccessDenied"
        with running(with_people(tmp_path / "cellar", broker.url, "cellar")) as edged:
            # ... or that of the edge, whoever they are.
            assert written_by("otto", edged, COUNTER, 25) == {}
            assert written_by("mallory", edged, COUNTER, 26) == {}
            told = written_by("anna", edged, SETPOINT, 42.0)
            assert told["StatusCode"] == "BadUserAccessDenied"
        for event, number, identity in (
            ("result", 21, "user anna via edge office"),
            ("refused", 22, "user otto via edge office"),
            ("refused", 23, "edge office (user mallory, as it says)"),
            ("result", 25, "edge cellar (user otto, as it says)"),
        ):
            (line,) = collector.lines(1, event=event, new=number)
            assert line["identity"] == identity


def with_people(directory: Path, url: str, name: str) -> Any:
    """An edge where anna, otto and mallory may all that can be done."""
    directory.mkdir()
    everything = {"read": ["*"], "write": ["*"], "history": True}
    made = {
        "listen": {"port": 0},
        "roles": {"anonymous": everything, "all": everything},
        "servers": {"hall": {"endpoint": url, "edge": name, **PATIENT}},
    }
    path = directory / "edge.json"
    path.write_text(json.dumps(made), "utf-8")
    for who in ("anna", "otto", "mallory"):
        accounts.add_user(load(path), who, "all", lambda: PASSWORD)
    return load(path)


def written_by(name: str, server: Server, variable: str, number: float) -> Dict[str, Any]:
    """What is told *name* who writes *number*."""
    with Client(server.urls[0], header=basic(name) if name else {}) as client:
        ready(server, client)
        return write(client, variable, number)


def basic(name: str) -> Dict[str, str]:
    shown = base64.b64encode(("%s:%s" % (name, PASSWORD)).encode()).decode()
    return {"Authorization": "Basic " + shown}


def lost(
    client: Client,
    collector: Collector,
    plant: PlantProcess,
    number: int,
    cut: Callable[[], None],
) -> str:
    """Write *number*, and *cut* while the plant has not answered; the reason that *client* gets."""
    plant.freeze()
    client.send("WRITE", {"Variable": COUNTER, "Value": number}, "w")
    collector.lines(1, event="intent", new=number)
    cut()
    told = client.answer()["Body"]
    assert told["StatusCode"] == "BadCommunicationError"
    reason: str = told["Reason"]
    assert reason.endswith("it is not known whether the value was written")
    plant.thaw()
    return reason


def test_of_a_write_under_way_when_the_broker_is_killed_nobody_knows(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    collector = Collector(own_plant, tmp_path, broker.url)
    with running(collector.config) as server:
        support.wait_connected(server)
        with office(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client)
            lost(client, collector, own_plant, 31, broker.kill)
            (line,) = collector.lines(1, event="result", new=31)
            assert line["status"] == "Good"
            assert write(client, COUNTER, 32)["StatusCode"] == "BadNotConnected"
            broker.start()
            wait_state(edged, "connected")
            wait_until(lambda: write(client, COUNTER, 33) == {}, "requests work again")
            assert len(collector.lines(1, event="intent", new=31)) == 1
            assert not [each for each in collector.lines(1) if each.get("new") == 32]


def test_of_a_write_under_way_when_the_collector_vanishes_nobody_knows(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    with Gate(broker.port) as gate:
        collector = Collector(own_plant, tmp_path, gate.url)
        with running(collector.config) as server:
            support.wait_connected(server)
            with office(broker.url) as edged, Client(edged.urls[0]) as client:
                ready(edged, client)
                assert "has vanished" in lost(client, collector, own_plant, 34, gate.shut)
                gate.let_through()
                wait_until(lambda: write(client, COUNTER, 35) == {}, "requests work again")
                assert len(collector.lines(1, event="intent", new=34)) == 1


def test_a_collector_that_does_not_answer_in_time_is_told(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    collector = Collector(own_plant, tmp_path, broker.url)
    with running(collector.config) as server:
        support.wait_connected(server)
        with edge(broker.url, edge="office", request_timeout_ms=300) as edged:
            with Client(edged.urls[0]) as client:
                ready(edged, client)
                own_plant.freeze()
                numbers = itertools.count(3600)

                def given_up() -> int:
                    """A number that the collector has, and does not write in time."""
                    number = next(numbers)
                    told = write(client, COUNTER, number)
                    assert told["StatusCode"] == "BadTimeout"
                    is_told = told["Reason"].endswith("not known whether the value was written")
                    return number if is_told and collector.now(new=number) else 0

                number = wait_until(given_up, "a write is given up")
                own_plant.thaw()
                # The answer that came too late is nobody's.
                collector.lines(1, event="result", new=number)


class Stranger:
    """Some program that asks as an edge would."""

    def __init__(self, broker: Mosquitto) -> None:
        self._subscriber = Subscriber(broker.port, ANSWERS + "#")

    def __enter__(self) -> "Stranger":
        return self

    def __exit__(self, *_: Any) -> None:
        self._subscriber.__exit__()

    def send(
        self,
        text: Any,
        edge: str = "office",
        reply_to: Optional[str] = "",
        correlation: Optional[bytes] = None,
        retain: bool = False,
        client: str = "",
    ) -> bytes:
        """Its correlation data."""
        properties: Any = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if reply_to is not None:
            properties.ResponseTopic = reply_to or ANSWERS + edge
        correlation = uuid.uuid4().bytes if correlation is None else correlation
        if correlation:
            properties.CorrelationData = correlation
        if client:
            properties.UserProperty = ("Client", client)
        sent = self._subscriber.client.publish(REQUESTS + edge, text, 1, retain, properties)
        sent.wait_for_publish(support.PATIENCE)
        return correlation

    def answers(self, correlation: bytes) -> List[Received]:
        return [
            each
            for each in list(self._subscriber.received)
            if each.properties.CorrelationData == correlation
        ]

    def ask(self, text: Any, **more: Any) -> Dict[str, Any]:
        """The answer to *text*."""
        correlation = self.send(text, **more)
        found = wait_until(lambda: self.answers(correlation), "an answer")
        told: Dict[str, Any] = found[0].data
        return told


def writing(number: int, handle: str = "h") -> str:
    body = {"Variable": COUNTER, "Value": number}
    header = {"MessageType": "WRITE_REQUEST", "ClientHandle": handle}
    return json.dumps({"Header": header, "Body": body})


def test_a_request_that_comes_twice_is_done_once(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    collector = Collector(plant, tmp_path, broker.url)
    with running(collector.config) as server, Stranger(broker) as stranger:
        support.wait_connected(server)
        wait_until(lambda: server.publisher and server.publisher.connected, "the broker")
        told = stranger.ask(writing(51), correlation=b"once")
        assert told["Header"] == {"MessageType": "WRITE_RESPONSE", "ClientHandle": "h"}
        stranger.send(writing(51), correlation=b"once")
        stranger.ask(writing(52))
        assert len(collector.lines(1, event="intent", new=51)) == 1
        assert len(stranger.answers(b"once")) == 1


def test_what_strangers_send_costs_nothing_and_is_said_once(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(plant, tmp_path, broker.url)
    with running(collector.config) as server, Stranger(broker) as stranger:
        support.wait_connected(server)
        wait_until(lambda: server.publisher and server.publisher.connected, "the broker")
        with caplog.at_level(logging.WARNING):
            for _ in range(5):
                stranger.send(writing(61), reply_to=None)
                stranger.send(writing(61), reply_to="opcua/json/data/opcws/opcws/plant")
                stranger.send(writing(61), correlation=b"")
                stranger.send(writing(61), correlation=b"x" * 65)
                stranger.send(b"x" * 2_000_000)
                stranger.send(writing(61), edge="nobody")
                stranger.send("")
            wrong = [b"\xff", "{", "[]", "5", "[" * 5000, '{"Header":{}}', '{"A":' * 990]
            wrong.append('{"Header":{"MessageType":"READ_REQUEST","ClientHandle":1}}')
            for text in wrong:
                assert stranger.ask(text)["Header"]["StatusCode"].startswith("Bad"), text
            assert stranger.ask(writing(62))["Header"]["MessageType"] == "WRITE_RESPONSE"
        lines = [each for each in caplog.messages if "a request of the edge" in each]
        for what in ("no Response Topic", "Correlation Data", "more than 1048576 bytes"):
            assert 0 < len([each for each in lines if what in each]) < 5, what
        assert "Traceback" not in caplog.text and "a defect" not in caplog.text
        assert [each["new"] for each in collector.lines(2)] == [62, 62]


def test_a_request_that_the_broker_has_kept_is_not_done(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, caplog: pytest.LogCaptureFixture
) -> None:
    collector = Collector(plant, tmp_path, broker.url)
    with Stranger(broker) as stranger:
        stranger.send(writing(71), retain=True)
        with running(collector.config) as server:
            support.wait_connected(server)
            wait_until(lambda: "must not be retained" in caplog.text, "it is said")
            stranger.ask(writing(72))
            assert not [each for each in collector.lines(2) if each["new"] == 71]


def test_with_the_rights_of_the_page_an_edge_asks_by_its_own_name_only(
    tmp_path: Path, plant: PlantProcess
) -> None:
    passwords = tmp_path / "passwords"
    passwords.write_text("", "utf-8")
    for name in ("plant-3", "office", "opcws"):
        tool = needed("mosquitto_passwd")
        subprocess.check_call([tool, "-b", str(passwords), name, "secret-" + name])
    acl = tmp_path / "acl"
    acl.write_text(code("machines", "# the collector") + "\n", "utf-8")
    lines = ["password_file %s" % passwords, "acl_file %s" % acl]
    with Mosquitto(tmp_path, *lines, anonymous=False) as broker:
        mqtt = {
            "publisher": "plant-3",
            "user": {"name": "plant-3", "password": "secret-plant-3"},
            "requests": {"office": {"role": "edges"}, "cellar": {"role": "edges"}},
        }
        hall = {
            "publisher": "plant-3",
            "user": {"name": "office", "password": "secret-office"},
        }
        collector = Collector(plant, tmp_path, broker.url, mqtt=mqtt)
        with running(collector.config) as server:
            support.wait_connected(server)
            with edge(broker.url, edge="office", **hall) as edged:
                with Client(edged.urls[0]) as client:
                    ready(edged, client)
                    assert write(client, COUNTER, 81) == {}
            with edge(broker.url, edge="cellar", **hall) as edged:
                with Client(edged.urls[0]) as client:
                    ready(edged, client)
                    told = write(client, COUNTER, 82)
                    assert told["StatusCode"] == "BadUserAccessDenied"
                    assert "action-request/plant-3/cellar; give the user" in told["Reason"]
        assert not [each for each in collector.lines(2) if each["new"] == 82]


def test_with_mqtt_3_nothing_can_be_asked_for_and_that_is_said(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, caplog: pytest.LogCaptureFixture
) -> None:
    with Gate(broker.port, mqtt_3_only) as gate:
        with running(Collector(plant, tmp_path, gate.url).config) as server:
            support.wait_connected(server)
            with office(gate.url) as edged, Client(edged.urls[0]) as client:
                ready(edged, client)
                told = write(client, COUNTER, 91)
                assert told["StatusCode"] == "BadNotSupported"
                assert "nothing can be written" in told["Reason"]
                wait_until(lambda: "publish.mqtt.requests needs MQTT 5" in caplog.text, "the log")


def test_of_one_edge_so_many_requests_are_under_way(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "MOST_UNDER_WAY", 2)
    collector = Collector(own_plant, tmp_path, broker.url)
    with running(collector.config) as server, Stranger(broker) as stranger:
        support.wait_connected(server)
        wait_until(lambda: server.publisher and server.publisher.connected, "the broker")
        own_plant.freeze()
        asked = [stranger.send(writing(each, str(each))) for each in (92, 93)]
        told = stranger.ask(writing(94))["Header"]
        assert told["StatusCode"] == "BadTooManyOperations"
        own_plant.thaw()
        for each in asked:
            wait_until(lambda each=each: stranger.answers(each), "an answer")
        assert "Body" in stranger.ask(writing(95))
        assert not [each for each in collector.lines(6) if each["new"] == 94]


def test_a_handle_that_is_under_way_is_refused(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    collector = Collector(own_plant, tmp_path, broker.url)
    with running(collector.config) as server, Stranger(broker) as stranger:
        support.wait_connected(server)
        wait_until(lambda: server.publisher and server.publisher.connected, "the broker")
        own_plant.freeze()
        first = stranger.send(writing(96))
        told = stranger.ask(writing(97))["Header"]
        assert "ClientHandle is under way" in told["Reason"]
        own_plant.thaw()
        wait_until(lambda: stranger.answers(first), "an answer")


def test_requests_go_to_the_collector_that_has_taken_over(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
    mqtt = {"lease_ms": 2000}
    numbers = itertools.count(1001)

    def wait_written(client: Client) -> int:
        """The number that was written, once a collector does it."""

        def written() -> int:
            number = next(numbers)
            return 0 if write(client, COUNTER, number) else number

        done: int = wait_until(written, "a write is done")
        return done

    with Gate(broker.port) as gate:
        one = Collector(plant, tmp_path / "one", gate.url, mqtt=mqtt)
        other = Collector(plant, tmp_path / "other", broker.url, mqtt=mqtt)
        with running(one.config) as server:
            support.wait_connected(server)
            with running(other.config), office(broker.url) as edged:
                with Client(edged.urls[0]) as client:
                    ready(edged, client)
                    wait_written(client)
                    gate.shut()
                    number = wait_written(client)
                    (line,) = other.lines(1, event="intent", new=number)
                    assert line["identity"] == "edge office"
                    assert not one.now(new=number)


# --- history -------------------------------------------------------------------------------------


def history(client: Client, variable: str = TEMPERATURE, **more: Any) -> Dict[str, Any]:
    told: Dict[str, Any] = client.body("HISTORICALREAD", {"Variable": variable, **more})
    return told


def pages(client: Client, **more: Any) -> List[List[Any]]:
    """All pages of a history."""
    body = history(client, **more)
    found = [body["DataValues"]]
    while "ContinuationPoint" in body:
        body = history(client, ContinuationPoint=body["ContinuationPoint"])
        found.append(body["DataValues"])
    return found


def test_history_is_read_in_pages_as_at_the_collector_itself(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with running(Collector(plant, tmp_path, broker.url).config) as server:
        support.wait_connected(server)
        with office(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client, TEMPERATURE)
            with Client(server.urls[0]) as direct:
                some = history(direct, StartTime="2020-01-01", MaxValues=100)["DataValues"]
                first, last = (some[place]["SourceTimestamp"] for place in (0, -1))
                span = {"StartTime": first, "EndTime": last}
                back = {"StartTime": last, "EndTime": first}
                assert len(some) == 100
                for asked in (
                    span,
                    back,
                    {**span, "ReturnBounds": True},
                    {**span, "StartTime": "1999-01-01", "ReturnBounds": True, "MaxValues": 7},
                    {**span, "Aggregate": "Average", "ProcessingInterval": 7000},
                    {**back, "Aggregate": "Maximum", "ProcessingInterval": 7000, "MaxValues": 3},
                    {"EndTime": last, "MaxValues": 5},
                ):
                    assert pages(client, **asked) == pages(direct, **asked), asked
            seven = pages(client, **span, MaxValues=7)
            assert [len(page) for page in seven] == [7] * 14 + [2]
            assert [value for page in seven for value in page] == some

            for variable, status in ((LEVEL, None), (COUNTER, None)):
                assert history(client, variable, **span).get("StatusCode") == status
            told = history(client, **span, Aggregate="Nonsense")
            assert told["StatusCode"].startswith("BadAggregate")
            chart = {"Variables": [TEMPERATURE, LEVEL], **span, "MaxPoints": 50}
            (temperature, _level) = client.body("HISTORICALREAD", chart)["Histories"]
            assert len(temperature["DataValues"]) <= 50


def test_what_can_be_asked_for_is_told_of_each_variable(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with running(Collector(plant, tmp_path, broker.url, mqtt={"key_frame_count": 1}).config) as up:
        support.wait_connected(up)
        for hall, access, source in (
            ({"edge": "office"}, "readwrite", "plant"),
            ({}, "read", None),
        ):
            with edge(broker.url, **hall) as edged, Client(edged.urls[0]) as client:
                ready(edged, client, TEMPERATURE)

                def told(client: Client = client) -> Any:
                    names = [SETPOINT, TEMPERATURE, "Level", COUNTER]
                    found = client.body("VALUEINFO", {"Variables": names})["Variables"]
                    return [(each.get("Access"), each.get("HistorySource")) for each in found]

                expected = [(access, source), ("read", source), ("read", source)]
                wait_until(lambda told=told, wanted=expected: told()[:3] == wanted, str(expected))


def test_history_needs_the_right_and_a_name_of_the_edge(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    requests = {"office": {"role": "counters"}}
    collector = Collector(plant, tmp_path, broker.url, mqtt={"requests": requests})
    with running(collector.config) as server:
        support.wait_connected(server)
        for name, status in (
            ("office", "BadUserAccessDenied"),
            ("cellar", "BadHistoryOperationUnsupported"),
        ):
            with edge(broker.url, edge=name) as edged, Client(edged.urls[0]) as client:
                ready(edged, client, TEMPERATURE)
                told = history(client, StartTime="2020-01-01")
                assert told["StatusCode"] == status


def test_a_history_that_is_under_way_when_the_broker_is_killed_is_told(
    tmp_path: Path, broker: Mosquitto, own_plant: PlantProcess
) -> None:
    with running(Collector(own_plant, tmp_path, broker.url).config) as server:
        support.wait_connected(server)
        with office(broker.url) as edged, Client(edged.urls[0]) as client:
            ready(edged, client, TEMPERATURE)
            with Subscriber(broker.port, REQUESTS + "#") as subscriber:
                own_plant.freeze()
                client.send("HISTORICALREAD", {"Variable": TEMPERATURE, "StartTime": "2020"}, "h")
                client.send(
                    *("HISTORICALREAD", {"Variable": TEMPERATURE, "StartTime": "2020-01-01"}, "i")
                )
                assert client.answer()["Header"]["ClientHandle"] == "h"  # a time that is none
                subscriber.wait_for(lambda each: "2020-01-01" in each.text, "the request")
                broker.kill()
                told = client.answer()["Body"]
                assert told["StatusCode"] == "BadCommunicationError"
                assert "written" not in told["Reason"]
                own_plant.thaw()
            broker.start()
            wait_state(edged, "connected")
            wait_until(
                lambda: "DataValues" in history(client, StartTime="2020-01-01", MaxValues=1),
                "requests work again",
            )


def test_who_has_left_keeps_no_continuation_point(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(Collector(plant, tmp_path, broker.url).config) as server:
        support.wait_connected(server)
        with Stranger(broker) as stranger, Subscriber(broker.port, REQUESTS + "#") as subscriber:
            with office(broker.url) as edged:
                with Client(edged.urls[0]) as client:
                    ready(edged, client, TEMPERATURE)
                    point = history(client, StartTime="2020-01-01", MaxValues=1)
                    assert point["ContinuationPoint"]
                asked = subscriber.wait_for(lambda each: "HISTORICALREAD" in each.text, "asked")
                left = subscriber.wait_for(lambda each: not each.text, "it has left")
                assert asked.properties.UserProperty == left.properties.UserProperty

            def again(name: str, **more: Any) -> Dict[str, Any]:
                header = {"MessageType": "HISTORICALREAD_REQUEST", "ClientHandle": 1}
                body = {"Variable": TEMPERATURE, "MaxValues": 1, **more}
                text = json.dumps({"Header": header, "Body": body})
                told: Dict[str, Any] = stranger.ask(text, client=name)["Body"]
                return told

            page = again("a", StartTime="2020-01-01")
            page = again("a", ContinuationPoint=page["ContinuationPoint"])
            told = again("b", ContinuationPoint=page["ContinuationPoint"])
            assert told["StatusCode"] == "BadContinuationPointInvalid"
            stranger.send("", client="a")
            told = again("a", ContinuationPoint=page["ContinuationPoint"])
            assert told["StatusCode"] == "BadContinuationPointInvalid"

            # As has who asks nothing for long.
            page = again("a", StartTime="2020-01-01")
            monkeypatch.setattr(requests, "IDLE_S", -1.0)
            again("b", StartTime="2020-01-01")
            monkeypatch.setattr(requests, "IDLE_S", 300.0)
            told = again("a", ContinuationPoint=page["ContinuationPoint"])
            assert told["StatusCode"] == "BadContinuationPointInvalid"


def test_what_an_edge_records_itself_is_joined_with_the_history_of_the_plant(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    mqtt = {"key_frame_count": 1}
    with running(Collector(plant, tmp_path, broker.url, mqtt=mqtt).config) as server:
        support.wait_connected(server)
        hall = {"endpoint": broker.url, "edge": "office", "variables": {TEMPERATURE: {}}, **PATIENT}
        made = {
            **{"listen": {"port": 0}, "servers": {"hall": hall}},
            **{"record": {"variables": ["*"]}, "state_dir": str(tmp_path / "edge")},
        }
        with running(loads(json.dumps(made))) as edged, Client(edged.urls[0]) as client:
            ready(edged, client, TEMPERATURE)

            def source() -> Any:
                told = client.body("VALUEINFO", {"Variables": [TEMPERATURE]})["Variables"]
                return told[0].get("HistorySource")

            wait_until(lambda: source() == "both", "both")
            with Client(server.urls[0]) as direct:
                some = history(direct, StartTime="2020-01-01", MaxValues=20)["DataValues"]

            def told() -> Any:
                return history(client, StartTime="2020-01-01", MaxValues=20).get("DataValues")

            wait_until(lambda: told() == some, "the same")
