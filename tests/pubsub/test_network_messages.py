"""JSON NetworkMessages as OPC 10000-14 has them, made and read."""

import json
from typing import Any, List, Tuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.config.settings import Mqtt
from opcws.model.data_types import (
    DOUBLE,
    INT32,
    INT64,
    LOCALIZEDTEXT,
    QUALIFIEDNAME,
    STRING,
    DataValue,
    LocalizedText,
    NodeId,
    QualifiedName,
    ValueType,
    Variant,
)
from opcws.pubsub import data_sets, field_values, network_messages, topics
from opcws.pubsub.field_values import COMPACT, REVERSIBLE, VERBOSE, Field, field_text, read_field
from opcws.pubsub.network_messages import (
    DELTA_FRAME,
    KEEP_ALIVE,
    KEY_FRAME,
    NetworkMessage,
    Status,
    Writer,
    parse,
)
from opcws.wire.timestamps import parse_timestamp

WRITER = Writer("plant-3", "line-1", "press", 7)
TIME = "2026-11-30T03:00:00.5Z"
TICKS = parse_timestamp(TIME)
BAD = 0x808A0000


def messages(text: str) -> Tuple[network_messages.DataSetMessage, ...]:
    message = parse(text)
    assert isinstance(message, NetworkMessage)
    return message.messages


# --- made ----------------------------------------------------------------------------------------

VALUES: List[Tuple[str, DataValue, Any]] = [
    (
        REVERSIBLE,
        DataValue(Variant(DOUBLE, 1.5), 0, TICKS, TICKS),
        {"Value": {"Type": 11, "Body": 1.5}, "SourceTimestamp": TIME},
    ),
    (REVERSIBLE, DataValue(None, BAD, TICKS), {"Status": BAD, "SourceTimestamp": TIME}),
    (
        VERBOSE,
        DataValue(None, BAD),
        {"Value": None, "Status": {"Code": BAD, "Symbol": "BadNotConnected"}},
    ),
    (VERBOSE, DataValue(Variant(STRING, "a")), {"UaType": 12, "Value": "a"}),
    (COMPACT, DataValue(None, BAD), {"Status": {"Code": BAD}}),
    (COMPACT, DataValue(Variant(INT64, -5)), {"UaType": 8, "Value": "-5"}),
    (
        COMPACT,
        DataValue(Variant(INT32, [1, 2, 3, 4], True, (2, 2))),
        {"UaType": 6, "Value": [1, 2, 3, 4], "Dimensions": [2, 2]},
    ),
    (
        REVERSIBLE,
        DataValue(Variant(20, QualifiedName(1, "a"))),
        {"Value": {"Type": 20, "Body": {"Name": "a", "Uri": "urn:n"}}},
    ),
    (
        COMPACT,
        DataValue(Variant(20, [QualifiedName(1, "a;b"), QualifiedName(0, "c")], True)),
        {"UaType": 20, "Value": ["nsu=urn:n;a;b", "c"]},
    ),
    (VERBOSE, DataValue(Variant(17, NodeId(1, "a"))), {"UaType": 17, "Value": "nsu=urn:n;s=a"}),
    (
        VERBOSE,
        DataValue(Variant(21, LocalizedText("de", "auf"))),
        {"UaType": 21, "Value": {"Locale": "de", "Text": "auf"}},
    ),
]


@pytest.mark.parametrize(("encoding", "value", "expected"), VALUES)
def test_a_field_is_written_as_its_encoding_says(
    encoding: str, value: DataValue, expected: Any
) -> None:
    text = field_text(encoding, value, ("http://opcfoundation.org/UA/", "urn:n"))
    assert json.loads(text) == expected


def test_a_type_that_the_metadata_say_is_written_in_no_verbose_field() -> None:
    value = DataValue(Variant(DOUBLE, 1.5))
    assert field_text(VERBOSE, value, (), DOUBLE) == '{"Value":1.5}'
    assert field_text(VERBOSE, value, (), INT32) == '{"UaType":11,"Value":1.5}'
    assert field_text(COMPACT, value, (), DOUBLE) == '{"UaType":11,"Value":1.5}'


def test_a_message_has_the_members_of_the_standard_in_their_places() -> None:
    fields = [('"A"', '{"Value":1}'), ('"\\u00fc"', '{"Value":2}')]
    text = network_messages.data_text(WRITER, DELTA_FRAME, 4, (10, 11), TICKS, fields)
    data = json.loads(text)
    assert len(data.pop("MessageId")) == 36
    assert data == {
        "MessageType": "ua-data",
        "PublisherId": "plant-3",
        "WriterGroupName": "line-1",
        "Messages": [
            {
                "DataSetWriterId": 7,
                "DataSetWriterName": "press",
                "SequenceNumber": 4,
                "MetaDataVersion": {"MajorVersion": 10, "MinorVersion": 11},
                "Timestamp": TIME,
                "MessageType": "ua-deltaframe",
                "Payload": {"A": {"Value": 1}, "\u00fc": {"Value": 2}},
            }
        ],
    }


def test_what_is_made_is_read_again() -> None:
    fields = [('"A"', field_text(COMPACT, DataValue(Variant(DOUBLE, 1.5), 0, TICKS), ()))]
    text = network_messages.data_text(WRITER, KEY_FRAME, 4, (10, 11), TICKS, fields)
    (message,) = messages(text)
    assert message == network_messages.DataSetMessage(
        WRITER, KEY_FRAME, 4, (10, 11), TICKS, 0, {"A": Field(DOUBLE, 1.5, None, 0, TICKS)}
    )
    assert parse(network_messages.status_text("p", 2)) == Status("p", 2)


variants = st.one_of(
    st.none(),
    st.floats().map(lambda value: Variant(DOUBLE, value)),
    st.integers(-(2**63), 2**63 - 1).map(lambda value: Variant(INT64, value)),
    st.text().map(lambda value: Variant(STRING, value)),
    st.lists(st.integers(-5, 5)).map(lambda value: Variant(INT32, value, True)),
)
values = st.tuples(variants, st.integers(0, 2**32 - 1), st.integers(1, TICKS)).map(
    lambda parts: DataValue(*parts)
)


@pytest.mark.parametrize("encoding", [REVERSIBLE, VERBOSE, COMPACT])
@given(value=values)
def test_every_value_is_read_as_it_was_written(encoding: str, value: DataValue) -> None:
    field = read_field(json.loads(field_text(encoding, value, ())))
    known = ValueType(value.value.type if value.value else 0)
    assert repr(field_values.data_value(field, known, ())) == repr(value)


@pytest.mark.parametrize("encoding", [REVERSIBLE, VERBOSE, COMPACT])
@pytest.mark.parametrize(
    "variant",
    [
        Variant(1, True),
        Variant(DOUBLE, float("inf")),
        Variant(10, 0.5),
        Variant(INT64, 2**63 - 1),
        Variant(STRING, ""),
        Variant(13, TICKS),
        Variant(15, b"\x00\xff"),
        Variant(INT32, [], True),
        Variant(INT32, [1, 2, 3, 4], True, (2, 2)),
        Variant(21, LocalizedText("de", "auf")),
    ],
)
def test_a_value_comes_back_from_its_field(encoding: str, variant: Variant) -> None:
    value = DataValue(variant, 0, TICKS)
    for known in (0, variant.type):
        field = read_field(json.loads(field_text(encoding, value, (), known)))
        assert field_values.data_value(field, ValueType(variant.type), ()) == value


def test_metadata_have_the_members_of_the_standard_and_are_read_again() -> None:
    units = {"UaType": 22, "Value": {"UaTypeId": "i=887", "UnitId": 4408652}}
    fields = (
        network_messages.FieldMetaData("A", DOUBLE, False, "hot", {"EngineeringUnits": units}),
        network_messages.FieldMetaData("B", 24, None),
        network_messages.FieldMetaData("C", INT32, True),
    )
    text = network_messages.metadata_text(WRITER, (10, 11), TICKS, fields)
    data = json.loads(text)
    assert data["MessageType"] == "ua-metadata" and data["Timestamp"] == TIME
    assert data["MetaData"]["Name"] == "press"
    assert data["MetaData"]["ConfigurationVersion"] == {"MajorVersion": 10, "MinorVersion": 11}
    first = data["MetaData"]["Fields"][0]
    assert len(first.pop("DataSetFieldId")) == 36
    assert first == {
        "Name": "A",
        "Description": {"Text": "hot"},
        "BuiltInType": 11,
        "DataType": "i=11",
        "ValueRank": -1,
        "Properties": [{"Key": "EngineeringUnits", "Value": units}],
    }
    assert parse(text) == network_messages.MetaData(WRITER, (10, 11), TICKS, fields)
    again = json.loads(network_messages.metadata_text(WRITER, (10, 11), TICKS, fields))
    ids = [each["DataSetFieldId"] for each in again["MetaData"]["Fields"]]
    assert len(set(ids)) == 3 and ids[1:] == [
        each["DataSetFieldId"] for each in data["MetaData"]["Fields"][1:]
    ]


def test_a_connection_says_what_goes_where_and_is_read_again() -> None:
    queue = network_messages.Queue(WRITER, "opcua/json/data/x", "opcua/json/metadata/x")
    text = network_messages.connection_text("plant-3", "line-1", TICKS, COMPACT, 500, 10, [queue])
    connection = json.loads(text)["Connection"]
    assert connection["PublisherId"] == {"UaType": 12, "Value": "plant-3"}
    (group,) = connection["WriterGroups"]
    (writer,) = group["DataSetWriters"]
    assert (group["Name"], group["PublishingInterval"]) == ("line-1", 500)
    assert (writer["KeyFrameCount"], writer["DataSetFieldContentMask"]) == (10, 3)
    assert writer["MessageSettings"]["DataSetMessageContentMask"] == 0x8EF
    assert parse(text) == network_messages.Connection("plant-3", TICKS, (queue,), 10.0)


def test_the_data_types_of_settings_and_properties_are_those_of_the_standard() -> None:
    ids = pytest.importorskip("asyncua").ua.ObjectIds
    made = network_messages.connection_text(
        "p", "g", TICKS, VERBOSE, 0, 1, [network_messages.Queue(WRITER, "t", "m")]
    )
    for name in (
        *("JsonWriterGroupMessageDataType", "JsonDataSetWriterMessageDataType"),
        "BrokerDataSetWriterTransportDataType",
    ):
        assert '"UaTypeId":"i=%d"' % getattr(ids, name) in made
    assert "i=%d" % ids.Range == data_sets._RANGE
    assert "i=%d" % ids.EUInformation == data_sets._EU_INFORMATION
    assert "i=%d" % ids.EnumValueType == data_sets._ENUM_VALUE


def test_metadata_and_connection_of_1_04_are_read() -> None:
    metadata = {
        "MessageId": "m",
        "MessageType": "ua-metadata",
        "PublisherId": "p",
        "DataSetWriterId": 5,
        "MetaData": {
            "Fields": [
                {
                    "Name": "A",
                    "BuiltInType": 11,
                    "Properties": [{"Key": {"Name": "EURange"}, "Value": 1}],
                }
            ],
            "ConfigurationVersion": {"MajorVersion": 1, "MinorVersion": 2},
        },
    }
    read = parse(json.dumps(metadata))
    assert isinstance(read, network_messages.MetaData)
    assert read.writer == Writer("p", "", "", 5)
    assert read.fields == (network_messages.FieldMetaData("A", 11, False, "", {"EURange": 1}),)
    settings = {"TypeId": {"Id": 15669}, "Body": {"QueueName": "q", "MetaDataQueueName": "m"}}
    writers = [{"Name": "w", "DataSetWriterId": 1, "TransportSettings": settings}]
    group = {"Name": "g", "DataSetWriters": writers}
    connection = {
        "MessageType": "ua-connection",
        "PublisherId": "p",
        "Connection": {"WriterGroups": [group]},
    }
    assert parse(json.dumps(connection)) == network_messages.Connection(
        "p", 0, (network_messages.Queue(Writer("p", "g", "w", 1), "q", "m"),)
    )


# --- read ----------------------------------------------------------------------------------------


def test_the_layout_with_one_message_and_no_network_header_is_read() -> None:
    # As the OPC Foundation's starter kit publishes.
    text = json.dumps(
        {
            "DataSetWriterId": 1,
            "PublisherId": "wpc2024",
            "SequenceNumber": 3,
            "Timestamp": TIME,
            "MinorVersion": 72,
            "MessageType": "ua-deltaframe",
            "Payload": {"Temperature": {"Value": 21.5, "SourceTimestamp": TIME}},
        }
    )
    (message,) = messages(text)
    assert message.writer == Writer("wpc2024", "", "", 1)
    assert (message.kind, message.sequence, message.version) == (DELTA_FRAME, 3, (0, 72))
    assert message.fields == {"Temperature": Field(0, 21.5, None, 0, TICKS)}


def test_messages_of_1_04_with_variants_and_a_writer_id_as_text_are_read() -> None:
    # As OPC Publisher sends them: many DataSetMessages, fields as Variants, ids as texts.
    text = json.dumps(
        {
            "MessageId": "m",
            "MessageType": "ua-data",
            "PublisherId": 17,
            "Messages": [
                {
                    "DataSetWriterId": "5",
                    "MetaDataVersion": {"MajorVersion": 1, "MinorVersion": 2},
                    "Payload": {"A": {"Type": 6, "Body": 1}, "B": 2, "C": [1, 2]},
                },
                {"DataSetWriterId": 6, "MessageType": "ua-keepalive", "SequenceNumber": 9},
            ],
        }
    )
    one, other = messages(text)
    assert one.writer == Writer("17", "", "", 5) and one.version == (1, 2)
    assert one.fields == {"A": Field(6, 1), "B": Field(0, 2), "C": Field(0, [1, 2])}
    assert (other.writer.id, other.kind, other.sequence, other.fields) == (6, KEEP_ALIVE, 9, {})


@pytest.mark.parametrize(
    ("body", "variant"),
    [
        ("Off_1", Variant(INT32, 1)),
        ("Half_way_-2", Variant(INT32, -2)),
        (["On_2", 3], Variant(INT32, [2, 3], True)),
        ("auf", Variant(LOCALIZEDTEXT, LocalizedText(None, "auf"))),
        ("nsu=urn:n%3Bm;a;b", Variant(QUALIFIEDNAME, QualifiedName(1, "a;b"))),
        ("a", Variant(QUALIFIEDNAME, QualifiedName(0, "a"))),
    ],
)
def test_what_an_encoding_has_as_a_text_is_read(body: Any, variant: Variant) -> None:
    namespaces = ("http://opcfoundation.org/UA/", "urn:n;m")
    known = ValueType(variant.type)
    read = field_values.data_value(read_field({"Value": body}), known, namespaces)
    assert read == DataValue(variant)


def test_fields_without_any_header_are_read() -> None:
    (message,) = messages('[{"A": 1, "B": {"Value": null, "Status": {"Code": 2156527616}}}]')
    assert message.kind == KEY_FRAME
    assert message.fields == {"A": Field(0, 1), "B": Field(0, None, None, 0x808A0000)}


def test_a_cyclic_status_says_when_the_next_comes() -> None:
    text = json.dumps(
        {
            "MessageId": "m",
            "MessageType": "ua-status",
            "PublisherId": "p",
            "IsCyclic": True,
            "Status": 2,
            "Timestamp": TIME,
            "NextReportTime": TIME,
        }
    )
    assert parse(text) == Status("p", 2, TICKS)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "Expecting"),
        ("[" * 100000, "deep"),
        ("7", "expected a DataSetMessage, got 7"),
        ('{"MessageType": "ua-strange"}', "'ua-strange'"),
        ('[{"MessageType": "ua-data", "Messages": []}]', "an array of NetworkMessages"),
        ('{"MessageType": "ua-data"}', "expected a DataSetMessage, got null"),
        ('{"Payload": 1}', "Payload: expected an object, got 1"),
        ('{"Payload": {"A": {"Value": 1, "Status": "x"}}}', "A: expected a StatusCode, got 'x'"),
        ('{"Payload": {"A": {"Value": 1, "SourceTimestamp": 5}}}', "A: expected a time, got 5"),
        ('{"Payload": {"A": {"Value": 1, "UaType": "x"}}}', "A: "),
        ('{"Payload": {}, "SequenceNumber": -1}', "SequenceNumber: expected a whole number"),
        ('{"Payload": {}, "MetaDataVersion": 3}', "MetaDataVersion: expected an object, got 3"),
        ('{"Payload": {}, "PublisherId": []}', "PublisherId: expected a text"),
        ('{"MessageType": "ua-status", "NextReportTime": 5}', "NextReportTime: expected a time"),
        ('{"MessageType": "ua-metadata", "MetaData": []}', "MetaData: expected an object"),
        (
            '{"MessageType": "ua-metadata", "MetaData": {"Fields": [1]}}',
            "Fields: expected an array",
        ),
        ('{"MessageType": "ua-connection", "Connection": 1}', "Connection: expected an object"),
    ],
)
def test_what_is_no_message_is_told(text: str, told: str) -> None:
    with pytest.raises(ValueError) as caught:
        parse(text)
    assert told in str(caught.value)


# --- topics --------------------------------------------------------------------------------------


def test_topics_are_those_of_the_standard_and_take_any_name() -> None:
    mqtt = Mqtt("mqtt://h", ("*",), publisher="p", group="g")
    assert topics.data(mqtt, "press") == "opcua/json/data/p/g/press"
    assert topics.metadata(mqtt, "press") == "opcua/json/metadata/p/g/press"
    assert topics.connection(mqtt) == "opcua/json/connection/p"
    assert topics.status(mqtt) == "opcua/json/status/p"
    assert topics.data(mqtt, "a/b+c#d%e") == "opcua/json/data/p/g/a%2Fb%2Bc%23d%25e"
    assert topics.raw(mqtt, "Line/Press.Force #1") == "opcua/Line/Press.Force %231"
