"""What a publisher has told, message by message."""

import json
from typing import Any, Dict, List

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opcws.config.settings import Mqtt
from opcws.model.data_types import DOUBLE, INT32, NODEID, DataValue, NodeId, Variant
from opcws.pubsub import data_sets, publication
from opcws.pubsub.network_messages import METADATA, parse
from opcws.pubsub.publication import WAITING, Changes, Publication
from opcws.wire.notifications import Origin, generic

WRITER = {"PublisherId": "p", "DataSetWriterId": 7}


def take(told: Publication, message: Dict[str, Any], kept: bool = False) -> Changes:
    return told.take(parse(json.dumps(message)), "w", kept)


def data(number: int, message_id: str = "", kind: str = "ua-deltaframe", **fields: Any) -> Any:
    one = {**WRITER, "SequenceNumber": number, "MessageType": kind, "Payload": fields}
    return {"MessageType": "ua-data", "MessageId": message_id, "Messages": [one]}


def metadata(*fields: Dict[str, Any]) -> Dict[str, Any]:
    return {"MessageType": METADATA, **WRITER, "MetaData": {"Fields": list(fields)}}


def double(name: str) -> Dict[str, Any]:
    return {"Name": name, "BuiltInType": DOUBLE}


def told_of(*fields: str) -> Publication:
    told = Publication("p")
    take(told, metadata(*map(double, fields)))
    return told


def test_a_field_has_its_value_once_the_metadata_say_its_type() -> None:
    told = Publication("p")
    assert not take(told, data(1, A=1)).values
    assert told.fields["A"].value == WAITING
    changes = take(told, metadata(double("A")))
    assert changes.values == [("A", DataValue(Variant(DOUBLE, 1.0)))]
    assert not take(told, metadata(double("A"))).values


def test_only_what_has_changed_is_told() -> None:
    told = told_of("A", "B")
    assert len(take(told, data(1, A=1, B=2)).values) == 2
    assert take(told, data(2, A=1, B=3)).values == [("B", DataValue(Variant(DOUBLE, 3.0)))]


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([1, 2, 3], 0),
        ([1, 3, 4], 1),
        ([5, 1, 2], 1),
        ([0xFFFFFFFF, 0, 1], 0),
        ([0xFFFFFFFF, 1], 0),
        ([0, 0, 0], 0),
    ],
)
def test_a_number_that_is_missing_is_a_gap(numbers: List[int], gaps: int) -> None:
    told = told_of("A")
    found = [take(told, data(each, "id%d" % place, A=1)) for place, each in enumerate(numbers)]
    assert sum(len(each.gaps) for each in found) == gaps


def test_a_message_that_comes_again_or_too_late_counts_for_nothing() -> None:
    told = told_of("A")
    take(told, data(1, "one", A=1))
    take(told, data(2, "two", A=2))
    again = take(told, data(1, "one", A=1))
    assert (again.values, again.gaps) == ([], [])
    assert not take(told, data(1, "kept", A=1), kept=True).values
    assert told.fields["A"].value == DataValue(Variant(DOUBLE, 2.0))
    assert not take(told, data(3, "three", "ua-keepalive")).gaps
    assert not take(told, data(3, "four", A=3)).gaps


def test_a_field_that_the_metadata_no_longer_have_is_gone() -> None:
    told = told_of("A", "B")
    changes = take(told, metadata(double("B")))
    assert changes.fields == {"A"} and set(told.fields) == {"B"}
    assert "do not have the field 'A'" in take(told, data(1, A=1)).odd


def test_what_a_publisher_told_before_it_vanished_is_told_anew_behind_a_gap() -> None:
    told = told_of("A")
    take(told, data(1, "one", A=1))
    told.forget_present()
    assert told.fields["A"].value == WAITING
    changes = take(told, data(7, "another", A=1))
    assert changes.gaps and changes.values == [("A", DataValue(Variant(DOUBLE, 1.0)))]


def test_a_field_of_two_data_sets_is_that_of_the_first() -> None:
    told = told_of("A")
    other = {**metadata(double("A")), "DataSetWriterId": 8, "DataSetWriterName": "other"}
    assert "that of 'w' is served" in take(told, other).odd


def test_a_value_that_does_not_fit_is_bad_until_metadata_come_that_it_fits() -> None:
    told = told_of("A")
    changes = take(told, data(1, A="text"))
    assert changes.values[0][1].status == 0x80070000 and "cannot be read" in changes.odd
    changes = take(told, metadata({"Name": "A", "BuiltInType": 12}))
    assert changes.values == [("A", DataValue(Variant(12, "text")))]


def test_a_namespace_that_was_never_heard_of_gets_an_index() -> None:
    told = Publication("p")
    value = {"UaType": NODEID, "Value": "nsu=urn:x;s=a"}
    assert take(told, data(1, A=value)).values == [
        ("A", DataValue(Variant(NODEID, NodeId(1, "a"))))
    ]
    assert told.namespaces[1] == "urn:x"


def test_what_valueinfo_says_comes_through_metadata_as_it_was() -> None:
    info = {
        "Type": "Int32",
        "IsArray": False,
        "Description": "of the press",
        "EngineeringUnits": {"DisplayName": "bar", "Description": "bar", "UnitId": 4342098},
        "EURange": {"Low": 0.0, "High": 10.5},
        "EnumValues": [{"Value": -1, "DisplayName": "off"}, {"Value": 4, "DisplayName": "on"}],
    }
    mqtt = Mqtt("mqtt://h", ("*",), publisher="p")
    data_set = data_sets.DataSet(mqtt, "plant", 1, ["A"])
    value = generic(0, DataValue(Variant(INT32, 4)))
    data_set.fields["A"].last = (*value, Origin(()))
    (message,) = data_set.describe(lambda _name: info, True)
    told = Publication("p")
    told.take(parse(message.payload.decode("ascii")), "plant")
    members = publication.members(told.fields["A"].about)
    assert members == {name: each for name, each in info.items() if name not in ("Type", "IsArray")}
    assert told.fields["A"].value_type[:2] == (INT32, False)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
MEMBERS = (
    *("MessageId", "PublisherId", "DataSetWriterId", "SequenceNumber", "MetaDataVersion", "Status"),
    *("Timestamp", "Payload", "Messages", "MetaData", "Connection", "NextReportTime"),
)


@given(
    st.sampled_from(["ua-data", "ua-metadata", "ua-status", "ua-connection", "ua-keyframe"]),
    st.dictionaries(st.sampled_from(MEMBERS), JSON),
    st.dictionaries(st.sampled_from(["UaType", "Type", "Value", "Body", "Status"]), JSON),
    st.dictionaries(
        st.sampled_from(["Name", "BuiltInType", "ValueRank", "Description", "Properties"]), JSON
    ),
)
def test_whatever_comes_is_taken_or_refused_with_a_reason(
    kind: str, members: Dict[str, Any], value: Dict[str, Any], field: Dict[str, Any]
) -> None:
    told = told_of("A")
    for message in (
        {"MessageType": kind, **members},
        data(1, A=value),
        metadata({"Name": "A", **field}),
        data(2, A=value, B=value),
        metadata(
            {"Name": "A", "BuiltInType": 12, "Properties": [{"Key": "EURange", "Value": value}]}
        ),
    ):
        try:
            told.take(parse(json.dumps(message)))
        except ValueError as problem:
            assert str(problem)
    for each in told.fields.values():
        publication.members(each.about)


@pytest.mark.parametrize(
    ("info", "level"),
    [
        ({}, 0),
        ({"Access": ""}, 0),
        ({"Access": "read"}, 1),
        ({"Access": "readwrite", "HistorySource": "plant"}, 7),
        ({"Access": "write"}, 2),
    ],
)
def test_what_can_be_asked_for_comes_with_the_metadata(info: Dict[str, Any], level: int) -> None:
    data_set = data_sets.DataSet(Mqtt("mqtt://b", ("*",)), "plant", 1, ["A"])
    (message,) = data_set.describe(lambda _name: info, True)
    told = Publication("opcws")
    told.take(parse(message.payload.decode("ascii")), "plant", False)
    assert publication.access_level(told.fields["A"].about) == level
