"""Bodies of Read, Write, Publish and HistoryRead, beside those that the library makes."""

import struct
from datetime import datetime
from typing import Any, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opcua import ua
from opcua.common.utils import Buffer
from opcua.ua import ua_binary

from opcws.model import data_types as dt
from opcws.model.data_types import DataValue, NodeId, Variant
from opcws.model.errors import CodecError
from opcws.ua.encoding import service_bodies
from opcws.ua.encoding.codec import encode_node_id

NODE = NodeId(2, "Boiler.Temperature")
NODE_BYTES = encode_node_id(NODE)
THEIR_NODE = ua.NodeId("Boiler.Temperature", 2)


def binary(thing: Any) -> bytes:
    return bytes(ua_binary.struct_to_binary(thing))


def double(number: float) -> Any:
    return ua.DataValue(ua.Variant(number, ua.VariantType.Double))


def ours(number: float) -> DataValue:
    return DataValue(Variant(dt.DOUBLE, number))


# --- heads -------------------------------------------------------------------------------------


def test_the_head_of_a_response_tells_type_result_and_where_the_rest_begins() -> None:
    response = ua.WriteResponse()
    response.ResponseHeader.RequestHandle = 5
    response.Results = [ua.StatusCode(0x80740000)]
    data = binary(response)
    head = service_bodies.response_head(data)
    assert (head.type_id, head.service_result) == (service_bodies.WRITE_RESPONSE, 0)
    assert service_bodies.write_response(data, head.position) == [0x80740000]


def test_a_service_fault_tells_its_result() -> None:
    fault = ua.ServiceFault()
    fault.ResponseHeader.ServiceResult = ua.StatusCode(ua.StatusCodes.BadSessionIdInvalid)
    head = service_bodies.response_head(binary(fault))
    assert head.type_id == service_bodies.SERVICE_FAULT
    assert head.service_result == ua.StatusCodes.BadSessionIdInvalid


def test_a_head_with_diagnostics_and_strings_is_passed_over() -> None:
    plain = b"\x01\x00" + struct.pack("<HqII", service_bodies.WRITE_RESPONSE, 0, 1, 0)
    diagnostics = b"\x31" + struct.pack("<i", 7) + struct.pack("<i", 2) + b"ab" + b"\x00" * 4
    strings = struct.pack("<i", 2) + struct.pack("<i", 1) + b"x" + struct.pack("<i", -1)
    data = plain + diagnostics + strings + b"\x00\x00\x00" + struct.pack("<iI", 1, 0)
    head = service_bodies.response_head(data)
    assert head.type_id == service_bodies.WRITE_RESPONSE
    assert service_bodies.write_response(data, head.position) == [0]


@pytest.mark.parametrize("node_id", [b"\x00\x05", b"\x02\x00\x00\x0a\x00\x00\x00"])
def test_a_head_may_spell_its_type_in_any_form(node_id: bytes) -> None:
    data = node_id + struct.pack("<qIIBi", 0, 1, 0, 0, -1) + b"\x00\x00\x00"
    head = service_bodies.response_head(data)
    assert head.type_id in (5, 10) and head.position == len(data)


def test_a_cut_head_is_an_error() -> None:
    data = binary(ua.WriteResponse())[:20]
    for length in range(len(data)):
        with pytest.raises(CodecError):
            service_bodies.response_head(data[:length])


# --- Read and Write ----------------------------------------------------------------------------


def test_a_read_request_is_what_the_library_reads() -> None:
    items = [service_bodies.read_value_id(NODE_BYTES), service_bodies.read_value_id(NODE_BYTES, 14)]
    data = service_bodies.read_request(items, 250.0)
    buffer = Buffer(data)
    read = ua_binary.struct_from_binary(ua.ReadParameters, buffer)
    assert len(buffer) == 0
    assert read.MaxAge == 250.0
    assert read.TimestampsToReturn == ua.TimestampsToReturn.Both
    assert [item.NodeId for item in read.NodesToRead] == [THEIR_NODE] * 2
    assert [item.AttributeId for item in read.NodesToRead] == [13, 14]
    assert [item.IndexRange for item in read.NodesToRead] == [None, None]


def test_an_index_range_goes_along_with_reads_writes_and_history() -> None:
    data = service_bodies.read_request(
        [service_bodies.read_value_id(NODE_BYTES, index_range="0:3")]
    )
    (item,) = ua_binary.struct_from_binary(ua.ReadParameters, Buffer(data)).NodesToRead
    assert (item.NodeId, item.AttributeId, item.IndexRange) == (THEIR_NODE, 13, "0:3")
    value = DataValue(Variant(dt.DOUBLE, [20.5], True))
    data = service_bodies.array_of([service_bodies.write_value(NODE_BYTES, value, "2")])
    (written,) = ua_binary.struct_from_binary(ua.WriteParameters, Buffer(data)).NodesToWrite
    assert written.IndexRange == "2" and written.Value.Value.Value == [20.5]
    details = service_bodies.read_raw_details(0, 0, 1, False)
    data = service_bodies.history_read_request(
        details, service_bodies.READ_RAW_MODIFIED_DETAILS, NODE_BYTES, None, index_range="2"
    )
    (node,) = ua_binary.struct_from_binary(ua.HistoryReadParameters, Buffer(data)).NodesToRead
    assert (node.NodeId, node.IndexRange, node.ContinuationPoint) == (THEIR_NODE, "2", None)


def test_a_read_response_is_its_data_values() -> None:
    response = ua.ReadResponse()
    response.Results = [double(1.5), ua.DataValue(status=ua.StatusCode(0x80340000))]
    data = binary(response)
    values = service_bodies.read_response(data, service_bodies.response_head(data).position)
    assert values[0] == ours(1.5)
    assert (values[1].value, values[1].status) == (None, 0x80340000)


def test_a_write_request_is_what_the_library_reads() -> None:
    value = DataValue(Variant(dt.DOUBLE, 20.5))
    data = service_bodies.array_of([service_bodies.write_value(NODE_BYTES, value)])
    buffer = Buffer(data)
    (written,) = ua_binary.struct_from_binary(ua.WriteParameters, buffer).NodesToWrite
    assert len(buffer) == 0
    assert (written.NodeId, written.AttributeId) == (THEIR_NODE, 13)
    assert written.Value.Value == ua.Variant(20.5, ua.VariantType.Double)
    assert written.Value.SourceTimestamp is None and written.Value.ServerTimestamp is None


def changes(told: service_bodies.Notifications) -> List[Tuple[int, DataValue]]:
    return [(row[0], layout.data_value(row)) for layout, row in told.changes]


# --- Publish -----------------------------------------------------------------------------------


def notification(*changes: Any) -> Any:
    made = ua.DataChangeNotification()
    for handle, number in changes:
        item = ua.MonitoredItemNotification()
        item.ClientHandle, item.Value = handle, double(number)
        made.MonitoredItems.append(item)
    return made


def published(*notifications: Any) -> bytes:
    """The parameters of a PublishResponse with *notifications*."""
    response = ua.PublishResponse()
    parameters = response.Parameters
    parameters.SubscriptionId = 78
    parameters.AvailableSequenceNumbers = [8, 9]
    parameters.MoreNotifications = True
    parameters.NotificationMessage.SequenceNumber = 9
    parameters.NotificationMessage.PublishTime = datetime(2026, 11, 22)
    parameters.NotificationMessage.NotificationData = list(notifications)
    data = binary(response)
    return data[service_bodies.response_head(data).position :]


def test_a_publish_request_acknowledges() -> None:
    data = service_bodies.publish_request([(78, 1), (78, 2)])
    acknowledged = struct.unpack("<iIIII", data)
    assert acknowledged == (2, 78, 1, 78, 2)
    assert service_bodies.publish_request([]) == b"\xff\xff\xff\xff"


def test_changes_are_told_in_order_over_all_notifications() -> None:
    data = published(notification((1, 0.5), (2, 1.5), (1, 2.5)), notification((3, 3.5)))
    told = service_bodies.publish_response(data, 0)
    assert changes(told) == [(1, ours(0.5)), (2, ours(1.5)), (1, ours(2.5)), (3, ours(3.5))]
    assert (told.subscription_id, told.sequence_number, told.status) == (78, 9, 0)


def test_the_head_of_a_publish_response_tells_a_keep_alive_from_news() -> None:
    news = service_bodies.publish_head(published(notification((1, 0.5))), 0)
    assert (news.subscription_id, news.sequence_number, news.more) == (78, 9, True)
    assert not news.is_keep_alive
    assert service_bodies.publish_head(published(), 0).is_keep_alive


def test_a_message_that_was_asked_for_again_is_told_like_any_other() -> None:
    assert service_bodies.republish_request(78, 9) == struct.pack("<II", 78, 9)
    response = ua.RepublishResponse()
    response.NotificationMessage.SequenceNumber = 9
    response.NotificationMessage.NotificationData = [notification((1, 0.5))]
    data = binary(response)
    told = service_bodies.republish_response(data, service_bodies.response_head(data).position)
    assert (told.sequence_number, changes(told)) == (9, [(1, ours(0.5))])


def test_a_status_change_is_told() -> None:
    change = ua.StatusChangeNotification()
    change.Status = ua.StatusCode(ua.StatusCodes.BadTimeout)
    assert service_bodies.publish_response(published(change), 0).status == ua.StatusCodes.BadTimeout


def test_a_notification_of_another_kind_is_passed_over() -> None:
    data = published(ua.EventNotificationList(), notification((1, 0.5)))
    assert changes(service_bodies.publish_response(data, 0)) == [(1, ours(0.5))]


@pytest.mark.parametrize("length", [-30, -(2**31), 2**31 - 1])
def test_a_notification_whose_length_leads_elsewhere_is_refused_or_ends(length: int) -> None:
    data = bytearray(published(notification(*[(1, 0.5)] * 3), notification((2, 1.5))))
    place = data.index(struct.pack("<BBHB", 1, 0, service_bodies.DATA_CHANGE_NOTIFICATION, 1)) + 5
    data[place : place + 4] = struct.pack("<i", length)
    with pytest.raises(CodecError):
        service_bodies.publish_response(bytes(data), 0)


# --- HistoryRead -------------------------------------------------------------------------------


@pytest.mark.parametrize("continuation_point", [None, b"more"])
def test_a_history_read_request_is_what_the_library_reads(continuation_point: Any) -> None:
    start, end = 133_000_000_000_000_000, 133_000_000_100_000_000
    details = service_bodies.read_raw_details(start, end, 100, True)
    data = service_bodies.history_read_request(
        details, service_bodies.READ_RAW_MODIFIED_DETAILS, NODE_BYTES, continuation_point
    )
    buffer = Buffer(data)
    read = ua_binary.struct_from_binary(ua.HistoryReadParameters, buffer)
    assert len(buffer) == 0
    assert read.HistoryReadDetails.StartTime == ua.win_epoch_to_datetime(start)
    assert read.HistoryReadDetails.EndTime == ua.win_epoch_to_datetime(end)
    assert read.HistoryReadDetails.NumValuesPerNode == 100
    assert read.HistoryReadDetails.ReturnBounds is True
    assert read.ReleaseContinuationPoints is False
    (node,) = read.NodesToRead
    assert (node.NodeId, node.ContinuationPoint) == (THEIR_NODE, continuation_point)


def test_an_aggregate_is_asked_for_with_its_interval_and_the_servers_own_settings() -> None:
    details = service_bodies.read_processed_details(0, 0, 500.0, NodeId(0, 2342))
    data = service_bodies.history_read_request(
        details, service_bodies.READ_PROCESSED_DETAILS, NODE_BYTES, None, release=True
    )
    read = ua_binary.struct_from_binary(ua.HistoryReadParameters, Buffer(data))
    assert read.ReleaseContinuationPoints is True
    assert read.HistoryReadDetails.ProcessingInterval == 500.0
    assert read.HistoryReadDetails.AggregateType == [ua.NodeId(2342, 0)]
    assert read.HistoryReadDetails.AggregateConfiguration.UseServerCapabilitiesDefaults is True


def history(numbers: List[float], continuation_point: Any = None, status: int = 0) -> bytes:
    result = ua.HistoryReadResult()
    result.StatusCode = ua.StatusCode(status)
    result.ContinuationPoint = continuation_point
    result.HistoryData = ua.HistoryData()
    result.HistoryData.DataValues = [double(number) for number in numbers]
    response = ua.HistoryReadResponse()
    response.Results = [result]
    data = binary(response)
    return data[service_bodies.response_head(data).position :]


def test_a_page_of_history_is_its_values_and_where_the_next_begins() -> None:
    (result,) = service_bodies.history_read_response(history([1.5, 2.5], b"next"), 0)
    assert result.values == [ours(1.5), ours(2.5)]
    assert result.continuation_point == b"next"


@pytest.mark.parametrize("continuation_point", [None, b""])
def test_the_last_page_of_history_has_no_continuation_point(continuation_point: Any) -> None:
    (result,) = service_bodies.history_read_response(history([], continuation_point), 0)
    assert result.continuation_point is None and result.values == []


def test_a_refused_history_read_tells_its_status() -> None:
    (result,) = service_bodies.history_read_response(history([], None, 0x80720000), 0)
    assert result.status == 0x80720000


# --- nonsense ----------------------------------------------------------------------------------

READERS = [
    service_bodies.read_response,
    service_bodies.write_response,
    service_bodies.publish_head,
    service_bodies.publish_response,
    service_bodies.republish_response,
    service_bodies.history_read_response,
]


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
def test_any_bytes_are_a_response_or_an_error(read: Any) -> None:
    @given(st.binary(max_size=120))
    def check(data: bytes) -> None:
        for begin in (service_bodies.response_head, lambda whole: read(whole, 0)):
            try:
                begin(data)
            except CodecError as error:
                assert error.status == "BadDecodingError"

    check()


@pytest.mark.parametrize(
    ("read", "data"),
    [
        (service_bodies.publish_response, published(notification((1, 0.5), (2, 1.5)))),
        (service_bodies.history_read_response, history([1.5, 2.5], b"next")),
    ],
    ids=["publish_response", "history_read_response"],
)
def test_a_cut_response_is_an_error_wherever_it_is_cut(read: Any, data: bytes) -> None:
    for length in range(len(data) - 8):  # behind that come arrays that nobody reads
        with pytest.raises(CodecError):
            read(data[:length], 0)
