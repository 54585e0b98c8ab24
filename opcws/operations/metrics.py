"""What ``/metrics`` says, in Prometheus' text format.

:data:`FAMILIES` is the one table of metrics; the one in ``docs/pages/metrics.rst`` is made from it.
Names follow Prometheus' conventions: base units, ``_total`` for counts.  Labels take few values:
never one per client or per variable, and nothing that a client makes up.

The numbers are asked for when somebody looks; nothing here is ever called by those who count.
(A counter of ``prometheus_client`` takes a lock at each step; theirs are plain ints.)

Threads: any.
"""

from itertools import accumulate
from typing import Any, Callable, Dict, Iterable, List, Mapping, NamedTuple, Tuple, Union

from prometheus_client import CollectorRegistry, GCCollector, ProcessCollector, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from .statistics import DURATIONS_S, Histogram

#: Of the text that is served; what newer versions add to the format is not used.
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

COUNTER = "counter"
GAUGE = "gauge"
HISTOGRAM = "histogram"


class Family(NamedTuple):
    """A metric: *source* is its number's name in what :class:`Numbers` says of its owner, *text*
    one English sentence."""

    name: str
    source: str
    labels: Tuple[str, ...]
    text: str

    @property
    def kind(self) -> str:
        """By the conventions for names."""
        if self.name.endswith("_total"):
            return COUNTER
        return HISTOGRAM if self.name.endswith("_duration_seconds") else GAUGE

    @property
    def owner(self) -> str:
        """The label that names whose number it is; ``""`` for the process's."""
        return self.labels[0] if self.labels[:1] in (_LISTENER, _SERVER) else ""


_LISTENER = ("listener",)
_SERVER = ("server",)

FAMILIES = (
    Family(
        "opcws_build_info",
        "build",
        ("version", "contract", "python"),
        "Always 1; the labels say what runs.",
    ),
    Family("opcws_start_time_seconds", "started", (), "When opcws started, since 1970-01-01 UTC."),
    Family("opcws_threads", "threads", (), "Threads of the process."),
    Family("opcws_connections_open", "open", _LISTENER, "WebSocket clients that are connected."),
    Family(
        "opcws_connections_handshaking",
        "handshaking",
        _LISTENER,
        "Connections that are no WebSocket yet, or only ask for a page.",
    ),
    Family("opcws_connections_accepted_total", "accepted", _LISTENER, "TCP connections taken."),
    Family(
        "opcws_connections_opened_total", "opened", _LISTENER, "Opening handshakes that worked."
    ),
    Family(
        "opcws_connections_refused_total",
        "refused",
        (*_LISTENER, "reason"),
        "Connections refused, by the HTTP status in a word, or no_tls.",
    ),
    Family(
        "opcws_requests_total",
        "replies",
        ("type", "status"),
        "Requests answered, by MessageType without _REQUEST and StatusCode of the response; ERROR "
        "is what was no request.",
    ),
    Family("opcws_requests_in_flight", "owed", _LISTENER, "Requests whose response is not sent."),
    Family("opcws_monitors", "monitors", _LISTENER, "Monitors of all clients."),
    Family("opcws_received_messages_total", "received", _LISTENER, "Messages from clients."),
    Family(
        "opcws_received_bytes_total",
        "received_bytes",
        _LISTENER,
        "Bytes from clients, without what TLS adds.",
    ),
    Family("opcws_sent_frames_total", "sent", _LISTENER, "Frames to clients: responses, updates."),
    Family(
        "opcws_updates_collapsed_total",
        "collapsed",
        _LISTENER,
        "Updates that gave way to a later one because the client reads too slowly.",
    ),
    Family(
        "opcws_messages_dropped_total",
        "dropped",
        _LISTENER,
        "Responses and updates that waited for a client when its connection ended.",
    ),
    Family("opcws_queued_messages", "queued", _LISTENER, "Messages that wait for clients."),
    Family(
        "opcws_queued_messages_max", "most_queued", _LISTENER, "The same, of the client with most."
    ),
    Family("opcws_queued_bytes", "queued_bytes", _LISTENER, "Bytes that wait for clients."),
    Family(
        "opcws_queued_bytes_max",
        "most_queued_bytes",
        _LISTENER,
        "The same, of the client with most.",
    ),
    Family(
        "opcws_limits_hit_total",
        "limits",
        ("limit",),
        "How often a limit of listen or listen.limits was hit.",
    ),
    Family("opcws_audit_working", "audit_working", (), "1 if the audit log can be written, or 0."),
    Family("opcws_audit_lines_total", "audit_written", (), "Lines written to the audit log."),
    Family("opcws_audit_lines_waiting", "audit_waiting", (), "Lines that are not written yet."),
    Family("opcws_audit_lines_lost_total", "audit_lost", (), "Lines that never will be."),
    Family(
        "opcws_plant_connected", "connected", _SERVER, "1 if the OPC UA server is connected, or 0."
    ),
    Family("opcws_plant_required", "required", _SERVER, "1 if /readyz asks for it, or 0."),
    Family(
        "opcws_plant_last_connected_timestamp_seconds",
        "connected_at",
        _SERVER,
        "When its connection last came up, since 1970-01-01 UTC.",
    ),
    Family(
        "opcws_plant_connections_total", "connections", _SERVER, "How often its connection came up."
    ),
    Family(
        "opcws_plant_connection_failures_total", "failures", _SERVER, "Attempts to connect in vain."
    ),
    Family(
        "opcws_plant_service_level",
        "levels",
        (*_SERVER, "endpoint"),
        "ServiceLevel of each server of a redundant set that can be reached.",
    ),
    Family(
        "opcws_plant_published_age_seconds",
        "published_s",
        _SERVER,
        "Time since the OPC UA server last published, while it is connected.",
    ),
    Family("opcws_variables_configured", "configured", _SERVER, "Variables in the configuration."),
    Family(
        "opcws_variables_active", "active", _SERVER, "Variables monitored on the OPC UA server."
    ),
    Family(
        "opcws_variables_failed", "failed", _SERVER, "Variables that the OPC UA server refuses."
    ),
    Family("opcws_values_received_total", "values", _SERVER, "Values published to opcws."),
    Family(
        "opcws_updates_total",
        "updates",
        _SERVER,
        "Updates to monitors: one for each value, or loss of the connection, and monitor.",
    ),
    Family(
        "opcws_stale_values_total",
        "stale",
        _SERVER,
        "Values that stood still, by stale_after_s or by a READ, and were monitored anew.",
    ),
    Family("opcws_relay_queue", "relay_backlog", _SERVER, "What waits to be relayed to clients."),
    Family(
        "opcws_operations_queue",
        "worker_backlog",
        _SERVER,
        "Operations that wait for the OPC UA server.",
    ),
    Family(
        "opcws_service_duration_seconds",
        "calls",
        (*_SERVER, "service"),
        "How long service calls took; a call may have many nodes.",
    ),
    Family(
        "opcws_service_failures_total",
        "failed_calls",
        (*_SERVER, "service", "status"),
        "Service calls that failed as a whole, by status.",
    ),
)

Number = Union[float, Histogram]


class Numbers(NamedTuple):
    """The numbers of one listener or OPC UA server (*owner* is the label, *name* its value) or of
    the process, by source.  A mapping has a number for each value of the other label, or for each
    tuple of values of the others; ``None`` is no number."""

    owner: str
    name: str
    of: Mapping[str, Union[Number, Mapping[Any, Number], None]]


class Metrics:
    """The document, made of what *read* tells and of what the process takes (on Linux)."""

    def __init__(self, read: Callable[[], Iterable[Numbers]]) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_Collector(read))
        ProcessCollector(registry=self._registry)
        GCCollector(registry=self._registry)

    def text(self) -> bytes:
        """In :data:`CONTENT_TYPE`."""
        return generate_latest(self._registry)


class _Collector(Collector):
    def __init__(self, read: Callable[[], Iterable[Numbers]]) -> None:
        self._read = read

    def describe(self) -> Iterable[Metric]:
        """For the registry, which looks for names that are there twice."""
        return map(_family, FAMILIES)

    def collect(self) -> Iterable[Metric]:
        read = list(self._read())
        for family in FAMILIES:
            metric = _family(family)
            for owner, name, numbers in read:
                if owner == family.owner:
                    _add(metric, (name,) if owner else (), numbers.get(family.source))
            yield metric


def _add(metric: Any, labels: Tuple[str, ...], number: Any) -> None:
    if isinstance(number, Mapping):
        for values, each in sorted(number.items()):
            _add(metric, (*labels, *((values,) if isinstance(values, str) else values)), each)
    elif isinstance(number, Histogram):
        metric.add_metric(labels, _buckets(number), number.seconds)
    elif number is not None:
        metric.add_metric(labels, number)


_MAKE: Dict[str, Callable[..., Metric]] = {
    COUNTER: CounterMetricFamily,
    GAUGE: GaugeMetricFamily,
    HISTOGRAM: HistogramMetricFamily,
}
_BOUNDS = [*map(floatToGoString, DURATIONS_S), "+Inf"]


def _family(family: Family) -> Any:
    return _MAKE[family.kind](family.name, family.text, labels=family.labels)


def _buckets(histogram: Histogram) -> List[Tuple[str, float]]:
    return list(zip(_BOUNDS, accumulate(histogram.counts)))
