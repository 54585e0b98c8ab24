"""Checks servers at a broker before opcws runs."""

from typing import Iterator, List, NamedTuple, Optional, Set, Tuple

from ..app import require_publisher
from ..config.settings import Config, Server
from ..model.data_types import TYPE_NAMES
from ..model.deadline import Deadline
from ..model.errors import ConfigError

#: Seconds for connecting to a broker and receiving its retained messages.
PATIENCE_S = 20.0


class Seen(NamedTuple):
    """The result for a *server*: *lines*, each with whether it is good (lines of variables are
    indented), and the *names* of its variables that were found, ``None`` if unknown."""

    server: Server
    lines: List[Tuple[bool, str]]
    names: Optional[Set[str]]


def look(config: Config) -> Iterator[Seen]:
    """Check every server of *config* at a broker, also while opcws runs."""
    servers = [each for each in config.servers.values() if each.at_broker]
    try:
        require_publisher(config)
    except ConfigError as error:
        for server in servers:
            yield Seen(server, [(False, error.problems[0])], None)
        return
    for server in servers:
        yield _look(server)


def _look(server: Server) -> Seen:
    from ..pubsub.plant import Plant

    title = "%s (%s, publisher %s): " % (server.name, server.endpoint, server.publisher)
    plant = Plant(server)
    plant.start()
    try:
        plant.settled.wait(PATIENCE_S)
        protocol = plant.protocol
        if plant.state != "connected":
            reason = plant.reason or "no answer in %g s" % PATIENCE_S
            if protocol is not None:
                reason = "connected to the broker (%s), but %s" % (protocol, reason)
            return Seen(server, [(False, title + "not connected: " + reason)], None)
        fields, failures = plant.fields, plant.failed()
        if not plant.described:
            wrong = "the publisher sends no metadata, so opcws does not know its fields"
            return Seen(server, [(False, title + wrong)], None)
        told = "connected, %s, fields: %d" % (protocol, len(fields))
        lines = [(True, title + told)]
        width = max((len(name) for name in server.variables), default=0)
        for name, variable in server.variables.items():
            text = failures.get(name, ("", ""))[1]
            value_type = plant.field_type(variable)
            array = "[]" if value_type.is_array else ""
            text = text or TYPE_NAMES.get(value_type.type, "any type") + array
            lines.append((name not in failures, "  %-*s  %s" % (width, name, text)))
        return Seen(server, lines, set(fields) if server.browse else set())
    finally:
        plant.stop(Deadline(4.5))
