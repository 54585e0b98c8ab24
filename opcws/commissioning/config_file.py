"""Makes, changes, compares and saves configuration files.

Rules:

* The content of a file stays: values, order, comments, spelling.  Variables are only added.
* A variable is known by its node, under any name, also in a line that the user has made a comment:
  this is how a user leaves out a variable.
* The new text is read again before it is saved: it must mean the same as the old text, plus the new
  variables.

Pure, but for the files that it is given.
"""

import contextlib
import difflib
import itertools
import json
import os
import re
import stat
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Set

from ..config import loads
from ..config.settings import Config, Server
from ..config.variable_names import Found, tagged
from ..config.yaml_document import Document
from ..model import atomic_file
from ..model.addresses import is_loopback
from ..model.data_types import format_node_id, parse_node_id
from ..model.errors import ConfigError
from ..model.text import counted
from ..wire import contract
from .yaml_edit import Editor
from .yaml_text import Entry, entry_lines

#: Comments longer than this are cut.
_REMARK = 160

_COMMENTED = re.compile(
    r"""^[ \t]*\#.*?\bnode:[ \t]*("(?:[^"\\\r\n]|\\.)*"|'(?:[^'\r\n]|'')*'|[^\s,}"']+)""",
    re.MULTILINE | re.VERBOSE,
)

#: The schema is in the same directory as the configuration: editors find it without a network, on
#: every machine to which both files are copied.
SCHEMA_FILE = "opcws.schema.json"
#: Tells editors with yaml-language-server, such as VS Code, which schema to use.
MODELINE = "# yaml-language-server: $schema=" + SCHEMA_FILE

_HEAD = (
    MODELINE,
    "# What opcws serves.  Edit it as you like; then 'opcws reload' makes a running opcws read it.",
    "# 'opcws browse' adds what is new on the OPC UA server and changes nothing else.",
    "# To record all variables, remove the # before 'record'; see 'opcws docs history':",
    "# record: {variables: ['*'], keep_days: 30}",
)
_READ_ONLY = "Clients may read these, and write those that have 'access: readwrite'."


class ConfigChange(NamedTuple):
    """A change of the text ``before`` of the file ``path``; it is ``""`` for a new file.

    ``added``, ``changed``, ``known`` (there already) and ``missing`` (there, but not found on the
    server) are names of variables.  ``off`` is the number of variables that are comments,
    ``unreadable`` the number that were left out because the server does not let this user read
    them.
    """

    path: str
    before: str
    after: str
    server: str = ""
    added: Sequence[str] = ()
    changed: Sequence[str] = ()
    known: Sequence[str] = ()
    missing: Sequence[str] = ()
    off: int = 0
    unreadable: int = 0

    @property
    def is_new(self) -> bool:
        return not self.before.strip()

    def lines(self) -> List[str]:
        """What was done, for people."""
        if self.is_new:
            lines = ["wrote %s: %s" % (self.path, counted(len(self.added), "variable"))]
        elif self.before == self.after:
            lines = ["%s already has all of these variables; nothing was changed" % self.path]
        else:
            added = counted(len(self.added), "variable")
            lines = [
                "%s: added %s to server %s; it already had %d"
                % (self.path, added, self.server, len(self.known))
            ]
        if self.missing:
            some = ", ".join(self.missing[:5]) + (", ..." if len(self.missing) > 5 else "")
            lines.append(
                "kept %s in the file that the OPC UA server does not have here: %s"
                % (counted(len(self.missing), "variable"), some)
            )
        if self.off:
            lines.append("kept %s as comments" % counted(self.off, "variable"))
        if self.unreadable:
            lines.append(
                "left out %s that the server does not let this user read"
                % counted(self.unreadable, "variable")
            )
        return lines

    def diff(self) -> List[str]:
        """The change as a unified diff."""
        before = [] if self.is_new else self.before.splitlines()
        after = self.after.splitlines()
        new = self.path + " (new)"
        return list(difflib.unified_diff(before, after, self.path, new, lineterm=""))

    def save(self) -> None:
        """Write the file.  Raises :exc:`~opcws.model.errors.ConfigError`."""
        if self.after != self.before:
            save(self.path, self.after)


def new_text(
    name: str,
    connection: Mapping[str, Any],
    found: Sequence[Found],
    listen: Optional[Mapping[str, Any]] = None,
) -> str:
    """A whole configuration file for one server *name* with the settings *connection*."""
    place: Dict[str, Any] = {"host": "127.0.0.1", "port": 8081, **(listen or {})}
    remark = "this machine only; 0.0.0.0 for the whole network"
    if not is_loopback(place["host"]):
        remark = "without 'roles' everybody who reaches this address may connect"
    place["host"] = Entry("host", place["host"], behind=remark)
    settings = dict(connection)
    if found:
        settings["variables"] = _variables(_entries(found), [_READ_ONLY])
    server = Entry(name, settings, block=True)
    lines = [
        *(*_HEAD, ""),
        *(*entry_lines(Entry("listen", place, block=True)), ""),
        *entry_lines(Entry("servers", {name: server}, block=True)),
    ]
    return "\n".join(lines) + "\n"


def merged(
    text: str,
    path: str,
    connection: Mapping[str, Any],
    found: Sequence[Found],
    wanted: Optional[str] = None,
    namespaces: Sequence[str] = (),
) -> ConfigChange:
    """*text* of the file *path* with the variables of *found* that it does not have.

    They go to the server *wanted*, or to the one with the endpoint of *connection*, or to a new one
    with these settings.  *namespaces* is the NamespaceArray, for NodeIds with ``ns=``. Raises
    :exc:`~opcws.model.errors.ConfigError`; then *text* is not a good configuration, or cannot be
    changed.
    """
    loaded = loads(text, path)
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
    known: Set[str] = set()
    off = 0
    for each in found:
        node = format_node_id(parse_node_id(each.node), namespaces)
        if node in by_node:
            known.add(by_node[node])
        elif node in commented:
            off += 1
        else:
            added.append(each._replace(name=_free_name(each, server, own, taken)))
    entries = _entries(added)
    editor = Editor(text)
    data = Document(text, path).data
    if present is not None:
        editor.insert(("servers", server, "variables"), entries)
    else:
        variables = {"variables": _variables(entries)} if entries else {}
        editor.insert(("servers",), [Entry(server, {**connection, **variables}, block=True)])
        data["servers"][server] = dict(connection)
    if added:
        section = data["servers"][server]
        new = {each.name: {"node": each.node} for each in added}
        section["variables"] = {**(section.get("variables") or {}), **new}
    result = editor.result()
    verify(result, path, data)
    return ConfigChange(
        path,
        text,
        result,
        server,
        added=[each.key for each in entries],
        known=sorted(known),
        missing=[each for each in by_node.values() if each not in known],
        off=off,
    )


def _entries(found: Sequence[Found]) -> List[Entry]:
    """Entries for the variables, sorted, with their descriptions as comments."""
    return [
        Entry(
            each.name,
            {"node": each.node},
            [_cut(each.description)] if each.description else [],
            each.remark,
        )
        for each in sorted(found, key=lambda each: each.name)
    ]


def _variables(entries: Sequence[Entry], above: Sequence[str] = ()) -> Entry:
    return Entry("variables", {each.key: each for each in entries}, above, block=True)


def verify(text: str, name: str, data: Any) -> None:
    """Raises :exc:`~opcws.model.errors.ConfigError` unless *text* is a good configuration and means
    *data*."""
    try:
        same = Document(text, name).data == data
    except ConfigError:
        same = False
    if not same:
        raise ConfigError(
            "%s: is written in a way that cannot be changed without damage; write its "
            "mappings one entry per line" % name
        )
    loads(text, name)


def save(path: str, text: str) -> None:
    """Write *text* to the file *path* in one step, so that readers see the old or the new file, and
    the schema beside it.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    check_writable(path)
    target = os.path.realpath(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            # A device or a pipe is written to directly; it must not be replaced by a file.
            with open(path, "w", encoding="utf-8", newline="") as file:
                file.write(text)
            return
        with atomic_file.replacing(target) as new:
            new.write(text.encode("utf-8"))
            _make_alike(new.name, target)
    except OSError as error:
        raise ConfigError(
            "cannot write %s: %s; check the path and the permissions" % (path, error.strerror)
        ) from None
    if MODELINE in text.splitlines():
        # Without the schema only editors miss something.
        with contextlib.suppress(ConfigError):
            save_schema(path)


def save_schema(path: str) -> str:
    """Write the schema of this opcws beside the configuration *path*, also over that of another
    version, and return its path.

    Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    target = os.path.join(os.path.dirname(path), SCHEMA_FILE)
    try:
        with atomic_file.replacing(target) as new:
            new.write(_schema_text())
            _make_alike(new.name, target)
    except OSError as error:
        raise ConfigError("cannot write %s: %s" % (target, error.strerror)) from None
    return target


def other_schema(path: str) -> Optional[str]:
    """The path of the schema beside the configuration *path*, if it is from another version of
    opcws."""
    target = os.path.join(os.path.dirname(path), SCHEMA_FILE)
    try:
        with open(target, "rb") as file:
            return target if file.read() != _schema_text() else None
    except OSError:
        return None


def _schema_text() -> bytes:
    text = json.dumps(contract.document("config.schema.json"), indent=2) + "\n"
    return text.encode("utf-8")


def check_writable(path: str) -> None:
    """Raises :exc:`~opcws.model.errors.ConfigError` if :func:`save` could not, or should not, write
    *path*, so that a command fails before it takes the user's time."""
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
        # A read-only file could be replaced, but somebody made it read-only on purpose.
        reason = "it is read-only; change that, or name another file"
    elif not os.access(directory, os.W_OK | os.X_OK):
        reason = "this user may not write to %s" % directory
    else:
        return
    raise ConfigError("cannot write %s: %s" % (path, reason))


def _make_alike(new: str, old: str) -> None:
    """Give *new* the mode and owner of *old*, if that exists: the service must still be able to
    read a file that an administrator edits."""
    try:
        before = os.stat(old)
    except OSError:
        mask = os.umask(0)
        os.umask(mask)
        os.chmod(new, 0o666 & ~mask)
        return
    if os.name != "nt":
        for owner in (before.st_uid, -1):  # without root only the group can be kept
            try:
                os.chown(new, owner, before.st_gid)
                break
            except PermissionError:
                continue
    os.chmod(new, stat.S_IMODE(before.st_mode))


def _nodes_in_comments(text: str, namespaces: Sequence[str]) -> Set[str]:
    """The nodes of variables in comment lines."""
    found: Set[str] = set()
    for match in _COMMENTED.finditer(text):
        try:
            node = match[1] if match[1][0] not in "\"'" else str(Document(match[1], "").data)
            found.add(format_node_id(parse_node_id(node), namespaces))
        except (ConfigError, ValueError):
            continue  # a comment may contain anything
    return found


def _server_name(loaded: Config, connection: Mapping[str, Any], wanted: Optional[str]) -> str:
    endpoint = connection.get("endpoint", "")
    if wanted is not None:
        there = loaded.servers.get(wanted)
        if there is not None and endpoint and not has_endpoint(there, endpoint):
            raise ConfigError(
                "the server %s of the configuration is %s, not %s; name another one with "
                "--server" % (wanted, there.endpoint, endpoint)
            )
        return wanted
    for name, server in loaded.servers.items():
        if has_endpoint(server, endpoint):
            return name
    numbered = ("plant%d" % number for number in itertools.count(2))
    return next(name for name in itertools.chain(["plant"], numbered) if name not in loaded.servers)


def has_endpoint(server: Server, endpoint: str) -> bool:
    """Whether *endpoint* is an address of *server* in the configuration."""
    listed = server.endpoints or (server.endpoint,)
    return endpoint.rstrip("/").lower() in [each.rstrip("/").lower() for each in listed]


def _free_name(found: Found, server: str, own: Mapping[str, Any], taken: Set[str]) -> str:
    """A name for *found* that no other variable has; added to *taken*."""
    for name in (found.name, "%s.%s" % (server, found.name)):
        # The same name on the same server is another node: add a tag, not a prefix.
        if name in taken and name in own:
            break
        if name not in taken and len(name) <= 256:
            taken.add(name)
            return name
    return tagged(found.name, found.node, taken)


def _cut(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _REMARK else text[: _REMARK - 3] + "..."
