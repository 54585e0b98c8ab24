"""``opcws browse``: finds and describes the variables of an OPC UA server, and puts them into a
configuration."""

import dataclasses
import os
import time
from typing import (
    Callable,
    Container,
    Dict,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Set,
    Tuple,
)

from ..config import loads, read_text, roles
from ..config.settings import Server, Variable
from ..config.variable_names import OBJECT, VARIABLE, Found, Node, printable, variable_names
from ..model import status_codes
from ..model.data_types import TYPE_NAMES, NodeId, format_node_id, parse_node_id, resolve_node_id
from ..model.deadline import Deadline
from ..model.errors import ConfigError, PlantError
from ..model.text import counted
from ..ua.channel.link import Link
from ..ua.channel.subscription import Events
from ..ua.encoding.codec import encode_node_id
from ..ua.services.browse import MAX_DEPTH, MAX_NODES, Browser, Progress
from ..ua.services.metadata import CHUNK, CURRENT_READ, CURRENT_WRITE, Description, Metadata
from . import config_file
from .config_file import ConfigChange
from .targets import LEAVE_S, Target, explained, in_background


class Scope(NamedTuple):
    """What to look for: below the NodeId ``under``, ``depth`` levels, variables whose name matches
    one of ``match``."""

    under: Optional[str] = None
    depth: Optional[int] = None
    match: Sequence[str] = ("*",)
    properties: bool = False
    most: int = MAX_NODES

    @property
    def partial(self) -> bool:
        """Whether it is less than the whole server."""
        return self.under is not None or self.depth is not None or "*" not in self.match


class Explored(NamedTuple):
    """The result: the nodes, the variables by name, and how it went.  ``partial`` if the scope was
    only a part of the server; ``under`` is the node below which names begin, ``example`` one of the
    names."""

    nodes: Sequence[Node]
    found: Sequence[Found]
    progress: Progress
    seconds: float
    namespaces: Sequence[str]
    partial: bool
    under: str
    example: str


class ExploreProgress:
    """How far :func:`explore` is; written by its thread, read by any."""

    def __init__(self) -> None:
        self.progress = Progress()
        #: Number of variables to describe, and how many are described.
        self.to_describe = 0
        self.described = 0
        self.started = time.monotonic()

    def line(self, width: int = 30) -> str:
        """One line for a terminal: a bar, numbers and the rate."""
        seconds = max(0.001, time.monotonic() - self.started)
        if self.to_describe:
            part, whole, what = self.described, self.to_describe, "variables described"
            rate = self.described / seconds
        else:
            part, whole, what = self.progress.looked, self.progress.found, "nodes"
            rate = self.progress.found / seconds
        filled = int(width * min(1.0, part / whole)) if whole else 0
        bar = "[%s%s]" % ("#" * filled, "-" * (width - filled))
        return "{} {:,} of {:,} {}, {:,}/s".format(bar, part, whole, what, int(rate))


def explore(
    server: Server, scope: Scope, look: Callable[[ExploreProgress], None] = lambda _progress: None
) -> Explored:
    """Connect to *server*, walk its address space, describe the variables in *scope*.

    *look* is called on the caller's thread now and then.  Raises
    :exc:`~opcws.model.errors.PlantError`, :exc:`~opcws.model.errors.ConfigError` for a wrong scope,
    and :exc:`KeyboardInterrupt`, after which nothing is left running.
    """
    matcher(scope.match)
    under = None if scope.under is None else _node_id(scope.under)
    if server.user is not None:
        server.user.secret()
    watched = ExploreProgress()
    link = Link(server, 1, Events())

    def work() -> Explored:
        try:
            link.open(Deadline(server.connect_timeout_ms / 1000.0))
        except PlantError as problem:
            raise explained(server, problem) from None
        try:
            return _explore(link, scope, under, watched)
        finally:
            link.close(LEAVE_S)

    return in_background(work, lambda: look(watched), lambda: link.close(LEAVE_S, "stopped"))


def into_config(
    path: str, target: Target, explored: Explored, wanted: Optional[str]
) -> ConfigChange:
    """The change of the file *path* by the *explored* variables of *target*; writes nothing.

    Raises :exc:`~opcws.model.errors.ConfigError`, also if there is nothing to write.
    """
    before = read_text(path) if os.path.exists(path) else ""
    found = [each for each in explored.found if each.readable]
    if before.strip():
        change = config_file.merged(
            before, path, target.settings, found, wanted, explored.namespaces
        )
        if explored.partial:
            change = change._replace(missing=())
    elif found:
        name = wanted or "plant"
        after = config_file.new_text(name, target.settings, found)
        loads(after, path)
        change = ConfigChange(path, before, after, name, [each.name for each in found])
    else:
        raise ConfigError(
            "no variable was found, so %s is not written; 'opcws browse' without --write-config "
            "shows why" % path
        )
    return change._replace(unreadable=len(explored.found) - len(found))


def tree(
    explored: Explored, folders: bool, ids: bool, ascii_only: bool
) -> Iterator[Tuple[str, str, bool]]:
    """The *explored* nodes as :func:`tree_lines`: the variables and the nodes above them; with
    *folders* also folders without a variable, with *ids* the NodeIds."""
    remarks = {each.place: each.remark for each in explored.found}
    wanted = set(remarks)
    for place, node in enumerate(explored.nodes):
        if ids:
            node_id = format_node_id(node.node_id, explored.namespaces)
            remarks[place] = "  ".join(filter(None, (remarks.get(place), node_id)))
        if folders and node.node_class != VARIABLE:
            wanted.add(place)
    return tree_lines(explored.nodes, remarks, wanted, ascii_only)


def tree_lines(
    nodes: Sequence[Node], remarks: Dict[int, str], wanted: Set[int], ascii_only: bool = False
) -> Iterator[Tuple[str, str, bool]]:
    """The *nodes* at the indices *wanted* and all nodes above them, as a tree: the drawing with the
    name, the remark, and whether it is a variable."""
    shown: Set[int] = set()
    for place in wanted:
        while place >= 0 and place not in shown:
            shown.add(place)
            place = nodes[place].parent
    below: Dict[int, List[int]] = {}
    for place in sorted(shown):
        below.setdefault(nodes[place].parent, []).append(place)
    tee, corner, bar = ("|-- ", "`-- ", "|   ") if ascii_only else ("├── ", "└── ", "│   ")
    # (index, prefix of its line, prefix of the lines below it); no recursion, because a server can
    # be deeper than Python's stack.
    stack: List[Tuple[int, str, str]] = [(place, "", "") for place in reversed(below.get(-1, []))]
    while stack:
        place, lead, under = stack.pop()
        node = nodes[place]
        name = printable(node.name).strip() or "(no name)"
        yield lead + name, printable(remarks.get(place, "")), node.node_class == VARIABLE
        children = below.get(place, [])
        for each in reversed(children):
            last = each is children[-1]
            stack.append(
                (each, under + (corner if last else tee), under + ("    " if last else bar))
            )


def lone_folder(nodes: Sequence[Node]) -> int:
    """The index of the only node below the first, if it contains everything else; otherwise 0."""
    below = [place for place, node in enumerate(nodes) if node.depth == 1]
    if len(below) != 1 or nodes[below[0]].node_class != OBJECT:
        return 0
    return below[0]


def summary(explored: Explored, match: Sequence[str]) -> List[str]:
    """Number of variables found, and why there may be more; *match* is the original pattern."""
    progress = explored.progress
    nodes = counted(progress.found, "node")
    variables = counted(len(explored.found), "variable")
    lines = ["%s among %s, in %.1f s" % (variables, nodes, explored.seconds)]
    if progress.refused:
        lines.append(
            "note: the server did not list the nodes below %s (%s)"
            % (counted(progress.refused, "node"), progress.reason)
        )
    if progress.cut:
        lines.append(
            "note: stopped at %s, and the server has more; choose a part with --under or --depth"
            % nodes
        )
    if match and not explored.found and progress.variables:
        lines.append(
            "note: no variable matches %s; a name is the whole path, such as %s, and case matters"
            % (" or ".join(match), explored.example)
        )
    return lines


def matcher(patterns: Sequence[str], names: Container[str] = ()) -> Callable[[str], bool]:
    """As :func:`opcws.config.roles.matcher`.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    try:
        return roles.matcher(patterns, names)
    except ValueError as error:
        raise ConfigError("--match %s: %s" % (", ".join(patterns), error)) from None


def _explore(
    link: Link,
    scope: Scope,
    under: Optional[NodeId],
    watched: ExploreProgress,
) -> Explored:
    def before_call() -> None:
        if link.renewal_due():
            link.renew()

    def text_of(node_id: NodeId) -> str:
        return format_node_id(node_id, link.namespaces)

    browser = Browser(link, link.server.history_timeout_ms / 1000.0, before_call)
    watched.progress = browser.progress
    nodes = browser.walk(
        browser.start(_resolved(under, link)),
        scope.depth or MAX_DEPTH,
        scope.most,
        scope.properties,
    )
    unnamed = lone_folder(nodes) if under is None else 0
    names = variable_names(nodes, text_of, scope.properties, unnamed)
    wanted = matcher(scope.match, set(names.values()))
    chosen = {place: name for place, name in names.items() if wanted(name)}
    described = _describe(link, nodes, chosen, before_call, watched)
    found = [
        _found(name, text_of(nodes[place].node_id), described.get(name), place)
        for place, name in chosen.items()
    ]
    seconds = time.monotonic() - watched.started
    return Explored(
        nodes,
        sorted(found, key=lambda each: each.name),
        browser.progress,
        seconds,
        link.namespaces,
        scope.partial or browser.progress.cut or bool(browser.progress.refused),
        text_of(nodes[unnamed].node_id),
        min(names.values(), default=""),
    )


def _describe(
    link: Link,
    nodes: Sequence[Node],
    chosen: Dict[int, str],
    before_call: Callable[[], None],
    watched: ExploreProgress,
) -> Dict[str, Optional[Description]]:
    """Descriptions of the *chosen* variables from the server."""
    pairs = [
        (
            Variable(name=name, server=link.server.name, node=nodes[place].node_id),
            encode_node_id(nodes[place].node_id),
        )
        for place, name in chosen.items()
    ]
    variables = {variable.name: variable for variable, _node in pairs}
    metadata = Metadata(dataclasses.replace(link.server, variables=variables))
    watched.started, browsing_since = time.monotonic(), watched.started
    watched.to_describe = len(pairs)
    for start in range(0, len(pairs), CHUNK):
        before_call()
        deadline = Deadline(link.server.history_timeout_ms / 1000.0)
        metadata.learn(link, pairs[start : start + CHUNK], deadline)
        watched.described = min(len(pairs), start + CHUNK)
    watched.started = browsing_since
    return {name: metadata.description(name) for name in variables}


def _found(name: str, node: str, known: Optional[Description], place: int) -> Found:
    if known is None or status_codes.is_bad(known.status):
        return Found(name, node, place=place)
    unit = known.members.get("EngineeringUnits", {}).get("DisplayName", "")
    return Found(
        name,
        node,
        TYPE_NAMES.get(known.value_type.type, ""),
        bool(known.value_type.is_array),
        str(unit),
        str(known.members.get("Description", "")),
        bool((known.access or 0) & CURRENT_WRITE),
        known.access is None or bool(known.access & CURRENT_READ),
        place,
    )


def _node_id(text: str) -> NodeId:
    try:
        return parse_node_id(text)
    except ValueError as error:
        raise ConfigError("--under: %s" % error) from None


def _resolved(node_id: Optional[NodeId], link: Link) -> NodeId:
    if node_id is None:
        return NodeId(0, 85)
    try:
        return resolve_node_id(node_id, link.namespaces)
    except LookupError as error:
        raise PlantError("%s; it has %s" % (error, ", ".join(link.namespaces))) from None
