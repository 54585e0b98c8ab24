"""What an editor says of a configuration by ``schemas/config.schema.json`` alone, and opcws itself:
the verdicts are the same but for what no schema can say, which is listed here."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

import fastjsonschema
import pytest

from opcws.config import loads
from opcws.model.errors import ConfigError
from opcws.wire import contract

from ..support import PATIENCE, readme
from ..support.settings_table import Setting, every_setting

#: What only opcws finds, by a part of what it says, and why a schema cannot say it.
BEYOND_A_SCHEMA = {
    "is over lockout_max_s": "compares two settings",
    "is over reconnect_max_ms": "compares two settings",
    "is no longer than ping_interval_s": "compares two settings",
    "expected limits that rise": "compares two settings",
    "already listens on": "compares two mappings of a list",
    "already has a variable of this name": "compares two servers",
    "no role is named": "compares two sections",
    "a certificate has one role": "compares two roles, or two spellings of a fingerprint",
    "does not rise": "compares two numbers in a text",
    "is over 2147483647": "a limit of a number in a text, which a pattern could state at length",
    "is over 65535": "the same",
    "bytes, got": "the limits of a number in a text, such as 2 TiB",
    "expected a number from 0 to 4294967295": "the same",
    "is the null NodeId": "has more spellings than i=0, such as i=00",
    "has bits set behind its prefix": "calculates with an address",
    "is neither an address nor a network": "the rules of IPv6 are too many for a pattern",
    "is no pattern": "a range of characters in a pattern of names that does not rise",
    "is no URL": "the same",
    "contains a space": "a blank that nobody sees, which not every language of patterns knows",
}

#: Older ones take any text in brackets for an IPv6 address, newer ones [z-a] for a pattern.
NOT_BY_EVERY_PYTHON = {"is no URL", "is no pattern"}

WRONG_KINDS: Tuple[Any, ...] = (None, True, 7, 1.5, "text", "", [], [7], [[]], {}, {"x": 1})

#: Texts by the title of their rule; most of them are wrong.
TEXTS: Dict[str, Tuple[str, ...]] = {
    "NodeId": (
        *("i=", "i=x", "i=-1", "i=4294967295", "i=4294967296", "i=0", "i=00", "ns=0;i=0", "i=1 "),
        *("s=", "s=a", "s=a;b c", " s=a", "S=a", "x=1", "2258", "ns=2", "ns=2;", "ns=2i=3"),
        *("ns=65535;i=1", "ns=65536;i=1", "ns=x;i=1", "ns=-1;s=a", "ns=2:s=a", "nsu=urn:a;s=b"),
        *("nsu=;s=b", "nsu=urn:a", "nsu=urn:a;", "nsu=urn:a;i=0", "nsu=urn:a;ns=2;s=b", "b=QUJD"),
        *("b=QUI", "b=QUI=", "b=QQ==", "b=***", "b=", "g=1", "svr=1;i=1", "svr=0;i=1", "svr=x;i=1"),
        *("g=72962b91-fa75-4ae6-8d28-b404dc7daf63", "g={72962b91-fa75-4ae6-8d28-b404dc7daf63}"),
        *("g=72962B91-FA75-4AE6-8D28-B404DC7DAF63", "g=72962b91fa754ae68d28b404dc7daf63"),
        *("s=line\nend", "i=1\n", "Objects/Boiler", "0:Objects", "i=1;i=2", "NS=2;s=a"),
    ),
    "endpoint URL": (
        *("opc.tcp://h:1", "opc.tcp://h:65535", "opc.tcp://h:65536", "opc.tcp://h:99999"),
        *("opc.tcp://h:0", "opc.tcp://h:00", "opc.tcp://h:0065535", "opc.tcp://h:-1"),
        *(
            "opc.tcp://h:x",
            "opc.tcp://h",
            "opc.tcp://h:",
            "opc.tcp://:4840",
            "opc.tcp://",
            "h:4840",
        ),
        *("opc.tcp:/h:4840", "opc.tcp:h:4840", "//h:4840", "http://h:4840", "opc.https://h:4840"),
        *("opc.tcp//h:4840", "OPC.TCP://h:4840", "opc.tcp://h:4840/", "opc.tcp://h:4840/a/b"),
        *("opc.tcp://h:4840/a:99999/b", "opc.tcp://h:4840?a", "opc.tcp://h:4840/#a", "opc.tcp//h"),
        *("opc.tcp://u@h:4840", "opc.tcp://u:p@h:4840", "opc.tcp://h h:4840", " opc.tcp://h:4840"),
        *("opc.tcp://h:4840 ", "opc.tcp://h:4840\n", "opc.tcp://h:48 40", "opc.tcp://a:b:4840"),
        *("opc.tcp://[::1]:4840", "opc.tcp://[::1:4840", "opc.tcp://::1:4840", "opc.tcp://[]:1"),
        *("opc.tcp://[fe80::1]", "opc.tcp://h:4840/\u200b", "opc.tcp://h\u00a0:4840", "opc.tcp"),
        *("opc.tcp://[1::2::3]:4840", "opc.tcp://plant_a:4840", "opc.tcp://m\u00fchle:4840"),
    ),
    "broker URL": (
        *("mqtt://h", "mqtt://h:1", "mqtt://h:65535", "mqtt://h:65536", "mqtt://h:0", "mqtt://h:x"),
        *("mqtt://h:", "mqtt://:1883", "mqtt://", "h:1883", "h", "mqtt:/h", "mqtt:h", "http://h"),
        *("MQTT://h", "mqtt://h/", "mqtt://h/a", "mqtt://h?a", "mqtt://h/#a", "mqtt://u@h", "mqtt"),
        *("mqtt://u:p@h", "mqtt://h h", " mqtt://h", "mqtt://h ", "mqtt://h\n", "mqtt://[::1]"),
        *("mqtt://[::1]:1", "mqtt://[::1:1", "mqtt://::1", "mqtt://[]:1", "mqtt://m\u00fchle"),
        *("mqtts://h", "mqtts://h:8883", "MQTTS://h", "mqttss://h", "mqtts:h", "mqtts://"),
        *("tcp://h", "ws://h", "mqtt://h\u00a0", "mqtt://h:01883", "mqtt://h//"),
    ),
    "a level of a topic": ("a", "plant-3", "a b", "a/b", "+", "a#", "\u00fc", "$a", "a\x00"),
    "the beginning of a topic": (
        *("a", "a/b", "a/b/c", "/a", "a/", "a//b", "+", "a/+", "#", "$SYS", "a/$b", "\u00fc/b"),
        *("a b", "a/\x00"),
    ),
    "an index range": (
        *("0", "2", "0:3", "3:1", "1:1", "0:1,2:3", "1,2", "", ":", "1:", ":1", "-1", "a", "0-3"),
        *("0:1:2", "0;1", "1, 2", " 1", "1 ", "1\n", "[0]", "2147483647", "2147483648", "0:99999"),
        *("99999999999", "1,", ",1", "1.5", "0x1", "\u0661", "0..3", "*"),
    ),
    "an address or network": (
        *("192.0.2.7", "192.0.2.0/24", "192.0.2.7/24", "192.0.2.0/33", "192.0.2.0/-1", "192.0.2"),
        *("192.0.2.0/255.255.255.0", "192.0.2.256", "192.0.2.7.1", "192.0.2.07", "192.0.2.0/"),
        *("::1", "2001:db8::/32", "2001:db8::1/32", "2001:db8::/129", "2001::db8::1", "::g", ":"),
        *(
            "localhost",
            "hmi.example",
            "*",
            "",
            " ::1",
            "192.0.2.7:80",
            "[::1]",
            "all",
            "10.0.0.0/8/8",
        ),
        *("::ffff:192.0.2.7", "1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8:9", "12345::", "192.0.2.*"),
    ),
    "an origin": (
        *(
            "https://hmi.example",
            "https://hmi.example:8443",
            "*",
            "null",
            "hmi.example",
            "https://",
        ),
        *("https://hmi.example/", "https://hmi.example/page", "https://u@h", "https://a b", "**"),
        *(
            "https:hmi.example",
            "https://hmi.example?x",
            "https://hmi.example#x",
            "https://*.example",
        ),
    ),
    "host": (
        *("127.0.0.1", "::", "0.0.0.0", "fe80::1%eth0", "hmi", "[::1]", "a b", "a/b", "h:\n", "*"),
        *("http://hmi", "hmi,hmi2", "m\u00fchle", "a_b", "hmi\n", " "),
    ),
    "a locale": (
        "de",
        "de-DE",
        "de_DE",
        "d",
        "en-",
        "-en",
        "de DE",
        "zh-Hant-TW",
        "deutschland",
        "1",
    ),
    "a client certificate": (
        *("CN=panel", "CN=", "cn=panel", "panel", "O=panel", "CN=a, O=b", "sha256:00"),
        *("sha256:" + "0a" * 32, "SHA256:" + "0A:" * 31 + "0A", "sha256:" + "0a" * 31 + "0"),
        *("sha1:" + "0a" * 20, "sha256:" + "0g" * 32, "0a" * 32),
    ),
    "a pattern": ("*", "a.*", "[ab]", "[z-a]", "[", "[!a]", "(", "?", "\\", "a" * 1025, "[b-a]x"),
    "a pattern of names": ("*", "a.*", "[ab]", "[z-a]", "[", "[!a]", "(", "?", "\\", "a" * 1025),
    "a path": ("a", "a/b", "C:\\a", "a\0b", " a", "a\n", "/", ".", "a" * 5000),
    "prefix": ("Line3.", "a" * 200, "a" * 201, "a\nb", "\x7f", "\t", "M\u00fchle."),
    "a size": (
        *("2 GiB", "2GiB", "1.5 MiB", "10000 KiB", "1 TiB", "2 GB", "2 gib", "2  GiB", "GiB"),
        *(" 2 GiB", "2 GiB\n", "-1 MiB", "1,5 MiB", "1e3 KiB", "100", "10 B", "1 KiB", "2 TiB"),
        *("9999999999 TiB", "99999999999 KiB", "1.5.5 MiB", "\u0661 MiB"),
    ),
    "'auto', 'off' or the number of a CPU": ("auto", "off", "on", "1", "Auto", "none", "0,1"),
}
#: Names of servers, roles and variables.
NAMES = (
    "a",
    "",
    "a" * 256,
    "a" * 257,
    "a\nb",
    "a\x00b",
    "\x7f",
    "\t",
    "M\u00fchle 3",
    "1",
    " a",
    "a.b",
)

#: What else stands in a mapping whose setting is tried, so that only this one is wrong.
COMPANIONS: Dict[str, Dict[str, Any]] = {
    "TLS": {"certificate": "a.pem", "key": "a.key"},
    "Audit": {"file": "a"},
    "Variable": {"node": "i=85"},
}
USERS: Dict[str, Dict[str, Any]] = {
    "password": {"name": "u"},
    "password_env": {"name": "u"},
    "password_file": {"name": "u"},
    "certificate": {"key": "k"},
    "key": {"certificate": "c"},
}


class Case(NamedTuple):
    what: str
    data: Any


def placed(setting: Setting, value: Any) -> Dict[str, Any]:
    """A good configuration, but perhaps for *setting*, which has *value*."""
    data: Dict[str, Any] = {"servers": {"NAME": {"endpoint": "opc.tcp://h:1"}}}
    place: Any = data
    *above, name = setting.path.split(".")
    for step in above:
        place = place.setdefault(step, {})
    place.update(COMPANIONS.get(setting.section, {}))
    if setting.section in ("User", "MqttUser"):
        place.update(USERS.get(name, {"password": "p"}))
    if setting.path.startswith("publish.mqtt."):
        data["publish"]["mqtt"].update({"broker": "mqtts://h", "variables": ["*"]})
    if setting.section == "MqttTLS":
        place.update({"certificate": "c", "key": "k"})
    if setting.section == "Security" and name in ("certificate", "key"):
        place.update({"certificate": "c", "key": "k"})
    if setting.path == "servers.NAME.endpoints":
        del place["endpoint"]
    if name == "client_certificates":
        place["client_ca"] = "c"
    place[name] = value
    return data


def values_of(rule: Dict[str, Any]) -> Iterator[Any]:
    """Values for *rule*, good ones and bad ones."""
    yield from WRONG_KINDS
    for part in (*rule.get("anyOf", [rule]), rule.get("then", {})):
        for bound in ("minimum", "exclusiveMinimum", "maximum"):
            if bound in part:
                limit = part[bound]
                yield from (limit, limit - 1, limit + 1, float(limit), str(limit), limit + 0.5)
        if part.get("type") in ("integer", "number"):
            yield from (-1, 0, 1e300, -1e300, 10**30, "5 s", "5ms", "1:30", "PT5S", "1k", [5])
        if part.get("type") == "boolean":
            yield from (0, 1, "true", "yes", "off")
        if part is not rule:
            yield from TEXTS.get(_title(part), ())
        for word in part.get("enum", ()):
            yield from (word, word + "s", word.swapcase(), " " + word, [word])
    yield from TEXTS.get(rule["title"], ())
    if rule.get("type") == "array":
        item = rule["items"]
        listed = [*item.get("enum", ()), *TEXTS.get(_title(item), ()), *item.get("examples", ())]
        yield from ([each] for each in listed)
        yield from ([each, each] for each in listed[:3])
        yield ["a"] * 5
        yield [{"type": "string"}]
    if rule.get("type") == "string":
        yield from ("\u00fc", "a" * 100)


def _title(item: Dict[str, Any]) -> str:
    title: str = item.get("title", "")
    return "endpoint URL" if title == "an endpoint URL" else title


def cases() -> Iterator[Case]:
    for setting in every_setting():
        for value in values_of(setting.rule):
            yield Case("%s: %.60r" % (setting.path, value), placed(setting, value))
        if setting.default == "required":
            data = placed(setting, None)
            place: Any = data
            *above, name = setting.path.split(".")
            for step in above:
                place = place[step]
            del place[name]
            yield Case("%s is missing" % setting.path, data)
        misspelt = setting.path + "s"
        yield Case("%s is unknown" % misspelt, placed(setting._replace(path=misspelt), 7))
    for name in NAMES:
        yield Case("a server %r" % name, {"servers": {name: {"endpoint": "opc.tcp://h:1"}}})
        yield Case("a role %r" % name, whole(roles={name: "read"}))
        yield Case("a variable %r" % name, server(variables={name: {"node": "i=85"}}))
    for each in RELATIONS:
        yield Case(json.dumps(each), each)


def whole(**sections: Any) -> Dict[str, Any]:
    return {"servers": {"p": {"endpoint": "opc.tcp://h:1"}}, **sections}


def server(**settings: Any) -> Dict[str, Any]:
    return {"servers": {"p": {"endpoint": "opc.tcp://h:1", **settings}}}


def listen(**settings: Any) -> Dict[str, Any]:
    return whole(listen=settings)


_TLS = {"certificate": "c", "key": "k"}
_CN = {"certificates": ["CN=a"]}
RELATIONS: List[Dict[str, Any]] = [
    {},
    {"servers": {}},
    {"servers": {"p": {}}},
    {"servers": {"p": {"endpoints": ["opc.tcp://h:1", "opc.tcp://g:1"]}}},
    {"servers": {"p": {"endpoints": ["opc.tcp://h:1"] * 2}}},
    {"servers": {"p": {"endpoints": ["opc.tcp://h%d:1" % number for number in range(9)]}}},
    server(endpoints=["opc.tcp://g:1"]),
    *(
        server(security={"policy": policy, **mode, **more})
        for policy in ("None", "Basic256", "Basic128Rsa15", "Basic256Sha256")
        for mode in ({}, {"mode": "None"}, {"mode": "Sign"})
        for more in ({}, {"allow_deprecated": True}, {"allow_deprecated": False})
    ),
    *(server(security=each) for each in ({"mode": "Sign"}, {"mode": "None"}, {})),
    *(server(security=each) for each in ({"certificate": "c"}, {"key": "k"}, _TLS)),
    *(
        server(user=each)
        for each in (
            {"name": "u"},
            {"password": "p"},
            {"name": "u", "password": "p", "password_env": "E"},
            {"certificate": "c"},
            {"key": "k"},
            {**_TLS, "name": "u"},
            {**_TLS, "name": "u", "password": "p"},
        )
    ),
    *(
        server(deadband=each)
        for each in ({}, {"absolute": 1}, {"percent": 1}, {"absolute": 1, "percent": 1})
    ),
    server(reconnect_min_ms=5000),
    server(reconnect_min_ms=5000, reconnect_max_ms=5000),
    server(browse=[{}, {}]),
    server(browse=[7]),
    server(browse=[]),
    *(
        server(variables={"a": {"node": "i=1", "record": each}})
        for each in (True, {}, {"deadband": 1}, {"deadband": -1}, {"deadbands": 1}, "yes", [], None)
    ),
    *(
        server(variables={"a": {"node": "i=1", "limits": each}})
        for each in (
            *({"high": 1}, {"low_low": 1, "low": 2.5, "high": 3, "high_high": 4}, {}, None, []),
            *({"low": 2, "high": 2}, {"low": 2, "high_high": 1}, {"max": 1}, {"high": "1"}),
        )
    ),
    {
        "servers": {
            n: {"endpoint": "opc.tcp://h:1", "variables": {"a": {"node": "i=1"}}} for n in "pq"
        }
    },
    *(
        listen(tls={**_TLS, "client_certificates": each})
        for each in ("off", "optional", "required")
    ),
    listen(tls={**_TLS, "client_certificates": "required", "client_ca": "c"}),
    listen(tls={"certificate": "c"}),
    listen(ping_timeout_s=30),
    listen(ping_timeout_s=0),
    listen(ping_interval_s=0, ping_timeout_s=5),
    listen(limits={"lockout_min_s": 400}),
    listen(limits={"lockout_min_s": 5, "lockout_max_s": 5}),
    *(
        whole(listen=each)
        for each in ([], [{}], [{}, {}], [{}, {"port": 1}], [{"port": 0}] * 2, [7])
    ),
    *(
        whole(roles=each)
        for each in ({}, {"a": "off"}, {"a": "of"}, {"a": "Read"}, {"a": 7}, {"a": []})
    ),
    *(whole(roles={name: _CN}) for name in ("a", "anonymous")),
    whole(roles={"anonymous": {"certificates": []}}),
    whole(roles={"a": _CN, "b": _CN}),
    whole(roles={"a": {"certificates": ["CN=a", "CN=a"]}}),
    whole(roles={"anonymous": "off", "a": {"read": ["*"], "limits": {"monitors": 5}}}),
    whole(audit={}),
    whole(audit=None),
]


def test_an_editor_refuses_what_opcws_refuses_but_for_what_no_schema_can_say() -> None:
    decide = fastjsonschema.compile(contract.document("config.schema.json"), use_default=False)
    wrong: List[str] = []
    count, unsaid = 0, set()
    for case in cases():
        count += 1
        try:
            decide(case.data)
            refused = False
        except fastjsonschema.JsonSchemaException:
            refused = True
        try:
            loads(json.dumps(case.data))
            problems: Tuple[str, ...] = ()
        except ConfigError as error:
            problems = tuple(error.problems)
        if refused != bool(problems):
            beyond = {part for part in BEYOND_A_SCHEMA for each in problems if part in each}
            unsaid |= beyond
            if not beyond:
                wrong.append("%s: %s" % (case.what, problems))
    assert wrong == []
    assert count > 2000
    assert set(BEYOND_A_SCHEMA) - unsaid <= NOT_BY_EVERY_PYTHON


def test_ajv_compiles_it_in_strict_mode_and_gives_the_same_verdicts(tmp_path: Path) -> None:
    javascript = readme.ROOT / "tests" / "javascript"
    node = shutil.which("node")
    if node is None or not (javascript / "node_modules" / "ajv").exists():
        pytest.skip("not run: needs Node and ajv (npm install in tests/javascript)")
    schema = contract.document("config.schema.json")
    (tmp_path / "schema.json").write_text(json.dumps(schema), "utf-8")
    tests = [{"description": case.what, "data": case.data} for case in cases()]
    group = {"description": "", "schema": {"$ref": "schema.json"}, "tests": tests}
    (tmp_path / "cases.json").write_text(json.dumps([group]), "utf-8")
    command = [node, str(javascript / "conformance.js"), "ajv", str(tmp_path / "cases.json")]
    told = json.loads(subprocess.check_output(command, timeout=PATIENCE))
    judge = contract.Judge(schema)
    wrong = [
        (case.what, verdict)
        for case, (_, _, _, verdict) in zip(cases(), told)
        if verdict is not judge.is_valid(case.data)
    ]
    assert wrong == []
    assert len(told) == len(tests)


def test_every_example_is_good() -> None:
    shown = 0
    for setting in every_setting():
        rule = setting.rule
        examples = [
            *rule.get("examples", ()),
            *([each] for each in _item(rule).get("examples", ())),
        ]
        for example in examples:
            shown += 1
            loads(json.dumps(placed(setting, example)))
    document = contract.document("config.schema.json")
    (roles,) = document["properties"]["roles"]["examples"]
    loads(json.dumps(whole(roles=roles)))
    assert shown > 40


@pytest.mark.parametrize("setting", every_setting(), ids=lambda setting: setting.path)
def test_a_text_of_its_own_kind_has_an_example(setting: Setting) -> None:
    for rule in (setting.rule, _item(setting.rule)):
        if rule.get("type") == "string" and ("pattern" in rule or "minLength" in rule):
            assert rule.get("examples"), "an editor offers them, and opcws names them"


def _item(rule: Dict[str, Any]) -> Dict[str, Any]:
    return rule.get("items", {}) if rule.get("type") == "array" else {}


def test_what_an_editor_shows_is_for_people() -> None:
    for name, words in _texts(contract.document("config.schema.json"), ""):
        assert not re.search(r"\bNone for\b|\bnode_text\b|\bis_array\b|servers\.NAME", words), name
        assert words.endswith((".", ".)")), "%s: %s" % (name, words)


def _texts(rule: Any, path: str) -> Iterator[Tuple[str, str]]:
    if isinstance(rule, dict):
        for key, each in rule.items():
            if key == "description" and isinstance(each, str):
                yield path, each
            else:
                yield from _texts(each, path + "/" + key)
