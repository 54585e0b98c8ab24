"""The import of an ASNeG OPC UA Web Server's configuration: what its clients see stays."""

import os
import re
from pathlib import Path
from typing import List

import pytest

from opcws.commissioning import asneg, asneg_xml
from opcws.config import loads
from opcws.config.settings import TLS, Config, Limits, Listen, Security, User
from opcws.model.data_types import BOOLEAN, DATETIME, DOUBLE, INT32, UINT32, NodeId
from opcws.model.errors import ConfigError

DATA = Path(__file__).resolve().parents[1] / "data" / "asneg"

MODEL = """<OpcUaWebServerModel>
  <WebSocketServer>%s</WebSocketServer>
  <OpcUaClient>%s</OpcUaClient>
</OpcUaWebServerModel>"""

CLIENT = """<OpcUaClient Name="%s">
  <Endpoint>%s</Endpoint>
  <NamespaceUri><Uri>urn:a</Uri></NamespaceUri>
  <NodeList>
%s
  </NodeList>
</OpcUaClient>"""

URL = "<EndpointUrl>opc.tcp://h:1</EndpointUrl>"
NODE = '<Node ValueName="V" NodeId="ns=1;i=1" NodeType="Double"/>'


class Installation:
    """A directory with a model file and client files, written as a test wants them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.model = directory / "OpcUaWebServerModel.xml"
        self.files: List[str] = []

    def client(self, endpoint: str = URL, nodes: str = NODE, name: str = "p") -> Path:
        return self.raw(CLIENT % (name, endpoint, nodes))

    def raw(self, text: str) -> Path:
        path = self.directory / ("Client%d.xml" % len(self.files))
        path.write_text(text, encoding="utf-8")
        self.files.append("<ClientConfigFile>@CONF_DIR@/%s</ClientConfigFile>" % path.name)
        return path

    def imported(self, server: str = "") -> asneg.Imported:
        self.model.write_text(MODEL % (server, "".join(self.files)), encoding="utf-8")
        return asneg.import_model(self.model)

    def loaded(self, server: str = "") -> Config:
        return loads(self.imported(server).text)

    def problems(self, server: str = "") -> List[str]:
        with pytest.raises(ConfigError) as caught:
            self.imported(server)
        return list(caught.value.problems)


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


@pytest.fixture(scope="module")
def whole() -> asneg.Imported:
    return asneg.import_model(DATA / "OpcUaWebServerModel.xml")


# -- a whole installation -------------------------------------------------------------------


def test_files_with_comments_before_the_declaration_and_a_namespace_are_read(
    whole: asneg.Imported,
) -> None:
    loaded = loads(whole.text)
    assert list(loaded.servers) == ["Boiler-House", "Pump"]
    assert list(loaded.variables) == [
        "Temperature", "Counts", "on", "Time of day", "State", "Speed",
    ]  # fmt: skip


def test_address_port_limits_timeouts_and_tls_files_come_along(whole: asneg.Imported) -> None:
    directory = os.path.abspath(DATA)
    assert loads(whole.text).listen == (
        Listen(
            host="0.0.0.0",
            port=8181,
            scalars="string",
            origins=("*",),
            tls=TLS(
                os.path.join(directory, "ssl", "websocket.crt"),
                os.path.join(directory, "ssl", "websocket.pem"),
            ),
            limits=Limits(max_connections=42),
            handshake_timeout_s=5.5,
            idle_timeout_s=3600,
        ),
    )


def test_ns_1_is_the_first_uri_of_the_file_and_ns_0_the_standards(whole: asneg.Imported) -> None:
    variables = loads(whole.text).variables
    assert {name: variable.node for name, variable in variables.items()} == {
        "Temperature": NodeId(0, 3, "urn:example:boiler"),
        "Counts": NodeId(0, 4, "urn:example:history;old"),
        "on": NodeId(0, "A;B", "urn:example:boiler"),
        "Time of day": NodeId(0, 2258),
        "State": NodeId(0, 2259),
        "Speed": NodeId(0, 1, "urn:example:pump"),
    }


def test_types_and_arrays_come_along(whole: asneg.Imported) -> None:
    variables = loads(whole.text).servers["Boiler-House"].variables
    assert [(each.type, each.is_array) for each in variables.values()] == [
        (DOUBLE, False),
        (UINT32, True),
        (BOOLEAN, False),
        (DATETIME, False),
        (INT32, False),
    ]


def test_every_variable_is_writable_and_one_warning_says_so(whole: asneg.Imported) -> None:
    variables = loads(whole.text).variables.values()
    assert {each.access for each in variables} == {"readwrite"}
    told = [warning for warning in whole.warnings if "readwrite" in warning]
    assert told == [
        "6 variables have 'access: readwrite', because ASNeG's server lets clients write "
        "everything; remove it from those that no client should write"
    ]


def test_metadata_becomes_the_same_tree_of_text_with_repeated_elements_as_arrays(
    whole: asneg.Imported,
) -> None:
    variables = loads(whole.text).variables
    assert variables["Temperature"].metadata == {
        "DisplayName": "Flow temperature \u00b0C",
        "Limits": {"Min": "0", "Max": "90"},
        "Detail": "",
        "Note": "old ",
        "Color": ["BLUE", "RED"],
        "Steps": ["1", "on", {"Row": ["2", "3"]}, {"Point": {"X": "4", "Y": "5"}}],
        "Empty": [],
    }
    assert variables["Counts"].metadata == {}
    assert variables["State"].metadata == {}


def test_endpoint_security_and_user_come_along_with_warnings(whole: asneg.Imported) -> None:
    pump = loads(whole.text).servers["Pump"]
    assert pump.endpoint == "opc.tcp://127.0.0.1:4842"
    assert pump.security == Security("Basic256Sha256", "Sign")
    assert pump.user == User("operator", password='pass "word"', allow_clear=True)
    assert loads(whole.text).servers["Boiler-House"].endpoint == "opc.tcp://127.0.0.1:4841"
    warnings = "\n".join(whole.warnings)
    for words in (
        "urn:example:pump, the server's, is kept as a comment only",
        "set security.certificate",
        "the password of user 'operator' is now in the result too",
        "the password of user 'operator' goes over the network in clear",
    ):
        assert words in warnings
    assert "pass " not in warnings


def test_open_origins_and_parts_that_stay_behind_are_warnings_with_file_and_line(
    whole: asneg.Imported,
) -> None:
    model = re.escape(str(DATA / "OpcUaWebServerModel.xml"))
    warnings = "\n".join(whole.warnings)
    assert re.search(model + ":13: any web page may connect .*listen.origins", warnings)
    assert re.search(model + ":9: <HttpServer> is not imported", warnings)
    assert re.search(model + ":20: CSRFile: there is no file ", warnings)


def test_the_text_is_commented_and_in_the_order_of_the_xml(whole: asneg.Imported) -> None:
    lines = whole.text.splitlines()
    assert lines[0] == "# Imported from OpcUaWebServerModel.xml of an ASNeG OPC UA Web Server."
    assert "  # Boiler.xml" in lines
    assert '  origins: ["*"]' in lines
    temperature = lines.index("      Temperature:")
    assert lines[temperature + 1 : temperature + 7] == [
        '        node: "nsu=urn:example:boiler;i=3"',
        "        type: Double",
        "        array: false",
        "        access: readwrite",
        "        metadata:",
        '          DisplayName: "Flow temperature \u00b0C"',
    ]
    assert (
        '      "on": {node: "nsu=urn:example:boiler;s=A;B", type: Boolean, array: false, '
        "access: readwrite}"
    ) in lines


# -- the listener ---------------------------------------------------------------------------


def test_without_settings_it_listens_where_asnegs_server_did(installation: Installation) -> None:
    installation.client()
    (listen,) = installation.loaded().listen
    assert (listen.host, listen.port, listen.tls) == ("0.0.0.0", 8081, None)
    assert listen.idle_timeout_s == 0


def test_ssl_is_only_on_when_it_says_on(installation: Installation) -> None:
    installation.client()
    files = "<CSRFile>/a/c.crt</CSRFile><KeyFile>k.pem</KeyFile>"
    assert installation.loaded("<SSL>off</SSL>" + files).listen[0].tls is None
    tls = installation.loaded("<SSL> ON </SSL>" + files).listen[0].tls
    assert tls is not None
    assert Path(tls.key) == installation.directory / "k.pem"
    assert [p.partition(": ")[2] for p in installation.problems("<SSL>on</SSL>")] == [
        "SSL is on without <CSRFile>; add the PEM file's path",
        "SSL is on without <KeyFile>; add the PEM file's path",
    ]


def test_no_limit_of_connections_there_is_the_highest_here(installation: Installation) -> None:
    installation.client()
    loaded = installation.loaded("<MaxConnections>0</MaxConnections>")
    assert loaded.listen[0].limits.max_connections == 1000000


def test_wrong_numbers_are_problems_with_line_and_range(installation: Installation) -> None:
    installation.client()
    assert installation.problems("<Port>http</Port>\n<IdleTimeout>-1</IdleTimeout>") == [
        "%s:2: Port: expected a whole number from 0 to 65535, got 'http'" % installation.model,
        "%s:3: IdleTimeout: expected a whole number from 0 to 4294967295, got '-1'"
        % installation.model,
    ]


# -- servers and variables --------------------------------------------------------------------


def test_two_clients_of_one_name_get_different_names(installation: Installation) -> None:
    installation.client()
    installation.client(nodes=NODE.replace('"V"', '"W"'))
    imported = installation.imported()
    assert list(loads(imported.text).servers) == ["p", "p_2"]
    assert any("another file has the name 'p'" in warning for warning in imported.warnings)


def test_of_two_variables_of_one_name_the_first_stays_with_a_warning(
    installation: Installation,
) -> None:
    first = installation.client()
    second = installation.client(nodes=NODE.replace("i=1", "i=2"), name="q")
    imported = installation.imported()
    assert loads(imported.text).variables["V"].node == NodeId(0, 1, "urn:a")
    assert any(
        warning.startswith("%s:5: ValueName 'V' is left out, since %s:5 " % (second, first))
        for warning in imported.warnings
    )


@pytest.mark.parametrize(
    ("node", "words"),
    [
        ('<Node NodeId="i=1" NodeType="Double"/>', "expected ValueName"),
        ('<Node ValueName="V" NodeType="Double"/>', "'V': NodeId: expected a NodeId"),
        ('<Node ValueName="V" NodeId="ns=1;x=1" NodeType="Double"/>', "'V': NodeId: expected"),
        ('<Node ValueName="V" NodeId="ns=2;i=1" NodeType="Double"/>', "'V': ns=2 is number 2"),
        ('<Node ValueName="V" NodeId="i=0" NodeType="Double"/>', "is no node"),
        ('<Node ValueName="V" NodeId="i=1" NodeType="double"/>', "such as Double, got 'double'"),
        ('<Node ValueName="V" NodeId="i=1"/>', "such as Double, got ''"),
    ],
)
def test_a_wrong_node_is_a_problem_with_file_line_and_value_name(
    installation: Installation, node: str, words: str
) -> None:
    path = installation.client(nodes=node)
    (problem,) = installation.problems()
    assert problem.startswith("%s:5: " % path)
    assert words in problem


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [
        ("", "no <EndpointUrl> and no <DiscoveryUrl>"),
        ("<EndpointUrl>http://h:1</EndpointUrl>", "does not begin with opc.tcp://"),
        (URL + "<MessageSecurityMode>Sign</MessageSecurityMode>", "does not go with"),
        (URL + "<MessageSecurityMode>sign</MessageSecurityMode>", "expected None, Sign or"),
        (URL + "<SecurityPolicyUri>x</SecurityPolicyUri>", "expected http://opcfoundation.org"),
        (
            URL + "<Authentication><TokenType>Certificate</TokenType></Authentication>",
            "expected Anonymous or UserName",
        ),
        (
            URL + "<Authentication><TokenType>UserName</TokenType></Authentication>",
            "there is no <UserName>",
        ),
    ],
)
def test_a_wrong_endpoint_is_a_problem_with_file_and_line(
    installation: Installation, endpoint: str, words: str
) -> None:
    path = installation.client(endpoint)
    assert [p for p in installation.problems() if words in p and p.startswith("%s:2: " % path)]


def test_prefixes_count_for_nothing_declared_or_not(installation: Installation) -> None:
    path = installation.client()
    text = path.read_text(encoding="utf-8").replace("NodeList>", "ua:NodeList>")
    path.write_text(text.replace("<Node ", "<o:Node xsi:type='o:Node' "), encoding="utf-8")
    assert list(installation.loaded().variables) == ["V"]


def test_an_encrypted_password_is_not_allowed_in_clear(installation: Installation) -> None:
    policy = (
        "<SecurityPolicyUri>http://opcfoundation.org/UA/SecurityPolicy#Basic256</SecurityPolicyUri>"
    )
    user = "<TokenType>UserName</TokenType><UserName>u</UserName><Password>p</Password>"
    installation.client("%s<Authentication>%s%s</Authentication>" % (URL, user, policy))
    assert installation.loaded().servers["p"].user == User("u", password="p")


def test_anonymous_authentication_needs_no_user(installation: Installation) -> None:
    user = "<Authentication><TokenType>Anonymous</TokenType><PolicyId>P</PolicyId></Authentication>"
    installation.client(URL + user)
    assert installation.loaded().servers["p"].user is None


def test_every_problem_of_every_file_is_reported_at_once(installation: Installation) -> None:
    first = installation.client(nodes=NODE.replace("Double", "Dubble"))
    second = installation.raw("<OpcUaClient Name='q'><Endpoint>")
    installation.files.append("<ClientConfigFile>@CONF_DIR@/none.xml</ClientConfigFile>")
    installation.files.append("<ClientConfigFile>@INSTALL_DIR@/x.xml</ClientConfigFile>")
    found = installation.problems("<Port>x</Port>")
    files = [problem.partition(".xml")[0] + ".xml" for problem in found]
    missing = str(installation.directory / "none.xml")
    model = str(installation.model)
    assert files == [model, str(first), str(second), missing, model]
    assert found[3].endswith("(named in %s:3)" % model)
    assert "the placeholder @INSTALL_DIR@ is not known" in found[4]


@pytest.mark.parametrize(
    "text", ["\u2028", "\x85", "a\u2029b", "\ufeffx", "\x7f\x9f", "C:\\new\\u0041", "'\"#: {", "~"]
)
def test_any_text_in_metadata_survives(installation: Installation, text: str) -> None:
    escaped = text.replace("&", "&amp;").replace("<", "&lt;")
    metadata = "<MetaData><T>%s</T></MetaData>" % escaped
    installation.client(nodes=NODE.replace("/>", ">%s</Node>" % metadata))
    assert installation.loaded().variables["V"].metadata == {"T": text}


def test_attributes_in_metadata_arrive_as_asnegs_server_sent_them(
    installation: Installation,
) -> None:
    metadata = '<MetaData><Unit lang="de"><Short>C</Short></Unit><T lang="de">lost</T></MetaData>'
    installation.client(nodes=NODE.replace("/>", ">%s</Node>" % metadata))
    imported = installation.imported()
    assert loads(imported.text).variables["V"].metadata == {
        "Unit": {"<xmlattr>": {"lang": "de"}, "Short": "C"},
        "T": {"<xmlattr>": {"lang": "de"}},
    }
    assert any("the text of <T> is left out" in warning for warning in imported.warnings)


# -- files that are not what they should be ---------------------------------------------------

BOMB = """<?xml version="1.0"?>
<!DOCTYPE bomb [<!ENTITY a "xxxxxxxxxx"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>
<OpcUaWebServerModel>&b;</OpcUaWebServerModel>"""

EXTERNAL = """<!DOCTYPE x SYSTEM "file:///etc/passwd">
<OpcUaWebServerModel/>"""


@pytest.mark.parametrize(("text", "line"), [(BOMB, 2), (EXTERNAL, 1)])
def test_a_document_type_is_refused_so_no_entity_is_ever_expanded(
    installation: Installation, text: str, line: int
) -> None:
    installation.model.write_text("<!-- c -->\n" + text, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        asneg.import_model(installation.model)
    assert caught.value.problems == (
        "%s:%d: has a document type (<!DOCTYPE), which opcws does not accept; remove it"
        % (installation.model, line + 1),
    )


@pytest.mark.parametrize(
    ("raw", "line", "words"),
    [
        (b"", 1, "is not well-formed XML: no element found"),
        (b"{}", 1, "is not well-formed XML"),
        (b"<!-- a\nb -->\n<?xml version='1.0'?>\n<a>\n</b>", 5, "mismatched tag"),
        (b"<a>\n\xb0</a>", 2, "is not well-formed XML"),
        (b"<?xml version='1.0' encoding='none-such'?><a/>", 1, "unknown encoding"),
        (b"<a>" * 100000, 1, "is nested over 50 levels deep"),
        (b"\n<OpcUaClient/>", 2, "expected <OpcUaWebServerModel>"),
        (b"<OpcUaWebServerModel/>", 1, "no client files"),
        (b"<a>&undefined;</a>", 1, "undefined entity"),
    ],
)
def test_a_file_that_is_no_model_is_told_with_its_line(
    installation: Installation, raw: bytes, line: int, words: str
) -> None:
    installation.model.write_bytes(raw)
    with pytest.raises(ConfigError) as caught:
        asneg.import_model(installation.model)
    (problem,) = caught.value.problems
    assert problem.startswith("%s:%d: " % (installation.model, line))
    assert words in problem


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "iso-8859-1", "cp1252", "utf-16"])
def test_the_encoding_that_a_file_declares_is_the_one_it_is_read_in(
    installation: Installation, encoding: str
) -> None:
    path = installation.client(nodes=NODE.replace('"V"', '"Kessel \u00b0C"'))
    name = encoding.replace("-sig", "")
    text = "<?xml version='1.0' encoding='%s'?>%s" % (name, path.read_text(encoding="utf-8"))
    path.write_bytes(text.encode(encoding))
    assert list(installation.loaded().variables) == ["Kessel \u00b0C"]


def test_a_file_that_cannot_be_read_or_is_too_large_is_told(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        asneg.import_model(installation.model)
    with pytest.raises(ConfigError, match="cannot be read"):
        asneg.import_model(installation.directory)
    installation.client()
    monkeypatch.setattr(asneg_xml, "MAX_FILE_BYTES", 10)
    with pytest.raises(ConfigError, match="is over 10 bytes"):
        installation.imported()
