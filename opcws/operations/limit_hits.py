"""Counts how often each limit was reached.

A limit's name is that of its setting in ``listen`` or ``listen.limits``; ``open_files`` is that of
the operating system, ``processor_share`` has no setting.  A hit is an exception, so counting it may
take a lock.  More frequent counts are plain ints of their owner (a connection's outbox), which are
only read here.

Threads: all methods may be called from any.
"""

import threading
from typing import Callable, Dict, Mapping

#: Every limit that is counted.
LIMITS = (
    "max_connections",
    "max_connections_per_address",
    "max_handshakes",
    "open_files",
    "processor_share",
    "wrong_credentials",
    "handshake_timeout_s",
    "max_header_bytes",
    "max_headers",
    "max_message_bytes",
    "max_depth",
    "requests_per_second",
    "requests_in_flight",
    "monitors",
    "outbox_messages",
    "outbox_bytes",
    "outbound_bytes",
    "send_timeout_s",
    "ping_timeout_s",
    "idle_timeout_s",
)

#: Counts of an owner, by limit.  It takes no lock and does not wait.
Source = Callable[[], Mapping[str, int]]


class LimitHits:
    """Hits of each limit since the start; they never go down."""

    def __init__(self) -> None:
        # Guards both below, so that a source is in exactly one of them at each snapshot.
        self._lock = threading.Lock()
        self._hits = dict.fromkeys(LIMITS, 0)
        self._sources: Dict[Source, None] = {}

    def hit(self, limit: str, times: int = 1) -> None:
        """*limit* (one of :data:`LIMITS`, else :exc:`KeyError`) was hit."""
        with self._lock:
            self._hits[limit] += times

    def watch(self, source: Source) -> None:
        """Add the counts of *source* to the snapshots, until :meth:`fold`."""
        with self._lock:
            self._sources[source] = None

    def fold(self, source: Source) -> None:
        """*source* has ended: keep its last counts."""
        with self._lock:
            if source in self._sources:
                del self._sources[source]
                for limit, times in source().items():
                    self._hits[limit] += times

    def snapshot(self) -> Dict[str, int]:
        """Hits of every limit by its name, those never hit included."""
        with self._lock:
            hits = dict(self._hits)
            for source in self._sources:
                for limit, times in source().items():
                    hits[limit] += times
            return hits
