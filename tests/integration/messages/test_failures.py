"""Every row of PROTOCOL's failure table, and which comes first where two apply.

Each test sends what is wrong through the socket and looks at the message type, at the status and
where it stands, at the reason and at the handle.
"""

import json
import logging
import re
import struct
from typing import Any, Callable, Dict, Iterator, List

import pytest

from opcws.app import Server
from opcws.model.deadline import Deadline
from opcws.ua.plant import Plant

from ... import ROOT, support
from ...support import URI, Client, PlantProcess
from ...support.wire_tap import Tap

#: Its tests write: no other module finds what they have written.
pytestmark = pytest.mark.own_plant

SINGLE = ("READ", "WRITE", "HISTORICALREAD", "MONITORSTART", "MONITORSTOP")
OPERATIONS = ("VALUELIST", "VALUEINFO", *SINGLE)


@pytest.fixture
def tap(plant: PlantProcess) -> Iterator[Tap]:
    """The way to the plant, to be held and cut."""
    relay = Tap(plant.port)
    yield relay
    relay.cut()


@pytest.fixture
def serve() -> Iterator[Callable[..., Server]]:
    """Starts servers for one test."""
    started: List[Server] = []

    def start(endpoint: str, **changes: Any) -> Server:
        started.append(support.serve(endpoint, **changes))
        return started[-1]

    yield start
    for server in started:
        server.stop()


def message(operation: str, body: Any = None, **header: Any) -> str:
    header = {"MessageType": operation + "_REQUEST", "ClientHandle": "h", **header}
    return json.dumps({"Header": header, "Body": {} if body is None else body})


def expect_error(answer: Dict[str, Any], status: str, **header: Any) -> str:
    """*answer* is an ERROR with *status* and, but for the reason, just *header*."""
    reason: str = answer["Header"].pop("Reason")
    assert answer == {"Header": {"MessageType": "ERROR", "StatusCode": status, **header}}
    assert reason
    return reason


def expect_refusal(answer: Dict[str, Any], operation: str, status: str, handle: Any = "h") -> str:
    """*answer* is a response that failed as a message: ``Header.StatusCode``, no Body."""
    reason: str = answer["Header"].pop("Reason")
    header = {"MessageType": operation + "_RESPONSE", "ClientHandle": handle, "StatusCode": status}
    assert answer == {"Header": header}
    assert reason
    return reason


def expect_failure(answer: Dict[str, Any], operation: str, status: str, handle: Any = "h") -> str:
    """*answer* is a response whose subject failed: ``Body.StatusCode`` and nothing else."""
    reason: str = answer["Body"].pop("Reason")
    header = {"MessageType": operation + "_RESPONSE", "ClientHandle": handle}
    assert answer == {"Header": header, "Body": {"StatusCode": status}}
    assert reason
    return reason


# --- row 1: not JSON, or not an object --------------------------------------------------------

NO_JSON = {
    "nothing": "",
    "a brace": "{",
    "two objects": "{} {}",
    "a byte order mark": "\ufeff{}",
    "single quotes": "{'Header': {}}",
    "a comma too many": '{"Header": {},}',
    "NaN": '{"Header": NaN}',
    "Infinity": '{"Header": Infinity}',
    "minus Infinity": '{"Header": -Infinity}',
    "a control character": '{"Header": "\x01"}',
    "deep lists": "[" * 100000,
    "deep objects": '{"a":' * 100000,
    "deep closed lists": "[" * 100000 + "]" * 100000,
    "a number": "5",
    "a string": '"READ_REQUEST"',
    "null": "null",
    "a list": "[%s]" % message("VALUELIST"),
}


@pytest.mark.parametrize("text", NO_JSON.values(), ids=NO_JSON.keys())
def test_what_is_no_json_object_is_a_decoding_error_without_handle(
    client: Client, text: str
) -> None:
    expect_error(client.raw(text), "BadDecodingError")
    assert client.body("VALUELIST")["Variables"], "the connection goes on"


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ('{"Header":{"MessageType":"VALUELIST_REQUEST","ClientHandle":1},"Header":{}}', "Header"),
        (
            '{"Header":{"MessageType":"READ_REQUEST","ClientHandle":1,"ClientHandle":1}}',
            "ClientHandle",
        ),
        (
            '{"Header":{"MessageType":"READ_REQUEST","ClientHandle":1},'
            '"Body":{"Variable":"Types.Double","Variable":"Types.Double"}}',
            "Variable",
        ),
    ],
    ids=["message", "header", "body"],
)
def test_a_member_that_is_there_twice_is_a_decoding_error_that_names_it(
    client: Client, text: str, name: str
) -> None:
    assert '"%s"' % name in expect_error(client.raw(text), "BadDecodingError")


def test_the_reason_for_a_nan_literal_says_how_to_write_it(client: Client) -> None:
    text = message("WRITE", {"Variable": "Types.Double", "Value": float("nan")})
    assert 'the string "NaN"' in expect_error(client.raw(text), "BadDecodingError")


# --- row 2: the header ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{}", "Header is missing"),
        ('{"Body":{}}', "Header is missing"),
        ('{"Header":null}', "Header: expected an object, got null"),
        ('{"Header":"VALUELIST_REQUEST"}', "Header: expected an object"),
        ('{"Header":[]}', "Header: expected an object, got an array"),
        ('{"Header":{}}', "Header.ClientHandle is missing"),
        ('{"Header":{"MessageType":"VALUELIST_REQUEST"}}', "Header.ClientHandle is missing"),
        ('{"Header":{"MessageType":"FOO_REQUEST"}}', "Header.ClientHandle is missing"),
    ],
)
def test_a_header_without_a_handle_is_invalid(client: Client, text: str, told: str) -> None:
    assert told in expect_error(client.raw(text), "BadRequestHeaderInvalid")


@pytest.mark.parametrize("handle", [None, True, 1.5, [], {}, "x" * 257])
@pytest.mark.parametrize("name", ["ClientHandle", "ClientHandler"])
def test_a_handle_of_a_wrong_type_is_invalid_and_not_echoed(
    client: Client, name: str, handle: Any
) -> None:
    text = json.dumps({"Header": {"MessageType": "VALUELIST_REQUEST", name: handle}})
    reason = expect_error(client.raw(text), "BadRequestHeaderInvalid")
    assert reason.startswith("Header.%s: expected" % name)


def test_both_spellings_of_the_handle_at_once_are_invalid(client: Client) -> None:
    text = message("VALUELIST", ClientHandler="other")
    answer = client.raw(text)
    handle = json.loads(text)["Header"]["ClientHandle"]
    told = expect_error(answer, "BadRequestHeaderInvalid", ClientHandle=handle)
    assert "not both" in told


@pytest.mark.parametrize("handle", ["h", 7, "", -1])
@pytest.mark.parametrize("name", ["ClientHandle", "ClientHandler"])
def test_a_message_type_that_is_missing_or_no_string_is_invalid_with_the_handle(
    client: Client, name: str, handle: Any
) -> None:
    told = expect_error(
        client.raw(json.dumps({"Header": {name: handle}})),
        "BadRequestHeaderInvalid",
        **{name: handle},
    )
    assert told == "Header.MessageType is missing"
    for wrong in (5, None, True, ["READ_REQUEST"], {}):
        text = json.dumps({"Header": {"MessageType": wrong, name: handle}})
        told = expect_error(client.raw(text), "BadRequestHeaderInvalid", **{name: handle})
        assert told.startswith("Header.MessageType: expected a string")


def test_an_unknown_member_of_the_header_is_invalid(client: Client) -> None:
    answer = client.raw(message("VALUELIST", StatusCode="Good"))
    told = expect_error(answer, "BadRequestHeaderInvalid", ClientHandle="h")
    assert told.startswith("Header.StatusCode")


# --- row 3: the message type ------------------------------------------------------------------


@pytest.mark.parametrize(
    "message_type",
    ["", "FOO", "READ", "read_request", "READ_RESPONSE", "MONITORUPDATE_MESSAGE", "ERROR"],
)
def test_an_unknown_message_type_is_an_error_that_tells_the_known_ones(
    client: Client, message_type: str
) -> None:
    answer = client.raw(message("READ", {"Variable": 5}, MessageType=message_type))
    told = expect_error(answer, "BadRequestHeaderInvalid", ClientHandle="h")
    assert told.startswith("Header.MessageType: expected one of")
    assert all(operation + "_REQUEST" in told for operation in OPERATIONS)


# --- the handle -------------------------------------------------------------------------------

HANDLES = ["", "17", "h" * 256, "Grüße 世界 \U0001f600", '"\\\n', "\ud800", 0, -5, 2**63, 10**200]


@pytest.mark.parametrize("handle", HANDLES, ids=lambda handle: repr(handle)[:20])
@pytest.mark.parametrize("name", ["ClientHandle", "ClientHandler"])
def test_a_response_carries_the_handle_as_it_came_under_the_name_that_it_had(
    client: Client, name: str, handle: Any
) -> None:
    header = {"MessageType": "READ_REQUEST", name: handle}
    for body in ({"Variable": "Types.Double"}, {"Variable": "nowhere"}, {"Variable": 5}):
        answer = client.raw(json.dumps({"Header": header, "Body": body}))
        assert answer["Header"][name] == handle
        assert type(answer["Header"][name]) is type(handle)
        assert not {"ClientHandle", "ClientHandler"} - {name} & set(answer["Header"])


def test_a_handle_of_thousands_of_digits_is_answered(client: Client) -> None:
    text = message("VALUELIST").replace('"h"', "9" * 5000)
    answer = client.raw(text)
    assert answer["Header"].get("StatusCode") in (None, "BadDecodingError")
    assert client.body("VALUELIST")["Variables"], "and exactly once"


@pytest.mark.parametrize("name", ["ClientHandle", "ClientHandler"])
def test_an_integer_handle_comes_back_as_text_in_the_string_dialect(
    string_client: Client, name: str
) -> None:
    header = {"MessageType": "VALUELIST_REQUEST", name: 7}
    assert string_client.raw(json.dumps({"Header": header}))["Header"] == {
        "MessageType": "VALUELIST_RESPONSE",
        name: "7",
    }


# --- row 4: the rate --------------------------------------------------------------------------


def test_more_requests_than_the_rate_are_refused_before_anything_else_is_looked_at(
    plant: PlantProcess, serve: Callable[..., Server]
) -> None:
    server = serve(plant.endpoint, listen={"limits": {"requests_per_second": 2}})
    with Client(server.urls[0]) as client:
        for number in range(20):
            client.send("READ", {"Variable": 5}, number)
        answers = [client.answer() for _ in range(20)]
        first, *later = answers
        expect_refusal(first, "READ", "BadAttributeIdInvalid", 0)
        refused = [
            answer for answer in later if answer["Header"]["StatusCode"] == "BadTooManyOperations"
        ]
        assert len(refused) >= 10
        told = expect_refusal(
            refused[-1], "READ", "BadTooManyOperations", refused[-1]["Header"]["ClientHandle"]
        )
        assert "2 requests per second" in told
        expect_error(client.raw("{"), "BadDecodingError")  # rows 1 to 3 come first
        support.wait_until(
            lambda: "StatusCode" not in client.request("VALUELIST")["Header"],
            "a request is taken again",
        )


# --- row 5: the variable's form ---------------------------------------------------------------


@pytest.mark.parametrize("operation", SINGLE)
@pytest.mark.parametrize("wrong", [5, True, [], {}])
def test_a_variable_that_is_no_string_is_refused(
    client: Client, operation: str, wrong: Any
) -> None:
    answer = client.raw(message(operation, {"Variable": wrong}))
    told = expect_refusal(answer, operation, "BadAttributeIdInvalid")
    assert told.startswith("Body.Variable: expected a string")


@pytest.mark.parametrize("operation", ["VALUEINFO", *SINGLE])
def test_a_missing_variable_is_refused_however_empty_the_body_is(
    client: Client, operation: str
) -> None:
    header = {"MessageType": operation + "_REQUEST", "ClientHandle": "h"}
    absent = [{"Variable": None}, {"Variables": None}, {"Variable": None, "Variables": None}]
    for rest in ({}, *({"Body": body} for body in ("", {}, None, [], 5, *absent))):
        answer = client.raw(json.dumps({"Header": header, **rest}))
        assert "Body" in expect_refusal(answer, operation, "BadAttributeIdInvalid")


@pytest.mark.parametrize("operation", ["VALUEINFO", "READ", "MONITORSTART", "MONITORSTOP"])
@pytest.mark.parametrize(
    ("wrong", "path"),
    [
        ("Types.Double", "Body.Variables: expected a list"),
        ({}, "Body.Variables: expected a list"),
        (["Types.Double", 5], "Body.Variables[1]: expected a string, got 5"),
        ([None], "Body.Variables[0]: expected a string, got null"),
    ],
)
def test_variables_that_are_no_list_of_strings_are_refused(
    client: Client, operation: str, wrong: Any, path: str
) -> None:
    answer = client.raw(message(operation, {"Variables": wrong}))
    assert path in expect_refusal(answer, operation, "BadAttributeIdInvalid")


@pytest.mark.parametrize("operation", ["READ", "MONITORSTART", "MONITORSTOP"])
def test_the_singular_and_the_list_form_at_once_are_refused(client: Client, operation: str) -> None:
    body = {"Variable": "Types.Double", "Variables": ["Types.Double"]}
    told = expect_refusal(client.raw(message(operation, body)), operation, "BadAttributeIdInvalid")
    assert "Variable or Variables, not both" in told


# --- row 6: the variable ----------------------------------------------------------------------


@pytest.mark.parametrize("operation", SINGLE)
@pytest.mark.parametrize("name", ["nowhere", "", "types.double", "Types.Double ", "\udfff"])
def test_an_unknown_variable_is_told_in_the_body_before_the_rest_of_the_body_is_looked_at(
    client: Client, operation: str, name: str
) -> None:
    wrong = {"Variable": name, "Oops": 1, "MaxAge": -1, "StartTime": 5, "MinInterval": []}
    for body in ({"Variable": name}, wrong):
        answer = client.raw(message(operation, body))
        told = expect_failure(answer, operation, "BadNodeIdUnknown")
        assert json.dumps(name) in told


# --- row 7: the rest of the body --------------------------------------------------------------

DOUBLE = {"Variable": "Types.Double"}
HISTORY = {"Variable": "Boiler.Temperature"}
#: A body for each operation.
BODIES: Dict[str, Any] = {
    "VALUELIST": {},
    "VALUEINFO": {"Variables": ["Types.Double"]},
    "WRITE": {**DOUBLE, "Value": 1.5},
    "HISTORICALREAD": {**HISTORY, "StartTime": "2026-01-01", "EndTime": "2026-01-02"},
    **dict.fromkeys(("READ", "MONITORSTART", "MONITORSTOP"), DOUBLE),
}


@pytest.mark.parametrize(
    ("operation", "body", "told"),
    [
        ("VALUELIST", {"Variable": "x"}, "Body.Variable: unknown member"),
        ("VALUEINFO", {"Variables": [], "x": 1}, "Body.x: unknown member"),
        ("VALUEINFO", {"Variable": "x"}, "Body.Variable: unknown member, did you mean Variables?"),
        ("READ", {**DOUBLE, "Maxage": 1}, "Body.Maxage: unknown member, did you mean MaxAge?"),
        ("READ", {**DOUBLE, "MaxAge": -1}, "Body.MaxAge: expected a number of at least 0, got -1"),
        ("READ", {**DOUBLE, "MaxAge": True}, "Body.MaxAge: expected a number"),
        ("READ", {**DOUBLE, "MaxAge": "soon"}, "Body.MaxAge: expected a number"),
        ("READ", {"Variables": ["nowhere"], "MaxAge": -1}, "Body.MaxAge"),
        ("WRITE", DOUBLE, "Body.Value is missing"),
        ("WRITE", {"Writes": [DOUBLE]}, "Body.Writes[0].Value is missing"),
        ("WRITE", {"Writes": [{"Value": 1}]}, "Body.Writes[0].Variable is missing"),
        ("WRITE", {"Writes": {}}, "Body.Writes: expected a list"),
        ("WRITE", {**DOUBLE, "Value": {}}, "Body.Value.Body is missing"),
        ("WRITE", {**DOUBLE, "Value": {"Body": 1, "Tpe": 1}}, "Body.Value.Tpe: unknown member"),
        (
            "WRITE",
            {**DOUBLE, "Value": {"Value": {"Body": 1}, "State": 1}},
            "Body.Value.State: unknown member, did you mean Status?",
        ),
        ("HISTORICALREAD", HISTORY, "give at least one of StartTime, EndTime"),
        ("HISTORICALREAD", {**HISTORY, "StartTime": 5}, "Body.StartTime: expected a string"),
        ("HISTORICALREAD", {**HISTORY, "StartTime": "today"}, "Body.StartTime: expected a time"),
        ("HISTORICALREAD", {**HISTORY, "EndTime": "2026-13-01"}, "Body.EndTime: "),
        (
            "HISTORICALREAD",
            {**HISTORY, "EndTime": "2026-01-01", "MaxValues": -1},
            "Body.MaxValues: expected a whole number of at least 0, got -1",
        ),
        (
            "HISTORICALREAD",
            {**HISTORY, "EndTime": "2026-01-01", "ReturnBounds": 1},
            "Body.ReturnBounds: expected true or false",
        ),
        ("MONITORSTART", {**DOUBLE, "MinInterval": -1}, "Body.MinInterval"),
        ("MONITORSTOP", {**DOUBLE, "MinInterval": 1}, "Body.MinInterval: unknown member"),
    ],
    ids=str,
)
def test_a_body_that_does_not_follow_its_schema_is_refused_with_path_and_fix(
    client: Client, operation: str, body: Any, told: str
) -> None:
    answer = client.raw(message(operation, body))
    assert told in expect_refusal(answer, operation, "BadAttributeIdInvalid")


def test_an_unknown_member_beside_header_and_body_is_refused(client: Client) -> None:
    header = {"MessageType": "VALUELIST_REQUEST", "ClientHandle": "h"}
    answer = client.raw(json.dumps({"Header": header, "Bdy": {}}))
    assert expect_refusal(answer, "VALUELIST", "BadAttributeIdInvalid").startswith("Bdy: unknown")


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", {"Variable": "Test.WriteOnly", "MaxAge": -1}),
        ("WRITE", {"Variable": "Boiler.Temperature"}),
        ("HISTORICALREAD", {"Variable": "Test.WriteOnly", "StartTime": "today"}),
        ("MONITORSTART", {"Variable": "Test.WriteOnly", "MinInterval": -1}),
    ],
)
def test_the_bodys_form_is_looked_at_before_the_access(
    client: Client, operation: str, body: Any
) -> None:
    expect_refusal(client.raw(message(operation, body)), operation, "BadAttributeIdInvalid")


# --- row 8: access ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", {"Variable": "Test.WriteOnly"}),
        ("HISTORICALREAD", {"Variable": "Test.WriteOnly", "StartTime": "2026-01-01"}),
        ("MONITORSTART", {"Variable": "Test.WriteOnly"}),
    ],
)
def test_what_nobody_may_read_is_not_readable(client: Client, operation: str, body: Any) -> None:
    told = expect_failure(client.raw(message(operation, body)), operation, "BadNotReadable")
    assert "Test.WriteOnly" in told


@pytest.mark.parametrize("value", [1.5, "no number", [1], {"Type": 12, "Body": "x"}])
def test_what_nobody_may_write_is_not_writable_whatever_the_value(
    client: Client, value: Any
) -> None:
    body = {"Variable": "Boiler.Temperature", "Value": value}
    told = expect_failure(client.raw(message("WRITE", body)), "WRITE", "BadNotWritable")
    assert "access: readwrite" in told


# --- row 9: the value (every type is in test_writes) ------------------------------------------


@pytest.mark.parametrize(
    ("variable", "value", "status", "words"),
    [
        ("Types.Double", True, "BadTypeMismatch", "expected"),
        ("Types.Byte", 1.5, "BadTypeMismatch", "expected"),
        ("Types.Double", [1], "BadTypeMismatch", "expected"),
        ("Types.Byte", 256, "BadOutOfRange", "expected"),
        ("Types.Double", 10**400, "BadOutOfRange", "a number of some 400 digits is too large for"),
        ("Types.Float", 1e300, "BadOutOfRange", "1e+300 is too large for a Float (at most 3.4028"),
    ],
    ids=lambda value: "digits" if value == 10**400 else None,
)
def test_a_value_that_the_variable_cannot_have_is_told_in_the_body_with_its_path(
    client: Client, variable: str, value: Any, status: str, words: str
) -> None:
    answer = client.raw(message("WRITE", {"Variable": variable, "Value": value}))
    told = expect_failure(answer, "WRITE", status)
    assert told.startswith("Body.Value: " + words)


# --- row 12: the plant refuses ----------------------------------------------------------------

REFUSED = {
    "NoNode": {"node": "nsu=%s;s=No.Such.Node" % URI, "access": "readwrite", "type": "Double"},
    "NoNamespace": {"node": "nsu=urn:not:there;s=X", "access": "readwrite", "type": "Double"},
    "ReadOnly": {"node": "nsu=%s;s=Boiler.Temperature" % URI, "access": "readwrite"},
    "WriteOnly": {"node": "nsu=%s;s=Test.WriteOnly" % URI, "access": "readwrite"},
    "Setpoint": {"node": "nsu=%s;s=Boiler.Setpoint" % URI, "access": "readwrite"},
    "Double": {"node": "nsu=%s;s=Types.Double" % URI, "access": "readwrite"},
}


@pytest.fixture(scope="module")
def refusing(plant: PlantProcess, server: Server) -> Iterator[Server]:
    """A server whose configuration promises more than the plant holds; it ends before *server*,
    which leaves no thread behind."""
    running = support.serve(plant.endpoint, variables=REFUSED)
    support.wait_connected(running)
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("operation", "body", "status"),
    [
        ("READ", {"Variable": "NoNode"}, "BadNodeIdUnknown"),
        ("READ", {"Variable": "NoNamespace"}, "BadNodeIdUnknown"),
        ("READ", {"Variable": "WriteOnly"}, "BadNotReadable"),
        ("WRITE", {"Variable": "NoNode", "Value": 1}, "BadNodeIdUnknown"),
        ("WRITE", {"Variable": "NoNamespace", "Value": 1}, "BadNodeIdUnknown"),
        ("WRITE", {"Variable": "ReadOnly", "Value": 1}, "BadNotWritable"),
        ("WRITE", {"Variable": "Setpoint", "Value": 1000}, "BadOutOfRange"),
        ("WRITE", {"Variable": "Double", "Value": {"Type": 6, "Body": 1}}, "BadTypeMismatch"),
        (
            "HISTORICALREAD",
            {"Variable": "Double", "StartTime": "2026-01-01", "EndTime": "2026-01-02"},
            "BadHistoryOperationUnsupported",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "NoNode", "StartTime": "2026-01-01", "EndTime": "2026-01-02"},
            "BadNodeIdUnknown",
        ),
    ],
)
def test_what_the_plant_refuses_is_told_by_its_own_status(
    refusing: Server, operation: str, body: Any, status: str
) -> None:
    with Client(refusing.urls[0]) as client:
        answer = client.raw(message(operation, body))
        if operation == "READ":
            for stamp in ("SourceTimestamp", "ServerTimestamp", "Status", "Symbol"):
                answer["Body"].pop(stamp, None)
        expect_failure(answer, operation, status)


@pytest.mark.parametrize(
    ("name", "status"),
    [("NoNode", "BadNodeIdUnknown"), ("NoNamespace", "BadNodeIdUnknown")],
)
def test_a_node_that_the_plant_does_not_have_is_told_to_its_monitor_as_an_update(
    refusing: Server, name: str, status: str
) -> None:
    with Client(refusing.urls[0]) as client:
        assert client.body("MONITORSTART", {"Variables": [name, "Double"]}, "m") == {
            "Results": [{"Variable": name}, {"Variable": "Double"}]
        }
        updates = {body["Variable"]: body for body in (client.update("m"), client.update("m"))}
        assert updates[name]["StatusCode"] == updates[name]["Symbol"] == status
        assert updates[name]["Reason"] and "Value" not in updates[name]
        assert updates["Double"]["Value"]["Type"] == 11, "one bad node costs the others nothing"


# --- rows 10 and 11: the plant is away --------------------------------------------------------


def test_while_the_plant_is_away_every_request_says_so_unless_something_else_is_wrong(
    own_plant: PlantProcess, serve: Callable[..., Server]
) -> None:
    server = serve(own_plant.endpoint)
    support.wait_connected(server)
    with Client(server.urls[0]) as client:
        support.wait_until(
            lambda: client.body("VALUEINFO", {"Variables": ["Types.Byte"]})["Variables"][0].get(
                "Type"
            ),
            "the types are known",
        )
        own_plant.kill()
        support.wait_until(
            lambda: client.status("READ", DOUBLE) == "BadNotConnected", "the loss is noticed"
        )
        for operation in ("READ", "WRITE", "HISTORICALREAD"):
            answer = client.raw(message(operation, BODIES[operation]))
            assert "plant" in expect_failure(answer, operation, "BadNotConnected")
        expect_failure(
            client.raw(message("READ", {"Variable": "nowhere"})), "READ", "BadNodeIdUnknown"
        )
        expect_failure(
            client.raw(message("WRITE", {"Variable": "Boiler.Level", "Value": 1})),
            "WRITE",
            "BadNotWritable",
        )
        expect_failure(
            client.raw(message("WRITE", {"Variable": "Types.Byte", "Value": 256})),
            "WRITE",
            "BadOutOfRange",
        )
        values = client.body("READ", {"Variables": ["Types.Double", "nowhere"]})["Values"]
        assert [value["StatusCode"] for value in values] == ["BadNotConnected", "BadNodeIdUnknown"]
        writes = [{**DOUBLE, "Value": 1}, {"Variable": "Types.Byte", "Value": 256}]
        results = client.body("WRITE", {"Writes": writes})["Results"]
        assert [each["StatusCode"] for each in results] == ["BadNotConnected", "BadOutOfRange"]
        assert client.body("MONITORSTART", DOUBLE, "m") == {}, "its fate comes as an update"
        info = client.body("VALUEINFO", {"Variables": ["Types.Byte"]})["Variables"][0]
        assert info["Type"] == "Byte", "what was last known"


def test_a_plant_that_is_away_costs_only_its_own_items(
    plant: PlantProcess, serve: Callable[..., Server]
) -> None:
    away = {
        "endpoint": "opc.tcp://127.0.0.1:%d" % support.free_port(),
        "variables": {
            "Away": {"node": "nsu=urn:x;s=A", "access": "readwrite", "type": "Double"},
            "AwayToo": {"node": "nsu=urn:x;s=B", "access": "readwrite"},
        },
    }
    server = serve(plant.endpoint, more_servers={"away": away})
    support.wait_until(
        lambda: support.is_connected(server.plants["plant"].supervisor), "plant connected"
    )
    with Client(server.urls[0]) as client:
        names = ["Away", "Types.Int32", "AwayToo", "Types.Guid"]
        values = client.body("READ", {"Variables": names})["Values"]
        assert [value["Variable"] for value in values] == names
        assert [value.get("StatusCode") for value in values] == [
            "BadNotConnected",
            None,
            "BadNotConnected",
            None,
        ]
        writes = [{"Variable": name, "Value": 5} for name in ("Away", "Types.Int32", "AwayToo")]
        results = client.body("WRITE", {"Writes": writes})["Results"]
        assert [result.get("StatusCode") for result in results] == [
            "BadNotConnected",
            None,
            "BadNotConnected",
        ]


WRITTEN = 1.0 / 3.0
#: Nothing is on the way when a connection is held, and none ends before it is cut.
UNTIL_CUT = {"heartbeat_interval_ms": 60000, "request_timeout_ms": 60000}


def test_a_plant_that_does_not_answer_in_time_is_a_timeout_and_a_write_may_have_happened(
    tap: Tap, serve: Callable[..., Server]
) -> None:
    # Time enough for the write to be sent on a busy machine: one that was not is only a timeout.
    server = serve(tap.endpoint, server={**UNTIL_CUT, "request_timeout_ms": 5000})
    support.wait_connected(server)
    with Client(server.urls[0]) as client:
        client.body("READ", DOUBLE)
        tap.hold()
        client.send("WRITE", {**DOUBLE, "Value": {"Type": 11, "Body": WRITTEN}}, "h")
        client.send("READ", DOUBLE, "r")
        told = expect_failure(client.answer(), "WRITE", "BadTimeout")
        assert "it is not known whether the value was written" in told
        assert "written" not in expect_failure(client.answer(), "READ", "BadTimeout", "r")


def test_a_connection_that_breaks_in_flight_is_a_communication_error_and_a_write_is_not_repeated(
    tap: Tap, serve: Callable[..., Server]
) -> None:
    server = serve(tap.endpoint, server=UNTIL_CUT)
    support.wait_connected(server)
    with Client(server.urls[0]) as client:
        client.body("READ", DOUBLE)
        tap.hold()
        client.send("WRITE", {**DOUBLE, "Value": {"Type": 11, "Body": WRITTEN}}, "h")
        tap.wait_sent(struct.pack("<d", WRITTEN))
        tap.cut()
        told = expect_failure(client.answer(), "WRITE", "BadCommunicationError")
        assert "it is not known whether the value was written" in told
        assert tap.sent.count(struct.pack("<d", WRITTEN)) == 1


@pytest.mark.parametrize(
    ("operation", "body"),
    [
        ("READ", DOUBLE),
        ("HISTORICALREAD", {**HISTORY, "StartTime": "2026-01-01", "EndTime": "2026-01-02"}),
    ],
)
def test_a_read_whose_connection_breaks_in_flight_is_a_communication_error(
    tap: Tap, serve: Callable[..., Server], operation: str, body: Any
) -> None:
    server = serve(tap.endpoint, server=UNTIL_CUT)
    support.wait_connected(server)
    # What opcws learns at a connection is learnt, and nothing waits for an answer.
    server.plants["plant"].worker.drain(Deadline(support.PATIENCE))
    with Client(server.urls[0]) as client:
        client.request(operation, body)
        tap.hold()
        sent = len(tap.sent)
        node = body["Variable"].encode()
        client.send(operation, body, "h")
        support.wait_until(lambda: node in tap.sent[sent:], "the request is sent")
        tap.cut()
        expect_failure(client.answer(), operation, "BadCommunicationError")


# --- a defect ---------------------------------------------------------------------------------


class Defect(Exception):
    """What no code of ours raises."""


def _break(*_arguments: Any, **_more: Any) -> Any:
    raise Defect("the inside of opcws")


@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_defect_is_an_internal_error_with_the_traceback_in_the_log_only(
    server: Server,
    client: Client,
    operation: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setitem(server.gateway._operations, operation, _break)
    with caplog.at_level(logging.ERROR):
        answer = client.raw(message(operation, BODIES[operation]))
    told = expect_refusal(answer, operation, "BadInternalError")
    assert "inside" not in told and "Defect" not in told and "Traceback" not in told
    assert "Traceback" in caplog.text and "Defect: the inside of opcws" in caplog.text
    assert operation in caplog.text
    monkeypatch.undo()
    assert client.body("READ", DOUBLE)["Value"], "the connection goes on"


def test_the_traceback_of_a_defect_names_the_file_and_the_line(
    server: Server,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for plant in server.gateway.plants.values():
        monkeypatch.setattr(plant, "read", _break)
    with caplog.at_level(logging.ERROR):
        expect_refusal(client.raw(message("READ", DOUBLE)), "READ", "BadInternalError")
    # What is compiled names its files as the checkout does.
    line = re.search(r'File "\S*gateway.gateway\.py", line (\d+), in _read\n', caplog.text)
    assert line, caplog.text
    source = (ROOT / "opcws" / "gateway" / "gateway.py").read_text(encoding="utf-8").splitlines()
    assert "plant.read(" in source[int(line.group(1)) - 1]


def test_a_defect_after_the_plant_has_answered_is_an_internal_error_too(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    client.body("READ", DOUBLE)
    monkeypatch.setattr(Plant, "namespaces", property(_break))
    with caplog.at_level(logging.ERROR):
        answer = client.raw(message("READ", DOUBLE))
        assert "inside" not in expect_refusal(answer, "READ", "BadInternalError")
        values = client.body("READ", {"Variables": ["Types.Double", "nowhere"]})["Values"]
    assert [value["StatusCode"] for value in values] == ["BadInternalError", "BadNodeIdUnknown"]
    assert caplog.text.count("Defect: the inside of opcws") == 2
    monkeypatch.undo()
    assert client.body("READ", DOUBLE)["Value"]
