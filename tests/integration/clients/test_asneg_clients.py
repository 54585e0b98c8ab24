"""A client written for the ASNeG server does not notice the difference (string dialect).

The requests are those of that server's own tests, documentation and panel; the answers are
compared as text, to the letter.
"""

import json
import re
from typing import Any, Iterator

import pytest

from opcws.app import Server

from ... import support
from ...support import URI, Client, PlantProcess

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant


@pytest.fixture(scope="module")
def asneg_server(plant: PlantProcess) -> Iterator[Server]:
    listed = {
        "BooleanTest": {"node": "nsu=%s;s=Types.Boolean" % URI, "access": "readwrite"},
        "Int64Test": {"node": "nsu=%s;s=Types.Int64" % URI, "access": "readwrite"},
        "DoubleTest": {"node": "nsu=%s;s=Types.Double" % URI, "access": "readwrite"},
        "ByteArrayTest": {"node": "nsu=%s;s=Types.ByteArray" % URI, "access": "readwrite"},
        "History": {"node": "nsu=%s;s=Boiler.Temperature" % URI},
        "Boolean": {
            "node": "nsu=%s;s=Types.Boolean" % URI,
            "type": "Boolean",
            "metadata": {"DisplayName": " Switch", "Limits": {"Max": " 1", "Min": " 0"}},
        },
    }
    with support.served(plant.endpoint, variables=listed, listen={"scalars": "string"}) as running:
        yield running


@pytest.fixture
def asneg(asneg_server: Server) -> Iterator[Client]:
    """A client that names no subprotocol and no dialect."""
    with Client(asneg_server.urls[0], subprotocols=None) as connected:
        yield connected


def _text(client: Client, operation: str, body: Any, handle: str = "1") -> str:
    """The answer to such a request, as it came."""
    client.send(operation, body, handle)
    text: str = client.ws.recv()
    return text


def _timeless(text: str) -> str:
    """*text* with T for every timestamp."""
    return re.sub(r'"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"', "T", text)


@pytest.mark.parametrize(
    ("name", "type_id", "value", "read_back"),
    [
        ("BooleanTest", "1", "false", "false"),
        ("BooleanTest", "1", "true", "true"),
        ("Int64Test", "8", "555", "555"),
        ("Int64Test", "8", "-20", "-20"),
        ("DoubleTest", "11", "88", "88"),
        ("DoubleTest", "11", "10.56", "10.56"),
        ("DoubleTest", "11", "-30.0", "-30"),
    ],
)
def test_a_write_is_answered_with_an_empty_string_and_read_back_as_text(
    asneg: Client, name: str, type_id: str, value: str, read_back: str
) -> None:
    body = {"Variable": name, "Value": {"Value": {"Body": value, "Type": type_id}}}
    assert _text(asneg, "WRITE", body) == (
        '{"Header":{"MessageType":"WRITE_RESPONSE","ClientHandle":"1"},"Body":""}'
    )
    assert _timeless(_text(asneg, "READ", {"Variable": name})) == (
        '{"Header":{"MessageType":"READ_RESPONSE","ClientHandle":"1"},'
        '"Body":{"Value":{"Type":"%s","Body":"%s"},"SourceTimestamp":T,"ServerTimestamp":T}}'
        % (type_id, read_back)
    )


def test_a_write_with_a_type_that_is_not_the_nodes_is_judged_by_the_plant(asneg: Client) -> None:
    body = {"Variable": "DoubleTest", "Value": {"Value": {"Body": "5", "Type": "8"}}}
    assert json.loads(_text(asneg, "WRITE", body))["Body"]["StatusCode"] == "BadTypeMismatch"


def test_the_panels_write_has_a_source_timestamp_that_is_ignored(asneg: Client) -> None:
    body = {
        "Variable": "DoubleTest",
        "SourceTimestamp": "2015-09-06T09:03:21.000Z",
        "Value": {"Value": {"Body": "21", "Type": "11"}},
    }
    assert json.loads(_text(asneg, "WRITE", body, "DoubleTest"))["Body"] == ""
    answer = json.loads(_text(asneg, "READ", {"Variable": "DoubleTest"}))["Body"]
    assert answer["Value"]["Body"] == "21"
    assert not answer["SourceTimestamp"].startswith("2015")


@pytest.mark.parametrize(
    "operation", ["READ", "WRITE", "VALUEINFO", "HISTORICALREAD", "MONITORSTART", "MONITORSTOP"]
)
def test_a_wrong_format_is_told_in_the_header(asneg: Client, operation: str) -> None:
    answer = json.loads(_text(asneg, operation, {"WRONG_FIELD": "WRONG_VALUE"}))
    assert answer["Header"].pop("Reason")
    assert answer == {
        "Header": {
            "MessageType": operation + "_RESPONSE",
            "ClientHandle": "1",
            "StatusCode": "BadAttributeIdInvalid",
        }
    }


def test_an_unknown_message_type_is_an_error(asneg: Client) -> None:
    header = {"MessageType": "WRONG_REQUEST", "ClientHandle": "1"}
    answer = asneg.raw(json.dumps({"Header": header, "Body": {}}))
    assert answer["Header"]["MessageType"] == "ERROR"
    assert answer["Header"]["StatusCode"] == "BadRequestHeaderInvalid"


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", {"Variable": "NOT_EXIST"}),
        ("WRITE", {"Variable": "NOT_EXIST"}),
        ("MONITORSTART", {"Variable": "NOT_EXIST"}),
        (
            "HISTORICALREAD",
            {
                "Variable": "NOT_EXIST",
                "StartTime": "20020131T225959",
                "EndTime": "20020131T235959",
            },
        ),
    ],
)
def test_a_variable_that_is_not_found_is_told_in_the_body(
    asneg: Client, operation: str, body: Any
) -> None:
    answer = json.loads(_text(asneg, operation, body))
    assert answer["Header"] == {"MessageType": operation + "_RESPONSE", "ClientHandle": "1"}
    assert answer["Body"]["StatusCode"] == "BadNodeIdUnknown"


def test_the_value_list_is_asked_with_an_empty_body(asneg: Client) -> None:
    assert _text(asneg, "VALUELIST", {}, "VALUELIST") == (
        '{"Header":{"MessageType":"VALUELIST_RESPONSE","ClientHandle":"VALUELIST"},"Body":'
        '{"Variables":["Boolean","BooleanTest","ByteArrayTest","DoubleTest","History","Int64Test"]}}'
    )


def test_the_value_info_has_type_and_shape_as_text_and_the_metadata_as_configured(
    asneg: Client,
) -> None:
    names = ["BooleanTest", "ByteArrayTest", "Boolean", "NOT_EXIST"]

    def infos() -> Any:
        found = json.loads(_text(asneg, "VALUEINFO", {"Variables": names}))["Body"]["Variables"]
        return found if "Type" in found[0] else None

    boolean, array, switch, unknown = support.wait_until(infos, "the types are known")
    assert [boolean[name] for name in ("Variable", "Type", "IsArray")] == [
        "BooleanTest",
        "Boolean",
        "false",
    ]
    assert [array[name] for name in ("Variable", "Type", "IsArray")] == [
        "ByteArrayTest",
        "Byte",
        "true",
    ]
    assert switch["MetaData"] == {"DisplayName": " Switch", "Limits": {"Max": " 1", "Min": " 0"}}
    assert unknown["StatusCode"] == "BadNodeIdUnknown"


def test_a_monitor_is_started_told_and_stopped(asneg: Client) -> None:
    empty = '{"Header":{"MessageType":"%s_RESPONSE","ClientHandle":"1"},"Body":""}'
    off = {"Variable": "BooleanTest", "Value": {"Value": {"Body": "false", "Type": "1"}}}
    assert _text(asneg, "WRITE", off) == empty % "WRITE"
    boolean = {"Variable": "BooleanTest"}
    assert _text(asneg, "MONITORSTART", boolean) == empty % "MONITORSTART"
    assert _timeless(asneg.ws.recv()) == (
        '{"Header":{"MessageType":"MONITORUPDATE_MESSAGE","ClientHandle":"1"},"Body":'
        '{"Variable":"BooleanTest","Value":{"Type":"1","Body":"false"},'
        '"SourceTimestamp":T,"ServerTimestamp":T}}'
    )
    assert asneg.status("MONITORSTART", boolean, "1") == "BadEntryExists"
    asneg.write("BooleanTest", {"Value": {"Body": "true", "Type": "1"}})
    assert asneg.update("1")["Value"] == {"Type": "1", "Body": "true"}
    assert _text(asneg, "MONITORSTOP", boolean) == empty % "MONITORSTOP"
    assert asneg.status("MONITORSTOP", boolean, "1") == "BadNoEntryExists"
    assert not asneg.pushed, "in this dialect nothing else is ever pushed"


def test_the_panels_historical_read_may_have_no_end(asneg: Client) -> None:
    body = {"Variable": "History", "StartTime": "2015-09-06T09:03:21.000Z", "EndTime": None}
    values = json.loads(_text(asneg, "HISTORICALREAD", body, "History"))["Body"]["DataValues"]
    assert values and all(value["Value"]["Type"] == "11" for value in values)


def test_a_historical_read_of_a_span_without_values_is_an_empty_string(asneg: Client) -> None:
    body = {"Variable": "History", "StartTime": "20020131T225959", "EndTime": "20020131T235959"}
    assert _text(asneg, "HISTORICALREAD", body) == (
        '{"Header":{"MessageType":"HISTORICALREAD_RESPONSE","ClientHandle":"1"},'
        '"Body":{"DataValues":""}}'
    )
