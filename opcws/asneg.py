"""An installation of the ASNeG OPC UA Web Server in, the text of a configuration file out.

``OpcUaWebServerModel.xml`` names the client files; each client file is one OPC UA server with
its variables.  The rules of this module:

* What its clients see stays: names, types, metadata, the string dialect, who may connect.
  Whatever is open or in clear because of that is said in a warning.
* A node's ``ns=1`` is the first URI that its own file lists, so the result names namespaces by
  URI and needs no list.
* Files are parsed with expat alone.  A document type is refused, so there are no entities to
  expand and nothing external to fetch; size and depth are bounded.
* Real files have a comment before the XML declaration, which XML forbids: whatever precedes
  the declaration is left out.

Pure: reads the files that it is given and those that they name.
"""

import json
import os
import re
from typing import Any, Dict, List, NamedTuple, NoReturn, Optional, Set, Tuple, Union
from xml.parsers import expat

from . import config
from .datatypes import TYPE_IDS, NodeId, format_node_id, parse_node_id
from .errors import ConfigError

#: Largest XML file that is read, in bytes.
MAX_FILE_BYTES = 16 * 1024 * 1024

_MAX_DEPTH = 50
_STANDARD_URI = "http://opcfoundation.org/UA/"
_POLICY = "http://opcfoundation.org/UA/SecurityPolicy#"

# Where the model leaves them out; its own server's values.
_ADDRESS = "0.0.0.0"
_PORT = "8081"

# "No limit" there; the most that the configuration takes here.
_UNLIMITED_CONNECTIONS = 1000000


class Imported(NamedTuple):
    """The YAML text, and what its reader should know about it, a sentence each."""

    text: str
    warnings: List[str]


def import_model(path: Union[str, "os.PathLike[str]"]) -> Imported:
    """The configuration that does what the installation of the model file *path* does.

    Raises :exc:`ConfigError` with every problem found, each with file, line and remedy.
    """
    return _Import(os.fspath(path)).result()


# -- XML ------------------------------------------------------------------------------------


class _Element:
    """One element; ``name`` without prefix, ``text`` as it stands, spaces included."""

    __slots__ = ("name", "attributes", "line", "children", "text")

    def __init__(self, name: str, attributes: Dict[str, str], line: int) -> None:
        self.name = name
        self.attributes = attributes
        self.line = line
        self.children: List["_Element"] = []
        self.text = ""

    def all(self, name: str) -> List["_Element"]:
        return [child for child in self.children if child.name == name]

    def first(self, name: str) -> Optional["_Element"]:
        return next((child for child in self.children if child.name == name), None)

    def get(self, name: str) -> str:
        """The trimmed text of the child *name*; ``""`` if there is none."""
        child = self.first(name)
        return "" if child is None else child.text.strip()


_BEFORE_DECLARATION = re.compile(
    rb"\A(?:\xef\xbb\xbf)?(?:[ \t\r\n]+|<!--.*?-->)*(?=<\?xml[ \t\r\n])", re.DOTALL
)


def _read_xml(path: str) -> _Element:
    try:
        with open(path, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
        raise ConfigError(
            ["%s: cannot be read: %s; check the path and the permissions" % (path, reason)]
        ) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            ["%s: is over %d bytes; split it into several client files" % (path, MAX_FILE_BYTES)]
        )
    skipped = _BEFORE_DECLARATION.match(raw)
    first_line = 1
    if skipped is not None:
        first_line += skipped.group().count(b"\n")
        raw = raw[skipped.end() :]
    return _Parser(path, first_line).parse(raw)


class _Parser:
    """Builds the tree with a stack, not by recursion."""

    def __init__(self, path: str, first_line: int) -> None:
        self._path = path
        self._before = first_line - 1
        self._stack: List[_Element] = []
        self._root: Optional[_Element] = None
        self._expat = expat.ParserCreate()
        self._expat.buffer_text = True
        self._expat.StartDoctypeDeclHandler = self._doctype
        self._expat.StartElementHandler = self._start
        self._expat.EndElementHandler = self._end
        self._expat.CharacterDataHandler = self._text

    def parse(self, raw: bytes) -> _Element:
        try:
            self._expat.Parse(raw, True)
        except expat.ExpatError as error:
            self._stop(
                "is not well-formed XML: %s; open it in an XML editor and correct it there"
                % expat.ErrorString(error.code),
                error.lineno,
            )
        except (LookupError, ValueError) as error:  # the declared encoding
            self._stop("cannot be decoded: %s; save the file as UTF-8" % error, 1)
        assert self._root is not None  # expat refuses a document without an element
        return self._root

    def _stop(self, text: str, line: int) -> NoReturn:
        raise ConfigError(["%s:%d: %s" % (self._path, self._before + line, text)])

    def _doctype(self, *_: object) -> None:
        self._stop(
            "has a document type (<!DOCTYPE), which is not taken; remove it",
            self._expat.CurrentLineNumber,
        )

    def _start(self, name: str, attributes: Dict[str, str]) -> None:
        line = self._expat.CurrentLineNumber
        if len(self._stack) >= _MAX_DEPTH:
            self._stop("is nested over %d levels deep; expected fewer" % _MAX_DEPTH, line)
        kept = {
            key: value
            for key, value in attributes.items()
            if key != "xmlns" and not key.startswith(("xmlns:", "xsi:"))
        }
        element = _Element(name.split(":")[-1], kept, self._before + line)
        if self._stack:
            self._stack[-1].children.append(element)
        else:
            self._root = element
        self._stack.append(element)

    def _end(self, name: str) -> None:
        self._stack.pop()

    def _text(self, text: str) -> None:
        self._stack[-1].text += text


# -- the model ------------------------------------------------------------------------------


class _Server(NamedTuple):
    """One client file: ``lines`` is its YAML below ``servers``."""

    name: str
    lines: List[str]
    variables: int


class _Import:
    """Collects problems and warnings while it goes through the files in their order."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = os.path.dirname(os.path.abspath(path))
        self._problems: List[str] = []
        self._warnings: List[str] = []
        self._names: Set[str] = set()
        self._variables: Dict[str, str] = {}

    def result(self) -> Imported:
        model = _read_xml(self._path)
        if model.name != "OpcUaWebServerModel":
            raise ConfigError(
                [
                    "%s:%d: the root element is <%s>; expected <OpcUaWebServerModel>, so give "
                    "the path of OpcUaWebServerModel.xml" % (self._path, model.line, model.name)
                ]
            )
        listen = self._listen(model)
        servers = self._servers(model)
        if self._problems:
            raise ConfigError(self._problems)
        lines = [
            "# Imported from %s of an ASNeG OPC UA Web Server."
            % re.sub(r"[^ -~]", "?", os.path.basename(self._path)),
            "",
        ]
        lines += listen
        lines += ["", "servers:"]
        for server in servers:
            lines += server.lines
        text = "\n".join(lines) + "\n"
        # What slips through the checks above is better told here than at the first start.
        config.loads(text, name="imported configuration")
        count = sum(server.variables for server in servers)
        if count:
            self._warnings.insert(
                0,
                "%d variable%s 'access: readwrite', as everything could be written there; take "
                "it away from those that no client should write"
                % (count, " has" if count == 1 else "s have"),
            )
        return Imported(text, self._warnings)

    def _problem(self, path: str, line: int, text: str) -> None:
        self._problems.append("%s:%d: %s" % (path, line, text))

    def _warn(self, path: str, line: int, text: str) -> None:
        self._warnings.append("%s:%d: %s" % (path, line, text))

    def _resolved(self, name: str, line: int) -> str:
        """The absolute path that *name* means; ``""`` after a problem."""
        name = name.replace("@CONF_DIR@", self._directory).replace("\\", "/")
        unknown = re.search(r"@\w+@", name)
        if unknown is not None:
            self._problem(
                self._path,
                line,
                "the placeholder %s is not known here; write the directory instead, or "
                "@CONF_DIR@ for that of this file" % unknown.group(),
            )
            return ""
        return os.path.normpath(os.path.join(self._directory, name))

    # -- listen ----------------------------------------------------------------------------

    def _listen(self, model: _Element) -> List[str]:
        server = model.first("WebSocketServer")
        if server is None:
            self._warn(
                self._path,
                model.line,
                "there is no <WebSocketServer>, so nothing listened; the result listens on %s "
                "port %s" % (_ADDRESS, _PORT),
            )
            server = _Element("WebSocketServer", {}, model.line)
        elif "Disable" in server.attributes:
            self._warn(
                self._path,
                server.line,
                "<WebSocketServer> is disabled, so nothing listened; the result does listen",
            )
        host = server.get("Address") or _ADDRESS
        if not re.fullmatch("[A-Za-z0-9._:%-]+", host):
            self._problem(
                self._path,
                server.line,
                "Address %r is no address; expected one such as 0.0.0.0" % host,
            )
        port = self._number(server, "Port", 0, 65535)
        lines = [
            "listen:",
            "  host: %s" % _quoted(host),
            "  port: %d" % (int(_PORT) if port is None else port),
            "  # Every scalar is a JSON string, as ASNeG's clients expect.",
            "  scalars: string",
            "  # Its web pages come from another port; list their origins to keep others out.",
            '  origins: ["*"]',
        ]
        lines += self._tls(server)
        connections = self._number(server, "MaxConnections", 0, _UNLIMITED_CONNECTIONS)
        if connections is not None:
            lines += [
                "  limits:",
                "    max_connections: %d" % (connections or _UNLIMITED_CONNECTIONS),
            ]
        handshake = self._number(server, "RequestTimeout", 0, 0xFFFFFFFF)
        if handshake:
            lines.append("  handshake_timeout_s: %s" % _seconds(handshake))
        idle = self._number(server, "IdleTimeout", 0, 0xFFFFFFFF)
        if idle is not None:
            lines.append("  idle_timeout_s: %s" % _seconds(idle))
        self._warn(
            self._path,
            server.line,
            "any web page may connect (listen.origins is '*'), as it could there; list the "
            "origins of your own pages instead",
        )
        pages = model.first("HttpServer")
        if pages is not None and "Disable" not in pages.attributes:
            self._warn(
                self._path,
                pages.line,
                "<HttpServer> is not taken over; serve the pages in %s with a web server"
                % (pages.get("WebDirectory") or "its WebDirectory"),
            )
        gateway = model.first("WebGateway")
        if gateway is not None and "Disable" not in gateway.attributes:
            self._warn(
                self._path, gateway.line, "<WebGateway> is not taken over; opcws has no such part"
            )
        return lines

    def _number(self, server: _Element, name: str, low: int, high: int) -> Optional[int]:
        text = server.get(name)
        if not text:
            return None
        if re.fullmatch("[0-9]{1,10}", text) and low <= int(text) <= high:
            return int(text)
        child = server.first(name)
        self._problem(
            self._path,
            child.line if child is not None else server.line,
            "%s: expected a whole number from %d to %d, got %r" % (name, low, high, text[:40]),
        )
        return None

    def _tls(self, server: _Element) -> List[str]:
        if server.get("SSL").upper() != "ON":
            return []
        lines = ["  tls:"]
        for key, name in (("certificate", "CSRFile"), ("key", "KeyFile")):
            child = server.first(name)
            if child is None or not child.text.strip():
                self._problem(
                    self._path,
                    server.line,
                    "SSL is on without <%s>; add the PEM file's path" % name,
                )
                continue
            path = self._resolved(child.text.strip(), child.line)
            if path and not os.path.isfile(path):
                self._warn(
                    self._path, child.line, "%s: there is no file %s; put it there" % (name, path)
                )
            lines.append("    %s: %s" % (key, _quoted(path)))
        return lines

    # -- servers ---------------------------------------------------------------------------

    def _servers(self, model: _Element) -> List[_Server]:
        section = model.first("OpcUaClient")
        files = [] if section is None else section.all("ClientConfigFile")
        line = model.line if section is None else section.line
        if not files:
            self._problem(
                self._path,
                line,
                "no client files; expected <OpcUaClient> with at least one <ClientConfigFile>",
            )
        elif section is not None and "Disable" in section.attributes:
            self._warn(
                self._path,
                line,
                "<OpcUaClient> is disabled there; its files are taken all the same",
            )
        servers = []
        for each in files:
            path = self._resolved(each.text.strip(), each.line)
            if not path:
                continue
            try:
                client = _read_xml(path)
            except ConfigError as error:
                self._problems += [
                    "%s (named in %s:%d)" % (problem, self._path, each.line)
                    for problem in error.problems
                ]
                continue
            server = self._server(client, path)
            if server is not None:
                servers.append(server)
        return servers

    def _server(self, client: _Element, path: str) -> Optional[_Server]:
        if client.name != "OpcUaClient":
            self._problem(
                path,
                client.line,
                "the root element is <%s>; expected <OpcUaClient>" % client.name,
            )
            return None
        name = self._server_name(client, path)
        self._unknown(client, path, {"Endpoint", "NamespaceUri", "NodeList"})
        lines = ["", "  # %s" % _comment(os.path.basename(path)), "  %s:" % _key(name)]
        lines += self._endpoint(client, path)
        uris = [
            uri.text.strip() for group in client.all("NamespaceUri") for uri in group.all("Uri")
        ]
        nodes = [node for group in client.all("NodeList") for node in group.all("Node")]
        for group in client.all("NodeList"):
            self._unknown(group, path, {"Node"})
        count = 0
        variables: List[str] = []
        for node in nodes:
            variable = self._variable(node, path, uris)
            count += bool(variable)
            variables += variable
        if count:
            lines += ["    variables:"] + variables
        elif not nodes:
            self._warn(path, client.line, "there is no <Node>, so clients see nothing of it")
        return _Server(name, lines, count)

    def _server_name(self, client: _Element, path: str) -> str:
        wanted = client.attributes.get("Name", "").strip()
        if not wanted:
            wanted = os.path.splitext(os.path.basename(path))[0]
            self._warn(path, client.line, "<OpcUaClient> has no Name; it is called %r" % wanted)
        wanted = re.sub(r"[\x00-\x1f\x7f]", " ", wanted)[:200]
        name, number = wanted, 1
        while name in self._names:
            number += 1
            name = "%s_%d" % (wanted, number)
        if name != wanted:
            self._warn(
                path,
                client.line,
                "another file has the name %r, so ASNeG's server passed over one of them; this "
                "one is called %r" % (wanted, name),
            )
        self._names.add(name)
        return name

    def _unknown(self, element: _Element, path: str, known: Set[str]) -> None:
        for child in element.children:
            if child.name not in known:
                self._warn(path, child.line, "<%s> is not known and left out" % child.name)

    def _endpoint(self, client: _Element, path: str) -> List[str]:
        element = client.first("Endpoint")
        if element is None:
            self._problem(
                path, client.line, "there is no <Endpoint>; add one with an <EndpointUrl>"
            )
            return []
        self._unknown(
            element,
            path,
            {
                "EndpointUrl",
                "DiscoveryUrl",
                "ApplicationUri",
                "SecurityPolicyUri",
                "MessageSecurityMode",
                "Authentication",
            },
        )
        url = element.get("EndpointUrl") or element.get("DiscoveryUrl")
        if not url:
            self._problem(
                path, element.line, "there is no <EndpointUrl> and no <DiscoveryUrl>; add one"
            )
        elif config.endpoint_problem(url):
            self._problem(path, element.line, config.endpoint_problem(url))
        lines = ["    endpoint: %s" % _quoted(url)]
        uri = element.get("ApplicationUri")
        if uri:
            lines.append("    # The server's ApplicationUri is %s." % _comment(uri))
            self._warn(
                path,
                element.line,
                "ApplicationUri %s, the server's, is kept as a comment only; to be sure of the "
                "server set security.server_certificate" % uri,
            )
        policy = self._policy(element, path)
        mode = element.get("MessageSecurityMode") or "None"
        if mode not in ("None", "Sign", "SignAndEncrypt"):
            self._problem(
                path,
                element.line,
                "MessageSecurityMode: expected None, Sign or SignAndEncrypt, got %r" % mode,
            )
        elif (policy == "None") != (mode == "None"):
            self._problem(
                path,
                element.line,
                "SecurityPolicyUri %s does not go with MessageSecurityMode %s; expected both to "
                "be None or neither" % (policy, mode),
            )
        if policy != "None":
            lines += ["    security:", "      policy: %s" % policy, "      mode: %s" % mode]
            self._warn(
                path,
                element.line,
                "the certificate of ASNeG's server is not taken over; set security.certificate "
                "and security.key, and let the OPC UA server trust them",
            )
        authentication = element.first("Authentication")
        if authentication is not None:
            lines += self._user(authentication, path, mode)
        return lines

    def _policy(self, element: _Element, path: str) -> str:
        uri = element.get("SecurityPolicyUri")
        policy = uri[len(_POLICY) :] if uri.startswith(_POLICY) else uri
        if policy in _POLICIES:
            return policy or "None"
        self._problem(
            path,
            element.line,
            "SecurityPolicyUri: expected %s followed by one of %s, got %r"
            % (_POLICY, ", ".join(filter(None, _POLICIES)), uri),
        )
        return "None"

    def _user(self, element: _Element, path: str, mode: str) -> List[str]:
        self._unknown(
            element, path, {"TokenType", "PolicyId", "UserName", "Password", "SecurityPolicyUri"}
        )
        token = element.get("TokenType") or "Anonymous"
        if token == "Anonymous":
            return []
        if token != "UserName":
            self._problem(
                path,
                element.line,
                "TokenType: expected Anonymous or UserName, got %r; ASNeG's server sent no other "
                "either" % token,
            )
            return []
        name = element.get("UserName")
        if not name:
            self._problem(path, element.line, "there is no <UserName>; add it")
        password = element.first("Password")
        lines = [
            "    user:",
            "      name: %s" % _quoted(name),
            "      # Better kept out of this file: see password_env and password_file.",
            "      password: %s" % _quoted("" if password is None else password.text),
        ]
        self._warn(
            path,
            element.line,
            "the password of user %r now stands in the result too; use password_env or "
            "password_file instead" % name,
        )
        if self._policy(element, path) == "None" and mode != "SignAndEncrypt":
            lines.append("      allow_clear: true")
            self._warn(
                path,
                element.line,
                "the password of user %r goes over the network in clear, as it did there "
                "(allow_clear); set 'security' if the server offers any" % name,
            )
        return lines

    # -- variables -------------------------------------------------------------------------

    def _variable(self, node: _Element, path: str, uris: List[str]) -> List[str]:
        name = node.attributes.get("ValueName", "")
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,256}", name):
            self._problem(
                path,
                node.line,
                "<Node>: expected ValueName with 1 to 256 characters, got %r" % name[:40],
            )
            return []
        if name in self._variables:
            self._warn(
                path,
                node.line,
                "ValueName %r is left out, since %s already has it (ASNeG's server does not "
                "start with such a pair); rename one to have both" % (name, self._variables[name]),
            )
            return []
        self._variables[name] = "%s:%d" % (path, node.line)
        node_text = self._node_id(node, path, name, uris)
        type_name = node.attributes.get("NodeType", "").strip()
        if not 0 < TYPE_IDS.get(type_name, 0) < 25:
            self._problem(
                path,
                node.line,
                "ValueName %r: expected NodeType to be a built-in type such as Double, got %r"
                % (name, type_name),
            )
        fields = [
            "node: %s" % _quoted(node_text),
            "type: %s" % type_name,
            "array: %s" % ("true" if node.attributes.get("Array") == "1" else "false"),
            "access: readwrite",
        ]
        metadata = self._metadata(node, path, name)
        if not metadata:
            return ["      %s: {%s}" % (_key(name), ", ".join(fields))]
        lines = ["      %s:" % _key(name)]
        lines += ["        " + each for each in fields]
        lines.append("        metadata:")
        lines += _yaml(metadata, "          ")
        return lines

    def _node_id(self, node: _Element, path: str, name: str, uris: List[str]) -> str:
        text = node.attributes.get("NodeId", "").strip()
        trailing = re.fullmatch(r"(?!ns=)(.*);ns=([0-9]+);?", text, re.DOTALL)
        if trailing is not None:
            text = "ns=%s;%s" % (trailing.group(2), trailing.group(1))
        try:
            node_id = parse_node_id(text)
        except ValueError as error:
            self._problem(path, node.line, "ValueName %r: NodeId: %s" % (name, error))
            return ""
        if node_id == NodeId(0, 0) or node_id.server_index:
            self._problem(path, node.line, "ValueName %r: NodeId %r is no node" % (name, text))
        if node_id.namespace == 0:
            return format_node_id(node_id)
        if node_id.namespace > len(uris) or not uris[node_id.namespace - 1]:
            self._problem(
                path,
                node.line,
                "ValueName %r: ns=%d is number %d of the URIs in <NamespaceUri>, which has %d; "
                "add the namespace's <Uri> there"
                % (name, node_id.namespace, node_id.namespace, len(uris)),
            )
            return ""
        uri: Optional[str] = uris[node_id.namespace - 1]
        if uri == _STANDARD_URI:
            uri = None
        return format_node_id(NodeId(0, node_id.identifier, uri))

    def _metadata(self, node: _Element, path: str, name: str) -> Dict[str, Any]:
        element = node.first("MetaData")
        if element is None:
            return {}
        value = self._tree(element, path, name)
        if isinstance(value, dict):
            return value
        if value.strip():
            self._warn(
                path,
                element.line,
                "ValueName %r: the text of <MetaData> is left out, since MetaData is an object"
                % name,
            )
        return {}

    def _tree(self, element: _Element, path: str, name: str) -> Any:
        """An element as ASNeG's server sends it: text, or an object of its children.

        There a repeated element became an object with a repeated member, of which a JSON
        parser keeps one; here it becomes an array.
        """
        if not element.children and not element.attributes:
            return element.text
        if element.text.strip():
            self._warn(
                path,
                element.line,
                "ValueName %r: the text of <%s> is left out, as it was there, since the element "
                "has attributes or elements" % (name, element.name),
            )
        members: Dict[str, List[Any]] = {}
        if element.attributes and element.name != "MetaData":
            members["<xmlattr>"] = [dict(element.attributes)]
        for child in element.children:
            convert = self._array if child.attributes.get("type") == "array" else self._tree
            members.setdefault(child.name, []).append(convert(child, path, name))
        return {key: values[0] if len(values) == 1 else values for key, values in members.items()}

    def _array(self, element: _Element, path: str, name: str) -> List[Any]:
        """The items of an element with ``type="array"``: a ``value`` is its content, any other
        element an object with it as the one member."""
        items: List[Any] = []
        for child in element.children:
            plain = child.children and all(each.name == "value" for each in child.children)
            as_array = child.attributes.get("type") == "array" or plain
            value = (self._array if as_array else self._tree)(child, path, name)
            items.append(value if child.name == "value" else {child.name: value})
        return items


_POLICIES: Tuple[str, ...] = (
    "",
    "None",
    "Basic128Rsa15",
    "Basic256",
    "Basic256Sha256",
    "Aes128_Sha256_RsaOaep",
    "Aes256_Sha256_RsaPss",
)


# -- YAML -----------------------------------------------------------------------------------

# JSON's strings are YAML's, except for what YAML takes for a line end or does not take at all.
_ESCAPED = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_WORDS = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}


def _quoted(text: str) -> str:
    return _ESCAPED.sub(
        lambda match: "\\u%04x" % ord(match.group()), json.dumps(text, ensure_ascii=False)
    )


def _key(text: str) -> str:
    if _PLAIN_KEY.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return _quoted(text)


def _comment(text: str) -> str:
    return re.sub(r"[^ -~\xa0-\ud7ff]", "?", text).replace("\u2028", "?").replace("\u2029", "?")


def _seconds(milliseconds: int) -> str:
    return ("%.3f" % (milliseconds / 1000)).rstrip("0").rstrip(".")


def _yaml(value: Any, indent: str) -> List[str]:
    """The lines of a mapping or list in block style; text is quoted, since ASNeG's clients get
    ``"50"``, not a number."""
    lines: List[str] = []
    pairs = value.items() if isinstance(value, dict) else [(None, item) for item in value]
    for key, item in pairs:
        lead = indent + ("-" if key is None else _key(key) + ":")
        if isinstance(item, str):
            lines.append("%s %s" % (lead, _quoted(item)))
        elif not item:
            lines.append("%s %s" % (lead, "{}" if isinstance(item, dict) else "[]"))
        else:
            lines.append(lead)
            lines += _yaml(item, indent + "  ")
    return lines
