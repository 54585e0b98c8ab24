"""``opcws browse`` and what else looks at an OPC UA server before there is a configuration.

Everything that waits for the server runs on a thread of its own, so that the terminal can be
kept up to date and Ctrl-C works at once, on Windows too.
"""

import dataclasses
import os
import re
import threading
import time
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence, TypeVar

from ..config import load, read_text, roles
from ..config.check import endpoint_problem
from ..config.settings import Config, Security, Server, User, Variable
from ..config.variable_names import Found, Node, lone_folder, variable_names
from ..model import status_codes
from ..model.data_types import TYPE_NAMES, NodeId, format_node_id, parse_node_id, resolve_node_id
from ..model.deadline import Deadline
from ..model.errors import ConfigError, PlantError
from ..ua.channel.link import Link
from ..ua.channel.subscription import Events
from ..ua.encoding.codec import encode_node_id
from ..ua.services.browse import MAX_DEPTH, MAX_NODES, Browser, Progress
from ..ua.services.metadata import CHUNK, Description, Metadata
from .config_file import has_endpoint
from .security import DEPRECATED_POLICIES, parse_security

#: The environment variable that a written configuration takes a password from, if the password
#: was typed in.
PASSWORD_ENV = "OPCWS_PASSWORD"

#: Seconds between two looks at how far the work is.
LOOK_S = 0.1
#: Seconds for leaving the server politely.
LEAVE_S = 1.0

_CURRENT_READ = 0x01
_CURRENT_WRITE = 0x02

#: What a sentence about the configuration names, and what stands for it on a command line.
_OPTIONS = {
    "set 'security'": "--security",
    "security.mode: SignAndEncrypt": "--security",
    "user.allow_clear: true": "--allow-clear",
}

T = TypeVar("T")


class Target(NamedTuple):
    """The OPC UA server to look at, and the settings that lead there in a configuration.

    ``password_missing`` is the environment variable that a person has to set before what is
    written works, if there is one.
    """

    server: Server
    settings: Dict[str, Any]
    password_missing: str = ""


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
    """What was found: the nodes, the variables by name, and how it went.  ``partial`` if the
    scope was only a part of the server; ``under`` is the node below which names begin."""

    nodes: Sequence[Node]
    found: Sequence[Found]
    progress: Progress
    seconds: float
    namespaces: Sequence[str]
    partial: bool
    under: str


class Watched:
    """How far :func:`explore` is; written by its thread, read by any."""

    def __init__(self) -> None:
        self.progress = Progress()
        #: Variables to describe, and how many have been.
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
        return "%s %s of %s %s, %s/s" % (
            bar,
            _thousands(part),
            _thousands(whole),
            what,
            _thousands(rate),
        )


def target(
    endpoint: str,
    security: Optional[str] = None,
    user: Optional[User] = None,
    pki: Optional[str] = None,
    directory: str = "",
    name: str = "plant",
) -> Target:
    """The server at *endpoint*: a URL, or a host with or without a port.

    *security* is a policy, or a policy, a slash and a mode; *directory* that of the configuration
    that is being written, if there is one.  Raises :exc:`~opcws.model.errors.ConfigError`.
    """
    url = as_url(endpoint)
    policy, mode = parse_security(security or "None")
    settings: Dict[str, Any] = {"endpoint": url}
    more: Dict[str, Any] = {}
    where = pki or os.path.join(directory, Security.pki)
    if policy != "None":
        settings["security"] = {"policy": policy, "mode": mode}
        deprecated = policy in DEPRECATED_POLICIES
        if deprecated:
            settings["security"]["allow_deprecated"] = True  # who names it wants it
        more["security"] = Security(policy, mode, pki=where, allow_deprecated=deprecated)
        if pki is not None:
            settings["security"]["pki"] = _seen_from(pki, directory)
    else:
        more["security"] = Security(pki=where)
    missing = ""
    if user is not None:
        more["user"] = user
        settings["user"] = {"name": user.name}
        if user.password_file is not None:
            settings["user"]["password_file"] = _seen_from(user.password_file, directory)
        else:
            settings["user"]["password_env"] = user.password_env or PASSWORD_ENV
            if settings["user"]["password_env"] not in os.environ:
                missing = settings["user"]["password_env"]
        if user.allow_clear:
            settings["user"]["allow_clear"] = True
    return Target(Server(name=name, endpoint=url, **more), settings, missing)


def configured(loaded: Config, name: Optional[str]) -> Target:
    """The server *name* of a configuration, or its only one."""
    if name is None:
        if len(loaded.servers) != 1:
            raise ConfigError(
                [
                    "%s has several servers; name one with --server: %s"
                    % (loaded.path, ", ".join(loaded.servers))
                ]
            )
        (name,) = loaded.servers
    server = loaded.servers.get(name)
    if server is None:
        raise ConfigError(
            ["%s has no server %s; it has %s" % (loaded.path, name, ", ".join(loaded.servers))]
        )
    return Target(server, {"endpoint": server.endpoint})


def known(path: str, endpoint: str, name: Optional[str]) -> Optional[Target]:
    """The server at *endpoint* as the configuration file *path* has it, if it does.

    Raises :exc:`~opcws.model.errors.ConfigError` for a file that is there and is no good.
    """
    if not os.path.exists(path) or not read_text(path).strip():
        return None
    url = as_url(endpoint)
    for server in load(path).servers.values():
        if name in (None, server.name) and has_endpoint(server, url):
            return Target(server, {"endpoint": url})
    return None


def as_url(endpoint: str) -> str:
    """*endpoint* with what a person left out.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    text = endpoint.strip()
    if "://" not in text:
        text = "opc.tcp://" + text
    url = text
    host, slash, path = text[10:].partition("/")
    if text.startswith("opc.tcp://") and ":" not in host.rpartition("]")[2]:
        url = "opc.tcp://%s:4840%s%s" % (host, slash, path)
    problem = endpoint_problem(url)
    if problem:
        raise ConfigError([problem])
    return url


def explore(
    server: Server, scope: Scope, look: Callable[[Watched], None] = lambda _watched: None
) -> Explored:
    """Connect to *server*, walk its address space, describe the variables in *scope*.

    *look* is called on the caller's thread every now and then.  Raises
    :exc:`~opcws.model.errors.PlantError`, :exc:`~opcws.model.errors.ConfigError` for a wrong scope,
    and :exc:`KeyboardInterrupt`, after which nothing is left running.
    """
    wanted = matcher(scope.match)
    under = None if scope.under is None else _node_id(scope.under)
    if server.user is not None:
        server.user.secret()
    watched = Watched()
    link = Link(server, 1, Events())

    def work() -> Explored:
        opened(link)
        try:
            return _explore(link, scope, under, wanted, watched)
        finally:
            link.close(LEAVE_S)

    return in_background(work, lambda: look(watched), lambda: link.kill("stopped"))


def opened(link: Link) -> None:
    """Open *link*; what goes wrong is told as a person needs it who typed an address.

    Raises :exc:`~opcws.model.errors.PlantError`.
    """
    server = link.server
    try:
        link.open(Deadline(server.connect_timeout_ms / 1000.0))
    except PlantError as problem:
        raise explained(server, problem) from None


def explained(server: Server, problem: PlantError) -> PlantError:
    """*problem*, met while connecting to *server*, with the address and what to do."""
    reason = problem.reason
    for setting, option in _OPTIONS.items():
        reason = reason.replace(setting, "%s (%s)" % (setting, option))
    if problem.status not in ("BadCommunicationError", "BadTimeout"):
        return PlantError("%s: %s" % (server.endpoint, reason), problem.status)
    reason = re.sub(r"\[Errno -?\d+\] ", "", reason)
    reason = reason.replace("connecting to %s: " % server.endpoint, "")
    reason = reason.replace(" in endpoint", "")  # the setting that it is for opcws serve
    if "; " not in reason:
        reason += "; is the address right (the port is often 4840), and does no firewall stop it?"
    return PlantError("%s: %s" % (server.endpoint, reason), problem.status)


def in_background(
    work: Callable[[], T], look: Callable[[], None], give_up: Callable[[], None]
) -> T:
    """What *work* returns or raises, done on another thread; *look* is called meanwhile, and
    *give_up*, which must end the work, when Ctrl-C is pressed."""
    outcome: List[Any] = []

    def run() -> None:
        try:
            outcome.append(work())
        except BaseException as error:
            outcome.append(error)
            failed.set()
        finally:
            done.set()

    done, failed = threading.Event(), threading.Event()
    # A daemon, because it may be in getaddrinfo, which nothing interrupts.
    thread = threading.Thread(target=run, name="opcws-browse", daemon=True)
    thread.start()
    try:
        while not done.wait(LOOK_S):
            look()
    except BaseException:
        give_up()
        thread.join(2 * LEAVE_S)
        raise
    thread.join()
    if failed.is_set():
        raise outcome[0]
    result: T = outcome[0]
    return result


def matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """As :func:`opcws.config.roles.matcher`.  Raises :exc:`~opcws.model.errors.ConfigError`."""
    try:
        return roles.matcher(patterns)
    except ValueError as error:
        raise ConfigError(["--match %s: %s" % (", ".join(patterns), error)]) from None


def _explore(
    link: Link,
    scope: Scope,
    under: Optional[NodeId],
    wanted: Callable[[str], bool],
    watched: Watched,
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
    )


def _describe(
    link: Link,
    nodes: Sequence[Node],
    chosen: Dict[int, str],
    before_call: Callable[[], None],
    watched: Watched,
) -> Dict[str, Description]:
    """What the server says of the *chosen* variables."""
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
    known = {name: metadata.description(name) for name in variables}
    return {name: each for name, each in known.items() if each is not None}


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
        bool((known.access or 0) & _CURRENT_WRITE),
        known.access is None or bool(known.access & _CURRENT_READ),
        place,
    )


def _node_id(text: str) -> NodeId:
    try:
        return parse_node_id(text)
    except ValueError as error:
        raise ConfigError(["--under: %s" % error]) from None


def _resolved(node_id: Optional[NodeId], link: Link) -> NodeId:
    if node_id is None:
        return NodeId(0, 85)
    try:
        return resolve_node_id(node_id, link.namespaces)
    except LookupError as error:
        raise PlantError("%s; it has %s" % (error, ", ".join(link.namespaces))) from None


def _seen_from(path: str, directory: str) -> str:
    """*path* as a configuration in *directory* names it."""
    if os.path.isabs(path):
        return path
    try:
        return os.path.relpath(path, directory or os.curdir).replace(os.sep, "/")
    except ValueError:  # another drive
        return os.path.abspath(path)


def _thousands(number: float) -> str:
    return format(int(number), ",d")
