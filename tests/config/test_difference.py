"""What differs between two configurations, and what that means."""

import dataclasses
import json
from typing import Any, Dict

import pytest

from opcws.config import loads
from opcws.config.difference import LIVE, SAMPLING, TAKEN_OVER, Difference, compare, with_found
from opcws.config.settings import Config, Server, Variable
from opcws.model.data_types import parse_node_id

NODE = "nsu=urn:x;s="


def loaded(servers: Any = None, **sections: Any) -> Config:
    if servers is None:
        servers = {"one": server()}
    return loads(json.dumps({"servers": servers, **sections}))


def server(**changes: Any) -> Dict[str, Any]:
    variables = {name: {"node": NODE + name} for name in "abc"}
    variables.update(changes.pop("variables", {}))
    kept = {name: each for name, each in variables.items() if each is not None}
    return {"endpoint": "opc.tcp://127.0.0.1:4840", "variables": kept, **changes}


def between(old: Any, new: Any) -> Difference:
    return compare(loaded({"one": old}), loaded({"one": new}))


def test_the_same_configuration_is_no_difference_and_keeps_every_object() -> None:
    old = loaded(listen={"port": 1})
    difference = compare(old, loaded(listen={"port": 1}))
    assert not difference.lines() and not difference.changed
    assert difference.config.servers["one"] is old.servers["one"]


def test_a_variable_that_is_the_same_stays_the_same_object() -> None:
    old = loaded()
    new = loaded({"one": server(variables={"a": {"node": NODE + "a", "access": "readwrite"}})})
    (change,) = compare(old, new).changed
    assert change.edited == {"a"} and not (change.remade or change.moved or change.reconnect)
    assert change.new.variables["b"] is old.servers["one"].variables["b"]
    assert change.new.variables["a"].access == "readwrite"


def test_variables_are_added_and_removed() -> None:
    (change,) = between(server(), server(variables={"a": None, "d": {"node": NODE + "d"}})).changed
    assert (change.added, change.removed) == ({"d"}, {"a"})
    assert not (change.remade or change.edited or change.reconnect)


@pytest.mark.parametrize("more", [{"index_range": "1"}, {"node": NODE + "z"}], ids=str)
def test_another_node_or_range_is_another_variable_by_the_same_name(more: Any) -> None:
    (change,) = between(server(), server(variables={"a": {"node": NODE + "a", **more}})).changed
    assert change.moved == change.remade == {"a"}


@pytest.mark.parametrize(
    "more",
    [
        {"sampling_interval_ms": 7},
        {"queue_size": 7},
        {"discard_oldest": False},
        {"trigger": "timestamp"},
        {"deadband": {"absolute": 1}},
    ],
    ids=str,
)
def test_what_the_item_is_asked_for_with_makes_that_item_anew_and_no_other(more: Any) -> None:
    (change,) = between(server(), server(variables={"a": {"node": NODE + "a", **more}})).changed
    assert change.remade == {"a"} and not (change.moved or change.edited or change.reconnect)
    # As a setting of the server it is every variable's that does not say so itself.
    own = {"a": {"node": NODE + "a", **more}}
    (change,) = between(server(variables=own), server(variables=own, **more)).changed
    assert change.remade == {"b", "c"} and not change.reconnect


@pytest.mark.parametrize("name", ["metadata", "description", "limits", "access", "type"])
def test_what_only_clients_see_touches_no_item(name: str) -> None:
    value = {
        "metadata": {"x": 1},
        "description": "new",
        "limits": {"high": 5},
        "access": "write",
        "type": "Double",
    }[name]
    changed = {"a": {"node": NODE + "a", name: value}}
    (change,) = between(server(), server(variables=changed)).changed
    assert change.edited == {"a"} and not (change.remade or change.reconnect)


@pytest.mark.parametrize("name", sorted(LIVE & {each.name for each in dataclasses.fields(Server)}))
def test_live_settings_need_no_new_connection(name: str) -> None:
    present = getattr(loaded().servers["one"], name)
    value: Any = {"match": "x*"}
    if not isinstance(present, tuple):
        value = not present if isinstance(present, bool) else present + 1
    (change,) = between(server(), server(**{name: value})).changed
    assert change.settings == (name,) and not (change.reconnect or change.remade)


@pytest.mark.parametrize(
    "more",
    [
        {"endpoint": "opc.tcp://127.0.0.1:4841"},
        {"publishing_interval_ms": 7},
        {"request_timeout_ms": 7},
        {"application_uri": "urn:y"},
        {"security": {"policy": "Basic256Sha256", "mode": "Sign"}},
        {"user": {"name": "x", "password_env": "Y"}},
    ],
    ids=str,
)
def test_what_the_connection_rests_on_needs_a_new_one(more: Any) -> None:
    (change,) = between(server(), server(**more)).changed
    assert change.reconnect == tuple(more) and not change.remade


def test_no_setting_of_a_server_is_of_two_kinds() -> None:
    assert not LIVE & SAMPLING


def test_servers_are_added_and_removed() -> None:
    difference = compare(
        loaded({"one": server(), "two": server(variables=dict.fromkeys("abc"))}),
        loaded({"one": server(), "three": server(variables=dict.fromkeys("abc"))}),
    )
    assert [each.name for each in difference.added] == ["three"]
    assert [each.name for each in difference.removed] == ["two"]
    assert list(difference.config.servers) == ["one", "three"]


def test_listeners_are_known_by_their_address() -> None:
    old = loaded(listen=[{"port": 1}, {"port": 2}, {"port": 3, "host": "::1"}])
    new = loaded(listen=[{"port": 4}, {"port": 3, "host": "::1", "scalars": "string"}, {"port": 1}])
    change = compare(old, new).listen
    assert [place for place, _listen in change.kept] == [None, 2, 0]
    assert (change.closed, change.edited) == ((1,), (2,))


def test_two_listeners_at_any_free_port_are_two() -> None:
    old, new = loaded(listen=[{"port": 0}, {"port": 0}]), loaded(listen=[{"port": 0}])
    assert compare(old, new).listen.closed == (1,)
    assert [place for place, _ in compare(new, old).listen.kept] == [0, None]


def test_what_a_running_server_does_not_take_over_is_named() -> None:
    difference = compare(loaded(), loaded(state_dir="elsewhere"))
    assert difference.at_next_start == ("state_dir",)
    assert difference.lines() == ["state_dir: changed, which takes effect at the next start"]


def test_the_other_sections_are_named() -> None:
    difference = compare(loaded(), loaded(roles={"operator": {"read": ["*"]}}, credentials="x"))
    assert difference.sections == ("roles", "credentials") and not difference.at_next_start
    assert difference.lines() == ["roles: changed", "credentials: changed"]


def test_every_section_is_taken_over_or_named_as_one_that_is_not() -> None:
    known = {"listen", "servers", "path", "warnings", *TAKEN_OVER}
    rest = {each.name for each in dataclasses.fields(Config)} - known
    assert rest == {"audit", "state_dir", "process"}, (
        "decide about the new one, and tell the documentation"
    )


def test_each_difference_is_a_line_for_people() -> None:
    old = loaded(
        {"one": server(), "two": server(variables=dict.fromkeys("abc"))},
        listen=[{"port": 1}, {"port": 2}],
    )
    new = loaded(
        {
            "one": server(
                queue_size=7,
                endpoint="opc.tcp://127.0.0.1:1",
                variables={"a": None, "d": {"node": NODE + "d"}},
            ),
            "three": server(variables=dict.fromkeys("abc")),
        },
        listen=[{"port": 1, "scalars": "string"}, {"port": 3}],
        log={"level": "debug"},
    )
    assert compare(old, new).lines() == [
        "server three: added, variables: 0",
        "server two: removed, variables: 0",
        "server one: changed: endpoint, queue_size",
        "server one: connects anew",
        "server one: variables: added 1, removed 1, changed 2",
        "listener changed: 127.0.0.1 port 1",
        "listener added: 127.0.0.1 port 3",
        "listeners removed: 1",
        "log: changed",
    ]


def test_what_was_found_is_added_and_what_the_file_says_goes_before() -> None:
    def found(name: str, node: str) -> Variable:
        return Variable(name, "one", parse_node_id(node), node)

    text = """{servers: {
        one: {endpoint: 'opc.tcp://h:1', browse: {}, variables: {a: {node: 'nsu=urn:p;s=a'}}},
        two: {endpoint: 'opc.tcp://h:2', variables: {b: {node: i=2}}}}}"""
    declared = loads(text)
    rows = [("a", "i=1"), ("b", "i=2"), ("c", "i=3"), ("d", "nsu=urn:p;s=a")]
    both = with_found(declared, {"one": [found(*row) for row in rows], "two": [found("e", "i=5")]})
    assert list(both.servers["one"].variables) == ["a", "c"]
    assert both.servers["one"].variables["a"] is declared.variables["a"]
    assert both.servers["two"] is declared.servers["two"]
    assert sorted(both.variables) == ["a", "b", "c"]
    assert with_found(declared, {}) == declared
