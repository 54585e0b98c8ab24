"""opcws that serves values from a broker; and a publisher that is not ours."""

import contextlib
import json
from typing import Any, Dict, Iterator, Optional

from opcws.app import Server
from opcws.config import loads

from .mosquitto import Subscriber
from .publishing import running
from .waiting import PATIENCE, wait_until

#: Settings of a server at a broker in tests, in which nothing is given up for being slow.
PATIENT = {
    **{"reconnect_min_ms": 50, "reconnect_max_ms": 200},
    **{"request_timeout_ms": PATIENCE * 1000, "history_timeout_ms": PATIENCE * 1000},
}


def configuration(url: str, variables: Optional[Dict[str, Any]] = None, **server: Any) -> Any:
    """*variables* may be left out, as in a configuration."""
    section = {"endpoint": url, **PATIENT, **server}
    if variables is not None:
        section["variables"] = variables
    return loads(json.dumps({"listen": {"port": 0}, "servers": {"hall": section}}))


@contextlib.contextmanager
def edge(url: str, variables: Optional[Dict[str, Any]] = None, **server: Any) -> Iterator[Server]:
    with running(configuration(url, variables, **server)) as serving:
        yield serving


def state(server: Server) -> str:
    told: str = server.plants["hall"].status()["State"]
    return told


def wait_state(server: Server, wanted: str) -> Dict[str, Any]:
    """The publisher in /status, once its state is *wanted*."""
    wait_until(lambda: state(server) == wanted, wanted)
    return dict(server.plants["hall"].status())


class Foreign:
    """A publisher that writes the least that OPC 10000-14 requires, by hand."""

    def __init__(self, subscriber: Subscriber, name: str = "press") -> None:
        self.name = name
        self._client = subscriber.client
        self.sequence = 0

    def send(self, kind: str, text: str, retain: bool = False, levels: str = "") -> None:
        topic = "opcua/json/%s/%s%s" % (kind, self.name, levels)
        sent = self._client.publish(topic, text, 1, retain)
        sent.wait_for_publish(60.0)

    def status(self, state: int) -> None:
        message = {"MessageId": "s", "MessageType": "ua-status", "PublisherId": self.name}
        self.send("status", json.dumps({**message, "Status": state}), True)

    def metadata(self, *fields: Dict[str, Any], writer: int = 7, retain: bool = True) -> None:
        message = {
            "MessageId": "m",
            "MessageType": "ua-metadata",
            "PublisherId": self.name,
            "DataSetWriterId": writer,
            "MetaData": {
                "Name": "line",
                "Fields": list(fields),
                "ConfigurationVersion": {"MajorVersion": 1, "MinorVersion": 1},
            },
        }
        self.send("metadata", json.dumps(message), retain, "/g/w%d" % writer)

    def values(self, writer: int = 7, skip: int = 0, retain: bool = False, **payload: Any) -> None:
        """Send the next message, or a later one, as if *skip* were lost."""
        self.sequence += 1 + skip
        message = {
            "MessageId": "%d-%d" % (writer, self.sequence),
            "MessageType": "ua-data",
            "PublisherId": self.name,
            "Messages": [
                {
                    "DataSetWriterId": writer,
                    "SequenceNumber": self.sequence,
                    "MessageType": "ua-keyframe" if retain else "ua-deltaframe",
                    "Payload": payload,
                }
            ],
        }
        self.send("data", json.dumps(message), retain, "/g/w%d" % writer)
