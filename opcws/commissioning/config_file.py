"""Lines of configuration for what was found on an OPC UA server, in a file of their own or in one
that a person has.

Rules:

* What is in a file stays: values, order, comments, spelling.  Variables are only added.
* A variable is known by its node, whatever a person has called it, and also where its line was
  made a comment: who does not want a variable says so like that.
* What is written has been read again before: it is what the old text means, and the new variables,
  and nothing else.

Pure, but for the files that it is given.
"""

import contextlib
import copy
import os
import re
import stat
import tempfile
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from ..config import loads
from ..config.check import is_loopback
from ..config.settings import Config, Server
from ..config.variable_names import Found, tagged
from ..config.yaml_document import Document
from ..model.data_types import format_node_id, parse_node_id
from ..model.errors import ConfigError
from .yaml_edit import Editor, Entry, entry_lines

#: Comments longer than this are cut.
_REMARK = 160

_COMMENTED = re.compile(
    r"""^[ \t]*\#.*?\bnode:[ \t]*("(?:[^"\\\r\n]|\\.)*"|'(?:[^'\r\n]|'')*'|[^\s,}"']+)""",
    re.MULTILINE | re.VERBOSE,
)

_HEAD = (
    "# What opcws serves.  Edit it as you like: 'opcws browse' adds what is new on the OPC UA",
    "# server and changes nothing else.",
)
_READ_ONLY = "Clients may read these; with 'access: readwrite' they may write one."


class Merged(NamedTuple):
    """A text with new variables.  ``known`` are names of those that were there already,
    ``missing`` of those in the text that were not found on the server; ``off`` is how many a
    person has made a comment."""

    text: str
    server: str
    added: Sequence[str]
    known: Sequence[str]
    missing: Sequence[str]
    off: int = 0


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
    if not is_loopback(host.value):
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
    Raises :exc:`~opcws.model.errors.ConfigError`; then *text* is not a good configuration, or
    nothing can be put into it.
    """
    loaded = loads(text, name)
    server = _server_name(loaded, connection, wanted)
    present = loaded.servers.get(server)
    own = present.variables if present is not None else {}
    by_node = {
        format_node_id(each.node, namespaces): each.name
        for each in own.values()
        if each.index_range is None
    }
    taken = set(loaded.variables)
    commented = _nodes_in_comments(text, namespaces)
    added: List[Found] = []
    known: List[str] = []
    off = 0
    for each in found:
        node = format_node_id(parse_node_id(each.node), namespaces)
        if node in by_node:
            known.append(by_node[node])
        elif node in commented:
            off += 1
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
    return Merged(result, server, [each.key for each in entries], sorted(there), missing, off)


def verify(text: str, name: str, data: Any) -> None:
    """Raises :exc:`~opcws.model.errors.ConfigError` unless *text* is a good configuration and means
    *data*."""
    try:
        same = Document(text, name).data == data
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(
            [
                "%s: is written in a way that cannot be changed without damage; write its "
                "mappings one entry per line" % name
            ]
        )
    loads(text, name)


def save(path: str, text: str) -> None:
    """Put *text* into the file *path* in one step: whoever reads it sees the old or the new one.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    check_writable(path)
    target = os.path.realpath(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            # A device or a pipe is written to, and must not become a file.
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        handle, temporary = tempfile.mkstemp(".tmp", ".opcws-", os.path.dirname(target))
        try:
            with open(handle, "w", encoding="utf-8", newline="") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            _make_alike(temporary, target)
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):  # Ctrl-C right behind the replacing
                os.unlink(temporary)
            raise
    except OSError as error:
        raise ConfigError(
            ["cannot write %s: %s; check the path and the permissions" % (path, error.strerror)]
        ) from None


def check_writable(path: str) -> None:
    """Raises :exc:`~opcws.model.errors.ConfigError` if :func:`save` could not, or should not, write
    *path*: what takes a person's time can be left before it has."""
    target = os.path.realpath(path)
    directory = os.path.dirname(target)
    if os.path.exists(path) and not (os.path.isfile(path) or os.path.isdir(path)):
        return
    if not os.path.isdir(directory):
        reason = "there is no directory %s; make it, or name another file" % directory
    elif os.path.isdir(target):
        reason = "it is a directory; name a file in it"
    elif os.path.exists(target) and not (
        os.stat(target).st_mode & 0o222 and os.access(target, os.W_OK)
    ):
        # It could be replaced all the same, but somebody meant it.
        reason = "it is read-only; change that, or name another file"
    elif not os.access(directory, os.W_OK | os.X_OK):
        reason = "this user may not write to %s" % directory
    else:
        return
    raise ConfigError(["cannot write %s: %s" % (path, reason)])


def _make_alike(new: str, old: str) -> None:
    """Mode and owner of *old*, if it is there, for *new*: an administrator who edits a file must
    not take it away from the service that reads it."""
    try:
        before = os.stat(old)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(new, 0o666 & ~mask)
        return
    if os.name != "nt":
        for owner in (before.st_uid, -1):  # who is not root can at most keep the group
            try:
                os.chown(new, owner, before.st_gid)
                break
            except PermissionError:
                continue
    os.chmod(new, stat.S_IMODE(before.st_mode))


def _nodes_in_comments(text: str, namespaces: Sequence[str]) -> Set[str]:
    """The nodes of the lines of variables that are comments."""
    found: Set[str] = set()
    for match in _COMMENTED.finditer(text):
        try:
            node = match[1] if match[1][0] not in "\"'" else str(Document(match[1], "").data)
            found.add(format_node_id(parse_node_id(node), namespaces))
        except (ConfigError, ValueError):
            continue  # a comment may say anything
    return found


def _server_name(loaded: Config, connection: Mapping[str, Any], wanted: Optional[str]) -> str:
    endpoint = connection.get("endpoint", "")
    if wanted is not None:
        there = loaded.servers.get(wanted)
        if there is not None and endpoint and not has_endpoint(there, endpoint):
            raise ConfigError(
                [
                    "the server %s of the configuration is %s, not %s; name another one with "
                    "--server" % (wanted, there.endpoint, endpoint)
                ]
            )
        return wanted
    for name, server in loaded.servers.items():
        if has_endpoint(server, endpoint):
            return name
    name, number = "plant", 1
    while name in loaded.servers:
        number += 1
        name = "plant%d" % number
    return name


def has_endpoint(server: Server, endpoint: str) -> bool:
    """Whether *endpoint* is an address of *server* as the configuration has it."""
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
