"""No version of the contract breaks what an older one of its major version promised."""

import copy
import json
import re
from functools import lru_cache
from typing import Any, Callable, Dict, List

import pytest

from opcws.wire import contract

from .. import ROOT
from ..support.conformance import cases
from ..support.contract_changes import breaks, members, today

RELEASES = sorted((ROOT / "tests" / "data" / "contract").glob("*.json"))
#: The last release: its version, and its schemas as tests/support/contract_changes.py prints them.
VERSION = max(tuple(map(int, path.stem.split("."))) for path in RELEASES)
RELEASED: Dict[str, Dict[str, Any]] = json.loads(
    (ROOT / "tests" / "data" / "contract" / ("%d.%d.json" % VERSION)).read_text(encoding="utf-8")
)

#: What is found and breaks nothing: the schema was wrong, and the server never did so.
WAS_WRONG = {
    **dict.fromkeys(
        [
            'HISTORICALREAD_REQUEST: refused is Body.StartTime as "x"',
            'HISTORICALREAD_REQUEST: refused is Body.EndTime as "x"',
        ],
        "what is no time was refused by the server",
    ),
    **dict.fromkeys(
        [
            '%s.Value.Body.Namespace as "x"' % where
            for where in (
                "READ_RESPONSE: a client may get Body",
                "HISTORICALREAD_RESPONSE: a client may get Body.DataValues[]",
                "MONITORUPDATE_MESSAGE: a client may get Body",
            )
        ],
        "in the string dialect a NodeId had a URI where there is no index",
    ),
    "MONITORUPDATE_MESSAGE: the member ClientHandler of Header is gone": (
        "an update always said ClientHandle"
    ),
}


#: What only who asks for it gets, in a request that the last release would have refused.
ASKED_FOR = {"HISTORICALREAD_RESPONSE": "Histories"}

TIME = "2026-11-22T10:00:00Z"
#: Members that neither the examples nor the pack have.
RARE: Dict[str, Dict[str, Any]] = {
    "READ_RESPONSE": {
        "Value": {"Type": 6, "Body": 1},
        "SourceTimestamp": TIME,
        "SourcePicoseconds": 1,
        "ServerTimestamp": TIME,
        "ServerPicoseconds": 1,
    },
    "WRITE_REQUEST": {
        "Variable": "x",
        "Value": {"Value": {"Body": 1}, "ServerTimestamp": TIME, "ServerPicoseconds": 1},
    },
    "MONITORSTOP_RESPONSE": {
        "Results": [
            {"Variable": "x", "StatusCode": "BadNodeIdUnknown", "Reason": "It is not there."}
        ]
    },
    "SERVERSTATUS_MESSAGE": {
        "Server": "plant",
        "State": "connected",
        "Since": TIME,
        "Endpoint": "opc.tcp://plant:4840",
    },
}


def message(name: str, header: Dict[str, Any], body: Dict[str, Any]) -> Dict[str, Any]:
    return {"Header": {**header, "MessageType": name}, "Body": body}


@lru_cache(maxsize=None)
def messages() -> Dict[str, List[Any]]:
    """Messages that are right, by message type."""
    found = {
        name: [*RELEASED.get(name, schema)["examples"], *schema["examples"]]
        for name, schema in today().items()
    }
    for case in cases("."):
        if case.valid and case.schema.stem in found:
            found[case.schema.stem].append(case.data)
    for name, body in RARE.items():
        header = {} if name == "SERVERSTATUS_MESSAGE" else {"ClientHandle": "1"}
        found[name].append(message(name, header, body))
    # The values of one are those of the others.
    for each in found["READ_RESPONSE"]:
        header, body = each["Header"], each.get("Body")
        if "ClientHandle" in header and isinstance(body, dict) and "Value" in body:
            page, update = {"DataValues": [body]}, {**body, "Variable": "x"}
            found["HISTORICALREAD_RESPONSE"].append(
                message("HISTORICALREAD_RESPONSE", header, page)
            )
            found["MONITORUPDATE_MESSAGE"].append(message("MONITORUPDATE_MESSAGE", header, update))
    for name, member in ASKED_FOR.items():
        found[name] = [each for each in found[name] if member not in each.get("Body", ())]
    return found


@pytest.mark.parametrize("name", RELEASED)
def test_each_member_of_the_last_release_is_in_a_message_that_is_compared(name: str) -> None:
    named = {member for _, member in members(RELEASED[name])}
    assert named - set(re.findall('"([^"]+)":', json.dumps(messages()[name]))) == set()


@pytest.mark.parametrize("name", RELEASED)
def test_a_client_of_the_last_release_goes_on_working_unless_the_major_version_is_new(
    name: str,
) -> None:
    found = breaks({name: RELEASED[name]}, today(), messages())
    known = [each for each in WAS_WRONG if each.startswith(name + ":")]
    assert contract.MAJOR > VERSION[0] or sorted(found) == sorted(known)


def test_schemas_that_take_other_messages_than_those_of_the_last_release_have_a_newer_version() -> (
    None
):
    def rules(schemas: Dict[str, Dict[str, Any]]) -> Dict[str, Dict[str, Any]]:
        told = ("$id", "examples")
        return {
            name: {key: rule for key, rule in schema.items() if key not in told}
            for name, schema in schemas.items()
        }

    assert rules(today()) == rules(RELEASED) or (contract.MAJOR, contract.MINOR) > VERSION


# -- The comparison -------------------------------------------------------------------------------

Change = Callable[[Dict[str, Dict[str, Any]]], None]


def body_of(schemas: Dict[str, Dict[str, Any]], name: str) -> Dict[str, Any]:
    body: Dict[str, Any] = schemas[name]["properties"]["Body"]
    return body


def info_of(schemas: Dict[str, Dict[str, Any]]) -> Dict[str, Any]:
    members: Dict[str, Any] = schemas["VALUEINFO_RESPONSE"]["definitions"]["info"]["properties"]
    return members


def after(change: Change) -> List[str]:
    """What *change* of the released schemas of three messages is found to break."""
    names = ("READ_REQUEST", "VALUEINFO_RESPONSE", "SERVERSTATUS_MESSAGE")
    older = {name: RELEASED[name] for name in names}
    newer = copy.deepcopy(older)
    change(newer)
    return breaks(older, newer, messages())


BREAKING: Dict[str, Change] = {
    "a message type goes": lambda new: new.pop("READ_REQUEST"),
    "a member of a request goes": lambda new: body_of(new, "READ_REQUEST")["properties"].pop(
        "MaxAge"
    ),
    "a member of a request becomes mandatory": lambda new: body_of(new, "READ_REQUEST").update(
        required=["MaxAge"]
    ),
    "a member of a request gets another type": lambda new: body_of(new, "READ_REQUEST")[
        "properties"
    ]["MaxAge"].update(type="string"),
    "a value of a request goes": lambda new: new["READ_REQUEST"]["properties"]["Header"][
        "properties"
    ]["MessageType"].update(enum=["READ"]),
    "a member of a response is no longer promised": lambda new: body_of(
        new, "SERVERSTATUS_MESSAGE"
    ).update(required=["Server", "State"]),
    "a member of a response gets another type": lambda new: body_of(new, "SERVERSTATUS_MESSAGE")[
        "properties"
    ]["Since"].update(type=["string", "integer"]),
    "an optional member of a response goes": lambda new: body_of(new, "SERVERSTATUS_MESSAGE")[
        "properties"
    ].pop("Endpoint"),
    "a member of a response gets a value that no client knows": lambda new: new[
        "VALUEINFO_RESPONSE"
    ]["properties"]["Header"]["properties"]["MessageType"]["enum"].append("INFO_RESPONSE"),
}


@pytest.mark.parametrize("change", BREAKING.values(), ids=BREAKING)
def test_a_change_for_which_clients_have_to_be_changed_is_found(change: Change) -> None:
    assert after(change)


HARMLESS: Dict[str, Change] = {
    "nothing": lambda new: None,
    "a new message type": lambda new: new.update(NEW_REQUEST={}),
    "a new optional member of a request": lambda new: body_of(new, "READ_REQUEST")[
        "properties"
    ].update(New={"type": "string"}),
    "a new form of a value that is taken": lambda new: body_of(new, "READ_REQUEST")["properties"][
        "MaxAge"
    ].update(type=["number", "string", "boolean", "null"]),
    "a new member of a response": lambda new: body_of(new, "SERVERSTATUS_MESSAGE")[
        "properties"
    ].update(New={"type": "string"}),
    "a member of a response that is always there from now on": lambda new: body_of(
        new, "SERVERSTATUS_MESSAGE"
    ).update(required=["Server", "State", "Since", "Active"]),
    "a new value of State": lambda new: body_of(new, "SERVERSTATUS_MESSAGE")["properties"]["State"][
        "enum"
    ].append("standby"),
    "a new value of Access": lambda new: info_of(new)["Access"]["enum"].append("execute"),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_what_a_minor_version_may_bring_is_no_break(change: Change) -> None:
    assert after(change) == []
