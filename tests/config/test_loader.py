"""The configuration: what is read, what is refused and how it is told."""

import dataclasses
import itertools
import json
import os
import textwrap
from pathlib import Path
from typing import Any, Dict, List

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from opcws.config import check, load, loads, yaml_document
from opcws.config.settings import (
    TLS,
    Audit,
    Limits,
    Listen,
    Log,
    Security,
    Server,
    User,
    Variable,
)
from opcws.model.data_types import BOOLEAN, DOUBLE, NodeId
from opcws.model.errors import ConfigError

SERVER = "servers: {plant: {endpoint: 'opc.tcp://127.0.0.1:4840', variables: {T: {node: i=2258}}}}"


def problems(text: str) -> List[str]:
    with pytest.raises(ConfigError) as caught:
        loads(textwrap.dedent(text), "f.yaml")
    return list(caught.value.problems)


def variable(fields: str) -> Variable:
    text = "servers: {p: {endpoint: 'opc.tcp://h:1', variables: {V: {%s}}}}" % fields
    return loads(text).variables["V"]


def listen(fields: str) -> Listen:
    return loads("listen: {%s}\n%s" % (fields, SERVER)).listen[0]


# -- what is read ---------------------------------------------------------------------------


def test_the_smallest_configuration_listens_on_loopback_with_every_default() -> None:
    loaded = loads(SERVER)
    assert loaded.listen == (Listen(),)
    assert (loaded.listen[0].host, loaded.listen[0].port) == ("127.0.0.1", 8081)
    assert loaded.log == Log()
    assert loaded.servers["plant"].security == Security()
    assert loaded.servers["plant"].user is None
    assert loaded.warnings == ()
    assert loaded.path is None


def test_every_setting_of_a_full_configuration_arrives_in_its_field(tmp_path: Path) -> None:
    for name in ("own.pem", "own.key", "server.der", "password"):
        (tmp_path / name).write_bytes(b"")
    path = tmp_path / "opcws.yaml"
    path.write_text(
        textwrap.dedent(
            """\
            listen:
              - host: "::1"
                port: 0
                scalars: string
                tls: {certificate: own.pem, key: own.key}
                origins: ["https://hmi.example", "http://10.0.0.5:8080"]
                limits: {max_message_bytes: 2048, max_connections: 5, requests_per_second: 2.5,
                         requests_in_flight: 3, monitors: 7, outbox_messages: 9,
                         outbox_bytes: 4096}
                handshake_timeout_s: 1
                ping_interval_s: 2
                ping_timeout_s: 5
                idle_timeout_s: 6
                send_timeout_s: 7
                close_timeout_s: 0.5
              - port: 8082
            servers:
              plant:
                endpoint: opc.tcp://plant.example:4840/path
                publishing_interval_ms: 50
                sampling_interval_ms: -1
                queue_size: 1
                request_timeout_ms: 1000
                history_timeout_ms: 2000
                history_max_values: 10
                connect_timeout_ms: 3000
                heartbeat_interval_ms: 4000
                reconnect_min_ms: 100
                reconnect_max_ms: 200
                application_uri: urn:example:opcws
                security: {policy: Basic256Sha256, mode: SignAndEncrypt, certificate: own.pem,
                           key: own.key, server_certificate: server.der, pki: certificates}
                user: {name: operator, password_file: password, allow_clear: true}
                variables:
                  Boiler.Temperature:
                    node: nsu=urn:demo:plant;s=Boiler;Temperature
                    type: Double
                    array: false
                    access: readwrite
                    metadata: {Limits: {Min: 0, Max: 90.5}, Tags: [a, null, true]}
                    description: Temperature of the flow
                    sampling_interval_ms: 10
                    queue_size: 100
            log: {level: debug, file: opcws.log, format: json, max_bytes: 0, backups: 1}
            audit:
              file: audit.jsonl
              required: false
              max_bytes: 1000.0
              backups: 2
              keep_days: 7
              sync: true
              timeout_s: 0.5
            """
        ),
        encoding="utf-8",
    )
    loaded = load(path)
    own = {"certificate": str(tmp_path / "own.pem"), "key": str(tmp_path / "own.key")}
    assert loaded.listen == (
        Listen(
            host="::1",
            port=0,
            scalars="string",
            tls=TLS(**own),
            origins=("https://hmi.example", "http://10.0.0.5:8080"),
            limits=Limits(
                max_message_bytes=2048,
                max_connections=5,
                requests_per_second=2.5,
                requests_in_flight=3,
                monitors=7,
                outbox_messages=9,
                outbox_bytes=4096,
            ),
            handshake_timeout_s=1,
            ping_interval_s=2,
            ping_timeout_s=5,
            idle_timeout_s=6,
            send_timeout_s=7,
            close_timeout_s=0.5,
        ),
        Listen(port=8082),
    )
    wanted = Variable(
        name="Boiler.Temperature",
        server="plant",
        node=NodeId(0, "Boiler;Temperature", "urn:demo:plant"),
        node_text="nsu=urn:demo:plant;s=Boiler;Temperature",
        type=DOUBLE,
        is_array=False,
        access="readwrite",
        metadata={"Limits": {"Min": 0, "Max": 90.5}, "Tags": ["a", None, True]},
        description="Temperature of the flow",
        sampling_interval_ms=10,
        queue_size=100,
    )
    assert loaded.servers["plant"] == Server(
        name="plant",
        endpoint="opc.tcp://plant.example:4840/path",
        publishing_interval_ms=50,
        sampling_interval_ms=-1,
        queue_size=1,
        request_timeout_ms=1000,
        history_timeout_ms=2000,
        history_max_values=10,
        connect_timeout_ms=3000,
        heartbeat_interval_ms=4000,
        reconnect_min_ms=100,
        reconnect_max_ms=200,
        application_uri="urn:example:opcws",
        security=Security(
            "Basic256Sha256",
            "SignAndEncrypt",
            server_certificate=str(tmp_path / "server.der"),
            pki=str(tmp_path / "certificates"),
            **own,
        ),
        user=User("operator", password_file=str(tmp_path / "password"), allow_clear=True),
        variables={"Boiler.Temperature": wanted},
    )
    assert loaded.log == Log("debug", str(tmp_path / "opcws.log"), "json", 0, 1)
    audit = Audit(str(tmp_path / "audit.jsonl"), False, 1000, 2, 7, True, 0.5)
    assert loaded.audit == audit
    assert loaded.variables == {"Boiler.Temperature": wanted}
    assert loaded.path == str(path)
    assert loaded.warnings == ()


def test_json_is_read_too_with_tabs_exponents_and_characters_beyond_the_basic_plane() -> None:
    document = {
        "servers": {
            "p": {
                "endpoint": "opc.tcp://h:1",
                "request_timeout_ms": 1e3,
                "variables": {
                    "\U0001f525 \u00b0C": {"node": "ns=0;i=3", "metadata": {"a": "\\ud83d"}}
                },
            }
        }
    }
    loaded = loads(json.dumps(document, indent="\t"))
    assert list(loaded.variables) == ["\U0001f525 \u00b0C"]
    assert loaded.variables["\U0001f525 \u00b0C"].metadata == {"a": "\\ud83d"}
    assert loaded.servers["p"].request_timeout_ms == 1000
    one_line = json.dumps(document).replace("1000.0", "1e3")
    assert loads(one_line).servers["p"].request_timeout_ms == 1000


@pytest.mark.parametrize(
    "name", ["on", "yes", "No", "1.5", "1:30", "2026-11-22", "null", "0x10", "~"]
)
def test_a_key_is_text_exactly_as_it_is_written(name: str) -> None:
    text = "servers: {p: {endpoint: 'opc.tcp://h:1', variables:\n  {%s: {node: i=3}}}}" % name
    assert list(loads(text).variables) == [name]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("on", "on"),
        ("yes", "yes"),
        ("1:30", "1:30"),
        ("2026-11-22", "2026-11-22"),
        ("1_000", "1_000"),
        (".nan", ".nan"),
        ("0123", 123),
        ("0o17", 15),
        ("0x1F", 31),
        ("-5", -5),
        ("1e3", 1000.0),
        ("+.5", 0.5),
        ("true", True),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("!!str 5", "5"),
        ("!!float 5", 5.0),
    ],
)
def test_a_scalar_means_what_the_yaml_1_2_core_schema_says(written: str, meant: object) -> None:
    text = "servers:\n  p:\n    endpoint: opc.tcp://h:1\n    variables:\n      V:\n"
    text += "        node: i=3\n        metadata:\n          a: " + written
    value = loads(text).variables["V"].metadata["a"]
    assert value == meant
    assert type(value) is type(meant)


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + ("log: {level: debug}\r\n" + SERVER + "\r\n").encode())
    assert load(path).log.level == "debug"
    assert loads("\ufeff" + SERVER).log.level == "info"


def test_a_whole_number_may_be_written_as_a_float_and_is_an_int() -> None:
    port = listen("port: 8082.0").port
    assert (port, type(port)) == (8082, int)


def test_ten_thousand_variables_are_read_by_compiled_parts_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What takes a second would take ten without the C loader, and minutes with jsonschema."""
    assert (yaml_document._SafeLoader is yaml.SafeLoader) != yaml.__with_libyaml__
    decide, _explain = check._validators()
    monkeypatch.setattr(check, "_validators", lambda: (decide, None))
    lines = ["servers:", "  plant:", "    endpoint: opc.tcp://127.0.0.1:4840", "    variables:"]
    lines += [
        '      V.%d: {node: "nsu=urn:demo:plant;s=V.%d", access: readwrite, type: Double}' % (n, n)
        for n in range(10000)
    ]
    assert len(loads("\n".join(lines)).variables) == 10000


def test_the_pure_python_yaml_library_reads_and_refuses_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(yaml_document, "_SafeLoader", yaml.SafeLoader)
    assert loads(SERVER).variables["T"].node == NodeId(0, 2258)
    assert "line" not in problems("a: &x 1\nb: *x")[0]
    assert problems("a:\n\t- b")[0].startswith("f.yaml:2: is not YAML: ")


# -- what is refused, and how it is told ------------------------------------------------------


def test_every_problem_is_reported_at_once_with_line_path_and_remedy() -> None:
    assert problems(
        """\
        listen: {prot: 80, ping_interval_s: 'x', origins: ['foo']}
        servers:
          p:
            endpiont: opc.tcp://h:1
            variables:
              on: {node: i=3}
              B: {node: zz, array: yes, access: readwrit, type: double}
              1:30: {node: i=4, queue_size: 0}
              1:30: {node: i=5}
            user: {name: x}
          q:
            endpoint: http://h
            variables: {on: {node: i=4}}
        log: {level: 3}
        """
    ) == [
        "f.yaml:1: listen.origins[0]: expected an origin, such as https://hmi.example or "
        "http://10.0.0.5:8080 or '*', got \"foo\"",
        'f.yaml:1: listen.ping_interval_s: expected a number (in s), got "x"',
        "f.yaml:1: listen.prot: unknown setting; did you mean 'port'?",
        "f.yaml:3: servers.p: 'endpoint' is missing; add it: Address of the OPC UA server: "
        "opc.tcp://host:port[/path].",
        "f.yaml:4: servers.p.endpiont: unknown setting; did you mean 'endpoint'?",
        "f.yaml:7: servers.p.variables.B.access: expected one of read, readwrite, write, got "
        '"readwrit"; did you mean readwrite?',
        'f.yaml:7: servers.p.variables.B.array: expected true or false, got "yes" '
        "(write true or false)",
        "f.yaml:7: servers.p.variables.B.node: expected a NodeId such as 'nsu=urn:plant;s=Name' "
        "or 'i=2258', got 'zz'",
        "f.yaml:7: servers.p.variables.B.type: expected one of Boolean, SByte, Byte, Int16, "
        "UInt16, Int32, UInt32, Int64, UInt64, Float, Double, String, DateTime, Guid, ByteString, "
        "XmlElement, NodeId, ExpandedNodeId, StatusCode, QualifiedName, LocalizedText, "
        'ExtensionObject, DataValue, Variant, got "double"; did you mean Double?',
        'f.yaml:9: servers.p.variables["1:30"]: appears twice, first in line 8; remove or '
        "rename one",
        "f.yaml:10: servers.p.user: expected exactly one of password, password_env and "
        "password_file beside name, or certificate and key alone",
        'f.yaml:12: servers.q.endpoint: "http://h" does not begin with opc.tcp://; expected '
        "opc.tcp://host:port, such as opc.tcp://192.168.0.10:4840",
        "f.yaml:13: servers.q.variables.on: server 'p' already has a variable of this name "
        "(line 6); rename one, since clients know variables by name alone",
        "f.yaml:14: log.level: expected text, got 3 (put it in quotes)",
    ]


@pytest.mark.parametrize(
    ("fields", "path", "words"),
    [
        ("listen: {port: 65536}", "listen.port", "at most 65535, got 65536"),
        ("listen: {port: '80'}", "listen.port", "write it without quotes"),
        ("listen: {port: true}", "listen.port", "a whole number, got true"),
        ("listen: {port: 1.5}", "listen.port", "a whole number, got 1.5"),
        ("listen: {host: 5}", "listen.host", "put it in quotes"),
        ("listen: {host: '[::1]'}", "listen.host", "such as 127.0.0.1 or ::1"),
        ("listen: []", "listen", "is empty"),
        ("listen: [{}, {port: 1, prt: 1}]", "listen[1].prt", "did you mean 'port'?"),
        ("listen: [{}, {}]", "listen[1]", "already listens on 127.0.0.1 port 8081"),
        ("listen: {limits: {max_message_bytes: 1}}", "max_message_bytes", "at least 256 bytes"),
        ("listen: {send_timeout_s: 0}", "listen.send_timeout_s", "more than 0 s, got 0"),
        ("listen: {ping_timeout_s: 30}", "listen.ping_timeout_s", "no longer than ping_interval_s"),
        ("listen: {tls: {key: k}}", "listen.tls", "'certificate' is missing"),
        ("listen: {port: 1e999}", "listen.port", "too large"),
        ("listen: ", "listen", "a mapping or a list, got nothing"),
        ("log: {Level: info}", "log.Level", "did you mean 'level'?"),
        ("logs: {}", "logs", "did you mean 'log'?"),
        ("zebra: 1", "zebra", "expected one of listen, servers, "),
    ],
)
def test_a_wrong_setting_is_named_with_its_path_and_what_would_be_right(
    fields: str, path: str, words: str
) -> None:
    (problem,) = {p for p in problems(fields + "\n" + SERVER) if "got Infinity" not in p}
    where, _, what = problem.partition(": ")
    assert where == "f.yaml:1"
    assert what.partition(": ")[0].endswith(path)
    assert words in what


@pytest.mark.parametrize("password", ["4711", "[4711]", "{word: 4711}", "true"])
def test_a_password_that_is_no_text_is_not_repeated(password: str) -> None:
    user = "{name: u, password: %s}" % password
    text = "servers: {p: {endpoint: 'opc.tcp://h:1', variables: {V: {node: i=1}}, user: %s}}" % user
    (problem,) = problems(text)
    assert "servers.p.user.password: expected text, got something else" in problem
    assert "4711" not in problem


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("opc.tcp://h", "names no port"),
        ("opc.tcp://:4840", "names no host"),
        ("opc.tcp://h:99999", "is no URL"),
        ("opc.tcp://h:x", "is no URL"),
        ("opc.tcp://a b:1", "contains a space"),
        ("opc.tcp://u:p@h:1", "a user does not belong in the URL"),
        ("opc.tcp://h:1?x=1", "a query"),
        ("opc.https://h:1", "does not begin with opc.tcp://"),
        ("opc.tcp://[::1:1", "is no URL"),
    ],
)
def test_a_wrong_endpoint_is_told_with_a_right_one(endpoint: str, words: str) -> None:
    (problem,) = problems("servers:\n  p:\n    endpoint: '%s'\n    variables: {}" % endpoint)
    assert problem.startswith("f.yaml:3: servers.p.endpoint: ")
    assert words in problem


def test_an_ipv6_endpoint_is_good() -> None:
    text = SERVER.replace("127.0.0.1:4840", "[fe80::1]:4840")
    assert loads(text).servers["plant"].endpoint == "opc.tcp://[fe80::1]:4840"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("security: {policy: Basic256Sha256}", "does not go with mode"),
        ("security: {mode: Sign}", "does not go with mode"),
        ("security: {certificate: c.pem}", "belong together"),
        ("security: {policy: Basic256, mode: Sign}", "set allow_deprecated: true"),
        ("user: {certificate: c.pem}", "or certificate and key alone"),
        (
            "user: {certificate: c.pem, key: c.key, name: x, password: y}",
            "expected exactly one of",
        ),
        ("security: {policy: basic256sha256, mode: Sign}", "did you mean Basic256Sha256?"),
        ("user: {name: x, password: a, password_env: B}", "expected exactly one of"),
        ("reconnect_min_ms: 5000", "is over reconnect_max_ms"),
        ("variables: {'': {node: i=1}}", "cannot be used"),
        ("variables: {V: {node: i=0}}", "null NodeId"),
        ("variables: {V: {node: svr=1;i=1}}", "names another server"),
        ("variables: {V: {node: 'nsu=;i=1'}}", "namespace URI"),
        ("variables: {V: i=1}", 'a mapping, got "i=1"'),
        ("variables: {V: {node: i=1, metadata: 5}}", "a mapping, got 5"),
        ('variables: {"a\\u0001": {node: i=1}}', "cannot be used"),
        ("variables: {V: {node: i=1, index_range: '3:1'}}", "does not rise"),
        ("variables: {V: {node: i=1, index_range: 2}}", "put it in quotes"),
        ("variables: {V: {node: i=1, deadband: {}}}", "expected exactly one of absolute and"),
        ("deadband: {absolute: 1, percent: 1}", "expected exactly one of absolute and percent"),
        ("deadband: {percent: 101}", "at most 100 percent"),
        ("variables: {V: {node: i=1, limits: {}}}", "expected at least one entry"),
        ("variables: {V: {node: i=1, limits: {max: 5}}}", "expected one of low_low, low, high, hi"),
        ("variables: {V: {node: i=1, limits: {hi: 5}}}", "did you mean 'high'?"),
        ("variables: {V: {node: i=1, limits: {high: 1e999}}}", "limits.high: "),
        ("variables: {V: {node: i=1, limits: {high: 1%s}}}" % ("0" * 309), "at most 1.79769"),
        ("variables: {V: {node: i=1, limits: {low: 'x'}}}", "a number, got"),
        (
            "variables: {V: {node: i=1, limits: {low: 7, high_high: 6.5}}}",
            "limits.high_high: 6.5 is not above low, which is 7; expected limits that rise",
        ),
        ("variables: {V: {node: i=1, limits: {high: 7, low: 7}}}", "high: 7 is not above low"),
        ("trigger: timestam", "did you mean timestamp?"),
    ],
)
def test_a_wrong_server_section_is_told(fields: str, words: str) -> None:
    found = problems("servers:\n  p:\n    endpoint: opc.tcp://h:1\n    " + fields)
    assert [p for p in found if p.startswith("f.yaml:4: servers.p") or "reconnect" in p] == found
    assert words in found[0]


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("", 1, "the file is empty; expected at least 'servers'"),
        ("# only a comment\n", 1, "the file is empty"),
        ("just text", 1, 'expected a mapping, got "just text"'),
        ("servers: {}", 1, "servers: is empty; expected at least one entry"),
        ("log: {}", 1, "'servers' is missing"),
        ("a:\n\t- b", 2, "indent with spaces, not with tabs"),
        ("a: [1,\n", 2, "check indentation, colons and quotes"),
        ('a: "C:\\new\\qoo"', 1, "in double quotes write \\\\ for \\"),
        ("a: @x", 1, "needs quotes"),
        ("a: 1\n---\nb: 2\n", 2, "a second document begins"),
        ("a: 1\nb: !python/object:os.system x", 2, "the tag !python/object:os.system does not fit"),
        ("a: !!int x", 1, "the tag !!int does not fit"),
        ("a: 1\n? [b]\n: 2", 2, "a key is a list or a mapping"),
        ("a: \x00", 1, "the character U+0000"),
        ("ok: 1\nbad: *nowhere", 2, "aliases (*name) are not supported"),
    ],
)
def test_what_is_no_configuration_is_told_with_its_line(text: str, line: int, words: str) -> None:
    found = [p for p in problems(text) if words in p]
    assert len(found) == 1
    assert found[0].startswith("f.yaml:%d: " % line)


def test_an_alias_bomb_costs_nothing_and_is_refused_at_its_first_alias() -> None:
    levels = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    levels += ["a%d: &a%d [%s]" % (n, n, ", ".join(["*a%d" % (n - 1)] * 10)) for n in range(1, 20)]
    assert problems("\n".join(levels)) == [
        "f.yaml:2: YAML aliases (*name) are not supported; write the value out, or quote a text "
        "that begins with '*'"
    ]


@pytest.mark.parametrize(
    "text", ["[" * 300000, "- " * 300000 + "a", "{a: " * 300000, "{a: [" * 300000]
)
def test_endless_nesting_is_refused_and_does_not_overrun_the_stack(text: str) -> None:
    assert problems(text) == ["f.yaml:1: is nested over 100 levels deep; expected fewer"]


def test_a_file_that_is_not_there_a_directory_and_junk_are_told(tmp_path: Path) -> None:
    def told(path: Path) -> str:
        with pytest.raises(ConfigError) as caught:
            load(path)
        (problem,) = caught.value.problems
        return problem

    assert told(tmp_path / "none.yaml").startswith(
        "%s: there is no such file; " % (tmp_path / "none.yaml")
    )
    assert told(tmp_path) == "%s: is a directory; expected the file itself" % tmp_path
    junk = tmp_path / "junk"
    junk.write_bytes(b"a: 1\n\x00\x01\x02")
    assert told(junk).startswith("%s:2: the character U+0000 " % junk)
    junk.write_bytes(b"a: 1\nb: \xb0C\n")
    assert told(junk) == "%s:2: the byte 0xb0 is not UTF-8 text; save the file as UTF-8" % junk
    junk.write_bytes("a: 1".encode("utf-16"))
    assert told(junk) == "%s:1: is UTF-16; save it as UTF-8" % junk


@settings(deadline=None)
@given(st.text(max_size=200) | st.text("{}[]:,-?!&*'\"|>#%@ \t\nab1.", max_size=200))
def test_any_text_is_read_or_refused_with_problems_and_nothing_else(text: str) -> None:
    try:
        loads(text, "f")
    except ConfigError as error:
        assert error.problems
        assert all(problem.startswith("f:") for problem in error.problems)


_JSON: Any = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@settings(deadline=None)
@given(st.dictionaries(st.text(max_size=20), _JSON, max_size=4))
def test_metadata_survives_as_json_writes_it(metadata: Dict[str, Any]) -> None:
    server = {
        "endpoint": "opc.tcp://h:1",
        "variables": {"V": {"node": "i=3", "metadata": metadata}},
    }
    text = json.dumps({"servers": {"p": server}})
    if "\\u0000" in text.replace("\\\\", "") or "\\ud" in text.replace("\\\\", ""):
        return  # escapes of half a surrogate pair, and of NUL as part of a longer sequence
    assert loads(text).variables["V"].metadata == metadata


# -- warnings -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "words"),
    [
        ("listen: {host: 0.0.0.0}\n" + SERVER, "listen", "everyone who can reach 0.0.0.0"),
        ("listen: {host: '::'}\n" + SERVER, "listen", "everyone who can reach ::"),
        ("listen: {origins: ['*']}\n" + SERVER, "listen.origins", "every web page"),
        (SERVER.replace("i=2258", "ns=2;i=1"), "servers.plant.variables.T.node", "by index (ns=)"),
        (SERVER.replace("{T: {node: i=2258}}", "{}"), "servers.plant", "no variables"),
        (
            SERVER.replace("endpoint", "user: {name: u, password: p}, endpoint"),
            "servers.plant.user.password",
            "password_env",
        ),
        (
            SERVER.replace(
                "endpoint", "user: {name: u, password_env: P, allow_clear: true}, endpoint"
            ),
            "servers.plant.user.allow_clear",
            "in clear",
        ),
        (
            SERVER.replace(
                "endpoint",
                "security: {policy: Basic256, mode: Sign, allow_deprecated: true}, endpoint",
            ),
            "servers.plant.security.policy",
            "deprecated",
        ),
        *(
            (
                SERVER.replace("endpoint", "security: {%s: false}, endpoint" % name),
                "servers.plant.security." + name,
                "instead",
            )
            for name in ("check_host_name", "check_validity", "require_revocation_list")
        ),
    ],
)
def test_what_works_but_is_risky_is_a_warning_with_line_and_path(
    text: str, path: str, words: str
) -> None:
    (warning,) = loads(text, "f.yaml").warnings
    assert warning.startswith("f.yaml:")
    assert ": %s: " % path in warning
    assert words in warning


def test_a_thousand_nodes_by_index_are_one_warning() -> None:
    nodes = ", ".join("V%d: {node: ns=2;i=%d}" % (n, n) for n in range(1, 1001))
    (warning,) = loads(SERVER.replace("T: {node: i=2258}", nodes)).warnings
    assert "this and 999 more variables" in warning


@pytest.mark.parametrize(
    ("tls", "words"),
    [
        ("client_certificates: required", "needs client_ca"),
        ("client_certificates: optional", "needs client_ca"),
        ("client_certificates: maybe", "expected one of off, optional, required"),
    ],
)
def test_client_certificates_need_an_authority(tls: str, words: str) -> None:
    text = "listen: {tls: {certificate: c, key: k, %s}}\n" % tls + SERVER
    with pytest.raises(ConfigError) as caught:
        loads(text, "f.yaml")
    (problem,) = caught.value.problems
    assert problem.startswith("f.yaml:1: listen.tls") and words in problem


def test_an_authority_for_client_certificates_that_nobody_is_asked_for_is_a_warning() -> None:
    text = "listen: {tls: {certificate: c, key: k, client_certificates: off, client_ca: a}}\n"
    (warning,) = loads(text + SERVER, "f.yaml").warnings
    assert "listen.tls.client_ca: has no effect; set client_certificates" in warning


def test_a_missing_certificate_file_is_a_warning_that_names_it(tmp_path: Path) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("listen: {tls: {certificate: c.pem, key: c.key}}\n" + SERVER, encoding="utf-8")
    loaded = load(path)
    assert [w.rpartition(": ")[2] for w in loaded.warnings] == [
        "there is no file %s; put it there" % (tmp_path / name) for name in ("c.pem", "c.key")
    ]


# -- secrets --------------------------------------------------------------------------------


def test_a_password_comes_from_the_file_the_environment_or_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "password"
    file.write_bytes("gehe im\u00df \r\n".encode())
    monkeypatch.setenv("OPCWS_TEST_PASSWORD", "from environment")
    assert User("u", password="here").secret() == "here"
    assert User("u", password_env="OPCWS_TEST_PASSWORD").secret() == "from environment"
    assert User("u", password_file=str(file)).secret() == "gehe im\u00df "


def test_a_password_that_cannot_be_had_is_told_without_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPCWS_TEST_PASSWORD", raising=False)
    with pytest.raises(ConfigError, match="OPCWS_TEST_PASSWORD.* is not set; set it"):
        User("u", password_env="OPCWS_TEST_PASSWORD").secret()
    with pytest.raises(ConfigError, match="cannot be read"):
        User("u", password_file=str(tmp_path / "none")).secret()


def test_a_password_never_shows_in_the_text_of_the_configuration() -> None:
    assert "hunter2" not in repr(User("u", password="hunter2"))


# -- variables ------------------------------------------------------------------------------


def test_access_says_who_may_read_and_write() -> None:
    rights = {
        access: (each.readable, each.writable)
        for access in ("read", "readwrite", "write")
        for each in [variable("node: i=3, access: %s" % access)]
    }
    assert rights == {"read": (True, False), "readwrite": (True, True), "write": (False, True)}


def test_what_a_variable_leaves_out_is_unknown_or_the_servers() -> None:
    bare = variable("node: i=3")
    assert (bare.type, bare.is_array, bare.access, bare.metadata) == (0, None, "read", {})
    assert (bare.sampling_interval_ms, bare.queue_size, bare.description) == (None, None, None)
    assert variable("node: i=3, type: Boolean, array: true").type == BOOLEAN


def test_a_variable_can_be_a_key_and_nothing_in_it_can_be_set() -> None:
    one = variable("node: i=3, metadata: {a: 1}")
    assert {one: 1}[variable("node: i=3, metadata: {a: 1}")] == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.access = "readwrite"  # type: ignore[misc]


def test_the_file_a_person_named_is_the_one_that_messages_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "c.yaml").write_text("x: 1\n" + SERVER, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError) as caught:
        load("c.yaml")
    assert caught.value.problems[0].startswith("c.yaml:1: x: ")
    (tmp_path / "c.yaml").write_text("log: {file: a.log}\n" + SERVER, encoding="utf-8")
    assert load("c.yaml").log.file == os.path.join(str(tmp_path), "a.log")


def test_lines_are_right_everywhere_in_a_long_file() -> None:
    lines = SERVER.replace(
        "{T: {node: i=2258}}",
        "\n  {%s}" % ",\n".join("V%d: {node: i=%d}" % (n, n + 1) for n in range(50)),
    ).splitlines()
    for number, line in itertools.islice(enumerate(lines, 1), 1, None):
        broken = lines[: number - 1] + [line.replace("node:", "nod:")] + lines[number:]
        found = problems("\n".join(broken))
        assert len(found) == 2
        assert all(each.startswith("f.yaml:%d: " % number) for each in found)


# -- a redundant set ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "shown"), [("5", "5"), ("true", "true"), ("text", '"text"'), ("[]", "a list")]
)
def test_a_server_that_is_no_mapping_is_told(given: str, shown: str) -> None:
    missing, wrong = problems("servers: {p: %s}" % given)
    assert missing.startswith("f.yaml:1: servers.p: 'endpoint' is missing; add it: ")
    assert wrong == "f.yaml:1: servers.p: expected a mapping, got %s" % shown


def test_a_redundant_set_is_a_list_of_endpoints() -> None:
    loaded = loads(SERVER.replace("endpoint: 'opc.tcp://127.0.0.1:4840'", PAIR))
    server = loaded.servers["plant"]
    assert server.endpoints == ("opc.tcp://a:4840", "opc.tcp://b:4840")
    assert server.endpoint == "opc.tcp://a:4840"


@pytest.mark.parametrize(
    ("given", "path", "words"),
    [
        ("endpoint: opc.tcp://h:1, endpoints: [opc.tcp://h:2]", "", "exactly one of endpoint and"),
        ("endpoints: []", ".endpoints", "is empty"),
        ("endpoints: [opc.tcp://h:1, http://h]", ".endpoints[1]", "does not begin with opc.tcp"),
        ("endpoints: [opc.tcp://h:1, opc.tcp://h:1]", ".endpoints[1]", "is listed already"),
        ("endpoints: opc.tcp://h:1", ".endpoints", "expected a list"),
        ("endpoints: [1]", ".endpoints[0]", "expected text"),
    ],
)
def test_a_wrong_redundant_set_is_told(given: str, path: str, words: str) -> None:
    (problem,) = problems(SERVER.replace("endpoint: 'opc.tcp://127.0.0.1:4840'", given))
    assert problem.startswith("f.yaml:1: servers.plant%s: " % path) and words in problem


PAIR = "endpoints: [opc.tcp://a:4840, opc.tcp://b:4840]"


def test_without_an_audit_section_there_is_no_audit_log() -> None:
    assert loads(SERVER).audit is None


def test_an_audit_log_in_a_directory_that_is_not_there_is_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_text(SERVER + "\naudit: {file: no/audit.jsonl}\n", encoding="utf-8")
    (warning,) = [each for each in load(path).warnings if "audit" in each]
    assert "audit.file: there is no directory %s" % (tmp_path / "no") in warning


# --- blanks that nobody sees ------------------------------------------------------------------


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u200b", "\ufeff"], ids=ascii)
@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("servers: {p: {endpoint: %s}}", "servers.p.endpoint"),
        ("servers: {p: {endpoints: ['opc.tcp://h:1', %s]}}", "servers.p.endpoints[1]"),
    ],
)
def test_an_address_with_a_blank_is_told_in_words(blank: str, text: str, where: str) -> None:
    for address in (
        "opc.tcp://h:4840" + blank,
        blank + "opc.tcp://h:4840",
        "opc.tcp://h%s:1" % blank,
    ):
        with pytest.raises(ConfigError) as caught:
            loads(text % json.dumps(address), "f.yaml")
        assert "f.yaml:1: %s: " % where in caught.value.problems[0]
        assert "contains a space; remove it" in caught.value.problems[0]


@pytest.mark.parametrize(
    ("section", "where"),
    [
        ("listen: {host: 'localhost '}", "listen.host"),
        ("listen: {origins: [' https://a']}", "listen.origins[0]"),
        ("listen: {trusted_proxies: ['10.0.0.1 ']}", "listen.trusted_proxies[0]"),
        ("log: {level: 'debug '}", "log.level"),
        ("'log ': {}", '["log "]'),
    ],
)
def test_a_setting_that_a_blank_makes_wrong_says_so(section: str, where: str) -> None:
    with pytest.raises(ConfigError) as caught:
        loads(section + "\nservers: {}", "f.yaml")
    assert "f.yaml:1: %s: begins or ends with a space; remove it" % where in (caught.value.problems)


@pytest.mark.parametrize(
    ("settings", "where"),
    [
        ("{variables: {'a ': {node: i=1}}}", 'variables["a "]'),
        ("{variables: {a: {node: 's=Tag '}}}", "variables.a.node"),
        ("{user: {name: 'anna ', password_env: X}, variables: {a: {node: i=1}}}", "user.name"),
        ("{browse: {match: 'Boiler.* '}}", "browse.match"),
        ("{security: {pki: 'pki '}, variables: {a: {node: i=1}}}", "security.pki"),
    ],
)
def test_a_blank_that_counts_is_a_warning(settings: str, where: str) -> None:
    text = "servers: {p: {endpoint: 'opc.tcp://h:1', %s}" % settings[1:]
    (warning,) = loads(text, "f.yaml").warnings
    assert warning.startswith("f.yaml:1: servers.p.%s: begins or ends with a space, which" % where)


def test_the_blanks_of_a_thousand_nodes_are_one_warning_and_those_of_a_text_none() -> None:
    nodes = {"v%d" % n: {"node": "s=%d " % n, "description": " x "} for n in range(1000)}
    server = {"endpoint": "opc.tcp://h:1", "variables": nodes}
    (warning,) = loads(json.dumps({"servers": {"p": server}}), "f.yaml").warnings
    assert "as 999 more of the server's variables do, this begins or ends with a space" in warning
