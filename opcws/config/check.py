"""Finds what is wrong with the data of a configuration file, and says what to write instead.

Two parts: what ``schemas/config.schema.json`` says, and what no schema can say.  fastjsonschema
decides, because 10,000 variables need its speed; jsonschema only explains what is wrong.

Pure, except that it checks whether the named files exist.
"""

import dataclasses
import difflib
import functools
import itertools
import math
import os
import re
from typing import Any, Callable, Dict, Iterator, List, Optional, Sequence, Set, Tuple
from urllib.parse import urlsplit

import fastjsonschema

from ..model.addresses import is_loopback, parse_network
from ..model.data_types import NULL_NODE_ID, parse_node_id
from ..model.text import has_blank_end, is_blank, size
from ..wire import contract
from ..wire.index_range import parse_range
from .publishing import broker
from .roles import certificate_key, matcher
from .settings import (
    ANONYMOUS,
    TLS,
    AlarmLimits,
    Browse,
    Limits,
    Listen,
    MqttTLS,
    Security,
    Server,
    User,
    Variable,
    at_broker,
)
from .yaml_document import Document, Path, Step, path_text, shown

_SCHEMA_FILE = "config.schema.json"


def check(document: Document, directory: Optional[str]) -> None:
    """Add every problem and warning about *document* to it, and convert the sizes in it to
    numbers.  Files are checked relative to *directory*; without one they are not."""
    data = document.data
    _sizes_in_bytes(data)
    decide, explain = _validators()
    refused = ""
    if not document.empty:
        try:
            decide(data)
        except fastjsonschema.JsonSchemaException as error:
            refused = str(error)
    semantics = _Semantics(document, directory)
    if isinstance(data, dict):
        semantics.check(data)
    if refused:
        for each in explain.iter_errors(data):
            _explain(each, document)
        if not document.problems:  # never seen; but a refused file needs a reason
            document.problem((), refused)
    if isinstance(data, dict):
        semantics.blanks(data)


@functools.lru_cache(maxsize=1)
def _validators() -> Tuple[Callable[[Any], Any], Any]:
    schema = contract.document(_SCHEMA_FILE)
    return fastjsonschema.compile(schema, use_default=False), contract.Judge(schema)


# -- what the schema finds ------------------------------------------------------------------

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}

#: The alternatives of an object that must have exactly one of some members, by its title.
_CHOICES = {
    "User": "password, password_env and password_file beside name, or certificate and key alone",
    "MqttUser": "password, password_env and password_file beside name",
    "Deadband": "absolute and percent",
    "Server": "endpoint and endpoints",
}


def _explain(error: Any, document: Document) -> None:
    path: List[Step] = list(error.absolute_path)
    rule, limit, value = error.validator, error.validator_value, error.instance
    if _is_told(error, document):
        return
    unit = re.search(r"Unit: ([^.]+)\.", error.schema.get("description", ""))
    suffix = " " + unit.group(1) if unit else ""
    if path and str(path[-1]).endswith("_bytes"):
        suffix = " bytes"
    if "propertyNames" in error.absolute_schema_path:
        document.problem(
            path + [value],
            "the name %s cannot be used; expected 1 to 256 characters, none of them a control "
            "character" % shown(value),
        )
    elif rule == "additionalProperties":
        known = list(error.schema.get("properties", ()))
        for key in value:
            if key not in known:
                document.problem(path + [key], "unknown setting; " + _near(key, known))
    elif rule == "required":
        for key in limit:
            if key not in value:
                doc = error.schema["properties"][key].get("description", "")
                document.problem(path, "%r is missing; add it: %s" % (key, doc.split(". ")[0]))
    elif rule == "type" and isinstance(limit, str):
        expected = _TYPES[limit]
        hint = ""
        if isinstance(value, str):
            if limit == "boolean" and value.lower() in ("yes", "no", "on", "off", "y", "n"):
                hint = " (write true or false)"
            elif limit in ("integer", "number") and _is_number(value):
                hint = " (write it without quotes)"
        elif limit == "string" and isinstance(value, (bool, int, float)):
            hint = " (put it in quotes)"
        if limit in ("integer", "number"):
            expected += suffix and " (in%s)" % suffix
        # The message goes to the log.
        got = "something else" if path and path[-1] == "password" else shown(value)
        document.problem(path, "expected %s, got %s%s" % (expected, got, hint))
    elif rule == "enum" and isinstance(value, str):
        choices = ", ".join(map(str, limit))
        near = difflib.get_close_matches(str(value), limit, 1)
        if not near:
            near = [each for each in limit if str(value).lower() == each.lower()]
        hint = "; did you mean %s?" % near[0] if near else ""
        document.problem(path, "expected one of %s, got %s%s" % (choices, shown(value), hint))
    elif rule in ("minimum", "exclusiveMinimum", "maximum"):
        words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
        document.problem(
            path, "expected %s %s%s, got %s" % (words[rule], limit, suffix, shown(value))
        )
    elif rule in ("minProperties", "minItems", "minLength"):
        document.problem(
            path,
            "is empty; expected at least one %s"
            % {"minProperties": "entry", "minItems": "item", "minLength": "character"}[rule],
        )
    elif rule in ("maxItems", "maxLength"):
        what = {"maxItems": "items", "maxLength": "characters"}[rule]
        document.problem(path, "is too long; expected at most %d %s" % (limit, what))
    elif rule in ("pattern", "type"):
        such = " or ".join(
            "'*'" if each == "*" else each for each in error.schema.get("examples", ())
        )
        document.problem(
            path,
            "expected %s, such as %s, got %s"
            % (error.schema.get("title", "text"), such, shown(value)),
        )
    elif rule == "anyOf":  # of other types, or other words
        for _, group in itertools.groupby(error.context, lambda inner: inner.schema_path[0]):
            branch = list(group)
            if not any(inner.validator in ("type", "enum") and not inner.path for inner in branch):
                for inner in branch:
                    _explain(inner, document)
                return
        names = [
            name
            for each in limit
            for name in each.get("enum", [each.get("title", _TYPES[each.get("type", "object")])])
        ]
        close = difflib.get_close_matches(value, names, 1) if isinstance(value, str) else []
        hint = "; did you mean %s?" % close[0] if close else ""
        choices = "%s or %s" % (", ".join(names[:-1]), names[-1])
        document.problem(path, "expected %s, got %s%s" % (choices, shown(value), hint))
    elif rule == "oneOf":
        title = error.schema["title"]
        given = value if isinstance(value, dict) else ()
        chosen = [each for each in limit if set(each["required"]) <= set(given)]
        if len(chosen) == 1:
            return  # a value in it is wrong, and its own rule reports that
        if title == "Server" and "endpoint" not in given and "endpoints" not in given:
            doc = error.schema["properties"]["endpoint"]["description"].split(". ")[0]
            document.problem(path, "'endpoint' is missing; add it: %s." % doc)
        else:
            document.problem(path, "expected exactly one of " + _CHOICES[title])
    elif rule != "enum":  # not a text: the rule for the type reports it
        document.problem(path, error.message)


def _is_told(error: Any, document: Document) -> bool:
    """Whether the checks in code have reported the same in better words: the schema has these rules
    for editors."""
    path = tuple(error.absolute_path)
    if error.validator == "uniqueItems":
        return any(each[: len(path)] == path for each in document.wrong)
    if error.validator in ("pattern", "not", "minItems", "maxItems"):
        return path in document.wrong
    # One setting that needs another: a condition in a list of conditions.
    steps = list(error.absolute_schema_path)
    return error.validator == "dependencies" or any(
        isinstance(before, int) and step in ("then", "else")
        for before, step in zip(steps, steps[1:])
    )


def _is_number(text: str) -> bool:
    try:
        return math.isfinite(float(text))
    except ValueError:
        return False


def _near(key: str, known: Sequence[str]) -> str:
    folded = key.lower().replace("-", "_")
    close = difflib.get_close_matches(folded, known, 1) or [
        each for each in known if each.startswith(folded) or folded.startswith(each)
    ]
    if close:
        return "did you mean %r?" % close[0]
    return "expected one of %s" % ", ".join(known)


# -- what no schema can say -----------------------------------------------------------------


#: The risk of setting one of these to false.
_RELAXED = {
    "check_host_name": "opcws accepts the certificate of any trusted server; correct the "
    "endpoint or the server's certificate instead",
    "check_validity": "opcws accepts an expired certificate; give the server a new one instead",
    "require_revocation_list": "a certificate that was revoked may not be noticed; put the "
    "issuer's revocation list into trusted/crl instead",
}


#: Settings of a server that have an effect for a publisher at a broker, and those that have an
#: effect only there.
_OF_A_PUBLISHER = frozenset(
    (
        *("endpoint", "publisher", "prefix", "edge", "tls", "user", "required", "variables"),
        *("retry_interval_ms", "reconnect_min_ms", "reconnect_max_ms", "history_max_values"),
        *("request_timeout_ms", "history_timeout_ms", "message_receive_timeout_ms"),
    )
)
#: Settings that identify a publisher, by their names under ``servers`` and under ``publish.mqtt``,
#: and their defaults.
_OWN = {"endpoint": "broker", "publisher": "publisher", "prefix": "prefix"}
_OURS = {"publisher": Server.publisher, "prefix": Server.prefix}
_FOR_A_PUBLISHER_ONLY = ("publisher", "prefix", "edge", "message_receive_timeout_ms", "tls")
#: Settings of a variable that have an effect for a publisher.
OF_A_FIELD = frozenset(
    ("field", "type", "array", "metadata", "description", "limits", "record", "history")
)
_NODE = contract.document(_SCHEMA_FILE)["definitions"]["variable"]["properties"]["node"]


class _Semantics:
    """Checks in code.  They run before the data is known to match the schema, so that all problems
    come at once, and ignore data that the schema refuses."""

    def __init__(self, document: Document, directory: Optional[str]) -> None:
        self._document = document
        self._problem = document.problem
        self._warn = document.warn
        self._directory = directory
        self._owners: Dict[str, Path] = {}
        self._with_roles = False

    def check(self, data: Dict[str, Any]) -> None:
        self._with_roles = isinstance(data.get("roles"), dict)
        listen = data.get("listen")
        addresses: Dict[Tuple[str, int], Path] = {}
        for where, each in _each(listen, ("listen",)):
            self._listen(each, where, addresses)
        self._audit(_mapping(data.get("audit")))
        servers = _mapping(data.get("servers"))
        for name, server in servers.items():
            if isinstance(server, dict):
                self._server(server, ("servers", name))
        access = {
            name: str(_mapping(variable).get("access", Variable.access))
            for server in servers.values()
            for name, variable in _mapping(_mapping(server).get("variables")).items()
        }
        # Browsing may find further variables, so any pattern may match one.
        browsed = any(map(_looks, map(_mapping, servers.values())))
        known = None if browsed else access
        self._roles(_mapping(data.get("roles")), access, known)
        self._record(data.get("record"), servers, access, known)
        mqtt = _mapping(_mapping(data.get("publish")).get("mqtt"))
        self._mqtt(mqtt, servers, access, known)
        self._edges(_mapping(mqtt.get("requests")), _mapping(data.get("roles")))

    def blanks(self, data: Dict[str, Any]) -> None:
        """Report each name and text with a space at an end, which is hard to see: as a problem, or
        as a warning if it belongs to the text.  The first variable of a server stands for all."""
        counts: Dict[Path, int] = {}
        first: Dict[Path, Path] = {}
        for path, text in _all_texts(data, ()):
            if not has_blank_end(text):
                continue
            if path in self._document.wrong:
                self._problem(path, "begins or ends with a space; remove it")
            else:
                group = path[:3] if path[2:3] == ("variables",) else path
                first.setdefault(group, path)
                counts[group] = counts.get(group, 0) + 1
        for group, path in first.items():
            more = counts[group] - 1
            self._warn(
                path,
                "%sbegins or ends with a space, which belongs to the name; remove it if that is "
                "a mistake"
                % ("as %d more of the server's variables do, this " % more if more else ""),
            )

    def _listen(
        self, listen: Dict[str, Any], path: Path, addresses: Dict[Tuple[str, int], Path]
    ) -> None:
        host, port = listen.get("host", Listen.host), listen.get("port", Listen.port)
        if isinstance(host, str) and isinstance(port, int) and not isinstance(port, bool):
            if port and (host, port) in addresses:
                self._problem(
                    path,
                    "%s already listens on %s port %d; give this one another "
                    "port" % (path_text(addresses[host, port]), host, port),
                )
            addresses.setdefault((host, port), path)
            if not is_loopback(host) and not listen.get("tls"):
                self._warn(
                    path,
                    (
                        "anybody on the network can read the tokens and passwords that clients "
                        "send to %s port %d; set 'tls', or 'host: 127.0.0.1'"
                        if self._with_roles
                        else "everyone who can reach %s port %d may connect, and nothing is "
                        "encrypted; set 'tls', or 'host: 127.0.0.1'"
                    )
                    % (host, port),
                )
        origins = listen.get("origins")
        if isinstance(origins, list) and "*" in origins:
            self._warn(
                path + ("origins",),
                "'*' lets every web page that somebody on this network opens read and write "
                "variables; list the origins of your pages instead",
            )
        self._tls(listen.get("tls"), path + ("tls",))
        self._networks(listen.get("trusted_proxies"), path + ("trusted_proxies",), True)
        limits = listen.get("limits")
        if isinstance(limits, dict):
            where = path + ("limits",)
            self._networks(limits.get("exempt_addresses"), where + ("exempt_addresses",), False)
            self._in_order(limits, where, Limits, "lockout_min_s", "lockout_max_s")
        interval = listen.get("ping_interval_s", Listen.ping_interval_s)
        timeout = listen.get("ping_timeout_s", Listen.ping_timeout_s)
        if _numbers(interval, timeout) and 0 < timeout <= interval:
            self._problem(
                path + ("ping_timeout_s",),
                "%s s is no longer than ping_interval_s, "
                "%s s; expected at least twice as long" % (timeout, interval),
            )

    def _in_order(
        self, data: Dict[str, Any], path: Path, section: type, least: str, most: str
    ) -> None:
        low, high = (data.get(key, getattr(section, key)) for key in (least, most))
        if _numbers(low, high) and low > high:
            self._problem(
                path,
                "%s (%s) is over %s (%s); expected it to be at most that"
                % (least, low, most, high),
            )

    def _networks(self, listed: Any, path: Path, proxies: bool) -> None:
        for where, text in _texts(listed, path):
            try:
                network = parse_network(text) if text else None
            except ValueError as error:
                self._problem(where, str(error))
                continue
            if proxies and network is not None and not network.prefixlen:
                self._warn(
                    where,
                    "%s is every address, so every client can pretend to have another one; list "
                    "only the proxies" % text,
                )

    def _tls(self, tls: Any, path: Path) -> None:
        if not isinstance(tls, dict):
            return
        asked = tls.get("client_certificates", TLS.client_certificates)
        if asked in ("optional", "required") and "client_ca" not in tls:
            self._problem(
                path,
                "client_certificates: %s needs client_ca; expected a PEM file with the "
                "authorities that issue client certificates" % asked,
            )
        for name in ("client_ca", "client_revocation_list"):
            if name in tls and asked == "off":
                self._warn(
                    path + (name,),
                    "has no effect; set client_certificates to optional or required",
                )
        self._files(tls, path, TLS)

    def _audit(self, audit: Dict[str, Any]) -> None:
        name = audit.get("file")
        if self._directory is None or not isinstance(name, str) or "\0" in name:
            return
        directory = os.path.dirname(os.path.join(self._directory, name))
        if not os.path.isdir(directory):
            self._warn(("audit", "file"), "there is no directory %s; make it" % directory)

    def _server(self, server: Dict[str, Any], path: Path) -> None:
        self._in_order(server, path, Server, "reconnect_min_ms", "reconnect_max_ms")
        if isinstance(server.get("endpoint"), str) and at_broker(server["endpoint"]):
            self._publisher(server, path)
            return
        for name in _FOR_A_PUBLISHER_ONLY:
            if name in server:
                self._warn(path + (name,), "has no effect; it is for a server at a broker")
        endpoints: Dict[Path, Any] = {("endpoint",): server.get("endpoint")}
        listed = server.get("endpoints")
        if isinstance(listed, list):
            endpoints.update({("endpoints", place): each for place, each in enumerate(listed)})
            if not listed:
                self._problem(path + ("endpoints",), "is empty; expected two or more addresses")
        seen: Set[str] = set()
        for where, endpoint in endpoints.items():
            if isinstance(endpoint, str):
                reason = endpoint_problem(endpoint)
                if not reason and endpoint in seen:
                    reason = "%s is listed already; list each server only once" % shown(endpoint)
                seen.add(endpoint)
                if reason:
                    self._problem(path + where, reason)
        security = server.get("security")
        encrypted = False
        if isinstance(security, dict):
            encrypted = self._security(security, path + ("security",))
        user = server.get("user")
        if isinstance(user, dict):
            self._user(user, path + ("user",), encrypted)
        variables = server.get("variables")
        if isinstance(variables, dict):
            self._variables(variables, path + ("variables",))
        browse = server.get("browse")
        self._browse(browse, path + ("browse",))
        if browse is None and not variables and isinstance(variables, (dict, type(None))):
            self._warn(
                path,
                "no variables, so clients see nothing of this server; add some under 'variables', "
                "or let 'browse' find them",
            )

    def _publisher(self, server: Dict[str, Any], path: Path) -> None:
        """A server that is a publisher at a broker."""
        for name in server:
            if name not in _OF_A_PUBLISHER:
                self._warn(path + (name,), "has no effect with a broker")
        self._broker(server, path, "endpoint")
        user, variables = server.get("user"), _mapping(server.get("variables"))
        if isinstance(user, dict) and "certificate" in user:
            self._warn(
                path + ("user",),
                "has no effect with a broker; name the certificate in 'tls' beside it",
            )
        self._variables(variables, path + ("variables",), have_nodes=False)
        for name, variable in variables.items():
            for setting in _mapping(variable):
                where = path + ("variables", name, setting)
                if setting == "access":
                    if "edge" not in server and variable[setting] != "read":
                        self._warn(
                            where,
                            "has no effect; to write through the broker, give the server a name "
                            "for this opcws: 'edge'",
                        )
                elif setting not in OF_A_FIELD:
                    self._warn(where, "has no effect with a broker")

    def _broker(self, section: Dict[str, Any], path: Path, address: str) -> None:
        """Checks the credentials for a broker, which *section* names in *address*."""
        user, tls, encrypted = section.get("user"), section.get("tls"), True
        if isinstance(section.get(address), str):
            try:
                encrypted = broker(section[address]).tls
            except ValueError as error:
                self._problem(path + (address,), str(error))
        if isinstance(user, dict):
            self._user(user, path + ("user",), encrypted)
            if not encrypted:
                self._warn(
                    path + ("user",),
                    "anybody on the network can read the password that opcws sends to the "
                    "broker; set '%s' to mqtts:// if the broker speaks TLS" % address,
                )
        if isinstance(tls, dict):
            if ("certificate" in tls) != ("key" in tls):
                self._problem(
                    path + ("tls",), "certificate and key belong together; expected both or neither"
                )
            if not encrypted:
                self._warn(path + ("tls",), "has no effect; set '%s' to mqtts://" % address)
            self._files(tls, path + ("tls",), MqttTLS)

    def _browse(self, browse: Any, path: Path) -> None:
        for where, each in _each(browse, path):
            try:
                under = each.get("under", Browse.under)
                if isinstance(under, str) and parse_node_id(under).server_index:
                    raise ValueError("'svr=' names another server; configure that one")
            except ValueError as error:
                self._problem(where + ("under",), str(error))
            match = each.get("match", Browse.match)
            try:
                matcher([match] if isinstance(match, str) else ())
            except ValueError as error:
                self._problem(where + ("match",), str(error))

    def _security(self, security: Dict[str, Any], path: Path) -> bool:
        policy = security.get("policy", Security.policy)
        mode = security.get("mode", Security.mode)
        if (policy == "None") != (mode == "None"):
            self._problem(
                path,
                "policy %s does not go with mode %s; expected both to be None "
                "or neither" % (shown(policy), shown(mode)),
            )
        if policy in ("Basic128Rsa15", "Basic256"):
            broken = "%s is broken and deprecated (OPC 10000-7); use " % policy
            if security.get("allow_deprecated") is True:
                self._warn(path + ("policy",), broken + "Basic256Sha256 if the server offers it")
            else:
                self._problem(
                    path + ("policy",),
                    broken + "Basic256Sha256, or set allow_deprecated: true if the server offers "
                    "nothing better",
                )
        for key, loss in _RELAXED.items():
            if security.get(key) is False:
                self._warn(path + (key,), loss)
        if ("certificate" in security) != ("key" in security):
            self._problem(path, "certificate and key belong together; expected both or neither")
        self._files(security, path, Security)
        return bool(mode == "SignAndEncrypt")

    def _user(self, user: Dict[str, Any], path: Path, encrypted: bool) -> None:
        if "password" in user:
            self._warn(
                path + ("password",),
                "the password is in this file; keep it in the environment (password_env) or in a "
                "file of its own (password_file)",
            )
        if user.get("allow_clear") is True and not encrypted:
            self._warn(
                path + ("allow_clear",),
                "the password may be sent in clear over the "
                "network; set 'security' if the server offers any",
            )
        self._files(user, path, User)

    def _files(self, data: Dict[str, Any], path: Path, section: Any) -> None:
        """Warn of each missing file of *section*."""
        for each in dataclasses.fields(section):
            name = data.get(each.name)
            # A setting with a default, such as pki, is created when it is missing.
            if "path" not in each.metadata or isinstance(each.default, str):
                continue
            if self._directory is not None and isinstance(name, str) and "\0" not in name:
                full = os.path.join(self._directory, name)
                if not os.path.isfile(full):
                    self._warn(path + (each.name,), "there is no file %s; put it there" % full)

    def _variables(self, variables: Dict[str, Any], path: Path, have_nodes: bool = True) -> None:
        by_index: List[str] = []
        for name, variable in variables.items():
            first = self._owners.setdefault(name, path)
            if first is not path:
                self._problem(
                    path + (name,),
                    "server %r already has a variable of this name "
                    "(line %d); rename one, since clients know variables by name "
                    "alone" % (first[1], self._document.line(first + (name,))),
                )
            if not isinstance(variable, dict):
                continue
            index_range = variable.get("index_range")
            try:
                if isinstance(index_range, str):
                    parse_range(index_range)
            except ValueError as error:
                self._problem(path + (name, "index_range"), str(error))
            self._limits(_mapping(variable.get("limits")), path + (name, "limits"))
            if not have_nodes:
                continue
            if "field" in variable:
                self._warn(path + (name, "field"), "has no effect; it is for a server at a broker")
            node = variable.get("node")
            if "node" not in variable:
                doc = _NODE["description"].split(". ")[0]
                self._problem(path + (name,), "'node' is missing; add it: %s" % doc)
            if not isinstance(node, str):
                continue
            try:
                node_id = parse_node_id(node)
            except ValueError as error:
                self._problem(path + (name, "node"), str(error))
                continue
            if node_id.server_index:
                self._problem(
                    path + (name, "node"),
                    "'svr=' names another server; configure that one under 'servers'",
                )
            elif node_id == NULL_NODE_ID:
                self._problem(path + (name, "node"), "is the null NodeId; expected a node")
            elif node_id.namespace and node_id.namespace_uri is None:
                by_index.append(name)
        if by_index:
            count = len(by_index)
            self._warn(
                path + (by_index[0], "node"),
                "%s by index (ns=), which may change when "
                "the server restarts; use nsu=<namespace URI>;"
                % (
                    "names its namespace"
                    if count == 1
                    else "this and %d more variables of the server name their namespace"
                    % (count - 1)
                ),
            )

    def _limits(self, limits: Dict[str, Any], path: Path) -> None:
        names = [each.name for each in dataclasses.fields(AlarmLimits)]
        given = [name for name in names if _numbers(limits.get(name))]
        for lower, higher in zip(given, given[1:]):
            if not limits[lower] < limits[higher]:
                self._problem(
                    path + (higher,),
                    "%s is not above %s, which is %s; expected limits that rise, from low_low over "
                    "low and high to high_high"
                    % (shown(limits[higher]), lower, shown(limits[lower])),
                )

    def _roles(
        self, roles: Dict[str, Any], access: Dict[str, str], known: Optional[Dict[str, str]]
    ) -> None:
        """*access* has the access of each variable of the file; *known* is the same, or ``None`` if
        browsing may find others."""
        owners: Dict[str, Path] = {}
        for name, role in roles.items():
            if not isinstance(role, dict):
                continue
            path: Path = ("roles", name)
            for kind, useless, only in (("read", "write", "written"), ("write", "read", "read")):
                self._patterns(role.get(kind), path + (kind,), access, known, useless, only)
            if name == ANONYMOUS and role.get("write"):
                self._warn(
                    path + ("write",),
                    "everyone who can connect may write these, without showing who it is; give a "
                    "role with a token or a user the right instead",
                )
            certificates = role.get("certificates")
            if name == ANONYMOUS and isinstance(certificates, list) and certificates:
                self._problem(
                    path + ("certificates",),
                    "anonymous is the role of clients that show no credential; name certificates "
                    "in another role",
                )
            for where, text in _texts(certificates, path + ("certificates",)):
                first = owners.setdefault(certificate_key(text), where)
                if first is not where:
                    self._problem(
                        where,
                        "%s is in %s already; a certificate has one role"
                        % (shown(text), path_text(first)),
                    )

    def _record(
        self,
        record: Any,
        servers: Dict[str, Any],
        access: Dict[str, str],
        known: Optional[Dict[str, str]],
    ) -> None:
        """*access* and *known* as :meth:`_roles` has them."""
        patterns = _mapping(record).get("variables")
        self._patterns(patterns, ("record", "variables"), access, known, "write", "written")
        try:
            matches = matcher([text for _, text in _texts(patterns, ())], access)
        except ValueError:
            return
        # Browsing may find a variable that matches a pattern.
        some = known is None and bool(patterns)
        for name, server in servers.items():
            for each, variable in _mapping(_mapping(server).get("variables")).items():
                path: Path = ("servers", name, "variables", each)
                own = _mapping(variable).get("record")
                recorded = matches(each) if own is None else own is not False
                some = some or recorded
                if access[each] == "write" and own not in (None, False):
                    self._warn(
                        path + ("record",),
                        "a variable that can only be written has no values to record; set its "
                        "'access' to readwrite",
                    )
                history = _mapping(variable).get("history")
                if history in ("own", "both") and not recorded:
                    self._warn(
                        path + ("history",),
                        "%s asks for what opcws recorded, but opcws does not record it; set "
                        "'record: true' beside it" % history,
                    )
        if record is not None and not some:
            self._warn(
                ("record",),
                "records nothing; name variables in 'variables', such as ['*'], or set 'record: "
                "true' for some variables",
            )

    def _mqtt(
        self,
        mqtt: Dict[str, Any],
        servers: Dict[str, Any],
        access: Dict[str, str],
        known: Optional[Dict[str, str]],
    ) -> None:
        """*access* and *known* as :meth:`_roles` has them."""
        path: Path = ("publish", "mqtt")
        ours = [mqtt.get(_OWN[key], _OURS.get(key)) for key in _OWN]
        for name, server in servers.items() if mqtt else ():
            if [_mapping(server).get(key, _OURS.get(key)) for key in _OWN] == ours:
                self._problem(
                    ("servers", name),
                    "is what this opcws publishes itself; give one of the two another 'publisher'",
                )
        patterns = mqtt.get("variables")
        self._patterns(patterns, path + ("variables",), access, known, "write", "written")
        self._broker(mqtt, path, "broker")
        raw = mqtt.get("encoding") == "raw"
        if "raw_payload" in mqtt and not raw:
            self._warn(path + ("raw_payload",), "has no effect; set 'encoding: raw' beside it")
        for name in ("key_frame_count", "message_expiry_s", "group"):
            if name in mqtt and raw:
                self._warn(path + (name,), "has no effect with 'encoding: raw'")
        if "lease_ms" in mqtt and "store_max_bytes" in mqtt:
            self._warn(
                path + ("store_max_bytes",),
                "has no effect with lease_ms: while the broker is away no opcws is active, and "
                "nothing waits",
            )

    def _edges(self, edges: Dict[str, Any], roles: Dict[str, Any]) -> None:
        for name, edge in edges.items():
            role = _mapping(edge).get("role")
            if isinstance(role, str) and role not in roles:
                self._problem(
                    ("publish", "mqtt", "requests", name, "role"),
                    "no role is named %s; expected one of 'roles', which says what the clients of "
                    "this edge may do" % shown(role),
                )

    def _patterns(
        self,
        patterns: Any,
        path: Path,
        listed: Dict[str, str],
        known: Optional[Dict[str, str]],
        useless: str,
        only: str,
    ) -> None:
        """*listed* has the access of each variable of the file; *known* is the same, or ``None`` if
        browsing may find others.  A match with the access *useless* has no effect."""
        for where, pattern in _texts(patterns, path):
            try:
                matches = matcher([pattern], listed)
            except ValueError as error:
                self._problem(where, "%s %s; expected such as Boiler.*" % (shown(pattern), error))
                continue
            if known is None:
                continue
            matched = False
            for name, access in known.items():
                if matches(name):
                    matched = True
                    if access != useless:
                        break
            else:
                self._warn(
                    where,
                    "every variable that matches %s can only be %s, by every role; to allow "
                    "more, set 'access: readwrite' for the variable" % (shown(pattern), only)
                    if matched
                    else "no variable matches %s; case and dots matter" % shown(pattern),
                )


def _looks(server: Dict[str, Any]) -> bool:
    """Whether *server* may have variables that are not in the file."""
    if at_broker(str(server.get("endpoint"))):
        return not server.get("variables")
    return "browse" in server


def _mapping(data: Any) -> Dict[str, Any]:
    return data if isinstance(data, dict) else {}


def _sizes_in_bytes(data: Any) -> None:
    """Replaces sizes such as ``2 GiB`` by numbers.  The schema refuses other texts."""
    sections = [section for name, section in _mapping(data).items() if name != "servers"]
    for section in sections:
        for _, each in _each(section, ()):
            for inner in (each, _mapping(each.get("limits")), _mapping(each.get("mqtt"))):
                for key, value in inner.items():
                    number = size(value) if isinstance(value, str) else None
                    if key.endswith("_bytes") and number is not None:
                        inner[key] = number


def _each(data: Any, path: Path) -> Iterator[Tuple[Path, Dict[str, Any]]]:
    """The mappings of a section that is one mapping or a list of them, with their paths."""
    if isinstance(data, dict):
        yield path, data
    for place, each in enumerate(data if isinstance(data, list) else ()):
        if isinstance(each, dict):
            yield path + (place,), each


#: Sections whose keys are names chosen by the user.
_NAMED = (("servers",), ("roles",), ("variables",))
#: Text settings in which a space at an end does no harm.
_FREE = ("description", "metadata", "password")


def _all_texts(data: Any, path: Path) -> Iterator[Tuple[Path, str]]:
    """Every key and text in *data*, except free texts, with its path."""
    if isinstance(data, str):
        yield path, data
    elif isinstance(data, dict):
        for key, value in data.items():
            if isinstance(key, str):
                yield path + (key,), key
            if key not in _FREE or path[-1:] in _NAMED:
                yield from _all_texts(value, path + (key,))
    elif isinstance(data, list):
        for place, value in enumerate(data):
            yield from _all_texts(value, path + (place,))


def _texts(listed: Any, path: Path) -> Iterator[Tuple[Path, str]]:
    for place, text in enumerate(listed if isinstance(listed, list) else ()):
        if isinstance(text, str):
            yield path + (place,), text


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def endpoint_problem(endpoint: str) -> str:
    """The problem of the URL of an OPC UA server, with the remedy; ``""`` if it is good."""
    right = "; expected opc.tcp://host:port, such as opc.tcp://192.168.0.10:4840"
    if any(map(is_blank, endpoint)):
        return "%s contains a space; remove it" % shown(endpoint)
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        return "%s is no URL: %s%s" % (shown(endpoint), error, right)
    if parts.scheme != "opc.tcp":
        return "%s does not begin with opc.tcp://%s" % (shown(endpoint), right)
    if not parts.hostname:
        return "%s names no host%s" % (shown(endpoint), right)
    if not port:
        return "%s names no port%s" % (shown(endpoint), right)
    if parts.username is not None or parts.password is not None:
        return "a user does not belong in the URL; expected a 'user' section beside 'endpoint'"
    if parts.query or parts.fragment:
        return "%s has a query or a fragment%s" % (shown(endpoint), right)
    return ""
