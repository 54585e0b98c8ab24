"""The one table of settings: frozen dataclasses with defaults, units and what each is for.

``schemas/config.schema.json`` says the same to editors and other languages, with types and
limits; a test holds the two together, and the README's table is made from this one.

Pure, but for :meth:`User.secret`, which opens the file that holds a password.
"""

import dataclasses
import functools
import json
import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Tuple

from .datatypes import NodeId
from .errors import ConfigError

_REQUIRED: Any = dataclasses.MISSING


def _setting(
    default: Any, kind: str, doc: str, unit: str = "", key: str = "", **options: Any
) -> Any:
    """A dataclass field that is a setting: *kind* is its type as a person would say it,
    *key* its name in the file where that is not the field's."""
    metadata = {"kind": kind, "doc": doc, "unit": unit, "key": key}
    if default is _REQUIRED:
        return field(metadata=metadata, **options)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata, **options)
    return field(default=default, metadata=metadata, **options)


def _section(default: Any, section: type, doc: str, key: str = "") -> Any:
    """A dataclass field that is a mapping with settings of its own."""
    metadata = {"section": section, "doc": doc, "key": key}
    if default is None:
        return field(default=None, metadata=metadata)
    return field(default_factory=default, metadata=metadata)


@dataclass(frozen=True)
class TLS:
    """``listen.tls``: the listener speaks ``wss://`` only."""

    certificate: str = _setting(
        _REQUIRED, "path", "PEM file with the certificate and those that lead to its root."
    )
    key: str = _setting(_REQUIRED, "path", "PEM file with the certificate's private key.")


@dataclass(frozen=True)
class Limits:
    """``listen.limits``: how much one client, and all of them, may ask for."""

    max_message_bytes: int = _setting(
        1048576,
        "whole number",
        "Largest message taken from a client; a larger one closes the connection with 1009.",
        "bytes",
    )
    max_connections: int = _setting(
        1000, "whole number", "Clients connected at the same time; one more is turned away."
    )
    requests_per_second: float = _setting(
        0,
        "number",
        "Requests that one client may send on average; 0 means no limit.",
        "1/s",
    )
    requests_in_flight: int = _setting(
        64,
        "whole number",
        "Requests of one client that may await their response; past it the connection is not read.",
    )
    monitors: int = _setting(100000, "whole number", "Monitors that one client may hold.")
    outbox_messages: int = _setting(
        10000,
        "whole number",
        "Messages that may wait for one client; past it updates collapse to the latest.",
    )
    outbox_bytes: int = _setting(
        8388608,
        "whole number",
        "Bytes that may wait for one client; past it updates collapse to the latest.",
        "bytes",
    )


@dataclass(frozen=True)
class Listen:
    """``listen``: one address where clients connect.  A list of them gives several."""

    host: str = _setting(
        "127.0.0.1",
        "text",
        "Address or host name to listen on: 0.0.0.0 is every IPv4 address of the machine, "
        "'::' every IPv6 address.",
    )
    port: int = _setting(
        8081, "whole number", "TCP port to listen on; 0 means any free port, named in the log."
    )
    scalars: str = _setting(
        "typed",
        "'typed' or 'string'",
        "Dialect of the JSON scalars: 'typed' as in OPC UA Part 6, 'string' as ASNeG's server "
        "sends them.",
    )
    tls: Optional[TLS] = _section(None, TLS, "Certificate and key; without them no TLS.")
    origins: Tuple[str, ...] = _setting(
        (),
        "list of text",
        "Origins of other web pages that may connect, such as https://hmi.example; '*' is any. "
        "Without the setting only pages that opcws served itself.",
    )
    limits: Limits = _section(Limits, Limits, "How much one client, and all, may ask for.")
    handshake_timeout_s: float = _setting(
        10, "number", "Time for TLS and the opening handshake together.", "s"
    )
    ping_interval_s: float = _setting(
        30, "number", "Time between pings to a client; 0 means none.", "s"
    )
    ping_timeout_s: float = _setting(
        300,
        "number",
        "A client without a sign of life for this long is closed; 0 means never.",
        "s",
    )
    idle_timeout_s: float = _setting(
        0,
        "number",
        "A client that sent no request and was sent no update for this long is closed; 0 means "
        "never.",
        "s",
    )
    send_timeout_s: float = _setting(
        30, "number", "A client that takes nothing for this long is closed with 1008.", "s"
    )
    close_timeout_s: float = _setting(
        2, "number", "Time for the closing handshake before the socket is closed.", "s"
    )


@dataclass(frozen=True)
class Security:
    """``servers.NAME.security``: how the secure channel is protected (OPC 10000-7 6.6)."""

    policy: str = _setting(
        "None",
        "'None', 'Basic128Rsa15', 'Basic256', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep' or "
        "'Aes256_Sha256_RsaPss'",
        "Security policy of the secure channel.",
    )
    mode: str = _setting(
        "None", "'None', 'Sign' or 'SignAndEncrypt'", "Whether messages are signed, encrypted."
    )
    certificate: Optional[str] = _setting(
        None,
        "path",
        "The certificate of opcws, PEM or DER, that the OPC UA server must trust; without it, "
        "the one in pki, which is made when it is missing.",
    )
    key: Optional[str] = _setting(
        None, "path", "File, PEM or DER, with the private key of that certificate."
    )
    server_certificate: Optional[str] = _setting(
        None,
        "path",
        "The one certificate, PEM or DER, that the OPC UA server must show; instead of the trust "
        "list in pki.",
    )
    pki: str = _setting(
        "pki",
        "path",
        "Directory with trusted and rejected certificates, revocation lists and the certificate "
        "of opcws.",
    )
    check_host_name: bool = _setting(
        True,
        "true or false",
        "Whether the server's certificate must name the host of the endpoint.",
    )
    check_validity: bool = _setting(
        True, "true or false", "Whether the server's certificate must not have expired."
    )
    require_revocation_list: bool = _setting(
        True,
        "true or false",
        "Whether a certificate counts only with a current revocation list of whoever issued it.",
    )
    allow_deprecated: bool = _setting(
        False,
        "true or false",
        "Allow the broken policies Basic128Rsa15 and Basic256.",
    )


@dataclass(frozen=True)
class User:
    """``servers.NAME.user``: the user whom the session is for: ``name`` and exactly one of
    ``password``, ``password_env`` and ``password_file``; or ``certificate`` and ``key``."""

    name: Optional[str] = _setting(
        None, "text", "User name that the OPC UA server knows, with one of the passwords."
    )
    password: Optional[str] = _setting(
        None,
        "text",
        "The password itself; whoever reads the file has it, so prefer the other two.",
        repr=False,
    )
    password_env: Optional[str] = _setting(
        None, "text", "Name of the environment variable that holds the password."
    )
    password_file: Optional[str] = _setting(
        None, "path", "File that holds the password; a line end after it is not part of it."
    )
    allow_clear: bool = _setting(
        False,
        "true or false",
        "Send the password in clear over an unencrypted channel if the server asks for that.",
    )
    certificate: Optional[str] = _setting(
        None, "path", "X.509 certificate of the user, PEM or DER; instead of name and password."
    )
    key: Optional[str] = _setting(
        None, "path", "File, PEM or DER, with the private key of the user's certificate."
    )

    def secret(self) -> str:
        """The password, from wherever it is kept.

        Raises :exc:`ConfigError` if the environment variable is not set or the file cannot be
        read; the text never contains the password.
        """
        if self.password is not None:
            return self.password
        if self.password_env is not None:
            value = os.environ.get(self.password_env)
            if value is None:
                raise ConfigError(
                    [
                        "the environment variable %s, which holds the password of user %r, is not "
                        "set; set it before the start" % (self.password_env, self.name)
                    ]
                )
            return value
        assert self.password_file is not None
        try:
            with open(self.password_file, encoding="utf-8-sig") as file:
                text = file.read(65536)
        except (OSError, ValueError) as error:
            raise ConfigError(
                [
                    "%s: the password of user %r cannot be read: %s; expected a UTF-8 text file"
                    % (self.password_file, self.name, getattr(error, "strerror", None) or error)
                ]
            ) from None
        return text[:-1] if text.endswith("\n") else text


@dataclass(frozen=True)
class Deadband:
    """``deadband``: how much a number must change to be reported (OPC 10000-4 7.22.2).  Exactly
    one of ``absolute`` and ``percent`` is given."""

    absolute: Optional[float] = _setting(
        None, "number", "Least change, in the unit of the value; 0 reports every change."
    )
    percent: Optional[float] = _setting(
        None,
        "number",
        "Least change in percent of the node's EURange, which it must have.",
        "percent",
    )


@dataclass(frozen=True)
class Variable:
    """``servers.NAME.variables.NAME``: one variable as clients see it.

    ``node_text`` is the NodeId as the file has it; ``type`` the id of a built-in type or 0 for
    unknown; ``is_array`` ``None`` for unknown; ``sampling_interval_ms``, ``queue_size``,
    ``discard_oldest``, ``trigger`` and ``deadband`` ``None`` for the server's default.
    """

    name: str
    server: str
    node: NodeId = _setting(
        _REQUIRED,
        "NodeId",
        "The node: nsu=<namespace URI>; or nothing, then i=, s=, g= or b= and the identifier.",
    )
    node_text: str = ""
    type: int = _setting(
        0,
        "name of a built-in type",
        "Built-in type of the value, such as Double; without it, as the OPC UA server says.",
    )
    is_array: Optional[bool] = _setting(
        None,
        "true or false",
        "Whether the value is an array; without it, as the OPC UA server says.",
        key="array",
    )
    index_range: Optional[str] = _setting(
        None,
        "index range",
        "One element, such as '2', or a range, such as '0:3', of the node's array; the value "
        "stays an array.",
    )
    access: str = _setting(
        "read",
        "'read', 'readwrite' or 'write'",
        "What clients may do with the variable.",
    )
    metadata: Mapping[str, Any] = _setting(
        {},
        "mapping",
        "Free content for clients: the MetaData of VALUEINFO.",
        hash=False,
    )
    description: Optional[str] = _setting(
        None,
        "text",
        "What the variable is; without it, the node's Description.",
    )
    sampling_interval_ms: Optional[float] = _setting(
        None,
        "number",
        "How often the OPC UA server samples the variable; -1 means as often as it publishes. "
        "Without it, the server's setting.",
        "ms",
    )
    queue_size: Optional[int] = _setting(
        None,
        "whole number",
        "Values that the OPC UA server keeps between two publishes. Without it, the server's "
        "setting.",
    )
    discard_oldest: Optional[bool] = _setting(
        None,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest or the newest. "
        "Without it, the server's setting.",
    )
    trigger: Optional[str] = _setting(
        None,
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or "
        "SourceTimestamp. Without it, the server's setting.",
    )
    deadband: Optional[Deadband] = _section(
        None, Deadband, "How much a number must change. Without it, the server's setting."
    )

    @property
    def readable(self) -> bool:
        """Whether any client may read or monitor the variable."""
        return self.access != "write"

    @property
    def writable(self) -> bool:
        """Whether any client may write the variable."""
        return self.access != "read"


@dataclass(frozen=True)
class Server:
    """``servers.NAME``: one OPC UA server, or a redundant set of them that serve the same
    (OPC 10000-4 6.6.2), and what of it clients see.

    ``endpoint`` is the first of ``endpoints`` where these are given.
    """

    name: str
    endpoint: str = _setting(
        "",
        "URL",
        "Address of the OPC UA server: opc.tcp://host:port[/path]. Exactly one of endpoint and "
        "endpoints is given.",
    )
    endpoints: Tuple[str, ...] = _setting(
        (),
        "list of text",
        "Addresses of the servers of a redundant set, of which the healthiest is used: the one "
        "with the highest ServiceLevel.",
    )
    publishing_interval_ms: float = _setting(
        100, "number", "How often the OPC UA server sends what has changed.", "ms"
    )
    sampling_interval_ms: float = _setting(
        100,
        "number",
        "How often the OPC UA server samples a variable that does not say so itself; -1 means "
        "as often as it publishes.",
        "ms",
    )
    queue_size: int = _setting(
        10,
        "whole number",
        "Values that the OPC UA server keeps between two publishes, for a variable that does "
        "not say so itself.",
    )
    discard_oldest: bool = _setting(
        True,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest, or the newest.",
    )
    trigger: str = _setting(
        "value",
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or SourceTimestamp.",
    )
    deadband: Optional[Deadband] = _section(
        None, Deadband, "How much a number must change, for a variable that does not say so itself."
    )
    retry_interval_ms: float = _setting(
        30000,
        "number",
        "How often a variable that the OPC UA server refuses is asked for again.",
        "ms",
    )
    request_timeout_ms: float = _setting(
        5000, "number", "Time for a read, a write or a change of monitoring.", "ms"
    )
    max_nodes_per_call: int = _setting(
        1000,
        "whole number",
        "Nodes in one service call at most; where the OPC UA server states a lower limit, that.",
    )
    history_timeout_ms: float = _setting(
        30000, "number", "Time for a read of history or a browse.", "ms"
    )
    history_max_values: int = _setting(
        10000, "whole number", "Values in one response to HISTORICALREAD at most."
    )
    history_continuation_s: float = _setting(
        60,
        "number",
        "Time in which the next page of a HISTORICALREAD must be asked for.",
        "s",
    )
    connect_timeout_ms: float = _setting(
        5000, "number", "Time for connection, secure channel and session together.", "ms"
    )
    heartbeat_interval_ms: float = _setting(
        5000, "number", "How often the connection is tried while nothing arrives by it.", "ms"
    )
    reconnect_min_ms: float = _setting(
        500, "number", "Pause before the first attempt to connect again.", "ms"
    )
    reconnect_max_ms: float = _setting(
        3000, "number", "Longest pause between attempts; it doubles until there.", "ms"
    )
    application_uri: str = _setting(
        "urn:opcws",
        "text",
        "ApplicationUri of opcws; the certificate of opcws must contain the same.",
    )
    security: Security = _section(Security, Security, "How the secure channel is protected.")
    user: Optional[User] = _section(None, User, "Whom the session is for; without it, anonymous.")
    variables: Mapping[str, Variable] = field(
        default_factory=dict,
        hash=False,
        metadata={
            "items": Variable,
            "doc": "The variables by the names that clients use; a name is used once in all.",
        },
    )


@dataclass(frozen=True)
class Log:
    """``log``: what is told, where and how; the command line's options override it."""

    level: str = _setting(
        "info", "'debug', 'info', 'warning' or 'error'", "Least severity that is logged."
    )
    file: Optional[str] = _setting(None, "path", "File to log to; without it, standard error.")
    format: str = _setting(
        "text", "'text' or 'json'", "Lines for people, or one JSON object per line."
    )
    max_bytes: int = _setting(
        10485760,
        "whole number",
        "Size at which the file is renamed and a new one begun; 0 means never.",
        "bytes",
    )
    backups: int = _setting(5, "whole number", "Renamed files that are kept.")


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    ``path`` is the file it came from; ``warnings`` are sentences about what works but should
    be looked at, each with file, line and path.
    """

    listen: Tuple[Listen, ...] = field(
        default=(Listen(),),
        metadata={
            "section": Listen,
            "doc": "Where clients connect: one mapping, or a list of them.",
        },
    )
    servers: Mapping[str, Server] = field(
        default_factory=dict,
        hash=False,
        metadata={"items": Server, "doc": "The OPC UA servers by name."},
    )
    log: Log = _section(Log, Log, "What is logged, where and how.")
    path: Optional[str] = None
    warnings: Tuple[str, ...] = ()

    @functools.cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Every variable of every server by name."""
        return MappingProxyType(
            {v.name: v for server in self.servers.values() for v in server.variables.values()}
        )


# -- the table of settings ------------------------------------------------------------------


class Setting(NamedTuple):
    """One row of the table: ``default`` is written as in YAML, ``"required"`` if the setting
    must be given, ``""`` if there is none."""

    path: str
    type: str
    unit: str
    default: str
    description: str


def settings() -> List[Setting]:
    """Every setting, in the order in which the dataclasses above have them."""
    return list(_settings_of(Config, ""))


def _settings_of(section: type, prefix: str) -> Iterator[Setting]:
    for each in dataclasses.fields(section):
        path = prefix + (each.metadata.get("key") or each.name)
        if "section" in each.metadata:
            yield from _settings_of(each.metadata["section"], path + ".")
        elif "items" in each.metadata:
            yield from _settings_of(each.metadata["items"], path + ".NAME.")
        elif "kind" in each.metadata:
            yield Setting(
                path,
                each.metadata["kind"],
                each.metadata["unit"],
                _default_text(each),
                each.metadata["doc"],
            )


def _default_text(each: "dataclasses.Field[Any]") -> str:
    if each.default_factory is not dataclasses.MISSING:
        default: Any = each.default_factory()
    elif each.default is dataclasses.MISSING:
        return "required"
    else:
        default = each.default
    if default is None or each.metadata["kind"].startswith("name of") and default == 0:
        return ""
    if isinstance(default, str):
        return default
    return json.dumps(default)


def settings_table_rst() -> str:
    """The table of settings as reStructuredText, as the README has it."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - Setting",
        "     - Type, unit",
        "     - Default",
        "     - Meaning",
    ]
    for row in settings():
        lines += [
            "   * - ``%s``" % row.path,
            "     - %s" % (row.type + (", " + row.unit if row.unit else "")),
            "     - %s"
            % (row.default if row.default in ("", "required") else "``%s``" % row.default),
            "     - %s" % row.description.replace("*", "\\*"),
        ]
    return "\n".join(re.sub(r"- $", "-", line) for line in lines) + "\n"
