"""Values of a plant reach whoever subscribes at an MQTT broker."""

import json
import re
from pathlib import Path
from typing import Any, Dict, List

import pytest

from opcws.model.data_types import DOUBLE, UINT32
from opcws.pubsub import network_messages
from opcws.pubsub.network_messages import DELTA_FRAME, KEY_FRAME, DataSetMessage

from ... import support
from ...support import PlantProcess, wait_until
from ...support.mosquitto import Mosquitto, Received, Subscriber
from ...support.publishing import (
    COUNTER,
    DATA,
    LEVEL,
    STATUS,
    configuration,
    counts,
    data,
    frames,
    publishing,
    running,
    state,
    wait_count,
    write,
)
from ...support.recipes import code

pytestmark = pytest.mark.own_plant


def test_every_value_comes_once_and_in_order_with_sequence_numbers(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=broker.url) as server:
            write(server, *range(100, 160))
            wait_count(subscriber, 159)
            status = subscriber.wait_for(lambda each: each.topic == STATUS, "a status")
            assert state(status) == network_messages.OPERATIONAL
        told = frames(subscriber)
        deltas = [
            n for each in told if each.kind == DELTA_FRAME for n in [each.fields[COUNTER].body]
        ]
        assert [n for n in deltas if n in range(100, 160)] == list(range(100, 160))
        assert [each.sequence for each in told] == list(range(1, len(told) + 1))
        assert {each.writer for each in told} == {
            network_messages.Writer("opcws", "opcws", "plant", 1)
        }
        wait_until(
            lambda: state([e for e in subscriber.received if e.topic == STATUS][-1]) == 0,
            "told that it has left",
        )


def test_the_interval_gathers_what_changed_and_key_frames_have_everything(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    mqtt = {"interval_ms": 20, "key_frame_count": 2, "variables": ["*"], "publisher": "p-1"}
    with Subscriber(broker.port, "opcua/json/data/p-1/line/plant") as subscriber:
        with publishing(plant, tmp_path, broker=broker.url, group="line", **mqtt) as server:
            write(server, 7)

            def frames_of(kind: str) -> List[DataSetMessage]:
                return [each for each in map(data, list(subscriber.received)) if each.kind == kind]

            wait_until(
                lambda: [e for e in frames_of(KEY_FRAME) if e.fields[COUNTER].body == 7],
                "a key frame with the number",
            )
            wait_until(
                lambda: [e for e in frames_of(DELTA_FRAME) if set(e.fields) == {LEVEL}],
                "a delta frame with the level alone",
            )
            assert {tuple(sorted(e.fields)) for e in frames_of(KEY_FRAME)} == {(LEVEL, COUNTER)}


def test_who_comes_later_is_given_the_last_key_frame_and_the_status(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    mqtt = {"key_frame_count": 1, "message_expiry_s": 100}
    with publishing(plant, tmp_path, broker=broker.url, **mqtt) as server:
        write(server, 11)
        with Subscriber(broker.port) as subscriber:
            wait_until(
                lambda: [e for e in frames(subscriber, KEY_FRAME) if e.fields[COUNTER].body == 11],
                "a key frame with it",
            )
        with Subscriber(broker.port) as subscriber:
            first = subscriber.wait_for(lambda each: each.topic == DATA, "the data")
            assert first.retained and data(first).kind == KEY_FRAME
            assert data(first).fields[COUNTER].body == 11
            assert 0 < first.properties.MessageExpiryInterval <= 100
            assert first.properties.ContentType == "application/json"
            status = subscriber.wait_for(lambda each: each.topic == STATUS, "the status")
            assert status.retained and state(status) == network_messages.OPERATIONAL


@pytest.mark.parametrize(
    ("payload", "numbers"), [("object", [21, 22, 23]), ("value", [25, 26, 27])]
)
def test_raw_values_have_a_topic_each_which_keeps_the_last(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess, payload: str, numbers: List[int]
) -> None:
    mqtt = {"encoding": "raw", "raw_payload": payload, "prefix": "acme/plant"}
    with publishing(plant, tmp_path, broker=broker.url, **mqtt) as server:
        with Subscriber(broker.port, "acme/plant/" + COUNTER) as subscriber:
            write(server, *numbers)

            def number(received: Received) -> Any:
                told = json.loads(received.text or "null")
                return told["Value"] if payload == "object" else told

            subscriber.wait_for(lambda each: number(each) == numbers[-1], "the last")
            told = [number(each) for each in subscriber.received]
            assert [n for n in told if n in numbers][-3:] == numbers
            if payload == "object":
                assert subscriber.received[-1].data["SourceTimestamp"] > "2026"
        with Subscriber(broker.port, "acme/plant/#") as subscriber:
            kept = subscriber.wait_for(lambda each: each.topic.endswith(COUNTER), "the value")
            assert kept.retained and number(kept) == numbers[-1]


def test_a_plant_that_is_away_is_told_and_so_is_its_return(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=broker.url) as server:
            write(server, 31)
            wait_count(subscriber, 31)
            plant.kill()
            try:
                wait_until(
                    lambda: frames(subscriber)[-1].fields[COUNTER].status == 0x808A0000,
                    "BadNotConnected",
                )
            finally:
                plant.start()
            wait_until(lambda: counts(subscriber)[-1] is not None, "a number again")


def test_a_reload_begins_changes_and_ends_publishing(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    with Subscriber(broker.port) as subscriber:
        with running(configuration(plant, tmp_path)) as server:
            support.wait_connected(server)
            assert server.publisher is None
            told = server.reload(configuration(plant, tmp_path, broker=broker.url)).lines()
            assert told == ["publish: changed"]
            write(server, 41)
            wait_count(subscriber, 41)
            raw = {"broker": broker.url, "encoding": "raw", "prefix": "plain"}
            server.reload(configuration(plant, tmp_path, **raw))
            write(server, 42)
            subscriber.wait_for(
                lambda each: each.topic == "plain/" + COUNTER and each.data["Value"] == 42, "42"
            )
            assert 42 not in counts(subscriber)
            server.reload(configuration(plant, tmp_path))
            wait_until(lambda: not server.publisher.connected, "it has left")  # type: ignore[union-attr]
        support.no_threads_left()


METADATA = "opcua/json/metadata/opcws/opcws/plant"


def types(received: Received) -> Dict[str, int]:
    """The types that a message with metadata tells, by the names of the fields."""
    message = network_messages.parse(received.text)
    assert isinstance(message, network_messages.MetaData)
    return {each.name: each.type for each in message.fields}


def wait_described(subscriber: Subscriber) -> None:
    subscriber.wait_for(
        lambda each: each.topic == METADATA and types(each).get(COUNTER) == UINT32, "metadata"
    )


def test_metadata_and_connection_tell_what_the_fields_are_and_where_they_go(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    mqtt: Dict[str, Any] = {"variables": ["*"], "key_frame_count": 1, "broker": broker.url}
    with publishing(plant, tmp_path, **mqtt) as server:
        with Subscriber(broker.port) as subscriber:

            def with_units(each: Received) -> bool:
                return each.topic == METADATA and "EngineeringUnits" in each.text

            wait_described(subscriber)
            told = network_messages.parse(subscriber.wait_for(with_units, "units").text)
            assert isinstance(told, network_messages.MetaData)
            level = {each.name: each for each in told.fields}[LEVEL]
            assert (level.type, level.is_array) == (DOUBLE, False)
            units = level.properties["EngineeringUnits"]["Value"]
            assert units["UaTypeId"] == "i=887" and units["DisplayName"]["Text"] == "%"
            assert level.properties["EURange"]["Value"]["High"] == 100
            write(server, 51)
            wait_until(
                lambda: [e for e in frames(subscriber) if e.version == told.version],
                "a frame of this version",
            )
            sent = [e for e in frames(subscriber) if e.version == told.version][-1]
            assert all(each.type == 0 for each in sent.fields.values() if each.body is not None)
        with Subscriber(broker.port) as subscriber:  # who comes later is told, too
            wait_described(subscriber)
            kept = subscriber.wait_for(
                lambda each: each.topic == "opcua/json/connection/opcws", "the connection"
            )
            assert kept.retained
            connection = network_messages.parse(kept.text)
            assert isinstance(connection, network_messages.Connection)
            (queue,) = connection.queues
            assert (queue.topic, queue.metadata_topic) == (DATA, METADATA)
            assert queue.writer == network_messages.Writer("opcws", "opcws", "plant", 1)


def _shape(data: Any) -> Any:
    """*data*, with what is another each time replaced by its kind."""
    if isinstance(data, dict):
        return {name: _shape(each) for name, each in data.items()}
    if isinstance(data, list):
        return [_shape(each) for each in data]
    if isinstance(data, int) and data > 100_000_000:
        return "a version"
    if isinstance(data, str) and re.fullmatch("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", data):
        return "an id"
    return "a time" if isinstance(data, str) and data.startswith("20") else data


def test_the_example_on_the_page_is_what_comes(
    tmp_path: Path, broker: Mosquitto, plant: PlantProcess
) -> None:
    shown = json.loads(code("machines", "{"))
    with Subscriber(broker.port) as subscriber:
        with publishing(plant, tmp_path, broker=broker.url) as server:
            wait_described(subscriber)
            write(server, 42)
            wait_count(subscriber, 42)
    came = next(
        each.data
        for each in subscriber.received
        if each.topic == DATA and data(each).fields[COUNTER].body == 42
    )
    came["Messages"][0]["SequenceNumber"] = shown["Messages"][0]["SequenceNumber"]
    came["Messages"][0]["MessageType"] = shown["Messages"][0]["MessageType"]
    assert json.dumps(_shape(came)) == json.dumps(_shape(shown))
