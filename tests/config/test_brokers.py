"""Servers at a broker in the configuration: what is read, refused and warned of."""

from typing import List

import pytest

from opcws.config import loads
from opcws.config.difference import compare
from opcws.config.settings import Browse, Config, Edge, MqttTLS
from opcws.model.errors import ConfigError


def load(server: str, more: str = "") -> Config:
    return loads("servers: {hall: {%s}}\n%s" % (server, more), "f.yaml")


def problem(server: str, more: str = "") -> str:
    with pytest.raises(ConfigError) as caught:
        load(server, more)
    (only,) = caught.value.problems
    return only


def warnings(server: str) -> List[str]:
    return [each.partition("servers.hall")[2] for each in load(server).warnings]


def test_a_variable_has_a_field_instead_of_a_node() -> None:
    loaded = load(
        "endpoint: 'mqtts://h', publisher: p, prefix: a/b, tls: {ca: c.pem}, "
        "variables: {A: {}, B: {field: x, description: y}}"
    )
    server = loaded.servers["hall"]
    assert (server.at_broker, server.publisher, server.prefix) == (True, "p", "a/b")
    assert server.tls == MqttTLS("c.pem") and server.browse == ()
    assert [each.field for each in server.variables.values()] == ["A", "x"]
    assert {each.access for each in server.variables.values()} == {"read"}
    assert server.variables["B"].description == "y"


def test_without_variables_all_are_looked_for() -> None:
    assert load("endpoint: 'mqtt://h'").servers["hall"].browse == (Browse(),)
    assert load("endpoint: 'mqtt://h', variables: {}").warnings == ()


def test_a_node_is_needed_where_there_is_no_broker() -> None:
    told = problem("endpoint: 'opc.tcp://h:1', variables: {A: {field: x}}")
    assert told.startswith("f.yaml:1: servers.hall.variables.A: 'node' is missing; add it: ")


def test_an_address_that_is_no_brokers_is_told() -> None:
    assert "names no host" in problem("endpoint: 'mqtt://'")
    assert "more than host and port" in problem("endpoint: 'mqtt://h/a'")


def test_what_has_no_effect_is_told() -> None:
    told = warnings(
        "endpoint: 'mqtt://h', queue_size: 5, variables: {A: {node: i=1, access: readwrite}, "
        "B: {access: read}}"
    )
    assert {each.partition(":")[0] for each in told} == {
        ".queue_size",
        ".variables.A.node",
        ".variables.A.access",
    }
    told = warnings(
        "endpoint: 'opc.tcp://h:1', publisher: p, variables: {A: {node: i=1, field: x}}"
    )
    assert [each.partition(":")[0] for each in told] == [".publisher", ".variables.A.field"]


def test_a_password_that_anybody_can_read_on_the_way_is_told() -> None:
    told = warnings("endpoint: 'mqtt://h', user: {name: u, password_env: E}")
    assert told == [
        ".user: anybody on the network can read the password that opcws sends to the broker; set "
        "'endpoint' to mqtts:// if the broker speaks TLS"
    ]


def test_what_opcws_publishes_itself_it_does_not_serve() -> None:
    publish = "publish: {mqtt: {broker: 'mqtt://h', variables: ['*']%s}}"
    assert "publishes itself" in problem("endpoint: 'mqtt://h'", publish % "")
    assert load("endpoint: 'mqtt://h'", publish % ", publisher: me")


def test_a_publisher_in_the_place_of_an_opc_ua_server_is_another_server() -> None:
    before = load("endpoint: 'opc.tcp://h:1', variables: {A: {node: i=1}}")
    after = load("endpoint: 'mqtt://h', variables: {A: {}}")
    found = compare(before, after)
    assert (found.removed, found.added) == ((before.servers["hall"],), (after.servers["hall"],))
    assert not found.changed


def published(more: str) -> Config:
    return load(
        "endpoint: 'opc.tcp://h:1', variables: {A: {node: i=1}}",
        "publish: {mqtt: {broker: 'mqtt://b', variables: ['*'], %s}}" % more,
    )


def test_a_lease_that_is_too_short_is_told_and_so_is_a_store_beside_one() -> None:
    with pytest.raises(ConfigError) as caught:
        published("lease_ms: 499")
    assert "publish.mqtt.lease_ms: expected at least 500 ms, got 499" in caught.value.problems[0]
    (warning,) = published("lease_ms: 500, store_max_bytes: 1000").warnings
    assert "publish.mqtt.store_max_bytes: has no effect with lease_ms" in warning
    assert published("lease_ms: 2000").warnings == ()


def test_with_a_name_for_itself_an_edge_writes_what_it_does_not_limit() -> None:
    loaded = load("endpoint: 'mqtt://h', edge: office, variables: {A: {}, B: {access: read}}")
    assert (loaded.servers["hall"].edge, loaded.warnings) == ("office", ())
    assert [each.access for each in loaded.variables.values()] == ["readwrite", "read"]
    told = warnings("endpoint: 'mqtt://h', variables: {A: {access: readwrite}}")
    assert len(told) == 1 and "'edge'" in told[0]
    told = warnings("endpoint: 'opc.tcp://h:1', edge: office, variables: {A: {node: i=1}}")
    assert len(told) == 1 and told[0].startswith(".edge: has no effect")


def publishing(requests: str, roles: str = "{operator: read}") -> str:
    mqtt = "broker: 'mqtt://h', variables: ['*'], requests: %s" % requests
    return "publish: {mqtt: {%s}}\nroles: %s\n" % (mqtt, roles)


def test_the_edges_that_may_ask_are_read() -> None:
    server = "endpoint: 'opc.tcp://h:1', variables: {A: {node: i=1}}"
    more = publishing("{office: {role: operator}, b: {role: operator, users: true}}")
    publish = load(server, more).publish
    assert publish is not None and publish.mqtt is not None
    assert dict(publish.mqtt.requests) == {
        "office": Edge("operator"),
        "b": Edge("operator", True),
    }
    assert 'no role is named "nobody"' in problem(server, publishing("{office: {role: nobody}}"))
    assert "'role' is missing" in problem(server, publishing("{office: {}}"))
    told = problem(server, publishing("{office: {role: operator, usres: true}}"))
    assert told.endswith("requests.office.usres: unknown setting; did you mean 'users'?")
