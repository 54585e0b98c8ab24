"""Reads a configuration file into frozen dataclasses.

The file is YAML or JSON (which is YAML), UTF-8.  :mod:`opcws.config.settings` and
``schemas/config.schema.json`` say what it may contain; :mod:`opcws.config.yaml_document` reads it,
:mod:`opcws.config.check` checks it.

All problems are reported together, each in one line ``file:line: path: what is wrong; what to write
instead``.

Pure, except that it opens the given file.
"""

import collections.abc
import dataclasses
import functools
import os
from types import MappingProxyType
from typing import (
    Any,
    Callable,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
    get_type_hints,
)

from ..model.data_types import TYPE_IDS, NodeId, parse_node_id
from ..model.errors import ConfigError
from ..model.text import word
from .check import OF_A_FIELD, check
from .settings import (
    SHORTHANDS,
    Browse,
    Config,
    Listen,
    Permissions,
    Security,
    Server,
    Variable,
    at_broker,
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
    except FileNotFoundError:
        raise ConfigError(
            "%s: there is no such file; give the path of a configuration file, or make a "
            "first one with 'opcws init --output %s'" % (name, word(name))
        ) from None
    except (OSError, ValueError) as error:
        if os.path.isdir(name):
            reason = "is a directory; expected the file itself"
        else:
            why = getattr(error, "strerror", None) or error
            reason = "cannot be read: %s; check the path and the permissions" % why
        raise ConfigError("%s: %s" % (name, reason)) from None
    if len(raw) > MAX_FILE_BYTES:
        raise ConfigError(
            "%s: is over %d bytes; expected a configuration file, not data" % (name, MAX_FILE_BYTES)
        )
    return _decode(raw, name)


def loads(text: str, name: str = "<config>", directory: Optional[str] = None) -> Config:
    """The configuration in *text*.  Messages call the file *name*; relative paths are relative to
    *directory*, or stay as they are.

    Raises :exc:`ConfigError` with every problem.
    """
    return _load(text, name, directory, None)


def _load(text: str, name: str, directory: Optional[str], path: Optional[str]) -> Config:
    document = Document(text, name)
    check(document, directory)
    if document.problems:
        raise ConfigError(document.sorted_problems())
    return _Builder(directory).config(
        document.data, path=path, warnings=tuple(document.sorted_warnings())
    )


def _decode(raw: bytes, name: str) -> str:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ConfigError("%s:1: is UTF-16; save it as UTF-8" % name)
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise ConfigError(
            "%s:%d: the byte 0x%02x is not UTF-8 text; save the file as UTF-8"
            % (name, line, raw[error.start])
        ) from None


# -- data to dataclasses --------------------------------------------------------------------


class _Builder:
    """Makes the dataclasses from checked data.  The type of a field decides how its setting is
    converted."""

    def __init__(self, directory: Optional[str]) -> None:
        self._directory = directory
        self._converters: Dict[type, Dict[str, Callable[[Any], Any]]] = {}

    def config(self, data: Dict[str, Any], **more: Any) -> Config:
        listen, roles = data.get("listen", {}), data.get("roles")
        if roles is not None:
            roles = MappingProxyType({name: self._role(each) for name, each in roles.items()})
        config: Config = self._make(
            Config,
            {"credentials": Config.credentials, "state_dir": Config.state_dir, **data},
            listen=tuple(self._make(Listen, each) for each in _listed(listen)),
            servers=MappingProxyType(
                {name: self._server(name, each) for name, each in data["servers"].items()}
            ),
            roles=roles,
            **more,
        )
        return config

    def _server(self, name: str, values: Mapping[str, Any]) -> Server:
        more: Dict[str, Any] = {}
        make, browse = self._variable, _listed(values.get("browse", []))
        if "endpoints" in values:
            more["endpoint"] = values["endpoints"][0]
        elif at_broker(values["endpoint"]):
            make = functools.partial(self._field, writes="edge" in values)
            # Without a list all variables of the publisher are served.
            browse = [] if values.get("variables") else [{}]
        server: Server = self._make(
            Server,
            values,
            name=name,
            security=self._make(Security, {"pki": Security.pki, **values.get("security", {})}),
            browse=tuple(self._make(Browse, each) for each in browse),
            variables=MappingProxyType(
                {
                    variable: make(variable, name, each)
                    for variable, each in values.get("variables", {}).items()
                }
            ),
            **more,
        )
        return server

    def _field(
        self, name: str, server: str, values: Mapping[str, Any], writes: bool = False
    ) -> Variable:
        """A variable of a publisher; settings for OPC UA servers have no effect, nor has its access
        if the broker carries no writes."""
        kept = {key: value for key, value in values.items() if key in OF_A_FIELD}
        field = kept.setdefault("field", name)
        if "array" in kept:
            kept["is_array"] = kept.pop("array")
        if writes:
            kept["access"] = values.get("access", "readwrite")
        variable: Variable = self._make(
            Variable,
            kept,
            name=name,
            server=server,
            node=NodeId(0, field),
            node_text=field,
            type=TYPE_IDS[values["type"]] if "type" in values else 0,
        )
        return variable

    def _variable(self, name: str, server: str, values: Mapping[str, Any]) -> Variable:
        if "array" in values:
            values = dict(values)
            values["is_array"] = values.pop("array")
        variable: Variable = self._make(
            Variable,
            values,
            name=name,
            server=server,
            node=parse_node_id(values["node"]),
            node_text=values["node"],
            type=TYPE_IDS[values["type"]] if "type" in values else 0,
        )
        return variable

    def _role(self, given: Union[str, Mapping[str, Any]]) -> Permissions:
        if isinstance(given, str):
            return SHORTHANDS[given]
        permissions: Permissions = self._make(Permissions, given)
        return permissions

    def _make(self, section: Any, values: Mapping[str, Any], **more: Any) -> Any:
        """The dataclass *section* of *values*; the arguments *more* override them."""
        converters = self._converters.get(section)
        if converters is None:
            converters = self._converters[section] = dict(self._converters_of(section))
        for key, value in values.items():
            if key not in more:
                more[key] = converters[key](value) if key in converters else value
        return section(**more)

    def _converters_of(self, section: Any) -> Iterator[Tuple[str, Callable[[Any], Any]]]:
        hints = get_type_hints(section)
        for each in dataclasses.fields(section):
            kinds = {hints[each.name], *getattr(hints[each.name], "__args__", ())} - {type(None)}
            nested = next((kind for kind in kinds if dataclasses.is_dataclass(kind)), None)
            if "path" in each.metadata:
                yield each.name, self._full_path
            elif (
                getattr(hints[each.name], "__origin__", None) is collections.abc.Mapping and nested
            ):
                yield each.name, functools.partial(self._named, nested)
            elif int in kinds and str not in kinds:
                yield each.name, int  # JSON Schema counts 10.0 as a whole number
            elif Tuple[str, ...] in kinds:
                yield each.name, tuple
            elif nested is not None:
                yield each.name, functools.partial(self._made, nested)

    def _named(self, section: Any, values: Mapping[str, Any]) -> Mapping[str, Any]:
        return MappingProxyType({name: self._make(section, each) for name, each in values.items()})

    def _made(self, section: Any, value: Any) -> Any:
        """The dataclass *section*, or the word that replaces it."""
        return self._make(section, value) if isinstance(value, dict) else value

    def _full_path(self, name: str) -> str:
        return name if self._directory is None else os.path.join(self._directory, name)


def _listed(value: Any) -> List[Any]:
    return value if isinstance(value, list) else [value]
