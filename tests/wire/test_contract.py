"""The schema files say what the protocol says, and a client is told how to put a message right."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft7Validator

import opcws
from opcws.model.errors import RequestError
from opcws.wire import contract, messages, schema_errors
from opcws.wire.contract import judged_members, shape_of
from opcws.wire.timestamps import parse_timestamp

from ..support import PATIENCE, slack_s
from ..support.contract_problems import problems_of

SCHEMAS = Path(__file__).resolve().parents[2] / "schemas"

MESSAGE_TYPES = [
    "VALUELIST_REQUEST",
    "VALUELIST_RESPONSE",
    "VALUEINFO_REQUEST",
    "VALUEINFO_RESPONSE",
    "READ_REQUEST",
    "READ_RESPONSE",
    "WRITE_REQUEST",
    "WRITE_RESPONSE",
    "HISTORICALREAD_REQUEST",
    "HISTORICALREAD_RESPONSE",
    "MONITORSTART_REQUEST",
    "MONITORSTART_RESPONSE",
    "MONITORSTOP_REQUEST",
    "MONITORSTOP_RESPONSE",
    "MONITORUPDATE_MESSAGE",
    "SERVERSTATUS_MESSAGE",
    "ERROR",
]
REQUESTS = [name for name in MESSAGE_TYPES if name.endswith("_REQUEST")]
RESPONSES = [name for name in MESSAGE_TYPES if name.endswith("_RESPONSE")]
FROM_SERVER = [name for name in MESSAGE_TYPES if name not in REQUESTS]

EXAMPLES = [
    pytest.param(name, example, id="%s-%d" % (name, index))
    for name in MESSAGE_TYPES
    for index, example in enumerate(contract.schema(name)["examples"])
]


def request(message_type, body, **header):
    header.setdefault("ClientHandle", "1")
    return {"Header": dict(header, MessageType=message_type), "Body": body}


def reason_for(message_type, message):
    with pytest.raises(RequestError) as caught:
        contract.check(message_type, message)
    assert caught.value.status == "BadAttributeIdInvalid"
    return caught.value.reason


def objects_described_by(rules):
    """Every part of a schema that describes an object, but not the conditions on one."""
    if isinstance(rules, list):
        for each in rules:
            yield from objects_described_by(each)
    elif isinstance(rules, dict):
        if "properties" in rules and rules.get("type") == "object":
            yield rules
        for key in ("properties", "definitions"):
            for each in rules.get(key, {}).values():
                yield from objects_described_by(each)
        for key in ("items", "anyOf"):
            yield from objects_described_by(rules.get(key))


def references_in(node):
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "$ref":
                yield value
            elif key != "examples":
                yield from references_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from references_in(value)


def in_string_dialect(value):
    """*value* as a Boost property tree writes it: scalars as strings, what is empty as ""."""
    if isinstance(value, dict):
        if isinstance(value.get("NodeId"), str):
            value = {**value, "NodeId": {"IdType": "1", "Id": "x", "Namespace": "2"}}
        return {key: in_string_dialect(each) for key, each in value.items()} or ""
    if isinstance(value, list):
        return [in_string_dialect(each) for each in value] or ""
    if value is None:
        return ""
    return SPECIAL.get(value, value) if isinstance(value, str) else json.dumps(value)


SPECIAL = {"NaN": "nan", "Infinity": "inf", "-Infinity": "-inf"}


# -- The files ------------------------------------------------------------------------------


def test_there_is_one_schema_file_for_each_message_type_of_the_protocol():
    files = {path.name for path in SCHEMAS.glob("*.json")}
    others = ["index.json", "asyncapi.json", "typed.schema.json", "flat.schema.json"]
    documents = ("config", "status", "whoami", "login", "audit", "view")
    others += [name + ".schema.json" for name in documents]
    files -= {*others}
    assert files == {name + ".json" for name in MESSAGE_TYPES}
    assert sorted(contract.MESSAGE_TYPES) == sorted(MESSAGE_TYPES)
    assert sorted(name + "_REQUEST" for name in contract.OPERATIONS) == sorted(REQUESTS)


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_each_schema_is_valid_draft_07_and_says_so(message_type):
    rules = contract.schema(message_type)
    assert rules["$schema"] == "http://json-schema.org/draft-07/schema#"
    Draft7Validator.check_schema(rules)


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_each_id_carries_the_contract_version(message_type):
    rules = contract.schema(message_type)
    assert rules["$id"].startswith("https://")
    assert rules["$id"].endswith("/%d/%s.json" % (contract.MAJOR, message_type))
    assert contract.VERSION in rules["$comment"].split(". ")[0]


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_each_schema_refers_to_nothing_outside_itself(message_type):
    rules = contract.schema(message_type)
    defined = {"#/definitions/" + name for name in rules.get("definitions", {})}
    assert set(references_in(rules)) == defined


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_each_member_of_each_message_is_described(message_type):
    rules = contract.schema(message_type)
    assert rules["title"] and rules["description"]
    undescribed = [
        name
        for each in objects_described_by(rules)
        for name, member in each["properties"].items()
        if member and not member.get("description")
    ]
    assert undescribed == []


@pytest.mark.parametrize("names", [REQUESTS, FROM_SERVER], ids=["requests", "from_server"])
def test_a_definition_of_one_name_is_the_same_in_every_file(names):
    meanings = {}
    for message_type in names:
        for name, definition in contract.schema(message_type).get("definitions", {}).items():
            assert meanings.setdefault(name, definition) == definition, name


@pytest.mark.parametrize("message_type", REQUESTS)
def test_a_request_schema_is_closed_everywhere(message_type):
    found = list(objects_described_by(contract.schema(message_type)))
    assert len(found) >= 4  # the message, its Header and what that is, its Body
    assert all(each.get("additionalProperties") is False or "allOf" in each for each in found)


def objects_in(value, *path):
    if isinstance(value, dict):
        yield path, value
    if isinstance(value, (dict, list)):
        for key, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from objects_in(each, *path, key)


@pytest.mark.parametrize("message_type", FROM_SERVER)
def test_a_later_version_may_add_members_to_a_message_but_not_within_a_member(message_type):
    for example in contract.schema(message_type)["examples"]:
        text = json.dumps(example)
        for path, _ in objects_in(example):
            message = json.loads(text)
            dict(objects_in(message))[path]["Later"] = "x"
            # The message, its Header, its Body and the items of a list in the Body are open.
            may = len(path) < 2 or (len(path) == 3 and isinstance(path[2], int))
            if "MetaData" not in path and path[-1:] != ("Fields",):
                assert (problems_of(message_type, message) == []) == may, path


# -- The examples ---------------------------------------------------------------------------


@pytest.mark.parametrize("message_type, example", EXAMPLES)
def test_each_example_follows_its_schema(message_type, example):
    assert problems_of(message_type, example) == []
    if message_type in REQUESTS:
        contract.check(message_type, example)


@pytest.mark.parametrize("message_type", MESSAGE_TYPES)
def test_each_schema_has_at_least_two_different_examples(message_type):
    examples = [json.dumps(each) for each in contract.schema(message_type)["examples"]]
    assert len(set(examples)) == len(examples) >= 2


@pytest.mark.parametrize("message_type", REQUESTS)
def test_the_examples_of_a_request_show_both_spellings_and_each_form(message_type):
    rules = contract.schema(message_type)
    headers = [example["Header"] for example in rules["examples"]]
    assert any("ClientHandle" in header for header in headers)
    assert any("ClientHandler" in header for header in headers)
    bodies = [example.get("Body") or {} for example in rules["examples"]]
    shown = {name for body in bodies for name in body}
    assert shown == set(contract._rules(message_type)["properties"]["Body"]["properties"])


@pytest.mark.parametrize("message_type", RESPONSES)
def test_the_examples_of_a_response_show_success_and_failure(message_type):
    examples = contract.schema(message_type)["examples"]
    assert any("StatusCode" in example["Header"] for example in examples)
    assert any("Body" in example for example in examples)


@pytest.mark.parametrize("message_type", FROM_SERVER)
def test_what_the_server_sends_may_be_in_the_string_dialect(message_type):
    for example in contract.schema(message_type)["examples"]:
        assert problems_of(message_type, in_string_dialect(example)) == []


# -- What a request may say -----------------------------------------------------------------


@pytest.mark.parametrize(
    "message",
    [
        {"Header": {"MessageType": "VALUELIST_REQUEST", "ClientHandle": "1"}},
        request("VALUELIST_REQUEST", {}),
        request("VALUELIST_REQUEST", ""),
    ],
    ids=["absent", "object", "string"],
)
def test_the_body_of_a_value_list_request_may_be_empty_in_three_ways(message):
    contract.check("VALUELIST_REQUEST", message)


@pytest.mark.parametrize("name", ["", " ", "a;b", "Kühler.Temperatur", "x" * 5000])
def test_any_string_may_be_asked_for_as_a_variable(name):
    contract.check("READ_REQUEST", request("READ_REQUEST", {"Variable": name}))


@pytest.mark.parametrize("message_type", ["READ_REQUEST", "MONITORSTART_REQUEST"])
def test_a_list_of_variables_may_be_empty(message_type):
    contract.check(message_type, request(message_type, {"Variables": []}))


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        20.5,
        -(2**63),
        "20.5",
        "",
        [],
        [1, [2], {"Locale": "en"}],
        {"Body": None},
        {"Body": {"Locale": "en", "Text": "x"}},
        {"Type": 11, "Body": 20.5},
        {"Type": "11", "Body": "20.5"},
        {"Type": "Double", "Body": [1, 2], "Dimensions": [2, "1"]},
        {"Value": {"Body": 1}},
        {"Value": {"Body": 1}, "Status": "0", "SourceTimestamp": "2026-11-22T10:00:00Z"},
        {"Value": {"Type": 1, "Body": True}, "Status": 2156658688, "Symbol": "BadSensorFailure"},
    ],
    ids=json.dumps,
)
def test_a_value_to_write_may_be_a_data_value_a_typed_value_or_bare(value):
    body = {"Variable": "x", "Value": value}
    contract.check("WRITE_REQUEST", request("WRITE_REQUEST", body))
    contract.check("WRITE_REQUEST", request("WRITE_REQUEST", {"Writes": [body, body]}))


@pytest.mark.parametrize("timestamp", [None, 5, "2026-11-22T10:00:00Z", {}])
def test_a_source_timestamp_beside_the_value_is_ignored_whatever_it_is(timestamp):
    body = {"Variable": "x", "Value": 1, "SourceTimestamp": timestamp}
    contract.check("WRITE_REQUEST", request("WRITE_REQUEST", body))


@pytest.mark.parametrize("number", [0, 250, 250.5, 1.0, "0", "250", "250.5"])
def test_milliseconds_may_be_a_number_or_the_same_as_a_string(number):
    contract.check("READ_REQUEST", request("READ_REQUEST", {"Variable": "x", "MaxAge": number}))


@pytest.mark.parametrize("count", [0, 7, 7.0, "7"])
def test_a_count_may_be_a_whole_number_or_the_same_as_a_string(count):
    body = {"Variable": "x", "StartTime": "2026-11-22", "MaxValues": count}
    contract.check("HISTORICALREAD_REQUEST", request("HISTORICALREAD_REQUEST", body))


@pytest.mark.parametrize("given", ["StartTime", "EndTime", "ContinuationPoint"])
def test_a_historical_read_may_begin_at_either_end_or_go_on(given):
    body = {"Variable": "x", given: "20261122T100000"}
    contract.check("HISTORICALREAD_REQUEST", request("HISTORICALREAD_REQUEST", body))


#: Every optional member, as a generated client sends those that it does not use.
WITH_NULLS = [
    ("VALUELIST", None, ""),
    ("READ", {"Variable": "x", "Variables": None, "MaxAge": None}, {"Variable": "x"}),
    (
        "READ",
        {"Variable": None, "Variables": ["x"], "MaxAge": 5},
        {"Variables": ["x"], "MaxAge": 5},
    ),
    ("MONITORSTART", {"Variable": "x", "MinInterval": None}, {"Variable": "x"}),
    ("MONITORSTOP", {"Variable": None, "Variables": []}, {"Variables": []}),
    (
        "HISTORICALREAD",
        {
            **{"Variable": "x", "StartTime": "20260101", "EndTime": None, "MaxValues": None},
            **{"ReturnBounds": None, "Aggregate": None, "ProcessingInterval": None},
            "ContinuationPoint": None,
        },
        {"Variable": "x", "StartTime": "20260101"},
    ),
    (
        "WRITE",
        {"Variable": "x", "Value": None, "SourceTimestamp": None, "Writes": None},
        {"Variable": "x", "Value": None},
    ),
    (
        "WRITE",
        {"Variable": None, "Value": None, "SourceTimestamp": None, "Writes": []},
        {"Writes": []},
    ),
]


@pytest.mark.parametrize(
    ("operation", "body", "meant"), WITH_NULLS, ids=lambda each: json.dumps(each)[:50]
)
def test_an_optional_member_that_is_null_counts_as_absent(operation, body, meant):
    kind = operation + "_REQUEST"
    message = request(kind, body, ClientHandler=None)
    assert Draft7Validator(contract.schema(kind)).is_valid(message), "as others read the schema"
    contract.check(kind, message)
    parsed = messages.parse(json.dumps(message))
    contract.check_body(kind, parsed.message)
    assert (parsed.handle, parsed.handle_name) == ("1", "ClientHandle")
    assert parsed.message.get("Body", "") == meant
    unknown = request(kind, {**(body or {}), "Colour": None})
    assert not Draft7Validator(contract.schema(kind)).is_valid(unknown)
    assert "Colour: unknown member" in reason_for(kind, messages.parse(json.dumps(unknown)).message)


@pytest.mark.parametrize("number", ["10", "10.0", "1e1", "100E-1"])
@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("HISTORICALREAD_REQUEST", '{"Variable": "x", "StartTime": "2026", "MaxValues": N}'),
        ("READ_REQUEST", '{"Variable": "x", "MaxAge": N}'),
        ("MONITORSTART_REQUEST", '{"Variable": "x", "MinInterval": N}'),
        ("WRITE_REQUEST", '{"Variable": "x", "Value": {"Type": N, "Body": N}}'),
        ("WRITE_REQUEST", '{"Variable": "x", "Value": {"Body": [], "Dimensions": [N, N]}}'),
        (
            "WRITE_REQUEST",
            '{"Variable": "x", "Value": {"Value": {"Body": N}, "Status": N, "SourceTimestamp": '
            '"2026", "SourcePicoseconds": N, "ServerTimestamp": "2026", "ServerPicoseconds": N}}',
        ),
    ],
)
def test_a_whole_number_may_be_written_with_a_point_or_an_exponent(kind, body, number):
    text = '{"Header": {"MessageType": "%s", "ClientHandle": %s}, "Body": %s}'
    parsed = messages.parse(text % (kind, number, body.replace("N", number)))
    contract.check_body(kind, parsed.message)
    assert parsed.handle == 10 and type(parsed.handle) is int
    assert '"ClientHandle":10}' in messages.response(parsed, "typed", "")


@pytest.mark.parametrize("nothing", [None, ""])
def test_a_time_that_is_null_or_empty_counts_as_left_out(nothing):
    kind = "HISTORICALREAD_REQUEST"
    contract.check(kind, request(kind, {"Variable": "x", "StartTime": "2026", "EndTime": nothing}))
    reason = reason_for(kind, request(kind, {"Variable": "x", "StartTime": nothing}))
    assert reason == "Body: give at least one of StartTime, EndTime and ContinuationPoint"


@pytest.mark.parametrize("handle", ["", "17", 0, -5, 2**80, "x" * 256])
def test_a_handle_may_be_any_string_of_256_characters_or_any_whole_number(handle):
    message = request("READ_REQUEST", {"Variable": "x"}, ClientHandle=handle)
    contract.check("READ_REQUEST", message)


# -- What a client is told ------------------------------------------------------------------

LONG = "x" * 1000


@pytest.mark.parametrize(
    "message_type, body, reason",
    [
        ("READ", {"Variable": 5}, "Body.Variable: expected a string, got 5"),
        ("READ", {"Variable": None}, "Body: give either Variable or Variables"),
        ("READ", {"Variable": True}, "Body.Variable: expected a string, got true"),
        ("READ", {"Variable": [1, {}]}, "Body.Variable: expected a string, got [1, {}]"),
        (
            "READ",
            {"Variable": {"a": LONG}},
            'Body.Variable: expected a string, got {"a": "' + 50 * "x" + "...",
        ),
        (
            "READ",
            {"Variable": [[[[[[1]]]]]]},
            "Body.Variable: expected a string, got [[[[[...]]]]]",
        ),
        (
            "READ",
            {"Variable": 10**4000},
            "Body.Variable: expected a string, got a number of 13288 bits",
        ),
        ("READ", {"Variables": "x"}, 'Body.Variables: expected a list, got "x"'),
        (
            "READ",
            {"Variables": ["a", "b", "c", 5]},
            "Body.Variables[3]: expected a string, got 5",
        ),
        (
            "READ",
            {"Variables": ["x"] * 100001},
            "Body.Variables: expected at most 100000 items, got 100001",
        ),
        ("READ", {}, "Body: give either Variable or Variables"),
        ("READ", {"WRONG_FIELD": "x"}, "Body: give either Variable or Variables"),
        (
            "READ",
            {"Variable": "x", "Variables": []},
            "Body: give either Variable or Variables, not both",
        ),
        ("READ", {"Variabel": "x"}, "Body.Variabel: unknown member, did you mean Variable?"),
        ("READ", {"variable": "x"}, "Body.variable: unknown member, did you mean Variable?"),
        (
            "READ",
            {"Variable": "x", "variable": "x"},
            "Body.variable: unknown member, did you mean Variables?",
        ),
        (
            "READ",
            {"Variable": "x", "Zone": 1},
            "Body.Zone: unknown member, expected one of Variable, Variables, MaxAge",
        ),
        (
            "READ",
            {"Variable": "x", '\n"\ud800ü': 1},
            'Body["\\n\\"\\ud800ü"]: unknown member, expected one of Variable, Variables, MaxAge',
        ),
        (
            "READ",
            {"Variable": "x", LONG: 1},
            'Body["' + 56 * "x" + "...]: unknown member, "
            "expected one of Variable, Variables, MaxAge",
        ),
        ("READ", None, "Body is missing"),
        ("READ", "", 'Body: expected an object, got ""'),
        (
            "READ",
            {"Variable": "x", "MaxAge": -1},
            "Body.MaxAge: expected a number of at least 0, got -1",
        ),
        (
            "READ",
            {"Variable": "x", "MaxAge": float("inf")},
            "Body.MaxAge: expected a number of at most 1000000000000000, got Infinity",
        ),
        (
            "READ",
            {"Variable": "x", "MaxAge": "soon"},
            'Body.MaxAge: expected a number of at least 0, or the same as a string, got "soon"',
        ),
        (
            "READ",
            {"Variable": "x", "MaxAge": "5\n"},
            'Body.MaxAge: expected a number of at least 0, or the same as a string, got "5\\n"',
        ),
        (
            "READ",
            {"Variable": "x", "MaxAge": True},
            "Body.MaxAge: expected a number of at least 0, or the same as a string, got true",
        ),
        ("VALUELIST", {"All": 1}, "Body.All: unknown member, expected none"),
        ("VALUELIST", "x", 'Body: expected an object, got "x"'),
        ("VALUEINFO", {}, "Body.Variables is missing"),
        ("VALUEINFO", {"Variable": "x"}, "Body.Variable: unknown member, did you mean Variables?"),
        ("WRITE", {"Variable": "x"}, "Body.Value is missing, it goes with Variable"),
        ("WRITE", {"Value": 1}, "Body: give either Variable or Writes"),
        (
            "WRITE",
            {"Writes": [{"Variable": "x", "Value": 1}, {"Variable": "x"}]},
            "Body.Writes[1].Value is missing",
        ),
        (
            "WRITE",
            {"Writes": [{"Variable": 5, "Value": 1}]},
            "Body.Writes[0].Variable: expected a string, got 5",
        ),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Locale": "en", "Text": "x"}},
            "Body.Value.Body is missing",
        ),
        ("WRITE", {"Variable": "x", "Value": {}}, "Body.Value.Body is missing"),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Value": 5}},
            "Body.Value.Value: expected an object, got 5",
        ),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Value": {"Body": 5, "Typ": 6}}},
            "Body.Value.Value.Typ: unknown member, did you mean Type?",
        ),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Type": True, "Body": 5}},
            "Body.Value.Type: expected a whole number, a string or null, got true",
        ),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Body": [5], "Dimensions": [1, True]}},
            "Body.Value.Dimensions[1]: expected a whole number of at least 0, "
            "or the same as a string, got true",
        ),
        (
            "WRITE",
            {"Variable": "x", "Value": {"Value": {"Body": 5}, "Symbol": "Bad"}},
            "Body.Value.Status is missing, it goes with Symbol",
        ),
        ("HISTORICALREAD", {"StartTime": "2026"}, "Body: give either Variable or Variables"),
        (
            "HISTORICALREAD",
            {"Variables": ["x"], "StartTime": "2026"},
            "Body.MaxPoints is missing, it goes with Variables",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "StartTime": "2026", "MaxPoints": 100},
            "Body.Variables is missing, it goes with MaxPoints",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x"},
            "Body: give at least one of StartTime, EndTime and ContinuationPoint",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "StartTime": "2026", "Endtime": "2027"},
            "Body.Endtime: unknown member, did you mean EndTime?",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "StartTime": 5},
            "Body.StartTime: expected a string, got 5",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "StartTime": "2026", "MaxValues": 1.5},
            "Body.MaxValues: expected a whole number of at least 0, "
            "or the same as a string, got 1.5",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "StartTime": "2026", "ReturnBounds": 1},
            "Body.ReturnBounds: expected true or false, or the same as a string, got 1",
        ),
        (
            "HISTORICALREAD",
            {"Variable": "x", "ContinuationPoint": ""},
            "Body.ContinuationPoint: expected at least 1 character, got 0",
        ),
        (
            "MONITORSTART",
            {"Variable": "x", "MinInterval": 2**32},
            "Body.MinInterval: expected a number of at most 4294967295, got 4294967296",
        ),
        (
            "MONITORSTOP",
            {"Variable": "x", "MinInterval": 5},
            "Body.MinInterval: unknown member, expected one of Variable, Variables",
        ),
    ],
)
def test_the_reason_names_the_path_and_the_fix(message_type, body, reason):
    kind = message_type + "_REQUEST"
    assert reason_for(kind, request(kind, body)) == reason


@pytest.mark.parametrize(
    "message, reason",
    [
        ({}, "Header is missing"),
        ({"Header": {"MessageType": "READ_REQUEST", "ClientHandle": 1}}, "Body is missing"),
        ({"Header": 5, "Body": {"Variable": "x"}}, "Header: expected an object, got 5"),
        (
            {"Header": {"MessageType": "READ_REQUEST"}, "Body": {"Variable": "x"}},
            "Header: give either ClientHandle or ClientHandler",
        ),
        (
            request("READ_REQUEST", {"Variable": "x"}, ClientHandler=1),
            "Header: give either ClientHandle or ClientHandler, not both",
        ),
        (
            request("READ_REQUEST", {"Variable": "x"}, ClientHandle=True),
            "Header.ClientHandle: expected a string or a whole number, got true",
        ),
        (
            request("READ_REQUEST", {"Variable": "x"}, ClientHandle="x" * 257),
            "Header.ClientHandle: expected at most 256 characters, got 257",
        ),
        (
            request("READ_REQUEST", {"Variable": "x"}, Token=1),
            "Header.Token: unknown member, "
            "expected one of MessageType, ClientHandle, ClientHandler",
        ),
        (
            request("WRITE_REQUEST", {"Variable": "x"}),
            'Header.MessageType: expected "READ_REQUEST", got "WRITE_REQUEST"',
        ),
        (
            dict(request("READ_REQUEST", {"Variable": "x"}), Footer=1),
            "Footer: unknown member, expected one of Header, Body",
        ),
    ],
)
def test_the_reason_names_what_is_wrong_with_the_envelope(message, reason):
    assert reason_for("READ_REQUEST", message) == reason


@pytest.mark.parametrize(
    "message_type, body",
    [
        ("READ_REQUEST", {"Variables": ["x"] * 99999 + [5]}),
        ("READ_REQUEST", {"Variables": [5] * 500000}),
        ("READ_REQUEST", {"Variables": ["x"] * 100000, "Zone": 1}),
        ("READ_REQUEST", {"Variable": "x" * 2**20, "Zone": 1}),
        ("READ_REQUEST", {"x%d" % index: 1 for index in range(100000)}),
        ("WRITE_REQUEST", {"Writes": [{"Variable": "x", "Value": 1}] * 30000 + [{}]}),
        ("WRITE_REQUEST", {"Writes": [{}] * 100000}),
        ("WRITE_REQUEST", {"Variable": "x", "Value": {"Body": [0] * 500000, "Zone": 1}}),
    ],
    ids=["last", "all", "elsewhere", "text", "members", "last_write", "all_writes", "value"],
)
def test_a_large_bad_message_is_refused_without_delay(message_type, body):
    contract.check(message_type, contract.schema(message_type)["examples"][0])
    # What this thread computes, whatever else the machine does.
    started = time.thread_time()
    assert reason_for(message_type, request(message_type, body))
    assert time.thread_time() - started < slack_s()


def test_a_value_nested_deeper_than_the_stack_is_refused_with_a_reason():
    deep = []
    for _ in range(100000):
        deep = [deep]
    reason = reason_for("READ_REQUEST", request("READ_REQUEST", {"Variable": deep}))
    assert reason == "Body.Variable: expected a string, got [[[[[...]]]]]"


def test_no_reason_is_longer_than_its_bound():
    body = {"Writes": [{"Variable": "x", "Value": {"Value": {"Body": 1, "\x01" * 1000: 1}}}]}
    reason = reason_for("WRITE_REQUEST", request("WRITE_REQUEST", body))
    assert len(reason) <= schema_errors.MAX_REASON


# -- What a response may not say ------------------------------------------------------------


def response(body, kind="READ_RESPONSE", **header):
    return request(kind, body, **header)


@pytest.mark.parametrize(
    "message, problem",
    [
        (
            response({"StatusCode": "BadNodeIdUnknown"}),
            "Body.Reason is missing, it goes with StatusCode",
        ),
        (
            {"Header": {"MessageType": "READ_RESPONSE", "ClientHandle": 1}},
            "Body is missing",
        ),
        (
            response({}, StatusCode="BadInternalError", Reason="A fault."),
            "the message: does not follow the contract, got {}",
        ),
        (
            response({"Status": 2156658688}),
            "Body.Symbol is missing, it goes with Status",
        ),
        (
            response({"Status": 2156658688, "Symbol": "BadSensorFailure"}),
            "Body.StatusCode is missing",
        ),
        (
            response({"Status": 0, "Symbol": "Good"}),
            "Body.Status: expected a whole number of at least 1, got 0",
        ),
        (response({"Value": {"Type": 11}}), "Body.Value.Body is missing"),
        (
            response({"Values": [], "Value": {"Type": 6, "Body": 1}}),
            'Body: does not follow the contract, got {"Type": 6, "Body": 1}',
        ),
    ],
)
def test_a_response_that_breaks_the_protocol_does_not_pass(message, problem):
    assert problem in problems_of("READ_RESPONSE", message)


BAD = {"StatusCode": "BadTimeout", "Reason": "no answer in time"}


@pytest.mark.parametrize(
    "body",
    [
        {"Reason": "no answer in time"},
        {**BAD, "Value": {"Type": 6, "Body": 1}},
        {**BAD, "SourceTimestamp": "2026-11-22T10:00:00Z"},
        {**BAD, "Status": 1152, "Symbol": "Good"},
        {**BAD, "Values": []},
        {"Symbol": "BadTimeout", **BAD},
    ],
)
def test_a_bad_status_is_told_in_one_way_only(body):
    assert problems_of("READ_RESPONSE", response(body)) != []
    good = {**BAD, "Status": 2148139008, "Symbol": "BadTimeout", "Value": {"Type": 6, "Body": 1}}
    assert problems_of("READ_RESPONSE", response(BAD)) == []
    assert problems_of("READ_RESPONSE", response(good)) == []


@pytest.mark.parametrize("timestamp", ["2026-11-22 10:00:00", "2026-11-22T10:00:00+01:00", ""])
def test_a_timestamp_in_a_response_is_iso_8601_in_utc(timestamp):
    message = response({"SourceTimestamp": timestamp})
    assert len(problems_of("READ_RESPONSE", message)) == 1


#: Of each built-in type what is a Body of it in the typed dialect, and what is not.
TYPED = {
    1: ([True, [], [True, False], None], ["true", 1, "", [None], [[True]]]),
    2: ([-128, 127, 5.0, [1]], [-129, 128, 1.5, "1", [True]]),
    3: ([0, 255], [-1, 256]),
    4: ([-(2**15), 2**15 - 1], [-(2**15) - 1, 2**15]),
    5: ([0, 2**16 - 1], [-1, 2**16]),
    6: ([-5, [1, 2], -(2**31), 2**31 - 1], ["-5", -(2**31) - 1, 2**31, ["1"]]),
    7: ([0, 2**32 - 1], [-1, 2**32]),
    8: (["-9223372036854775808", "9223372036854775807"], [5, "9223372036854775808", "-0", "007"]),
    9: (["18446744073709551615", ["0"]], ["18446744073709551616", "-1", ""]),
    10: ([1.5, 3.4028235e38, "NaN"], [3.5e38, "nan", "1.5"]),
    11: ([20.5, 20, "NaN", "-Infinity", [1, "NaN"]], ["nan", "-inf", "20.5", True]),
    12: (["x", "", None, [None, "x"]], [5, {}]),
    13: (
        *(["2026-11-22T10:00:00.1234567Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"],),
        *(["", "2026-11-22", "2026-02-30T10:00:00Z", "2026-11-22T24:00:00Z", "2026-11-22T10:00Z"],),
    ),
    14: (["72962b91-fa75-4ae6-8d28-b404dc7daf63"], ["72962b91", ""]),
    15: (["aGVsbG8=", "", None], ["aGVsbG8", "a-_="]),
    16: (["<x/>", None], [5]),
    17: (
        *(["nsu=urn:x;s=y", "i=2258", "ns=2;b=AAAA", "s=a\n;b"],),
        *(["svr=1;i=5", "i=4294967296", "x=5", "nsu=;i=5", {"IdType": "0", "Id": "5"}],),
    ),
    18: (["svr=1;nsu=urn:x;i=5", "i=5"], ["svr=0;i=5", ""]),
    19: ([{"Code": 2147483648, "Symbol": "Bad"}], [{"Code": "0", "Symbol": "Good"}, 0, {}]),
    20: ([{"Name": "x"}, {"Name": "x", "Uri": "urn:x"}, {"Name": "x", "Uri": 2}, {}], ["x", ""]),
    21: ([{"Locale": "en", "Text": "x"}, {}, [{"Text": "x"}]], ["", {"Text": None}, {"T": "x"}]),
    22: (
        [
            {"TypeId": "i=884", "Body": {"Low": 0, "High": 1}},
            {"TypeId": "i=884", "Encoding": 1, "Body": "AAAA"},
            *({"TypeId": "i=884"}, None, [None]),
        ],
        [{"TypeId": "i=884", "Body": "AAAA"}, {"TypeId": "i=884", "Encoding": 1}, {}, ""],
    ),
    23: ([{"Value": {"Type": 6, "Body": 1}}, {}, [{}]], [{"Value": {"Type": 6, "Body": "1"}}, ""]),
    24: (
        [{"Type": 6, "Body": 1}, [{"Type": 1, "Body": True}, {"Type": 12, "Body": None}, None]],
        [5, [{"Type": 1, "Body": 5}], [{"Type": "1", "Body": "true"}]],
    ),
    25: ([{"SymbolicId": 5, "InnerDiagnosticInfo": {"AdditionalInfo": "x"}}, {}], [{"Id": 5}, ""]),
}
#: The same in the string dialect.
IN_STRINGS = {
    1: (["true", "", ["true", "false"]], [True, "1", None, [], ["yes"]]),
    2: (["-128", "127", ["1"], ""], [1, "128", "-129", "1.0"]),
    7: (["0", "4294967295"], ["-1", "4294967296"]),
    9: (["18446744073709551615", ["1"], ""], ["18446744073709551616", 5]),
    11: (["-30", "1e-07", "4.9E-324", "nan", "-inf", ["1", "2.5"]], ["NaN", "Infinity", 5, "x"]),
    12: (["x", "", ["", "x"]], [None, [None]]),
    13: (["2026-11-22T10:00:00.1234567Z", ""], ["2026-11-22"]),
    17: (
        [{"IdType": "1", "Id": "y", "Namespace": "2"}, ""],
        [{"IdType": 1, "Id": "y", "Namespace": "2"}, "i=2258", {"IdType": "1"}],
    ),
    19: ([{"Code": "2147483648", "Symbol": "Bad"}], [{"Code": 2147483648, "Symbol": "Bad"}]),
    20: (
        [{"Name": "x", "Uri": "2", "NamespaceIndex": "2"}, {"Name": "", "NamespaceIndex": "0"}],
        [{"Name": "x", "Uri": "urn:x", "NamespaceIndex": "2"}, {"Name": "x"}, {}],
    ),
    21: (
        [{"Locale": "en", "Text": "x"}, "", [{"Locale": "", "Text": ""}]],
        [{}, {"Text": "x"}, {"Locale": "", "Text": "x", "T": "x"}],
    ),
    22: (
        [
            {
                "TypeId": {"IdType": "0", "Id": "884", "Namespace": "0"},
                "Body": {"L": ["0", {"H": ""}]},
            },
            *("", ["", ""]),
        ],
        [{"TypeId": {"IdType": "0", "Id": "884", "Namespace": "0"}, "Body": {"Low": 0}}, None],
    ),
    23: (
        [{"Value": {"Type": "6", "Body": "1"}}, "", ["", ""]],
        [{"Value": {"Type": 6, "Body": 1}}],
    ),
    24: (
        [{"Type": "6", "Body": "1"}, ["", {"Type": "1", "Body": "true"}]],
        [{"Type": 6, "Body": 1}],
    ),
}


@pytest.mark.parametrize("type_id", TYPED)
def test_each_form_of_each_built_in_type_passes_in_a_response_and_no_other(type_id):
    for spelt, table in ((type_id, TYPED), (str(type_id), IN_STRINGS)):
        good, bad = table.get(type_id, ([], []))
        for expected, bodies in ((True, good), (False, bad)):
            for body in bodies:
                message = response({"Value": {"Type": spelt, "Body": body}})
                assert (problems_of("READ_RESPONSE", message) == []) == expected, body


@pytest.mark.parametrize(
    "message",
    [
        response({"Value": {"Type": "6", "Body": "1"}, "Status": 5, "Symbol": "Good"}),
        response({"Value": {"Type": "6", "Body": "1"}}, ClientHandle=5),
        response({"Values": [{"Variable": "x", "Value": {"Type": 6, "Body": 1}}, ""]}),
        response("", ClientHandle=5),
    ],
)
def test_the_dialects_are_not_mixed_in_one_message(message):
    assert problems_of("READ_RESPONSE", message)


# -- The two validators ---------------------------------------------------------------------

SCALARS = st.sampled_from(
    [None, True, False, 0, 1, -1, 1.0, 1.5, -0.0, 2**32, 10**400, 1e300, float("inf")]
    + [
        "",
        "1",
        "1.0",
        "2026",
        "20261122T100000",
        "1\n",
        "-1",
        "true",
        "false",
        "null",
        "x",
        "x" * 257,
        "\u0661",
        "\ud800",
    ]
)
NAMES = st.sampled_from(
    ["Header", "Body", "MessageType", "ClientHandle", "ClientHandler", "Variable", "Variables"]
    + ["Value", "Values", "Writes", "Type", "Dimensions", "Status", "Symbol", "SourceTimestamp"]
    + ["SourcePicoseconds", "MaxAge", "StartTime", "EndTime", "ContinuationPoint", "Variabel", ""]
)
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=5,
)


def places_in(value):
    """Every container in *value* with each of its keys or indexes."""
    found = []
    if isinstance(value, (dict, list)):
        for key in list(value) if isinstance(value, dict) else range(len(value)):
            found.append((value, key))
            found.extend(places_in(value[key]))
    return found


@st.composite
def mutated_requests(draw):
    message_type = draw(st.sampled_from(REQUESTS))
    examples = contract.schema(message_type)["examples"]
    message = json.loads(json.dumps(draw(st.sampled_from(examples))))
    for _ in range(draw(st.integers(0, 3))):
        places = places_in(message)
        if not places:
            break
        container, key = draw(st.sampled_from(places))
        change = draw(st.sampled_from(["replace", "remove", "add"]))
        if change == "replace":
            container[key] = draw(JSON)
        elif change == "remove":
            del container[key]
        elif isinstance(container, dict):
            container[draw(NAMES)] = draw(JSON)
        else:
            container.append(draw(JSON))
    return message_type, message


def taken(message_type, message, check=contract.check):
    """Whether the server takes a request; what it judges elsewhere included."""
    try:
        check(message_type, message)
        for name in ("ClientHandle", "ClientHandler"):
            if name in message["Header"] and message["Header"][name] is not None:
                messages._one_handle(name, message["Header"][name])
        body = message.get("Body") or {}
        for name in ("StartTime", "EndTime", "Since"):  # as the gateway does
            if body.get(name):
                parse_timestamp(body[name])
    except (RequestError, ValueError):
        return False
    return True


@given(mutated_requests())
def test_the_schema_says_of_any_mutated_request_what_the_server_says(mutated):
    message_type, message = mutated
    assert taken(message_type, message) == (not problems_of(message_type, message))


@given(mutated_requests())
def test_both_validators_agree_on_any_mutated_request(mutated):
    message_type, message = mutated
    without = contract._without_any_null(message_type, message)
    judge = contract.Judge(contract._rules(message_type))
    assert contract._accepts(message_type)(without) == judge.is_valid(without)


@given(mutated_requests())
def test_any_mutated_request_passes_or_gets_one_short_reason_that_can_be_sent(mutated):
    message_type, message = mutated
    try:
        contract.check(message_type, message)
    except RequestError as error:
        assert 0 < len(error.reason) <= schema_errors.MAX_REASON
        assert error.reason.isprintable()
        error.reason.encode("utf-8")


@given(mutated_requests())
def test_a_body_judged_by_its_shape_is_judged_as_by_its_schema(mutated):
    message_type, message = mutated
    header = message.get("Header")
    if problems_of(message_type, {"Header": header, "Body": BODIES[message_type]}):
        return  # opcws.wire.messages has refused it
    good = taken(message_type, message, contract.check_body)
    assert good == (not problems_of(message_type, message))


@pytest.mark.parametrize("message_type", REQUESTS)
def test_every_value_of_every_member_is_judged_as_by_its_schema(message_type):
    for body in bodies_of(message_type):
        message = request(message_type, body)
        expected = not problems_of(message_type, message)
        for _known_by_then in range(2):
            assert taken(message_type, message, contract.check_body) == expected, body


def bodies_of(message_type):
    """The Bodies of the examples, with each member, at any depth, once of each kind."""
    for example in contract.schema(message_type)["examples"]:
        text = json.dumps(example.get("Body", {}))
        for index in range(len(places_in(json.loads(text)))):
            for value in KINDS:
                body = json.loads(text)
                container, key = places_in(body)[index]
                container[key] = value
                yield body
                if isinstance(container, dict):
                    del container[key]
                    yield body
                    container["Variables"] = value
                    yield body
                    container["Other"] = value
                    yield body


KINDS = [
    *(None, True, 0, 1, -1, 10**15, 10**16, 2**32, 0.0, 0.5, -0.5, 1.0, 1e300, [], [1], ["a"]),
    *("", "a", "1", "-1", "1.5", "a" * 64, "a" * 65, {}, {"Body": 1}, {"Type": "a" * 65}),
    {"Value": {"Type": 1, "Body": {"a": {"b": 1}}}},
]
BODIES = {
    message_type: contract.schema(message_type)["examples"][0].get("Body", {})
    for message_type in REQUESTS
}


def test_what_a_schema_says_about_values_is_found_at_any_depth():
    rules = {
        "properties": {
            "Body": {
                "type": "object",
                "maxLength": 0,
                "properties": {
                    "Free": {"type": "string", "description": "x", "maxLength": 64},
                    "Short": {"type": "string", "maxLength": 63},
                    "Deep": {"anyOf": [{"type": "null"}, {"properties": {"A": {"enum": [1]}}}]},
                    "List": {"type": "array", "items": {"minimum": 1}},
                },
                "if": {"properties": {"If": {"const": 1}}},
            }
        },
        "definitions": {"x": {"properties": {"B": {"not": {"pattern": "b"}}}}},
    }
    assert judged_members(rules) == {"Short", "A", "List", "If", "B"}
    rules["definitions"]["x"]["minimum"] = 5
    assert shape_of({}, judged_members(rules)) is None


def test_checking_a_message_does_not_change_it():
    for message_type in REQUESTS:
        for example in contract.schema(message_type)["examples"]:
            before = json.dumps(example)
            contract.check(message_type, example)
            assert json.dumps(example) == before


# -- The rest of the interface --------------------------------------------------------------


@pytest.mark.parametrize(
    "message_type, body, name",
    [
        ("READ_REQUEST", {"Variable": "x"}, "x"),
        ("WRITE_REQUEST", {"Variable": "x"}, "x"),
        ("HISTORICALREAD_REQUEST", {"Variable": "x", "MaxValues": "many"}, "x"),
        ("READ_REQUEST", {"Variable": 5}, None),
        ("READ_REQUEST", {"Variables": ["x"]}, None),
        ("READ_REQUEST", {"Variable": "x", "Variables": ["x"]}, None),
        ("WRITE_REQUEST", {"Variable": "x", "Writes": []}, None),
        ("VALUEINFO_REQUEST", {"Variable": "x"}, None),
        ("VALUELIST_REQUEST", "", None),
        ("READ_REQUEST", None, None),
    ],
)
def test_the_single_variable_is_found_even_where_the_rest_is_wrong(message_type, body, name):
    assert contract.single_variable(message_type, request(message_type, body)) == name


@pytest.mark.parametrize("message_type", ["READ", "read_request", "", "../setup", "CONFIG"])
def test_an_unknown_message_type_is_a_lookup_error(message_type):
    with pytest.raises(LookupError):
        contract.schema(message_type)
    with pytest.raises(LookupError):
        contract.check(message_type, {})
    with pytest.raises(LookupError):
        problems_of(message_type, {})


def test_a_missing_schema_file_is_named():
    with pytest.raises(FileNotFoundError, match=r"schemas/Nowhere\.json"):
        contract.document("Nowhere.json")


def test_a_document_is_the_content_of_its_file():
    path = SCHEMAS / "READ_REQUEST.json"
    assert contract.document(path.name) == json.loads(path.read_text(encoding="utf-8"))


def test_the_schemas_are_found_inside_an_installed_package(tmp_path):
    package = Path(opcws.__path__[0])
    installed = tmp_path / "opcws"
    installed.mkdir()
    (installed / "__init__.py").write_text("", encoding="utf-8")
    for room in ("model", "wire"):
        shutil.copytree(str(package / room), str(installed / room))
    shutil.copytree(str(SCHEMAS), str(installed / "schemas"))
    program = (
        "import opcws.wire.contract as c; print(c.__file__); "
        "print([c.schema(name)['$id'][-4:] for name in c.MESSAGE_TYPES][0])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=str(tmp_path),
        env=dict(os.environ, PYTHONPATH=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=3 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout
    where, suffix = done.stdout.splitlines()
    assert installed.resolve() in Path(where).resolve().parents
    assert suffix == "json"
