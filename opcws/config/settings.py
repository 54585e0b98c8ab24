"""The one table of settings: frozen dataclasses with defaults, units and what each is for.

``schemas/config.schema.json`` says the same to editors and other languages, with types and
limits; a test holds the two together, and the table in ``docs/pages/settings.rst`` is made
from this one.

Pure.
"""

import dataclasses
import functools
import json
import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

from ..model.data_types import NodeId
from ..model.errors import ConfigError

REQUIRED: Any = dataclasses.MISSING


def setting(
    default: Any, kind: str, doc: str, unit: str = "", key: str = "", **options: Any
) -> Any:
    """A dataclass field that is a setting: *kind* is its type as a person would say it,
    *key* its name in the file where that is not the field's."""
    metadata = {"kind": kind, "doc": doc, "unit": unit, "key": key}
    if default is REQUIRED:
        return field(metadata=metadata, **options)
    if isinstance(default, dict):
        return field(default_factory=dict, metadata=metadata, **options)
    return field(default=default, metadata=metadata, **options)


def section(default: Any, section: type, doc: str, key: str = "") -> Any:
    """A dataclass field that is a mapping with settings of its own."""
    metadata = {"section": section, "doc": doc, "key": key}
    if default is None:
        return field(default=None, metadata=metadata)
    return field(default_factory=default, metadata=metadata)


class Setting(NamedTuple):
    """One row of the table: ``default`` is written as in YAML, ``"required"`` if the setting
    must be given, ``""`` if there is none."""

    path: str
    type: str
    unit: str
    default: str
    description: str


def settings_of(section: type) -> List[Setting]:
    """Every setting of the dataclass *section* and of those in it, in their order."""
    return list(_settings_of(section, ""))


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


def table_rst(rows: Sequence[Setting]) -> str:
    """*rows* as reStructuredText, as the documentation has it."""
    lines = [
        ".. list-table::",
        "   :header-rows: 1",
        "",
        "   * - Setting",
        "     - Type, unit",
        "     - Default",
        "     - Meaning",
    ]
    for row in rows:
        lines += [
            "   * - ``%s``" % row.path,
            "     - %s" % (row.type + (", " + row.unit if row.unit else "")),
            "     - %s"
            % (row.default if row.default in ("", "required") else "``%s``" % row.default),
            "     - %s" % row.description.replace("*", "\\*"),
        ]
    return "\n".join(re.sub(r"- $", "-", line) for line in lines) + "\n"


@dataclass(frozen=True)
class TLS:
    """``listen.tls``: the listener speaks ``wss://`` only."""

    certificate: str = setting(
        REQUIRED, "path", "PEM file with the certificate and those that lead to its root."
    )
    key: str = setting(
        REQUIRED, "path", "PEM file with the certificate's private key, without a passphrase."
    )
    client_certificates: str = setting(
        "off",
        "'off', 'optional' or 'required'",
        "Whether clients are asked for a certificate of their own; one that is shown must be good.",
    )
    client_ca: Optional[str] = setting(
        None, "path", "PEM file with the authorities whose client certificates are good."
    )
    client_revocation_list: Optional[str] = setting(
        None,
        "path",
        "PEM file with revocation lists of those authorities; with it, each that issues needs one.",
    )


@dataclass(frozen=True)
class Limits:
    """``listen.limits``: how much one client, and all of them, may ask for.

    The defaults are above what any honest client was seen to need, and below what hurts: a script
    that asks as fast as it can gets 5,000 answers to READ per second; a page that shows 10,000
    variables has as many monitors, of 0.7 kB each; a browser sends 1 kB in 15 headers.  There is
    no limit on being idle: a panel whose values never change is no worse a client.
    """

    max_message_bytes: int = setting(
        1048576,
        "whole number",
        "Largest message taken from a client; a larger one closes the connection with 1009.",
        "bytes",
    )
    max_connections: int = setting(
        1000, "whole number", "Clients connected at the same time; one more is answered 503."
    )
    max_connections_per_address: int = setting(
        200,
        "whole number",
        "Clients connected from one address, or one /64 network of IPv6, at the same time; one "
        "more is answered 429; 0 means no limit of its own.",
    )
    exempt_addresses: Tuple[str, ...] = setting(
        ("127.0.0.0/8", "::1"),
        "list of text",
        "Addresses and networks without that limit: this machine, and perhaps a gateway behind "
        "which many clients are.",
    )
    max_handshakes: int = setting(
        1000,
        "whole number",
        "Connections that are no clients yet; for one more the oldest of the address with the "
        "most is closed.",
    )
    wrong_credentials: int = setting(
        10,
        "whole number",
        "Wrong credentials from one address before it has to wait and is answered 429; 0 means "
        "no limit.",
    )
    lockout_min_s: float = setting(
        1, "number", "First wait after that; each further wrong credential doubles it.", "s"
    )
    lockout_max_s: float = setting(
        300,
        "number",
        "Longest wait; also the time after which one wrong credential is forgiven.",
        "s",
    )
    max_header_bytes: int = setting(
        16384,
        "whole number",
        "Request line and headers of an HTTP request together; more is answered 431.",
        "bytes",
    )
    max_headers: int = setting(
        100, "whole number", "Headers of an HTTP request; more are answered 431."
    )
    max_depth: int = setting(
        200,
        "whole number",
        "How deep objects and arrays of a message may lie in one another; deeper is "
        "BadDecodingError.",
    )
    requests_per_second: float = setting(
        20000,
        "number",
        "Requests that one client may send on average, with bursts of one second's worth; past "
        "it BadTooManyOperations; 0 means no limit.",
        "1/s",
    )
    requests_in_flight: int = setting(
        64,
        "whole number",
        "Requests of one client that may await their response; past it the connection is not read.",
    )
    monitors: int = setting(
        20000,
        "whole number",
        "Monitors that one client may hold; one more is BadTooManyMonitoredItems.",
    )
    outbox_messages: int = setting(
        10000,
        "whole number",
        "Messages that may wait for one client; past it updates collapse to the latest.",
    )
    outbox_bytes: int = setting(
        8388608,
        "whole number",
        "Bytes that may wait for one client; past it updates collapse to the latest, and past it "
        "with responses alone the connection is not read. A response about several variables that "
        "would be larger is BadResponseTooLarge.",
        "bytes",
    )


@dataclass(frozen=True)
class Listen:
    """``listen``: one address where clients connect.  A list of them gives several."""

    host: str = setting(
        "127.0.0.1",
        "text",
        "Address or host name to listen on: 0.0.0.0 is every IPv4 address of the machine, "
        "'::' every IPv6 address.",
    )
    port: int = setting(
        8081, "whole number", "TCP port to listen on; 0 means any free port, named in the log."
    )
    scalars: str = setting(
        "typed",
        "'typed' or 'string'",
        "Dialect of the JSON scalars: 'typed' as in OPC UA Part 6, 'string' as ASNeG's server "
        "sends them.",
    )
    tls: Optional[TLS] = section(None, TLS, "Certificate and key; without them no TLS.")
    origins: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Origins of other web pages that may connect, such as https://hmi.example; '*' is any. "
        "Without the setting only pages that opcws served itself.",
    )
    trusted_proxies: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Addresses and networks of reverse proxies that tell whom they stand for; everybody "
        "else's word is ignored.",
    )
    forwarded_header: str = setting(
        "X-Forwarded-For",
        "'X-Forwarded-For' or 'Forwarded'",
        "Header in which those proxies tell the client's address; the other one is ignored.",
    )
    limits: Limits = section(Limits, Limits, "How much one client, and all, may ask for.")
    handshake_timeout_s: float = setting(
        10, "number", "Time for TLS and the opening handshake together.", "s"
    )
    ping_interval_s: float = setting(
        30, "number", "Time between pings to a client; 0 means none.", "s"
    )
    ping_timeout_s: float = setting(
        300,
        "number",
        "A client without a sign of life for this long is closed; 0 means never.",
        "s",
    )
    idle_timeout_s: float = setting(
        0,
        "number",
        "A client that sent no request and was sent no update for this long is closed; 0 means "
        "never.",
        "s",
    )
    send_timeout_s: float = setting(
        30,
        "number",
        "A client that takes less than 16 KiB in this time while more waits for it is closed with "
        "1008.",
        "s",
    )
    close_timeout_s: float = setting(
        2, "number", "Time for the closing handshake before the socket is closed.", "s"
    )


@dataclass(frozen=True)
class Security:
    """``servers.NAME.security``: how the secure channel is protected (OPC 10000-7 6.6)."""

    policy: str = setting(
        "None",
        "'None', 'Basic128Rsa15', 'Basic256', 'Basic256Sha256', 'Aes128_Sha256_RsaOaep' or "
        "'Aes256_Sha256_RsaPss'",
        "Security policy of the secure channel.",
    )
    mode: str = setting(
        "None", "'None', 'Sign' or 'SignAndEncrypt'", "Whether messages are signed, encrypted."
    )
    certificate: Optional[str] = setting(
        None,
        "path",
        "The certificate of opcws, PEM or DER, that the OPC UA server must trust; without it, "
        "the one in pki, which is made when it is missing.",
    )
    key: Optional[str] = setting(
        None, "path", "File, PEM or DER, with the private key of that certificate."
    )
    server_certificate: Optional[str] = setting(
        None,
        "path",
        "The one certificate, PEM or DER, that the OPC UA server must show; instead of the trust "
        "list in pki.",
    )
    pki: str = setting(
        "pki",
        "path",
        "Directory with trusted and rejected certificates, revocation lists and the certificate "
        "of opcws.",
    )
    check_host_name: bool = setting(
        True,
        "true or false",
        "Whether the server's certificate must name the host of the endpoint.",
    )
    check_validity: bool = setting(
        True, "true or false", "Whether the server's certificate must not have expired."
    )
    require_revocation_list: bool = setting(
        True,
        "true or false",
        "Whether a certificate counts only with a current revocation list of whoever issued it.",
    )
    allow_deprecated: bool = setting(
        False,
        "true or false",
        "Allow the broken policies Basic128Rsa15 and Basic256.",
    )


@dataclass(frozen=True)
class User:
    """``servers.NAME.user``: the user whom the session is for: ``name`` and exactly one of
    ``password``, ``password_env`` and ``password_file``; or ``certificate`` and ``key``."""

    name: Optional[str] = setting(
        None, "text", "User name that the OPC UA server knows, with one of the passwords."
    )
    password: Optional[str] = setting(
        None,
        "text",
        "The password itself; whoever reads the file has it, so prefer the other two.",
        repr=False,
    )
    password_env: Optional[str] = setting(
        None, "text", "Name of the environment variable that holds the password."
    )
    password_file: Optional[str] = setting(
        None, "path", "File that holds the password; a line end after it is not part of it."
    )
    allow_clear: bool = setting(
        False,
        "true or false",
        "Send the password in clear over an unencrypted channel if the server asks for that.",
    )
    certificate: Optional[str] = setting(
        None, "path", "X.509 certificate of the user, PEM or DER; instead of name and password."
    )
    key: Optional[str] = setting(
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

    absolute: Optional[float] = setting(
        None, "number", "Least change, in the unit of the value; 0 reports every change."
    )
    percent: Optional[float] = setting(
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
    node: NodeId = setting(
        REQUIRED,
        "NodeId",
        "The node: nsu=<namespace URI>; or nothing, then i=, s=, g= or b= and the identifier.",
    )
    node_text: str = ""
    type: int = setting(
        0,
        "name of a built-in type",
        "Built-in type of the value, such as Double; without it, as the OPC UA server says.",
    )
    is_array: Optional[bool] = setting(
        None,
        "true or false",
        "Whether the value is an array; without it, as the OPC UA server says.",
        key="array",
    )
    index_range: Optional[str] = setting(
        None,
        "index range",
        "One element, such as '2', or a range, such as '0:3', of the node's array; the value "
        "stays an array.",
    )
    access: str = setting(
        "read",
        "'read', 'readwrite' or 'write'",
        "What clients may do with the variable.",
    )
    metadata: Mapping[str, Any] = setting(
        {},
        "mapping",
        "Free content for clients: the MetaData of VALUEINFO.",
        hash=False,
    )
    description: Optional[str] = setting(
        None,
        "text",
        "What the variable is; without it, the node's Description.",
    )
    sampling_interval_ms: Optional[float] = setting(
        None,
        "number",
        "How often the OPC UA server samples the variable; -1 means as often as it publishes. "
        "Without it, the server's setting.",
        "ms",
    )
    queue_size: Optional[int] = setting(
        None,
        "whole number",
        "Values that the OPC UA server keeps between two publishes. Without it, the server's "
        "setting.",
    )
    discard_oldest: Optional[bool] = setting(
        None,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest or the newest. "
        "Without it, the server's setting.",
    )
    trigger: Optional[str] = setting(
        None,
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or "
        "SourceTimestamp. Without it, the server's setting.",
    )
    deadband: Optional[Deadband] = section(
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
class Browse:
    """``servers.NAME.browse``: variables that are looked for at every connection instead of being
    listed.  A list of them looks for several kinds."""

    under: str = setting(
        "i=85",
        "NodeId",
        "Where to begin, as in node; names begin below it. i=85 is the Objects folder.",
    )
    match: str = setting(
        "*",
        "pattern",
        "Which variables, by the way to them, such as Boiler.*; * is any text, ? any character, "
        "[ab] one of these.",
    )
    prefix: str = setting("", "text", "What stands before each name.")
    depth: int = setting(64, "whole number", "How many levels to go down.")
    access: str = setting(
        "read", "'read', 'readwrite' or 'write'", "What clients may do with these variables."
    )
    max_variables: int = setting(
        10000, "whole number", "Most variables that it may become; more are left out, and told."
    )


@dataclass(frozen=True)
class Server:
    """``servers.NAME``: one OPC UA server, or a redundant set of them that serve the same
    (OPC 10000-4 6.6.2), and what of it clients see.

    ``endpoint`` is the first of ``endpoints`` where these are given.
    """

    name: str
    endpoint: str = setting(
        "",
        "URL",
        "Address of the OPC UA server: opc.tcp://host:port[/path]. Exactly one of endpoint and "
        "endpoints is given.",
    )
    endpoints: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Addresses of the servers of a redundant set, of which the healthiest is used: the one "
        "with the highest ServiceLevel.",
    )
    required: bool = setting(
        True,
        "true or false",
        "Whether opcws counts as ready (/readyz) only while this server is connected.",
    )
    publishing_interval_ms: float = setting(
        100, "number", "How often the OPC UA server sends what has changed.", "ms"
    )
    sampling_interval_ms: float = setting(
        100,
        "number",
        "How often the OPC UA server samples a variable that does not say so itself; -1 means "
        "as often as it publishes.",
        "ms",
    )
    queue_size: int = setting(
        10,
        "whole number",
        "Values that the OPC UA server keeps between two publishes, for a variable that does "
        "not say so itself.",
    )
    discard_oldest: bool = setting(
        True,
        "true or false",
        "Which value gives way when more change than queue_size: the oldest, or the newest.",
    )
    trigger: str = setting(
        "value",
        "'status', 'value' or 'timestamp'",
        "What is a change: of the status; of status or value; of status, value or SourceTimestamp.",
    )
    deadband: Optional[Deadband] = section(
        None, Deadband, "How much a number must change, for a variable that does not say so itself."
    )
    retry_interval_ms: float = setting(
        30000,
        "number",
        "How often a variable that the OPC UA server refuses is asked for again.",
        "ms",
    )
    request_timeout_ms: float = setting(
        5000, "number", "Time for a read, a write or a change of monitoring.", "ms"
    )
    max_nodes_per_call: int = setting(
        1000,
        "whole number",
        "Nodes in one service call at most; where the OPC UA server states a lower limit, that.",
    )
    history_timeout_ms: float = setting(
        30000, "number", "Time for a read of history or a browse.", "ms"
    )
    history_max_values: int = setting(
        10000, "whole number", "Values in one response to HISTORICALREAD at most."
    )
    history_continuation_s: float = setting(
        60,
        "number",
        "Time in which the next page of a HISTORICALREAD must be asked for.",
        "s",
    )
    connect_timeout_ms: float = setting(
        5000, "number", "Time for connection, secure channel and session together.", "ms"
    )
    heartbeat_interval_ms: float = setting(
        5000, "number", "How often the connection is tried while nothing arrives by it.", "ms"
    )
    reconnect_min_ms: float = setting(
        500, "number", "Pause before the first attempt to connect again.", "ms"
    )
    reconnect_max_ms: float = setting(
        3000, "number", "Longest pause between attempts; it doubles until there.", "ms"
    )
    application_uri: str = setting(
        "urn:opcws",
        "text",
        "ApplicationUri of opcws; the certificate of opcws must contain the same.",
    )
    security: Security = section(Security, Security, "How the secure channel is protected.")
    user: Optional[User] = section(None, User, "Whom the session is for; without it, anonymous.")
    browse: Tuple[Browse, ...] = field(
        default=(),
        metadata={
            "section": Browse,
            "doc": "Variables that are looked for at every connection: one mapping, or a list of "
            "them.",
        },
    )
    variables: Mapping[str, Variable] = field(
        default_factory=dict,
        hash=False,
        metadata={
            "items": Variable,
            "doc": "The variables by the names that clients use; a name is used once in all.",
        },
    )


#: The role of clients that show no credential.
ANONYMOUS = "anonymous"


@dataclass(frozen=True)
class RoleLimits:
    """``roles.NAME.limits``: what takes the place of the listener's limits for this role."""

    requests_per_second: Optional[float] = setting(
        None,
        "number",
        "Requests that one client of the role may send on average; 0 means no limit. Without it, "
        "as listen.limits says.",
        "1/s",
    )
    monitors: Optional[int] = setting(
        None,
        "whole number",
        "Monitors that one client of the role may hold. Without it, as listen.limits says.",
    )


@dataclass(frozen=True)
class Permissions:
    """``roles.NAME``: what a client of this role may do; never more than ``access`` of each
    variable allows.  The word ``off`` stands for nothing, ``read`` for reading every variable."""

    read: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Patterns of the variables that it may read and monitor; * is any text, ? any character, "
        "[ab] one of these.",
    )
    write: Tuple[str, ...] = setting(
        (), "list of text", "Patterns of the variables that it may write."
    )
    history: bool = setting(
        False, "true or false", "Whether it may read the past of the variables that it may read."
    )
    endpoints: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Which of healthz, readyz, metrics and status it may get over HTTP.",
    )
    certificates: Tuple[str, ...] = setting(
        (),
        "list of text",
        "Client certificates that have the role: CN=name, or sha256: and the fingerprint.",
    )
    limits: RoleLimits = section(
        RoleLimits, RoleLimits, "What takes the place of the listener's limits for this role."
    )


#: A role in one word, and what it stands for.
SHORTHANDS: Mapping[str, Permissions] = {"off": Permissions(), "read": Permissions(read=("*",))}


@dataclass(frozen=True)
class Log:
    """``log``: what is told, where and how; the command line's options override it."""

    level: str = setting(
        "info", "'debug', 'info', 'warning' or 'error'", "Least severity that is logged."
    )
    file: Optional[str] = setting(None, "path", "File to log to; without it, standard error.")
    format: str = setting(
        "text", "'text' or 'json'", "Lines for people, or one JSON object per line."
    )
    max_bytes: int = setting(
        10485760,
        "whole number",
        "Size at which the file is renamed and a new one begun; 0 means never.",
        "bytes",
    )
    backups: int = setting(5, "whole number", "Renamed files that are kept.")


@dataclass(frozen=True)
class Process:
    """``process``: how the operating system runs opcws."""

    cpu_affinity: Union[str, int] = setting(
        "auto",
        "'auto', 'off' or whole number",
        "The CPU that opcws is held to: a number from 0, or 'auto' for one that others leave free, "
        "looked for again and again.",
    )


@dataclass(frozen=True)
class Audit:
    """``audit``: the record of every write, and of every refused one."""

    file: str = setting(REQUIRED, "path", "File to which the lines are appended, one per event.")
    required: bool = setting(
        True,
        "true or false",
        "Refuse writes while the file cannot be written; if false, they go on unrecorded.",
    )
    max_bytes: int = setting(
        10485760,
        "whole number",
        "Size at which the file is renamed and a new one begun; 0 means never.",
        "bytes",
    )
    backups: int = setting(10, "whole number", "Renamed files that are kept.")
    sync: bool = setting(
        False,
        "true or false",
        "Wait until the disk has a line (fsync), so that a power cut does not take it.",
    )
    timeout_s: float = setting(
        2, "number", "How long a write waits for its line before it is refused.", "s"
    )


@dataclass(frozen=True)
class Reload:
    """``reload``: when the file is read again while opcws serves; on SIGHUP and at ``opcws
    reload`` it always is."""

    on_change: bool = setting(
        False, "true or false", "Read the file again by itself when it has changed."
    )
    interval_s: float = setting(
        2,
        "number",
        "How often on_change looks; a change counts once the file has stayed the same for that "
        "long.",
        "s",
    )


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
    roles: Optional[Mapping[str, Permissions]] = field(
        default=None,
        hash=False,
        metadata={
            "items": Permissions,
            "doc": "Who may do what, by role; 'anonymous' is the role of clients that show no "
            "credential. Without the section everyone may do what each variable allows.",
        },
    )
    credentials: str = setting(
        "credentials.json",
        "path",
        "File with the tokens and users that 'opcws token' and 'opcws user' make.",
    )
    log: Log = section(Log, Log, "What is logged, where and how.")
    audit: Optional[Audit] = section(
        None, Audit, "The record of every write; without the section there is none."
    )
    process: Process = section(Process, Process, "How the operating system runs opcws.")
    reload: Reload = section(Reload, Reload, "When the file is read again.")
    state_dir: str = setting(
        "state",
        "path",
        "Directory for what a running opcws leaves there: how 'opcws reload' reaches it. Only its "
        "user may read it.",
    )
    path: Optional[str] = None
    warnings: Tuple[str, ...] = ()

    @functools.cached_property
    def variables(self) -> Mapping[str, Variable]:
        """Every variable of every server by name."""
        return MappingProxyType(
            {v.name: v for server in self.servers.values() for v in server.variables.values()}
        )


def settings() -> List[Setting]:
    """Every setting, in the order in which the dataclasses have them."""
    return settings_of(Config)


def settings_table_rst() -> str:
    """The table of settings as reStructuredText, as ``docs/pages/settings.rst`` has it."""
    return table_rst(settings())
