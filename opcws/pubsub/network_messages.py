"""JSON NetworkMessages (OPC 10000-14 7.2.5), made and read.

What is made has the NetworkMessage header and one DataSetMessage.  What is read may be laid out
in every way that the standard knows: without one of the headers or both, and with many
DataSetMessages.

Pure.
"""

import json
import uuid
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Dict, Iterable, Mapping, NamedTuple, Tuple, Union

from ..wire.timestamps import parse_timestamp, timestamp_text
from ..wire.values_from_json import shown
from .field_values import Field, read_field, read_status

DATA, STATUS = "ua-data", "ua-status"
KEY_FRAME, DELTA_FRAME, EVENT, KEEP_ALIVE = (
    "ua-keyframe",
    "ua-deltaframe",
    "ua-event",
    "ua-keepalive",
)

#: PubSubState (OPC 10000-14 6.2.1).
DISABLED, PAUSED, OPERATIONAL, ERROR, PRE_OPERATIONAL = range(5)

#: ConfigurationVersionDataType (OPC 10000-14 6.2.3.2.6): MajorVersion and MinorVersion.
Version = Tuple[int, int]


class Writer(NamedTuple):
    """A DataSetWriter: the publisher and the WriterGroup that it is of, its name and id."""

    publisher: str
    group: str
    name: str
    id: int


class DataSetMessage(NamedTuple):
    """OPC 10000-14 7.2.5.4.  ``kind`` is :data:`KEY_FRAME` or another; what is not said is empty,
    0, or (0, 0)."""

    writer: Writer
    kind: str
    sequence: int
    version: Version
    ticks: int
    status: int
    fields: Mapping[str, Field]


class NetworkMessage(NamedTuple):
    """OPC 10000-14 7.2.5.3."""

    message_id: str
    messages: Tuple[DataSetMessage, ...]


class Status(NamedTuple):
    """OPC 10000-14 7.2.5.5.5.  ``state`` is :data:`OPERATIONAL` or another PubSubState;
    ``next_ticks`` is 0 unless the publisher says when it tells the next."""

    publisher: str
    state: int
    next_ticks: int = 0


Message = Union[NetworkMessage, Status]


# --- made ----------------------------------------------------------------------------------------


def _head(kind: str, publisher: str) -> str:
    return '{"MessageId":"%s","MessageType":"%s","PublisherId":%s,' % (
        uuid.uuid4(),
        kind,
        quote(publisher),
    )


def data_text(
    writer: Writer,
    kind: str,
    sequence: int,
    version: Version,
    ticks: int,
    fields: Iterable[Tuple[str, str]],
) -> str:
    """A NetworkMessage with one DataSetMessage; *fields* are names and values, as JSON."""
    return (
        _head(DATA, writer.publisher)
        + '"WriterGroupName":%s,"Messages":[{"DataSetWriterId":%d,"DataSetWriterName":%s,'
        '"SequenceNumber":%d,"MetaDataVersion":{"MajorVersion":%d,"MinorVersion":%d},'
        '"Timestamp":"%s","MessageType":"%s","Payload":{%s}}]}'
        % (
            quote(writer.group),
            writer.id,
            quote(writer.name),
            sequence,
            *version,
            timestamp_text(ticks),
            kind,
            ",".join(["%s:%s" % field for field in fields]),
        )
    )


def status_text(publisher: str, state: int) -> str:
    """How the publisher is, as long as the broker says nothing else."""
    return _head(STATUS, publisher) + '"IsCyclic":false,"Status":%d}' % state


# --- read ----------------------------------------------------------------------------------------


def parse(text: str) -> Message:
    """The message that *text* is.  Raises :exc:`ValueError` with what is wrong with it."""
    try:
        data = json.loads(text)
    except RecursionError:
        raise ValueError("objects lie too deep in one another") from None
    kind = data.get("MessageType") if isinstance(data, dict) else None
    if kind == STATUS:
        return Status(
            _text(data, "PublisherId"), _number(data, "Status"), _ticks(data, "NextReportTime")
        )
    if kind is not None and kind not in (DATA, KEY_FRAME, DELTA_FRAME, EVENT, KEEP_ALIVE):
        raise ValueError("a MessageType that is not known: %s" % shown(kind))
    above: Dict[str, Any] = {}
    listed: Any = data
    if kind == DATA:
        above = data
        listed = data.get("Messages")
    each = listed if isinstance(listed, list) else [listed]
    return NetworkMessage(
        _text(above, "MessageId"), tuple([_data_set_message(one, above) for one in each])
    )


def _data_set_message(data: Any, above: Mapping[str, Any]) -> DataSetMessage:
    """*above* is the header of the NetworkMessage."""
    if not isinstance(data, dict):
        raise ValueError("expected a DataSetMessage, got %s" % shown(data))
    headed = "Payload" in data or data.get("MessageType") in (KEY_FRAME, KEEP_ALIVE)
    head: Mapping[str, Any] = data if headed else {}
    payload = data.get("Payload", {}) if headed else data
    if not isinstance(payload, dict):
        raise ValueError("Payload: expected an object, got %s" % shown(payload))
    version = head.get("MetaDataVersion") or {}
    if not isinstance(version, dict):
        raise ValueError("MetaDataVersion: expected an object, got %s" % shown(version))
    fields: Dict[str, Field] = {}
    for name, value in payload.items():
        try:
            fields[name] = read_field(value)
        except (TypeError, ValueError) as error:
            raise ValueError("%s: %s" % (name, error)) from None
    writer = Writer(
        _text(head, "PublisherId") or _text(above, "PublisherId"),
        _text(head, "WriterGroupName") or _text(above, "WriterGroupName"),
        _text(head, "DataSetWriterName"),
        _number(head, "DataSetWriterId"),
    )
    minor = _number(version, "MinorVersion") or _number(head, "MinorVersion")
    return DataSetMessage(
        writer,
        _text(head, "MessageType") or KEY_FRAME,
        _number(head, "SequenceNumber"),
        (_number(version, "MajorVersion"), minor),
        _ticks(head, "Timestamp"),
        read_status(head.get("Status")),
        fields,
    )


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name, "")
    if isinstance(value, int):  # the PublisherId of 1.04 may be one, and the DataSetWriterId a text
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("%s: expected a text, got %s" % (name, shown(value)))
    return value


def _number(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name, 0)
    if isinstance(value, str) and value.isdecimal() and value.isascii():
        value = int(value)
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise ValueError("%s: expected a whole number, got %s" % (name, shown(value)))
    return value


def _ticks(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if value is None:
        return 0
    if not isinstance(value, str):
        raise ValueError("%s: expected a time, got %s" % (name, shown(value)))
    return parse_timestamp(value)
