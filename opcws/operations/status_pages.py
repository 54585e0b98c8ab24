"""What the people who run opcws look at: ``/healthz``, ``/readyz``, ``/metrics``, ``/status``.

Rules:

* Looking costs those who work nothing: numbers are read where they are counted, without the locks
  that a request or a value takes.
* However many ask, making ``/metrics`` and ``/status`` takes a part of the time only: each is
  given again for :data:`KEPT_TIMES` as long as it took to make.
* Nothing here tells a value of a variable, a password or a token.

Threads: any.
"""

import json
import platform
import threading
import time
from typing import (
    Any,
    Callable,
    Dict,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Protocol,
    Sequence,
    Tuple,
    Union,
)

from .. import __version__
from ..wire import contract
from ..wire.timestamps import utc_text
from .metrics import CONTENT_TYPE, Metrics
from .statistics import Client, Histogram, ListenerStatistics, PlantStatistics

#: How many times as long as it took to make it a document is given again.
KEPT_TIMES = 10.0
#: Clients that ``/status`` names.
MAX_CLIENTS = 1000

JSON = "application/json"
TEXT = "text/plain; charset=utf-8"


class Document(NamedTuple):
    """What is answered, with its HTTP status."""

    status: int
    body: bytes
    content_type: str


class Plant(Protocol):
    """An OPC UA server as it is looked at."""

    name: str

    @property
    def threads(self) -> List[threading.Thread]: ...

    def status(self) -> Mapping[str, Any]: ...

    def statistics(self) -> PlantStatistics: ...


class Listener(Protocol):
    """An address where clients connect as it is looked at."""

    name: str

    @property
    def threads(self) -> List[threading.Thread]: ...

    def status(self) -> Mapping[str, Any]: ...

    def statistics(self) -> ListenerStatistics: ...

    def clients(self) -> List[Client]: ...


class StatusPages:
    """*plants*, *listeners*, *replies* (by operation and status), *limits* (hits by name), *audit*
    (the status of the audit log, or ``None``) and *threads* (that must live beside those of plants
    and listeners) are asked each time, because the configuration may change."""

    def __init__(
        self,
        plants: Callable[[], Sequence[Plant]],
        listeners: Callable[[], Sequence[Listener]],
        replies: Callable[[], Mapping[Tuple[str, str], float]],
        limits: Callable[[], Mapping[str, int]],
        audit: Callable[[], Optional[Mapping[str, Any]]],
        threads: Callable[[], Sequence[threading.Thread]],
    ) -> None:
        self._plants = plants
        self._listeners = listeners
        self._replies = replies
        self._limits = limits
        self._audit = audit
        self._threads = threads
        self._started = time.time()
        self._began = time.monotonic()
        self._metrics = Metrics(self._samples)
        self._stopping = False
        self._documents: Dict[str, Callable[[], Document]] = {
            "healthz": self._healthz,
            "readyz": self._readyz,
            "metrics": _Kept(lambda: Document(200, self._metrics.text(), CONTENT_TYPE)),
            "status": _Kept(lambda: _json(200, self.status())),
        }

    def stop(self) -> None:
        """opcws is stopping: it is not ready from now on."""
        self._stopping = True

    def document(self, endpoint: str) -> Document:
        """``healthz``, ``readyz``, ``metrics`` or ``status``; :exc:`KeyError` for another."""
        return self._documents[endpoint]()

    # --- /healthz, /readyz ----------------------------------------------------------------------

    def _healthz(self) -> Document:
        """Whether the process does its work: every thread that must live does."""
        if not self._stopping:
            owners: List[Union[Plant, Listener]] = [*self._plants(), *self._listeners()]
            threads = [thread for owner in owners for thread in owner.threads]
            threads += self._threads()
            gone = [thread.name for thread in threads if not thread.is_alive()]
            if gone:
                text = "these threads have ended: %s; restart opcws, its log says why\n"
                return Document(503, (text % ", ".join(sorted(gone))).encode("utf-8"), TEXT)
        return Document(200, b"ok\n", TEXT)

    def _readyz(self) -> Document:
        """Whether clients get what they ask for: every required OPC UA server is connected."""
        missing = []
        for plant in self._plants():
            told = plant.status()
            if told["Required"] and told["State"] != "connected":
                names = ("Server", "State", "Since", "Reason")
                missing.append({name: told[name] for name in names if name in told})
        ready = not missing and not self._stopping
        members: Dict[str, Any] = {"Ready": ready, "Missing": missing}
        if self._stopping:
            members["Reason"] = "opcws is stopping"
        return _json(200 if ready else 503, members)

    # --- /status --------------------------------------------------------------------------------

    def status(self) -> Dict[str, Any]:
        """As ``schemas/status.schema.json`` says."""
        clients: List[Client] = []
        listeners = []
        for listener in self._listeners():
            there = listener.clients()
            listeners.append({**listener.status(), "Clients": len(there)})
            clients += there
        audit = self._audit()
        return {
            **({} if audit is None else {"Audit": dict(audit)}),
            "Version": __version__,
            "Contract": contract.VERSION,
            "Started": utc_text(self._started),
            "UptimeSeconds": round(time.monotonic() - self._began, 3),
            "Servers": [plant.status() for plant in self._plants()],
            "Listeners": listeners,
            "ClientCount": len(clients),
            "Clients": [_client_members(client) for client in clients[:MAX_CLIENTS]],
            "LimitsHit": dict(self._limits()),
        }

    # --- /metrics -------------------------------------------------------------------------------

    def _samples(self) -> Dict[str, List[Tuple[Tuple[str, ...], Union[float, Histogram]]]]:
        samples: Dict[str, List[Tuple[Tuple[str, ...], Union[float, Histogram]]]] = {}

        def add(name: str, number: Union[float, Histogram, None], *labels: str) -> None:
            if number is not None:
                samples.setdefault("opcws_" + name, []).append((labels, number))

        add("build_info", 1, __version__, contract.VERSION, platform.python_version())
        add("start_time_seconds", self._started)
        add("threads", threading.active_count())
        for listener in self._listeners():
            _add_listener(add, listener.statistics())
        for (operation, status), count in sorted(self._replies().items()):
            add("requests_total", count, operation, status)
        for limit, count in sorted(self._limits().items()):
            add("limits_hit_total", count, limit)
        audit = self._audit()
        if audit is not None:
            add("audit_working", int(audit["State"] == "good"))
            add("audit_lines_total", audit["Written"])
            add("audit_lines_waiting", audit["Waiting"])
            add("audit_lines_lost_total", audit["Lost"])
        for plant in self._plants():
            _add_plant(add, plant.name, plant.statistics())
        return samples


Add = Callable[..., None]


def _add_listener(add: Add, figures: ListenerStatistics) -> None:
    name = figures.name
    add("connections_open", figures.open, name)
    add("connections_handshaking", figures.handshaking, name)
    add("connections_accepted_total", figures.accepted, name)
    add("connections_opened_total", figures.opened, name)
    for reason, count in sorted(figures.refused.items()):
        add("connections_refused_total", count, name, reason)
    add("requests_in_flight", figures.owed, name)
    add("monitors", figures.monitors, name)
    add("received_messages_total", figures.received, name)
    add("received_bytes_total", figures.received_bytes, name)
    add("sent_frames_total", figures.sent, name)
    add("updates_collapsed_total", figures.collapsed, name)
    add("messages_dropped_total", figures.dropped, name)
    add("queued_messages", figures.queued, name)
    add("queued_messages_max", figures.most_queued, name)
    add("queued_bytes", figures.queued_bytes, name)
    add("queued_bytes_max", figures.most_queued_bytes, name)


def _add_plant(add: Add, name: str, figures: PlantStatistics) -> None:
    add("plant_connected", int(figures.connected), name)
    add("plant_required", int(figures.required), name)
    add("plant_last_connected_timestamp_seconds", figures.connected_at, name)
    add("plant_connections_total", figures.connections, name)
    add("plant_connection_failures_total", figures.failures, name)
    for endpoint, level in sorted(figures.levels.items()):
        add("plant_service_level", level, name, endpoint)
    add("plant_published_age_seconds", figures.published_s, name)
    add("variables_configured", figures.configured, name)
    add("variables_active", figures.active, name)
    add("variables_failed", figures.failed, name)
    add("values_received_total", figures.values, name)
    add("updates_total", figures.updates, name)
    add("relay_queue", figures.relay_backlog, name)
    add("operations_queue", figures.worker_backlog, name)
    for service, histogram in sorted(figures.calls.items()):
        add("service_duration_seconds", histogram, name, service)
    for (service, status), count in sorted(figures.failed_calls.items()):
        add("service_failures_total", count, name, service, status)


def _client_members(client: Client) -> Dict[str, Any]:
    return {
        "Connection": client.connection,
        "Address": client.address,
        "Identity": client.identity,
        "Role": client.role,
        "Dialect": client.dialect,
        "Since": utc_text(client.since),
        "Monitors": client.monitors,
        "Queue": {"Messages": client.queued, "Bytes": client.queued_bytes},
        "Collapsed": client.collapsed,
        "InFlight": client.owed,
    }


def _json(status: int, members: Mapping[str, Any]) -> Document:
    text = json.dumps(members, indent=2, sort_keys=True)
    return Document(status, text.encode("ascii") + b"\n", JSON)


class _Kept:
    """The document that *make* makes, given again for a while."""

    def __init__(self, make: Callable[[], Document]) -> None:
        self._make = make
        # Guards all below, so that of many who ask at once one makes it and the others wait.
        self._lock = threading.Lock()
        self._document: Optional[Document] = None
        self._made_at = 0.0
        self._took_s = 0.0

    def __call__(self) -> Document:
        with self._lock:
            began = time.monotonic()
            document = self._document
            if document is None or began - self._made_at >= KEPT_TIMES * self._took_s:
                document = self._document = self._make()
                self._made_at = time.monotonic()
                self._took_s = self._made_at - began
            return document
