"""The published fields of one OPC UA server, their last values, and messages with them.

Threads: ``opcws-publish``; the properties of a field may be read by any.
"""

import time
from json.encoder import encode_basestring_ascii as quote
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

from ..config.settings import Mqtt
from ..model import status_codes
from ..model.clock import utc_ticks
from ..model.data_types import BYTE, EXTENSIONOBJECT, LOCALIZEDTEXT, TYPE_IDS, VARIANT, DataValue
from ..wire.notifications import Notification, Origin, generic
from ..wire.timestamps import timestamp_text
from . import field_values, network_messages, topics
from .message import Message
from .network_messages import (
    CURRENT_READ,
    CURRENT_WRITE,
    DELTA_FRAME,
    HISTORY_READ,
    KEY_FRAME,
    FieldMetaData,
    Queue,
    Version,
    Writer,
)

#: Most fields of a delta frame.
MOST_FIELDS = 1000
#: 2000-01-01 UTC in seconds since 1970: the epoch of VersionTime (OPC 10000-4 7.43).
_VERSION_EPOCH_S = 946684800
#: DataTypes of properties (OPC 10000-6 A.3).
_RANGE, _EU_INFORMATION, _ENUM_VALUE = "i=884", "i=887", "i=7594"
_WAITING: Notification = (
    *generic(0, DataValue(None, status_codes.code("BadWaitingForInitialData"))),
    Origin(()),
)


class Field:
    """A published variable: a field of a data set."""

    __slots__ = ("data_set", "name", "quoted", "topic", "last", "type")

    def __init__(self, data_set: "DataSet", name: str, topic: str) -> None:
        self.data_set = data_set
        self.name = name
        self.quoted = quote(name)
        self.topic = topic
        self.last = _WAITING
        #: The built-in type in the metadata; 0 while it is unknown.
        self.type = 0


#: A field and its new value.
Entry = Tuple[Field, Notification]


class DataSet:
    """The published *names* of variables of the OPC UA server *name*, as *mqtt* says; *number* is
    its DataSetWriterId."""

    def __init__(self, mqtt: Mqtt, name: str, number: int, names: Iterable[str]) -> None:
        self._mqtt = mqtt
        self.writer = Writer(mqtt.publisher, mqtt.group, name, number)
        self.fields: Dict[str, Field] = {}
        self.version: Version = (0, 0)
        self._topic = topics.data(mqtt, name)
        self._described: Tuple[FieldMetaData, ...] = ()
        self._sequence = 0
        self.change(names)

    def change(self, names: Iterable[str]) -> None:
        """Publish the variables *names* from now on."""
        before = self.fields
        self.fields = {
            name: before.get(name) or Field(self, name, topics.raw(self._mqtt, name))
            for name in names
        }
        if list(before) != list(self.fields):
            self._renew_version()

    def _renew_version(self) -> None:
        now = max(int(time.time()) - _VERSION_EPOCH_S, self.version[0] + 1)
        self.version = (now, now)

    @property
    def queue(self) -> Queue:
        """The topics of its messages."""
        return Queue(self.writer, self._topic, topics.metadata(self._mqtt, self.writer.name))

    def describe(self, info: Callable[[str], Mapping[str, Any]], anew: bool) -> Iterator[Message]:
        """The metadata message about the fields, if they have changed, or *anew*; *info* returns
        the known members of VALUEINFO of a variable."""
        described = tuple([_described(field, info(name)) for name, field in self.fields.items()])
        if described != self._described:
            self._described = described
            self._renew_version()
            for field, about in zip(self.fields.values(), described):
                field.type = 0 if about.is_array is None else about.type
        elif not anew:
            return
        text = network_messages.metadata_text(self.writer, self.version, utc_ticks(), described)
        yield Message(
            topics.metadata(self._mqtt, self.writer.name),
            text.encode("ascii"),
            True,
            kind=network_messages.METADATA,
            passing=True,
        )

    def deltas(self, entries: Sequence[Entry]) -> Iterator[Message]:
        """Messages with *entries*, in this order, each of them once."""
        if self._mqtt.encoding == field_values.RAW:
            for field, update in entries:
                yield self._raw(field, update)
            return
        chunk: Dict[Field, Notification] = {}
        for field, update in entries:
            if field in chunk or len(chunk) >= MOST_FIELDS:
                yield self._message(DELTA_FRAME, chunk.items())
                chunk = {}
            chunk[field] = update
        if chunk:
            yield self._message(DELTA_FRAME, chunk.items())

    def key_frame(self) -> Iterator[Message]:
        """Messages with the last value of every field."""
        last = [(field, field.last) for field in self.fields.values()]
        if self._mqtt.encoding == field_values.RAW:
            for field, update in last:
                yield self._raw(field, update)
        elif last:
            yield self._message(KEY_FRAME, last)

    def _message(self, kind: str, entries: Iterable[Entry]) -> Message:
        encoding = self._mqtt.encoding
        fields: List[Tuple[str, str]] = []
        for field, (layout, row, origin) in entries:
            value = layout.data_value(row)
            fields.append(
                (
                    field.quoted,
                    field_values.field_text(encoding, value, origin.namespaces, field.type),
                )
            )
        self._sequence = self._sequence % 0xFFFFFFFF + 1
        text = network_messages.data_text(
            self.writer, kind, self._sequence, self.version, utc_ticks(), fields
        )
        return Message(
            self._topic,
            text.encode("ascii"),
            kind == KEY_FRAME,
            self._mqtt.message_expiry_s,
            network_messages.DATA,
        )

    def _raw(self, field: Field, update: Notification) -> Message:
        layout, row, origin = update
        value = layout.data_value(row)
        alone = field_values.value_alone(value, origin.namespaces)
        is_object = self._mqtt.raw_payload == "object"
        text = alone
        if is_object:
            members = ['"Value":%s' % (alone or "null")]
            if value.status:
                status = field_values.status_text(field_values.VERBOSE, value.status)
                members.append('"Status":%s' % status)
            if value.moment > 0:
                members.append('"SourceTimestamp":"%s"' % timestamp_text(value.moment))
            text = "{%s}" % ",".join(members)
        # The broker keeps the newest value of each variable.
        return Message(field.topic, text.encode("ascii"), True, marks=is_object)


def connection(mqtt: Mqtt, data_sets: Iterable[DataSet]) -> Message:
    """The message that says what is sent to which topic."""
    text = network_messages.connection_text(
        mqtt.publisher,
        mqtt.group,
        utc_ticks(),
        mqtt.encoding,
        mqtt.interval_ms,
        mqtt.key_frame_count,
        [each.queue for each in data_sets],
    )
    return Message(
        topics.connection(mqtt),
        text.encode("ascii"),
        True,
        kind=network_messages.CONNECTION,
        passing=True,
    )


def is_new(entry: Entry) -> bool:
    """Whether the type of its field was unknown until now."""
    field, (layout, row, _origin) = entry
    return not field.type and layout.data_value(row).value is not None


def _described(field: Field, info: Mapping[str, Any]) -> FieldMetaData:
    layout, row, _origin = field.last
    value = layout.data_value(row).value
    type_id = TYPE_IDS.get(info.get("Type", ""), 0)
    is_array: Optional[bool] = info.get("IsArray")
    if value is not None:
        type_id = type_id or value.type
        is_array = value.is_array if is_array is None else is_array
    properties: Dict[str, Any] = {}
    if "Access" in info:
        level = CURRENT_READ * ("read" in info["Access"]) + CURRENT_WRITE * (
            "write" in info["Access"]
        )
        level += HISTORY_READ * ("HistorySource" in info)
        properties["AccessLevel"] = {"UaType": BYTE, "Value": level}
    units, span = info.get("EngineeringUnits"), info.get("EURange")
    if isinstance(units, Mapping):
        properties["EngineeringUnits"] = _structure(_EU_INFORMATION, units)
    if isinstance(span, Mapping):
        properties["EURange"] = _structure(_RANGE, span)
    names = info.get("EnumStrings")
    if isinstance(names, list):
        properties["EnumStrings"] = {
            "UaType": LOCALIZEDTEXT,
            "Value": [{"Text": name} for name in names],
        }
    listed = info.get("EnumValues")
    if isinstance(listed, list) and "EnumStrings" not in properties:
        properties["EnumValues"] = {
            "UaType": EXTENSIONOBJECT,
            "Value": [
                {
                    "UaTypeId": _ENUM_VALUE,
                    "Value": str(each["Value"]),
                    "DisplayName": {"Text": each["DisplayName"]},
                }
                for each in listed
            ],
        }
    return FieldMetaData(
        field.name, type_id or VARIANT, is_array, info.get("Description") or "", properties
    )


def _structure(type_id: str, members: Mapping[str, Any]) -> Mapping[str, Any]:
    texts = ("DisplayName", "Description")
    fields = {
        name: {"Text": value} if name in texts and isinstance(value, str) else value
        for name, value in members.items()
    }
    return {"UaType": EXTENSIONOBJECT, "Value": {"UaTypeId": type_id, **fields}}


def grouped(entries: Iterable[Entry]) -> Iterator[Tuple[DataSet, List[Entry]]]:
    """*entries* by their data sets; stores each as the last value of its field."""
    found: Dict[DataSet, List[Entry]] = {}
    for entry in entries:
        field, update = entry
        field.last = update
        found.setdefault(field.data_set, []).append(entry)
    yield from found.items()
