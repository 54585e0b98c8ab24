"""The difference between two configurations, and its effect on a running opcws.  Pure.

Rules:

* Equal parts of both stay the same object in :attr:`Difference.config`, so ``is`` finds an
  unchanged variable or server.
* A setting takes effect in exactly one way: by itself (:data:`LIVE`), with new monitored items
  (:data:`SAMPLING`), or with a new connection.  A setting in no table needs a new connection, which
  is always right.
"""

import dataclasses
from types import MappingProxyType
from typing import Any, Dict, FrozenSet, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from .settings import Config, Listen, Server, Variable

#: Settings of a server that are read again at each use.
LIVE = frozenset(
    (
        "history_timeout_ms",
        "history_max_values",
        "history_continuation_s",
        "retry_interval_ms",
        "browse",
        "browse_interval_s",
        "stale_after_s",
        "message_receive_timeout_ms",
        "required",
    )
)
#: Settings of a server that are defaults for its variables.
SAMPLING = frozenset(
    ("sampling_interval_ms", "queue_size", "discard_oldest", "trigger", "deadband")
)
#: Sections of the configuration that a running server can change.
TAKEN_OVER = ("roles", "credentials", "log", "record", "publish", "reload", "time_zone")
#: Fields that are reported in more detail, or are not settings.
_OTHERS = ("listen", "servers", "path", "warnings")


def with_found(config: Config, found: Mapping[str, Sequence[Variable]]) -> Config:
    """*config* with the variables that browsing has *found* on each server.

    The file has priority: for a name, and for a node of that server.
    """
    names = set(config.variables)
    servers: Dict[str, Server] = {}
    for name, server in config.servers.items():
        servers[name] = server
        if not server.browse or not found.get(name):
            continue
        nodes = {each.node for each in server.variables.values() if each.index_range is None}
        variables = dict(server.variables)
        for each in found[name]:
            if each.name not in names and each.node not in nodes:
                names.add(each.name)
                variables[each.name] = each
        servers[name] = dataclasses.replace(server, variables=MappingProxyType(variables))
    return dataclasses.replace(config, servers=MappingProxyType(servers))


class ServerChange(NamedTuple):
    """The difference of one server, by the names of its variables.

    ``reconnect`` are the settings that need a new connection.  ``moved`` are the variables with
    another node or index range, ``remade`` these and all others that need a new monitored item,
    ``edited`` those that change only for clients.
    """

    old: Server
    new: Server
    reconnect: Tuple[str, ...]
    settings: Tuple[str, ...]
    added: FrozenSet[str]
    removed: FrozenSet[str]
    moved: FrozenSet[str]
    remade: FrozenSet[str]
    edited: FrozenSet[str]


class ListenChange(NamedTuple):
    """The difference of the listeners, by their index in the old configuration.

    ``kept`` has for each new listener the index of the old one at the same address, or ``None``;
    ``closed`` are the indices of those that are gone.
    """

    kept: Tuple[Tuple[Optional[int], Listen], ...]
    closed: Tuple[int, ...]
    edited: Tuple[int, ...]


class Difference(NamedTuple):
    """The whole difference; *config* is the new configuration.

    ``sections`` are its other changed sections, ``at_next_start`` those that a running server
    cannot change.
    """

    config: Config
    added: Tuple[Server, ...]
    removed: Tuple[Server, ...]
    changed: Tuple[ServerChange, ...]
    listen: ListenChange
    sections: Tuple[str, ...]
    at_next_start: Tuple[str, ...]

    def lines(self) -> List[str]:
        """The differences, one line each; empty if there are none."""
        lines = [_of_server("added", server) for server in self.added]
        lines += [_of_server("removed", server) for server in self.removed]
        lines += [line for change in self.changed for line in _of_change(change)]
        for place, listen in self.listen.kept:
            if place is None:
                lines.append("listener added: %s" % _address(listen))
            elif place in self.listen.edited:
                lines.append("listener changed: %s" % _address(listen))
        if self.listen.closed:
            lines.append("listeners removed: %d" % len(self.listen.closed))
        lines += ["%s: changed" % name for name in self.sections]
        lines += [
            "%s: changed, which takes effect at the next start" % s for s in self.at_next_start
        ]
        return lines


def compare(old: Config, new: Config) -> Difference:
    """The difference from *old* to *new*."""
    servers: Dict[str, Server] = {}
    changed: List[ServerChange] = []
    for name, server in new.servers.items():
        before = old.servers.get(name)
        if before is None or before.at_broker != server.at_broker:
            servers[name] = server
            continue
        if before == server:
            servers[name] = before
            continue
        change = _compare_servers(before, server)
        servers[name] = change.new
        changed.append(change)
    config = dataclasses.replace(new, servers=MappingProxyType(servers))
    return Difference(
        config,
        tuple(server for name, server in servers.items() if not _is_in(old, server)),
        tuple(server for server in old.servers.values() if not _is_in(new, server)),
        tuple(changed),
        _compare_listeners(old.listen, new.listen),
        tuple(name for name in TAKEN_OVER if getattr(old, name) != getattr(new, name)),
        _different(old, new, (*TAKEN_OVER, *_OTHERS)),
    )


def _is_in(config: Config, server: Server) -> bool:
    """Whether *config* has *server* too, changed or not.  An OPC UA server and a broker of the same
    name are different servers."""
    other = config.servers.get(server.name)
    return other is not None and other.at_broker == server.at_broker


def _compare_servers(old: Server, new: Server) -> ServerChange:
    settings = _different(old, new, ("variables",))
    kept = {
        name: old.variables[name] if old.variables.get(name) == variable else variable
        for name, variable in new.variables.items()
    }
    merged = dataclasses.replace(new, variables=MappingProxyType(kept))
    both = [name for name in kept if name in old.variables]
    moved = {name for name in both if _place(old.variables[name]) != _place(kept[name])}
    remade = moved | {
        name
        for name in both
        if _parameters(old, old.variables[name]) != _parameters(merged, kept[name])
    }
    return ServerChange(
        old,
        merged,
        tuple(name for name in settings if name not in LIVE | SAMPLING),
        settings,
        frozenset(name for name in kept if name not in old.variables),
        frozenset(name for name in old.variables if name not in kept),
        frozenset(moved),
        frozenset(remade),
        frozenset(name for name in both if kept[name] is not old.variables[name]) - remade,
    )


def _different(old: Any, new: Any, without: Sequence[str]) -> Tuple[str, ...]:
    return tuple(
        each.name
        for each in dataclasses.fields(old)
        if each.name not in without and getattr(old, each.name) != getattr(new, each.name)
    )


def _place(variable: Variable) -> Tuple[Any, ...]:
    return variable.node, variable.index_range


def _parameters(server: Server, variable: Variable) -> Tuple[Any, ...]:
    """The parameters of the variable's monitored item."""
    # A deadband of the server applies only to numbers.
    from_server = variable.deadband is None and server.deadband is not None
    return (
        *(
            getattr(server if getattr(variable, name) is None else variable, name)
            for name in sorted(SAMPLING)
        ),
        from_server,
        from_server and variable.type,
    )


def _compare_listeners(old: Sequence[Listen], new: Sequence[Listen]) -> ListenChange:
    left: Dict[Tuple[str, int], List[int]] = {}
    for place, listen in enumerate(old):
        left.setdefault((listen.host, listen.port), []).append(place)
    kept: List[Tuple[Optional[int], Listen]] = []
    for listen in new:
        places = left.get((listen.host, listen.port))
        kept.append((places.pop(0) if places else None, listen))
    used = {place for place, _listen in kept if place is not None}
    return ListenChange(
        tuple(kept),
        tuple(place for place in range(len(old)) if place not in used),
        tuple(place for place, listen in kept if place is not None and old[place] != listen),
    )


def _of_server(what: str, server: Server) -> str:
    return "server %s: %s, variables: %d" % (server.name, what, len(server.variables))


def _of_change(change: ServerChange) -> List[str]:
    lines: List[str] = []
    title = "server %s: " % change.new.name
    if change.settings:
        lines.append(title + "changed: " + ", ".join(change.settings))
    if change.reconnect:
        lines.append(title + "connects anew")
    counts: Mapping[str, int] = {
        "added": len(change.added),
        "removed": len(change.removed),
        "changed": len(change.remade | change.edited),
    }
    told = ["%s %d" % pair for pair in counts.items() if pair[1]]
    if told:
        lines.append(title + "variables: " + ", ".join(told))
    return lines


def _address(listen: Listen) -> str:
    return "%s port %d" % (listen.host, listen.port)
