"""Makes and reads JSON NetworkMessages (OPC 10000-14 7.2.5).

opcws makes them with the NetworkMessage header and one DataSetMessage.  It reads every layout of
the standard: without one or both of the headers, and with many DataSetMessages.

Pure.
"""

import json
import uuid
from json.encoder import encode_basestring_ascii as quote
from typing import Any, Dict, Iterable, List, Mapping, NamedTuple, Optional, Tuple, Union

from ..model.data_types import INT32, STRING, TYPE_NAMES, VARIANT
from ..wire.timestamps import parse_timestamp, timestamp_text
from ..wire.values_from_json import shown
from .field_values import COMPACT, REVERSIBLE, VERBOSE, Field, read_field, read_status

DATA, METADATA = "ua-data", "ua-metadata"
STATUS, CONNECTION = "ua-status", "ua-connection"
KEY_FRAME, DELTA_FRAME, EVENT, KEEP_ALIVE = (
    "ua-keyframe",
    "ua-deltaframe",
    "ua-event",
    "ua-keepalive",
)

#: PubSubState (OPC 10000-14 6.2.1).
DISABLED, PAUSED, OPERATIONAL, ERROR, PRE_OPERATIONAL = range(5)

#: Bits of an AccessLevel (OPC 10000-3 8.57); here it is a property of a field.
CURRENT_READ, CURRENT_WRITE, HISTORY_READ = 1, 2, 4

#: ConfigurationVersionDataType (OPC 10000-14 6.2.3.2.6): MajorVersion and MinorVersion.
Version = Tuple[int, int]


class Writer(NamedTuple):
    """A DataSetWriter: its publisher and WriterGroup, its name and id."""

    publisher: str
    group: str
    name: str
    id: int


class DataSetMessage(NamedTuple):
    """OPC 10000-14 7.2.5.4.  ``kind`` is :data:`KEY_FRAME` or another; missing members are empty,
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
    ``next_ticks`` is 0 unless the publisher says when it sends the next status."""

    publisher: str
    state: int
    next_ticks: int = 0


class FieldMetaData(NamedTuple):
    """OPC 10000-14 6.2.3.2.4.  ``type`` is a built-in type, VARIANT for any; ``is_array`` is
    ``None`` if it may be either; ``properties`` are Variants as JSON, by name."""

    name: str
    type: int
    is_array: Optional[bool]
    description: str = ""
    properties: Mapping[str, Any] = {}


class MetaData(NamedTuple):
    """OPC 10000-14 7.2.5.5.2: descriptions of the fields of a DataSetWriter."""

    writer: Writer
    version: Version
    ticks: int
    fields: Tuple[FieldMetaData, ...]


class Queue(NamedTuple):
    """A DataSetWriter, the topic of its messages, and that of its metadata; unknown ones are
    empty."""

    writer: Writer
    topic: str
    metadata_topic: str


class Connection(NamedTuple):
    """OPC 10000-14 7.2.5.5.6: what a publisher sends to which topic.  ``silence_s`` is the longest
    time between two of its messages, 0 if unknown."""

    publisher: str
    ticks: int
    queues: Tuple[Queue, ...]
    silence_s: float = 0.0


Message = Union[NetworkMessage, Status, MetaData, Connection]


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


def status_text(publisher: str, state: int, next_ticks: int = 0) -> str:
    """The status of the publisher.  It is valid until the broker publishes another one, or until
    *next_ticks*, when the publisher will send the next."""
    text = _head(STATUS, publisher) + '"IsCyclic":%s,"Status":%d' % (
        "true" if next_ticks else "false",
        state,
    )
    if next_ticks:
        text += ',"NextReportTime":"%s"' % timestamp_text(next_ticks)
    return text + "}"


#: Contents of the messages that are made here (OPC 10000-14 6.3.2.1, 6.3.2.3, 6.2.4.2): both
#: headers, PublisherId and WriterGroupName; DataSetWriterId, MetaDataVersion, SequenceNumber,
#: Timestamp, MessageType and DataSetWriterName, and the encoding; StatusCode and SourceTimestamp.
NETWORK_MESSAGE_MASK = 0x4B
_DATA_SET_MESSAGE_MASK = 0x6F
_ENCODING_MASKS = {REVERSIBLE: 0x80, VERBOSE: 0x800, COMPACT: 0x880}
FIELD_MASK = 0x3
#: DataTypes of abstract members (OPC 10000-6 A.3).
_JSON_GROUP, _JSON_WRITER, _BROKER_WRITER = "i=15657", "i=15664", "i=15669"
_MQTT_JSON = "http://opcfoundation.org/UA-Profile/Transport/pubsub-mqtt-json"
#: BrokerTransportQualityOfService.
_AT_LEAST_ONCE = 2


def metadata_text(
    writer: Writer, version: Version, ticks: int, fields: Iterable[FieldMetaData]
) -> str:
    """Descriptions of *fields*, in the order of a key frame."""
    described: List[Dict[str, Any]] = []
    for field in fields:
        about: Dict[str, Any] = {"Name": field.name}
        if field.description:
            about["Description"] = {"Text": field.description}
        about["BuiltInType"] = field.type
        about["DataType"] = "i=%d" % field.type
        about["ValueRank"] = {True: 1, False: -1, None: -2}[field.is_array]
        identity = "/".join((writer.publisher, writer.group, writer.name, field.name))
        about["DataSetFieldId"] = str(uuid.uuid5(uuid.NAMESPACE_URL, identity))
        if field.properties:
            about["Properties"] = [
                {"Key": name, "Value": value} for name, value in field.properties.items()
            ]
        described.append(about)
    metadata = {
        "Name": writer.name,
        "Fields": described,
        "ConfigurationVersion": {"MajorVersion": version[0], "MinorVersion": version[1]},
    }
    return _head(METADATA, writer.publisher) + (
        '"DataSetWriterId":%d,"WriterGroupName":%s,"DataSetWriterName":%s,"Timestamp":"%s",'
        '"MetaData":%s}'
        % (
            writer.id,
            quote(writer.group),
            quote(writer.name),
            timestamp_text(ticks),
            json.dumps(metadata, separators=(",", ":")),
        )
    )


def connection_text(
    publisher: str,
    group: str,
    ticks: int,
    encoding: str,
    interval_ms: float,
    key_frame_count: int,
    queues: Iterable[Queue],
) -> str:
    """What *publisher* sends to which topic; *queues* belong to the WriterGroup *group*."""
    writers = [
        {
            "Name": each.writer.name,
            "Enabled": True,
            "DataSetWriterId": each.writer.id,
            "DataSetFieldContentMask": FIELD_MASK,
            "KeyFrameCount": key_frame_count,
            "DataSetName": each.writer.name,
            "TransportSettings": {
                "UaTypeId": _BROKER_WRITER,
                "QueueName": each.topic,
                "RequestedDeliveryGuarantee": _AT_LEAST_ONCE,
                "MetaDataQueueName": each.metadata_topic,
            },
            "MessageSettings": {
                "UaTypeId": _JSON_WRITER,
                "DataSetMessageContentMask": _DATA_SET_MESSAGE_MASK | _ENCODING_MASKS[encoding],
            },
        }
        for each in queues
    ]
    connection = {
        "Name": publisher,
        "Enabled": True,
        "PublisherId": {"UaType": STRING, "Value": publisher},
        "TransportProfileUri": _MQTT_JSON,
        "WriterGroups": [
            {
                "Name": group,
                "Enabled": True,
                "WriterGroupId": 1,
                "PublishingInterval": interval_ms,
                "MessageSettings": {
                    "UaTypeId": _JSON_GROUP,
                    "NetworkMessageContentMask": NETWORK_MESSAGE_MASK,
                },
                "DataSetWriters": writers,
            }
        ],
    }
    return _head(CONNECTION, publisher) + '"Timestamp":"%s","Connection":%s}' % (
        timestamp_text(ticks),
        json.dumps(connection, separators=(",", ":")),
    )


# --- read ----------------------------------------------------------------------------------------

#: A BuiltInType that is no built-in type (OPC 10000-6 5.1.2).
_ENUMERATION = 29
#: Most digits of a number: more than any type has.
_MOST_DIGITS = 400
#: Least seconds of a PublishingInterval when counting key frames, as in the publisher.
KEY_FRAME_INTERVAL_S = 1.0


def parse(text: str) -> Message:
    """The message in *text*.  Raises :exc:`ValueError` with what is wrong with it."""
    try:
        data = json.loads(text, parse_int=_whole)
    except RecursionError:
        raise ValueError("objects lie too deep in one another") from None
    kind = data.get("MessageType") if isinstance(data, dict) else None
    if kind == STATUS:
        return Status(
            _text(data, "PublisherId"), _number(data, "Status"), _ticks(data, "NextReportTime")
        )
    if kind == METADATA:
        return _metadata(data)
    if kind == CONNECTION:
        return _connection(data)
    if kind is not None and kind not in (DATA, KEY_FRAME, DELTA_FRAME, EVENT, KEEP_ALIVE):
        raise ValueError("a MessageType that is not known: %s" % shown(kind))
    above: Dict[str, Any] = {}
    listed: Any = data
    if kind == DATA:
        above = data
        listed = data.get("Messages")
    each = listed if isinstance(listed, list) else [listed]
    if any(isinstance(one, dict) and one.get("MessageType") == DATA for one in each):
        raise ValueError("an array of NetworkMessages; a message has one (OPC Publisher: --strict)")
    return NetworkMessage(
        _text(above, "MessageId"), tuple([_data_set_message(one, above) for one in each])
    )


def _whole(text: str) -> int:
    if len(text) > _MOST_DIGITS:
        raise ValueError("a number of %d digits" % len(text))
    return int(text)


def _data_set_message(data: Any, above: Mapping[str, Any]) -> DataSetMessage:
    """*above* is the header of the NetworkMessage."""
    if not isinstance(data, dict):
        raise ValueError("expected a DataSetMessage, got %s" % shown(data))
    headed = "Payload" in data or data.get("MessageType") in (KEY_FRAME, KEEP_ALIVE)
    head: Mapping[str, Any] = data if headed else {}
    payload = data.get("Payload", {}) if headed else data
    if not isinstance(payload, dict):
        raise ValueError("Payload: expected an object, got %s" % shown(payload))
    version = _object(head, "MetaDataVersion")
    fields: Dict[str, Field] = {}
    for name, value in payload.items():
        try:
            fields[name] = read_field(value)
        except (OverflowError, TypeError, ValueError) as error:
            raise ValueError("%s: %s" % (name, error)) from None
    minor = _number(version, "MinorVersion") or _number(head, "MinorVersion")
    return DataSetMessage(
        _writer(head, above),
        _text(head, "MessageType") or KEY_FRAME,
        _number(head, "SequenceNumber"),
        (_number(version, "MajorVersion"), minor),
        _ticks(head, "Timestamp"),
        read_status(head.get("Status")),
        fields,
    )


def _writer(head: Mapping[str, Any], above: Mapping[str, Any]) -> Writer:
    name, number = _text(head, "DataSetWriterName"), head.get("DataSetWriterId")
    # Before the errata of 1.04 it was a text; OPC Publisher writes its name there.
    is_name = isinstance(number, str) and not (number.isdecimal() and number.isascii())
    return Writer(
        _text(head, "PublisherId") or _text(above, "PublisherId"),
        _text(head, "WriterGroupName") or _text(above, "WriterGroupName"),
        name or (str(number) if is_name else ""),
        0 if is_name else _number(head, "DataSetWriterId"),
    )


def _metadata(data: Mapping[str, Any]) -> MetaData:
    metadata = _object(data, "MetaData")
    version = _object(metadata, "ConfigurationVersion")
    return MetaData(
        _writer(data, {}),
        (_number(version, "MajorVersion"), _number(version, "MinorVersion")),
        _ticks(data, "Timestamp"),
        tuple([_field_metadata(each) for each in _objects(metadata, "Fields")]),
    )


def _field_metadata(data: Mapping[str, Any]) -> FieldMetaData:
    rank = data.get("ValueRank", -1)
    if not isinstance(rank, int) or isinstance(rank, bool):
        raise ValueError("ValueRank: expected a whole number, got %s" % shown(rank))
    properties: Dict[str, Any] = {}
    for each in _objects(data, "Properties"):
        key = each.get("Key")  # an object in 1.04
        properties[_text(key, "Name") if isinstance(key, dict) else _text(each, "Key")] = each.get(
            "Value"
        )
    type_id = _number(data, "BuiltInType")
    if type_id not in TYPE_NAMES:  # Number, Integer or UInteger, or an Enumeration
        type_id = INT32 if type_id == _ENUMERATION else VARIANT
    return FieldMetaData(
        _text(data, "Name"),
        type_id,
        None if rank in (-2, -3) else rank >= 0,
        _text(_object(data, "Description"), "Text"),
        properties,
    )


def _connection(data: Mapping[str, Any]) -> Connection:
    publisher = _text(data, "PublisherId")
    queues: List[Queue] = []
    silences: List[float] = []
    for group in _objects(_object(data, "Connection"), "WriterGroups"):
        for each in _objects(group, "DataSetWriters"):
            settings = _object(each, "TransportSettings")
            settings = _object(settings, "Body") or settings  # 1.04 has a Body
            writer = Writer(
                publisher,
                _text(group, "Name"),
                _text(each, "Name"),
                _number(each, "DataSetWriterId"),
            )
            queues.append(
                Queue(writer, _text(settings, "QueueName"), _text(settings, "MetaDataQueueName"))
            )
            silences.append(_silence_s(group, each))
    return Connection(
        publisher,
        _ticks(data, "Timestamp"),
        tuple(queues),
        min([each for each in silences if each], default=0.0),
    )


def _silence_s(group: Mapping[str, Any], writer: Mapping[str, Any]) -> float:
    """The longest time in which *writer* sends nothing (OPC 10000-14 6.2.6.1 and 6.2.4.3), 0 if
    unknown."""
    keep_alive, interval = _milliseconds(group, "KeepAliveTime"), group.get("PublishingInterval")
    if keep_alive > 0:
        return keep_alive / 1000.0
    if interval is None:
        return 0.0
    interval_s = _milliseconds(group, "PublishingInterval") / 1000.0
    return _number(writer, "KeyFrameCount") * max(interval_s, KEY_FRAME_INTERVAL_S)


def _milliseconds(data: Mapping[str, Any], name: str) -> float:
    value = data.get(name, 0)
    if not isinstance(value, (int, float)) or isinstance(value, bool) or not 0 <= value <= 1e12:
        raise ValueError("%s: expected milliseconds, got %s" % (name, shown(value)))
    return float(value)


def _object(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = data.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError("%s: expected an object, got %s" % (name, shown(value)))
    return value


def _objects(data: Mapping[str, Any], name: str) -> List[Mapping[str, Any]]:
    value = data.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise ValueError("%s: expected an array of objects, got %s" % (name, shown(value)))
    return value


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:  # open62541 writes null for a missing text
        return ""
    if isinstance(value, int):  # PublisherId may be a number in 1.04, DataSetWriterId a text
        value = str(value)
    if not isinstance(value, str):
        raise ValueError("%s: expected a text, got %s" % (name, shown(value)))
    return value


def _number(data: Mapping[str, Any], name: str) -> int:
    value = data.get(name)
    if value is None:
        return 0
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
