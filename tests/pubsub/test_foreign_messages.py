"""What other programs send is read."""

import json
from typing import Dict

from opcws.model import status_codes
from opcws.model.data_types import (
    BYTESTRING,
    DATETIME,
    DOUBLE,
    FLOAT,
    INT64,
    LOCALIZEDTEXT,
    STRING,
    DataValue,
    LocalizedText,
    Variant,
)
from opcws.pubsub import network_messages, publication
from opcws.pubsub.network_messages import EVENT, KEEP_ALIVE, MetaData, NetworkMessage, parse
from opcws.pubsub.publication import Publication
from opcws.wire.timestamps import parse_timestamp

from ..support import recorded as recordings


def recorded(name: str) -> Dict[str, network_messages.Message]:
    return {what: parse(json.dumps(each)) for what, each in recordings.recorded(name).items()}


def only(message: network_messages.Message) -> network_messages.DataSetMessage:
    assert isinstance(message, NetworkMessage)
    (found,) = message.messages
    return found


def test_opc_publisher_says_statuscode_for_the_status_of_a_value() -> None:
    message = only(recorded("opc-publisher")["delta frame"])
    assert (message.writer.id, message.writer.name, message.sequence) == (1, "1000", 27)
    lost, step = message.fields["BadFastUInt1"], message.fields["StepUp"]
    assert (lost.body, lost.status) == (None, status_codes.code("BadNoCommunication"))
    assert lost.source_timestamp == parse_timestamp("2022-03-18T12:55:20.8409353Z")
    assert (step.body, step.status) == (23305, 0)


def test_opc_publisher_has_names_of_types_and_of_a_writer() -> None:
    message = only(recorded("opc-publisher")["event"])
    assert message.kind == EVENT
    assert (message.writer.id, message.writer.name) == (0, "SIMPLE-EVENTS")
    fields = [(each.type, each.body) for each in message.fields.values()]
    assert fields[0] == (BYTESTRING, "88C2T817uUWMVNDclyOFnA==")
    assert fields[2] == (STRING, "5")


def test_the_metadata_of_opc_publisher_are_read_with_their_structures_left_out() -> None:
    messages = recorded("opc-publisher")
    metadata = messages["metadata"]
    assert isinstance(metadata, MetaData)
    assert (metadata.writer.id, metadata.writer.name) == (1, "1000")
    types = [each.type for each in metadata.fields]
    assert types[:3] == [BYTESTRING, LOCALIZEDTEXT, STRING]
    told = Publication(metadata.writer.publisher)
    told.take(metadata)
    event = messages["event"]
    assert isinstance(event, NetworkMessage)
    writer = event.messages[0].writer._replace(publisher="", name="1000")
    told.take(event._replace(messages=(event.messages[0]._replace(writer=writer),)))
    values = told.values()
    assert values["Message"].value == Variant(
        LOCALIZEDTEXT, LocalizedText("en-US", "The system cycle '5' has started.")
    )
    structure = values["http://opcfoundation.org/SimpleEvents#CurrentStep"]
    assert structure.status == status_codes.code("BadDecodingError")


def test_a_keep_alive_of_opc_publisher_is_one() -> None:
    message = only(recorded("opc-publisher")["keep alive"])
    assert (message.kind, message.sequence, message.fields) == (KEEP_ALIVE, 66, {})


def test_open62541_has_null_for_what_it_does_not_say() -> None:
    message = recorded("open62541")["key frame"]
    assert isinstance(message, NetworkMessage) and message.message_id == ""
    told = Publication("2234")
    told.take(message)
    ticks = parse_timestamp("2026-11-30T14:08:07.3619586Z")
    assert told.values()["D"] == DataValue(Variant(DOUBLE, 1.5), 0, ticks)
    assert told.values()["L"].value == Variant(INT64, -9007199254740993)
    time = told.values()["Time"].value
    assert time == Variant(DATETIME, parse_timestamp("2026-11-30T14:08:07.8625016Z"))


def test_the_quickstarts_of_the_opc_foundation_are_served() -> None:
    messages = recorded("starter-kit")
    told = Publication("iiot-starterkit-quickstart")
    for each in ("status", "metadata", "data set message"):
        told.take(messages[each], "MotorEnergyMetrics")
    assert told.works
    assert told.values()["Consumption"] == DataValue(Variant(DOUBLE, 42.25))
    assert told.values()["DutyCycle"] == DataValue(Variant(FLOAT, 0.5))
    members = publication.members(told.fields["Consumption"].about)
    assert members["EngineeringUnits"] == {
        "UnitId": 4937544,
        "DisplayName": "kW\u00b7h",
        "Description": "kilowatt hour",
    }
    told.take(messages["left"])
    assert not told.works
