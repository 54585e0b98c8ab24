"""The topics of messages (OPC 10000-14 7.3.4.7) and of single values.  Pure.

The topics of requests and answers are those of Actions (7.3.4.7.9, 7.3.4.7.10), with the name of
the edge instead of the WriterGroup, so that the broker can control who uses which name.  The
messages are not Actions, but messages of the WebSocket.
"""

import re
from typing import List
from urllib.parse import unquote

from ..config.settings import Mqtt

#: Characters with a meaning in a topic; they are replaced.
_SPECIAL = re.compile(r"[%+#\x00-\x1f\x7f]")


def data(mqtt: Mqtt, writer: str) -> str:
    """The topic of the data of the DataSetWriter *writer*."""
    return _of_writer(mqtt, "data", writer)


def metadata(mqtt: Mqtt, writer: str) -> str:
    """The topic of the metadata of *writer*."""
    return _of_writer(mqtt, "metadata", writer)


def connection(mqtt: Mqtt) -> str:
    """The topic of the message that says what the publisher sends to which topic."""
    return "%s/json/connection/%s" % (mqtt.prefix, _escaped(mqtt.publisher))


def status(mqtt: Mqtt) -> str:
    """The topic of the publisher's status."""
    return "%s/json/status/%s" % (mqtt.prefix, _escaped(mqtt.publisher))


def raw(mqtt: Mqtt, variable: str) -> str:
    """The topic of the values of one variable; a ``/`` in its name makes levels."""
    return "%s/%s" % (mqtt.prefix, _escaped(variable))


def of_publisher(prefix: str, publisher: str) -> List[str]:
    """All topics of *publisher*, to subscribe to."""
    name = _escaped(publisher)
    levels = ("data/%s/#", "metadata/%s/#", "connection/%s", "status/%s")
    return ["%s/json/%s" % (prefix, each % name) for each in levels]


def request(prefix: str, publisher: str, edge: str) -> str:
    """The topic of requests of *edge* to *publisher*."""
    return _of_edge("request", prefix, publisher, edge)


def answer(prefix: str, publisher: str, edge: str) -> str:
    """The topic of answers of *publisher* to *edge*."""
    return _of_edge("response", prefix, publisher, edge)


def last_level(topic: str) -> str:
    """The last level of *topic*: the name of a DataSetWriter or of an edge."""
    return unquote(topic.rpartition("/")[2])


def _of_writer(mqtt: Mqtt, kind: str, writer: str) -> str:
    return "%s/json/%s/%s" % (mqtt.prefix, kind, _levels(mqtt.publisher, mqtt.group, writer))


def _of_edge(kind: str, prefix: str, publisher: str, edge: str) -> str:
    return "%s/json/action-%s/%s" % (prefix, kind, _levels(publisher, edge))


def _levels(*names: str) -> str:
    return "/".join([_escaped(each).replace("/", "%2F") for each in names])


def _escaped(name: str) -> str:
    return _SPECIAL.sub(lambda found: "%%%02X" % ord(found.group()), name)
