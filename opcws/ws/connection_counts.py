"""Sums over all connections of one listener, ended ones included.

A connection counts on its own threads, in plain ints; its counts are read for the statistics, and
once more when it ends.

Threads: the owner of a :class:`ConnectionCounts` guards it.
"""

from collections import Counter
from typing import Any, Dict, Iterable, List, Mapping

from ..wire.timestamps import utc_text
from .connection import Connection

#: Numbers that are sums over the connections.
SUMS = (
    *("open", "handshaking", "opened", "received", "received_bytes", "sent", "collapsed"),
    *("dropped", "monitors", "owed", "queued", "queued_bytes"),
)


class ConnectionCounts:
    """Counts of a listener's connections; :meth:`take` adds those of an ended one."""

    def __init__(self) -> None:
        self.accepted = 0
        self._ended: "Counter[str]" = Counter()
        self._refused: "Counter[str]" = Counter()

    def take(self, connection: Connection) -> None:
        """*connection* has ended."""
        _add(connection, self._ended, self._refused)

    def statistics(self, connections: Iterable[Connection]) -> Dict[str, Any]:
        """All counts, with the present ones of *connections*."""
        sums, refused = self._ended.copy(), self._refused.copy()
        most_queued = most_queued_bytes = 0
        for connection in connections:
            _add(connection, sums, refused)
            client = connection.client
            if client is None:
                sums["handshaking"] += 1
                continue
            depth = connection.outbox.depth
            messages = depth.queued + depth.waiting
            sums.update(
                open=1,
                monitors=len(client.monitors),
                owed=depth.owed,
                queued=messages,
                queued_bytes=depth.queued_bytes,
            )
            most_queued = max(most_queued, messages)
            most_queued_bytes = max(most_queued_bytes, depth.queued_bytes)
        return {
            **{name: sums[name] for name in SUMS},
            "accepted": self.accepted,
            "refused": refused,
            "most_queued": most_queued,
            "most_queued_bytes": most_queued_bytes,
        }


def _add(connection: Connection, sums: "Counter[str]", refused: "Counter[str]") -> None:
    if connection.refused:
        refused[connection.refused] += 1
    outbox = connection.outbox
    sums.update(
        opened=connection.opened_at is not None,
        received=connection.received,
        received_bytes=connection.received_bytes,
        sent=outbox.taken,
        collapsed=outbox.collapsed,
        dropped=outbox.dropped,
    )


def clients(connections: Iterable[Connection]) -> List[Mapping[str, Any]]:
    """The WebSockets among *connections*, as ``/status`` shows them."""
    found: List[Mapping[str, Any]] = []
    for connection in connections:
        client = connection.client
        if client is None or connection.opened_at is None:
            continue
        depth = connection.outbox.depth
        waiting = {"Messages": depth.queued + depth.waiting, "Bytes": depth.queued_bytes}
        found.append(
            {
                "Connection": client.name,
                "Address": client.peer,
                "Identity": client.identity,
                "Role": client.role.name,
                "Dialect": client.dialect,
                "Since": utc_text(connection.opened_at),
                "Monitors": len(client.monitors),
                "Queue": waiting,
                "Collapsed": connection.outbox.collapsed,
                "InFlight": depth.owed,
            }
        )
    return found
