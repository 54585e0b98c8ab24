"""What people who run opcws are told of the broker: by /status, /metrics, check and doctor."""

import json
from pathlib import Path
from typing import Any, Dict, Tuple

import pytest
from jsonschema import Draft7Validator

from opcws.app import Server
from opcws.operations import status_pages
from opcws.wire import contract

from ... import support
from ...support import PlantProcess, command, wait_until
from ...support.mosquitto import Gate, Mosquitto, Subscriber
from ...support.publishing import (
    COUNTER,
    STATUS,
    VARIABLES,
    publishing,
    state,
    wait_count,
    write,
)

pytestmark = pytest.mark.own_plant


@pytest.fixture(autouse=True)
def _nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(status_pages, "KEPT_TIMES", 0.0)


def looked_at(server: Server) -> Tuple[Dict[str, Any], Dict[str, float]]:
    """The publisher in /status, which is as its schema says, and in /metrics."""
    status = server.status_pages.status()
    Draft7Validator(contract.document("status.schema.json")).validate(status)
    lines = server.status_pages.document("metrics").body.decode("utf-8").splitlines()
    numbers = dict(each.split(" ") for each in lines if each.startswith("opcws_publisher_"))
    return status["Publisher"], {name: float(each) for name, each in numbers.items()}


def test_status_and_metrics_tell_how_the_publisher_is(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Gate(broker.port) as gate, Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=gate.url, publisher="p-3") as server:
            write(server, 81)
            subscriber.wait_for(lambda each: "/data/p-3/" in each.topic, "data")
            wait_until(lambda: looked_at(server)[0]["Published"] > 1, "counted")
            status, metrics = looked_at(server)
            assert status["State"] == "connected" and "Reason" not in status
            assert (status["Broker"], status["Publisher"]) == (gate.url, "p-3")
            assert (status["Variables"], status["Dropped"], status["Refused"]) == (1, 0, 0)
            assert (metrics["opcws_publisher_connected"], metrics["opcws_publisher_active"]) == (
                1,
                1,
            )
            assert metrics["opcws_publisher_messages_total"] > 1
            assert metrics["opcws_publisher_values_total"] > 0
            gate.shut()
            wait_until(lambda: looked_at(server)[0]["State"] == "disconnected", "it is missed")
            write(server, 82)
            wait_until(lambda: looked_at(server)[0]["Waiting"], "it waits")
            status, metrics = looked_at(server)
            assert status["StoredBytes"] > 0 and status["Reason"]
            assert (metrics["opcws_publisher_connected"], metrics["opcws_publisher_active"]) == (
                0,
                0,
            )
            assert metrics["opcws_publisher_stored_bytes"] > 0
            assert server.status_pages.document("healthz").status == 200


def configured(directory: Path, plant: PlantProcess, **mqtt: Any) -> str:
    settings = support.settings(plant.endpoint, variables=VARIABLES)
    settings["publish"] = {"mqtt": {"variables": [COUNTER], **mqtt}}
    path = directory / "opcws.yaml"
    path.write_text(json.dumps(settings), "utf-8")
    return str(path)


def test_check_and_doctor_connect_to_the_broker_beside_an_opcws_that_runs(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    path = configured(tmp_path, plant, broker=broker.url)
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=broker.url) as server:
            write(server, 91)
            wait_count(subscriber, 91)
            told = command.run("check", path)
            assert told.exit_code == 0, told.output
            assert "broker %s: connected, MQTT 5" % broker.url in told.output
            told = command.run("doctor", "--config", path)
            assert "broker %s: connected, MQTT 5" % broker.url in told.output
            write(server, 92)
            wait_count(subscriber, 92)
        states = [state(each) for each in subscriber.received if each.topic == STATUS]
        assert 3 not in states and states[0] == 2


def test_check_and_doctor_say_what_is_wrong_with_a_broker_and_what_to_do(
    tmp_path: Path, plant: PlantProcess
) -> None:
    port = support.free_port()
    path = configured(tmp_path, plant, broker="mqtt://127.0.0.1:%d" % port)
    told = command.run("check", path)
    assert told.exit_code == 4, told.output
    wrong = "no broker answers at 127.0.0.1 port %d" % port
    assert wrong in told.output and "start it, or correct publish.mqtt.broker" in told.output
    told = command.run("doctor", "--config", path)
    lines = told.output.splitlines()
    place = next(n for n, line in enumerate(lines) if wrong in line)
    assert lines[place].startswith("BAD   broker")
    assert lines[place + 1].strip() == "-> start it, or correct publish.mqtt.broker"
    assert command.run("check", path, "--offline").exit_code == 0
