"""The broker is away, slow, killed and restarted, or opcws is: what subscribers are told."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, Dict, Iterator

import pytest

from opcws.pubsub import network_messages

from ... import ROOT, support
from ...support import Client, PlantProcess, wait_until
from ...support.mosquitto import Gate, Mosquitto, Received, Subscriber
from ...support.publishing import (
    COUNTER,
    STATUS,
    VARIABLES,
    counts,
    data,
    once,
    publishing,
    state,
    wait_count,
    write,
)

pytestmark = pytest.mark.own_plant


@pytest.fixture
def gate(broker: Mosquitto) -> Iterator[Gate]:
    with Gate(broker.port) as made:
        yield made


def is_late(received: Received) -> bool:
    return ("Late", "true") in getattr(received.properties, "UserProperty", [])


def test_what_changes_while_the_broker_is_killed_comes_later_in_order_and_marked(
    tmp_path: Path, broker: Mosquitto, gate: Gate, plant: PlantProcess
) -> None:
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=gate.url) as server:
            write(server, *range(1000, 1030))
            wait_count(subscriber, 1029)
            gate.shut()
            broker.kill()
            assert server.publisher is not None
            publisher = server.publisher
            wait_until(lambda: not publisher.connected, "the broker is missed")
            write(server, *range(1030, 1060))
            connections = subscriber.connections
            broker.start()
            wait_until(lambda: subscriber.connections > connections, "the subscriber is back")
            gate.let_through()
            wait_count(subscriber, 1059)
            write(server, *range(1060, 1070))
            wait_count(subscriber, 1069)
            assert publisher.dropped == 0
    told = once(subscriber)
    messages = [data(each) for each in told]
    assert [each.sequence for each in messages] == list(range(1, len(told) + 1))
    deltas = [(each, data(each).fields[COUNTER].body) for each in told if "delta" in each.text]
    numbers = [number for _, number in deltas if number is not None and number >= 1000]
    assert numbers == list(range(1000, 1070))
    late = {number for each, number in deltas if is_late(each)}
    assert set(range(1030, 1060)) <= late and not set(range(1060, 1070)) & late


def test_a_stored_message_survives_the_end_of_opcws(
    tmp_path: Path, broker: Mosquitto, gate: Gate, plant: PlantProcess
) -> None:
    gate.shut()
    with publishing(plant, tmp_path, broker=gate.url) as server:
        write(server, 1101, 1102)
        store = tmp_path / "state" / "publish"
        wait_until(
            lambda: any(b":1102," in each.read_bytes() for each in store.rglob("*.messages")),
            "it is stored",
        )
    gate.let_through()
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=gate.url) as server:
            write(server, 1103)
            wait_count(subscriber, 1103)
        found = [n for n in counts(subscriber) if n in (1101, 1102, 1103)]
        assert found[:2] == [1101, 1102] and found[-1] == 1103
        late = [
            is_late(each) for each in once(subscriber) if data(each).fields[COUNTER].body == 1101
        ]
        assert late == [True]


def test_messages_that_the_disk_may_not_hold_are_missing_in_the_numbers(
    tmp_path: Path, broker: Mosquitto, gate: Gate, plant: PlantProcess
) -> None:
    mqtt: Dict[str, Any] = {"store_max_bytes": 1, "key_frame_count": 1000, "broker": gate.url}
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, **mqtt) as server:
            write(server, 1201)
            wait_count(subscriber, 1201)
            assert server.publisher is not None
            publisher = server.publisher
            # What is not confirmed when the broker goes may have arrived, and is dropped, too.
            wait_until(
                lambda: publisher.messages == len(subscriber.received) and not publisher.backlog,
                "all is confirmed",
            )
            gate.shut()
            wait_until(lambda: not publisher.connected, "the broker is missed")
            last = 1201
            with Client(server.urls[0]) as client:
                while not publisher.dropped:
                    last += 1
                    client.body("WRITE", {"Variable": COUNTER, "Value": last})
            gate.let_through()
            wait_count(subscriber, last)
    sequences = [data(each).sequence for each in once(subscriber)]
    assert sequences == sorted(set(sequences))
    missing = set(range(1, sequences[-1])) - set(sequences)
    assert len(missing) == publisher.dropped


@pytest.mark.parametrize("how", ["stuck", "away"])
def test_a_broker_that_takes_nothing_delays_no_client(
    tmp_path: Path, broker: Mosquitto, gate: Gate, plant: PlantProcess, how: str
) -> None:
    with publishing(plant, tmp_path, broker=gate.url) as server:
        assert server.publisher is not None
        publisher = server.publisher
        wait_until(lambda: publisher.connected, "connected")
        if how == "stuck":
            gate.stick()
        else:
            gate.shut()
        before = publisher.values
        with Client(server.urls[0]) as client:
            client.body("MONITORSTART", {"Variable": COUNTER}, "m")
            client.update("m")
            for number in range(2000, 2300):
                client.body("WRITE", {"Variable": COUNTER, "Value": number})
                while client.update("m")["Value"]["Body"] != number:
                    pass
        wait_until(lambda: publisher.values >= before + 300, "all were handed over")
        assert not publisher.dropped
        gate.flow()
        gate.let_through()
        with Subscriber(broker.port) as subscriber:
            wait_count(subscriber, 2299)


def test_the_broker_tells_that_opcws_was_killed(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    settings = support.settings(plant.endpoint, variables=VARIABLES)
    settings["state_dir"] = str(tmp_path / "state")
    settings["publish"] = {"mqtt": {"broker": broker.url, "variables": ["*"]}}
    file = tmp_path / "opcws.yaml"
    file.write_text(json.dumps(settings), "utf-8")
    command = [sys.executable, "-m", "opcws", "serve", "--config", str(file)]
    with Subscriber(broker.port, STATUS) as subscriber:
        process = subprocess.Popen(
            command,
            cwd=str(ROOT),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            subscriber.wait_for(lambda each: state(each) == 2, "Operational")
        finally:
            process.kill()
            process.wait(support.PATIENCE)
        subscriber.wait_for(lambda each: state(each) == network_messages.ERROR, "Error")
    with Subscriber(broker.port, STATUS) as subscriber:
        kept = subscriber.wait_for(lambda each: True, "the status")
        assert kept.retained and state(kept) == network_messages.ERROR
