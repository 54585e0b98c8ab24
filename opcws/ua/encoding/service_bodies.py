"""Bodies, as bytes, of the services that are called often or carry much: Read, Write, Publish,
HistoryRead, Browse, TranslateBrowsePathsToNodeIds.

They are the parameters of requests and responses (OPC 10000-4 5, encoded as OPC 10000-6 5.2); the
link adds and reads the headers.  A body that cannot be read raises
:exc:`~opcws.model.errors.CodecError`.
"""

import struct
from functools import lru_cache, partial
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, TypeVar

from ...model import status_codes
from ...model.data_types import (
    NULL_NODE_ID,
    STATUSCODE,
    UINT32,
    DataValue,
    NodeId,
    QualifiedName,
    Variant,
)
from ...model.errors import CodecError
from ...wire.notifications import Change
from .codec import (
    DOUBLE_PACKING,
    I32_PACKING,
    I64_PACKING,
    MAX_PASSED,
    NUMBERS,
    TIMES_BYTES,
    U32_PACKING,
    Definitions,
    Reader,
    TolerantReader,
    decoded,
    encode_bytestring,
    encode_data_value,
    encode_node_id,
    encode_qualified_name,
    encode_string,
    list_of,
    no_definitions,
)
from .notifications import read_changes

#: Ids of the binary encodings of the services and structures used here (OPC 10000-6 annex A).
SERVICE_FAULT = 397
CANCEL_REQUEST = 479
BROWSE_REQUEST, BROWSE_NEXT_REQUEST = 527, 533
TRANSLATE_REQUEST = 554
READ_REQUEST, READ_RESPONSE = 631, 634
HISTORY_READ_REQUEST, HISTORY_READ_RESPONSE = 664, 667
WRITE_REQUEST, WRITE_RESPONSE = 673, 676
PUBLISH_REQUEST, PUBLISH_RESPONSE = 826, 829
READ_RAW_MODIFIED_DETAILS, READ_PROCESSED_DETAILS = 649, 652
HISTORY_DATA = 658
REPUBLISH_REQUEST, REPUBLISH_RESPONSE = 832, 835
CREATE_ITEMS_REQUEST, DELETE_ITEMS_REQUEST = 751, 781
CREATE_SUBSCRIPTION_REQUEST, MODIFY_SUBSCRIPTION_REQUEST = 787, 793
DATA_CHANGE_NOTIFICATION, STATUS_CHANGE_NOTIFICATION = 811, 820
EVENT_NOTIFICATION_LIST = 916

#: Attributes (OPC 10000-6 annex A.1).
ATTRIBUTE_NODE_CLASS = 2
ATTRIBUTE_BROWSE_NAME = 3
ATTRIBUTE_DESCRIPTION = 5
ATTRIBUTE_VALUE = 13
ATTRIBUTE_DATA_TYPE = 14
ATTRIBUTE_VALUE_RANK = 15
ATTRIBUTE_ACCESS_LEVEL = 17
ATTRIBUTE_USER_ACCESS_LEVEL = 18
ATTRIBUTE_MINIMUM_SAMPLING_INTERVAL = 19
ATTRIBUTE_HISTORIZING = 20
ATTRIBUTE_DATA_TYPE_DEFINITION = 23

HAS_PROPERTY = NodeId(0, 46)
#: To the object that describes a variable's history, and its BrowseName (OPC 10000-11 5.2).
HAS_HISTORICAL_CONFIGURATION = NodeId(0, 56)
HISTORICAL_CONFIGURATION = "HA Configuration"

#: Results that say that a call asked for too much at a time.  After the first two the server has
#: executed nothing, so that even a write may be sent again in parts.
NOTHING_DONE = ("BadTooManyOperations", "BadRequestTooLarge")
TOO_MUCH = (*NOTHING_DONE, "BadResponseTooLarge", "BadEncodingLimitsExceeded")

_HEADER_REST = struct.Struct("<qIIBi")
#: SubscriptionId and the number of AvailableSequenceNumbers; MoreNotifications, SequenceNumber,
#: PublishTime and the number of notifications (OPC 10000-4 5.14.5 and 7.26).
_AVAILABLE = struct.Struct("<Ii")
_MESSAGE_HEAD = struct.Struct("<?Iqi")

#: A value of at most this size is small: a call may bring any number of small values.
SMALL_BYTES = 512

#: A DataValue's mask (Value, SourceTimestamp, ServerTimestamp) and its Variant's encoding: the
#: type, and how they and what follows are packed (OPC 10000-6 5.2.2.16, 5.2.2.17).
_NUMBER_WITH_TIMES: Dict[bytes, Tuple[int, struct.Struct]] = {
    bytes((0x0D, type_id)): (type_id, struct.Struct("<xx%sqq" % packing.format[1:]))
    for type_id, packing in NUMBERS.items()
}

T = TypeVar("T")


class ResponseHead(NamedTuple):
    """What comes before the parameters of every response (OPC 10000-4 7.34)."""

    type_id: int
    service_result: int
    position: int


class PublishHead(NamedTuple):
    """What the next publish request needs of a PublishResponse (OPC 10000-4 5.14.5)."""

    subscription_id: int
    sequence_number: int
    is_keep_alive: bool
    more: bool
    published_at: int


class Notifications(NamedTuple):
    """The content of a PublishResponse or RepublishResponse: data changes as rows, in order;
    ``status`` is that of a StatusChangeNotification, or 0; ``events`` says whether there were
    any."""

    subscription_id: int
    sequence_number: int
    changes: List[Change]
    status: int
    events: bool = False


class Reference(NamedTuple):
    """A ReferenceDescription (OPC 10000-4 7.30); ``node_id`` is ``None`` if it is not UTF-8 and so
    cannot be written as text."""

    type: NodeId
    is_forward: bool
    node_id: Optional[NodeId]
    name: str
    node_class: int
    type_definition: NodeId


class BrowseResult(NamedTuple):
    """OPC 10000-4 7.6."""

    status: int
    continuation_point: Optional[bytes]
    references: List[Reference]


class HistoryResult(NamedTuple):
    """One node's HistoryReadResult (OPC 10000-4 5.11.3); ``problem`` says why the data after
    ``values`` cannot be decoded."""

    status: int
    continuation_point: Optional[bytes]
    values: List[DataValue]
    problem: Optional[CodecError] = None


def response_head(data: bytes) -> ResponseHead:
    """Raises :exc:`~opcws.model.errors.CodecError` if *data* is not a response."""
    try:
        if data[0] == 1 and data[1] == 0:
            type_id = data[2] | data[3] << 8
            position = 4
        else:
            reader = Reader(data)
            node_id = reader.node_id()
            type_id = node_id.identifier if isinstance(node_id.identifier, int) else -1
            position = reader.position
        _time, _handle, result, mask, strings = _HEADER_REST.unpack_from(data, position)
        if mask == 0 and strings <= 0 and data[position + 21 : position + 24] == b"\x00\x00\x00":
            return ResponseHead(type_id, result, position + 24)
        reader = Reader(data, position + 16)
        reader.pass_diagnostic_info()
        for _ in range(_few(reader.length())):
            reader.pass_bytes()
        reader.extension_object()
        return ResponseHead(type_id, result, reader.position)
    except (struct.error, IndexError) as error:
        raise CodecError("the response's header is incomplete: %s" % error) from None


def service_fault(status: int) -> bytes:
    """A ServiceFault (OPC 10000-4 7.35) with *status*."""
    return b"".join(
        [
            b"\x01\x00",
            SERVICE_FAULT.to_bytes(2, "little"),
            _HEADER_REST.pack(0, 0, status, 0, 0),
            b"\x00\x00\x00",
        ]
    )


def _few(strings: int) -> int:
    if strings > MAX_PASSED:
        raise CodecError("a StringTable of %d" % strings)
    return max(strings, 0)


def read_value_id(
    node_id: bytes, attribute: int = ATTRIBUTE_VALUE, index_range: Optional[str] = None
) -> bytes:
    """A ReadValueId (OPC 10000-4 7.29) of an encoded NodeId, without data encoding."""
    return b"".join(
        [
            node_id,
            U32_PACKING.pack(attribute),
            encode_string(index_range),
            b"\x00\x00\xff\xff\xff\xff",
        ]
    )


@lru_cache(maxsize=16384)
def value_of(node_id: bytes, index_range: Optional[str] = None) -> bytes:
    """The :func:`read_value_id` of a Value, cached because it is needed again and again."""
    return read_value_id(node_id, ATTRIBUTE_VALUE, index_range)


def read_request(items: Sequence[bytes], max_age_ms: float = 0.0) -> bytes:
    """Parameters of Read (OPC 10000-4 5.11.2) for :func:`read_value_id` items, both timestamps."""
    return b"".join(
        [DOUBLE_PACKING.pack(max_age_ms), b"\x02\x00\x00\x00", I32_PACKING.pack(len(items)), *items]
    )


def read_response(
    data: bytes,
    position: int,
    definitions: Definitions = no_definitions,
    sizes: Optional[Dict[int, int]] = None,
) -> List[DataValue]:
    """*sizes* gets the size of each value with more than :data:`SMALL_BYTES`, by its index."""
    return decoded(Reader(data, position, definitions), partial(_data_values, sizes=sizes))


def read_names_response(data: bytes, position: int) -> List[DataValue]:
    """As :func:`read_response`, but text that is not UTF-8 gets replacement characters."""
    return decoded(TolerantReader(data, position), _data_values)


def _data_values(reader: Reader, sizes: Optional[Dict[int, int]] = None) -> List[DataValue]:
    """Read an array of DataValues; a number with both timestamps, the usual case, takes one
    step."""
    data = reader.data
    values: List[DataValue] = []
    count = max(reader.length(), 0)
    reader.take_items(count)
    for _ in range(count):
        position = reader.position
        known = _NUMBER_WITH_TIMES.get(data[position : position + 2])
        if known is None:
            values.append(reader.data_value())
            if sizes is not None and reader.position - position > SMALL_BYTES:
                sizes[len(values) - 1] = reader.position - position
            continue
        type_id, packing = known
        value, source, server = packing.unpack_from(data, position)
        values.append(DataValue(Variant(type_id, value), 0, source, server))
        reader.position = position + packing.size
    return values


def write_value(node_id: bytes, value: DataValue, index_range: Optional[str] = None) -> bytes:
    """A WriteValue (OPC 10000-4 5.11.4) for the Value attribute."""
    return b"".join(
        [
            node_id,
            U32_PACKING.pack(ATTRIBUTE_VALUE),
            encode_string(index_range),
            encode_data_value(value),
        ]
    )


def array_of(items: Sequence[bytes]) -> bytes:
    """The parameters of Write (OPC 10000-4 5.11.4) and of TranslateBrowsePathsToNodeIds (5.9.4):
    an array of encoded items."""
    return b"".join([I32_PACKING.pack(len(items)), *items])


def write_response(data: bytes, position: int) -> List[int]:
    """The status codes, one per item."""
    return decoded(Reader(data, position), lambda reader: reader.array(STATUSCODE) or [])


def publish_request(acknowledgements: Sequence[Tuple[int, int]]) -> bytes:
    """Parameters of Publish; each acknowledgement is (SubscriptionId, SequenceNumber)."""
    if not acknowledgements:
        return b"\xff\xff\xff\xff"
    return I32_PACKING.pack(len(acknowledgements)) + b"".join(
        [struct.pack("<II", *acknowledgement) for acknowledgement in acknowledgements]
    )


def publish_head(data: bytes, position: int) -> PublishHead:
    try:
        subscription, available = _AVAILABLE.unpack_from(data, position)
        position += _AVAILABLE.size + 4 * max(available, 0)
        more, sequence, published_at, notifications = _MESSAGE_HEAD.unpack_from(data, position)
    except struct.error as error:
        raise CodecError("the response is incomplete: %s" % error) from None
    return PublishHead(subscription, sequence, notifications <= 0, more, published_at)


def publish_response(
    data: bytes, position: int, definitions: Definitions = no_definitions
) -> Notifications:
    def read(reader: Reader) -> Notifications:
        subscription = reader.uint32()
        reader.array(UINT32)
        reader.byte()
        return _notification_message(reader, subscription)

    return decoded(Reader(data, position, definitions), read)


def create_subscription_request(
    interval_ms: float, lifetime_count: int, keep_alive_count: int, max_notifications: int
) -> bytes:
    """Parameters of CreateSubscription (OPC 10000-4 5.14.2); publishing is enabled."""
    return struct.pack(
        "<dIII?B", interval_ms, lifetime_count, keep_alive_count, max_notifications, True, 0
    )


def modify_subscription_request(
    subscription_id: int,
    interval_ms: float,
    lifetime_count: int,
    keep_alive_count: int,
    max_notifications: int,
) -> bytes:
    """Parameters of ModifySubscription (OPC 10000-4 5.14.3)."""
    return struct.pack(
        "<IdIIIB",
        subscription_id,
        interval_ms,
        lifetime_count,
        keep_alive_count,
        max_notifications,
        0,
    )


def delete_items_request(subscription_id: int, item_ids: Sequence[int]) -> bytes:
    """Parameters of DeleteMonitoredItems (OPC 10000-4 5.13.6)."""
    return struct.pack("<Ii%dI" % len(item_ids), subscription_id, len(item_ids), *item_ids)


def republish_request(subscription_id: int, sequence_number: int) -> bytes:
    """Parameters of Republish (OPC 10000-4 5.14.6)."""
    return struct.pack("<II", subscription_id, sequence_number)


def republish_response(
    data: bytes, position: int, definitions: Definitions = no_definitions
) -> Notifications:
    return decoded(
        Reader(data, position, definitions), partial(_notification_message, subscription=0)
    )


def _notification_message(reader: Reader, subscription: int) -> Notifications:
    """OPC 10000-4 7.26; other kinds of notifications are skipped."""
    sequence = reader.uint32()
    reader.number(I64_PACKING)
    changes: List[Change] = []
    status, events = 0, False
    for _ in range(max(reader.length(), 0)):
        type_id = reader.node_id()
        if reader.byte() != 1:
            continue
        end = reader.end_of_body()
        if type_id.identifier == DATA_CHANGE_NOTIFICATION:
            changes += read_changes(reader)
        elif type_id.identifier == STATUS_CHANGE_NOTIFICATION:
            status = reader.uint32()
        elif type_id.identifier == EVENT_NOTIFICATION_LIST:
            events = True
        reader.position = end
    return Notifications(subscription, sequence, changes, status, events)


#: TimestampsToReturn (OPC 10000-4 7.40).
SOURCE_TIMESTAMPS, BOTH_TIMESTAMPS = 0, 2


def history_read_request(
    details: bytes,
    details_type: int,
    node_id: bytes,
    continuation_point: Optional[bytes],
    release: bool = False,
    index_range: Optional[str] = None,
    timestamps: int = BOTH_TIMESTAMPS,
) -> bytes:
    """Parameters of HistoryRead (OPC 10000-4 5.11.3) for one node."""
    return b"".join(
        [
            encode_node_id(NodeId(0, details_type)),
            b"\x01",
            encode_bytestring(details),
            I32_PACKING.pack(timestamps),
            b"\x01" if release else b"\x00",
            b"\x01\x00\x00\x00",
            node_id,
            encode_string(index_range),
            b"\x00\x00\xff\xff\xff\xff",
            encode_bytestring(continuation_point),
        ]
    )


def read_raw_details(start: int, end: int, max_values: int, bounds: bool) -> bytes:
    """ReadRawModifiedDetails (OPC 10000-11 6.4.3); times in ticks, 0 for none."""
    return struct.pack("<?qqI?", False, start, end, max_values, bounds)


def read_processed_details(start: int, end: int, interval_ms: float, aggregate: NodeId) -> bytes:
    """ReadProcessedDetails (OPC 10000-11 6.4.4) with the server's default configuration."""
    return b"".join(
        [
            struct.pack("<qqd", start, end, interval_ms),
            I32_PACKING.pack(1),
            encode_node_id(aggregate),
            struct.pack("<??BB?", True, False, 0, 0, False),
        ]
    )


def history_read_response(
    data: bytes, position: int, definitions: Definitions = no_definitions
) -> List[HistoryResult]:
    def one(reader: Reader) -> HistoryResult:
        status = reader.uint32()
        continuation_point = reader.bytestring()
        type_id = reader.node_id()
        values: List[DataValue] = []
        problem: Optional[CodecError] = None
        if reader.byte() == 1:
            end = reader.end_of_body()
            if type_id.identifier == HISTORY_DATA:
                problem = _history_data(reader, end, values)
            reader.position = end
        return HistoryResult(status, continuation_point or None, values, problem)

    return list_of(one, Reader(data, position, definitions))


def history_point(beginning: bytes) -> Optional[bytes]:
    """The first continuation point in *beginning*, which may begin a HistoryReadResponse."""

    def read(reader: Reader) -> Optional[bytes]:
        reader.number(I32_PACKING)
        reader.uint32()
        return reader.bytestring() or None

    try:
        head = response_head(beginning)
        if head.type_id == HISTORY_READ_RESPONSE:
            return decoded(Reader(beginning, head.position), read)
    except CodecError:
        pass
    return None


def _history_data(reader: Reader, end: int, values: List[DataValue]) -> Optional[CodecError]:
    """Append the DataValues up to *end* to *values*; returns why the rest is missing, if it is.
    The end of a value that cannot be decoded is unknown, unless it is the last value."""
    start, count = reader.position, 0
    try:
        count = max(reader.length(), 0)
        reader.take_items(count)
        for _ in range(count):
            start = reader.position
            value = reader.data_value()
            if reader.position > end:
                raise CodecError("a value is longer than its message")
            values.append(value)
    except (CodecError, struct.error, IndexError, KeyError, RecursionError) as error:
        problem = error if isinstance(error, CodecError) else CodecError(str(error))
    else:
        return None
    if len(values) != count - 1 or start >= end:
        return problem
    mask = reader.data[start]
    behind = end - TIMES_BYTES[mask & 0x3E]
    if start >= behind:
        return problem
    # Decode it as if it had no value.
    told = Reader(bytes((mask & 0x3E,)) + reader.data[behind:end]).data_value()
    values.append(told._replace(status=status_codes.code(problem.status)))
    return None


# --- the View services (OPC 10000-4 5.9) ---------------------------------------------------------


def browse_description(
    node_id: NodeId, reference_type: NodeId, forward: bool, node_classes: int, result_mask: int
) -> bytes:
    """A BrowseDescription (OPC 10000-4 7.5), also for subtypes of the reference."""
    return b"".join(
        [
            encode_node_id(node_id),
            I32_PACKING.pack(not forward),
            encode_node_id(reference_type),
            b"\x01",
            struct.pack("<II", node_classes, result_mask),
        ]
    )


def browse_request(descriptions: Sequence[bytes], most: int = 0) -> bytes:
    """Parameters of Browse without a View; at most *most* references per node, 0: all."""
    view = encode_node_id(NULL_NODE_ID) + struct.pack("<qI", 0, 0)
    return b"".join([view, struct.pack("<Ii", most, len(descriptions)), *descriptions])


def browse_next_request(points: Sequence[bytes], release: bool) -> bytes:
    """Parameters of BrowseNext, whose response is read as that of Browse."""
    head = struct.pack("<?i", release, len(points))
    return head + b"".join([encode_bytestring(point) for point in points])


def browse_response(data: bytes, position: int) -> List[BrowseResult]:
    def result(reader: Reader) -> BrowseResult:
        status = reader.uint32()
        point = reader.bytestring()
        return BrowseResult(status, point or None, reader.items(lambda: reference(reader)) or [])

    def reference(reader: Reader) -> Reference:
        reference_type, forward = reader.node_id(), reader.byte() != 0
        reader.bad_text = False
        node_id: Optional[NodeId] = reader.node_id()
        if reader.bad_text:
            node_id = None
        name = reader.qualified_name().name or ""
        reader.localized_text()
        node_class: int = reader.number(I32_PACKING)
        return Reference(reference_type, forward, node_id, name, node_class, reader.node_id())

    return list_of(result, Reader(data, position))


def property_path(owner: NodeId, name: str) -> bytes:
    """A BrowsePath (OPC 10000-4 5.9.4.2) to a property of *owner* or, if *name* has a slash, of
    the object that describes its history; references or their subtypes, forward, to targets of
    namespace 0."""
    of_history, _, last = name.rpartition("/")
    elements = [(HAS_HISTORICAL_CONFIGURATION, of_history)] if of_history else []
    elements.append((HAS_PROPERTY, last))
    parts = [encode_node_id(owner), I32_PACKING.pack(len(elements))]
    for reference, target in elements:
        parts += [encode_node_id(reference), b"\x00\x01"]
        parts.append(encode_qualified_name(QualifiedName(0, target)))
    return b"".join(parts)


def translate_response(data: bytes, position: int) -> List[Tuple[int, Optional[NodeId]]]:
    """The status and the first target of each path; ``None`` if this server has no target."""

    def first_target(reader: Reader) -> Tuple[int, Optional[NodeId]]:
        status = reader.uint32()
        found: Optional[NodeId] = None
        for _ in range(max(reader.length(), 0)):
            target = reader.node_id()
            reader.uint32()
            if found is None and not target.server_index and target.namespace_uri is None:
                found = target
        return status, None if status_codes.is_bad(status) else found

    return list_of(first_target, Reader(data, position))
