"""``schemas/asyncapi.json`` follows AsyncAPI's own schema and leads to the schemas of all
messages."""

import json
from typing import Any, List

import pytest
from jsonschema import Draft7Validator

from opcws.wire import contract, schema_files

from .. import ROOT
from ..support.json_objects import objects_in

#: AsyncAPI's schemas of its documents; the second is the same with references within it.
SPECS = ROOT / "tests" / "javascript" / "node_modules" / "@asyncapi" / "specs" / "schemas"
API = contract.document("asyncapi.json")


def problems(document: Any) -> List[str]:
    rules = SPECS / "3.0.0-without-$id.json"
    if not rules.exists():
        pytest.skip("not run: needs @asyncapi/specs (npm install in tests/javascript)")
    judge = Draft7Validator(json.loads(rules.read_text(encoding="utf-8")))
    return [error.json_path for error in judge.iter_errors(document)]


def test_it_is_what_asyncapi_says_that_it_must_be() -> None:
    assert problems(API) == []


@pytest.mark.parametrize(
    "good, bad",
    [
        ('"action": "receive"', '"action": "recieve"'),
        ('"type": "X509"', '"type": "X508"'),
        ('"location": "$message.', '"location": "$messages.'),
    ],
)
def test_a_mistake_in_it_would_be_found(good: str, bad: str) -> None:
    text = json.dumps(API)
    assert good in text
    assert problems(json.loads(text.replace(good, bad)))


def test_each_reference_leads_to_a_part_or_to_a_file_beside_it() -> None:
    files = set()
    for reference in [each["$ref"] for each in objects_in(API) if "$ref" in each]:
        file, _, path = reference.partition("#/")
        if file:
            assert file.startswith("./") and not path
            files.add(file[2:])
        else:
            part = API
            for name in path.split("/"):
                part = part[name]
    assert files == {name + ".json" for name in contract.MESSAGE_TYPES} <= {*schema_files.names()}


def test_each_request_has_its_response_and_each_other_message_is_sent_unasked() -> None:
    told = {}
    for operation in API["operations"].values():
        (message,) = (each["$ref"].rpartition("/")[2] for each in operation["messages"])
        reply = operation.get("reply", {"messages": []})["messages"]
        told[message] = (operation["action"], [each["$ref"].rpartition("/")[2] for each in reply])
    expected = {
        name + "_REQUEST": ("receive", [name + "_RESPONSE", "ERROR"])
        for name in contract.OPERATIONS
    }
    for name in contract.MESSAGE_TYPES:
        if not name.endswith(("_REQUEST", "_RESPONSE")):
            expected[name] = ("send", [])
    assert told == expected
    assert API["info"]["version"] == contract.VERSION


def test_a_message_with_a_handle_is_known_by_it() -> None:
    (place,) = API["components"]["correlationIds"].values()
    assert place["location"] == "$message.payload#/Header/ClientHandle"
    for name, message in API["components"]["messages"].items():
        definitions = contract.schema(name)["definitions"]
        has_handle = any(
            "ClientHandle" in each.get("properties", {}) for each in definitions.values()
        )
        assert ("correlationId" in message) == has_handle, name
