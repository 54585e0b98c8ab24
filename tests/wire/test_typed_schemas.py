"""The documents for who makes code of the contract take what the server sends, and their names and
forms are such that generators make no others.

What json-schema-to-typescript makes of them a program uses in
``tests/integration/clients/test_contract_types.py``.
"""

import functools
from typing import Any, Callable, Dict, Iterator, List, Tuple

import fastjsonschema
import pytest
from jsonschema import Draft7Validator

from opcws.wire import contract, schema_files

from ..support.conformance import cases
from ..support.contract_problems import problems_of
from ..support.json_objects import objects_in

DOCUMENTS = {name: contract.document(name + ".schema.json") for name in ("typed", "flat")}
INDEX = contract.document("index.json")
#: Names that a language has itself, or whose place it takes.
TAKEN = "Boolean Double Error Event Exception Map Object Option Result Some String Type Vec".split()


@functools.lru_cache(maxsize=None)
def judge(document: str, type_name: str) -> Callable[[Any], bool]:
    """Whether a message is of a type in *document*."""
    rules = {**DOCUMENTS[document], "anyOf": [{"$ref": "#/definitions/" + type_name}]}
    validate = fastjsonschema.compile(rules)

    def judged(message: Any) -> bool:
        try:
            validate(message)
        except fastjsonschema.JsonSchemaValueException:
            return False
        return True

    return judged


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_each_type_has_a_name_that_every_language_takes(document: str) -> None:
    definitions = DOCUMENTS[document]["definitions"]
    assert {name: rules["title"] for name, rules in definitions.items()} == dict(
        zip(definitions, definitions)
    )
    assert all(name.isalnum() and name[0].isupper() for name in definitions)
    assert len({name.lower() for name in definitions}) == len(definitions)
    assert not {*definitions} & {*TAKEN}
    for rules in objects_in(DOCUMENTS[document]):
        if "$ref" in rules:
            assert rules["$ref"].partition("#/definitions/")[2] in definitions


def test_each_form_of_each_message_is_a_type_of_both_documents() -> None:
    listed = {each["type"]: each["types"] for each in INDEX["messages"]}
    assert sorted(listed) == sorted(contract.MESSAGE_TYPES)
    assert listed["READ_REQUEST"] == ["ReadRequest", "ReadListRequest"]
    assert listed["ERROR"] == ["ErrorMessage"]
    for document in DOCUMENTS.values():
        for message, names in listed.items():
            for name in names:
                header = document["definitions"][name]["properties"]["Header"]["$ref"]
                members = document["definitions"][header.rpartition("/")[2]]["properties"]
                assert members["MessageType"]["enum"] == [message]


def test_the_index_leads_to_every_schema_and_to_nothing_else() -> None:
    named = ["index.json", INDEX["asyncapi"], *INDEX["types"], *INDEX["documents"]]
    for each in INDEX["messages"]:
        named += [each["file"], each["examples"]]
        requests = (
            [each["type"].replace("REQUEST", "RESPONSE")] if "REQUEST" in each["type"] else []
        )
        assert ([each["response"]] if "response" in each else []) == requests
        is_sent = each["type"].endswith("_REQUEST")
        assert each["direction"] == ("to the server" if is_sent else "from the server")
    others = [name for name in schema_files.names() if name.count("/") == 2]
    assert sorted(named) == sorted({*schema_files.names()} - {*others})
    assert INDEX["contract"] == contract.VERSION


def test_the_flat_document_has_no_unions_and_no_null() -> None:
    for rules in objects_in(DOCUMENTS["flat"]):
        assert not {"anyOf", "oneOf"} & {*rules}
        assert isinstance(rules.get("type", ""), (str, dict)) and rules.get("type") != "null"


def test_no_member_of_a_request_is_null_or_has_another_spelling() -> None:
    for document in DOCUMENTS.values():
        for name, rules in document["definitions"].items():
            members = rules.get("properties", {})
            assert "ClientHandler" not in members
            if "Request" in name or name.startswith("Writ") and "Result" not in name:
                for member in members.values():
                    kinds = [each.get("type") for each in objects_in(member) if "type" in each]
                    assert "null" not in kinds and not any(isinstance(k, list) for k in kinds)


def samples(document: str, rules: Any, name: str = "", within: Tuple[str, ...] = ()) -> List[Any]:
    """Values of the type *rules*, which *name* has and which is *within* others: of an object one
    with what it must have, and one with each alternative of its members."""
    rules = (rules.get("allOf") or [rules])[0]
    if "$ref" in rules:
        type_name = rules["$ref"].rpartition("/")[2]
        if type_name in within:
            return []
        within = (*within, type_name)
        rules = DOCUMENTS[document]["definitions"][type_name]
    choices = rules.get("anyOf") or rules.get("oneOf")
    if choices:
        return [value for each in choices for value in samples(document, each, name, within)]
    if "enum" in rules:
        return [rules["enum"][0]]
    kind = rules.get("type")
    if kind == "object":
        members = {
            key: samples(document, each, key, within)
            for key, each in rules.get("properties", {}).items()
        }
        required = [members[key][:1] for key in rules.get("required", ())]
        if not all(required):
            return []
        made = [{key: members[key][0] for key in rules.get("required", ())}]
        for turn in range(max(map(len, members.values()), default=0)):
            made.append({key: each[turn % len(each)] for key, each in members.items() if each})
        return made
    if kind == "array":
        return [samples(document, rules["items"], name, within)]
    text = "2026-11-22T10:00:00Z" if "Time" in name or name == "Since" else "BadTimeout"
    return [{"string": text, "boolean": True, "null": None}.get(kind, rules.get("minimum", 1))]


@pytest.mark.parametrize("document", sorted(DOCUMENTS))
def test_whatever_is_of_a_type_the_server_takes(document: str) -> None:
    tried: Dict[str, int] = {}
    for each in INDEX["messages"]:
        if each["direction"] == "to the server":
            for name in each["types"]:
                for sample in samples(document, {"$ref": name}):
                    if each["type"] == "HISTORICALREAD_REQUEST":  # the one rule that no type says
                        sample["Body"]["StartTime"] = "2026-11-22T10:00:00Z"
                    type_name = "ClientMessage" if document == "typed" else name
                    assert judge(document, type_name)(sample), sample
                    assert not problems_of(each["type"], sample), sample
                    tried[name] = tried.get(name, 0) + 1
    assert len(tried) == 12 and tried["WriteRequest"] > {"typed": 50, "flat": 2}[document], tried


# --- The conformance pack ------------------------------------------------------------------------


def of_typed_dialect() -> Iterator[Dict[str, Any]]:
    """The right messages of the pack that the server sends in the typed dialect to a client whose
    ClientHandle is a text."""
    for case in cases("."):
        if case.valid and "REQUEST" not in case.schema.name:
            schema = contract.document(case.schema.name)
            schema["anyOf"] = schema.get("anyOf", [{}])[:1]
            header = case.data["Header"]
            if isinstance(header.get("ClientHandle", ""), str) and "ClientHandler" not in header:
                if Draft7Validator(schema).is_valid(case.data):
                    yield case.data


def test_what_the_server_sends_has_a_type() -> None:
    messages = list(of_typed_dialect())
    assert len(messages) > 60
    one_of_all = judge("typed", "ServerMessage")
    types: Dict[str, List[str]] = {each["type"]: each["types"] for each in INDEX["messages"]}
    for message in messages:
        assert one_of_all(message), message
        kind = message["Header"]["MessageType"]
        assert any(judge("flat", name)(message) for name in types[kind]), message


@pytest.mark.parametrize(
    "wrong",
    [
        {"Type": 11, "Body": True},
        {"Type": 1, "Body": 1},
        {"Type": 8, "Body": 5},
        {"Type": 26, "Body": 5},
        {"Body": 5},
        {"Type": "11", "Body": 5},
    ],
)
def test_a_variant_is_known_by_its_type(wrong: Any) -> None:
    judged = judge("typed", "Variant")
    for good in ({"Type": 11, "Body": 5}, {"Type": 1, "Body": [True]}, {"Type": 8, "Body": "5"}):
        assert judged(good)
    assert not judged(wrong)
