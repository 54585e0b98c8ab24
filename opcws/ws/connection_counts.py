"""What the connections of one listener did in all, those that are gone included.

A connection counts for itself, on its own threads and in plain ints; it is looked at when the
figures are asked for, and once more when it ends.

Threads: whoever owns a :class:`ConnectionCounts` guards it.
"""

from typing import Dict, Iterable, List

from ..operations.figures import Client, ListenerFigures
from .connection import Connection


class ConnectionCounts:
    """Counts of a listener's connections; those that are there count once they have gone."""

    def __init__(self) -> None:
        self.accepted = 0
        self._opened = 0
        self._refused: Dict[str, int] = {}
        self._received = 0
        self._received_bytes = 0
        self._sent = 0
        self._collapsed = 0
        self._dropped = 0

    def _refuse(self, why: str) -> None:
        self._refused[why] = self._refused.get(why, 0) + 1

    def take(self, connection: Connection) -> None:
        """*connection* has ended."""
        if connection.refused:
            self._refuse(connection.refused)
        self._opened += connection.opened_at is not None
        self._received += connection.received
        self._received_bytes += connection.received_bytes
        outbox = connection.outbox
        self._sent += outbox.taken
        self._collapsed += outbox.collapsed
        self._dropped += outbox.dropped

    def figures(self, name: str, connections: Iterable[Connection]) -> ListenerFigures:
        """Everything, with *connections* as they are now."""
        opened, received, received_bytes = self._opened, self._received, self._received_bytes
        sent, collapsed, dropped = self._sent, self._collapsed, self._dropped
        there = is_open = monitors = owed = queued = queued_bytes = 0
        most_queued = most_queued_bytes = 0
        refused = dict(self._refused)
        for connection in connections:
            there += 1
            if connection.refused:
                refused[connection.refused] = refused.get(connection.refused, 0) + 1
            received_bytes += connection.received_bytes
            if connection.opened_at is None:
                continue
            opened += 1
            received += connection.received
            outbox, client = connection.outbox, connection.client
            sent += outbox.taken
            collapsed += outbox.collapsed
            dropped += outbox.dropped
            if client is None:
                continue
            is_open += 1
            monitors += len(client.monitors)
            depth = outbox.depth
            owed += depth.owed
            messages = depth.queued + depth.waiting
            queued += messages
            queued_bytes += depth.queued_bytes
            most_queued = max(most_queued, messages)
            most_queued_bytes = max(most_queued_bytes, depth.queued_bytes)
        return ListenerFigures(
            name,
            is_open,
            there - is_open,
            self.accepted,
            opened,
            refused,
            received,
            received_bytes,
            sent,
            collapsed,
            dropped,
            monitors,
            owed,
            queued,
            queued_bytes,
            most_queued,
            most_queued_bytes,
        )


def clients(connections: Iterable[Connection]) -> List[Client]:
    """Those of *connections* that are WebSockets."""
    found = []
    for connection in connections:
        client = connection.client
        if client is None or connection.opened_at is None:
            continue
        depth = connection.outbox.depth
        found.append(
            Client(
                client.name,
                client.peer,
                client.identity,
                client.role.name,
                client.dialect,
                connection.opened_at,
                len(client.monitors),
                depth.queued + depth.waiting,
                depth.queued_bytes,
                connection.outbox.collapsed,
                depth.owed,
            )
        )
    return found
