"""Where messages go (OPC 10000-14 7.3.4.7), and where single values do.  Pure.

The topics of requests and answers are those of Actions (7.3.4.7.9, 7.3.4.7.10), with the name of
whoever asks in the place of the WriterGroup, so that the broker can say who may ask by which name.
What goes there is no Action but a message of the WebSocket.
"""

import re
from typing import List
from urllib.parse import unquote

from ..config.settings import Mqtt

#: What has a meaning in a topic, and what stands for it here.
_SPECIAL = re.compile(r"[%+#\x00-\x1f\x7f]")


def data(mqtt: Mqtt, writer: str) -> str:
    """The topic of what the DataSetWriter *writer* sends."""
    return _of_writer(mqtt, "data", writer)


def metadata(mqtt: Mqtt, writer: str) -> str:
    """The topic of what the fields of *writer* are."""
    return _of_writer(mqtt, "metadata", writer)


def connection(mqtt: Mqtt) -> str:
    """The topic that says what the publisher sends where."""
    return "%s/json/connection/%s" % (mqtt.prefix, _escaped(mqtt.publisher))


def status(mqtt: Mqtt) -> str:
    """The topic that says whether the publisher works."""
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
    """The topic of what *edge* asks of *publisher*."""
    return _of_edge("request", prefix, publisher, edge)


def answer(prefix: str, publisher: str, edge: str) -> str:
    """The topic of what *publisher* answers *edge*."""
    return _of_edge("response", prefix, publisher, edge)


def last_level(topic: str) -> str:
    """The name that is the last level of *topic*: of a DataSetWriter, or of who asks."""
    return unquote(topic.rpartition("/")[2])


def _of_writer(mqtt: Mqtt, kind: str, writer: str) -> str:
    return "%s/json/%s/%s" % (mqtt.prefix, kind, _levels(mqtt.publisher, mqtt.group, writer))


def _of_edge(kind: str, prefix: str, publisher: str, edge: str) -> str:
    return "%s/json/action-%s/%s" % (prefix, kind, _levels(publisher, edge))


def _levels(*names: str) -> str:
    return "/".join([_escaped(each).replace("/", "%2F") for each in names])


def _escaped(name: str) -> str:
    return _SPECIAL.sub(lambda found: "%%%02X" % ord(found.group()), name)
