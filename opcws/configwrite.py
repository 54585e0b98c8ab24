"""Lines of configuration for what was found on an OPC UA server, in a file of their own or in one
that a person has.

Rules:

* What is in a file stays: values, order, comments, spelling.  Variables are only added.
* A variable is known by its node, whatever a person has called it.
* What is written has been read again before: it is what the old text means, and the new variables,
  and nothing else.

Pure, but for the files that it is given.
"""

import copy
import os
import tempfile
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from . import config
from .config import Config, Server
from .datatypes import format_node_id, parse_node_id
from .errors import ConfigError
from .found import Found, tagged
from .yamledit import Editor, Entry, entry_lines
from .yamlfile import Document

#: Comments longer than this are cut.
_REMARK = 160

_HEAD = (
    "# What opcws serves.  Edit it as you like: 'opcws browse' adds what is new on the OPC UA",
    "# server and changes nothing else.",
)
_READ_ONLY = "Clients may read these; with 'access: readwrite' they may write one."


class Merged(NamedTuple):
    """A text with new variables.  ``known`` are names of those that were there already,
    ``missing`` of those in the text that were not found on the server."""

    text: str
    server: str
    added: Sequence[str]
    known: Sequence[str]
    missing: Sequence[str]


def entry(found: Found) -> Entry:
    """The line of a variable, with what it is as comments."""
    above = [_cut(found.description)] if found.description else []
    return Entry(found.name, {"node": found.node}, above, found.remark)


def new_text(
    name: str,
    connection: Mapping[str, Any],
    found: Sequence[Found],
    listen: Optional[Mapping[str, Any]] = None,
) -> str:
    """A whole configuration file for one server, called *name*, with *connection* its settings."""
    place = {"host": "127.0.0.1", "port": 8081, **(listen or {})}
    near = "this machine only; 0.0.0.0 for the whole network"
    host = Entry("host", place.pop("host"), behind=near)
    if not config.is_loopback(host.value):
        host = host._replace(behind="whoever reaches this address may connect, without 'roles'")
    lines = [*_HEAD, ""]
    lines += entry_lines(Entry("listen", {"host": host, **place}, block=True))
    settings: Dict[str, Any] = dict(connection)
    if found:
        variables = {each.name: entry(each) for each in _sorted(found)}
        settings["variables"] = Entry("variables", variables, [_READ_ONLY], block=True)
    lines += [
        "",
        *entry_lines(Entry("servers", {name: Entry(name, settings, block=True)}, block=True)),
    ]
    return "\n".join(lines) + "\n"


def merged(
    text: str,
    name: str,
    connection: Mapping[str, Any],
    found: Sequence[Found],
    wanted: Optional[str] = None,
    namespaces: Sequence[str] = (),
) -> Merged:
    """*text*, the file called *name*, with those of *found* that it does not have.

    They go to the server *wanted*, or to the one with the endpoint of *connection*, or to a new
    one with these settings.  *namespaces* is the NamespaceArray, for NodeIds with ``ns=``.
    Raises :exc:`~opcws.errors.ConfigError`; then *text* is not a good configuration, or nothing
    can be put into it.
    """
    loaded = config.loads(text, name)
    server = _server_name(loaded, connection, wanted)
    present = loaded.servers.get(server)
    own = present.variables if present is not None else {}
    by_node = {
        format_node_id(each.node, namespaces): each.name
        for each in own.values()
        if each.index_range is None
    }
    taken = set(loaded.variables)
    added: List[Found] = []
    known: List[str] = []
    for each in found:
        node = format_node_id(parse_node_id(each.node), namespaces)
        if node in by_node:
            known.append(by_node[node])
        else:
            added.append(each._replace(name=_free(each, server, own, taken)))
    there = set(known)
    missing = [each for each in by_node.values() if each not in there]
    editor = Editor(text)
    entries = [entry(each) for each in _sorted(added)]
    if present is not None:
        editor.insert(("servers", server, "variables"), entries)
    else:
        settings = {**connection, "variables": Entry("variables", _by_key(entries), block=True)}
        if not entries:
            del settings["variables"]
        editor.insert(("servers",), [Entry(server, settings, block=True)])
    result = editor.result()
    data = copy.deepcopy(Document(text, name).data)
    section = data["servers"].setdefault(server, _plain(connection))
    if added:
        variables = section.get("variables") or {}
        section["variables"] = {**variables, **{each.name: {"node": each.node} for each in added}}
    verify(result, name, data)
    return Merged(result, server, [each.key for each in entries], sorted(there), missing)


def verify(text: str, name: str, data: Any) -> None:
    """Raises :exc:`~opcws.errors.ConfigError` unless *text* is a good configuration and means
    *data*."""
    if Document(text, name).data != data:
        raise ConfigError(
            [
                "%s: is written in a way that cannot be changed without damage; write its "
                "mappings one entry per line" % name
            ]
        )
    config.loads(text, name)


def save(path: str, text: str) -> None:
    """Put *text* into the file *path* in one step: whoever reads it sees the old or the new one.

    Raises :exc:`~opcws.errors.ConfigError`.
    """
    target = os.path.realpath(path)
    try:
        handle, temporary = tempfile.mkstemp(".tmp", ".opcws-", os.path.dirname(target))
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            os.chmod(temporary, _mode(target))
            os.replace(temporary, target)
        except BaseException:
            os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError(
            ["cannot write %s: %s; check the path and the permissions" % (path, error.strerror)]
        ) from None


def _mode(path: str) -> int:
    try:
        return os.stat(path).st_mode & 0o7777
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask


def _server_name(loaded: Config, connection: Mapping[str, Any], wanted: Optional[str]) -> str:
    endpoint = connection.get("endpoint", "")
    if wanted is not None:
        there = loaded.servers.get(wanted)
        if there is not None and endpoint and not _has(there, endpoint):
            raise ConfigError(
                [
                    "the server %s of the configuration is %s, not %s; name another one with "
                    "--server" % (wanted, there.endpoint, endpoint)
                ]
            )
        return wanted
    for name, server in loaded.servers.items():
        if _has(server, endpoint):
            return name
    name, number = "plant", 1
    while name in loaded.servers:
        number += 1
        name = "plant%d" % number
    return name


def _has(server: Server, endpoint: str) -> bool:
    listed = server.endpoints or (server.endpoint,)
    return endpoint.rstrip("/").lower() in [each.rstrip("/").lower() for each in listed]


def _free(found: Found, server: str, own: Mapping[str, Any], taken: Set[str]) -> str:
    """A name for *found* that no other variable has; added to *taken*."""
    for name in (found.name, "%s.%s" % (server, found.name)):
        # The same name on the same server is another node: a tag, not a prefix.
        if name in taken and name in own:
            break
        if name not in taken and len(name) <= 256:
            taken.add(name)
            return name
    return tagged(found.name, found.node, taken)


def _sorted(found: Sequence[Found]) -> List[Found]:
    return sorted(found, key=lambda each: each.name)


def _by_key(entries: Sequence[Entry]) -> Dict[str, Entry]:
    return {each.key: each for each in entries}


def _plain(value: Any) -> Any:
    """*value* as it is read again: without comments."""
    if isinstance(value, Entry):
        return _plain(value.value)
    if isinstance(value, Mapping):
        return {key: _plain(each) for key, each in value.items()}
    return list(value) if isinstance(value, tuple) else value


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _REMARK else text[: _REMARK - 3] + "..."
