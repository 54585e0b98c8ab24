"""A configuration file in, frozen dataclasses out.

The file is YAML or JSON (which is YAML), UTF-8.  What it may contain say
:mod:`opcws.config.settings` and ``schemas/config.schema.json``;
:mod:`opcws.config.yaml_document` reads it, :mod:`opcws.config.check` finds what is wrong with it.

Every problem is found in one go; each is one line ``file:line: path: what is wrong; what would
be right``.

Pure: opens the file it is given, and the files that hold passwords when asked for one.
"""

import dataclasses
import os
from types import MappingProxyType
from typing import Any, Dict, Mapping, Optional, Tuple, Union

from ..model.data_types import TYPE_IDS, parse_node_id
from ..model.errors import ConfigError
from ..model.text import word
from .check import check
from .settings import (
    SHORTHANDS,
    TLS,
    Audit,
    Browse,
    Config,
    Deadband,
    Limits,
    Listen,
    Log,
    Permissions,
    Process,
    Reload,
    RoleLimits,
    Security,
    Server,
    User,
    Variable,
)
from .yaml_document import Document

#: Largest configuration that is read, in bytes; 10,000 variables take about one megabyte.
MAX_FILE_BYTES = 64 * 1024 * 1024


def load(path: Union[str, "os.PathLike[str]"]) -> Config:
    """The configuration in the file *path*; relative paths in it are relative to its directory.

    Raises :exc:`ConfigError` with every problem, also for a file that cannot be read.
    """
    name = os.fspath(path)
    directory = os.path.dirname(os.path.abspath(name))
    return _load(read_text(name), name, directory, name)


def read_text(name: str) -> str:
    """The text of the configuration file *name*, with its byte order mark if it has one.

    Raises :exc:`ConfigError` for a file that cannot be read.
    """
    try:
        with open(name, "rb") as file:
            raw = file.read(MAX_FILE_BYTES + 1)
    except IsADirectoryError:
        raise ConfigError(["%s: is a directory; expected the file itself" % name]) from None
    except FileNotFoundError:
        raise ConfigError(
            [
                "%s: there is no such file; give the path of a configuration file, or make a "
                "first one with 'opcws init --output %s'" % (name, word(name))
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
    return _decode(raw, name)


def loads(text: str, name: str = "<config>", directory: Optional[str] = None) -> Config:
    """The configuration that *text* writes.  *name* stands for the file in messages; relative
    paths are taken from *directory*, or stay as they are.

    Raises :exc:`ConfigError` with every problem.
    """
    return _load(text, name, directory, None)


def _load(text: str, name: str, directory: Optional[str], path: Optional[str]) -> Config:
    document = Document(text, name)
    check(document, directory)
    if document.problems:
        raise ConfigError(document.sorted_problems())
    return _build(document.data, directory, path, tuple(document.sorted_warnings()))


def _decode(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError(["%s:1: is UTF-16; save it as UTF-8" % name])
    try:
        return raw.decode("utf-8")
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


# -- data to dataclasses --------------------------------------------------------------------

_INTEGERS = frozenset(
    (section, each.name)
    for section in (Limits, Listen, Server, Browse, Variable, Log, Audit, RoleLimits)
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
            more["tls"] = make(
                TLS,
                values["tls"],
                *("certificate", "key", "client_ca", "client_revocation_list"),
            )
        if "limits" in values:
            limits = values["limits"]
            lists = {key: tuple(limits[key]) for key in ("exempt_addresses",) if key in limits}
            more["limits"] = make(Limits, limits, **lists)
        for key in ("origins", "trusted_proxies"):
            if key in values:
                more[key] = tuple(values[key])
        listen: Listen = make(Listen, values, **more)
        return listen

    def make_variable(name: str, server: str, values: Mapping[str, Any]) -> Variable:
        arguments = dict(values)
        text = arguments["node"]
        if "array" in arguments:
            arguments["is_array"] = arguments.pop("array")
        if "deadband" in arguments:
            arguments["deadband"] = make(Deadband, arguments["deadband"])
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
        more["security"] = make(
            Security,
            {"pki": Security.pki, **values.get("security", {})},
            *("certificate", "key", "server_certificate", "pki"),
        )
        if "endpoints" in values:
            more["endpoints"] = tuple(values["endpoints"])
            more["endpoint"] = more["endpoints"][0]
        if "user" in values:
            more["user"] = make(User, values["user"], "password_file", "certificate", "key")
        if "deadband" in values:
            more["deadband"] = make(Deadband, values["deadband"])
        if "browse" in values:
            browse = values["browse"]
            listed = browse if isinstance(browse, list) else [browse]
            more["browse"] = tuple(make(Browse, each) for each in listed)
        more["variables"] = MappingProxyType(
            {
                variable: make_variable(variable, name, each)
                for variable, each in values.get("variables", {}).items()
            }
        )
        server: Server = make(Server, values, name=name, **more)
        return server

    def make_permissions(given: Union[str, Mapping[str, Any]]) -> Permissions:
        if isinstance(given, str):
            return SHORTHANDS[given]
        more: Dict[str, Any] = {
            name: tuple(each) for name, each in given.items() if isinstance(each, list)
        }
        if "limits" in given:
            more["limits"] = make(RoleLimits, given["limits"])
        permissions: Permissions = make(Permissions, given, **more)
        return permissions

    roles = data.get("roles")
    listen = data.get("listen", {})
    return Config(
        listen=tuple(map(make_listen, listen if isinstance(listen, list) else [listen])),
        servers=MappingProxyType(
            {name: make_server(name, each) for name, each in data["servers"].items()}
        ),
        roles=None
        if roles is None
        else MappingProxyType({name: make_permissions(each) for name, each in roles.items()}),
        credentials=os.path.join(directory or "", data.get("credentials", Config.credentials)),
        log=make(Log, data.get("log", {}), "file"),
        audit=make(Audit, data["audit"], "file") if "audit" in data else None,
        process=make(Process, data.get("process", {})),
        reload=make(Reload, data.get("reload", {})),
        state_dir=os.path.join(directory or "", data.get("state_dir", Config.state_dir)),
        path=path,
        warnings=warnings,
    )
