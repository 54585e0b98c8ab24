"""Makes a configuration file from an installation of the ASNeG OPC UA Web Server.

``OpcUaWebServerModel.xml`` names the client files; each client file is one OPC UA server with
its variables.  The rules of this module:

* Clients see the same as before: names, types, metadata, the string dialect, the same access.  A
  warning names everything that is open or in clear because of that.
* A node's ``ns=1`` is the first URI that its own file lists, so the result names namespaces by URI.
* One run finds every problem of every file, with file, line and remedy.

:mod:`opcws.commissioning.asneg_xml` reads the files.  Pure, except that it reads the given files
and those that they name.
"""

import os
import re
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Union

from ..config import loads
from ..config.check import endpoint_problem
from ..model.data_types import TYPE_IDS, NodeId, format_node_id, parse_node_id
from ..model.errors import ConfigError
from .asneg_xml import Element, read_xml
from .security import DEPRECATED_POLICIES, MODES, POLICIES
from .yaml_text import block_lines, comment_text, key_text, quoted

_STANDARD_URI = "http://opcfoundation.org/UA/"
_POLICY = "http://opcfoundation.org/UA/SecurityPolicy#"

# Defaults of ASNeG's server.
_ADDRESS = "0.0.0.0"
_PORT = 8081

# "No limit" there; the largest value of the setting here.
_UNLIMITED_CONNECTIONS = 1000000


class Imported(NamedTuple):
    """The YAML text, and warnings about it, a sentence each."""

    text: str
    warnings: List[str]


def import_model(path: Union[str, "os.PathLike[str]"]) -> Imported:
    """The configuration equivalent to the installation of the model file *path*.

    Raises :exc:`ConfigError` with every problem, each with file, line and remedy.
    """
    return _Import(os.fspath(path)).result()


class _Import:
    """Collects problems and warnings while it goes through the files in their order."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._directory = os.path.dirname(os.path.abspath(path))
        self._problems: List[str] = []
        self._warnings: List[str] = []
        self._server_names: Set[str] = set()
        # Where each name of a variable is, as "file:line".
        self._variables: Dict[str, str] = {}

    def result(self) -> Imported:
        model = read_xml(self._path)
        if model.name != "OpcUaWebServerModel":
            raise ConfigError(
                "%s: the root element is <%s>; expected <OpcUaWebServerModel>, so give "
                "the path of OpcUaWebServerModel.xml" % (model.where, model.name)
            )
        lines = [
            "# Imported from %s of an ASNeG OPC UA Web Server."
            % re.sub(r"[^ -~]", "?", os.path.basename(self._path)),
            "",
            *self._listen(model),
            "",
            "servers:",
            *self._servers(model),
        ]
        if self._problems:
            raise ConfigError(self._problems)
        text = "\n".join(lines) + "\n"
        # Report what the checks above have missed now, and not at the first start.
        count = len(loads(text, name="imported configuration").variables)
        if count:
            self._warnings.insert(
                0,
                "%d variable%s 'access: readwrite', because ASNeG's server lets clients write "
                "everything; remove it from those that no client should write"
                % (count, " has" if count == 1 else "s have"),
            )
        return Imported(text, self._warnings)

    def _problem(self, at: Element, text: str) -> None:
        self._problems.append("%s: %s" % (at.where, text))

    def _warn(self, at: Element, text: str) -> None:
        self._warnings.append("%s: %s" % (at.where, text))

    def _warn_of_unknown(self, element: Element, known: Sequence[str]) -> None:
        for child in element.children:
            if child.name not in known:
                self._warn(child, "<%s> is not known and left out" % child.name)

    def _path_in(self, element: Element) -> str:
        """The text of *element* as an absolute path; ``""`` after a problem."""
        name = element.text.strip().replace("@CONF_DIR@", self._directory).replace("\\", "/")
        unknown = re.search(r"@\w+@", name)
        if unknown is not None:
            self._problem(
                element,
                "the placeholder %s is not known here; write the directory instead, or "
                "@CONF_DIR@ for that of this file" % unknown.group(),
            )
            return ""
        return os.path.normpath(os.path.join(self._directory, name))

    # -- listen ----------------------------------------------------------------------------

    def _listen(self, model: Element) -> List[str]:
        server = model.first("WebSocketServer")
        if server is None:
            self._warn(
                model,
                "there is no <WebSocketServer>, so nothing listened; the result listens on %s "
                "port %d" % (_ADDRESS, _PORT),
            )
            server = Element("WebSocketServer", {}, model.where)
        elif "Disable" in server.attributes:
            self._warn(
                server, "<WebSocketServer> is disabled, so nothing listened; the result does listen"
            )
        host = server.get("Address") or _ADDRESS
        if not re.fullmatch("[A-Za-z0-9._:%-]+", host):
            self._problem(server, "Address %r is no address; expected one such as 0.0.0.0" % host)
        port = self._number(server, "Port", 65535)
        lines = [
            "listen:",
            "  host: %s" % quoted(host),
            "  port: %d" % (_PORT if port is None else port),
            "  # Every scalar is a JSON string, as ASNeG's clients expect.",
            "  scalars: string",
            "  # Its web pages come from another port; list their origins to keep others out.",
            '  origins: ["*"]',
            *self._tls(server),
        ]
        connections = self._number(server, "MaxConnections", _UNLIMITED_CONNECTIONS)
        if connections is not None:
            most = connections or _UNLIMITED_CONNECTIONS
            lines += ["  limits:", "    max_connections: %d" % most]
        handshake = self._number(server, "RequestTimeout", 0xFFFFFFFF)
        if handshake:
            lines.append("  handshake_timeout_s: %s" % _seconds(handshake))
        idle = self._number(server, "IdleTimeout", 0xFFFFFFFF)
        if idle is not None:
            lines.append("  idle_timeout_s: %s" % _seconds(idle))
        self._warn(
            server,
            "any web page may connect (listen.origins is '*'), as it could there; list the "
            "origins of your own pages instead",
        )
        pages = model.first("HttpServer")
        if pages is not None and "Disable" not in pages.attributes:
            self._warn(
                pages,
                "<HttpServer> is not imported; serve the pages in %s with a web server"
                % (pages.get("WebDirectory") or "its WebDirectory"),
            )
        gateway = model.first("WebGateway")
        if gateway is not None and "Disable" not in gateway.attributes:
            self._warn(gateway, "<WebGateway> is not imported; opcws has no such part")
        return lines

    def _number(self, server: Element, name: str, most: int) -> Optional[int]:
        child = server.first(name)
        text = server.get(name)
        if child is None or not text:
            return None
        if re.fullmatch("[0-9]{1,10}", text) and int(text) <= most:
            return int(text)
        self._problem(
            child, "%s: expected a whole number from 0 to %d, got %r" % (name, most, text[:40])
        )
        return None

    def _tls(self, server: Element) -> List[str]:
        if server.get("SSL").upper() != "ON":
            return []
        lines = ["  tls:"]
        for key, name in (("certificate", "CSRFile"), ("key", "KeyFile")):
            child = server.first(name)
            if child is None or not child.text.strip():
                self._problem(server, "SSL is on without <%s>; add the PEM file's path" % name)
                continue
            path = self._path_in(child)
            if path and not os.path.isfile(path):
                self._warn(child, "%s: there is no file %s; put it there" % (name, path))
            lines.append("    %s: %s" % (key, quoted(path)))
        return lines

    # -- servers ---------------------------------------------------------------------------

    def _servers(self, model: Element) -> List[str]:
        section = model.first("OpcUaClient")
        files = [] if section is None else section.all("ClientConfigFile")
        if not files:
            self._problem(
                section or model,
                "no client files; expected <OpcUaClient> with at least one <ClientConfigFile>",
            )
        elif section is not None and "Disable" in section.attributes:
            self._warn(section, "<OpcUaClient> is disabled there; its files are taken all the same")
        lines: List[str] = []
        for file in files:
            path = self._path_in(file)
            if not path:
                continue
            try:
                client = read_xml(path)
            except ConfigError as error:
                self._problems += [
                    "%s (named in %s)" % (problem, file.where) for problem in error.problems
                ]
                continue
            if client.name == "OpcUaClient":
                lines += self._server(client, path)
            else:
                self._problem(
                    client, "the root element is <%s>; expected <OpcUaClient>" % client.name
                )
        return lines

    def _server(self, client: Element, path: str) -> List[str]:
        name = self._server_name(client, path)
        self._warn_of_unknown(client, ("Endpoint", "NamespaceUri", "NodeList"))
        lines = ["", "  # %s" % comment_text(os.path.basename(path)), "  %s:" % key_text(name)]
        lines += self._endpoint(client)
        uris = [
            uri.text.strip() for group in client.all("NamespaceUri") for uri in group.all("Uri")
        ]
        nodes = [node for group in client.all("NodeList") for node in group.all("Node")]
        for group in client.all("NodeList"):
            self._warn_of_unknown(group, ("Node",))
        variables = [line for node in nodes for line in self._variable(node, uris)]
        if variables:
            lines += ["    variables:", *variables]
        elif not nodes:
            self._warn(client, "there is no <Node>, so clients see no variable of this server")
        return lines

    def _server_name(self, client: Element, path: str) -> str:
        wanted = client.attributes.get("Name", "").strip()
        if not wanted:
            wanted = os.path.splitext(os.path.basename(path))[0]
            self._warn(client, "<OpcUaClient> has no Name; it is called %r" % wanted)
        wanted = re.sub(r"[\x00-\x1f\x7f]", " ", wanted)[:200]
        name, number = wanted, 1
        while name in self._server_names:
            number += 1
            name = "%s_%d" % (wanted, number)
        if name != wanted:
            self._warn(
                client,
                "another file has the name %r, so ASNeG's server ignored one of them; this one "
                "is now called %r" % (wanted, name),
            )
        self._server_names.add(name)
        return name

    def _endpoint(self, client: Element) -> List[str]:
        element = client.first("Endpoint")
        if element is None:
            self._problem(client, "there is no <Endpoint>; add one with an <EndpointUrl>")
            return []
        self._warn_of_unknown(
            element,
            (
                *("EndpointUrl", "DiscoveryUrl", "ApplicationUri"),
                *("SecurityPolicyUri", "MessageSecurityMode", "Authentication"),
            ),
        )
        url = element.get("EndpointUrl") or element.get("DiscoveryUrl")
        if not url:
            self._problem(element, "there is no <EndpointUrl> and no <DiscoveryUrl>; add one")
        elif endpoint_problem(url):
            self._problem(element, endpoint_problem(url))
        lines = ["    endpoint: %s" % quoted(url)]
        uri = element.get("ApplicationUri")
        if uri:
            lines.append("    # The server's ApplicationUri is %s." % comment_text(uri))
            self._warn(
                element,
                "ApplicationUri %s, the server's, is kept as a comment only; to be sure of the "
                "server set 'security', and opcws checks the server's certificate" % uri,
            )
        policy = self._policy(element)
        mode = element.get("MessageSecurityMode") or "None"
        if mode not in MODES:
            self._problem(
                element, "MessageSecurityMode: expected None, Sign or SignAndEncrypt, got %r" % mode
            )
        elif (policy == "None") != (mode == "None"):
            self._problem(
                element,
                "SecurityPolicyUri %s does not go with MessageSecurityMode %s; expected both to "
                "be None or neither" % (policy, mode),
            )
        if policy != "None":
            lines += ["    security:", "      policy: %s" % policy, "      mode: %s" % mode]
            if policy in DEPRECATED_POLICIES:
                lines.append("      allow_deprecated: true")
            self._warn(
                element,
                "the certificate of ASNeG's server is not imported; set security.certificate and "
                "security.key, or let 'opcws cert create' make new ones, and let the OPC UA "
                "server trust the certificate",
            )
        authentication = element.first("Authentication")
        if authentication is not None:
            lines += self._user(authentication, mode)
        return lines

    def _policy(self, element: Element) -> str:
        uri = element.get("SecurityPolicyUri")
        policy = uri[len(_POLICY) :] if uri.startswith(_POLICY) else uri
        if policy in ("", *POLICIES):
            return policy or "None"
        self._problem(
            element,
            "SecurityPolicyUri: expected %s followed by one of %s, got %r"
            % (_POLICY, ", ".join(POLICIES), uri),
        )
        return "None"

    def _user(self, element: Element, mode: str) -> List[str]:
        self._warn_of_unknown(
            element, ("TokenType", "PolicyId", "UserName", "Password", "SecurityPolicyUri")
        )
        token = element.get("TokenType") or "Anonymous"
        if token == "Anonymous":
            return []
        if token != "UserName":
            self._problem(
                element,
                "TokenType: expected Anonymous or UserName, got %r; ASNeG's server supports no "
                "other either" % token,
            )
            return []
        name = element.get("UserName")
        if not name:
            self._problem(element, "there is no <UserName>; add it")
        password = element.first("Password")
        lines = [
            "    user:",
            "      name: %s" % quoted(name),
            "      # Better kept out of this file: see password_env and password_file.",
            "      password: %s" % quoted("" if password is None else password.text),
        ]
        self._warn(
            element,
            "the password of user %r is now in the result too; use password_env or password_file "
            "instead" % name,
        )
        if self._policy(element) == "None" and mode != "SignAndEncrypt":
            lines.append("      allow_clear: true")
            self._warn(
                element,
                "the password of user %r goes over the network in clear, as it did there "
                "(allow_clear); set 'security' if the server offers any" % name,
            )
        return lines

    # -- variables -------------------------------------------------------------------------

    def _variable(self, node: Element, uris: List[str]) -> List[str]:
        """The YAML of *node*; nothing if it is left out.  *uris* are the namespaces of its file,
        from ``ns=1`` on."""
        name = node.attributes.get("ValueName", "")
        if not re.fullmatch(r"[^\x00-\x1f\x7f]{1,256}", name):
            self._problem(
                node, "<Node>: expected ValueName with 1 to 256 characters, got %r" % name[:40]
            )
            return []
        if name in self._variables:
            self._warn(
                node,
                "ValueName %r is left out, since %s already has it (ASNeG's server does not "
                "start with such a pair); rename one to have both" % (name, self._variables[name]),
            )
            return []
        self._variables[name] = node.where
        node_text = self._node_id(node, name, uris)
        type_name = node.attributes.get("NodeType", "").strip()
        if not 0 < TYPE_IDS.get(type_name, 0) < 25:
            self._problem(
                node,
                "ValueName %r: expected NodeType to be a built-in type such as Double, got %r"
                % (name, type_name),
            )
        fields = [
            "node: %s" % quoted(node_text),
            "type: %s" % type_name,
            "array: %s" % ("true" if node.attributes.get("Array") == "1" else "false"),
            "access: readwrite",
        ]
        metadata = self._metadata(node, name)
        if not metadata:
            return ["      %s: {%s}" % (key_text(name), ", ".join(fields))]
        return [
            "      %s:" % key_text(name),
            *("        " + field for field in fields),
            "        metadata:",
            *block_lines(metadata, "          "),
        ]

    def _node_id(self, node: Element, name: str, uris: List[str]) -> str:
        text = node.attributes.get("NodeId", "").strip()
        trailing = re.fullmatch(r"(?!ns=)(.*);ns=([0-9]+);?", text, re.DOTALL)
        if trailing is not None:
            text = "ns=%s;%s" % (trailing.group(2), trailing.group(1))
        try:
            node_id = parse_node_id(text)
        except ValueError as error:
            self._problem(node, "ValueName %r: NodeId: %s" % (name, error))
            return ""
        if node_id == NodeId(0, 0) or node_id.server_index:
            self._problem(node, "ValueName %r: NodeId %r is no node" % (name, text))
        if node_id.namespace == 0:
            return format_node_id(node_id)
        uri = uris[node_id.namespace - 1] if node_id.namespace <= len(uris) else ""
        if not uri:
            self._problem(
                node,
                "ValueName %r: ns=%d is number %d of the URIs in <NamespaceUri>, which has %d; "
                "add the namespace's <Uri> there"
                % (name, node_id.namespace, node_id.namespace, len(uris)),
            )
            return ""
        return format_node_id(NodeId(0, node_id.identifier, None if uri == _STANDARD_URI else uri))

    def _metadata(self, node: Element, name: str) -> Dict[str, Any]:
        element = node.first("MetaData")
        value = "" if element is None else self._tree(element, name)
        if isinstance(value, dict):
            return value
        if element is not None and value.strip():
            self._warn(
                element,
                "ValueName %r: the text of <MetaData> is left out, since MetaData is an object"
                % name,
            )
        return {}

    def _tree(self, element: Element, name: str) -> Any:
        """An element as ASNeG's server sends it: text, or an object of its children.

        ASNeG's server sends a repeated element as a repeated member, of which a JSON parser keeps
        one; here it becomes an array.
        """
        if not element.children and not element.attributes:
            return element.text
        if element.text.strip():
            self._warn(
                element,
                "ValueName %r: the text of <%s> is left out, as it was there, since the element "
                "has attributes or elements" % (name, element.name),
            )
        members: Dict[str, List[Any]] = {}
        if element.attributes and element.name != "MetaData":
            members["<xmlattr>"] = [dict(element.attributes)]
        for child in element.children:
            convert = self._array if child.attributes.get("type") == "array" else self._tree
            members.setdefault(child.name, []).append(convert(child, name))
        return {key: values[0] if len(values) == 1 else values for key, values in members.items()}

    def _array(self, element: Element, name: str) -> List[Any]:
        """The items of an element with ``type="array"``: a ``value`` is its content, any other
        element an object with it as the one member."""
        items: List[Any] = []
        for child in element.children:
            plain = child.children and all(each.name == "value" for each in child.children)
            as_array = child.attributes.get("type") == "array" or plain
            value = (self._array if as_array else self._tree)(child, name)
            items.append(value if child.name == "value" else {child.name: value})
        return items


def _seconds(milliseconds: int) -> str:
    return ("%.3f" % (milliseconds / 1000)).rstrip("0").rstrip(".")
