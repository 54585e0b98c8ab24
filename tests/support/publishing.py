"""opcws that publishes values of the demo plant, and the messages that a subscriber gets."""

import contextlib
import json
from pathlib import Path
from typing import Any, Dict, Iterator, List

from opcws.app import Server
from opcws.config import loads
from opcws.pubsub import network_messages
from opcws.pubsub.network_messages import DataSetMessage, NetworkMessage

from . import URI, Client, PlantProcess, no_threads_left, settings, wait_connected, wait_until
from .mosquitto import Received, Subscriber

COUNTER, LEVEL = "Test.Counter", "Boiler.Level"
VARIABLES: Dict[str, Any] = {
    COUNTER: {"node": "nsu=%s;s=%s" % (URI, COUNTER), "access": "readwrite"},
    LEVEL: {"node": "nsu=%s;s=%s" % (URI, LEVEL)},
}
DATA = "opcua/json/data/opcws/opcws/plant"
STATUS = "opcua/json/status/opcws"


@contextlib.contextmanager
def publishing(plant: PlantProcess, directory: Path, **mqtt: Any) -> Iterator[Server]:
    with running(configuration(plant, directory, **mqtt)) as server:
        wait_connected(server)
        yield server
    no_threads_left()


def configuration(plant: PlantProcess, directory: Path, **mqtt: Any) -> Any:
    made = settings(plant.endpoint, variables=VARIABLES)
    made["state_dir"] = str(directory / "state")
    if mqtt:
        made["publish"] = {"mqtt": {"interval_ms": 0, "variables": [COUNTER], **mqtt}}
    return loads(json.dumps(made))


@contextlib.contextmanager
def running(config: Any) -> Iterator[Server]:
    server = Server(config)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def write(server: Server, *numbers: int) -> None:
    with Client(server.urls[0]) as client:
        for number in numbers:
            client.body("WRITE", {"Variable": COUNTER, "Value": number})


def data(received: Received) -> DataSetMessage:
    message = network_messages.parse(received.text)
    assert isinstance(message, NetworkMessage)
    (only,) = message.messages
    return only


def frames(subscriber: Subscriber, kind: str = "") -> List[DataSetMessage]:
    """Messages of the data set, in order."""
    found = [data(each) for each in list(subscriber.received) if each.topic == DATA]
    return [each for each in found if kind in each.kind]


def counts(subscriber: Subscriber) -> List[Any]:
    """Every received number of the counter."""
    return [each.fields[COUNTER].body for each in frames(subscriber) if COUNTER in each.fields]


def wait_count(subscriber: Subscriber, number: int) -> None:
    wait_until(lambda: number in counts(subscriber), "%d came" % number)


def state(received: Received) -> int:
    message = network_messages.parse(received.text)
    assert isinstance(message, network_messages.Status)
    return message.state


def once(subscriber: Subscriber) -> List[Received]:
    """Messages of the data set without repetitions, which have the same MessageId."""
    by_id: Dict[str, Received] = {}
    for each in list(subscriber.received):
        if each.topic == DATA and not each.retained:
            message_id = each.data["MessageId"]
            assert by_id.setdefault(message_id, each).data == each.data
    return list(by_id.values())
