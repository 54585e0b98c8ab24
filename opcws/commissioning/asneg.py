"""An installation of the ASNeG OPC UA Web Server in, the text of a configuration file out.

``OpcUaWebServerModel.xml`` names the client files; each client file is one OPC UA server with
its variables.  The rules of this module:

* What its clients see stays: names, types, metadata, the string dialect, who may connect.
  Whatever is open or in clear because of that is said in a warning.
* Every problem of every file is found in one go, each with file, line and remedy.

:mod:`opcws.commissioning.asneg_xml` reads the files, :mod:`opcws.commissioning.asnegnodes` makes
variables of their nodes. Pure: reads the files that it is given and those that they name.
"""

import os
import re
from typing import List, NamedTuple, Optional, Set, Tuple, Union

from ..config import load
from ..config.yamlfile import comment_text, key_text, quoted
from ..model.errors import ConfigError
from .asneg_xml import Element, read_xml
from .asnegnodes import Variables

_POLICY = "http://opcfoundation.org/UA/SecurityPolicy#"
_POLICIES: Tuple[str, ...] = (
    "",
    "None",
    "Basic128Rsa15",
    "Basic256",
    "Basic256Sha256",
    "Aes128_Sha256_RsaOaep",
    "Aes256_Sha256_RsaPss",
)

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
        self._variables = Variables(self._problem, self._warn)

    def result(self) -> Imported:
        model = read_xml(self._path)
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
        load.loads(text, name="imported configuration")
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

    def _listen(self, model: Element) -> List[str]:
        server = model.first("WebSocketServer")
        if server is None:
            self._warn(
                self._path,
                model.line,
                "there is no <WebSocketServer>, so nothing listened; the result listens on %s "
                "port %s" % (_ADDRESS, _PORT),
            )
            server = Element("WebSocketServer", {}, model.line)
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
            "  host: %s" % quoted(host),
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

    def _number(self, server: Element, name: str, low: int, high: int) -> Optional[int]:
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

    def _tls(self, server: Element) -> List[str]:
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
            lines.append("    %s: %s" % (key, quoted(path)))
        return lines

    # -- servers ---------------------------------------------------------------------------

    def _servers(self, model: Element) -> List[_Server]:
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
                client = read_xml(path)
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

    def _server(self, client: Element, path: str) -> Optional[_Server]:
        if client.name != "OpcUaClient":
            self._problem(
                path,
                client.line,
                "the root element is <%s>; expected <OpcUaClient>" % client.name,
            )
            return None
        name = self._server_name(client, path)
        self._unknown(client, path, {"Endpoint", "NamespaceUri", "NodeList"})
        lines = ["", "  # %s" % comment_text(os.path.basename(path)), "  %s:" % key_text(name)]
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
            variable = self._variables.lines(node, path, uris)
            count += bool(variable)
            variables += variable
        if count:
            lines += ["    variables:"] + variables
        elif not nodes:
            self._warn(path, client.line, "there is no <Node>, so clients see nothing of it")
        return _Server(name, lines, count)

    def _server_name(self, client: Element, path: str) -> str:
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

    def _unknown(self, element: Element, path: str, known: Set[str]) -> None:
        for child in element.children:
            if child.name not in known:
                self._warn(path, child.line, "<%s> is not known and left out" % child.name)

    def _endpoint(self, client: Element, path: str) -> List[str]:
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
        elif load.endpoint_problem(url):
            self._problem(path, element.line, load.endpoint_problem(url))
        lines = ["    endpoint: %s" % quoted(url)]
        uri = element.get("ApplicationUri")
        if uri:
            lines.append("    # The server's ApplicationUri is %s." % comment_text(uri))
            self._warn(
                path,
                element.line,
                "ApplicationUri %s, the server's, is kept as a comment only; to be sure of the "
                "server set 'security', and opcws checks the server's certificate" % uri,
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
            if policy in ("Basic128Rsa15", "Basic256"):
                lines.append("      allow_deprecated: true")
            self._warn(
                path,
                element.line,
                "the certificate of ASNeG's server is not taken over; set security.certificate "
                "and security.key, or let 'opcws cert create' make new ones, and let the OPC UA "
                "server trust the certificate",
            )
        authentication = element.first("Authentication")
        if authentication is not None:
            lines += self._user(authentication, path, mode)
        return lines

    def _policy(self, element: Element, path: str) -> str:
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

    def _user(self, element: Element, path: str, mode: str) -> List[str]:
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
            "      name: %s" % quoted(name),
            "      # Better kept out of this file: see password_env and password_file.",
            "      password: %s" % quoted("" if password is None else password.text),
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


def _seconds(milliseconds: int) -> str:
    return ("%.3f" % (milliseconds / 1000)).rstrip("0").rstrip(".")
