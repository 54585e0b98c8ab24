"""A configuration file in, frozen dataclasses out; the one table of settings, defaults, units.

The file is YAML or JSON (which is YAML), UTF-8.  What it may contain is said twice, and a test
holds the two together: by the dataclasses below (defaults, units, what a setting is for) and
by ``schemas/config.schema.json`` (types and limits, for editors and other languages).

Rules of this module:

* Every problem is found in one go; each is one line ``file:line: path: what is wrong; what
  would be right``.
* A scalar means what the YAML 1.2 core schema says, so that ``on``, ``yes``, ``1:30`` and
  ``2026-11-22`` are text; a key is always text, as it is written.
* Aliases and merge keys are refused: nine lines of them can stand for gigabytes.
* fastjsonschema decides whether the file is good, which 10,000 variables need; jsonschema is
  asked only to explain what is not.

Pure: opens the file it is given, and the files that hold passwords when asked for one.
"""

import dataclasses
import difflib
import functools
import ipaddress
import json
import math
import os
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import (
    Any,
    Callable,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    NoReturn,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)
from urllib.parse import urlsplit

import fastjsonschema
import jsonschema
import yaml

from . import contract
from .datatypes import TYPE_IDS, NodeId, parse_node_id
from .errors import ConfigError

#: Largest configuration that is read, in bytes; 10,000 variables take about one megabyte.
MAX_FILE_BYTES = 64 * 1024 * 1024

# Deeper than any setting, metadata trees included; what comes after may recurse.
_MAX_DEPTH = 100

_SCHEMA_FILE = "config.schema.json"
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
        "A client that sends no request for this long is closed; 0 means never.",
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
        None, "path", "The certificate of opcws, PEM or DER, that the OPC UA server must trust."
    )
    key: Optional[str] = _setting(None, "path", "PEM file with the certificate's private key.")
    server_certificate: Optional[str] = _setting(
        None, "path", "The one certificate, PEM or DER, that the OPC UA server must show."
    )


@dataclass(frozen=True)
class User:
    """``servers.NAME.user``: the user whom the session is for.  Exactly one of ``password``,
    ``password_env`` and ``password_file`` is given."""

    name: str = _setting(_REQUIRED, "text", "User name that the OPC UA server knows.")
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
                    % (self.password_file, self.name, _os_reason(error))
                ]
            ) from None
        return text[:-1] if text.endswith("\n") else text


@dataclass(frozen=True)
class Variable:
    """``servers.NAME.variables.NAME``: one variable as clients see it.

    ``node_text`` is the NodeId as the file has it; ``type`` the id of a built-in type or 0 for
    unknown; ``is_array`` ``None`` for unknown; ``sampling_interval_ms`` and ``queue_size``
    ``None`` for the server's default.
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
    """``servers.NAME``: one OPC UA server and what of it clients see."""

    name: str
    endpoint: str = _setting(
        _REQUIRED, "URL", "Address of the OPC UA server: opc.tcp://host:port[/path]."
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
    request_timeout_ms: float = _setting(
        5000, "number", "Time for a read, a write or a change of monitoring.", "ms"
    )
    history_timeout_ms: float = _setting(
        30000, "number", "Time for a read of history or a browse.", "ms"
    )
    history_max_values: int = _setting(
        10000, "whole number", "Values in one response to HISTORICALREAD at most."
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


# -- entry points ---------------------------------------------------------------------------


def load(path: Union[str, "os.PathLike[str]"]) -> Config:
    """The configuration in the file *path*; relative paths in it are relative to its directory.

    Raises :exc:`ConfigError` with every problem, also for a file that cannot be read.
    """
    name = os.fspath(path)
    try:
        with open(name, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        raise ConfigError(["%s: is a directory; expected the file itself" % name]) from None
    except FileNotFoundError:
        raise ConfigError(
            [
                "%s: there is no such file; give the path of a configuration file, or write a "
                "first one with 'opcws demo --write-config %s'" % (name, name)
            ]
        ) from None
    except (OSError, ValueError) as error:
        # Windows reports a directory as "permission denied".
        if os.path.isdir(name):
            reason = "is a directory; expected the file itself"
        else:
            reason = "cannot be read: %s; check the path and the permissions" % _os_reason(error)
        raise ConfigError(["%s: %s" % (name, reason)]) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            [
                "%s: is over %d bytes; expected a configuration file, not data"
                % (name, MAX_FILE_BYTES)
            ]
        )
    directory = os.path.dirname(os.path.abspath(name))
    return _load(_decode(raw, name), name, directory, name)


def loads(text: str, name: str = "<config>", directory: Optional[str] = None) -> Config:
    """The configuration that *text* writes.  *name* stands for the file in messages; relative
    paths are taken from *directory*, or stay as they are.

    Raises :exc:`ConfigError` with every problem.
    """
    return _load(text, name, directory, None)


@functools.lru_cache(maxsize=1)
def _validators() -> Tuple[Callable[[Any], Any], Any]:
    schema = contract.document(_SCHEMA_FILE)
    return fastjsonschema.compile(schema), jsonschema.Draft7Validator(schema)


def _load(text: str, name: str, directory: Optional[str], path: Optional[str]) -> Config:
    document = _Document(text, name)
    data = document.data
    decide, explain = _validators()
    if not document.empty:
        try:
            decide(data)
        except fastjsonschema.JsonSchemaException as refused:
            for error in explain.iter_errors(data):
                _explain(error, document)
            if not document.problems:  # the two differ about a line end after a text
                document.problem((), str(refused))
    if isinstance(data, dict):
        _Semantics(document, directory).check(data)
    if document.problems:
        raise ConfigError(document.sorted_problems())
    return _build(data, directory, path, tuple(document.sorted_warnings()))


# -- bytes to text --------------------------------------------------------------------------

_NOT_YAML = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _decode(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(["%s:1: is UTF-16; save it as UTF-8" % name])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            [
                "%s:%d: the byte 0x%02x is not UTF-8 text; save the file as UTF-8"
                % (name, line, raw[error.start])
            ]
        ) from None


def _os_reason(error: Exception) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


# -- text to data ---------------------------------------------------------------------------

_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"

# The YAML 1.2 core schema (10.3.2), less .inf and .nan, which JSON does not have.
_PLAIN = re.compile(
    r"(?P<null>~|null|Null|NULL|)"
    r"|(?P<true>true|True|TRUE)"
    r"|(?P<false>false|False|FALSE)"
    r"|(?P<int>[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
)
_TAG_GROUPS = {
    "null": ("null",),
    "bool": ("true", "false"),
    "int": ("int",),
    "float": ("int", "float"),
}

Step = Union[str, int]
Path = Tuple[Step, ...]


class _Document:
    """The text as data, with the way back from a path in the data to a line of the text.

    Collects problems and warnings; reading stops only at what is not YAML.  Works on the
    parser's events instead of a tree of nodes, since that needs no recursion (the YAML
    library's own overruns the C stack), sees an alias where it stands, and is faster.
    """

    def __init__(self, text: str, name: str) -> None:
        self.name = name
        self.empty = True
        self.problems: Set[Tuple[int, str]] = set()
        self.warnings: Set[Tuple[int, str]] = set()
        self._text = text[1:] if text.startswith("\ufeff") else text
        # By identity of a mapping or list in the data: the lines of its keys or items.
        self._lines: Dict[int, Dict[Step, int]] = {}
        self._first_line = 1
        self.data: Any = None
        self._parse()
        if self.empty:
            self.problem_at(1, (), "the file is empty; expected at least 'servers'")

    def sorted_problems(self) -> List[str]:
        return [text for _, text in sorted(self.problems)]

    def sorted_warnings(self) -> List[str]:
        return [text for _, text in sorted(self.warnings)]

    def problem(self, path: Sequence[Step], text: str) -> None:
        self.problem_at(self.line(path), path, text)

    def problem_at(self, line: int, path: Sequence[Step], text: str) -> None:
        self.problems.add((line, self._sentence(line, path, text)))

    def warn(self, path: Sequence[Step], text: str) -> None:
        line = self.line(path)
        self.warnings.add((line, self._sentence(line, path, text)))

    def _sentence(self, line: int, path: Sequence[Step], text: str) -> str:
        where = "%s:%d: " % (self.name, line)
        return where + (_path_text(path) + ": " if path else "") + text

    def line(self, path: Sequence[Step]) -> int:
        """The line, from 1, of the key or item that *path* leads to, or of the nearest one
        around it."""
        line, data = self._first_line, self.data
        for step in path:
            # Every mapping and list that is alive is registered; the identity of anything
            # else may be that of one that a duplicate key replaced.
            lines = self._lines.get(id(data)) if isinstance(data, (dict, list)) else None
            if lines is None or step not in lines:
                break
            line, data = lines[step], data[step]
        return line

    def _stop(self, line: int, text: str) -> NoReturn:
        self.problem_at(line, (), text)
        raise ConfigError(self.sorted_problems())

    def _parse(self) -> None:
        text = self._text
        bad = _NOT_YAML.search(text)
        if bad is not None:
            line = text.count("\n", 0, bad.start()) + 1
            self._stop(
                line,
                "the character U+%04X does not belong in a text file; is this a "
                "YAML or JSON file?" % ord(bad.group()),
            )
        if text.lstrip().startswith("{"):
            text = _join_surrogates(text)
        try:
            self._read(yaml.parse(text, Loader=_SafeLoader))
        except yaml.MarkedYAMLError as error:
            mark = error.problem_mark or error.context_mark
            line = mark.line + 1 if mark is not None else 1
            self._stop(line, "is not YAML: " + self._yaml_reason(error, line))
        except yaml.YAMLError as error:
            self._stop(1, "is not YAML: %s; is this a YAML or JSON file?" % error)

    def _yaml_reason(self, error: yaml.MarkedYAMLError, line: int) -> str:
        reason = ", ".join(part for part in (error.context, error.problem) if part)
        lines = self._text.splitlines()
        if line <= len(lines) and re.match(r" *\t", lines[line - 1]):
            return reason + "; indent with spaces, not with tabs"
        if "escape" in reason:
            return reason + "; in double quotes write \\\\ for \\, or use single quotes"
        if "alias" in reason:
            return reason + "; in YAML a word that begins with '*' needs quotes"
        if "cannot start any token" in reason:
            return reason + "; a text that begins with @, ` or % needs quotes"
        return reason + "; check indentation, colons and quotes here and in the line before"

    def _read(self, events: Iterable[Any]) -> None:
        # Containers that are open, innermost last; beside each mapping its current key, beside
        # each list nothing.  A key of None means that the next scalar is a key.
        stack: List[Any] = []
        keys: List[Optional[str]] = []
        for event in events:
            kind = type(event)
            if kind is yaml.ScalarEvent:
                if stack and type(stack[-1]) is dict and keys[-1] is None:
                    keys[-1] = self._key(event, stack, keys)
                    continue
                value = self._scalar(event, stack, keys)
            elif kind is yaml.MappingStartEvent or kind is yaml.SequenceStartEvent:
                value = {} if kind is yaml.MappingStartEvent else []
                if event.tag not in (None, "!", _TAG + "map", _TAG + "seq"):
                    self._tag(event, stack, keys)
            elif kind is yaml.MappingEndEvent or kind is yaml.SequenceEndEvent:
                stack.pop()
                keys.pop()
                if keys:
                    keys[-1] = None
                continue
            elif kind is yaml.AliasEvent:
                self._stop(
                    _line(event),
                    "YAML aliases (*name) are not taken; write the value "
                    "out, or quote a text that begins with '*'",
                )
            elif kind is yaml.DocumentStartEvent and not self.empty:
                self._stop(_line(event), "a second document begins; remove the '---'")
            else:
                continue
            line = _line(event)
            if not stack:
                self.empty = False
                self.data, self._first_line = value, line
            else:
                parent = stack[-1]
                if type(parent) is dict:
                    step = keys[-1]
                    if step is None:
                        self._stop(
                            line,
                            "a key is a list or a mapping; expected text (quote "
                            "it if it begins with [ or {)",
                        )
                    parent[step] = value
                    if kind is yaml.ScalarEvent:
                        keys[-1] = None
                else:
                    self._lines[id(parent)][len(parent)] = line
                    parent.append(value)
            if kind is not yaml.ScalarEvent:
                if len(stack) >= _MAX_DEPTH:
                    self._stop(line, "is nested over %d levels deep; expected fewer" % _MAX_DEPTH)
                stack.append(value)
                keys.append(None)
                self._lines[id(value)] = {}
        if self.data is None and not self._text.strip():
            self.empty = True

    def _key(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> str:
        key: str = event.value
        line = _line(event)
        lines = self._lines[id(stack[-1])]
        if key in lines:
            self.problem_at(
                line,
                _open_path(stack, keys) + (key,),
                "is there twice, first in line %d; remove or rename one" % lines[key],
            )
        else:
            lines[key] = line
        return key

    def _scalar(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> Any:
        text: str = event.value
        tag = event.tag
        if tag is None:
            if not event.implicit[0]:
                return text  # quoted, or a block
        elif tag in ("!", _TAG + "str"):
            return text
        match = _PLAIN.fullmatch(text)
        if tag is not None:
            groups = _TAG_GROUPS.get(tag[len(_TAG) :] if tag.startswith(_TAG) else "")
            if groups is None or match is None or match.lastgroup not in groups:
                self._tag(event, stack, keys)
                return text
        if match is None:
            return text
        group = match.lastgroup
        if group == "null":
            return None
        if group == "true" or group == "false":
            return group == "true"
        try:
            if group == "int" and tag != _TAG + "float":
                return int(text, {"0o": 8, "0x": 16}.get(text[:2], 10))
            value = float(text)
        except ValueError:  # more digits than Python converts
            value = math.inf
        if not math.isfinite(value):
            self.problem_at(
                _line(event),
                _open_path(stack, keys),
                "%s is too large; expected a "
                "number in the range of a Double, or quotes" % _shown(text),
            )
        return value

    def _tag(self, event: Any, stack: List[Any], keys: List[Optional[str]]) -> None:
        tag = event.tag.replace(_TAG, "!!")
        self.problem_at(
            _line(event), _open_path(stack, keys), "the tag %s does not fit here; remove it" % tag
        )


def _open_path(stack: Sequence[Any], keys: Sequence[Optional[str]]) -> Path:
    """The path of what is being read: the current key or index of every open container."""
    path: List[Step] = []
    for container, key in zip(stack, keys):
        if isinstance(container, list):
            # Only the innermost list has not got its current item yet.
            path.append(len(container) - (container is not stack[-1]))
        elif key is not None:
            path.append(key)
    return tuple(path)


def _line(event: Any) -> int:
    return int(event.start_mark.line) + 1


def _join_surrogates(text: str) -> str:
    # JSON writes a character beyond U+FFFF as two escapes, which YAML does not know.
    return re.sub(
        r"\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})",
        lambda match: chr(
            0x10000 + ((int(match[1], 16) - 0xD800) << 10) + int(match[2], 16) - 0xDC00
        ),
        text,
    )


def _path_text(path: Sequence[Step]) -> str:
    text = ""
    for step in path:
        if isinstance(step, int):
            text += "[%d]" % step
        elif re.fullmatch(r"[\w-]+", step):
            text += ("." if text else "") + step
        else:
            text += "[%s]" % _shown(step)
    return text


def _shown(value: Any) -> str:
    """*value* as a person would recognise it in the file, and no longer than a line."""
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list):
        return "a list"
    if value is None:
        return "nothing"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:77] + "..."


# -- what the schema finds ------------------------------------------------------------------

_TYPES = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "object": "a mapping",
    "array": "a list",
}


def _explain(error: Any, document: _Document) -> None:
    path: List[Step] = list(error.absolute_path)
    rule, limit, value = error.validator, error.validator_value, error.instance
    unit = re.search(r"Unit: ([^.]+)\.", error.schema.get("description", ""))
    suffix = " " + unit.group(1) if unit else ""
    if "propertyNames" in error.absolute_schema_path:
        document.problem(
            path + [value],
            "the name %s cannot be used; expected 1 to 256 characters, none of them a control "
            "character" % _shown(value),
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
    elif rule == "type":
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
        document.problem(path, "expected %s, got %s%s" % (expected, _shown(value), hint))
    elif rule == "enum" and isinstance(value, str):
        choices = ", ".join(map(str, limit))
        near = difflib.get_close_matches(str(value), limit, 1)
        if not near:
            near = [each for each in limit if str(value).lower() == each.lower()]
        hint = "; did you mean %s?" % near[0] if near else ""
        document.problem(path, "expected one of %s, got %s%s" % (choices, _shown(value), hint))
    elif rule in ("minimum", "exclusiveMinimum", "maximum"):
        words = {"minimum": "at least", "exclusiveMinimum": "more than", "maximum": "at most"}
        document.problem(
            path, "expected %s %s%s, got %s" % (words[rule], limit, suffix, _shown(value))
        )
    elif rule in ("minProperties", "minItems", "minLength"):
        document.problem(
            path,
            "is empty; expected at least one %s"
            % {"minProperties": "entry", "minItems": "item", "minLength": "character"}[rule],
        )
    elif rule == "pattern":
        such = " or ".join(error.schema.get("examples", ()))
        document.problem(
            path,
            "expected %s, such as %s, got %s"
            % (error.schema.get("title", "text"), such, _shown(value)),
        )
    elif rule == "oneOf":
        document.problem(path, "expected exactly one of password, password_env and password_file")
    elif rule != "enum":  # of another type than text: told by the rule for the type
        document.problem(path, error.message)


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


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to *host*."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.split("%")[0]).is_loopback
    except ValueError:
        return False


class _Semantics:
    """Checks that need code.  It sees the data before they are known to match the schema, so
    that all problems come at once, and passes over whatever the schema refuses."""

    def __init__(self, document: _Document, directory: Optional[str]) -> None:
        self._document = document
        self._problem = document.problem
        self._warn = document.warn
        self._directory = directory
        self._owners: Dict[str, Path] = {}

    def check(self, data: Dict[str, Any]) -> None:
        listen = data.get("listen")
        addresses: Dict[Tuple[str, int], Path] = {}
        if isinstance(listen, dict):
            self._listen(listen, ("listen",), addresses)
        elif isinstance(listen, list):
            for index, each in enumerate(listen):
                if isinstance(each, dict):
                    self._listen(each, ("listen", index), addresses)
        servers = data.get("servers")
        if isinstance(servers, dict):
            for name, server in servers.items():
                if isinstance(server, dict):
                    self._server(server, ("servers", name))

    def _listen(
        self, listen: Dict[str, Any], path: Path, addresses: Dict[Tuple[str, int], Path]
    ) -> None:
        host, port = listen.get("host", Listen.host), listen.get("port", Listen.port)
        if isinstance(host, str) and isinstance(port, int) and not isinstance(port, bool):
            if port and (host, port) in addresses:
                self._problem(
                    path,
                    "%s already listens on %s port %d; give this one another "
                    "port" % (_path_text(addresses[host, port]), host, port),
                )
            addresses.setdefault((host, port), path)
            if not is_loopback(host) and not listen.get("tls"):
                self._warn(
                    path,
                    "everyone who can reach %s port %d may connect, and nothing is "
                    "encrypted; set 'tls', or 'host: 127.0.0.1'" % (host, port),
                )
        origins = listen.get("origins")
        if isinstance(origins, list) and "*" in origins:
            self._warn(
                path + ("origins",),
                "'*' lets any web page that a user of this network "
                "opens read and write here; list the pages' origins instead",
            )
        self._files(listen.get("tls"), path + ("tls",), ("certificate", "key"))
        interval = listen.get("ping_interval_s", Listen.ping_interval_s)
        timeout = listen.get("ping_timeout_s", Listen.ping_timeout_s)
        if _numbers(interval, timeout) and 0 < timeout <= interval:
            self._problem(
                path + ("ping_timeout_s",),
                "%s s is no longer than ping_interval_s, "
                "%s s; expected at least twice as long" % (timeout, interval),
            )

    def _server(self, server: Dict[str, Any], path: Path) -> None:
        endpoint = server.get("endpoint")
        if isinstance(endpoint, str):
            reason = endpoint_problem(endpoint)
            if reason:
                self._problem(path + ("endpoint",), reason)
        low = server.get("reconnect_min_ms", Server.reconnect_min_ms)
        high = server.get("reconnect_max_ms", Server.reconnect_max_ms)
        if _numbers(low, high) and low > high:
            self._problem(
                path,
                "reconnect_min_ms (%s) is over reconnect_max_ms (%s); expected "
                "it to be at most that" % (low, high),
            )
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
        if not variables and (variables is None or isinstance(variables, dict)):
            self._warn(
                path,
                "no variables, so clients see nothing of this server; add some under 'variables'",
            )

    def _security(self, security: Dict[str, Any], path: Path) -> bool:
        policy = security.get("policy", Security.policy)
        mode = security.get("mode", Security.mode)
        if (policy == "None") != (mode == "None"):
            self._problem(
                path,
                "policy %s does not go with mode %s; expected both to be None "
                "or neither" % (_shown(policy), _shown(mode)),
            )
        if policy in ("Basic128Rsa15", "Basic256"):
            self._warn(
                path + ("policy",),
                "%s is broken and deprecated (OPC 10000-7); use "
                "Basic256Sha256 if the server offers it" % policy,
            )
        if ("certificate" in security) != ("key" in security):
            self._problem(path, "certificate and key belong together; expected both or neither")
        self._files(security, path, ("certificate", "key", "server_certificate"))
        return bool(mode == "SignAndEncrypt")

    def _user(self, user: Dict[str, Any], path: Path, encrypted: bool) -> None:
        if "password" in user:
            self._warn(
                path + ("password",),
                "the password stands in the file; keep it in the "
                "environment (password_env) or in a file of its own (password_file)",
            )
        if user.get("allow_clear") is True and not encrypted:
            self._warn(
                path + ("allow_clear",),
                "the password may be sent in clear over the "
                "network; set 'security' if the server offers any",
            )
        self._files(user, path, ("password_file",))

    def _files(self, section: Any, path: Path, keys: Sequence[str]) -> None:
        if self._directory is None or not isinstance(section, dict):
            return
        for key in keys:
            name = section.get(key)
            if isinstance(name, str) and "\0" not in name:
                full = os.path.join(self._directory, name)
                if not os.path.isfile(full):
                    self._warn(path + (key,), "there is no file %s; put it there" % full)

    def _variables(self, variables: Dict[str, Any], path: Path) -> None:
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
            node = variable.get("node") if isinstance(variable, dict) else None
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
            elif node_id.identifier == 0 and node_id.namespace == 0:
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


def _numbers(*values: Any) -> bool:
    return all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in values)


def endpoint_problem(endpoint: str) -> str:
    """What is wrong with the URL of an OPC UA server, and what would be right; ``""`` if it
    is good."""
    right = "; expected opc.tcp://host:port, such as opc.tcp://192.168.0.10:4840"
    try:
        parts = urlsplit(endpoint)
        port = parts.port
    except ValueError as error:
        return "%s is no URL: %s%s" % (_shown(endpoint), error, right)
    if parts.scheme != "opc.tcp":
        return "%s does not begin with opc.tcp://%s" % (_shown(endpoint), right)
    if re.search(r"\s", endpoint) or not parts.hostname:
        return "%s names no host%s" % (_shown(endpoint), right)
    if not port:
        return "%s names no port%s" % (_shown(endpoint), right)
    if parts.username is not None or parts.password is not None:
        return "a user does not belong in the URL; expected a 'user' section beside 'endpoint'"
    if parts.query or parts.fragment:
        return "%s has a query or a fragment%s" % (_shown(endpoint), right)
    return ""


# -- data to dataclasses --------------------------------------------------------------------

_INTEGERS = frozenset(
    (section, each.name)
    for section in (Limits, Listen, Server, Variable, Log)
    for each in dataclasses.fields(section)
    if each.metadata.get("kind") == "whole number"
)


def _build(
    data: Dict[str, Any], directory: Optional[str], path: Optional[str], warnings: Tuple[str, ...]
) -> Config:
    """The dataclasses of *data*, which are known to be good."""

    def make(section: Any, values: Mapping[str, Any], *paths: str, **more: Any) -> Any:
        arguments = dict(values)
        for key in paths:
            if key in arguments and directory is not None:
                arguments[key] = os.path.join(directory, arguments[key])
        for key, value in arguments.items():
            # JSON Schema counts 10.0 as a whole number.
            if isinstance(value, float) and (section, key) in _INTEGERS:
                arguments[key] = int(value)
        arguments.update(more)
        return section(**arguments)

    def make_listen(values: Mapping[str, Any]) -> Listen:
        more: Dict[str, Any] = {}
        if "tls" in values:
            more["tls"] = make(TLS, values["tls"], "certificate", "key")
        if "limits" in values:
            more["limits"] = make(Limits, values["limits"])
        if "origins" in values:
            more["origins"] = tuple(values["origins"])
        listen: Listen = make(Listen, values, **more)
        return listen

    def make_variable(name: str, server: str, values: Mapping[str, Any]) -> Variable:
        arguments = dict(values)
        text = arguments["node"]
        if "array" in arguments:
            arguments["is_array"] = arguments.pop("array")
        variable: Variable = make(
            Variable,
            arguments,
            name=name,
            server=server,
            node=parse_node_id(text),
            node_text=text,
            type=TYPE_IDS[arguments["type"]] if "type" in arguments else 0,
        )
        return variable

    def make_server(name: str, values: Mapping[str, Any]) -> Server:
        more: Dict[str, Any] = {}
        if "security" in values:
            more["security"] = make(
                Security, values["security"], "certificate", "key", "server_certificate"
            )
        if "user" in values:
            more["user"] = make(User, values["user"], "password_file")
        more["variables"] = MappingProxyType(
            {
                variable: make_variable(variable, name, each)
                for variable, each in values.get("variables", {}).items()
            }
        )
        server: Server = make(Server, values, name=name, **more)
        return server

    listen = data.get("listen", {})
    return Config(
        listen=tuple(map(make_listen, listen if isinstance(listen, list) else [listen])),
        servers=MappingProxyType(
            {name: make_server(name, each) for name, each in data["servers"].items()}
        ),
        log=make(Log, data.get("log", {}), "file"),
        path=path,
        warnings=warnings,
    )
