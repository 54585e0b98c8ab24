"""What somebody publishes at a broker is served as if it were an OPC UA server's."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest
from jsonschema import Draft7Validator

from opcws.pubsub import plant as at_broker
from opcws.wire import contract

from ... import support
from ...support import Client, PlantProcess, command, wait_until
from ...support.edge import Foreign, configuration, edge, wait_state
from ...support.mosquitto import Gate, Mosquitto, Subscriber
from ...support.publishing import COUNTER, LEVEL, publishing, running, write
from ...support.publishing import configuration as collecting

pytestmark = pytest.mark.own_plant

OVERFLOW = 0x480


@pytest.fixture(autouse=True)
def _no_threads_are_left() -> Iterator[None]:
    yield
    support.no_threads_left()


@pytest.fixture
def foreign(broker: Mosquitto) -> Iterator[Foreign]:
    with Subscriber(broker.port, "nothing") as client:
        yield Foreign(client)


def double(name: str, **more: Any) -> Dict[str, Any]:
    return {"Name": name, "BuiltInType": 11, "DataType": {"Id": 11}, "ValueRank": -1, **more}


def number(body: Dict[str, Any]) -> Any:
    return (body.get("Value") or {}).get("Body")


def monitor(client: Client, variable: str) -> str:
    """Have *variable* monitored; its ClientHandle."""
    handle = "m-" + variable
    assert client.status("MONITORSTART", {"Variable": variable}, handle) is None
    return handle


# --- what another opcws publishes ----------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["verbose", "compact", "reversible"])
def test_a_client_is_served_as_by_the_opc_ua_server_itself(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, encoding: str
) -> None:
    mqtt = {"variables": ["*"], "key_frame_count": 1, "encoding": encoding}
    variables = {COUNTER: {}, "Renamed": {"field": LEVEL}, "Nobody": {}}
    with publishing(plant, tmp_path, broker=broker.url, **mqtt) as collector:
        write(collector, 41)
        with Client(collector.urls[0]) as direct:
            (own,) = direct.body("VALUEINFO", {"Variables": [LEVEL]})["Variables"]
        with edge(broker.url, variables) as server, Client(server.urls[0]) as client:
            wait_state(server, "connected")
            assert client.body("VALUELIST")["Variables"] == sorted(variables)

            def info() -> Any:
                return client.body("VALUEINFO", {"Variables": ["Renamed"]})["Variables"][0]

            wait_until(lambda: "EngineeringUnits" in info(), "the metadata")
            told = info()
            for member in ("Type", "IsArray", "EngineeringUnits", "EURange"):
                assert told[member] == own[member], member
            assert (told["Server"], told["Access"]) == ("hall", "read")

            wait_until(lambda: number(client.body("READ", {"Variable": COUNTER})) == 41, "41")
            assert client.body("READ", {"Variable": COUNTER})["SourceTimestamp"] > "2026"
            assert client.status("READ", {"Variable": "Nobody"}) == "BadNodeIdUnknown"

            handle = monitor(client, COUNTER)
            assert number(client.update(handle)) == 41  # at once
            write(collector, 42)
            update = client.update_where(lambda body: number(body) == 42, handle=handle)
            assert "StatusCode" not in update

            health = server.plants["hall"].status()
            assert [each["Variable"] for each in health["Failures"]] == ["Nobody"]


def test_without_a_list_every_field_is_a_variable(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    mqtt = {"variables": ["*"], "publisher": "p-9", "prefix": "acme/x"}
    with publishing(plant, tmp_path, broker=broker.url, **mqtt) as collector:
        with edge(broker.url, publisher="p-9", prefix="acme/x") as server:
            with Client(server.urls[0]) as client:
                wait_until(
                    lambda: client.body("VALUELIST").get("Variables") == [LEVEL, COUNTER],
                    "both fields",
                )
                handle = monitor(client, COUNTER)
                write(collector, 43)
                client.update_where(lambda body: number(body) == 43, handle=handle)


def test_writing_and_history_are_refused_with_why(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with publishing(plant, tmp_path, broker=broker.url):
        with edge(broker.url, {COUNTER: {}}) as server, Client(server.urls[0]) as client:
            wait_state(server, "connected")
            told = client.body("WRITE", {"Variable": COUNTER, "Value": 1})
            assert told["StatusCode"] == "BadNotWritable" and "from a broker" in told["Reason"]
            told = client.body(
                "HISTORICALREAD", {"Variable": COUNTER, "StartTime": "2026-01-01T00:00:00Z"}
            )
            assert told["StatusCode"] == "BadHistoryOperationUnsupported"
            assert "from a broker" in told["Reason"]


def test_a_collector_that_vanishes_is_told_and_so_is_its_return(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Gate(broker.port) as gate, edge(broker.url, {COUNTER: {}}) as server:
        with running(collecting(plant, tmp_path, broker=gate.url)) as collector:
            support.wait_connected(collector)
            with Client(server.urls[0]) as client:
                wait_state(server, "connected")
                handle = monitor(client, COUNTER)
                write(collector, 51)
                client.update_where(lambda body: number(body) == 51, handle=handle)
                gate.shut()
                lost = client.update_where(lambda body: "StatusCode" in body, handle=handle)
                assert lost["StatusCode"] == "BadNotConnected" and number(lost) == 51
                assert "has vanished" in lost["Reason"]
                told = client.body("READ", {"Variable": COUNTER})
                assert told["StatusCode"] == "BadNotConnected" and "opcws" in told["Reason"]
                write(collector, 52)
                gate.let_through()
                client.update_where(lambda body: number(body) == 52, handle=handle)
                write(collector, 53)
                client.update_where(lambda body: number(body) == 53, handle=handle)
        # It has taken its leave.
        assert "Disabled" in wait_state(server, "disconnected")["Reason"]


def test_a_broker_that_is_killed_and_comes_back_is_told(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with publishing(plant, tmp_path, broker=broker.url) as collector:
        with edge(broker.url, {COUNTER: {}}) as server, Client(server.urls[0]) as client:
            wait_state(server, "connected")
            handle = monitor(client, COUNTER)
            write(collector, 61)
            client.update_where(lambda body: number(body) == 61, handle=handle)
            broker.kill()
            lost = client.update_where(lambda body: "StatusCode" in body, handle=handle)
            assert lost["StatusCode"] == "BadNotConnected" and "the broker" in lost["Reason"]
            wait_until(
                lambda: "no broker answers" in server.plants["hall"].status()["Reason"],
                "the reason",
            )
            broker.start()
            client.update_where(lambda body: number(body) == 61, handle=handle)
            write(collector, 62)
            client.update_where(lambda body: number(body) == 62, handle=handle)
            assert server.plants["hall"].status()["Connections"] >= 2


def test_status_check_and_doctor_know_a_server_at_a_broker(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    def told(program: str, url: str, **variables: Any) -> str:
        path = tmp_path / "edge.json"
        server = {"endpoint": url, "variables": variables}
        path.write_text(json.dumps({"servers": {"hall": server}}), "utf-8")
        done = command.run(program, "--config", str(path))
        assert (done.exit_code == 0) == (url == broker.url and "Nobody" not in variables)
        return " ".join(done.output.split())

    assert "connected to the broker (MQTT 5), but nothing has come from a publisher opcws" in told(
        "check", broker.url + "/"
    )
    with publishing(plant, tmp_path, broker=broker.url, variables=["*"]) as collector:
        write(collector, 71)
        with edge(broker.url, {COUNTER: {}}) as server:
            status = wait_state(server, "connected")
            assert "Reason" not in status and status["Configured"] == 1
            document = server.status_pages.status()
            Draft7Validator(contract.document("status.schema.json")).validate(document)
            assert server.status_pages.document("readyz").status == 200
            assert server.status_pages.document("healthz").status == 200
            metrics = server.status_pages.document("metrics").body.decode("utf-8")
            assert 'opcws_plant_connected{server="hall"} 1' in metrics
            for program in ("check", "doctor"):
                text = told(program, broker.url, **{COUNTER: {}, "Nobody": {"field": "x"}})
                assert "connected, MQTT 5, fields: 2" in text
                assert "no field x; correct its 'field'" in text
            assert "Test.Counter UInt32" in told("check", broker.url, **{COUNTER: {}})
            wait_state(server, "connected")
    port = support.free_port()
    assert "start it, or correct servers.hall.endpoint" in told(
        "doctor", "mqtt://127.0.0.1:%d" % port
    )


def test_a_reload_changes_between_publishers_brokers_and_an_opc_ua_server(
    tmp_path: Path, broker: Mosquitto, foreign: Foreign, plant: PlantProcess
) -> None:
    foreign.status(2)
    foreign.metadata(double("A"), double("B"))
    foreign.values(A=1.0, B=2.0, retain=True)
    with edge(broker.url, {"X": {"field": "A"}}, publisher="press") as server:
        with Client(server.urls[0]) as client:
            wait_state(server, "connected")
            handle = monitor(client, "X")
            assert number(client.update(handle)) == 1.0
            server.reload(configuration(broker.url, {"X": {"field": "B"}}, publisher="press"))
            client.update_where(lambda body: number(body) == 2.0, handle=handle)
            server.reload(configuration(broker.url, {"X": {"field": "B"}}, publisher="none"))
            lost = client.update_where(lambda body: "StatusCode" in body, handle=handle)
            assert lost["StatusCode"] == "BadNotConnected"
            node = {"node": "nsu=%s;s=%s" % (support.URI, COUNTER)}
            server.reload(configuration(plant.endpoint, {"X": node}))
            client.update_where(lambda body: number(body) not in (None, 2.0), handle=handle)
            server.reload(configuration(broker.url, {"X": {"field": "A"}}, publisher="press"))
            client.update_where(lambda body: number(body) == 1.0, handle=handle)


# --- what others publish -------------------------------------------------------------------------


def test_a_foreign_publisher_with_the_least_that_the_standard_asks_for_is_served(
    broker: Mosquitto, foreign: Foreign
) -> None:
    foreign.metadata(
        double("Pressure", Description={"Text": "in the press"}),
        {
            "Name": "Mode",
            "BuiltInType": 6,
            "ValueRank": -1,
            "Properties": [
                {
                    "Key": {"Name": "EnumStrings"},
                    "Value": {"Type": 21, "Body": [{"Text": "Off"}, {"Text": "On"}]},
                }
            ],
        },
    )
    with edge(broker.url, publisher="press") as server, Client(server.urls[0]) as client:
        wait_until(lambda: client.body("VALUELIST").get("Variables"), "the fields")
        # Nobody has said that the publisher is there.
        assert "nothing has come" in wait_state(server, "disconnected")["Reason"]
        modes, pressures = monitor(client, "Mode"), monitor(client, "Pressure")
        foreign.values(Pressure=1.5, Mode={"Value": {"Type": 6, "Body": 1}})
        client.update_where(lambda body: number(body) == 1, handle=modes)
        foreign.values(Pressure=2.5)
        client.update_where(lambda body: number(body) == 2.5, handle=pressures)
        mode, pressure = client.body("VALUEINFO", {"Variables": ["Mode", "Pressure"]})["Variables"]
        assert (mode["Type"], mode["EnumStrings"]) == ("Int32", ["Off", "On"])
        assert (pressure["Type"], pressure["Description"]) == ("Double", "in the press")


def test_a_gap_in_the_sequence_numbers_is_told_as_overflow(
    broker: Mosquitto, foreign: Foreign
) -> None:
    foreign.status(2)
    foreign.metadata(double("A"), double("B"))
    foreign.values(A=1.0, B=1.0, retain=True)
    with edge(broker.url, {"A": {}, "B": {}}, publisher="press") as server:
        wait_state(server, "connected")
        with Client(server.urls[0]) as client:
            handle = monitor(client, "A")
            assert number(client.update(handle)) == 1.0
            foreign.values(A=2.0)
            assert client.update(handle).get("StatusCode") is None
            foreign.values(A=4.0, skip=1)
            flagged = client.update(handle)
            assert number(flagged) == 4.0 and flagged["Status"] & OVERFLOW == OVERFLOW
            foreign.values(A=5.0)
            assert "Status" not in client.update(handle)
            # What comes twice counts once.
            foreign.sequence -= 1
            foreign.values(A=9.0)
            foreign.values(A=6.0)
            assert number(client.update(handle)) == 6.0


def test_silence_is_told(broker: Mosquitto, foreign: Foreign) -> None:
    group = {"PublishingInterval": 1000, "KeepAliveTime": 300, "DataSetWriters": [{"Name": "w7"}]}
    connection = {"MessageType": "ua-connection", "PublisherId": "press"}
    text = json.dumps({**connection, "Connection": {"WriterGroups": [group]}})
    foreign.send("connection", text, True)
    foreign.status(2)
    foreign.metadata(double("A"))
    foreign.values(A=1.0, retain=True)
    with edge(broker.url, {"A": {}}, publisher="press") as server:
        with Client(server.urls[0]) as client:
            handle = monitor(client, "A")
            wait_until(
                lambda: "for 0.9 s" in server.plants["hall"].status().get("Reason", ""), "silence"
            )
            assert client.status("READ", {"Variable": "A"}) == "BadNotConnected"
            foreign.values(A=2.0)
            client.update_where(lambda body: number(body) == 2.0, handle=handle)


def test_nothing_that_a_publisher_sends_ends_it(
    broker: Mosquitto,
    foreign: Foreign,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(at_broker, "MOST_BYTES", 100_000)
    foreign.status(2)
    foreign.metadata(double("A"))
    foreign.values(A=1.0, retain=True)
    with edge(broker.url, {"A": {}, "B": {}}, publisher="press") as server:
        wait_state(server, "connected")
        with Client(server.urls[0]) as client:
            handle = monitor(client, "A")
            assert number(client.update(handle)) == 1.0
            head = '{"MessageType":"ua-data","PublisherId":"press","Messages":'
            wrong = [
                *("", "{", "null", "[]", "5", "\x00", "\ud7ff", "[" * 5000, "{}", '{"A":' * 990),
                *(head + each + "}" for each in ("5", "[5]", "{}", '[{"Payload":5}]', "null")),
                head + '[{"Payload":{"A":{"Value":1e999,"UaType":6}}}]}',
                head + '[{"Payload":{"A":{"Value":{"Type":Infinity,"Body":1}}}}]}',
                head + '[{"Payload":{"A":{"Value":1,"UaType":999}}}]}',
                head + '[{"Payload":{"A":{"Value":%s}}}]}' % ("9" * 50_000),
                head + '[{"Payload":{"A":"%s"}}]}' % ("x" * 200_000),
                '{"MessageType":"ua-nothing"}',
                '{"MessageType":"ua-metadata","MetaData":5}',
                '{"MessageType":"ua-status","Status":"on"}',
                '{"MessageType":"ua-status","PublisherId":"other","Status":3}',
                '{"MessageType":"ua-connection","Connection":{"WriterGroups":[5]}}',
            ]
            for text in wrong:
                foreign.send("data", text, levels="/g/w7")
            foreign.values(Unknown=1.0, A={"Value": "a text"})
            foreign.values(writer=99, Other=2.0)
            # Metadata that say something else: the value is decoded by them from now on.
            foreign.metadata({"Name": "A", "BuiltInType": 12, "ValueRank": -1}, double("B"))
            client.update_where(lambda body: number(body) == "a text", handle=handle)
            handle = monitor(client, "B")
            foreign.values(A="b", B=3.5)
            client.update_where(lambda body: number(body) == 3.5, handle=handle)
            assert (
                client.body("VALUEINFO", {"Variables": ["A"]})["Variables"][0]["Type"] == "String"
            )
            assert server.plants["hall"].status()["Connections"] == 1
    assert "Traceback" not in caplog.text and "a defect" not in caplog.text
    lines = [each for each in caplog.messages if "a message at" in each]
    assert lines and len(lines) < len(wrong)
