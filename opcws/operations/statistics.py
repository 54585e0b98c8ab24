"""What is counted and measured of listeners, clients and OPC UA servers, as values: the seam
between those who count and those who tell (``/metrics``, ``/status``).  Pure.

What is called a count never goes down while its owner lives; everything else is of this moment.
"""

from typing import Mapping, NamedTuple, Optional, Tuple


class Histogram(NamedTuple):
    """How many service calls took at most so long (``counts`` goes with :data:`DURATIONS_S` and
    has one more for those above all of them; not cumulative), and the seconds of all together."""

    counts: Tuple[int, ...]
    seconds: float


#: Upper limits of the buckets for service calls, in seconds.
DURATIONS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class PlantStatistics(NamedTuple):
    """One OPC UA server.

    ``connected_at`` is the clock's time in seconds, ``None`` before the first time;
    ``connections`` and ``failures`` count attempts to connect that succeeded and failed;
    ``configured``, ``active`` and ``failed`` are numbers of variables; ``values`` counts those
    that were received and ``updates`` what monitors made of them; the backlogs are operations
    that wait; ``published_s`` is the time since the server last published, ``None`` while not
    connected.  ``failed_calls`` is by service and status, ``levels`` the ServiceLevel of
    each endpoint of a redundant set that can be reached; ``stale`` counts values that stood still.
    """

    required: bool
    connected: bool
    connected_at: Optional[float]
    connections: int
    failures: int
    configured: int
    active: int
    failed: int
    values: int
    updates: int
    relay_backlog: int
    worker_backlog: int
    published_s: Optional[float]
    calls: Mapping[str, Histogram]
    failed_calls: Mapping[Tuple[str, str], int]
    levels: Mapping[str, int]
    stale: int = 0


class ListenerStatistics(NamedTuple):
    """One listener with its connections.

    ``open`` are WebSockets, ``handshaking`` everything before that.  ``accepted`` counts TCP
    connections, ``opened`` the WebSockets that came of them, ``refused`` the rest by reason.
    ``received`` counts messages, ``sent`` frames, ``collapsed`` and ``dropped`` as the outbox
    does.  ``monitors``, ``owed`` (replies), ``queued`` (messages) and ``queued_bytes`` are sums
    over the clients, ``most_queued`` and ``most_queued_bytes`` that of the client with most.
    """

    name: str
    open: int
    handshaking: int
    accepted: int
    opened: int
    refused: Mapping[str, int]
    received: int
    received_bytes: int
    sent: int
    collapsed: int
    dropped: int
    monitors: int
    owed: int
    queued: int
    queued_bytes: int
    most_queued: int
    most_queued_bytes: int


class Client(NamedTuple):
    """One client: ``since`` is the clock's time in seconds, ``queued`` and ``queued_bytes`` are
    what waits for it, ``owed`` its requests in flight."""

    connection: str
    address: str
    identity: str
    role: str
    dialect: str
    since: float
    monitors: int
    queued: int
    queued_bytes: int
    collapsed: int
    owed: int
